/*
 * libc - can the C library of an image run on this kernel?
 *
 * glibc gives up in its own loader, with words that help nobody, in two cases:
 *  - until 2.35 it compares the kernel's release with the oldest that it was built for: "FATAL: kernel too old";
 *  - 2.33 to 2.38 make fstat() of fstatat(AT_EMPTY_PATH), which 2.6.38 and older refuse: "cannot stat shared object".
 * musl runs on all kernels that pouch does. What cannot be judged (no program, another machine, a damaged file) is left to the start.
 */
#ifndef RUNTIME_ENGINE_LIBC_H
#define RUNTIME_ENGINE_LIBC_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"

/* Annotation of a container; with the value "off" nothing is checked. */
#define LIBC_CHECK_ANNOTATION "pouch.libc-check"

struct libc_kernel {
	char release[65];	/* as uname(2) says it: that is what glibc looks at */
	uint32_t version[3];	/* 2, 6, 32 */
	bool at_empty_path;	/* feature of that name */
};

/* This kernel. */
void libc_kernel_get(struct libc_kernel *ret);
/* "2.6.32-754.el6.x86_64" -> 2, 6, 32. Missing numbers are 0. */
void libc_kernel_parse(const char *release, uint32_t ret[3]);
/* Is there nothing that glibc could miss? True for 5.19 and later, which is newer than the last glibc that compares. */
bool libc_kernel_is_new(const struct libc_kernel *kernel);

struct libc_program {
	const char *rootfs;	/* nothing outside of it is looked at */
	const char *name;	/* with a slash, or looked up in @path */
	const char *path;	/* the value of PATH; NULL: none */
	const char *cwd;	/* where relative names start */
};

/* 0, or ERR_UNSUPPORTED with one line: which library, why it cannot run, what can. Scripts are followed to their interpreter. */
int libc_check(const struct libc_program *program, const struct libc_kernel *kernel, struct err *err);

#endif
