/*
 * archive_in - inside of image: the members of an archive that comes through an fd, one after another
 */
#ifndef RUNTIME_IMAGE_ARCHIVE_IN_H
#define RUNTIME_IMAGE_ARCHIVE_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"

enum member_kind { MEMBER_FILE, MEMBER_LINK /* symbolic or hard */, MEMBER_OTHER };

struct member {
	char *path;		/* clean, relative: "a/b" */
	enum member_kind kind;
	char *target;		/* of a link, the same way; NULL: leads out of the archive */
	int64_t size;
};

struct archive_in;

/* @fd may be a pipe; the archive may be packed in any way that we know. Borrowed until close. */
int archive_in_open(int fd, const volatile bool *cancel, struct archive_in **ret, struct err *err);
void archive_in_close(struct archive_in *a);
DEFINE_AUTO(archive_in_close, struct archive_in *)

/* 1: *ret is the next member, borrowed until the next call; 0: the end. */
int archive_in_next(struct archive_in *a, const struct member **ret, struct err *err);
/* The next piece of the member's content: 1, or 0 at its end. Borrowed until the next call. */
int archive_in_read(struct archive_in *a, const void **ret, size_t *ret_len, struct err *err);

#endif
