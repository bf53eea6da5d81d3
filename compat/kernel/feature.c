/*
 * feature - what this kernel can do, found by doing it.
 */
#include "compat/kernel/feature.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/hide.h"
#include "compat/base/time.h"
#include "compat/kernel/capability_state.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/probe.h"

enum { CHILD_TIMEOUT_MS = 1000 };

/* Where a probe runs. One child serves all probes of a group. */
enum group {
	HERE,		/* leaves no trace in this process */
	PROCESS,	/* changes the process */
	NAMESPACE,	/* enters namespaces */
	MOUNT,		/* mounts; see probe_mount_prepare() */
	GROUP_COUNT
};

struct row {
	const char *name, *since, *about;
	enum group group;
	probe_fn *probe;
	enum feature needs;	/* itself: nothing */
};

/* In the order of enum feature. What does not name another in .needs needs nothing. */
#define ROW(f, name, since, group, probe, about)                                                   \
	[f] = {(name), (since), (about), (group), (probe), (f)}
#define ROW_NEEDS(f, needed, name, since, group, probe, about)                                     \
	[f] = {(name), (since), (about), (group), (probe), (needed)}

static const struct row rows[FEATURE_COUNT] = {
	ROW(FEATURE_SUBREAPER, "subreaper", "3.4", PROCESS, probe_subreaper,
	    "orphans below a process become its children (PR_SET_CHILD_SUBREAPER)"),
	ROW(FEATURE_PIDFD, "pidfd", "5.3", HERE, probe_pidfd,
	    "handles of processes that no later process of the same pid can take over"),
	ROW(FEATURE_CLONE3, "clone3", "5.3", PROCESS, probe_clone3, "clone() with 64 flags"),
	ROW_NEEDS(FEATURE_CLONE_INTO_CGROUP, FEATURE_CLONE3, "clone-into-cgroup", "5.7", HERE,
		  probe_clone_into_cgroup, "a child is born in its cgroup"),
	ROW(FEATURE_PRLIMIT, "prlimit", "2.6.36", HERE, probe_prlimit,
	    "limits of another process (prlimit64)"),
	ROW(FEATURE_OOM_SCORE_ADJ, "oom_score_adj", "2.6.36", HERE, probe_oom_score_adj,
	    "/proc/PID/oom_score_adj; older kernels have oom_adj"),
	ROW(FEATURE_REBOOT_PIDNS, "reboot-pidns", "3.4", PROCESS, probe_reboot_pidns,
	    "reboot(2) in a pid namespace ends that namespace and not the host"),

	ROW(FEATURE_NS_MNT, "ns-mnt", "", NAMESPACE, probe_ns_mnt, "mount namespaces"),
	ROW(FEATURE_NS_UTS, "ns-uts", "", NAMESPACE, probe_ns_uts, "own host names"),
	ROW(FEATURE_NS_IPC, "ns-ipc", "", NAMESPACE, probe_ns_ipc, "own System V IPC and queues"),
	ROW(FEATURE_NS_NET, "ns-net", "", NAMESPACE, probe_ns_net, "network namespaces"),
	ROW(FEATURE_NS_PID, "ns-pid", "", NAMESPACE, probe_ns_pid, "pid namespaces by clone()"),
	ROW(FEATURE_NS_USER, "ns-user", "3.8", NAMESPACE, probe_ns_user,
	    "user namespaces with mapped ids"),
	ROW(FEATURE_NS_CGROUP, "ns-cgroup", "4.6", NAMESPACE, probe_ns_cgroup,
	    "cgroup namespaces (by unshare: for clone() the flag means 'stopped' on 2.6.32)"),
	ROW(FEATURE_NS_TIME, "ns-time", "5.6", NAMESPACE, probe_ns_time, "time namespaces"),
	ROW(FEATURE_UNSHARE_PID, "unshare-pid", "3.8", NAMESPACE, probe_unshare_pid,
	    "unshare() of the pid namespace"),
	ROW(FEATURE_SETNS, "setns", "3.0", HERE, probe_setns, "joining namespaces"),
	ROW_NEEDS(FEATURE_SETNS_MNT, FEATURE_SETNS, "setns-mnt", "3.8", NAMESPACE, probe_setns_mnt,
		  "joining a mount namespace"),
	ROW_NEEDS(FEATURE_SETNS_UTS, FEATURE_SETNS, "setns-uts", "3.0", NAMESPACE, probe_setns_uts,
		  "joining a host name's namespace"),
	ROW_NEEDS(FEATURE_SETNS_IPC, FEATURE_SETNS, "setns-ipc", "3.0", NAMESPACE, probe_setns_ipc,
		  "joining an IPC namespace"),
	ROW_NEEDS(FEATURE_SETNS_NET, FEATURE_SETNS, "setns-net", "3.0", NAMESPACE, probe_setns_net,
		  "joining a network namespace"),
	ROW_NEEDS(FEATURE_SETNS_PID, FEATURE_SETNS, "setns-pid", "3.8", NAMESPACE, probe_setns_pid,
		  "joining a pid namespace"),
	ROW_NEEDS(FEATURE_SETNS_USER, FEATURE_SETNS, "setns-user", "3.8", NAMESPACE,
		  probe_setns_user, "joining a user namespace"),
	ROW_NEEDS(FEATURE_SETNS_CGROUP, FEATURE_SETNS, "setns-cgroup", "4.6", NAMESPACE,
		  probe_setns_cgroup, "joining a cgroup namespace"),
	ROW_NEEDS(FEATURE_SETNS_TIME, FEATURE_SETNS, "setns-time", "5.6", NAMESPACE,
		  probe_setns_time, "joining a time namespace"),
	ROW_NEEDS(FEATURE_SETNS_PIDFD, FEATURE_SETNS, "setns-pidfd", "5.8", NAMESPACE,
		  probe_setns_pidfd, "joining several namespaces of a process in one call"),
	ROW(FEATURE_NS_BIND, "ns-bind", "3.0", MOUNT, probe_ns_bind,
	    "a bind mount of /proc/PID/ns/net keeps the namespace"),
	ROW(FEATURE_NETLINK_NS_FD, "netlink-ns-fd", "3.0", HERE, probe_netlink_ns_fd,
	    "moving an interface to a namespace by its file (IFLA_NET_NS_FD)"),
	ROW(FEATURE_VETH_PEER_NETNS, "veth-peer-netns", "2.6.34", NAMESPACE, probe_veth_peer_netns,
	    "making a pair of interfaces with one end in another namespace at once"),
	ROW(FEATURE_SYSFS_NETNS, "sysfs-netns", "2.6.35", MOUNT, probe_sysfs_netns,
	    "/sys/class/net shows the interfaces of the own network namespace"),

	ROW(FEATURE_OPENAT2, "openat2", "5.6", HERE, probe_openat2,
	    "resolving a path inside a root in one call"),
	ROW(FEATURE_O_PATH, "o_path", "2.6.39", HERE, probe_o_path,
	    "handles of files that do not open them"),
	ROW(FEATURE_AT_EMPTY_PATH, "at_empty_path", "2.6.39", HERE, probe_at_empty_path,
	    "fstatat() of a descriptor, as the C library of today's images does it"),
	ROW(FEATURE_O_TMPFILE, "o_tmpfile", "3.11", MOUNT, probe_o_tmpfile,
	    "files without a name, on tmpfs"),
	ROW(FEATURE_CLOSE_RANGE, "close_range", "5.9", HERE, probe_close_range,
	    "closing many descriptors in one call"),
	ROW(FEATURE_MEMFD, "memfd", "3.17", HERE, probe_memfd, "sealed files in memory"),
	ROW(FEATURE_STATX, "statx", "4.11", HERE, probe_statx, "extended file attributes in one call"),
	ROW(FEATURE_RENAMEAT2, "renameat2", "3.15", MOUNT, probe_renameat2,
	    "rename that does not replace"),
	ROW(FEATURE_COPY_FILE_RANGE, "copy_file_range", "4.5", MOUNT, probe_copy_file_range,
	    "copying inside the kernel"),
	ROW(FEATURE_REFLINK, "reflink", "4.5", HERE, probe_reflink,
	    "copies that share their blocks, at the place of the home (FICLONE)"),
	ROW(FEATURE_GETRANDOM, "getrandom", "3.17", HERE, probe_getrandom,
	    "random bytes without a file"),

	ROW(FEATURE_PIVOT_ROOT, "pivot_root", "", MOUNT, probe_pivot_root,
	    "exchanging the root; not from an initramfs"),
	ROW(FEATURE_MS_MOVE, "ms_move", "", MOUNT, probe_ms_move, "moving a mount"),
	ROW(FEATURE_OVERLAY, "overlay", "3.18", MOUNT, probe_overlay, "the overlay file system"),
	ROW(FEATURE_AUFS, "aufs", "", MOUNT, probe_aufs, "the union file system of patched kernels"),
	ROW(FEATURE_BTRFS, "btrfs", "", HERE, probe_btrfs, "the btrfs file system"),
	ROW(FEATURE_NEW_MOUNT_API, "new-mount-api", "5.2", MOUNT, probe_new_mount_api,
	    "open_tree(), move_mount(): mounts as descriptors"),
	ROW(FEATURE_MOUNT_SETATTR, "mount_setattr", "5.12", MOUNT, probe_mount_setattr,
	    "read-only for a whole tree of mounts (mount options rro, rnosuid, ...)"),
	ROW(FEATURE_STATFS_FLAGS, "statfs-flags", "2.6.36", HERE, probe_statfs_flags,
	    "statfs() tells the flags of a mount"),
	ROW(FEATURE_DEVPTS_NEWINSTANCE, "devpts-newinstance", "", MOUNT, probe_devpts_newinstance,
	    "terminals of a container's own"),
	ROW(FEATURE_TMPFS_XATTR, "tmpfs-xattr", "3.1", MOUNT, probe_tmpfs_xattr,
	    "trusted attributes on tmpfs"),
	ROW(FEATURE_FUSE, "fuse", "", MOUNT, probe_fuse, "file systems in user space"),
	ROW(FEATURE_DEVICE_MAPPER, "device-mapper", "", MOUNT, probe_device_mapper,
	    "virtual block devices"),
	ROW_NEEDS(FEATURE_DM_THIN, FEATURE_DEVICE_MAPPER, "dm-thin", "3.2", MOUNT, probe_dm_thin,
		  "thin pools of device-mapper"),
	ROW_NEEDS(FEATURE_DM_SNAPSHOT, FEATURE_DEVICE_MAPPER, "dm-snapshot", "", MOUNT,
		  probe_dm_snapshot, "snapshots of device-mapper"),
	ROW(FEATURE_LOOP_CONTROL, "loop-control", "3.1", HERE, probe_loop_control,
	    "finding a free loop device in one call"),

	ROW(FEATURE_CGROUP_V1, "cgroup-v1", "", HERE, probe_cgroup_v1, "control groups, version 1"),
	ROW(FEATURE_CGROUP_V2, "cgroup-v2", "4.5", HERE, probe_cgroup_v2,
	    "control groups, version 2"),
	ROW(FEATURE_SYS_FS_CGROUP, "sys-fs-cgroup", "3.0", HERE, probe_sys_fs_cgroup,
	    "the directory /sys/fs/cgroup"),
	ROW(FEATURE_CGROUP_PROCS, "cgroup-procs", "3.0", PROCESS, probe_cgroup_procs,
	    "moving a whole process by cgroup.procs"),
	ROW(FEATURE_FREEZER, "freezer", "", HERE, probe_freezer,
	    "stopping all of a cgroup at once"),
	ROW(FEATURE_CPUSET_CLONE_CHILDREN, "cgroup-clone-children", "2.6.37", HERE,
	    probe_clone_children, "a new cpuset inherits from its parent"),
	ROW(FEATURE_CFS_QUOTA, "cfs-quota", "3.2", HERE, probe_cfs_quota, "CPU time in a period for a cgroup"),
	ROW(FEATURE_PIDS_CGROUP, "pids-cgroup", "4.3", HERE, probe_pids_cgroup,
	    "a limit for the tasks of a cgroup"),
	ROW(FEATURE_MEMORY_CGROUP, "memory-cgroup", "", HERE, probe_memory_cgroup,
	    "a limit for the memory of a cgroup; some kernels want cgroup_enable=memory"),
	ROW(FEATURE_OOM_CONTROL, "oom-control", "2.6.34", HERE, probe_oom_control,
	    "a notice when a cgroup runs out of memory"),

	ROW(FEATURE_NO_NEW_PRIVS, "no_new_privs", "3.5", PROCESS, probe_no_new_privs,
	    "no gain of rights by set-user-ID programs"),
	ROW(FEATURE_SECCOMP_FILTER, "seccomp-filter", "3.5", PROCESS, probe_seccomp_filter,
	    "system call filters"),
	ROW(FEATURE_SECCOMP, "seccomp", "3.17", HERE, probe_seccomp,
	    "seccomp(2): filters with flags; older kernels have prctl(2)"),
	ROW_NEEDS(FEATURE_SECCOMP_NOTIFY, FEATURE_SECCOMP_FILTER, "seccomp-notify", "5.0", HERE,
		  probe_seccomp_notify, "a supervisor answers system calls"),
	ROW(FEATURE_AMBIENT_CAPS, "ambient-caps", "4.3", HERE, probe_ambient_caps,
	    "capabilities that programs of other users inherit"),
	ROW(FEATURE_BPF, "bpf-cgroup-device", "4.15", HERE, probe_bpf,
	    "BPF programs that decide on devices (cgroup v2)"),
	ROW(FEATURE_APPARMOR, "apparmor", "", HERE, probe_apparmor, "AppArmor profiles"),
	ROW(FEATURE_SELINUX, "selinux", "", HERE, probe_selinux, "SELinux labels"),

	ROW(FEATURE_IPV6, "ipv6", "", HERE, probe_ipv6, "IPv6"),
	ROW(FEATURE_ROUTE_LOCALNET, "route_localnet", "3.6", HERE, probe_route_localnet,
	    "published ports on 127.0.0.1 without a proxy"),
	ROW(FEATURE_ADDRTYPE, "addrtype", "", HERE, probe_addrtype,
	    "rules for whatever addresses the host has; the network tries it before it is used"),
	ROW(FEATURE_IPTABLES, "iptables", "", HERE, probe_iptables,
	    "the program iptables-restore; the network tries it before it is used"),
	ROW(FEATURE_NFT, "nft", "", HERE, probe_nft,
	    "the program nft; the network tries it before it is used"),
};

