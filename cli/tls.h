/*
 * tls - the client's end of a TLS connection over a connected socket.
 */
#ifndef CLI_TLS_H
#define CLI_TLS_H

#include <sys/types.h>

#include "cli/http.h"
#include "compat/base/err.h"

struct tls;

/* @fd is borrowed until tls_free(); @name is the host's, checked against the certificate when @options->verify. */
int tls_connect(int fd, const char *name, const struct http_tls *options, struct tls **ret,
		struct err *err);
void tls_free(struct tls *tls);

/* As read(2) and write(2), with -errno: -EAGAIN on a non-blocking socket, -EPROTO for what TLS refused. */
ssize_t tls_read(struct tls *tls, void *data, size_t len);
ssize_t tls_write(struct tls *tls, const void *data, size_t len);
bool tls_has_pending(const struct tls *tls);
void tls_shutdown(struct tls *tls);

#endif
