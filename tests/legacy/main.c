/*
 * as-kernel - runs a command on a kernel that answers as an old one does
 *
 * usage: as-kernel 2.6.32|el6|3.10|4.18 COMMAND [ARGUMENT...]
 *
 * What answers otherwise is in kernels.c and files.c; how, in as_kernel.h. The command, and all that it starts, wherever it goes
 * (containers too), is under the filter for good; its exit status, its terminal and its signals are its own, since as-kernel becomes the
 * command. The supervisor is a process beside it, which ends after the last process under the filter.
 *
 * Every program is treated alike but for one thing. A program that is linked with a GNU C library of today (its ELF file names ld-linux
 * or has the library's note) cannot even fstat() without newer calls: such programs, and no others, keep newfstatat(AT_EMPTY_PATH),
 * prlimit64() and O_PATH, in containers too. They are the shell, sed, iptables, docker-registry and the busybox of the test image, for
 * which on a real old kernel older builds stand. The release programs of pouch are static musl programs and get no such help, so only a
 * build by "make static" tells what would happen there; a development build is a GNU program.
 *
 * What it cannot play: flags that 2.6.32 ignores and today's kernel honours, other than those above (clone() with CLONE_NEWCGROUP and
 * CLONE_PIDFD says EINVAL at once instead), what the vDSO answers, MAP_FIXED_NOREPLACE, the `ns` controller, sysfs that shows the host's
 * interfaces, panics, 32-bit programs (ENOSYS), and calls of io_uring and the like, which nobody gets. It needs Linux 5.14, x86-64 and root,
 * and does not work inside itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "tests/legacy/as_kernel.h"

static void die(const char *what, int error)
{
	fprintf(stderr, "as-kernel: %s: %s\n", what, strerror(error));
	exit(125);
}

/* Nobody may wait for the end of a pipe because of us, and nobody may take us for the command. */
static void disappear(int argc, char **argv)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		(void)dup2(null, fd);
	if (chdir("/") < 0)
		abort();
	(void)setsid();
	(void)signal(SIGHUP, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	/* We stand for a part of the kernel, for which nobody waits behind others. */
	if (sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1}) < 0)
		(void)setpriority(PRIO_PROCESS, 0, -10);
	for (int i = 2; i < argc; i++)
		memset(argv[i], '\0', strlen(argv[i]));
}

/* The command tells its listener's number; a copy of it is ours then. */
static int take_listener(pid_t command, int from, int to)
{
	auto_fd int process = (int)syscall(SYS_pidfd_open, command, 0);
	int number, fd;

	if (process < 0 || read(from, &number, sizeof(number)) != (ssize_t)sizeof(number))
		return -1;
	fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);
	if (fd >= 0 && write(to, "", 1) != 1) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void supervisor(const struct kernel *k, pid_t command, int from, int to, const char *dir)
{
	int listener = take_listener(command, from, to);

	(void)close(from);
	(void)close(to);
	if (listener >= 0)
		supervise(k, listener);
	/* What the command left in it is in its own mount namespace. */
	(void)rmdir(dir);
	_exit(0);
}

/* Two forks: the command must not have a child that it does not know. */
static void start_supervisor(const struct kernel *k, int argc, char **argv, const int ask[2], const int reply[2], const char *dir)
{
	pid_t command = getpid(), pid = fork();

	if (pid < 0)
		die("fork", errno);
	if (pid == 0) {
		pid = fork();
		if (pid)
			_exit(pid < 0 ? 1 : 0);
		(void)close(ask[1]);
		(void)close(reply[0]);
		disappear(argc, argv);
		supervisor(k, command, ask[0], reply[1], dir);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(ask[0]);
	(void)close(reply[1]);
}

/* What newer kernels allow for these, nobody has there; and nobody could drop them later. */
static void drop_later_capabilities(const struct kernel *k)
{
	for (unsigned int cap = k->last_cap + 1; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			die("drop capabilities of newer kernels", errno);
}

static void enter(const struct kernel *k, int ask, int reply)
{
	int listener = filter_install(k);
	char byte;

	if (listener < 0)
		die("seccomp (as-kernel does not work inside itself)", -listener);
	/* From here on nothing but these calls, until the supervisor answers. */
	if (write(ask, &listener, sizeof(listener)) != (ssize_t)sizeof(listener) || read(reply, &byte, 1) != 1)
		_exit(125);
	(void)close(listener);
	(void)close(ask);
	(void)close(reply);
}

int main(int argc, char **argv)
{
	char dir[] = "/run/as-kernel.XXXXXX";
	const struct kernel *k = argc < 3 ? NULL : kernel_by_name(argv[1]);
	int ask[2], reply[2], rc;

	if (!k) {
		fprintf(stderr, "usage: as-kernel VERSION COMMAND [ARGUMENT...]\nVERSION: %s\n", kernel_names());
		return 125;
	}
	if (geteuid())
		die("it needs root", EPERM);
	if (!mkdtemp(dir))
		die(dir, errno);
	if (pipe2(ask, O_CLOEXEC) < 0 || pipe2(reply, O_CLOEXEC) < 0)
		die("pipe", errno);
	start_supervisor(k, argc, argv, ask, reply, dir);
	rc = mounts_arrange(k, dir);
	if (rc)
		die("arrange control groups", -rc);
	/* So that a test can say why it is skipped. */
	(void)setenv("AS_KERNEL", k->name, 1);
	drop_later_capabilities(k);
	enter(k, ask[1], reply[0]);
	(void)execvp(argv[2], argv + 2);
	rc = errno;
	fprintf(stderr, "as-kernel: %s: %s\n", argv[2], strerror(rc));
	return rc == ENOENT ? 127 : 126;
}
