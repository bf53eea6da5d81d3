/*
 * exec - the table of further processes in containers.
 */
#include "runtime/engine/exec.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "runtime/api/stream.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/engine/spec.h"

#define EXECS_KEPT	    1024	/* ended ones, of all containers */
#define EXIT_NOT_EXECUTABLE 126

enum exec_state { EXEC_CREATED, EXEC_STARTING, EXEC_RUNNING, EXEC_ENDED };

struct exec {
	atomic_int refs;
	char id[65];
	struct container *container;
	struct api_exec_create create;
	enum exec_state state;	/* from here on under the table's lock */
	int exit_code;
	pid_t pid;
};

struct exec_table {
	pthread_mutex_t lock;
	VEC(struct exec *) list;	/* oldest first */
};

struct exec_table *exec_table_new(void)
{
	struct exec_table *t = xcalloc(1, sizeof(*t));

	pthread_mutex_init(&t->lock, NULL);
	return t;
}

static void exec_put(struct exec *x)
{
	if (!x || atomic_fetch_sub(&x->refs, 1) > 1)
		return;
	json_clear(&api_exec_create_table, &x->create);
	container_put(x->container);
	free(x);
}
DEFINE_AUTO(exec_put, struct exec *)

void exec_table_free(struct exec_table *t)
{
	VEC_EACH(p, &t->list)
		exec_put(*p);
	VEC_FREE(&t->list);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static int find(struct engine *e, const char *id, struct exec **ret, struct err *err)
{
	struct exec_table *t = e->execs;
	struct exec *found = NULL;

	pthread_mutex_lock(&t->lock);
	VEC_EACH(p, &t->list) {
		if (!strcmp((*p)->id, id))
			found = *p;
	}
	if (found)
		atomic_fetch_add(&found->refs, 1);
	pthread_mutex_unlock(&t->lock);
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "no such exec instance: %.80s: not found", id);
	*ret = found;
	return 0;
}

/* Ended ones go when there are too many, the oldest first. With the lock held. */
static void prune(struct exec_table *t)
{
	size_t ended = 0;

	VEC_EACH(p, &t->list)
		ended += (*p)->state == EXEC_ENDED || (*p)->state == EXEC_CREATED;
	for (size_t i = 0; i < t->list.n && ended > EXECS_KEPT; i++) {
		struct exec *x = t->list.v[i];

		if (x->state != EXEC_ENDED && x->state != EXEC_CREATED)
			continue;
		vec_del(&t->list, i--, sizeof(t->list.v[0]));
		ended--;
		exec_put(x);
	}
}

int exec_create(struct engine *e, const char *ref, const struct api_exec_create *create, char **ret_id,
		struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	struct exec *x;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	if (!create->cmd.n || !*create->cmd.v[0])
		return err_set(err, ERR_INVALID, "no exec command specified");
	if (!str_empty(create->working_dir) && *create->working_dir != '/')
		return err_set(err, ERR_INVALID, "working directory '%s' is not an absolute path", create->working_dir);
	rc = check_terminal(create->tty, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->lock);
	if (!c->rec.state.running)
		rc = err_set(err, ERR_CONFLICT, "container %.12s is not running", c->id);
	else if (c->rec.state.paused)
		rc = err_set(err, ERR_CONFLICT, "container %.12s is paused, unpause the container before exec", c->id);
	pthread_mutex_unlock(&c->lock);
	if (rc < 0)
		return rc;

	x = xcalloc(1, sizeof(*x));
	x->refs = 2;	/* the table's, and until the end of this function */
	random_id(x->id);
	x->container = take(c);
	json_copy(&api_exec_create_table, &x->create, create);
	pthread_mutex_lock(&e->execs->lock);
	prune(e->execs);
	VEC_PUSH(&e->execs->list, x);
	pthread_mutex_unlock(&e->execs->lock);
	container_event(x->container, "exec_create", "execID", x->id);
	*ret_id = xstrdup(x->id);
	exec_put(x);
	return 0;
}

int exec_start_check(struct engine *e, const char *id, bool *ret_tty, struct err *err)
{
	AUTO(exec_put) struct exec *x = NULL;
	int rc = find(e, id, &x, err);

	if (rc < 0)
		return rc;
	*ret_tty = x->create.tty;
	if (x->state != EXEC_CREATED)
		return err_set(err, ERR_CONFLICT, "exec %.12s has already run", id);
	if (!x->container->rec.state.running)
		return err_set(err, ERR_CONFLICT, "container %.12s is not running", x->container->id);
	return 0;
}

static void set_state(struct engine *e, struct exec *x, enum exec_state state, pid_t pid, int exit_code)
{
	pthread_mutex_lock(&e->execs->lock);
	/* Its end may have been heard of before its start was answered. */
	if (x->state != EXEC_ENDED) {
		x->state = state;
		x->exit_code = exit_code;
	}
	if (pid > 0)
		x->pid = pid;
	pthread_mutex_unlock(&e->execs->lock);
}

/* The client is past HTTP: what went wrong is said in the stream, as docker does. */
static void say(int sock, bool tty, const char *message)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	auto_free char *line = xfmt("%s\r\n", message);

	if (!tty) {
		uint8_t head[API_FRAME_HEAD];

		api_frame_head(head, API_STREAM_STDERR, (uint32_t)strlen(line));
		buf_add(&b, head, sizeof(head));
	}
	buf_str(&b, line);
	(void)fd_write_all(sock, b.data, b.len);	/* a client that is gone does not need it */
}

