/*
 * template_func.c - the functions of templates
 */
#include <ctype.h>
#include <stdlib.h>

#include "cli/template_internal.h"
#include "compat/base/str.h"

static void to_text(const struct value *v, struct buf *out)
{
	value_print(v, out);
}

static struct value take_text(struct run *run, const struct buf *text)
{
	return value_string(run, buf_cstr(text), text->len);
}

static int need_string(struct run *run, const char *who, const struct value *v)
{
	if (value_is_string(v))
		return 0;
	return template_refuse(run->err, ":1: %s: wrong type: want a string, got %s", who, value_type(v));
}

static int need_int(struct run *run, const char *who, const struct value *v, int64_t *ret)
{
	if (!json_object_is_type(v->json, json_type_int))
		return template_refuse(run->err, ":1: %s: wrong type: want a number, got %s", who, value_type(v));
	*ret = json_object_get_int64(v->json);
	return 0;
}

static const char *text_of(const struct value *v)
{
	return json_object_get_string(v->json);
}

/* ---- comparing ---- */

/* <0, 0, >0 in *ret; *ret_comparable is false for different kinds. */
static void compare(const struct value *a, const struct value *b, int *ret, bool *ret_comparable)
{
	enum json_type ta = a->none ? json_type_null : json_object_get_type(a->json);
	enum json_type tb = b->none ? json_type_null : json_object_get_type(b->json);

	*ret_comparable = ta == tb;
	*ret = 0;
	if ((ta == json_type_int || ta == json_type_double) && (tb == json_type_int || tb == json_type_double)) {
		double x = json_object_get_double(a->json), y = json_object_get_double(b->json);

		*ret_comparable = true;
		*ret = x < y ? -1 : x > y;
	} else if (ta == tb && ta == json_type_string) {
		*ret = strcmp(text_of(a), text_of(b));
	} else if (ta == tb && ta == json_type_boolean) {
		*ret = json_object_get_boolean(a->json) - json_object_get_boolean(b->json);
	} else if (ta == tb && ta != json_type_null) {
		*ret_comparable = false;
	}
}

static int refuse_comparison(struct run *run, const struct value *a, const struct value *b)
{
	return template_refuse(run->err, ":1: incompatible types for comparison: %s and %s", value_type(a),
			       value_type(b));
}

static int do_eq(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	bool equal = false;

	for (size_t i = 1; i < n && !equal; i++) {
		bool comparable;
		int order;

		compare(&args[0], &args[i], &order, &comparable);
		if (!comparable)
			return refuse_comparison(run, &args[0], &args[i]);
		equal = order == 0;
	}
	*ret = value_bool(run, equal);
	return 0;
}

static int do_ne(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	int rc = do_eq(run, args, n, ret);

	if (!rc)
		*ret = value_bool(run, !value_is_true(ret));
	return rc;
}

/* @want: bits for less (1), equal (2), greater (4) */
static int do_order(struct run *run, const struct value *args, int want, struct value *ret)
{
	bool comparable;
	int order;

	compare(&args[0], &args[1], &order, &comparable);
	if (!comparable || json_object_is_type(args[0].json, json_type_boolean) || !args[0].json)
		return refuse_comparison(run, &args[0], &args[1]);
	*ret = value_bool(run, want & (order < 0 ? 1 : order == 0 ? 2 : 4));
	return 0;
}

static int do_lt(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	return do_order(run, args, 1, ret);
}

static int do_le(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	return do_order(run, args, 1 | 2, ret);
}

static int do_gt(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	return do_order(run, args, 4, ret);
}

static int do_ge(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	return do_order(run, args, 2 | 4, ret);
}

static int do_not(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	*ret = value_bool(run, !value_is_true(&args[0]));
	return 0;
}

/* ---- lists and maps ---- */

