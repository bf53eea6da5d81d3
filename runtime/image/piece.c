/*
 * piece - a member of an archive that may be a layer, into a blob and, where that can be, a directory
 *
 * What comes plain goes packed into its blob: it would be written twice otherwise, and the disk is what a load waits for.
 */
#include "runtime/image/piece.h"

#include "compat/base/str.h"
#include "runtime/image/inflate.h"
#include "runtime/image/intake.h"

struct piece_writer {
	struct image_store *store;
	struct piece *piece;
	struct blob_writer *blob;
	struct intake *intake;	/* or NULL */
	bool plain;		/* its diff ID is its digest */
};

/* Unpack aside while it comes, where that can be done without knowing what is below. */
static int begin_unpacking(struct piece_writer *w, struct err *err)
{
	const struct image_layers *layers = &w->store->layers;
	int rc;

	if (!layers->independent)
		return 0;
	rc = layers->begin(layers->arg, NULL, &w->piece->dir, err);
	if (rc < 0)
		return rc;
	rc = intake_start(&w->piece->dir, &w->store->limits, &w->intake, err);
	if (rc < 0)
		layers->abort(layers->arg, w->piece->dir.writer);
	return rc;
}

int piece_begin(struct image_store *store, struct piece *p, const void *data, size_t len, struct piece_writer **ret,
		struct err *err)
{
	struct piece_writer *w = xcalloc(1, sizeof(*w));
	uint64_t number;
	int rc;

	w->store = store;
	w->piece = p;
	w->plain = packing_of(data, len) == PACKING_NONE;
	pthread_mutex_lock(&store->lock);
	number = store->next_number++;
	pthread_mutex_unlock(&store->lock);
	rc = begin_unpacking(w, err);
	if (rc == 0)
		rc = blob_begin(store->dirfd, number, w->plain, !w->plain || !w->intake, &w->blob, err);
	if (rc < 0)
		return piece_end(w, rc, err);
	*ret = w;
	return 0;
}

int piece_write(struct piece_writer *w, const void *data, size_t len, struct err *err)
{
	/* The other threads begin first: this one packs. */
	int rc = w->intake ? intake_feed(w->intake, data, len) : 0;

	return rc < 0 ? rc : blob_write(w->blob, data, len, err);
}

uint64_t piece_size(const struct piece_writer *w)
{
	return blob_size(w->blob);
}

static int end_unpacking(struct piece_writer *w, int rc, struct err *err)
{
	struct piece *p = w->piece;
	struct intake_result result;

	rc = intake_finish(w->intake, rc, &result, err);
	if (rc < 0) {
		w->store->layers.abort(w->store->layers.arg, p->dir.writer);
		return rc;
	}
	p->record.diff_id = xstrdup(result.diff_id);
	p->record.unpacked = result.size;
	p->record.tar_bytes = result.tar_bytes;
	p->unpacked = true;
	return 0;
}

int piece_end(struct piece_writer *w, int rc, struct err *err)
{
	struct layer_record *record = &w->piece->record;
	char digest[DIGEST_SIZE];

	if (w->intake)
		rc = end_unpacking(w, rc, err);
	if (rc == 0) {
		record->size = (int64_t)blob_size(w->blob);
		rc = blob_finish(w->blob, w->plain ? record->diff_id : NULL, digest, err);
	}
	if (rc == 0) {
		record->digest = xstrdup(digest);
		store_pin(w->store, PIN_BLOB, digest);
	}
	blob_writer_free(w->blob, rc == 0);
	free(w);
	return rc;
}

void piece_clear(struct image_store *store, struct piece *p)
{
	if (p->unpacked)
		store->layers.abort(store->layers.arg, p->dir.writer);
	if (p->record.digest)
		store_unpin(store, PIN_BLOB, p->record.digest);
	free(p->path);
	layer_record_clear(&p->record);
}
