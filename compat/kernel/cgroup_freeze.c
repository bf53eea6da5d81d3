/*
 * cgroup_freeze.c - stop all tasks of a group: v1 freezer, v2 cgroup.freeze, or SIGSTOP where there is neither
 *
 * What SIGSTOP loses: the container's own parent processes see their children stop (WUNTRACED), and SIGCONT from inside ends it.
 */
#include <dirent.h>
#include <errno.h>
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
#include "compat/kernel/release.h"

enum { FREEZE_MS = 10000, THAW_AGAIN_MS = 20 };

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

bool cgroup_freezer_missing(const struct cgroup *cg)
{
	return which(cg) == FREEZER_SIGNALS;
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

/*
 * Before 3.9 the freezer stops the tasks of one group and not those of the groups below it. Newer kernels have freezer.self_freezing and
 * must be left to do it themselves: what the container froze inside stays frozen when it is thawed.
 */
static bool is_flat(const struct cgroup *cg)
{
	auto_free char *file = cgroup_file(cg, cgroup_serving(cg, CTL_FREEZER), "freezer.self_freezing");

	return access(file, F_OK) != 0;
}

/* Calls back for @dir and, when @deep, for every group below. Stops at the first that is not 0. */
static int each_group(const char *dir, bool deep, int depth, int (*cb)(const char *dir, void *arg), void *arg)
{
	auto_closedir DIR *d = NULL;
	struct dirent *e;
	int rc = cb(dir, arg);

	if (rc || !deep || depth > 32 || !(d = opendir(dir)))
		return rc;
	while (!rc && (e = readdir(d))) {
		auto_free char *child = NULL;

		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		child = xfmt("%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR || cgroup_is_dir(child))
			rc = each_group(child, deep, depth + 1, cb, arg);
	}
	return rc;
}

static int put_state(const char *dir, void *arg)
{
	auto_free char *file = xfmt("%s/freezer.state", dir);
	struct err ignored;
	int rc = file_put(-1, file, arg, &ignored);

	return rc == -ENOENT ? 0 : rc; /* removed meanwhile */
}

/* The state of one group: 1 when it is not FROZEN. */
static int is_not_frozen(const char *dir, void *arg)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *file = xfmt("%s/freezer.state", dir);
	int rc = file_read(-1, file, 64, &text, arg);

	return rc == -ENOENT ? 0 : rc < 0 ? rc : !str_starts(buf_cstr(&text), "FROZEN");
}

static int read_state_v1(const struct cgroup *cg, bool *ret, struct err *err)
{
	const char *dir = cg->dirs[cgroup_serving(cg, CTL_FREEZER)];
	int rc;

	if (!cgroup_is_dir(dir))
		return err_sys(err, ENOENT, "read state of cgroup '%s'", dir);
	rc = each_group(dir, is_flat(cg), 0, is_not_frozen, err);
	*ret = rc == 0;
	return rc < 0 ? rc : 0;
}

static int read_state(const struct cgroup *cg, enum freezer kind, bool *ret, struct err *err)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};
	uint64_t frozen = 0;
	int rc;

	switch (kind) {
	case FREEZER_V1:
		return read_state_v1(cg, ret, err);
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
	int h, rc;

	if (kind == FREEZER_SIGNALS)
		return cgroup_kill(cg, freeze ? SIGSTOP : SIGCONT, err);
	if (kind == FREEZER_V1) {
		h = cgroup_serving(cg, CTL_FREEZER);
		rc = each_group(cg->dirs[h], is_flat(cg), 0, put_state, freeze ? "FROZEN" : "THAWED");
		return rc < 0 ? err_sys(err, -rc, "write freezer.state") : 0;
	}
	path = cgroup_file(cg, cg->host.unified, "cgroup.freeze");
	return file_put(-1, path, freeze ? "1" : "0", err);
}

int cgroup_freeze_begin(const struct cgroup *cg, bool freeze)
{
	struct err ignored;
	enum freezer kind = which(cg);

	return kind == FREEZER_SIGNALS ? -ENOTSUP : ask(cg, kind, freeze, &ignored);
}

bool cgroup_forgets_thaws(void)
{
	return kernel_is_before(2, 6, 37, 642);
}

void cgroup_thaw(const struct cgroup *cg)
{
	const struct timespec pause = {.tv_nsec = THAW_AGAIN_MS * 1000000L};

	(void)cgroup_freeze_begin(cg, false); /* gone, or thawed already */
	if (!cgroup_forgets_thaws())
		return;
	nanosleep(&pause, NULL);
	(void)cgroup_freeze_begin(cg, false);
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

	if (freeze && kind == FREEZER_SIGNALS)
		(void)ask(cg, kind, false, NULL);
	else if (freeze)
		cgroup_thaw(cg);
	return err_set(err, ERR_UNAVAILABLE, "%s '%s': tasks did not follow within %d s", freeze ? "freeze" : "thaw",
		       cg->path, FREEZE_MS / 1000);
}

int cgroup_is_frozen(const struct cgroup *cg, bool *ret, struct err *err)
{
	return read_state(cg, which(cg), ret, err);
}

/* Who is of the group by another hierarchy, but not by the freezer's, is moved there. */
static void bring_back(const struct cgroup *cg, pid_t first)
{
	int freezer = cgroup_serving(cg, CTL_FREEZER), other = cgroup_census(cg, CTL_FREEZER);
	AUTO(pid_vec_clear) pid_vec all = {0};
	AUTO(pid_vec_clear) pid_vec here = {0};
	struct err ignored;

	if (first > 0)
		VEC_PUSH(&all, first);
	if (other >= 0)
		cgroup_pids_in(cg, other, &all);
	/* Asked last: who is here by now needs no help. */
	cgroup_pids_in(cg, freezer, &here);
	VEC_EACH(pid, &all) {
		bool is_here = false;

		VEC_EACH(one, &here)
			is_here = is_here || *one == *pid;
		/* It may be dead meanwhile; before 3.3 nobody leaves a frozen group. Who waits for the death says that it does not come. */
		if (!is_here)
			(void)cgroup_attach_in(cg, freezer, *pid, &ignored);
	}
}

int cgroup_let_die(struct cgroup *cg, pid_t first, struct err *err)
{
	bool frozen = false;
	int rc = 0;

	if (cgroup_is_frozen(cg, &frozen, NULL) == 0 && frozen)
		rc = cgroup_freeze(cg, false, err);
	else if (cgroup_forgets_thaws())
		(void)cgroup_freeze_begin(cg, false); /* what it says is not what it is */
	if (!rc && which(cg) == FREEZER_V1)
		bring_back(cg, first);
	return rc;
}
