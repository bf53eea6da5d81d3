/*
 * dm_snapshot - a container is a snapshot of its image's file system, with a sparse file for what it writes
 *
 * A layer is a directory with its own files, as overlayfs would use it. When the first container of an image is made, the image's layers
 * are merged into an ext4 in the sparse file "image" of the top layer's directory; from then on it is only read. A container is the
 * device "snapshot" of that file and of the sparse file "cow" in its own directory, both by way of loop devices: made in
 * milliseconds on every 2.6.32. All containers of an image read the one file, and so share its pages.
 *
 * A snapshot that cannot write its changes (the disk is full, or "cow" is) is declared invalid by the kernel, which notes it in the
 * file's header; all I/O fails from then on. Nothing that was written before is lost: each piece is recorded after its data, and the file
 * system in it has a journal. So the next mount takes the note back, once there is room.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "compat/kernel/loop.h"
#include "compat/kernel/mount.h"
#include "runtime/storage/dm_fs.h"
#include "runtime/storage/dm_snapshot.h"
#include "runtime/storage/internal.h"

#define IMAGE "image"
#define COW   "cow"
#define EMPTY "empty.img"	/* the file system below containers without an image */

enum {
	SIZE_MIN = 32 << 20,
	CHUNK_SECTORS = 32,
	BUSY_MS = 3000,		/* how long a container's dead namespaces may hold its device */
	ROOM_MIN = 64 << 20,	/* on the disk, before an invalid snapshot is used again */
	PROBE_SIZE = 1 << 20,
	UUID_AT = 1024 + 0x68,	/* of ext4 */
};

struct snapshots {
	struct dm_fs fs;
	uint64_t cow_size;		/* 0: so large that it cannot overflow */
	char *cow_text;
	pthread_mutex_t build_lock;	/* one image at a time is merged */
	struct strv invalid;		/* suffixes that were warned of; the clock's alone */
};

static struct snapshots *own(struct storage *s)
{
	return s->own;
}

/* ---- the "cow" file ---- */

uint64_t dm_snapshot_cow_size(uint64_t origin_bytes)
{
	uint64_t chunk = CHUNK_SECTORS * 512;
	uint64_t chunks = (origin_bytes + chunk - 1) / chunk;
	uint64_t records = chunk / 16;	/* 16 bytes record one chunk */

	return (1 + chunks + (chunks + records - 1) / records + 1) * chunk;
}

int dm_snapshot_line(char args[80], dev_t origin, dev_t cow)
{
	return str_fmt(args, 80, "%u:%u %u:%u P %d", major(origin), minor(origin), major(cow), minor(cow), CHUNK_SECTORS);
}

bool dm_snapshot_is_invalid(const char *status)
{
	return str_starts(status, "Invalid") || str_starts(status, "Overflow");
}

int dm_snapshot_heal(int fd, bool *ret_healed, struct err *err)
{
	struct {
		uint32_t magic, valid;
	} header = {0};
	ssize_t n = pread(fd, &header, sizeof(header), 0);

	*ret_healed = false;
	if (n < 0)
		return err_sys(err, errno, "read the header of a snapshot");
	if (n < (ssize_t)sizeof(header) || le32toh(header.magic) != 0x70416e53 || header.valid)
		return 0;	/* new, or fine */
	header.valid = htole32(1);
	if (pwrite(fd, &header, sizeof(header), 0) != (ssize_t)sizeof(header) || fsync(fd) < 0)
		return err_sys(err, errno, "write the header of a snapshot");
	*ret_healed = true;
	return 0;
}

