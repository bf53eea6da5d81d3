/*
 * filter - the API's filters.
 */
#include "runtime/engine/filter.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/json.h"
#include "compat/base/str.h"

#define PATTERN_MAX   256
#define PATTERN_STEPS 20000

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
 * The part of regular expressions that people use for names: '^', '$', '.', '*' after one character, and '\\' before any. The
 * C library's are not for patterns that come from outside: a few bytes make regcomp() take all memory of the host. Steps are
 * counted, so that no pattern takes long either.
 */
struct pattern {
	unsigned int steps;
};

static bool match_here(const char *p, const char *text, struct pattern *m)
{
	while (*p) {
		const char *one = p;
		bool any = *p == '.';

		if (++m->steps > PATTERN_STEPS)
			return false;
		if (*p == '$' && !p[1])
			return !*text;
		if (*p == '\\' && p[1])
			one = ++p;
		if (p[1] == '*') {
			for (;; text++) {
				if (match_here(p + 2, text, m))
					return true;
				if (!*text || (!any && *text != *one) || m->steps > PATTERN_STEPS)
					return false;
			}
		}
		if (!*text || (!any && *text != *one))
			return false;
		p++;
		text++;
	}
	return true;
}

static bool match_pattern(const char *pattern, const char *text)
{
	struct pattern m = {0};

	if (strlen(pattern) > PATTERN_MAX)
		return false;
	if (*pattern == '^')
		return match_here(pattern + 1 + (pattern[1] == '/'), text, &m);	/* docker's names start with a slash */
	do {
		if (match_here(pattern, text, &m))
			return true;
	} while (*text++);
	return false;
}

bool filters_match_part(const struct filters *f, const char *key, const char *value)
{
	const struct strv *v = filters_get(f, key);

	if (!v || !v->n)
		return true;
	STRV_EACH(s, v) {
		if (match_pattern(*s, value))
			return true;
	}
	return false;
}
