/*
 * process.c - from a privileged child to the user's program
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/caps.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/oom_score.h"
#include "compat/kernel/syscalls.h"
#include "runtime/oci/internal.h"
#include "runtime/oci/words.h"

/* ---- by the parent ------------------------------------------------------------------------------------------------------- */

static bool has_prlimit(void)
{
	struct rlimit old;

	return !hidden("prlimit") && prlimit(0, RLIMIT_CORE, NULL, &old) == 0;
}

int process_address_space(pid_t pid, int64_t bytes, struct err *err)
{
	struct rlimit value = {.rlim_cur = bytes > 0 ? (rlim_t)bytes : RLIM_INFINITY};

	value.rlim_max = value.rlim_cur;
	if (pid && !has_prlimit())
		return err_set(err, ERR_UNSUPPORTED, "this kernel cannot change the address space of a running process");
	if ((pid ? prlimit(pid, RLIMIT_AS, &value, NULL) : setrlimit(RLIMIT_AS, &value)) < 0)
		return errno == ESRCH ? 0 : err_sys(err, errno, "limit the address space to %lld", (long long)bytes);
	return 0;
}

/* The smaller of the container's memory limit and a limit of the process's own wins. */
static bool is_overruled(const struct process_setup *setup, const struct oci_rlimit *r)
{
	return setup->address_space > 0 && oci_rlimit_parse(r->type) == RLIMIT_AS && r->hard > (uint64_t)setup->address_space;
}

static bool has_own_address_space(const struct process_setup *setup)
{
	VEC_EACH(r, &setup->process->rlimits) {
		if (oci_rlimit_parse(r->type) == RLIMIT_AS && !is_overruled(setup, r))
			return true;
	}
	return false;
}

static int set_rlimits(pid_t pid, const struct process_setup *setup, struct err *err)
{
	const struct oci_process *p = setup->process;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct oci_rlimit *r = &p->rlimits.v[i];
		struct rlimit value = {.rlim_cur = r->soft, .rlim_max = r->hard};
		int rc = is_overruled(setup, r) ? 0 : pid ? prlimit(pid, oci_rlimit_parse(r->type), &value, NULL)
			     : setrlimit(oci_rlimit_parse(r->type), &value);

		if (rc < 0)
			return err_sys(err, errno, "set %s to %llu:%llu", r->type, (unsigned long long)r->soft,
				       (unsigned long long)r->hard);
	}
	return setup->address_space > 0 && !has_own_address_space(setup)
		       ? process_address_space(pid, setup->address_space, err)
		       : 0;
}

int process_rlimits(pid_t pid, const struct process_setup *setup, struct err *err)
{
	bool some = setup->process->rlimits.n || setup->address_space > 0;

	return some && has_prlimit() ? set_rlimits(pid, setup, err) : 0;
}

