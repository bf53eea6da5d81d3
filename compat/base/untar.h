/*
 * untar - entries of an archive become files below a root that nothing leads out of.
 *
 * Nothing that an archive says, and nothing that others do to the tree meanwhile, can touch what is outside the root: names are walked
 * under it one by one, links in them included; hard links point to files inside; what stands where an entry shall go is removed, never
 * written through. Entries that make no sense (".." out of the root, negative sizes, nameless files) are ERR_INVALID.
 */
#ifndef COMPAT_BASE_UNTAR_H
#define COMPAT_BASE_UNTAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"

struct archive;
struct archive_entry;
struct untar;

enum untar_owner {
	UNTAR_OWNER_OF_ENTRY,
	UNTAR_OWNER_GIVEN,	/* .uid and .gid for all */
	UNTAR_OWNER_CREATOR,	/* who calls: setuid, setgid and file capabilities, which would mean another, are left out */
};

struct untar_options {
	int rootfd;			/* borrowed until untar_free() */
	const char *prefix;		/* the directory below the root that names start from; NULL: the root. Borrowed alike */
	uint64_t bytes_max;		/* sum of the sizes of regular files; over it is ERR_TOO_LARGE */
	enum untar_owner owner;
	uid_t uid;
	gid_t gid;
	bool overlay_whiteouts;		/* character devices 0/0 mean "deleted": a directory that comes there gets opaque */
	bool shared;			/* others may change the tree meanwhile; the caller's umask must be 0 */
	bool keep_top;			/* an entry "." changes nothing of the directory itself */
	bool keep_kinds;		/* ERR_INVALID when a directory would replace something else, or be replaced by it */
};

/* @options is copied. */
struct untar *untar_new(const struct untar_options *options);
void untar_free(struct untar *u);
DEFINE_AUTO(untar_free, struct untar *)

/* Put one entry, whose content comes from @a, into its place. Sockets are left out. */
int untar_put(struct untar *u, struct archive *a, struct archive_entry *entry, struct err *err);
/* Directories get their times when nothing is put into them any more. */
int untar_finish(struct untar *u, struct err *err);
/* Sum of the sizes of regular files. */
uint64_t untar_bytes(const struct untar *u);

/* An entry's path below the root: clean, relative, without ".."; "." is the root. Owned. @what is for messages. */
int untar_path(const struct untar *u, const char *name, const char *what, char **ret, struct err *err);
/* The directory which holds @path, made where missing with @create. Borrowed: until untar_forget() or the next untar_put(). */
int untar_parent(struct untar *u, const char *path, bool create, int *ret, struct err *err);
/* The caller removed directories or links: what a path means may have changed. */
void untar_forget(struct untar *u);
/* Hide what lower layers have below the directory. */
int untar_set_opaque(int fd, struct err *err);

#endif
