/*
 * kernels.c - what each kernel lacks, as measured (2.6.32, el6) or as its sources have it (3.10, 4.18)
 *
 * The table of features in this folder (facts.tsv) says what comes of it; tests/integration/15-as-kernel.sh compares.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/reboot.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/legacy/as_kernel.h"

static const struct kernel kernels[] = {
	{VANILLA, "2.6.32", "2.6.32.69", 33},
	{EL6, "el6", "2.6.32-642.6.2.el6.x86_64", 33},
	{K310, "3.10", "3.10.108", 36},
	{K418, "4.18", "4.18.20", 37},
};

const struct kernel *kernel_by_name(const char *name)
{
	for (size_t i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		if (strcmp(kernels[i].name, name) == 0)
			return &kernels[i];
	return NULL;
}

const char *kernel_names(void)
{
	return "2.6.32, el6, 3.10, 4.18";
}

/* ---- calls that do not exist ---- */

const struct gap gaps[] = {
	{VANILLA, 299, 299},	/* recvmmsg */
	{OLD, 300, 301},	/* fanotify_init, fanotify_mark */
	{OLD, 303, 305},	/* name_to_handle_at, open_by_handle_at, clock_adjtime */
	{VANILLA, 306, 308},	/* syncfs, sendmmsg, setns */
	{OLD, 309, 309},	/* getcpu */
	{VANILLA, 310, 311},	/* process_vm_readv, process_vm_writev */
	{OLD, 312, 313},	/* kcmp, finit_module */
	{TO_310, 314, 334},	/* sched_setattr (3.14) to rseq (4.18) */
	{ALL, 335, 1023},	/* uretprobe; pidfd_send_signal (5.1) and all after it */
};
const size_t gap_count = sizeof(gaps) / sizeof(gaps[0]);

/* ---- what arguments a call does not know ---- */

#define ASK	   SECCOMP_RET_USER_NOTIF
#define ALLOW	   SECCOMP_RET_ALLOW
#define SAY(error) (SECCOMP_RET_ERRNO | (error))
#define SAY_OK	   SECCOMP_RET_ERRNO	/* 0, and nothing is done */

#define NEWCGROUP     0x02000000u
#define NEWTIME	      0x00000080u
#define PIDFD	      0x00001000u
#define TMPFILE	      020000000u
#define NOFOLLOW_ONLY (~(uint32_t)AT_SYMLINK_NOFOLLOW)

enum {
	GET_SECCOMP = 21,
	SET_SECCOMP = 22,
	BOUNDING_READ = 23,
	BOUNDING_DROP = 24,
	NO_NEW_PRIVS = 38,
	LAST_PRCTL_2_6_32 = 34,	/* PR_MCE_KILL_GET */
	LAST_PRCTL_3_10 = 40,	/* PR_GET_TID_ADDRESS */
	LAST_PRCTL_4_18 = 53,	/* PR_SET_SPECULATION_CTRL */
	SOL_TCP_ = 6,
	SOL_NETLINK_ = 270,
};

