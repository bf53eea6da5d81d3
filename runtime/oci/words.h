/*
 * words - the names of config.json that stand for numbers of the kernel.
 */
#ifndef RUNTIME_OCI_WORDS_H
#define RUNTIME_OCI_WORDS_H

#include <stdint.h>

struct oci_word {
	const char *name;	/* NULL: end */
	uint64_t value;
};

extern const struct oci_word oci_sched_policies[], oci_sched_flags[], oci_io_classes[], oci_personalities[];

/* 0 or -EINVAL. */
int oci_word(const struct oci_word *list, const char *name, uint64_t *ret);

#endif
