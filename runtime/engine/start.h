/*
 * start - the stages of a start, and what gives back what they took.
 */
#ifndef RUNTIME_ENGINE_START_H
#define RUNTIME_ENGINE_START_H

#include "runtime/engine/container.h"

/* With the container's op lock held. ERR_NOT_MODIFIED when it runs. */
int start_locked(struct container *c, struct err *err);
/*
 * After the end of its processes: network, mounts, control group, exec directory. Absent things are fine; goes on after a
 * failure and returns the first.
 */
int start_release(struct container *c, struct err *err);

#endif
