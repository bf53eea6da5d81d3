/*
 * json_print.c - structs to text, by field table
 *
 * Container lists are printed thousands of times a second: no tree, no printf, no allocation but the buffer's.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "compat/base/json_tree.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

struct printer {
	struct buf *out;
	unsigned int flags;
	int depth;
};

/* Most pieces are shorter than what a call of memcpy() costs, with musl above all. */
static inline void copy_short(char *to, const char *from, size_t len)
{
	if (len > 16) {
		memcpy(to, from, len);
	} else if (len >= 8) {
		memcpy(to, from, 8);
		memcpy(to + (len - 8), from + (len - 8), 8);
	} else if (len >= 4) {
		memcpy(to, from, 4);
		memcpy(to + (len - 4), from + (len - 4), 4);
	} else {
		while (len--)
			*to++ = *from++;
	}
}

/* buf_add() without its call where there is room, which is nearly always. */
static inline void put(struct buf *out, const void *data, size_t len)
{
	if (len >= out->cap - out->len) {
		buf_add(out, data, len);
		return;
	}
	copy_short(out->data + out->len, data, len);
	out->len += len;
	out->data[out->len] = '\0';
}

static inline void put_char(struct buf *out, char c)
{
	put(out, &c, 1);
}

/* ---- strings ---- */

enum { PLAIN, ESCAPE, HIGH };

/* What a byte of a string needs. */
static const unsigned char byte_class[256] = {
	[0 ... 0x1f] = ESCAPE, ['"'] = ESCAPE, ['\\'] = ESCAPE, [0x80 ... 0xff] = HIGH,
};

static void print_escape(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char text[7] = "\\u00";

	switch (c) {
	case '"':
	case '\\':
		text[1] = (char)c;
		text[2] = '\0';
		break;
	case '\n':
		memcpy(text, "\\n", 3);
		break;
	case '\r':
		memcpy(text, "\\r", 3);
		break;
	case '\t':
		memcpy(text, "\\t", 3);
		break;
	default:
		text[4] = hex[c >> 4];
		text[5] = hex[c & 15];
		text[6] = '\0';
	}
	buf_str(out, text);
}

