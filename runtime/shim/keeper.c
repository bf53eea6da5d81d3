/*
 * keeper - one container from its creation to the end of its last trace
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/kernel/cgroup.h"
#include "runtime/shim/keeper.h"
#include "runtime/shim/memory.h"
#include "runtime/shim/shim.h"

#ifndef PR_SET_CHILD_SUBREAPER
#define PR_SET_CHILD_SUBREAPER 36
#endif

#define STRAYS_MS 2000	/* for output of processes that outlive the first, after SIGKILL */
#define IDLE_MS	  300	/* then memory is given back */
#define NO_FILES_MS 50	/* between two attempts to accept a connection */

/* ---- memory ------------------------------------------------------------------------------------------------------------ */

char *keeper_scratch(struct keeper *k)
{
	if (k->scratch)
		return k->scratch;
	k->scratch = mmap(NULL, SCRATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (k->scratch == MAP_FAILED)
		abort();
	return k->scratch;
}

static void idle(struct loop_timer *timer)
{
	struct keeper *k = container_of(timer, struct keeper, idle);

	if (k->scratch)
		munmap(k->scratch, SCRATCH_BYTES);
	k->scratch = NULL;
	if (k->log)
		log_writer_trim(k->log);
	memory_trim();
	k->loop.at_rest = true;
}

static void not_idle(struct keeper *k)
{
	if (!k->idle.at_ms)
		loop_after(&k->loop, &k->idle, IDLE_MS, idle);
}

/* ---- the log ----------------------------------------------------------------------------------------------------------- */

void keeper_log(struct keeper *k, enum log_stream stream, const void *data, size_t len)
{
	const struct log_counts *counts;
	struct shim_event event = {.kind = SHIM_EVENT_LOG_ERROR};

	not_idle(k);
	if (!k->log)
		return;
	event.time = time_now_ns();
	log_writer_add(k->log, stream, data, len, event.time);
	counts = log_writer_counts(k->log);
	if (counts->last_error && !k->log_failing) {
		event.error = xfmt("write log: %s", strerror(counts->last_error));
		keeper_tell(k, &event);
		free(event.error);
	}
	k->log_failing = counts->last_error != 0;
}

/* ---- the end ----------------------------------------------------------------------------------------------------------- */

bool keeper_is_done(const struct keeper *k)
{
	if (k->conns.n || k->sessions.n)
		return false;
	return k->phase == PHASE_EMPTY || k->phase == PHASE_STOPPED;
}

static int write_exit(struct keeper *k, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	if (str_empty(k->options.exit_file))
		return 0;
	json_print(&shim_exit_table, &k->exit, 0, &text);
	return file_replace(AT_FDCWD, k->options.exit_file, text.data, text.len, 0600,
			    k->options.sync_exit ? FILE_SYNC : FILE_NO_SYNC, err);
}

static void note_error(struct keeper *k, const char *what, const struct err *err)
{
	char *text = xfmt("%s%s%s: %s", k->exit.error ? k->exit.error : "", k->exit.error ? "; " : "", what, err->msg);

	free(k->exit.error);
	k->exit.error = text;
}

static void answer_deletes(struct keeper *k)
{
	static const struct shim_reply nothing;

	for (size_t i = k->conns.n; i > 0; i--)
		if (k->conns.v[i - 1]->waits)
			conn_print(k->conns.v[i - 1], SHIM_OK, &shim_reply_table, &nothing);
	conn_close_all(k);
}

static void forget_listener(struct keeper *k)
{
	auto_free char *path = path_join(k->dir, "shim.sock");
	int fd = k->listener.fd;

	if (fd < 0)
		return;
	loop_cancel(&k->loop, &k->no_files);
	loop_del(&k->loop, &k->listener);
	close(fd);
	(void)unlink(path);	/* the directory may be gone */
}

static void remove_container(struct keeper *k)
{
	struct err err = ERR_INIT;

	loop_del(&k->loop, &k->oom);
	warden_end(k);
	if (k->runtime && k->runtime->remove(k, &err) < 0)
		note_error(k, "remove container", &err);
}

static void end_io(struct keeper *k)
{
	while (k->io.sessions.n)
		session_end(k->io.sessions.v[k->io.sessions.n - 1], SHIM_END_EXIT);
	io_close(&k->io);
}

/* All output was read. On disk first, then the news, then the cleaning. */
static void finish(struct keeper *k)
{
	struct shim_event event = {.kind = SHIM_EVENT_EXIT, .exit = &k->exit};
	struct err err = ERR_INIT;

	if (k->phase != PHASE_EXITED)
		return;
	k->phase = PHASE_STOPPED;
	loop_cancel(&k->loop, &k->grace);
	if (k->log) {
		log_writer_end(k->log, LOG_STDOUT, k->exit.finished);	/* of streams that strays held open */
		log_writer_end(k->log, LOG_STDERR, k->exit.finished);
		k->exit.log_dropped = log_writer_counts(k->log)->dropped_records;
	}
	if (write_exit(k, &err) < 0)
		note_error(k, "keep exit status", &err);
	event.time = k->exit.finished;
	keeper_tell(k, &event);
	end_io(k);
	remove_container(k);
	exec_end_all(k);
	if (k->deleted)
		answer_deletes(k);
	keeper_check(k);
}

void keeper_io_ended(struct keeper *k)
{
	if (k->phase == PHASE_EXITED)
		finish(k);
}

static void strays_over(struct loop_timer *timer)
{
	finish(container_of(timer, struct keeper, grace));
}

static void note_oom(struct keeper *k)
{
	const struct shim_event event = {.kind = SHIM_EVENT_OOM, .time = time_now_ns()};

	k->exit.oom_killed = true;
	keeper_tell(k, &event);
}

static void container_exited(struct keeper *k, int status)
{
	struct err ignored = ERR_INIT;	/* strays are killed again when the cgroup is removed */
	struct cgroup *group = k->runtime->cgroup(k);
	bool started = k->phase == PHASE_RUNNING;

	warden_hold(k);	/* what is left shall end, not stand still */
	k->phase = PHASE_EXITED;
	k->paused = false;
	k->exit.pid = k->pid;
	k->exit.exit_code = proc_exit_code(status);
	k->exit.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	k->exit.finished = time_now_ns();
	k->exit.oom_killed |= group && cgroup_oom_killed(group);
	if (k->exit.signal == SIGKILL && !k->killed && !k->exit.oom_killed && group && cgroup_oom_suspected(group))
		note_oom(k);
	k->pid = 0;
	/* A private pid namespace ends with its first process; in a shared one others may live and hold the pipes. */
	io_drain(&k->io);
	if (!io_has_output(&k->io) || !started) {
		finish(k);
		return;
	}
	(void)k->runtime->kill(k, SIGKILL, true, &ignored);
	loop_after(&k->loop, &k->grace, STRAYS_MS, strays_over);
}

/* ---- signals ----------------------------------------------------------------------------------------------------------- */

static void reap(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		not_idle(k);
		if (pid == k->pid)
			container_exited(k, status);
		else if (warden_reap(k, pid))
			continue;
		else
			(void)exec_reap(k, pid, status);	/* else an orphan that came to the subreaper */
	}
}

