/*
 * exit - what follows the end of a container: status, cleaning up, restart or removal.
 */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "runtime/engine/exec.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/engine/monitor.h"
#include "runtime/engine/remove.h"
#include "runtime/engine/restart.h"
#include "runtime/engine/start.h"

#define EXIT_LOST 255	/* its shim died, or the host restarted: nobody knows */

static void take_status(struct container *c, const struct shim_exit *exit)
{
	struct api_container_state *st = &c->rec.state;

	st->exit_code = exit ? exit->exit_code : EXIT_LOST;
	st->oom_killed = exit && exit->oom_killed;
	st->finished_at = exit && exit->finished ? exit->finished : time_now_ns();
	if (exit && exit->started)
		st->started_at = exit->started;
	str_set(&st->error, exit ? exit->error : "its shim is gone and left no exit status");
	str_set(&st->status, c->rec.user_stopped ? "stopped" : "exited");
	st->running = st->paused = st->restarting = false;
	st->exited = true;
	st->pid = 0;
	c->exits++;
}

void container_exited(struct container *c, uint64_t generation, const struct shim_exit *exit)
{
	struct shim_exit on_disk = {0};
	auto_free char *exit_file = container_path(c, "exit.json");
	struct err err = ERR_INIT;
	char code[12];
	bool restart;

	pthread_mutex_lock(&c->op);
	pthread_mutex_lock(&c->lock);
	if (c->generation != generation || c->phase != PHASE_RUNNING) {
		pthread_mutex_unlock(&c->lock);
		pthread_mutex_unlock(&c->op);
		return;
	}
	if (!exit && shim_exit_read(exit_file, &on_disk, &err) == 0)
		exit = &on_disk;
	take_status(c, exit);
	restart = restart_is_wanted(c);
	if (restart) {
		c->rec.state.restarting = true;
		str_set(&c->rec.state.status, "restarting");
	}
	container_changed(c);
	pthread_mutex_unlock(&c->lock);

	err_clear(&err);
	if (start_release(c, &err) < 0)
		engine_warn(c->engine, "container %.12s: after its end: %s", c->id, err.msg);
	exec_all_ended(c->engine, c->id);

	str_fmt(code, sizeof(code), "%lld", (long long)c->rec.state.exit_code);
	container_event(c, "die", "exitCode", code);

	err_clear(&err);
	pthread_mutex_lock(&c->lock);
	c->phase = PHASE_IDLE;
	if (!c->rec.host.auto_remove) {
		if (container_save(c, &err) < 0)
			engine_warn(c->engine, "%s", err.msg);
		else
			(void)unlink(exit_file);	/* its content is in the record now */
	}
	pthread_mutex_unlock(&c->lock);

	if (c->rec.host.auto_remove && remove_locked(c, true, &err) < 0)
		engine_warn(c->engine, "%s", err.msg);
	pthread_mutex_unlock(&c->op);
	json_clear(&shim_exit_table, &on_disk);
	if (restart)
		restart_schedule(c);
}
