/*
 * cgroup_limit.c - which limits this host can set, and by what
 *
 * Asked by looking: an empty group is made, its files are listed, it is removed.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

static const struct {
	const char *name;
	enum cgroup_controller controller; /* CTL_COUNT: the tree itself */
	const char *v1, *v1_other;	   /* file that must exist; NULL: v1 has no such limit. '*' matches as in a glob */
	const char *v2, *v2_other;
	const char *lost;		   /* why v2 has none */
} limits[CGROUP_LIMIT_COUNT] = {
	[CGROUP_MEMORY] = {"memory limit", CTL_MEMORY, "memory.limit_in_bytes", NULL, "memory.max", NULL, NULL},
	[CGROUP_SWAP] = {"swap limit", CTL_MEMORY, "memory.memsw.limit_in_bytes", NULL, "memory.swap.max", NULL, NULL},
	[CGROUP_MEMORY_RESERVATION] = {"memory reservation", CTL_MEMORY, "memory.soft_limit_in_bytes", NULL,
				       "memory.low", NULL, NULL},
	[CGROUP_KERNEL_MEMORY] = {"kernel memory limit", CTL_MEMORY, "memory.kmem.limit_in_bytes", NULL, NULL, NULL,
				  "counted with all memory"},
	[CGROUP_KERNEL_TCP] = {"kernel TCP memory limit", CTL_MEMORY, "memory.kmem.tcp.limit_in_bytes", NULL, NULL,
			       NULL, "counted with all memory"},
	[CGROUP_SWAPPINESS] = {"swappiness", CTL_MEMORY, "memory.swappiness", NULL, NULL, NULL, "host-wide only"},
	[CGROUP_OOM_DISABLE] = {"OOM killer off", CTL_MEMORY, "memory.oom_control", NULL, NULL, NULL,
				"removed from the kernel's design"},
	[CGROUP_OOM_NOTICE] = {"OOM notice", CTL_MEMORY, "memory.oom_control", NULL, "memory.events", NULL, NULL},
	[CGROUP_CPU_SHARES] = {"CPU shares", CTL_CPU, "cpu.shares", NULL, "cpu.weight", NULL, NULL},
	[CGROUP_CPU_QUOTA] = {"CPU quota", CTL_CPU, "cpu.cfs_quota_us", NULL, "cpu.max", NULL, NULL},
	[CGROUP_CPU_BURST] = {"CPU burst", CTL_CPU, "cpu.cfs_burst_us", NULL, "cpu.max.burst", NULL, NULL},
	[CGROUP_CPU_REALTIME] = {"CPU realtime", CTL_CPU, "cpu.rt_runtime_us", NULL, NULL, NULL,
				 "not controlled by groups"},
	[CGROUP_CPU_IDLE] = {"CPU idle", CTL_CPU, "cpu.idle", NULL, "cpu.idle", NULL, NULL},
	[CGROUP_CPUSET] = {"CPU set", CTL_CPUSET, "cpuset.cpus", "cpus", "cpuset.cpus", NULL, NULL},
	[CGROUP_PIDS] = {"process limit", CTL_PIDS, "pids.max", NULL, "pids.max", NULL, NULL},
	[CGROUP_BLKIO_WEIGHT] = {"block I/O weight", CTL_BLKIO, "blkio.weight", "blkio.bfq.weight", "io.bfq.weight",
				 "io.weight", NULL},
	[CGROUP_BLKIO_WEIGHT_DEVICE] = {"block I/O weight of a device", CTL_BLKIO, "blkio.weight_device",
					"blkio.bfq.weight_device", "io.bfq.weight", "io.weight", NULL},
	[CGROUP_BLKIO_THROTTLE] = {"block I/O throttle", CTL_BLKIO, "blkio.throttle.read_bps_device", NULL, "io.max",
				   NULL, NULL},
	[CGROUP_HUGETLB] = {"huge page limit", CTL_HUGETLB, "hugetlb.2MB.limit_in_bytes", "hugetlb.1GB.limit_in_bytes",
			    "hugetlb.2MB.max", "hugetlb.1GB.max", NULL},
	[CGROUP_DEVICES] = {"device access", CTL_DEVICES, "devices.allow", NULL, NULL, NULL, NULL},
	[CGROUP_FREEZER] = {"freezer", CTL_FREEZER, "freezer.state", NULL, "cgroup.freeze", NULL, NULL},
	[CGROUP_NET_CLASS] = {"network class", CTL_NET_CLS, "net_cls.classid", NULL, NULL, NULL, "removed in v2"},
	[CGROUP_NET_PRIORITY] = {"network priority", CTL_NET_PRIO, "net_prio.ifpriomap", NULL, NULL, NULL,
				 "removed in v2"},
	[CGROUP_RDMA] = {"RDMA limit", CTL_RDMA, "rdma.max", NULL, "rdma.max", NULL, NULL},
	[CGROUP_UNIFIED] = {"cgroup v2 limit", CTL_COUNT, NULL, NULL, "cgroup.procs", NULL, NULL},
};

