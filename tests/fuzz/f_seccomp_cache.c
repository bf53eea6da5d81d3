/*
 * f_seccomp_cache.c - a cache file of any content: refused, or a program of the right size
 *
 * The first byte says how long the key is; the rest is the file.
 */
#include <linux/filter.h>
#include <stdint.h>
#include <stdlib.h>

#include "compat/kernel/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_program program = {0};
	size_t key_len = size ? data[0] : 0;

	/* The key that the file itself holds, so that the checks behind it are reached: it starts after the header of 24 bytes. */
	if (size < 1 + 24 + key_len)
		key_len = 0;
	if (size && seccomp_cache_check(data + 1, size - 1, data + 1 + (key_len ? 24 : 0), key_len, &program) == 0) {
		if (!program.count || program.memory_size != program.count * sizeof(*program.filter))
			abort();
		seccomp_program_clear(&program);
	}
	return 0;
}
