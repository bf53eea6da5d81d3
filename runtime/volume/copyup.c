/*
 * copyup - an empty volume takes over what the image has at its place.
 */
#include "runtime/volume/volume.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"

static int is_empty_dir(int fd, bool *ret, struct err *err)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *entry;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) {
		int rc = err_sys(err, errno, "read volume");

		if (copy >= 0)
			close(copy);
		return rc;
	}
	*ret = true;
	while ((errno = 0, entry = readdir(dir))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (str_eq(entry->d_name, "lost+found"))
			continue;	/* a fresh file system is as good as empty */
		*ret = false;
		break;
	}
	return errno ? err_sys(err, errno, "read volume") : 0;
}

/* A half-filled volume would pass for the user's data at the next start. */
static void remove_content(int fd)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *entry;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = copy < 0 ? NULL : fdopendir(copy);
	if (!dir) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(dir))) {
		struct err ignored = ERR_INIT;

		/* The first failure is the one that is reported. */
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			(void)path_remove_tree_at(fd, entry->d_name, &ignored);
	}
}

int volume_copy_up(const char *rootfs, const char *target, const char *mountpoint, struct err *err)
{
	auto_fd int root = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int src = -1;
	auto_fd int dst = -1;
	struct err inner = ERR_INIT;
	bool empty = false;
	int rc;

	if (root < 0)
		return err_sys(err, errno, "open root file system '%s'", rootfs);
	rc = path_open_in(root, target, O_RDONLY | O_DIRECTORY, 0, &src, &inner);
	if (rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP)
		return 0;	/* nothing there to take over */
	if (rc < 0) {
		*err = inner;
		return err_wrap(err, rc, "fill volume for '%s'", target);
	}

	dst = open(mountpoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dst < 0)
		return err_sys(err, errno, "open volume '%s'", mountpoint);
	rc = is_empty_dir(dst, &empty, err);
	if (rc < 0 || !empty)
		return rc;

	rc = tree_copy(src, dst, &(struct tree_copy){.one_filesystem = true}, NULL, err);
	if (rc < 0) {
		remove_content(dst);
		return err_wrap(err, rc, "fill volume for '%s'", target);
	}
	return 0;
}
