/*
 * path - names under a root, walked so that nothing inside the root can lead out of it.
 *
 * Every walk resolves symbolic links as if @rootfd were "/": ".." stops at the root, absolute links start at it. Uses
 * openat2(RESOLVE_IN_ROOT) where the kernel has it, else one component at a time with openat(O_NOFOLLOW) and readlinkat
 * (at most 40 links). No O_PATH is needed, so FIFOs and devices are never opened by the walk itself. Both ways answer alike;
 * the names and numbers in errors are the kernel's: ELOOP, ENOTDIR, ENAMETOOLONG, ENOENT.
 */
#ifndef COMPAT_BASE_PATH_H
#define COMPAT_BASE_PATH_H

#include <stdbool.h>
#include <sys/types.h>

#include "compat/base/err.h"

/* Lexically clean: "a//b/./c/.." -> "a/b"; "" -> "."; absolute stays absolute and ".." stops at "/". Owned. */
char *path_clean(const char *path);
char *path_join(const char *a, const char *b);	/* one slash between; owned */
const char *path_base(const char *path);	/* after the last slash; borrowed */
bool path_is_under(const char *path, const char *dir);	/* lexical; equal counts */

/* mkdir -p; existing directories are fine. */
int path_mkdirs(const char *path, mode_t mode, struct err *err);
/*
 * rm -r without following links and without crossing into mounts; absent is fine. A mount in the tree is EBUSY and stops
 * the removal (what was removed until then is gone). Any depth: what is too deep is moved up first.
 */
int path_remove_tree(const char *path, struct err *err);
int path_remove_tree_at(int dirfd, const char *name, struct err *err);

/*
 * Open @path inside @rootfd with @flags (O_CLOEXEC added). The last link is followed unless O_NOFOLLOW. To be sure that a
 * FIFO or device does not block, add O_NONBLOCK.
 */
int path_open_in(int rootfd, const char *path, int flags, mode_t mode, int *ret_fd, struct err *err);
/*
 * Open the regular file @path inside @rootfd, whose content others made, for reading. Nothing else is opened, as the mere opening of a
 * device may do something: -ENXIO then.
 */
int path_open_file_in(int rootfd, const char *path, int *ret_fd, struct err *err);
/* The same by @name in @dirfd, which is no link: -errno, or the fd. */
int path_open_file_at(int dirfd, const char *name);
/*
 * Open the directory that holds the last component of @path and give that component's name (owned). For unlink, mknod,
 * mkdir, symlink, rename at that place: the component itself is not resolved. A path that ends in no name ("/", "a/..") is
 * ERR_INVALID. With @create, missing parents are made with 0755 (less the umask).
 */
int path_parent_in(int rootfd, const char *path, bool create, int *ret_fd, char **ret_name,
		   struct err *err);
/* mkdir -p inside; returns an fd of the directory. */
int path_mkdirs_in(int rootfd, const char *path, mode_t mode, int *ret_fd, struct err *err);
/* Where @path really is, as a path relative to the root ("/etc/x"), links resolved; the last may be missing. Owned. */
int path_resolve_in(int rootfd, const char *path, char **ret, struct err *err);

#endif