/* ---- what is known ---- */

static struct {
	bool known;
	struct answer answer;
} results[FEATURE_COUNT];

const char *feature_name(enum feature f)
{
	return rows[f].name;
}

const char *feature_about(enum feature f)
{
	return rows[f].about;
}

const char *feature_since(enum feature f)
{
	return rows[f].since;
}

/* As hidden() compares: "-" and "_" are the same. */
static bool same_name(const char *a, const char *b)
{
	while (*a && (*a == *b || ((*a == '-' || *a == '_') && (*b == '-' || *b == '_')))) {
		a++;
		b++;
	}
	return !*a && !*b;
}

enum feature feature_by_name(const char *name)
{
	enum feature f = 0;

	while (f < FEATURE_COUNT && !same_name(rows[f].name, name))
		f++;
	return f;
}

bool feature_is_known(enum feature f)
{
	return results[f].known;
}

static void keep(enum feature f, const struct answer *a)
{
	results[f].answer = *a;
	results[f].known = true;
}

/* What needs no probe to be denied. False: @f must be probed. */
static bool denied(enum feature f, struct answer *a)
{
	if (hidden(rows[f].name))
		probe_no(a, "hidden");
	else if (rows[f].needs != f && !feature_works(rows[f].needs))
		probe_no(a, "needs %s", rows[rows[f].needs].name);
	else
		return false;
	return true;
}