static int check_room(struct storage *s, const struct stat *st, struct err *err)
{
	struct statvfs fs;

	if (fstatvfs(s->dirfd, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < ROOM_MIN)
		return err_set(err, ERR_NO_SPACE,
			       "the disk under '%s' was full while the container wrote: free some space and start it again, "
			       "nothing but its last writes is lost", s->dir);
	if ((uint64_t)st->st_blocks * 512 + CHUNK_SECTORS * 512 * 2 >= (uint64_t)st->st_size)
		return err_set(err, ERR_NO_SPACE,
			       "the container wrote more than the storage option dm.cowsize allows (%" PRIu64 "M): raise it and "
			       "start the container again, nothing but its last writes is lost", (uint64_t)st->st_size >> 20);
	return 0;
}

/* Room for what the configuration allows by now, and a snapshot that ran full made usable again. */
static int prepare_cow(struct storage *s, const struct rootfs *r, uint64_t wanted, struct err *err)
{
	auto_free char *path = path_join(r->path, COW);
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);
	uint32_t header[2] = {0};
	bool healed;
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open '%s'", path);
	if ((uint64_t)st.st_size < wanted) {
		if (ftruncate(fd, (off_t)wanted) < 0)
			return err_sys(err, errno, "enlarge '%s'", path);
		st.st_size = (off_t)wanted;
	}
	if (pread(fd, header, sizeof(header), 0) == (ssize_t)sizeof(header) && header[0] && !header[1]) {
		rc = check_room(s, &st, err);
		if (rc < 0)
			return rc;
	}
	rc = dm_snapshot_heal(fd, &healed, err);
	if (rc == 0 && healed)
		storage_warn(s, "container %.12s: its snapshot had run full and is used again; its last writes may be lost", r->id);
	return rc;
}

/* ---- probe ---- */

static int make_sparse(const char *path, uint64_t size)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 || ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

static int attach_both(const char *image, const char *cow, const char *scratch, int fds[2], char args[80],
		       struct err *err)
{
	dev_t origin_dev, cow_dev;
	int rc = loop_attach(image, true, scratch, &origin_dev, &fds[0], err);

	if (rc == 0)
		rc = loop_attach(cow, false, scratch, &cow_dev, &fds[1], err);
	return rc == 0 ? dm_snapshot_line(args, origin_dev, cow_dev) : rc;
}

/* Reads through to the origin, and keeps its own writes to itself. */
static struct fit try_device(const char *node, const char *image, const char *dir)
{
	auto_fd int fd = open(node, O_RDWR | O_CLOEXEC);
	auto_fd int below = open(image, O_RDONLY | O_CLOEXEC);
	char sector[512] = "x";

	if (fd < 0 || below < 0)
		return fit(FIT_NO, "a device node in the home cannot be opened (nodev?): %s", strerror(errno));
	if (pwrite(fd, sector, sizeof(sector), 0) != (ssize_t)sizeof(sector) || fsync(fd) < 0)
		return fit(FIT_NO, "write to a snapshot: %s", strerror(errno));
	if (pread(below, sector, sizeof(sector), 0) != (ssize_t)sizeof(sector) || sector[0])
		return fit(FIT_NO, "a write to a snapshot reaches its origin");
	/* There is none on it, which the kernel can only say when it knows the type. */
	if (mount(node, dir, "ext4", MS_SILENT, NULL) < 0 && errno == ENODEV)
		return fit(FIT_NO, "the kernel has no ext4");
	return fit(FIT_GOOD - 10, "instant snapshots of an image in a loop file, on %s", storage_fs_name(dir));
}

static struct fit probe_device(int control, const char *dir, const char *image, const char *cow)
{
	auto_free char *name = xfmt("pouch-probe-%d", (int)getpid());
	auto_free char *node = path_join(dir, "node");
	struct dm_line line = {0, PROBE_SIZE / 512, "snapshot", NULL};
	struct err err = ERR_INIT;
	int fds[2] = {-1, -1};
	char args[80];
	struct fit f;
	dev_t dev = 0;
	int rc = attach_both(image, cow, dir, fds, args, &err);

	line.args = args;
	if (rc == 0)
		rc = dm_activate(control, name, &line, false, &dev, &err);
	for (size_t i = 0; i < 2; i++)
		auto_close_fn(&fds[i]);
	if (rc < 0)
		return fit(FIT_NO, "%s", err.msg);
	rc = dm_node(node, dev, &err);
	f = rc < 0 ? fit(FIT_NO, "%s", err.msg) : try_device(node, image, dir);
	(void)unlink(node);
	if (dm_remove(control, name, BUSY_MS, NULL, &err) < 0)
		return fit(FIT_NO, "%s", err.msg);
	return f;
}

