/*
 * cgroup_realtime.c - room for real-time tasks
 *
 * A new group has a budget of 0, and a group can give its children no more than it has itself. So the budget that a container asks for is made
 * in the groups above first, top down.
 *
 * Spec: Documentation/scheduler/sched-rt-group
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

#define WHOLE	       INT64_C(1000000) /* budgets are compared as parts of a million */
#define DEFAULT_PERIOD INT64_C(1000000)

static int64_t read_number(const char *dir, const char *name, int64_t fallback)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *file = path_join(dir, name);
	struct err ignored;
	int64_t v;

	if (file_read(-1, file, 64, &text, &ignored) < 0)
		return fallback;
	return sscanf(buf_cstr(&text), "%lld", (long long *)&v) == 1 ? v : fallback;
}

static int64_t parts(int64_t runtime, int64_t period)
{
	return period > 0 && runtime > 0 ? (runtime * WHOLE + period - 1) / period : 0;
}

static int64_t parts_of(const char *dir)
{
	return parts(read_number(dir, "cpu.rt_runtime_us", 0), read_number(dir, "cpu.rt_period_us", DEFAULT_PERIOD));
}

/* What the groups in @dir have, without @except. */
static int64_t given_away(const char *dir, const char *except)
{
	auto_closedir DIR *d = opendir(dir);
	int64_t sum = 0;
	struct dirent *e;

	while (d && (e = readdir(d))) {
		auto_free char *child = path_join(dir, e->d_name);

		if (e->d_name[0] != '.' && strcmp(e->d_name, except) && cgroup_is_dir(child))
			sum += parts_of(child);
	}
	return sum;
}

static int make_room(const char *dir, const char *mount, const char *child, int64_t wanted, struct err *err)
{
	int64_t needed = wanted + given_away(dir, child);
	int64_t period = read_number(dir, "cpu.rt_period_us", DEFAULT_PERIOD);
	auto_free char *file = path_join(dir, "cpu.rt_runtime_us");
	auto_free char *above = xstrndup(dir, (size_t)(strrchr(dir, '/') - dir));
	char value[24];
	int rc;

	if (strlen(dir) <= strlen(mount) || parts_of(dir) >= needed)
		return 0;
	rc = make_room(above, mount, strrchr(dir, '/') + 1, needed, err);
	if (rc < 0)
		return rc;
	(void)snprintf(value, sizeof(value), "%lld", (long long)((needed * period + WHOLE - 1) / WHOLE));
	rc = file_put(-1, file, value, err);
	return rc < 0 ? err_wrap(err, rc, "make room for real-time tasks in '%s'", dir) : 0;
}

int cgroup_realtime_room(const struct cgroup *cg, int64_t runtime_us, int64_t period_us, struct err *err)
{
	int h = cgroup_serving(cg, CTL_CPU);
	const char *name;
	auto_free char *above = NULL;

	if (h < 0 || cg->host.hierarchies.v[h].v2 || runtime_us <= 0)
		return 0;
	name = strrchr(cg->dirs[h], '/');
	above = xstrndup(cg->dirs[h], (size_t)(name - cg->dirs[h]));
	if (period_us <= 0)
		period_us = read_number(cg->dirs[h], "cpu.rt_period_us", DEFAULT_PERIOD);
	return make_room(above, cg->host.hierarchies.v[h].mount, name + 1, parts(runtime_us, period_us), err);
}
