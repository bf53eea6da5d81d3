/*
 * store - opening and closing, finding, naming
 */
#include "runtime/image/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/image/internal.h"

#define SYNC_DELAY_S 1	/* several images in a row are brought to the disk together */

/* ---- bringing it to the disk ---- */

static void sync_disk(int fd)
{
#ifdef SYS_syncfs
	if (syscall(SYS_syncfs, fd) == 0 || errno != ENOSYS)
		return;
#endif
	sync();		/* Linux before 2.6.39 */
}

/* With the lock held, which is let go meanwhile. */
static void sync_now(struct image_store *store)
{
	AUTO(strv_clear) struct strv ids = {0};
	bool done;

	store->sync_due = false;
	VEC_EACH(e, &store->entries) {
		if (!(*e)->record.synced)
			strv_add(&ids, (*e)->record.id);
	}
	pthread_mutex_unlock(&store->lock);
	sync_disk(store->dirfd);
	done = store->layers.sync(store->layers.arg, NULL) == 0;
	pthread_mutex_lock(&store->lock);
	STRV_EACH(id, &ids) {
		struct image_entry *e = entry_find(store, *id);

		if (!e || !done)
			continue;	/* the next commit or open takes care */
		e->record.synced = true;
		(void)record_write(store, &e->record, NULL);	/* then it counts as not synced */
	}
}

static void *sync_loop(void *arg)
{
	struct image_store *store = arg;

	pthread_mutex_lock(&store->lock);
	for (;;) {
		struct timespec until;

		while (!store->sync_due && !store->closing)
			pthread_cond_wait(&store->sync_wanted, &store->lock);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += SYNC_DELAY_S;
		while (!store->closing &&
		       pthread_cond_timedwait(&store->sync_wanted, &store->lock, &until) != ETIMEDOUT)
			;
		if (store->sync_due)
			sync_now(store);
		else if (store->closing)
			break;
	}
	pthread_mutex_unlock(&store->lock);
	return NULL;
}

void store_sync_later(struct image_store *store)
{
	pthread_mutex_lock(&store->lock);
	store->sync_due = true;
	if (!store->sync_running)
		store->sync_running = pthread_create(&store->sync_thread, NULL, sync_loop, store) == 0;
	pthread_cond_signal(&store->sync_wanted);
	pthread_mutex_unlock(&store->lock);
}

/* ---- open and close ---- */

/* Files that began without a digest, old ones, and those whose removal failed before. */
static void tidy_partial(struct image_store *store)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *d;
	time_t now = time(NULL);
	int fd = openat(store->dirfd, PARTIAL_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	while (dir && (d = readdir(dir))) {
		auto_free char *name = NULL;
		struct stat st;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
		    fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		name = xstrndup(d->d_name, strcspn(d->d_name, "-"));
		if (!str_is_hex(name, 64, 64) || st.st_mtime < now - PARTIAL_AGE_SECONDS)
			(void)unlinkat(fd, d->d_name, 0);
	}
}

static int open_dirs(struct image_store *store, struct err *err)
{
	static const char *const names[] = {"blobs", BLOBS_DIR, PARTIAL_DIR, IMAGES_DIR};
	auto_free char *lock = path_join(store->dir, "lock");
	int rc;

	if (mkdir(store->dir, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create directory '%s'", store->dir);
	store->dirfd = open(store->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dirfd < 0)
		return err_sys(err, errno, "open directory '%s'", store->dir);
	rc = file_lock(lock, false, &store->lock_fd, err);
	if (rc == -EWOULDBLOCK)
		return err_set(err, ERR_CONFLICT, "'%s' is in use by another process", store->dir);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (mkdirat(store->dirfd, names[i], 0700) < 0 && errno != EEXIST)
			return err_sys(err, errno, "create directory '%s/%s'", store->dir, names[i]);
	}
	return 0;
}

static struct image_store *store_new(const struct image_store_options *o)
{
	struct image_store *store = xcalloc(1, sizeof(*store));

	store->dir = path_join(o->home, "image");
	store->dirfd = store->lock_fd = -1;
	store->layers = *o->layers;
	store->limits = o->limits;
	if (!store->limits.entries)
		store->limits.entries = 10 * 1000 * 1000;
	if (!store->limits.bytes)
		store->limits.bytes = 1ull << 40;
	if (!store->limits.ratio)
		store->limits.ratio = 1000;
	if (o->defaults) {
		store->defaults.registry = xstrdup(o->defaults->registry);
		store->defaults.registry_namespace = xstrdup(o->defaults->registry_namespace);
	}
	registry_copy_set(&store->registry, o->registry);
	store->parallel = o->parallel ? o->parallel : 3;
	pthread_mutex_init(&store->lock, NULL);
	pthread_mutex_init(&store->gc_lock, NULL);
	pthread_cond_init(&store->changed, NULL);
	pthread_cond_init(&store->sync_wanted, NULL);
	return store;
}

int image_store_open(const struct image_store_options *options, struct image_store **ret, struct err *err)
{
	AUTO(image_store_close) struct image_store *store = store_new(options);
	int rc = proc_boot_id(store->boot_id, err);

	if (rc == 0)
		rc = open_dirs(store, err);
	if (rc == 0) {
		tidy_partial(store);
		rc = records_load(store, err);
	}
	if (rc == 0)
		rc = store_restore_layers(store, err);
	if (rc == 0)
		rc = store_collect_all(store, err);
	if (rc < 0)
		return err_wrap(err, rc, "open image store");
	*ret = take(store);
	return 0;
}

void image_store_set_registry(struct image_store *store, const struct registry_settings *settings)
{
	pthread_mutex_lock(&store->lock);
	registry_copy_set(&store->registry, settings);
	pthread_mutex_unlock(&store->lock);
}

void image_store_close(struct image_store *store)
{
	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->closing = true;
	pthread_cond_signal(&store->sync_wanted);
	pthread_mutex_unlock(&store->lock);
	if (store->sync_running)
		pthread_join(store->sync_thread, NULL);
	VEC_EACH(e, &store->entries)
		entry_free(*e);
	VEC_FREE(&store->entries);
	strmap_clear(&store->names);
	strv_clear(&store->pins[PIN_LAYER]);
	strv_clear(&store->pins[PIN_BLOB]);
	strv_clear(&store->claims);
	registry_copy_clear(&store->registry);
	free((char *)store->defaults.registry);
	free((char *)store->defaults.registry_namespace);
	pthread_cond_destroy(&store->changed);
	pthread_cond_destroy(&store->sync_wanted);
	pthread_mutex_destroy(&store->gc_lock);
	pthread_mutex_destroy(&store->lock);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	if (store->dirfd >= 0)
		close(store->dirfd);
	free(store->dir);
	free(store);
}

const struct reference_defaults *image_store_defaults(const struct image_store *store)
{
	return &store->defaults;
}

/* ---- finding ---- */

/* With the lock held. An unambiguous start of an id. */
static int find_by_start(struct image_store *store, const char *name, struct image_entry **ret, struct err *err)
{
	const char *hex = str_skip(name, "sha256:") ? str_skip(name, "sha256:") : name;
	struct image_entry *found = NULL;

	if (!str_is_hex(hex, 1, 64))
		return err_set(err, ERR_NOT_FOUND, "no such image: %.300s", name);
	VEC_EACH(e, &store->entries) {
		if (!str_starts(digest_hex((*e)->record.id), hex))
			continue;
		if (found)
			return err_set(err, ERR_CONFLICT, "several images have ids that start with %s", hex);
		found = *e;
	}
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "no such image: %s", name);
	*ret = found;
	return 0;
}