static struct fit snapshot_probe(const char *dir)
{
	auto_free char *image = path_join(dir, IMAGE);
	auto_free char *cow = path_join(dir, COW);
	auto_free char *mkfs = NULL;
	struct err err = ERR_INIT;
	auto_fd int control = -1;
	struct fit f;

	if (hidden("dm-snapshot") || hidden("device-mapper"))
		return fit(FIT_NO, "hidden by POUCH_HIDE or compat.xml");
	if (geteuid() != 0)
		return fit(FIT_NO, "device-mapper needs root");
	if (dm_open(dir, &control, &err) < 0 || dm_fs_mkfs_program(&mkfs, &err) < 0)
		return fit(FIT_NO, "%s", err.msg);
	if (!dm_has_target(control, "snapshot", NULL))
		return fit(FIT_NO, "device-mapper has no target 'snapshot'");
	if (make_sparse(image, PROBE_SIZE) < 0 || make_sparse(cow, PROBE_SIZE) < 0)
		f = fit(FIT_NO, "make a sparse file in the home: %s", strerror(errno));
	else
		f = probe_device(control, dir, image, cow);
	(void)unlink(image);	/* goes with its directory at the latest */
	(void)unlink(cow);
	return f;
}

/* ---- the image's file system ---- */

/* tmp/NAME/fs is mounted on tmp/NAME/image, and filled. */
static int fill_image(struct storage *s, const char *dir, const char *file, const struct strv *below, struct err *err)
{
	auto_free char *target = path_join(dir, FS_DIR);
	char source[MOUNT_FD_PATH_SIZE];
	auto_fd int loop = -1;
	auto_fd int root = -1;
	dev_t dev;
	int rc = loop_attach(file, false, own(s)->fs.nodes, &dev, &loop, err);

	if (rc == 0 && mkdir(target, 0700) < 0)
		rc = err_sys(err, errno, "create directory '%s'", target);
	if (rc == 0)
		rc = dm_fs_mount(mount_fd_path(loop, source), target, false, NULL, err);
	if (rc < 0)
		return rc;
	root = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		rc = err_sys(err, errno, "open '%s'", target);
	} else {
		dm_fs_clean_root(root);
		rc = fchmod(root, 0755) < 0 ? err_sys(err, errno, "set the mode of '%s'", target) : 0;
	}
	if (rc == 0)
		rc = storage_flatten(s, below, root, false, err);
	if (rc == -ENOSPC)
		(void)err_set(err, ERR_NO_SPACE, "the image does not fit into a root file system of %s, or the disk is full: "
			      "see the storage option dm.basesize", own(s)->fs.size_text);
	if (root >= 0)
		close(fd_take(&root));
	if (rc == 0)
		return dm_fs_seal(dir, FS_DIR, err);
	(void)storage_unmount(dir, FS_DIR, NULL);	/* the first error is told */
	return rc;
}

static int build_image(struct storage *s, const char *place, const struct strv *below, struct err *err)
{
	const struct dm_fs *fs = &own(s)->fs;
	auto_free char *tmp = NULL;
	auto_free char *dir = NULL;
	auto_free char *file = NULL;
	auto_free char *from = NULL;
	auto_fd int dirfd = -1;
	auto_fd int fd = -1;
	int rc = storage_tmp_create(s, &tmp, &dirfd, err);

	if (rc < 0)
		return rc;
	dir = xfmt("%s/tmp/%s", s->dir, tmp);
	file = path_join(dir, IMAGE);
	from = xfmt("tmp/%s/" IMAGE, tmp);
	rc = make_sparse(file, fs->size);
	if (rc < 0)
		rc = err_sys(err, -rc, "make '%s'", file);
	if (rc == 0)
		rc = dm_fs_mkfs(file, fs->size, err);
	if (rc == 0)
		rc = fill_image(s, dir, file, below, err);
	if (rc == 0) {
		fd = open(file, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fsync(fd) < 0)
			rc = err_sys(err, errno, "write '%s' to the disk", file);
	}
	if (rc == 0 && renameat(s->dirfd, from, s->dirfd, place) < 0)
		rc = err_sys(err, errno, "name '%s/%s'", s->dir, place);
	storage_tmp_discard(s, tmp);
	/* Containers hold nothing without the image: what it lies in must survive as long as they do. */
	return rc == 0 ? storage_sync(s, err) : rc;
}