static void terminate(struct keeper *k)
{
	struct err ignored = ERR_INIT;	/* nobody to tell: the exit status says what came of it */

	if (k->phase != PHASE_CREATED && k->phase != PHASE_RUNNING)
		return;
	k->killed = true;
	warden_hold(k);
	(void)k->runtime->kill(k, SIGKILL, true, &ignored);
}

static void signals_ready(struct loop_source *source, uint32_t events)
{
	struct keeper *k = container_of(source, struct keeper, signals);
	struct signalfd_siginfo info;

	while (read(source->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo == SIGTERM)
			terminate(k);
	reap(k);
}

/* Not SIG_IGN, which the container would inherit. */
static void interrupted(int sig)
{
}

static int open_signals(struct keeper *k, struct err *err)
{
	static const int without_effect[] = {SIGPIPE, SIGHUP, SIGINT, SIGQUIT, SIGXFSZ, SIGUSR1, SIGUSR2};
	struct sigaction action = {.sa_handler = interrupted, .sa_flags = SA_RESTART};
	sigset_t mask;
	int fd, rc;

	for (size_t i = 0; i < ARRAY_SIZE(without_effect); i++)
		sigaction(without_effect[i], &action, NULL);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(err, errno, "signalfd");
	rc = loop_add(&k->loop, &k->signals, fd, EPOLLIN, signals_ready);
	return rc < 0 ? err_sys(err, -rc, "wait for signals") : 0;
}

/* ---- life -------------------------------------------------------------------------------------------------------------- */

static void oom_ready(struct loop_source *source, uint32_t events)
{
	struct keeper *k = container_of(source, struct keeper, oom);
	struct cgroup *group = k->runtime ? k->runtime->cgroup(k) : NULL;

	if (!group) {
		loop_del(&k->loop, source);
		return;
	}
	if (cgroup_oom_read(group))
		note_oom(k);
}

static void watch_oom(struct keeper *k)
{
	struct cgroup *group = k->runtime->cgroup(k);
	struct err ignored = ERR_INIT;	/* no notice here: the counters are read at the exit */
	int fd = group ? cgroup_oom_fd(group, &ignored) : -1;

	if (fd >= 0)
		(void)loop_add(&k->loop, &k->oom, fd, EPOLLIN, oom_ready);	/* as above */
}

static void undo_create(struct keeper *k)
{
	end_io(k);
	remove_container(k);
	log_writer_free(k->log);
	k->log = NULL;
	k->pid = 0;
	k->phase = PHASE_EMPTY;
}

static int open_stdio(struct keeper *k, struct io_ends *ends, struct err *err)
{
	const struct shim_options *o = &k->options;

	*ends = (struct io_ends){{-1, -1, -1}};
	k->io.close_in_with_client = o->stdin_once && !o->tty;
	if (o->tty)
		return 0;
	return io_open_pipes(&k->io, o->open_stdin, true, true, ends, err);
}

int keeper_make_container(struct keeper *k, struct shim_options *options, struct err *err)
{
	struct io_ends ends;
	int console = -1, rc;

	if (k->phase != PHASE_EMPTY || k->runtime)
		return err_set(err, ERR_CONFLICT, "this shim has a container already");
	if (str_empty(options->id) || str_empty(options->bundle))
		return err_set(err, ERR_INVALID, "shim options lack id or bundle");
	k->options = *options;
	*options = (struct shim_options){0};	/* taken */
	k->runtime = str_empty(k->options.runtime) ? &runtime_oci : &runtime_other;
	rc = log_writer_open(&k->options.log, &k->log, err);
	if (rc == 0)
		rc = open_stdio(k, &ends, err);
	if (rc == 0) {
		rc = k->runtime->create(k, &ends, &k->pid, &console, err);
		io_ends_close(&ends);
	}
	if (rc == 0)
		rc = warden_follow(k, err);
	if (rc < 0 && console >= 0)
		close(console);
	if (rc == 0 && console >= 0)
		rc = io_open_terminal(&k->io, console, k->options.width, k->options.height, err);
	if (rc < 0) {
		undo_create(k);
		return rc;
	}
	k->phase = PHASE_CREATED;
	watch_oom(k);
	return 0;
}

int keeper_start(struct keeper *k, struct err *err)
{
	int rc;

	if (k->phase != PHASE_CREATED)
		return err_set(err, ERR_CONFLICT, "container is not in the state created");
	k->exit.started = time_now_ns();
	rc = k->runtime->start(k, err);
	if (rc < 0) {
		undo_create(k);
		return rc;
	}
	k->phase = PHASE_RUNNING;
	not_idle(k);
	return 0;
}

int keeper_delete_container(struct keeper *k, struct conn *c, struct err *err)
{
	if (k->phase == PHASE_RUNNING)
		return err_set(err, ERR_CONFLICT, "container is running");
	k->deleted = true;
	c->waits = true;
	forget_listener(k);
	if (k->phase == PHASE_CREATED)
		undo_create(k);
	if (k->phase != PHASE_EXITED)
		answer_deletes(k);
	return 0;
}

static void orphan(struct loop_timer *timer)
{
	undo_create(container_of(timer, struct keeper, orphan));
}

void keeper_check(struct keeper *k)
{
	if (k->conns.n)
		loop_cancel(&k->loop, &k->orphan);
	else if (k->phase == PHASE_CREATED && !k->orphan.at_ms)
		loop_after(&k->loop, &k->orphan, SHIM_ORPHAN_S * 1000, orphan);
}

/* ---- state ------------------------------------------------------------------------------------------------------------- */

void keeper_state(struct keeper *k, struct shim_state *ret)
{
	static const char *const names[] = {
		[PHASE_EMPTY] = "empty",     [PHASE_CREATED] = "created", [PHASE_RUNNING] = "running",
		[PHASE_EXITED] = "running",  [PHASE_STOPPED] = "stopped",
	};

	ret->version = SHIM_VERSION;
	ret->shim_pid = getpid();
	ret->status = xstrdup(k->paused ? "paused" : names[k->phase]);
	ret->pid = k->pid;
	ret->oom_killed = k->exit.oom_killed;
	ret->started = k->exit.started;
	ret->clients = (uint32_t)k->sessions.n;
	if (k->phase == PHASE_STOPPED) {
		ret->exit = xcalloc(1, sizeof(*ret->exit));
		json_copy(&shim_exit_table, ret->exit, &k->exit);
	}
	VEC_EACH(e, &k->execs) {
		struct shim_exec_state *s = VEC_ADD(&ret->execs);

		s->id = xstrdup((*e)->id);
		s->pid = (*e)->pid;
		s->running = !(*e)->reported;
		s->exit_code = (*e)->exit_code;
		s->finished = (*e)->finished;
	}
	if (k->log) {
		const struct log_counts *counts = log_writer_counts(k->log);

		ret->log_records = counts->records;
		ret->log_dropped = counts->dropped_records;
		ret->log_errors = counts->errors;
		if (counts->last_error)
			ret->log_error = xstrdup(strerror(counts->last_error));
	}
}

/* ---- opening ----------------------------------------------------------------------------------------------------------- */

static void listen_again(struct loop_timer *timer)
{
	struct keeper *k = container_of(timer, struct keeper, no_files);

	loop_set(&k->loop, &k->listener, EPOLLIN);
}

static void listener_ready(struct loop_source *source, uint32_t events)
{
	struct keeper *k = container_of(source, struct keeper, listener);
	int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		loop_set(&k->loop, source, 0);	/* out of fds: the client waits, the container does not */
		loop_after(&k->loop, &k->no_files, NO_FILES_MS, listen_again);
	}
	if (fd >= 0 && conn_open(k, fd))
		keeper_check(k);
	not_idle(k);
}

