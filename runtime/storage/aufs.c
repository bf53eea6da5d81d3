/*
 * aufs - layers are directories, merged by a kernel that was patched for it
 *
 * A layer is unpacked with overlayfs's whiteouts, which become aufs's own when it is whole: ".wh.NAME" hides NAME of the layers below,
 * ".wh..wh..opq" all of them. All branches must be named within one page of options; what does not fit is appended by remounts.
 */
#include "runtime/storage/aufs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"
#include "runtime/storage/driver.h"

#define WHITEOUT "wh."		/* behind a dot */
#define OPAQUE	 ".wh..wh..opq"

/* Pseudo-links live in memory and would be lost with the mount: without them a changed hard link becomes a file of its own. */
#define FIRST_OPTIONS "noplink"

/* ---- options ---- */

int aufs_options(const char *upper, const struct strv *layers, struct strv *ret, struct err *err)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	bool first = true;

	buf_fmt(&b, FIRST_OPTIONS ",br:%s=rw", upper);
	if (b.len > AUFS_OPTIONS_MAX)
		return err_set(err, ERR_TOO_LARGE, "'%.100s...' is too long for options of a mount", upper);
	STRV_EACH(layer, layers) {
		auto_free char *as_first = xfmt(":%s=ro+wh", *layer);
		auto_free char *as_more = xfmt("append:%s=ro+wh", *layer);

		if (strlen(as_more) > AUFS_OPTIONS_MAX)
			return err_set(err, ERR_TOO_LARGE, "'%.100s...' is too long for options of a mount", *layer);
		if (first && b.len + strlen(as_first) <= AUFS_OPTIONS_MAX) {
			buf_str(&b, as_first);
			continue;
		}
		if (first || b.len + 1 + strlen(as_more) > AUFS_OPTIONS_MAX) {
			strv_add(ret, buf_cstr(&b));
			buf_reset(&b);
			first = false;
		}
		buf_fmt(&b, "%s%s", b.len ? "," : "", as_more);
	}
	strv_add(ret, buf_cstr(&b));
	return 0;
}

/* Returns 0 or a positive errno; a failure leaves nothing mounted. */
static int aufs_mount(const char *target, const struct strv *options, size_t *ret_done)
{
	int code = 0;

	for (*ret_done = 0; *ret_done < options->n && !code; ++*ret_done) {
		if (mount("none", target, "aufs", *ret_done ? MS_REMOUNT : 0, options->v[*ret_done]) < 0) {
			code = errno;
			break;
		}
	}
	if (code && *ret_done)
		(void)umount2(target, MNT_DETACH);	/* the first error is told */
	return code;
}

/* ---- whiteouts ---- */

static int mark(int dirfd, const char *name, struct err *err)
{
	auto_fd int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0444);

	return fd < 0 ? err_sys(err, errno, "make whiteout '%s'", name) : 0;
}

static int whiteouts_at(int fd, int depth, struct err *err);

static int replace_one(int dirfd, const struct dirent *e, int depth, struct err *err)
{
	struct stat st;

	if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "inspect '%s' of a layer", e->d_name);
	if (S_ISCHR(st.st_mode) && !st.st_rdev) {
		auto_free char *name = xfmt("." WHITEOUT "%s", e->d_name);

		if (unlinkat(dirfd, e->d_name, 0) < 0)
			return err_sys(err, errno, "replace whiteout '%s'", e->d_name);
		return mark(dirfd, name, err);
	}
	if (S_ISDIR(st.st_mode)) {
		auto_fd int sub = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (sub < 0)
			return err_sys(err, errno, "open '%s' of a layer", e->d_name);
		return whiteouts_at(sub, depth + 1, err);
	}
	return 0;
}

static int whiteouts_at(int fd, int depth, struct err *err)
{
	static const char attribute[] = "trusted.overlay.opaque";
	auto_closedir DIR *dir = NULL;
	struct timespec times[2];
	struct dirent *e;
	struct stat st;
	char value;
	int rc = 0;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = own < 0 ? NULL : fdopendir(own);
	if (!dir || fstat(fd, &st) < 0) {
		rc = err_sys(err, errno, "read directory of a layer");
		if (!dir && own >= 0)
			close(own);
		return rc;
	}
	if (depth > TREE_MAX_DEPTH)
		return err_set(err, ERR_TOO_LARGE, "directories of a layer are nested over %d deep", TREE_MAX_DEPTH);
	while (rc == 0 && (errno = 0, e = readdir(dir))) {
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			rc = replace_one(fd, e, depth, err);
	}
	if (rc == 0 && errno)
		rc = err_sys(err, errno, "read directory of a layer");
	if (rc == 0 && fgetxattr(fd, attribute, &value, 1) == 1) {
		if (fremovexattr(fd, attribute) < 0)
			rc = err_sys(err, errno, "replace the mark of an opaque directory");
		else if (value == 'y')
			rc = mark(fd, OPAQUE, err);
	}
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (rc == 0 && futimens(fd, times) < 0)
		rc = err_sys(err, errno, "set times of a layer's directory");
	return rc;
}

int aufs_whiteouts(int fd, struct err *err)
{
	return whiteouts_at(fd, 0, err);
}

/* ---- probe ---- */

static const char *const probe_dirs[] = {"lower", "lower/below", "upper", "merged"};