/* Where the file system of the layer @top (NULL: none) is, from the driver's directory. */
static char *image_place(const char *top)
{
	return top ? xfmt("layers/%s/" IMAGE, top) : xstrdup(EMPTY);
}

static int ensure_image(struct storage *s, const struct layer *top, char **ret_place, struct err *err)
{
	auto_free char *place = image_place(top ? top->hex : NULL);
	AUTO(strv_clear) struct strv below = {0};
	int rc = 0;

	pthread_mutex_lock(&own(s)->build_lock);
	if (faccessat(s->dirfd, place, F_OK, 0) < 0) {
		pthread_mutex_lock(&s->lock);
		for (const struct layer *l = top; l; l = l->parent ? layer_find(s, l->parent) : NULL)
			strv_add(&below, l->hex);
		pthread_mutex_unlock(&s->lock);
		rc = build_image(s, place, &below, err);
	}
	pthread_mutex_unlock(&own(s)->build_lock);
	if (rc == 0)
		*ret_place = take(place);
	return err_wrap(err, rc, "merge the image's layers");
}

/* The file system's UUID: another one in the same place is not what a container was made of. */
static int image_id(struct storage *s, const char *place, char ret[33], uint64_t *ret_size, struct err *err)
{
	auto_fd int fd = openat(s->dirfd, place, O_RDONLY | O_CLOEXEC);
	unsigned char uuid[16];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || pread(fd, uuid, sizeof(uuid), UUID_AT) != (ssize_t)sizeof(uuid))
		return err_sys(err, errno, "open '%s/%s'", s->dir, place);
	str_hex(ret, uuid, sizeof(uuid));
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

/* ---- open, close, clock ---- */

struct wanted {
	struct strv suffixes;	/* of mounted root file systems */
};

static bool is_wanted(void *arg, const char *suffix)
{
	return strv_has(&((struct wanted *)arg)->suffixes, suffix);
}

/* Of every root file system: its device if it is mounted, and its files. */
static void survey(struct storage *s, struct wanted *wanted, struct loop_file **files, size_t *n)
{
	auto_free char *base = path_join(s->dir, "rootfs");
	auto_closedir DIR *dir = opendir(base);
	struct dirent *e;
	struct stat st;

	while (dir && (e = readdir(dir))) {
		AUTO(dm_record_clear) struct dm_record record = {0};
		auto_free char *path = path_join(base, e->d_name);
		auto_free char *cow = path_join(path, COW);

		if (e->d_name[0] == '.' || dm_record_read(dirfd(dir), e->d_name, &record, NULL) < 0)
			continue;
		if (record.name && storage_is_mounted(path, FS_DIR))
			strv_add(&wanted->suffixes, record.name);
		if (stat(cow, &st) == 0) {
			*files = xrealloc(*files, (*n + 1) * sizeof(**files));
			(*files)[(*n)++] = (struct loop_file){st.st_dev, st.st_ino};
		}
	}
}

static int snapshot_open(struct storage *s, const struct strv *options, struct err *err)
{
	struct snapshots *o = xcalloc(1, sizeof(*o));
	const struct storage_option table[] = {
		{"dm.basesize", "10G", SIZE_MIN, &o->fs.size, &o->fs.size_text},
		{"dm.cowsize", NULL, SIZE_MIN, &o->cow_size, &o->cow_text},
	};
	auto_free struct loop_file *files = NULL;
	struct wanted wanted = {{0}};
	size_t n = 0;
	int rc;

	s->own = o;
	o->fs.control = -1;
	pthread_mutex_init(&o->build_lock, NULL);
	rc = storage_options_set(options, table, ARRAY_SIZE(table), err);
	if (rc == 0)
		rc = dm_fs_open(s, &o->fs, err);
	if (rc < 0)
		return rc;
	survey(s, &wanted, &files, &n);
	dm_fs_sweep(&o->fs, is_wanted, &wanted);
	loop_sweep(files, n, o->fs.nodes);
	strv_clear(&wanted.suffixes);
	return 0;
}

