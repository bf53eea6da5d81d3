/*
 * capability - what the engine needs from a host, and which of several ways to it is taken.
 *
 * Each capability has a table of backends, native first, substitutes after. Every backend is scored on this host with a
 * reason; the best is chosen unless compat.xml forces another. What no backend can give is refused by whoever needs it,
 * with the capability's name.
 */
#ifndef COMPAT_KERNEL_CAPABILITY_H
#define COMPAT_KERNEL_CAPABILITY_H

#include <stdbool.h>
#include <stddef.h>

#include "compat/base/err.h"
#include "compat/base/fit.h"

enum capability {
	CAPABILITY_EXIT_STATUS,		/* subreaper, direct-parent */
	CAPABILITY_JOIN_NAMESPACES,	/* setns, agent */
	CAPABILITY_SWITCH_ROOT,		/* pivot_root, move, chroot */
	CAPABILITY_LAYERED_ROOT,	/* overlay to copy: storage drivers' names */
	CAPABILITY_DISK_QUOTA,
	CAPABILITY_PROC_VIEW,
	CAPABILITY_CGROUPS,		/* host, mount */
	CAPABILITY_CPU_LIMIT,
	CAPABILITY_PROCESS_LIMIT,
	CAPABILITY_MEMORY_LIMIT,
	CAPABILITY_OOM_NOTICE,
	CAPABILITY_DEVICE_ACCESS,
	CAPABILITY_PAUSE,
	CAPABILITY_CGROUP_ATTACH,	/* cgroup.procs, tasks */
	CAPABILITY_EMPTY_CPUSET,	/* clone_children, copy */
	CAPABILITY_BRIDGE,		/* anywhere, first-namespace */
	CAPABILITY_INTERFACE_PAIR,	/* peer-elsewhere, move */
	CAPABILITY_MOVE_INTERFACE,
	CAPABILITY_KEEP_NETNS,
	CAPABILITY_NAT,			/* iptables, nft, none */
	CAPABILITY_NAT_ADDRESSES,	/* addrtype, list */
	CAPABILITY_LOOPBACK_PORTS,	/* route_localnet, proxy */
	CAPABILITY_CGROUP_MOUNT,	/* sys-fs-cgroup, tmpfs */
	CAPABILITY_TERMINALS,		/* devpts-instance */
	CAPABILITY_OOM_SCORE,		/* oom_score_adj, oom_adj */
	CAPABILITY_NO_NEW_PRIVS,	/* prctl, nosuid-mounts */
	CAPABILITY_SECCOMP,		/* seccomp, prctl, capabilities */
	CAPABILITY_REBOOT,		/* pid-namespace, no-capability */
	CAPABILITY_CLOSE_FDS,		/* close_range, proc-walk */
	CAPABILITY_PROTECT_RUNTIME,
	CAPABILITY_PROCESS_HANDLE,	/* pidfd, start-time */
	CAPABILITY_RANDOM,		/* getrandom, urandom */
	CAPABILITY_SAFE_PATHS,		/* openat2, walk */
	CAPABILITY_IMAGE_LIBC,		/* any, old-libc */
	CAPABILITY_COUNT
};

/* In the exec root: the list of hierarchies that were mounted there or elsewhere by compat_init(). */
#define COMPAT_CGROUP_RECORD "cgroup.mounts"

struct compat_options {
	const char *home;		/* where layers and root file systems lie; NULL: /var/lib/pouch */
	const char *exec_root;		/* holds the cache compat.json; NULL: /var/run/pouch */
	const char *profile_path;	/* NULL: /etc/pouch/compat.xml, which may be absent */
	bool no_cache;			/* neither read nor write it */
	bool mount_cgroups;		/* compat_init(): cgroup_host_mount() first; see COMPAT_CGROUP_RECORD */
};

/*
 * Apply POUCH_HIDE and the profile, and take over this boot's cached results when they are of the same program, POUCH_HIDE
 * and profile. Probes nothing: for programs that must start fast; where there is no profile it only looks for one, and
 * the cache is read when the first feature is asked for that costs a child. @options NULL: the defaults. ERR_INVALID: the profile
 * does not parse, or a name is unknown. Strings of @options are copied. Before the first thread.
 */
int compat_begin(const struct compat_options *options, struct err *err);

/*
 * compat_begin(), then probe everything, choose, and write the cache (a cache that cannot be written is no error). A forced
 * backend that cannot work is ERR_UNSUPPORTED, with its reason. Takes under 20 ms without a cache.
 */
int compat_init(const struct compat_options *options, struct err *err);

/* "switch-root"; "make a directory the root of a container". */
const char *capability_name(enum capability c);
const char *capability_about(enum capability c);

/* CAPABILITY_COUNT when there is none of that name. */
enum capability capability_by_name(const char *name);
/* The name of backend @i, NULL behind the last. */
const char *capability_backend(enum capability c, size_t i);
/* What a user loses by it, "" for nothing. */
const char *capability_loses(enum capability c, size_t i);
/* All backends of @c on this host, in the order of capability_backend(). Borrowed for the life of the process. */
const struct fit *capability_rows(enum capability c, size_t *ret_count);
/* The backend that the profile forces, or NULL. */
const char *capability_forced(enum capability c);
/* The same by the capability's name, without the tables: for programs that must stay small. */
const char *capability_forced_name(const char *capability);

/*
 * The chosen backend: ->name, ->score, ->reason. Never NULL: where nothing works the score is FIT_NO and the reason says
 * why. Looks at this one capability when compat_init() has not run. Borrowed for the life of the process.
 */
const struct fit *compat_choice(enum capability c);

#endif
