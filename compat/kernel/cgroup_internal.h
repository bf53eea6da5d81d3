/*
 * cgroup_internal - what the files of the cgroup module share. Nobody else includes this.
 */
#ifndef COMPAT_KERNEL_CGROUP_INTERNAL_H
#define COMPAT_KERNEL_CGROUP_INTERNAL_H

#include "compat/base/buf.h"
#include "compat/kernel/cgroup.h"

enum cgroup_controller {
	CTL_CPU,
	CTL_CPUACCT,
	CTL_CPUSET,
	CTL_MEMORY,
	CTL_DEVICES,
	CTL_FREEZER,
	CTL_BLKIO,
	CTL_PIDS,
	CTL_HUGETLB,
	CTL_NET_CLS,
	CTL_NET_PRIO,
	CTL_PERF_EVENT,
	CTL_RDMA,
	CTL_MISC,
	CTL_COUNT
};

#define CTL_BIT(c) (1u << (c))

struct cgroup_hierarchy {
	char *mount;		/* where */
	char *options;		/* what makes it this hierarchy: "cpu,cpuacct", "name=systemd"; "" on v2 */
	unsigned int carries;	/* bits of enum cgroup_controller that are used here */
	bool v2;
	bool noprefix;		/* cpuset's files are "cpus" and "mems" */
};

/* The mounted hierarchies, and for each controller the one that serves it. */
struct cgroup_host {
	VEC(struct cgroup_hierarchy) hierarchies;
	int serves[CTL_COUNT];	/* index into hierarchies, -1: none */
	int unified;		/* index of the v2 tree, -1: none */
	enum cgroup_mode mode;
};

/* @mounts: text of /proc/mounts. The v2 tree's controllers are read from its cgroup.controllers. */
enum { CGROUP_WITHOUT_V1 = 1, CGROUP_WITHOUT_V2 = 2, CGROUP_WITHOUT_PIDS = 4, CGROUP_WITHOUT_MEMORY = 8 };
void cgroup_host_parse(const char *mounts, unsigned int without, struct cgroup_host *ret);
int cgroup_host_read(struct cgroup_host *ret, struct err *err);
void cgroup_host_clear(struct cgroup_host *host);
DEFINE_AUTO_CLEAR(cgroup_host_clear, struct cgroup_host)
/*
 * How cgroup_remove() goes about it. REMOVE_FOR_THE_DYING: not before everybody who was seen in it is dead, as old kernels need it.
 * REMOVE_SIDE_BY_SIDE: all hierarchies at once, for kernels that let each rmdir() wait until all CPUs have seen it.
 */
enum { REMOVE_FOR_THE_DYING = 1, REMOVE_SIDE_BY_SIDE = 2 };
int cgroup_remove_how(struct cgroup *cg, unsigned int how, struct err *err);
/*
 * 2.6.32 has no writable cgroup.procs: write each thread of a process, listed by the directory @list (/proc/PID/task), to the file @tasks
 * until no new one appears. An entry "0", which old kernels show for a thread that is being reaped, is left out: it would move the caller.
 */
int cgroup_attach_threads(const char *list, const char *tasks, struct err *err);
/* Remove @dir with the groups below it. 0, or -EBUSY and the like while tasks are left. */
int cgroup_remove_dirs(const char *dir);
/* From the texts of /proc/mounts and /proc/self/cgroup: our group's directory in the hierarchy of the ns controller. Owned, or NULL. */
char *cgroup_ns_find(const char *mounts, const char *own);
void cgroup_ns_sweep_dir(const char *dir);
/*
 * Real-time budget is the parent's to give: raise that of the groups above, as far as the children need it, so that @runtime_us of @period_us
 * can be written in @cg. The root's is the host's and stays.
 */
int cgroup_realtime_room(const struct cgroup *cg, int64_t runtime_us, int64_t period_us, struct err *err);

/* One line of /proc/cgroups. False: the kernel does not know @name. */
struct cgroup_known {
	unsigned int hierarchy;	/* 0: none, or the v2 tree */
	bool enabled;
};

bool cgroup_kernel_knows(const char *name, struct cgroup_known *ret);
/* Name of controller @c on v1, or on v2 (NULL where v2 has no such controller). */
const char *cgroup_controller_name(enum cgroup_controller c, bool v2);

struct cgroup {
	char *path;		/* "default/ID" */
	struct cgroup_host host;
	char **dirs;		/* for each hierarchy: mount + path */
	bool *joined;		/* for each hierarchy: the group is or will be there */
	int oom_fd, oom_control_fd;
	uint64_t oom_seen;
	bool oom_v2;
	unsigned int keeps;	/* CGROUP_KEEPS_* */
	struct cgroup_kept kept;
};

/* cgroup_open() for the hierarchies of @host, which is taken over in any case. */
int cgroup_open_in(struct cgroup_host *host, const char *path, struct cgroup **ret, struct err *err);

/*
 * On a hybrid host the v2 tree is joined only when a limit needs it: each move into a v2 group by its file costs the kernel's grace
 * period, ten milliseconds and more. This joins it now, with the tasks that the group has.
 */
