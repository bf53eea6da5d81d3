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

int thread_run(void (*fn)(void *arg), void *arg, size_t stack, struct err *err)
{
	struct start *start = xcalloc(1, sizeof(*start));
	sigset_t all, old;
	pthread_attr_t attr;
	pthread_t id;
	int rc;

	*start = (struct start){fn, arg};
	sigfillset(&all);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, stack);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&id, &attr, thread_main, start);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc) {
		free(start);
		return err_sys(err, rc, "start a thread");
	}
	return 0;
}
