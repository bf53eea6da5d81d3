/*
 * remove - images leave the store, by docker's rules, with what nobody else has
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "runtime/image/internal.h"

void image_removed_list_clear(struct image_removed_list *list)
{
	VEC_EACH(r, list)
		free(r->what);
	VEC_FREE(list);
}

static void told(struct image_removed_list *list, bool deleted, const char *what)
{
	struct image_removed *r;

	if (!list)
		return;
	r = VEC_ADD(list);
	r->deleted = deleted;
	r->what = xstrdup(what);
}

/* ---- what nobody has ---- */

/* With the lock held. */
static bool layer_is_needed(struct image_store *store, const char *chain_id)
{
	VEC_EACH(e, &store->entries) {
		if (strv_has(&(*e)->image->chain_ids, chain_id))
			return true;
	}
	return strv_has(&store->pins[PIN_LAYER], chain_id);
}

static bool blob_is_needed(struct image_store *store, const char *digest)
{
	VEC_EACH(e, &store->entries) {
		const struct image_record *r = &(*e)->record;

		if (strcmp(r->id, digest) == 0 || str_eq(r->manifest, digest))
			return true;
		VEC_EACH(l, &r->layers) {
			if (strcmp(l->digest, digest) == 0)
				return true;
		}
	}
	return strv_has(&store->pins[PIN_BLOB], digest);
}

void store_collect(struct image_store *store, const struct strv *chain_ids, const struct strv *blobs,
		   struct strv *ret)
{
	/* The gc lock keeps others from deciding to use what is on its way out; lookups go on. */
	pthread_mutex_lock(&store->gc_lock);
	for (size_t i = chain_ids->n; i-- > 0;) {
		bool needed;

		pthread_mutex_lock(&store->lock);
		needed = layer_is_needed(store, chain_ids->v[i]);
		pthread_mutex_unlock(&store->lock);
		if (needed)
			continue;
		/* What could not be removed is found again at the next open. */
		(void)store->layers.remove(store->layers.arg, chain_ids->v[i], NULL);
		if (ret)
			strv_add(ret, chain_ids->v[i]);
	}
	STRV_EACH(blob, blobs) {
		pthread_mutex_lock(&store->lock);
		if (!blob_is_needed(store, *blob))
			blob_remove(store->dirfd, *blob);
		pthread_mutex_unlock(&store->lock);
	}
	pthread_mutex_unlock(&store->gc_lock);
}

int store_collect_all(struct image_store *store, struct err *err)
{
	AUTO(strv_clear) struct strv layers = {0};
	AUTO(strv_clear) struct strv blobs = {0};
	auto_closedir DIR *dir = NULL;
	struct dirent *d;
	int fd, rc = store->layers.list(store->layers.arg, &layers, err);

	if (rc < 0)
		return rc;
	fd = openat(store->dirfd, BLOBS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, errno, "read '%s/" BLOBS_DIR "'", store->dir);
	while ((d = readdir(dir))) {
		char hex[65];

		(void)str_fmt(hex, sizeof(hex), "%.64s", d->d_name);	/* with or without .zst */
		if (str_is_hex(hex, 64, 64))
			strv_addf(&blobs, "sha256:%s", hex);
	}
	/* Only what no image has: a blob in partial/ may be wanted again. */
	store_collect(store, &layers, &(struct strv){0}, NULL);
	STRV_EACH(blob, &blobs) {
		if (!blob_is_needed(store, *blob))
			blob_drop(store->dirfd, *blob);
	}
	return 0;
}

/* ---- docker's rules ---- */

struct removal {
	struct image_store *store;
	const struct image_removal *asked;
	struct image_removed_list *out;
	struct strv names;	/* canonical, to be taken off */
	bool whole;		/* the image goes */
};

static const char *short_id(const struct image *image, char ret[13])
{
	(void)str_fmt(ret, 13, "%.12s", digest_hex(image->id));
	return ret;
}

/* All names of an image; how many repositories they are of. */
static size_t names_of(struct image_store *store, const char *id, struct strv *ret)
{
	struct reference first, ref;
	size_t repositories = 0;

	pthread_mutex_lock(&store->lock);
	for (size_t i = 0; i < store->names.n; i++) {
		if (strcmp(store->names.v[i].val, id) != 0 ||
		    reference_parse(store->names.v[i].key, NULL, &ref, NULL) < 0)
			continue;
		if (!ret->n) {
			first = ref;
			repositories = 1;
		} else if (!reference_is_same_name(&first, &ref)) {
			repositories = 2;	/* or more: the same to us */
		}
		strv_add(ret, store->names.v[i].key);
	}
	pthread_mutex_unlock(&store->lock);
	return repositories;
}

/* Which name @name means; "" when it was given as an id. */
static void named(struct image_store *store, const char *name, const struct strv *all, char ret[REFERENCE_SIZE])
{
	struct reference ref;

	ret[0] = '\0';
	if (digest_is_valid(name) || reference_parse(name, &store->defaults, &ref, NULL) < 0)
		return;
	reference_complete(&ref);
	if (ref.digest[0])
		ref.tag[0] = '\0';
	reference_string(&ref, ret);
	if (!strv_has(all, ret))
		ret[0] = '\0';
}

static bool is_digest_name(const char *name)
{
	return strchr(name, '@') != NULL;
}

/*
 * A tag takes the digest names of its repository with it, when no other tag of the repository is left: they were made
 * together.
 */
