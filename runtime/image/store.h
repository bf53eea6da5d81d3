/*
 * store - the images of a host.
 *
 * On disk, below HOME/image: blobs/sha256/HEX (manifests, configurations and layers as they came), images/HEX.json (one
 * for each image: what it consists of) and repositories.json (name -> image). Blobs are content-addressed, an image is
 * its configuration's digest, and its layers are unpacked once by their chain ID, whatever the number of images that
 * share them.
 *
 * Layers are kept twice, as files and as the blob that they came in. Only the blob has the digest that a registry, a manifest and a
 * signature know: an archive made anew from the files has another one, since order, header formats and numbers of a tar stream are
 * not in the files, and a compressor's output is not either. Saving and pushing byte for byte, taking up a broken pull, a change of
 * the storage driver and the loss of layers with the host's power all need it. A blob is kept as it came, but for the plain layers of
 * an archive, as "docker save" writes them: they are kept packed (blobs/sha256/HEX.zst, HEX being the digest of what came) and become
 * plain again for who reads them. So the blobs take about a third to a half of what the files take.
 *
 * After a crash. Everything is written beside its place and renamed, so a process may be killed at any instant: at the
 * next open, what no image owns is removed; blobs that were half fetched are kept for a week and resumed. Nothing is
 * fsynced file by file. An image is usable at once, and a thread then calls syncfs() once and marks the layers as safe;
 * a host that loses power before that forgets the layers which lack the mark, with the images made of them, and never
 * shows a damaged one.
 *
 * All calls may be made from any thread at once.
 */
#ifndef RUNTIME_IMAGE_STORE_H
#define RUNTIME_IMAGE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"
#include "runtime/image/config.h"
#include "runtime/image/reference.h"
#include "runtime/image/registry.h"

struct image_store;

/*
 * Where unpacked layers go. runtime/engine connects this to runtime/storage, which describes the calls: see
 * storage_layer_*(). Chain IDs are digests.
 */
struct image_layer_dir {
	void *writer;
	int fd;			/* the directory to unpack into, borrowed */
	bool overlay_whiteouts;	/* record what is deleted as overlayfs does; else delete it */
};

struct image_layers {
	void *arg;
	bool independent;	/* layers may be unpacked in any order, before their parents */
	bool (*has)(void *arg, const char *chain_id);
	int (*begin)(void *arg, const char *parent_chain_id, struct image_layer_dir *ret, struct err *err);
	int (*commit)(void *arg, void *writer, const char *chain_id, const char *parent_chain_id,
		      struct err *err);
	void (*abort)(void *arg, void *writer);
	int (*remove)(void *arg, const char *chain_id, struct err *err);
	int (*list)(void *arg, struct strv *ret, struct err *err);
	int (*sync)(void *arg, struct err *err);
};

struct image_limits {
	uint64_t entries;	/* of one layer; 0: 10 million */
	uint64_t bytes;		/* of one unpacked layer; 0: 1 TiB */
	uint32_t ratio;		/* unpacked to packed, beyond the first 64 MiB; 0: 1000 */
};

struct image_store_options {
	const char *home;			/* borrowed for the call */
	const struct image_layers *layers;	/* copied */
	const struct reference_defaults *defaults;/* copied; NULL: Docker Hub */
	const struct registry_settings *registry;/* copied; NULL: none */
	struct image_limits limits;
	unsigned int parallel;			/* downloads at a time for each pull; 0: 3 */
};

int image_store_open(const struct image_store_options *options, struct image_store **ret, struct err *err);
void image_store_close(struct image_store *store);	/* waits for calls that are under way: cancel them first */
DEFINE_AUTO(image_store_close, struct image_store *)

/* For pulls that begin from now on; those under way go on as they began. */
void image_store_set_registry(struct image_store *store, const struct registry_settings *settings);

/* The defaults in force; borrowed. */
const struct reference_defaults *image_store_defaults(const struct image_store *store);

/* One image, as it was when it was looked up; it never changes. */
struct image {
	char id[DIGEST_SIZE];
	struct image_config config;
	char *config_json;		/* the configuration's text as it came */
	struct strv repo_tags;		/* familiar: "busybox:latest" */
	struct strv repo_digests;	/* familiar: "busybox@sha256:..." */
	struct strv chain_ids;		/* bottom first; empty for an image without layers */
	VEC(int64_t) layer_sizes;	/* of the same layers: bytes unpacked */
	char manifest_digest[DIGEST_SIZE];/* "" when it was loaded without one */
	int64_t size;			/* bytes of its layers unpacked (sum of the files' sizes) */
	int64_t pulled;			/* when it came here, ns since 1970 */
	unsigned int refs;		/* not for users */
};

