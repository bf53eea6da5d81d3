/*
 * dm_pool - inside of storage: the pool that thin devices take their blocks from
 *
 * On two devices of the administrator's choice, or on the files "data" (sparse) and "metadata" (allocated, so that a full disk cannot break
 * it) in the driver's directory. The files grow when 80 % is in use. The pool stays active while anybody uses it, whether the daemon
 * lives or not.
 */
#ifndef RUNTIME_STORAGE_DM_POOL_H
#define RUNTIME_STORAGE_DM_POOL_H

#include <pthread.h>

#include "runtime/storage/dm_fs.h"

#define DM_POOL_SUFFIX "pool"

struct dm_pool {
	struct dm_fs fs;
	char *data_device, *metadata_device;	/* as configured; NULL: the files */
	uint64_t data_size, metadata_size;	/* of new files */
	pthread_mutex_t lock;			/* numbers, growth */
	uint64_t next_id;
	int warned;				/* enum of dm_pool.c: told once */
};

/* The kernel's words on a pool. */
struct dm_pool_status {
	uint64_t metadata_used, metadata_total;	/* blocks of 4 KiB */
	uint64_t data_used, data_total;		/* blocks of DM_POOL_BLOCK sectors */
	bool failed, read_only, out_of_data, needs_check;
};
#define DM_POOL_BLOCK 128

/* "1 167/4096 43/1024 - rw discard_passdown error_if_no_space - 1024"; older kernels say less. -EINVAL: it is something else. */
int dm_pool_parse(const char *status, struct dm_pool_status *ret);
/* "7:0 7:1 128 16384 2 skip_block_zeroing error_if_no_space" */
int dm_pool_line(char args[120], dev_t metadata, dev_t data, uint64_t low_water, bool may_fail);

/*
 * Have it active. Its metadata is checked before, where thin_check is installed. ERR_UNAVAILABLE when it is damaged, with what to do.
 */
int dm_pool_open(struct storage *s, struct dm_pool *p, struct err *err);
/* Give it back if no thin device is active. */
void dm_pool_release(struct dm_pool *p);
int dm_pool_status(const struct dm_pool *p, struct dm_pool_status *ret, struct err *err);
/* Is it fit for a new device? Grows it when it is nearly full. ERR_NO_SPACE, ERR_UNAVAILABLE. */
int dm_pool_check(struct storage *s, struct dm_pool *p, struct err *err);
/* Look after it: grow it, and tell the administrator what he must know. */
void dm_pool_watch(struct storage *s, struct dm_pool *p);

uint64_t dm_pool_next_id(struct dm_pool *p);
/* @origin 0: an empty device. The origin must not be written to meanwhile. -EEXIST: there is one of that number. */
int dm_pool_create(const struct dm_pool *p, uint64_t id, uint64_t origin, struct err *err);
/* Absent is fine. */
int dm_pool_delete(const struct dm_pool *p, uint64_t id, struct err *err);
/* Activate device @id, see dm_fs_activate(). */
int dm_pool_activate(const struct dm_pool *p, uint64_t id, char **ret_node, struct err *err);
/* "t17", in @ret */
const char *dm_pool_suffix(uint64_t id, char ret[DM_FS_NAME_MAX]);
/* Sectors that the active device @id has, its own and those it shares. */
int dm_pool_mapped(const struct dm_pool *p, uint64_t id, uint64_t *ret_sectors);

/* The probe of the driver: makes a small pool in @dir, and takes it down. */
struct fit dm_pool_probe(int control, const char *dir);

#endif
