/*
 * server - sockets, connections, and what one daemon consists of.
 *
 * libmicrohttpd with a thread a connection. Unix and TCP sockets are ours and handed to it; TLS connections are decrypted by
 * a thread of their own into a socket pair whose other end is handed to it, so that an upgraded connection is always a
 * plain socket that can be passed on to a shim.
 */
#ifndef RUNTIME_DAEMON_SERVER_H
#define RUNTIME_DAEMON_SERVER_H

#include <stdbool.h>
#include <sys/types.h>

#include "compat/base/err.h"
#include "runtime/daemon/options.h"

struct engine;
struct server;

/* What every handler may look at. */
struct daemon_context {
	struct engine *engine;
	struct daemon_options *options;	/* labels and proxy change under its lock */
};

/*
 * Open every listening address of the options; the error names the first that cannot be had. Unix sockets get mode 0660 and
 * group "pouch" where that group exists, else root's.
 */
int server_open(struct daemon_context *daemon, struct server **ret, struct err *err);
/* Serve what has been opened; returns at once. */
int server_start(struct server *server, struct err *err);
/* Accept no more, wait at most @ms for answers that are being made, remove the unix sockets. */
void server_stop(struct server *server, int ms);

#endif
