/*
 * busy.c - before 3.18 nothing that is a mount point in any mount namespace can be removed or renamed
 *
 * Today's kernel minds the caller's own namespace only, so the mount tables of all others are looked at. A mount point is known by its
 * file system and its path in it. A table serves for some milliseconds: trees are removed file by file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"
#include "compat/kernel/mountinfo.h"
#include "tests/legacy/as_kernel.h"

enum { FRESH_NS = 20 * 1000 * 1000 };

/* "8:1 /in/the/file/system" of every mount point of every namespace */
static struct strv points;
static struct timespec read_at;
static pthread_mutex_t points_lock = PTHREAD_MUTEX_INITIALIZER;

static char *key(const struct mount_entry *below, const char *target)
{
	const char *rest = target + (str_eq(below->target, "/") ? 0 : strlen(below->target));

	return xfmt("%u:%u %s%s", below->major, below->minor, str_eq(below->root, "/") ? "" : below->root, rest);
}

static const struct mount_entry *by_id(const struct mountinfo *info, int id)
{
	VEC_EACH(e, &info->entries)
		if (e->id == id)
			return e;
	return NULL;
}

static void add_points(const char *pid)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	auto_free char *path = xfmt("/proc/%s/mountinfo", pid);

	if (mountinfo_read(path, &info, NULL) < 0)
		return;
	VEC_EACH(e, &info.entries) {
		const struct mount_entry *parent = by_id(&info, e->parent);

		/* The parent of a root is not in the list. */
		if (parent && parent != e && str_starts(e->target, parent->target))
			strv_take(&points, key(parent, e->target));
	}
}

static void read_points(void)
{
	AUTO(strv_clear) struct strv seen = {0};
	auto_closedir DIR *d = opendir("/proc");
	struct dirent *e;

	strv_clear(&points);
	while (d && (e = readdir(d))) {
		auto_free char *path = xfmt("/proc/%s/ns/mnt", e->d_name);
		char ns[64];
		ssize_t n;

		if (e->d_name[0] < '0' || e->d_name[0] > '9')
			continue;
		n = readlink(path, ns, sizeof(ns) - 1);
		if (n <= 0)
			continue;
		ns[n] = '\0';
		if (strv_has(&seen, ns))
			continue;
		strv_add(&seen, ns);
		add_points(e->d_name);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &read_at);
}

static bool is_fresh(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return read_at.tv_sec && (now.tv_sec - read_at.tv_sec) * 1000000000L + now.tv_nsec - read_at.tv_nsec < FRESH_NS;
}

static int mount_id_of(int fd)
{
	auto_free char *path = xfmt("/proc/self/fdinfo/%d", fd);
	auto_fclose FILE *f = fopen(path, "re");
	char line[200];
	int id = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "mnt_id: %d", &id) == 1)
			break;
	return id;
}

/* The key of what @path names, if it could be a mount point. Owned, or NULL. */
static char *key_of(const struct call *c, int dirfd, const char *path)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	auto_free char *table = xfmt("/proc/%u/mountinfo", c->n.pid);
	const struct mount_entry *below;
	char link[64], dir[NAME_MAX_BYTES];
	auto_free char *full = NULL;
	auto_fd int parent = -1;
	struct stat st;
	long magic;
	ssize_t n;

	parent = remote_parent(c, dirfd, path, &magic);
	if (parent < 0 || fstatat(parent, last_name(path), &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISLNK(st.st_mode))
		return NULL;
	(void)str_fmt(link, sizeof(link), "/proc/self/fd/%d", parent);
	n = readlink(link, dir, sizeof(dir) - 1);
	if (n <= 0 || mountinfo_read(table, &info, NULL) < 0)
		return NULL;
	dir[n] = '\0';
	below = by_id(&info, mount_id_of(parent));
	full = xfmt("%s/%s", str_eq(dir, "/") ? "" : dir, last_name(path));
	return below && str_starts(full, below->target) ? key(below, full) : NULL;
}

/* Cheap, and no for nearly all. */
static bool may_be_busy(const char *name)
{
	auto_free char *end = xfmt("/%s", name);
	bool may = false;

	pthread_mutex_lock(&points_lock);
	if (!is_fresh())
		read_points();
	STRV_EACH(point, &points)
		may = may || str_ends(*point, end);
	pthread_mutex_unlock(&points_lock);
	return may;
}

static bool is_busy(const struct call *c, int dirfd, uint64_t at)
{
	char path[NAME_MAX_BYTES];
	auto_free char *k = NULL;
	bool busy;

	if (!remote_string(c, at, path, sizeof(path)))
		return false;
	while (*path && path[1] && str_ends(path, "/"))
		path[strlen(path) - 1] = '\0';
	if (str_empty(last_name(path)) || !may_be_busy(last_name(path)))
		return false;
	k = key_of(c, dirfd, path);
	if (!k)
		return false;
	pthread_mutex_lock(&points_lock);
	/* What is listed may be gone by now. */
	if (!is_fresh() || strv_has(&points, k))
		read_points();
	busy = strv_has(&points, k);
	pthread_mutex_unlock(&points_lock);
	return busy;
}

struct verdict call_remove(const struct call *c)
{
	const uint64_t *a = (const uint64_t *)c->n.data.args;
	bool busy = false;

	switch (c->n.data.nr) {
	case SYS_rmdir:
	case SYS_unlink:
		busy = is_busy(c, AT_FDCWD, a[0]);
		break;
	case SYS_unlinkat:
		busy = is_busy(c, (int)a[0], a[1]);
		break;
	case SYS_rename:
		busy = is_busy(c, AT_FDCWD, a[0]) || is_busy(c, AT_FDCWD, a[1]);
		break;
	case SYS_renameat:
		busy = is_busy(c, (int)a[0], a[1]) || is_busy(c, (int)a[2], a[3]);
		break;
	}
	return busy ? fail(EBUSY) : go_on();
}
