/*
 * request - what pouchd may ask of a shim
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/shim/keeper.h"

union heads {
	struct shim_options options;
	struct shim_attach attach;
	struct shim_exec exec;
	struct shim_spawn spawn;
	struct shim_target target;
};

struct call {
	struct keeper *k;
	struct conn *c;
	union heads head;
	struct shim_frame *frame;
	struct shim_reply reply;
	bool answered;		/* by the handler itself, or later */
	struct session *session;	/* new: it begins once the request is answered */
	bool hold;
};

static int need_running(const struct keeper *k, struct err *err)
{
	return k->phase == PHASE_RUNNING ? 0 : err_set(err, ERR_CONFLICT, "container is not running");
}

static int handle_create(struct call *q, struct err *err)
{
	int rc = keeper_make_container(q->k, &q->head.options, err);

	q->reply.pid = q->k->pid;
	return rc;
}

static int handle_start(struct call *q, struct err *err)
{
	q->reply.pid = q->k->pid;
	return keeper_start(q->k, err);
}

/* The log before, the stream from now on: what is between the two is half a line. */
static void send_pending(struct call *q)
{
	static const enum log_stream streams[] = {LOG_STDOUT, LOG_STDERR};
	const char *data;

	for (size_t i = 0; q->k->log && i < ARRAY_SIZE(streams); i++) {
		size_t len = log_writer_pending(q->k->log, streams[i], &data);

		if (len)
			session_send(q->session, streams[i], data, len);
	}
}

static int handle_attach(struct call *q, struct err *err)
{
	const struct shim_attach *a = &q->head.attach;
	const struct session_options options = {
		.want_stdin = a->want_stdin,
		.want_stdout = a->want_stdout,
		.want_stderr = a->want_stderr,
		.no_detach = a->no_detach,
		.detach_keys = a->detach_keys,
	};
	int rc;

	if (q->k->phase != PHASE_CREATED && q->k->phase != PHASE_RUNNING)
		return err_set(err, ERR_CONFLICT, "container is not running");
	if (q->frame->fd_count != 1)
		return err_set(err, ERR_INVALID, "attach needs the client's socket");
	rc = session_check(q->frame->fds[0], &options, err);
	if (rc < 0)
		return rc;
	if (q->k->log)
		q->reply.log = log_writer_position(q->k->log);
	q->session = session_open(&q->k->io, q->c, fd_take(&q->frame->fds[0]), &options);
	q->hold = a->hold;
	if (a->hold)
		send_pending(q);
	return 0;
}

static int handle_exec(struct call *q, struct err *err)
{
	return exec_run(q->k, q->c, &q->head.exec, q->frame, &q->session, &q->reply.pid, err);
}

/* The io that a request names: the container's, or an exec's. */
static int find_io(struct call *q, struct io **ret, struct err *err)
{
	const char *id = q->head.target.exec;
	struct exec *e;

	*ret = &q->k->io;
	if (str_empty(id))
		return q->k->phase == PHASE_CREATED ? 0 : need_running(q->k, err);
	e = exec_find(q->k, id);
	if (!e || !e->running)
		return err_set(err, ERR_NOT_FOUND, "no such running exec: %s", id);
	*ret = &e->io;
	return 0;
}

static int handle_resize(struct call *q, struct err *err)
{
	const struct shim_target *t = &q->head.target;
	struct io *io;
	int rc = find_io(q, &io, err);

	if (rc < 0)
		return rc;
	if (t->width > UINT16_MAX || t->height > UINT16_MAX)
		return err_set(err, ERR_INVALID, "a terminal of %u by %u is too large", t->width, t->height);
	if (!io_resize(io, t->width, t->height))
		return err_set(err, ERR_CONFLICT, "process has no terminal");
	return 0;
}

static int handle_close_stdin(struct call *q, struct err *err)
{
	struct io *io;
	int rc = find_io(q, &io, err);

	if (rc == 0)
		io_close_in(io);
	return rc;
}

static int set_paused(struct call *q, bool pause, struct err *err)
{
	struct shim_event event = {.kind = pause ? SHIM_EVENT_PAUSED : SHIM_EVENT_RESUMED};
	int rc = need_running(q->k, err);

	if (rc < 0)
		return rc;
	if (q->k->paused == pause)
		return err_set(err, ERR_CONFLICT, pause ? "container is already paused" : "container is not paused");
	if (pause)
		warden_pause(q->k, true);
	rc = q->k->runtime->pause(q->k, pause, err);
	if (rc == 0 ? !pause : pause)
		warden_pause(q->k, false);
	if (rc < 0)
		return rc;
	q->k->paused = pause;
	keeper_tell(q->k, &event);
	return 0;
}

static int handle_kill(struct call *q, struct err *err)
{
	const struct shim_target *t = &q->head.target;
	struct exec *e;
	int rc;

	if (t->signal < 1 || t->signal >= NSIG)
		return err_set(err, ERR_INVALID, "no signal has the number %d", t->signal);
	if (str_empty(t->exec)) {
		if (q->k->phase != PHASE_CREATED && q->k->phase != PHASE_RUNNING)
			return err_set(err, ERR_CONFLICT, "container is not running");
		if (t->signal == SIGKILL) {
			q->k->killed = true;
			warden_hold(q->k);	/* for good: the dying shall not be frozen again */
		}
		rc = q->k->runtime->kill(q->k, t->signal, t->all, err);
		/* A frozen task dies when it is thawed, not before. The runtime may have thawed it already. */
		if (rc == 0 && t->signal == SIGKILL && q->k->paused)
			if (set_paused(q, false, err) < 0)
				q->k->paused = false;
		return rc;
	}
	e = exec_find(q->k, t->exec);
	if (!e || !e->running)
		return err_set(err, ERR_NOT_FOUND, "no such running exec: %s", t->exec);
	rc = exec_signal(e, t->signal);
	return rc < 0 ? err_sys(err, -rc, "signal exec '%s'", t->exec) : 0;
}