static int do_len(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	struct json_object *json = args[0].json;
	int64_t len = 0;

	if (json_object_is_type(json, json_type_array))
		len = (int64_t)json_object_array_length(json);
	else if (json_object_is_type(json, json_type_object) && args[0].shape != SHAPE_STRUCT)
		len = json_object_object_length(json);
	else if (json_object_is_type(json, json_type_string))
		len = json_object_get_string_len(json);
	else if (json || args[0].shape == SHAPE_ANY || args[0].shape == SHAPE_STRUCT)
		return template_refuse(run->err, ":1: len of type %s", value_type(&args[0]));
	*ret = value_int(run, len);
	return 0;
}

static int index_one(struct run *run, const struct value *v, const struct value *key, struct value *ret)
{
	struct json_object *found = NULL;
	int64_t i = 0;
	int rc;

	if (json_object_is_type(v->json, json_type_array)) {
		rc = need_int(run, "index", key, &i);
		if (rc)
			return rc;
		if (i < 0 || (size_t)i >= json_object_array_length(v->json))
			return template_refuse(run->err, ":1: error calling index: index out of range: %lld",
					       (long long)i);
		*ret = value_element(v, json_object_array_get_idx(v->json, (size_t)i));
		return 0;
	}
	if (json_object_is_type(v->json, json_type_object) && v->shape != SHAPE_STRUCT) {
		rc = need_string(run, "index", key);
		if (rc)
			return rc;
		if (json_object_object_get_ex(v->json, text_of(key), &found))
			*ret = value_element(v, found);
		else
			*ret = (struct value){.none = true};
		return 0;
	}
	if (!v->none && !v->json && v->shape == SHAPE_MAP) {
		*ret = (struct value){.none = true};
		return 0;
	}
	return template_refuse(run->err, ":1: error calling index: can't index item of type %s", value_type(v));
}

static int do_index(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	*ret = args[0];
	for (size_t i = 1; i < n; i++) {
		struct value next = {0};
		int rc = index_one(run, ret, &args[i], &next);

		if (rc)
			return rc;
		*ret = next;
	}
	return 0;
}

static int do_slice(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	bool text = value_is_string(&args[0]), list = json_object_is_type(args[0].json, json_type_array);
	int64_t len = text ? json_object_get_string_len(args[0].json)
			   : list ? (int64_t)json_object_array_length(args[0].json) : 0;
	int64_t from = 0, to = len;
	int rc = n > 1 ? need_int(run, "slice", &args[1], &from) : 0;

	if (!rc && n > 2)
		rc = need_int(run, "slice", &args[2], &to);
	if (rc)
		return rc;
	if (!text && !list)
		return template_refuse(run->err, ":1: error calling slice: can't slice item of type %s",
				       value_type(&args[0]));
	if (from < 0 || to > len || from > to)
		return template_refuse(run->err, ":1: error calling slice: index out of range");
	if (text) {
		*ret = value_string(run, text_of(&args[0]) + from, (size_t)(to - from));
		return 0;
	}
	*ret = value_own(run, json_object_new_array());
	for (; from < to; from++)
		json_object_array_add(ret->json,
				      json_object_get(json_object_array_get_idx(args[0].json, (size_t)from)));
	ret->shape = SHAPE_LIST;
	ret->table = args[0].shape == SHAPE_LIST ? args[0].table : NULL;
	return 0;
}

static int do_join(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = need_string(run, "join", &args[1]);

	if (rc)
		return rc;
	if (args[0].json && !json_object_is_type(args[0].json, json_type_array))
		return template_refuse(run->err, ":1: join: wrong type: want a list, got %s", value_type(&args[0]));
	for (size_t i = 0; args[0].json && i < json_object_array_length(args[0].json); i++) {
		struct value element = {.json = json_object_array_get_idx(args[0].json, i)};

		if (i)
			buf_str(&text, text_of(&args[1]));
		to_text(&element, &text);
	}
	*ret = take_text(run, &text);
	return 0;
}

static int do_split(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	const char *p, *sep, *next;
	int rc = need_string(run, "split", &args[0]);

	if (!rc)
		rc = need_string(run, "split", &args[1]);
	if (rc)
		return rc;
	p = text_of(&args[0]);
	sep = text_of(&args[1]);
	*ret = value_own(run, json_object_new_array());
	while ((next = *sep ? strstr(p, sep) : *p && p[1] ? p + 1 : NULL)) {
		json_object_array_add(ret->json, json_object_new_string_len(p, (int)(next - p)));
		p = next + strlen(sep);
	}
	json_object_array_add(ret->json, json_object_new_string(p));
	return 0;
}