static void snapshot_close(struct storage *s, bool last)
{
	struct snapshots *o = own(s);

	if (!last || !o)
		return;
	dm_fs_close(&o->fs);
	free(o->cow_text);
	strv_clear(&o->invalid);
	pthread_mutex_destroy(&o->build_lock);
	free(o);
}

static void warn_of(struct storage *s, const char *suffix)
{
	AUTO(strv_clear) struct strv ids = {0};

	(void)storage_rootfs_list(s, &ids, NULL);	/* cannot fail */
	STRV_EACH(id, &ids) {
		AUTO(dm_record_clear) struct dm_record record = {0};
		auto_free char *dir = xfmt("rootfs/%s", *id);

		if (dm_record_read(s->dirfd, dir, &record, NULL) == 0 && str_eq(record.name, suffix))
			storage_warn(s, "container %.12s: its snapshot is full (the disk under '%s', or dm.cowsize): all its writes and "
				     "reads fail; free space and restart it", *id, s->dir);
	}
}

static void snapshot_tick(struct storage *s)
{
	struct snapshots *o = own(s);
	AUTO(strv_clear) struct strv names = {0};
	AUTO(strv_clear) struct strv invalid = {0};
	AUTO(buf_clear) struct buf status = BUF_INIT;

	(void)dm_list(o->fs.control, o->fs.prefix, &names, NULL);	/* asked again in a second */
	STRV_EACH(name, &names) {
		const char *suffix = *name + strlen(o->fs.prefix);

		if (dm_status(o->fs.control, *name, false, &status, NULL) < 0 ||
		    !dm_snapshot_is_invalid(buf_cstr(&status)))
			continue;
		strv_add(&invalid, suffix);
		if (!strv_has(&o->invalid, suffix))
			warn_of(s, suffix);
	}
	strv_clear(&o->invalid);
	strv_add_all(&o->invalid, &invalid);
}

static void snapshot_status(struct storage *s, struct strmap *ret)
{
	struct snapshots *o = own(s);
	AUTO(strv_clear) struct strv names = {0};
	auto_free char *count = NULL;
	char version[32] = "unknown";

	(void)dm_version(o->fs.control, version, NULL);	/* shown as unknown */
	(void)dm_list(o->fs.control, o->fs.prefix, &names, NULL);	/* shown as none */
	count = xfmt("%zu", names.n);
	strmap_set(ret, "Device-mapper Version", version);
	strmap_set(ret, "Device Name Prefix", o->fs.prefix);
	strmap_set(ret, "Active Devices", count);
	strmap_set(ret, "Base File System", "ext4");
	strmap_set(ret, "Base Size", o->fs.size_text);
	strmap_set(ret, "Container Limit", o->cow_text ? o->cow_text : o->fs.size_text);
}

/* ---- layers ---- */

static int snapshot_settle(struct storage *s, int dirfd, struct layer *layer, struct err *err)
{
	return 0;
}

static int snapshot_discard(struct storage *s, int dirfd, const char *name, struct err *err)
{
	AUTO(dm_record_clear) struct dm_record record = {0};
	auto_free char *dir = xfmt("%s/tmp/%s", s->dir, name);
	int rc = 0;

	(void)storage_unmount(dir, FS_DIR, NULL);	/* the removal of the tree will say it */
	if (dm_record_read(dirfd, name, &record, NULL) == 0 && record.name)
		rc = dm_fs_deactivate(&own(s)->fs, record.name, BUSY_MS, err);
	return rc < 0 ? rc : path_remove_tree_at(dirfd, name, err);
}

/* ---- root file systems ---- */

