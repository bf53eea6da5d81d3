/*
 * f_json.c - JSON into a struct of every field type and back
 *
 * What is accepted must print, and its print must parse to the same print.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct leaf {
	char *key;
	char *text;
	struct opt_u64 number;
};

struct tree {
	bool flag;
	int32_t i32;
	uint16_t u16;
	uint32_t u32;
	int64_t i64;
	uint64_t u64;
	double real;
	struct opt_bool maybe;
	struct opt_i64 opt;
	char *text;
	int64_t time;
	struct strv list, set;
	struct strmap map;
	struct leaf leaf;
	struct tree *child;
	VEC(struct leaf) leaves;
	VEC(struct leaf) named;
	char *raw;
};

static const struct json_field leaf_fields[] = {
	JSON_FIELD(struct leaf, text, "text", JSON_STR, JSON_NULL_EMPTY),
	JSON_FIELD(struct leaf, number, "number", JSON_OPT_U64, 0),
};
static const struct json_table leaf_table = JSON_MAP_TABLE("leaf", struct leaf, leaf_fields, key);

static const struct json_table tree_table;
static const struct json_field tree_fields[] = {
	JSON_FIELD(struct tree, flag, "flag", JSON_BOOL, 0),
	JSON_FIELD(struct tree, i32, "i32", JSON_I32, 0),
	JSON_FIELD(struct tree, u16, "u16", JSON_U16, 0),
	JSON_FIELD(struct tree, u32, "u32", JSON_U32, JSON_OMIT_EMPTY),
	JSON_FIELD(struct tree, i64, "i64", JSON_I64, 0),
	JSON_FIELD(struct tree, u64, "u64", JSON_U64, 0),
	JSON_FIELD(struct tree, real, "real", JSON_DOUBLE, 0),
	JSON_FIELD(struct tree, maybe, "maybe", JSON_OPT_BOOL, 0),
	JSON_FIELD(struct tree, opt, "opt", JSON_OPT_I64, JSON_NULL_EMPTY),
	JSON_FIELD(struct tree, text, "text", JSON_STR, 0),
	JSON_FIELD(struct tree, time, "time", JSON_TIME, 0),
	JSON_FIELD(struct tree, list, "list", JSON_STRV, JSON_ONE_OR_MANY),
	JSON_FIELD(struct tree, set, "set", JSON_SETMAP, 0),
	JSON_FIELD(struct tree, map, "map", JSON_STRMAP, JSON_OMIT_EMPTY),
	JSON_SUB(struct tree, leaf, "leaf", JSON_OBJ, 0, &leaf_table),
	JSON_SUB(struct tree, child, "child", JSON_OBJP, 0, &tree_table),
	JSON_SUB(struct tree, leaves, "leaves", JSON_VEC, 0, &leaf_table),
	JSON_SUB(struct tree, named, "named", JSON_OBJMAP, 0, &leaf_table),
	JSON_FIELD(struct tree, raw, "raw", JSON_RAW, 0),
};
static const struct json_table tree_table = JSON_TABLE("tree", struct tree, tree_fields);

static void check_again(const struct tree *t, unsigned int flags)
{
	AUTO(buf_clear) struct buf first = BUF_INIT;
	AUTO(buf_clear) struct buf second = BUF_INIT;
	struct tree back = {0}, copy = {0};
	struct err err = ERR_INIT;

	json_print(&tree_table, t, flags, &first);
	if (json_parse(&tree_table, first.data, first.len, JSON_UNKNOWN_ERROR | JSON_LARGE, "again",
		       &back, &err))
		abort();
	json_copy(&tree_table, &copy, &back);
	json_print(&tree_table, &copy, flags, &second);
	if (strcmp(first.data, second.data))
		abort();
	json_clear(&tree_table, &back);
	json_clear(&tree_table, &copy);
	if (!json_is_empty(&tree_table, &copy))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tree t = {0};
	struct err err = ERR_INIT;
	struct json_object *tree = NULL;

	if (json_parse(&tree_table, data, size, 0, "text", &t, &err) == 0) {
		check_again(&t, 0);
		check_again(&t, JSON_PRINT_PRETTY);
	} else if (!err.msg[0] || !json_is_empty(&tree_table, &t)) {
		abort();
	}
	json_clear(&tree_table, &t);
	if (json_tree_parse(data, size, "text", &tree, &err) == 0)
		json_tree_put(tree);
	return 0;
}
