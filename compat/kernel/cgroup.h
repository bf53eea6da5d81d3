/*
 * cgroup - one control group of a container, whatever the host mounts: v1, v2, or both (hybrid).
 *
 * Which controller lives where is read from /proc/mounts, controller by controller: a controller that a v1 hierarchy carries is used
 * there, one that only the v2 tree offers is used there. So "hybrid" is no third implementation. Limits are turned into a plan (file,
 * value) first; every file of the plan must exist before the first value is written, so a host that lacks a capability refuses, by its
 * name, before anything changed.
 *
 * Spec:    OCI runtime-spec 1.1, config-linux.md#control-groups; Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst
 */
#ifndef COMPAT_KERNEL_CGROUP_H
#define COMPAT_KERNEL_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"
#include "compat/base/fit.h"
#include "compat/base/json.h"
#include "compat/base/vec.h"

/* ---- what may be limited: OCI linux.resources --------------------------------------------------------------------------- */

struct cgroup_device {
	bool allow;
	char *type;		/* "a", "b", "c"; NULL is "a" */
	struct opt_i64 major;	/* unset or -1: all */
	struct opt_i64 minor;
	char *access;		/* of "rwm"; NULL is all */
};

struct cgroup_memory {
	struct opt_i64 limit;	     /* bytes; -1 none. For all of these: unset or 0 leaves as it is */
	struct opt_i64 reservation;  /* bytes, soft limit */
	struct opt_i64 swap;	     /* bytes of memory plus swap; -1 none */
	struct opt_i64 kernel;	     /* bytes */
	struct opt_i64 kernel_tcp;   /* bytes */
	struct opt_u64 swappiness;   /* 0 to 100; 0 is a value here */
	struct opt_bool disable_oom_killer;
	struct opt_bool use_hierarchy;
	struct opt_bool check_before_update; /* refuse a limit below the present use */
};

struct cgroup_cpu {
	struct opt_u64 shares;
	struct opt_i64 quota;	/* microseconds a period; -1 none */
	struct opt_u64 burst;	/* microseconds */
	struct opt_u64 period;	/* microseconds */
	struct opt_i64 rt_runtime;
	struct opt_u64 rt_period;
	char *cpus, *mems;	/* "0-3,7"; NULL or "" leaves as it is */
	struct opt_i64 idle;	/* 0 or 1 */
};

struct cgroup_pids {
	struct opt_i64 limit;	/* 0 and -1: none */
};

struct cgroup_weight_device {
	int64_t major, minor;
	struct opt_u64 weight, leaf_weight;
};

struct cgroup_throttle_device {
	int64_t major, minor;
	uint64_t rate;		/* bytes or operations a second */
};

typedef VEC(struct cgroup_throttle_device) cgroup_throttle_vec;

struct cgroup_blkio {
	struct opt_u64 weight, leaf_weight;	/* 10 to 1000 */
	VEC(struct cgroup_weight_device) weight_device;
	cgroup_throttle_vec read_bps, write_bps, read_iops, write_iops;
};

struct cgroup_hugepage {
	char *page_size;	/* "2MB" */
	uint64_t limit;		/* bytes */
};

struct cgroup_net_priority {
	char *name;		/* interface */
	uint32_t priority;
};

struct cgroup_network {
	struct opt_u64 class_id;
	VEC(struct cgroup_net_priority) priorities;
};

struct cgroup_rdma {
	char *device;
	struct opt_u64 handles, objects;
};

struct cgroup_resources {
	VEC(struct cgroup_device) devices; /* in order; the last rule that matches decides */
	struct cgroup_memory memory;
	struct cgroup_cpu cpu;
	struct cgroup_pids pids;
	struct cgroup_blkio blkio;
	VEC(struct cgroup_hugepage) hugepages;
	struct cgroup_network network;
	VEC(struct cgroup_rdma) rdma;
	struct strmap unified;		/* v2 file -> value, written as it is, after all else */
};

extern const struct json_table cgroup_resources_table;

void cgroup_resources_clear(struct cgroup_resources *res);
DEFINE_AUTO_CLEAR(cgroup_resources_clear, struct cgroup_resources)

/* ---- what this host can limit -------------------------------------------------------------------------------------------- */

