/*
 * rootfs - root file systems of containers
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/json.h"
#include "compat/base/path.h"
#include "runtime/storage/internal.h"

#define RECORD	   "rootfs.json"
#define RECORD_MAX 4096

/* ROOTFS/rootfs.json */
struct rootfs_record {
	char *top;	/* hex of the layer below, or "" */
};

static const struct json_field record_fields[] = {
	JSON_FIELD(struct rootfs_record, top, "top", JSON_STR, JSON_REQUIRED),
};
static const struct json_table record_table =
	JSON_TABLE("root file system", struct rootfs_record, record_fields);

/* With the lock held. */
static void collect_below(struct storage *s, const char *top, struct strv *ret)
{
	for (const struct layer *l = layer_find(s, top); l; l = l->parent ? layer_find(s, l->parent) : NULL)
		strv_add(ret, l->hex);
}

int rootfs_load(struct storage *s, struct err *err)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *e;
	int fd = openat(s->dirfd, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, errno, "read '%s/rootfs'", s->dir);
	while ((e = readdir(dir))) {
		auto_free char *path = xfmt("rootfs/%s/" RECORD, e->d_name);
		struct rootfs_record record = {0};
		struct layer *top;

		if (!str_is_name(e->d_name))
			continue;
		/* A container's data stay, even where the record is lost: who owns them removes them. */
		(void)json_parse_file(&record_table, s->dirfd, path, RECORD_MAX, 0, &record, NULL);
		strmap_set(&s->rootfs, e->d_name, record.top ? record.top : "");
		top = str_empty(record.top) ? NULL : layer_find(s, record.top);
		if (top)
			layer_hold(top);
		json_clear(&record_table, &record);
	}
	return 0;
}

static int check_id(const char *id, struct err *err)
{
	if (!str_is_name(id) || strlen(id) > 128)
		return err_set(err, ERR_INVALID, "'%.100s' is not a container's id", id);
	return 0;
}

/* Hold the layer @hex. */
static int hold_top(struct storage *s, const char *hex, struct layer **ret, struct err *err)
{
	pthread_mutex_lock(&s->lock);
	*ret = layer_find(s, hex);
	if (*ret)
		layer_hold(*ret);
	pthread_mutex_unlock(&s->lock);
	return *ret ? 0 : err_set(err, ERR_NOT_FOUND, "no such layer: %.12s: pull the image again", hex);
}

static int fill_and_place(struct storage *s, const char *id, const struct layer *top, struct err *err)
{
	auto_free char *tmp = NULL;
	auto_free char *from = NULL;
	auto_free char *to = xfmt("rootfs/%s", id);
	auto_fd int fd = -1;
	struct rootfs_record record = {.top = top ? top->hex : ""};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = storage_tmp_create(s, &tmp, &fd, err);

	if (rc < 0)
		return rc;
	json_print(&record_table, &record, 0, &text);
	rc = file_write(fd, RECORD, text.data, text.len, 0600, err);
	if (rc == 0)
		rc = s->driver->rootfs_fill(s, fd, top, err);
	from = xfmt("tmp/%s", tmp);
	if (rc == 0 && renameat(s->dirfd, from, s->dirfd, to) < 0)
		rc = err_sys(err, errno, "name root file system '%s/%s'", s->dir, to);
	if (rc < 0)
		storage_tmp_discard(s, tmp);
	return rc;
}

int storage_rootfs_create(struct storage *s, const char *id, const char *top, struct err *err)
{
	struct layer *layer = NULL;
	const char *hex = NULL;
	int rc = check_id(id, err);

	if (rc == 0 && top)
		rc = storage_hex(top, &hex, err);
	if (rc < 0)
		return rc;
	if (storage_rootfs_exists(s, id))
		return err_set(err, ERR_CONFLICT, "root file system of %s exists already", id);
	if (hex)
		rc = hold_top(s, hex, &layer, err);
	if (rc == 0)
		rc = fill_and_place(s, id, layer, err);
	if (rc < 0) {
		layer_release(s, layer);
		return err_wrap(err, rc, "create root file system");
	}
	pthread_mutex_lock(&s->lock);
	strmap_set(&s->rootfs, id, hex ? hex : "");
	pthread_mutex_unlock(&s->lock);
	return 0;
}

struct rootfs_ref {
	struct rootfs r;
	char *path;
};

static void rootfs_ref_clear(struct rootfs_ref *ref)
{
	strv_clear(&ref->r.below);
	free(ref->path);
}
DEFINE_AUTO_CLEAR(rootfs_ref_clear, struct rootfs_ref)

