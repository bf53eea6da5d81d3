/*
 * registry - a registry on the network: who we are to it, how it is reached, and whether it lets us in.
 *
 * Spec: OCI distribution-spec 1.1; docker's token authentication specification
 */
#ifndef RUNTIME_IMAGE_REGISTRY_H
#define RUNTIME_IMAGE_REGISTRY_H

#include <stdbool.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"

/* Credentials as docker's X-Registry-Auth header has them; every member may be NULL. Borrowed. */
struct registry_auth {
	const char *username, *password;
	const char *identity_token;	/* an OAuth2 refresh token instead of a password */
	const char *registry_token;	/* a bearer token that is sent as it is */
};

/* How registries are reached: the same for all pulls that begin at one time. Borrowed. */
struct registry_settings {
	const struct strv *insecure;	/* --insecure-registries: hosts or networks that may speak http or show any certificate */
	const char *proxy;		/* --image-proxy: URL; NULL: the environment's (http_proxy, https_proxy, no_proxy) */
	const char *ca_file;		/* PEM, beside the system's; NULL: none */
	const char *certs_dir;		/* HOST/ca.crt, client.cert, client.key below it, as docker's; NULL: /etc/docker/certs.d */
	const char *user_agent;		/* NULL: "pouch" and the version */
	unsigned int patience_s;	/* a peer that hardly sends anything for so long is given up; 0: 60 */
};

/* Settings with all that they point to. Zeroed at first; it is not moved, as .settings points into it. */
struct registry_copy {
	struct registry_settings settings;
	struct strv insecure;
	char *proxy, *ca_file, *certs_dir, *user_agent;
};

/* @from NULL: no settings. It must not be of @copy itself. */
void registry_copy_set(struct registry_copy *copy, const struct registry_settings *from);
void registry_copy_clear(struct registry_copy *copy);
DEFINE_AUTO_CLEAR(registry_copy_clear, struct registry_copy)

/*
 * Try credentials: GET /v2/ of @domain ("docker.io", "localhost:5000") with them. ERR_UNAUTHORIZED when they are wrong,
 * ERR_UNAVAILABLE when nobody answers. @ret_identity_token (owned) is what to store instead of the password, or NULL.
 */
int registry_login(const struct registry_settings *settings, const char *domain,
		   const struct registry_auth *auth, char **ret_identity_token, struct err *err);

#endif
