/*
 * pull - from a registry into the store
 *
 * Manifest, configuration, then the layers: some threads download, each blob feeding a file, its digest and the unpacking
 * at once, while this one commits layers from the bottom up. The first failure stops all.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/image/layers.h"
#include "runtime/image/manifest.h"
#include "runtime/image/registry_session.h"

#define PROGRESS_EVERY_MS 100
#define WORKERS_MAX	  16

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE };

struct pull {
	struct image_store *store;
	const struct image_pull *asked;
	struct reference ref;
	struct platform platform;
	struct registry_copy registry;	/* as it was when the pull began */
	struct registry_session *session;
	struct image_draft draft;
	struct manifest manifest;
	bool config_pinned;
	char top_digest[DIGEST_SIZE];	/* of what the reference names: an index, or the manifest */
	struct layer_jobs jobs;
	volatile bool stop;		/* for the workers: canceled, or something failed */

	pthread_mutex_t progress_lock;
	pthread_mutex_t lock;		/* all below */
	pthread_cond_t changed;
	enum job_state *states;
	size_t next;
	int rc;
	struct err err;
};

/* One download. */
struct download {
	struct pull *p;
	size_t index;
	const struct descriptor *descriptor;
	struct blob_writer *blob;
	struct intake *intake;
	int64_t told_ms;
	uint64_t bytes;
	bool was_partial, afresh;	/* afresh: what others left is not trusted */
};

/* ---- progress ---- */

