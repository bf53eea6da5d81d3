/*
 * filter - the API's filters.
 */
#include "runtime/engine/filter.h"

#include <json-c/json.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/json.h"
#include "compat/base/str.h"

#define PATTERN_MAX 256

static int add_values(struct filter *f, struct json_object *v, struct err *err)
{
	if (json_object_is_type(v, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(v); i++) {
			struct json_object *s = json_object_array_get_idx(v, i);

			if (!json_object_is_type(s, json_type_string))
				return err_set(err, ERR_INVALID, "invalid filter '%s': a value is not a string", f->key);
			strv_add(&f->values, json_object_get_string(s));
		}
		return 0;
	}
	if (json_object_is_type(v, json_type_object)) {
		json_object_object_foreach(v, name, on)
		{
			if (json_object_get_boolean(on))
				strv_add(&f->values, name);
		}
		return 0;
	}
	return err_set(err, ERR_INVALID, "invalid filter '%s': neither list nor map", f->key);
}

int filters_parse(struct filters *ret, const char *text, const char *const *keys, struct err *err)
{
	struct json_object *tree;
	int rc;

	if (str_empty(text))
		return 0;
	rc = json_tree_parse(text, strlen(text), "filters", &tree, err);
	if (rc < 0)
		return rc;
	if (!json_object_is_type(tree, json_type_object))
		rc = err_set(err, ERR_INVALID, "filters are not a JSON object");
	if (rc == 0) {
		json_object_object_foreach(tree, key, value)
		{
			struct filter *f;
			const char *const *k = keys;

			while (*k && strcmp(*k, key))
				k++;
			if (!*k)
				rc = err_set(err, ERR_INVALID, "invalid filter '%.60s'", key);
			if (rc < 0)
				break;
			f = VEC_ADD(&ret->list);
			str_set(&f->key, key);
			rc = add_values(f, value, err);
			if (rc < 0)
				break;
		}
	}
	json_tree_put(tree);
	if (rc < 0)
		filters_clear(ret);
	return rc;
}

void filters_clear(struct filters *f)
{
	VEC_EACH(x, &f->list) {
		free(x->key);
		strv_clear(&x->values);
	}
	VEC_FREE(&f->list);
}

const struct strv *filters_get(const struct filters *f, const char *key)
{
	VEC_EACH(x, &f->list) {
		if (!strcmp(x->key, key))
			return &x->values;
	}
	return NULL;
}

bool filters_match(const struct filters *f, const char *key, const char *value)
{
	const struct strv *v = filters_get(f, key);

	return !v || !v->n || strv_has(v, value ? value : "");
}

bool filters_match_any(const struct filters *f, const char *key, const char *id, const char *name)
{
	const struct strv *v = filters_get(f, key);

	if (!v || !v->n)
		return true;
	STRV_EACH(s, v) {
		if ((!str_empty(id) && **s && str_starts(id, *s)) || (!str_empty(name) && str_eq(name, *s)))
			return true;
	}
	return false;
}

bool filters_match_map(const struct filters *f, const char *key, const struct strmap *map)
{
	const struct strv *v = filters_get(f, key);

	if (!v)
		return true;
	STRV_EACH(s, v) {
		const char *eq = strchr(*s, '=');
		auto_free char *name = xstrndup(*s, eq ? (size_t)(eq - *s) : strlen(*s));
		const char *have = strmap_get(map, name);

		if (!have || (eq && strcmp(have, eq + 1)))
			return false;
	}
	return true;
}

/*
 * Counted repetitions make regcomp() take gigabytes and back references make regexec() take for ever: a client does not get
 * them. Such a pattern is compared as plain text.
 */
static bool is_tame(const char *pattern)
{
	if (strlen(pattern) > PATTERN_MAX || strchr(pattern, '{'))
		return false;
	for (const char *s = strchr(pattern, '\\'); s; s = s[1] ? strchr(s + 2, '\\') : NULL) {
		if (s[1] >= '0' && s[1] <= '9')
			return false;
	}
	return true;
}

bool filters_match_part(const struct filters *f, const char *key, const char *value)
{
	const struct strv *v = filters_get(f, key);

	if (!v || !v->n)
		return true;
	STRV_EACH(s, v) {
		regex_t re;
		bool hit;

		if (!is_tame(*s) || regcomp(&re, *s, REG_EXTENDED | REG_NOSUB))
			hit = strstr(value, *s) != NULL;
		else {
			hit = regexec(&re, value, 0, NULL, 0) == 0;
			regfree(&re);
		}
		if (hit)
			return true;
	}
	return false;
}
