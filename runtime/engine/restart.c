/*
 * restart - restart policies, with longer and longer pauses.
 */
#include "runtime/engine/restart.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "compat/base/str.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/start.h"
#include "runtime/engine/thread.h"

#define DELAY_MIN_MS   100
#define DELAY_MAX_MS   60000
#define RUN_RESETS_NS  (10ll * 1000000000)

bool restart_is_wanted(const struct container *c)
{
	const struct api_restart_policy *p = &c->rec.host.restart_policy;

	if (c->rec.user_stopped || engine_is_stopping(c->engine))
		return false;
	if (str_eq(p->name, "always") || str_eq(p->name, "unless-stopped"))
		return true;
	return str_eq(p->name, "on-failure") && c->rec.state.exit_code != 0 &&
	       (!p->maximum_retry_count || c->rec.restart_count < p->maximum_retry_count);
}

static void add_ms(struct timespec *t, unsigned int ms)
{
	clock_gettime(CLOCK_MONOTONIC, t);
	t->tv_sec += ms / 1000;
	t->tv_nsec += (long)(ms % 1000) * 1000000;
	if (t->tv_nsec >= 1000000000) {
		t->tv_sec++;
		t->tv_nsec -= 1000000000;
	}
}

/* True when the pause passed and nobody changed his mind. */
static bool pause_passed(struct container *c, unsigned int ms)
{
	struct timespec end;
	bool due;

	add_ms(&end, ms);
	pthread_mutex_lock(&c->lock);
	while (c->restart_pending && !c->removed && !engine_is_stopping(c->engine)) {
		if (pthread_cond_timedwait(&c->changed, &c->lock, &end) == ETIMEDOUT)
			break;
	}
	due = c->restart_pending && !c->removed && !engine_is_stopping(c->engine);
	pthread_mutex_unlock(&c->lock);
	return due;
}

static unsigned int next_delay(struct container *c)
{
	const struct api_container_state *st = &c->rec.state;
	unsigned int delay;

	if (!c->restart_delay_ms || st->finished_at - st->started_at >= RUN_RESETS_NS)
		c->restart_delay_ms = DELAY_MIN_MS;
	delay = c->restart_delay_ms;
	c->restart_delay_ms = delay * 2 > DELAY_MAX_MS ? DELAY_MAX_MS : delay * 2;
	return delay;
}

static void restart_thread(void *arg)
{
	struct container *c = arg;
	struct err err = ERR_INIT;
	unsigned int delay;
	bool again = false;

	pthread_mutex_lock(&c->lock);
	delay = next_delay(c);
	pthread_mutex_unlock(&c->lock);
	if (pause_passed(c, delay)) {
		pthread_mutex_lock(&c->op);
		if (c->restart_pending && !c->rec.state.running) {
			pthread_mutex_lock(&c->lock);
			c->restart_pending = false;
			c->rec.restart_count++;
			pthread_mutex_unlock(&c->lock);
			if (start_locked(c, &err) < 0) {
				engine_warn(c->engine, "restart: %s", err.msg);
				pthread_mutex_lock(&c->lock);
				c->rec.state.finished_at = c->rec.state.started_at = 0;
				again = restart_is_wanted(c) && !c->removed;
				pthread_mutex_unlock(&c->lock);
			}
		}
		pthread_mutex_unlock(&c->op);
	}
	if (again)
		restart_schedule(c);
	container_put(c);
}

void restart_schedule(struct container *c)
{
	struct err err = ERR_INIT;

	pthread_mutex_lock(&c->lock);
	/* Stopped since that was decided. */
	if (c->rec.user_stopped) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	c->restart_pending = true;
	c->rec.state.restarting = true;
	str_set(&c->rec.state.status, "restarting");
	container_changed(c);
	pthread_mutex_unlock(&c->lock);
	if (thread_run(restart_thread, container_get(c), THREAD_STACK_SMALL * 2, &err) < 0) {
		engine_warn(c->engine, "restart container %.12s: %s", c->id, err.msg);
		container_put(c);
	}
}
