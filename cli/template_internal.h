/*
 * template_internal - what the template_*.c files share.
 */
#ifndef CLI_TEMPLATE_INTERNAL_H
#define CLI_TEMPLATE_INTERNAL_H

#include <json-c/json.h>

#include "cli/template.h"

enum {
	TEMPLATE_MAX_BYTES = 64 << 10,
	TEMPLATE_MAX_DEPTH = 100,
	TEMPLATE_MAX_TURNS = 100000,
	TEMPLATE_MAX_OUTPUT = 64 << 20,
};

/* ---- the tree ---- */

enum operand_type {
	OPERAND_DOT,		/* . and fields of it */
	OPERAND_VARIABLE,	/* $x and fields of it */
	OPERAND_LITERAL,
	OPERAND_NIL,
	OPERAND_FUNCTION,
	OPERAND_PIPELINE,	/* (...) and fields of it */
};

struct pipeline;

struct operand {
	enum operand_type type;
	char *name;			/* variable or function */
	struct strv fields;
	struct json_object *literal;
	struct pipeline *pipeline;
};

struct call {
	VEC(struct operand) operands;
};

struct pipeline {
	struct strv variables;		/* of "$i, $e :=" */
	bool is_assignment;		/* "=": they exist already */
	VEC(struct call) calls;
};

enum node_type { NODE_TEXT, NODE_ACTION, NODE_IF, NODE_RANGE, NODE_WITH, NODE_BREAK, NODE_CONTINUE };

struct node;

struct node_list {
	VEC(struct node) nodes;
};

struct node {
	enum node_type type;
	char *text;
	size_t text_len;
	struct pipeline *pipeline;
	struct node_list *then, *otherwise;
};

struct template {
	struct node_list *list;
};

void pipeline_free(struct pipeline *p);
DEFINE_AUTO(pipeline_free, struct pipeline *)

/* ---- values ---- */

enum shape { SHAPE_ANY, SHAPE_STRUCT, SHAPE_MAP, SHAPE_LIST };

struct value {
	struct json_object *json;	/* borrowed from the data or the run; NULL is nil */
	bool none;			/* no such entry: "<no value>" */
	enum shape shape;
	const struct json_table *table;	/* of the struct, or of the map's or list's elements */
};

struct variable {
	const char *name;
	struct value value;
};

struct run {
	struct buf *out;
	struct err *err;
	struct value root;
	VEC(struct variable) variables;
	VEC(struct json_object *) owned;
	int turns;			/* of all ranges */
};

int template_refuse(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A value that is freed at the end of the run. */
struct value value_own(struct run *run, struct json_object *json);
struct value value_string(struct run *run, const char *text, size_t len);
struct value value_bool(struct run *run, bool v);
struct value value_int(struct run *run, int64_t v);

int value_field(struct run *run, const struct value *v, const char *name, struct value *ret);
/* An element of a list or the entry of a map, with the shape that its owner knows. */
struct value value_element(const struct value *owner, struct json_object *json);
bool value_is_true(const struct value *v);
bool value_is_string(const struct value *v);
/* As Go's %v. */
void value_print(const struct value *v, struct buf *out);
const char *value_type(const struct value *v);
/* The keys of an object, sorted. */
void value_keys(const struct value *v, struct strv *ret);

/* A function by its name; *ret_known is false for none. "and" and "or" are the evaluator's own. */
int function_call(struct run *run, const char *name, const struct value *args, size_t n, struct value *ret,
		  bool *ret_known);
bool function_exists(const char *name);

#endif
