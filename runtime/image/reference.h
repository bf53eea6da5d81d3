/*
 * reference - what people call images: "busybox", "quay.io/a/b:1", "busybox@sha256:...".
 *
 * A name without a registry is completed from the defaults, as docker does: "busybox" is docker.io/library/busybox, and
 * "a/b" is docker.io/a/b. The first component is a registry when it has a dot, a colon or capitals, or is "localhost".
 * Docker Hub has many names (docker.io, index.docker.io, registry-1.docker.io, registry.hub.docker.com): all are kept
 * as docker.io, so that they name one image.
 *
 * Spec: the grammar of the distribution project's reference package; OCI distribution-spec 1.1, pulling manifests
 */
#ifndef RUNTIME_IMAGE_REFERENCE_H
#define RUNTIME_IMAGE_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "compat/base/err.h"
#include "runtime/image/digest.h"

#define REFERENCE_NAME_MAX 255	/* registry + "/" + repository */
#define REFERENCE_TAG_MAX  128
#define REFERENCE_SIZE	   (REFERENCE_NAME_MAX + 1 + REFERENCE_TAG_MAX + 1 + DIGEST_SIZE)

struct reference {
	char domain[REFERENCE_NAME_MAX + 1];	/* "docker.io", "localhost:5000" */
	char path[REFERENCE_NAME_MAX + 1];	/* "library/busybox" */
	char tag[REFERENCE_TAG_MAX + 1];	/* "" when none was given */
	char digest[DIGEST_SIZE];		/* "" when none was given */
};

/* What an incomplete name means. NULL or "" members stand for Docker Hub and "library". */
struct reference_defaults {
	const char *registry;		/* --default-registry */
	const char *registry_namespace;	/* --default-registry-namespace */
};

/* @defaults may be NULL. Neither tag nor digest is added: see reference_complete(). ERR_INVALID. */
int reference_parse(const char *text, const struct reference_defaults *defaults,
		    struct reference *ret, struct err *err);

/* "latest", when there is neither tag nor digest. */
void reference_complete(struct reference *ref);

bool reference_is_same_name(const struct reference *a, const struct reference *b);

/* "docker.io/library/busybox" */
void reference_name(const struct reference *ref, char ret[REFERENCE_SIZE]);
/* "docker.io/library/busybox:1.36", "...@sha256:...", or both */
void reference_string(const struct reference *ref, char ret[REFERENCE_SIZE]);
/* The shortest text that parses back to @ref with the same defaults: "busybox:1.36". What is shown to people. */
void reference_familiar(const struct reference *ref, const struct reference_defaults *defaults,
			char ret[REFERENCE_SIZE]);

/* The host (with port) that serves @domain: registry-1.docker.io for docker.io. Borrowed. */
const char *reference_host(const char *domain);

/* A registry as people write it for login and --insecure-registries: Docker Hub's names become docker.io. */
int reference_domain(const char *text, char ret[REFERENCE_NAME_MAX + 1], struct err *err);

#endif
