/*
 * remove - the end of a container.
 */
#ifndef RUNTIME_ENGINE_REMOVE_H
#define RUNTIME_ENGINE_REMOVE_H

#include "runtime/engine/container.h"

/*
 * With the op lock held, when nothing of it runs. Recorded as "removing" first, so that a killed daemon goes on with it. A failure
 * leaves it as "dead": it can be removed again.
 */
int remove_locked(struct container *c, bool anonymous_volumes, struct err *err);

#endif