const char *cgroup_limit_name(enum cgroup_limit limit)
{
	return limits[limit].name;
}

static struct {
	pthread_mutex_t lock;
	bool looked;
	struct fit rows[CGROUP_LIMIT_COUNT][CGROUP_LIMIT_BACKENDS];
	size_t counts[CGROUP_LIMIT_COUNT];
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool exists(const struct cgroup *cg, int h, const char *file, const char *other)
{
	auto_free char *a = file ? cgroup_file(cg, h, file) : NULL;
	auto_free char *b = other ? cgroup_file(cg, h, other) : NULL;

	return (a && access(a, F_OK) == 0) || (b && access(b, F_OK) == 0);
}

bool cgroup_hides_file(const char *file)
{
	static const struct {
		const char *start, *feature;
	} files[] = {
		{"cpu.cfs_", "cfs_quota"},		{"cpu.max", "cfs_quota"},
		{"memory.oom_control", "oom_control"},	{"memory.events", "oom_control"},
		{"freezer.", "freezer"},		{"cgroup.freeze", "freezer"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (str_starts(file, files[i].start) && hidden(files[i].feature))
			return true;
	return false;
}

static bool is_hidden(int limit, const char *file)
{
	enum cgroup_controller c = limits[limit].controller;

	return (file && cgroup_hides_file(file)) || (c == CTL_PIDS && hidden("pids_cgroup")) ||
	       (c == CTL_MEMORY && hidden("memory_cgroup"));
}

static struct fit probe_v1(const struct cgroup *cg, int limit)
{
	enum cgroup_controller c = limits[limit].controller;
	int h = c == CTL_COUNT ? -1 : cg->host.serves[c];

	if (!limits[limit].v1)
		return fit(FIT_NO, "v2 only");
	if (hidden("cgroup_v1") || is_hidden(limit, limits[limit].v1))
		return fit(FIT_NO, "hidden");
	if (h < 0)
		return cgroup_controller_missing(c);
	if (cg->host.hierarchies.v[h].v2)
		return fit(FIT_NO, "no v1 hierarchy carries '%s'", cgroup_controller_name(c, false));
	if (!exists(cg, h, limits[limit].v1, limits[limit].v1_other))
		return fit(FIT_NO, "the kernel has no %s", limits[limit].v1);
	return fit(FIT_NATIVE, "%s at %s", limits[limit].v1, cg->host.hierarchies.v[h].mount);
}

static struct fit probe_v2(const struct cgroup *cg, int limit)
{
	enum cgroup_controller c = limits[limit].controller;
	int h = cg->host.unified;

	if (limit != CGROUP_DEVICES && !limits[limit].v2)
		return fit(FIT_NO, "v2 has none: %s", limits[limit].lost);
	if (h < 0)
		return fit(FIT_NO, "no v2 tree is mounted");
	if (hidden("cgroup_v2") || is_hidden(limit, limits[limit].v2))
		return fit(FIT_NO, "hidden");
	if (limit == CGROUP_DEVICES)
		return cgroup_devices_bpf_fit();
	/* The freezer is part of the tree; all others need their controller there. */
	if (c != CTL_COUNT && c != CTL_FREEZER && cg->host.serves[c] != h)
		return fit(FIT_NO, "the v2 tree does not carry '%s'", cgroup_controller_name(c, true));
	if (!exists(cg, h, limits[limit].v2, limits[limit].v2_other))
		return fit(FIT_NO, "the kernel has no %s", limits[limit].v2);
	return fit(FIT_NATIVE, "%s at %s", limits[limit].v2, cg->host.hierarchies.v[h].mount);
}

static void add_row(int limit, const char *name, struct fit row)
{
	row.name = name;
	known.rows[limit][known.counts[limit]++] = row;
}

/* ---- substitutes --------------------------------------------------------------------------------------------------------------- */

/* Nothing else holds a group that goes on forking. */
static struct fit by_freezing(const struct cgroup *cg, const char *how)
{
	uint64_t ns;

	if (!cg)
		return fit(FIT_NO, "no cgroups");
	if (cgroup_freezer_missing(cg))
		return fit(FIT_NO, "needs the freezer");
	if (cgroup_cpu_usage(cg, &ns) < 0)
		return fit(FIT_NO, "needs the CPU time of a cgroup (cpuacct)");
	return fit(FIT_FALLBACK, "%s", how);
}

static struct fit probe_duty_cycle(const struct cgroup *cg)
{
	return by_freezing(cg, "frozen for a part of each tenth of a second");
}

static struct fit probe_accounting(const struct cgroup *cg)
{
	return by_freezing(cg, "tasks are counted, the newest are killed above the limit");
}

static struct fit probe_address_space(const struct cgroup *cg)
{
	return cg ? fit(FIT_FALLBACK, "RLIMIT_AS of each process") : fit(FIT_NO, "no cgroups");
}

static struct fit probe_counters(const struct cgroup *cg)
{
	int h = cg ? cg->host.serves[CTL_MEMORY] : -1;

	if (h < 0 || !exists(cg, h, "memory.failcnt", NULL))
		return fit(FIT_NO, "no memory.failcnt");
	return fit(FIT_FALLBACK, "memory.failcnt and a first process that was killed");
}

static struct fit probe_signals(const struct cgroup *cg)
{
	return fit(FIT_FALLBACK, "SIGSTOP to every process");
}

static const struct {
	enum cgroup_limit limit;
	const char *name;
	struct fit (*probe)(const struct cgroup *cg);	/* NULL: no group could be made */
} substitutes[] = {
	{CGROUP_CPU_QUOTA, "duty-cycle", probe_duty_cycle},   {CGROUP_PIDS, "accounting", probe_accounting},
	{CGROUP_MEMORY, "address-space", probe_address_space}, {CGROUP_OOM_NOTICE, "counters", probe_counters},
	{CGROUP_FREEZER, "stop-signals", probe_signals},
};

static void add_substitute(int limit, const struct cgroup *cg)
{
	for (size_t i = 0; i < ARRAY_SIZE(substitutes); i++)
		if ((int)substitutes[i].limit == limit)
			add_row(limit, substitutes[i].name, substitutes[i].probe(cg));
}

static void look(void)
{
	AUTO(cgroup_close) struct cgroup *cg = NULL;
	struct err err = ERR_INIT;
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "pouch-probe-%d", (int)getpid());
	rc = cgroup_open(path, &cg, &err);
	if (rc >= 0) {
		if (cg->host.unified >= 0)
			cg->joined[cg->host.unified] = true;
		rc = cgroup_create(cg, &err);
	}
	for (int limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
		if (rc < 0) {
			add_row(limit, "cgroup", fit(FIT_NO, "%s", err.msg));
		} else {
			add_row(limit, "v1", probe_v1(cg, limit));
			add_row(limit, "v2", probe_v2(cg, limit));
		}
		add_substitute(limit, rc < 0 ? NULL : cg);
	}
	if (rc >= 0)
		(void)cgroup_remove_how(cg, 0, &err); /* it never had a task, so it is neither busy nor missed */
}

size_t cgroup_limit_rows(enum cgroup_limit limit, struct fit rows[CGROUP_LIMIT_BACKENDS])
{
	size_t n;

	pthread_mutex_lock(&known.lock);
	if (!known.looked)
		look();
	known.looked = true;
	n = known.counts[limit];
	memcpy(rows, known.rows[limit], n * sizeof(*rows));
	pthread_mutex_unlock(&known.lock);
	return n;
}

void cgroup_limit_forget(void)
{
	pthread_mutex_lock(&known.lock);
	memset(known.counts, 0, sizeof(known.counts));
	known.looked = false;
	pthread_mutex_unlock(&known.lock);
}

static struct fit best_of(enum cgroup_limit limit, int least)
{
	struct fit rows[CGROUP_LIMIT_BACKENDS];
	size_t n = cgroup_limit_rows(limit, rows);
	struct fit best = rows[0];

	for (size_t i = 0; i < n; i++) {
		/* Why v1 cannot says more than that v2 is not mounted. */
		if (rows[i].score >= least && rows[i].score > best.score)
			best = rows[i];
	}
	return best;
}

struct fit cgroup_limit_fit(enum cgroup_limit limit)
{
	return best_of(limit, FIT_NO);
}

struct fit cgroup_limit_native(enum cgroup_limit limit)
{
	return best_of(limit, FIT_NATIVE);
}
