/*
 * dm - device-mapper devices, by the ioctls of its control device.
 *
 * No tool or library of LVM is needed, no udev, and no cookie is used: nodes are made by the caller (dm_node()), and who opens a new
 * device for a moment (udev does) is outwaited at its removal.
 *
 * Spec:    linux/dm-ioctl.h; version 4.0.0 is asked for, which every kernel since 2.6.0 grants
 */
#ifndef COMPAT_KERNEL_DM_H
#define COMPAT_KERNEL_DM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"

#define DM_NAME_SIZE 128	/* with its NUL */

/* One line of a table. */
struct dm_line {
	uint64_t start, length;	/* sectors of 512 bytes */
	const char *target;	/* "linear" */
	const char *args;
};

struct dm_state {
	dev_t dev;
	int open_count;
	bool has_table, suspended;
};

/*
 * Open the control device. Where /dev/mapper/control is missing or is not it (no udev), a node is made in the directory @scratch, opened
 * and removed again.
 */
int dm_open(const char *scratch, int *ret_fd, struct err *err);
/* "4.47.0" */
int dm_version(int fd, char ret[32], struct err *err);
/* Is the target there? Tries to have its module loaded. @version may be NULL. */
bool dm_has_target(int fd, const char *target, char version[32]);

/* A device with neither table nor use. ERR_CONFLICT when the name is taken. */
int dm_create(int fd, const char *name, dev_t *ret, struct err *err);
int dm_load(int fd, const char *name, const struct dm_line *line, bool read_only, struct err *err);
/* Make the loaded table the live one, and let I/O through. */
int dm_resume(int fd, const char *name, struct err *err);
/* Hold I/O back until dm_resume(); what is under way is finished before, file systems on it are not asked to. */
int dm_suspend(int fd, const char *name, struct err *err);
/* Create, load and resume; a failure leaves no device. */
int dm_activate(int fd, const char *name, const struct dm_line *line, bool read_only, dev_t *ret, struct err *err);
/*
 * Absent is fine. While somebody has it open it is tried again for @wait_ms; then the kernel is asked to remove it with its last user
 * (*ret_deferred), and where it cannot do that -EBUSY is returned. @ret_deferred NULL: no deferral.
 */
int dm_remove(int fd, const char *name, int wait_ms, bool *ret_deferred, struct err *err);
/* -ENXIO when there is no such device, with kind ERR_NOT_FOUND. */
int dm_state(int fd, const char *name, struct dm_state *ret, struct err *err);
/* The first line's status, or the arguments of its table. */
int dm_status(int fd, const char *name, bool table, struct buf *ret, struct err *err);
/* Names of all devices that begin with @prefix. */
int dm_list(int fd, const char *prefix, struct strv *ret, struct err *err);
int dm_message(int fd, const char *name, const char *message, struct err *err);

/* A block device node at @path, replaced where another is there. */
int dm_node(const char *path, dev_t dev, struct err *err);

/* ---- the buffer of one ioctl: for tests ---- */

/*
 * A request for @name (NULL: none) with @line (NULL: none) or @message (NULL: none) behind the header, and room for an answer of @room
 * bytes at least. Too long a name is ERR_INVALID.
 */
int dm_pack(struct buf *ret, const char *name, uint32_t flags, const struct dm_line *line, const char *message,
	    size_t room, struct err *err);

#endif
