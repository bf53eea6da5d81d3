/*
 * f_compat_xml.c - compat.xml: parses or is refused with a line, and means the same on every kernel but for hides
 */
#include <stdint.h>
#include <stdlib.h>

#include "compat/kernel/capability.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const releases[] = {"2.6.32-642.el6.x86_64", "6.1.0"};
	struct profile p[2] = {0};
	struct err err = ERR_INIT;
	int rc[2];

	for (int i = 0; i < 2; i++) {
		rc[i] = profile_parse((const char *)data, size, releases[i], "compat.xml", &p[i], &err);
		if (rc[i] && (!err.msg[0] || p[i].hide.v || p[i].force.v))
			abort();
		STRV_EACH(name, &p[i].hide)
			if (feature_by_name(*name) == FEATURE_COUNT)
				abort();
		for (size_t f = 0; f < p[i].force.n; f++)
			if (capability_by_name(p[i].force.v[f].key) == CAPABILITY_COUNT)
				abort();
		profile_clear(&p[i]);
	}
	return 0;
}
