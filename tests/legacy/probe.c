/*
 * probe.c - uses what old kernels lack, and prints what came of it: "NAME<tab>RESULT" a row
 *
 * The results are compared with facts.tsv by tests/integration/15-as-kernel.sh, under each kernel that as-kernel plays; on a real kernel
 * they can be compared by hand. Each row runs in a child of its own, with a mount namespace of its own, for two seconds at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { SECONDS = 2, TMPFILE = 020000000 | O_DIRECTORY, PATH_ONLY = 010000000, EMPTY_PATH = 0x1000 };
enum { NEWTIME = 0x80, NEWCGROUP = 0x02000000 };

static const char *name_of(int error)
{
	static char number[24];
	static const struct {
		int error;
		const char *name;
	} names[] = {
		{EINVAL, "EINVAL"}, {ENOSYS, "ENOSYS"}, {ENOENT, "ENOENT"}, {EPERM, "EPERM"}, {ENODEV, "ENODEV"}, {EISDIR, "EISDIR"},
		{EOPNOTSUPP, "EOPNOTSUPP"}, {EAFNOSUPPORT, "EAFNOSUPPORT"}, {ENOPROTOOPT, "ENOPROTOOPT"}, {EBUSY, "EBUSY"},
		{EACCES, "EACCES"}, {EBADF, "EBADF"}, {ENOTTY, "ENOTTY"}, {EFAULT, "EFAULT"}, {ELOOP, "ELOOP"}, {EEXIST, "EEXIST"},
		{ECONNREFUSED, "ECONNREFUSED"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	(void)snprintf(number, sizeof(number), "E%d", error);
	return number;
}

static const char *result(long rc)
{
	return rc < 0 ? name_of(errno) : "ok";
}

/* A call that has no effect with these arguments: @expected proves that the kernel has it. */
static const char *known(long rc, int expected)
{
	return rc >= 0 || errno == expected ? "ok" : name_of(errno);
}

static const char *present(const char *path)
{
	return access(path, F_OK) < 0 ? name_of(errno) : "present";
}

/* A fresh tmpfs to work in. */
static int enter_tmpfs(void)
{
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	       mount("x", "/tmp", "tmpfs", 0, "size=1m") < 0 || chdir("/tmp") < 0 ? -1 : 0;
}

static int make_file(const char *name)
{
	return open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static const char *clone_with(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	int status;

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return name_of(errno);
	return waitpid((pid_t)pid, &status, 0) == pid && status == 0 ? "ok" : "child failed";
}

static const char *mount_type(const char *type, const char *options)
{
	if (enter_tmpfs() < 0 || mkdir("m", 0755) < 0)
		return "no tmpfs";
	return result(mount("x", "m", type, 0, options));
}

/* ---- namespaces ---- */

static const char *p_setns(void) { return known(syscall(SYS_setns, -1, 0), EBADF); }
static const char *p_ns_net(void) { return present("/proc/self/ns/net"); }
static const char *p_ns_mnt(void) { return present("/proc/self/ns/mnt"); }
static const char *p_ns_user(void) { return present("/proc/self/ns/user"); }
static const char *p_ns_cgroup(void) { return present("/proc/self/ns/cgroup"); }
static const char *p_ns_time(void) { return present("/proc/self/ns/time"); }

static const char *join(const char *kind)
{
	char path[40];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? "no file (ENOENT)" : name_of(errno);
	return result(syscall(SYS_setns, fd, 0));
}

static const char *p_join_net(void) { return join("net"); }
static const char *p_join_pid(void) { return join("pid"); }
static const char *p_join_user(void) { return join("user"); }
static const char *p_pin(void)
{
	if (enter_tmpfs() < 0 || make_file("ns") < 0)
		return "no tmpfs";
	return result(mount("/proc/self/ns/net", "ns", NULL, MS_BIND, NULL));
}
static const char *p_unshare_mnt(void) { return result(unshare(CLONE_NEWNS)); }
static const char *p_unshare_net(void) { return result(unshare(CLONE_NEWNET)); }
static const char *p_unshare_pid(void) { return result(unshare(CLONE_NEWPID)); }
static const char *p_unshare_user(void) { return result(unshare(CLONE_NEWUSER)); }
static const char *p_unshare_cgroup(void) { return result(unshare(NEWCGROUP)); }
static const char *p_unshare_time(void) { return result(unshare(NEWTIME)); }
static const char *p_clone_pid(void) { return clone_with(CLONE_NEWPID); }
static const char *p_clone_pid_parent(void)
{
	long pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWPID | CLONE_PARENT | SIGCHLD), 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return result(pid);
}
static const char *p_clone_user(void) { return clone_with(CLONE_NEWUSER); }
static const char *p_clone_cgroup(void) { return clone_with(NEWCGROUP); }
static const char *p_clone_user_1000(void)
{
	return setgid(1000) || setuid(1000) ? "no other user" : clone_with(CLONE_NEWUSER);
}
static const char *p_uid_map(void) { return present("/proc/self/uid_map"); }
static const char *p_setgroups(void) { return present("/proc/self/setgroups"); }

