/*
 * images - the image store, connected to the storage driver.
 */
#include "runtime/engine/images.h"

#include <errno.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/engine/internal.h"

static bool layer_has(void *arg, const char *chain_id)
{
	return storage_layer_exists(arg, chain_id);
}

static int layer_begin(void *arg, const char *parent, struct image_layer_dir *ret, struct err *err)
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

static int layer_commit(void *arg, void *writer, const char *chain_id, const char *parent, struct err *err)
{
	return storage_layer_commit(arg, writer, chain_id, parent, err);
}

static void layer_abort(void *arg, void *writer)
{
	storage_layer_abort(arg, writer);
}

static int layer_remove(void *arg, const char *chain_id, struct err *err)
{
	return storage_layer_remove(arg, chain_id, err);
}

static int layer_list(void *arg, struct strv *ret, struct err *err)
{
	return storage_layer_list(arg, ret, err);
}

static int layer_sync(void *arg, struct err *err)
{
	return storage_sync(arg, err);
}

int images_open(struct engine *e, struct err *err)
{
	const struct image_layers layers = {
		.arg = e->storage,
		.independent = storage_layers_are_independent(e->storage),
		.has = layer_has,
		.begin = layer_begin,
		.commit = layer_commit,
		.abort = layer_abort,
		.remove = layer_remove,
		.list = layer_list,
		.sync = layer_sync,
	};
	const struct reference_defaults defaults = {e->options.default_registry, e->options.default_registry_namespace};
	const struct registry_settings registry = {.insecure = e->options.insecure_registries, .proxy = e->options.image_proxy};
	const struct image_store_options options = {
		.home = e->home,
		.layers = &layers,
		.defaults = &defaults,
		.registry = &registry,
	};

	return image_store_open(&options, &e->images, err);
}

int engine_image_use(void *engine, const char *image_id, char **ret_container)
{
	struct engine *e = engine;
	AUTO(container_vec_clear) container_vec all = {0};
	int use = IMAGE_UNUSED;

	table_all(e, &all);
	VEC_EACH(p, &all) {
		bool uses, running;

		pthread_mutex_lock(&(*p)->lock);
		uses = str_eq((*p)->rec.image_id, image_id);
		running = (*p)->rec.state.running;
		pthread_mutex_unlock(&(*p)->lock);
		if (!uses || (use == IMAGE_USED_BY_STOPPED && !running))
			continue;
		use = running ? IMAGE_USED_BY_RUNNING : IMAGE_USED_BY_STOPPED;
		str_set(ret_container, (*p)->id);
		if (running)
			break;
	}
	return use;
}

size_t engine_image_users(struct engine *e, const char *image_id)
{
	AUTO(container_vec_clear) container_vec all = {0};
	size_t n = 0;

	table_all(e, &all);
	VEC_EACH(p, &all) {
		pthread_mutex_lock(&(*p)->lock);
		n += str_eq((*p)->rec.image_id, image_id);
		pthread_mutex_unlock(&(*p)->lock);
	}
	return n;
}

void engine_image_driver(struct engine *e, const struct image *image, struct api_driver_data *ret)
{
	str_set(&ret->name, storage_name(e->storage));
	if (image_top(image))
		(void)storage_layer_info(e->storage, image_top(image), &ret->data, &ERR_INIT);	/* shown without, then */
}
