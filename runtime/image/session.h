/*
 * session - inside of image: one repository of one registry, with the right to read it
 *
 * Finds out how the registry is reached (https; http where that is allowed) and what proof it wants (none, basic, a
 * token from its token server), and renews the token when it ends. For any number of threads, each with its own http.
 *
 * Spec: OCI distribution-spec 1.1; docker's token authentication and OAuth2 specifications
 */
#ifndef RUNTIME_IMAGE_SESSION_H
#define RUNTIME_IMAGE_SESSION_H

#include "runtime/image/digest.h"
#include "runtime/image/http.h"

struct session;

/* All arguments are borrowed until close. @path NULL: no repository, for registry_login(). */
int session_open(const struct registry_settings *settings, const char *domain, const char *path,
		 const struct registry_auth *auth, const volatile bool *cancel, struct session **ret,
		 struct err *err);
void session_close(struct session *s);
DEFINE_AUTO(session_close, struct session *)

/* By tag or digest. *ret_type: media type (owned). The digest is that of the text; one that was asked for is checked. */
int session_manifest(struct session *s, struct http *h, const char *reference, struct buf *ret, char **ret_type,
		     char ret_digest[DIGEST_SIZE], struct err *err);

/*
 * The blob's bytes from @from to its size @max go to @sink, once each: broken connections are mended. More is an error.
 */
int session_blob(struct session *s, struct http *h, const char *digest, uint64_t from, uint64_t max,
		 http_sink sink, void *arg, struct err *err);

/* After session_open(NULL path): the token that replaces the password, or NULL. Owned. */
char *session_identity_token(struct session *s);

#endif