/* ---- calls ---- */

static const char *p_prlimit(void)
{
	uint64_t limit[2];

	return result(syscall(SYS_prlimit64, 0, 7, NULL, limit));
}
static const char *p_pipe_cloexec(void)
{
	int fds[2];

	return result(pipe2(fds, O_CLOEXEC));
}
static const char *p_pipe_direct(void)
{
	int fds[2];

	return result(pipe2(fds, O_DIRECT));
}
static const char *p_o_path(void)
{
	int fd = open("/proc/self/stat", PATH_ONLY | O_CLOEXEC);
	char byte;

	if (fd < 0)
		return name_of(errno);
	return read(fd, &byte, 1) == 1 ? "IGNORED: opened for reading" : "ok";
}
/* A FIFO without a writer: to open it waits. */
static const char *p_o_path_fifo(void)
{
	if (enter_tmpfs() < 0 || mkfifo("fifo", 0600) < 0)
		return "no fifo";
	return result(open("fifo", PATH_ONLY | O_CLOEXEC));
}
static const char *p_o_path_link(void)
{
	return result(open("/proc/self/exe", PATH_ONLY | O_NOFOLLOW | O_CLOEXEC));
}
static const char *p_empty_stat(void)
{
	struct stat st;

	return result(syscall(SYS_newfstatat, 0, "", &st, EMPTY_PATH));
}
static const char *p_empty_chown(void) { return result(syscall(SYS_fchownat, 0, "", -1, -1, EMPTY_PATH)); }
static const char *p_tmpfile(void)
{
	return enter_tmpfs() < 0 ? "no tmpfs" : result(open(".", TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}
static const char *p_dupfd(void) { return result(fcntl(0, F_DUPFD_CLOEXEC, 3)); }
static const char *p_pipe_size(void)
{
	int fds[2];

	return pipe(fds) < 0 ? "no pipe" : result(fcntl(fds[0], 1031, 65536));
}
static const char *p_ofd_lock(void)
{
	struct flock lock = {.l_type = F_RDLCK};
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return result(fcntl(fd, 37, &lock));
}
static const char *p_handle(void) { return known(syscall(303, AT_FDCWD, "/", NULL, NULL, 0), EFAULT); }
static const char *p_memfd(void) { return result(syscall(319, "x", 1)); }
static const char *p_getrandom(void)
{
	char byte;

	return result(syscall(318, &byte, 1, 1));
}
static const char *p_renameat2(void) { return known(syscall(316, AT_FDCWD, "/nowhere/a", AT_FDCWD, "/nowhere/b", 1), ENOENT); }
static const char *p_syncfs(void) { return known(syscall(306, -1), EBADF); }
static const char *p_fallocate(void)
{
	if (enter_tmpfs() < 0)
		return "no tmpfs";
	return result(syscall(SYS_fallocate, make_file("f"), 0, 0L, 4096L));
}
static const char *p_execveat(void) { return known(syscall(322, -1, "x", NULL, NULL, 0), EBADF); }
static const char *p_statx(void)
{
	char room[512];

	return result(syscall(332, AT_FDCWD, "/", 0, 0x7ff, room));
}
static const char *p_sendmmsg(void) { return known(syscall(307, -1, NULL, 0, 0), EBADF); }
static const char *p_recvmmsg(void) { return known(syscall(299, -1, NULL, 0, 0, NULL), EBADF); }
static const char *p_vm_readv(void) { return result(syscall(310, getpid(), NULL, 0L, NULL, 0L, 0L)); }
static const char *p_kcmp(void) { return result(syscall(312, getpid(), getpid(), 0, 0L, 0L)); }
static const char *p_copy_range(void) { return known(syscall(326, -1, NULL, -1, NULL, 1L, 0), EBADF); }
static const char *p_seccomp(void) { return known(syscall(317, 1, 0, NULL), EFAULT); }
static const char *p_seccomp_notify(void)
{
	uint32_t action = 0x7fc00000;

	return result(syscall(317, 2, 0, &action));
}
static const char *p_bpf(void)
{
	const uint64_t nothing = 0;

	return known(syscall(321, 0xffff, &nothing, sizeof(nothing)), EINVAL);
}
static const char *p_openat2(void)
{
	const uint64_t how[3] = {0};

	return result(syscall(437, AT_FDCWD, "/", how, sizeof(how)));
}
static const char *p_close_range(void) { return result(syscall(436, 1000, 1001, 0)); }
static const char *p_pidfd(void) { return result(syscall(434, getpid(), 0)); }
static const char *p_clone3(void) { return known(syscall(435, NULL, 0L), EINVAL); }
static const char *p_open_tree(void) { return known(syscall(428, -1, "x", 0), EBADF); }
static const char *p_setattr(void) { return known(syscall(442, -1, "x", 0, NULL, 0L), EINVAL); }
static const char *p_io_uring(void) { return known(syscall(425, 0, NULL), EFAULT); }
static const char *p_faccessat2(void) { return result(syscall(439, AT_FDCWD, "/", 0, 0)); }
static const char *p_waitid_pidfd(void)
{
	siginfo_t info;

	return known(syscall(SYS_waitid, 3, -1, &info, WEXITED, NULL), EBADF);
}

/* ---- prctl ---- */

static const char *p_subreaper(void) { return result(prctl(36, 1, 0, 0, 0)); }
static const char *p_no_new_privs(void) { return result(prctl(38, 1, 0, 0, 0)); }
/* A filter that cannot be read: EFAULT says that it would have been. */
static const char *p_filter(void) { return known(prctl(22, 2, 1, 0, 0), EFAULT); }
static const char *p_get_seccomp(void) { return result(prctl(21, 0, 0, 0, 0)); }
static const char *p_ambient(void) { return result(prctl(47, 1, 0, 0, 0)); }
static const char *p_last_cap(void)
{
	static char number[12];
	int cap = 0;

	while (prctl(23, cap, 0, 0, 0) >= 0)
		cap++;
	(void)snprintf(number, sizeof(number), "%d", cap - 1);
	return number;
}

/* ---- files that the kernel makes ---- */

static const char *status_has(const char *name)
{
	char text[8192];
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return name_of(errno);
	text[n] = '\0';
	return strstr(text, name) ? "present" : "absent";
}

static const char *p_cap_last_cap(void)
{
	static char text[16];
	int fd = open("/proc/sys/kernel/cap_last_cap", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return name_of(errno);
	if (read(fd, text, sizeof(text) - 1) <= 0)
		return name_of(errno);
	text[strcspn(text, "\n")] = '\0';
	return text;
}
static const char *p_st_nnp(void) { return status_has("\nNoNewPrivs:"); }
static const char *p_st_seccomp(void) { return status_has("\nSeccomp:"); }
static const char *p_st_ambient(void) { return status_has("\nCapAmb:"); }
static const char *p_st_nspid(void) { return status_has("\nNSpid:"); }
static const char *p_oom_score(void) { return present("/proc/self/oom_score_adj"); }
static const char *p_oom_adj(void) { return present("/proc/self/oom_adj"); }
static const char *p_comm(void) { return present("/proc/self/comm"); }
static const char *p_timerslack(void) { return present("/proc/self/timerslack_ns"); }
static const char *p_max_user(void) { return present("/proc/sys/user/max_user_namespaces"); }
static const char *p_pipe_max(void) { return present("/proc/sys/fs/pipe-max-size"); }
static const char *p_sys_cgroup(void) { return present("/sys/fs/cgroup"); }
static const char *p_loop_control(void) { return present("/dev/loop-control"); }
static const char *p_localnet(void) { return present("/proc/sys/net/ipv4/conf/lo/route_localnet"); }
static const char *p_release(void)
{
	static struct utsname uts;

	return uname(&uts) < 0 ? name_of(errno) : uts.release;
}
static const char *p_lists_overlay(void)
{
	char text[8192];
	int fd = open("/proc/filesystems", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	if (n < 0)
		return name_of(errno);
	text[n] = '\0';
	return strstr(text, "\toverlay\n") ? "present" : "absent";
}

/* ---- mounts ---- */

static const char *p_overlay(void)
{
	if (enter_tmpfs() < 0 || mkdir("l", 0755) || mkdir("u", 0755) || mkdir("w", 0755) || mkdir("m", 0755))
		return "no tmpfs";
	return result(mount("x", "m", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w"));
}
static const char *p_cgroup2(void) { return mount_type("cgroup2", NULL); }
static const char *p_pids(void) { return mount_type("cgroup", "pids"); }
static const char *p_devpts(void) { return mount_type("devpts", "newinstance"); }
static const char *p_mqueue(void) { return mount_type("mqueue", NULL); }
static const char *p_tmpfs_huge(void) { return mount_type("tmpfs", "mpol=default"); }
static const char *p_tmpfs_xattr(void)
{
	if (enter_tmpfs() < 0 || make_file("f") < 0)
		return "no tmpfs";
	return result(setxattr("f", "trusted.x", "x", 1, 0));
}
/* A directory is a mount point in the child's namespace only. */
static const char *p_busy(void)
{
	int ready[2], done[2];
	const char *said;
	char byte = 0;

	if (enter_tmpfs() < 0 || mkdir("point", 0755) || pipe(ready) || pipe(done))
		return "no tmpfs";
	if (fork() == 0) {
		if (unshare(CLONE_NEWNS) == 0)
			(void)mount("x", "point", "tmpfs", 0, NULL);
		(void)!write(ready[1], "", 1);
		(void)close(done[1]);
		(void)!read(done[0], &byte, 1);
		_exit(0);
	}
	(void)!read(ready[0], &byte, 1);
	said = result(rmdir("point"));
	(void)close(done[1]);
	return said;
}

/* ---- network ---- */

static const char *p_vsock(void) { return result(socket(40, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
static const char *p_reuseport(void)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
}
static const char *p_ptpeer(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), zero = 0;

	if (fd < 0 || ioctl(fd, 0x40045431 /* TIOCSPTLCK */, &zero) < 0)
		return "no ptmx";
	return result(ioctl(fd, 0x5441, O_RDWR | O_NOCTTY));
}
/* The peer is the first process of a pid namespace. */
static const char *p_peer(void)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int listener, fd;
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "\0as-kernel-probe"};
	socklen_t at_len = sizeof(sa_family_t) + sizeof("\0as-kernel-probe") - 1;
	long pid;

	if (unshare(CLONE_NEWNET) < 0)
		return "no network namespace";
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (void *)&at, at_len) < 0 || listen(listener, 1) < 0)
		return "no listener";
	pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWPID | SIGCHLD), 0, 0, 0, 0);
	if (pid == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		_exit(connect(fd, (void *)&at, at_len) < 0 || sleep(SECONDS));
	}
	fd = accept(listener, NULL, NULL);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return name_of(errno);
	return cred.pid == pid ? "translated ok" : cred.pid == 1 ? "WRONG: its own" : "neither";
}

/* A listener's path, for a socket of another network namespace. */
static const char *p_path_across(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd, error = 0;

	(void)snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/kernel-probe.%d", (int)getpid());
	if (bind(listener, (void *)&at, sizeof(at)) < 0 || listen(listener, 2) < 0)
		return "no listener";
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	if (connect(fd, (void *)&at, sizeof(at)) < 0)
		error = errno;
	if (!error && unshare(CLONE_NEWNET) == 0) {
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		error = connect(fd, (void *)&at, sizeof(at)) < 0 ? errno : 0;
	} else {
		error = EIO;
	}
	(void)unlink(at.sun_path);
	return error ? name_of(error) : "ok";
}

/* "Ctrl-Alt-Del as it is now": EINVAL where a pid namespace has a reboot of its own. */
static const char *p_reboot(void)
{
	char state = '0';
	int status, fd = open("/proc/sys/kernel/ctrl-alt-del", O_RDONLY | O_CLOEXEC);
	long pid;

	if (fd < 0 || read(fd, &state, 1) != 1)
		return "no ctrl-alt-del";
	pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWPID | SIGCHLD), 0, 0, 0, 0);
	if (pid == 0)
		_exit(syscall(SYS_reboot, 0xfee1dead, 672274793, state == '1' ? 0x89abcdef : 0, NULL) < 0 ? errno : 0);
	if (pid < 0 || waitpid((pid_t)pid, &status, 0) < 0)
		return name_of(errno);
	return WEXITSTATUS(status) == EINVAL ? "kept inside" : status ? "refused" : "reaches the host";
}