/* Fill @ref. With @whole, all layers must be there. */
static int look_up(struct storage *s, const char *id, bool whole, struct rootfs_ref *ref, struct err *err)
{
	const char *top;
	bool missing;

	pthread_mutex_lock(&s->lock);
	top = strmap_get(&s->rootfs, id);
	if (top && *top)
		collect_below(s, top, &ref->r.below);
	missing = top && *top && !ref->r.below.n;
	pthread_mutex_unlock(&s->lock);
	if (!top)
		return err_set(err, ERR_NOT_FOUND, "no root file system of %.64s", id);
	if (missing && whole && s->driver->layers_are_independent)
		return err_set(err, ERR_NOT_FOUND,
			       "the layers below container %.12s are gone: pull its image again", id);
	ref->path = xfmt("%s/rootfs/%s", s->dir, id);
	ref->r.id = id;
	ref->r.path = ref->path;
	return 0;
}

int storage_rootfs_mount(struct storage *s, const char *id, const char *label, char **ret_path,
			 struct err *err)
{
	AUTO(rootfs_ref_clear) struct rootfs_ref ref = {0};
	int rc = look_up(s, id, true, &ref, err);

	return rc < 0 ? rc : s->driver->rootfs_mount(s, &ref.r, label, ret_path, err);
}

int storage_rootfs_umount(struct storage *s, const char *id, struct err *err)
{
	AUTO(rootfs_ref_clear) struct rootfs_ref ref = {0};
	int rc = look_up(s, id, false, &ref, err);

	return rc < 0 ? rc : s->driver->rootfs_umount(s, &ref.r, err);
}

int storage_rootfs_remove(struct storage *s, const char *id, struct err *err)
{
	AUTO(rootfs_ref_clear) struct rootfs_ref ref = {0};
	auto_free char *top = NULL;
	struct layer *layer = NULL;
	int rc;

	if (!storage_rootfs_exists(s, id))
		return 0;
	rc = look_up(s, id, false, &ref, err);
	if (rc == 0)
		rc = s->driver->rootfs_umount(s, &ref.r, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	top = xstrdup(strmap_get(&s->rootfs, id));
	if (top && *top)
		layer = layer_find(s, top);
	strmap_del(&s->rootfs, id);
	pthread_mutex_unlock(&s->lock);
	rc = storage_retire(s, "rootfs", id, err);
	layer_release(s, layer);
	return err_wrap(err, rc, "remove root file system");
}

bool storage_rootfs_exists(struct storage *s, const char *id)
{
	bool exists;

	pthread_mutex_lock(&s->lock);
	exists = strmap_get(&s->rootfs, id) != NULL;
	pthread_mutex_unlock(&s->lock);
	return exists;
}

int storage_rootfs_list(struct storage *s, struct strv *ret, struct err *err)
{
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->rootfs.n; i++)
		strv_add(ret, s->rootfs.v[i].key);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int storage_rootfs_usage(struct storage *s, const char *id, uint64_t *ret_bytes, uint64_t *ret_inodes,
			 struct err *err)
{
	AUTO(rootfs_ref_clear) struct rootfs_ref ref = {0};
	int rc = look_up(s, id, false, &ref, err);

	return rc < 0 ? rc : s->driver->rootfs_usage(s, &ref.r, ret_bytes, ret_inodes, err);
}

int storage_rootfs_info(struct storage *s, const char *id, struct strmap *ret, struct err *err)
{
	AUTO(rootfs_ref_clear) struct rootfs_ref ref = {0};
	int rc = look_up(s, id, false, &ref, err);

	if (rc == 0)
		s->driver->rootfs_info(s, &ref.r, ret);
	return rc;
}

int storage_layer_info(struct storage *s, const char *chain_id, struct strmap *ret, struct err *err)
{
	AUTO(buf_clear) struct buf lower = BUF_INIT;
	AUTO(strv_clear) struct strv below = {0};
	auto_free char *dir = NULL;
	const char *hex;
	int rc = storage_hex(chain_id, &hex, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	collect_below(s, hex, &below);
	pthread_mutex_unlock(&s->lock);
	if (!below.n)
		return err_set(err, ERR_NOT_FOUND, "no such layer: %.12s", hex);
	dir = xfmt("%s/layers/%s/" FS_DIR, s->dir, hex);
	if (!s->driver->layers_are_independent) {
		strmap_set(ret, "Dir", dir);
		return 0;
	}
	for (size_t i = 1; i < below.n; i++)
		buf_fmt(&lower, "%s%s/layers/%s/" FS_DIR, i > 1 ? ":" : "", s->dir, below.v[i]);
	if (lower.len)
		strmap_set(ret, "LowerDir", lower.data);
	strmap_set(ret, "UpperDir", dir);
	return 0;
}
