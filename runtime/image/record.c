/*
 * record - what the store knows of each image, in memory and on disk
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/image/internal.h"

#define NAMES	  "repositories.json"
#define NAMES_MAX (64 << 20)

#define L struct layer_record

static const struct json_field layer_fields[] = {
	JSON_FIELD(L, digest, "digest", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(L, diff_id, "diff_id", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(L, media_type, "media_type", JSON_STR, 0),
	JSON_FIELD(L, size, "size", JSON_I64, JSON_REQUIRED),
	JSON_FIELD(L, unpacked, "unpacked", JSON_I64, 0),
	JSON_FIELD(L, tar_bytes, "tar_bytes", JSON_I64, 0),
};
static const struct json_table layer_table = JSON_TABLE("layer", L, layer_fields);

#define R struct image_record

static const struct json_field record_fields[] = {
	JSON_FIELD(R, id, "id", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(R, manifest, "manifest", JSON_STR, 0),
	JSON_FIELD(R, boot, "boot", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(R, synced, "synced", JSON_BOOL, 0),
	JSON_FIELD(R, pulled, "pulled", JSON_I64, 0),
	JSON_SUB(R, layers, "layers", JSON_VEC, 0, &layer_table),
};
const struct json_table image_record_table = JSON_TABLE("image", R, record_fields);

struct names_record {
	struct strmap names;
};

static const struct json_field names_fields[] = {
	JSON_FIELD(struct names_record, names, "names", JSON_STRMAP, JSON_REQUIRED),
};
static const struct json_table names_table = JSON_TABLE("repositories", struct names_record, names_fields);

void layer_record_clear(struct layer_record *r)
{
	json_clear(&layer_table, r);
}

void layer_record_copy(struct layer_record *dst, const struct layer_record *src)
{
	json_copy(&layer_table, dst, src);
}

/* ---- images ---- */

struct image *image_get(struct image *image)
{
	__atomic_add_fetch(&image->refs, 1, __ATOMIC_RELAXED);
	return image;
}

void image_put(struct image *image)
{
	if (!image || __atomic_sub_fetch(&image->refs, 1, __ATOMIC_ACQ_REL))
		return;
	json_clear(&image_config_table, &image->config);
	free(image->config_json);
	strv_clear(&image->repo_tags);
	strv_clear(&image->repo_digests);
	strv_clear(&image->chain_ids);
	VEC_FREE(&image->layer_sizes);
	free(image);
}

const char *image_top(const struct image *image)
{
	return image->chain_ids.n ? image->chain_ids.v[image->chain_ids.n - 1] : NULL;
}

struct image_entry *entry_find(struct image_store *store, const char *id)
{
	VEC_EACH(e, &store->entries) {
		if (strcmp((*e)->record.id, id) == 0)
			return *e;
	}
	return NULL;
}

void entry_free(struct image_entry *e)
{
	if (!e)
		return;
	image_put(e->image);
	json_clear(&image_record_table, &e->record);
	free(e);
}

static void collect_names(struct image_store *store, struct image *image)
{
	for (size_t i = 0; i < store->names.n; i++) {
		char familiar[REFERENCE_SIZE];
		struct reference ref;

		if (strcmp(store->names.v[i].val, image->id) != 0 ||
		    reference_parse(store->names.v[i].key, NULL, &ref, NULL) < 0)
			continue;
		reference_familiar(&ref, &store->defaults, familiar);
		strv_add(ref.digest[0] ? &image->repo_digests : &image->repo_tags, familiar);
	}
}

int entry_build(struct image_store *store, struct image_entry *e, const char *config_json, struct err *err)
{
	AUTO(image_put) struct image *image = xcalloc(1, sizeof(*image));
	char chain[DIGEST_SIZE];
	int rc;

	image->refs = 1;
	rc = json_parse(&image_config_table, config_json, strlen(config_json), 0, "image configuration",
			&image->config, err);
	if (rc < 0)
		return rc;
	image->config_json = xstrdup(config_json);
	strcpy(image->id, e->record.id);
	(void)str_fmt(image->manifest_digest, DIGEST_SIZE, "%s", e->record.manifest ? e->record.manifest : "");
	image->pulled = e->record.pulled;
	for (size_t i = 0; i < e->record.layers.n; i++) {
		const struct layer_record *l = &e->record.layers.v[i];

		digest_chain(i ? chain : NULL, l->diff_id, chain);
		strv_add(&image->chain_ids, chain);
		VEC_PUSH(&image->layer_sizes, l->unpacked);
		image->size += l->unpacked;
	}
	collect_names(store, image);
	image_put(e->image);
	e->image = take(image);
	return 0;
}

