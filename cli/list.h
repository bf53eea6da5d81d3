/*
 * list - what commands that show many objects have in common: --format, and JSON for people.
 */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "compat/base/json.h"
#include "compat/base/vec.h"

/* One row for templates: name -> text, as docker names them. */
struct list_row {
	struct json_object *json;
};

struct list {
	VEC(struct list_row) rows;
};

void list_clear(struct list *list);
DEFINE_AUTO_CLEAR(list_clear, struct list)
void list_row(struct list *list);
/* Into the last row. */
void list_set(struct list *list, const char *name, const char *value);

/*
 * Apply @format to each row: a template; "table TEMPLATE" with titles and aligned columns (in the template, \t parts
 * columns); or "json". @titles are pairs "ID=CONTAINER ID", ends with NULL.
 */
int list_format(const struct list *list, const char *format, const char *const *titles, struct buf *out,
		struct err *err);

/* "\t" and "\n", typed as two characters, into the characters that they mean. Owned. */
char *format_unescape(const char *format);

/* The text of a JSON value, indented by four spaces as docker prints it. */
void json_indent(const char *text, struct buf *out);

/* "3 seconds ago" of a moment in ns; "" for 0. Owned. */
char *list_ago(int64_t when_ns);
/* "sha256:0123..." or "0123..." -> @digits digits, or all when @full. Owned. */
char *list_short_id(const char *id, size_t digits, bool full);

#endif
