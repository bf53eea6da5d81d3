/*
 * trust - inside of image: which certificates a host may show, and which hosts need none
 */
#ifndef RUNTIME_IMAGE_TRUST_H
#define RUNTIME_IMAGE_TRUST_H

#include <stdbool.h>

#include "compat/base/buf.h"
#include "compat/base/vec.h"
#include "runtime/image/registry.h"

/* What was read for one host; kept while libcurl uses it. */
struct trust {
	char *host;
	struct buf authorities;	/* PEM: the system's and the host's own; empty: the system's file alone */
	char *client_cert, *client_key;	/* paths */
};

void trust_clear(struct trust *t);

/* Set what TLS to @host (with or without port) needs. @curl is a CURL *. */
void trust_apply(struct trust *t, const struct registry_settings *settings, const char *host, void *curl);

/* @host may have a port: "localhost:5000", "[::1]:5000", "127.1.2.3". */
bool trust_is_loopback(const char *host);
/* The same and more that only means something on this machine or its links: unspecified and link-local addresses, "x.localhost". */
bool trust_is_local(const char *host);
/* Is it in the list: as host, host:port, address, or in a network ("10.0.0.0/8")? */
bool trust_is_insecure(const struct strv *list, const char *host);

#endif
