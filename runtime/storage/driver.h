/*
 * driver - inside of storage: what a driver provides
 *
 * Drivers work on directories that storage.c makes, names and removes: a layer's directory and a root file system's
 * directory, each given as an fd while it is still in tmp/ and as a path when it is in place. What they put inside is
 * their own affair, but for the content that a layer's writer fills, which is always at FS_DIR.
 */
#ifndef RUNTIME_STORAGE_DRIVER_H
#define RUNTIME_STORAGE_DRIVER_H

#include <pthread.h>

#include "compat/base/buf.h"
#include "compat/base/fit.h"
#include "runtime/storage/storage.h"

#define FS_DIR "fs"

/* A layer that is in place. */
struct layer {
	char *hex;		/* chain ID without "sha256:" */
	char *parent;		/* the same, or NULL */
	uint64_t link;		/* number of its short name; 0: none */
	unsigned int users;	/* layers and root file systems on top, and writers that began on it */
	bool doomed;		/* to be removed with its last user */
	bool synced;
};

struct storage {
	const struct storage_driver *driver;
	char *dir;		/* HOME/DRIVER */
	int dirfd;
	int lock_fd;
	char boot_id[37];
	pthread_mutex_t lock;	/* all below */
	pthread_mutex_t sync_lock;
	VEC(struct layer *) layers;
	struct strmap rootfs;	/* id -> hex of its top layer, or "" */
	uint64_t next_tmp, next_link;
	void *own;		/* the driver's; from its open() to its close() */
	bool is_open;		/* the driver is to be closed */
	void (*warn)(void *arg, const char *message);
	void *warn_arg;
	struct storage_clock *clock;	/* calls tick(); NULL: the driver has none */
};

/* A root file system, for the calls below. */
struct rootfs {
	const char *id;
	const char *path;	/* its directory, absolute */
	struct strv below;	/* the layers' hex, top first */
};

struct storage_driver {
	const char *name;
	bool layers_are_independent;
	enum layer_whiteouts whiteouts;

	/* May it work in the directory @dir (path without trailing slash)? It is empty and stays so. */
	struct fit (*probe)(const char *dir);
	/*
	 * Check @options ("KEY=VALUE"), and put in order what a killed process or an earlier boot left, before anything below is called;
	 * tmp/, layers/ and rootfs/ are there. On failure close() is called too.
	 */
	int (*open)(struct storage *s, const struct strv *options, struct err *err);
	/* Keep what containers use; give back the rest. With @last, s->own is freed too. */
	void (*close)(struct storage *s, bool last);
	/* About once a second, from a thread of its own. storage_plain_tick: never. */
	void (*tick)(struct storage *s);
	void (*status)(struct storage *s, struct strmap *ret);
	/* Make FS_DIR in the new layer's directory, with @parent's content unless layers are independent. */
	int (*layer_fill)(struct storage *s, int dirfd, const struct layer *parent, struct err *err);
	/* Before its directory is renamed into place. The writer's fd is closed by now. */
	int (*layer_settle)(struct storage *s, int dirfd, struct layer *layer, struct err *err);
	/* Remove the directory @name of @dirfd, a layer or a root file system or half of one. */
	int (*discard)(struct storage *s, int dirfd, const char *name, struct err *err);
	int (*rootfs_fill)(struct storage *s, int dirfd, const struct layer *top, struct err *err);
	int (*rootfs_mount)(struct storage *s, const struct rootfs *r, const char *label, char **ret_path,
			    struct err *err);
	int (*rootfs_umount)(struct storage *s, const struct rootfs *r, struct err *err);
	int (*rootfs_usage)(struct storage *s, const struct rootfs *r, uint64_t *ret_bytes,
			    uint64_t *ret_inodes, struct err *err);
	void (*rootfs_info)(struct storage *s, const struct rootfs *r, struct strmap *ret);
};

extern const struct storage_driver storage_overlay, storage_aufs, storage_btrfs, storage_dm_thin, storage_dm_snapshot,
	storage_fuse, storage_copy;

/* One option of a driver: a size with its default, or a text (NULL). */
struct storage_option {
	const char *name;	/* "dm.basesize" */
	const char *dflt;	/* "10G"; NULL: it stays as it is */
	uint64_t min;		/* bytes; 0: it is a text */
	uint64_t *size;		/* whole pages of 4 KiB */
	char **text;		/* what was given, or the default; owned. May be NULL for a size */
};

/* Defaults first; then each of @given ("KEY=VALUE", NULL: none) must be in @table. ERR_INVALID names the known ones. */
int storage_options_set(const struct strv *given, const struct storage_option *table, size_t n, struct err *err);

/* Shared by drivers that have neither options nor anything to put in order. */
int storage_plain_open(struct storage *s, const struct strv *options, struct err *err);
void storage_plain_close(struct storage *s, bool last);
void storage_plain_tick(struct storage *s);
void storage_plain_status(struct storage *s, struct strmap *ret);

/* Shared by drivers whose root file system is a plain directory. */
int storage_plain_mount(struct storage *s, const struct rootfs *r, const char *label, char **ret_path,
			struct err *err);
int storage_plain_umount(struct storage *s, const struct rootfs *r, struct err *err);
int storage_plain_usage(struct storage *s, const struct rootfs *r, uint64_t *ret_bytes,
			uint64_t *ret_inodes, struct err *err);
void storage_plain_info(struct storage *s, const struct rootfs *r, struct strmap *ret);

/* Shared by drivers whose layers are directories with their own files alone, deletions marked as overlayfs does. */
int storage_own_layer_fill(struct storage *s, int dirfd, const struct layer *parent, struct err *err);
/*
 * A short name for the layer, l/N, to be used where many names must fit into little room. One is left by a layer that was never finished, or is
 * gone: it is replaced.
 */
int storage_own_layer_link(struct storage *s, struct layer *layer, struct err *err);
/* "BASEl/7" for each of @r's layers, from the top, each followed by @suffix, with @separator between. */
void storage_own_layer_names(struct storage *s, const struct rootfs *r, const char *base, const char *suffix,
			     char separator, struct buf *out);
/* LowerDir and, of what is in @r's directory, UpperDir, WorkDir, MergedDir. */
void storage_union_info(struct storage *s, const struct rootfs *r, struct strmap *ret);
/* "upper", "work", "merged" with the top layer's root's looks; "empty" where there is no layer. */
int storage_union_fill(struct storage *s, int dirfd, const struct layer *top, struct err *err);
int storage_union_usage(struct storage *s, const struct rootfs *r, uint64_t *ret_bytes, uint64_t *ret_inodes,
			struct err *err);

/* Is something mounted at @dir/@name? */
bool storage_is_mounted(const char *dir, const char *name);
/* A container's dead namespaces may hold it for a moment: then it goes when they do. ERR_INTERNAL when it is still there. */
int storage_unmount(const char *dir, const char *name, struct err *err);

/*
 * Merge the layers @hex[0] (the top) to @hex[n - 1] into the empty directory @dst, as overlayfs would show them. @link: names of the layers'
 * files instead of copies; @dst must be on their file system then, and nobody may write to the files.
 */
int storage_flatten(struct storage *s, const struct strv *hex, int dst, bool link, struct err *err);

/* Tell the administrator what no caller hears about. */
void storage_warn(struct storage *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Name of the file system at @path: "ext4 family", "xfs", ... */
const char *storage_fs_name(const char *path);

/* Owner, mode and times of the directory @from to @to. */
int storage_copy_root(int from, int to, struct err *err);

#endif
