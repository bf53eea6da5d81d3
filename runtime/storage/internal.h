/*
 * internal - inside of storage: what storage.c, layer.c and rootfs.c share
 */
#ifndef RUNTIME_STORAGE_INTERNAL_H
#define RUNTIME_STORAGE_INTERNAL_H

#include <pthread.h>

#include "compat/base/str.h"
#include "runtime/storage/driver.h"

/* The hex of a chain ID, or ERR_INVALID. Borrowed from @chain_id. */
int storage_hex(const char *chain_id, const char **ret, struct err *err);

/* A new directory tmp/NAME, and its fd. */
int storage_tmp_create(struct storage *s, char **ret_name, int *ret_fd, struct err *err);
/* Remove tmp/NAME by the driver. What fails stays for the next open. */
void storage_tmp_discard(struct storage *s, const char *name);
/* Move DIR/NAME to tmp/ and remove it there: it is gone from its place at once. Absent is fine. */
int storage_retire(struct storage *s, const char *dir, const char *name, struct err *err);

/* With the lock held. NULL: unknown. */
struct layer *layer_find(struct storage *s, const char *hex);
void layer_hold(struct layer *layer);
/* The counterpart; takes the lock, and removes what is doomed and no longer used. @layer may be gone after. */
void layer_release(struct storage *s, struct layer *layer);
void layer_free(struct layer *layer);

/* At open: read what is in place, drop what must not be trusted. */
int layers_load(struct storage *s, struct err *err);
int rootfs_load(struct storage *s, struct err *err);

#endif
