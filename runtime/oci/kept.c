/*
 * kept.c - limits of a container that its control group cannot hold
 */
#include <sys/resource.h>

#include "compat/base/hide.h"
#include "runtime/oci/internal.h"

static bool changes_memory(const struct cgroup *cg, const struct cgroup_resources *res)
{
	return cgroup_lacks(cg, CGROUP_MEMORY) && res->memory.limit.set && res->memory.limit.v;
}

static bool note_keeper(struct oci_container *c)
{
	const struct cgroup_kept *kept = cgroup_kept(c->cg);
	bool before = c->state.kept;

	/* Once kept it stays so: the keeper may be about to end the last freeze. */
	c->state.kept |= c->keeps && (kept->cpu_quota_us || kept->tasks);
	return c->state.kept != before;
}

void kept_note(struct oci_container *c)
{
	(void)note_keeper(c);	/* the state is about to be written */
	c->state.address_space = cgroup_kept(c->cg)->memory_bytes;
}

int kept_check(const struct cgroup *cg, const struct cgroup_resources *res, struct err *err)
{
	struct rlimit now;

	if (!changes_memory(cg, res) || (!hidden("prlimit") && prlimit(0, RLIMIT_AS, NULL, &now) == 0))
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "%s: this kernel can set it only when a process starts: stop the container first",
		       cgroup_limit_name(CGROUP_MEMORY));
}

int kept_update(struct oci_container *c, const struct cgroup *cg, const struct cgroup_resources *res, struct err *err)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};
	bool changed = note_keeper(c);
	int rc = 0;

	if (changes_memory(cg, res)) {
		c->state.address_space = cgroup_kept(cg)->memory_bytes;
		changed = true;
		rc = cgroup_pids(cg, &pids, err);
	}
	for (size_t i = 0; i < pids.n && !rc; i++)
		rc = process_address_space(pids.v[i], c->state.address_space, err);
	return !rc && changed ? oci_state_write(c, err) : rc;
}
