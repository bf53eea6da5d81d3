/*
 * loop - one thread that waits for many files and a few moments. Private to runtime/shim.
 *
 * epoll, one event a time: a handler may free any source, its own too, and no stale event can follow.
 */
#ifndef RUNTIME_SHIM_LOOP_H
#define RUNTIME_SHIM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"
#include "compat/base/vec.h"

struct loop_source {
	int fd;			/* -1: not in the loop; not owned */
	uint32_t events;	/* EPOLLIN ... that are wanted; 0: not even hangups, which cannot be masked otherwise */
	void (*ready)(struct loop_source *source, uint32_t events);
};

struct loop_timer {
	int64_t at_ms;		/* CLOCK_MONOTONIC; 0: off */
	void (*fire)(struct loop_timer *timer);
};

struct loop {
	int epoll;
	VEC(struct loop_timer *) timers;
	bool at_rest;		/* the next wait may take long: memory_wait(); set by the owner, cleared by that wait */
};

int loop_open(struct loop *loop, struct err *err);
/* Regular files cannot be waited for: -EPERM. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events,
	     void (*ready)(struct loop_source *source, uint32_t events));
void loop_set(struct loop *loop, struct loop_source *source, uint32_t events);
void loop_del(struct loop *loop, struct loop_source *source);

/* @timer is embedded in something that lives until loop_cancel() or the moment it has fired. */
void loop_after(struct loop *loop, struct loop_timer *timer, int64_t ms, void (*fire)(struct loop_timer *timer));
void loop_cancel(struct loop *loop, struct loop_timer *timer);

/* Wait for one event and handle it, or fire what is due. */
void loop_run(struct loop *loop);

/* The struct that @member is embedded in. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