/* sched_setattr(2) */
struct sched_attributes {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

/* Before 3.14: all but deadlines. By number, since musl says ENOSYS itself. */
static int classic_scheduler(pid_t pid, const struct sched_attributes *a)
{
	enum { DEADLINE = 6, RESET_ON_FORK = 1, POLICY_RESET_ON_FORK = 0x40000000 };
	const struct sched_param param = {.sched_priority = (int)a->priority};
	int policy = (int)a->policy | (a->flags & RESET_ON_FORK ? POLICY_RESET_ON_FORK : 0);

	if (a->policy == DEADLINE || a->flags & ~(uint64_t)RESET_ON_FORK)
		return -ENOSYS;
	if (syscall(SYS_sched_setscheduler, pid, policy, &param) < 0 || setpriority(PRIO_PROCESS, (id_t)pid, a->nice) < 0)
		return -errno;
	return 0;
}

static int set_scheduler(pid_t pid, const struct sched_attributes *a)
{
	if (syscall(SYS_sched_setattr, pid, a, 0) == 0)
		return 0;
	return errno == ENOSYS ? classic_scheduler(pid, a) : -errno;
}

int process_scheduling(pid_t pid, const struct oci_process *process, struct err *err)
{
	const struct oci_scheduler *s = process->scheduler;
	const struct oci_io_priority *io = process->io_priority;
	uint64_t value = 0;
	int rc;

	if (s) {
		struct sched_attributes a = {
			.size = sizeof(a), .nice = s->nice, .priority = (uint32_t)s->priority,
			.runtime = s->runtime, .deadline = s->deadline, .period = s->period,
		};

		(void)oci_word(oci_sched_policies, s->policy, &value); /* checked */
		a.policy = (uint32_t)value;
		STRV_EACH(f, &s->flags) {
			(void)oci_word(oci_sched_flags, *f, &value);
			a.flags |= value;
		}
		rc = set_scheduler(pid, &a);
		if (rc)
			return err_sys(err, -rc, "set the scheduler to %s", s->policy);
	}
	if (io) {
		(void)oci_word(oci_io_classes, io->class, &value);
		if (syscall(SYS_ioprio_set, 1 /* a process */, pid, (int)value << 13 | io->priority) < 0)
			return err_sys(err, errno, "set the I/O priority to %s %d", io->class, io->priority);
	}
	return 0;
}

int process_oom_score(pid_t pid, const struct oci_process *process, struct err *err)
{
	int64_t score = process->oom_score_adj.v;
	int rc = process->oom_score_adj.set ? oom_score_set(pid, score, err) : 0;

	return rc < 0 ? err_wrap(err, rc, "set oomScoreAdj to %lld", (long long)score) : 0;
}

/* ---- standard fds, keyring ----------------------------------------------------------------------------------------------- */

int process_stdio(const struct process_setup *setup, struct err *err)
{
	int from[3];

	/* Sources among 0 to 2 are moved out of the way of the others first. */
	for (int i = 0; i < 3; i++) {
		from[i] = setup->stdio[i];
		if (from[i] < 0)
			from[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		else if (from[i] < 3 && from[i] != i)
			from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
		if (from[i] < 0)
			return err_sys(err, errno, "prepare standard fd %d", i);
	}
	for (int i = 0; i < 3; i++) {
		int rc = from[i] == i ? fcntl(i, F_SETFD, 0) : dup2(from[i], i);

		if (rc < 0)
			return err_sys(err, errno, "set standard fd %d", i);
	}
	return 0;
}

static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int process_reopen_null(struct err *err)
{
	auto_fd int fd = -1;

	for (int i = 0; i < 3; i++) {
		if (!is_null(i))
			continue;
		if (fd < 0)
			fd = open("/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		/* An image without /dev/null keeps ours: it is harmless. */
		if (fd < 0 || !is_null(fd))
			return 0;
		fcntl(fd, F_SETFL, O_RDWR);
		if (dup2(fd, i) < 0)
			return err_sys(err, errno, "set standard fd %d", i);
	}
	return 0;
}

int process_keyring(const struct process_setup *setup, struct err *err)
{
	if (setup->no_new_keyring)
		return 0;
	if (syscall(SYS_keyctl, 1 /* join session */, setup->keyring) < 0 && errno != ENOSYS)
		return err_sys(err, errno, "join session keyring '%s'", setup->keyring);
	return 0;
}

/* ---- the program --------------------------------------------------------------------------------------------------------- */

static const char *env_get(const struct oci_process *p, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = p->env.n; i-- > 0;)
		if (strncmp(p->env.v[i], name, n) == 0 && p->env.v[i][n] == '=')
			return p->env.v[i] + n + 1;
	return NULL;
}

static int cannot_exec(const char *name, int code, struct err *err)
{
	if (code == ENOENT || code == ENOTDIR)
		return err_set(err, ERR_NOT_FOUND, strchr(name, '/')
				       ? "exec: \"%s\": stat %s: no such file or directory"
				       : "exec: \"%s\": executable file not found in $PATH", name, name);
	if (code == EACCES || code == EISDIR || code == EPERM)
		return err_set(err, ERR_FORBIDDEN, "exec: \"%s\": permission denied", name);
	return err_sys(err, code, "exec: \"%s\"", name);
}

/* 0 when it is a file that somebody may execute. */
static int usable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return st.st_mode & 0111 ? 0 : EACCES;
}

static int find_program(const struct oci_process *p, char dst[PATH_MAX], struct err *err)
{
	const char *name = p->args.v[0], *path = env_get(p, "PATH");
	int code = ENOENT;

	if (strchr(name, '/')) {
		code = usable(name);
		if (code || str_fmt(dst, PATH_MAX, "%s", name))
			return cannot_exec(name, code ? code : ENAMETOOLONG, err);
		return 0;
	}
	while (path && *path) {
		size_t n = strcspn(path, ":");
		int found;

		if (!str_fmt(dst, PATH_MAX, "%.*s%s%s", (int)n, path, n ? "/" : "./", name)) {
			found = usable(dst);
			if (!found)
				return 0;
			if (found != ENOENT && found != ENOTDIR)
				code = found;
		}
		path += n + (path[n] == ':');
	}
	return cannot_exec(name, code, err);
}

/*
 * Does the way up from here end at the root? Before 2.6.36 getcwd() names a directory outside as if it were inside. Another directory may look
 * the same (a volume's, by the host's mount of it), so every step up to the one that is its own parent is taken.
 */
static bool is_below_root(void)
{
	char up[PATH_MAX] = ".";
	struct stat root, here, above;

	if (stat("/", &root) < 0 || stat(".", &here) < 0)
		return false;
	for (size_t len = 1; len + 3 < sizeof(up); len += 3, here = above) {
		memcpy(up + len, "/..", sizeof("/.."));
		if (stat(up, &above) < 0)
			return false;
		if (above.st_dev == here.st_dev && above.st_ino == here.st_ino)
			return here.st_dev == root.st_dev && here.st_ino == root.st_ino;
	}
	return false;
}

/* A directory outside of the root shows itself by a path that does not begin with a slash, or by its way up. CVE-2024-21626 */
static int enter_cwd(const char *cwd, struct err *err)
{
	char now[PATH_MAX];
	long n;

	if (chdir(cwd) < 0)
		return err_sys(err, errno, "enter working directory '%s'", cwd);
	n = syscall(SYS_getcwd, now, sizeof(now));
	if (n < 0 && errno != ERANGE)
		return err_sys(err, errno, "enter working directory '%s'", cwd);
	if ((n > 0 && now[0] != '/') || !is_below_root()) {
		(void)chdir("/"); /* refused anyway */
		return err_set(err, ERR_INVALID, "working directory '%s' is outside of the container's root", cwd);
	}
	return 0;
}

int process_check(const struct process_setup *setup, struct err *err)
{
	char path[PATH_MAX];
	int rc = enter_cwd(setup->process->cwd, err);

	/* A file system that root may not enter: the user shall try. */
	if (rc && rc != -EACCES)
		return rc;
	return find_program(setup->process, path, err);
}

/* ---- privileges ---------------------------------------------------------------------------------------------------------- */

static bool setgroups_denied(int proc_fd)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	return file_read(proc_fd, "self/setgroups", 64, &text, NULL) >= 0 && str_starts(buf_cstr(&text), "deny");
}

