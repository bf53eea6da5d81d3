/*
 * storage - layers, and root file systems of containers on top of them.
 *
 * Drivers: overlay, aufs, btrfs, devmapper-thin, devmapper-snapshot, fuse, copy. The best that works with the file system under the home is chosen by trying it;
 * a driver that the configuration names is used or refused. Layers are named by chain ID and unpacked once; a root file
 * system is named by its container's id.
 *
 * On disk: HOME/DRIVER/layers/HEX/, HOME/DRIVER/rootfs/ID/, HOME/DRIVER/tmp/ (emptied at open). Everything is made in
 * tmp/ and renamed into its place, so that a process may be killed at any instant. A layer carries a mark once
 * storage_sync() has brought it to the disk; at open, layers of an earlier boot without it are dropped, because the host
 * may have lost power while they were written.
 *
 * All calls may be made from any thread at once; calls for one root file system must not overlap.
 */
#ifndef RUNTIME_STORAGE_STORAGE_H
#define RUNTIME_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"
#include "compat/base/fit.h"
#include "compat/base/vec.h"

struct storage;

struct storage_options {
	const char *home;		/* must exist */
	const char *driver;		/* NULL or "": the best that works */
	const struct strv *options;	/* "dm.basesize=20G"; each must be one of the driver's. NULL: none */
	/* What happens without a caller; from any thread. NULL: nobody listens. The rest of this struct is not kept. */
	void (*warn)(void *arg, const char *message);
	void *warn_arg;
};

/*
 * "overlayfs" and "overlay2" are other names of overlay, "vfs" and "native" of copy; "devmapper" and "devicemapper" stand for the better of its two
 * modes.
 */
int storage_open(const struct storage_options *options, struct storage **ret, struct err *err);
/* The process is to end: give back what no container uses. Calls that are under way, or come later, fail or succeed, but do no harm. */
void storage_shutdown(struct storage *s);
void storage_close(struct storage *s);	/* leaves mounts as they are */
DEFINE_AUTO(storage_close, struct storage *)

const char *storage_name(const struct storage *s);
/* Every driver with its score and reason for @home. Returns the number of rows. */
size_t storage_fits(const char *home, struct fit *rows, size_t max);
/* For "info": Backing Filesystem and such. */
void storage_status(struct storage *s, struct strmap *ret);

/* ---- layers ---- */

struct layer_writer;

enum layer_whiteouts {
	LAYER_WHITEOUTS_APPLIED,	/* the directory holds the parent's content: delete what the layer deletes */
	LAYER_WHITEOUTS_OVERLAY,	/* character devices 0/0 and trusted.overlay.opaque=y */
};

/* A layer's directory does not hold its parents' content: they may be unpacked later, or at the same time. */
bool storage_layers_are_independent(const struct storage *s);
/* Is it there, to be used? A removal that waits for the layer's last user is taken back. */
bool storage_layer_exists(struct storage *s, const char *chain_id);

/*
 * @parent	chain ID or NULL. Must exist, unless layers are independent
 *
 * The writer is to be given to commit or abort.
 */
int storage_layer_begin(struct storage *s, const char *parent, struct layer_writer **ret, struct err *err);
int layer_writer_fd(const struct layer_writer *w);	/* the directory to unpack into; borrowed */
enum layer_whiteouts layer_writer_whiteouts(const struct layer_writer *w);
/*
 * Name it. @parent must exist by now, and be the one that begin was told unless layers are independent. If another writer was faster the layer is
 * there already: this one's files are dropped, and that is success. Consumes @w, also on failure.
 */
int storage_layer_commit(struct storage *s, struct layer_writer *w, const char *chain_id,
			 const char *parent, struct err *err);
void storage_layer_abort(struct storage *s, struct layer_writer *w);

/* Remove it now, or when the last layer or root file system above it is gone. Absent is fine. */
int storage_layer_remove(struct storage *s, const char *chain_id, struct err *err);
int storage_layer_list(struct storage *s, struct strv *ret, struct err *err);
/* Bring all that was committed to the disk and mark it. Blocks; once at a time. */
int storage_sync(struct storage *s, struct err *err);
/* GraphDriver.Data of an image: LowerDir, UpperDir, ... */
int storage_layer_info(struct storage *s, const char *chain_id, struct strmap *ret, struct err *err);

/* ---- root file systems ---- */

/*
 * @id		of the container
 * @top		chain ID; NULL makes an empty one
 *
 * ERR_NOT_FOUND (no such layer), ERR_CONFLICT (exists).
 */
int storage_rootfs_create(struct storage *s, const char *id, const char *top, struct err *err);
/*
 * Make it accessible. Mounting twice is fine.
 *
 * @label	SELinux label for its files ("context=..." without the word), or NULL
 * @ret_path	owned: absolute path of the root directory
 */
int storage_rootfs_mount(struct storage *s, const char *id, const char *label, char **ret_path,
			 struct err *err);
int storage_rootfs_umount(struct storage *s, const char *id, struct err *err);
/* Unmounts first. Absent is fine. */
int storage_rootfs_remove(struct storage *s, const char *id, struct err *err);
bool storage_rootfs_exists(struct storage *s, const char *id);
int storage_rootfs_list(struct storage *s, struct strv *ret, struct err *err);
/*
 * What the container wrote: bytes on disk and inodes. With the copy driver, and for inodes with devmapper (0 while it is not mounted): all
 * that its root file system holds.
 */
int storage_rootfs_usage(struct storage *s, const char *id, uint64_t *ret_bytes, uint64_t *ret_inodes,
			 struct err *err);
/* GraphDriver.Data of a container: LowerDir, UpperDir, WorkDir, MergedDir; DeviceName and such with devmapper. */
int storage_rootfs_info(struct storage *s, const char *id, struct strmap *ret, struct err *err);

#endif
