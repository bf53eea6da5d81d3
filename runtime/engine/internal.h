/*
 * internal - what one engine consists of; for this folder only.
 */
#ifndef RUNTIME_ENGINE_INTERNAL_H
#define RUNTIME_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/engine/container.h"
#include "runtime/engine/engine.h"
#include "runtime/image/registry.h"
#include "runtime/image/store.h"
#include "runtime/net/net.h"
#include "runtime/storage/storage.h"
#include "runtime/volume/volume.h"

struct engine {
	struct engine_options options;
	char *home, *exec_root;
	int home_lock;			/* flock of one daemon */
	char boot_id[37];

	struct storage *storage;
	struct image_store *images;
	struct net *net;
	struct volume_store *volumes;
	struct events *events;
	struct monitor *monitor;
	struct exec_table *execs;

	pthread_mutex_t table_lock;
	container_vec containers;	/* oldest first */

	atomic_size_t list_bytes;	/* of the longest list so far: what to make room for */
	atomic_bool stopping;
	bool can_lower_oom_score;
};

void engine_warn(struct engine *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
