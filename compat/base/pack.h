/*
 * pack - a file, or a directory with all that is in it, becomes a tar stream.
 *
 * Works on directory fds and never follows a link below the top, so a tree that an enemy changes meanwhile cannot send the walk elsewhere:
 * at worst it packs something that was there for a moment. What vanishes meanwhile is left out; a file that shrinks is filled up with
 * zeros, what one grows is cut off. Regular files with their holes, directories, links, further names of a file as hard links, devices,
 * FIFOs; owner, mode, time, and those extended attributes that are the file's own: user.*, capabilities, access control lists. Sockets
 * are left out.
 */
#ifndef COMPAT_BASE_PACK_H
#define COMPAT_BASE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "compat/base/err.h"

struct pack_options {
	const char *name;	/* of the top in the archive; "." and "/" name a directory by itself: "./a", "/a" */
	bool owner_given;	/* .uid and .gid for all */
	uid_t uid;
	gid_t gid;
	bool no_kernel_files;	/* of file systems such as /proc only the mount point is packed */
	int (*write)(void *arg, const void *data, size_t len);	/* 0 or -errno, which ends it */
	void *arg;
};

/*
 * @dirfd	where @entry is; @entry NULL: the directory itself
 *
 * A failure leaves the stream broken off.
 */
int pack(int dirfd, const char *entry, const struct pack_options *options, struct err *err);

/* Is the file on a file system whose files are the kernel's (proc, sysfs, cgroup, devpts ...)? */
bool pack_is_kernel_file(int fd);

#endif
