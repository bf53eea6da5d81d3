/*
 * json_parse.c - trees into structs, by field table
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <strings.h>

#include "compat/base/fd.h"
#include "compat/base/json_tree.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

/* Where we are in the text, for messages: a list from the inside out, on the stack. */
struct place {
	const struct place *up;
	const char *key;	/* NULL: an element */
	size_t index;
};

struct parse {
	const char *what;
	unsigned int flags;
	struct err *err;
};

static void print_place(const struct place *p, struct buf *out)
{
	if (!p)
		return;
	print_place(p->up, out);
	if (p->key)
		buf_fmt(out, "%s%s", out->len ? "." : "", p->key);
	else
		buf_fmt(out, "[%zu]", p->index);
}

static int refuse(const struct parse *ps, const struct place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(const struct parse *ps, const struct place *at, const char *fmt, ...)
{
	AUTO(buf_clear) struct buf place = BUF_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&text, fmt, ap);
	va_end(ap);
	print_place(at, &place);
	return err_set(ps->err, ERR_INVALID, "%s: %s%s%s", ps->what, buf_cstr(&place),
		       place.len ? ": " : "", buf_cstr(&text));
}

static const char *type_name(struct json_object *v)
{
	switch (json_object_get_type(v)) {
	case json_type_null:
		return "null";
	case json_type_boolean:
		return "a boolean";
	case json_type_double:
	case json_type_int:
		return "a number";
	case json_type_object:
		return "an object";
	case json_type_array:
		return "a list";
	case json_type_string:
		return "a string";
	}
	return "unknown";
}

static int expect(const struct parse *ps, const struct place *at, struct json_object *v,
		  enum json_type want, const char *want_name)
{
	if (json_object_is_type(v, want))
		return 0;
	return refuse(ps, at, "must be %s, is %s", want_name, type_name(v));
}

/* ---- scalars ---- */

struct range {
	int64_t min;
	uint64_t max;
};

/* The number's bits: two's complement when the range is signed. */
static int get_integer(const struct parse *ps, const struct place *at, struct json_object *v,
		       const struct range *r, uint64_t *ret)
{
	int64_t i;
	uint64_t u;

	if (!json_object_is_type(v, json_type_int))
		return refuse(ps, at, "must be a whole number, is %s",
			      json_object_is_type(v, json_type_double)
				      ? json_object_get_string(v) : type_name(v));
	i = json_object_get_int64(v);
	u = i < 0 ? 0 : json_object_get_uint64(v);
	if (i < r->min || u > r->max)
		return refuse(ps, at, "%s is not between %" PRId64 " and %" PRIu64,
			      json_object_get_string(v), r->min, r->max);
	*ret = i < 0 ? (uint64_t)i : u;
	return 0;
}

static const struct range ranges[] = {
	[JSON_I32] = {INT32_MIN, INT32_MAX}, [JSON_U16] = {0, UINT16_MAX},
	[JSON_U32] = {0, UINT32_MAX},	     [JSON_I64] = {INT64_MIN, INT64_MAX},
	[JSON_U64] = {0, UINT64_MAX},	     [JSON_OPT_I64] = {INT64_MIN, INT64_MAX},
	[JSON_OPT_U64] = {0, UINT64_MAX},
};

static int parse_integer(const struct parse *ps, const struct place *at, const struct json_field *f,
			 void *member, struct json_object *v)
{
	uint64_t n = 0;
	int rc = get_integer(ps, at, v, &ranges[f->type], &n);

	if (rc)
		return rc;
	switch (f->type) {
	case JSON_I32:
	case JSON_U32:
		*(uint32_t *)member = (uint32_t)n;
		break;
	case JSON_U16:
		*(uint16_t *)member = (uint16_t)n;
		break;
	case JSON_I64:
		*(int64_t *)member = (int64_t)n;
		break;
	case JSON_U64:
		*(uint64_t *)member = n;
		break;
	case JSON_OPT_I64:
		*(struct opt_i64 *)member = (struct opt_i64){true, (int64_t)n};
		break;
	default:
		*(struct opt_u64 *)member = (struct opt_u64){true, n};
	}
	return 0;
}

static int parse_double(const struct parse *ps, const struct place *at, double *member,
			struct json_object *v)
{
	if (!json_object_is_type(v, json_type_int) && !json_object_is_type(v, json_type_double))
		return refuse(ps, at, "must be a number, is %s", type_name(v));
	*member = json_object_get_double(v);
	return 0;
}

static int parse_time(const struct parse *ps, const struct place *at, int64_t *member,
		      struct json_object *v)
{
	const char *text;
	int rc = expect(ps, at, v, json_type_string, "a string");

	if (rc)
		return rc;
	text = json_object_get_string(v);
	if (!*text)
		*member = 0;
	else if (time_parse_rfc3339(text, member))
		return refuse(ps, at, "'%s' is not a time (RFC 3339)", text);
	return 0;
}

