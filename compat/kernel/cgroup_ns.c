/*
 * cgroup_ns.c - what the ns controller leaves behind
 *
 * Where it is mounted, each process that makes a namespace is moved to a new group below its own, named by its pid. No process can be
 * moved up again in such a hierarchy, so that is where it stays; but the group outlives it, and then a later process of the same pid cannot
 * make namespaces (EEXIST). We have no use for the hierarchy, and clean up after our processes.
 *
 * Kernel:  before 3.0
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

enum { TEXT_MAX = 4 << 20, AGE_S = 2 };

/* Where the ns controller is mounted, alone or with others. Owned, or NULL. */
static char *find_mount(const char *mounts)
{
	AUTO(strv_clear) struct strv lines = {0};

	strv_split(&lines, mounts, "\n", false);
	STRV_EACH(line, &lines) {
		AUTO(strv_clear) struct strv words = {0};
		AUTO(strv_clear) struct strv options = {0};

		strv_split(&words, *line, " ", false);
		if (words.n < 4 || strcmp(words.v[2], "cgroup"))
			continue;
		strv_split(&options, words.v[3], ",", false);
		if (strv_has(&options, "ns"))
			return xstrdup(words.v[1]);
	}
	return NULL;
}

/* "8:ns:/287" -> "/287". Owned, or NULL. */
static char *find_group(const char *text)
{
	AUTO(strv_clear) struct strv lines = {0};

	strv_split(&lines, text, "\n", false);
	STRV_EACH(line, &lines) {
		AUTO(strv_clear) struct strv names = {0};
		char *start = strchr(*line, ':'), *end = start ? strchr(start + 1, ':') : NULL;

		if (!end)
			continue;
		*end = '\0';
		strv_split(&names, start + 1, ",", false);
		if (strv_has(&names, "ns"))
			return xstrdup(end + 1);
	}
	return NULL;
}

char *cgroup_ns_find(const char *mounts, const char *own)
{
	auto_free char *mount = find_mount(mounts);
	auto_free char *group = mount ? find_group(own) : NULL;

	return group ? xfmt("%s%s", mount, strcmp(group, "/") ? group : "") : NULL;
}

/* This process's group there; NULL on nearly every host. Owned. */
static char *own_group(void)
{
	static int absent; /* asked before: mounted later, it is found by the next process */
	AUTO(buf_clear) struct buf mounts = BUF_INIT;
	AUTO(buf_clear) struct buf own = BUF_INIT;
	char *dir = NULL;
	struct err ignored;

	if (absent)
		return NULL;
	if (file_read(-1, "/proc/mounts", TEXT_MAX, &mounts, &ignored) == 0 &&
	    file_read(-1, "/proc/self/cgroup", TEXT_MAX, &own, &ignored) == 0)
		dir = cgroup_ns_find(buf_cstr(&mounts), buf_cstr(&own));
	absent = !dir;
	return dir;
}

void cgroup_ns_forget(pid_t pid)
{
	auto_free char *dir = own_group();
	auto_free char *group = NULL;

	if (!dir || pid <= 0)
		return;
	group = xfmt("%s/%d", dir, (int)pid);
	(void)cgroup_remove_dirs(group); /* never made, or somebody lives in it */
}

/* A new one is empty for the moment before its process is moved in. */
static bool is_stray(const char *dir, const char *name, time_t now)
{
	auto_free char *path = path_join(dir, name);
	struct stat st;

	return name[strspn(name, "0123456789")] == '\0' && *name && stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
	       now - st.st_ctime >= AGE_S && kill((pid_t)strtol(name, NULL, 10), 0) < 0 && errno == ESRCH;
}

void cgroup_ns_sweep_dir(const char *dir)
{
	auto_closedir DIR *d = opendir(dir);
	time_t now = time(NULL);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		auto_free char *path = path_join(dir, e->d_name);

		if (is_stray(dir, e->d_name, now))
			(void)cgroup_remove_dirs(path); /* as above */
	}
}

void cgroup_ns_sweep(void)
{
	auto_free char *dir = own_group();

	if (dir)
		cgroup_ns_sweep_dir(dir);
}
