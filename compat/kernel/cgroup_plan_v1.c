/*
 * cgroup_plan_v1.c - limits in the files of the v1 controllers
 *
 * Spec: Documentation/admin-guide/cgroup-v1/
 */
#include <string.h>

#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

/* Groups of writes that depend on one another; the numbers only have to differ from v2's. */
enum { GROUP_MEMORY = 1, GROUP_CPU, GROUP_RT };

/* Planned here when v1 serves @c or nobody does (the refusal then names the controller). */
static bool ours(const struct cgroup_host *host, enum cgroup_controller c)
{
	return host->serves[c] < 0 || !host->hierarchies.v[host->serves[c]].v2;
}

static bool wanted(const struct opt_i64 *value)
{
	return value->set && value->v != 0;
}

static void memory(const struct cgroup_memory *m, cgroup_plan *plan)
{
	struct cgroup_write *w;

	if (wanted(&m->limit))
		cgroup_plan_add(plan, CGROUP_MEMORY, CTL_MEMORY, "memory.limit_in_bytes", "%lld",
				(long long)m->limit.v)->group = GROUP_MEMORY;
	if (wanted(&m->swap)) {
		w = cgroup_plan_add(plan, CGROUP_SWAP, CTL_MEMORY, "memory.memsw.limit_in_bytes", "%lld",
				    (long long)m->swap.v);
		w->group = GROUP_MEMORY;
		/* "no limit" needs no file */
		w->optional = m->swap.v < 0;
	} else if (wanted(&m->limit) && m->limit.v < 0) {
		w = cgroup_plan_add(plan, CGROUP_SWAP, CTL_MEMORY, "memory.memsw.limit_in_bytes", "-1");
		w->group = GROUP_MEMORY;
		w->optional = true;
	}
	if (wanted(&m->reservation))
		cgroup_plan_add(plan, CGROUP_MEMORY_RESERVATION, CTL_MEMORY, "memory.soft_limit_in_bytes", "%lld",
				(long long)m->reservation.v);
	if (wanted(&m->kernel))
		cgroup_plan_add(plan, CGROUP_KERNEL_MEMORY, CTL_MEMORY, "memory.kmem.limit_in_bytes", "%lld",
				(long long)m->kernel.v);
	if (wanted(&m->kernel_tcp))
		cgroup_plan_add(plan, CGROUP_KERNEL_TCP, CTL_MEMORY, "memory.kmem.tcp.limit_in_bytes", "%lld",
				(long long)m->kernel_tcp.v);
	if (m->swappiness.set)
		cgroup_plan_add(plan, CGROUP_SWAPPINESS, CTL_MEMORY, "memory.swappiness", "%llu",
				(unsigned long long)m->swappiness.v);
	if (m->disable_oom_killer.set && m->disable_oom_killer.v)
		cgroup_plan_add(plan, CGROUP_OOM_DISABLE, CTL_MEMORY, "memory.oom_control", "1");
	if (m->use_hierarchy.set && m->use_hierarchy.v)
		cgroup_plan_add(plan, CGROUP_MEMORY, CTL_MEMORY, "memory.use_hierarchy", "1")->optional = true;
}

static void cpu(const struct cgroup_cpu *c, cgroup_plan *plan)
{
	if (c->shares.set && c->shares.v)
		cgroup_plan_add(plan, CGROUP_CPU_SHARES, CTL_CPU, "cpu.shares", "%llu", (unsigned long long)c->shares.v);
	if (c->period.set && c->period.v)
		cgroup_plan_add(plan, CGROUP_CPU_QUOTA, CTL_CPU, "cpu.cfs_period_us", "%llu",
				(unsigned long long)c->period.v)->group = GROUP_CPU;
	if (wanted(&c->quota))
		cgroup_plan_add(plan, CGROUP_CPU_QUOTA, CTL_CPU, "cpu.cfs_quota_us", "%lld",
				(long long)c->quota.v)->group = GROUP_CPU;
	if (c->burst.set)
		cgroup_plan_add(plan, CGROUP_CPU_BURST, CTL_CPU, "cpu.cfs_burst_us", "%llu",
				(unsigned long long)c->burst.v)->group = GROUP_CPU;
	if (c->rt_period.set && c->rt_period.v)
		cgroup_plan_add(plan, CGROUP_CPU_REALTIME, CTL_CPU, "cpu.rt_period_us", "%llu",
				(unsigned long long)c->rt_period.v)->group = GROUP_RT;
	if (wanted(&c->rt_runtime))
		cgroup_plan_add(plan, CGROUP_CPU_REALTIME, CTL_CPU, "cpu.rt_runtime_us", "%lld",
				(long long)c->rt_runtime.v)->group = GROUP_RT;
	if (c->idle.set)
		cgroup_plan_add(plan, CGROUP_CPU_IDLE, CTL_CPU, "cpu.idle", "%lld", (long long)c->idle.v);
}

static void cpuset(const struct cgroup_host *host, const struct cgroup_cpu *c, cgroup_plan *plan)
{
	int h = host->serves[CTL_CPUSET];
	bool bare = h >= 0 && host->hierarchies.v[h].noprefix;

	if (!str_empty(c->cpus))
		cgroup_plan_add(plan, CGROUP_CPUSET, CTL_CPUSET, bare ? "cpus" : "cpuset.cpus", "%s", c->cpus);
	if (!str_empty(c->mems))
		cgroup_plan_add(plan, CGROUP_CPUSET, CTL_CPUSET, bare ? "mems" : "cpuset.mems", "%s", c->mems);
}

