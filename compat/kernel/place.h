/*
 * place - inside of capability: what depends on the file system under the home
 */
#ifndef COMPAT_KERNEL_PLACE_H
#define COMPAT_KERNEL_PLACE_H

#include "compat/base/fit.h"

/* "ext4", "overlay", ... or a number in hex; for the path itself or, where it does not exist yet, its nearest parent. */
void place_fstype(const char *path, char ret[32]);

/*
 * Could the storage driver of that name put layers at @home? By trying it in a directory of its own, which is removed again; where the
 * home does not exist yet, by the kind of file system that it will be on.
 */
struct fit place_overlay_fit(const char *home);
struct fit place_aufs_fit(const char *home);
struct fit place_btrfs_fit(const char *home);
struct fit place_dm_thin_fit(const char *home);
struct fit place_dm_snapshot_fit(const char *home);
struct fit place_fuse_fit(const char *home);
struct fit place_copy_fit(const char *home);

#endif
