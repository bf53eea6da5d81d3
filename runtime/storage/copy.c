/*
 * copy - every layer is a whole tree, copied from its parent; extents are shared where the file system can
 *
 * Works on any file system. Without reflinks it costs the image's size for each layer and each container.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"
#include "runtime/storage/driver.h"

/* FICLONE of linux/fs.h, which does not get on with other headers. */
#define STORAGE_FICLONE _IOW(0x94, 9, int)

static int clone_file(const char *from, const char *to)
{
	auto_fd int in = open(from, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	auto_fd int out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int rc = -EIO;

	if (in >= 0 && out >= 0 && write(in, "x", 1) == 1)
		rc = ioctl(out, STORAGE_FICLONE, in) < 0 ? -errno : 0;
	/* Nothing else is in the directory: what cannot be removed now is removed with it. */
	(void)unlink(from);
	(void)unlink(to);
	return rc;
}

static struct fit copy_probe(const char *dir)
{
	auto_free char *from = path_join(dir, "from");
	auto_free char *to = path_join(dir, "to");

	if (!hidden("reflink") && clone_file(from, to) == 0)
		return fit(FIT_FALLBACK + 10, "copies that share extents on %s", storage_fs_name(dir));
	return fit(FIT_FALLBACK, "whole copies: an image's size for each container");
}

static int copy_tree_at(struct storage *s, int dirfd, const struct layer *from, struct err *err)
{
	auto_free char *path = NULL;
	auto_fd int src = -1;
	auto_fd int dst = -1;
	int rc;

	if (mkdirat(dirfd, FS_DIR, 0755) < 0)
		return err_sys(err, errno, "create directory of a layer");
	if (!from)
		return 0;
	path = xfmt("layers/%s/" FS_DIR, from->hex);
	src = openat(s->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (src < 0)
		return err_sys(err, errno, "open layer '%s/%s'", s->dir, path);
	dst = openat(dirfd, FS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dst < 0)
		return err_sys(err, errno, "open directory of a layer");
	rc = tree_copy(src, dst, &(struct tree_copy){.no_reflink = hidden("reflink")}, NULL, err);
	return err_wrap(err, rc, "copy layer %.12s", from->hex);
}

static int copy_settle(struct storage *s, int dirfd, struct layer *layer, struct err *err)
{
	return 0;
}

static int copy_discard(struct storage *s, int dirfd, const char *name, struct err *err)
{
	return path_remove_tree_at(dirfd, name, err);
}

const struct storage_driver storage_copy = {
	.name = "copy",
	.whiteouts = LAYER_WHITEOUTS_APPLIED,
	.probe = copy_probe,
	.open = storage_plain_open,
	.close = storage_plain_close,
	.tick = storage_plain_tick,
	.status = storage_plain_status,
	.layer_fill = copy_tree_at,
	.layer_settle = copy_settle,
	.discard = copy_discard,
	.rootfs_fill = copy_tree_at,
	.rootfs_mount = storage_plain_mount,
	.rootfs_umount = storage_plain_umount,
	.rootfs_usage = storage_plain_usage,
	.rootfs_info = storage_plain_info,
};
