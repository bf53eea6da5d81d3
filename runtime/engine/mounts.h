/*
 * mounts - what a container sees of volumes, binds and temporary file systems.
 */
#ifndef RUNTIME_ENGINE_MOUNTS_H
#define RUNTIME_ENGINE_MOUNTS_H

#include "runtime/engine/container.h"

/*
 * Fill rec.mounts from --volumes-from, binds, mounts, tmpfs and the volumes of configuration and image, the later never
 * replacing what the user said. Named and anonymous volumes are made and referred to; a failure gives them back.
 */
int mounts_plan(struct engine *e, struct container *c, struct err *err);
/* Give the volumes back; with @remove_anonymous those without a name go too. Best effort: returns the first failure. */
int mounts_release(struct engine *e, struct container *c, bool remove_anonymous, struct err *err);
/* Before a start: make missing bind sources, fill new volumes from the image, label. */
int mounts_prepare(struct engine *e, struct container *c, const char *rootfs, struct err *err);
/* Parents before children, whatever the order on the command line. rec->mounts.n of them; the array is owned. */
const struct mount_record **mounts_in_order(const struct container_record *rec);
/* For inspect and list. */
void mounts_show(const struct container_record *rec, struct api_mount_point **ret, size_t *ret_n);

#endif
