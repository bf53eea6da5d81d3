/*
 * registry_auth - answers to a registry's challenges. Inside of registry_session.
 *
 * Spec: docker's token authentication and OAuth2 specifications; RFC 7617 for Basic
 */
#ifndef RUNTIME_IMAGE_REGISTRY_AUTH_H
#define RUNTIME_IMAGE_REGISTRY_AUTH_H

#include "runtime/image/registry_http.h"

/*
 * The Authorization header's value for the next request, owned; NULL when the registry has asked for nothing yet or we
 * have nothing to show. A bearer token that runs out is fetched anew.
 */
int registry_authorization(struct registry_session *session, char **ret, struct err *err);

/*
 * The registry said 401 with these challenges. Returns 1 when there is something new to show (ask again), 0 when there
 * is not, or an error of the token server.
 */
int registry_answer_challenge(struct registry_session *session, const char *challenges,
			      struct err *err);

#endif
