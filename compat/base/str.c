/*
 * str - strings: copies, checks, hex, patterns. Numbers are in number.c.
 */
#include "compat/base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void *check(void *p)
{
	if (!p)
		abort();
	return p;
}

bool str_starts(const char *s, const char *prefix)
{
	return str_skip(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

const char *str_skip(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

char *xstrdup(const char *s)
{
	return s ? check(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t n)
{
	return s ? check(strndup(s, n)) : NULL;
}

char *xfmt(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	va_end(ap);
	return s;
}

void *xcalloc(size_t n, size_t size)
{
	return check(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
	return check(realloc(p, size ? size : 1));
}

void str_set(char **dst, const char *s)
{
	char *copy = xstrdup(s);	/* @s may be inside *dst */

	free(*dst);
	*dst = copy;
}

int str_fmt(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(dst, size, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < size)
		return 0;
	if (size)
		dst[0] = '\0';
	return -ENAMETOOLONG;
}

void str_hex(char *dst, const void *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *b = bytes;

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = digits[b[i] >> 4];
		dst[2 * i + 1] = digits[b[i] & 15];
	}
	dst[2 * n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int str_unhex(void *dst, const char *hex, size_t n)
{
	unsigned char *out = dst;

	if (strnlen(hex, 2 * n + 1) != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		out[i] = (unsigned char)(hi << 4 | lo);
	}
	return 0;
}

bool str_is_hex(const char *s, size_t min, size_t max)
{
	size_t n = strspn(s, "0123456789abcdef");

	return !s[n] && n >= min && n <= max;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool str_is_name(const char *s)
{
	if (!s || !is_alnum(*s) || !s[1])
		return false;
	while (*++s)
		if (!is_alnum(*s) && *s != '_' && *s != '.' && *s != '-')
			return false;
	return true;
}

/* U+0080 to U+009f, too: terminals take them for the beginning of commands. */
size_t str_control_len(const char *s)
{
	const unsigned char *u = (const unsigned char *)s;

	if (u[0] == 0xc2 && u[1] >= 0x80 && u[1] < 0xa0)
		return 2;
	return (u[0] && u[0] < 0x20) || u[0] == 0x7f;
}

bool str_is_printable(const char *s)
{
	for (; *s; s++)
		if (str_control_len(s))
			return false;
	return true;
}

void str_make_printable(char *s, char with)
{
	for (size_t n; *s; s += n ? n : 1) {
		n = str_control_len(s);
		memset(s, with, n);
	}
}

/* ---- patterns ---- */

/* The UTF-8 sequence at @s; a stray byte counts as one. */
static size_t rune_len(const char *s)
{
	size_t n = 1;

	if ((unsigned char)*s >= 0xc0)
		while (n < 4 && ((unsigned char)s[n] & 0xc0) == 0x80)
			n++;
	return n;
}

/* One element of a class, with its escape: its place and length; advances *p. False when the pattern is malformed. */
static bool class_rune(const char **p, const char **rune, size_t *len)
{
	if (**p == '\\')
		(*p)++;
	if (!**p)
		return false;
	*rune = *p;
	*len = rune_len(*p);
	*p += *len;
	return true;
}

static int rune_cmp(const char *a, size_t an, const char *b, size_t bn)
{
	int c = memcmp(a, b, an < bn ? an : bn);

	return c ? c : (an > bn) - (an < bn);
}

/* @p stands behind '['. Returns what follows the class when @s's rune is in it, else NULL. */
static const char *match_class(const char *p, const char *s, size_t len)
{
	bool negate = *p == '^', hit = false;

	p += negate;
	do {
		const char *lo, *hi;
		size_t lo_len, hi_len;

		if (*p == ']' || *p == '-' || !class_rune(&p, &lo, &lo_len))
			return NULL;
		hi = lo;
		hi_len = lo_len;
		if (*p == '-') {
			p++;
			if (*p == ']' || !class_rune(&p, &hi, &hi_len))
				return NULL;
		}
		hit |= rune_cmp(lo, lo_len, s, len) <= 0 && rune_cmp(s, len, hi, hi_len) <= 0;
	} while (*p != ']');
	return hit != negate ? p + 1 : NULL;
}

/* One pattern element against one rune: what follows in the pattern, or NULL. '*' is the caller's. */
static const char *match_one(const char *p, const char *s, size_t len)
{
	size_t n;

	switch (*p) {
	case '?':
		return *s == '/' ? NULL : p + 1;
	case '[':
		return match_class(p + 1, s, len);
	case '\\':
		p++;
		break;
	}
	n = rune_len(p);
	return *p && n == len && memcmp(p, s, n) == 0 ? p + n : NULL;
}

/*
 * Only the last star ever needs another try: it starts as far left as any match of what is before it allows, and no star
 * crosses a slash.
 */
bool str_match(const char *pattern, const char *s)
{
	const char *star = NULL, *star_s = NULL;

	while (*s || *pattern == '*') {
		const char *next;
		size_t len = rune_len(s);

		if (*pattern == '*') {
			star = ++pattern;
			star_s = s;
			continue;
		}
		next = *pattern ? match_one(pattern, s, len) : NULL;
		if (next) {
			pattern = next;
			s += len;
			continue;
		}
		if (!star || *star_s == '/' || !*star_s)
			return false;
		star_s += rune_len(star_s);
		s = star_s;
		pattern = star;
	}
	return !*pattern;
}