enum cgroup_limit {
	CGROUP_MEMORY,
	CGROUP_SWAP,
	CGROUP_MEMORY_RESERVATION,
	CGROUP_KERNEL_MEMORY,
	CGROUP_KERNEL_TCP,
	CGROUP_SWAPPINESS,
	CGROUP_OOM_DISABLE,
	CGROUP_OOM_NOTICE,
	CGROUP_CPU_SHARES,
	CGROUP_CPU_QUOTA,
	CGROUP_CPU_BURST,
	CGROUP_CPU_REALTIME,
	CGROUP_CPU_IDLE,
	CGROUP_CPUSET,
	CGROUP_PIDS,
	CGROUP_BLKIO_WEIGHT,
	CGROUP_BLKIO_WEIGHT_DEVICE,
	CGROUP_BLKIO_THROTTLE,
	CGROUP_HUGETLB,
	CGROUP_DEVICES,
	CGROUP_FREEZER,
	CGROUP_NET_CLASS,
	CGROUP_NET_PRIORITY,
	CGROUP_RDMA,
	CGROUP_UNIFIED,
	CGROUP_LIMIT_COUNT
};

/* "memory limit", "CPU quota": the words that a refusal uses. */
const char *cgroup_limit_name(enum cgroup_limit limit);

#define CGROUP_LIMIT_BACKENDS 3

/*
 * How well each backend of @limit works here: v1, v2, and a substitute where one exists ("stop-signals" for the freezer, "duty-cycle",
 * "accounting", "address-space", "counters"). Fills @rows and returns their number. Makes and removes an empty group to look at its
 * files; the answers are kept for the life of the process.
 */
size_t cgroup_limit_rows(enum cgroup_limit limit, struct fit rows[CGROUP_LIMIT_BACKENDS]);
/* Look again at the next call: something was mounted or hidden. */
void cgroup_limit_forget(void);
/* The best of them: score FIT_NO and its reason when this host cannot. */
struct fit cgroup_limit_fit(enum cgroup_limit limit);
/* The best without substitutes. */
struct fit cgroup_limit_native(enum cgroup_limit limit);

enum cgroup_mode { CGROUP_NONE, CGROUP_V1, CGROUP_V2, CGROUP_HYBRID };

enum cgroup_mode cgroup_host_mode(void);
const char *cgroup_mode_name(enum cgroup_mode mode); /* "none", "v1", "v2", "hybrid" */

/*
 * Mount what the kernel has and nobody mounted: the v2 tree where it carries all that matters and no hierarchy of v1 is there, else each free
 * controller of v1. They go to /sys/fs/cgroup (below a tmpfs), where that does not exist to /cgroup, and where this cannot be made
 * either below @fallback. A controller that shares its hierarchy takes the others along; the ns controller is never mounted.
 *
 * @record	file of the mounts that were made by us, so that a later process can undo them; read first
 *
 * Returns how many were mounted. What could not be mounted is missing from then on, which the rows of cgroup_host_rows() say.
 */
int cgroup_host_mount(const char *fallback, const char *record, struct err *err);
/*
 * Undo what @record lists, as far as nobody uses it: a hierarchy with any group in it but the empty @parent stays, with its entry, because
 * containers live on without their daemon.
 */
void cgroup_host_unmount(const char *record, const char *parent);
/* Did this process mount any? */
bool cgroup_host_mounted(void);
/* "host": all that this kernel has was mounted; "mount": a daemon mounts the rest. */
#define CGROUP_HOST_BACKENDS 2
void cgroup_host_rows(struct fit rows[CGROUP_HOST_BACKENDS]);

/* ---- one group ----------------------------------------------------------------------------------------------------------- */

struct cgroup;

/*
 * @path	relative to each hierarchy's mount point ("default/ID"; a leading slash is the same); cleaned, ".." refused
 *
 * Creates nothing. ERR_UNSUPPORTED when no cgroup file system is mounted.
 */
int cgroup_open(const char *path, struct cgroup **ret, struct err *err);
void cgroup_close(struct cgroup *cg);
DEFINE_AUTO(cgroup_close, struct cgroup *)

const char *cgroup_path(const struct cgroup *cg);
enum cgroup_mode cgroup_mode(const struct cgroup *cg);
/* Host directory of the group for @controller ("memory", "freezer", ...; "" for the v2 tree), NULL when there is none. Borrowed. */
const char *cgroup_dir(const struct cgroup *cg, const char *controller);

/*
 * From now on @cg means groups below it, which must exist in every hierarchy that is chosen (ERR_NOT_FOUND).
 *
 * @wheres	NULL-terminated: one "PATH" for all hierarchies, or any number of "CONTROLLER[,CONTROLLER...]:PATH", each for the hierarchies of
 *		these; "/" is the group itself, ".." is refused. ERR_INVALID: an unknown controller, or two groups for one hierarchy;
 *		ERR_UNSUPPORTED: a controller that no hierarchy of the group carries.
 *
 * After a failure @cg is as before.
 */
int cgroup_descend(struct cgroup *cg, const char *const *wheres, struct err *err);

