/*
 * elf - what a program or library of somebody else's says about where it can run.
 *
 * Reads 64-bit little-endian ELF files piece by piece, with ceilings; nothing that they say is believed further than it is checked.
 *
 * Spec:    System V gABI 4.1, chapters 4 and 5; gABI extensions of GNU: NT_GNU_ABI_TAG, version definitions (LSB 5.0, 10.7)
 */
#ifndef COMPAT_BASE_ELF_H
#define COMPAT_BASE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ELF_INTERPRETER_MAX = 256 };

struct elf_info {
	uint16_t machine;			/* EM_X86_64 is 62 */
	char interpreter[ELF_INTERPRETER_MAX];	/* PT_INTERP; "" for what is static or a library */
	bool has_abi;				/* NT_GNU_ABI_TAG for Linux, */
	uint32_t abi[3];			/* the oldest kernel that it is meant for: 3, 2, 0 */
	uint32_t glibc_minor;			/* 36: defines symbols of GLIBC_2.36 and none later; 0: defines none */
};

/* Read exactly @len bytes at @at. 0, or -errno; short is -ENODATA. */
typedef int elf_read_fn(void *arg, uint64_t at, void *data, size_t len);

/* -ENOEXEC: not such a file; -EINVAL: one that contradicts itself; or what @read returned. *ret is whole on success only. */
int elf_parse(elf_read_fn *read, void *arg, struct elf_info *ret);
/* The same for an open file. Its position is not used. */
int elf_read(int fd, struct elf_info *ret);

/* Is @text (at most 100 bytes) somewhere in the first 64 MiB of the file? */
bool elf_mentions(int fd, const char *text);

#endif
