/*
 * platform - inside of image: which of several images suits a machine
 *
 * Spec: OCI image-spec 1.1, image-index.md#platform-variants
 */
#ifndef RUNTIME_IMAGE_PLATFORM_H
#define RUNTIME_IMAGE_PLATFORM_H

#include "compat/base/err.h"

struct platform {
	char os[32], architecture[32], variant[32];
};

/* "linux/arm64/v8", "arm64", "linux"; what is missing is this host's. NULL or "": this host's. ERR_INVALID. */
int platform_parse(const char *text, struct platform *ret, struct err *err);

/* How well an image for the platform suits one that wants @wanted: 0 not at all, more is better. Members may be NULL. */
int platform_fit(const struct platform *wanted, const char *os, const char *architecture,
		 const char *variant);

/* "linux/arm64/v8" */
void platform_print(const struct platform *p, char ret[100]);

#endif
