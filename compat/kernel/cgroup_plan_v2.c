/*
 * cgroup_plan_v2.c - limits in the files of the v2 tree
 *
 * OCI speaks v1's units: shares 2 to 262144 become weight 1 to 10000, block weight 10 to 1000 becomes 1 to 10000, both linearly as
 * the specification's other implementations do; memory plus swap becomes swap alone.
 *
 * Spec: Documentation/admin-guide/cgroup-v2.rst
 */
#include <string.h>

#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

enum { GROUP_MEMORY = 11, GROUP_CPU };

static bool ours(const struct cgroup_host *host, enum cgroup_controller c)
{
	return host->serves[c] >= 0 && host->hierarchies.v[host->serves[c]].v2;
}

static bool wanted(const struct opt_i64 *value)
{
	return value->set && value->v != 0;
}

static struct cgroup_write *add_bytes(cgroup_plan *plan, enum cgroup_limit limit, const char *file, int64_t value)
{
	if (value < 0)
		return cgroup_plan_add(plan, limit, CTL_MEMORY, file, "max");
	return cgroup_plan_add(plan, limit, CTL_MEMORY, file, "%lld", (long long)value);
}

static int memory(const struct cgroup_memory *m, cgroup_plan *plan, struct err *err)
{
	if (wanted(&m->kernel))
		return err_set(err, ERR_UNSUPPORTED, "%s: cgroup v2 has none", cgroup_limit_name(CGROUP_KERNEL_MEMORY));
	if (wanted(&m->kernel_tcp))
		return err_set(err, ERR_UNSUPPORTED, "%s: cgroup v2 has none", cgroup_limit_name(CGROUP_KERNEL_TCP));
	if (m->swappiness.set)
		return err_set(err, ERR_UNSUPPORTED, "%s: cgroup v2 has none", cgroup_limit_name(CGROUP_SWAPPINESS));
	if (m->disable_oom_killer.set && m->disable_oom_killer.v)
		return err_set(err, ERR_UNSUPPORTED, "%s: cgroup v2 has none", cgroup_limit_name(CGROUP_OOM_DISABLE));
	if (wanted(&m->swap) && m->swap.v > 0 && !wanted(&m->limit))
		return err_set(err, ERR_INVALID, "a memory and swap limit needs a memory limit with it on cgroup v2");

	if (wanted(&m->swap)) {
		struct cgroup_write *w = add_bytes(plan, CGROUP_SWAP, "memory.swap.max",
						   m->swap.v < 0 ? -1 : m->swap.v - m->limit.v);

		w->group = GROUP_MEMORY;
		w->optional = m->swap.v < 0;
	} else if (wanted(&m->limit) && m->limit.v < 0) {
		struct cgroup_write *w = add_bytes(plan, CGROUP_SWAP, "memory.swap.max", -1);

		w->group = GROUP_MEMORY;
		w->optional = true;
	}
	if (wanted(&m->limit))
		add_bytes(plan, CGROUP_MEMORY, "memory.max", m->limit.v)->group = GROUP_MEMORY;
	if (wanted(&m->reservation))
		add_bytes(plan, CGROUP_MEMORY_RESERVATION, "memory.low", m->reservation.v);
	return 0;
}

static uint64_t weight_of_shares(uint64_t shares)
{
	if (shares < 2)
		shares = 2;
	if (shares > 262144)
		shares = 262144;
	return 1 + (shares - 2) * 9999 / 262142;
}

static int cpu(const struct cgroup_cpu *c, cgroup_plan *plan, struct err *err)
{
	bool period = c->period.set && c->period.v;

	if (wanted(&c->rt_runtime) || (c->rt_period.set && c->rt_period.v))
		return err_set(err, ERR_UNSUPPORTED, "%s: cgroup v2 has none", cgroup_limit_name(CGROUP_CPU_REALTIME));
	/* An idle group has no weight: setting one is EINVAL, so idle goes off first and on last. */
	if (c->idle.set && !c->idle.v)
		cgroup_plan_add(plan, CGROUP_CPU_IDLE, CTL_CPU, "cpu.idle", "0");
	if (c->shares.set && c->shares.v)
		cgroup_plan_add(plan, CGROUP_CPU_SHARES, CTL_CPU, "cpu.weight", "%llu",
				(unsigned long long)weight_of_shares(c->shares.v));
	if (c->idle.set && c->idle.v)
		cgroup_plan_add(plan, CGROUP_CPU_IDLE, CTL_CPU, "cpu.idle", "1");

	/* cpu.max is "quota period"; a quota alone leaves the period, a period alone needs the present quota in front. */
	if (wanted(&c->quota) || period) {
		AUTO(buf_clear) struct buf value = BUF_INIT;
		struct cgroup_write *w;

		if (wanted(&c->quota) && c->quota.v > 0)
			buf_fmt(&value, "%lld", (long long)c->quota.v);
		else
			buf_str(&value, "max");
		if (period)
			buf_fmt(&value, " %llu", (unsigned long long)c->period.v);
		w = cgroup_plan_add(plan, CGROUP_CPU_QUOTA, CTL_CPU, "cpu.max", "%s", buf_cstr(&value));
		w->group = GROUP_CPU;
		w->keep_first = !wanted(&c->quota);
	}
	if (c->burst.set)
		cgroup_plan_add(plan, CGROUP_CPU_BURST, CTL_CPU, "cpu.max.burst", "%llu",
				(unsigned long long)c->burst.v)->group = GROUP_CPU;
	return 0;
}

