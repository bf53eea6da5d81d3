/*
 * update - change the limits and the restart policy of a container, running or not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "compat/kernel/cgroup.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/engine/resources.h"

#define TAKE_NUMBER(member)                                                                                            \
	do {                                                                                                           \
		if (from->member)                                                                                      \
			to->member = from->member;                                                                     \
	} while (0)
#define TAKE_STRING(member)                                                                                            \
	do {                                                                                                           \
		if (!str_empty(from->member))                                                                          \
			str_set(&to->member, from->member);                                                            \
	} while (0)
#define TAKE_OPT(member)                                                                                               \
	do {                                                                                                           \
		if (from->member.set)                                                                                  \
			to->member = from->member;                                                                     \
	} while (0)

/* The devices of a list replace those of the same path. */
#define TAKE_RATES(member)                                                                                             \
	for (size_t i = 0; i < from->member.n; i++) {                                                                  \
		size_t k = 0;                                                                                          \
                                                                                                                       \
		while (k < to->member.n && !str_eq(to->member.v[k].path, from->member.v[i].path))                      \
			k++;                                                                                           \
		if (k == to->member.n)                                                                                 \
			str_set(&VEC_ADD(&to->member)->path, from->member.v[i].path);                                  \
		to->member.v[k].rate = from->member.v[i].rate;                                                         \
	}

static void merge(struct api_resources *to, const struct api_resources *from)
{
	TAKE_NUMBER(blkio_weight);
	TAKE_NUMBER(cpu_shares);
	TAKE_NUMBER(cpu_period);
	TAKE_NUMBER(cpu_quota);
	TAKE_NUMBER(nano_cpus);
	TAKE_NUMBER(cpu_realtime_period);
	TAKE_NUMBER(cpu_realtime_runtime);
	TAKE_STRING(cpuset_cpus);
	TAKE_STRING(cpuset_mems);
	TAKE_NUMBER(kernel_memory);
	TAKE_NUMBER(memory);
	TAKE_NUMBER(memory_reservation);
	TAKE_NUMBER(memory_swap);
	TAKE_OPT(pids_limit);
	TAKE_RATES(blkio_device_read_bps);
	TAKE_RATES(blkio_device_write_bps);
	TAKE_RATES(blkio_device_read_iops);
	TAKE_RATES(blkio_device_write_iops);
	/* A larger memory limit must not end up above an older limit of memory plus swap that nobody chose. */
	if (from->memory && !from->memory_swap && to->memory_swap > 0 && to->memory_swap < to->memory)
		to->memory_swap = to->memory * 2;
}

static int check(const struct api_container_update *u, const struct container *c, struct err *err)
{
	const struct api_resources *r = &u->resources;

	if (u->disk_quota.n)
		return err_set(err, ERR_UNSUPPORTED, "--disk-quota: not available here: disk quota of a directory");
	if (r->devices.n || r->device_cgroup_rules.n || r->blkio_weight_device.n || r->ulimits.n ||
	    !str_empty(r->cgroup_parent) || r->nvidia_config)
		return err_set(err, ERR_INVALID, "devices, ulimits and cgroup parent cannot be updated");
	if (u->env.n && c->rec.state.running)
		return err_set(err, ERR_CONFLICT,
			       "environment of a running container cannot be updated: stop container %.12s first", c->id);
	return u->restart_policy.name
		       ? check_restart_policy(&u->restart_policy, c->rec.host.auto_remove, err)
		       : 0;
}

static int apply(struct container *c, const struct cgroup_resources *res, struct err *err)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = keeper_get(c, &k, err);

	if (rc < 0)
		return rc;
	json_print(&cgroup_resources_table, res, 0, &text);
	return shim_update(keeper_shim(k), buf_cstr(&text), err);
}

static void take_env(struct container_record *r, const struct strv *env)
{
	STRV_EACH(v, env) {
		size_t len = strcspn(*v, "=");

		for (size_t i = 0; i < r->config.env.n; i++) {
			char *have = r->config.env.v[i];

			if (strncmp(have, *v, len) || have[len] != '=')
				continue;
			free(have);
			vec_del(&r->config.env, i--, sizeof(r->config.env.v[0]));
		}
		if ((*v)[len])
			strv_add(&r->config.env, *v);
	}
}

static int take_labels(struct container_record *r, const struct strv *labels, struct err *err)
{
	STRV_EACH(l, labels) {
		const char *eq = strchr(*l, '=');
		auto_free char *key = eq ? xstrndup(*l, (size_t)(eq - *l)) : NULL;

		if (!key || !*key)
			return err_set(err, ERR_INVALID, "label '%.60s' is not KEY=VALUE", *l);
		strmap_set(&r->config.labels, key, eq + 1);
	}
	return 0;
}

static int update_locked(struct container *c, const struct api_container_update *u, struct err *err)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	struct api_resources merged = {0};
	int rc = check(u, c, err);

	if (rc < 0)
		return rc;
	json_copy(&api_resources_table, &merged, &c->rec.host.resources);
	merge(&merged, &u->resources);
	rc = resources_build(&merged, &res, err);
	if (rc >= 0)
		rc = cgroup_check(&res, err);
	if (rc >= 0 && c->rec.state.running)
		rc = apply(c, &res, err);
	pthread_mutex_lock(&c->lock);
	if (rc >= 0)
		rc = take_labels(&c->rec, &u->label, err);
	if (rc >= 0) {
		struct api_resources old = c->rec.host.resources;

		c->rec.host.resources = merged;
		merged = old;
		take_env(&c->rec, &u->env);
		for (size_t i = 0; i < u->spec_annotation.n; i++)
			strmap_set(&c->rec.config.spec_annotation, u->spec_annotation.v[i].key, u->spec_annotation.v[i].val);
		if (!str_empty(u->restart_policy.name)) {
			str_set(&c->rec.host.restart_policy.name, u->restart_policy.name);
			c->rec.host.restart_policy.maximum_retry_count = u->restart_policy.maximum_retry_count;
		}
		rc = container_save(c, err);
		container_changed(c);
	}
	pthread_mutex_unlock(&c->lock);
	json_clear(&api_resources_table, &merged);
	return rc;
}

int container_update(struct engine *e, const char *ref, const struct api_container_update *update,
		     struct strv *ret_warnings, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	int rc = table_find(e, ref, &c, err);

	(void)ret_warnings;
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->op);
	rc = c->removed ? err_set(err, ERR_NOT_FOUND, "no such container: %s: not found", ref)
			: update_locked(c, update, err);
	pthread_mutex_unlock(&c->op);
	if (rc >= 0)
		container_event(c, "update", NULL, NULL);
	return rc;
}
