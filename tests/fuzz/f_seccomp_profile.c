/*
 * f_seccomp_profile.c - a user's seccomp profile, resolved and checked
 */
#include <stdint.h>

#include "compat/kernel/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_spec spec = {0};
	struct err err = ERR_INIT;

	if (seccomp_profile_parse((const char *)data, size, UINT64_MAX, &spec, &err) >= 0) {
		struct buf key = BUF_INIT;

		seccomp_spec_key(&spec, &key);
		buf_clear(&key);
		seccomp_spec_clear(&spec);
	}
	return 0;
}
