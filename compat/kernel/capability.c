/*
 * capability - what the engine needs from a host, and which of several ways to it is taken.
 */
#include "compat/kernel/capability.h"

#include <stdio.h>
#include <string.h>

#include "compat/base/auto.h"
#include "compat/base/hide.h"
#include "compat/kernel/capability_state.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/netns.h"
#include "compat/kernel/ns_agent.h"
#include "compat/kernel/place.h"

enum { BACKENDS_MAX = 8 };	/* one more than any has: the end */

/* How a backend is kept from being used when compat.xml forces one behind it: by hiding a feature, or as follows. */
enum {
	OFF_NONE = -1,	 /* not at all: forcing is refused where this one works */
	OFF_CALLER = -2, /* who uses the capability asks capability_forced_name() */
};

struct backend {
	const char *name;
	struct fit (*probe)(const struct backend *b);
	const char *loses;		/* "" or what a user has to do without */
	int score;			/* by_feature(), always() */
	enum feature feature;		/* by_feature() */
	enum cgroup_limit limit;	/* by_limit() */
	struct fit (*at)(const char *home);	/* by_place() */
	int off;			/* enum feature, OFF_NONE, OFF_CALLER */
};

/* ---- how backends are probed ---- */

static struct fit by_feature(const struct backend *b)
{
	return fit(feature_works(b->feature) ? b->score : FIT_NO, "%s", feature_reason(b->feature));
}

static struct fit always(const struct backend *b)
{
	return fit(b->score, "works on every kernel");
}

/* Never where there is a mount namespace: root could leave it. */
static struct fit by_lack(const struct backend *b)
{
	return fit(FIT_NO, "only for containers without a mount namespace");
}

static struct fit by_first_netns(const struct backend *b)
{
	return netns_first_fit();
}

static struct fit by_place(const struct backend *b)
{
	return b->at(compat_home());
}

/* The row of that name, as the cgroup code sees this host. */
static struct fit by_limit(const struct backend *b)
{
	struct fit rows[CGROUP_LIMIT_BACKENDS];
	size_t n = cgroup_limit_rows(b->limit, rows);

	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, b->name) == 0)
			return rows[i];
	return n ? fit(FIT_NO, "%s", rows[0].reason) : fit(FIT_NO, "not known to the cgroup code");
}

static struct fit by_host(const struct backend *b)
{
	struct fit rows[CGROUP_HOST_BACKENDS];

	cgroup_host_rows(rows);
	return rows[strcmp(rows[0].name, b->name) == 0 ? 0 : 1];
}

/* Late 2.6.32 kernels of vendors join some kinds and not others. */
static struct fit by_setns(const struct backend *b)
{
	static const struct {
		enum feature make, join;
		const char *name;
	} kinds[] = {
		{FEATURE_NS_NET, FEATURE_SETNS_NET, "net"}, {FEATURE_NS_MNT, FEATURE_SETNS_MNT, "mnt"},
		{FEATURE_NS_PID, FEATURE_SETNS_PID, "pid"}, {FEATURE_NS_UTS, FEATURE_SETNS_UTS, "uts"},
		{FEATURE_NS_IPC, FEATURE_SETNS_IPC, "ipc"}, {FEATURE_NS_USER, FEATURE_SETNS_USER, "user"},
		{FEATURE_NS_CGROUP, FEATURE_SETNS_CGROUP, "cgroup"},
	};
	char can[64] = "", cannot[64] = "";

	if (!feature_works(FEATURE_SETNS))
		return fit(FIT_NO, "%s", feature_reason(FEATURE_SETNS));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char *list = feature_works(kinds[i].join) ? can : cannot;
		size_t n = strlen(list);

		/* What cannot be made need not be joined. */
		if (list == cannot && !feature_works(kinds[i].make))
			continue;
		(void)snprintf(list + n, sizeof(can) - n, "%s%s", n ? " " : "", kinds[i].name);
	}
	if (!*can)
		return fit(FIT_NO, "no kind can be joined: %s", feature_reason(FEATURE_SETNS_NET));
	if (*cannot)
		return fit(FIT_FALLBACK, "joins %s, but not %s", can, cannot);
	return fit(FIT_NATIVE, "joins %s", can);
}

static struct fit by_agent(const struct backend *b)
{
	return ns_agent_fit();
}

/* ---- the tables: native first, substitutes after ---- */