int cgroup_join_unified(struct cgroup *cg, struct err *err);
/* Is @file hidden by the name of a feature (cfs-quota, oom-control)? */
bool cgroup_hides_file(const char *file);
/* Index of the hierarchy that serves @c and that the group is in, or -1. */
int cgroup_serving(const struct cgroup *cg, enum cgroup_controller c);
bool cgroup_is_dir(const char *path);
/* Which hierarchy is asked who is of the group: one that always moves with the container, and not that of controller @but (-1: any). -1: none. */
int cgroup_census(const struct cgroup *cg, int but);
/* Move @pid into the group of hierarchy @h alone. */
int cgroup_attach_in(const struct cgroup *cg, int h, pid_t pid, struct err *err);
/* Add the processes that the group and those below it have in hierarchy @h. */
void cgroup_pids_in(const struct cgroup *cg, int h, pid_vec *ret);
/* There is no freezer, or it is hidden: signals must do. */
bool cgroup_freezer_missing(const struct cgroup *cg);
/* "DIR/FILE" of hierarchy @h. Owned. */
char *cgroup_file(const struct cgroup *cg, int h, const char *file);
/* Whole content of a file of the group, trailing newline cut. Kind INTERNAL with the kernel's code on failure. */
int cgroup_read(const struct cgroup *cg, int h, const char *file, struct buf *ret, struct err *err);
/* One number ("max" is UINT64_MAX). 0 or -errno. */
int cgroup_read_u64(const struct cgroup *cg, int h, const char *file, uint64_t *ret);
/* The number behind @key in a "key number" file. 0 or -errno; -ENOENT without the key. */
int cgroup_read_key(const struct cgroup *cg, int h, const char *file, const char *key, uint64_t *ret);

/* ---- plan: limits as files and values ----------------------------------------------------------------------------------------- */

#define CGROUP_WRITE_FILE_MAX 64

struct cgroup_write {
	enum cgroup_limit limit;	/* for the words of a refusal */
	enum cgroup_controller controller; /* CTL_COUNT: the v2 tree itself */
	bool v2;
	bool optional;			/* skipped where the file is missing */
	bool keep_first;		/* the first word of value stands for the one that the file has now */
	int group;			/* writes of one group may need each other: EINVAL is tried again after the rest */
	char file[CGROUP_WRITE_FILE_MAX];
	char alternative[CGROUP_WRITE_FILE_MAX]; /* used when file is missing; "" none */
	char *value;
	char *alternative_value;	/* NULL: the same */
};

typedef VEC(struct cgroup_write) cgroup_plan;

void cgroup_plan_clear(cgroup_plan *plan);
DEFINE_AUTO_CLEAR(cgroup_plan_clear, cgroup_plan)

/*
 * @host decides for each controller whether v1 or v2 writes are planned. Refuses what has no controller.
 *
 * @elsewhere	bits of enum cgroup_limit: held by other means, so nothing is planned for them
 */
int cgroup_plan_make(const struct cgroup_host *host, const struct cgroup_resources *res, uint64_t elsewhere, cgroup_plan *ret,
		     struct err *err);
#define LIMIT_BIT(limit) (UINT64_C(1) << (limit))
/* Bits of the limits that are best held by other means on this host. */
uint64_t cgroup_substituted(void);
/*
 * Take what @res wants and the group's files cannot hold: into @kept, with the limits' bits in @elsewhere. ERR_UNSUPPORTED when the caller does
 * not keep that or it cannot be kept here.
 */
int cgroup_keep_some(const struct cgroup *cg, const struct cgroup_resources *res, struct cgroup_kept *kept, uint64_t *elsewhere,
		     struct err *err);
/* Tells apart a controller that the kernel lacks, has switched off, or that only is not mounted. Sets the reason of a refusal. */
struct fit cgroup_controller_missing(enum cgroup_controller c);
/* Append one write; @fmt makes the value. */
struct cgroup_write *cgroup_plan_add(cgroup_plan *plan, enum cgroup_limit limit, enum cgroup_controller c,
				     const char *file, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
int cgroup_plan_v1(const struct cgroup_host *host, const struct cgroup_resources *res, cgroup_plan *ret,
		   struct err *err);
int cgroup_plan_v2(const struct cgroup_host *host, const struct cgroup_resources *res, cgroup_plan *ret,
		   struct err *err);

/* ---- devices ------------------------------------------------------------------------------------------------------------------ */

/* What a list of rules comes to, by the rules of the kernel's v1 controller. */
struct cgroup_device_rule {
	char type;		/* 'b', 'c' */
	int64_t major, minor;	/* -1: all */
	unsigned int access;	/* bits of enum cgroup_access */
};

enum cgroup_access { ACCESS_MKNOD = 1, ACCESS_READ = 2, ACCESS_WRITE = 4, ACCESS_ALL = 7 }; /* as BPF_DEVCG_ACC_* */

struct cgroup_device_state {
	bool allow_all;		/* then the rules are exceptions that deny, else that allow */
	VEC(struct cgroup_device_rule) rules;
};

int cgroup_devices_fold(const struct cgroup_resources *res, struct cgroup_device_state *ret, struct err *err);
void cgroup_devices_clear(struct cgroup_device_state *state);
DEFINE_AUTO_CLEAR(cgroup_devices_clear, struct cgroup_device_state)
void cgroup_devices_plan(const struct cgroup_device_state *state, cgroup_plan *plan);
/* Replace the device program of the v2 group whose directory is @dir. */
int cgroup_devices_attach(const char *dir, const struct cgroup_device_state *state, struct err *err);
/* Can this kernel load such a program? */
struct fit cgroup_devices_bpf_fit(void);

struct bpf_insn;
/* The program; @ret has room for CGROUP_DEVICE_PROGRAM_MAX(state->rules.n) instructions. Returns their number. */
#define CGROUP_DEVICE_PROGRAM_MAX(rules) (8 + 8 * (rules))
size_t cgroup_devices_program(const struct cgroup_device_state *state, struct bpf_insn *ret);

#endif
