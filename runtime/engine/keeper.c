/*
 * keeper - a container's shim, as the engine uses it.
 */
#include "runtime/engine/keeper.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/monitor.h"

struct keeper {
	atomic_int refs;
	struct shim *shim;
};

static void keeper_set(struct container *c, struct shim *shim)
{
	struct keeper *k = xcalloc(1, sizeof(*k));

	k->refs = 1;
	k->shim = shim;
	keeper_close(c);
	pthread_mutex_lock(&c->lock);
	c->keeper = k;
	pthread_mutex_unlock(&c->lock);
}

struct shim *keeper_shim(struct keeper *k)
{
	return k->shim;
}

void keeper_put(struct keeper *k)
{
	if (!k || atomic_fetch_sub(&k->refs, 1) > 1)
		return;
	shim_close(k->shim);
	free(k);
}

int keeper_get(struct container *c, struct keeper **ret, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	if (c->keeper) {
		atomic_fetch_add(&c->keeper->refs, 1);
		*ret = c->keeper;
	} else {
		rc = err_set(err, ERR_CONFLICT, "container %.12s is not running", c->id);
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void keeper_close(struct container *c)
{
	struct keeper *k;

	pthread_mutex_lock(&c->lock);
	k = take(c->keeper);
	pthread_mutex_unlock(&c->lock);
	keeper_put(k);
}

int keeper_spawn(struct container *c, const struct share *share, struct err *err)
{
	auto_free char *dir = container_exec_path(c, NULL);
	auto_free char *beside = share->other ? container_exec_path(share->other, NULL) : NULL;
	const struct shim_start start = {.dir = dir, .id = c->id, .beside = beside, .kinds = &share->kinds};
	struct shim *shim;
	int rc = shim_spawn(&start, &shim, err);

	if (rc >= 0)
		keeper_set(c, shim);
	return rc;
}

int keeper_create(struct container *c, const struct shim_options *options, pid_t *ret_pid, struct err *err)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	int rc = keeper_get(c, &k, err);

	return rc < 0 ? rc : shim_create(k->shim, options, ret_pid, err);
}

int keeper_open(struct container *c, struct err *err)
{
	auto_free char *dir = container_exec_path(c, NULL);
	struct shim *shim;
	int rc = shim_open(dir, &shim, err);

	if (rc >= 0)
		keeper_set(c, shim);
	return rc;
}

int keeper_delete(struct container *c, struct err *err)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	int rc;

	if (keeper_get(c, &k, &ERR_INIT) < 0)
		return 0;
	rc = shim_delete(k->shim, err);
	keeper_close(c);
	return rc;
}

int keeper_watch(struct container *c, struct err *err)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	struct shim_watch *watch;
	int rc = keeper_get(c, &k, err);

	if (rc >= 0)
		rc = shim_watch_open(k->shim, &watch, err);
	if (rc >= 0)
		rc = monitor_add(c->engine->monitor, c, watch, err);
	return rc;
}

/* ---- clients that came before the start --------------------------------------------------------------------------------------- */

void pending_attach_clear(struct pending_attach *p)
{
	if (p->sock >= 0)
		close(p->sock);
	free((char *)p->how.detach_keys);
	free((char *)p->how.early);
}

void keeper_drop_pending(struct container *c)
{
	pthread_mutex_lock(&c->lock);
	VEC_EACH(p, &c->pending)
		pending_attach_clear(p);
	VEC_FREE(&c->pending);
	pthread_mutex_unlock(&c->lock);
}

void keeper_attach_pending(struct container *c)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	__typeof__(c->pending) list;

	if (keeper_get(c, &k, &ERR_INIT) < 0)
		return;
	pthread_mutex_lock(&c->lock);
	list = c->pending;
	c->pending = (__typeof__(c->pending)){0};
	pthread_mutex_unlock(&c->lock);
	VEC_EACH(p, &list) {
		const struct shim_attach attach = {
			.want_stdin = p->how.in,
			.want_stdout = p->how.out,
			.want_stderr = p->how.err,
			.detach_keys = (char *)p->how.detach_keys,
		};

		/* A client that cannot be served loses its connection, which it notices. */
		(void)shim_attach(k->shim, &attach, p->sock, p->how.early, p->how.early_len, NULL, &ERR_INIT);
		pending_attach_clear(p);
	}
	VEC_FREE(&list);
}
