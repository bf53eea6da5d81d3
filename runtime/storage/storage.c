/*
 * storage - the choice of a driver, and the directories that all drivers share
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "runtime/storage/internal.h"

/* Best first. */
static const struct storage_driver *const drivers[] = {
	&storage_overlay, &storage_aufs, &storage_btrfs, &storage_dm_thin, &storage_dm_snapshot, &storage_fuse, &storage_copy};

static const char *const aliases[][2] = {
	{"overlayfs", "overlay"}, {"overlay2", "overlay"}, {"vfs", "copy"}, {"native", "copy"}};

/* The modes of a driver that is named without one; the better comes first. */
static const char *const modes[] = {"devmapper-thin", "devmapper-snapshot"};

static const char *best_mode(const struct fit *rows, size_t n)
{
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		for (size_t i = 0; i < n; i++) {
			if (strcmp(rows[i].name, modes[m]) == 0 && rows[i].score > FIT_NO)
				return modes[m];
		}
	}
	return modes[ARRAY_SIZE(modes) - 1];	/* its reason is told */
}

static const char *driver_name(const char *name, const struct fit *rows, size_t n)
{
	if (str_eq(name, "devmapper") || str_eq(name, "devicemapper"))
		return best_mode(rows, n);
	for (size_t i = 0; name && i < ARRAY_SIZE(aliases); i++) {
		if (strcmp(name, aliases[i][0]) == 0)
			return aliases[i][1];
	}
	return name;
}

static struct fit probe_in(const char *home, const struct storage_driver *driver)
{
	auto_free char *dir = xfmt("%s/.probe-%s-%d", home, driver->name, (int)getpid());
	struct fit f;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		f = fit(FIT_NO, "%s: %s", dir, strerror(errno));
	else
		f = driver->probe(dir);
	(void)rmdir(dir);	/* the probe leaves it empty */
	f.name = driver->name;
	return f;
}

/* "overlay-4711": did the process that probed there die meanwhile? */
static bool is_left_over(const char *what)
{
	const char *dash = strrchr(what, '-');
	int64_t pid;

	if (!dash || str_i64(dash + 1, 10, &pid) < 0 || pid < 1 || pid > INT_MAX)
		return false;
	return pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH);
}

/* What processes left that were killed while they probed. */
static void sweep_probes(const char *home)
{
	auto_closedir DIR *dir = opendir(home);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		const char *what = str_skip(entry->d_name, ".probe-");
		auto_free char *path = what && is_left_over(what) ? path_join(home, entry->d_name) : NULL;
		auto_free char *mounted = path ? path_join(path, "merged") : NULL;

		if (!path)
			continue;
		(void)umount2(mounted, MNT_DETACH | UMOUNT_NOFOLLOW);	/* most probes mount where nobody sees it */
		(void)path_remove_tree(path, NULL);			/* the next open tries again */
	}
}

size_t storage_fits(const char *home, struct fit *rows, size_t max)
{
	size_t n = 0;

	for (; n < ARRAY_SIZE(drivers) && n < max; n++)
		rows[n] = probe_in(home, drivers[n]);
	return n;
}

/* Only what may be chosen is tried: a probe of device-mapper makes devices, which others on the host may notice. */
static size_t probe_wanted(const char *home, const char *wanted, struct fit rows[ARRAY_SIZE(drivers)])
{
	bool any = str_empty(wanted);
	bool a_mode = str_eq(wanted, "devmapper") || str_eq(wanted, "devicemapper");

	wanted = driver_name(wanted, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		bool is_mode = drivers[i] == &storage_dm_thin || drivers[i] == &storage_dm_snapshot;

		rows[i] = fit(FIT_NO, "not tried");
		rows[i].name = drivers[i]->name;
		if (any || (a_mode && is_mode) || str_eq(wanted, drivers[i]->name))
			rows[i] = probe_in(home, drivers[i]);
		any = any && rows[i].score < FIT_NATIVE;	/* nothing that comes later is better */
	}
	return ARRAY_SIZE(drivers);
}