#define FEATURE(name, f, score, loses)	     {(name), by_feature, (loses), (score), (f), 0, NULL, (f)}
#define CHOSEN(name, f, score, loses)	     {(name), by_feature, (loses), (score), (f), 0, NULL, OFF_CALLER}
#define ALWAYS(name, score, loses)	     {(name), always, (loses), (score), 0, 0, NULL, OFF_NONE}
#define LIMIT(name, limit, off, loses)	     {(name), by_limit, (loses), 0, 0, (limit), NULL, (off)}
#define PLACE(name, at, loses)		     {(name), by_place, (loses), 0, 0, 0, (at), OFF_CALLER}
#define OTHER(name, probe, loses)	     {(name), (probe), (loses), 0, 0, 0, NULL, OFF_NONE}

static const struct {
	const char *name, *about;
	struct backend backends[BACKENDS_MAX];	/* ends with a name that is NULL */
	const char *none;			/* where no backend exists: why */
} rows[CAPABILITY_COUNT] = {
	[CAPABILITY_EXIT_STATUS] = {
		"exit-status", "learn how a container ended",
		{FEATURE("subreaper", FEATURE_SUBREAPER, FIT_NATIVE, ""),
		 ALWAYS("direct-parent", FIT_GOOD,
			"other OCI runtimes (--runtime) cannot be used: only a container's direct parent "
			"learns its exit status")},
	},
	[CAPABILITY_JOIN_NAMESPACES] = {
		"join-namespaces", "enter a running container (exec, cp, top)",
		{{"setns", by_setns, "", 0, 0, 0, NULL, FEATURE_SETNS},
		 OTHER("agent", by_agent,
		       "exec cannot give more capabilities than the container may have (--privileged); networks and IPC are shared "
		       "with one container alone (--net, --ipc container:ID, which starts the other in its own), pid namespaces "
		       "(--pid container:ID) with none; ps in a container shows one process more, and when that is killed from "
		       "inside there is no exec in this container any more")},
	},
	[CAPABILITY_SWITCH_ROOT] = {
		"switch-root", "make a directory the root of a container",
		{CHOSEN("pivot_root", FEATURE_PIVOT_ROOT, FIT_NATIVE, ""),
		 CHOSEN("move", FEATURE_MS_MOVE, FIT_GOOD, ""),
		 OTHER("chroot", by_lack, "root in the container can leave it")},
	},
	[CAPABILITY_LAYERED_ROOT] = {
		"layered-root", "root file systems on top of shared image layers",
		{PLACE("overlay", place_overlay_fit, ""),
		 PLACE("aufs", place_aufs_fit, ""),
		 PLACE("btrfs", place_btrfs_fit, "containers do not share the page cache of their image"),
		 PLACE("devmapper-thin", place_dm_thin_fit,
		       "containers do not share the page cache of their image; each has a file system of fixed size "
		       "(dm.basesize); full pools fail the writes of all"),
		 PLACE("devmapper-snapshot", place_dm_snapshot_fit,
		       "an image is kept twice, and its first container waits while it is copied; each has a file system of "
		       "fixed size (dm.basesize); a full disk stops a container until it is restarted"),
		 PLACE("fuse", place_fuse_fit,
		       "every access to a file goes through a process: slower, and memory for it; with unionfs-fuse no "
		       "extended attributes (file capabilities)"),
		 PLACE("copy", place_copy_fit,
		       "every container is a full copy of its image: slower to create, more disk, no shared "
		       "page cache")},
	},
	[CAPABILITY_DISK_QUOTA] = {
		"disk-quota", "limit the disk space of a container", {{0}},
		"no backend in this version: options that ask for it are refused",
	},
	[CAPABILITY_PROC_VIEW] = {
		"proc-view", "show a container its own limits in /proc", {{0}},
		"no backend in this version: options that ask for it are refused",
	},
	[CAPABILITY_CGROUPS] = {
		"cgroups", "control groups to put containers in",
		{OTHER("host", by_host, ""),
		 OTHER("mount", by_host, "")},
	},
	[CAPABILITY_CPU_LIMIT] = {
		"cpu-limit", "limit CPU time (--cpus, --cpu-quota)",
		{LIMIT("v1", CGROUP_CPU_QUOTA, FEATURE_CFS_QUOTA, ""),
		 LIMIT("v2", CGROUP_CPU_QUOTA, FEATURE_CFS_QUOTA, ""),
		 LIMIT("duty-cycle", CGROUP_CPU_QUOTA, OFF_NONE,
		       "all of a container stands still for a part of each tenth of a second and so answers late; a second "
		       "process a container")},
	},
	[CAPABILITY_PROCESS_LIMIT] = {
		"process-limit", "limit the number of processes (--pids-limit)",
		{LIMIT("v1", CGROUP_PIDS, FEATURE_PIDS_CGROUP, ""),
		 LIMIT("v2", CGROUP_PIDS, FEATURE_PIDS_CGROUP, ""),
		 LIMIT("accounting", CGROUP_PIDS, OFF_NONE,
		       "fork does not fail at the limit: a few milliseconds later the newest processes above it are killed; "
		       "a second process a container")},
	},
	[CAPABILITY_MEMORY_LIMIT] = {
		"memory-limit", "limit memory (--memory)",
		{LIMIT("v1", CGROUP_MEMORY, FEATURE_MEMORY_CGROUP, ""),
		 LIMIT("v2", CGROUP_MEMORY, FEATURE_MEMORY_CGROUP, ""),
		 LIMIT("address-space", CGROUP_MEMORY, OFF_NONE,
		       "the limit is for the address space of each process, not for all together: a process over it is refused "
		       "memory and not killed, and programs that reserve much more than they use do not start")},
	},
	[CAPABILITY_OOM_NOTICE] = {
		"oom-notice", "tell when a container ran out of memory",
		{LIMIT("v1", CGROUP_OOM_NOTICE, FEATURE_OOM_CONTROL, ""),
		 LIMIT("v2", CGROUP_OOM_NOTICE, FEATURE_OOM_CONTROL, ""),
		 LIMIT("counters", CGROUP_OOM_NOTICE, OFF_NONE,
		       "it is known at the end of a container only, and only when its first process was the one killed")},
	},
	[CAPABILITY_DEVICE_ACCESS] = {
		"device-access", "allow single devices only (--device)",
		{LIMIT("v1", CGROUP_DEVICES, OFF_NONE, ""), LIMIT("v2", CGROUP_DEVICES, OFF_NONE, "")},
	},
	[CAPABILITY_PAUSE] = {
		"pause", "stop and continue all of a container",
		{LIMIT("v1", CGROUP_FREEZER, FEATURE_FREEZER, ""),
		 LIMIT("v2", CGROUP_FREEZER, FEATURE_FREEZER, ""),
		 LIMIT("stop-signals", CGROUP_FREEZER, OFF_NONE,
		       "processes see that they were stopped, and one that forks quickly may run on for a moment")},
	},
	[CAPABILITY_CGROUP_ATTACH] = {
		"cgroup-attach", "move a process with all its threads to a cgroup",
		{FEATURE("cgroup.procs", FEATURE_CGROUP_PROCS, FIT_NATIVE, ""),
		 ALWAYS("tasks", FIT_GOOD, "")},
	},
	[CAPABILITY_EMPTY_CPUSET] = {
		"empty-cpuset", "make a new cpuset usable",
		{FEATURE("clone_children", FEATURE_CPUSET_CLONE_CHILDREN, FIT_NATIVE, ""),
		 ALWAYS("copy", FIT_GOOD, "")},
	},
	[CAPABILITY_BRIDGE] = {
		"bridge", "a bridge for the default network",
		{FEATURE("anywhere", FEATURE_SYSFS_NETNS, FIT_NATIVE, ""),
		 OTHER("first-namespace", by_first_netns,
		       "a pouchd that runs in a network namespace has no bridge network: it would crash this kernel")},
	},
	[CAPABILITY_INTERFACE_PAIR] = {
		"interface-pair", "a pair of interfaces with one end in a container",
		{FEATURE("peer-elsewhere", FEATURE_VETH_PEER_NETNS, FIT_NATIVE, ""),
		 ALWAYS("move", FIT_GOOD, "")},
	},
	[CAPABILITY_MOVE_INTERFACE] = {
		"move-interface", "move a network interface into a container",
		{FEATURE("pid", FEATURE_NS_NET, FIT_NATIVE, "")},
	},
	[CAPABILITY_KEEP_NETNS] = {
		"keep-netns", "keep a network namespace for others to join",
		{FEATURE("init", FEATURE_NS_NET, FIT_NATIVE, "")},
	},
	[CAPABILITY_NAT] = {
		"nat", "published ports, and connections of containers to other hosts",
		{CHOSEN("iptables", FEATURE_IPTABLES, FIT_NATIVE, ""),
		 CHOSEN("nft", FEATURE_NFT, FIT_GOOD, ""),
		 ALWAYS("none", FIT_FALLBACK,
			"published ports go through a proxy, which hides the client's address; containers on a "
			"bridge reach no other host unless it knows the way back")},
	},
	[CAPABILITY_NAT_ADDRESSES] = {
		"nat-addresses", "rules for connections to the host itself, whatever its addresses are",
		{FEATURE("addrtype", FEATURE_ADDRTYPE, FIT_NATIVE, ""),
		 ALWAYS("list", FIT_GOOD,
			"an address that the host gets later is served by the proxy until the next container with "
			"published ports starts")},
	},
	[CAPABILITY_LOOPBACK_PORTS] = {
		"loopback-ports", "published ports on 127.0.0.1",
		{FEATURE("route_localnet", FEATURE_ROUTE_LOCALNET, FIT_NATIVE, ""),
		 ALWAYS("proxy", FIT_GOOD, "a process carries these connections, and they seem to come from the bridge")},
	},
	[CAPABILITY_CGROUP_MOUNT] = {
		"cgroup-mount", "a place for /sys/fs/cgroup in a container",
		{FEATURE("sys-fs-cgroup", FEATURE_SYS_FS_CGROUP, FIT_NATIVE, ""),
		 ALWAYS("tmpfs", FIT_GOOD, "")},
	},
	[CAPABILITY_TERMINALS] = {
		"terminals", "terminals of a container's own (-t)",
		{FEATURE("devpts-instance", FEATURE_DEVPTS_NEWINSTANCE, FIT_NATIVE, "")},
	},
	[CAPABILITY_OOM_SCORE] = {
		"oom-score", "say who is killed first when memory ends (--oom-score-adj)",
		{FEATURE("oom_score_adj", FEATURE_OOM_SCORE_ADJ, FIT_NATIVE, ""),
		 ALWAYS("oom_adj", FIT_GOOD, "33 steps instead of 2001")},
	},
	[CAPABILITY_NO_NEW_PRIVS] = {
		"no-new-privs", "no gain of rights by set-user-ID programs",
		{FEATURE("prctl", FEATURE_NO_NEW_PRIVS, FIT_NATIVE, ""),
		 FEATURE("nosuid-mounts", FEATURE_NS_MNT, FIT_GOOD,
			 "all of the container's mounts ignore set-user-ID bits and file capabilities; with a volume whose "
			 "mounts follow the host's the option is refused")},
	},
	[CAPABILITY_SECCOMP] = {
		"seccomp", "filter system calls",
		{FEATURE("seccomp", FEATURE_SECCOMP, FIT_NATIVE, ""),
		 FEATURE("prctl", FEATURE_SECCOMP_FILTER, FIT_GOOD,
			 "no logging and no supervisor (SCMP_ACT_LOG, SCMP_ACT_NOTIFY)"),
		 ALWAYS("capabilities", FIT_FALLBACK,
			"system calls are not filtered: what capabilities permit is all that limits a container; a profile "
			"that is asked for is refused")},
	},
	[CAPABILITY_REBOOT] = {
		"reboot", "keep a container from restarting the host",
		{FEATURE("pid-namespace", FEATURE_REBOOT_PIDNS, FIT_NATIVE, ""),
		 ALWAYS("no-capability", FIT_GOOD,
			"no container has CAP_SYS_BOOT, not even a privileged one, unless --cap-add names it")},
	},
	[CAPABILITY_CLOSE_FDS] = {
		"close-fds", "close inherited descriptors",
		{FEATURE("close_range", FEATURE_CLOSE_RANGE, FIT_NATIVE, ""),
		 ALWAYS("proc-walk", FIT_GOOD, "")},
	},
	[CAPABILITY_PROTECT_RUNTIME] = {
		"protect-runtime", "keep a container from overwriting the runtime's program",
		{CHOSEN("read-only-mount", FEATURE_MOUNT_SETATTR, FIT_NATIVE, ""),
		 CHOSEN("memfd", FEATURE_MEMFD, FIT_GOOD, "each start copies the program into memory"),
		 ALWAYS("private-copy", FIT_FALLBACK, "each start copies the program to a file")},
	},
	[CAPABILITY_PROCESS_HANDLE] = {
		"process-handle", "never signal a later process of the same pid",
		{FEATURE("pidfd", FEATURE_PIDFD, FIT_NATIVE, ""),
		 ALWAYS("start-time", FIT_GOOD,
			"between the look at its start time and the signal a process could be replaced, in theory")},
	},
	[CAPABILITY_RANDOM] = {
		"random", "random bytes",
		{FEATURE("getrandom", FEATURE_GETRANDOM, FIT_NATIVE, ""),
		 ALWAYS("urandom", FIT_GOOD, "")},
	},
	[CAPABILITY_SAFE_PATHS] = {
		"safe-paths", "resolve a container's paths without leaving its root",
		{FEATURE("openat2", FEATURE_OPENAT2, FIT_NATIVE, ""),
		 ALWAYS("walk", FIT_GOOD, "")},
	},
	[CAPABILITY_IMAGE_LIBC] = {
		"image-libc", "run images with today's C library",
		{FEATURE("any", FEATURE_AT_EMPTY_PATH, FIT_NATIVE, ""),
		 ALWAYS("old-libc", FIT_FALLBACK,
			"programs with glibc 2.33 or newer, or with one built for a newer kernel, are refused before their "
			"start, as they cannot run here; those with an older glibc or with musl can")},
	},
};

