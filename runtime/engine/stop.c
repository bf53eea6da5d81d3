/*
 * stop - signals, and waiting for what they bring about.
 */
#include "runtime/engine/stop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/engine/start.h"

#define STOP_TIMEOUT_S 10
#define KILL_WAIT_S    30	/* for a process that the kernel cannot end at once (disk, NFS) */

static int is_running(struct container *c, struct err *err)
{
	bool running;

	pthread_mutex_lock(&c->lock);
	running = c->rec.state.running;
	pthread_mutex_unlock(&c->lock);
	return running ? 0 : err_set(err, ERR_CONFLICT, "container %.12s is not running", c->id);
}

static int send_signal(struct container *c, int sig, struct err *err)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	int rc = keeper_get(c, &k, err);

	return rc < 0 ? rc : shim_kill(keeper_shim(k), sig, false, err);
}

/*
 * Wait for the exit after the first @exits ones. @seconds below 0: for ever. False when the time is up.
 */
static bool wait_exit(struct container *c, uint64_t exits, int64_t seconds)
{
	struct timespec end;
	bool over;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	pthread_mutex_lock(&c->lock);
	while (c->exits == exits && !c->removed && !engine_is_stopping(c->engine)) {
		if (seconds < 0)
			pthread_cond_wait(&c->changed, &c->lock);
		else if (pthread_cond_timedwait(&c->changed, &c->lock, &end) == ETIMEDOUT)
			break;
	}
	over = c->exits != exits || c->removed;
	pthread_mutex_unlock(&c->lock);
	return over;
}

/* Also ends a restart that is due: what the user stops stays stopped. */
static uint64_t mark_stopped(struct container *c)
{
	uint64_t exits;

	pthread_mutex_lock(&c->lock);
	exits = c->exits;
	c->rec.user_stopped = true;
	c->restart_pending = false;
	if (c->rec.state.restarting && !c->rec.state.running) {
		c->rec.state.restarting = false;
		str_set(&c->rec.state.status, "exited");
		(void)container_save(c, &ERR_INIT);	/* the next change writes it again */
	}
	container_changed(c);
	pthread_mutex_unlock(&c->lock);
	return exits;
}

/*
 * What is between two starts is stopped at once, under the lock that a start and the handling of an exit hold: none of them is under way then.
 * False: it runs.
 */
static bool stop_between_starts(struct container *c, bool *ret_restarting)
{
	bool running;

	pthread_mutex_lock(&c->op);
	pthread_mutex_lock(&c->lock);
	running = c->rec.state.running;
	*ret_restarting = c->restart_pending || c->rec.state.restarting;
	pthread_mutex_unlock(&c->lock);
	if (!running)
		(void)mark_stopped(c);	/* there is no exit to wait for */
	pthread_mutex_unlock(&c->op);
	return !running;
}

static int kill_and_wait(struct container *c, uint64_t exits, struct err *err)
{
	int rc = send_signal(c, SIGKILL, err);

	/* It may have ended just now: then there is nobody to signal, and its exit is on the way. */
	if (rc < 0)
		err_clear(err);
	if (!wait_exit(c, exits, KILL_WAIT_S))
		return err_set(err, ERR_INTERNAL, "container %.12s did not end within %d seconds of SIGKILL", c->id,
			       KILL_WAIT_S);
	return 0;
}

static int stop(struct container *c, int64_t timeout, struct err *err)
{
	const char *name = c->rec.config.stop_signal;
	int sig = str_empty(name) ? SIGTERM : signal_parse(name);
	uint64_t exits;

	if (c->rec.state.paused && container_unpause(c->engine, c->id, err) < 0)
		return -err->code;
	if (timeout == STOP_TIMEOUT_DEFAULT)
		timeout = c->rec.config.stop_timeout.set ? c->rec.config.stop_timeout.v : STOP_TIMEOUT_S;

	exits = mark_stopped(c);
	if (is_running(c, err) < 0) {
		err_clear(err);	/* it ended before the mark */
		return 0;
	}
	if (send_signal(c, sig < 0 ? SIGTERM : sig, err) < 0)
		err_clear(err);	/* it ended just now */
	if (wait_exit(c, exits, timeout))
		return 0;
	return kill_and_wait(c, exits, err);
}

