/*
 * f_challenge - WWW-Authenticate headers of a hostile registry.
 */
#include <stdint.h>
#include <stdlib.h>

#include "compat/base/str.h"
#include "runtime/image/challenge.h"
#include "runtime/image/trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct challenge challenge = {0};
	struct strv lines = {0};
	char *text = xstrndup((const char *)data, size);

	strv_split(&lines, text, "\n", true);
	challenge_parse(&lines, &challenge);
	if (challenge.kind == CHALLENGE_BEARER && !strmap_get(&challenge.parameters, "realm"))
		abort();	/* a bearer challenge without a place to go must not come out */
	if (trust_is_loopback(text) && !trust_is_local(text))
		abort();	/* what is here by one measure is by the other */
	challenge_clear(&challenge);
	strv_clear(&lines);
	free(text);
	return 0;
}
