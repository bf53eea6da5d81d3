/*
 * tree - copy a directory with all that is in it.
 *
 * Works on directory fds and never follows a link of either side, so a tree that an enemy changes meanwhile cannot send
 * the copy elsewhere: at worst it copies something that was there for a moment.
 */
#ifndef COMPAT_BASE_TREE_H
#define COMPAT_BASE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"

/* Directories inside one another; every level holds two fds while it is copied. */
#define TREE_MAX_DEPTH 400

struct tree_copy {
	bool one_filesystem;	/* leave out what is mounted below; its mount point is copied empty */
	bool no_reflink;	/* always copy the bytes */
	bool link;		/* give files a second name instead of a copy; both on one file system */
	bool no_whiteouts;	/* leave out overlayfs's own: character devices 0/0, attributes trusted.overlay.* */
	const volatile bool *cancel;/* may be set by another thread: ECANCELED. NULL: never */
};

struct tree_copied {
	uint64_t entries;
	uint64_t bytes;		/* of data written; shared by reflink counts 0 */
};

/*
 * Copy the contents of the directory @src into the existing directory @dst: files (holes kept, extents shared where the
 * file system can), directories, links, hard links among the copied, devices, FIFOs; owner, mode, times and extended
 * attributes, @dst's own included. Sockets are left out, as tar does.
 *
 * What exists at @dst already is an error (EEXIST), except directories, which are merged. On failure the copy is left
 * half done: the caller removes @dst.
 *
 * @ret	may be NULL
 */
int tree_copy(int src, int dst, const struct tree_copy *options, struct tree_copied *ret,
	      struct err *err);

/* Bytes on disk (512-byte blocks, hard links once) and entries below @dirfd; other file systems are left out. */
int tree_usage(int dirfd, uint64_t *ret_bytes, uint64_t *ret_entries, struct err *err);

#endif
