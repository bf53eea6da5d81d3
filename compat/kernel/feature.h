/*
 * feature - what this kernel can do, found by doing it.
 *
 * Every feature has a name, which POUCH_HIDE and compat.xml use, and a probe which uses the feature and looks at the
 * effect: old kernels accept flags that they do not know. A probe changes nothing that lasts (a kernel module may be
 * loaded by it, as by any use), and never waits. Probes that need a namespace, a mount or a change of the process itself
 * run in a short-lived child with its own mount namespace; it is killed when it does not answer within a second.
 *
 * feature_works() probes one feature on first use and remembers. So a program whose whole start takes 2 ms pays for what
 * it asks: microseconds for a system call, a fraction of a millisecond where a child is needed, nothing when
 * compat_begin() (capability.h) found the results of this boot in the cache. Programs with threads probe all before the
 * first thread starts (compat_init()).
 */
#ifndef COMPAT_KERNEL_FEATURE_H
#define COMPAT_KERNEL_FEATURE_H

#include <stdbool.h>
#include <stddef.h>

#include "compat/base/err.h"

enum feature {
	/* processes */
	FEATURE_SUBREAPER,
	FEATURE_PIDFD,
	FEATURE_CLONE3,
	FEATURE_CLONE_INTO_CGROUP,
	FEATURE_PRLIMIT,
	FEATURE_OOM_SCORE_ADJ,
	FEATURE_REBOOT_PIDNS,
	/* namespaces */
	FEATURE_NS_MNT,
	FEATURE_NS_UTS,
	FEATURE_NS_IPC,
	FEATURE_NS_NET,
	FEATURE_NS_PID,
	FEATURE_NS_USER,
	FEATURE_NS_CGROUP,
	FEATURE_NS_TIME,
	FEATURE_UNSHARE_PID,
	FEATURE_SETNS,
	FEATURE_SETNS_MNT,
	FEATURE_SETNS_UTS,
	FEATURE_SETNS_IPC,
	FEATURE_SETNS_NET,
	FEATURE_SETNS_PID,
	FEATURE_SETNS_USER,
	FEATURE_SETNS_CGROUP,
	FEATURE_SETNS_TIME,
	FEATURE_SETNS_PIDFD,
	FEATURE_NS_BIND,
	FEATURE_NETLINK_NS_FD,
	FEATURE_VETH_PEER_NETNS,
	FEATURE_SYSFS_NETNS,
	/* files */
	FEATURE_OPENAT2,
	FEATURE_O_PATH,
	FEATURE_AT_EMPTY_PATH,
	FEATURE_O_TMPFILE,
	FEATURE_CLOSE_RANGE,
	FEATURE_MEMFD,
	FEATURE_STATX,
	FEATURE_RENAMEAT2,
	FEATURE_COPY_FILE_RANGE,
	FEATURE_REFLINK,
	FEATURE_GETRANDOM,
	/* mounts */
	FEATURE_PIVOT_ROOT,
	FEATURE_MS_MOVE,
	FEATURE_OVERLAY,
	FEATURE_AUFS,
	FEATURE_BTRFS,
	FEATURE_NEW_MOUNT_API,
	FEATURE_MOUNT_SETATTR,
	FEATURE_STATFS_FLAGS,
	FEATURE_DEVPTS_NEWINSTANCE,
	FEATURE_TMPFS_XATTR,
	FEATURE_FUSE,
	FEATURE_DEVICE_MAPPER,
	FEATURE_DM_THIN,
	FEATURE_DM_SNAPSHOT,
	FEATURE_LOOP_CONTROL,
	/* control groups */
	FEATURE_CGROUP_V1,
	FEATURE_CGROUP_V2,
	FEATURE_SYS_FS_CGROUP,
	FEATURE_CGROUP_PROCS,
	FEATURE_FREEZER,
	FEATURE_CPUSET_CLONE_CHILDREN,
	FEATURE_CFS_QUOTA,
	FEATURE_PIDS_CGROUP,
	FEATURE_MEMORY_CGROUP,
	FEATURE_OOM_CONTROL,
	/* confinement */
	FEATURE_NO_NEW_PRIVS,
	FEATURE_SECCOMP_FILTER,
	FEATURE_SECCOMP,
	FEATURE_SECCOMP_NOTIFY,
	FEATURE_AMBIENT_CAPS,
	FEATURE_BPF,
	FEATURE_APPARMOR,
	FEATURE_SELINUX,
	/* network */
	FEATURE_IPV6,
	FEATURE_ROUTE_LOCALNET,
	FEATURE_ADDRTYPE,
	FEATURE_IPTABLES,
	FEATURE_NFT,
	FEATURE_COUNT
};

enum { FEATURE_REASON_MAX = 100 };

/* "overlay", and one line that says what it is. */
const char *feature_name(enum feature f);
const char *feature_about(enum feature f);
/* The mainline kernel that brought it, "3.18"; "" when 2.6.32 has it. For people only: nothing decides by it. */
const char *feature_since(enum feature f);

/* FEATURE_COUNT when there is none of that name. */
enum feature feature_by_name(const char *name);

/* Not for use by several threads until compat_init() has probed all. */
bool feature_works(enum feature f);
/* Why, or why not: "setns: Function not implemented", "hidden by POUCH_HIDE". Borrowed for the life of the process. */
const char *feature_reason(enum feature f);

/* Probe all that is not known yet, with at most four children. */
void feature_probe_all(void);

/*
 * Every name in @names (commas between) must be a feature's: ERR_INVALID lists the known ones. A feature that is hidden
 * hides what is built upon it (setns hides setns-net).
 *
 * @where	"POUCH_HIDE", for the message
 */
int feature_check_hidden(const char *names, const char *where, struct err *err);

/* For the cache: what is known already, and results from elsewhere. Hidden features stay hidden. */
bool feature_is_known(enum feature f);
void feature_set(enum feature f, bool works, const char *reason);
/* Forget everything (tests). */
void feature_forget(void);

#endif
