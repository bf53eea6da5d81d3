/*
 * thread - short-lived helper threads with small stacks.
 */
#include "runtime/engine/thread.h"

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

int thread_run(void (*fn)(void *arg), void *arg, size_t stack, struct err *err)
{
	struct start *start = xcalloc(1, sizeof(*start));
	pthread_t id;
	int rc;

	*start = (struct start){fn, arg};
	rc = thread_create(thread_main, start, PTHREAD_CREATE_DETACHED, stack, &id);
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
	int rc = thread_create(call_main, &call, PTHREAD_CREATE_JOINABLE, stack, &id);

	if (rc)
		return err_sys(err, rc, "start a thread");
	pthread_join(id, NULL);
	return call.rc;
}