const struct rule rules[] = {
	/*
	 * 0x02000000 is CLONE_STOPPED there: the child would hang for ever, and on 3.10 nothing. To say so at once serves a test better than
	 * a hang. Other flags that are not known are ignored there, which a filter cannot do.
	 */
	{TO_310, SYS_clone, SAY(EINVAL), {{ANY_OF, 0, NEWCGROUP}}},
	{ALL, SYS_clone, SAY(EINVAL), {{ANY_OF, 0, PIDFD}}},
	{OLD, SYS_clone, SAY(EINVAL), {{ANY_OF, 0, CLONE_NEWPID}, {ANY_OF, 0, CLONE_PARENT}}},
	{OLD, SYS_clone, ASK, {{ANY_OF, 0, CLONE_NEWUSER}}},
	{VANILLA, SYS_unshare, SAY(EINVAL), {{ANY_OF, 0, CLONE_NEWPID}}},
	{OLD, SYS_unshare, SAY(EINVAL), {{ANY_OF, 0, CLONE_NEWUSER}}},
	{TO_310, SYS_unshare, SAY(EINVAL), {{ANY_OF, 0, NEWCGROUP}}},
	{ALL, SYS_unshare, SAY(EINVAL), {{ANY_OF, 0, NEWTIME}}},
	{EL6, SYS_setns, SAY(EINVAL), {{ANY_OF, 1, CLONE_NEWUSER | NEWCGROUP | NEWTIME}}},
	{K310, SYS_setns, SAY(EINVAL), {{ANY_OF, 1, NEWCGROUP | NEWTIME}}},
	{K418, SYS_setns, SAY(EINVAL), {{ANY_OF, 1, NEWTIME}}},

	/* On directories: "is a directory", as for any other way to write one. */
	{TO_310, SYS_open, SAY(EISDIR), {{ANY_OF, 1, TMPFILE}}},
	{TO_310, SYS_openat, SAY(EISDIR), {{ANY_OF, 2, TMPFILE}}},
	{ALL, SYS_open, ASK, {{NONE}}},
	{ALL, SYS_openat, ASK, {{NONE}}},
	{ALL, SYS_stat, ASK, {{NONE}}},
	{ALL, SYS_lstat, ASK, {{NONE}}},
	{ALL, SYS_newfstatat, ASK, {{NONE}}},
	{ALL, SYS_access, ASK, {{NONE}}},
	{ALL, SYS_faccessat, ASK, {{NONE}}},
	{ALL, SYS_readlink, ASK, {{NONE}}},
	{ALL, SYS_readlinkat, ASK, {{NONE}}},
	{OLD, SYS_fchownat, SAY(EINVAL), {{ANY_OF, 4, NOFOLLOW_ONLY}}},
	{OLD, SYS_utimensat, SAY(EINVAL), {{ANY_OF, 3, NOFOLLOW_ONLY}}},
	{OLD, SYS_linkat, SAY(EINVAL), {{ANY_OF, 4, ~(uint32_t)AT_SYMLINK_FOLLOW}}},
	{TO_310, SYS_rmdir, ASK, {{NONE}}},
	{TO_310, SYS_unlink, ASK, {{NONE}}},
	{TO_310, SYS_unlinkat, ASK, {{NONE}}},
	{TO_310, SYS_rename, ASK, {{NONE}}},
	{TO_310, SYS_renameat, ASK, {{NONE}}},

	{OLD, SYS_pipe2, SAY(EINVAL), {{ANY_OF, 1, ~(uint32_t)(O_CLOEXEC | O_NONBLOCK)}}},
	{OLD, SYS_fcntl, SAY(EINVAL), {{ABOVE, 1, F_DUPFD_CLOEXEC}}},
	{K310, SYS_fcntl, SAY(EINVAL), {{ABOVE, 1, 1032 /* F_GETPIPE_SZ */}}},
	{TO_310, SYS_fcntl, SAY(EINVAL), {{ABOVE, 1, 35}, {BELOW, 1, 1024}}},	/* F_OFD_* */
	{ALL, SYS_fcntl, SAY(EINVAL), {{ABOVE, 1, 1040 /* F_SET_FILE_RW_HINT */}}},
	/* Measured: vanilla says it punched the hole, and did not. */
	{VANILLA, SYS_fallocate, SAY_OK, {{ANY_OF, 1, ~(uint32_t)FALLOC_FL_KEEP_SIZE}}},
	{OLD, SYS_fallocate, ASK, {{NONE}}},
	{OLD, SYS_setxattr, ASK, {{NONE}}},
	{OLD, SYS_lsetxattr, ASK, {{NONE}}},
	{OLD, SYS_fsetxattr, ASK, {{NONE}}},
	{OLD, SYS_getxattr, ASK, {{NONE}}},
	{OLD, SYS_lgetxattr, ASK, {{NONE}}},
	{OLD, SYS_fgetxattr, ASK, {{NONE}}},
	{VANILLA, SYS_madvise, SAY(EINVAL), {{ABOVE, 2, 13}, {BELOW, 2, 100}}},	/* transparent huge pages and later */
	{TO_310, SYS_madvise, SAY(EINVAL), {{EQ, 2, 8}}},	/* MADV_FREE */

	{EL6, SYS_prctl, ALLOW, {{EQ, 0, NO_NEW_PRIVS}}},
	{EL6, SYS_prctl, ALLOW, {{EQ, 0, NO_NEW_PRIVS + 1}}},
	{OLD, SYS_prctl, SAY(EINVAL), {{ABOVE, 0, LAST_PRCTL_2_6_32}}},
	{K310, SYS_prctl, SAY(EINVAL), {{ABOVE, 0, LAST_PRCTL_3_10}}},
	{K418, SYS_prctl, SAY(EINVAL), {{ABOVE, 0, LAST_PRCTL_4_18}}},
	{OLD, SYS_prctl, SAY(EINVAL), {{EQ, 0, SET_SECCOMP}, {EQ, 1, SECCOMP_MODE_FILTER}}},
	/* The filter that says all this must not show. */
	{OLD, SYS_prctl, SAY_OK, {{EQ, 0, GET_SECCOMP}}},
	{OLD, SYS_prctl, SAY(EINVAL), {{EQ, 0, BOUNDING_READ}, {ABOVE, 1, 33}}},
	{OLD, SYS_prctl, SAY(EINVAL), {{EQ, 0, BOUNDING_DROP}, {ABOVE, 1, 33}}},
	{K310, SYS_prctl, SAY(EINVAL), {{EQ, 0, BOUNDING_READ}, {ABOVE, 1, 36}}},
	{K310, SYS_prctl, SAY(EINVAL), {{EQ, 0, BOUNDING_DROP}, {ABOVE, 1, 36}}},
	{K418, SYS_prctl, SAY(EINVAL), {{EQ, 0, BOUNDING_READ}, {ABOVE, 1, 37}}},
	{K418, SYS_prctl, SAY(EINVAL), {{EQ, 0, BOUNDING_DROP}, {ABOVE, 1, 37}}},
	{K418, SYS_seccomp, SAY(EINVAL), {{ABOVE, 0, SECCOMP_GET_ACTION_AVAIL}}},
	{K418, SYS_seccomp, SAY(EINVAL), {{EQ, 0, SECCOMP_SET_MODE_FILTER}, {ABOVE, 1, 7}}},
	{K418, SYS_seccomp, ASK, {{EQ, 0, SECCOMP_GET_ACTION_AVAIL}}},
	{OLD, SYS_prlimit64, ASK, {{NONE}}},
	{ALL, SYS_waitid, SAY(EINVAL), {{EQ, 0, 3 /* P_PIDFD */}}},
	{ALL, SYS_uname, ASK, {{NONE}}},
	{ALL, SYS_rt_sigaction, ASK, {{EQ, 0, SIGCHLD}, {NOT_ZERO, 1, 0}}},
	{TO_310, SYS_mount, ASK, {{NONE}}},
	{OLD, SYS_statfs, ASK, {{NONE}}},
	{OLD, SYS_fstatfs, ASK, {{NONE}}},
	/* It reaches the host there, from a pid namespace too. Not this host, here. */
	{OLD, SYS_reboot, SAY_OK, {{EQ, 2, LINUX_REBOOT_CMD_CAD_ON}}},
	{OLD, SYS_reboot, SAY_OK, {{EQ, 2, LINUX_REBOOT_CMD_CAD_OFF}}},
	{ALL, SYS_reboot, SAY(EPERM), {{EQ, 2, LINUX_REBOOT_CMD_RESTART2}}},

	{OLD, SYS_socket, SAY(EAFNOSUPPORT), {{ABOVE, 0, 37}}},	/* AF_ALG, AF_VSOCK and later */
	{VANILLA, SYS_setsockopt, SAY(ENOPROTOOPT), {{EQ, 1, SOL_SOCKET}, {EQ, 2, SO_REUSEPORT}}},
	{VANILLA, SYS_getsockopt, SAY(ENOPROTOOPT), {{EQ, 1, SOL_SOCKET}, {EQ, 2, SO_REUSEPORT}}},
	{VANILLA, SYS_getsockopt, ASK, {{EQ, 1, SOL_SOCKET}, {EQ, 2, SO_PEERCRED}}},
	{VANILLA, SYS_connect, ASK, {{NONE}}},
	{OLD, SYS_setsockopt, SAY(ENOPROTOOPT), {{EQ, 1, SOL_SOCKET}, {ABOVE, 2, SO_RXQ_OVFL}}},
	{OLD, SYS_getsockopt, SAY(ENOPROTOOPT), {{EQ, 1, SOL_SOCKET}, {ABOVE, 2, SO_RXQ_OVFL}}},
	{OLD, SYS_setsockopt, SAY(ENOPROTOOPT), {{EQ, 1, SOL_TCP_}, {ABOVE, 2, 16}}},
	{OLD, SYS_setsockopt, SAY(ENOPROTOOPT), {{EQ, 1, SOL_NETLINK_}, {ABOVE, 2, 5}}},
	{OLD, SYS_sendto, ASK, {{NOT_ZERO, 4, 0}}},
	{OLD, SYS_sendmsg, ASK, {{NONE}}},

	{TO_310, SYS_ioctl, SAY(EINVAL), {{EQ, 1, 0x5441 /* TIOCGPTPEER */}}},
	{TO_310, SYS_ioctl, SAY(ENOTTY), {{EQ, 1, 0x40049409 /* FICLONE */}}},
	{TO_310, SYS_ioctl, SAY(ENOTTY), {{ABOVE, 1, 0xb700}, {BELOW, 1, 0xb705}}},	/* NS_GET_* */
	{ALL, SYS_ioctl, SAY(EINVAL), {{EQ, 1, 0x4c0a /* LOOP_CONFIGURE */}}},
	{TO_310, SYS_ioctl, SAY(EINVAL), {{EQ, 1, 0x4c08 /* LOOP_SET_DIRECT_IO */}}},
	{TO_310, SYS_ioctl, SAY(EINVAL), {{EQ, 1, 0x4c09 /* LOOP_SET_BLOCK_SIZE */}}},
};
const size_t rule_count = sizeof(rules) / sizeof(rules[0]);