/* Make the group in every hierarchy, parents too (cpusets inherit, v2 controllers are enabled). Undone on failure. */
int cgroup_create(struct cgroup *cg, struct err *err);
bool cgroup_exists(const struct cgroup *cg);

/*
 * Move @pid with all its threads into the group. @pid 0: the caller, which must have one thread only. The caller moves itself much
 * cheaper than others move it (no grace period in the kernel), so a container's first process does it right after clone().
 */
int cgroup_attach(const struct cgroup *cg, pid_t pid, struct err *err);

/*
 * The same in two steps for a child that cannot open files any more or must not allocate: @ret_fds, one for each hierarchy (at
 * most CGROUP_MAX_HIERARCHIES), are O_CLOEXEC and owned by the caller; cgroup_enter_self() only writes.
 */
#define CGROUP_MAX_HIERARCHIES 24
int cgroup_enter_prepare(const struct cgroup *cg, int ret_fds[CGROUP_MAX_HIERARCHIES], size_t *ret_count,
			 struct err *err);
int cgroup_enter_self(const int *fds, size_t count, struct err *err);
/*
 * A directory fd (owned) for clone3(CLONE_INTO_CGROUP), 5.7: born in the v2 group, a process spares the grace period which a move costs.
 * then has nothing to enter. -1 where the v2 tree is not all there is.
 */
int cgroup_clone_fd(const struct cgroup *cg);

/*
 * Set limits. Refused before anything is written when the host lacks a capability that @res asks for (ERR_UNSUPPORTED, named) or a
 * value makes no sense (ERR_INVALID). Memory and swap are set in the order which the present values need. Used by create and update:
 * unset fields stay as they are. Devices are replaced as a whole when @res has any.
 */
int cgroup_apply(struct cgroup *cg, const struct cgroup_resources *res, struct err *err);
/* The checks of cgroup_apply() alone, against what this host has; needs no group. */
int cgroup_check(const struct cgroup_resources *res, struct err *err);

/*
 * Limits that no file of this host holds and that somebody holds by other means: a keeper that lives as long as the container (CPU, tasks),
 * or whoever starts its processes (memory). cgroup_apply() refuses them unless cgroup_keep() was told that the caller sees to it.
 */
struct cgroup_kept {
	int64_t cpu_quota_us;	/* a period; 0: none */
	int64_t cpu_period_us;
	int64_t tasks;		/* 0: none */
	int64_t memory_bytes;	/* address space of each process; 0: none */
};

enum { CGROUP_KEEPS_MEMORY = 1, CGROUP_KEEPS_CPU = 2, CGROUP_KEEPS_TASKS = 4 };

void cgroup_keep(struct cgroup *cg, unsigned int keeps);
/* What cgroup_apply() left to the caller, all calls together. Borrowed. */
const struct cgroup_kept *cgroup_kept(const struct cgroup *cg);
/* Must @limit be kept by other means than the group's files? Needs no group; for CGROUP_MEMORY, CGROUP_PIDS and CGROUP_CPU_QUOTA. */
bool cgroup_lacks(const struct cgroup *cg, enum cgroup_limit limit);

typedef VEC(pid_t) pid_vec;

void pid_vec_clear(pid_vec *pids);
DEFINE_AUTO_CLEAR(pid_vec_clear, pid_vec)

/* Processes of the group and of groups below it, each once, in ascending order. An absent group has none. */
int cgroup_pids(const struct cgroup *cg, pid_vec *ret, struct err *err);
/* Signal all of them. SIGKILL reaches also what is forked meanwhile, and frozen tasks are thawed for it. */
int cgroup_kill(const struct cgroup *cg, int sig, struct err *err);
/* Wait until every task stopped or runs again. Undone on failure. By signals where there is no freezer. */
int cgroup_freeze(struct cgroup *cg, bool freeze, struct err *err);
int cgroup_is_frozen(const struct cgroup *cg, bool *ret, struct err *err);
/* cgroup_freeze() by the freezer alone that does not wait: 0 or -errno. Asking again helps tasks along that forked meanwhile. */
int cgroup_freeze_begin(const struct cgroup *cg, bool freeze);
/*
 * Before 2.6.37 (CentOS 6.8 has the mend) a thaw is lost that comes before any task stands still: all freeze afterwards, in a group that says
 * THAWED. Who thaws by cgroup_freeze_begin() there has to ask again later. cgroup_thaw() does so once, 20 ms later, and waits for that.
 */
bool cgroup_forgets_thaws(void);
void cgroup_thaw(const struct cgroup *cg);
/*
 * After SIGKILL: a frozen task of v1 does not die. Thaws the group, and brings back into it who is of it (@first, when not 0, and who is in another
 * of its hierarchies) but was moved into some other group of the freezer, which may be frozen and is not ours to thaw.
 */
