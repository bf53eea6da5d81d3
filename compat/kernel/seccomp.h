/*
 * seccomp - system call filters: OCI's description, compiled once, cached, loaded.
 *
 * Compiling docker's profile costs peers more than ten milliseconds a start. Here the compiled program is kept in a file which
 * also holds the whole profile in a canonical binary form: the file's name is a hash of it, and a hit needs equality byte for byte, so
 * a collision of the hash can cost time, never security. A cache file is used only when root (or the caller) owns it,
 * nobody else can write it, and its program is well-formed.
 *
 * Spec:    OCI runtime-spec 1.1, config-linux.md#seccomp; seccomp(2)
 * Kernel:  3.5 (prctl), 3.17 (seccomp(2), TSYNC), 4.14 (log, kill process), 5.0 (notify)
 */
#ifndef COMPAT_KERNEL_SECCOMP_H
#define COMPAT_KERNEL_SECCOMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compat/base/err.h"
#include "compat/base/fit.h"
#include "compat/base/json.h"

struct sock_filter;

struct seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	char *op;		/* "SCMP_CMP_EQ", ... */
};

struct seccomp_rule {
	struct strv names;
	char *action;		/* "SCMP_ACT_ALLOW", ... */
	struct opt_u64 errno_ret;
	VEC(struct seccomp_arg) args;
};

/* linux.seccomp of config.json. */
struct seccomp_spec {
	char *default_action;
	struct opt_u64 default_errno_ret;
	struct strv architectures; /* "SCMP_ARCH_X86_64", ...; empty: the native one */
	struct strv flags;	   /* "SECCOMP_FILTER_FLAG_LOG", ... */
	char *listener_path, *listener_metadata;
	VEC(struct seccomp_rule) rules;
};

extern const struct json_table seccomp_table;

void seccomp_spec_clear(struct seccomp_spec *spec);
DEFINE_AUTO_CLEAR(seccomp_spec_clear, struct seccomp_spec)

/*
 * Docker's default profile as it applies to a container with the capabilities @bounding on this kernel and machine: rules that a
 * capability opens are in or out, rules for a minimal kernel version too. Result is complete, as config.json wants it.
 */
void seccomp_default_profile(uint64_t bounding, struct seccomp_spec *ret);

/*
 * A profile as users give it with --security-opt seccomp=FILE: docker's extended form ("archMap", "includes", "excludes") or plain
 * OCI; resolved like the default profile.
 */
int seccomp_profile_parse(const char *text, size_t len, uint64_t bounding, struct seccomp_spec *ret,
			  struct err *err);

struct seccomp_program {
	struct sock_filter *filter;
	size_t count;
	unsigned int flags;	/* SECCOMP_FILTER_FLAG_* for seccomp(2) */
	bool notify;		/* has a rule that asks a listener */
	void *memory;		/* owned: what filter lies in */
	size_t memory_size;
};

/*
 * Validate and compile, or take from the cache.
 *
 * @cache_dir	directory for cache files (created 0700 when its parent exists), or NULL. A cache that cannot be read or
 *		written costs time only.
 *
 * ERR_INVALID names the rule; ERR_UNSUPPORTED when this build has no compiler and the cache has no match.
 */
int seccomp_compile(const struct seccomp_spec *spec, const char *cache_dir, struct seccomp_program *ret,
		    struct err *err);
void seccomp_program_clear(struct seccomp_program *program);
DEFINE_AUTO_CLEAR(seccomp_program_clear, struct seccomp_program)

/*
 * Install for the calling thread. Needs CAP_SYS_ADMIN or no_new_privs.
 *
 * @ret_notify_fd	NULL unless program->notify: then the listener fd
 *
 * Allocates nothing.
 */
int seccomp_install(const struct seccomp_program *program, int *ret_notify_fd, struct err *err);

/* Can this host filter at all, and by which call? Can this build compile? */
struct fit seccomp_load_fit(void);
struct fit seccomp_compile_fit(void);

/* Names for `features`: NULL-terminated lists of what this build and kernel know. */
const char *const *seccomp_known_actions(void);
const char *const *seccomp_known_operators(void);
const char *const *seccomp_known_archs(void);
const char *const *seccomp_known_flags(void);

/* ---- cache file, for its tests ------------------------------------------------------------------------------------------- */

/*
 * Is @data a cache file for the profile whose canonical form is @key? 0 and the program's place inside @data, or -EINVAL, -ESTALE
 * (another profile).
 */
int seccomp_cache_check(const void *data, size_t len, const void *key, size_t key_len,
			struct seccomp_program *ret);
/* Canonical form of a profile for this kernel's and library's names. */
void seccomp_spec_key(const struct seccomp_spec *spec, struct buf *ret);

#endif
