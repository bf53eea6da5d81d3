/*
 * proc - know processes again, find siblings. Starting them is in spawn.c, signal names in signal.c.
 */
#include "compat/base/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"

#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define PF_EXITING 4 /* of the kernel's include/linux/sched.h, since 2.2 */

struct stat_line {
	char state;
	uint64_t parent, flags, threads, start;
};

/* Fields 3, 4, 9, 20 and 22. The command's name may hold anything, so count from its last bracket. */
static int read_stat(pid_t pid, struct stat_line *ret)
{
	char path[32], text[1024], *p;
	auto_fd int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = fd_read_all(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n < 0 ? (int)n : -ESRCH;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p || p[1] != ' ' || !p[2])
		return -EIO;
	ret->state = p[2];
	p += 2;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return -EIO;
		p++;
		if (field == 3)
			ret->parent = strtoul(p, NULL, 10);
		else if (field == 8)
			ret->flags = strtoul(p, NULL, 10);
		else if (field == 19)
			ret->threads = strtoul(p, NULL, 10);
	}
	p[strspn(p, "0123456789")] = '\0';
	return str_u64(p, 10, &ret->start);
}

int proc_parent(pid_t pid, pid_t *ret)
{
	struct stat_line line = {0};
	int rc = pid > 0 ? read_stat(pid, &line) : -ESRCH;

	if (!rc)
		*ret = (pid_t)line.parent;
	return rc;
}

int proc_ref_get(pid_t pid, struct proc_ref *ret)
{
	struct stat_line line = {0};
	int rc;

	if (pid <= 0)
		return -ESRCH;
	rc = read_stat(pid, &line);
	if (rc)
		return rc;
	*ret = (struct proc_ref){.pid = pid, .start = line.start};
	return 0;
}

bool proc_ref_alive(const struct proc_ref *ref)
{
	struct stat_line line = {0};
	int rc = ref->pid > 0 ? read_stat(ref->pid, &line) : -ESRCH;

	if (rc == -ESRCH)
		return false;
	/* Nothing can be opened or read just now: nobody is taken for dead because of that. */
	if (rc)
		return kill(ref->pid, 0) == 0 || errno != ESRCH;
	return line.start == ref->start && line.state != 'Z' && line.state != 'X' && line.state != 'x';
}

void proc_ref_vec_clear(proc_ref_vec *refs)
{
	VEC_FREE(refs);
}

/* @dir is /proc or /proc/PID/task. Of a process whose first thread has ended, the others are looked at. */
static int add_exiting(const char *dir, bool processes, proc_ref_vec *ret)
{
	auto_closedir DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
		struct stat_line line = {0};
		int rc = pid > 0 ? read_stat(pid, &line) : -ESRCH;

		if (rc == -ESRCH)
			continue;
		if (rc)
			return rc;
		if (line.state != 'Z' && (line.flags & PF_EXITING))
			VEC_PUSH(ret, ((struct proc_ref){.pid = pid, .start = line.start}));
		if (processes && (line.flags & PF_EXITING) && line.threads > 1) {
			char tasks[64];

			(void)snprintf(tasks, sizeof(tasks), "/proc/%d/task", (int)pid);
			rc = add_exiting(tasks, false, ret);
			if (rc && rc != -ENOENT)
				return rc;
		}
	}
	return 0;
}

int proc_exiting(proc_ref_vec *ret)
{
	return add_exiting("/proc", true, ret);
}

/* Has its pid not become another's? 0, -ESRCH, or why that cannot be read. */
static int still_is(const struct proc_ref *ref)
{
	struct proc_ref now = {0};
	int rc = proc_ref_get(ref->pid, &now);

	return rc ? rc : now.start == ref->start ? 0 : -ESRCH;
}

/* -ENOSYS where there are no pidfds. The start time is read after the pidfd pins the process. */
static int kill_by_pidfd(const struct proc_ref *ref, int sig)
{
	auto_fd int fd = -1;
	int rc;

	if (hidden("pidfd"))
		return -ENOSYS;
	fd = (int)syscall(SYS_pidfd_open, ref->pid, 0);
	if (fd < 0)
		return errno == ESRCH ? -ESRCH : -ENOSYS;
	rc = still_is(ref);
	if (rc)
		return rc;
	if (syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0) < 0)
		return -errno;
	return 0;
}

int proc_ref_kill(const struct proc_ref *ref, int sig)
{
	int rc;

	if (ref->pid <= 0)
		return -ESRCH;
	rc = kill_by_pidfd(ref, sig);
	if (rc != -ENOSYS)
		return rc;
	rc = still_is(ref);
	if (rc)
		return rc;
	return kill(ref->pid, sig) < 0 ? -errno : 0;
}

int proc_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int proc_sibling(const char *name, char **ret, struct err *err)
{
	static const char *const places[] = {"", "../libexec/pouch/"};
	const char *named = getenv("POUCH_LIBEXEC");
	auto_free char *path = NULL;
	char self[4096], *slash;
	ssize_t n;

	if (!str_empty(named)) {
		path = xfmt("%s/%s", named, name);
		if (access(path, X_OK) < 0)
			return err_sys(err, errno, "find program '%s' ($POUCH_LIBEXEC)", path);
		*ret = take(path);
		return 0;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0)
		return err_sys(err, errno, "read link '/proc/self/exe'");
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return err_set(err, ERR_INTERNAL, "own path '%s' is not absolute", self);
	slash[1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		free(path);
		path = xfmt("%s%s%s", self, places[i], name);
		if (access(path, X_OK) == 0) {
			*ret = take(path);
			return 0;
		}
	}
	return err_set(err, ERR_NOT_FOUND, "program '%s' is neither in '%s' nor in '%s'", name, self,
		       "../libexec/pouch");
}

int proc_boot_id(char ret[37], struct err *err)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char id[37];
	ssize_t n;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	n = fd_read_all(fd, id, 36);
	if (n != 36)
		return err_sys(err, n < 0 ? (int)-n : EIO, "read '%s'", path);
	id[36] = '\0';
	memcpy(ret, id, sizeof(id));
	return 0;
}
