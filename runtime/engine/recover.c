/*
 * recover - what a new daemon makes of what an old one left.
 */
#include "runtime/engine/recover.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/engine/monitor.h"
#include "runtime/engine/remove.h"
#include "runtime/engine/restart.h"
#include "runtime/engine/start.h"

static int list_ids(const char *path, struct strv *ret, struct err *err)
{
	auto_closedir DIR *dir = opendir(path);
	struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : err_sys(err, errno, "read '%s'", path);
	while ((entry = readdir(dir))) {
		if (str_is_hex(entry->d_name, 64, 64))
			strv_add(ret, entry->d_name);
	}
	return 0;
}

/* ---- what runs --------------------------------------------------------------------------------------------------------------------- */

static void adopt(struct container *c, const struct shim_state *state)
{
	struct api_container_state *st = &c->rec.state;
	struct err err = ERR_INIT;

	pthread_mutex_lock(&c->lock);
	st->running = true;
	st->paused = str_eq(state->status, "paused");
	str_set(&st->status, st->paused ? "paused" : "running");
	st->restarting = st->exited = false;
	st->pid = state->pid;
	if (state->started)
		st->started_at = state->started;
	st->exit_code = 0;
	c->phase = PHASE_RUNNING;
	c->generation++;
	pthread_mutex_unlock(&c->lock);
	if (keeper_watch(c, &err) < 0)
		engine_warn(c->engine, "container %.12s: %s", c->id, err.msg);
}

static void undo_start(struct container *c)
{
	struct err err = ERR_INIT;

	if (start_release(c, &err) < 0)
		engine_warn(c->engine, "container %.12s: %s", c->id, err.msg);
	pthread_mutex_lock(&c->lock);
	c->phase = PHASE_IDLE;
	c->rec.state.pid = 0;
	c->rec.state.running = c->rec.state.paused = false;
	if (!c->rec.state.finished_at)
		str_set(&c->rec.state.status, "created");
	else
		str_set(&c->rec.state.status, c->rec.user_stopped ? "stopped" : "exited");
	(void)container_save(c, &ERR_INIT);	/* the same is found next time */
	pthread_mutex_unlock(&c->lock);
}

/* The record says that it runs. Does it? */
static void recover_running(struct container *c)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	struct shim_state state = {0};
	struct err err = ERR_INIT;
	bool runs = false, waits = false;

	if (str_eq(c->rec.boot_id, c->engine->boot_id) && keeper_open(c, &err) == 0 && keeper_get(c, &k, &ERR_INIT) == 0 &&
	    shim_get_state(keeper_shim(k), &state, &err) == 0) {
		runs = str_eq(state.status, "running") || str_eq(state.status, "paused");
		waits = str_eq(state.status, "created") || str_eq(state.status, "empty");
	}
	if (runs) {
		adopt(c, &state);
	} else if (waits) {
		/* Killed between its creation and its start: nobody was told that it runs. */
		undo_start(c);
	} else {
		pthread_mutex_lock(&c->lock);
		c->generation++;
		c->phase = PHASE_RUNNING;
		pthread_mutex_unlock(&c->lock);
		container_exited(c, c->generation, NULL);
	}
	json_clear(&shim_state_table, &state);
}

static bool wants_start(const struct container *c)
{
	const struct api_restart_policy *p = &c->rec.host.restart_policy;

	if (c->phase != PHASE_IDLE || c->removed || c->rec.user_stopped || !c->rec.has_started || c->restart_pending)
		return false;
	return c->rec.state.restarting || str_eq(p->name, "always") || str_eq(p->name, "unless-stopped");
}

static void recover_one(struct container *c)
{
	auto_free char *exec_dir = container_exec_path(c, NULL);
	struct err err = ERR_INIT;

	switch (c->phase) {
	case PHASE_REMOVING:
		pthread_mutex_lock(&c->op);
		if (remove_locked(c, true, &err) < 0)
			engine_warn(c->engine, "%s", err.msg);
		pthread_mutex_unlock(&c->op);
		return;
	case PHASE_STARTING:
	case PHASE_RUNNING:
		recover_running(c);
		return;
	case PHASE_CREATING:
	case PHASE_IDLE:
	case PHASE_COUNT:
		break;
	}
	/* A start may have got as far as the shim before it was recorded. */
	if (access(exec_dir, F_OK) == 0) {
		(void)keeper_open(c, &ERR_INIT);	/* or not as far as that */
		undo_start(c);
	} else if (storage_rootfs_umount(c->engine->storage, c->id, &err) < 0) {
		engine_warn(c->engine, "container %.12s: %s", c->id, err.msg);
	}
}

