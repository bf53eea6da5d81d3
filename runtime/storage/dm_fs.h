/*
 * dm_fs - inside of storage: file systems on device-mapper devices, for the two drivers that make such devices
 *
 * Devices are named PREFIX-SUFFIX. The prefix is made of the driver's directory: device and inode number of a directory that is there are
 * nobody else's, so several homes never meet. Nodes are made in DIR/dev, and no other is used.
 */
#ifndef RUNTIME_STORAGE_DM_FS_H
#define RUNTIME_STORAGE_DM_FS_H

#include "compat/kernel/dm.h"
#include "runtime/storage/driver.h"

#define DM_FS_NAME_MAX 64	/* of a suffix */

struct dm_fs {
	int control;		/* fd of device-mapper's control device */
	char *prefix;		/* "pouch-801-2a51f-" */
	char *nodes;		/* DIR/dev */
	uint64_t size;		/* of a root file system, in bytes */
	char *size_text;	/* as it was given */
};

int dm_fs_open(struct storage *s, struct dm_fs *fs, struct err *err);
void dm_fs_close(struct dm_fs *fs);

/* "mke2fs" of the host, owned; ERR_UNSUPPORTED without one, with the package's name. */
int dm_fs_mkfs_program(char **ret, struct err *err);
/* An ext4 that every kernel since 2.6.32 mounts, on a file or device that reads as zeros. */
int dm_fs_mkfs(const char *path, uint64_t bytes, struct err *err);
/* Mount ext4 from the device node or file descriptor's path @source. @discard: tell the device what is free. */
int dm_fs_mount(const char *source, const char *target, bool discard, const char *label, struct err *err);
/*
 * Unmount what is to be the origin of snapshots, clean and written out: nothing writes to it any more, not even where another
 * mount namespace (of a container that was just being started) keeps it mounted.
 */
int dm_fs_seal(const char *dir, const char *name, struct err *err);
/* Take away what mkfs puts into the root directory @fd. */
void dm_fs_clean_root(int fd);

/* The device's name, owned. */
char *dm_fs_name(const struct dm_fs *fs, const char *suffix);
/*
 * Have the device @suffix active with @line, and its node at *ret_node (owned). One that is active already is used as it is.
 */
int dm_fs_activate(const struct dm_fs *fs, const char *suffix, const struct dm_line *line, char **ret_node,
		   struct err *err);
bool dm_fs_is_active(const struct dm_fs *fs, const char *suffix);
/* Absent is fine. Who still uses it is waited for; then it goes with its last user where the kernel can do that, else -EBUSY. */
int dm_fs_deactivate(const struct dm_fs *fs, const char *suffix, int wait_ms, struct err *err);
/* Deactivate all but those that @keep wants; nodes too. */
void dm_fs_sweep(const struct dm_fs *fs, bool (*keep)(void *arg, const char *suffix), void *arg);

/* Usage of the mounted @path: used inodes. */
uint64_t dm_fs_inodes(const char *path);

/* The record DIR/device.json of a layer or root file system. */
struct dm_record {
	uint64_t id;	/* thin: the device's number in the pool */
	uint64_t size;	/* thin: bytes of all file systems in the pool; in the base's record alone */
	uint64_t shared;/* thin: sectors that a container's device had in common with its layer when it was first mounted; 0: not yet */
	char *name;	/* snapshot: the device's suffix */
	char *origin;	/* snapshot: id of the file system below it */
};
#define DM_RECORD "device.json"

int dm_record_read(int dirfd, const char *dir, struct dm_record *ret, struct err *err);
/* Safe on the disk before it returns. */
int dm_record_write(int dirfd, const struct dm_record *record, struct err *err);
void dm_record_clear(struct dm_record *record);
DEFINE_AUTO_CLEAR(dm_record_clear, struct dm_record)

#endif