void feature_set(enum feature f, bool works, const char *reason)
{
	struct answer a = {.feature = f};

	if (!denied(f, &a))
		(works ? probe_yes : probe_no)(&a, "%s", reason);
	keep(f, &a);
}

void feature_forget(void)
{
	memset(results, 0, sizeof(results));
}

int feature_check_hidden(const char *names, const char *where, struct err *err)
{
	AUTO(buf_clear) struct buf known = BUF_INIT;
	char name[64];

	while (*names) {
		size_t n = strcspn(names, ",");

		(void)snprintf(name, sizeof(name), "%.*s", (int)n, names);
		names += n + (names[n] == ',');
		if (!n || feature_by_name(name) != FEATURE_COUNT)
			continue;
		for (enum feature f = 0; f < FEATURE_COUNT; f++)
			buf_fmt(&known, "%s%s", f ? " " : "", rows[f].name);
		return err_set(err, ERR_INVALID, "%s: unknown feature '%s': known are %s", where,
			       name, known.data);
	}
	return 0;
}

/* ---- answers ---- */

bool probe_yes(struct answer *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(a->reason, sizeof(a->reason), fmt, ap);
	va_end(ap);
	return a->works = true;
}

bool probe_no(struct answer *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(a->reason, sizeof(a->reason), fmt, ap);
	va_end(ap);
	return a->works = false;
}

