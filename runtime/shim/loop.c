/*
 * loop - one thread that waits for many files and a few moments
 */
#include "runtime/shim/loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/time.h"
#include "runtime/shim/memory.h"

int loop_open(struct loop *loop, struct err *err)
{
	*loop = (struct loop){.epoll = epoll_create1(EPOLL_CLOEXEC)};
	return loop->epoll < 0 ? err_sys(err, errno, "epoll_create1") : 0;
}

static int change(struct loop *loop, int op, struct loop_source *source)
{
	struct epoll_event ev = {.events = source->events, .data.ptr = source};

	return epoll_ctl(loop->epoll, op, source->fd, &ev) < 0 ? -errno : 0;
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     void (*ready)(struct loop_source *source, uint32_t events))
{
	int rc;

	*source = (struct loop_source){.fd = fd, .events = events, .ready = ready};
	rc = events ? change(loop, EPOLL_CTL_ADD, source) : 0;
	if (rc < 0)
		source->fd = -1;
	return rc;
}

void loop_set(struct loop *loop, struct loop_source *source, uint32_t events)
{
	int op = !events ? EPOLL_CTL_DEL : source->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (source->fd < 0 || source->events == events)
		return;
	source->events = events;
	(void)change(loop, op, source);	/* the fd is good and its membership is known */
}

void loop_del(struct loop *loop, struct loop_source *source)
{
	loop_set(loop, source, 0);
	source->fd = -1;
}

void loop_after(struct loop *loop, struct loop_timer *timer, int64_t ms, void (*fire)(struct loop_timer *timer))
{
	loop_cancel(loop, timer);
	timer->at_ms = time_mono_ms() + ms;
	timer->fire = fire;
	VEC_PUSH(&loop->timers, timer);
}

void loop_cancel(struct loop *loop, struct loop_timer *timer)
{
	timer->at_ms = 0;
	for (size_t i = 0; i < loop->timers.n; i++) {
		if (loop->timers.v[i] != timer)
			continue;
		VEC_DEL(&loop->timers, i);
		return;
	}
}

static struct loop_timer *next_timer(const struct loop *loop)
{
	struct loop_timer *next = NULL;

	for (size_t i = 0; i < loop->timers.n; i++)
		if (!next || loop->timers.v[i]->at_ms < next->at_ms)
			next = loop->timers.v[i];
	return next;
}

/* Not by the C library's wrapper, whose way through its thread cancellation costs an idle shim 44 KiB of mapped code. */
static int wait_event(int epoll, struct epoll_event *ev, int timeout_ms)
{
	return (int)syscall(SYS_epoll_pwait, epoll, ev, 1, timeout_ms, NULL, (size_t)8);
}

void loop_run(struct loop *loop)
{
	struct loop_timer *timer = next_timer(loop);
	int64_t left = timer ? timer->at_ms - time_mono_ms() : -1;
	struct epoll_event ev;
	int n;

	if (timer && left <= 0) {
		loop_cancel(loop, timer);
		timer->fire(timer);
		left = 0;
	}
	n = loop->at_rest && left < 0 ? memory_wait(loop->epoll, &ev) : wait_event(loop->epoll, &ev, (int)left);
	if (left < 0)
		loop->at_rest = false;
	if (n == 1) {
		struct loop_source *source = ev.data.ptr;

		source->ready(source, ev.events);
	}
}
