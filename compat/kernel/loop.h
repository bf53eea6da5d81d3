/*
 * loop - files as block devices.
 *
 * A device is attached so that it detaches itself with its last user (LO_FLAGS_AUTOCLEAR, since 2.6.25): who holds the fd from
 * loop_attach() until a mount or a device-mapper table uses the device leaves nothing attached, however it dies. /dev/loop-control is not
 * needed, nor are nodes in /dev: those that are missing are made in a directory of the caller's.
 */
#ifndef COMPAT_KERNEL_LOOP_H
#define COMPAT_KERNEL_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"
#include "compat/base/vec.h"

struct loop_file {
	dev_t dev;	/* of the file system it lies on */
	ino_t ino;
};

/*
 * Attach the file @path to a free device.
 *
 * @scratch	directory for a node, where /dev has none; it is removed again
 * @ret_dev	the device's number
 * @ret_fd	of the device; the caller closes it once something else uses the device
 *
 * ERR_UNAVAILABLE when all devices are in use.
 */
int loop_attach(const char *path, bool read_only, const char *scratch, dev_t *ret_dev, int *ret_fd, struct err *err);
/* Take over a new size of the file that device @dev is attached to. Since 2.6.31. */
int loop_refresh(dev_t dev, const char *scratch, struct err *err);
/*
 * Detach every device that is attached to one of @files and does not detach itself: what a process left that was killed between the two
 * system calls which attaching takes on older kernels.
 */
void loop_sweep(const struct loop_file *files, size_t n, const char *scratch);

#endif