/* Until whoever handles the exit has finished, so that what follows finds everything given back. */
static void settle(struct container *c)
{
	pthread_mutex_lock(&c->op);
	pthread_mutex_unlock(&c->op);
}

int container_stop(struct engine *e, const char *ref, int64_t timeout, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	bool restarting;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	if (stop_between_starts(c, &restarting))
		return restarting ? 0 : err_set(err, ERR_NOT_MODIFIED, "container %.12s is not running", c->id);
	rc = stop(c, timeout, err);
	if (rc >= 0) {
		settle(c);
		container_event(c, "stop", NULL, NULL);
	}
	return rc;
}

int container_restart(struct engine *e, const char *ref, int64_t timeout, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	bool restarting;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	if (!stop_between_starts(c, &restarting))
		rc = stop(c, timeout, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->op);
	rc = start_locked(c, err);
	pthread_mutex_unlock(&c->op);
	if (rc >= 0)
		container_event(c, "restart", NULL, NULL);
	return rc;
}

int container_kill(struct engine *e, const char *ref, int sig, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	char number[12];
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	rc = is_running(c, err);
	if (rc < 0)
		return rc;
	if (!sig || sig == SIGKILL) {
		rc = kill_and_wait(c, mark_stopped(c), err);
		if (rc >= 0)
			settle(c);
	} else {
		rc = send_signal(c, sig, err);
	}
	str_fmt(number, sizeof(number), "%d", sig ? sig : SIGKILL);
	if (rc >= 0)
		container_event(c, "kill", "signal", number);
	return rc;
}

int stop_for_removal(struct container *c, struct err *err)
{
	int rc = kill_and_wait(c, mark_stopped(c), err);

	if (rc >= 0)
		settle(c);
	return rc;
}

/* ---- pause ------------------------------------------------------------------------------------------------------------------------ */

static int set_paused(struct engine *e, const char *ref, bool paused, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	AUTO(keeper_put) struct keeper *k = NULL;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->op);
	rc = is_running(c, err);
	if (rc >= 0 && c->rec.state.paused == paused)
		rc = err_set(err, paused ? ERR_CONFLICT : ERR_INTERNAL, "container %.12s is %s paused", c->id,
			     paused ? "already" : "not");
	if (rc >= 0)
		rc = keeper_get(c, &k, err);
	if (rc >= 0)
		rc = paused ? shim_pause(keeper_shim(k), err) : shim_resume(keeper_shim(k), err);
	if (rc >= 0) {
		pthread_mutex_lock(&c->lock);
		c->rec.state.paused = paused;
		str_set(&c->rec.state.status, paused ? "paused" : "running");
		(void)container_save(c, &ERR_INIT);	/* recovery asks the shim */
		container_changed(c);
		pthread_mutex_unlock(&c->lock);
	}
	pthread_mutex_unlock(&c->op);
	if (rc >= 0)
		container_event(c, paused ? "pause" : "unpause", NULL, NULL);
	return rc;
}

int container_pause(struct engine *e, const char *ref, struct err *err)
{
	return set_paused(e, ref, true, err);
}

int container_unpause(struct engine *e, const char *ref, struct err *err)
{
	return set_paused(e, ref, false, err);
}

/* ---- rename ------------------------------------------------------------------------------------------------------------------------ */

int container_rename(struct engine *e, const char *ref, const char *name, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	auto_free char *old = NULL;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	if (str_empty(name))
		return err_set(err, ERR_INVALID, "neither old nor new names may be empty");
	name += *name == '/';
	rc = check_name(name, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->op);
	old = xstrdup(c->rec.name);
	rc = table_rename(e, c, name, err);
	if (rc >= 0) {
		pthread_mutex_lock(&c->lock);
		rc = container_save(c, err);
		pthread_mutex_unlock(&c->lock);
		if (rc < 0)
			(void)table_rename(e, c, old, &ERR_INIT);	/* it was free a moment ago */
	}
	pthread_mutex_unlock(&c->op);
	if (rc >= 0)
		container_event(c, "rename", "oldName", old);
	return rc;
}
