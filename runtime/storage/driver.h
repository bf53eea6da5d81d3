/*
 * driver - inside of storage: what a driver provides
 *
 * Drivers work on directories that storage.c makes, names and removes: a layer's directory and a root file system's
 * directory, each given as an fd while it is still in tmp/ and as a path when it is in place. What they put inside is
 * their own affair, but for a layer's or copied root's content, which is always at FS_DIR.
 */
#ifndef RUNTIME_STORAGE_DRIVER_H
#define RUNTIME_STORAGE_DRIVER_H

#include <pthread.h>

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
	/* Make FS_DIR in the new layer's directory, with @parent's content unless layers are independent. */
	int (*layer_fill)(struct storage *s, int dirfd, const struct layer *parent, struct err *err);
	/* Before its directory is renamed into place. */
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

extern const struct storage_driver storage_overlay, storage_btrfs, storage_copy;

/* Shared by drivers whose root file system is a plain directory. */
int storage_plain_mount(struct storage *s, const struct rootfs *r, const char *label, char **ret_path,
			struct err *err);
int storage_plain_umount(struct storage *s, const struct rootfs *r, struct err *err);
int storage_plain_usage(struct storage *s, const struct rootfs *r, uint64_t *ret_bytes,
			uint64_t *ret_inodes, struct err *err);
void storage_plain_info(struct storage *s, const struct rootfs *r, struct strmap *ret);

/* Name of the file system at @path: "ext4 family", "xfs", ... */
const char *storage_fs_name(const char *path);

/* Owner, mode and times of the directory @from to @to. */
int storage_copy_root(int from, int to, struct err *err);

#endif
