/*
 * monitor - one thread that hears what happens in all containers.
 */
#include "runtime/engine/monitor.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "runtime/engine/exec.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/thread.h"

struct monitor {
	struct engine *engine;
	int epoll;
	pthread_mutex_t lock;		/* the list */
	struct watched *watched;	/* all that epoll has a pointer to */
};

struct watched {
	struct watched *next, **at;	/* @at: where the pointer to this one is */
	struct container *container;
	struct shim_watch *watch;
	uint64_t generation;
	bool has_exit;
	struct shim_exit exit;
};

static void watched_free(struct watched *w)
{
	shim_watch_close(w->watch);
	json_clear(&shim_exit_table, &w->exit);
	container_put(w->container);
	free(w);
}

static void list_add(struct monitor *m, struct watched *w)
{
	pthread_mutex_lock(&m->lock);
	w->next = m->watched;
	w->at = &m->watched;
	if (w->next)
		w->next->at = &w->next;
	m->watched = w;
	pthread_mutex_unlock(&m->lock);
}

static void list_del(struct monitor *m, struct watched *w)
{
	pthread_mutex_lock(&m->lock);
	*w->at = w->next;
	if (w->next)
		w->next->at = w->at;
	pthread_mutex_unlock(&m->lock);
}

static void exit_thread(void *arg)
{
	struct watched *w = arg;

	container_exited(w->container, w->generation, w->has_exit ? &w->exit : NULL);
	watched_free(w);
}

/* The last event of this shim. */
static void ended(struct monitor *m, struct watched *w)
{
	struct err err = ERR_INIT;

	(void)epoll_ctl(m->epoll, EPOLL_CTL_DEL, shim_watch_fd(w->watch), NULL);	/* may not be in it yet */
	list_del(m, w);
	if (thread_run(exit_thread, w, THREAD_STACK_SMALL * 2, &err) < 0)
		exit_thread(w);	/* slower for the others, but not lost */
}

static void handle(struct monitor *m, struct watched *w, struct shim_event *event)
{
	switch (event->kind) {
	case SHIM_EVENT_OOM:
		container_event(w->container, "oom", NULL, NULL);
		break;
	case SHIM_EVENT_EXEC_EXIT:
		exec_ended(m->engine, event->exec, event->exit_code);
		break;
	case SHIM_EVENT_LOG_ERROR:
		engine_warn(m->engine, "container %.12s: its log cannot be written: %s", w->container->id,
			    event->error ? event->error : "unknown error");
		break;
	default:
		break;	/* pauses are known here, sessions are not watched */
	}
}

/* False when that was the last: @w is gone then. */
static bool drain(struct monitor *m, struct watched *w)
{
	for (;;) {
		struct shim_event event = {0};
		struct err err = ERR_INIT;
		int rc = shim_watch_next(w->watch, &event, &err);

		if (rc == 0)
			return true;
		if (rc < 0) {
			ended(m, w);
			return false;
		}
		if (event.kind == SHIM_EVENT_EXIT) {
			if (event.exit)
				json_copy(&shim_exit_table, &w->exit, event.exit);
			w->has_exit = event.exit != NULL;
			json_clear(&shim_event_table, &event);
			ended(m, w);
			return false;
		}
		handle(m, w, &event);
		json_clear(&shim_event_table, &event);
	}
}

static void monitor_main(void *arg)
{
	struct monitor *m = arg;
	struct epoll_event events[16];

	while (!engine_is_stopping(m->engine)) {
		int n = epoll_wait(m->epoll, events, ARRAY_SIZE(events), -1);

		for (int i = 0; i < n; i++)
			(void)drain(m, events[i].data.ptr);
	}
}

int monitor_open(struct engine *e, struct monitor **ret, struct err *err)
{
	struct monitor *m = xcalloc(1, sizeof(*m));
	int rc;

	m->engine = e;
	pthread_mutex_init(&m->lock, NULL);
	m->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (m->epoll < 0) {
		rc = err_sys(err, errno, "epoll");
		free(m);
		return rc;
	}
	rc = thread_run(monitor_main, m, THREAD_STACK_SMALL, err);
	if (rc < 0) {
		close(m->epoll);
		free(m);
		return rc;
	}
	*ret = m;
	return 0;
}

int monitor_add(struct monitor *m, struct container *c, struct shim_watch *watch, struct err *err)
{
	struct watched *w = xcalloc(1, sizeof(*w));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};

	w->container = container_get(c);
	w->watch = watch;
	pthread_mutex_lock(&c->lock);
	w->generation = c->generation;
	pthread_mutex_unlock(&c->lock);
	list_add(m, w);
	/* What came together with the answer lies in a buffer, of which epoll knows nothing. */
	if (!drain(m, w))
		return 0;
	if (epoll_ctl(m->epoll, EPOLL_CTL_ADD, shim_watch_fd(watch), &event) < 0) {
		int rc = err_sys(err, errno, "watch container %.12s", c->id);

		list_del(m, w);
		watched_free(w);
		return rc;
	}
	return 0;
}
