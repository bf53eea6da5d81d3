/*
 * save - from the store into an archive that is an OCI layout and docker's own format at once
 *
 * Layers are written plain, so that their digests are the diff IDs: every reader takes these, and the archive packs
 * better as a whole.
 *
 * Spec: OCI image-spec 1.1, image-layout.md; docker's image spec 1.2, combined image JSON + file system changesets
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/archive.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/image/inflate.h"
#include "runtime/image/internal.h"
#include "runtime/image/manifest.h"

#define BLOCK  (256 * 1024)
#define BLOCKS 8

/* One image of the archive. */
struct saved {
	char id[DIGEST_SIZE];
	struct strv names;	/* canonical */
	struct buf config, manifest;
	char manifest_digest[DIGEST_SIZE];
	VEC(struct layer_record) layers;
};

struct save {
	struct image_store *store;
	int fd;
	const volatile bool *cancel;
	struct archive *archive;
	VEC(struct saved) images;
	struct strv written;	/* blobs */
	struct strv pins;
	bool is_over;		/* nothing more is to be written */
	struct err write_err;
};

/* ---- gathering, before the first byte ---- */

static void pin(struct save *s, const char *what)
{
	strv_add(&s->pins, what);
	store_pin(s->store, PIN_BLOB, what);
}

static struct saved *saved_of(struct save *s, const char *id)
{
	struct saved *fresh;

	VEC_EACH(i, &s->images) {
		if (strcmp(i->id, id) == 0)
			return i;
	}
	fresh = VEC_ADD(&s->images);
	strcpy(fresh->id, id);
	return fresh;
}

static void print_descriptor(struct buf *out, const char *type, const char *digest, uint64_t size)
{
	buf_fmt(out, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%llu", type, digest,
		(unsigned long long)size);
}

static void make_manifest(struct saved *i)
{
	buf_str(&i->manifest, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"config\":");
	print_descriptor(&i->manifest, MEDIA_OCI_CONFIG, i->id, i->config.len);
	buf_str(&i->manifest, "},\"layers\":[");
	VEC_EACH(l, &i->layers) {
		if (l != i->layers.v)
			buf_char(&i->manifest, ',');
		print_descriptor(&i->manifest, MEDIA_OCI_LAYER, l->diff_id, (uint64_t)l->tar_bytes);
		buf_char(&i->manifest, '}');
	}
	buf_str(&i->manifest, "]}");
	digest_of(i->manifest.data, i->manifest.len, i->manifest_digest);
}

/* Copies what is needed, and pins the blobs: the image may be removed meanwhile. */
static int gather_record(struct save *s, struct saved *i, struct err *err)
{
	const struct image_entry *e;
	int rc = 0;

	pthread_mutex_lock(&s->store->lock);
	e = entry_find(s->store, i->id);
	if (!e)
		rc = err_set(err, ERR_NOT_FOUND, "no such image: %s", i->id);
	for (size_t n = 0; rc == 0 && n < e->record.layers.n; n++)
		layer_record_copy(VEC_ADD(&i->layers), &e->record.layers.v[n]);
	pthread_mutex_unlock(&s->store->lock);
	VEC_EACH(l, &i->layers)
		pin(s, l->digest);
	VEC_EACH(l, &i->layers) {
		auto_fd int fd = -1;

		if (rc == 0)
			rc = blob_open(s->store->dirfd, l->digest, &fd, NULL, err);
	}
	return rc;
}

static int gather_one(struct save *s, const char *name, struct err *err)
{
	AUTO(image_put) struct image *image = NULL;
	char text[REFERENCE_SIZE];
	struct reference ref;
	struct saved *i;
	int rc = image_find(s->store, name, &image, err);

	if (rc < 0)
		return rc;
	i = saved_of(s, image->id);
	if (!digest_is_valid(name) && reference_parse(name, &s->store->defaults, &ref, NULL) == 0 && !ref.digest[0]) {
		reference_complete(&ref);
		reference_familiar(&ref, &s->store->defaults, text);
		if (strv_has(&image->repo_tags, text)) {
			reference_string(&ref, text);
			if (!strv_has(&i->names, text))
				strv_add(&i->names, text);
		}
	}
	if (i->config.len)
		return 0;
	buf_str(&i->config, image->config_json);
	rc = gather_record(s, i, err);
	if (rc == 0)
		make_manifest(i);
	return rc;
}

/* ---- writing ---- */

static la_ssize_t put_bytes(struct archive *a, void *arg, const void *data, size_t len)
{
	struct save *s = arg;
	int rc;

	if (s->is_over)
		return -1;
	if (s->cancel && *s->cancel)
		rc = err_set(&s->write_err, ERR_CANCELED, "canceled");
	else
		rc = fd_write_all(s->fd, data, len);
	if (rc == 0)
		return (la_ssize_t)len;
	if (!s->write_err.code)
		err_sys(&s->write_err, -rc, "write the archive");
	archive_set_error(a, -rc, "the stream broke");
	return -1;
}

