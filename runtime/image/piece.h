/*
 * piece - inside of image: a member of an archive that may be a layer, into a blob and, where that can be, a directory
 */
#ifndef RUNTIME_IMAGE_PIECE_H
#define RUNTIME_IMAGE_PIECE_H

#include "runtime/image/internal.h"

struct piece {
	char *path;			/* in the archive */
	struct layer_record record;	/* digest and size; the rest when it was unpacked */
	bool unpacked;
	struct image_layer_dir dir;
};

struct piece_writer;

/* @data: its first bytes, which are written by the next call. @p stays where it is until piece_end(). */
int piece_begin(struct image_store *store, struct piece *p, const void *data, size_t len, struct piece_writer **ret,
		struct err *err);
int piece_write(struct piece_writer *w, const void *data, size_t len, struct err *err);
uint64_t piece_size(const struct piece_writer *w);
/* All was written (@rc 0), or the caller failed (-errno). Frees @w; returns the first failure. The blob is pinned until piece_clear(). */
int piece_end(struct piece_writer *w, int rc, struct err *err);
void piece_clear(struct image_store *store, struct piece *p);

#endif
