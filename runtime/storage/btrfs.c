/*
 * btrfs - every layer and root file system is a subvolume, made as a snapshot of the one below
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/storage/driver.h"

#define BTRFS_MAGIC	0x9123683e
#define BTRFS_ROOT_INODE 256	/* of every subvolume's top directory */
#define NESTING_MAX	64

static int subvolume_create(int dirfd, const char *name)
{
	struct btrfs_ioctl_vol_args args = {0};

	if (str_fmt(args.name, sizeof(args.name), "%s", name) < 0)
		return -ENAMETOOLONG;
	return ioctl(dirfd, BTRFS_IOC_SUBVOL_CREATE, &args) < 0 ? -errno : 0;
}

static int subvolume_snapshot(int dirfd, const char *name, int source)
{
	struct btrfs_ioctl_vol_args_v2 args = {.fd = source};

	if (str_fmt(args.name, sizeof(args.name), "%s", name) < 0)
		return -ENAMETOOLONG;
	return ioctl(dirfd, BTRFS_IOC_SNAP_CREATE_V2, &args) < 0 ? -errno : 0;
}

static int subvolume_destroy(int dirfd, const char *name)
{
	struct btrfs_ioctl_vol_args args = {0};

	if (str_fmt(args.name, sizeof(args.name), "%s", name) < 0)
		return -ENAMETOOLONG;
	return ioctl(dirfd, BTRFS_IOC_SNAP_DESTROY, &args) < 0 ? -errno : 0;
}

static bool is_subvolume(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_ino == BTRFS_ROOT_INODE;
}

static struct fit btrfs_probe(const char *dir)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	int rc;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return fit(FIT_NO, "%s: %s", dir, strerror(errno));
	if ((uint32_t)fs.f_type != BTRFS_MAGIC)
		return fit(FIT_NO, "the home is on %s, not btrfs", storage_fs_name(dir));
	if (hidden("btrfs"))
		return fit(FIT_NO, "hidden by POUCH_HIDE or compat.xml");
	rc = subvolume_create(fd, "probe");
	if (rc < 0)
		return fit(FIT_NO, "create a subvolume: %s", strerror(-rc));
	rc = subvolume_destroy(fd, "probe");
	if (rc < 0)
		return fit(FIT_NO, "remove a subvolume: %s", strerror(-rc));
	return fit(FIT_GOOD, "snapshots of subvolumes");
}

static int btrfs_fill(struct storage *s, int dirfd, const struct layer *from, struct err *err)
{
	auto_free char *path = NULL;
	auto_fd int source = -1;
	int rc;

	if (!from) {
		rc = subvolume_create(dirfd, FS_DIR);
		if (rc < 0)
			return err_sys(err, -rc, "create a btrfs subvolume");
		if (fchmodat(dirfd, FS_DIR, 0755, 0) < 0)
			return err_sys(err, errno, "set the mode of a btrfs subvolume");
		return 0;
	}
	path = xfmt("layers/%s/" FS_DIR, from->hex);
	source = openat(s->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source < 0)
		return err_sys(err, errno, "open layer '%s/%s'", s->dir, path);
	rc = subvolume_snapshot(dirfd, FS_DIR, source);
	if (rc < 0)
		return err_sys(err, -rc, "take a btrfs snapshot of layer %.12s", from->hex);
	return 0;
}

static int btrfs_settle(struct storage *s, int dirfd, struct layer *layer, struct err *err)
{
	return 0;
}

static int destroy_with_nested(int dirfd, const char *name, int depth, struct err *err);

/* Subvolumes that the container made inside must go first. */
static int destroy_nested_in(int dirfd, int depth, struct err *err)
{
	auto_closedir DIR *dir = fdopendir(dup(dirfd));
	struct dirent *e;

	if (!dir)
		return err_sys(err, errno, "read a btrfs subvolume");
	if (depth > NESTING_MAX)
		return 0;	/* the removal of the tree will say what is in the way */
	while ((e = readdir(dir))) {
		auto_fd int sub = -1;
		int rc;

		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (is_subvolume(dirfd, e->d_name)) {
			rc = destroy_with_nested(dirfd, e->d_name, depth + 1, err);
			if (rc < 0)
				return rc;
			continue;
		}
		sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub < 0)
			continue;
		rc = destroy_nested_in(sub, depth + 1, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int destroy_with_nested(int dirfd, const char *name, int depth, struct err *err)
{
	auto_fd int fd = -1;
	int rc = subvolume_destroy(dirfd, name);

	if (rc == -ENOTEMPTY) {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, errno, "open btrfs subvolume '%s'", name);
		rc = destroy_nested_in(fd, depth, err);
		if (rc < 0)
			return rc;
		rc = subvolume_destroy(dirfd, name);
	}
	if (rc < 0)
		return err_sys(err, -rc, "remove btrfs subvolume '%s'", name);
	return 0;
}

static int btrfs_discard(struct storage *s, int dirfd, const char *name, struct err *err)
{
	auto_fd int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd >= 0 && is_subvolume(fd, FS_DIR)) {
		rc = destroy_with_nested(fd, FS_DIR, 0, err);
		if (rc < 0)
			return rc;
	}
	return path_remove_tree_at(dirfd, name, err);
}

const struct storage_driver storage_btrfs = {
	.name = "btrfs",
	.whiteouts = LAYER_WHITEOUTS_APPLIED,
	.probe = btrfs_probe,
	.open = storage_plain_open,
	.close = storage_plain_close,
	.tick = storage_plain_tick,
	.status = storage_plain_status,
	.layer_fill = btrfs_fill,
	.layer_settle = btrfs_settle,
	.discard = btrfs_discard,
	.rootfs_fill = btrfs_fill,
	.rootfs_mount = storage_plain_mount,
	.rootfs_umount = storage_plain_umount,
	.rootfs_usage = storage_plain_usage,
	.rootfs_info = storage_plain_info,
};
