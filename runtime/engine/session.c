/*
 * session - attach, terminal size, logs and waiting.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/log/log_driver.h"

#define PENDING_MAX 256	/* clients that wait for the start of one container */

/* ---- attach ----------------------------------------------------------------------------------------------------------------------- */

int container_attach_check(struct engine *e, const char *ref, bool *ret_tty, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	*ret_tty = c->rec.config.tty;
	if (c->rec.state.paused)
		return err_set(err, ERR_CONFLICT, "container %.12s is paused, unpause the container before attach", c->id);
	if (c->rec.state.restarting && !c->rec.state.running)
		return err_set(err, ERR_CONFLICT, "container %.12s is restarting, wait until the container is running",
			       c->id);
	return 0;
}

/* Everything that is in the log up to @end goes to the client. */
static int replay(struct container *c, const struct container_attach *how, struct log_position end, int sock,
		  struct err *err)
{
	AUTO(log_reader_free) struct log_reader *reader = NULL;
	auto_free char *path = container_path(c, "json.log");
	auto_free char *chunk = xcalloc(1, LOG_READ_MIN);
	const struct log_read_options options = {
		.path = path,
		.want_stdout = how->out,
		.want_stderr = how->err,
		.tail = -1,
		.multiplexed = !c->rec.config.tty,
		.end = end,
	};
	ssize_t n;
	int rc;

	if (!log_driver_reads(c->rec.host.log_config.type))
		return 0;
	rc = log_reader_open(&options, &reader, err);
	if (rc < 0)
		return err->kind == ERR_NOT_FOUND ? 0 : rc;
	while ((n = log_reader_read(reader, chunk, LOG_READ_MIN, 0, err)) > 0) {
		rc = fd_write_all(sock, chunk, (size_t)n);
		if (rc < 0)
			return err_sys(err, -rc, "send the log");
	}
	return 0;
}

static int attach_running(struct container *c, struct keeper *k, const struct container_attach *how, int sock,
			  struct err *err)
{
	const struct shim_attach attach = {
		.want_stdin = how->in,
		.want_stdout = how->out,
		.want_stderr = how->err,
		.detach_keys = (char *)how->detach_keys,
		.hold = how->logs,
	};
	AUTO(shim_session_close) struct shim_session *session = NULL;
	int rc = shim_attach(keeper_shim(k), &attach, sock, how->early, how->early_len, how->logs ? &session : NULL, err);

	if (rc < 0 || !how->logs)
		return rc;
	rc = replay(c, how, shim_session_log(session), sock, err);
	if (rc >= 0)
		rc = shim_session_release(session, err);
	return rc;
}

/* Clients that wait for the start, and left. With the lock held. */
static void forget_gone(struct container *c)
{
	for (size_t i = 0; i < c->pending.n; i++) {
		struct pending_attach *p = &c->pending.v[i];
		struct pollfd poll_it = {.fd = p->sock};

		if (poll(&poll_it, 1, 0) <= 0 || !(poll_it.revents & (POLLHUP | POLLERR)))
			continue;
		pending_attach_clear(p);
		VEC_DEL(&c->pending, i--);
	}
}

