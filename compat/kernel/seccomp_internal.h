/*
 * seccomp_internal - what the files of the seccomp module share. Nobody else includes this.
 */
#ifndef COMPAT_KERNEL_SECCOMP_INTERNAL_H
#define COMPAT_KERNEL_SECCOMP_INTERNAL_H

#include "compat/base/buf.h"
#include "compat/kernel/seccomp.h"

#define SECCOMP_PROGRAM_MAX 4096 /* BPF_MAXINSNS */

/* A name of the specification and the kernel's or the library's number for it. */
struct seccomp_word {
	const char *name;
	uint32_t value;
};

/* Actions are the kernel's SECCOMP_RET_* without data, operators the library's, flags SECCOMP_FILTER_FLAG_*. */
extern const struct seccomp_word seccomp_action_words[];
extern const struct seccomp_word seccomp_flag_words[];
int seccomp_word_find(const struct seccomp_word *words, const char *name, uint32_t *ret);

extern const struct json_table seccomp_arg_table;

/* The return value of an action: SECCOMP_RET_ERRNO | 1, ... @errno_ret unset: EPERM where the action has a value. */
int seccomp_action_value(const char *action, const struct opt_u64 *errno_ret, uint32_t *ret, struct err *err);

/* Check everything but system call names, which nobody knows all of. */
int seccomp_spec_check(const struct seccomp_spec *spec, struct err *err);

/*
 * The compiler of this build: by libseccomp, or the one that says what is missing. Fills filter, count, memory. @optimize false is for
 * tests that compare.
 */
int seccomp_build(const struct seccomp_spec *spec, bool optimize, struct seccomp_program *ret, struct err *err);
/*
 * Make the program shorter where that can be done without changing any answer; else it stays.
 *
 * @tokens	AUDIT_ARCH_* values that it tells apart; all others must have one answer
 */
void seccomp_optimize(struct seccomp_program *program, const uint32_t *tokens, size_t token_count);
/* "libseccomp 2.5.4 api 6": part of the cache key. Owned. */
char *seccomp_builder_id(void);

/* In the cache directory; both just fail when they cannot. */
int seccomp_cache_load(const char *dir, const struct buf *key, struct seccomp_program *ret);
void seccomp_cache_store(const char *dir, const struct buf *key, const struct seccomp_program *program);

#endif