bool probe_failed(struct answer *a, const char *call)
{
	return probe_no(a, "%s: %s", call, strerror(errno));
}

bool probe_result(struct answer *a, long rc, const char *call)
{
	return rc < 0 ? probe_failed(a, call) : probe_yes(a, "%s works", call);
}

/* ---- children ---- */

bool probe_in_fork(struct answer *a, bool (*fn)(struct answer *))
{
	int ends[2], status;
	pid_t pid;
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return probe_failed(a, "pipe");
	pid = fork();
	if (pid < 0) {
		probe_failed(a, "fork");
	} else if (pid == 0) {
		(void)fn(a);
		(void)!write(ends[1], a, sizeof(*a));	/* the parent sees that it is missing */
		_exit(0);
	}
	(void)close(ends[1]);
	if (pid > 0) {
		do
			n = read(ends[0], a, sizeof(*a));
		while (n < 0 && errno == EINTR);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		cgroup_ns_forget(pid);
		if (n != (ssize_t)sizeof(*a))
			probe_no(a, "the probe died");
	}
	(void)close(ends[0]);
	return a->works;
}

/* The child: answers each wanted feature of @group in order, and ends. */
static void answer_all(enum group group, const bool *wanted, int out)
{
	struct answer refusal = {.works = true};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (group == MOUNT)
		(void)probe_mount_prepare(&refusal);
	for (enum feature f = 0; f < FEATURE_COUNT; f++) {
		struct answer a = refusal;

		if (!wanted[f] || rows[f].group != group)
			continue;
		a.feature = f;
		if (refusal.works)
			(void)rows[f].probe(&a);
		if (write(out, &a, sizeof(a)) != (ssize_t)sizeof(a))
			break;
	}
	_exit(0);
}

