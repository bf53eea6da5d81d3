/*
 * commit - an image enters the store: drafts, pins, claims, and layers from blobs
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/image/intake.h"
#include "runtime/image/internal.h"

#define CHUNK (256 * 1024)

void draft_clear(struct image_draft *d)
{
	buf_clear(&d->config);
	json_clear(&image_config_table, &d->parsed);
	VEC_EACH(l, &d->layers)
		layer_record_clear(l);
	VEC_FREE(&d->layers);
	strv_clear(&d->names);
}

static int check_lists(const struct image_run_config *c, struct err *err)
{
	const struct {
		const char *name;
		size_t n, max;
	} lists[] = {
		{"Env", c->env.n, RUN_CONFIG_LIST_MAX},		{"Entrypoint", c->entrypoint.n, RUN_CONFIG_LIST_MAX},
		{"Cmd", c->cmd.n, RUN_CONFIG_LIST_MAX},		{"Labels", c->labels.n, RUN_CONFIG_LIST_MAX},
		{"Shell", c->shell.n, RUN_CONFIG_LIST_MAX},	{"ExposedPorts", c->exposed_ports.n, RUN_CONFIG_LIST_MAX},
		{"OnBuild", c->on_build.n, RUN_CONFIG_LIST_MAX}, {"Volumes", c->volumes.n, RUN_CONFIG_VOLUMES_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (lists[i].n > lists[i].max)
			return err_set(err, ERR_TOO_LARGE, "image configuration: %s has %zu entries, %zu are supported",
				       lists[i].name, lists[i].n, lists[i].max);
	}
	return 0;
}

int draft_parse(struct image_draft *d, struct err *err)
{
	const struct strv *diff_ids = &d->parsed.rootfs.diff_ids;
	int rc;

	digest_of(buf_cstr(&d->config), d->config.len, d->id);
	rc = json_parse(&image_config_table, buf_cstr(&d->config), d->config.len, 0, "image configuration",
			&d->parsed, err);
	if (rc < 0)
		return rc;
	rc = check_lists(&d->parsed.config, err);
	if (rc < 0)
		return rc;
	if (!str_eq(d->parsed.rootfs.type, "layers"))
		return err_set(err, ERR_INVALID, "image configuration: rootfs.type is not 'layers'");
	if (diff_ids->n > IMAGE_LAYERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the image has %zu layers, %d are supported", diff_ids->n,
			       IMAGE_LAYERS_MAX);
	STRV_EACH(id, diff_ids) {
		rc = digest_check(*id, "image configuration: diff ID", err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- recording ---- */

static int settle_blobs(struct image_store *store, const struct image_draft *d, struct err *err)
{
	int rc = blob_settle(store->dirfd, d->id, err);

	if (rc == 0 && d->manifest[0])
		rc = blob_settle(store->dirfd, d->manifest, err);
	VEC_EACH(l, &d->layers) {
		if (rc == 0)
			rc = blob_settle(store->dirfd, l->digest, err);
	}
	return rc;
}

static void fill_record(struct image_store *store, const struct image_draft *d, struct image_record *r)
{
	r->id = xstrdup(d->id);
	r->manifest = xstrdup(d->manifest);
	r->boot = xstrdup(store->boot_id);
	r->pulled = time_now_ns();
	VEC_EACH(l, &d->layers)
		layer_record_copy(VEC_ADD(&r->layers), l);
}

/* With the lock held. Returns the images that lost a name, by id. */
static int set_names(struct image_store *store, const struct image_draft *d, struct strv *ret_losers,
		     struct err *err)
{
	struct strmap before = {0};
	bool changed = false;
	int rc;

	strmap_copy(&before, &store->names);
	STRV_EACH(name, &d->names) {
		const char *old = strmap_get(&store->names, *name);

		if (str_eq(old, d->id))
			continue;
		if (old && !strv_has(ret_losers, old))
			strv_add(ret_losers, old);
		strmap_set(&store->names, *name, d->id);
		changed = true;
	}
	rc = changed ? names_write(store, err) : 0;
	if (rc < 0)
		strmap_copy(&store->names, &before);
	strmap_clear(&before);
	return rc;
}

