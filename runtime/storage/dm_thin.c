/*
 * dm_thin - every layer and root file system is a thin device of one pool, made as a snapshot of the one below
 *
 * All come from the device BASE, an empty ext4. A layer's device is active and mounted while it is unpacked, a container's while it
 * runs. The number of a device is on the disk, in the directory that it belongs to, before the device is made: what a killed
 * process left in tmp/ is removed with its device.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/loop.h"
#include "compat/kernel/mount.h"
#include "runtime/storage/dm_pool.h"

#define BASE_DIR "base"		/* its record, and where it is mounted while it is made */
#define USED	 "used"		/* bytes that a container had written when it was last unmounted */

enum {
	BASE = 1,
	BASE_SIZE_MIN = 32 << 20,
	DATA_SIZE_MIN = 16 << 20,
	METADATA_SIZE_MIN = 2 << 20,
	BUSY_MS = 3000,		/* how long a container's dead namespaces may hold its device */
};

static struct dm_pool *own(struct storage *s)
{
	return s->own;
}

static struct fit thin_probe(const char *dir)
{
	auto_free char *mkfs = NULL;
	struct err err = ERR_INIT;
	auto_fd int control = -1;

	if (hidden("dm-thin") || hidden("device-mapper"))
		return fit(FIT_NO, "hidden by POUCH_HIDE or compat.xml");
	if (geteuid() != 0)
		return fit(FIT_NO, "device-mapper needs root");
	if (dm_open(dir, &control, &err) < 0 || dm_fs_mkfs_program(&mkfs, &err) < 0)
		return fit(FIT_NO, "%s", err.msg);
	if (!dm_has_target(control, "thin-pool", NULL))
		return fit(FIT_NO, "device-mapper has no target 'thin-pool'");
	return dm_pool_probe(control, dir);
}

/* ---- devices that are mounted ---- */

static int mount_device(struct storage *s, uint64_t id, const char *target, const char *label, struct err *err)
{
	struct dm_pool *p = own(s);
	auto_free char *node = NULL;
	char suffix[DM_FS_NAME_MAX];
	int rc = dm_pool_activate(p, id, &node, err);

	if (rc == 0)
		rc = dm_fs_mount(node, target, true, label, err);
	if (rc < 0)
		(void)dm_fs_deactivate(&p->fs, dm_pool_suffix(id, suffix), 0, NULL);	/* the first error is told */
	return rc;
}

/* FS_DIR of the directory @dirfd, which is to be the origin of snapshots. */
static int unmount_filled(struct storage *s, int dirfd, uint64_t id, struct err *err)
{
	char suffix[DM_FS_NAME_MAX], dir[MOUNT_FD_PATH_SIZE];
	int rc = dm_fs_seal(mount_fd_path(dirfd, dir), FS_DIR, err);

	if (rc == 0)
		(void)dm_fs_deactivate(&own(s)->fs, dm_pool_suffix(id, suffix), BUSY_MS, NULL);	/* tried again at its removal */
	return rc;
}

/* ---- the base ---- */

static int fill_base(struct storage *s, int dirfd, struct err *err)
{
	struct dm_pool *p = own(s);
	auto_free char *target = xfmt("%s/" BASE_DIR "/" FS_DIR, s->dir);
	auto_free char *node = NULL;
	auto_fd int root = -1;
	int rc = dm_pool_activate(p, BASE, &node, err);

	if (rc == 0)
		rc = dm_fs_mkfs(node, p->fs.size, err);
	if (rc == 0)
		rc = mount_device(s, BASE, target, NULL, err);
	if (rc < 0)
		return rc;
	root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || fchmod(root, 0755) < 0)
		rc = err_sys(err, errno, "set the mode of '%s'", target);
	else
		dm_fs_clean_root(root);
	if (root >= 0)
		close(fd_take(&root));
	return rc < 0 ? rc : unmount_filled(s, dirfd, BASE, err);
}