/* Until the child closes its end or its time is over. Returns false in the second case. */
static bool collect(int in, bool *wanted)
{
	int64_t deadline = time_mono_ms() + CHILD_TIMEOUT_MS;

	for (;;) {
		struct pollfd pfd = {.fd = in, .events = POLLIN};
		int64_t left = deadline - time_mono_ms();
		struct answer a;
		ssize_t n;

		if (left <= 0)
			return false;
		if (poll(&pfd, 1, (int)left) <= 0)
			continue;
		n = read(in, &a, sizeof(a));
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(a))
			return true;
		keep(a.feature, &a);
		wanted[a.feature] = false;
	}
}

static void give_up(enum feature f, bool *wanted, const char *reason)
{
	struct answer a = {.feature = f};

	probe_no(&a, "%s", reason);
	keep(f, &a);
	wanted[f] = false;
}

/* One child's work. Returns the first feature that it left unanswered, FEATURE_COUNT when there is none. */
static enum feature run_child(enum group group, bool *wanted, char why[64])
{
	enum feature f = 0;
	int ends[2], status = 0;
	bool in_time;
	pid_t pid;

	while (f < FEATURE_COUNT && !(wanted[f] && rows[f].group == group))
		f++;
	if (f == FEATURE_COUNT)
		return f;
	(void)snprintf(why, 64, "cannot start a child: %s", strerror(errno));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return f;
	pid = fork();
	if (pid == 0) {
		(void)close(ends[0]);
		answer_all(group, wanted, ends[1]);
	}
	(void)snprintf(why, 64, "cannot start a child: %s", strerror(errno));
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		return f;
	}
	in_time = collect(ends[0], wanted);
	(void)close(ends[0]);
	if (!in_time)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	cgroup_ns_forget(pid);
	if (!in_time)
		(void)snprintf(why, 64, "no answer within %d ms", CHILD_TIMEOUT_MS);
	else
		(void)snprintf(why, 64, "the probe died of signal %d", WTERMSIG(status));
	for (f = 0; f < FEATURE_COUNT; f++)
		if (wanted[f] && rows[f].group == group)
			return f;
	return FEATURE_COUNT;
}

