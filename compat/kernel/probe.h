/*
 * probe - inside of feature: the probes and how each is to be run
 */
#ifndef COMPAT_KERNEL_PROBE_H
#define COMPAT_KERNEL_PROBE_H

#include <stdbool.h>

#include "compat/kernel/feature.h"

struct answer {
	int feature;
	bool works;
	char reason[FEATURE_REASON_MAX];
};

/* Each returns whether it works and fills the reason. */
bool probe_yes(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool probe_no(struct answer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "setns: Function not implemented", from errno. */
bool probe_failed(struct answer *a, const char *call);
/* @rc of @call: works when it is not negative. */
bool probe_result(struct answer *a, long rc, const char *call);
/* Run @fn in a child of its own and take its answer: for what would spoil the next probe. */
bool probe_in_fork(struct answer *a, bool (*fn)(struct answer *));
/* Is @fstype in /proc/filesystems? */
bool probe_filesystem_is_listed(const char *fstype);

/* Fills @a; the value is a->works. */
typedef bool probe_fn(struct answer *a);

/* probe_process.c */
probe_fn probe_subreaper, probe_pidfd, probe_clone3, probe_clone_into_cgroup, probe_prlimit,
	probe_oom_score_adj, probe_reboot_pidns, probe_no_new_privs, probe_seccomp_filter, probe_seccomp, probe_seccomp_notify,
	probe_ambient_caps, probe_bpf;

/* probe_ns.c */
probe_fn probe_ns_mnt, probe_ns_uts, probe_ns_ipc, probe_ns_net, probe_ns_pid, probe_ns_user,
	probe_ns_cgroup, probe_ns_time, probe_unshare_pid, probe_setns, probe_setns_mnt,
	probe_setns_uts, probe_setns_ipc, probe_setns_net, probe_setns_pid, probe_setns_user,
	probe_setns_cgroup, probe_setns_time, probe_setns_pidfd, probe_netlink_ns_fd,
	probe_veth_peer_netns;

/* probe_file.c */
probe_fn probe_openat2, probe_o_path, probe_at_empty_path, probe_o_tmpfile, probe_close_range, probe_memfd, probe_statx,
	probe_renameat2, probe_copy_file_range, probe_getrandom;

/* probe_mount.c: in a directory of a tmpfs of their own */
probe_fn probe_ns_bind, probe_pivot_root, probe_ms_move, probe_overlay, probe_aufs, probe_new_mount_api,
	probe_mount_setattr, probe_statfs_flags, probe_devpts_newinstance, probe_tmpfs_xattr, probe_fuse;
/* Own mount namespace, private, a fresh tmpfs as the current directory. */
bool probe_mount_prepare(struct answer *a);

/* netns.c */
probe_fn probe_sysfs_netns;

/* place.c: in the home, which may not exist */
probe_fn probe_reflink;

/* probe_host.c */
probe_fn probe_btrfs, probe_device_mapper, probe_dm_thin, probe_dm_snapshot, probe_loop_control,
	probe_cgroup_v1, probe_cgroup_v2, probe_sys_fs_cgroup, probe_cgroup_procs,
	probe_freezer, probe_clone_children, probe_cfs_quota, probe_pids_cgroup, probe_memory_cgroup,
	probe_oom_control, probe_apparmor, probe_selinux, probe_ipv6, probe_route_localnet, probe_addrtype,
	probe_iptables, probe_nft;

#endif
