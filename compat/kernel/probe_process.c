/*
 * probe_process.c - do features of processes and of their confinement work?
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/reboot.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/kernel/probe.h"
#include "compat/kernel/sysno.h"

#ifndef PR_SET_CHILD_SUBREAPER
#define PR_SET_CHILD_SUBREAPER 36
#define PR_GET_CHILD_SUBREAPER 37
#endif
#ifndef PR_SET_NO_NEW_PRIVS
#define PR_SET_NO_NEW_PRIVS 38
#define PR_GET_NO_NEW_PRIVS 39
#endif
#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_IS_SET 1
#endif
#ifndef SECCOMP_GET_ACTION_AVAIL
#define SECCOMP_GET_ACTION_AVAIL 2
#endif
#ifndef SECCOMP_RET_USER_NOTIF
#define SECCOMP_RET_USER_NOTIF 0x7fc00000U
#endif

bool probe_subreaper(struct answer *a)
{
	int on = 0;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return probe_failed(a, "prctl(PR_SET_CHILD_SUBREAPER)");
	if (prctl(PR_GET_CHILD_SUBREAPER, &on, 0, 0, 0) < 0 || !on)
		return probe_no(a, "prctl(PR_SET_CHILD_SUBREAPER) has no effect");
	return probe_yes(a, "prctl(PR_SET_CHILD_SUBREAPER) works");
}

bool probe_pidfd(struct answer *a)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		return probe_failed(a, "pidfd_open");
	return probe_result(a, syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0),
			    "pidfd_send_signal");
}

/* As struct clone_args, whose later fields older headers lack. */
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, set_tid_size, cgroup;
};

bool probe_clone3(struct answer *a)
{
	struct clone3_args args = {.exit_signal = SIGCHLD};
	long pid = syscall(SYS_clone3, &args, 64);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return probe_failed(a, "clone3");
	while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
		;
	return probe_yes(a, "clone3 works");
}

/* Not a descriptor: EBADF proves that the kernel looked at it. Nothing is ever cloned. */
bool probe_clone_into_cgroup(struct answer *a)
{
	const uint64_t into_cgroup = UINT64_C(0x200000000);
	struct clone3_args args = {
		.flags = into_cgroup, .exit_signal = SIGCHLD, .cgroup = INT32_MAX};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0)
		_exit(0);
	if (pid > 0) {
		while (waitpid((pid_t)pid, NULL, 0) < 0 && errno == EINTR)
			;
		return probe_no(a, "clone3(CLONE_INTO_CGROUP) is ignored");
	}
	return errno == EBADF ? probe_yes(a, "clone3(CLONE_INTO_CGROUP) works")
			      : probe_failed(a, "clone3(CLONE_INTO_CGROUP)");
}

bool probe_prlimit(struct answer *a)
{
	struct {
		uint64_t now, max;
	} limit;

	return probe_result(a, syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &limit), "prlimit64");
}

bool probe_oom_score_adj(struct answer *a)
{
	auto_fd int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);

	return probe_result(a, fd, "/proc/self/oom_score_adj");
}

/*
 * "Handle Ctrl-Alt-Del as you do now", from a pid namespace: EINVAL where the call acts on the namespace, and nothing but what is the case
 * already where it reaches the host.
 */
bool probe_reboot_pidns(struct answer *a)
{
	static const char path[] = "/proc/sys/kernel/ctrl-alt-del";
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int status = 0;
	bool on;
	long pid;

	if (file_read(AT_FDCWD, path, 16, &text, NULL) < 0)
		return probe_failed(a, path);
	on = strcmp(buf_cstr(&text), "1\n") == 0;
	if (!on && strcmp(buf_cstr(&text), "0\n"))
		return probe_no(a, "not tried: %s has an odd value", path);
	pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWPID | SIGCHLD), 0, 0, 0, 0);
	if (pid == 0)
		_exit(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
			      on ? LINUX_REBOOT_CMD_CAD_ON : LINUX_REBOOT_CMD_CAD_OFF, NULL) == 0 ? 0 : errno);
	if (pid < 0)
		return probe_failed(a, "clone(CLONE_NEWPID)");
	while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EINVAL)
		return probe_yes(a, "reboot(2) is kept inside a pid namespace");
	if (status == 0)
		return probe_no(a, "reboot(2) in a pid namespace reaches the host");
	return probe_no(a, "reboot(2) in a pid namespace: %s", WIFEXITED(status) ? strerror(WEXITSTATUS(status)) : "killed");
}

bool probe_no_new_privs(struct answer *a)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return probe_failed(a, "prctl(PR_SET_NO_NEW_PRIVS)");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return probe_no(a, "prctl(PR_SET_NO_NEW_PRIVS) has no effect");
	return probe_yes(a, "prctl(PR_SET_NO_NEW_PRIVS) works");
}

/* A filter that lets everything pass but answers one call that fails anyway with a number of its own. */
bool probe_seccomp_filter(struct answer *a)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fchdir, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	/* Needed where we are not root; refused on kernels that have filters from a vendor only. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0)
		return probe_failed(a, "prctl(PR_SET_SECCOMP)");
	if (fchdir(-1) == 0 || errno != EXDEV)
		return probe_no(a, "a filter has no effect");
	return probe_yes(a, "prctl(PR_SET_SECCOMP) works");
}

/* A program that is not there: EFAULT proves that the call would have read it. */
bool probe_seccomp(struct answer *a)
{
	enum { SET_MODE_FILTER = 1 };

	if (syscall(SYS_seccomp, SET_MODE_FILTER, 0, NULL) < 0 && errno != EFAULT)
		return probe_failed(a, "seccomp");
	return probe_yes(a, "seccomp works");
}

bool probe_seccomp_notify(struct answer *a)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;

	return probe_result(a, syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action),
			    "seccomp(SECCOMP_GET_ACTION_AVAIL)");
}

bool probe_ambient_caps(struct answer *a)
{
	return probe_result(a, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 0, 0, 0),
			    "prctl(PR_CAP_AMBIENT)");
}

/* "allow": r0 = 1; exit. */
bool probe_bpf(struct answer *a)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_EXIT},
	};
	static const char license[] = "GPL";
	union bpf_attr attr;
	auto_fd int fd = -1;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = sizeof(code) / sizeof(code[0]);
	attr.license = (uintptr_t)license;
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	return probe_result(a, fd, "bpf(BPF_PROG_LOAD)");
}
