/*
 * overlay - layers are directories, merged by the kernel
 *
 * A layer holds its own files alone. Each has a short name l/N, a link to it, because all lower layers must be named
 * within one page of mount options. Where even these are too long, or the home's path has characters that overlayfs
 * takes for its own, a thread with a working directory of its own mounts by relative names.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/buf.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"
#include "runtime/storage/driver.h"

#define LOWER_MAX   500		/* the kernel's own ceiling */
#define OPTIONS_MAX 4095	/* a page with its NUL, on every machine */

struct overlay_mount {
	const char *cwd;	/* names are relative to it; NULL: they are absolute */
	const char *target, *options;
	int error;
};

static void *mount_thread(void *arg)
{
	struct overlay_mount *m = arg;

	if (unshare(CLONE_FS) < 0 || chdir(m->cwd) < 0 ||
	    mount("overlay", m->target, "overlay", 0, m->options) < 0)
		m->error = errno;
	return NULL;
}

/* Returns 0 or a positive errno. */
static int overlay_mount(const char *cwd, const char *target, const char *options)
{
	struct overlay_mount m = {cwd, target, options, 0};
	pthread_t thread;
	int rc;

	if (!cwd)
		return mount("overlay", target, "overlay", 0, options) < 0 ? errno : 0;
	rc = pthread_create(&thread, NULL, mount_thread, &m);
	if (rc)
		return rc;
	pthread_join(thread, NULL);
	return m.error;
}

/* ---- probe ---- */

static const char *const probe_dirs[] = {"one", "one/dir", "two", "upper", "work", "merged"};

static bool names_have_types(const char *path)
{
	auto_closedir DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		if (strcmp(e->d_name, "dir") == 0)
			return e->d_type == DT_DIR;
	}
	return false;
}

/* A directory of a lower layer is removed and made again: needs a whiteout, then an opaque directory. */
static const char *try_merged(void)
{
	struct stat st;
	char value;

	if (access("merged/dir", F_OK) < 0 || rmdir("merged/dir") < 0)
		return "a lower directory cannot be removed";
	if (lstat("upper/dir", &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev != makedev(0, 0))
		return "no whiteout appears";
	if (mkdir("merged/dir", 0755) < 0)
		return "a removed directory cannot be made again";
	if (getxattr("upper/dir", "trusted.overlay.opaque", &value, 1) != 1 || value != 'y')
		return "no opaque directory appears";
	return NULL;
}

struct probe {
	const char *dir;
	struct fit fit;
};

static struct fit probe_here(const char *dir)
{
	const char *problem = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(probe_dirs); i++) {
		if (mkdir(probe_dirs[i], 0755) < 0)
			return fit(FIT_NO, "%s: %s", dir, strerror(errno));
	}
	if (!names_have_types("one"))
		return fit(FIT_NO, "%s without d_type (xfs: made with ftype=0)", storage_fs_name(dir));
	if (mount("overlay", "merged", "overlay", 0, "lowerdir=two:one,upperdir=upper,workdir=work") < 0) {
		if (errno == ENODEV)
			return fit(FIT_NO, "the kernel has no overlayfs");
		return fit(FIT_NO, "cannot be mounted on %s: %s", storage_fs_name(dir), strerror(errno));
	}
	problem = try_merged();
	(void)storage_unmount(".", "merged", NULL);	/* nobody else knows of it */
	if (problem)
		return fit(FIT_NO, "on %s: %s", storage_fs_name(dir), problem);
	return fit(FIT_NATIVE, "overlayfs on %s", storage_fs_name(dir));
}

static void *probe_thread(void *arg)
{
	struct probe *p = arg;

	if (unshare(CLONE_FS) < 0 || chdir(p->dir) < 0)
		p->fit = fit(FIT_NO, "%s: %s", p->dir, strerror(errno));
	else
		p->fit = probe_here(p->dir);
	return NULL;
}

static struct fit overlay_probe(const char *dir)
{
	struct probe p = {.dir = dir};
	pthread_t thread;