static void tell(struct pull *p, const char *id, int64_t current, int64_t total, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void tell(struct pull *p, const char *id, int64_t current, int64_t total, const char *fmt, ...)
{
	struct image_progress progress = {.id = id, .current = current, .total = total};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	va_list ap;

	if (!p->asked->progress)
		return;
	va_start(ap, fmt);
	buf_vfmt(&text, fmt, ap);
	va_end(ap);
	progress.status = buf_cstr(&text);
	pthread_mutex_lock(&p->progress_lock);
	p->asked->progress(p->asked->arg, &progress);
	pthread_mutex_unlock(&p->progress_lock);
}

static void tell_layer(struct pull *p, const struct descriptor *d, const char *status, int64_t current,
		       int64_t total)
{
	char id[13];

	(void)str_fmt(id, sizeof(id), "%.12s", digest_hex(d->digest));
	tell(p, id, current, total, "%s", status);
}

/* ---- one layer ---- */

/* What arrives goes to the file, its digest and the unpacking. Once those have failed, to nobody. */
static int take_in(void *arg, const void *data, size_t len)
{
	struct download *d = arg;

	if (d->p->stop)
		return -ECANCELED;
	d->bytes += len;
	return d->intake ? intake_feed(d->intake, data, len) : 0;
}

static int take_body(void *arg, const void *data, size_t len, struct err *err)
{
	struct download *d = arg;
	int rc = blob_write(d->blob, data, len, err);
	int64_t now;

	if (rc == 0)
		rc = take_in(d, data, len);
	if (rc < 0)
		return rc;
	now = time_mono_ms();
	if (now - d->told_ms >= PROGRESS_EVERY_MS) {
		d->told_ms = now;
		tell_layer(d->p, d->descriptor, "Downloading", (int64_t)d->bytes, d->descriptor->size);
	}
	return 0;
}

static int begin_intake(struct download *d, struct layer_job *j, struct err *err)
{
	const struct image_layers *layers = &d->p->store->layers;
	int rc;

	if (!layer_job_can_stream(&d->p->jobs, d->index))
		return 0;
	rc = layers->begin(layers->arg, j->parent, &j->dir, err);
	if (rc < 0)
		return rc;
	rc = intake_start(&j->dir, &d->p->store->limits, &d->intake, err);
	if (rc < 0)
		layers->abort(layers->arg, j->dir.writer);
	return rc;
}

/* A size that cannot be true, or could be and does not fit: told before the disk is full of it. */
static int check_room(const struct download *d, uint64_t needed, struct err *err)
{
	struct statvfs fs;
	uint64_t room;

	if (fstatvfs(d->p->store->dirfd, &fs) < 0)
		return 0;	/* then writing will tell */
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (needed <= room)
		return 0;
	return err_set(err, ERR_NO_SPACE, "%llu of its %llu bytes are still to come, there is room for %llu: No space left on device",
		       (unsigned long long)needed, (unsigned long long)d->descriptor->size, (unsigned long long)room);
}

/* All bytes, those of an earlier try first. */
static int get_bytes(struct download *d, struct http *h, struct err *err)
{
	struct pull *p = d->p;
	uint64_t size = (uint64_t)d->descriptor->size;
	char digest[DIGEST_SIZE];
	int rc = blob_resume(p->store->dirfd, d->descriptor->digest, p->ref.domain, d->afresh ? UINT64_MAX : size, take_in, d, &d->blob, err);

	if (rc < 0)
		return rc;
	d->was_partial = blob_size(d->blob) > 0;
	if (blob_size(d->blob) > size)
		return err_set(err, ERR_INVALID, "layer %.12s: it is over its %llu bytes",
			       digest_hex(d->descriptor->digest), (unsigned long long)size);
	rc = check_room(d, size - blob_size(d->blob), err);
	if (rc == 0)
		rc = registry_session_blob(p->session, h, d->descriptor->digest, blob_size(d->blob), size, take_body, d, err);
	if (rc < 0)
		return rc;
	tell_layer(p, d->descriptor, "Verifying Checksum", 0, 0);
	blob_digest(d->blob, digest);
	if (strcmp(digest, d->descriptor->digest) != 0)
		return err_set(err, ERR_INVALID, "layer %.12s: the registry sent something else, with the digest %s",
			       digest_hex(d->descriptor->digest), digest);
	return 0;
}

/* The partial file is worth keeping when the way to it failed, not when its content is wrong. */
static bool is_worth_keeping(int rc, const struct err *err)
{
	return rc == 0 || err->kind == ERR_UNAVAILABLE || err->kind == ERR_CANCELED ||
	       err->kind == ERR_FORBIDDEN || rc == -ECANCELED;
}

static int try_layer(struct download *d, struct http *h, struct err *err)
{
	const struct image_layers *layers = &d->p->store->layers;
	struct layer_job *j = &d->p->jobs.v[d->index];
	struct intake_result result;
	char digest[DIGEST_SIZE];
	bool streamed;
	int rc = begin_intake(d, j, err);

	if (rc < 0)
		return rc;
	streamed = d->intake != NULL;
	rc = get_bytes(d, h, err);
	if (rc == 0)
		tell_layer(d->p, d->descriptor, "Download complete", 0, 0);
	if (streamed) {
		tell_layer(d->p, d->descriptor, "Extracting", d->descriptor->size, d->descriptor->size);
		rc = intake_finish(take(d->intake), rc, &result, err);
		if (rc == 0 && strcmp(result.diff_id, j->record.diff_id) != 0)
			rc = err_set(err, ERR_INVALID, "its content is %s, the image configuration says %s",
				     result.diff_id, j->record.diff_id);
		if (rc < 0) {
			layers->abort(layers->arg, j->dir.writer);
		} else {
			j->record.unpacked = result.size;
			j->record.tar_bytes = result.tar_bytes;
			j->unpacked = true;
		}
	}
	if (rc == -ECANCELED && err && !err->code)
		rc = err_set(err, ERR_CANCELED, "canceled");
	/* Only now it may be taken for the layer by others. */
	if (rc == 0)
		rc = blob_finish(d->blob, d->descriptor->digest, digest, err);
	if (rc < 0 && streamed && j->unpacked) {
		layers->abort(layers->arg, j->dir.writer);
		j->unpacked = false;
	}
	blob_writer_free(take(d->blob), is_worth_keeping(rc, err));
	return rc;
}

/* While we waited for our turn, somebody else may have brought the layer. */
static bool has_come(struct pull *p, struct layer_job *j)
{
	struct layer_record found = {0};

	if (!store_pin_layer(p->store, j->chain_id, j->record.diff_id, &found))
		return false;
	/* These pins replace the ones of before. */
	store_unpin(p->store, PIN_LAYER, j->chain_id);
	store_unpin(p->store, PIN_BLOB, j->record.digest);
	layer_record_clear(&j->record);
	j->record = found;
	j->reused = j->committed = true;
	return true;
}

static int fetch_layer(struct pull *p, struct http *h, size_t i, struct err *err)
{
	struct layer_job *j = &p->jobs.v[i];
	struct download d = {.p = p, .index = i, .descriptor = &p->manifest.layers.v[i]};
	/* A registry that never gets done holds up nobody who asks another. */
	auto_free char *claim = xfmt("%s %s", d.descriptor->digest, p->ref.domain);
	struct err why = ERR_INIT;
	int rc;

	str_set(&j->record.digest, d.descriptor->digest);
	str_set(&j->record.media_type, d.descriptor->media_type);
	j->record.size = d.descriptor->size;
	store_pin(p->store, PIN_BLOB, j->record.digest);
	rc = store_claim(p->store, claim, &p->stop, err);
	if (rc < 0)
		return rc;
	if (has_come(p, j)) {
		store_unclaim(p->store, claim);
		tell_layer(p, d.descriptor, "Already exists", 0, 0);
		return 0;
	}
	rc = try_layer(&d, h, &why);
	if (rc < 0 && d.was_partial && why.kind == ERR_INVALID) {
		/* What an earlier try left was wrong: it is gone now. */
		d = (struct download){.p = p, .index = i, .descriptor = d.descriptor, .afresh = true};
		err_clear(&why);
		rc = try_layer(&d, h, &why);
	}
	store_unclaim(p->store, claim);
	if (rc < 0) {
		if (err)
			*err = why;
		return err_wrap(err, rc, "layer %.12s", digest_hex(d.descriptor->digest));
	}
	return 0;
}

/* ---- all layers ---- */

static void fail(struct pull *p, int rc, const struct err *err)
{
	pthread_mutex_lock(&p->lock);
	if (p->rc == 0) {
		p->rc = rc;
		p->err = *err;
	}
	p->stop = true;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

static void *worker(void *arg)
{
	struct pull *p = arg;
	AUTO(http_free) struct http *h = http_new(&p->registry.settings, &p->stop);

	for (;;) {
		struct err err = ERR_INIT;
		size_t i;
		int rc;

		pthread_mutex_lock(&p->lock);
		while (p->next < p->jobs.n && p->states[p->next] == JOB_DONE)
			p->next++;
		i = p->next++;
		if (i < p->jobs.n)
			p->states[i] = JOB_RUNNING;
		pthread_mutex_unlock(&p->lock);
		if (i >= p->jobs.n || p->stop)
			return NULL;
		rc = fetch_layer(p, h, i, &err);
		if (rc < 0) {
			fail(p, rc, &err);
			return NULL;
		}
		pthread_mutex_lock(&p->lock);
		p->states[i] = JOB_DONE;
		pthread_cond_broadcast(&p->changed);
		pthread_mutex_unlock(&p->lock);
	}
}

/* Until job @i is done or all is lost. */
static bool wait_for(struct pull *p, size_t i)
{
	bool done;

	pthread_mutex_lock(&p->lock);
	while (p->states[i] != JOB_DONE && p->rc == 0) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100 * 1000 * 1000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&p->changed, &p->lock, &until);
		if (p->asked->cancel && *p->asked->cancel)
			p->stop = true;		/* the workers will report it */
	}
	done = p->rc == 0;
	pthread_mutex_unlock(&p->lock);
	return done;
}

