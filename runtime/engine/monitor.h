/*
 * monitor - one thread that hears what happens in all containers.
 *
 * What follows an event may take long (unmounting, a client's network), so each exit is handled in a short-lived thread of
 * its own.
 */
#ifndef RUNTIME_ENGINE_MONITOR_H
#define RUNTIME_ENGINE_MONITOR_H

#include "runtime/engine/container.h"
#include "runtime/shim/shim.h"

struct monitor;

int monitor_open(struct engine *e, struct monitor **ret, struct err *err);
/* The watch is handed over, also on failure. Events belong to the container's present generation. */
int monitor_add(struct monitor *m, struct container *c, struct shim_watch *watch, struct err *err);

/*
 * A container ended: take its status over, give back what it used, then remove or restart it as it was told to. Does nothing when
 * @generation is not the present one.
 *
 * @exit	NULL: its shim is gone without having told; exit.json may know
 */
void container_exited(struct container *c, uint64_t generation, const struct shim_exit *exit);

#endif
