/*
 * cgroup_kept.c - limits for which this host has no file: who holds them instead
 *
 * A keeper holds CPU and tasks from outside (runtime/shim/warden.c); memory becomes a resource limit of each process that is started.
 */
#include <string.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

#define DEFAULT_PERIOD_US 100000

static const struct {
	enum cgroup_limit limit;
	unsigned int keeps;
} kinds[] = {
	{CGROUP_MEMORY, CGROUP_KEEPS_MEMORY},
	{CGROUP_CPU_QUOTA, CGROUP_KEEPS_CPU},
	{CGROUP_PIDS, CGROUP_KEEPS_TASKS},
};

void cgroup_keep(struct cgroup *cg, unsigned int keeps)
{
	cg->keeps = keeps;
}

const struct cgroup_kept *cgroup_kept(const struct cgroup *cg)
{
	return &cg->kept;
}

/* The v1 file is in the root of its hierarchy, too; that of v2 is not, but comes with its controller. */
static bool lacks_quota(const struct cgroup *cg)
{
	int h = cg->host.serves[CTL_CPU];
	auto_free char *file = NULL;

	if (h < 0 || cgroup_hides_file("cpu.cfs_quota_us"))
		return true;
	if (cg->host.hierarchies.v[h].v2)
		return false;
	file = xfmt("%s/cpu.cfs_quota_us", cg->host.hierarchies.v[h].mount);
	return access(file, F_OK) != 0;
}

bool cgroup_lacks(const struct cgroup *cg, enum cgroup_limit limit)
{
	switch (limit) {
	case CGROUP_MEMORY:
		return cg->host.serves[CTL_MEMORY] < 0;
	case CGROUP_PIDS:
		return cg->host.serves[CTL_PIDS] < 0;
	case CGROUP_CPU_QUOTA:
		return lacks_quota(cg);
	default:
		return false;
	}
}

uint64_t cgroup_substituted(void)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct fit best = cgroup_limit_fit(kinds[i].limit);

		if (best.score > FIT_NO && best.score < FIT_NATIVE)
			bits |= LIMIT_BIT(kinds[i].limit);
	}
	return bits;
}

static bool asked(const struct cgroup_resources *res, enum cgroup_limit limit)
{
	switch (limit) {
	case CGROUP_MEMORY:
		return res->memory.limit.set && res->memory.limit.v != 0;
	case CGROUP_CPU_QUOTA:
		return (res->cpu.quota.set && res->cpu.quota.v != 0) || (res->cpu.period.set && res->cpu.period.v);
	case CGROUP_PIDS:
		return res->pids.limit.set;
	default:
		return false;
	}
}

/* Lifting a limit needs nobody. */
static bool restricts(const struct cgroup_resources *res, enum cgroup_limit limit)
{
	return limit == CGROUP_MEMORY	 ? res->memory.limit.v > 0 :
	       limit == CGROUP_CPU_QUOTA ? res->cpu.quota.v > 0 :
					   res->pids.limit.v > 0;
}

static void take_values(const struct cgroup_resources *res, enum cgroup_limit limit, struct cgroup_kept *kept)
{
	const struct cgroup_cpu *c = &res->cpu;

	if (limit == CGROUP_MEMORY)
		kept->memory_bytes = res->memory.limit.v > 0 ? res->memory.limit.v : 0;
	if (limit == CGROUP_PIDS)
		kept->tasks = res->pids.limit.v > 0 ? res->pids.limit.v : 0;
	if (limit != CGROUP_CPU_QUOTA)
		return;
	if (c->quota.set && c->quota.v)
		kept->cpu_quota_us = c->quota.v > 0 ? c->quota.v : 0;
	if (c->period.set && c->period.v)
		kept->cpu_period_us = (int64_t)c->period.v;
	if (!kept->cpu_period_us)
		kept->cpu_period_us = DEFAULT_PERIOD_US;
}

int cgroup_keep_some(const struct cgroup *cg, const struct cgroup_resources *res, struct cgroup_kept *kept, uint64_t *elsewhere,
		     struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		enum cgroup_limit limit = kinds[i].limit;
		struct fit best;

		if (!asked(res, limit) || !cgroup_lacks(cg, limit))
			continue;
		best = cgroup_limit_fit(limit);
		if (best.score == FIT_NO && restricts(res, limit))
			return err_set(err, ERR_UNSUPPORTED, "%s: %s", cgroup_limit_name(limit), best.reason);
		if (restricts(res, limit) && !(cg->keeps & kinds[i].keeps))
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: only by '%s' here, which needs a keeper: use pouch instead of the runtime alone",
				       cgroup_limit_name(limit), best.name);
		take_values(res, limit, kept);
		*elsewhere |= LIMIT_BIT(limit);
	}
	return 0;
}
