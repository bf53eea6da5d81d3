/*
 * record - one line of a json-file log, taken apart
 */
#include "runtime/log/record.h"

#include <string.h>

#include "runtime/log/json_text.h"

#define DEPTH_MAX 32

static bool starts(const char *s, const char *end, const char *word, size_t len)
{
	return (size_t)(end - s) >= len && !memcmp(s, word, len);
}

/* What log_json writes: {"log":"...","stream":"stdout","time":"..."}, with attrs before the time. */
static bool parse_ours(const char *s, const char *end, char *text, struct log_record *r)
{
	static const char head[] = "{\"log\":\"", stream[] = "\",\"stream\":\"std", time[] = "\",\"time\":\"";
	char *text_end;

	if (!starts(s, end, head, sizeof(head) - 1))
		return false;
	s = json_text_unescape(s + sizeof(head) - 1, end, text, &text_end);
	if (!s || !starts(s, end, stream, sizeof(stream) - 1))
		return false;
	s += sizeof(stream) - 1;
	if (!starts(s, end, "out", 3) && !starts(s, end, "err", 3))
		return false;
	r->stream = *s == 'o' ? LOG_STDOUT : LOG_STDERR;
	s += 3;
	if (!starts(s, end, time, sizeof(time) - 1))
		return false;
	s += sizeof(time) - 1;
	/* The rest is the time without escapes, a quote and a brace. */
	if (end - s < 3 || end[-1] != '}' || end[-2] != '"' || memchr(s, '"', (size_t)(end - 2 - s)) ||
	    memchr(s, '\\', (size_t)(end - 2 - s)))
		return false;
	r->time = s;
	r->time_len = (size_t)(end - 2 - s);
	r->text_len = (size_t)(text_end - text);
	return true;
}

/* ---- any other order --------------------------------------------------------------------------------------------------- */

static const char *skip_space(const char *s, const char *end)
{
	while (s < end && (*s == ' ' || *s == '\t' || *s == '\r' || *s == '\n'))
		s++;
	return s;
}

/* @s is behind an opening quote; returns the closing one or NULL. */
static const char *skip_string(const char *s, const char *end)
{
	for (; s < end; s++) {
		if (*s == '"')
			return s;
		if ((unsigned char)*s < 0x20)
			return NULL;
		if (*s == '\\' && ++s == end)
			return NULL;
	}
	return NULL;
}

/* Behind the value at @s, or NULL. Balanced brackets are enough for what is not ours. */
static const char *skip_value(const char *s, const char *end)
{
	int depth = 0;

	for (; s < end; s++) {
		switch (*s) {
		case '"':
			s = skip_string(s + 1, end);
			if (!s)
				return NULL;
			break;
		case '{':
		case '[':
			if (++depth > DEPTH_MAX)
				return NULL;
			break;
		case '}':
		case ']':
			if (depth == 0)
				return s;
			depth--;
			break;
		case ',':
			if (depth == 0)
				return s;
			break;
		default:
			if ((unsigned char)*s < 0x20 && *s != '\t')
				return NULL;
		}
	}
	return NULL;
}

static bool take_stream(const char *s, size_t len, struct log_record *r)
{
	if (len == 6 && !memcmp(s, "stdout", 6))
		r->stream = LOG_STDOUT;
	else if (len == 6 && !memcmp(s, "stderr", 6))
		r->stream = LOG_STDERR;
	else
		return false;
	return true;
}

/* One member; @s is behind the quote that opens its key. Returns the place behind its value. */
static const char *parse_member(const char *s, const char *end, char *text, struct log_record *r, bool *has_log)
{
	const char *key = s, *value;
	size_t key_len;
	char *text_end;

	s = skip_string(s, end);
	if (!s)
		return NULL;
	key_len = (size_t)(s - key);
	s = skip_space(s + 1, end);
	if (s == end || *s != ':')
		return NULL;
	value = skip_space(s + 1, end);
	if (value == end)
		return NULL;
	if (key_len == 3 && !memcmp(key, "log", 3) && *value == '"') {
		s = json_text_unescape(value + 1, end, text, &text_end);
		if (!s)
			return NULL;
		r->text_len = (size_t)(text_end - text);
		*has_log = true;
		return s + 1;
	}
	s = skip_value(value, end);
	if (!s)
		return NULL;
	if (key_len == 6 && !memcmp(key, "stream", 6) && *value == '"') {
		const char *close = skip_string(value + 1, end);

		if (!close || !take_stream(value + 1, (size_t)(close - value - 1), r))
			return NULL;
	} else if (key_len == 4 && !memcmp(key, "time", 4) && *value == '"') {
		const char *close = skip_string(value + 1, end);

		r->time = value + 1;
		r->time_len = close ? (size_t)(close - value - 1) : 0;
	} else if (key_len == 5 && !memcmp(key, "attrs", 5) && *value == '{') {
		r->attrs = value;
		r->attrs_len = (size_t)(s - value);
	}
	return s;
}

static bool parse_any(const char *s, const char *end, char *text, struct log_record *r)
{
	bool has_log = false;

	*r = (struct log_record){.stream = LOG_STDOUT};
	s = skip_space(s, end);
	if (s == end || *s != '{')
		return false;
	do {
		s = skip_space(s + 1, end);
		if (s == end || *s != '"')
			return false;
		s = parse_member(s + 1, end, text, r, &has_log);
		if (!s)
			return false;
		s = skip_space(s, end);
	} while (s < end && *s == ',');
	return s < end && *s == '}' && skip_space(s + 1, end) == end && has_log;
}

bool log_record_parse(const char *s, const char *end, char *text, struct log_record *ret)
{
	*ret = (struct log_record){.stream = LOG_STDOUT};
	return parse_ours(s, end, text, ret) || parse_any(s, end, text, ret);
}