/* CFQ's file, or BFQ's of the same meaning on kernels from 5.0 on. */
static void add_weight(cgroup_plan *plan, enum cgroup_limit limit, const char *file, const char *bfq,
		       const char *device, uint64_t weight)
{
	struct cgroup_write *w =
		cgroup_plan_add(plan, limit, CTL_BLKIO, file, "%s%llu", device, (unsigned long long)weight);

	if (bfq)
		strcpy(w->alternative, bfq);
}

static void throttle(const cgroup_throttle_vec *devices, const char *file, cgroup_plan *plan)
{
	VEC_EACH(d, devices)
		cgroup_plan_add(plan, CGROUP_BLKIO_THROTTLE, CTL_BLKIO, file, "%lld:%lld %llu", (long long)d->major,
				(long long)d->minor, (unsigned long long)d->rate);
}

static void blkio(const struct cgroup_blkio *b, cgroup_plan *plan)
{
	if (b->weight.set && b->weight.v)
		add_weight(plan, CGROUP_BLKIO_WEIGHT, "blkio.weight", "blkio.bfq.weight", "", b->weight.v);
	if (b->leaf_weight.set && b->leaf_weight.v)
		add_weight(plan, CGROUP_BLKIO_WEIGHT, "blkio.leaf_weight", NULL, "", b->leaf_weight.v);
	VEC_EACH(d, &b->weight_device) {
		auto_free char *device = xfmt("%lld:%lld ", (long long)d->major, (long long)d->minor);

		if (d->weight.set && d->weight.v)
			add_weight(plan, CGROUP_BLKIO_WEIGHT_DEVICE, "blkio.weight_device", "blkio.bfq.weight_device",
				   device, d->weight.v);
		if (d->leaf_weight.set && d->leaf_weight.v)
			add_weight(plan, CGROUP_BLKIO_WEIGHT_DEVICE, "blkio.leaf_weight_device", NULL, device,
				   d->leaf_weight.v);
	}
	throttle(&b->read_bps, "blkio.throttle.read_bps_device", plan);
	throttle(&b->write_bps, "blkio.throttle.write_bps_device", plan);
	throttle(&b->read_iops, "blkio.throttle.read_iops_device", plan);
	throttle(&b->write_iops, "blkio.throttle.write_iops_device", plan);
}

static void hugetlb(const struct cgroup_resources *res, cgroup_plan *plan)
{
	VEC_EACH(page, &res->hugepages) {
		char file[CGROUP_WRITE_FILE_MAX];

		(void)str_fmt(file, sizeof(file), "hugetlb.%s.limit_in_bytes", page->page_size);
		cgroup_plan_add(plan, CGROUP_HUGETLB, CTL_HUGETLB, file, "%llu", (unsigned long long)page->limit);
		/* Reservations are counted on their own from 5.7 on. */
		(void)str_fmt(file, sizeof(file), "hugetlb.%s.rsvd.limit_in_bytes", page->page_size);
		cgroup_plan_add(plan, CGROUP_HUGETLB, CTL_HUGETLB, file, "%llu",
				(unsigned long long)page->limit)->optional = true;
	}
}

static void network(const struct cgroup_network *n, cgroup_plan *plan)
{
	if (n->class_id.set && n->class_id.v)
		cgroup_plan_add(plan, CGROUP_NET_CLASS, CTL_NET_CLS, "net_cls.classid", "%llu",
				(unsigned long long)n->class_id.v);
	VEC_EACH(p, &n->priorities)
		cgroup_plan_add(plan, CGROUP_NET_PRIORITY, CTL_NET_PRIO, "net_prio.ifpriomap", "%s %u", p->name,
				p->priority);
}

static void rdma(const struct cgroup_resources *res, cgroup_plan *plan)
{
	VEC_EACH(r, &res->rdma) {
		AUTO(buf_clear) struct buf value = BUF_INIT;

		buf_str(&value, r->device);
		if (r->handles.set)
			buf_fmt(&value, " hca_handle=%llu", (unsigned long long)r->handles.v);
		if (r->objects.set)
			buf_fmt(&value, " hca_object=%llu", (unsigned long long)r->objects.v);
		cgroup_plan_add(plan, CGROUP_RDMA, CTL_RDMA, "rdma.max", "%s", buf_cstr(&value));
	}
}

int cgroup_plan_v1(const struct cgroup_host *host, const struct cgroup_resources *res, cgroup_plan *ret,
		   struct err *err)
{
	if (ours(host, CTL_MEMORY))
		memory(&res->memory, ret);
	if (ours(host, CTL_CPU))
		cpu(&res->cpu, ret);
	if (ours(host, CTL_CPUSET))
		cpuset(host, &res->cpu, ret);
	if (ours(host, CTL_BLKIO))
		blkio(&res->blkio, ret);
	if (ours(host, CTL_HUGETLB))
		hugetlb(res, ret);
	if (ours(host, CTL_PIDS) && res->pids.limit.set) {
		if (res->pids.limit.v > 0)
			cgroup_plan_add(ret, CGROUP_PIDS, CTL_PIDS, "pids.max", "%lld", (long long)res->pids.limit.v);
		else
			cgroup_plan_add(ret, CGROUP_PIDS, CTL_PIDS, "pids.max", "max")->optional = true;
	}
	/* These are the same on v1 and v2, or exist on v1 alone. */
	network(&res->network, ret);
	rdma(res, ret);
	return 0;
}
