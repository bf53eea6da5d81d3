/*
 * filter - the API's filters: {"name":["a","b"],"label":["x=y"]}, or docker's older {"name":{"a":true}}.
 *
 * Values of one key are alternatives, except labels: all must be there. A key that was not given matches everything.
 */
#ifndef RUNTIME_ENGINE_FILTER_H
#define RUNTIME_ENGINE_FILTER_H

#include <stdbool.h>

#include "compat/base/err.h"
#include "compat/base/vec.h"

struct filter {
	char *key;
	struct strv values;
};

struct filters {
	VEC(struct filter) list;
};

/* @keys: the known ones, NULL-terminated; others are ERR_INVALID. @text NULL or "": none. */
int filters_parse(struct filters *ret, const char *text, const char *const *keys, struct err *err);
void filters_clear(struct filters *f);
DEFINE_AUTO_CLEAR(filters_clear, struct filters)

/* Values of @key, NULL when it was not given. Borrowed. */
const struct strv *filters_get(const struct filters *f, const char *key);
bool filters_match(const struct filters *f, const char *key, const char *value);
/* Either of two, or the start of the first (ids). */
bool filters_match_any(const struct filters *f, const char *key, const char *id, const char *name);
/* "k" or "k=v", all of them. */
bool filters_match_map(const struct filters *f, const char *key, const struct strmap *map);
/* Part of @value, by the simple part of regular expressions: '^', '$', '.', 'x*', '\\x'. */
bool filters_match_part(const struct filters *f, const char *key, const char *value);

#endif
