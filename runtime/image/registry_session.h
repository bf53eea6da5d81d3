/*
 * registry_session - talking to one repository of one registry.
 *
 * Finds out how the registry is reached (https, or http where that is allowed), answers its challenges (basic, bearer,
 * with refresh), follows redirects without carrying credentials to other hosts, tries again and resumes where it broke
 * off. All calls may be made from several threads at once: each works on a connection of its own, which is kept for the
 * next call.
 *
 * Spec: OCI distribution-spec 1.1, pull; docker's token authentication specification; RFC 7233 for ranges
 */
#ifndef RUNTIME_IMAGE_REGISTRY_SESSION_H
#define RUNTIME_IMAGE_REGISTRY_SESSION_H

#include <stdint.h>

#include "compat/base/buf.h"
#include "runtime/image/reference.h"
#include "runtime/image/registry.h"

#define REGISTRY_MANIFEST_MAX (4 << 20)	/* bytes; what docker's registry takes at most */

struct registry_session;

struct registry_session_options {
	const struct registry_settings *settings;	/* NULL: defaults. Kept until close */
	const char *domain, *path;			/* of the reference; copied */
	const struct registry_auth *auth;		/* NULL: anonymous. Copied */
	const volatile bool *cancel;			/* kept; NULL: never */
};

/* Nothing is sent yet. ERR_INVALID for a proxy or certificate directory that cannot be. */
int registry_session_open(const struct registry_session_options *options,
			  struct registry_session **ret, struct err *err);
void registry_session_close(struct registry_session *session);
DEFINE_AUTO(registry_session_close, struct registry_session *)

struct registry_manifest {
	struct buf body;
	char media_type[128];		/* of the answer, without parameters; "" when it named none */
	char digest[DIGEST_SIZE];	/* of body, as computed here */
};

void registry_manifest_clear(struct registry_manifest *manifest);
DEFINE_AUTO_CLEAR(registry_manifest_clear, struct registry_manifest)

/*
 * GET the manifest or index that @name, a tag or a digest, stands for. A digest is verified (ERR_INVALID).
 *
 * ERR_NOT_FOUND, ERR_UNAUTHORIZED, ERR_UNAVAILABLE (after the retries), ERR_INVALID, ERR_CANCELED.
 */
int registry_manifest_get(struct registry_session *session, const char *name,
			  struct registry_manifest *ret, struct err *err);

/* Takes the next bytes of a blob. A negative return (with err) ends the transfer and is not tried again. */
typedef int (*registry_sink_fn)(void *arg, const void *data, size_t len, struct err *err);

/*
 * Stream the bytes of a blob from @offset to its end into @sink. A broken transfer is resumed where it stopped.
 * The digest is the caller's to verify: it sees every byte once.
 *
 * @size	of the whole blob in bytes as the manifest says, or -1. More or fewer is ERR_INVALID
 */
int registry_blob_get(struct registry_session *session, const char *digest, uint64_t offset,
		      int64_t size, registry_sink_fn sink, void *arg, struct err *err);

/* ---- for tests and fuzzers ---- */

/* One challenge of a WWW-Authenticate header: Bearer realm="...",service="...",scope="..." */
struct registry_challenge {
	enum { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER } kind;
	char realm[1024], service[256], scope[512];
};

/* The strongest challenge of @header that we can answer; kind NONE when there is none. Parts too long make it NONE. */
void registry_challenge_parse(const char *header, struct registry_challenge *ret);

/* Is @host ("name[:port]") listed by --insecure-registries: as itself or inside a listed network? Loopback always is. */
bool registry_is_insecure(const struct strv *list, const char *host);

#endif
