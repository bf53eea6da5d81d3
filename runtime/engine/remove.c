/*
 * remove - the end of a container.
 */
#include "runtime/engine/remove.h"

#include <errno.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/engine/exec.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/engine/mounts.h"
#include "runtime/engine/start.h"
#include "runtime/engine/stop.h"

int remove_locked(struct container *c, bool anonymous_volumes, struct err *err)
{
	struct engine *e = c->engine;
	auto_free char *dir = container_path(c, NULL);
	int rc;

	pthread_mutex_lock(&c->lock);
	c->phase = PHASE_REMOVING;
	str_set(&c->rec.state.status, "removing");
	c->restart_pending = false;
	container_changed(c);
	/* What goes by itself at its end needs no note of that: whoever finds the record of its run does the same again. */
	rc = c->rec.host.auto_remove && c->rec.has_started ? 0 : container_save(c, err);
	pthread_mutex_unlock(&c->lock);

	if (rc >= 0)
		rc = storage_rootfs_remove(e->storage, c->id, err);
	if (rc >= 0)
		rc = mounts_release(e, c, anonymous_volumes, err);
	if (rc >= 0)
		rc = path_remove_tree(dir, err);
	if (rc < 0) {
		pthread_mutex_lock(&c->lock);
		str_set(&c->rec.state.status, "dead");
		c->rec.state.dead = true;
		c->phase = PHASE_IDLE;
		container_changed(c);
		pthread_mutex_unlock(&c->lock);
		return err_wrap(err, rc, "remove container %.12s", c->id);
	}

	exec_forget_all(e, c->id);
	keeper_drop_pending(c);
	table_del(e, c);
	pthread_mutex_lock(&c->lock);
	c->removed = true;
	container_changed(c);
	pthread_mutex_unlock(&c->lock);
	container_event(c, "destroy", NULL, NULL);
	return 0;
}

int container_remove(struct engine *e, const char *ref, const struct container_remove *how, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	/* An exit that is being handled may start it again: what it decides is over once the lock is ours. */
	for (;;) {
		bool running;

		pthread_mutex_lock(&c->op);
		running = c->rec.state.running;
		if (c->removed) {
			pthread_mutex_unlock(&c->op);
			return how->force ? 0 : err_set(err, ERR_NOT_FOUND, "no such container: %s: not found", ref);
		}
		if (!running || !how->force)
			break;
		pthread_mutex_unlock(&c->op);
		rc = stop_for_removal(c, err);
		if (rc < 0)
			return rc;
	}
	if (c->rec.state.running)
		rc = err_set(err, ERR_INTERNAL,
			     "you cannot remove a %s container %.12s: stop the container before attempting removal or force remove",
			     c->rec.state.paused ? "paused" : "running", c->id);
	else
		rc = remove_locked(c, how->volumes, err);
	pthread_mutex_unlock(&c->op);
	return rc;
}
