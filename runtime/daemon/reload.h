/*
 * reload - what may change while pouchd runs: by SIGHUP from the configuration file, by POST /daemon/update.
 */
#ifndef RUNTIME_DAEMON_RELOAD_H
#define RUNTIME_DAEMON_RELOAD_H

#include "runtime/daemon/server.h"
#include "runtime/image/registry.h"

/*
 * Read the configuration file again. The log says what changed, what waits for the next start, or why nothing was taken over.
 */
void reload_file(struct daemon_context *daemon);

/* The options changed: hand them on to those who keep a copy. */
void reload_apply(struct daemon_context *daemon);

/* How registries are reached now. @ret: as registry_copy_set() wants it. */
void reload_registry(struct daemon_options *o, struct registry_copy *ret);

#endif
