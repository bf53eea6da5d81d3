/*
 * json_tree - inside of json: what its files share
 */
#ifndef COMPAT_BASE_JSON_TREE_H
#define COMPAT_BASE_JSON_TREE_H

#include <stddef.h>

#include "compat/base/json.h"

/* *ret may be NULL on success: the text was "null". */
int json_tree_read(const void *text, size_t len, size_t max_elements, const char *what,
		   struct json_object **ret, struct err *err);

void json_field_clear(const struct json_field *f, void *member);
bool json_field_is_empty(const struct json_field *f, const void *member);

#endif