	if (hidden("overlay"))
		return fit(FIT_NO, "hidden by POUCH_HIDE or compat.xml");
	if (geteuid() != 0)
		return fit(FIT_NO, "mounting needs root");
	if (pthread_create(&thread, NULL, probe_thread, &p))
		return fit(FIT_NO, "no thread for the probe");
	pthread_join(thread, NULL);
	for (size_t i = ARRAY_SIZE(probe_dirs); i-- > 0;) {
		auto_free char *path = path_join(dir, probe_dirs[i]);

		(void)path_remove_tree(path, NULL);	/* goes with its parent at the latest */
	}
	return p.fit;
}

/* ---- layers ---- */

static int overlay_layer_settle(struct storage *s, int dirfd, struct layer *layer, struct err *err)
{
	return storage_own_layer_link(s, layer, err);
}

static int overlay_discard(struct storage *s, int dirfd, const char *name, struct err *err)
{
	auto_free char *dir = xfmt("%s/tmp/%s", s->dir, name);

	/* Nothing is mounted there, unless a probe or a removal was killed. */
	(void)storage_unmount(dir, "merged", NULL);
	return path_remove_tree_at(dirfd, name, err);
}

/* ---- root file systems ---- */

/* With @base "" the names are relative to the driver's directory. */
static int build_options(struct storage *s, const struct rootfs *r, const char *base, const char *label,
			 struct buf *out, struct err *err)
{
	buf_str(out, "lowerdir=");
	storage_own_layer_names(s, r, base, "", ':', out);
	if (!r->below.n)
		buf_fmt(out, "%srootfs/%s/empty", base, r->id);
	buf_fmt(out, ",upperdir=%srootfs/%s/upper,workdir=%srootfs/%s/work", base, r->id, base, r->id);
	if (!str_empty(label))
		buf_fmt(out, ",context=\"%s\"", label);
	return 0;
}

static int overlay_rootfs_mount(struct storage *s, const struct rootfs *r, const char *label,
				char **ret_path, struct err *err)
{
	auto_free char *merged = path_join(r->path, "merged");
	auto_free char *relative = xfmt("rootfs/%s/merged", r->id);
	auto_free char *base = xfmt("%s/", s->dir);
	AUTO(buf_clear) struct buf options = BUF_INIT;
	const char *cwd = NULL;
	int rc;

	if (r->below.n > LOWER_MAX)
		return err_set(err, ERR_TOO_LARGE, "overlayfs merges %d layers at most, the image has %zu",
			       LOWER_MAX, r->below.n);
	if (storage_is_mounted(r->path, "merged")) {
		*ret_path = take(merged);
		return 0;
	}
	rc = build_options(s, r, base, label, &options, err);
	if (rc == 0 && (options.len > OPTIONS_MAX || strpbrk(s->dir, ":,\\"))) {
		cwd = s->dir;
		buf_reset(&options);
		rc = build_options(s, r, "", label, &options, err);
	}
	if (rc < 0)
		return rc;
	if (options.len > OPTIONS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the image's %zu layers do not fit into mount options",
			       r->below.n);
	rc = overlay_mount(cwd, cwd ? relative : merged, buf_cstr(&options));
	if (rc)
		return err_sys(err, rc, "mount overlay at '%s'", merged);
	*ret_path = take(merged);
	return 0;
}

static int overlay_rootfs_umount(struct storage *s, const struct rootfs *r, struct err *err)
{
	return storage_unmount(r->path, "merged", err);
}

const struct storage_driver storage_overlay = {
	.name = "overlay",
	.layers_are_independent = true,
	.whiteouts = LAYER_WHITEOUTS_OVERLAY,
	.probe = overlay_probe,
	.open = storage_plain_open,
	.close = storage_plain_close,
	.tick = storage_plain_tick,
	.status = storage_plain_status,
	.layer_fill = storage_own_layer_fill,
	.layer_settle = overlay_layer_settle,
	.discard = overlay_discard,
	.rootfs_fill = storage_union_fill,
	.rootfs_mount = overlay_rootfs_mount,
	.rootfs_umount = overlay_rootfs_umount,
	.rootfs_usage = storage_union_usage,
	.rootfs_info = storage_union_info,
};