static int do_json(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	const char *text = json_object_to_json_string_ext(
		args[0].json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	*ret = value_string(run, text, strlen(text));
	return 0;
}

/* ---- text ---- */

enum text_case { CASE_LOWER, CASE_UPPER, CASE_TITLE };

static int change_case(struct run *run, const struct value *v, enum text_case how, struct value *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = need_string(run, "lower, upper and title", v);

	if (rc)
		return rc;
	to_text(v, &text);
	for (size_t i = 0; i < text.len; i++) {
		bool upper = how == CASE_UPPER ||
			     (how == CASE_TITLE && (!i || isspace((unsigned char)text.data[i - 1])));

		if (upper)
			text.data[i] = (char)toupper((unsigned char)text.data[i]);
		else if (how == CASE_LOWER)
			text.data[i] = (char)tolower((unsigned char)text.data[i]);
	}
	*ret = take_text(run, &text);
	return 0;
}

static int do_lower(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	return change_case(run, &args[0], CASE_LOWER, ret);
}

static int do_upper(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	return change_case(run, &args[0], CASE_UPPER, ret);
}

static int do_title(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	return change_case(run, &args[0], CASE_TITLE, ret);
}

static int do_pad(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int64_t before = 0, after = 0;
	int rc = need_int(run, "pad", &args[1], &before);

	if (!rc)
		rc = need_int(run, "pad", &args[2], &after);
	if (!rc && (before < 0 || after < 0 || before > 1000 || after > 1000))
		rc = template_refuse(run->err, ":1: pad: out of range");
	if (rc)
		return rc;
	buf_fmt(&text, "%*s", (int)before, "");
	to_text(&args[0], &text);
	buf_fmt(&text, "%*s", (int)after, "");
	*ret = take_text(run, &text);
	return 0;
}

static int do_truncate(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int64_t len = 0;
	int rc = need_int(run, "truncate", &args[1], &len);

	if (!rc && len < 0)
		rc = template_refuse(run->err, ":1: truncate: out of range");
	if (rc)
		return rc;
	to_text(&args[0], &text);
	*ret = value_string(run, buf_cstr(&text), text.len < (size_t)len ? text.len : (size_t)len);
	return 0;
}

/* Go's Sprint puts a space between operands when neither is a string. */
static int do_print(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i && !value_is_string(&args[i]) && !value_is_string(&args[i - 1]))
			buf_char(&text, ' ');
		to_text(&args[i], &text);
	}
	*ret = take_text(run, &text);
	return 0;
}

static int do_println(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_char(&text, ' ');
		to_text(&args[i], &text);
	}
	buf_char(&text, '\n');
	*ret = take_text(run, &text);
	return 0;
}

/* One verb with its flags, as C's printf knows them: "%-10s". */
static void format_one(const char *flags, char verb, const struct value *v, struct buf *out)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char format[40];

	if (strchr("dxXo", verb) && json_object_is_type(v->json, json_type_int)) {
		(void)str_fmt(format, sizeof(format), "%%%sll%c", flags, verb);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		buf_fmt(out, format, (long long)json_object_get_int64(v->json));
	} else if (strchr("feEgG", verb) && (json_object_is_type(v->json, json_type_double))) {
		(void)str_fmt(format, sizeof(format), "%%%s%c", flags, verb);
		buf_fmt(out, format, json_object_get_double(v->json));
	} else if (strchr("svtq", verb)) {
		if (verb == 'q' && value_is_string(v))
			json_print_str(&text, text_of(v), strlen(text_of(v)));
		else
			to_text(v, &text);
		(void)str_fmt(format, sizeof(format), "%%%ss", flags);
		buf_fmt(out, format, buf_cstr(&text));
#pragma GCC diagnostic pop
	} else {
		to_text(v, &text);
		buf_fmt(out, "%%!%c(%s=%s)", verb, value_type(v), buf_cstr(&text));
	}
}