/* ---- what is known ---- */

static struct {
	bool known;
	struct fit rows[BACKENDS_MAX];
	size_t count;
	struct fit choice;
} states[CAPABILITY_COUNT];

const char *capability_name(enum capability c)
{
	return rows[c].name;
}

const char *capability_forced(enum capability c)
{
	return capability_forced_name(rows[c].name);
}

const char *capability_about(enum capability c)
{
	return rows[c].about;
}

enum capability capability_by_name(const char *name)
{
	enum capability c = 0;

	while (c < CAPABILITY_COUNT && strcmp(rows[c].name, name))
		c++;
	return c;
}

const char *capability_backend(enum capability c, size_t i)
{
	return i < BACKENDS_MAX ? rows[c].backends[i].name : NULL;
}

const char *capability_loses(enum capability c, size_t i)
{
	return rows[c].backends[i].loses;
}

static void look(enum capability c)
{
	states[c].count = 0;
	for (size_t i = 0; i < BACKENDS_MAX && rows[c].backends[i].name; i++) {
		const struct backend *b = &rows[c].backends[i];

		if (b->off >= 0 && hidden(feature_name((enum feature)b->off)))
			states[c].rows[i] = fit(FIT_NO, "hidden");
		else
			states[c].rows[i] = b->probe(b);
		states[c].rows[i].name = b->name;
		states[c].count++;
	}
}

