/*
 * json - field tables over json-c: one table gives parse, validate, print, copy and clear of a C struct.
 *
 *	struct port { char *ip; struct opt_u64 host; };
 *	static const struct json_field port_fields[] = {
 *		JSON_FIELD(struct port, ip, "HostIp", JSON_STR, 0),
 *		JSON_FIELD(struct port, host, "HostPort", JSON_OPT_U64, JSON_OMIT_EMPTY),
 *	};
 *	const struct json_table port_table = JSON_TABLE("port", struct port, port_fields);
 *
 * Parsing reads with ceilings (bytes, depth, elements). A key matches exactly, else without regard to case (as Go's
 * decoder does); null leaves a field as it is; a wrong type is ERR_INVALID and names the path ("HostConfig.Binds[2]: ...").
 * Printing goes straight into a buffer, with no tree between.
 */
#ifndef COMPAT_BASE_JSON_H
#define COMPAT_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"

struct json_object;

struct opt_i64 {
	bool set;
	int64_t v;
};

struct opt_u64 {
	bool set;
	uint64_t v;
};

struct opt_bool {
	bool set;
	bool v;
};

enum json_kind {
	JSON_BOOL,	/* bool */
	JSON_I32,	/* int32_t or int */
	JSON_U16,	/* uint16_t */
	JSON_U32,	/* uint32_t */
	JSON_I64,	/* int64_t */
	JSON_U64,	/* uint64_t, all 64 bits */
	JSON_DOUBLE,	/* double */
	JSON_OPT_BOOL,	/* struct opt_bool; printed only when set */
	JSON_OPT_I64,	/* struct opt_i64 */
	JSON_OPT_U64,	/* struct opt_u64 */
	JSON_STR,	/* char *, owned; NULL prints "" unless JSON_NULL_EMPTY */
	JSON_TIME,	/* int64_t ns since 1970; RFC 3339 text */
	JSON_STRV,	/* struct strv; NULL prints [] */
	JSON_STRMAP,	/* struct strmap; {"k":"v"} */
	JSON_SETMAP,	/* struct strv; {"k":{}}: Go's map[string]struct{}: ExposedPorts, Volumes */
	JSON_OBJ,	/* struct T embedded; .sub */
	JSON_OBJP,	/* struct T *, owned, NULL when absent; .sub */
	JSON_VEC,	/* VEC(struct T); .sub */
	JSON_OBJMAP,	/* VEC(struct T) whose member at .sub->key_offset is the owned key; {"key":{...}} */
	JSON_RAW,	/* char *, owned: any JSON value as its text; must be valid JSON when printed */
	JSON_CUSTOM,	/* .ops */
};

enum json_flag {
	JSON_REQUIRED = 1 << 0,	  /* parse: its absence is an error */
	JSON_OMIT_EMPTY = 1 << 1, /* print: leave out when zero, NULL or empty (Go's omitempty) */
	JSON_NULL_EMPTY = 1 << 2, /* print: null when NULL or empty */
	JSON_READ_ONLY = 1 << 3,  /* parse: ignored (server-set), print: printed */
	JSON_HIDDEN = 1 << 4,	  /* printed only with JSON_PRINT_HIDDEN: state on disk, not on the wire */
	JSON_ONE_OR_MANY = 1 << 5, /* parse, JSON_STRV: a lone string is a list of one (Entrypoint, Cmd) */
};

struct json_field;

/* For what no other type covers. parse() gets a member that clear() has emptied; json_copy() prints and parses. */
struct json_ops {
	int (*parse)(void *member, struct json_object *value, struct err *err);
	void (*print)(const void *member, struct buf *out);
	void (*clear)(void *member);
	bool (*is_empty)(const void *member);
};

struct json_table {
	const char *name;
	size_t size;
	const struct json_field *fields;
	size_t count;
	size_t key_offset;	/* JSON_OBJMAP: place of the char * key in the element */
};

/* By the macros below: @name must be a literal. */
struct json_field {
	const char *name;
	enum json_kind type;
	size_t offset;
	unsigned int flags;		/* enum json_flag */
	const struct json_table *sub;	/* JSON_OBJ, OBJP, VEC, OBJMAP */
	const struct json_ops *ops;	/* JSON_CUSTOM */
	size_t name_len;		/* 0: to be counted */
};

