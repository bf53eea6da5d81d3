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
	pthread_once_t once;
	struct fit rows[CGROUP_LIMIT_COUNT][CGROUP_LIMIT_BACKENDS];
	size_t counts[CGROUP_LIMIT_COUNT];
} known = {.once = PTHREAD_ONCE_INIT};

static bool exists(const struct cgroup *cg, int h, const char *file, const char *other)
{
	auto_free char *a = file ? cgroup_file(cg, h, file) : NULL;
	auto_free char *b = other ? cgroup_file(cg, h, other) : NULL;

	return (a && access(a, F_OK) == 0) || (b && access(b, F_OK) == 0);
}

static struct fit probe_v1(const struct cgroup *cg, int limit)
{
	enum cgroup_controller c = limits[limit].controller;
	int h = c == CTL_COUNT ? -1 : cg->host.serves[c];

	if (!limits[limit].v1)
		return fit(FIT_NO, "v2 only");
	if (hidden("cgroup_v1"))
		return fit(FIT_NO, "hidden by configuration");
	if (h < 0 || cg->host.hierarchies.v[h].v2)
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
	if (hidden("cgroup_v2"))
		return fit(FIT_NO, "hidden by configuration");
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
		if (limit == CGROUP_FREEZER)
			add_row(limit, "stop-signals", fit(FIT_FALLBACK, "SIGSTOP to every process"));
	}
	if (rc >= 0)
		(void)cgroup_remove(cg, &err); /* empty, so it cannot be busy */
}

size_t cgroup_limit_rows(enum cgroup_limit limit, struct fit rows[CGROUP_LIMIT_BACKENDS])
{
	(void)pthread_once(&known.once, look);
	memcpy(rows, known.rows[limit], known.counts[limit] * sizeof(*rows));
	return known.counts[limit];
}

struct fit cgroup_limit_fit(enum cgroup_limit limit)
{
	struct fit rows[CGROUP_LIMIT_BACKENDS];
	size_t n = cgroup_limit_rows(limit, rows);
	size_t best = 0;

	for (size_t i = 1; i < n; i++) {
		if (rows[i].score > rows[best].score)
			best = i;
	}
	return rows[best];
}
