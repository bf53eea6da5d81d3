/*
 * inflate - inside of image: a packed stream becomes a plain one
 */
#ifndef RUNTIME_IMAGE_INFLATE_H
#define RUNTIME_IMAGE_INFLATE_H

#include <stdint.h>

#include "compat/base/err.h"
#include "runtime/image/digest.h"
#include "runtime/image/ring.h"

enum packing { PACKING_NONE, PACKING_GZIP, PACKING_OTHER /* zstd, xz, bzip2: libarchive knows */ };

/* By the first bytes. */
enum packing packing_of(const void *data, size_t len);

struct inflate {
	struct ring *in, *out;
	struct digester *digest;	/* of what comes out; NULL: not wanted */
	uint64_t bytes_max;		/* ceilings of what comes out */
	uint32_t ratio_max;		/* to what went in, beyond the first 64 MiB */
	uint64_t in_bytes, out_bytes;
};

/*
 * Run to the end of f->in, which need not be packed at all. ERR_INVALID (damaged or cut short), ERR_TOO_LARGE (a ceiling).
 * The caller ends f->out and stops f->in. -EPIPE without a message: the reader of f->out has left.
 */
int inflate_run(struct inflate *f, struct err *err);

#endif
