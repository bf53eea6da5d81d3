/*
 * template_value.c - fields, elements, truth and printing of values
 */
#include <stdlib.h>
#include <strings.h>

#include "cli/template_internal.h"
#include "compat/base/str.h"

struct value value_own(struct run *run, struct json_object *json)
{
	VEC_PUSH(&run->owned, json);
	return (struct value){.json = json};
}

struct value value_string(struct run *run, const char *text, size_t len)
{
	return value_own(run, json_object_new_string_len(text, (int)len));
}

struct value value_bool(struct run *run, bool v)
{
	return value_own(run, json_object_new_boolean(v));
}

struct value value_int(struct run *run, int64_t v)
{
	return value_own(run, json_object_new_int64(v));
}

bool value_is_string(const struct value *v)
{
	return json_object_is_type(v->json, json_type_string);
}

const char *value_type(const struct value *v)
{
	if (v->none)
		return "no value";
	if (v->shape == SHAPE_STRUCT && v->table)
		return v->table->name;
	return v->json ? json_type_to_name(json_object_get_type(v->json)) : "nil";
}

void value_keys(const struct value *v, struct strv *ret)
{
	if (!json_object_is_type(v->json, json_type_object))
		return;
	json_object_object_foreach(v->json, key, val) {
		size_t at = ret->n;

		(void)val;
		strv_add(ret, key);
		/* Insertion keeps the keys sorted; objects are small. */
		for (; at && strcmp(ret->v[at - 1], ret->v[at]) > 0; at--) {
			char *swap = ret->v[at];

			ret->v[at] = ret->v[at - 1];
			ret->v[at - 1] = swap;
		}
	}
}

/* ---- fields ---- */

/* Fields whose Go name is not their JSON name, letters' case apart. */
static const char *json_name(const char *name)
{
	static const char *const names[][2] = {{"LogDriver", "Type"}, {"LogOpts", "Config"}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(names[i][0], name))
			return names[i][1];
	return name;
}

static const struct json_field *find_field(const struct json_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcasecmp(table->fields[i].name, name) == 0)
			return &table->fields[i];
	return NULL;
}

static void set_shape(struct value *v, const struct json_field *f)
{
	switch (f->type) {
	case JSON_OBJ:
	case JSON_OBJP:
		v->shape = SHAPE_STRUCT;
		break;
	case JSON_VEC:
	case JSON_STRV:
		v->shape = SHAPE_LIST;
		break;
	case JSON_OBJMAP:
	case JSON_STRMAP:
	case JSON_SETMAP:
		v->shape = SHAPE_MAP;
		break;
	default:
		break;
	}
	v->table = f->sub;
}

/* The zero of a field that JSON left out. */
static struct json_object *zero(const struct json_field *f)
{
	switch (f->type) {
	case JSON_BOOL:
		return json_object_new_boolean(false);
	case JSON_I32:
	case JSON_U16:
	case JSON_U32:
	case JSON_I64:
	case JSON_U64:
		return json_object_new_int(0);
	case JSON_DOUBLE:
		return json_object_new_double(0);
	case JSON_STR:
	case JSON_TIME:
		return json_object_new_string("");
	default:
		return NULL;
	}
}

static bool find_key(struct json_object *json, const char *name, struct json_object **ret)
{
	if (json_object_object_get_ex(json, name, ret))
		return true;
	json_object_object_foreach(json, key, val) {
		if (strcasecmp(key, name) == 0) {
			*ret = val;
			return true;
		}
	}
	return false;
}

