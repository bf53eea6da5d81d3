/*
 * calls.c - calls whose answer depends on what lies in memory, or on who asks
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "tests/legacy/as_kernel.h"

#define MAGIC_TMPFS 0x01021994

/* ---- names ---- */

struct verdict call_stat(const struct call *c)
{
	const uint64_t *a = (const uint64_t *)c->n.data.args;
	char path[NAME_MAX_BYTES];
	int dirfd = AT_FDCWD;
	uint64_t at = a[0];

	switch (c->n.data.nr) {
	case SYS_newfstatat:
		/* AT_EMPTY_PATH, AT_NO_AUTOMOUNT: the GNU C library's fstat() cannot be without. */
		if ((c->kernel->bit & OLD) && ((uint32_t)a[3] & ~(uint32_t)AT_SYMLINK_NOFOLLOW) && !remote_is_glibc(c))
			return fail(EINVAL);
		/* fall through */
	case SYS_faccessat:
	case SYS_readlinkat:
		dirfd = (int)a[0];
		at = a[1];
		break;
	}
	if (!remote_string(c, at, path, sizeof(path)) || !*path)
		return go_on();
	return file_use(c, dirfd, path, false, 0);
}

struct verdict call_mount(const struct call *c)
{
	const unsigned long no_type = MS_REMOUNT | MS_BIND | MS_MOVE | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
	const uint64_t *a = (const uint64_t *)c->n.data.args;
	char source[NAME_MAX_BYTES], type[64], options[NAME_MAX_BYTES] = "";
	char *rest = options, *word;

	if (a[3] & MS_BIND)
		return remote_string(c, a[0], source, sizeof(source)) ? file_use(c, AT_FDCWD, source, false, 0) : go_on();
	if ((a[3] & no_type) || !remote_string(c, a[2], type, sizeof(type)))
		return go_on();
	if (!kernel_has_filesystem(c->kernel, type))
		return fail(ENODEV);
	(void)remote_string(c, a[4], options, sizeof(options));
	while ((word = strsep(&rest, ","))) {
		if (str_eq(type, "cgroup") && *word && !kernel_has_controller(c->kernel, word))
			return fail(ENOENT);
		if (str_eq(type, "tmpfs") && (c->kernel->bit & OLD) && (str_starts(word, "huge=") || str_starts(word, "mpol=")))
			return fail(EINVAL);
	}
	return go_on();
}

/* ---- who asks ---- */

/* As root it works there, if only half; others are refused, since user namespaces are not for them yet. */
struct verdict call_clone(const struct call *c)
{
	uid_t uid = 0;
	gid_t gid;

	return remote_ids(c, &uid, &gid) && uid ? fail(EPERM) : go_on();
}

/* The GNU C library has no other way to any limit. */
struct verdict call_prlimit(const struct call *c)
{
	return remote_is_glibc(c) ? go_on() : fail(ENOSYS);
}

/*
 * Until the supervisor has taken a call, a signal to the caller ends the call, stat(2) as any other, with EINTR; if the signal restarts calls,
 * with nothing. A shell hears of each child that ends, and would not find a file then. Shells wait by sigsuspend(2), which ends all the same.
 */
struct verdict call_sigaction(const struct call *c)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} action;
	uint64_t at = c->n.data.args[1];

	if (!remote_read(c, at, &action, sizeof(action)) || action.handler <= (uintptr_t)SIG_IGN)
		return go_on();
	action.flags |= SA_RESTART;
	(void)remote_write(c, at, &action, sizeof(action));	/* in vain where it cannot be written */
	return go_on();
}

