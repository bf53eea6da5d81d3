/*
 * reload - what may change while pouchd runs.
 */
#include "runtime/daemon/reload.h"

#include <stdlib.h>
#include <unistd.h>

#include "compat/base/log.h"
#include "compat/base/str.h"
#include "runtime/engine/engine.h"
#include "runtime/image/store.h"

void reload_registry(struct daemon_options *o, struct registry_copy *ret)
{
	pthread_mutex_lock(&o->lock);
	registry_copy_set(ret, &(struct registry_settings){.insecure = &o->insecure_registries, .proxy = o->image_proxy});
	pthread_mutex_unlock(&o->lock);
}

void reload_apply(struct daemon_context *daemon)
{
	AUTO(registry_copy_clear) struct registry_copy registry = {0};

	reload_registry(daemon->options, &registry);
	image_store_set_registry(engine_images(daemon->engine), &registry.settings);
	log_open(STDERR_FILENO, daemon->options->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, "pouchd");
}

void reload_file(struct daemon_context *daemon)
{
	AUTO(strv_clear) struct strv changed = {0}, waiting = {0};
	auto_free char *names = NULL, *later = NULL;
	struct err err = ERR_INIT;

	if (options_reload(daemon->options, &changed, &waiting, &err) < 0) {
		log_error("reload: nothing is changed: %s", err.msg);
		return;
	}
	reload_apply(daemon);
	names = strv_join(&changed, ", ");
	later = strv_join(&waiting, ", ");
	log_info("reload: configuration read again; changed: %s", changed.n ? names : "nothing");
	if (waiting.n)
		log_warn("reload: these wait for the next start of pouchd: %s", later);
}