int storage_hex(const char *chain_id, const char **ret, struct err *err)
{
	const char *hex = str_skip(chain_id, "sha256:");

	if (!hex || !str_is_hex(hex, 64, 64))
		return err_set(err, ERR_INVALID, "'%.100s' is not a chain ID", chain_id);
	*ret = hex;
	return 0;
}

int storage_tmp_create(struct storage *s, char **ret_name, int *ret_fd, struct err *err)
{
	auto_free char *path = NULL;
	uint64_t number;
	int fd;

	pthread_mutex_lock(&s->lock);
	number = s->next_tmp++;
	pthread_mutex_unlock(&s->lock);
	path = xfmt("tmp/%" PRIu64, number);
	if (mkdirat(s->dirfd, path, 0700) < 0)
		return err_sys(err, errno, "create directory '%s/%s'", s->dir, path);
	fd = openat(s->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open directory '%s/%s'", s->dir, path);
	*ret_name = xstrdup(path + strlen("tmp/"));
	*ret_fd = fd;
	return 0;
}

void storage_tmp_discard(struct storage *s, const char *name)
{
	auto_fd int tmp = openat(s->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (tmp >= 0)
		(void)s->driver->discard(s, tmp, name, NULL);
}

int storage_retire(struct storage *s, const char *dir, const char *name, struct err *err)
{
	auto_free char *from = xfmt("%s/%s", dir, name);
	auto_free char *to = NULL;
	auto_fd int tmp = -1;
	uint64_t number;

	pthread_mutex_lock(&s->lock);
	number = s->next_tmp++;
	pthread_mutex_unlock(&s->lock);
	to = xfmt("tmp/%" PRIu64, number);
	if (renameat(s->dirfd, from, s->dirfd, to) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "remove '%s/%s'", s->dir, from);
	tmp = openat(s->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tmp < 0)
		return err_sys(err, errno, "open '%s/tmp'", s->dir);
	return s->driver->discard(s, tmp, to + strlen("tmp/"), err);
}

/* What a killed process left. Failures are met again, and told, when the name is needed. */
static int empty_tmp(struct storage *s, struct err *err)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *e;
	int fd = openat(s->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, errno, "open '%s/tmp'", s->dir);
	while ((e = readdir(dir))) {
		uint64_t number;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (s->driver->discard(s, fd, e->d_name, NULL) < 0 && str_u64(e->d_name, 10, &number) == 0 &&
		    number >= s->next_tmp)
			s->next_tmp = number + 1;
	}
	return 0;
}

static int open_dirs(struct storage *s, struct err *err)
{
	static const char *const names[] = {"tmp", "layers", "rootfs"};
	auto_free char *lock = path_join(s->dir, "lock");
	int rc;

	if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create directory '%s'", s->dir);
	s->dirfd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dirfd < 0)
		return err_sys(err, errno, "open directory '%s'", s->dir);
	rc = file_lock(lock, false, &s->lock_fd, err);
	if (rc == -EWOULDBLOCK)
		return err_set(err, ERR_CONFLICT, "'%s' is in use by another process", s->dir);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (mkdirat(s->dirfd, names[i], 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "create directory '%s/%s'", s->dir, names[i]);
	}
	return 0;
}

/* ---- the driver's clock ---- */

struct storage_clock {
	struct storage *storage;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_cond;
	bool stop;
};

static void *clock_thread(void *arg)
{
	struct storage_clock *c = arg;
	struct storage *s = c->storage;
	bool stop = false;

	while (!stop) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_mutex_lock(&c->lock);
		if (!c->stop)
			(void)pthread_cond_timedwait(&c->stop_cond, &c->lock, &until);	/* also when the clock is set */
		stop = c->stop;
		pthread_mutex_unlock(&c->lock);
		if (!stop)
			s->driver->tick(s);
	}
	return NULL;
}

