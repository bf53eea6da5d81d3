/*
 * cgroup_freeze.c - stop all tasks of a group: v1 freezer, v2 cgroup.freeze, or SIGSTOP where there is neither
 *
 * What SIGSTOP loses: the container's own parent processes see their children stop (WUNTRACED), and SIGCONT from inside ends it.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/kernel/cgroup_internal.h"

enum { FREEZE_MS = 10000 };

enum freezer { FREEZER_V1, FREEZER_V2, FREEZER_SIGNALS };

static enum freezer which(const struct cgroup *cg)
{
	int v2 = cg->host.unified;

	if (!hidden("freezer") && cgroup_serving(cg, CTL_FREEZER) >= 0)
		return FREEZER_V1;
	if (!hidden("freezer") && v2 >= 0 && cg->joined[v2] && cg->host.mode == CGROUP_V2) {
		auto_free char *file = cgroup_file(cg, v2, "cgroup.freeze");

		if (access(file, W_OK) == 0)
			return FREEZER_V2;
	}
	return FREEZER_SIGNALS;
}

static void nap(long *us)
{
	struct timespec pause = {.tv_nsec = *us * 1000};

	nanosleep(&pause, NULL);
	if (*us < 10000)
		*us *= 2;
}

/* State of a process as /proc says: 'R', 'S', 'T', ...; 0 when it is gone. */
static char task_state(pid_t pid)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err ignored;
	const char *paren;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(-1, path, 4096, &text, &ignored) < 0)
		return 0;
	paren = strrchr(buf_cstr(&text), ')');
	return paren && paren[1] == ' ' ? paren[2] : 0;
}

static bool all_stopped(const pid_vec *pids)
{
	VEC_EACH(pid, pids) {
		char state = task_state(*pid);

		if (state && !strchr("TtZX", state))
			return false;
	}
	return true;
}

static int read_state(const struct cgroup *cg, enum freezer kind, bool *ret, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(pid_vec_clear) pid_vec pids = {0};
	uint64_t frozen = 0;
	int rc;

	switch (kind) {
	case FREEZER_V1:
		rc = cgroup_read(cg, cgroup_serving(cg, CTL_FREEZER), "freezer.state", &text, err);
		*ret = rc >= 0 && strcmp(buf_cstr(&text), "FROZEN") == 0;
		return rc;
	case FREEZER_V2:
		rc = cgroup_read_key(cg, cg->host.unified, "cgroup.events", "frozen", &frozen);
		*ret = frozen;
		return rc < 0 ? err_sys(err, -rc, "read state of cgroup '%s'", cg->path) : 0;
	case FREEZER_SIGNALS:
		rc = cgroup_pids(cg, &pids, err);
		*ret = rc >= 0 && pids.n && all_stopped(&pids);
		return rc;
	}
	return 0;
}

static int ask(const struct cgroup *cg, enum freezer kind, bool freeze, struct err *err)
{
	auto_free char *path = NULL;

	if (kind == FREEZER_SIGNALS)
		return cgroup_kill(cg, freeze ? SIGSTOP : SIGCONT, err);
	path = kind == FREEZER_V1 ? cgroup_file(cg, cgroup_serving(cg, CTL_FREEZER), "freezer.state") :
				    cgroup_file(cg, cg->host.unified, "cgroup.freeze");
	if (kind == FREEZER_V1)
		return file_put(-1, path, freeze ? "FROZEN" : "THAWED", err);
	return file_put(-1, path, freeze ? "1" : "0", err);
}

int cgroup_freeze(struct cgroup *cg, bool freeze, struct err *err)
{
	enum freezer kind = which(cg);
	int64_t end_ms = time_mono_ms() + FREEZE_MS;
	bool frozen = false;
	long wait_us = 50;
	int rc;

	do {
		/* The v1 freezer gives up on tasks that fork meanwhile: ask again each time. */
		rc = ask(cg, kind, freeze, err);
		if (rc < 0)
			return err_wrap(err, rc, freeze ? "freeze '%s'" : "thaw '%s'", cg->path);
		rc = read_state(cg, kind, &frozen, err);
		if (rc < 0)
			return rc;
		if (frozen == freeze)
			return 0;
		if (!freeze && kind == FREEZER_SIGNALS)
			return 0; /* SIGCONT works at once; a task may have stopped itself again */
		nap(&wait_us);
	} while (time_mono_ms() < end_ms);

	if (freeze) {
		struct err ignored;

		(void)ask(cg, kind, false, &ignored);
	}
	return err_set(err, ERR_UNAVAILABLE, "%s '%s': tasks did not follow within %d s", freeze ? "freeze" : "thaw",
		       cg->path, FREEZE_MS / 1000);
}

int cgroup_is_frozen(const struct cgroup *cg, bool *ret, struct err *err)
{
	return read_state(cg, which(cg), ret, err);
}