static void commit_layers(struct pull *p)
{
	for (size_t i = 0; i < p->jobs.n; i++) {
		struct err err = ERR_INIT;
		int rc;

		if (!wait_for(p, i))
			return;
		if (p->jobs.v[i].reused)
			continue;
		rc = layer_job_commit(&p->jobs, i, &p->stop, &err);
		if (rc < 0) {
			fail(p, rc, &err);
			return;
		}
		tell_layer(p, &p->manifest.layers.v[i], "Pull complete", 0, 0);
	}
}

static int fetch_layers(struct pull *p, struct err *err)
{
	pthread_t threads[WORKERS_MAX];
	unsigned int started = 0, wanted = 0;

	p->states = xcalloc(p->jobs.n + 1, sizeof(*p->states));
	for (size_t i = 0; i < p->jobs.n; i++) {
		p->states[i] = p->jobs.v[i].reused ? JOB_DONE : JOB_WAITING;
		wanted += !p->jobs.v[i].reused;
		tell_layer(p, &p->manifest.layers.v[i], p->jobs.v[i].reused ? "Already exists" : "Pulling fs layer", 0, 0);
	}
	if (wanted > p->store->parallel)
		wanted = p->store->parallel;
	if (wanted > WORKERS_MAX)
		wanted = WORKERS_MAX;
	while (started < wanted && pthread_create(&threads[started], NULL, worker, p) == 0)
		started++;
	if (wanted && !started) {
		err_sys(&p->err, EAGAIN, "start a thread");
		p->rc = -EAGAIN;
	}
	commit_layers(p);
	for (unsigned int i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	free(take(p->states));
	if (p->rc < 0 && err)
		*err = p->err;
	return p->rc;
}

/* ---- manifest and configuration ---- */

static int keep_bytes(void *arg, const void *data, size_t len, struct err *err)
{
	buf_add(arg, data, len);
	return 0;
}

/* Of the image itself: an index is resolved, at most to two levels. */
static int fetch_manifest(struct pull *p, struct http *h, struct err *err)
{
	auto_free char *reference = xstrdup(p->ref.digest[0] ? p->ref.digest : p->ref.tag);

	for (int level = 0; level < 3; level++) {
		AUTO(buf_clear) struct buf text = BUF_INIT;
		AUTO(manifest_clear) struct manifest m = {0};
		auto_free char *type = NULL;
		const struct descriptor *chosen;
		char digest[DIGEST_SIZE];
		int rc = registry_session_manifest(p->session, h, reference, &text, &type, digest, err);

		if (rc == 0)
			rc = manifest_parse(buf_cstr(&text), text.len, type, &m, err);
		if (rc < 0)
			return rc;
		if (level == 0)
			memcpy(p->top_digest, digest, DIGEST_SIZE);
		if (!m.is_index) {
			p->manifest = m;
			m = (struct manifest){0};
			memcpy(p->draft.manifest, digest, DIGEST_SIZE);
			store_pin(p->store, PIN_BLOB, digest);
			return blob_put(p->store->dirfd, text.data, text.len, digest, err);
		}
		rc = manifest_pick(&m, &p->platform, &chosen, err);
		if (rc < 0)
			return rc;
		free(reference);
		reference = xstrdup(chosen->digest);
	}
	return err_set(err, ERR_INVALID, "indexes inside indexes inside indexes: refused");
}

static int check_platform(struct pull *p, struct err *err)
{
	const struct image_config *c = &p->draft.parsed;
	char wanted[100];

	/* Old builders left these out; a tag without an index means what it says, if it says something. */
	if (str_empty(c->architecture) || str_empty(c->os) ||
	    platform_fit(&p->platform, c->os, c->architecture, c->variant))
		return 0;
	platform_print(&p->platform, wanted);
	return err_set(err, ERR_NOT_FOUND, "the image is for %.30s/%.30s, not for %s",
		       str_is_printable(c->os) ? c->os : "?",
		       str_is_printable(c->architecture) ? c->architecture : "?", wanted);
}

static int fetch_config(struct pull *p, struct http *h, struct err *err)
{
	const struct descriptor *d = &p->manifest.config;
	char digest[DIGEST_SIZE];
	int rc;

	store_pin(p->store, PIN_BLOB, d->digest);
	p->config_pinned = true;
	rc = blob_read(p->store->dirfd, d->digest, CONFIG_MAX, &p->draft.config, NULL);

	if (rc < 0) {
		rc = registry_session_blob(p->session, h, d->digest, 0, (uint64_t)d->size, keep_bytes, &p->draft.config, err);
		if (rc < 0)
			return rc;
	}
	rc = draft_parse(&p->draft, err);
	if (rc < 0)
		return rc;
	if (strcmp(p->draft.id, d->digest) != 0)
		return err_set(err, ERR_INVALID,
			       "the registry sent another configuration than %s: its digest is %s", d->digest,
			       p->draft.id);
	if (p->draft.parsed.rootfs.diff_ids.n != p->manifest.layers.n)
		return err_set(err, ERR_INVALID, "the configuration speaks of %zu layers, the manifest of %zu",
			       p->draft.parsed.rootfs.diff_ids.n, p->manifest.layers.n);
	rc = check_platform(p, err);
	if (rc < 0)
		return rc;
	return blob_put(p->store->dirfd, p->draft.config.data, p->draft.config.len, digest, err);
}

/* ---- all together ---- */

static void name_draft(struct pull *p)
{
	struct reference by_digest = p->ref;
	char text[REFERENCE_SIZE];

	if (p->ref.tag[0] && !p->ref.digest[0]) {
		reference_string(&p->ref, text);
		strv_add(&p->draft.names, text);
	}
	by_digest.tag[0] = '\0';
	memcpy(by_digest.digest, p->top_digest, DIGEST_SIZE);
	reference_string(&by_digest, text);
	strv_add(&p->draft.names, text);
}

/* What is wrong will not be asked for again; what was cut off will. */
static void drop_blobs(struct pull *p)
{
	AUTO(strv_clear) struct strv blobs = {0};

	if (p->config_pinned)
		strv_add(&blobs, p->manifest.config.digest);
	if (p->draft.manifest[0])
		strv_add(&blobs, p->draft.manifest);
	VEC_EACH(d, &p->manifest.layers)
		strv_add(&blobs, d->digest);
	store_collect(p->store, &(struct strv){0}, &blobs, NULL);
}

static int pull_image(struct pull *p, struct image **ret, struct err *err)
{
	AUTO(http_free) struct http *h = http_new(&p->registry.settings, p->asked->cancel);
	int rc = fetch_manifest(p, h, err);

	if (rc == 0)
		rc = fetch_config(p, h, err);
	if (rc == 0) {
		layer_jobs_init(&p->jobs, p->store, &p->draft);
		rc = fetch_layers(p, err);
	}
	if (rc == 0) {
		for (size_t i = 0; i < p->jobs.n; i++)
			layer_record_copy(VEC_ADD(&p->draft.layers), &p->jobs.v[i].record);
		name_draft(p);
		rc = store_commit(p->store, &p->draft, ret, err);
	}
	if (p->jobs.store)
		layer_jobs_clear(&p->jobs, rc < 0);
	if (p->config_pinned)
		store_unpin(p->store, PIN_BLOB, p->manifest.config.digest);
	if (p->draft.manifest[0])
		store_unpin(p->store, PIN_BLOB, p->draft.manifest);
	if (rc < 0 && !is_worth_keeping(rc, err))
		drop_blobs(p);
	return rc;
}

static int run(struct pull *p, struct image **ret, struct err *err)
{
	AUTO(image_put) struct image *before = NULL;
	AUTO(image_put) struct image *image = NULL;
	char familiar[REFERENCE_SIZE];
	int rc;

	reference_familiar(&p->ref, &p->store->defaults, familiar);
	tell(p, p->ref.digest[0] ? p->ref.digest : p->ref.tag, 0, 0, "Pulling from %s", p->ref.path);
	rc = registry_session_open(&p->registry.settings, p->ref.domain, p->ref.path, p->asked->auth, p->asked->cancel,
			  &p->session, err);
	if (rc < 0)
		return rc;
	(void)image_find(p->store, familiar, &before, NULL);	/* not there: it is a new one */
	rc = pull_image(p, &image, err);
	if (rc < 0)
		return rc;
	tell(p, NULL, 0, 0, "Digest: %s", p->top_digest);
	tell(p, NULL, 0, 0, "Status: %s for %s",
	     before && str_eq(before->id, image->id) ? "Image is up to date" : "Downloaded newer image", familiar);
	if (ret)
		*ret = take(image);
	return 0;
}

int image_pull(struct image_store *store, const struct image_pull *pull, struct image **ret, struct err *err)
{
	struct pull p = {.store = store, .asked = pull};
	int rc = reference_parse(pull->reference, &store->defaults, &p.ref, err);

	if (rc == 0)
		rc = platform_parse(pull->platform, &p.platform, err);
	if (rc < 0)
		return rc;
	reference_complete(&p.ref);
	pthread_mutex_init(&p.progress_lock, NULL);
	pthread_mutex_init(&p.lock, NULL);
	pthread_cond_init(&p.changed, NULL);
	pthread_mutex_lock(&store->lock);
	registry_copy_set(&p.registry, &store->registry.settings);
	pthread_mutex_unlock(&store->lock);
	rc = run(&p, ret, err);
	registry_session_close(p.session);
	registry_copy_clear(&p.registry);
	manifest_clear(&p.manifest);
	draft_clear(&p.draft);
	pthread_cond_destroy(&p.changed);
	pthread_mutex_destroy(&p.lock);
	pthread_mutex_destroy(&p.progress_lock);
	/* What was mended on the way is no longer of interest. */
	if (rc == 0 && err)
		err_clear(err);
	return err_wrap(err, rc, "pull '%s'", pull->reference);
}
