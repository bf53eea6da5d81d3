/*
 * store - the local driver: DIR/NAME/{_data,volume.json}.
 *
 * All volumes are kept in memory; the files are read once, at the start. A volume is made under a name that starts with a
 * dot and renamed when it is whole, and removed the other way round, so that what a killed daemon leaves starts with a
 * dot and is swept at the next start.
 */
#include "runtime/volume/volume.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/base/tree.h"
#include "runtime/volume/device.h"

#define VOLUME_JSON_MAX (1024 * 1024)
#define VOLUME_MAX	10000

struct volume_store {
	pthread_mutex_t lock;
	char *dir;
	int fd;
	volume_vec all;
};

static const struct json_field volume_fields[] = {
	JSON_FIELD(struct volume, name, "Name", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct volume, driver, "Driver", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct volume, scope, "Scope", JSON_STR, 0),
	JSON_FIELD(struct volume, mountpoint, "Mountpoint", JSON_STR, 0),
	JSON_FIELD(struct volume, created_ns, "CreatedAt", JSON_TIME, 0),
	JSON_FIELD(struct volume, anonymous, "Anonymous", JSON_BOOL, JSON_HIDDEN),
	JSON_FIELD(struct volume, labels, "Labels", JSON_STRMAP, 0),
	JSON_FIELD(struct volume, options, "Options", JSON_STRMAP, 0),
	JSON_FIELD(struct volume, users, "Users", JSON_STRV, JSON_HIDDEN),
};

const struct json_table volume_table = JSON_TABLE("volume", struct volume, volume_fields);

void volume_clear(struct volume *volume)
{
	json_clear(&volume_table, volume);
}

void volumes_clear(volume_vec *volumes)
{
	VEC_EACH(volume, volumes)
		volume_clear(volume);
	VEC_FREE(volumes);
}

static struct volume *find(struct volume_store *store, const char *name)
{
	VEC_EACH(volume, &store->all)
		if (str_eq(volume->name, name))
			return volume;
	return NULL;
}

static int find_or_refuse(struct volume_store *store, const char *name, struct volume **ret,
			  struct err *err)
{
	*ret = find(store, name);
	return *ret ? 0 : err_set(err, ERR_NOT_FOUND, "volume '%s' not found", name ? name : "");
}

static int save(struct volume_store *store, const char *dir, const struct volume *volume,
		enum file_sync sync, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char path[300];
	int rc = str_fmt(path, sizeof(path), "%s/volume.json", dir);

	if (rc < 0)
		return err_set(err, ERR_INVALID, "volume name '%s' is too long", volume->name);
	json_print(&volume_table, volume, JSON_PRINT_HIDDEN, &text);
	return file_replace(store->fd, path, text.data, text.len, 0600, sync, err);
}

static int load_one(struct volume_store *store, const char *name, struct err *err)
{
	auto_free char *path = path_join(name, "volume.json");
	struct volume volume = {0};
	int rc;

	rc = json_parse_file(&volume_table, store->fd, path, VOLUME_JSON_MAX, 0, &volume, err);
	if (rc < 0)
		return err_wrap(err, rc, "volume '%s'", name);
	if (!str_eq(volume.name, name)) {
		volume_clear(&volume);
		return err_set(err, ERR_INTERNAL, "volume '%s': its volume.json is of another", name);
	}
	VEC_PUSH(&store->all, volume);
	return 0;
}

static int load_all(struct volume_store *store, struct err *err)
{
	auto_closedir DIR *dir = opendir(store->dir);
	struct dirent *entry;
	int rc;

	if (!dir)
		return err_sys(err, errno, "open volume directory '%s'", store->dir);
	while ((errno = 0, entry = readdir(dir))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		rc = entry->d_name[0] == '.' ? path_remove_tree_at(store->fd, entry->d_name, err)
					     : load_one(store, entry->d_name, err);
		if (rc < 0)
			return rc;
	}
	return errno ? err_sys(err, errno, "read volume directory '%s'", store->dir) : 0;
}