static int do_printf(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	size_t next = 1;
	int rc = need_string(run, "printf", &args[0]);

	if (rc)
		return rc;
	for (const char *p = text_of(&args[0]); *p; p++) {
		char flags[8] = "";
		size_t len;

		if (*p != '%') {
			buf_char(&text, *p);
			continue;
		}
		p++;
		/* Three digits of width are enough, and bound what one verb can print. */
		len = strspn(p, "-+ 0#123456789.");
		if (len >= sizeof(flags) || strspn(p + strcspn(p, "0123456789"), "0123456789") > 3)
			return template_refuse(run->err, ":1: printf: width out of range");
		memcpy(flags, p, len);
		p += len;
		if (!*p)
			break;
		if (*p == '%')
			buf_char(&text, '%');
		else if (next >= n)
			buf_fmt(&text, "%%!%c(MISSING)", *p);
		else
			format_one(flags, *p, &args[next++], &text);
	}
	*ret = take_text(run, &text);
	return 0;
}

static int do_html(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	static const char special[] = "<>&'\"";
	static const char *const names[] = {"&lt;", "&gt;", "&amp;", "&#39;", "&#34;"};
	AUTO(buf_clear) struct buf plain = BUF_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		to_text(&args[i], &plain);
	for (size_t i = 0; i < plain.len; i++) {
		const char *found = plain.data[i] ? strchr(special, plain.data[i]) : NULL;

		if (found)
			buf_str(&text, names[found - special]);
		else
			buf_char(&text, plain.data[i]);
	}
	*ret = take_text(run, &text);
	return 0;
}

static int do_urlquery(struct run *run, const struct value *args, size_t n, struct value *ret)
{
	AUTO(buf_clear) struct buf plain = BUF_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;

	for (size_t i = 0; i < n; i++)
		to_text(&args[i], &plain);
	for (size_t i = 0; i < plain.len; i++) {
		unsigned char c = (unsigned char)plain.data[i];

		if (isalnum(c) || (c && strchr("-_.~", c)))
			buf_char(&text, (char)c);
		else if (c == ' ')
			buf_char(&text, '+');
		else
			buf_fmt(&text, "%%%02X", c);
	}
	*ret = take_text(run, &text);
	return 0;
}

static const struct {
	const char *name;
	size_t min, max;	/* arguments */
	int (*fn)(struct run *run, const struct value *args, size_t n, struct value *ret);
} functions[] = {
	{ "eq", 2, 100, do_eq },
	{ "ne", 2, 2, do_ne },
	{ "lt", 2, 2, do_lt },
	{ "le", 2, 2, do_le },
	{ "gt", 2, 2, do_gt },
	{ "ge", 2, 2, do_ge },
	{ "not", 1, 1, do_not },
	{ "len", 1, 1, do_len },
	{ "index", 1, 100, do_index },
	{ "slice", 1, 3, do_slice },
	{ "json", 1, 1, do_json },
	{ "join", 2, 2, do_join },
	{ "split", 2, 2, do_split },
	{ "lower", 1, 1, do_lower },
	{ "upper", 1, 1, do_upper },
	{ "title", 1, 1, do_title },
	{ "pad", 3, 3, do_pad },
	{ "truncate", 2, 2, do_truncate },
	{ "print", 0, 100, do_print },
	{ "println", 0, 100, do_println },
	{ "printf", 1, 100, do_printf },
	{ "html", 1, 100, do_html },
	{ "urlquery", 1, 100, do_urlquery },
};

bool function_exists(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (str_eq(functions[i].name, name))
			return true;
	return false;
}

int function_call(struct run *run, const char *name, const struct value *args, size_t n, struct value *ret,
		  bool *ret_known)
{
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		if (!str_eq(functions[i].name, name))
			continue;
		*ret_known = true;
		if (n < functions[i].min || n > functions[i].max)
			return template_refuse(run->err, ":1: wrong number of args for %s: got %zu", name, n);
		return functions[i].fn(run, args, n, ret);
	}
	*ret_known = false;
	return template_refuse(run->err, ":1: function \"%.60s\" not defined", name);
}
