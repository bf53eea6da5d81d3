/*
 * union - what drivers share whose layers hold their own files alone and are merged when a container's are mounted
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"
#include "runtime/storage/driver.h"

bool storage_is_mounted(const char *dir, const char *name)
{
	auto_free char *path = path_join(dir, name);
	struct stat a, b;

	if (stat(dir, &a) < 0)
		return false;
	/* The server of a FUSE mount may be dead: then it says ENOTCONN, and is mounted all the same. */
	if (stat(path, &b) < 0)
		return errno != ENOENT && errno != ENOTDIR;
	return a.st_dev != b.st_dev;
}

int storage_unmount(const char *dir, const char *name, struct err *err)
{
	auto_free char *path = path_join(dir, name);

	if (!storage_is_mounted(dir, name))
		return 0;
	if (umount2(path, 0) < 0 && errno == EBUSY)
		(void)umount2(path, MNT_DETACH);
	return storage_is_mounted(dir, name) ? err_sys(err, EBUSY, "unmount '%s'", path) : 0;
}

/* ---- layers ---- */

int storage_own_layer_fill(struct storage *s, int dirfd, const struct layer *parent, struct err *err)
{
	if (mkdirat(dirfd, FS_DIR, 0755) < 0)
		return err_sys(err, errno, "create directory of a layer");
	return 0;
}

int storage_own_layer_link(struct storage *s, struct layer *layer, struct err *err)
{
	auto_free char *link = xfmt("l/%" PRIu64, layer->link);
	auto_free char *target = xfmt("../layers/%s/" FS_DIR, layer->hex);

	if (mkdirat(s->dirfd, "l", 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create directory '%s/l'", s->dir);
	if (unlinkat(s->dirfd, link, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s/%s'", s->dir, link);
	if (symlinkat(target, s->dirfd, link) < 0)
		return err_sys(err, errno, "link '%s/%s'", s->dir, link);
	return 0;
}

void storage_own_layer_names(struct storage *s, const struct rootfs *r, const char *base, const char *suffix,
			     char separator, struct buf *out)
{
	bool first = true;

	pthread_mutex_lock(&s->lock);
	STRV_EACH(hex, &r->below) {
		VEC_EACH(l, &s->layers) {
			if (strcmp((*l)->hex, *hex))
				continue;
			if (!first)
				buf_char(out, separator);
			buf_fmt(out, "%sl/%" PRIu64 "%s", base, (*l)->link, suffix);
			first = false;
			break;
		}
	}
	pthread_mutex_unlock(&s->lock);
}

/* ---- root file systems ---- */

int storage_union_fill(struct storage *s, int dirfd, const struct layer *top, struct err *err)
{
	static const char *const dirs[] = {"upper", "work", "merged"};
	auto_free char *path = NULL;
	auto_fd int lower = -1;
	auto_fd int upper = -1;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		if (mkdirat(dirfd, dirs[i], i == 0 ? 0755 : 0700) < 0)
			return err_sys(err, errno, "create directory '%s'", dirs[i]);
	}
	if (!top)
		return mkdirat(dirfd, "empty", 0755) < 0 ?
			       err_sys(err, errno, "create directory 'empty'") : 0;
	/* The merged root looks like the upper one. */
	path = xfmt("layers/%s/" FS_DIR, top->hex);
	lower = openat(s->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lower < 0)
		return err_sys(err, errno, "open layer '%s/%s'", s->dir, path);
	upper = openat(dirfd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0)
		return err_sys(err, errno, "open directory 'upper'");
	return storage_copy_root(lower, upper, err);
}

int storage_union_usage(struct storage *s, const struct rootfs *r, uint64_t *ret_bytes, uint64_t *ret_inodes,
			struct err *err)
{
	auto_free char *path = path_join(r->path, "upper");
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	return tree_usage(fd, ret_bytes, ret_inodes, err);
}

void storage_union_info(struct storage *s, const struct rootfs *r, struct strmap *ret)
{
	static const char *const names[][2] = {
		{"UpperDir", "upper"}, {"WorkDir", "work"}, {"MergedDir", "merged"}};
	AUTO(buf_clear) struct buf lower = BUF_INIT;

	STRV_EACH(hex, &r->below)
		buf_fmt(&lower, "%s%s/layers/%s/" FS_DIR, lower.len ? ":" : "", s->dir, *hex);
	strmap_set(ret, "LowerDir", buf_cstr(&lower));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = path_join(r->path, names[i][1]);

		strmap_set(ret, names[i][0], path);
	}
}