static int find_backend(enum capability c, const char *name)
{
	for (int i = 0; i < BACKENDS_MAX && rows[c].backends[i].name; i++)
		if (strcmp(rows[c].backends[i].name, name) == 0)
			return i;
	return -1;
}

void capability_apply_forced(void)
{
	for (enum capability c = 0; c < CAPABILITY_COUNT; c++) {
		const char *name = capability_forced(c);
		int forced = name ? find_backend(c, name) : -1;

		for (int i = 0; i < forced; i++) {
			int off = rows[c].backends[i].off;

			if (off >= 0 && off != rows[c].backends[forced].off &&
			    !hidden(feature_name((enum feature)off)))
				hide_add(feature_name((enum feature)off));
		}
	}
}

/* Nothing may pretend to follow: a better backend that works and cannot be switched off is used all the same. */
static int check_forced(enum capability c, int forced, struct err *err)
{
	const struct backend *b = rows[c].backends;

	for (int i = 0; i < forced; i++) {
		if (states[c].rows[i].score <= FIT_NO || b[i].off == OFF_CALLER)
			continue;
		if (b[i].off == OFF_NONE || b[i].off == b[forced].off)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s '%s' cannot be forced here: '%s' works and comes first",
				       rows[c].name, b[forced].name, b[i].name);
	}
	return 0;
}