int container_attach(struct engine *e, const char *ref, const struct container_attach *how, int sock,
		     struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	AUTO(keeper_put) struct keeper *k = NULL;
	auto_fd int owned = sock;
	struct pending_attach *p;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	if (!how->stream)
		return how->logs ? replay(c, how, (struct log_position){0}, sock, err) : 0;
	if (keeper_get(c, &k, &ERR_INIT) == 0)
		return attach_running(c, k, how, sock, err);

	/* Before its start: what was logged in an earlier life first, then it waits. */
	if (how->logs)
		rc = replay(c, how, (struct log_position){0}, sock, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->lock);
	forget_gone(c);
	if (!c->removed && c->pending.n < PENDING_MAX) {
		p = VEC_ADD(&c->pending);
		p->how = *how;
		p->how.detach_keys = xstrdup(how->detach_keys);
		p->how.early = how->early_len ? memcpy(xcalloc(1, how->early_len), how->early, how->early_len) : NULL;
		p->sock = fd_take(&owned);
	} else if (!c->removed) {
		rc = err_set(err, ERR_UNAVAILABLE, "%d clients wait for the start of container %.12s already", PENDING_MAX, c->id);
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int container_resize(struct engine *e, const char *ref, uint32_t rows, uint32_t cols, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	AUTO(keeper_put) struct keeper *k = NULL;
	int rc = table_find(e, ref, &c, err);

	if (rc >= 0)
		rc = keeper_get(c, &k, err);
	return rc < 0 ? rc : shim_resize(keeper_shim(k), NULL, cols, rows, err);
}

/* ---- logs ------------------------------------------------------------------------------------------------------------------------- */

struct container_log {
	struct container *container;
	struct log_reader *reader;	/* NULL: it was never started */
	uint64_t exits;
	bool follow, stopped;
	size_t at, len;			/* of chunk */
	char *chunk;
};

void container_logs_close(struct container_log *log)
{
	if (!log)
		return;
	log_reader_free(log->reader);
	container_put(log->container);
	free(log->chunk);
	free(log);
}

static int log_bounds(const struct container_logs *how, struct log_read_options *o, struct err *err)
{
	int64_t now = time_now_ns();
	int rc = 0;

	o->tail = -1;
	if (!str_empty(how->tail) && strcmp(how->tail, "all") && str_i64(how->tail, 10, &o->tail) < 0)
		return err_set(err, ERR_INVALID, "tail '%.40s' is neither a number nor 'all'", how->tail);
	if (!str_empty(how->since) && strcmp(how->since, "0"))
		rc = time_parse_when(how->since, now, &o->since_ns, err);
	if (rc >= 0 && !str_empty(how->until) && strcmp(how->until, "0"))
		rc = time_parse_when(how->until, now, &o->until_ns, err);
	return rc;
}

int container_logs_open(struct engine *e, const char *ref, const struct container_logs *how,
			struct container_log **ret, bool *ret_tty, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	AUTO(container_logs_close) struct container_log *log = NULL;
	auto_free char *path = NULL;
	struct log_read_options o = {0};
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	if (!how->out && !how->err)
		return err_set(err, ERR_INVALID, "you must choose at least one stream: stdout or stderr");
	if (!log_driver_reads(c->rec.host.log_config.type))
		return err_set(err, ERR_INVALID, "configured logging driver '%s' does not support reading",
			       c->rec.host.log_config.type);
	rc = log_bounds(how, &o, err);
	if (rc < 0)
		return rc;

	path = container_path(c, "json.log");
	o.path = path;
	o.want_stdout = how->out;
	o.want_stderr = how->err;
	o.timestamps = how->timestamps;
	o.details = how->details;
	o.multiplexed = !c->rec.config.tty;
	log = xcalloc(1, sizeof(*log));
	pthread_mutex_lock(&c->lock);
	log->exits = c->exits;
	o.follow = log->follow = how->follow && c->rec.state.running;
	pthread_mutex_unlock(&c->lock);

	rc = log_reader_open(&o, &log->reader, err);
	if (rc < 0 && err->kind != ERR_NOT_FOUND)
		return rc;
	if (rc < 0)
		err_clear(err);
	else
		log->chunk = xcalloc(1, LOG_READ_MIN);
	*ret_tty = c->rec.config.tty;
	log->container = take(c);
	*ret = take(log);
	return 0;
}

/* When its container ends, what is in the file is still sent. */
static void follow_end(struct container_log *log)
{
	struct container *c = log->container;
	bool over;

	if (!log->follow || log->stopped)
		return;
	pthread_mutex_lock(&c->lock);
	over = c->exits != log->exits || c->removed || engine_is_stopping(c->engine);
	pthread_mutex_unlock(&c->lock);
	if (over) {
		log_reader_stop(log->reader);
		log->stopped = true;
	}
}

ssize_t container_logs_read(struct container_log *log, char *dst, size_t max, const struct cancel *cancel)
{
	if (!log->reader)
		return 0;
	while (log->at == log->len) {
		struct err err = ERR_INIT;
		ssize_t n;

		follow_end(log);
		/* What stops a container is heard of by looking: often enough that a person does not notice. */
		n = log_reader_read(log->reader, log->chunk, LOG_READ_MIN, log->follow && !log->stopped ? 100 : 0, &err);
		if (n == -EAGAIN) {
			if (cancel && cancel->is_canceled(cancel->arg))
				return -ECANCELED;
			continue;
		}
		if (n <= 0)
			return n;
		log->at = 0;
		log->len = (size_t)n;
	}
	if (max > log->len - log->at)
		max = log->len - log->at;
	memcpy(dst, log->chunk + log->at, max);
	log->at += max;
	return (ssize_t)max;
}

/* ---- wait ------------------------------------------------------------------------------------------------------------------------- */

struct container_wait {
	struct container *container;
	enum wait_condition condition;
	uint64_t exits;		/* when the waiting began */
};

int container_wait_begin(struct engine *e, const char *ref, enum wait_condition condition,
			 struct container_wait **ret, struct err *err)
{
	struct container_wait *w;
	struct container *c;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	w = xcalloc(1, sizeof(*w));
	w->container = c;
	w->condition = condition;
	pthread_mutex_lock(&c->lock);
	w->exits = c->exits;
	pthread_mutex_unlock(&c->lock);
	*ret = w;
	return 0;
}

static bool is_over(const struct container_wait *w)
{
	const struct container *c = w->container;

	switch (w->condition) {
	case WAIT_NOT_RUNNING:
		return c->exits != w->exits || !c->rec.state.running || c->removed;
	case WAIT_NEXT_EXIT:
		return c->exits != w->exits || c->removed;
	case WAIT_REMOVED:
		return c->removed;
	}
	return true;
}

int container_wait_end(struct container_wait *w, const struct cancel *cancel, int *ret_code, struct err *err)
{
	struct container *c = w->container;
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	while (!is_over(w)) {
		struct timespec end;

		clock_gettime(CLOCK_MONOTONIC, &end);
		end.tv_sec++;
		if (pthread_cond_timedwait(&c->changed, &c->lock, &end) != ETIMEDOUT && !engine_is_stopping(c->engine))
			continue;
		if (engine_is_stopping(c->engine)) {
			rc = err_set(err, ERR_UNAVAILABLE, "the daemon is stopping");
			break;
		}
		if (cancel && cancel->is_canceled(cancel->arg)) {
			rc = err_set(err, ERR_CANCELED, "the client went away");
			break;
		}
	}
	*ret_code = (int)c->rec.state.exit_code;
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void container_wait_free(struct container_wait *w)
{
	if (!w)
		return;
	container_put(w->container);
	free(w);
}
