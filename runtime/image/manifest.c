/*
 * manifest - manifests and indexes
 */
#include "runtime/image/manifest.h"

#include <string.h>

#include "compat/base/str.h"
#include "runtime/image/digest.h"
#include "runtime/image/internal.h"

#define P struct descriptor_platform

static const struct json_field platform_fields[] = {
	JSON_FIELD(P, architecture, "architecture", JSON_STR, 0),
	JSON_FIELD(P, os, "os", JSON_STR, 0),
	JSON_FIELD(P, os_version, "os.version", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(P, variant, "variant", JSON_STR, JSON_OMIT_EMPTY),
};
static const struct json_table platform_table = JSON_TABLE("platform", P, platform_fields);

#define D struct descriptor

static const struct json_field descriptor_fields[] = {
	JSON_FIELD(D, media_type, "mediaType", JSON_STR, 0),
	JSON_FIELD(D, digest, "digest", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(D, size, "size", JSON_I64, JSON_REQUIRED),
	JSON_SUB(D, platform, "platform", JSON_OBJP, JSON_OMIT_EMPTY, &platform_table),
	JSON_FIELD(D, annotations, "annotations", JSON_STRMAP, JSON_OMIT_EMPTY),
};
static const struct json_table descriptor_table = JSON_TABLE("descriptor", D, descriptor_fields);

#define M struct manifest

static const struct json_field manifest_fields[] = {
	JSON_FIELD(M, schema_version, "schemaVersion", JSON_I32, JSON_REQUIRED),
	JSON_FIELD(M, media_type, "mediaType", JSON_STR, 0),
	JSON_SUB(M, config, "config", JSON_OBJ, JSON_OMIT_EMPTY, &descriptor_table),
	JSON_SUB(M, layers, "layers", JSON_VEC, JSON_OMIT_EMPTY, &descriptor_table),
	JSON_SUB(M, manifests, "manifests", JSON_VEC, JSON_OMIT_EMPTY, &descriptor_table),
};
static const struct json_table manifest_table = JSON_TABLE("manifest", M, manifest_fields);

static const char *const config_types[] = {
	MEDIA_OCI_CONFIG, "application/vnd.docker.container.image.v1+json"};

/* How a layer is packed is seen by its first bytes: what people say here is often wrong. */
static const char *const layer_types[] = {
	MEDIA_OCI_LAYER, "application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.docker.image.rootfs.diff.tar", "application/vnd.docker.image.rootfs.foreign.diff.tar"};

static const char *const packings[] = {"", "+gzip", "+zstd", ".gzip", ".zstd"};

static bool is_config(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(config_types); i++) {
		if (str_eq(type, config_types[i]))
			return true;
	}
	return false;
}

static bool is_layer(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(layer_types); i++) {
		const char *rest = type ? str_skip(type, layer_types[i]) : NULL;

		for (size_t j = 0; rest && j < ARRAY_SIZE(packings); j++) {
			if (strcmp(rest, packings[j]) == 0)
				return true;
		}
	}
	return false;
}

static int check_descriptor(const struct descriptor *d, const char *what, struct err *err)
{
	int rc = digest_check(d->digest, what, err);

	if (rc < 0)
		return rc;
	if (d->size < 0)
		return err_set(err, ERR_INVALID, "manifest: %s has a negative size", what);
	return 0;
}

static int check_image(const struct manifest *m, struct err *err)
{
	int rc = check_descriptor(&m->config, "config digest", err);

	if (rc < 0)
		return rc;
	if (!is_config(m->config.media_type))
		return err_set(err, ERR_UNSUPPORTED, "this is not a container image but '%.100s'",
			       m->config.media_type ? m->config.media_type : "?");
	if (m->config.size > CONFIG_MAX)
		return err_set(err, ERR_TOO_LARGE, "the image configuration is over %d bytes", CONFIG_MAX);
	if (m->layers.n > IMAGE_LAYERS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the image has %zu layers, %d are supported", m->layers.n,
			       IMAGE_LAYERS_MAX);
	VEC_EACH(l, &m->layers) {
		rc = check_descriptor(l, "layer digest", err);
		if (rc < 0)
			return rc;
		if (!is_layer(l->media_type))
			return err_set(err, ERR_UNSUPPORTED, "layer %.12s is of the unknown kind '%.100s'",
				       digest_hex(l->digest), l->media_type ? l->media_type : "?");
	}
	return 0;
}

static int check_index(const struct manifest *m, struct err *err)
{
	VEC_EACH(d, &m->manifests) {
		int rc = check_descriptor(d, "manifest digest", err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check(struct manifest *m, const char *media_type, struct err *err)
{
	const char *type = str_empty(m->media_type) ? media_type : m->media_type;

	if (m->schema_version == 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "the manifest is of the withdrawn schema 1: push the image again with a current docker");
	if (m->schema_version != 2)
		return err_set(err, ERR_UNSUPPORTED, "the manifest is of the unknown schema %d",
			       m->schema_version);
	m->is_index = str_eq(type, MEDIA_OCI_INDEX) || str_eq(type, MEDIA_DOCKER_LIST) ||
		      (!m->config.digest && m->manifests.n);
	/* One that reads as both could be taken for either by others. */
	if (m->manifests.n && (m->config.digest || m->layers.n))
		return err_set(err, ERR_INVALID, "the manifest is an image and an index at once");
	return m->is_index ? check_index(m, err) : check_image(m, err);
}

int manifest_parse(const void *text, size_t len, const char *media_type, struct manifest *ret, struct err *err)
{
	struct manifest m = {0};
	int rc;

	if (len > MANIFEST_MAX)
		return err_set(err, ERR_TOO_LARGE, "the manifest is over %d bytes", MANIFEST_MAX);
	rc = json_parse(&manifest_table, text, len, 0, "manifest", &m, err);
	if (rc == 0)
		rc = check(&m, media_type, err);
	if (rc < 0) {
		manifest_clear(&m);
		return rc;
	}
	*ret = m;
	return 0;
}

void manifest_clear(struct manifest *m)
{
	json_clear(&manifest_table, m);
	m->is_index = false;
}

int manifest_pick(const struct manifest *index, const struct platform *wanted,
		  const struct descriptor **ret, struct err *err)
{
	AUTO(buf_clear) struct buf there = BUF_INIT;
	const struct descriptor *best = NULL;
	char text[100];
	int best_fit = 0;

	VEC_EACH(d, &index->manifests) {
		const struct descriptor_platform *p = d->platform;
		int f;

		if (!p)
			continue;
		f = platform_fit(wanted, p->os, p->architecture, p->variant);
		if (f > best_fit) {
			best_fit = f;
			best = d;
		}
		if (!str_eq(p->os, "unknown") && there.len < 200)
			buf_fmt(&there, "%s%.20s/%.20s%s%.20s", there.len ? ", " : "", p->os ? p->os : "?",
				p->architecture ? p->architecture : "?", str_empty(p->variant) ? "" : "/",
				p->variant ? p->variant : "");
	}
	/* An index of one that does not say what it is for. */
	if (!best && index->manifests.n == 1 && !index->manifests.v[0].platform)
		best = &index->manifests.v[0];
	if (!best) {
		platform_print(wanted, text);
		return err_set(err, ERR_NOT_FOUND, "there is no image for %s, only for: %s", text,
			       there.len && str_is_printable(there.data) ? there.data : "none");
	}
	*ret = best;
	return 0;
}
