/*
 * exec - more processes in the container, each with stdio of its own
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/shim/keeper.h"

#define EXECS_MAX     4096	/* running at once */
#define EXECS_KEPT    256	/* ended, and not yet forgotten by pouchd */
#define GRACE_MS      200	/* for output that others still write when the process has ended */
#define AGENT_MS      1000	/* for a container's agent to be gone after its container */
#define EXEC_ID_BYTES 256

struct exec *exec_find(struct keeper *k, const char *id)
{
	VEC_EACH(e, &k->execs) {
		if (str_eq((*e)->id, id))
			return *e;
	}
	return NULL;
}

static void forget_exit(struct exec *e)
{
	if (e->exit.fd < 0)
		return;
	loop_del(&e->k->loop, &e->exit);
	e->exit.fd = -1;
	if (e->started.exit_fd >= 0)
		close(fd_take(&e->started.exit_fd));
}

static void exec_free(struct exec *e)
{
	struct keeper *k = e->k;

	for (size_t i = 0; i < k->execs.n; i++) {
		if (k->execs.v[i] != e)
			continue;
		VEC_DEL(&k->execs, i);
		break;
	}
	loop_cancel(&k->loop, &e->grace);
	forget_exit(e);
	io_close(&e->io);
	free(e->id);
	free(e);
}

static void drop_oldest(struct keeper *k)
{
	size_t ended = 0;
	struct exec *oldest = NULL;

	VEC_EACH(e, &k->execs) {
		if (!(*e)->reported || io_has_output(&(*e)->io))
			continue;
		ended++;
		if (!oldest || (*e)->finished < oldest->finished)
			oldest = *e;
	}
	if (ended >= EXECS_KEPT)
		exec_free(oldest);
}

static int check_request(struct keeper *k, const struct shim_exec *r, const struct shim_frame *frame, struct err *err)
{
	size_t running = 0;

	if (k->phase != PHASE_RUNNING)
		return err_set(err, ERR_CONFLICT, "container is not running");
	if (k->paused)
		return err_set(err, ERR_CONFLICT, "container is paused; unpause it before exec");
	if (str_empty(r->id) || strlen(r->id) > EXEC_ID_BYTES || !str_is_printable(r->id))
		return err_set(err, ERR_INVALID, "exec without a good id");
	if (exec_find(k, r->id))
		return err_set(err, ERR_CONFLICT, "exec '%s' was started already", r->id);
	if (str_empty(r->process))
		return err_set(err, ERR_INVALID, "exec without a process");
	if (frame->fd_count != (r->detached ? 0 : 1))
		return err_set(err, ERR_INVALID, "exec needs %s", r->detached ? "no client" : "the client's socket");
	VEC_EACH(e, &k->execs)
		running += (*e)->running;
	if (running >= EXECS_MAX)
		return err_set(err, ERR_UNAVAILABLE, "over %d exec processes in this container", EXECS_MAX);
	return 0;
}

int exec_signal(struct exec *e, int sig)
{
	const struct proc_ref ref = {.pid = e->pid, .start = e->started.start};

	if (e->exit.fd >= 0)
		return proc_ref_kill(&ref, sig);
	return kill(e->pid, sig) < 0 ? -errno : 0;	/* our child, not yet waited for */
}

static void exit_ready(struct loop_source *source, uint32_t events);

static int watch_exit(struct exec *e, struct err *err)
{
	const struct proc_ref ref = {.pid = e->pid, .start = e->started.start};
	int rc = loop_add(&e->k->loop, &e->exit, e->started.exit_fd, EPOLLIN, exit_ready);

	if (rc == 0)
		return 0;
	(void)proc_ref_kill(&ref, SIGKILL);	/* whose end nobody would see is not to go on */
	close(fd_take(&e->started.exit_fd));
	return err_sys(err, -rc, "wait for the end of process %d", e->pid);
}

/* The process runs: its terminal or the last of its pipes. */
static int start(struct exec *e, const struct shim_exec *r, struct err *err)
{
	struct io_ends ends = {{-1, -1, -1}};
	int console, rc = 0;

	/* All streams that somebody may ask for: a process without a reader gets SIGPIPE, one with /dev/null does not. */
	if (!r->tty && !r->detached)
		rc = io_open_pipes(&e->io, r->want_stdin, r->want_stdout, r->want_stderr, &ends, err);
	warden_hold(e->k);
	if (rc == 0)
		rc = e->k->runtime->exec(e->k, r, &ends, &e->started, err);
	warden_release(e->k);
	io_ends_close(&ends);
	if (rc < 0)
		return rc;
	e->pid = e->started.pid;
	console = fd_take(&e->started.console);
	if (e->started.exit_fd >= 0)
		rc = watch_exit(e, err);
	if (rc < 0) {
		if (console >= 0)
			close(console);
		return rc;
	}
	e->running = true;
	if (console >= 0 && io_open_terminal(&e->io, console, r->width, r->height, err) < 0) {
		(void)exec_signal(e, SIGKILL);
		return -EIO;
	}
	return 0;
}

