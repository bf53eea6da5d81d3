/*
 * str - strings: numbers, sizes, checks, hex.
 */
#ifndef COMPAT_BASE_STR_H
#define COMPAT_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compat/base/err.h"

static inline bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
/* @prefix skipped, or NULL when @s does not start with it. */
const char *str_skip(const char *s, const char *prefix);

/* Like strdup/asprintf but abort on ENOMEM; NULL in, NULL out. */
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xfmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
/* Replace an owned string by a copy of @s. */
void str_set(char **dst, const char *s);

/* snprintf into a fixed array; -ENAMETOOLONG instead of a cut. */
int str_fmt(char *dst, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Whole-string decimal (or 0x/0 when base is 0) numbers. Returns 0, -EINVAL or -ERANGE. */
int str_i64(const char *s, int base, int64_t *ret);
int str_u64(const char *s, int base, uint64_t *ret);
int str_u32(const char *s, int base, uint32_t *ret);
/* true/false/1/0/t/f/yes/no as Go's ParseBool plus yes and no. */
int str_bool(const char *s, bool *ret);

/*
 * "512m", "1.5GiB", "100" -> bytes, by powers of 1024 (docker's RAMInBytes). Units b k m g t p, any case, with optional
 * "b" or "ib". Returns 0, -EINVAL or -ERANGE.
 */
int str_bytes(const char *s, int64_t *ret);
/* 1536 -> "1.5KiB" (docker's BytesSize); 1500 -> "1.5kB" with @si (docker's HumanSize). */
void str_human_size(char dst[32], double bytes, bool si);
/* "1h30m", "10s", "1.5s", "300ms" -> milliseconds (Go's ParseDuration). */
int str_duration_ms(const char *s, int64_t *ret);

void str_hex(char *dst, const void *bytes, size_t n);	/* 2n + 1 chars, lower case */
int str_unhex(void *dst, const char *hex, size_t n);	/* n bytes; -EINVAL */
bool str_is_hex(const char *s, size_t min, size_t max);

/* Container, volume and network names: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
bool str_is_name(const char *s);
/* No control characters; UTF-8 or not. For text that is printed to a terminal or put into a header. */
bool str_is_printable(const char *s);
/* Bytes of the control character that @s begins with; 0: it begins with none. */
size_t str_control_len(const char *s);
/* Put @with where control characters are, byte for byte. */
void str_make_printable(char *s, char with);

/* Glob as docker filters use it: path.Match. */
bool str_match(const char *pattern, const char *s);

#endif