/* ---- lists and maps ---- */

/* null as an element is the empty string. */
static int get_string(const struct parse *ps, const struct place *at, struct json_object *v,
		      char **ret)
{
	int rc = v ? expect(ps, at, v, json_type_string, "a string") : 0;

	if (rc)
		return rc;
	*ret = xstrdup(v ? json_object_get_string(v) : "");
	return 0;
}

static int parse_strv(const struct parse *ps, const struct place *at, const struct json_field *f,
		      struct strv *member, struct json_object *v)
{
	size_t n;
	int rc;

	if (f->flags & JSON_ONE_OR_MANY && json_object_is_type(v, json_type_string)) {
		strv_add(member, json_object_get_string(v));
		return 0;
	}
	rc = expect(ps, at, v, json_type_array, "a list");
	if (rc)
		return rc;
	n = json_object_array_length(v);
	for (size_t i = 0; i < n; i++) {
		const struct place here = {.up = at, .index = i};
		char *s;

		rc = get_string(ps, &here, json_object_array_get_idx(v, i), &s);
		if (rc)
			return rc;
		strv_take(member, s);
	}
	return 0;
}

/* json-c has no key twice, so pairs need no search. */
static int parse_strmap(const struct parse *ps, const struct place *at, struct strmap *member,
			struct json_object *v)
{
	int rc = expect(ps, at, v, json_type_object, "an object");

	if (rc)
		return rc;
	json_object_object_foreach(v, key, val) {
		const struct place here = {.up = at, .key = key};
		struct strpair *pair;
		char *s;

		rc = get_string(ps, &here, val, &s);
		if (rc)
			return rc;
		pair = VEC_ADD(member);
		pair->key = xstrdup(key);
		pair->val = s;
	}
	return 0;
}

static int parse_setmap(const struct parse *ps, const struct place *at, struct strv *member,
			struct json_object *v)
{
	int rc = expect(ps, at, v, json_type_object, "an object");

	if (rc)
		return rc;
	json_object_object_foreach(v, key, val) {
		const struct place here = {.up = at, .key = key};

		rc = val ? expect(ps, &here, val, json_type_object, "an object") : 0;
		if (rc)
			return rc;
		strv_add(member, key);
	}
	return 0;
}

static int parse_object(const struct parse *ps, const struct place *at,
			const struct json_table *table, void *ret, struct json_object *v);

static int parse_vec(const struct parse *ps, const struct place *at, const struct json_table *sub,
		     void *member, struct json_object *v)
{
	int rc = expect(ps, at, v, json_type_array, "a list");
	size_t n;

	if (rc)
		return rc;
	n = json_object_array_length(v);
	for (size_t i = 0; i < n; i++) {
		const struct place here = {.up = at, .index = i};
		struct json_object *element = json_object_array_get_idx(v, i);
		void *to = vec_grow(member, sub->size);

		rc = element ? parse_object(ps, &here, sub, to, element) : 0;
		if (rc)
			return rc;
	}
	return 0;
}

static int parse_objmap(const struct parse *ps, const struct place *at,
			const struct json_table *sub, void *member, struct json_object *v)
{
	int rc = expect(ps, at, v, json_type_object, "an object");

	if (rc)
		return rc;
	json_object_object_foreach(v, key, val) {
		const struct place here = {.up = at, .key = key};
		char *to = vec_grow(member, sub->size);

		rc = val ? parse_object(ps, &here, sub, to, val) : 0;
		str_set((char **)(to + sub->key_offset), key);
		if (rc)
			return rc;
	}
	return 0;
}