/* ST_VALID */
static const char *p_statfs_flags(void)
{
	struct statfs st;

	return statfs("/proc", &st) < 0 ? name_of(errno) : st.f_flags & 0x20 ? "present" : "absent";
}

static const struct {
	const char *name;
	const char *(*probe)(void);
} rows[] = {
	{"uname release", p_release},
	{"setns(2)", p_setns}, {"/proc/self/ns/net", p_ns_net}, {"/proc/self/ns/mnt", p_ns_mnt}, {"/proc/self/ns/user", p_ns_user},
	{"/proc/self/ns/cgroup", p_ns_cgroup}, {"/proc/self/ns/time", p_ns_time}, {"setns to own net ns", p_join_net},
	{"setns to own pid ns", p_join_pid}, {"setns to own user ns", p_join_user},
	{"ns fd pins (bind mount /proc/self/ns/net)", p_pin}, {"unshare(NEWNS)", p_unshare_mnt}, {"unshare(NEWNET)", p_unshare_net},
	{"unshare(NEWPID)", p_unshare_pid}, {"unshare(NEWUSER)", p_unshare_user}, {"unshare(NEWCGROUP)", p_unshare_cgroup},
	{"unshare(NEWTIME)", p_unshare_time}, {"clone(NEWPID)", p_clone_pid}, {"clone(NEWPID|PARENT)", p_clone_pid_parent},
	{"clone(NEWUSER)", p_clone_user}, {"clone(NEWCGROUP)", p_clone_cgroup}, {"clone(NEWUSER) as uid 1000", p_clone_user_1000},
	{"/proc/self/uid_map", p_uid_map}, {"/proc/self/setgroups", p_setgroups}, {"NSpid: line in status", p_st_nspid},
	{"prlimit64", p_prlimit}, {"pipe2(O_CLOEXEC)", p_pipe_cloexec}, {"pipe2(O_DIRECT)", p_pipe_direct}, {"O_PATH honoured", p_o_path},
	{"O_PATH on a FIFO", p_o_path_fifo}, {"O_PATH|O_NOFOLLOW on symlink", p_o_path_link}, {"AT_EMPTY_PATH fstatat", p_empty_stat},
	{"AT_EMPTY_PATH fchownat", p_empty_chown}, {"O_TMPFILE on tmpfs", p_tmpfile}, {"F_DUPFD_CLOEXEC", p_dupfd},
	{"F_SETPIPE_SZ", p_pipe_size}, {"F_OFD_SETLK", p_ofd_lock}, {"name_to_handle_at", p_handle}, {"memfd_create", p_memfd},
	{"getrandom", p_getrandom}, {"renameat2(NOREPLACE)", p_renameat2}, {"syncfs", p_syncfs}, {"fallocate (tmpfs)", p_fallocate},
	{"execveat", p_execveat}, {"statx", p_statx}, {"sendmmsg", p_sendmmsg}, {"recvmmsg", p_recvmmsg}, {"process_vm_readv", p_vm_readv},
	{"kcmp", p_kcmp}, {"copy_file_range", p_copy_range}, {"seccomp(2)", p_seccomp}, {"seccomp notify", p_seccomp_notify}, {"bpf", p_bpf},
	{"openat2", p_openat2}, {"close_range", p_close_range}, {"pidfd_open", p_pidfd}, {"clone3", p_clone3},
	{"open_tree/move_mount/fsopen", p_open_tree}, {"mount_setattr", p_setattr}, {"io_uring_setup", p_io_uring},
	{"faccessat2", p_faccessat2}, {"waitid(P_PIDFD)", p_waitid_pidfd}, {"PR_SET_CHILD_SUBREAPER", p_subreaper},
	{"PR_SET_NO_NEW_PRIVS", p_no_new_privs}, {"PR_SET_SECCOMP mode 2 (filter)", p_filter}, {"PR_GET_SECCOMP", p_get_seccomp},
	{"PR_CAP_AMBIENT", p_ambient}, {"last cap (CAPBSET_READ scan)", p_last_cap}, {"/proc/sys/kernel/cap_last_cap", p_cap_last_cap},
	{"status NoNewPrivs", p_st_nnp}, {"status Seccomp", p_st_seccomp}, {"status CapAmb", p_st_ambient},
	{"/proc/self/oom_score_adj", p_oom_score}, {"/proc/self/oom_adj", p_oom_adj}, {"/proc/self/comm", p_comm},
	{"/proc/self/timerslack_ns", p_timerslack}, {"/proc/sys/user/max_user_namespaces", p_max_user},
	{"/proc/sys/fs/pipe-max-size", p_pipe_max}, {"/sys/fs/cgroup", p_sys_cgroup}, {"/dev/loop-control", p_loop_control},
	{"route_localnet sysctl", p_localnet}, {"overlay in /proc/filesystems", p_lists_overlay}, {"mount overlay", p_overlay},
	{"mount cgroup2", p_cgroup2}, {"mount the pids controller", p_pids}, {"mount devpts newinstance", p_devpts},
	{"mount mqueue", p_mqueue}, {"mount tmpfs mpol/huge", p_tmpfs_huge}, {"tmpfs xattr trusted.", p_tmpfs_xattr},
	{"rmdir of another namespace's mount point", p_busy}, {"AF_VSOCK", p_vsock}, {"SO_REUSEPORT", p_reuseport},
	{"statfs f_flags", p_statfs_flags}, {"reboot(CAD) in pid ns", p_reboot}, {"TIOCGPTPEER", p_ptpeer}, {"SO_PEERCRED across pid ns (seen by parent)", p_peer},
	{"connect to a path across net ns", p_path_across},
};

static void run(const char *name, const char *(*probe)(void))
{
	pid_t pid;
	int status = 0;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)setpgid(0, 0);
		alarm(SECONDS);
		printf("%s\t%s\n", name, probe());
		(void)fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		exit(1);
	(void)kill(-pid, SIGKILL);
	if (WIFSIGNALED(status))
		printf("%s\tSIG%d\n", name, WTERMSIG(status));
}

int main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(rows[i].name, rows[i].probe);
	return 0;
}