/* The last of chain_ids, or NULL: what a container's root file system is made from. Borrowed from @image. */
const char *image_top(const struct image *image);

/*
 * By name, name@digest, id ("sha256:..." or its hex), or an unambiguous start of an id. A name wins over a start of an id.
 * ERR_NOT_FOUND ("no such image: x"), ERR_CONFLICT when a start of an id is not unique.
 * The image is to be given back by image_put(); its files may be removed while it is held.
 */
int image_find(struct image_store *store, const char *name, struct image **ret, struct err *err);
struct image *image_get(struct image *image);
void image_put(struct image *image);
DEFINE_AUTO(image_put, struct image *)

struct image_list {
	struct image **v;
	size_t n, cap;
};

/* All images, newest first. */
int image_list(struct image_store *store, struct image_list *ret, struct err *err);
void image_list_clear(struct image_list *list);
DEFINE_AUTO_CLEAR(image_list_clear, struct image_list)

/* Give @source the further name @target (repository[:tag], no digest). A name that another image had moves. */
int image_tag(struct image_store *store, const char *source, const char *target, struct err *err);

/* ---- removal ---- */

enum image_use { IMAGE_UNUSED, IMAGE_USED_BY_STOPPED, IMAGE_USED_BY_RUNNING };

struct image_removal {
	const char *name;
	bool force;
	/* Who uses the image? *ret_container (owned): one of them, for the message. Called without locks. */
	enum image_use (*in_use)(void *arg, const char *image_id, char **ret_container);
	void *arg;
};

/* One line of docker's answer. */
struct image_removed {
	bool deleted;	/* else untagged */
	char *what;	/* id, layer's chain ID, or familiar name */
};

struct image_removed_list {
	struct image_removed *v;
	size_t n, cap;
};

void image_removed_list_clear(struct image_removed_list *list);
DEFINE_AUTO_CLEAR(image_removed_list_clear, struct image_removed_list)

/*
 * Docker's rules. A name is taken off; when it was the last one the image goes too. An id takes all its names off, which
 * needs @force when they are of several repositories. An image that a running container uses stays (ERR_CONFLICT) unless
 * it only loses one of several names; one that a stopped container uses goes with @force only, and its layers stay until
 * that container is removed.
 */
int image_remove(struct image_store *store, const struct image_removal *removal,
		 struct image_removed_list *ret, struct err *err);

/* ---- coming and going ---- */

/* docker's message stream, one call a line. Calls never overlap; they come from any thread. */
struct image_progress {
	const char *id;		/* 12 hex digits of a layer, a tag, or NULL */
	const char *status;	/* "Downloading", "Pull complete", ... */
	int64_t current, total;	/* bytes; total 0: unknown or not counted */
};

typedef void (*image_progress_fn)(void *arg, const struct image_progress *progress);

struct image_pull {
	const char *reference;
	const char *platform;		/* "linux/arm64/v8", "linux/amd64", "arm64"; NULL: this host's */
	const struct registry_auth *auth;/* NULL: anonymous */
	image_progress_fn progress;	/* NULL: none */
	void *arg;
	const volatile bool *cancel;	/* set by another thread: ERR_CANCELED soon after. NULL: never */
};

/*
 * ERR_NOT_FOUND (no such repository, tag or platform), ERR_FORBIDDEN (the registry says no), ERR_UNAVAILABLE (no answer after the retries),
 * ERR_INVALID (what came is not what its digest says, or is hostile), ERR_NO_SPACE, ERR_CANCELED. On failure nothing
 * but resumable blobs is left. @ret may be NULL.
 */
int image_pull(struct image_store *store, const struct image_pull *pull, struct image **ret,
	       struct err *err);

struct image_load {
	int fd;				/* archive, plain or packed; may be a pipe. Read to its end */
	const char *name;		/* name for an archive that has none in it; NULL: none */
	image_progress_fn progress;
	void *arg;
	const volatile bool *cancel;
};

/* docker save's archives (all versions) and OCI layouts. *ret: what came, in the archive's order. May be NULL. */
int image_load(struct image_store *store, const struct image_load *load, struct image_list *ret,
	       struct err *err);

/*
 * Write @names into one archive that docker, podman and skopeo load, as an OCI layout or as docker's own format: it is
 * both. Errors before the first byte leave @fd untouched. @cancel may be NULL.
 */
int image_save(struct image_store *store, const struct strv *names, int fd, const volatile bool *cancel,
	       struct err *err);

#endif