int value_field(struct run *run, const struct value *v, const char *name, struct value *ret)
{
	const struct json_field *f = NULL;
	struct json_object *found = NULL;

	if (v->none || !v->json)
		return template_refuse(run->err, ":1: nil pointer evaluating field %.60s", name);
	if (!json_object_is_type(v->json, json_type_object))
		return template_refuse(run->err, ":1: can't evaluate field %.60s in type %s", name,
				       value_type(v));
	if (v->shape == SHAPE_STRUCT && v->table) {
		f = find_field(v->table, name);
		if (!f) {
			name = json_name(name);
			f = find_field(v->table, name);
		}
	}
	if (!find_key(v->json, name, &found)) {
		if (v->shape == SHAPE_STRUCT && v->table && !f)
			return template_refuse(run->err, ":1: can't evaluate field %.60s in type %s", name,
					       value_type(v));
		*ret = f ? value_own(run, zero(f)) : (struct value){.none = true};
	} else if (v->shape == SHAPE_MAP) {
		*ret = value_element(v, found);
		return 0;
	} else {
		*ret = (struct value){.json = found};
	}
	if (f)
		set_shape(ret, f);
	return 0;
}

struct value value_element(const struct value *owner, struct json_object *json)
{
	struct value v = {.json = json};

	if (owner->table && owner->shape != SHAPE_STRUCT) {
		v.shape = SHAPE_STRUCT;
		v.table = owner->table;
	}
	return v;
}

bool value_is_true(const struct value *v)
{
	if (v->none || !v->json)
		return false;
	switch (json_object_get_type(v->json)) {
	case json_type_boolean:
		return json_object_get_boolean(v->json);
	case json_type_int:
		return json_object_get_int64(v->json) != 0;
	case json_type_double:
		return json_object_get_double(v->json) != 0;
	case json_type_string:
		return json_object_get_string_len(v->json) > 0;
	case json_type_array:
		return json_object_array_length(v->json) > 0;
	case json_type_object:
		return v->shape == SHAPE_STRUCT || json_object_object_length(v->json) > 0;
	default:
		return false;
	}
}

/* ---- printing ---- */

static void print_object(const struct value *v, struct buf *out)
{
	AUTO(strv_clear) struct strv keys = {0};
	bool first = true;

	if (v->shape == SHAPE_STRUCT) {
		buf_char(out, '{');
		json_object_object_foreach(v->json, key, val) {
			struct value element = {.json = val};
			const struct json_field *f = v->table ? find_field(v->table, key) : NULL;

			if (f)
				set_shape(&element, f);
			if (!first)
				buf_char(out, ' ');
			first = false;
			value_print(&element, out);
		}
		buf_char(out, '}');
		return;
	}
	value_keys(v, &keys);
	buf_str(out, "map[");
	STRV_EACH(key, &keys) {
		struct json_object *json = NULL;
		struct value element;

		json_object_object_get_ex(v->json, *key, &json);
		element = value_element(v, json);
		buf_fmt(out, "%s%s:", first ? "" : " ", *key);
		first = false;
		value_print(&element, out);
	}
	buf_char(out, ']');
}

static void print_array(const struct value *v, struct buf *out)
{
	buf_char(out, '[');
	for (size_t i = 0; i < json_object_array_length(v->json); i++) {
		struct value element = value_element(v, json_object_array_get_idx(v->json, i));

		if (i)
			buf_char(out, ' ');
		value_print(&element, out);
	}
	buf_char(out, ']');
}

static void print_nil(const struct value *v, struct buf *out)
{
	if (v->none)
		buf_str(out, "<no value>");
	else if (v->shape == SHAPE_LIST)
		buf_str(out, "[]");
	else if (v->shape == SHAPE_MAP)
		buf_str(out, "map[]");
	else
		buf_str(out, "<nil>");
}

void value_print(const struct value *v, struct buf *out)
{
	if (v->none || !v->json) {
		print_nil(v, out);
		return;
	}
	switch (json_object_get_type(v->json)) {
	case json_type_object:
		print_object(v, out);
		break;
	case json_type_array:
		print_array(v, out);
		break;
	case json_type_string:
		buf_add(out, json_object_get_string(v->json), (size_t)json_object_get_string_len(v->json));
		break;
	case json_type_double:
		buf_fmt(out, "%.15g", json_object_get_double(v->json));
		break;
	default:
		buf_str(out, json_object_to_json_string(v->json));
	}
}