/* Its record, with the size of all file systems in this pool, is written last: without it, what is there is half made. */
static int have_base(struct storage *s, bool size_is_given, struct err *err)
{
	struct dm_pool *p = own(s);
	AUTO(dm_record_clear) struct dm_record record = {0};
	char suffix[DM_FS_NAME_MAX], dir[MOUNT_FD_PATH_SIZE];
	auto_fd int dirfd = -1;
	int rc;

	if (dm_record_read(s->dirfd, BASE_DIR, &record, NULL) == 0 && record.id == BASE && record.size) {
		if (size_is_given && p->fs.size != record.size)
			return err_set(err, ERR_INVALID,
				       "storage option 'dm.basesize': the file systems in '%s' have %" PRIu64 "M, which cannot be changed", s->dir,
				       record.size >> 20);
		p->fs.size = record.size;
		return 0;
	}
	if (mkdirat(s->dirfd, BASE_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create directory '%s/" BASE_DIR "'", s->dir);
	dirfd = openat(s->dirfd, BASE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 || (mkdirat(dirfd, FS_DIR, 0700) < 0 && errno != EEXIST))
		return err_sys(err, errno, "create directory '%s/" BASE_DIR "/" FS_DIR "'", s->dir);
	(void)storage_unmount(mount_fd_path(dirfd, dir), FS_DIR, NULL);	/* of a killed process; else the device is busy below */
	rc = dm_fs_deactivate(&p->fs, dm_pool_suffix(BASE, suffix), BUSY_MS, err);
	if (rc == 0)
		rc = dm_pool_delete(p, BASE, err);
	if (rc == 0)
		rc = dm_pool_create(p, BASE, 0, err);
	if (rc == 0)
		rc = fill_base(s, dirfd, err);
	record = (struct dm_record){.id = BASE, .size = p->fs.size};
	if (rc == 0)
		rc = dm_record_write(dirfd, &record, err);
	return err_wrap(err, rc, "make the base file system");
}

/* ---- open, close, clock ---- */

struct survey {
	struct storage *s;
	uint64_t last_id;
	struct strv wanted;	/* suffixes of what is mounted */
};

static void survey_dir(struct survey *v, const char *name)
{
	auto_free char *base = path_join(v->s->dir, name);
	auto_closedir DIR *dir = opendir(base);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		AUTO(dm_record_clear) struct dm_record record = {0};
		auto_free char *path = path_join(base, e->d_name);
		char suffix[DM_FS_NAME_MAX];

		if (e->d_name[0] == '.' || dm_record_read(dirfd(dir), e->d_name, &record, NULL) < 0)
			continue;
		if (record.id > v->last_id)
			v->last_id = record.id;
		if (storage_is_mounted(path, FS_DIR))
			strv_add(&v->wanted, dm_pool_suffix(record.id, suffix));
	}
}

static bool is_wanted(void *arg, const char *suffix)
{
	return strcmp(suffix, DM_POOL_SUFFIX) == 0 || strv_has(&((struct survey *)arg)->wanted, suffix);
}

static void sweep_loops(struct storage *s)
{
	static const char *const names[] = {"data", "metadata"};
	struct loop_file files[ARRAY_SIZE(names)];
	struct stat st;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (fstatat(s->dirfd, names[i], &st, 0) == 0)
			files[n++] = (struct loop_file){st.st_dev, st.st_ino};
	}
	loop_sweep(files, n, own(s)->fs.nodes);
}

static bool is_given(const struct strv *options, const char *key)
{
	for (size_t i = 0; options && i < options->n; i++) {
		if (str_starts(options->v[i], key))
			return true;
	}
	return false;
}

