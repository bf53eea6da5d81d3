/*
 * aufs - inside of storage: what is said to aufs, for tests on kernels without it
 */
#ifndef RUNTIME_STORAGE_AUFS_H
#define RUNTIME_STORAGE_AUFS_H

#include "compat/base/err.h"
#include "compat/base/vec.h"

#define AUFS_OPTIONS_MAX 4095	/* a page with its NUL */

/*
 * Options that merge @layers (top first) below @upper: the first of @ret is for the mount, each other for a remount that appends what did not
 * fit. ERR_TOO_LARGE when a single path is too long.
 */
int aufs_options(const char *upper, const struct strv *layers, struct strv *ret, struct err *err);
/* Replace overlayfs's whiteouts and opaque marks in the tree @fd by those of aufs. */
int aufs_whiteouts(int fd, struct err *err);

#endif
