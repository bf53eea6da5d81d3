/*
 * challenge - inside of image: the WWW-Authenticate header
 *
 * Spec: RFC 9110, 11.6.1
 */
#ifndef RUNTIME_IMAGE_CHALLENGE_H
#define RUNTIME_IMAGE_CHALLENGE_H

#include "compat/base/vec.h"

enum challenge_kind { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_kind kind;
	struct strmap parameters;	/* names in lower case: realm, service, scope */
};

/* The strongest that we know among the header's lines: bearer before basic. */
void challenge_parse(const struct strv *lines, struct challenge *ret);
void challenge_clear(struct challenge *c);
DEFINE_AUTO_CLEAR(challenge_clear, struct challenge)

#endif
