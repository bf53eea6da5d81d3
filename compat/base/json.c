/*
 * json - text to trees, with ceilings. Trees to structs: json_parse.c; structs to text: json_print.c; their memory:
 * json_mem.c.
 */
#include "compat/base/json.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "compat/base/fd.h"
#include "compat/base/json_tree.h"

/*
 * The length of the number at @p, or 0 when it is a whole number that 64 bits cannot hold: json-c would put the nearest
 * one in its place.
 */
static size_t number_len(const unsigned char *p, const unsigned char *end)
{
	static const char max[] = "18446744073709551615", min[] = "9223372036854775808";
	const unsigned char *start = p + (*p == '-'), *q = start;
	const char *limit = *p == '-' ? min : max;
	size_t n;

	while (q < end && *q >= '0' && *q <= '9')
		q++;
	n = (size_t)(q - start);
	if (q < end && (*q == '.' || *q == 'e' || *q == 'E'))
		return (size_t)(q - p);
	if (n > strlen(limit) || (n == strlen(limit) && memcmp(start, limit, n) > 0))
		return 0;
	return (size_t)(q - p);
}

/*
 * Counts values without allocating: json-c needs up to 700 bytes for an empty object, so a ceiling that is checked
 * afterwards comes too late. Also refuses what json-c takes though it should not: \u0000, at which it would cut a key, numbers
 * beyond 64 bits, control characters in strings, NaN, and quotes of the wrong kind.
 */
static int check_ceilings(const unsigned char *p, size_t len, size_t max, const char *what,
			  struct err *err)
{
	const unsigned char *end = p + len;
	size_t count = 0;
	bool quoted = false;

	for (; p < end; p++) {
		if (quoted) {
			if (*p == '"')
				quoted = false;
			else if (*p < 0x20)
				return err_set(err, ERR_INVALID,
					       "%s: a string has a control character", what);
			else if (*p == '\\' && end - p > 5 && memcmp(p, "\\u0000", 6) == 0)
				return err_set(err, ERR_INVALID, "%s: a string has a NUL character",
					       what);
			else if (*p == '\\')
				p++;
		} else if (*p == '"') {
			quoted = true;
		} else if (*p == ',' || *p == '{' || *p == '[') {
			count++;
		} else if (*p == 'N' || *p == 'I') {
			return err_set(err, ERR_INVALID, "%s: NaN and Infinity are not JSON", what);
		} else if (*p == '\'') {
			return err_set(err, ERR_INVALID, "%s: strings need double quotes", what);
		} else if (*p == '-' || (*p >= '0' && *p <= '9')) {
			size_t n = number_len(p, end);

			if (!n)
				return err_set(err, ERR_INVALID, "%s: a number is beyond 64 bits",
					       what);
			p += n - 1;
		}
	}
	if (count > max)
		return err_set(err, ERR_TOO_LARGE, "%s: over %zu elements", what, max);
	return 0;
}

static int refuse_syntax(const char *text, size_t at, const char *reason, const char *what,
			 struct err *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column++;
		if (text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(err, ERR_INVALID, "%s: line %zu, column %zu: %s", what, line, column, reason);
}

static int tokenise(json_tokener *tok, const char *text, size_t len, const char *what,
		    struct json_object **ret, struct err *err)
{
	struct json_object *tree = json_tokener_parse_ex(tok, text, (int)len);
	enum json_tokener_error rc = json_tokener_get_error(tok);
	size_t at = json_tokener_get_parse_end(tok);

	if (rc == json_tokener_continue) {
		/* A number at the top may go on; the terminator says that it does not. */
		tree = json_tokener_parse_ex(tok, "", 1);
		rc = json_tokener_get_error(tok);
		at = len;
	}
	if (rc == json_tokener_error_depth)
		return err_set(err, ERR_TOO_LARGE, "%s: deeper than %d levels", what,
			       JSON_MAX_DEPTH);
	if (rc != json_tokener_success)
		return refuse_syntax(text, at < len ? at : len, json_tokener_error_desc(rc), what,
				     err);
	for (; at < len; at++) {
		if (!text[at] || !strchr(" \t\r\n", text[at])) {
			json_object_put(tree);
			return refuse_syntax(text, at, "more behind the end", what, err);
		}
	}
	*ret = tree;
	return 0;
}

int json_tree_read(const void *text, size_t len, size_t max_elements, const char *what,
		   struct json_object **ret, struct err *err)
{
	json_tokener *tok;
	int rc;

	if (len > JSON_MAX_BYTES)
		return err_set(err, ERR_TOO_LARGE, "%s: over %d bytes", what, JSON_MAX_BYTES);
	rc = check_ceilings(text, len, max_elements, what, err);
	if (rc)
		return rc;
	tok = json_tokener_new_ex(JSON_MAX_DEPTH);
	if (!tok)
		abort();
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	rc = tokenise(tok, text, len, what, ret, err);
	json_tokener_free(tok);
	return rc;
}

int json_tree_parse(const void *text, size_t len, const char *what, struct json_object **ret,
		    struct err *err)
{
	return json_tree_read(text, len, JSON_MAX_ELEMENTS, what, ret, err);
}

void json_tree_put(struct json_object *tree)
{
	json_object_put(tree);
}

struct json_object *json_tree_get(struct json_object *tree, const char *path)
{
	while (tree && *path) {
		size_t n = strcspn(path, ".");
		char key[256];

		if (n >= sizeof(key) || !json_object_is_type(tree, json_type_object))
			return NULL;
		memcpy(key, path, n);
		key[n] = '\0';
		if (!json_object_object_get_ex(tree, key, &tree))
			return NULL;
		path += n + (path[n] == '.');
	}
	return tree;
}

const char *json_tree_str(struct json_object *tree, const char *path)
{
	struct json_object *node = json_tree_get(tree, path);

	return json_object_is_type(node, json_type_string) ? json_object_get_string(node) : NULL;
}
