/*
 * registry_session - inside of image: one repository of one registry, with the right to read it
 *
 * Finds out how the registry is reached (https; http where that is allowed) and what proof it wants (none, basic, a
 * token from its token server), and renews the token when it ends. For any number of threads, each with its own http.
 *
 * Spec: OCI distribution-spec 1.1; docker's token authentication and OAuth2 specifications
 */
#ifndef RUNTIME_IMAGE_REGISTRY_SESSION_H
#define RUNTIME_IMAGE_REGISTRY_SESSION_H

#include "runtime/image/digest.h"
#include "runtime/image/http.h"

struct registry_session;

/* All arguments are borrowed until close. @path NULL: no repository, for registry_login(). */
int registry_session_open(const struct registry_settings *settings, const char *domain, const char *path,
		 const struct registry_auth *auth, const volatile bool *cancel, struct registry_session **ret,
		 struct err *err);
void registry_session_close(struct registry_session *s);
DEFINE_AUTO(registry_session_close, struct registry_session *)

/* By tag or digest. *ret_type: media type (owned). The digest is that of the text; one that was asked for is checked. */
int registry_session_manifest(struct registry_session *s, struct http *h, const char *reference, struct buf *ret, char **ret_type,
		     char ret_digest[DIGEST_SIZE], struct err *err);

/*
 * The blob's bytes from @from to its size @max go to @sink, once each: broken connections are mended. More is an error.
 */
int registry_session_blob(struct registry_session *s, struct http *h, const char *digest, uint64_t from, uint64_t max,
		 http_sink sink, void *arg, struct err *err);

/* After registry_session_open(NULL path): the token that replaces the password, or NULL. Owned. */
char *registry_session_identity_token(struct registry_session *s);

#endif
