/*
 * image_home - an image store on a storage driver, connected as the engine does
 */
#ifndef TESTS_UNIT_IMAGE_HOME_H
#define TESTS_UNIT_IMAGE_HOME_H

#include "runtime/image/store.h"
#include "runtime/storage/storage.h"

static bool home_has(void *arg, const char *chain_id)
{
	return storage_layer_exists(arg, chain_id);
}

static int home_begin(void *arg, const char *parent, struct image_layer_dir *ret, struct err *err)
{
	struct layer_writer *w;
	int rc = storage_layer_begin(arg, parent, &w, err);

	if (rc < 0)
		return rc;
	ret->writer = w;
	ret->fd = layer_writer_fd(w);
	ret->overlay_whiteouts = layer_writer_whiteouts(w) == LAYER_WHITEOUTS_OVERLAY;
	return 0;
}

static int home_commit(void *arg, void *writer, const char *chain_id, const char *parent, struct err *err)
{
	return storage_layer_commit(arg, writer, chain_id, parent, err);
}

static void home_abort(void *arg, void *writer)
{
	storage_layer_abort(arg, writer);
}

static int home_remove(void *arg, const char *chain_id, struct err *err)
{
	return storage_layer_remove(arg, chain_id, err);
}

static int home_list(void *arg, struct strv *ret, struct err *err)
{
	return storage_layer_list(arg, ret, err);
}

static int home_sync(void *arg, struct err *err)
{
	return storage_sync(arg, err);
}

/* @o: home and what else is wanted; layers are set here. */
static int home_open(struct image_store_options *o, const char *driver, struct storage **ret_storage,
		     struct image_store **ret_store, struct err *err)
{
	static struct image_layers layers;
	struct storage *s = NULL;
	int rc = storage_open(&(struct storage_options){.home = o->home, .driver = driver}, &s, err);

	if (rc < 0)
		return rc;
	layers = (struct image_layers){
		.arg = s,
		.independent = storage_layers_are_independent(s),
		.has = home_has,
		.begin = home_begin,
		.commit = home_commit,
		.abort = home_abort,
		.remove = home_remove,
		.list = home_list,
		.sync = home_sync,
	};
	o->layers = &layers;
	rc = image_store_open(o, ret_store, err);
	if (rc < 0) {
		storage_close(s);
		return rc;
	}
	*ret_storage = s;
	return 0;
}

#endif
