/*
 * load - from an archive into the store
 *
 * The archive may come through a pipe, and what its layers are for is often said at its end. So every member that may be
 * a layer is taken in as it comes: into a blob, and, where layers are independent, unpacked aside. Small JSON texts are
 * kept. At the end the images are put together from these, by docker's manifest.json or an OCI index.
 */
#include <errno.h>
#include <string.h>

#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/image/archive_in.h"
#include "runtime/image/inflate.h"
#include "runtime/image/layers.h"
#include "runtime/image/manifest.h"
#include "runtime/image/piece.h"

#define TEXTS_BYTES_MAX (256u << 20)
#define MEMBERS_MAX	100000
#define IMAGES_MAX	1000
#define LINK_HOPS_MAX	8
#define TOLD_EVERY_MS	100

struct text {
	char *path;
	struct buf data;
};

struct load {
	struct image_store *store;
	const struct image_load *asked;
	struct archive_in *archive;
	VEC(struct text) texts;
	VEC(struct piece) pieces;
	struct strmap links;
	size_t texts_bytes, members;
	int64_t told_ms;
	struct image_list loaded;
	struct strv results;	/* a line for each name that came, or for an image without one */
};

/* ---- docker's manifest.json ---- */

struct docker_image {
	char *config;
	struct strv repo_tags, layers;
};

static const struct json_field docker_fields[] = {
	JSON_FIELD(struct docker_image, config, "Config", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct docker_image, repo_tags, "RepoTags", JSON_STRV, 0),
	JSON_FIELD(struct docker_image, layers, "Layers", JSON_STRV, 0),
};
static const struct json_table docker_table = JSON_TABLE("manifest.json", struct docker_image, docker_fields);

/* ---- members ---- */

static void tell(struct load *l, const char *id, const char *status, int64_t current, int64_t total)
{
	const struct image_progress p = {.id = id, .status = status, .current = current, .total = total};

	if (l->asked->progress)
		l->asked->progress(l->asked->arg, &p);
}

static void tell_bytes(struct load *l, const struct member *m, int64_t current)
{
	int64_t now = time_mono_ms();
	const char *name = str_skip(m->path, "blobs/sha256/") ? m->path + 13 : m->path;
	char id[13];

	if (now - l->told_ms < TOLD_EVERY_MS)
		return;
	l->told_ms = now;
	(void)snprintf(id, sizeof(id), "%.12s", name);	/* a cut is what is wanted */
	tell(l, str_is_printable(id) ? id : "layer", "Loading layer", current, m->size);
}

static bool is_tar(const char *data, size_t len)
{
	static const char zeros[512];

	return (len >= 262 && memcmp(data + 257, "ustar", 5) == 0) ||
	       (len >= 512 && memcmp(data, zeros, 512) == 0);
}

static bool may_be_layer(const char *data, size_t len, const char *path)
{
	return packing_of(data, len) != PACKING_NONE || is_tar(data, len) ||
	       (str_ends(path, ".tar") && len >= 512 && data[0] != '{' && data[0] != '[');
}

static bool may_be_json(const char *data, size_t len)
{
	while (len && strchr(" \t\r\n", *data)) {
		data++;
		len--;
	}
	return len && (*data == '{' || *data == '[');
}

static int keep_text(struct load *l, const struct member *m, const void *data, size_t len, struct err *err)
{
	struct text *t;
	int rc = 1;

	if (m->size > CONFIG_MAX || l->texts_bytes + (uint64_t)m->size > TEXTS_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "'%.200s' in the archive is too large", m->path);
	t = VEC_ADD(&l->texts);
	t->path = xstrdup(m->path);
	while (rc > 0) {
		buf_add(&t->data, data, len);
		rc = archive_in_read(l->archive, &data, &len, err);
	}
	l->texts_bytes += t->data.len;
	return rc;
}

static int take_piece(struct load *l, const struct member *m, const void *data, size_t len, struct err *err)
{
	struct piece *p = VEC_ADD(&l->pieces);
	struct piece_writer *w = NULL;
	int rc;

	p->path = xstrdup(m->path);
	rc = piece_begin(l->store, p, data, len, &w, err);
	for (int more = 1; rc == 0 && more > 0;) {
		rc = piece_write(w, data, len, err);
		if (rc < 0)
			break;
		tell_bytes(l, m, (int64_t)piece_size(w));
		more = archive_in_read(l->archive, &data, &len, err);
		rc = more < 0 ? more : 0;
	}
	if (w)
		rc = piece_end(w, rc, err);
	return err_wrap(err, rc, "layer '%.200s'", m->path);
}

