/*
 * dm_snapshot - inside of storage: what the driver says to the kernel, and reads of it; for tests
 */
#ifndef RUNTIME_STORAGE_DM_SNAPSHOT_H
#define RUNTIME_STORAGE_DM_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"

/* A file of this size takes all changes that can be made to a device of @origin_bytes. */
uint64_t dm_snapshot_cow_size(uint64_t origin_bytes);
/* Arguments of the target: persistent, with our chunk size. */
int dm_snapshot_line(char args[80], dev_t origin, dev_t cow);
bool dm_snapshot_is_invalid(const char *status);
/* "528/20480 16" (2.6.32: "528/20480"): bytes that were changed. -EINVAL: the status says something else. */
int dm_snapshot_allocated(const char *status, uint64_t *ret_bytes);
/* Take back the kernel's note, in the file's header, that the snapshot is invalid. */
int dm_snapshot_heal(int fd, bool *ret_healed, struct err *err);

#endif
