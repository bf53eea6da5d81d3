/*
 * layers - the layers of one image on their way into the storage
 */
#include "runtime/image/layers.h"

#include <string.h>

#include "compat/base/str.h"

void layer_jobs_init(struct layer_jobs *jobs, struct image_store *store, const struct image_draft *d)
{
	const struct strv *diff_ids = &d->parsed.rootfs.diff_ids;

	jobs->store = store;
	jobs->n = diff_ids->n;
	jobs->v = xcalloc(jobs->n + 1, sizeof(*jobs->v));
	for (size_t i = 0; i < jobs->n; i++) {
		struct layer_job *j = &jobs->v[i];

		j->parent = i ? j[-1].chain_id : NULL;
		digest_chain(j->parent, diff_ids->v[i], j->chain_id);
		/* One above a missing one may be there: only with its parent. */
		if ((!i || j[-1].reused) &&
		    store_pin_layer(store, j->chain_id, diff_ids->v[i], &j->record)) {
			j->reused = j->committed = true;
			continue;
		}
		j->record.diff_id = xstrdup(diff_ids->v[i]);
		store_pin(store, PIN_LAYER, j->chain_id);
	}
}

void layer_jobs_clear(struct layer_jobs *jobs, bool undo)
{
	AUTO(strv_clear) struct strv chain_ids = {0};

	for (size_t i = 0; i < jobs->n; i++) {
		struct layer_job *j = &jobs->v[i];

		if (j->unpacked && !j->committed)
			jobs->store->layers.abort(jobs->store->layers.arg, j->dir.writer);
		if (j->record.digest)
			store_unpin(jobs->store, PIN_BLOB, j->record.digest);
		store_unpin(jobs->store, PIN_LAYER, j->chain_id);
		if (j->committed && !j->reused)
			strv_add(&chain_ids, j->chain_id);
		layer_record_clear(&j->record);
	}
	if (undo)
		store_collect(jobs->store, &chain_ids, &(struct strv){0}, NULL);
	free(jobs->v);
	*jobs = (struct layer_jobs){0};
}

bool layer_job_can_stream(const struct layer_jobs *jobs, size_t i)
{
	return jobs->store->layers.independent || !i || jobs->v[i - 1].reused;
}

static int unpack_now(struct layer_jobs *jobs, struct layer_job *j, const volatile bool *cancel, struct err *err)
{
	const struct image_layers *layers = &jobs->store->layers;
	int rc = layers->begin(layers->arg, j->parent, &j->dir, err);

	if (rc < 0)
		return rc;
	rc = store_unpack_blob(jobs->store, j->record.digest, &j->dir, cancel, j->record.diff_id, &j->record, err);
	if (rc < 0)
		layers->abort(layers->arg, j->dir.writer);
	else
		j->unpacked = true;
	return rc;
}

int layer_job_commit(struct layer_jobs *jobs, size_t i, const volatile bool *cancel, struct err *err)
{
	const struct image_layers *layers = &jobs->store->layers;
	struct layer_job *j = &jobs->v[i];
	int rc = 0;

	if (j->committed)
		return 0;
	if (!j->unpacked)
		rc = unpack_now(jobs, j, cancel, err);
	if (rc < 0)
		return rc;
	j->unpacked = false;	/* the writer is consumed, whatever comes */
	rc = layers->commit(layers->arg, j->dir.writer, j->chain_id, j->parent, err);
	if (rc == 0)
		j->committed = true;
	return rc;
}
