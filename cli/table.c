/*
 * table.c - see table.h
 */
#include "cli/table.h"

#include <stdlib.h>

#include "compat/base/str.h"

enum { GAP = 3 };

void table_init(struct table *t, const char *titles)
{
	*t = (struct table){0};
	strv_split(&t->cells, titles, ",", true);
	t->columns = t->cells.n;
}

void table_clear(struct table *t)
{
	strv_clear(&t->cells);
	t->columns = 0;
}

void table_cell(struct table *t, const char *text)
{
	char *copy = xstrdup(text ? text : "");

	str_make_printable(copy, '?');
	strv_take(&t->cells, copy);
}

static size_t text_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

void table_print(const struct table *t, struct buf *out)
{
	auto_free size_t *widths = xcalloc(t->columns, sizeof(*widths));

	for (size_t i = 0; i < t->cells.n; i++) {
		size_t n = text_width(t->cells.v[i]), *max = &widths[i % t->columns];

		*max = n > *max ? n : *max;
	}
	for (size_t i = 0; i < t->cells.n; i++) {
		size_t column = i % t->columns;

		buf_str(out, t->cells.v[i]);
		if (column + 1 < t->columns)
			buf_fmt(out, "%*s", (int)(widths[column] - text_width(t->cells.v[i])) + GAP, "");
		else
			buf_char(out, '\n');
	}
}

void table_align_tabs(const char *text, struct buf *out)
{
	AUTO(strv_clear) struct strv lines = {0};
	AUTO(table_clear) struct table t = {0};

	strv_split(&lines, text, "\n", false);
	STRV_EACH(line, &lines) {
		AUTO(strv_clear) struct strv cells = {0};

		strv_split(&cells, *line, "\t", true);
		t.columns = cells.n > t.columns ? cells.n : t.columns;
	}
	STRV_EACH(line, &lines) {
		AUTO(strv_clear) struct strv cells = {0};

		strv_split(&cells, *line, "\t", true);
		for (size_t i = 0; i < t.columns; i++)
			table_cell(&t, i < cells.n ? cells.v[i] : "");
	}
	if (t.columns)
		table_print(&t, out);
}
