/*
 * place - inside of image: one entry of a layer gets its place below the root
 */
#ifndef RUNTIME_IMAGE_PLACE_H
#define RUNTIME_IMAGE_PLACE_H

#include "runtime/image/unpack.h"

struct archive;
struct archive_entry;
struct placer;

struct placer *placer_new(const struct unpack *options);	/* copied; its directory is borrowed until free */
void placer_free(struct placer *p);
DEFINE_AUTO(placer_free, struct placer *)

/* @a stands at the data of @entry. */
int placer_put(struct placer *p, struct archive *a, struct archive_entry *entry, struct err *err);
/* Directories get their times at last, for their content changed them. */
int placer_finish(struct placer *p, struct err *err);
uint64_t placer_bytes(const struct placer *p);

#endif
