/*
 * unpack - inside of image: a layer's tar becomes files
 *
 * Nothing that an archive says can touch what is outside the directory: names are walked under it one by one, links in
 * them included; hard links point to files inside; what stands where an entry shall go is removed, never written
 * through. Entries that an image cannot mean (".." out of the root, negative sizes, nameless files) are refused.
 *
 * Spec: OCI image-spec 1.1, layer.md
 */
#ifndef RUNTIME_IMAGE_UNPACK_H
#define RUNTIME_IMAGE_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"
#include "runtime/image/ring.h"

struct unpack {
	struct ring *in;		/* plain tar; read to its end unless there is an error */
	int dirfd;			/* borrowed */
	bool overlay_whiteouts;
	uint64_t entries_max, bytes_max;
};

/* *ret_size: sum of the sizes of its regular files. On failure the directory is left half filled. */
int unpack_run(const struct unpack *options, uint64_t *ret_size, struct err *err);

#endif