int capability_choose(enum capability c, struct err *err)
{
	struct err why = ERR_INIT;
	int best;

	if (!states[c].known)
		look(c);
	states[c].known = true;
	if (!states[c].count) {
		states[c].choice = fit(FIT_NO, "%s", rows[c].none);
		states[c].choice.name = "none";
		return 0;
	}
	best = fit_best(states[c].rows, states[c].count, capability_forced(c), rows[c].name, &why);
	if (best >= 0 && capability_forced(c) && check_forced(c, best, &why) < 0)
		best = -1;
	if (best >= 0) {
		states[c].choice = states[c].rows[best];
		return 0;
	}
	states[c].choice = fit(FIT_NO, "%s", why.msg);
	states[c].choice.name = "none";
	if (!capability_forced(c))
		return 0;
	return err_set(err, why.kind, "%s", why.msg);
}

void capability_forget(void)
{
	/* What was never written stays without a page. */
	for (enum capability c = 0; c < CAPABILITY_COUNT; c++)
		if (states[c].known)
			memset(&states[c], 0, sizeof(states[c]));
}

const struct fit *compat_choice(enum capability c)
{
	if (!states[c].known)
		(void)capability_choose(c, NULL);	/* the choice's reason tells */
	return &states[c].choice;
}

const struct fit *capability_rows(enum capability c, size_t *ret_count)
{
	(void)compat_choice(c);
	*ret_count = states[c].count;
	return states[c].rows;
}