static int snapshot_rootfs_fill(struct storage *s, int dirfd, const struct layer *top, struct err *err)
{
	struct snapshots *o = own(s);
	auto_free char *place = NULL;
	auto_fd int fd = -1;
	char uuid[33], name[20] = "c";
	struct dm_record record = {.name = name, .origin = uuid};
	unsigned char number[8];
	uint64_t size = 0;
	int rc = ensure_image(s, top, &place, err);

	if (rc == 0)
		rc = image_id(s, place, uuid, &size, err);
	if (rc < 0)
		return rc;
	random_bytes(number, sizeof(number));
	str_hex(name + 1, number, sizeof(number));
	fd = openat(dirfd, COW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)(o->cow_size ? o->cow_size : dm_snapshot_cow_size(size))) < 0)
		return err_sys(err, errno, "make the file for a container's changes");
	if (mkdirat(dirfd, FS_DIR, 0700) < 0)
		return err_sys(err, errno, "create directory '" FS_DIR "'");
	return dm_record_write(dirfd, &record, err);
}

static bool is_invalid(struct snapshots *o, const char *suffix)
{
	AUTO(buf_clear) struct buf status = BUF_INIT;
	auto_free char *name = dm_fs_name(&o->fs, suffix);

	return dm_status(o->fs.control, name, false, &status, NULL) == 0 && dm_snapshot_is_invalid(buf_cstr(&status));
}

static int activate(struct storage *s, const struct rootfs *r, const struct dm_record *record, char **ret_node,
		    struct err *err)
{
	struct snapshots *o = own(s);
	auto_free char *place = image_place(r->below.n ? r->below.v[0] : NULL);
	auto_free char *image = path_join(s->dir, place);
	auto_free char *cow = path_join(r->path, COW);
	struct dm_line line = {0, 0, "snapshot", NULL};
	int fds[2] = {-1, -1};
	char args[80] = "", uuid[33];
	uint64_t size;
	int rc = image_id(s, place, uuid, &size, err);

	if (rc == 0 && !str_eq(uuid, record->origin))
		rc = err_set(err, ERR_NOT_FOUND, "the file system below container %.12s is gone: its image was removed and pulled again",
			     r->id);
	if (rc < 0)
		return rc;
	line.length = size / 512;
	line.args = args;
	if (!dm_fs_is_active(&o->fs, record->name)) {
		rc = prepare_cow(s, r, o->cow_size ? o->cow_size : dm_snapshot_cow_size(size), err);
		if (rc == 0)
			rc = attach_both(image, cow, o->fs.nodes, fds, args, err);
	}
	if (rc == 0)
		rc = dm_fs_activate(&o->fs, record->name, &line, ret_node, err);
	for (size_t i = 0; i < 2; i++)
		auto_close_fn(&fds[i]);	/* the device holds them now, or nobody does */
	return rc;
}

static int snapshot_rootfs_umount(struct storage *s, const struct rootfs *r, struct err *err)
{
	AUTO(dm_record_clear) struct dm_record record = {0};
	int rc = storage_unmount(r->path, FS_DIR, err);

	/* A device that is still busy is used again by the next mount. */
	if (rc == 0 && dm_record_read(AT_FDCWD, r->path, &record, NULL) == 0 && record.name)
		(void)dm_fs_deactivate(&own(s)->fs, record.name, BUSY_MS, NULL);
	return rc;
}

static int snapshot_rootfs_mount(struct storage *s, const struct rootfs *r, const char *label, char **ret_path,
				 struct err *err)
{
	struct snapshots *o = own(s);
	AUTO(dm_record_clear) struct dm_record record = {0};
	auto_free char *target = path_join(r->path, FS_DIR);
	auto_free char *node = NULL;
	int rc = dm_record_read(AT_FDCWD, r->path, &record, err);

	if (rc == 0 && !record.name)
		rc = err_set(err, ERR_INVALID, "the record of its device is damaged");
	if (rc == 0 && is_invalid(o, record.name)) {
		rc = storage_unmount(r->path, FS_DIR, err);
		if (rc == 0)
			rc = dm_fs_deactivate(&o->fs, record.name, BUSY_MS, err);
	}
	if (rc == 0 && !storage_is_mounted(r->path, FS_DIR)) {
		rc = activate(s, r, &record, &node, err);
		if (rc == 0)
			rc = dm_fs_mount(node, target, false, label, err);
		if (rc < 0)
			(void)dm_fs_deactivate(&o->fs, record.name, 0, NULL);	/* the first error is told */
	}
	if (rc == 0)
		*ret_path = take(target);
	return err_wrap(err, rc, "root file system of container %.12s", r->id);
}