/* With the lock held. */
static int add_entry(struct image_store *store, const struct image_draft *d, struct err *err)
{
	struct image_entry *e = entry_find(store, d->id);
	struct image_entry *fresh;
	int rc;

	if (e) {
		/* Known. That it has a manifest now is worth knowing. */
		if (!d->manifest[0] || !str_empty(e->record.manifest))
			return 0;
		str_set(&e->record.manifest, d->manifest);
		return record_write(store, &e->record, err);
	}
	fresh = xcalloc(1, sizeof(*fresh));
	fill_record(store, d, &fresh->record);
	rc = entry_build(store, fresh, buf_cstr(&d->config), err);
	if (rc == 0)
		rc = record_write(store, &fresh->record, err);
	if (rc < 0) {
		entry_free(fresh);
		return rc;
	}
	VEC_PUSH(&store->entries, fresh);
	return 0;
}

int store_commit(struct image_store *store, const struct image_draft *d, struct image **ret, struct err *err)
{
	AUTO(strv_clear) struct strv losers = {0};
	struct image_entry *e;
	int rc = settle_blobs(store, d, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&store->lock);
	rc = add_entry(store, d, err);
	if (rc == 0)
		rc = set_names(store, d, &losers, err);
	if (rc == 0) {
		entry_rename(store, d->id);
		STRV_EACH(id, &losers)
			entry_rename(store, *id);
		e = entry_find(store, d->id);
		if (ret)
			*ret = image_get(e->image);
	}
	pthread_mutex_unlock(&store->lock);
	if (rc == 0)
		store_sync_later(store);
	return err_wrap(err, rc, "record image");
}

/* ---- pins and claims ---- */

void store_pin(struct image_store *store, enum pin kind, const char *what)
{
	pthread_mutex_lock(&store->gc_lock);
	pthread_mutex_lock(&store->lock);
	strv_add(&store->pins[kind], what);
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_unlock(&store->gc_lock);
}

/* With the lock held. */
static void strv_remove(struct strv *s, const char *what)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->v[i], what) == 0) {
			free(s->v[i]);
			VEC_DEL(s, i);
			return;
		}
	}
}

void store_unpin(struct image_store *store, enum pin kind, const char *what)
{
	pthread_mutex_lock(&store->lock);
	strv_remove(&store->pins[kind], what);
	pthread_mutex_unlock(&store->lock);
}

bool store_pin_layer(struct image_store *store, const char *chain_id, const char *diff_id,
		     struct layer_record *ret_layer)
{
	const struct layer_record *found = NULL;

	pthread_mutex_lock(&store->gc_lock);
	pthread_mutex_lock(&store->lock);
	VEC_EACH(e, &store->entries) {
		VEC_EACH(l, &(*e)->record.layers) {
			if (!found && strcmp(l->diff_id, diff_id) == 0)
				found = l;
		}
	}
	if (found && store->layers.has(store->layers.arg, chain_id)) {
		strv_add(&store->pins[PIN_LAYER], chain_id);
		strv_add(&store->pins[PIN_BLOB], found->digest);
		layer_record_copy(ret_layer, found);
	} else {
		found = NULL;
	}
	pthread_mutex_unlock(&store->lock);
	pthread_mutex_unlock(&store->gc_lock);
	return found != NULL;
}

int store_claim(struct image_store *store, const char *what, const volatile bool *cancel, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&store->lock);
	while (strv_has(&store->claims, what) && !(cancel && *cancel)) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;		/* looks at @cancel */
		pthread_cond_timedwait(&store->changed, &store->lock, &until);
	}
	if (cancel && *cancel)
		rc = err_set(err, ERR_CANCELED, "canceled");
	else
		strv_add(&store->claims, what);
	pthread_mutex_unlock(&store->lock);
	return rc;
}

void store_unclaim(struct image_store *store, const char *what)
{
	pthread_mutex_lock(&store->lock);
	strv_remove(&store->claims, what);
	pthread_cond_broadcast(&store->changed);
	pthread_mutex_unlock(&store->lock);
}