int cgroup_let_die(struct cgroup *cg, pid_t first, struct err *err);
/* CPU time that the group's tasks used, in nanoseconds. 0 or -errno. */
int cgroup_cpu_usage(const struct cgroup *cg, uint64_t *ret_ns);
/* Tasks of the group and of groups below it: threads, not processes. An absent group has none. */
size_t cgroup_count_tasks(const struct cgroup *cg);
/* Kill what is left, remove the group with those below it, in all hierarchies. Absent is fine. At most 10 s. */
int cgroup_remove(struct cgroup *cg, struct err *err);

/*
 * The ns controller of old kernels gives each process that makes namespaces a group of its own, which stays. _forget removes that of our
 * dead child @pid, _sweep those of all dead processes that were started from our group. Nothing where it is not mounted.
 */
void cgroup_ns_forget(pid_t pid);
void cgroup_ns_sweep(void);

/* ---- out of memory ------------------------------------------------------------------------------------------------------- */

/*
 * An fd to poll for reading, kept by @cg: an eventfd (v1) or an inotify fd (v2). -1 and ERR_UNSUPPORTED where there is
 * neither. When it is readable, cgroup_oom_read() empties it and says whether tasks ran out of memory since the last call (removal
 * of the group makes it readable too).
 */
int cgroup_oom_fd(struct cgroup *cg, struct err *err);
bool cgroup_oom_read(struct cgroup *cg);
/* Did the kernel kill a task of the group for memory, ever? From the group's own counters; the fd is not needed. */
bool cgroup_oom_killed(struct cgroup *cg);
/*
 * For kernels that neither notify nor count: did the group reach its limit? With a first process that somebody unknown killed it says as
 * much as can be known. False where cgroup_oom_killed() knows.
 */
bool cgroup_oom_suspected(const struct cgroup *cg);

/* ---- statistics ---------------------------------------------------------------------------------------------------------- */

struct cgroup_counter {
	char name[40];
	uint64_t value;
};

struct cgroup_io {
	uint32_t major, minor;
	char op[12];		/* "Read", "Write", "Sync", "Async", "Discard", "Total" */
	uint64_t value;
};

typedef VEC(struct cgroup_io) cgroup_io_vec;

struct cgroup_hugetlb_stats {
	char page_size[16];
	uint64_t usage, max, failcnt;
};

struct cgroup_stats {
	struct {
		uint64_t usage_ns, user_ns, system_ns;
		VEC(uint64_t) percpu_ns; /* empty on v2 */
		uint64_t periods, throttled_periods, throttled_ns;
	} cpu;
	struct {
		uint64_t usage, max_usage, limit, failcnt; /* limit UINT64_MAX: none */
		uint64_t swap_usage, swap_max_usage, swap_limit, swap_failcnt; /* memory plus swap, as v1 counts */
		uint64_t kernel_usage, kernel_max_usage, kernel_limit, kernel_failcnt;
		uint64_t cache, rss, mapped_file, inactive_file;
		uint64_t oom_kills;
		VEC(struct cgroup_counter) stat; /* memory.stat as it is */
	} memory;
	struct {
		uint64_t current, limit; /* limit 0: none */
	} pids;
	struct {
		cgroup_io_vec service_bytes, serviced, queued, service_time, wait_time, merged, time, sectors;
	} blkio;
	VEC(struct cgroup_hugetlb_stats) hugetlb;
};

/* What controllers are absent leave zero. ERR_NOT_FOUND when the group is gone. */
int cgroup_stats(const struct cgroup *cg, struct cgroup_stats *ret, struct err *err);
void cgroup_stats_clear(struct cgroup_stats *stats);
DEFINE_AUTO_CLEAR(cgroup_stats_clear, struct cgroup_stats)

/* ---- the container's /sys/fs/cgroup -------------------------------------------------------------------------------------- */

struct cgroup_mount {
	char *name;		/* below /sys/fs/cgroup: "memory"; "" for /sys/fs/cgroup itself */
	char *link;		/* when set: a symbolic link of this content, nothing is mounted */
	char *source;		/* host directory of the container's group, for a bind mount */
	char *fstype, *options; /* for a fresh mount inside a cgroup namespace: "cgroup", "cpu,cpuacct" */
};

typedef VEC(struct cgroup_mount) cgroup_mount_vec;

/*
 * What to put at /sys/fs/cgroup, in order. One entry named "" on pure v2; else a tmpfs is expected there and the entries go below it.
 */
int cgroup_mounts_for_container(const struct cgroup *cg, cgroup_mount_vec *ret, struct err *err);
void cgroup_mounts_clear(cgroup_mount_vec *mounts);

#endif
