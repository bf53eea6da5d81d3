/*
 * f_elf.c - an ELF file of any bytes
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const uint8_t *data;
	size_t len, reads;
};

static int read_memory(void *arg, uint64_t at, void *data, size_t len)
{
	struct memory *m = arg;

	/* A file of some bytes must not keep anybody busy. */
	if (++m->reads > 500000)
		abort();
	if (at > m->len || len > m->len - at)
		return -ENODATA;
	memcpy(data, m->data + at, len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.data = data, .len = size};
	struct elf_info info, untouched;
	int rc;

	memset(&info, 0x5a, sizeof(info));
	untouched = info;
	rc = elf_parse(read_memory, &m, &info);
	if (rc < 0) {
		if (memcmp(&info, &untouched, sizeof(info)))
			abort();
		return 0;
	}
	if (rc || !memchr(info.interpreter, '\0', sizeof(info.interpreter)) || info.glibc_minor >= 10000)
		abort();
	return 0;
}
