/*
 * thread - threads with a stack of a given size that no signal interrupts.
 */
#ifndef COMPAT_BASE_THREAD_H
#define COMPAT_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

#define THREAD_STACK_SMALL (128 * 1024)

/*
 * pthread_create() of a thread in which all signals are blocked. @state is PTHREAD_CREATE_DETACHED or PTHREAD_CREATE_JOINABLE. 0, or an error
 * number.
 */
int thread_create(void *(*fn)(void *arg), void *arg, int state, size_t stack, pthread_t *ret);

#endif
