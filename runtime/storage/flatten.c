/*
 * flatten - several layers into one tree
 *
 * From the bottom up: first everything goes that the layer deletes or replaces, then its files come. Both trees may hold hostile names and
 * links: all is done by fds, and no link is followed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"
#include "runtime/storage/driver.h"

static bool is_opaque(int fd)
{
	char value;

	return fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static int prune(int layer, int dst, int depth, struct err *err);

/* Both have the directory @name. */
static int prune_dir(int layer, int dst, const char *name, int depth, struct err *err)
{
	auto_fd int from = openat(layer, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int to = -1;

	if (from < 0)
		return err_sys(err, errno, "open directory '%s' of a layer", name);
	if (is_opaque(from))
		return path_remove_tree_at(dst, name, err);
	to = openat(dst, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_sys(err, errno, "open directory '%s' of the merged layers", name);
	return prune(from, to, depth + 1, err);
}

/* Remove from @dst what @layer deletes or replaces; directories that both have stay. */
static int prune(int layer, int dst, int depth, struct err *err)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *e;
	int rc = 0;
	int fd;

	if (depth > TREE_MAX_DEPTH)
		return err_set(err, ERR_TOO_LARGE, "directories of a layer are nested over %d deep", TREE_MAX_DEPTH);
	fd = openat(layer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "read directory of a layer");
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(err, ENOMEM, "read directory of a layer");
	}
	while (rc == 0 && (errno = 0, e = readdir(dir))) {
		struct stat above, below;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    fstatat(dst, e->d_name, &below, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (fstatat(layer, e->d_name, &above, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "inspect '%s' of a layer", e->d_name);
		if (S_ISDIR(above.st_mode) && S_ISDIR(below.st_mode))
			rc = prune_dir(layer, dst, e->d_name, depth, err);
		else
			rc = path_remove_tree_at(dst, e->d_name, err);
	}
	if (rc == 0 && errno)
		return err_sys(err, errno, "read directory of a layer");
	return rc;
}

int storage_flatten(struct storage *s, const struct strv *hex, int dst, bool link, struct err *err)
{
	const struct tree_copy how = {.no_whiteouts = true, .link = link};

	for (size_t i = hex->n; i-- > 0;) {
		auto_free char *path = xfmt("layers/%s/" FS_DIR, hex->v[i]);
		auto_fd int layer = openat(s->dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int rc;

		if (layer < 0)
			return err_sys(err, errno, "open layer '%s/%s'", s->dir, path);
		rc = i + 1 < hex->n ? prune(layer, dst, 0, err) : 0;
		if (rc == 0)
			rc = tree_copy(layer, dst, &how, NULL, err);
		if (rc < 0)
			return err_wrap(err, rc, "merge layer %.12s", hex->v[i]);
	}
	return 0;
}
