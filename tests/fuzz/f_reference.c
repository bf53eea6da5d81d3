/*
 * f_reference - any text is refused or gives a name whose every form parses back to it
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/image/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_same(const char *text, const struct reference_defaults *defaults,
			 const struct reference *ref)
{
	struct reference again;

	if (reference_parse(text, defaults, &again, NULL) < 0 || memcmp(&again, ref, sizeof(again)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct reference_defaults defaults[] = {{NULL, NULL}, {"localhost:5000", "team"}};
	auto_free char *text = xstrndup((const char *)data, size);

	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		char out[REFERENCE_SIZE];
		struct reference ref;

		if (reference_parse(text, &defaults[i], &ref, NULL) < 0)
			continue;
		reference_string(&ref, out);
		must_be_same(out, &defaults[i], &ref);
		reference_familiar(&ref, &defaults[i], out);
		must_be_same(out, &defaults[i], &ref);
	}
	return 0;
}
