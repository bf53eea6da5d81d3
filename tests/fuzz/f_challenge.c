/*
 * f_challenge - WWW-Authenticate headers of a hostile registry.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/image/registry_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct registry_challenge challenge;
	char *text = xstrndup((const char *)data, size);

	registry_challenge_parse(text, &challenge);
	if (challenge.kind == CHALLENGE_BEARER && !*challenge.realm)
		abort();	/* a bearer challenge without a place to go must not come out */
	if (strlen(challenge.realm) >= sizeof(challenge.realm))
		abort();
	registry_is_insecure(NULL, text);
	free(text);
	return 0;
}