static int write_failed(struct save *s, struct err *err)
{
	if (!s->write_err.code)
		return err_set(err, ERR_INTERNAL, "write the archive: %s", archive_error_string(s->archive));
	if (err)
		*err = s->write_err;
	return -s->write_err.code;
}

static int begin_member(struct save *s, const char *path, uint64_t size, struct err *err)
{
	struct archive_entry *entry = archive_entry_new();
	int rc;

	if (!entry)
		abort();
	archive_entry_set_pathname(entry, path);
	archive_entry_set_size(entry, (la_int64_t)size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_mtime(entry, 0, 0);
	rc = archive_write_header(s->archive, entry);
	archive_entry_free(entry);
	return rc == ARCHIVE_OK ? 0 : write_failed(s, err);
}

static int write_data(struct save *s, const void *data, size_t len, struct err *err)
{
	return archive_write_data(s->archive, data, len) == (la_ssize_t)len ? 0 : write_failed(s, err);
}

static int write_text(struct save *s, const char *path, const struct buf *text, struct err *err)
{
	int rc = begin_member(s, path, text->len, err);

	return rc < 0 ? rc : write_data(s, buf_cstr(text), text->len, err);
}

static int write_text_blob(struct save *s, const char *digest, const struct buf *text, struct err *err)
{
	auto_free char *path = xfmt("blobs/sha256/%s", digest_hex(digest));

	if (strv_has(&s->written, digest))
		return 0;
	strv_add(&s->written, digest);
	return write_text(s, path, text, err);
}

/* A blob from the disk, made plain by two threads. */
struct plain {
	int fd;
	struct ring *packed, *out;
	struct inflate inflate;
	struct err err;
	pthread_t reader, inflater;
};

static void *read_blob(void *arg)
{
	struct plain *p = arg;
	ssize_t n = 0;
	void *block;

	while (ring_claim(p->packed, &block) == 0 && (n = fd_read_all(p->fd, block, BLOCK)) > 0)
		ring_commit(p->packed, (size_t)n);
	ring_end(p->packed, n < 0 ? (int)n : 0);
	return NULL;
}

static void *inflate_blob(void *arg)
{
	struct plain *p = arg;

	ring_end(p->out, inflate_run(&p->inflate, &p->err));
	ring_stop(p->packed);
	return NULL;
}

static int copy_plain(struct save *s, struct plain *p, const struct layer_record *l, struct err *err)
{
	uint64_t left = (uint64_t)l->tar_bytes;
	const void *data;
	ssize_t n;

	while ((n = ring_next(p->out, &data)) > 0) {
		int rc;

		if ((uint64_t)n > left)
			return err_set(err, ERR_INTERNAL, "blob %s is damaged", l->digest);
		left -= (uint64_t)n;
		rc = write_data(s, data, (size_t)n, err);
		if (rc < 0)
			return rc;
	}
	if (n < 0 || left)
		return err_set(err, ERR_INTERNAL, "blob %s is damaged", l->digest);
	return 0;
}

static int run_plain(struct save *s, struct plain *p, const struct layer_record *l, struct err *err)
{
	char digest[DIGEST_SIZE];
	int rc = pthread_create(&p->reader, NULL, read_blob, p);

	if (rc)
		return err_sys(err, rc, "start a thread");
	rc = pthread_create(&p->inflater, NULL, inflate_blob, p);
	if (rc) {
		ring_stop(p->packed);
		pthread_join(p->reader, NULL);
		return err_sys(err, rc, "start a thread");
	}
	rc = copy_plain(s, p, l, err);
	ring_stop(p->out);
	pthread_join(p->inflater, NULL);
	pthread_join(p->reader, NULL);
	if (rc < 0)
		return rc;
	digester_get(p->inflate.digest, digest);
	if (strcmp(digest, l->diff_id) != 0)
		return err_set(err, ERR_INTERNAL, "blob %s is damaged", l->digest);
	return 0;
}

static int write_layer(struct save *s, const struct layer_record *l, struct err *err)
{
	auto_free char *path = xfmt("blobs/sha256/%s", digest_hex(l->diff_id));
	struct plain p = {.fd = -1};
	int rc;

	if (strv_has(&s->written, l->diff_id))
		return 0;
	strv_add(&s->written, l->diff_id);
	rc = begin_member(s, path, (uint64_t)l->tar_bytes, err);
	if (rc == 0)
		rc = blob_open(s->store->dirfd, l->digest, &p.fd, NULL, err);
	if (rc < 0)
		return rc;
	p.packed = ring_new(BLOCKS, BLOCK);
	p.out = ring_new(BLOCKS, BLOCK);
	p.inflate = (struct inflate){.in = p.packed, .out = p.out, .digest = digester_new(),
				     .bytes_max = (uint64_t)l->tar_bytes, .ratio_max = UINT32_MAX};
	rc = run_plain(s, &p, l, err);
	digester_free(p.inflate.digest);
	ring_free(p.packed);
	ring_free(p.out);
	close(p.fd);
	return rc;
}

/* ---- the archive's own texts ---- */

static void print_index(struct save *s, struct buf *out)
{
	bool first = true;

	buf_str(out, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":[");
	VEC_EACH(i, &s->images) {
		/* One line for each name; an image without one has a line too. */
		for (size_t n = 0; n < i->names.n || n == 0; n++) {
			const char *name = i->names.n ? i->names.v[n] : NULL;

			if (!first)
				buf_char(out, ',');
			first = false;
			print_descriptor(out, MEDIA_OCI_MANIFEST, i->manifest_digest, i->manifest.len);
			if (name) {
				buf_str(out, ",\"annotations\":{\"io.containerd.image.name\":");
				json_print_str(out, name, strlen(name));
				buf_str(out, ",\"org.opencontainers.image.ref.name\":");
				json_print_str(out, strrchr(name, ':') + 1, strlen(strrchr(name, ':') + 1));
				buf_char(out, '}');
			}
			buf_char(out, '}');
		}
	}
	buf_str(out, "]}");
}

static void print_docker(struct save *s, struct buf *out)
{
	buf_char(out, '[');
	VEC_EACH(i, &s->images) {
		buf_fmt(out, "%s{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[", i == s->images.v ? "" : ",",
			digest_hex(i->id));
		STRV_EACH(name, &i->names) {
			char familiar[REFERENCE_SIZE];
			struct reference ref;

			/* Other programs complete names by Docker Hub, whatever our defaults are. */
			if (reference_parse(*name, NULL, &ref, NULL) < 0)
				continue;
			reference_familiar(&ref, NULL, familiar);
			if (name != i->names.v)
				buf_char(out, ',');
			json_print_str(out, familiar, strlen(familiar));
		}
		buf_str(out, "],\"Layers\":[");
		VEC_EACH(l, &i->layers)
			buf_fmt(out, "%s\"blobs/sha256/%s\"", l == i->layers.v ? "" : ",", digest_hex(l->diff_id));
		buf_str(out, "]}");
	}
	buf_str(out, "]\n");
}

static int write_all(struct save *s, struct err *err)
{
	AUTO(buf_clear) struct buf layout = BUF_INIT, index = BUF_INIT, docker = BUF_INIT;
	int rc;

	buf_str(&layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
	print_index(s, &index);
	print_docker(s, &docker);
	rc = write_text(s, "oci-layout", &layout, err);
	if (rc == 0)
		rc = write_text(s, "index.json", &index, err);
	if (rc == 0)
		rc = write_text(s, "manifest.json", &docker, err);
	VEC_EACH(i, &s->images) {
		if (rc == 0)
			rc = write_text_blob(s, i->manifest_digest, &i->manifest, err);
		if (rc == 0)
			rc = write_text_blob(s, i->id, &i->config, err);
		VEC_EACH(l, &i->layers) {
			if (rc == 0)
				rc = write_layer(s, l, err);
		}
	}
	if (rc == 0 && archive_write_close(s->archive) != ARCHIVE_OK)
		rc = write_failed(s, err);
	return rc;
}

static void save_clear(struct save *s)
{
	VEC_EACH(i, &s->images) {
		strv_clear(&i->names);
		buf_clear(&i->config);
		buf_clear(&i->manifest);
		VEC_EACH(l, &i->layers)
			layer_record_clear(l);
		VEC_FREE(&i->layers);
	}
	VEC_FREE(&s->images);
	STRV_EACH(what, &s->pins)
		store_unpin(s->store, PIN_BLOB, *what);
	strv_clear(&s->pins);
	strv_clear(&s->written);
	if (s->archive)
		archive_write_free(s->archive);
}

int image_save(struct image_store *store, const struct strv *names, int fd, const volatile bool *cancel,
	       struct err *err)
{
	struct save s = {.store = store, .fd = fd, .cancel = cancel};
	int rc = names->n ? 0 : err_set(err, ERR_INVALID, "no image is named");

	STRV_EACH(name, names) {
		if (rc == 0)
			rc = gather_one(&s, *name, err);
	}
	if (rc == 0) {
		s.archive = archive_write_new();
		if (!s.archive)
			abort();
		archive_write_set_format_pax_restricted(s.archive);
		archive_write_set_bytes_per_block(s.archive, BLOCK);
		archive_write_set_bytes_in_last_block(s.archive, 512);
		if (archive_write_open(s.archive, &s, NULL, put_bytes, NULL) != ARCHIVE_OK)
			rc = write_failed(&s, err);
		else
			rc = write_all(&s, err);
		if (rc < 0) {
			s.is_over = true;
			archive_write_abandon(s.archive);
		}
	}
	save_clear(&s);
	return rc < 0 ? err_wrap(err, rc, "save") : 0;
}