static struct fit try_mount(const char *dir)
{
	auto_free char *upper = path_join(dir, "upper"), *lower = path_join(dir, "lower");
	auto_free char *merged = path_join(dir, "merged"), *below = path_join(dir, "merged/below");
	auto_free char *whiteout = path_join(dir, "upper/." WHITEOUT "below");
	AUTO(strv_clear) struct strv layers = {0};
	AUTO(strv_clear) struct strv options = {0};
	struct err err = ERR_INIT;
	const char *problem = NULL;
	size_t done;
	int code;

	strv_add(&layers, lower);
	if (aufs_options(upper, &layers, &options, &err) < 0)
		return fit(FIT_NO, "%s", err.msg);
	code = aufs_mount(merged, &options, &done);
	if (code == ENODEV)
		return fit(FIT_NO, "the kernel has no aufs");
	if (code)
		return fit(FIT_NO, "cannot be mounted on %s: %s", storage_fs_name(dir), strerror(code));
	if (rmdir(below) < 0)
		problem = "a lower directory cannot be removed";
	else if (access(whiteout, F_OK) < 0)
		problem = "no whiteout appears";
	(void)storage_unmount(dir, "merged", NULL);	/* nobody else knows of it */
	if (problem)
		return fit(FIT_NO, "on %s: %s", storage_fs_name(dir), problem);
	return fit(FIT_GOOD + 20, "aufs on %s", storage_fs_name(dir));
}

static struct fit aufs_probe(const char *dir)
{
	struct fit f = fit(FIT_NO, "cannot write to the home");
	bool made = true;

	if (hidden("aufs"))
		return fit(FIT_NO, "hidden by POUCH_HIDE or compat.xml");
	if (geteuid() != 0)
		return fit(FIT_NO, "mounting needs root");
	if (strpbrk(dir, ":,="))
		return fit(FIT_NO, "the home's path has a character that aufs takes for its own");
	for (size_t i = 0; i < ARRAY_SIZE(probe_dirs); i++) {
		auto_free char *path = path_join(dir, probe_dirs[i]);

		made = made && mkdir(path, 0755) == 0;
	}
	if (made)
		f = try_mount(dir);
	for (size_t i = ARRAY_SIZE(probe_dirs); i-- > 0;) {
		auto_free char *path = path_join(dir, probe_dirs[i]);

		(void)path_remove_tree(path, NULL);	/* goes with its parent at the latest */
	}
	return f;
}

/* ---- layers and root file systems ---- */

static int aufs_layer_settle(struct storage *s, int dirfd, struct layer *layer, struct err *err)
{
	auto_fd int fd = openat(dirfd, FS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? err_sys(err, errno, "open directory of a layer") : aufs_whiteouts(fd, err);

	return rc == 0 ? storage_own_layer_link(s, layer, err) : rc;
}

static int aufs_discard(struct storage *s, int dirfd, const char *name, struct err *err)
{
	auto_free char *dir = xfmt("%s/tmp/%s", s->dir, name);

	(void)storage_unmount(dir, "merged", NULL);	/* the removal of the tree will say it */
	return path_remove_tree_at(dirfd, name, err);
}

static int aufs_rootfs_mount(struct storage *s, const struct rootfs *r, const char *label, char **ret_path,
			     struct err *err)
{
	auto_free char *merged = path_join(r->path, "merged"), *upper = path_join(r->path, "upper");
	auto_free char *base = xfmt("%s/", s->dir);
	AUTO(buf_clear) struct buf names = BUF_INIT;
	AUTO(strv_clear) struct strv layers = {0};
	AUTO(strv_clear) struct strv options = {0};
	size_t done;
	int rc;

	if (!str_empty(label))
		return err_set(err, ERR_UNSUPPORTED,
			       "storage driver '%s' cannot give a container's files an SELinux label: use overlay", s->driver->name);
	if (!storage_is_mounted(r->path, "merged")) {
		storage_own_layer_names(s, r, base, "", ':', &names);
		strv_split(&layers, buf_cstr(&names), ":", false);
		rc = aufs_options(upper, &layers, &options, err);
		if (rc < 0)
			return rc;
		rc = aufs_mount(merged, &options, &done);
		if (rc == EINVAL && layers.n > 126)
			return err_set(err, ERR_TOO_LARGE, "the image has %zu layers, and this kernel's aufs takes fewer (most take 126)",
				       layers.n);
		if (rc)
			return err_sys(err, rc, "mount aufs at '%s'", merged);
	}
	*ret_path = take(merged);
	return 0;
}

static int aufs_rootfs_umount(struct storage *s, const struct rootfs *r, struct err *err)
{
	return storage_unmount(r->path, "merged", err);
}

const struct storage_driver storage_aufs = {
	.name = "aufs",
	.layers_are_independent = true,
	.whiteouts = LAYER_WHITEOUTS_OVERLAY,
	.probe = aufs_probe,
	.open = storage_plain_open,
	.close = storage_plain_close,
	.tick = storage_plain_tick,
	.status = storage_plain_status,
	.layer_fill = storage_own_layer_fill,
	.layer_settle = aufs_layer_settle,
	.discard = aufs_discard,
	.rootfs_fill = storage_union_fill,
	.rootfs_mount = aufs_rootfs_mount,
	.rootfs_umount = aufs_rootfs_umount,
	.rootfs_usage = storage_union_usage,
	.rootfs_info = storage_union_info,
};