/* ---- layers from blobs on disk ---- */

static int feed_file(struct intake *in, int fd, struct digester *digest, const volatile bool *cancel,
		     struct err *err)
{
	auto_free char *chunk = xcalloc(1, CHUNK);
	ssize_t n;

	while ((n = fd_read_all(fd, chunk, CHUNK)) > 0) {
		if (cancel && *cancel)
			return err_set(err, ERR_CANCELED, "canceled");
		if (digest)
			digester_add(digest, chunk, (size_t)n);
		if (intake_feed(in, chunk, (size_t)n) < 0)
			return -EPIPE;
	}
	return n < 0 ? err_sys(err, (int)-n, "read blob") : 0;
}

int store_unpack_blob(struct image_store *store, const char *digest, const struct image_layer_dir *dir,
		      const volatile bool *cancel, const char *diff_id, struct layer_record *record,
		      struct err *err)
{
	struct image_limits limits = store->limits;
	struct intake_result result;
	struct intake *in = NULL;
	auto_fd int fd = -1;
	bool packed;
	int rc = blob_open(store->dirfd, digest, &fd, &packed, err);

	if (rc == 0 && packed)
		limits.ratio = UINT32_MAX;	/* we packed it ourselves: zeros become nearly nothing */
	if (rc == 0)
		rc = intake_start(dir, &limits, &in, err);
	if (rc < 0)
		return rc;
	rc = feed_file(in, fd, NULL, cancel, err);
	rc = intake_finish(in, rc, &result, err);
	if (rc == 0 && strcmp(result.diff_id, diff_id) != 0)
		rc = err_set(err, ERR_INVALID, "its content is %s, the image configuration says %s",
			     result.diff_id, diff_id);
	if (rc < 0)
		return err_wrap(err, rc, "layer %.12s", digest_hex(digest));
	record->unpacked = result.size;
	record->tar_bytes = result.tar_bytes;
	return 0;
}

/* One missing layer of a recorded image: its storage was emptied, or another driver is in use. */
static int restore_layer(struct image_store *store, struct layer_record *l, const char *parent,
			 const char *chain_id, struct err *err)
{
	const struct image_layers *layers = &store->layers;
	struct image_layer_dir dir = {0};
	int rc = blob_check(store->dirfd, l->digest, err);

	if (rc == 0)
		rc = layers->begin(layers->arg, parent, &dir, err);
	if (rc < 0)
		return rc;
	rc = store_unpack_blob(store, l->digest, &dir, NULL, l->diff_id, l, err);
	if (rc < 0) {
		layers->abort(layers->arg, dir.writer);
		return rc;
	}
	return layers->commit(layers->arg, dir.writer, chain_id, parent, err);
}

static int restore_image(struct image_store *store, struct image_entry *e, struct err *err)
{
	const struct strv *chain = &e->image->chain_ids;

	for (size_t i = 0; i < chain->n; i++) {
		int rc;

		if (store->layers.has(store->layers.arg, chain->v[i]))
			continue;
		rc = restore_layer(store, &e->record.layers.v[i], i ? chain->v[i - 1] : NULL, chain->v[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int store_restore_layers(struct image_store *store, struct err *err)
{
	for (size_t i = 0; i < store->entries.n; i++) {
		struct image_entry *e = store->entries.v[i];
		auto_free char *path = xfmt(IMAGES_DIR "/%s.json", digest_hex(e->record.id));
		struct err why = ERR_INIT;

		if (restore_image(store, e, &why) == 0)
			continue;
		if (why.kind == ERR_NO_SPACE) {
			if (err)
				*err = why;
			return -why.code;
		}
		/* Its blobs are damaged: to be pulled again. */
		(void)unlinkat(store->dirfd, path, 0);
		for (size_t n = store->names.n; n-- > 0;) {
			if (strcmp(store->names.v[n].val, e->record.id) == 0)
				strmap_del(&store->names, store->names.v[n].key);
		}
		entry_free(e);
		VEC_DEL(&store->entries, i);
		i--;
	}
	return 0;
}