/* The canonical form of @name, when it is one that an image has. */
static struct image_entry *find_by_name(struct image_store *store, const char *name)
{
	char canonical[REFERENCE_SIZE];
	struct reference ref;
	const char *id;

	if (reference_parse(name, &store->defaults, &ref, NULL) < 0)
		return NULL;
	reference_complete(&ref);
	if (ref.digest[0])
		ref.tag[0] = '\0';	/* the digest says it all */
	reference_string(&ref, canonical);
	id = strmap_get(&store->names, canonical);
	return id ? entry_find(store, id) : NULL;
}

int image_find(struct image_store *store, const char *name, struct image **ret, struct err *err)
{
	struct image_entry *e = NULL;
	int rc = 0;

	if (str_empty(name) || !str_is_printable(name))
		return err_set(err, ERR_INVALID, "invalid reference: the name is empty or has control characters");
	pthread_mutex_lock(&store->lock);
	if (!digest_is_valid(name))
		e = find_by_name(store, name);
	if (!e)
		rc = find_by_start(store, name, &e, err);
	if (rc == 0)
		*ret = image_get(e->image);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

static int newest_first(const void *a, const void *b)
{
	const struct image *x = *(struct image *const *)a, *y = *(struct image *const *)b;

	if (x->config.created != y->config.created)
		return x->config.created < y->config.created ? 1 : -1;
	return strcmp(x->id, y->id);
}

int image_list(struct image_store *store, struct image_list *ret, struct err *err)
{
	pthread_mutex_lock(&store->lock);
	VEC_EACH(e, &store->entries)
		VEC_PUSH(ret, image_get((*e)->image));
	pthread_mutex_unlock(&store->lock);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), newest_first);
	return 0;
}

void image_list_clear(struct image_list *list)
{
	VEC_EACH(i, list)
		image_put(*i);
	VEC_FREE(list);
}

/* ---- naming ---- */

int image_tag(struct image_store *store, const char *source, const char *target, struct err *err)
{
	AUTO(image_put) struct image *image = NULL;
	auto_free char *old = NULL;
	char name[REFERENCE_SIZE];
	struct reference ref;
	int rc = reference_parse(target, &store->defaults, &ref, err);

	if (rc < 0)
		return rc;
	if (ref.digest[0])
		return err_set(err, ERR_INVALID, "'%s': a digest cannot be given as a name", target);
	rc = image_find(store, source, &image, err);
	if (rc < 0)
		return rc;
	reference_complete(&ref);
	reference_string(&ref, name);
	pthread_mutex_lock(&store->lock);
	old = xstrdup(strmap_get(&store->names, name));
	if (!entry_find(store, image->id)) {
		rc = err_set(err, ERR_NOT_FOUND, "no such image: %s", source);
	} else if (!str_eq(old, image->id)) {
		strmap_set(&store->names, name, image->id);
		rc = names_write(store, err);
		if (rc < 0 && old)
			strmap_set(&store->names, name, old);
		else if (rc < 0)
			strmap_del(&store->names, name);
		entry_rename(store, image->id);
		if (old)
			entry_rename(store, old);
	}
	pthread_mutex_unlock(&store->lock);
	return rc;
}