static uint64_t io_weight(uint64_t blkio_weight)
{
	return 1 + (blkio_weight - 10) * 9999 / 990;
}

/* BFQ takes blkio's own range; io.weight (io.cost) another. */
static void add_weight(cgroup_plan *plan, enum cgroup_limit limit, const char *device, uint64_t weight)
{
	struct cgroup_write *w = cgroup_plan_add(plan, limit, CTL_BLKIO, "io.bfq.weight", "%s%llu",
						 device ? device : "", (unsigned long long)weight);

	strcpy(w->alternative, "io.weight");
	w->alternative_value = xfmt("%s%llu", device ? device : "default ", (unsigned long long)io_weight(weight));
}

static void throttle(const cgroup_throttle_vec *devices, const char *key, cgroup_plan *plan)
{
	VEC_EACH(d, devices) {
		auto_free char *rate = d->rate ? xfmt("%llu", (unsigned long long)d->rate) : xstrdup("max");

		cgroup_plan_add(plan, CGROUP_BLKIO_THROTTLE, CTL_BLKIO, "io.max", "%lld:%lld %s=%s",
				(long long)d->major, (long long)d->minor, key, rate);
	}
}

static int blkio(const struct cgroup_blkio *b, cgroup_plan *plan, struct err *err)
{
	if (b->leaf_weight.set && b->leaf_weight.v)
		return err_set(err, ERR_UNSUPPORTED, "block I/O leaf weight: cgroup v2 has none");
	if (b->weight.set && b->weight.v)
		add_weight(plan, CGROUP_BLKIO_WEIGHT, NULL, b->weight.v);
	VEC_EACH(d, &b->weight_device) {
		auto_free char *device = xfmt("%lld:%lld ", (long long)d->major, (long long)d->minor);

		if (d->leaf_weight.set && d->leaf_weight.v)
			return err_set(err, ERR_UNSUPPORTED, "block I/O leaf weight: cgroup v2 has none");
		if (d->weight.set && d->weight.v)
			add_weight(plan, CGROUP_BLKIO_WEIGHT_DEVICE, device, d->weight.v);
	}
	throttle(&b->read_bps, "rbps", plan);
	throttle(&b->write_bps, "wbps", plan);
	throttle(&b->read_iops, "riops", plan);
	throttle(&b->write_iops, "wiops", plan);
	return 0;
}

static void hugetlb(const struct cgroup_resources *res, cgroup_plan *plan)
{
	VEC_EACH(page, &res->hugepages) {
		char file[CGROUP_WRITE_FILE_MAX];

		(void)str_fmt(file, sizeof(file), "hugetlb.%s.max", page->page_size);
		cgroup_plan_add(plan, CGROUP_HUGETLB, CTL_HUGETLB, file, "%llu", (unsigned long long)page->limit);
		(void)str_fmt(file, sizeof(file), "hugetlb.%s.rsvd.max", page->page_size);
		cgroup_plan_add(plan, CGROUP_HUGETLB, CTL_HUGETLB, file, "%llu",
				(unsigned long long)page->limit)->optional = true;
	}
}

int cgroup_plan_v2(const struct cgroup_host *host, const struct cgroup_resources *res, cgroup_plan *ret,
		   struct err *err)
{
	int rc = 0;

	if (ours(host, CTL_MEMORY) && (rc = memory(&res->memory, ret, err)) < 0)
		return rc;
	if (ours(host, CTL_CPU) && (rc = cpu(&res->cpu, ret, err)) < 0)
		return rc;
	if (ours(host, CTL_BLKIO) && (rc = blkio(&res->blkio, ret, err)) < 0)
		return rc;
	if (ours(host, CTL_CPUSET)) {
		if (!str_empty(res->cpu.cpus))
			cgroup_plan_add(ret, CGROUP_CPUSET, CTL_CPUSET, "cpuset.cpus", "%s", res->cpu.cpus);
		if (!str_empty(res->cpu.mems))
			cgroup_plan_add(ret, CGROUP_CPUSET, CTL_CPUSET, "cpuset.mems", "%s", res->cpu.mems);
	}
	if (ours(host, CTL_HUGETLB))
		hugetlb(res, ret);
	if (ours(host, CTL_PIDS) && res->pids.limit.set) {
		if (res->pids.limit.v > 0)
			cgroup_plan_add(ret, CGROUP_PIDS, CTL_PIDS, "pids.max", "%lld", (long long)res->pids.limit.v);
		else
			cgroup_plan_add(ret, CGROUP_PIDS, CTL_PIDS, "pids.max", "max")->optional = true;
	}
	VEC_EACH(pair, &res->unified)
		cgroup_plan_add(ret, CGROUP_UNIFIED, CTL_COUNT, pair->key, "%s", pair->val);
	return 0;
}