static int clock_start(struct storage *s, struct err *err)
{
	int rc;

	if (s->driver->tick == storage_plain_tick)
		return 0;
	s->clock = xcalloc(1, sizeof(*s->clock));
	s->clock->storage = s;
	pthread_mutex_init(&s->clock->lock, NULL);
	pthread_cond_init(&s->clock->stop_cond, NULL);
	rc = pthread_create(&s->clock->thread, NULL, clock_thread, s->clock);
	if (rc == 0)
		return 0;
	free(take(s->clock));
	return err_sys(err, rc, "start a thread");
}

static void clock_stop(struct storage *s)
{
	struct storage_clock *c = take(s->clock);

	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->stop_cond);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	pthread_cond_destroy(&c->stop_cond);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void storage_warn(struct storage *s, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text && s->warn)
		s->warn(s->warn_arg, text);
}

/* ---- open and close ---- */

static int open_driver(struct storage *s, const struct storage_options *o, struct err *err)
{
	int rc = proc_boot_id(s->boot_id, err);

	if (rc == 0)
		rc = open_dirs(s, err);
	if (rc == 0) {
		s->is_open = true;
		rc = s->driver->open(s, o->options, err);
	}
	if (rc == 0)
		rc = empty_tmp(s, err);
	if (rc == 0)
		rc = layers_load(s, err);
	if (rc == 0)
		rc = rootfs_load(s, err);
	return rc == 0 ? clock_start(s, err) : rc;
}

int storage_open(const struct storage_options *o, struct storage **ret, struct err *err)
{
	AUTO(storage_close) struct storage *s = NULL;
	struct fit rows[ARRAY_SIZE(drivers)];
	auto_free char *clean = realpath(o->home, NULL);
	size_t n;
	int rc;

	if (!clean)
		return err_sys(err, errno, "open home '%s'", o->home);
	sweep_probes(clean);
	n = probe_wanted(clean, o->driver, rows);
	rc = fit_best(rows, n, driver_name(o->driver, rows, n), "storage driver", err);
	if (rc < 0)
		return rc;
	s = xcalloc(1, sizeof(*s));
	s->dirfd = s->lock_fd = -1;
	s->next_link = 1;
	s->warn = o->warn;
	s->warn_arg = o->warn_arg;
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->sync_lock, NULL);
	s->driver = drivers[rc];
	s->dir = path_join(clean, s->driver->name);
	rc = open_driver(s, o, err);
	if (rc < 0)
		return err_wrap(err, rc, "open storage");
	*ret = take(s);
	return 0;
}

void storage_shutdown(struct storage *s)
{
	clock_stop(s);
	s->driver->close(s, false);
}

void storage_close(struct storage *s)
{
	if (!s)
		return;
	clock_stop(s);
	if (s->is_open)
		s->driver->close(s, true);
	VEC_EACH(l, &s->layers)
		layer_free(*l);
	VEC_FREE(&s->layers);
	strmap_clear(&s->rootfs);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->sync_lock);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	if (s->dirfd >= 0)
		close(s->dirfd);
	free(s->dir);
	free(s);
}

const char *storage_name(const struct storage *s)
{
	return s->driver->name;
}

bool storage_layers_are_independent(const struct storage *s)
{
	return s->driver->layers_are_independent;
}

void storage_status(struct storage *s, struct strmap *ret)
{
	auto_free char *layers = NULL;

	pthread_mutex_lock(&s->lock);
	layers = xfmt("%zu", s->layers.n);
	pthread_mutex_unlock(&s->lock);
	strmap_set(ret, "Backing Filesystem", storage_fs_name(s->dir));
	strmap_set(ret, "Root Dir", s->dir);
	strmap_set(ret, "Layers", layers);
	s->driver->status(s, ret);
}
