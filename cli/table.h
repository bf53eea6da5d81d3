/*
 * table - rows of text under titles, columns aligned.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "compat/base/buf.h"
#include "compat/base/vec.h"

struct table {
	size_t columns;
	struct strv cells;	/* row after row */
};

/* @titles: columns with commas between; they are the first row. */
void table_init(struct table *t, const char *titles);
void table_clear(struct table *t);
DEFINE_AUTO_CLEAR(table_clear, struct table)

/* The next cell. Control characters are shown as '?'. */
void table_cell(struct table *t, const char *text);
/* Three spaces between columns; widths count characters of UTF-8, not bytes. */
void table_print(const struct table *t, struct buf *out);

/* "abc\tdef" lines (of --format "table ...") into aligned columns. */
void table_align_tabs(const char *text, struct buf *out);

#endif