int exec_run(struct keeper *k, struct conn *conn, struct shim_exec *r, struct shim_frame *frame,
	     struct session **ret_session, pid_t *ret_pid, struct err *err)
{
	const struct session_options options = {
		.want_stdin = r->want_stdin,
		.want_stdout = r->want_stdout,
		.want_stderr = r->want_stderr,
		.no_detach = r->no_detach,
		.detach_keys = r->detach_keys,
	};
	struct exec *e;
	int rc;

	drop_oldest(k);
	rc = check_request(k, r, frame, err);
	if (rc == 0 && !r->detached)
		rc = session_check(frame->fds[0], &options, err);
	if (rc < 0)
		return rc;
	e = xcalloc(1, sizeof(*e));
	e->k = k;
	e->id = xstrdup(r->id);
	e->exit.fd = e->started.console = e->started.exit_fd = -1;
	io_init(&e->io, k, e);
	e->io.close_in_with_client = r->want_stdin && !r->tty;
	VEC_PUSH(&k->execs, e);
	rc = start(e, r, err);
	if (rc < 0 && !e->running)
		exec_free(e);
	if (rc < 0)
		return rc;
	*ret_pid = e->pid;
	if (!r->detached)
		*ret_session = session_open(&e->io, conn, fd_take(&frame->fds[0]), &options);
	return 0;
}

/* Its client has all it will get; others may keep the pipes open, and write into nothing. */
static void report(struct exec *e)
{
	const struct shim_event event = {
		.kind = SHIM_EVENT_EXEC_EXIT,
		.time = e->finished,
		.exec = e->id,
		.pid = e->pid,
		.exit_code = e->exit_code,
	};

	if (e->reported)
		return;
	e->reported = true;
	loop_cancel(&e->k->loop, &e->grace);
	keeper_tell(e->k, &event);
	while (e->io.sessions.n)
		session_end(e->io.sessions.v[e->io.sessions.n - 1], SHIM_END_EXIT);
}

static void grace_over(struct loop_timer *timer)
{
	report(container_of(timer, struct exec, grace));
}

void exec_io_ended(struct exec *e)
{
	if (!e->running && e->pid)
		report(e);
}

static void ended(struct exec *e, int status)
{
	e->running = false;
	e->exit_code = proc_exit_code(status);
	e->finished = time_now_ns();
	if (!io_has_output(&e->io)) {
		report(e);
		return;
	}
	loop_after(&e->k->loop, &e->grace, GRACE_MS, grace_over);
	io_drain(&e->io);
}

/* The process was the child of the container's agent, which tells, or is gone. */
static void take_exit(struct exec *e)
{
	struct oci_exec_started started = e->started;

	loop_del(&e->k->loop, &e->exit);
	e->exit.fd = e->started.exit_fd = -1;
	ended(e, oci_exec_status(&started));
}

static void exit_ready(struct loop_source *source, uint32_t events)
{
	take_exit(container_of(source, struct exec, exit));
}

bool exec_reap(struct keeper *k, pid_t pid, int status)
{
	VEC_EACH(at, &k->execs) {
		struct exec *e = *at;

		if (e->pid != pid || !e->running || e->exit.fd >= 0)
			continue;
		ended(e, status);
		return true;
	}
	return false;
}

void exec_end_all(struct keeper *k)
{
	for (size_t i = k->execs.n; i > 0; i--) {
		struct exec *e = k->execs.v[i - 1];
		struct pollfd p = {.fd = e->exit.fd, .events = POLLIN};	/* the agent died with the container, or just now */

		if (e->running && e->exit.fd >= 0 && poll(&p, 1, AGENT_MS) > 0)
			take_exit(e);
		if (!e->running)
			report(e);
	}
}

int exec_forget(struct keeper *k, const char *id, struct err *err)
{
	struct exec *e = exec_find(k, id);

	if (!e)
		return err_set(err, ERR_NOT_FOUND, "no such exec: %s", id ? id : "");
	if (e->running || !e->reported)
		return err_set(err, ERR_CONFLICT, "exec '%s' is running", id);
	exec_free(e);
	return 0;
}
