/*
 * h_stream - what goes on after the head of the answer: attach, exec, logs, wait, stats, events.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/log.h"
#include "compat/base/str.h"
#include "runtime/api/container.h"
#include "runtime/api/exec.h"
#include "runtime/api/stream.h"
#include "runtime/daemon/handlers.h"

/* Old clients know one media type for both forms. */
static const char *raw_type(const struct request *r, bool tty)
{
	return tty || r->api_minor < 42 ? API_MIME_RAW : API_MIME_MULTIPLEXED;
}

/* ---- attach and exec ------------------------------------------------------------------------------------------------------------- */

struct attach {
	struct engine *engine;
	char *id;
	struct container_attach how;
	char *detach_keys;
};

static void attach_free(void *arg)
{
	struct attach *a = arg;

	free(a->id);
	free(a->detach_keys);
	free(a);
}

static void attach_taken(void *arg, int sock, const char *early, size_t early_len)
{
	struct attach *a = arg;
	struct err err = ERR_INIT;

	a->how.early = early;
	a->how.early_len = early_len;
	if (container_attach(a->engine, a->id, &a->how, sock, &err) < 0)
		log_warn("attach: %s", err.msg);
}

int handle_container_attach(struct request *r, struct err *err)
{
	struct attach *a;
	bool tty;
	int rc = container_attach_check(r->engine, r->arg[0], &tty, err);

	if (rc < 0)
		return rc;
	a = xcalloc(1, sizeof(*a));
	a->engine = r->engine;
	a->id = xstrdup(r->arg[0]);
	a->detach_keys = xstrdup(request_query(r, "detachKeys"));
	a->how = (struct container_attach){
		.in = request_query_bool(r, "stdin", false),
		.out = request_query_bool(r, "stdout", false),
		.err = request_query_bool(r, "stderr", false),
		.logs = request_query_bool(r, "logs", false),
		.stream = request_query_bool(r, "stream", false),
		.detach_keys = str_empty(a->detach_keys) ? NULL : a->detach_keys,
	};
	return reply_raw(r, raw_type(r, tty), &(struct reply_raw){attach_taken, attach_free, a});
}

struct exec {
	struct engine *engine;
	char *id;
	struct api_exec_start start;
};

static void exec_free(void *arg)
{
	struct exec *x = arg;

	free(x->id);
	json_clear(&api_exec_start_table, &x->start);
	free(x);
}

static void exec_taken(void *arg, int sock, const char *early, size_t early_len)
{
	struct exec *x = arg;
	struct err err = ERR_INIT;

	if (exec_start(x->engine, x->id, &x->start, early, early_len, sock, &err) < 0)
		log_warn("exec: %s", err.msg);
}

int handle_exec_create(struct request *r, struct err *err)
{
	struct api_exec_create create = {0};
	struct api_exec_created created = {0};
	int rc = request_decode(r, &api_exec_create_table, false, &create, err);

	if (rc >= 0)
		rc = exec_create(r->engine, r->arg[0], &create, &created.id, err);
	if (rc >= 0)
		rc = reply_json(r, 201, &api_exec_created_table, &created);
	json_clear(&api_exec_create_table, &create);
	json_clear(&api_exec_created_table, &created);
	return rc;
}

int handle_exec_start(struct request *r, struct err *err)
{
	struct exec *x;
	bool tty;
	int rc = exec_start_check(r->engine, r->arg[0], &tty, err);

	if (rc < 0)
		return rc;
	x = xcalloc(1, sizeof(*x));
	x->engine = r->engine;
	x->id = xstrdup(r->arg[0]);
	rc = request_decode(r, &api_exec_start_table, true, &x->start, err);
	if (rc >= 0 && !x->start.detach)
		return reply_raw(r, raw_type(r, tty), &(struct reply_raw){exec_taken, exec_free, x});
	if (rc >= 0)
		rc = exec_start(x->engine, x->id, &x->start, NULL, 0, -1, err);
	exec_free(x);
	return rc < 0 ? rc : reply_empty(r, 200);
}

int handle_exec_inspect(struct request *r, struct err *err)
{
	struct api_exec x = {0};
	int rc = exec_inspect(r->engine, r->arg[0], &x, err);

	if (rc >= 0)
		rc = reply_json(r, 200, &api_exec_table, &x);
	json_clear(&api_exec_table, &x);
	return rc;
}

/* ---- logs ------------------------------------------------------------------------------------------------------------------------ */

struct logs {
	struct request *request;
	struct container_log *log;
};

static ssize_t logs_read(void *arg, char *dst, size_t max)
{
	struct logs *l = arg;
	const struct cancel cancel = {request_is_abandoned, l->request};

	return container_logs_read(l->log, dst, max, &cancel);
}

static void logs_free(void *arg)
{
	struct logs *l = arg;

	container_logs_close(l->log);
	free(l);
}

int handle_container_logs(struct request *r, struct err *err)
{
	const struct container_logs how = {
		.out = request_query_bool(r, "stdout", false),
		.err = request_query_bool(r, "stderr", false),
		.follow = request_query_bool(r, "follow", false),
		.timestamps = request_query_bool(r, "timestamps", false),
		.details = request_query_bool(r, "details", false),
		.since = request_query(r, "since"),
		.until = request_query(r, "until"),
		.tail = request_query(r, "tail"),
	};
	struct container_log *log;
	struct logs *l;
	bool tty;
	int rc = container_logs_open(r->engine, r->arg[0], &how, &log, &tty, err);

	if (rc < 0)
		return rc;
	l = xcalloc(1, sizeof(*l));
	l->request = r;
	l->log = log;
	return reply_stream(r, 200, raw_type(r, tty), &(struct reply_source){logs_read, logs_free, l});
}