int volume_store_open(const char *dir, struct volume_store **ret, struct err *err)
{
	AUTO(volume_store_close) struct volume_store *store = NULL;
	int rc = path_mkdirs(dir, 0711, err);

	if (rc < 0)
		return err_wrap(err, rc, "volume directory");
	store = xcalloc(1, sizeof(*store));
	pthread_mutex_init(&store->lock, NULL);
	store->dir = xstrdup(dir);
	store->fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->fd < 0)
		return err_sys(err, errno, "open volume directory '%s'", dir);
	rc = load_all(store, err);
	if (rc < 0)
		return rc;
	*ret = take(store);
	return 0;
}

void volume_store_close(struct volume_store *store)
{
	if (!store)
		return;
	volumes_clear(&store->all);
	if (store->fd >= 0)
		close(store->fd);
	free(store->dir);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

/* ---- create ----------------------------------------------------------------------------------------------------- */

static const char *option(const struct strmap *options, const char *name)
{
	return options ? strmap_get(options, name) : NULL;
}

static int check_options(const struct strmap *options, struct err *err)
{
	static const char *const known[] = {"mount", "type", "device", "o"};
	const char *mount = option(options, "mount");
	struct stat st;

	for (size_t i = 0; options && i < options->n; i++) {
		const char *key = options->v[i].key;
		size_t k = 0;

		if (str_eq(key, "size") || str_eq(key, "opt.size"))
			return err_set(err, ERR_UNSUPPORTED,
				       "volume option '%s' needs the capability 'disk quota of a "
				       "directory', which this driver does not offer",
				       key);
		while (k < ARRAY_SIZE(known) && !str_eq(key, known[k]))
			k++;
		if (k == ARRAY_SIZE(known))
			return err_set(err, ERR_INVALID,
				       "volume option '%s' is unknown; known: mount type device o", key);
	}

	if (mount) {
		if (mount[0] != '/')
			return err_set(err, ERR_INVALID, "volume option mount: '%s' is not absolute",
				       mount);
		if (stat(mount, &st) < 0 || !S_ISDIR(st.st_mode))
			return err_set(err, ERR_INVALID, "volume option mount: mount path is not a dir: '%s'",
				       mount);
		if (option(options, "device"))
			return err_set(err, ERR_INVALID,
				       "volume options 'mount' and 'device' exclude each other");
	}
	if (!option(options, "device") != !option(options, "type"))
		return err_set(err, ERR_INVALID, "volume options 'type' and 'device' go together");
	if (option(options, "o") && !option(options, "device"))
		return err_set(err, ERR_INVALID, "volume option 'o' needs 'type' and 'device'");
	return option(options, "o") ? volume_device_check(option(options, "o"), err) : 0;
}

static bool same_options(const struct strmap *have, const struct strmap *want)
{
	if (!want || want->n == 0)
		return true;	/* no wish: whatever it is */
	if (have->n != want->n)
		return false;
	for (size_t i = 0; i < want->n; i++)
		if (!str_eq(strmap_get(have, want->v[i].key), want->v[i].val))
			return false;
	return true;
}

/* The directory appears whole or not at all. */
static int make_dir(struct volume_store *store, const struct volume *volume, struct err *err)
{
	auto_free char *temporary = xfmt(".new-%s", volume->name);
	auto_free char *data = path_join(temporary, "_data");
	struct err ignored = ERR_INIT;
	int rc;

	if (mkdirat(store->fd, temporary, 0711) < 0)
		return err_sys(err, errno, "make volume '%s'", volume->name);
	rc = mkdirat(store->fd, data, 0755) < 0
		     ? err_sys(err, errno, "make volume '%s'", volume->name)
		     : fchmodat(store->fd, data, 0755, 0); /* whatever the umask says */
	if (rc >= 0)
		rc = save(store, temporary, volume, FILE_NO_SYNC, err);
	if (rc >= 0 && renameat(store->fd, temporary, store->fd, volume->name) < 0)
		rc = err_sys(err, errno, "make volume '%s'", volume->name);
	if (rc < 0)
		(void)path_remove_tree_at(store->fd, temporary, &ignored); /* rc tells the cause */
	return rc;
}

static int create_new(struct volume_store *store, const struct volume_create *create,
		      const char *name, struct volume *ret, struct err *err)
{
	AUTO(volume_clear) struct volume volume = {0};
	const char *mount = option(create->options, "mount");
	int rc = check_options(create->options, err);

	if (rc < 0)
		return rc;
	if (store->all.n >= VOLUME_MAX)
		return err_set(err, ERR_TOO_LARGE, "there are %d volumes already: remove some", VOLUME_MAX);

	volume.name = xstrdup(name);
	volume.driver = xstrdup("local");
	volume.scope = xstrdup("local");
	volume.anonymous = str_empty(create->name);
	volume.created_ns = time_now_ns();
	volume.mountpoint = mount ? path_clean(mount) : xfmt("%s/%s/_data", store->dir, name);
	if (create->labels)
		strmap_copy(&volume.labels, create->labels);
	if (create->options)
		strmap_copy(&volume.options, create->options);

	rc = make_dir(store, &volume, err);
	if (rc < 0)
		return rc;
	json_copy(&volume_table, ret, &volume);
	VEC_PUSH(&store->all, volume);
	volume = (struct volume){0};
	return 0;
}

int volume_create(struct volume_store *store, const struct volume_create *create,
		  struct volume *ret, struct err *err)
{
	const char *driver = str_empty(create->driver) ? "local" : create->driver;
	const struct volume *have;
	const char *name = create->name;
	char id[65];
	int rc;

	if (!str_eq(driver, "local"))
		return err_set(err, ERR_UNSUPPORTED, "volume driver '%s' is not there; have: local", driver);
	if (!str_empty(name) && (!str_is_name(name) || strlen(name) > 200))
		return err_set(err, ERR_INVALID,
			       "volume name '%s' is invalid: want [a-zA-Z0-9][a-zA-Z0-9_.-]+, at most "
			       "200 characters",
			       str_is_printable(name) ? name : "?");
	if (str_empty(name)) {
		random_id(id);
		name = id;
	}

	pthread_mutex_lock(&store->lock);
	have = find(store, name);
	if (!have) {
		rc = create_new(store, create, name, ret, err);
	} else if (same_options(&have->options, create->options)) {
		json_copy(&volume_table, ret, have);
		rc = 0;
	} else {
		rc = err_set(err, ERR_CONFLICT, "volume '%s' exists already with other options", name);
	}
	pthread_mutex_unlock(&store->lock);
	return rc;
}

/* ---- look up ---------------------------------------------------------------------------------------------------- */

int volume_find(struct volume_store *store, const char *name, struct volume *ret, struct err *err)
{
	struct volume *volume;
	int rc;

	pthread_mutex_lock(&store->lock);
	rc = find_or_refuse(store, name, &volume, err);
	if (rc == 0)
		json_copy(&volume_table, ret, volume);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

int volume_list(struct volume_store *store, volume_vec *ret, struct err *err)
{
	(void)err;	/* memory only: nothing can fail */
	pthread_mutex_lock(&store->lock);
	VEC_EACH(volume, &store->all)
		json_copy(&volume_table, VEC_ADD(ret), volume);
	pthread_mutex_unlock(&store->lock);
	return 0;
}

int volume_usage(struct volume_store *store, const char *name, int64_t *ret_bytes, struct err *err)
{
	AUTO(volume_clear) struct volume volume = {0};
	auto_fd int fd = -1;
	uint64_t bytes, entries;
	int rc = volume_find(store, name, &volume, err);

	if (rc < 0)
		return rc;
	fd = open(volume.mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open volume '%s'", name);
	rc = tree_usage(fd, &bytes, &entries, err);
	if (rc < 0)
		return err_wrap(err, rc, "volume '%s'", name);
	*ret_bytes = (int64_t)bytes;
	return 0;
}

/* ---- remove ----------------------------------------------------------------------------------------------------- */

static int unmount_device(const struct volume *volume, struct err *err)
{
	if (!strmap_get(&volume->options, "device"))
		return 0;
	return volume_device_unmount(volume->mountpoint, err);
}

static int remove_locked(struct volume_store *store, const char *name, bool force, struct err *err)
{
	auto_free char *gone = xfmt(".gone-%s", name);
	struct err ignored = ERR_INIT;
	struct volume *volume;
	int rc = find_or_refuse(store, name, &volume, err);

	if (rc < 0)
		return rc;
	if (volume->users.n && !force) {
		auto_free char *users = strv_join(&volume->users, ", ");

		return err_set(err, ERR_CONFLICT, "volume '%s' is in use by container %s", name, users);
	}
	rc = unmount_device(volume, err);
	if (rc < 0)
		return rc;
	if (renameat(store->fd, name, store->fd, gone) < 0)
		return err_sys(err, errno, "remove volume '%s'", name);
	volume_clear(volume);
	VEC_DEL(&store->all, (size_t)(volume - store->all.v));
	/* It is gone by name; what resists (a busy mount) is swept at the next start. */
	(void)path_remove_tree_at(store->fd, gone, &ignored);
	return 0;
}

int volume_remove(struct volume_store *store, const char *name, bool force, struct err *err)
{
	int rc;

	pthread_mutex_lock(&store->lock);
	rc = remove_locked(store, name, force, err);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

/* ---- users ------------------------------------------------------------------------------------------------------ */

static int user_index(const struct volume *volume, const char *container)
{
	for (size_t i = 0; i < volume->users.n; i++)
		if (str_eq(volume->users.v[i], container))
			return (int)i;
	return -1;
}

static void user_del(struct volume *volume, int index)
{
	free(volume->users.v[index]);
	VEC_DEL(&volume->users, (size_t)index);
}

static int mount_device(const struct volume *volume, struct err *err)
{
	const char *device = strmap_get(&volume->options, "device");

	if (!device)
		return 0;
	return volume_device_mount(device, volume->mountpoint, strmap_get(&volume->options, "type"),
				   strmap_get(&volume->options, "o"), err);
}

static int ref_locked(struct volume_store *store, const char *name, const char *container,
		      struct err *err)
{
	struct volume *volume;
	int rc = find_or_refuse(store, name, &volume, err);

	if (rc < 0)
		return rc;
	rc = mount_device(volume, err);	/* also after a reboot, when the users are known but nothing is mounted */
	if (rc < 0)
		return err_wrap(err, rc, "volume '%s'", name);
	if (user_index(volume, container) >= 0)
		return 0;
	strv_add(&volume->users, container);
	rc = save(store, volume->name, volume, FILE_NO_SYNC, err);
	if (rc < 0) {
		struct err ignored = ERR_INIT;

		user_del(volume, (int)volume->users.n - 1);
		if (!volume->users.n)
			(void)unmount_device(volume, &ignored); /* rc tells the cause */
	}
	return rc;
}

int volume_ref(struct volume_store *store, const char *name, const char *container, struct err *err)
{
	int rc;

	pthread_mutex_lock(&store->lock);
	rc = ref_locked(store, name, container, err);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

static int unref_locked(struct volume_store *store, struct volume *volume, int index,
			struct err *err)
{
	user_del(volume, index);
	if (!volume->users.n) {
		int rc = unmount_device(volume, err);

		if (rc < 0)
			return rc;
	}
	return save(store, volume->name, volume, FILE_NO_SYNC, err);
}

int volume_unref(struct volume_store *store, const char *name, const char *container,
		 struct err *err)
{
	struct volume *volume;
	int index, rc;

	pthread_mutex_lock(&store->lock);
	rc = find_or_refuse(store, name, &volume, err);
	if (rc == 0) {
		index = user_index(volume, container);
		rc = index < 0 ? 0 : unref_locked(store, volume, index, err);
	}
	pthread_mutex_unlock(&store->lock);
	return rc;
}

int volume_gc(struct volume_store *store, const struct strv *live, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&store->lock);
	VEC_EACH(volume, &store->all) {
		for (int i = (int)volume->users.n - 1; i >= 0 && rc == 0; i--)
			if (!strv_has(live, volume->users.v[i]))
				rc = unref_locked(store, volume, i, err);
	}
	pthread_mutex_unlock(&store->lock);
	return rc;
}
