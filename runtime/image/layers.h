/*
 * layers - inside of image: the layers of one image on their way into the storage
 *
 * Layers are worked on in any order, by several threads; they are committed from the bottom up by one. Those that fail,
 * or are not needed after all, leave nothing.
 */
#ifndef RUNTIME_IMAGE_LAYERS_H
#define RUNTIME_IMAGE_LAYERS_H

#include "runtime/image/intake.h"
#include "runtime/image/internal.h"

struct layer_job {
	struct layer_record record;	/* its digest is pinned as soon as it is known */
	char chain_id[DIGEST_SIZE];
	const char *parent;		/* chain ID of the job below, or NULL */
	bool reused;			/* it was there: pinned, nothing to do */
	bool unpacked;			/* waits in dir for its commit */
	bool committed;
	struct image_layer_dir dir;
};

struct layer_jobs {
	struct image_store *store;
	struct layer_job *v;		/* bottom first */
	size_t n;
};

/* From the diff IDs of @d. Marks what is there already. */
void layer_jobs_init(struct layer_jobs *jobs, struct image_store *store, const struct image_draft *d);
/* Unpins and aborts what was not committed. With @undo, committed layers that no image has go too. */
void layer_jobs_clear(struct layer_jobs *jobs, bool undo);

/* May job @i be unpacked while it arrives? Else its blob is unpacked at its commit. */
bool layer_job_can_stream(const struct layer_jobs *jobs, size_t i);

/* The parent is committed: unpack (from the blob) if that was not done, check the diff ID, commit. */
int layer_job_commit(struct layer_jobs *jobs, size_t i, const volatile bool *cancel, struct err *err);

#endif