/*
 * Pipes and the like become the user's, so that the program may open /proc/self/fd/1 (nginx, for one, logs to /dev/stdout). What cannot
 * be given away (a mapped user, a read-only file system) stays usable through the fd.
 */
static void give_stdio(uint32_t uid)
{
	struct stat st;

	for (int i = 0; i < 3; i++)
		if (!is_null(i) && fstat(i, &st) == 0 && st.st_uid != uid)
			(void)!fchown(i, uid, (gid_t)-1);
}

static int become_user(const struct process_setup *setup, struct err *err)
{
	const struct oci_user *u = &setup->process->user;
	size_t n = u->additional_gids.n;
	auto_free gid_t *gids = xcalloc(n + 1, sizeof(*gids));

	for (size_t i = 0; i < n; i++)
		gids[i] = u->additional_gids.v[i];
	give_stdio(u->uid);
	if (setgroups(n, gids) < 0 && !(errno == EPERM && !n && setgroups_denied(setup->proc_fd)))
		return err_sys(err, errno, "set %zu additional groups", n);
	if (setresgid(u->gid, u->gid, u->gid) < 0)
		return err_sys(err, errno, "become group %u", u->gid);
	if (setresuid(u->uid, u->uid, u->uid) < 0)
		return err_sys(err, errno, "become user %u", u->uid);
	return 0;
}

/* The home directory of @uid in /etc/passwd of the container; "/" when there is none. */
static char *home_of(uint32_t uid)
{
	auto_fd int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct stat st;
	char *line, *save = NULL;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    buf_read_fd(&text, fd, 4 << 20, "/etc/passwd", NULL) < 0 || !text.len)
		return xstrdup("/");
	for (line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		AUTO(strv_clear) struct strv f = {0};
		uint32_t id;

		strv_split(&f, line, ":", true);
		if (f.n >= 6 && !str_u32(f.v[2], 10, &id) && id == uid && *f.v[5] == '/')
			return xstrdup(f.v[5]);
	}
	return xstrdup("/");
}

void process_default_signals(void)
{
	struct sigaction act = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int s = 1; s < 65; s++)
		(void)sigaction(s, &act, NULL); /* KILL, STOP and the C library's own refuse */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything from @first on closes with the exec; 3 to @first - 1 go to the program. */
