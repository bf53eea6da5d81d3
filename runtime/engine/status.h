/*
 * status - a container's state in words.
 */
#ifndef RUNTIME_ENGINE_STATUS_H
#define RUNTIME_ENGINE_STATUS_H

#include "runtime/engine/container.h"

/* "running"; docker says "exited" where pouch says "stopped". Borrowed. */
const char *status_word(const struct container_record *r, enum dialect dialect);
/* "Up 3 seconds (Paused)", "Exited (0) 2 hours ago", "Stopped (0) 3 seconds" */
void status_text(const struct container_record *r, enum dialect dialect, int64_t now_ns, char *dst, size_t size);

#endif
