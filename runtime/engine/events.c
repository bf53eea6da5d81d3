/*
 * events - what happened, for whoever wants to know.
 *
 * A ring of the last EVENTS_KEPT events. Readers keep the number of the next one that they want; who is slower than the ring
 * misses what fell out of it. Each event is a block of its own with a reference count, so that readers print without the lock.
 */
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compat/base/str.h"
#include "runtime/api/stream.h"
#include "runtime/engine/events.h"
#include "runtime/engine/filter.h"
#include "runtime/engine/internal.h"

#define EVENTS_KEPT 256

struct event {
	atomic_int refs;
	struct api_event api;
};

struct events {
	pthread_mutex_t lock;
	pthread_cond_t added;
	struct event *ring[EVENTS_KEPT];
	uint64_t next;		/* number of the next event */
	bool stopped;
};

struct event_reader {
	struct events *events;
	uint64_t next;
	int64_t since_ns, until_ns;	/* 0: none */
	enum dialect dialect;
	struct filters filters;
};

static void event_put(struct event *ev)
{
	if (!ev || atomic_fetch_sub(&ev->refs, 1) > 1)
		return;
	json_clear(&api_event_table, &ev->api);
	free(ev);
}

struct events *events_new(void)
{
	struct events *e = xcalloc(1, sizeof(*e));
	pthread_condattr_t attr;

	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->added, &attr);
	pthread_condattr_destroy(&attr);
	return e;
}

void events_free(struct events *e)
{
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		event_put(e->ring[i]);
	pthread_cond_destroy(&e->added);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

void events_stop(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	e->stopped = true;
	pthread_cond_broadcast(&e->added);
	pthread_mutex_unlock(&e->lock);
}

void engine_event(struct engine *e, const char *type, const char *action, const char *id,
		  const struct strmap *attributes)
{
	struct events *log = e->events;
	struct event *ev = xcalloc(1, sizeof(*ev)), *old;
	struct api_event *a = &ev->api;
	const char *image = attributes ? strmap_get(attributes, "image") : NULL;

	ev->refs = 1;
	str_set(&a->type, type);
	str_set(&a->action, action);
	str_set(&a->status, action);
	str_set(&a->id, id);
	str_set(&a->from, image);
	str_set(&a->actor.id, id);
	if (attributes)
		strmap_copy(&a->actor.attributes, attributes);
	str_set(&a->scope, "local");
	a->time_nano = time_now_ns();
	a->time = a->time_nano / 1000000000;

	pthread_mutex_lock(&log->lock);
	old = log->ring[log->next % EVENTS_KEPT];
	log->ring[log->next++ % EVENTS_KEPT] = ev;
	pthread_cond_broadcast(&log->added);
	pthread_mutex_unlock(&log->lock);
	event_put(old);
}

void container_event(struct container *c, const char *action, const char *key, const char *val)
{
	struct strmap attributes = {0};

	pthread_mutex_lock(&c->lock);
	strmap_copy(&attributes, &c->rec.config.labels);
	strmap_set(&attributes, "image", c->rec.config.image);
	strmap_set(&attributes, "name", c->rec.name);
	pthread_mutex_unlock(&c->lock);
	if (key)
		strmap_set(&attributes, key, val);
	engine_event(c->engine, "container", action, c->id, &attributes);
	strmap_clear(&attributes);
}

/* ---- readers ---------------------------------------------------------------------------------------------------------------------- */

static const char *const event_keys[] = {"container", "event", "image", "label", "type", "volume",
					 "network",   "daemon", "scope", NULL};

int events_open(struct engine *e, const struct event_query *q, struct event_reader **ret, struct err *err)
{
	struct event_reader *r = xcalloc(1, sizeof(*r));
	int64_t now = time_now_ns();
	int rc = filters_parse(&r->filters, q->filters, event_keys, err);

	if (rc >= 0 && !str_empty(q->since))
		rc = time_parse_when(q->since, now, &r->since_ns, err);
	if (rc >= 0 && !str_empty(q->until))
		rc = time_parse_when(q->until, now, &r->until_ns, err);
	if (rc < 0) {
		events_close(r);
		return rc;
	}
	r->events = e->events;
	r->dialect = q->dialect;
	pthread_mutex_lock(&e->events->lock);
	r->next = e->events->next;
	if (!str_empty(q->since) || !str_empty(q->until))	/* "0" is a moment, too */
		r->next = r->next > EVENTS_KEPT ? r->next - EVENTS_KEPT : 0;
	pthread_mutex_unlock(&e->events->lock);
	*ret = r;
	return 0;
}

void events_close(struct event_reader *r)
{
	if (!r)
		return;
	filters_clear(&r->filters);
	free(r);
}

static bool wanted_event(const struct event_reader *r, const struct api_event *a)
{
	const char *name = strmap_get(&a->actor.attributes, "name");
	bool is_container = str_eq(a->type, "container");
	bool is_image = str_eq(a->type, "image");

	if (r->since_ns && a->time_nano < r->since_ns)
		return false;
	if (r->until_ns && a->time_nano > r->until_ns)
		return false;
	return filters_match(&r->filters, "type", a->type) && filters_match(&r->filters, "event", a->action) &&
	       filters_match(&r->filters, "scope", a->scope) &&
	       filters_match_any(&r->filters, "container", is_container ? a->actor.id : "", is_container ? name : "") &&
	       filters_match_any(&r->filters, "image", is_image ? a->actor.id : a->from ? a->from : "",
				 is_image ? name : "") &&
	       filters_match(&r->filters, "volume", str_eq(a->type, "volume") ? a->actor.id : "") &&
	       filters_match_any(&r->filters, "network", str_eq(a->type, "network") ? a->actor.id : "", name) &&
	       filters_match_map(&r->filters, "label", &a->actor.attributes);
}

/* The next event, NULL when there is none yet. */
static struct event *take_next(struct event_reader *r)
{
	struct events *e = r->events;
	struct event *ev = NULL;

	if (e->next - r->next > EVENTS_KEPT && e->next > r->next)
		r->next = e->next - EVENTS_KEPT;
	if (r->next < e->next) {
		ev = e->ring[r->next++ % EVENTS_KEPT];
		atomic_fetch_add(&ev->refs, 1);
	}
	return ev;
}

static void wait_second(struct events *e)
{
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec++;
	(void)pthread_cond_timedwait(&e->added, &e->lock, &end);	/* the caller looks again anyway */
}

int events_read(struct event_reader *r, const struct cancel *cancel, struct buf *ret, struct err *err)
{
	struct events *e = r->events;
	size_t before = ret->len;

	for (;;) {
		struct event *ev;
		bool stopped;

		pthread_mutex_lock(&e->lock);
		ev = take_next(r);
		if (!ev && ret->len == before && !e->stopped && !(r->until_ns && time_now_ns() >= r->until_ns)) {
			wait_second(e);
			ev = take_next(r);
		}
		stopped = e->stopped;
		pthread_mutex_unlock(&e->lock);

		if (ev) {
			if (wanted_event(r, &ev->api)) {
				json_print(&api_event_table, &ev->api, 0, ret);
				buf_char(ret, '\n');
			}
			event_put(ev);
			if (ret->len - before < 32768)
				continue;
		}
		if (ret->len > before)
			return 1;
		if (stopped || (r->until_ns && time_now_ns() >= r->until_ns))
			return 0;
		if (cancel && cancel->is_canceled(cancel->arg))
			return err_set(err, ERR_CANCELED, "the client went away");
	}
}
