/*
 * token - inside of image: the proof that a registry wants, by its challenge
 */
#ifndef RUNTIME_IMAGE_TOKEN_H
#define RUNTIME_IMAGE_TOKEN_H

#include "runtime/image/challenge.h"
#include "runtime/image/http.h"

struct proof {
	char *authorization;	/* value of the Authorization header, or NULL: nothing to show */
	int64_t expires_ms;	/* by time_mono_ms(); 0: not known to end */
	char *identity_token;	/* of an OAuth2 server, instead of the password; or NULL */
};

void proof_clear(struct proof *p);

struct token_request {
	const struct registry_settings *settings;
	const struct registry_auth *auth;	/* may be NULL */
	const char *base;			/* the registry: scheme and host */
	bool base_is_here;			/* as in struct http_request */
	const char *repository;			/* to be pulled from; NULL: only to log in */
	const struct strv *challenges;
};

/* Answer the challenge. Without credentials for a basic one the proof is empty, and no error. */
int token_get(const struct token_request *request, struct http *h, struct proof *ret, struct err *err);

#endif