/* What a child dies of is that feature's answer; another child goes on behind it. */
static void probe_group(enum group group, bool *wanted)
{
	enum feature culprit;
	char why[64];

	while ((culprit = run_child(group, wanted, why)) != FEATURE_COUNT)
		give_up(culprit, wanted, why);
}

static void probe_one(enum feature f)
{
	struct answer a = {.feature = f};

	if (rows[f].group != HERE) {
		compat_late_cache();
		if (results[f].known)
			return;
	}
	if (denied(f, &a) || rows[f].group == HERE) {
		if (!*a.reason)
			(void)rows[f].probe(&a);
		keep(f, &a);
	} else {
		bool wanted[FEATURE_COUNT] = {false};

		wanted[f] = true;
		probe_group(rows[f].group, wanted);
	}
}

bool feature_works(enum feature f)
{
	if (!results[f].known)
		probe_one(f);
	return results[f].answer.works;
}

const char *feature_reason(enum feature f)
{
	(void)feature_works(f);
	return results[f].answer.reason;
}

/* What needs a child needs nothing but what does not. */
void feature_probe_all(void)
{
	bool wanted[FEATURE_COUNT] = {false};

	for (enum feature f = 0; f < FEATURE_COUNT; f++)
		if (rows[f].group == HERE && rows[f].needs == f)
			(void)feature_works(f);
	for (enum feature f = 0; f < FEATURE_COUNT; f++) {
		struct answer a = {.feature = f};

		if (rows[f].group == HERE || results[f].known)
			continue;
		wanted[f] = !denied(f, &a);
		if (!wanted[f])
			keep(f, &a);
	}
	for (enum group g = PROCESS; g < GROUP_COUNT; g++)
		probe_group(g, wanted);
	for (enum feature f = 0; f < FEATURE_COUNT; f++)
		(void)feature_works(f);
}
