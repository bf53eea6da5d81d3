/*
 * keeper - a container's shim, as the engine uses it.
 */
#ifndef RUNTIME_ENGINE_KEEPER_H
#define RUNTIME_ENGINE_KEEPER_H

#include "runtime/engine/container.h"
#include "runtime/engine/share.h"
#include "runtime/shim/shim.h"

/*
 * The shim of a running container, shared among threads: the connection lives as long as somebody holds it.
 * ERR_CONFLICT "container %s is not running" without one.
 */
struct keeper;

/* Start a shim for @c; the exec directory exists. */
int keeper_spawn(struct container *c, const struct share *share, struct err *err);
int keeper_create(struct container *c, const struct shim_options *options, pid_t *ret_pid, struct err *err);
/* Find the shim of an earlier daemon. */
int keeper_open(struct container *c, struct err *err);
/* Borrow it between get and put; the container's lock must not be held. */
int keeper_get(struct container *c, struct keeper **ret, struct err *err);
struct shim *keeper_shim(struct keeper *k);
void keeper_put(struct keeper *k);
DEFINE_AUTO(keeper_put, struct keeper *)
/* Forget it: the connection is closed when the last borrower has gone. */
void keeper_close(struct container *c);
/* Have it remove what the runtime made; absent is fine. Then close. */
int keeper_delete(struct container *c, struct err *err);

/* Hand the clients that attached before the start over to it; those that cannot be are dropped. */
void keeper_attach_pending(struct container *c);
void keeper_drop_pending(struct container *c);
void pending_attach_clear(struct pending_attach *p);

/* Follow its events from now on: exits, OOM, execs. */
int keeper_watch(struct container *c, struct err *err);

#endif