#define JSON_FIELD(S, member, name, type, flags)                                                   \
	{                                                                                          \
		(name), (type), offsetof(S, member), (flags), NULL, NULL, sizeof("" name "") - 1   \
	}
#define JSON_SUB(S, member, name, type, flags, sub)                                                \
	{                                                                                          \
		(name), (type), offsetof(S, member), (flags), (sub), NULL, sizeof("" name "") - 1  \
	}
#define JSON_OPS(S, member, name, flags, ops)                                                      \
	{                                                                                          \
		(name), JSON_CUSTOM, offsetof(S, member), (flags), NULL, (ops), sizeof("" name "") - 1 \
	}
#define JSON_TABLE(name, S, fields)                                                                \
	{                                                                                          \
		(name), sizeof(S), (fields), ARRAY_SIZE(fields), 0                                 \
	}
#define JSON_MAP_TABLE(name, S, fields, key)                                                       \
	{                                                                                          \
		(name), sizeof(S), (fields), ARRAY_SIZE(fields), offsetof(S, key)                  \
	}

enum json_parse_flag {
	JSON_UNKNOWN_ERROR = 1 << 0,	/* unknown keys are ERR_INVALID (configuration files) */
	JSON_LARGE = 1 << 1,		/* ten times the elements: for lists from a peer that we trust */
};

/* Ceilings; over one is ERR_TOO_LARGE. Elements are values of arrays and objects, counted before anything is allocated. */
#define JSON_MAX_DEPTH 64
#define JSON_MAX_ELEMENTS 100000
#define JSON_MAX_BYTES (64 << 20)

/*
 * Parse @len bytes of text into the zeroed or default-filled struct @ret of @table. On failure @ret is cleared (members
 * that the table does not name stay as they are). @what names the text in messages ("request body", "config.json").
 * Text that is not JSON, has more behind the value, or has a NUL character in a string is ERR_INVALID.
 */
int json_parse(const struct json_table *table, const void *text, size_t len, unsigned int flags,
	       const char *what, void *ret, struct err *err);
/* The same from a file, at most @max bytes. */
int json_parse_file(const struct json_table *table, int dirfd, const char *path, size_t max,
		    unsigned int flags, void *ret, struct err *err);

/* A list at the top: VEC(struct T). */
int json_parse_vec(const struct json_table *table, const void *text, size_t len, unsigned int flags,
		   const char *what, void *ret_vec, struct err *err);
/* From a node of a tree. */
int json_parse_tree(const struct json_table *table, struct json_object *tree, unsigned int flags,
		    const char *what, void *ret, struct err *err);

enum json_print_flag {
	JSON_PRINT_PRETTY = 1 << 0,	/* two spaces */
	JSON_PRINT_HIDDEN = 1 << 1,
};

void json_print(const struct json_table *table, const void *value, unsigned int flags,
		struct buf *out);
void json_print_vec(const struct json_table *table, const void *vec, unsigned int flags,
		    struct buf *out);
/* A quoted, escaped JSON string; bytes that are not UTF-8 become U+FFFD. */
void json_print_str(struct buf *out, const char *s, size_t len);

/* Free what the table's members own and zero them. */
void json_clear(const struct json_table *table, void *value);
void json_clear_vec(const struct json_table *table, void *vec);
/* Deep copy of the table's members; @dst is cleared first. */
void json_copy(const struct json_table *table, void *dst, const void *src);
/* True when every member is as json_clear() leaves it. */
bool json_is_empty(const struct json_table *table, const void *value);

/* Raw trees, for what has no table. Owned: json_tree_put(). Depth, size and element ceilings apply. */
int json_tree_parse(const void *text, size_t len, const char *what, struct json_object **ret,
		    struct err *err);
void json_tree_put(struct json_object *tree);
/* "a.b.c" -> borrowed node or NULL. */
struct json_object *json_tree_get(struct json_object *tree, const char *path);
const char *json_tree_str(struct json_object *tree, const char *path); /* borrowed, NULL if absent */

#endif
