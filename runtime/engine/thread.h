/*
 * thread - short-lived helper threads with small stacks.
 */
#ifndef RUNTIME_ENGINE_THREAD_H
#define RUNTIME_ENGINE_THREAD_H

#include <stddef.h>

#include "compat/base/err.h"
#include "compat/base/thread.h"

/* Run @fn(@arg) in a detached thread in which all signals are blocked. */
int thread_run(void (*fn)(void *arg), void *arg, size_t stack, struct err *err);

/*
 * Run @fn in a thread of its own and wait for its end: for work that changes what a thread can have for itself (mount namespace, umask).
 * Returns what it returns.
 */
int thread_call(int (*fn)(void *arg, struct err *err), void *arg, size_t stack, struct err *err);

#endif