static int open_pool(struct storage *s, const struct strv *options, struct err *err)
{
	static const char *const dirs[] = {"tmp", "layers", "rootfs"};
	struct dm_pool *p = own(s);
	struct survey v = {.s = s, .last_id = BASE};
	int rc = dm_fs_open(s, &p->fs, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		survey_dir(&v, dirs[i]);
	p->next_id = v.last_id + 1;
	dm_fs_sweep(&p->fs, is_wanted, &v);
	strv_clear(&v.wanted);
	sweep_loops(s);
	rc = dm_pool_open(s, p, err);
	return rc == 0 ? have_base(s, is_given(options, "dm.basesize="), err) : rc;
}

static int thin_open(struct storage *s, const struct strv *options, struct err *err)
{
	struct dm_pool *p = xcalloc(1, sizeof(*p));
	const struct storage_option table[] = {
		{"dm.basesize", "10G", BASE_SIZE_MIN, &p->fs.size, &p->fs.size_text},
		{"dm.loopdatasize", "100G", DATA_SIZE_MIN, &p->data_size, NULL},
		{"dm.loopmetadatasize", "128M", METADATA_SIZE_MIN, &p->metadata_size, NULL},
		{"dm.datadev", NULL, 0, NULL, &p->data_device},
		{"dm.metadatadev", NULL, 0, NULL, &p->metadata_device},
	};
	int rc;

	s->own = p;
	p->fs.control = -1;
	pthread_mutex_init(&p->lock, NULL);
	rc = storage_options_set(options, table, ARRAY_SIZE(table), err);
	if (rc == 0 && !p->data_device != !p->metadata_device)
		rc = err_set(err, ERR_INVALID, "storage options 'dm.datadev' and 'dm.metadatadev' go together");
	return rc == 0 ? open_pool(s, options, err) : rc;
}

static void thin_close(struct storage *s, bool last)
{
	struct dm_pool *p = own(s);

	if (p && p->fs.prefix)
		dm_pool_release(p);
	if (!last || !p)
		return;
	dm_fs_close(&p->fs);
	free(p->data_device);
	free(p->metadata_device);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static void thin_tick(struct storage *s)
{
	dm_pool_watch(s, own(s));
}

static void set_size(struct strmap *ret, const char *key, uint64_t bytes)
{
	char text[32];

	str_human_size(text, (double)bytes, true);
	strmap_set(ret, key, text);
}

static void thin_status(struct storage *s, struct strmap *ret)
{
	struct dm_pool *p = own(s);
	auto_free char *name = dm_fs_name(&p->fs, DM_POOL_SUFFIX);
	auto_free char *data = path_join(s->dir, "data");
	auto_free char *metadata = path_join(s->dir, "metadata");
	struct dm_pool_status st;
	char version[32] = "unknown";

	(void)dm_version(p->fs.control, version, NULL);	/* shown as unknown */
	strmap_set(ret, "Device-mapper Version", version);
	strmap_set(ret, "Pool Name", name);
	strmap_set(ret, p->data_device ? "Data Device" : "Data File", p->data_device ? p->data_device : data);
	strmap_set(ret, p->data_device ? "Metadata Device" : "Metadata File", p->data_device ? p->metadata_device : metadata);
	set_size(ret, "Base Size", p->fs.size);
	strmap_set(ret, "Base File System", "ext4");
	if (dm_pool_status(p, &st, NULL) < 0)
		return;
	strmap_set(ret, "Pool State", st.failed ? "failed" : st.needs_check ? "needs check" : st.read_only ? "read-only" :
		   st.out_of_data ? "full" : "good");
	set_size(ret, "Data Space Used", st.data_used * DM_POOL_BLOCK * 512);
	set_size(ret, "Data Space Total", st.data_total * DM_POOL_BLOCK * 512);
	set_size(ret, "Metadata Space Used", st.metadata_used * 4096);
	set_size(ret, "Metadata Space Total", st.metadata_total * 4096);
}

/* ---- layers ---- */

static int layer_id(struct storage *s, const struct layer *layer, uint64_t *ret, struct err *err)
{
	AUTO(dm_record_clear) struct dm_record record = {0};
	auto_free char *dir = layer ? xfmt("layers/%s", layer->hex) : NULL;
	int rc;

	*ret = BASE;
	if (!layer)
		return 0;
	rc = dm_record_read(s->dirfd, dir, &record, err);
	if (rc == 0)
		*ret = record.id;
	return err_wrap(err, rc, "layer %.12s", layer->hex);
}

/* A snapshot of @from, its number in @dirfd. A number that an earlier pool's crash has left in use is passed over. */
static int make_snapshot(struct storage *s, int dirfd, const struct layer *from, uint64_t *ret_id, struct err *err)
{
	struct dm_pool *p = own(s);
	uint64_t origin;
	int rc = dm_pool_check(s, p, err);

	if (rc == 0)
		rc = layer_id(s, from, &origin, err);
	for (int tries = 0; rc == 0; tries++) {
		struct dm_record record = {.id = dm_pool_next_id(p)};

		rc = dm_record_write(dirfd, &record, err);
		if (rc == 0)
			rc = dm_pool_create(p, record.id, origin, err);
		if (rc == 0) {
			*ret_id = record.id;
			return 0;
		}
		if (rc == -EEXIST && tries < 1000)
			rc = 0;
	}
	/* The number is not ours: whoever discards the directory must not delete the device. */
	(void)unlinkat(dirfd, DM_RECORD, 0);
	return rc;
}

static int thin_layer_fill(struct storage *s, int dirfd, const struct layer *parent, struct err *err)
{
	char dir[MOUNT_FD_PATH_SIZE];
	auto_free char *target = xfmt("%s/" FS_DIR, mount_fd_path(dirfd, dir));
	uint64_t id;
	int rc = make_snapshot(s, dirfd, parent, &id, err);

	if (rc == 0 && mkdirat(dirfd, FS_DIR, 0700) < 0)
		rc = err_sys(err, errno, "create directory of a layer");
	return rc == 0 ? mount_device(s, id, target, NULL, err) : rc;
}

static int thin_layer_settle(struct storage *s, int dirfd, struct layer *layer, struct err *err)
{
	AUTO(dm_record_clear) struct dm_record record = {0};
	int rc = dm_record_read(dirfd, ".", &record, err);

	return rc == 0 ? unmount_filled(s, dirfd, record.id, err) : rc;
}

static int thin_discard(struct storage *s, int dirfd, const char *name, struct err *err)
{
	struct dm_pool *p = own(s);
	AUTO(dm_record_clear) struct dm_record record = {0};
	auto_free char *dir = xfmt("%s/tmp/%s", s->dir, name);
	char suffix[DM_FS_NAME_MAX];
	int rc = 0;

	(void)storage_unmount(dir, FS_DIR, NULL);	/* the removal of the tree will say it */
	if (dm_record_read(dirfd, name, &record, NULL) == 0 && record.id > BASE) {
		rc = dm_fs_deactivate(&p->fs, dm_pool_suffix(record.id, suffix), BUSY_MS, err);
		if (rc == 0)
			rc = dm_pool_delete(p, record.id, err);
	}
	return rc < 0 ? rc : path_remove_tree_at(dirfd, name, err);
}

/* ---- root file systems ---- */

static int thin_rootfs_fill(struct storage *s, int dirfd, const struct layer *top, struct err *err)
{
	uint64_t id;

	if (mkdirat(dirfd, FS_DIR, 0700) < 0)
		return err_sys(err, errno, "create directory '" FS_DIR "'");
	return make_snapshot(s, dirfd, top, &id, err);
}

/* What it shares with its layer is known before it is first mounted. */
static int note_shared(struct storage *s, const struct rootfs *r, struct dm_record *record, struct err *err)
{
	auto_fd int dirfd = -1;
	auto_free char *node = NULL;
	int rc = record->shared ? 0 : dm_pool_activate(own(s), record->id, &node, err);

	if (rc < 0 || record->shared || dm_pool_mapped(own(s), record->id, &record->shared) < 0 || !record->shared)
		return rc;
	dirfd = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 ? err_sys(err, errno, "open '%s'", r->path) : dm_record_write(dirfd, record, err);
}

static int thin_rootfs_mount(struct storage *s, const struct rootfs *r, const char *label, char **ret_path,
			     struct err *err)
{
	AUTO(dm_record_clear) struct dm_record record = {0};
	auto_free char *target = path_join(r->path, FS_DIR);
	int rc = dm_record_read(AT_FDCWD, r->path, &record, err);

	if (rc == 0 && !storage_is_mounted(r->path, FS_DIR)) {
		rc = dm_pool_check(s, own(s), err);
		if (rc == 0)
			rc = note_shared(s, r, &record, err);
		if (rc == 0)
			rc = mount_device(s, record.id, target, label, err);
	}
	if (rc == 0)
		*ret_path = take(target);
	return err_wrap(err, rc, "root file system of container %.12s", r->id);
}

static int written(struct storage *s, const struct dm_record *record, uint64_t *ret_bytes)
{
	uint64_t sectors;
	int rc = dm_pool_mapped(own(s), record->id, &sectors);

	if (rc == 0)
		*ret_bytes = record->shared && sectors > record->shared ? (sectors - record->shared) * 512 : 0;
	return rc;
}

static int thin_rootfs_umount(struct storage *s, const struct rootfs *r, struct err *err)
{
	AUTO(dm_record_clear) struct dm_record record = {0};
	auto_free char *used = path_join(r->path, USED);
	char suffix[DM_FS_NAME_MAX], text[24];
	uint64_t bytes;
	int rc = storage_unmount(r->path, FS_DIR, err);

	if (rc < 0 || dm_record_read(AT_FDCWD, r->path, &record, NULL) < 0 || !record.id)
		return rc;
	if (written(s, &record, &bytes) == 0) {
		(void)str_fmt(text, sizeof(text), "%" PRIu64, bytes);	/* fits */
		(void)file_replace(AT_FDCWD, used, text, strlen(text), 0600, FILE_NO_SYNC, NULL);	/* for show */
	}
	/* A device that is still busy is used again by the next mount. */
	(void)dm_fs_deactivate(&own(s)->fs, dm_pool_suffix(record.id, suffix), BUSY_MS, NULL);
	return 0;
}

static int thin_rootfs_usage(struct storage *s, const struct rootfs *r, uint64_t *ret_bytes, uint64_t *ret_inodes,
			     struct err *err)
{
	AUTO(dm_record_clear) struct dm_record record = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *used = path_join(r->path, USED);
	auto_free char *path = path_join(r->path, FS_DIR);
	int rc = dm_record_read(AT_FDCWD, r->path, &record, err);

	if (rc < 0)
		return rc;
	*ret_inodes = storage_is_mounted(r->path, FS_DIR) ? dm_fs_inodes(path) : 0;
	*ret_bytes = 0;
	/* Neither active nor ever mounted: it wrote nothing. */
	if (written(s, &record, ret_bytes) < 0 && file_read(AT_FDCWD, used, 64, &text, NULL) == 0 &&
	    str_u64(buf_cstr(&text), 10, ret_bytes) < 0)
		*ret_bytes = 0;
	return 0;
}

static void thin_rootfs_info(struct storage *s, const struct rootfs *r, struct strmap *ret)
{
	struct dm_pool *p = own(s);
	AUTO(dm_record_clear) struct dm_record record = {0};
	auto_free char *merged = path_join(r->path, FS_DIR);
	auto_free char *id = NULL, *name = NULL, *size = NULL;
	char suffix[DM_FS_NAME_MAX];

	strmap_set(ret, "MergedDir", merged);
	if (dm_record_read(AT_FDCWD, r->path, &record, NULL) < 0)
		return;
	id = xfmt("%" PRIu64, record.id);
	name = dm_fs_name(&p->fs, dm_pool_suffix(record.id, suffix));
	size = xfmt("%" PRIu64, p->fs.size);
	strmap_set(ret, "DeviceId", id);
	strmap_set(ret, "DeviceName", name);
	strmap_set(ret, "DeviceSize", size);
}

const struct storage_driver storage_dm_thin = {
	.name = "devmapper-thin",
	.whiteouts = LAYER_WHITEOUTS_APPLIED,
	.probe = thin_probe,
	.open = thin_open,
	.close = thin_close,
	.tick = thin_tick,
	.status = thin_status,
	.layer_fill = thin_layer_fill,
	.layer_settle = thin_layer_settle,
	.discard = thin_discard,
	.rootfs_fill = thin_rootfs_fill,
	.rootfs_mount = thin_rootfs_mount,
	.rootfs_umount = thin_rootfs_umount,
	.rootfs_usage = thin_rootfs_usage,
	.rootfs_info = thin_rootfs_info,
};
