/*
 * http - a small HTTP/1.1 client for one connection to the daemon: unix socket, TCP or TLS.
 *
 * Requests go one after the other over a connection that stays open; answers are read as they come. After an upgrade
 * (attach, exec) the connection is a plain two-way stream. libcurl would do all this too, but the start of a program that
 * uses it costs too much: 5.0 ms static and 38 ms dynamic for one GET, where a whole `pouch images` takes 2.3 and 15 ms.
 * pouchd, which talks to registries, uses it.
 *
 * Spec:    RFC 9112
 */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"

struct http;

struct http_tls {
	bool verify;		/* check the daemon's certificate; implies TLS */
	char *ca, *cert, *key;	/* files, PEM */
};

/*
 * @host	"unix:///path", "tcp://name:port", "http://", "https://name:port"; @tls may be NULL
 *
 * ERR_UNAVAILABLE when nobody listens, ERR_FORBIDDEN without permission on the socket; both say what to do.
 */
int http_open(const char *host, const struct http_tls *tls, struct http **ret, struct err *err);
/* The same over a socket that is connected already; it is owned from now on. */
struct http *http_adopt(int fd);
void http_close(struct http *http);
DEFINE_AUTO(http_close, struct http *)

struct http_request {
	const char *method;
	const char *path;		/* without the version prefix, which is added */
	const char *content_type;	/* NULL: no body */
	const void *body;
	size_t body_len;
	bool chunked;			/* the body follows by http_write_chunk() */
	bool upgrade;			/* ask for a raw stream */
	const char *extra;		/* further header lines, each with its CRLF; NULL: none */
	const char *want_header;	/* of the answer, for http_answer.header; kept until that */
};

int http_send(struct http *http, const struct http_request *request, struct err *err);
/* A part of a chunked body; @len 0 ends it. */
int http_write_chunk(struct http *http, const void *data, size_t len, struct err *err);

struct http_answer {
	int status;
	char content_type[128];		/* lower case, without parameters */
	const char *header;		/* value of want_header, or NULL; borrowed until the next request */
	bool upgraded;			/* 101, or 200 with an upgrade asked for: the rest is a raw stream */
};

/* Wait for the head of the answer. */
int http_receive(struct http *http, struct http_answer *ret, struct err *err);
/* The next bytes of the body, 0 at its end. Blocks for at least one byte. */
ssize_t http_read(struct http *http, void *data, size_t len, struct err *err);
/* The rest of the body; over @max is ERR_TOO_LARGE. */
int http_read_all(struct http *http, size_t max, struct buf *ret, struct err *err);

/*
 * The raw stream after an upgrade, without blocking once http_set_nonblock() was called: -EAGAIN when there is nothing or no
 * room. Read returns 0 at the end.
 */
int http_fd(const struct http *http);
bool http_has_pending(const struct http *http);	/* bytes are buffered: poll() would not tell */
int http_set_nonblock(struct http *http);
ssize_t http_raw_read(struct http *http, void *data, size_t len);
ssize_t http_raw_write(struct http *http, const void *data, size_t len);
/* No more comes from us; the other direction stays open. */
void http_shutdown_write(struct http *http);

#endif