/* ---- names that lie in memory ---- */

static bool listed(const char *const *names, const char *name)
{
	for (; *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

bool kernel_has_controller(const struct kernel *k, const char *name)
{
	static const char *const never[] = {"rdma", "misc", "dmem", "debug", NULL};
	static const char *const from_4_18[] = {"pids", NULL};
	static const char *const from_el6[] = {"blkio", "perf_event", "net_prio", NULL};

	if (listed(never, name))
		return false;
	if (listed(from_4_18, name))
		return k->bit == K418;
	if (strcmp(name, "hugetlb") == 0)
		return k->bit & (K310 | K418);
	if (listed(from_el6, name))
		return k->bit != VANILLA;
	return true;
}

bool kernel_has_filesystem(const struct kernel *k, const char *name)
{
	static const char *const never[] = {"erofs", "exfat", "bcachefs", "ntfs3", "virtiofs", "binder", NULL};
	static const char *const from_4_18[] = {"overlay", "cgroup2", "bpf", "tracefs", "nsfs", NULL};
	static const char *const from_3_10[] = {"pstore", "f2fs", "efivarfs", NULL};

	if (listed(never, name))
		return false;
	if (listed(from_4_18, name))
		return k->bit == K418;
	if (listed(from_3_10, name))
		return !(k->bit & OLD);
	return true;
}