static int run(struct engine *e, struct exec *x, const struct api_exec_start *start, const char *early,
	       size_t early_len, int sock, struct err *err)
{
	AUTO(oci_process_clear) struct oci_process process = {0};
	AUTO(keeper_put) struct keeper *k = NULL;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct shim_exec request = {
		.id = x->id,
		.tty = x->create.tty,
		.want_stdin = x->create.attach_stdin,
		.want_stdout = x->create.attach_stdout || x->create.tty,
		.want_stderr = x->create.attach_stderr && !x->create.tty,
		.detach_keys = str_empty(x->create.detach_keys) ? NULL : x->create.detach_keys,
		.detached = sock < 0,
	};
	pid_t pid = 0;
	int rc = keeper_get(x->container, &k, err);

	if (rc >= 0)
		rc = spec_exec_process(e, x->container, &x->create, &process, err);
	if (rc < 0)
		return rc;
	(void)api_console_size(start->console_size ? start->console_size : x->create.console_size, &request.height,
			       &request.width);	/* 0: not known */
	json_print(&oci_process_table, &process, 0, &text);
	request.process = text.data;
	rc = shim_exec(keeper_shim(k), &request, sock, early, early_len, &pid, NULL, err);
	if (rc >= 0)
		set_state(e, x, EXEC_RUNNING, pid, 0);
	return rc;
}

int exec_start(struct engine *e, const char *id, const struct api_exec_start *start, const char *early,
	       size_t early_len, int sock, struct err *err)
{
	AUTO(exec_put) struct exec *x = NULL;
	auto_fd int owned = sock;
	bool mine;
	int rc = find(e, id, &x, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&e->execs->lock);
	mine = x->state == EXEC_CREATED;
	if (mine)
		x->state = EXEC_STARTING;
	pthread_mutex_unlock(&e->execs->lock);
	if (!mine)
		return err_set(err, ERR_CONFLICT, "exec %.12s has already run", id);

	container_event(x->container, "exec_start", "execID", x->id);
	rc = run(e, x, start, early, early_len, sock, err);
	if (rc < 0) {
		set_state(e, x, EXEC_ENDED, 0, EXIT_NOT_EXECUTABLE);	/* pouch's one status for both */
		if (err->kind == ERR_NOT_FOUND || err->kind == ERR_FORBIDDEN)
			err->kind = ERR_INVALID;
		if (sock >= 0)
			say(sock, x->create.tty, err->msg);
		container_event(x->container, "exec_die", "execID", x->id);
	}
	return rc;
}

void exec_ended(struct engine *e, const char *id, int exit_code)
{
	AUTO(exec_put) struct exec *x = NULL;

	if (!id || find(e, id, &x, &ERR_INIT) < 0)
		return;
	set_state(e, x, EXEC_ENDED, 0, exit_code);
	container_event(x->container, "exec_die", "execID", x->id);
}

void exec_all_ended(struct engine *e, const char *container_id)
{
	pthread_mutex_lock(&e->execs->lock);
	VEC_EACH(p, &e->execs->list) {
		if (strcmp((*p)->container->id, container_id) || (*p)->state == EXEC_ENDED)
			continue;
		(*p)->state = EXEC_ENDED;
		(*p)->exit_code = 137;
	}
	pthread_mutex_unlock(&e->execs->lock);
}

void exec_forget_all(struct engine *e, const char *container_id)
{
	struct exec_table *t = e->execs;

	pthread_mutex_lock(&t->lock);
	for (size_t i = 0; i < t->list.n; i++) {
		struct exec *x = t->list.v[i];

		if (strcmp(x->container->id, container_id))
			continue;
		vec_del(&t->list, i--, sizeof(t->list.v[0]));
		exec_put(x);
	}
	pthread_mutex_unlock(&t->lock);
}

void exec_list(struct engine *e, const char *container_id, struct strv *ret)
{
	pthread_mutex_lock(&e->execs->lock);
	VEC_EACH(p, &e->execs->list) {
		if (!strcmp((*p)->container->id, container_id) && (*p)->state == EXEC_RUNNING)
			strv_add(ret, (*p)->id);
	}
	pthread_mutex_unlock(&e->execs->lock);
}

int exec_inspect(struct engine *e, const char *id, struct api_exec *ret, struct err *err)
{
	AUTO(exec_put) struct exec *x = NULL;
	int rc = find(e, id, &x, err);

	if (rc < 0)
		return rc;
	str_set(&ret->id, x->id);
	str_set(&ret->container_id, x->container->id);
	str_set(&ret->detach_keys, x->create.detach_keys);
	str_set(&ret->process_config.user, x->create.user);
	str_set(&ret->process_config.entrypoint, x->create.cmd.v[0]);
	for (size_t i = 1; i < x->create.cmd.n; i++)
		strv_add(&ret->process_config.arguments, x->create.cmd.v[i]);
	ret->process_config.tty = x->create.tty;
	ret->process_config.privileged = x->create.privileged;
	ret->open_stdin = x->create.attach_stdin;
	ret->open_stdout = x->create.attach_stdout;
	ret->open_stderr = x->create.attach_stderr;
	pthread_mutex_lock(&e->execs->lock);
	ret->running = x->state == EXEC_RUNNING || x->state == EXEC_STARTING;
	ret->pid = x->pid;
	if (x->state == EXEC_ENDED)
		ret->exit_code = (struct opt_i64){true, x->exit_code};
	pthread_mutex_unlock(&e->execs->lock);
	return 0;
}

int exec_resize(struct engine *e, const char *id, uint32_t rows, uint32_t cols, struct err *err)
{
	AUTO(exec_put) struct exec *x = NULL;
	AUTO(keeper_put) struct keeper *k = NULL;
	int rc = find(e, id, &x, err);

	if (rc >= 0)
		rc = keeper_get(x->container, &k, err);
	return rc < 0 ? rc : shim_resize(keeper_shim(k), x->id, cols, rows, err);
}
