/*
 * ring - inside of image: blocks of bytes on their way from one thread to another
 *
 * A fixed number of fixed blocks, so that a slow reader slows the writer down and memory is bounded. One writer, one
 * reader. Either may leave early: the other learns it at its next call.
 */
#ifndef RUNTIME_IMAGE_RING_H
#define RUNTIME_IMAGE_RING_H

#include <stddef.h>
#include <sys/types.h>

#include "compat/base/auto.h"

struct ring;

struct ring *ring_new(size_t blocks, size_t block_size);
void ring_free(struct ring *r);	/* both have left */
DEFINE_AUTO(ring_free, struct ring *)

/* Writer: room of one whole block, waits for it. 0, or -EPIPE when the reader has left. */
int ring_claim(struct ring *r, void **ret);
/* Writer: the first @len bytes of the claimed block are ready; 0 gives it back. */
void ring_commit(struct ring *r, size_t len);
/* Writer: copy in. 0 or -EPIPE. */
int ring_write(struct ring *r, const void *data, size_t len);
/* Writer leaves: what is in the ring can still be read, then the reader gets @rc (0: the end, or -errno). */
void ring_end(struct ring *r, int rc);

/* Reader: the next block; the one before is no longer valid. Its size, 0 at the end, or the writer's -errno. */
ssize_t ring_next(struct ring *r, const void **ret);
/* Reader leaves. */
void ring_stop(struct ring *r);

#endif
