/*
 * cgroup_mounts.c - what a container finds at /sys/fs/cgroup
 */
#include <stdlib.h>
#include <string.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

static void add_mount(const struct cgroup *cg, size_t h, const char *name, cgroup_mount_vec *ret)
{
	const struct cgroup_hierarchy *hierarchy = &cg->host.hierarchies.v[h];
	struct cgroup_mount *m = VEC_ADD(ret);

	m->name = xstrdup(name);
	m->source = xstrdup(cg->dirs[h]);
	m->fstype = xstrdup(hierarchy->v2 ? "cgroup2" : "cgroup");
	m->options = xstrdup(hierarchy->options);
}

/* "cpu,cpuacct" is one hierarchy, and programs look for it under each of its names. */
static void add_links(const char *name, const char *options, cgroup_mount_vec *ret)
{
	AUTO(strv_clear) struct strv words = {0};

	if (!strchr(options, ','))
		return;
	strv_split(&words, options, ",", false);
	STRV_EACH(word, &words) {
		struct cgroup_mount *m;

		if (strcmp(*word, name) == 0 || strchr(*word, '='))
			continue;
		m = VEC_ADD(ret);
		m->name = xstrdup(*word);
		m->link = xstrdup(name);
	}
}

int cgroup_mounts_for_container(const struct cgroup *cg, cgroup_mount_vec *ret, struct err *err)
{
	for (size_t h = 0; h < cg->host.hierarchies.n; h++) {
		const struct cgroup_hierarchy *hierarchy = &cg->host.hierarchies.v[h];
		const char *named = str_skip(hierarchy->options, "name=");
		const char *name = named ? named : hierarchy->options;

		if (hierarchy->v2) {
			if (cg->host.mode == CGROUP_V2)
				add_mount(cg, h, "", ret);
			else if (cg->joined[h])
				add_mount(cg, h, "unified", ret);
			continue;
		}
		if (strchr(name, '/'))
			return err_set(err, ERR_INVALID, "invalid cgroup hierarchy name '%s'", name);
		add_mount(cg, h, name, ret);
		add_links(name, hierarchy->options, ret);
	}
	return 0;
}

void cgroup_mounts_clear(cgroup_mount_vec *mounts)
{
	VEC_EACH(m, mounts) {
		free(m->name);
		free(m->link);
		free(m->source);
		free(m->fstype);
		free(m->options);
	}
	VEC_FREE(mounts);
}
