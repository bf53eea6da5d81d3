/*
 * http - inside of image: requests to registries, token servers and what they redirect to
 *
 * Redirects are followed by hand: to http and https only, from https to http never (but for hosts that are insecure by
 * configuration), at most ten, and credentials go only to the host that they are for. No peer leads to
 * services of this machine or its links, but for a registry that was asked for by an address of loopback.
 *
 * Whatever a peer does ends: it is given up when it sends fewer than 1 KiB/s for a time, and a body that is kept has to come
 * within five such times; of an error's body only the beginning is read.
 */
#ifndef RUNTIME_IMAGE_HTTP_H
#define RUNTIME_IMAGE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"
#include "runtime/image/registry.h"

/* A connection or two; for one thread at a time. */
struct http;

struct http *http_new(const struct registry_settings *settings, const volatile bool *cancel);
void http_free(struct http *h);
DEFINE_AUTO(http_free, struct http *)

typedef int (*http_sink)(void *arg, const void *data, size_t len, struct err *err);

struct http_request {
	const char *url;
	const char *authorization;	/* the header's value, for this url's host alone; NULL: none */
	const char *const *accept;	/* NULL-terminated, or NULL */
	const char *post;		/* form to send; NULL: GET */
	const char *base;		/* the registry on whose word this url is asked; NULL: it was not named by a peer */
	bool base_is_here;		/* is_here of its first answer */
	uint64_t from;			/* ask for the bytes from here on */
	uint64_t body_max;		/* of the body that is kept (errors are, whatever the sink) */
	http_sink sink;			/* takes the body of a 2xx answer; NULL: it is kept */
	void *arg;
};

struct http_response {
	long status;
	bool is_here;			/* url's host answered from an address of this machine */
	struct strv challenges;		/* WWW-Authenticate */
	char *content_type;		/* without parameters */
	char *content_digest;		/* Docker-Content-Digest */
	uint64_t from;			/* the body begins here: 0 when a range was asked for and not given */
	int retry_after_s;		/* 0: not said */
	struct buf body;
};

void http_response_clear(struct http_response *r);
DEFINE_AUTO_CLEAR(http_response_clear, struct http_response)

/*
 * One exchange. Any status is success here. ERR_UNAVAILABLE: no connection, or it broke (worth another try; *ret_tls, may
 * be NULL, tells that the peer does not speak TLS), ERR_INVALID: a redirect that is refused, a certificate that is not
 * trusted, a way that is refused; ERR_CANCELED; ERR_TOO_LARGE; the sink's own failure.
 */
int http_do(struct http *h, const struct http_request *request, struct http_response *ret, bool *ret_tls,
	    struct err *err);

/* May @host (with or without port) speak plain http, or show any certificate? Loopback may. */
bool http_may_be_insecure(const struct registry_settings *settings, const char *host);

/* For URLs and forms; owned. */
char *http_escape(const char *s);

#endif
