/*
 * stop - signals, and waiting for what they bring about.
 */
#ifndef RUNTIME_ENGINE_STOP_H
#define RUNTIME_ENGINE_STOP_H

#include "runtime/engine/container.h"

/* SIGKILL, no restart afterwards, and wait until its exit has been handled or it is gone. Without the op lock. */
int stop_for_removal(struct container *c, struct err *err);

#endif
