/*
 * json_mem.c - clear, copy and compare with empty, by field table
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/json_tree.h"
#include "compat/base/str.h"

static const size_t sizes[] = {
	[JSON_BOOL] = sizeof(bool),
	[JSON_I32] = sizeof(int32_t),
	[JSON_U16] = sizeof(uint16_t),
	[JSON_U32] = sizeof(uint32_t),
	[JSON_I64] = sizeof(int64_t),
	[JSON_U64] = sizeof(uint64_t),
	[JSON_DOUBLE] = sizeof(double),
	[JSON_OPT_BOOL] = sizeof(struct opt_bool),
	[JSON_OPT_I64] = sizeof(struct opt_i64),
	[JSON_OPT_U64] = sizeof(struct opt_u64),
	[JSON_TIME] = sizeof(int64_t),
};

/* The elements of a VEC of @table's struct; @keyed: an OBJMAP's, with a key beside the fields. */
static void clear_elements(const struct json_table *table, struct vec_any *vec, bool keyed)
{
	for (size_t i = 0; i < vec->n; i++) {
		char *element = (char *)vec->v + i * table->size;

		json_clear(table, element);
		if (keyed)
			free(*(char **)(element + table->key_offset));
	}
	VEC_FREE(vec);
}

void json_clear_vec(const struct json_table *table, void *vec)
{
	clear_elements(table, vec, false);
}

void json_field_clear(const struct json_field *f, void *member)
{
	switch (f->type) {
	case JSON_STR:
	case JSON_RAW:
		free(*(char **)member);
		*(char **)member = NULL;
		break;
	case JSON_STRV:
	case JSON_SETMAP:
		strv_clear(member);
		break;
	case JSON_STRMAP:
		strmap_clear(member);
		break;
	case JSON_OBJ:
		json_clear(f->sub, member);
		break;
	case JSON_OBJP:
		if (*(void **)member) {
			json_clear(f->sub, *(void **)member);
			free(*(void **)member);
			*(void **)member = NULL;
		}
		break;
	case JSON_VEC:
	case JSON_OBJMAP:
		clear_elements(f->sub, member, f->type == JSON_OBJMAP);
		break;
	case JSON_CUSTOM:
		f->ops->clear(member);
		break;
	default:
		memset(member, 0, sizes[f->type]);
	}
}

void json_clear(const struct json_table *table, void *value)
{
	for (size_t i = 0; i < table->count; i++)
		json_field_clear(&table->fields[i], (char *)value + table->fields[i].offset);
}

static void copy_elements(const struct json_field *f, struct vec_any *dst, const struct vec_any *src)
{
	const struct json_table *t = f->sub;

	for (size_t i = 0; i < src->n; i++) {
		const char *from = (const char *)src->v + i * t->size;
		char *to = vec_grow(dst, t->size);
		char **key = (char **)(to + t->key_offset);

		json_copy(t, to, from);
		if (f->type == JSON_OBJMAP && !*key)
			*key = xstrdup(*(char *const *)(from + t->key_offset));
	}
}

/* Custom members know only text. What a member prints, it parses. */
static void copy_custom(const struct json_field *f, void *dst, const void *src)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct json_object *tree = NULL;

	f->ops->print(src, &text);
	if (json_tree_parse(text.data, text.len, f->name, &tree, NULL) < 0 ||
	    (tree && f->ops->parse(dst, tree, NULL) < 0))
		abort();
	json_tree_put(tree);
}

static void copy_field(const struct json_field *f, void *dst, const void *src)
{
	switch (f->type) {
	case JSON_STR:
	case JSON_RAW:
		*(char **)dst = xstrdup(*(char *const *)src);
		break;
	case JSON_STRV:
	case JSON_SETMAP:
		strv_add_all(dst, src);
		break;
	case JSON_STRMAP:
		strmap_copy(dst, src);
		break;
	case JSON_OBJ:
		json_copy(f->sub, dst, src);
		break;
	case JSON_OBJP:
		if (*(void *const *)src) {
			*(void **)dst = xcalloc(1, f->sub->size);
			json_copy(f->sub, *(void **)dst, *(void *const *)src);
		}
		break;
	case JSON_VEC:
	case JSON_OBJMAP:
		copy_elements(f, dst, src);
		break;
	case JSON_CUSTOM:
		if (!f->ops->is_empty(src))
			copy_custom(f, dst, src);
		break;
	default:
		memcpy(dst, src, sizes[f->type]);
	}
}

void json_copy(const struct json_table *table, void *dst, const void *src)
{
	if (dst == src)
		return;
	json_clear(table, dst);
	for (size_t i = 0; i < table->count; i++) {
		const struct json_field *f = &table->fields[i];

		/* Two names may share one member: the second copy must not leak the first. */
		json_field_clear(f, (char *)dst + f->offset);
		copy_field(f, (char *)dst + f->offset, (const char *)src + f->offset);
	}
}

bool json_field_is_empty(const struct json_field *f, const void *member)
{
	static const struct opt_u64 zero;	/* the widest plain type */

	switch (f->type) {
	case JSON_STR:
	case JSON_RAW:
		return str_empty(*(char *const *)member);
	case JSON_STRV:
	case JSON_SETMAP:
	case JSON_STRMAP:
	case JSON_VEC:
	case JSON_OBJMAP:
		return ((const struct vec_any *)member)->n == 0;
	case JSON_OBJ:
		return json_is_empty(f->sub, member);
	case JSON_OBJP:
		return !*(void *const *)member;
	case JSON_OPT_BOOL:
		return !((const struct opt_bool *)member)->set;
	case JSON_OPT_I64:
		return !((const struct opt_i64 *)member)->set;
	case JSON_OPT_U64:
		return !((const struct opt_u64 *)member)->set;
	case JSON_DOUBLE:
		return *(const double *)member == 0;
	case JSON_CUSTOM:
		return f->ops->is_empty(member);
	default:
		return memcmp(member, &zero, sizes[f->type]) == 0;
	}
}

bool json_is_empty(const struct json_table *table, const void *value)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct json_field *f = &table->fields[i];

		if (!json_field_is_empty(f, (const char *)value + f->offset))
			return false;
	}
	return true;
}