static int snapshot_rootfs_usage(struct storage *s, const struct rootfs *r, uint64_t *ret_bytes, uint64_t *ret_inodes,
				 struct err *err)
{
	AUTO(dm_record_clear) struct dm_record record = {0};
	AUTO(buf_clear) struct buf status = BUF_INIT;
	auto_free char *cow = path_join(r->path, COW);
	auto_free char *path = path_join(r->path, FS_DIR);
	auto_free char *name = NULL;
	struct stat st;

	if (stat(cow, &st) < 0)
		return err_sys(err, errno, "inspect '%s'", cow);
	*ret_bytes = (uint64_t)st.st_blocks * 512;
	*ret_inodes = 0;
	if (!storage_is_mounted(r->path, FS_DIR) || dm_record_read(AT_FDCWD, r->path, &record, NULL) < 0 || !record.name)
		return 0;
	*ret_inodes = dm_fs_inodes(path);
	/* What the kernel allotted is not all in the file yet. */
	name = dm_fs_name(&own(s)->fs, record.name);
	if (dm_status(own(s)->fs.control, name, false, &status, NULL) == 0)
		(void)dm_snapshot_allocated(buf_cstr(&status), ret_bytes);	/* else what the file says */
	return 0;
}

int dm_snapshot_allocated(const char *status, uint64_t *ret_bytes)
{
	auto_free char *copy = xstrdup(status);
	char *rest = copy;
	const char *allocated = strsep(&rest, "/"), *total = strsep(&rest, " "), *metadata = rest;
	uint64_t a, t, m = 0;

	/* 2.6.32 does not tell how much of it is the snapshot's own records. */
	if (!total || str_u64(allocated, 10, &a) < 0 || str_u64(total, 10, &t) < 0 ||
	    (metadata && str_u64(metadata, 10, &m) < 0) || m > a)
		return -EINVAL;
	*ret_bytes = (a - m) * 512;
	return 0;
}

static void snapshot_rootfs_info(struct storage *s, const struct rootfs *r, struct strmap *ret)
{
	struct snapshots *o = own(s);
	AUTO(dm_record_clear) struct dm_record record = {0};
	auto_free char *place = image_place(r->below.n ? r->below.v[0] : NULL);
	auto_free char *image = path_join(s->dir, place);
	auto_free char *cow = path_join(r->path, COW);
	auto_free char *merged = path_join(r->path, FS_DIR);
	auto_free char *name = NULL;

	strmap_set(ret, "OriginFile", image);
	strmap_set(ret, "ChangesFile", cow);
	strmap_set(ret, "MergedDir", merged);
	if (dm_record_read(AT_FDCWD, r->path, &record, NULL) < 0 || !record.name)
		return;
	name = dm_fs_name(&o->fs, record.name);
	strmap_set(ret, "DeviceName", name);
	strmap_set(ret, "DeviceState", is_invalid(o, record.name) ? "full: restart it when there is room" :
		   dm_fs_is_active(&o->fs, record.name) ? "active" : "inactive");
}

const struct storage_driver storage_dm_snapshot = {
	.name = "devmapper-snapshot",
	.layers_are_independent = true,
	.whiteouts = LAYER_WHITEOUTS_OVERLAY,
	.probe = snapshot_probe,
	.open = snapshot_open,
	.close = snapshot_close,
	.tick = snapshot_tick,
	.status = snapshot_status,
	.layer_fill = storage_own_layer_fill,
	.layer_settle = snapshot_settle,
	.discard = snapshot_discard,
	.rootfs_fill = snapshot_rootfs_fill,
	.rootfs_mount = snapshot_rootfs_mount,
	.rootfs_umount = snapshot_rootfs_umount,
	.rootfs_usage = snapshot_rootfs_usage,
	.rootfs_info = snapshot_rootfs_info,
};