static int take_member(struct load *l, const struct member *m, struct err *err)
{
	const void *data;
	size_t len;
	int rc;

	if (++l->members > MEMBERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the archive has over %d members", MEMBERS_MAX);
	if (m->kind == MEMBER_LINK && m->target)
		strmap_set(&l->links, m->path, m->target);
	if (m->kind != MEMBER_FILE || !m->size)
		return 0;
	rc = archive_in_read(l->archive, &data, &len, err);
	if (rc <= 0)
		return rc;
	if (may_be_layer(data, len, m->path))
		return take_piece(l, m, data, len, err);
	if (may_be_json(data, len))
		return keep_text(l, m, data, len, err);
	return 0;
}

static int read_members(struct load *l, struct err *err)
{
	const struct member *m;
	int rc;

	while ((rc = archive_in_next(l->archive, &m, err)) > 0) {
		rc = take_member(l, m, err);
		if (rc < 0)
			return rc;
	}
	return rc;
}

/* ---- finding what was kept ---- */

static const char *follow(const struct load *l, const char *path)
{
	for (int i = 0; i < LINK_HOPS_MAX; i++) {
		const char *target = strmap_get(&l->links, path);

		if (!target)
			break;
		path = target;
	}
	return path;
}

static const struct buf *find_text(const struct load *l, const char *path)
{
	path = follow(l, path);
	VEC_EACH(t, &l->texts) {
		if (strcmp(t->path, path) == 0)
			return &t->data;
	}
	return NULL;
}

static struct piece *find_piece(struct load *l, const char *path)
{
	path = follow(l, path);
	VEC_EACH(p, &l->pieces) {
		if (strcmp(p->path, path) == 0)
			return p;
	}
	return NULL;
}

static char *blob_path(const char *digest)
{
	return xfmt("blobs/sha256/%s", digest_hex(digest));
}

/* ---- putting an image together ---- */

/* Take what was unpacked already; another image's layer may have taken it before. */
static int fill_job(struct load *l, struct layer_job *j, struct piece *p, struct err *err)
{
	if (p->record.diff_id && strcmp(p->record.diff_id, j->record.diff_id) != 0)
		return err_set(err, ERR_INVALID, "layer '%.200s' is %s, the image configuration says %s", p->path,
			       p->record.diff_id, j->record.diff_id);
	str_set(&j->record.digest, p->record.digest);
	store_pin(l->store, PIN_BLOB, j->record.digest);
	j->record.size = p->record.size;
	j->record.unpacked = p->record.unpacked;
	j->record.tar_bytes = p->record.tar_bytes;
	if (p->unpacked) {
		j->dir = p->dir;
		j->unpacked = true;
		p->unpacked = false;
	}
	return 0;
}

static int commit_jobs(struct load *l, struct layer_jobs *jobs, const struct strv *paths, struct err *err)
{
	for (size_t i = 0; i < jobs->n; i++) {
		struct layer_job *j = &jobs->v[i];
		struct piece *p = find_piece(l, paths->v[i]);
		int rc;

		if (j->reused)
			continue;
		if (!p)
			return err_set(err, ERR_INVALID, "layer '%.200s' is not in the archive", paths->v[i]);
		rc = fill_job(l, j, p, err);
		if (rc == 0)
			rc = layer_job_commit(jobs, i, l->asked->cancel, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The names of the archive, which need not be all that the image has here. */
static void add_results(struct load *l, const struct image_draft *d, const struct image *image)
{
	STRV_EACH(name, &d->names) {
		struct reference ref;
		char familiar[REFERENCE_SIZE];

		if (reference_parse(*name, NULL, &ref, NULL) < 0)
			continue;
		reference_familiar(&ref, &l->store->defaults, familiar);
		strv_addf(&l->results, "Loaded image: %s", familiar);
	}
	if (!d->names.n)
		strv_addf(&l->results, "Loaded image ID: %s", image->id);
}

/* d->config is filled. @paths: of the layers, bottom first. */
static int put_together(struct load *l, struct image_draft *d, const struct strv *paths, struct err *err)
{
	struct layer_jobs jobs = {0};
	struct image *image = NULL;
	char digest[DIGEST_SIZE];
	int rc = draft_parse(d, err);

	if (rc < 0)
		return rc;
	if (d->parsed.rootfs.diff_ids.n != paths->n)
		return err_set(err, ERR_INVALID, "the configuration speaks of %zu layers, the archive of %zu",
			       d->parsed.rootfs.diff_ids.n, paths->n);
	layer_jobs_init(&jobs, l->store, d);
	rc = commit_jobs(l, &jobs, paths, err);
	if (rc == 0) {
		for (size_t i = 0; i < jobs.n; i++)
			layer_record_copy(VEC_ADD(&d->layers), &jobs.v[i].record);
		rc = blob_put(l->store->dirfd, buf_cstr(&d->config), d->config.len, digest, err);
	}
	if (rc == 0)
		rc = store_commit(l->store, d, &image, err);
	layer_jobs_clear(&jobs, rc < 0);
	if (rc == 0) {
		VEC_PUSH(&l->loaded, image);
		add_results(l, d, image);
	}
	return rc;
}

static int add_name(struct load *l, struct image_draft *d, const char *text, struct err *err)
{
	char name[REFERENCE_SIZE];
	struct reference ref;
	int rc = reference_parse(text, &l->store->defaults, &ref, err);

	if (rc < 0)
		return rc;
	reference_complete(&ref);
	if (ref.digest[0])
		return 0;	/* comes with the manifest, or not at all */
	reference_string(&ref, name);
	strv_add(&d->names, name);
	return 0;
}

static int docker_one(struct load *l, const struct docker_image *image, bool alone, struct err *err)
{
	AUTO(draft_clear) struct image_draft d = {0};
	const struct buf *config = find_text(l, image->config);
	int rc = 0;

	if (!config)
		return err_set(err, ERR_INVALID, "configuration '%.200s' is not in the archive", image->config);
	buf_add(&d.config, config->data, config->len);
	STRV_EACH(tag, &image->repo_tags) {
		if (rc == 0)
			rc = add_name(l, &d, *tag, err);
	}
	if (rc == 0 && !d.names.n && alone && l->asked->name)
		rc = add_name(l, &d, l->asked->name, err);
	return rc < 0 ? rc : put_together(l, &d, &image->layers, err);
}

static int load_docker(struct load *l, const struct buf *text, struct err *err)
{
	VEC(struct docker_image) images = {0};
	int rc = json_parse_vec(&docker_table, buf_cstr(text), text->len, 0, "manifest.json", &images, err);

	if (rc == 0 && images.n > IMAGES_MAX)
		rc = err_set(err, ERR_TOO_LARGE, "the archive has over %d images", IMAGES_MAX);
	for (size_t i = 0; rc == 0 && i < images.n; i++)
		rc = docker_one(l, &images.v[i], images.n == 1, err);
	json_clear_vec(&docker_table, &images);
	return rc;
}

/* ---- OCI layout ---- */

static int get_manifest(struct load *l, const char *digest, const char *type, struct manifest *ret,
			const struct buf **ret_text, struct err *err)
{
	auto_free char *path = blob_path(digest);
	const struct buf *text = find_text(l, path);
	char got[DIGEST_SIZE];

	if (!text)
		return err_set(err, ERR_INVALID, "manifest %s is not in the archive", digest);
	digest_of(buf_cstr(text), text->len, got);
	if (strcmp(got, digest) != 0)
		return err_set(err, ERR_INVALID, "manifest %s is damaged: its digest is %s", digest, got);
	*ret_text = text;
	return manifest_parse(buf_cstr(text), text->len, type, ret, err);
}

/* Names that a member of an index carries. */
static int oci_names(struct load *l, const struct descriptor *d, bool alone, struct image_draft *draft,
		     struct err *err)
{
	const char *full = strmap_get(&d->annotations, "io.containerd.image.name");
	const char *ref = strmap_get(&d->annotations, "org.opencontainers.image.ref.name");
	auto_free char *both = NULL;

	if (full)
		return add_name(l, draft, full, err);
	if (ref && strpbrk(ref, ":/"))
		return add_name(l, draft, ref, err);
	if (!l->asked->name || !alone)
		return 0;
	both = ref && !strchr(l->asked->name, ':') ? xfmt("%s:%s", l->asked->name, ref) : xstrdup(l->asked->name);
	return add_name(l, draft, both, err);
}

/* The image itself: an index is resolved for this host, at most to two levels. */
static int oci_resolve(struct load *l, const struct descriptor *named, struct manifest *ret,
		       const struct buf **ret_text, struct err *err)
{
	AUTO(manifest_clear) struct manifest m = {0};
	auto_free char *digest = xstrdup(named->digest);
	auto_free char *type = xstrdup(named->media_type);
	struct platform host;
	int rc = platform_parse(NULL, &host, err);

	for (int level = 0; rc == 0; level++) {
		const struct descriptor *chosen;

		rc = get_manifest(l, digest, type, &m, ret_text, err);
		if (rc == 0 && !m.is_index) {
			*ret = m;
			m = (struct manifest){0};
			return 0;
		}
		if (rc < 0)
			break;
		if (level == 2)
			return err_set(err, ERR_INVALID, "indexes inside indexes inside indexes: refused");
		rc = manifest_pick(&m, &host, &chosen, err);
		if (rc == 0) {
			str_set(&digest, chosen->digest);
			str_set(&type, chosen->media_type);
			manifest_clear(&m);
		}
	}
	return rc;
}

static int oci_one(struct load *l, const struct descriptor *named, bool alone, struct err *err)
{
	AUTO(manifest_clear) struct manifest m = {0};
	AUTO(draft_clear) struct image_draft d = {0};
	AUTO(strv_clear) struct strv paths = {0};
	auto_free char *config_path = NULL;
	const struct buf *text = NULL, *config;
	int rc = oci_resolve(l, named, &m, &text, err);

	if (rc < 0)
		return rc;
	config_path = blob_path(m.config.digest);
	config = find_text(l, config_path);
	if (!config)
		return err_set(err, ERR_INVALID, "configuration %s is not in the archive", m.config.digest);
	buf_add(&d.config, config->data, config->len);
	VEC_EACH(layer, &m.layers) {
		struct piece *p;

		strv_take(&paths, blob_path(layer->digest));
		p = find_piece(l, paths.v[paths.n - 1]);
		if (p && strcmp(p->record.digest, layer->digest) != 0)
			return err_set(err, ERR_INVALID, "layer %s is damaged: its digest is %s", layer->digest,
				       p->record.digest);
	}
	rc = oci_names(l, named, alone, &d, err);
	if (rc == 0)
		rc = blob_put(l->store->dirfd, text->data, text->len, d.manifest, err);
	if (rc == 0)
		rc = put_together(l, &d, &paths, err);
	return rc;
}

static int load_oci(struct load *l, const struct buf *text, struct err *err)
{
	AUTO(manifest_clear) struct manifest index = {0};
	int rc = manifest_parse(buf_cstr(text), text->len, MEDIA_OCI_INDEX, &index, err);

	if (rc == 0 && index.manifests.n > IMAGES_MAX)
		rc = err_set(err, ERR_TOO_LARGE, "the archive has over %d images", IMAGES_MAX);
	for (size_t i = 0; rc == 0 && i < index.manifests.n; i++)
		rc = oci_one(l, &index.manifests.v[i], index.manifests.n == 1, err);
	return rc;
}

/* ---- all together ---- */

static int load_images(struct load *l, struct err *err)
{
	const struct buf *docker = find_text(l, "manifest.json");
	const struct buf *oci = find_text(l, "index.json");
	int rc;

	if (docker)
		rc = load_docker(l, docker, err);
	else if (oci)
		rc = load_oci(l, oci, err);
	else
		return err_set(err, ERR_INVALID, find_text(l, "repositories") ?
			       "the archive was made by docker before 1.10: its format is not supported" :
			       "the archive has neither manifest.json nor index.json: it holds no image");
	if (rc == 0 && !l->loaded.n)
		return err_set(err, ERR_INVALID, "the archive holds no image");
	return rc;
}

static void tell_loaded(struct load *l)
{
	STRV_EACH(line, &l->results)
		tell(l, NULL, *line, 0, 0);
}

/* What no image took goes. */
static void load_clear(struct load *l)
{
	AUTO(strv_clear) struct strv blobs = {0};

	VEC_EACH(t, &l->texts) {
		free(t->path);
		buf_clear(&t->data);
	}
	VEC_FREE(&l->texts);
	VEC_EACH(p, &l->pieces) {
		if (p->record.digest)
			strv_add(&blobs, p->record.digest);
		piece_clear(l->store, p);
	}
	VEC_FREE(&l->pieces);
	store_collect(l->store, &(struct strv){0}, &blobs, NULL);
	strmap_clear(&l->links);
	archive_in_close(l->archive);
	image_list_clear(&l->loaded);
	strv_clear(&l->results);
}

int image_load(struct image_store *store, const struct image_load *load, struct image_list *ret,
	       struct err *err)
{
	struct load l = {.store = store, .asked = load};
	int rc = archive_in_open(load->fd, load->cancel, &l.archive, err);

	if (rc == 0)
		rc = read_members(&l, err);
	if (rc == 0)
		rc = load_images(&l, err);
	if (rc == 0) {
		tell_loaded(&l);
		if (ret) {
			*ret = l.loaded;
			l.loaded = (struct image_list){0};
		}
	}
	load_clear(&l);
	return rc < 0 ? err_wrap(err, rc, "load") : 0;
}
