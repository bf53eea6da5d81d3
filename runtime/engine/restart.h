/*
 * restart - restart policies, with longer and longer pauses.
 */
#ifndef RUNTIME_ENGINE_RESTART_H
#define RUNTIME_ENGINE_RESTART_H

#include "runtime/engine/container.h"

/* With the lock held, after an exit (or at the daemon's start): does the policy want it to run? */
bool restart_is_wanted(const struct container *c);
/*
 * Start it after the pause that is due: 100 ms, doubled each time up to a minute, 100 ms again after a run of 10 s. A stop or removal
 * meanwhile ends it.
 */
void restart_schedule(struct container *c);

#endif