static void add_with_digests(struct removal *r, const char *name, const struct strv *all)
{
	struct reference gone, ref;
	bool other_tag = false;

	strv_add(&r->names, name);
	if (is_digest_name(name) || reference_parse(name, NULL, &gone, NULL) < 0)
		return;
	STRV_EACH(n, all) {
		if (strcmp(*n, name) != 0 && !is_digest_name(*n) && reference_parse(*n, NULL, &ref, NULL) == 0 &&
		    reference_is_same_name(&ref, &gone))
			other_tag = true;
	}
	STRV_EACH(n, all) {
		if (!other_tag && is_digest_name(*n) && reference_parse(*n, NULL, &ref, NULL) == 0 &&
		    reference_is_same_name(&ref, &gone))
			strv_add(&r->names, *n);
	}
}

static int check_use(const struct removal *r, const struct image *image, bool by_id, struct err *err)
{
	auto_free char *container = NULL;
	enum image_use use = IMAGE_UNUSED;
	char id[13];

	if (r->asked->in_use)
		use = r->asked->in_use(r->asked->arg, image->id, &container);
	if (use == IMAGE_UNUSED || (use == IMAGE_USED_BY_STOPPED && r->asked->force))
		return 0;
	if (use == IMAGE_USED_BY_RUNNING)
		return err_set(err, ERR_CONFLICT,
			       "conflict: unable to remove image '%.200s' (cannot be forced): it is used by running container %.12s",
			       by_id ? short_id(image, id) : r->asked->name, container ? container : "?");
	return err_set(err, ERR_CONFLICT,
		       "conflict: unable to remove image '%.200s' (must be forced): it is used by stopped container %.12s",
		       by_id ? short_id(image, id) : r->asked->name, container ? container : "?");
}

static int decide(struct removal *r, const struct image *image, struct err *err)
{
	AUTO(strv_clear) struct strv all = {0};
	size_t repositories = names_of(r->store, image->id, &all);
	char name[REFERENCE_SIZE], id[13];

	named(r->store, r->asked->name, &all, name);
	if (name[0]) {
		add_with_digests(r, name, &all);
		r->whole = r->names.n == all.n;
		return r->whole ? check_use(r, image, false, err) : 0;
	}
	if (repositories > 1 && !r->asked->force)
		return err_set(err, ERR_CONFLICT,
			       "conflict: unable to delete %s (must be forced): it has names in several repositories",
			       short_id(image, id));
	strv_add_all(&r->names, &all);
	r->whole = true;
	return check_use(r, image, true, err);
}

/* With the lock held. */
static int take_names_off(struct removal *r, struct err *err)
{
	struct image_store *store = r->store;
	struct strmap before = {0};
	int rc;

	strmap_copy(&before, &store->names);
	STRV_EACH(name, &r->names)
		strmap_del(&store->names, *name);
	rc = r->names.n ? names_write(store, err) : 0;
	if (rc < 0)
		strmap_copy(&store->names, &before);
	strmap_clear(&before);
	return rc;
}

static void tell_names(struct removal *r)
{
	STRV_EACH(name, &r->names) {
		char familiar[REFERENCE_SIZE];
		struct reference ref;

		if (reference_parse(*name, NULL, &ref, NULL) < 0)
			continue;
		reference_familiar(&ref, &r->store->defaults, familiar);
		told(r->out, false, familiar);
	}
}

/* With the lock held: off the tables, and off the disk but for layers and blobs. */
static int forget(struct image_store *store, struct image_entry *e, struct strv *ret_blobs, struct err *err)
{
	auto_free char *path = xfmt(IMAGES_DIR "/%s.json", digest_hex(e->record.id));

	if (unlinkat(store->dirfd, path, 0) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s/%s'", store->dir, path);
	strv_add(ret_blobs, e->record.id);
	if (!str_empty(e->record.manifest))
		strv_add(ret_blobs, e->record.manifest);
	VEC_EACH(l, &e->record.layers)
		strv_add(ret_blobs, l->digest);
	for (size_t i = 0; i < store->entries.n; i++) {
		if (store->entries.v[i] == e) {
			VEC_DEL(&store->entries, i);
			break;
		}
	}
	entry_free(e);
	return 0;
}

int image_remove(struct image_store *store, const struct image_removal *removal,
		 struct image_removed_list *ret, struct err *err)
{
	struct removal r = {.store = store, .asked = removal, .out = ret};
	AUTO(image_put) struct image *image = NULL;
	AUTO(strv_clear) struct strv blobs = {0};
	AUTO(strv_clear) struct strv layers = {0};
	struct image_entry *e;
	int rc = image_find(store, removal->name, &image, err);

	if (rc == 0)
		rc = decide(&r, image, err);
	if (rc < 0) {
		strv_clear(&r.names);
		return rc;
	}
	pthread_mutex_lock(&store->lock);
	rc = take_names_off(&r, err);
	e = entry_find(store, image->id);
	if (rc == 0 && e && r.whole)
		rc = forget(store, e, &blobs, err);
	else if (rc == 0)
		entry_rename(store, image->id);
	pthread_mutex_unlock(&store->lock);
	if (rc == 0) {
		tell_names(&r);
		if (r.whole)
			told(ret, true, image->id);
	}
	if (rc == 0 && r.whole) {
		store_collect(store, &image->chain_ids, &blobs, &layers);
		STRV_EACH(l, &layers)
			told(ret, true, *l);
	}
	strv_clear(&r.names);
	return rc;
}