static int parse_raw(char **member, struct json_object *v)
{
	*member = xstrdup(json_object_to_json_string_ext(
		v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	return 0;
}

static int parse_custom(const struct parse *ps, const struct place *at, const struct json_field *f,
			void *member, struct json_object *v)
{
	AUTO(buf_clear) struct buf place = BUF_INIT;
	int rc = f->ops->parse(member, v, ps->err);

	if (rc >= 0)
		return 0;
	print_place(at, &place);
	return err_wrap(ps->err, rc, "%s: %s", ps->what, buf_cstr(&place));
}

/* ---- objects ---- */

static int parse_field(const struct parse *ps, const struct place *at, const struct json_field *f,
		       void *member, struct json_object *v)
{
	int rc;

	if (f->type != JSON_OBJ)
		json_field_clear(f, member);
	switch (f->type) {
	case JSON_BOOL:
	case JSON_OPT_BOOL:
		rc = expect(ps, at, v, json_type_boolean, "a boolean");
		if (rc)
			return rc;
		if (f->type == JSON_BOOL)
			*(bool *)member = json_object_get_boolean(v);
		else
			*(struct opt_bool *)member =
				(struct opt_bool){true, json_object_get_boolean(v)};
		return 0;
	case JSON_I32:
	case JSON_U16:
	case JSON_U32:
	case JSON_I64:
	case JSON_U64:
	case JSON_OPT_I64:
	case JSON_OPT_U64:
		return parse_integer(ps, at, f, member, v);
	case JSON_DOUBLE:
		return parse_double(ps, at, member, v);
	case JSON_STR:
		return get_string(ps, at, v, member);
	case JSON_TIME:
		return parse_time(ps, at, member, v);
	case JSON_STRV:
		return parse_strv(ps, at, f, member, v);
	case JSON_STRMAP:
		return parse_strmap(ps, at, member, v);
	case JSON_SETMAP:
		return parse_setmap(ps, at, member, v);
	case JSON_OBJP:
		*(void **)member = xcalloc(1, f->sub->size);
		return parse_object(ps, at, f->sub, *(void **)member, v);
	case JSON_OBJ:
		return parse_object(ps, at, f->sub, member, v);
	case JSON_VEC:
		return parse_vec(ps, at, f->sub, member, v);
	case JSON_OBJMAP:
		return parse_objmap(ps, at, f->sub, member, v);
	case JSON_RAW:
		return parse_raw(member, v);
	case JSON_CUSTOM:
		return parse_custom(ps, at, f, member, v);
	}
	return refuse(ps, at, "has no type in table '%s'", f->name);
}

/* Writers keep the table's order, so the field behind the last hit is tried first. */
static const struct json_field *find_field(const struct json_table *table, const char *key,
					   size_t *hint)
{
	if (*hint < table->count && strcmp(table->fields[*hint].name, key) == 0)
		return &table->fields[(*hint)++];
	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->fields[i].name, key) == 0) {
			*hint = i + 1;
			return &table->fields[i];
		}
	}
	for (size_t i = 0; i < table->count; i++)
		if (strcasecmp(table->fields[i].name, key) == 0)
			return &table->fields[i];
	return NULL;
}

static bool has_key(struct json_object *v, const char *name)
{
	json_object_object_foreach(v, key, val)
		if (val && strcasecmp(key, name) == 0)
			return true;
	return false;
}

static int parse_object(const struct parse *ps, const struct place *at,
			const struct json_table *table, void *ret, struct json_object *v)
{
	size_t hint = 0;
	int rc = expect(ps, at, v, json_type_object, "an object");

	if (rc)
		return rc;
	json_object_object_foreach(v, key, val) {
		const struct place here = {.up = at, .key = key};
		const struct json_field *f = find_field(table, key, &hint);

		if (!f && ps->flags & JSON_UNKNOWN_ERROR)
			return refuse(ps, &here, "unknown key");
		if (!f || !val || f->flags & JSON_READ_ONLY)
			continue;
		rc = parse_field(ps, &here, f, (char *)ret + f->offset, val);
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct json_field *f = &table->fields[i];
		const struct place here = {.up = at, .key = f->name};

		if (f->flags & JSON_REQUIRED && !has_key(v, f->name))
			return refuse(ps, &here, "is missing");
	}
	return 0;
}

int json_parse_tree(const struct json_table *table, struct json_object *tree, unsigned int flags,
		    const char *what, void *ret, struct err *err)
{
	const struct parse ps = {.what = what, .flags = flags, .err = err};
	int rc = parse_object(&ps, NULL, table, ret, tree);

	if (rc)
		json_clear(table, ret);
	return rc;
}

static int read_tree(const void *text, size_t len, unsigned int flags, const char *what,
		     struct json_object **ret, struct err *err)
{
	size_t max = flags & JSON_LARGE ? 10 * JSON_MAX_ELEMENTS : JSON_MAX_ELEMENTS;

	return json_tree_read(text, len, max, what, ret, err);
}

int json_parse(const struct json_table *table, const void *text, size_t len, unsigned int flags,
	       const char *what, void *ret, struct err *err)
{
	struct json_object *tree = NULL;
	int rc = read_tree(text, len, flags, what, &tree, err);

	if (rc) {
		json_clear(table, ret);
		return rc;
	}
	rc = json_parse_tree(table, tree, flags, what, ret, err);
	json_tree_put(tree);
	return rc;
}

int json_parse_vec(const struct json_table *table, const void *text, size_t len, unsigned int flags,
		   const char *what, void *ret_vec, struct err *err)
{
	const struct parse ps = {.what = what, .flags = flags, .err = err};
	struct json_object *tree = NULL;
	int rc = read_tree(text, len, flags, what, &tree, err);

	/* A nil slice is null in Go's JSON. */
	if (!rc && tree)
		rc = parse_vec(&ps, NULL, table, ret_vec, tree);
	if (rc)
		json_clear_vec(table, ret_vec);
	json_tree_put(tree);
	return rc;
}

int json_parse_file(const struct json_table *table, int dirfd, const char *path, size_t max,
		    unsigned int flags, void *ret, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = file_read(dirfd, path, max, &text, err);

	if (rc) {
		json_clear(table, ret);
		return rc;
	}
	return json_parse(table, text.data, text.len, flags, path, ret, err);
}
