/*
 * manifest - inside of image: manifests and indexes, docker's (schema 2) and OCI's
 *
 * Spec: OCI image-spec 1.1, manifest.md, image-index.md, descriptor.md; docker image manifest version 2, schema 2
 */
#ifndef RUNTIME_IMAGE_MANIFEST_H
#define RUNTIME_IMAGE_MANIFEST_H

#include "compat/base/json.h"
#include "runtime/image/platform.h"

#define MEDIA_OCI_INDEX	       "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST     "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_OCI_CONFIG       "application/vnd.oci.image.config.v1+json"
#define MEDIA_OCI_LAYER	       "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_DOCKER_LIST      "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST  "application/vnd.docker.distribution.manifest.v2+json"

struct descriptor_platform {
	char *architecture, *os, *os_version, *variant;
};

struct descriptor {
	char *media_type;
	char *digest;
	int64_t size;
	struct descriptor_platform *platform;	/* NULL when not said */
	struct strmap annotations;
};

struct manifest {
	int schema_version;
	char *media_type;	/* may be NULL: OCI leaves it to the header */
	struct descriptor config;
	VEC(struct descriptor) layers;
	VEC(struct descriptor) manifests;
	bool is_index;
};

/*
 * @media_type	as the server or a descriptor said, or NULL
 *
 * Digests are valid and sizes not negative afterwards; an image's config and layers are of kinds that we know.
 * ERR_INVALID, ERR_UNSUPPORTED (schema 1, artifacts that are no images, encrypted layers).
 */
int manifest_parse(const void *text, size_t len, const char *media_type, struct manifest *ret, struct err *err);
void manifest_clear(struct manifest *m);
DEFINE_AUTO_CLEAR(manifest_clear, struct manifest)

/* The member of an index that suits @wanted best. ERR_NOT_FOUND names what there is. */
int manifest_pick(const struct manifest *index, const struct platform *wanted,
		  const struct descriptor **ret, struct err *err);

#endif
