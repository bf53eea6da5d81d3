/*
 * intake - a layer's bytes, as they arrive, become a directory and a diff ID
 */
#include "runtime/image/intake.h"

#include <pthread.h>

#include "compat/base/str.h"
#include "runtime/image/inflate.h"
#include "runtime/image/ring.h"
#include "runtime/image/unpack.h"

#define BLOCK  (256 * 1024)
#define BLOCKS 8

struct intake {
	struct ring *packed, *plain;
	struct inflate inflate;
	struct unpack unpack;
	pthread_t inflate_thread, unpack_thread;
	struct err inflate_err, unpack_err;
	int inflate_rc, unpack_rc;
	uint64_t size;
};

static void *run_inflate(void *arg)
{
	struct intake *in = arg;

	in->inflate_rc = inflate_run(&in->inflate, &in->inflate_err);
	ring_end(in->plain, in->inflate_rc);
	ring_stop(in->packed);
	return NULL;
}

static void *run_unpack(void *arg)
{
	struct intake *in = arg;

	in->unpack_rc = unpack_run(&in->unpack, &in->size, &in->unpack_err);
	ring_stop(in->plain);
	return NULL;
}

static void intake_free(struct intake *in)
{
	digester_free(in->inflate.digest);
	ring_free(in->packed);
	ring_free(in->plain);
	free(in);
}

int intake_start(const struct image_layer_dir *dir, const struct image_limits *limits, struct intake **ret,
		 struct err *err)
{
	struct intake *in = xcalloc(1, sizeof(*in));
	int rc;

	in->packed = ring_new(BLOCKS, BLOCK);
	in->plain = ring_new(BLOCKS, BLOCK);
	in->inflate = (struct inflate){
		.in = in->packed,
		.out = in->plain,
		.digest = digester_new(),
		/* Headers, padding and holes' maps come on top of the files. */
		.bytes_max = limits->bytes + limits->bytes / 2 + (1 << 30),
		.ratio_max = limits->ratio,
	};
	in->unpack = (struct unpack){
		.in = in->plain,
		.dirfd = dir->fd,
		.overlay_whiteouts = dir->overlay_whiteouts,
		.entries_max = limits->entries,
		.bytes_max = limits->bytes,
	};
	rc = pthread_create(&in->inflate_thread, NULL, run_inflate, in);
	if (rc == 0) {
		rc = pthread_create(&in->unpack_thread, NULL, run_unpack, in);
		if (rc) {
			ring_end(in->packed, -ECANCELED);
			ring_stop(in->plain);
			pthread_join(in->inflate_thread, NULL);
		}
	}
	if (rc) {
		intake_free(in);
		return err_sys(err, rc, "start a thread");
	}
	*ret = in;
	return 0;
}

int intake_feed(struct intake *in, const void *data, size_t len)
{
	return ring_write(in->packed, data, len);
}

/* The cause: who stopped first has words for it, the others only saw a neighbour leave. */
static int first_failure(const struct intake *in, int rc, struct err *err)
{
	if (in->unpack_rc < 0 && in->unpack_err.code) {
		if (err)
			*err = in->unpack_err;
		return in->unpack_rc;
	}
	if (in->inflate_rc < 0 && in->inflate_err.code) {
		if (err)
			*err = in->inflate_err;
		return in->inflate_rc;
	}
	return rc;	/* the feeder's: it has told already */
}

int intake_finish(struct intake *in, int rc, struct intake_result *ret, struct err *err)
{
	ring_end(in->packed, rc);
	pthread_join(in->inflate_thread, NULL);
	pthread_join(in->unpack_thread, NULL);
	rc = first_failure(in, rc, err);
	if (rc == 0) {
		digester_get(in->inflate.digest, ret->diff_id);
		ret->size = (int64_t)in->size;
		ret->tar_bytes = (int64_t)in->inflate.out_bytes;
	}
	intake_free(in);
	return rc;
}
