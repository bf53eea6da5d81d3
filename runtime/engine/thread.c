/*
 * thread - short-lived helper threads with small stacks.
 */
#include "runtime/engine/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "compat/base/str.h"

struct start {
	void (*fn)(void *arg);
	void *arg;
};

static void *thread_main(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	start.fn(start.arg);
	return NULL;
}

/* @state PTHREAD_CREATE_DETACHED or _JOINABLE */
static int start_thread(void *(*fn)(void *arg), void *arg, int state, size_t stack, pthread_t *ret)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int rc;

	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, state);
	pthread_attr_setstacksize(&attr, stack);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(ret, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return rc;
}

int thread_run(void (*fn)(void *arg), void *arg, size_t stack, struct err *err)
{
	struct start *start = xcalloc(1, sizeof(*start));
	pthread_t id;
	int rc;

	*start = (struct start){fn, arg};
	rc = start_thread(thread_main, start, PTHREAD_CREATE_DETACHED, stack, &id);
	if (rc) {
		free(start);
		return err_sys(err, rc, "start a thread");
	}
	return 0;
}

struct call {
	int (*fn)(void *arg, struct err *err);
	void *arg;
	struct err *err;
	int rc;
};

static void *call_main(void *arg)
{
	struct call *call = arg;

	call->rc = call->fn(call->arg, call->err);
	return NULL;
}

int thread_call(int (*fn)(void *arg, struct err *err), void *arg, size_t stack, struct err *err)
{
	struct call call = {fn, arg, err, 0};
	pthread_t id;
	int rc = start_thread(call_main, &call, PTHREAD_CREATE_JOINABLE, stack, &id);

	if (rc)
		return err_sys(err, rc, "start a thread");
	pthread_join(id, NULL);
	return call.rc;
}
