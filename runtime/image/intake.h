/*
 * intake - inside of image: a layer's bytes, as they arrive, become a directory and a diff ID
 *
 * Two threads behind the one that feeds: the first unpacks the stream and takes its digest, the second writes files.
 */
#ifndef RUNTIME_IMAGE_INTAKE_H
#define RUNTIME_IMAGE_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"
#include "runtime/image/digest.h"
#include "runtime/image/store.h"

struct intake;

struct intake_result {
	char diff_id[DIGEST_SIZE];
	int64_t size;		/* sum of its files' sizes */
	int64_t tar_bytes;	/* of the plain stream */
};

/* @limits without zeros. @dir borrowed until finish. */
int intake_start(const struct image_layer_dir *dir, const struct image_limits *limits, struct intake **ret,
		 struct err *err);
/* 0, or -EPIPE: it failed, and finish tells why. Waits while the disk is slower. */
int intake_feed(struct intake *in, const void *data, size_t len);
/* All was fed (@rc 0), or the feeder failed (-errno). Waits, frees @in; returns the first failure. */
int intake_finish(struct intake *in, int rc, struct intake_result *ret, struct err *err);

#endif