static int sort_fds(const struct process_setup *setup, struct err *err)
{
	int keep = setup->preserve_fds > setup->listen_fds ? setup->preserve_fds : setup->listen_fds;
	auto_closedir DIR *d = NULL;
	struct dirent *e;
	int fd;

	for (int i = 3; i < 3 + keep; i++)
		(void)fcntl(i, F_SETFD, 0); /* it was there when we began */
	if (!hidden("close_range") && syscall(NR_CLOSE_RANGE, 3 + keep, ~0u, K_CLOSE_RANGE_CLOEXEC) == 0)
		return 0;
	if (setup->in_agent)
		return 0; /* nothing was inherited: all were born so */
	fd = openat(setup->proc_fd, "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return err_sys(err, errno, "list open fds");
	while ((e = readdir(d))) {
		int n = atoi(e->d_name);

		if (n >= 3 + keep && isdigit((unsigned char)e->d_name[0]))
			(void)fcntl(n, F_SETFD, FD_CLOEXEC);
	}
	return 0;
}

int process_seccomp(const struct process_setup *setup, struct err *err)
{
	int notify = -1, rc;

	if (!setup->seccomp)
		return 0;
	rc = seccomp_install(setup->seccomp, &notify, err);
	if (rc)
		return rc;
	if (notify >= 0) {
		rc = sync_send(setup->sync, SYNC_NOTIFY, notify);
		close(notify);
	}
	return rc < 0 ? err_sys(err, -rc, "hand over the seccomp listener") : 0;
}

static int drop_privileges(const struct process_setup *setup, struct err *err)
{
	static const struct caps none;
	const struct oci_process *p = setup->process;
	const struct caps *caps = p->capabilities ? p->capabilities : &none;
	int rc;

	rc = caps_drop_bounding(caps->bounding, err);
	if (!rc)
		rc = caps_keep(err);
	if (!rc)
		rc = become_user(setup, err);
	if (!rc)
		rc = caps_apply(caps, err);
	/* Who changes the user may be looked into again where fs.suid_dumpable is 1; the exec settles it anew. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return rc;
}

static void environment(const struct process_setup *setup, struct strv *env)
{
	strv_add_all(env, &setup->process->env);
	if (!env_get(setup->process, "HOME")) {
		auto_free char *home = home_of(setup->process->user.uid);

		strv_addf(env, "HOME=%s", home);
	}
	if (setup->listen_fds) {
		strv_addf(env, "LISTEN_FDS=%d", setup->listen_fds);
		strv_addf(env, "LISTEN_PID=%d", (int)getpid());
	}
}

/* Checked: without the call the container was made so that nothing is gained by an exec. */
static int set_no_new_privs(const struct process_setup *setup, struct err *err)
{
	if (process_has_no_new_privs())
		return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? err_sys(err, errno, "set no_new_privs") : 0;
	return setup->nosuid ? 0 : err_set(err, ERR_UNSUPPORTED,
					   "no_new_privs: not available here, and the container was created without it");
}

int process_exec(const struct process_setup *setup, int (*before_exec)(void *, struct err *), void *arg,
		 struct err *err)
{
	const struct oci_process *p = setup->process;
	bool filter_late = p->no_new_privileges && process_has_no_new_privs();
	struct strv env = {0}, args = {0};
	char path[PATH_MAX];
	bool cwd_later;
	int rc;

	if (setup->self_limits || !has_prlimit()) {
		rc = set_rlimits(0, setup, err);
		if (!rc && setup->self_limits)
			rc = process_scheduling(0, p, err);
		if (rc)
			return rc;
	}
	if (setup->personality.set && personality((unsigned long)setup->personality.v) < 0)
		return err_sys(err, errno, "set the personality");
	rc = lsm_apply_exec(setup->proc_fd, p->apparmor_profile, p->selinux_label, err);
	/* By root, as runc does, and before a filter that may deny what the check needs; else it is the user's to try. */
	if (!rc)
		rc = enter_cwd(p->cwd, err);
	cwd_later = rc == -EACCES;
	if (cwd_later) {
		err_clear(err);
		rc = 0;
	}
	/* Without no_new_privs the filter needs CAP_SYS_ADMIN: before the capabilities go. */
	if (!rc && !filter_late)
		rc = process_seccomp(setup, err);
	if (!rc)
		rc = drop_privileges(setup, err);
	if (!rc)
		rc = sort_fds(setup, err);
	/* The host's processes are below it, and their roots: neither working directory nor program may be reached by way of it. */
	if (setup->proc_fd >= 0)
		close(setup->proc_fd);
	if (!rc && cwd_later)
		rc = enter_cwd(p->cwd, err);
	if (!rc && p->no_new_privileges)
		rc = set_no_new_privs(setup, err);
	if (rc)
		return rc;
	umask(p->user.umask.set ? (mode_t)p->user.umask.v : 022);
	/* The hooks before the program are inside: the filter is for them, too. */
	rc = filter_late ? process_seccomp(setup, err) : 0;
	if (!rc && before_exec)
		rc = before_exec(arg, err);
	if (!rc)
		rc = find_program(p, path, err);
	if (rc)
		return rc;
	environment(setup, &env);
	strv_add_all(&args, &p->args);
	process_default_signals();
	execve(path, strv_argv(&args), strv_argv(&env));
	return cannot_exec(p->args.v[0], errno, err);
}