void entry_rename(struct image_store *store, const char *id)
{
	struct image_entry *e = entry_find(store, id);
	auto_free char *json = e ? xstrdup(e->image->config_json) : NULL;

	if (json)
		(void)entry_build(store, e, json, NULL);	/* it was parsed before */
}

/* ---- on disk ---- */

int record_write(struct image_store *store, const struct image_record *record, struct err *err)
{
	auto_free char *path = xfmt(IMAGES_DIR "/%s.json", digest_hex(record->id));
	AUTO(buf_clear) struct buf text = BUF_INIT;

	json_print(&image_record_table, record, 0, &text);
	return file_replace(store->dirfd, path, text.data, text.len, 0600, FILE_NO_SYNC, err);
}

/* All names are in this one file: it must not be lost with the host's power, whatever else is. */
int names_write(struct image_store *store, struct err *err)
{
	struct names_record record = {store->names};
	AUTO(buf_clear) struct buf text = BUF_INIT;

	json_print(&names_table, &record, JSON_PRINT_PRETTY, &text);
	return file_replace(store->dirfd, NAMES, text.data, text.len, 0600, FILE_SYNC, err);
}

static int names_load(struct image_store *store, struct err *err)
{
	struct names_record record = {0};
	int rc = faccessat(store->dirfd, NAMES, F_OK, 0) < 0 && errno == ENOENT ?
			 0 : json_parse_file(&names_table, store->dirfd, NAMES, NAMES_MAX, JSON_LARGE, &record, err);

	if (rc == 0)
		store->names = record.names;
	return rc;
}

/* Names of images that are not there, or that are no names. */
static void drop_bad_names(struct image_store *store)
{
	for (size_t i = 0; i < store->names.n; i++) {
		struct reference ref;

		if (entry_find(store, store->names.v[i].val) &&
		    reference_parse(store->names.v[i].key, NULL, &ref, NULL) == 0)
			continue;
		free(store->names.v[i].key);
		free(store->names.v[i].val);
		vec_del(&store->names, i--, sizeof(struct strpair));
	}
}

static bool layers_are_sound(const struct image_record *record)
{
	if (record->layers.n > IMAGE_LAYERS_MAX)
		return false;
	for (size_t i = 0; i < record->layers.n; i++) {
		if (!digest_is_valid(record->layers.v[i].digest) ||
		    !digest_is_valid(record->layers.v[i].diff_id))
			return false;
	}
	return str_empty(record->manifest) || digest_is_valid(record->manifest);
}

/* Is everything there that the record names? After a crash of the host also whether it is what it should be. */
static bool blobs_are_sound(struct image_store *store, const struct image_record *record)
{
	bool check = !record->synced && !str_eq(record->boot, store->boot_id);

	for (size_t i = 0; i < record->layers.n; i++) {
		const struct layer_record *l = &record->layers.v[i];

		if (!blob_is_sound(store->dirfd, l->digest, (uint64_t)l->size) ||
		    (check && blob_check(store->dirfd, l->digest, NULL) < 0))
			return false;
	}
	return true;
}

/* NULL: what is there is no image (any more). */
static struct image_entry *entry_load(struct image_store *store, const char *file)
{
	auto_free char *path = xfmt(IMAGES_DIR "/%s", file);
	struct image_entry *e = xcalloc(1, sizeof(*e));
	AUTO(buf_clear) struct buf config = BUF_INIT;

	if (json_parse_file(&image_record_table, store->dirfd, path, RECORD_MAX, 0, &e->record, NULL) == 0 &&
	    digest_is_valid(e->record.id) && strncmp(digest_hex(e->record.id), file, 64) == 0 &&
	    layers_are_sound(&e->record) && blobs_are_sound(store, &e->record) &&
	    blob_read(store->dirfd, e->record.id, CONFIG_MAX, &config, NULL) == 0 &&
	    entry_build(store, e, buf_cstr(&config), NULL) == 0)
		return e;
	entry_free(e);
	return NULL;
}

int records_load(struct image_store *store, struct err *err)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *d;
	int fd, rc = names_load(store, err);

	if (rc < 0)
		return rc;
	fd = openat(store->dirfd, IMAGES_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, errno, "read '%s/" IMAGES_DIR "'", store->dir);
	while ((d = readdir(dir))) {
		struct image_entry *e;

		if (strlen(d->d_name) != 64 + strlen(".json") || !str_ends(d->d_name, ".json"))
			continue;
		e = entry_load(store, d->d_name);
		if (e)
			VEC_PUSH(&store->entries, e);
		else
			(void)unlinkat(fd, d->d_name, 0);	/* tried again at the next open */
	}
	drop_bad_names(store);
	return 0;
}
