/*
 * volume - named directories that outlive containers, and how -v is read.
 *
 * HOME/volume/NAME/{_data,volume.json}. A volume is in use while a container refers to it; the references are kept in volume.json
 * too, so that they survive the daemon.
 *
 * Threads: all functions may be called at the same time.
 */
#ifndef RUNTIME_VOLUME_VOLUME_H
#define RUNTIME_VOLUME_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"
#include "compat/base/json.h"
#include "compat/base/vec.h"

struct volume {
	char *name, *driver, *scope; /* "local", "local" */
	char *mountpoint;	     /* HOME/volume/NAME/_data, or the "mount" option's directory */
	int64_t created_ns;
	bool anonymous;		     /* no name was given: removed with its container */
	struct strmap labels, options;
	struct strv users;	     /* container ids */
};

typedef VEC(struct volume) volume_vec;

extern const struct json_table volume_table;

void volume_clear(struct volume *volume);
DEFINE_AUTO_CLEAR(volume_clear, struct volume)
void volumes_clear(volume_vec *volumes);
DEFINE_AUTO_CLEAR(volumes_clear, volume_vec)

struct volume_store;

/* @dir: HOME/volume, made when absent. Half-made and half-removed volumes of a killed daemon are completed or dropped. */
int volume_store_open(const char *dir, struct volume_store **ret, struct err *err);
void volume_store_close(struct volume_store *store);
DEFINE_AUTO(volume_store_close, struct volume_store *)

struct volume_create {
	const char *name;	/* NULL or "": anonymous, 64 hex digits */
	const char *driver;	/* NULL: "local"; others are ERR_UNSUPPORTED "volume driver 'x'" */
	const struct strmap *labels, *options; /* may be NULL. Options: "mount" (a directory to use), "type", "device", "o" */
};

/* An existing volume of the name is returned as it is, ERR_CONFLICT when driver or options differ. */
int volume_create(struct volume_store *store, const struct volume_create *create, struct volume *ret, struct err *err);
int volume_find(struct volume_store *store, const char *name, struct volume *ret, struct err *err);
int volume_list(struct volume_store *store, volume_vec *ret, struct err *err);
/* ERR_CONFLICT names the users while there are any, unless @force. */
int volume_remove(struct volume_store *store, const char *name, bool force, struct err *err);
/* Bytes on disk; walks the tree. */
int volume_usage(struct volume_store *store, const char *name, int64_t *ret_bytes, struct err *err);

/* Note that @container uses the volume (idempotent); with type/device/o options the first user mounts it, the last unmounts it. */
int volume_ref(struct volume_store *store, const char *name, const char *container, struct err *err);
int volume_unref(struct volume_store *store, const char *name, const char *container, struct err *err);
/* Drop references of containers that are not in @live. */
int volume_gc(struct volume_store *store, const struct strv *live, struct err *err);

/* ---- -v ---------------------------------------------------------------------------------------------------------------------- */

struct volume_bind {
	char *source;		/* absolute host path, volume name, or NULL (anonymous) */
	char *target;		/* absolute, cleaned */
	bool is_bind;		/* source is a path */
	bool read_only;
	bool no_copy;		/* no copy-up of the image's content */
	char relabel;		/* 'z' (shared), 'Z' (private) or 0 */
	char *propagation;	/* "rprivate", "rslave", ...; NULL: default (rprivate) */
	char *mode;		/* as it was given: "ro,z" */
};

void volume_bind_clear(struct volume_bind *bind);
DEFINE_AUTO_CLEAR(volume_bind_clear, struct volume_bind)

/* "SOURCE:TARGET[:MODE]" or "TARGET"; modes ro rw z Z nocopy copy and the six propagations; conflicts are ERR_INVALID. */
int volume_bind_parse(const char *spec, struct volume_bind *ret, struct err *err);

/*
 * Fill an empty volume with what the image has at that place: owner and mode of the directory itself too. Links inside @rootfs are
 * resolved under it. Does nothing when the volume has content or the image has no directory there.
 *
 * @rootfs	mounted root file system of the container
 */
int volume_copy_up(const char *rootfs, const char *target, const char *mountpoint, struct err *err);

#endif
