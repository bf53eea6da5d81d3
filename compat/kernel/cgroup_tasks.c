/*
 * cgroup_tasks.c - the processes of a group: list them, signal them
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

enum { FILE_MAX = 4 << 20 };

void pid_vec_clear(pid_vec *pids)
{
	VEC_FREE(pids);
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

static void read_pids(const char *dir, const char *name, pid_vec *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *file = xfmt("%s/%s", dir, name);
	char *save = NULL;
	struct err ignored;
	uint32_t pid;

	if (file_read(-1, file, FILE_MAX, &text, &ignored) < 0 || !text.len)
		return;
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		/* 0: a process that our pid namespace does not know */
		if (str_u32(line, 10, &pid) == 0 && pid)
			VEC_PUSH(ret, (pid_t)pid);
	}
}

static void read_processes(const char *dir, pid_vec *ret)
{
	size_t before = ret->n;

	read_pids(dir, "cgroup.procs", ret);
	if (ret->n == before)
		read_pids(dir, "tasks", ret); /* a zombie leader hides its living threads */
}

/* v1 has a file for it; v2 has, too, but in threaded groups alone cgroup.procs differs. */
static void read_threads(const char *dir, pid_vec *ret)
{
	size_t before = ret->n;

	read_pids(dir, "tasks", ret);
	if (ret->n == before)
		read_pids(dir, "cgroup.threads", ret);
}

static void walk_pids(const char *dir, int depth, void (*read)(const char *dir, pid_vec *ret), pid_vec *ret)
{
	auto_closedir DIR *d = opendir(dir);
	struct dirent *e;

	if (!d || depth > 32)
		return;
	read(dir, ret);
	while ((e = readdir(d))) {
		auto_free char *child = NULL;

		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		child = xfmt("%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR || cgroup_is_dir(child))
			walk_pids(child, depth + 1, read, ret);
	}
}

int cgroup_census(const struct cgroup *cg, int but)
{
	static const enum cgroup_controller wanted[] = {CTL_FREEZER, CTL_PIDS, CTL_MEMORY, CTL_DEVICES, CTL_CPU};
	int not = but >= 0 ? cgroup_serving(cg, but) : -1;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		int h = cgroup_serving(cg, wanted[i]);

		if (h >= 0 && h != not && cgroup_is_dir(cg->dirs[h]))
			return h;
	}
	for (int h = 0; h < (int)cg->host.hierarchies.n; h++) {
		if (cg->joined[h] && h != not && cgroup_is_dir(cg->dirs[h]))
			return h;
	}
	return -1;
}

void cgroup_pids_in(const struct cgroup *cg, int h, pid_vec *ret)
{
	walk_pids(cg->dirs[h], 0, read_processes, ret);
}

int cgroup_pids(const struct cgroup *cg, pid_vec *ret, struct err *err)
{
	int h = cgroup_census(cg, -1);
	size_t kept = 0;

	ret->n = 0;
	if (h < 0)
		return 0;
	walk_pids(cg->dirs[h], 0, read_processes, ret);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_pids);
	for (size_t i = 0; i < ret->n; i++) {
		if (!kept || ret->v[kept - 1] != ret->v[i])
			ret->v[kept++] = ret->v[i];
	}
	ret->n = kept;
	return 0;
}

size_t cgroup_count_tasks(const struct cgroup *cg)
{
	AUTO(pid_vec_clear) pid_vec tasks = {0};
	int h = cgroup_census(cg, -1);

	if (h >= 0)
		walk_pids(cg->dirs[h], 0, read_threads, &tasks);
	return tasks.n;
}

static int signal_all(const struct cgroup *cg, int sig, size_t *ret_count, struct err *err)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};
	int rc = cgroup_pids(cg, &pids, err);

	if (rc < 0)
		return rc;
	*ret_count = pids.n;
	VEC_EACH(pid, &pids) {
		if (kill(*pid, sig) < 0 && errno != ESRCH)
			return err_sys(err, errno, "send signal %d to process %d", sig, (int)*pid);
	}
	return 0;
}

int cgroup_kill(const struct cgroup *cg, int sig, struct err *err)
{
	int v2 = cg->host.unified;
	size_t count = 0, last = 0;
	struct err ignored;

	if (sig != SIGKILL)
		return signal_all(cg, sig, &count, err);
	if (v2 >= 0 && cg->joined[v2]) {
		auto_free char *file = cgroup_file(cg, v2, "cgroup.kill");

		if (file_put(-1, file, "1", &ignored) >= 0)
			return 0;
	}
	/* Whoever forks meanwhile is caught by the next round. Stopped when a round finds no more than dying processes. */
	for (int round = 0; round < 20; round++) {
		int rc = signal_all(cg, SIGKILL, &count, err);

		if (rc < 0)
			return rc;
		if (!round)
			(void)cgroup_let_die((struct cgroup *)cg, 0, &ignored); /* who stays is reported by who waits for it */
		if (!count || (round && count <= last))
			return 0;
		last = count;
	}
	return 0;
}
