/*
 * fail-at - runs a command and makes one of its system calls fail
 *
 *	fail-at N ERRNO COMMAND...
 *
 * The Nth system call that COMMAND and its children make is not made and returns ERRNO (a number); 0 lets all pass. Not counted are
 * calls that cannot fail, those for more memory, those of the loader of shared libraries, which dies of some, and those of other programs
 * than pouch's own: what a container runs is left alone. What was done is appended to the file that FAIL_AT_LOG names: "N PID CALL" of the
 * failed call, and "total N" at the end.
 *
 * Exits as COMMAND does, or with 128 + its signal; whoever it left behind runs on, not traced any more.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* Named so that glibc's <sys/ptrace.h> and the kernel's need not be mixed. */
#define GET_SYSCALL_INFO 0x420e
#define INFO_ENTRY	 1
#define INFO_EXIT	 2
#define EVENT_STOP	 128

#define LOADING_MAX 16

struct syscall_info {
	uint8_t op;
	uint8_t pad[3];
	uint32_t arch;
	uint64_t instruction_pointer, stack_pointer;
	uint64_t rest[8];	/* entry: number, six arguments */
};

struct run {
	long wanted, seen;
	int error;
	pid_t main, victim;	/* @victim: whose call is to return @error next, or 0 */
	dev_t dev;		/* COMMAND's file */
	ino_t ino;
	pid_t loading[LOADING_MAX];	/* who began a program and has not come to its main() */
	FILE *log;
};

static void die(const char *what)
{
	perror(what);
	exit(125);
}

/* They have no way to fail, or their failure means nothing: malloc() goes on with mmap() where brk() fails. */
static bool cannot_fail(long nr)
{
	static const long calls[] = {
		SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_umask, SYS_exit,
		SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_set_tid_address, SYS_set_robust_list,
		SYS_rseq, SYS_arch_prctl, SYS_futex, SYS_munmap, SYS_restart_syscall, SYS_clock_gettime, SYS_gettimeofday,
		SYS_sched_yield, SYS_getpgrp, SYS_close, SYS_brk, SYS_wait4, SYS_waitid,
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		if (calls[i] == nr)
			return true;
	}
	return false;
}

/* The program itself, by whatever name or mount it runs, a copy that lives in memory only, or another of ours. */
static bool is_ours(struct run *r, pid_t pid)
{
	char link[64], exe[4096];
	const char *name;
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	n = readlink(link, exe, sizeof(exe) - 1);
	if (n < 0 || stat(link, &st) < 0)
		return false;
	if (!r->ino) {
		r->dev = st.st_dev;
		r->ino = st.st_ino;
	}
	if (st.st_dev == r->dev && st.st_ino == r->ino)
		return true;
	exe[n] = '\0';
	name = strrchr(exe, '/');
	name = name ? name + 1 : exe;
	return strncmp(name, "pouch", 5) == 0 || strncmp(name, "memfd:pouch", 11) == 0;
}

/* What malloc() asks for: without it a program ends at once, by design; and which calls it takes, the C library decides. */
static bool is_memory(const struct syscall_info *info)
{
	return info->rest[0] == SYS_mmap && (info->rest[4] & MAP_ANONYMOUS);
}

static void fail_call(struct run *r, pid_t pid, long nr)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return;
	regs.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, pid, 0, &regs) < 0)
		return;
	r->victim = pid;
	if (r->log)
		fprintf(r->log, "%ld %d %ld\n", r->seen, pid, nr);
}

static void give_error(struct run *r, pid_t pid)
{
	struct user_regs_struct regs;

	r->victim = 0;
	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return;
	regs.rax = (unsigned long long)-r->error;
	(void)ptrace(PTRACE_SETREGS, pid, 0, &regs);
}

/* From its execve() to the call with which both C libraries end their loading. */
static void set_loading(struct run *r, pid_t from, pid_t to)
{
	for (size_t i = 0; i < LOADING_MAX; i++) {
		if (r->loading[i] == from) {
			r->loading[i] = to;
			return;
		}
	}
}

static bool is_loading(struct run *r, pid_t pid, long nr)
{
	for (size_t i = 0; i < LOADING_MAX; i++) {
		if (r->loading[i] != pid)
			continue;
		if (nr == SYS_set_tid_address)
			r->loading[i] = 0;
		return true;
	}
	return false;
}

static void at_call(struct run *r, pid_t pid)
{
	struct syscall_info info = {0};

	if (ptrace(GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		return;
	if (info.op == INFO_EXIT && r->victim == pid)
		give_error(r, pid);
	if (info.op != INFO_ENTRY || is_loading(r, pid, (long)info.rest[0]) || cannot_fail((long)info.rest[0]) || is_memory(&info))
		return;
	if (++r->seen == r->wanted)
		fail_call(r, pid, (long)info.rest[0]);
}

/* One stop of @pid. */
static void stopped(struct run *r, pid_t pid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_EXEC && !is_ours(r, pid)) {
		(void)ptrace(PTRACE_DETACH, pid, 0, 0);
		return;
	}
	if (event == PTRACE_EVENT_EXEC)
		set_loading(r, 0, pid);
	if (event == EVENT_STOP && (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)) {
		(void)ptrace(PTRACE_LISTEN, pid, 0, 0);
		return;
	}
	if (sig == (SIGTRAP | 0x80)) {
		at_call(r, pid);
		sig = 0;
	} else if (event) {
		sig = 0;
	}
	(void)ptrace(PTRACE_SYSCALL, pid, 0, (long)sig);	/* it may be gone */
}

static int follow(struct run *r)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			die("fail-at: wait");
		if (WIFSTOPPED(status)) {
			stopped(r, pid, status);
		} else if (pid == r->main) {
			if (r->log)
				fprintf(r->log, "total %ld\n", r->seen);
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		}
	}
}

int main(int argc, char **argv)
{
	struct run r = {.wanted = argc > 3 ? atol(argv[1]) : 0, .error = argc > 3 ? atoi(argv[2]) : 0};
	const char *log = getenv("FAIL_AT_LOG");
	int fds[2], code;
	char go;

	if (argc < 4) {
		fprintf(stderr, "usage: fail-at N ERRNO COMMAND...\n");
		return 125;
	}
	unsetenv("FAIL_AT_LOG");
	if (log) {
		r.log = fopen(log, "ae");
		if (!r.log)
			die(log);
	}
	if (pipe(fds) < 0)
		die("fail-at: pipe");
	r.main = fork();
	if (r.main < 0)
		die("fail-at: fork");
	if (r.main == 0) {
		close(fds[1]);
		if (read(fds[0], &go, 1) != 1)
			_exit(125);
		close(fds[0]);
		execvp(argv[3], argv + 3);
		perror(argv[3]);
		_exit(127);
	}
	if (ptrace(PTRACE_SEIZE, r.main, 0,
		   (long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)) < 0)
		die("fail-at: ptrace");
	close(fds[0]);
	if (write(fds[1], "x", 1) != 1)
		die("fail-at: pipe");
	close(fds[1]);
	code = follow(&r);
	if (r.log)
		fclose(r.log);
	return code;
}