/* ---- what belongs to nobody -------------------------------------------------------------------------------------------------------- */

static void drop_exec_dirs(struct engine *e, const struct strv *live)
{
	AUTO(strv_clear) struct strv found = {0};
	auto_free char *oci = xfmt("%s/oci", e->exec_root);

	(void)list_ids(e->exec_root, &found, &ERR_INIT);	/* nothing found, nothing to drop */
	(void)list_ids(oci, &found, &ERR_INIT);
	STRV_EACH(id, &found) {
		AUTO(container_put) struct container *c = NULL;
		struct err err = ERR_INIT;

		if (strv_has(live, *id))
			continue;
		c = container_new(e, *id);
		(void)keeper_open(c, &ERR_INIT);
		if (start_release(c, &err) < 0)
			engine_warn(e, "leftover of container %.12s: %s", *id, err.msg);
	}
}

static void drop_rootfs(struct engine *e, const struct strv *live)
{
	AUTO(strv_clear) struct strv found = {0};

	if (storage_rootfs_list(e->storage, &found, &ERR_INIT) < 0)
		return;
	STRV_EACH(id, &found) {
		struct err err = ERR_INIT;

		if (!strv_has(live, *id) && storage_rootfs_remove(e->storage, *id, &err) < 0)
			engine_warn(e, "leftover of container %.12s: %s", *id, err.msg);
	}
}

static void live_ids(struct engine *e, struct strv *ret)
{
	AUTO(container_vec_clear) container_vec all = {0};

	table_all(e, &all);
	VEC_EACH(p, &all)
		strv_add(ret, (*p)->id);
}

static void running_ids(struct engine *e, struct strv *ret)
{
	AUTO(container_vec_clear) container_vec all = {0};

	table_all(e, &all);
	VEC_EACH(p, &all) {
		if ((*p)->rec.state.running)
			strv_add(ret, (*p)->id);
	}
}

/* ---- whole ------------------------------------------------------------------------------------------------------------------------- */

/* Without a record it was being created, or removed: either way it is nobody's. */
static int load(struct engine *e, const char *id, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	auto_free char *dir = xfmt("%s/containers/%s", e->home, id);
	struct err bad = ERR_INIT;
	int rc = container_load(e, id, &c, &bad);

	if (rc == -ENOENT) {
		(void)storage_rootfs_remove(e->storage, id, &ERR_INIT);	/* found again by drop_rootfs() */
		return path_remove_tree(dir, err);
	}
	if (rc >= 0)
		rc = table_add(e, c, &bad);
	if (rc < 0)
		engine_warn(e, "container %.12s is left alone: %s", id, bad.msg);
	else if (str_eq(c->rec.boot_id, e->boot_id) == false)
		c->rec.state.pid = 0;
	return 0;
}

static int empty_tmp(struct engine *e, struct err *err)
{
	auto_free char *tmp = xfmt("%s/tmp", e->home);
	int rc = path_remove_tree(tmp, err);

	return rc < 0 ? rc : path_mkdirs(tmp, 0700, err);
}

int recover(struct engine *e, struct err *err)
{
	AUTO(strv_clear) struct strv ids = {0}, live = {0}, running = {0};
	AUTO(container_vec_clear) container_vec all = {0};
	auto_free char *dir = xfmt("%s/containers", e->home);
	struct err soft = ERR_INIT;
	int rc = empty_tmp(e, err);

	if (rc >= 0)
		rc = list_ids(dir, &ids, err);
	for (size_t i = 0; rc >= 0 && i < ids.n; i++)
		rc = load(e, ids.v[i], err);
	if (rc < 0)
		return rc;

	table_all(e, &all);
	VEC_EACH(p, &all)
		recover_one(*p);
	live_ids(e, &live);
	/* A container that could not be read keeps what it has. */
	STRV_EACH(id, &ids) {
		auto_free char *path = xfmt("%s/%s", dir, *id);

		if (!strv_has(&live, *id) && access(path, F_OK) == 0)
			strv_add(&live, *id);
	}
	drop_exec_dirs(e, &live);
	drop_rootfs(e, &live);
	if (volume_gc(e->volumes, &live, &soft) < 0)
		engine_warn(e, "volumes: %s", soft.msg);
	running_ids(e, &running);
	if (net_gc(e->net, &running, &soft) < 0)
		engine_warn(e, "network: %s", soft.msg);

	VEC_EACH(p, &all) {
		if (wants_start(*p))
			restart_schedule(*p);
	}
	return 0;
}