int keeper_init(struct keeper *k, const char *id, const char *dir, const char *left, struct err *err)
{
	enum { CONTROL_FD = SHIM_FIRST_FD, LISTEN_FD };
	AUTO(strv_clear) struct strv kinds = {0};
	int rc;

	*k = (struct keeper){.id = xstrdup(id), .dir = xstrdup(dir)};
	k->signals.fd = k->listener.fd = k->oom.fd = k->warden.fd = -1;
	io_init(&k->io, k, NULL);
	if (left)
		strv_split(&kinds, left, ",", true);
	rc = share_mask(&kinds, &k->left, err);
	if (rc == 0)
		rc = loop_open(&k->loop, err);
	if (rc == 0)
		rc = open_signals(k, err);
	if (rc < 0)
		return rc;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);	/* 3.4; without it orphans go to the host's init */
	(void)fd_set_cloexec(CONTROL_FD, true);			/* both are checked next */
	(void)fd_set_cloexec(LISTEN_FD, true);
	(void)fd_set_nonblock(LISTEN_FD, true);
	rc = loop_add(&k->loop, &k->listener, LISTEN_FD, EPOLLIN, listener_ready);
	if (rc < 0)
		return err_sys(err, -rc, "wait for the listening socket (fd %d)", LISTEN_FD);
	if (!conn_open(k, CONTROL_FD))
		return err_set(err, ERR_INVALID, "no control connection (fd %d)", CONTROL_FD);
	return 0;
}
