/*
 * tls - TLS in front of the plain HTTP server.
 */
#ifndef RUNTIME_DAEMON_TLS_H
#define RUNTIME_DAEMON_TLS_H

#include <stdbool.h>

#include "compat/base/err.h"
#include "compat/base/vec.h"

struct tls;

struct tls_options {
	const char *ca, *cert, *key;	/* PEM files */
	bool verify;			/* clients must show a certificate of @ca */
	const struct strv *allowed;	/* common names that may connect; empty: all that verify */
};

int tls_open(const struct tls_options *options, struct tls **ret, struct err *err);

/*
 * Take the accepted connection @fd (owned), and give the plain end of it. The handshake and everything after run in a
 * thread of their own, which ends with the connection.
 */
int tls_accept(struct tls *tls, int fd, int *ret_plain, struct err *err);

#endif
