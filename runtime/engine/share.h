/*
 * share - whose shim starts a container that shares namespaces of another, where the kernel cannot join them.
 */
#ifndef RUNTIME_ENGINE_SHARE_H
#define RUNTIME_ENGINE_SHARE_H

#include "runtime/engine/container.h"

struct share {
	struct container *other;	/* referenced; NULL: the kernel joins all that is asked for */
	struct strv kinds;		/* "network", "ipc" */
};

void share_clear(struct share *share);
DEFINE_AUTO_CLEAR(share_clear, struct share)

/*
 * ERR_NOT_FOUND when a container that is named is not there. ERR_UNSUPPORTED where its namespaces cannot be had: pid namespaces, those of two
 * others at once, and the host's beside another container's.
 */
int share_find(struct engine *e, const struct container_record *rec, struct share *ret, struct err *err);

#endif