static int handle_pause(struct call *q, struct err *err)
{
	return set_paused(q, true, err);
}

static int handle_resume(struct call *q, struct err *err)
{
	return set_paused(q, false, err);
}

static int handle_update(struct call *q, struct err *err)
{
	int rc;

	if (q->k->phase != PHASE_CREATED && q->k->phase != PHASE_RUNNING)
		return err_set(err, ERR_CONFLICT, "container is not running");
	rc = q->k->runtime->update(q->k, q->frame->tail, q->frame->tail_len, err);
	return rc < 0 ? rc : warden_follow(q->k, err);
}

static int handle_state(struct call *q, struct err *err)
{
	struct shim_state state = {0};

	keeper_state(q->k, &state);
	conn_print(q->c, SHIM_OK, &shim_state_table, &state);
	json_clear(&shim_state_table, &state);
	q->answered = true;
	return 0;
}

static int handle_watch(struct call *q, struct err *err)
{
	struct shim_event event = {.kind = SHIM_EVENT_EXIT, .time = q->k->exit.finished, .exit = &q->k->exit};

	q->c->watch = true;
	conn_print(q->c, SHIM_OK, &shim_reply_table, &q->reply);
	q->answered = true;
	if (q->k->phase == PHASE_STOPPED)
		conn_print(q->c, SHIM_EVENT, &shim_event_table, &event);
	return 0;
}

static int handle_delete(struct call *q, struct err *err)
{
	int rc = keeper_delete_container(q->k, q->c, err);

	q->answered = rc == 0;
	return rc;
}

static int handle_reopen_log(struct call *q, struct err *err)
{
	if (!q->k->log)
		return err_set(err, ERR_CONFLICT, "container has no log");
	return log_writer_reopen(q->k->log, err);
}

static int handle_release(struct call *q, struct err *err)
{
	VEC_EACH(s, &q->k->sessions) {
		if ((*s)->id != q->head.target.session)
			continue;
		session_release(*s);
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "no such session");
}

static int handle_exec_delete(struct call *q, struct err *err)
{
	return exec_forget(q->k, q->head.target.exec, err);
}

static int handle_spawn(struct call *q, struct err *err)
{
	return share_spawn(q->k, &q->head.spawn, q->frame, &q->reply.pid, err);
}

static const struct {
	int (*handle)(struct call *q, struct err *err);
	const struct json_table *table;
} handlers[SHIM_TYPE_COUNT] = {
	[SHIM_CREATE] = {handle_create, &shim_options_table},
	[SHIM_START] = {handle_start, NULL},
	[SHIM_ATTACH] = {handle_attach, &shim_attach_table},
	[SHIM_EXEC] = {handle_exec, &shim_exec_table},
	[SHIM_RESIZE] = {handle_resize, &shim_target_table},
	[SHIM_KILL] = {handle_kill, &shim_target_table},
	[SHIM_PAUSE] = {handle_pause, NULL},
	[SHIM_RESUME] = {handle_resume, NULL},
	[SHIM_UPDATE] = {handle_update, NULL},
	[SHIM_STATE] = {handle_state, NULL},
	[SHIM_WATCH] = {handle_watch, NULL},
	[SHIM_CLOSE_STDIN] = {handle_close_stdin, &shim_target_table},
	[SHIM_DELETE] = {handle_delete, NULL},
	[SHIM_REOPEN_LOG] = {handle_reopen_log, NULL},
	[SHIM_RELEASE] = {handle_release, &shim_target_table},
	[SHIM_EXEC_DELETE] = {handle_exec_delete, &shim_target_table},
	[SHIM_SPAWN] = {handle_spawn, &shim_spawn_table},
};

void request_handle(struct conn *c, struct shim_frame *frame)
{
	struct call q = {.k = c->k, .c = c, .frame = frame};
	const struct json_table *table = NULL;
	struct err err = ERR_INIT;
	int rc = 0;

	if ((unsigned int)frame->type >= SHIM_TYPE_COUNT || !handlers[frame->type].handle)
		rc = err_set(&err, ERR_UNSUPPORTED, "this shim (version %d) knows no request %d", SHIM_VERSION,
			     (int)frame->type);
	else
		table = handlers[frame->type].table;
	if (rc == 0 && table)
		rc = json_parse(table, frame->head, frame->head_len, 0, "request", &q.head, &err);
	if (rc < 0)
		table = NULL;	/* nothing to clear */
	else
		rc = handlers[frame->type].handle(&q, &err);
	if (q.session)
		q.reply.session = q.session->id;
	if (rc < 0)
		conn_fail(c, rc, &err);
	else if (!q.answered)
		conn_print(c, SHIM_OK, &shim_reply_table, &q.reply);
	if (q.session && !q.hold)
		session_release(q.session);
	if (q.session)
		session_take(q.session, frame->tail, frame->tail_len);
	if (table)
		json_clear(table, &q.head);
}
