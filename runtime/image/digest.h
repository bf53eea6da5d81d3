/*
 * digest - names of contents: "sha256:" and 64 lower-case hex digits.
 *
 * Other algorithms are refused: every registry and builder in use speaks SHA-256, and one algorithm means one name for
 * each blob.
 *
 * Spec: OCI image-spec 1.1, descriptor.md#digests
 */
#ifndef RUNTIME_IMAGE_DIGEST_H
#define RUNTIME_IMAGE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"

#define DIGEST_SIZE 72	/* "sha256:" + 64 + NUL */

bool digest_is_valid(const char *s);
/* ERR_INVALID, and the message says what is wrong with @s. @what names it ("layer digest"). */
int digest_check(const char *s, const char *what, struct err *err);
/* The hex digits of a valid digest; borrowed from @s. */
const char *digest_hex(const char *s);

void digest_of(const void *data, size_t len, char ret[DIGEST_SIZE]);

/*
 * The name of a layer together with all below it: the first layer's is its diff ID, each other's is the digest of
 * "PARENT_CHAIN_ID DIFF_ID". @parent NULL: the first. @ret may be @parent.
 *
 * Spec: OCI image-spec 1.1, config.md#layer-chainid
 */
void digest_chain(const char *parent, const char *diff_id, char ret[DIGEST_SIZE]);

/* A digest that is taken while bytes pass by. */
struct digester;

struct digester *digester_new(void);
void digester_add(struct digester *d, const void *data, size_t len);
/* Of what was added so far; more may be added after. */
void digester_get(const struct digester *d, char ret[DIGEST_SIZE]);
void digester_free(struct digester *d);
DEFINE_AUTO(digester_free, struct digester *)

#endif