static bool wants_i686(const struct call *c)
{
	char path[48], text[12] = "";
	auto_fd int fd = -1;

	(void)str_fmt(path, sizeof(path), "/proc/%u/personality", c->n.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && (strtoul(text, NULL, 16) & PER_MASK) == PER_LINUX32;
}

static int own_uts;

void calls_prepare(void)
{
	own_uts = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
}

/* In the caller's UTS namespace, which this thread enters for it: its host name counts. */
struct verdict call_uname(const struct call *c)
{
	auto_fd int there = -1;
	struct utsname uts;
	char path[48];
	int rc;

	(void)str_fmt(path, sizeof(path), "/proc/%u/ns/uts", c->n.pid);
	there = open(path, O_RDONLY | O_CLOEXEC);
	if (own_uts < 0 || there < 0 || setns(there, CLONE_NEWUTS) < 0)
		return go_on();
	rc = uname(&uts);
	if (wants_i686(c))
		(void)str_fmt(uts.machine, sizeof(uts.machine), "i686");
	if (setns(own_uts, CLONE_NEWUTS) < 0)
		abort();	/* every later answer would be wrong */
	if (rc < 0 || str_fmt(uts.release, sizeof(uts.release), "%s", c->kernel->release) < 0)
		return go_on();
	return remote_write(c, c->n.data.args[0], &uts, sizeof(uts)) ? give_back(0) : fail(EFAULT);
}

struct verdict call_seccomp(const struct call *c)
{
	uint32_t action = 0;

	if (!remote_read(c, c->n.data.args[2], &action, sizeof(action)))
		return fail(EFAULT);
	return action == SECCOMP_RET_USER_NOTIF ? fail(EOPNOTSUPP) : go_on();
}

/* Vanilla: the number that the peer has in its own pid namespace, whoever asks. */
struct verdict call_peer(const struct call *c)
{
	auto_fd int fd = remote_fd(c, (int)c->n.data.args[0]);
	struct ucred cred;
	socklen_t len = sizeof(cred), room = 0;
	char path[48], text[4096];
	auto_fd int status = -1;
	const char *line, *end;
	ssize_t n;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.pid <= 0)
		return go_on();
	(void)str_fmt(path, sizeof(path), "/proc/%d/status", cred.pid);
	status = open(path, O_RDONLY | O_CLOEXEC);
	n = status < 0 ? -1 : read(status, text, sizeof(text) - 1);
	if (n < 0)
		return go_on();
	text[n] = '\0';
	line = strstr(text, "\nNSpid:");
	end = line ? strchr(line + 1, '\n') : NULL;
	if (!end || !remote_read(c, c->n.data.args[4], &room, sizeof(room)) || room < len)
		return go_on();
	while (end[-1] != '\t' && end > line)
		end--;
	cred.pid = atoi(end);
	return remote_write(c, c->n.data.args[3], &cred, len) && remote_write(c, c->n.data.args[4], &len, sizeof(len))
		       ? give_back(0)
		       : go_on();
}

/* ---- what tmpfs cannot do before 3.1 and 3.5 ---- */

struct verdict call_xattr(const struct call *c)
{
	int nr = c->n.data.nr;
	bool by_fd = nr == SYS_fsetxattr || nr == SYS_fgetxattr, link = nr == SYS_lsetxattr || nr == SYS_lgetxattr;
	char name[256], path[NAME_MAX_BYTES], full[NAME_MAX_BYTES + 64];
	struct statfs st;
	long magic = 0;

	if (!remote_string(c, c->n.data.args[1], name, sizeof(name)) || str_starts(name, "system."))
		return go_on();
	if (by_fd) {
		(void)str_fmt(full, sizeof(full), "/proc/%u/fd/%d", c->n.pid, (int)c->n.data.args[0]);
	} else if (!remote_string(c, c->n.data.args[0], path, sizeof(path)) ||
		   !remote_path(c, AT_FDCWD, path, full, sizeof(full))) {
		return go_on();
	}
	if (link) {
		auto_fd int parent = remote_parent(c, AT_FDCWD, path, &magic);

		(void)parent;
	} else if (statfs(full, &st) == 0) {
		magic = st.f_type;
	}
	return magic == MAGIC_TMPFS ? fail(EOPNOTSUPP) : go_on();
}

/* The flags of the mount came with 2.6.36. */
struct verdict call_statfs(const struct call *c)
{
	char path[NAME_MAX_BYTES], full[NAME_MAX_BYTES + 64];
	bool hides;
	struct statfs st;

	if (c->n.data.nr == SYS_fstatfs) {
		(void)str_fmt(full, sizeof(full), "/proc/%u/fd/%d", c->n.pid, (int)c->n.data.args[0]);
	} else {
		if (!remote_string(c, c->n.data.args[0], path, sizeof(path)) || !*path)
			return go_on();
		hides = file_use(c, AT_FDCWD, path, false, 0).what == FAIL;
		if (hides)
			return fail(ENOENT);
		if (!remote_path(c, AT_FDCWD, path, full, sizeof(full)))
			return go_on();
	}
	if (statfs(full, &st) < 0)
		return go_on();
	st.f_flags = 0;
	return remote_write(c, c->n.data.args[1], &st, sizeof(st)) ? give_back(0) : fail(EFAULT);
}

struct verdict call_fallocate(const struct call *c)
{
	struct statfs st;
	char path[48];

	(void)str_fmt(path, sizeof(path), "/proc/%u/fd/%d", c->n.pid, (int)c->n.data.args[0]);
	return statfs(path, &st) == 0 && st.f_type == MAGIC_TMPFS ? fail(EOPNOTSUPP) : go_on();
}
