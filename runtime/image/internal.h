/*
 * internal - inside of image: the store's body, and what those who add to it and take from it share
 */
#ifndef RUNTIME_IMAGE_INTERNAL_H
#define RUNTIME_IMAGE_INTERNAL_H

#include <pthread.h>

#include "compat/base/json.h"
#include "runtime/image/blob.h"
#include "runtime/image/store.h"

#define IMAGES_DIR	  "images"
#define CONFIG_MAX	  (8 << 20)	/* bytes of a configuration */
#define MANIFEST_MAX	  (4 << 20)	/* bytes of a manifest or index: what registries accept */
#define IMAGE_LAYERS_MAX  500		/* overlayfs merges no more */
#define RECORD_MAX	  (1 << 20)

struct layer_record {
	char *digest;		/* blob */
	char *diff_id;
	char *media_type;
	int64_t size;		/* bytes of the blob */
	int64_t unpacked;	/* sum of the files' sizes */
	int64_t tar_bytes;	/* of the plain stream: save needs it */
};

/* images/HEX.json */
struct image_record {
	char *id;
	char *manifest;		/* digest of the blob, or "" */
	char *boot;		/* boot id of the host when it was written */
	bool synced;		/* all of it is on the disk */
	int64_t pulled;
	VEC(struct layer_record) layers;	/* bottom first */
};

extern const struct json_table image_record_table;

struct image_entry {
	struct image_record record;
	struct image *image;	/* as it is now: replaced when its names change */
};

/* A bottom layer's chain ID may be its blob's digest: they are kept apart. */
enum pin { PIN_LAYER, PIN_BLOB };

struct image_store {
	char *dir;		/* HOME/image */
	int dirfd, lock_fd;
	struct image_layers layers;
	struct image_limits limits;
	struct reference_defaults defaults;	/* its strings are owned */
	unsigned int parallel;
	char boot_id[37];

	pthread_mutex_t lock;	/* all below */
	struct registry_copy registry;
	pthread_cond_t changed;	/* claims, calls */
	VEC(struct image_entry *) entries;
	struct strmap names;	/* "docker.io/library/busybox:latest" -> id */
	struct strv pins[2];	/* by enum pin: what somebody is about to use; once for each of them */
	struct strv claims;	/* what somebody works on and others wait for */
	uint64_t next_number;

	pthread_mutex_t gc_lock;/* taken before lock: removal of layers and blobs, or a decision to use them */

	pthread_t sync_thread;
	pthread_cond_t sync_wanted;
	bool sync_running, sync_due, closing;
};

/* ---- records (record.c), with the lock held ---- */

struct image_entry *entry_find(struct image_store *store, const char *id);
void entry_free(struct image_entry *e);
/* Make e->image anew from the record, the names and @config_json (borrowed). */
int entry_build(struct image_store *store, struct image_entry *e, const char *config_json, struct err *err);
/* The names of @id changed. */
void entry_rename(struct image_store *store, const char *id);
int record_write(struct image_store *store, const struct image_record *record, struct err *err);
int names_write(struct image_store *store, struct err *err);
/* At open. */
int records_load(struct image_store *store, struct err *err);

/* ---- adding (commit.c) ---- */

/* An image that is about to be recorded. Its layers are unpacked and named, its blobs are partial or settled. */
struct image_draft {
	char id[DIGEST_SIZE];
	char manifest[DIGEST_SIZE];	/* "" */
	struct buf config;
	struct image_config parsed;	/* of it */
	VEC(struct layer_record) layers;
	struct strv names;		/* canonical */
};

void draft_clear(struct image_draft *d);
DEFINE_AUTO_CLEAR(draft_clear, struct image_draft)

/* Parse d->config into id and parsed; checks that an image can be made of it. */
int draft_parse(struct image_draft *d, struct err *err);
/* Record it, and give it its names. *ret (may be NULL) is the image. */
int store_commit(struct image_store *store, const struct image_draft *d, struct image **ret, struct err *err);
/* Will be brought to the disk in a moment. */
void store_sync_later(struct image_store *store);

/* Somebody is about to use @what (a chain ID, a blob's digest): it is not removed until unpinned. */
void store_pin(struct image_store *store, enum pin kind, const char *what);
void store_unpin(struct image_store *store, enum pin kind, const char *what);
/* The same for the layer @chain_id, if it is there and an image has its blob: *ret_layer is a copy of its record. */
bool store_pin_layer(struct image_store *store, const char *chain_id, const char *diff_id,
		     struct layer_record *ret_layer);
/* Wait until nobody else works on @what, and work on it. ERR_CANCELED. */
int store_claim(struct image_store *store, const char *what, const volatile bool *cancel, struct err *err);
void store_unclaim(struct image_store *store, const char *what);

/* Remove those of @chain_ids and @blobs that no image has and nobody pins; names of removed layers go to @ret (may be NULL). */
void store_collect(struct image_store *store, const struct strv *chain_ids, const struct strv *blobs,
		   struct strv *ret);
/* At open: unpack again the layers that the storage lacks; images that cannot be restored are dropped. */
int store_restore_layers(struct image_store *store, struct err *err);
/* At open: everything that no image has. */
int store_collect_all(struct image_store *store, struct err *err);

void layer_record_clear(struct layer_record *r);
void layer_record_copy(struct layer_record *dst, const struct layer_record *src);

/* One layer from @fd, a blob, into its place. @dir was begun by the caller, who commits. (unpack of what is on disk) */
int store_unpack_blob(struct image_store *store, const char *digest, const struct image_layer_dir *dir,
		      const volatile bool *cancel, const char *diff_id, struct layer_record *record,
		      struct err *err);

#endif
