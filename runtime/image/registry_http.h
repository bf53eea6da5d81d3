/*
 * registry_http - one HTTP exchange with a registry or with whom it redirects to. Inside of registry_session.
 */
#ifndef RUNTIME_IMAGE_REGISTRY_HTTP_H
#define RUNTIME_IMAGE_REGISTRY_HTTP_H

#include <curl/curl.h>
#include <pthread.h>

#include "runtime/image/registry_session.h"

#define HTTP_URL_MAX	     8192
#define HTTP_REDIRECTS_MAX   10
#define HTTP_HEADER_BYTES    (256 * 1024)
#define HTTP_BODY_MAX	     (1024 * 1024)
#define HTTP_CONNECT_SECONDS 15
#define HTTP_STALL_SECONDS   30

struct registry_session {
	pthread_mutex_t lock;		/* of everything below that changes */
	const struct registry_settings *settings;
	const volatile bool *cancel;
	char *domain, *host, *path;
	char *username, *password, *identity_token, *registry_token;
	char *user_agent;
	char *ca_file, *client_cert, *client_key;	/* of this host; NULL: none */
	bool insecure;			/* may speak http, or show any certificate */
	bool loopback;			/* the registry itself is on this machine: so may be what it redirects to */
	const char *scheme;		/* "https", "http"; NULL: not known yet */
	struct registry_challenge challenge;
	char *token;			/* bearer token, or NULL */
	int64_t token_until_ms;		/* CLOCK_MONOTONIC */
	VEC(CURL *) idle;
};

struct http_request {
	const char *url;
	const char *accept;		/* header: "Accept: ...". NULL: anything */
	const char *authorization;	/* header's value; goes to the first origin only. NULL: none */
	const char *form;		/* POST this; NULL: GET */
	uint64_t from;			/* first byte that is wanted */
	registry_sink_fn sink;		/* takes the body of a 2xx answer */
	void *arg;
};

struct http_response {
	long status;
	char content_type[128];
	char challenges[4096];		/* all WWW-Authenticate headers, with commas between */
	int retry_after_s;		/* 0: none */
	struct buf body;		/* of an answer that is not 2xx, or when there is no sink; cut */
	bool is_transient;		/* when the exchange failed: may go better the next time */
	bool is_tls_refused;		/* the peer does not speak TLS */
};

void http_response_clear(struct http_response *response);
DEFINE_AUTO_CLEAR(http_response_clear, struct http_response)

/*
 * Returns 0 whatever the status is, or an error with response->is_transient. Redirects are followed: only to http and
 * https, from https to http only for insecure registries, and from elsewhere never to an address of this machine.
 */
int http_exchange(struct registry_session *session, const struct http_request *request,
		  struct http_response *response, struct err *err);

bool http_is_canceled(const struct registry_session *session);
void http_sleep(const struct registry_session *session, int64_t ms);	/* ends early when canceled */

#endif
