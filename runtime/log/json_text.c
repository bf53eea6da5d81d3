/*
 * json_text - strings to JSON and back, sixteen bytes at a time
 */
#include "runtime/log/json_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#define BLOCK 16

/* Bits of the bytes that cannot be copied as they are: below 0x20, quote, backslash, above 0x7f. */
static inline unsigned int special_bytes(const char *s, char *copy)
{
	__m128i v = _mm_loadu_si128((const __m128i *)s);
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

	_mm_storeu_si128((__m128i *)copy, v);
	return (unsigned int)_mm_movemask_epi8(
		_mm_or_si128(_mm_or_si128(control, quote), _mm_or_si128(slash, v)));
}

static inline unsigned int quote_bytes(const char *s, char *copy)
{
	__m128i v = _mm_loadu_si128((const __m128i *)s);
	__m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
	__m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
	__m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

	_mm_storeu_si128((__m128i *)copy, v);
	return (unsigned int)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(control, quote), slash));
}

static inline unsigned int newline_bytes(const char *s)
{
	__m128i v = _mm_loadu_si128((const __m128i *)s);

	return (unsigned int)_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
}

const char *json_text_newline(const char *s, const char *end)
{
	for (; end - s >= BLOCK; s += BLOCK) {
		unsigned int mask = newline_bytes(s);

		if (mask)
			return s + __builtin_ctz(mask);
	}
	for (; s < end; s++)
		if (*s == '\n')
			return s;
	return NULL;
}

/* Copy what needs no escape, a block at a time; false when the rest is shorter than a block. */
#define COPY_PLAIN(s, end, out, find)                                                                            \
	({                                                                                                       \
		bool found_ = false;                                                                             \
		while ((end) - (s) >= BLOCK) {                                                                   \
			unsigned int mask_ = find((s), (out));                                                   \
			unsigned int n_ = mask_ ? (unsigned int)__builtin_ctz(mask_) : BLOCK;                    \
                                                                                                                 \
			(s) += n_;                                                                               \
			(out) += n_;                                                                             \
			if (mask_) {                                                                             \
				found_ = true;                                                                   \
				break;                                                                           \
			}                                                                                        \
		}                                                                                                \
		found_;                                                                                          \
	})
#else
#define COPY_PLAIN(s, end, out, find) false

const char *json_text_newline(const char *s, const char *end)
{
	return memchr(s, '\n', (size_t)(end - s));
}
#endif

/* Length of the UTF-8 sequence at @s, or 0 when there is none. */
static size_t utf8_length(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (!n || n > len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* over-long forms, surrogates, above U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static char *escape_control(char *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";

	*out++ = '\\';
	switch (c) {
	case '\n':
		*out++ = 'n';
		break;
	case '\r':
		*out++ = 'r';
		break;
	case '\t':
		*out++ = 't';
		break;
	case '"':
	case '\\':
		*out++ = (char)c;
		break;
	default:
		memcpy(out, "u00", 3);
		out[3] = hex[c >> 4];
		out[4] = hex[c & 15];
		out += 5;
	}
	return out;
}

char *json_text_escape(char *out, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end) {
		unsigned char c;

		if (!COPY_PLAIN(s, end, out, special_bytes)) {
			while (s < end && (signed char)*s >= 0x20 && *s != '"' && *s != '\\')
				*out++ = *s++;
			if (s == end)
				break;
		}
		c = (unsigned char)*s;
		if (c < 0x80) {
			out = escape_control(out, c);
			s++;
			continue;
		}
		while (s < end && (unsigned char)*s >= 0x80) {
			size_t n = utf8_length((const unsigned char *)s, (size_t)(end - s));

			memcpy(out, n ? s : "\xef\xbf\xbd", n ? n : 3);
			out += n ? n : 3;
			s += n ? n : 1;
		}
	}
	return out;
}

static int hex4(const char *s)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int c = s[i];
		int digit = c >= '0' && c <= '9' ? c - '0' :
			    c >= 'a' && c <= 'f' ? c - 'a' + 10 :
			    c >= 'A' && c <= 'F' ? c - 'A' + 10 :
						   -1;

		if (digit < 0)
			return -1;
		v = v << 4 | digit;
	}
	return v;
}

static char *put_utf8(char *out, unsigned int c)
{
	if (c < 0x80) {
		*out++ = (char)c;
		return out;
	}
	if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			*out++ = (char)(0xe0 | c >> 12);
		} else {
			*out++ = (char)(0xf0 | c >> 18);
			*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		}
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
	}
	*out++ = (char)(0x80 | (c & 0x3f));
	return out;
}

/* @s is behind "\u". Returns the place behind the digits, or NULL. */
static const char *unescape_unicode(const char *s, const char *end, char **out)
{
	int c, low;

	if (end - s < 4 || (c = hex4(s)) < 0)
		return NULL;
	s += 4;
	if (c >= 0xd800 && c < 0xdc00 && end - s >= 6 && s[0] == '\\' && s[1] == 'u' && (low = hex4(s + 2)) >= 0xdc00 &&
	    low < 0xe000) {
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		s += 6;
	} else if (c >= 0xd800 && c < 0xe000) {
		c = 0xfffd;
	}
	*out = put_utf8(*out, (unsigned int)c);
	return s;
}

static const char *unescape_one(const char *s, const char *end, char **out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (s == end)
		return NULL;
	if (*s == 'u')
		return unescape_unicode(s + 1, end, out);
	at = *s ? strchr(from, *s) : NULL;
	if (!at)
		return NULL;
	*(*out)++ = to[at - from];
	return s + 1;
}

const char *json_text_unescape(const char *s, const char *end, char *out, char **ret_out)
{
	for (;;) {
		if (!COPY_PLAIN(s, end, out, quote_bytes))
			while (s < end && (unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')
				*out++ = *s++;
		if (s == end || (unsigned char)*s < 0x20)
			return NULL;
		if (*s == '"') {
			*ret_out = out;
			return s;
		}
		s = unescape_one(s + 1, end, &out);
		if (!s)
			return NULL;
	}
}

size_t json_text_cut(const char *s, size_t len)
{
	/* Back over at most three continuation bytes to a first byte whose sequence does not fit. */
	for (size_t back = 1; back <= 3 && back < len; back++) {
		unsigned char c = (unsigned char)s[len - back];
		size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;

		if ((c & 0xc0) == 0x80)
			continue;
		return c >= 0x80 && want > back ? len - back : len;
	}
	return len;
}