/* ---- wait ------------------------------------------------------------------------------------------------------------------------ */

struct wait {
	struct request *request;
	struct container_wait *wait;
	bool said;
};

/* The head goes out before the container ends: clients start it only once they have seen that. */
static ssize_t wait_read(void *arg, char *dst, size_t max)
{
	struct wait *w = arg;
	const struct cancel cancel = {request_is_abandoned, w->request};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct api_wait answer = {0};
	struct err err = ERR_INIT;
	int code, rc;

	if (w->said)
		return 0;
	rc = container_wait_end(w->wait, &cancel, &code, &err);
	if (rc < 0)
		return rc;
	w->said = true;
	answer.status_code = code;
	json_print(&api_wait_table, &answer, 0, &out);
	buf_char(&out, '\n');
	if (out.len > max)
		return -EMSGSIZE;
	memcpy(dst, out.data, out.len);
	return (ssize_t)out.len;
}

static void wait_free(void *arg)
{
	struct wait *w = arg;

	container_wait_free(w->wait);
	free(w);
}

int handle_container_wait(struct request *r, struct err *err)
{
	static const char *const names[] = {
		[WAIT_NOT_RUNNING] = "not-running", [WAIT_NEXT_EXIT] = "next-exit", [WAIT_REMOVED] = "removed"};
	const char *name = request_query(r, "condition");
	struct container_wait *wait;
	struct wait *w;
	size_t i = WAIT_NOT_RUNNING;
	int rc;

	if (!str_empty(name)) {
		for (i = 0; i < ARRAY_SIZE(names) && strcmp(names[i], name); i++)
			;
		if (i == ARRAY_SIZE(names))
			return err_set(err, ERR_INVALID, "invalid condition: '%.40s'", name);
	}
	rc = container_wait_begin(r->engine, r->arg[0], (enum wait_condition)i, &wait, err);
	if (rc < 0)
		return rc;
	w = xcalloc(1, sizeof(*w));
	w->request = r;
	w->wait = wait;
	return reply_stream(r, 200, "application/json", &(struct reply_source){wait_read, wait_free, w});
}

/* ---- stats and events ------------------------------------------------------------------------------------------------------------ */

struct lines {
	struct request *request;
	struct buf ready;		/* what did not fit */
	/* stats */
	char *id;
	struct container_cpu cpu;
	bool once, said;
	/* events */
	struct event_reader *events;
};

static void lines_free(void *arg)
{
	struct lines *l = arg;

	events_close(l->events);
	buf_clear(&l->ready);
	free(l->id);
	free(l);
}

static ssize_t take_ready(struct lines *l, char *dst, size_t max)
{
	if (max > l->ready.len)
		max = l->ready.len;
	memcpy(dst, buf_cstr(&l->ready), max);
	buf_drop(&l->ready, max);
	return (ssize_t)max;
}

static ssize_t stats_read(void *arg, char *dst, size_t max)
{
	struct lines *l = arg;
	struct err err = ERR_INIT;

	if (l->ready.len)
		return take_ready(l, dst, max);
	if (l->said && l->once)
		return 0;
	if (l->said) {
		for (int i = 0; i < 10; i++) {
			poll(NULL, 0, 100);
			if (request_is_abandoned(l->request) || engine_is_stopping(l->request->engine))
				return 0;
		}
	}
	l->said = true;
	if (container_stats(l->request->engine, l->id, &l->cpu, &l->ready, &err) < 0)
		return 0;	/* it was removed */
	return take_ready(l, dst, max);
}

int handle_container_stats(struct request *r, struct err *err)
{
	bool stream = request_query_bool(r, "stream", true);
	struct lines *l = xcalloc(1, sizeof(*l));
	int rc = container_stats(r->engine, r->arg[0], &l->cpu, &l->ready, err);

	if (rc < 0) {
		lines_free(l);
		return rc;
	}
	l->request = r;
	l->id = xstrdup(r->arg[0]);
	l->said = true;
	l->once = !stream;
	if (!stream && !request_query_bool(r, "one-shot", false)) {
		/* Shares need two looks, a second apart. */
		buf_reset(&l->ready);
		poll(NULL, 0, 1000);
		rc = container_stats(r->engine, r->arg[0], &l->cpu, &l->ready, err);
		if (rc < 0) {
			lines_free(l);
			return rc;
		}
	}
	return reply_stream(r, 200, "application/json", &(struct reply_source){stats_read, lines_free, l});
}

static ssize_t events_more(void *arg, char *dst, size_t max)
{
	struct lines *l = arg;
	const struct cancel cancel = {request_is_abandoned, l->request};
	struct err err = ERR_INIT;

	if (!l->ready.len) {
		int rc = events_read(l->events, &cancel, &l->ready, &err);

		if (rc <= 0)
			return rc;
	}
	return take_ready(l, dst, max);
}

int handle_events(struct request *r, struct err *err)
{
	const struct event_query query = {
		.since = request_query(r, "since"),
		.until = request_query(r, "until"),
		.filters = request_query(r, "filters"),
		.dialect = request_dialect(r),
	};
	struct event_reader *reader;
	struct lines *l;
	int rc = events_open(r->engine, &query, &reader, err);

	if (rc < 0)
		return rc;
	l = xcalloc(1, sizeof(*l));
	l->request = r;
	l->events = reader;
	return reply_stream(r, 200, "application/json", &(struct reply_source){events_more, lines_free, l});
}