/* Length of the well-formed UTF-8 sequence at @p, or 0. No overlong forms, no surrogates, nothing above U+10FFFF. */
static size_t utf8_len(const unsigned char *p, size_t left)
{
	size_t n = *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 0;

	if (!n || n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
	    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* True when none of the eight bytes at @p is a control character, a quote, a backslash or above 0x7f. */
static inline bool is_plain8(const unsigned char *p)
{
	const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
	uint64_t v, quote, slash;

	memcpy(&v, p, 8);
	quote = v ^ ones * '"';
	slash = v ^ ones * '\\';
	return !((v | (v - ones * 0x20) | (quote - ones) | (slash - ones)) & high);
}

/* Looking at the bytes and copying them are one pass. @out has room for the rest of the string at any time. */
void json_print_str(struct buf *out, const char *s, size_t len)
{
	const unsigned char *p = (const unsigned char *)s, *end = p + len;
	char *to = buf_room(out, len + 2);

	*to++ = '"';
	while (p < end) {
		size_t n;

		for (; end - p >= 8 && is_plain8(p); p += 8, to += 8)
			memcpy(to, p, 8);
		while (p < end && byte_class[*p] == PLAIN)
			*to++ = (char)*p++;
		if (p == end)
			break;
		n = byte_class[*p] == HIGH ? utf8_len(p, (size_t)(end - p)) : 0;
		/* U+0080 to U+009f are commands to a terminal that shows the text. */
		if (n == 2 && *p == 0xc2 && p[1] < 0xa0) {
			out->len = (size_t)(to - out->data);
			print_escape(out, p[1]);
			p += 2;
			to = buf_room(out, (size_t)(end - p) + 1);
			continue;
		}
		if (n) {
			for (; n; n--)
				*to++ = (char)*p++;
			continue;
		}
		out->len = (size_t)(to - out->data);
		if (byte_class[*p] == HIGH)
			put(out, "\xef\xbf\xbd", 3);
		else
			print_escape(out, *p);
		p++;
		to = buf_room(out, (size_t)(end - p) + 1);
	}
	*to++ = '"';
	*to = '\0';
	out->len = (size_t)(to - out->data);
}

static void print_string(struct buf *out, const char *s)
{
	json_print_str(out, s ? s : "", s ? strlen(s) : 0);
}

/* ---- numbers ---- */

static void print_u64(struct buf *out, uint64_t v)
{
	char text[20], *p = text + sizeof(text);

	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	put(out, p, (size_t)(text + sizeof(text) - p));
}

static void print_i64(struct buf *out, int64_t v)
{
	if (v < 0) {
		put_char(out, '-');
		print_u64(out, 0 - (uint64_t)v);
	} else {
		print_u64(out, (uint64_t)v);
	}
}

/* The shortest text that reads back as the same number. JSON has no infinity: 0 stands for what is not a number. */
static void print_double(struct buf *out, double v)
{
	char text[40];

	if (!isfinite(v))
		v = 0;
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	buf_str(out, text);
}

static void print_bool(struct buf *out, bool v)
{
	if (v)
		put(out, "true", 4);
	else
		put(out, "false", 5);
}

static void print_time(struct buf *out, int64_t ns)
{
	char text[TIME_RFC3339_SIZE];

	time_rfc3339(text, ns);
	put_char(out, '"');
	buf_str(out, text);
	put_char(out, '"');
}

/* ---- structure ---- */

static void newline(const struct printer *p)
{
	if (!(p->flags & JSON_PRINT_PRETTY))
		return;
	put_char(p->out, '\n');
	for (int i = 0; i < p->depth; i++)
		put(p->out, "  ", 2);
}

static void begin(struct printer *p, char c)
{
	put_char(p->out, c);
	p->depth++;
}

static void end(struct printer *p, char c, bool empty)
{
	p->depth--;
	if (!empty)
		newline(p);
	put_char(p->out, c);
}

/* Before each element but the first a comma; *first becomes false. */
static void next(const struct printer *p, bool *first)
{
	if (!*first)
		put_char(p->out, ',');
	*first = false;
	newline(p);
}

static void colon(const struct printer *p)
{
	put_char(p->out, ':');
	if (p->flags & JSON_PRINT_PRETTY)
		put_char(p->out, ' ');
}

static void print_object(struct printer *p, const struct json_table *table, const void *value);

static void print_strv(struct printer *p, const struct strv *s)
{
	bool first = true;

	begin(p, '[');
	for (size_t i = 0; i < s->n; i++) {
		next(p, &first);
		print_string(p->out, s->v[i]);
	}
	end(p, ']', first);
}

static void print_strmap(struct printer *p, const struct strmap *m)
{
	bool first = true;

	begin(p, '{');
	for (size_t i = 0; i < m->n; i++) {
		next(p, &first);
		print_string(p->out, m->v[i].key);
		colon(p);
		print_string(p->out, m->v[i].val);
	}
	end(p, '}', first);
}

static void print_setmap(struct printer *p, const struct strv *s)
{
	bool first = true;

	begin(p, '{');
	for (size_t i = 0; i < s->n; i++) {
		next(p, &first);
		print_string(p->out, s->v[i]);
		colon(p);
		put(p->out, "{}", 2);
	}
	end(p, '}', first);
}

static void print_elements(struct printer *p, const struct json_table *sub,
			   const struct vec_any *vec, bool keyed)
{
	bool first = true;

	begin(p, keyed ? '{' : '[');
	for (size_t i = 0; i < vec->n; i++) {
		const char *element = (const char *)vec->v + i * sub->size;

		next(p, &first);
		if (keyed) {
			print_string(p->out, *(char *const *)(element + sub->key_offset));
			colon(p);
		}
		print_object(p, sub, element);
	}
	end(p, keyed ? '}' : ']', first);
}

static void print_value(struct printer *p, const struct json_field *f, const void *member)
{
	switch (f->type) {
	case JSON_BOOL:
		return print_bool(p->out, *(const bool *)member);
	case JSON_I32:
		return print_i64(p->out, *(const int32_t *)member);
	case JSON_U16:
		return print_u64(p->out, *(const uint16_t *)member);
	case JSON_U32:
		return print_u64(p->out, *(const uint32_t *)member);
	case JSON_I64:
		return print_i64(p->out, *(const int64_t *)member);
	case JSON_U64:
		return print_u64(p->out, *(const uint64_t *)member);
	case JSON_DOUBLE:
		return print_double(p->out, *(const double *)member);
	case JSON_OPT_BOOL:
		return print_bool(p->out, ((const struct opt_bool *)member)->v);
	case JSON_OPT_I64:
		return print_i64(p->out, ((const struct opt_i64 *)member)->v);
	case JSON_OPT_U64:
		return print_u64(p->out, ((const struct opt_u64 *)member)->v);
	case JSON_STR:
		return print_string(p->out, *(char *const *)member);
	case JSON_TIME:
		return print_time(p->out, *(const int64_t *)member);
	case JSON_STRV:
		return print_strv(p, member);
	case JSON_STRMAP:
		return print_strmap(p, member);
	case JSON_SETMAP:
		return print_setmap(p, member);
	case JSON_OBJ:
		return print_object(p, f->sub, member);
	case JSON_OBJP:
		if (*(void *const *)member)
			return print_object(p, f->sub, *(void *const *)member);
		return put(p->out, "null", 4);
	case JSON_VEC:
	case JSON_OBJMAP:
		return print_elements(p, f->sub, member, f->type == JSON_OBJMAP);
	case JSON_RAW:
		return buf_str(p->out, str_empty(*(char *const *)member)
					       ? "null" : *(char *const *)member);
	case JSON_CUSTOM:
		return f->ops->print(member, p->out);
	}
}

static bool is_optional(enum json_kind type)
{
	return type == JSON_OPT_BOOL || type == JSON_OPT_I64 || type == JSON_OPT_U64;
}

static void print_object(struct printer *p, const struct json_table *table, const void *value)
{
	bool first = true;

	begin(p, '{');
	for (size_t i = 0; i < table->count; i++) {
		const struct json_field *f = &table->fields[i];
		const void *member = (const char *)value + f->offset;
		bool empty = false;

		if (f->flags & JSON_HIDDEN && !(p->flags & JSON_PRINT_HIDDEN))
			continue;
		if (f->flags & (JSON_OMIT_EMPTY | JSON_NULL_EMPTY) || is_optional(f->type))
			empty = json_field_is_empty(f, member);
		if (empty && (f->flags & JSON_OMIT_EMPTY || !(f->flags & JSON_NULL_EMPTY)))
			continue;
		next(p, &first);
		put_char(p->out, '"');
		put(p->out, f->name, f->name_len ? f->name_len : strlen(f->name));
		put(p->out, "\": ", 2 + !!(p->flags & JSON_PRINT_PRETTY));
		if (empty)
			put(p->out, "null", 4);
		else
			print_value(p, f, member);
	}
	end(p, '}', first);
}

void json_print(const struct json_table *table, const void *value, unsigned int flags,
		struct buf *out)
{
	struct printer p = {.out = out, .flags = flags};

	print_object(&p, table, value);
}

void json_print_vec(const struct json_table *table, const void *vec, unsigned int flags,
		    struct buf *out)
{
	struct printer p = {.out = out, .flags = flags};

	print_elements(&p, table, vec, false);
}
