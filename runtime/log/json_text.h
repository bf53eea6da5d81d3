/*
 * json_text - strings to JSON and back, sixteen bytes at a time.
 *
 * What a log line needs most is to find the next byte that matters (quote, backslash, control, non-ASCII, newline) and to copy all
 * before it. Both directions write to a buffer that the caller has sized for the worst case.
 */
#ifndef RUNTIME_LOG_JSON_TEXT_H
#define RUNTIME_LOG_JSON_TEXT_H

#include <stddef.h>

/* A byte grows to at most six: \u0001, or one bad byte to the three of U+FFFD. */
#define JSON_TEXT_GROWTH 6

/* Escape @len bytes of @s to @out, without quotes; bytes that are not UTF-8 become U+FFFD each. Returns the end of what was written. */
char *json_text_escape(char *out, const char *s, size_t len);

/*
 * The opposite: @s is just behind an opening quote. Writes at most end - s bytes to @out. Returns the place of the closing quote, or NULL
 * when the text is not a JSON string or ends before it. Half surrogates become U+FFFD.
 */
const char *json_text_unescape(const char *s, const char *end, char *out, char **ret_out);

/* The first newline in [s, end), or NULL. */
const char *json_text_newline(const char *s, const char *end);

/* How many of @len bytes may be cut off @s without splitting a UTF-8 sequence; @len when it is not UTF-8 there anyway. */
size_t json_text_cut(const char *s, size_t len);

#endif
