/*
 * progress.c - see progress.h
 */
#include "cli/progress.h"

#include <stdlib.h>
#include <unistd.h>

#include "cli/terminal.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/api/error.h"
#include "runtime/api/stream.h"

enum { LINE_MAX_BYTES = 1 << 20, MAX_ROWS = 1000, BAR_WIDTH = 50 };

/* One object that is making progress. */
struct row {
	char *id, *status;
};

struct progress {
	int fd;
	bool terminal;
	VEC(struct row) rows;		/* in the order of their lines on the terminal */
	struct buf pending;		/* part of a line of JSON */
};

struct progress *progress_new(int fd)
{
	struct progress *p = xcalloc(1, sizeof(*p));

	p->fd = fd;
	p->terminal = fd >= 0 && isatty(fd);
	return p;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	VEC_EACH(row, &p->rows) {
		free(row->id);
		free(row->status);
	}
	VEC_FREE(&p->rows);
	buf_clear(&p->pending);
	free(p);
}

static void show(struct progress *p, const struct buf *text)
{
	if (p->fd >= 0)
		(void)fd_write_all(p->fd, text->data, text->len); /* progress that nobody reads */
}

static struct row *find_row(struct progress *p, const char *id, size_t *ret_index)
{
	struct row *row;

	for (size_t i = 0; i < p->rows.n; i++) {
		if (str_eq(p->rows.v[i].id, id)) {
			*ret_index = i;
			return &p->rows.v[i];
		}
	}
	if (p->rows.n == MAX_ROWS)
		return NULL;
	*ret_index = p->rows.n;
	row = VEC_ADD(&p->rows);
	row->id = xstrdup(id);
	return row;
}

/* "[=====>    ]  1.2MB/3.4MB", as wide as the terminal allows. */
static void add_bar(const struct api_progress_detail *d, uint32_t columns, struct buf *out)
{
	char done[32], all[32];

	str_human_size(done, (double)d->current, true);
	if (d->total <= 0 || d->current > d->total) {
		if (d->current)
			buf_fmt(out, " %s", done);
		return;
	}
	if (columns > 110) {
		int filled = (int)((double)d->current / (double)d->total * BAR_WIDTH);

		buf_str(out, " [");
		for (int i = 0; i < BAR_WIDTH; i++)
			buf_char(out, i < filled ? '=' : i == filled ? '>' : ' ');
		buf_char(out, ']');
	}
	str_human_size(all, (double)d->total, true);
	buf_fmt(out, "  %s/%s", done, all);
}

static void show_in_place(struct progress *p, const struct api_progress *line, struct row *row, size_t index,
			  bool is_new)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	size_t up = p->rows.n - index;
	uint32_t rows = 24, columns = 80;

	(void)terminal_size(p->fd, &rows, &columns);
	if (up >= rows && !is_new)
		return;		/* scrolled out of sight: the cursor cannot get there */
	if (!is_new)
		buf_fmt(&out, "\x1b[%zuA", up);
	buf_fmt(&text, "%s: %s", row->id, line->status);
	if (line->progress_detail)
		add_bar(line->progress_detail, columns, &text);
	/* A line that wraps would be two, and the cursor would miss. */
	buf_fmt(&out, "\x1b[2K\r%.*s\r\n", (int)(columns > 1 ? columns - 1 : 1), text.data);
	if (!is_new && up > 1)
		buf_fmt(&out, "\x1b[%zuB", up - 1);
	show(p, &out);
}

static void show_plain(struct progress *p, const struct api_progress *line)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;

	if (!str_empty(line->id))
		buf_fmt(&out, "%s: ", line->id);
	buf_fmt(&out, "%s\n", line->status);
	show(p, &out);
}

static void show_status(struct progress *p, const struct api_progress *line)
{
	struct row *row;
	size_t index = 0, before = p->rows.n;
	bool same;

	if (str_empty(line->id)) {
		show_plain(p, line);
		/* The lines above have moved: what comes next starts below. */
		VEC_EACH(r, &p->rows) {
			free(r->id);
			free(r->status);
		}
		p->rows.n = 0;
		return;
	}
	row = find_row(p, line->id, &index);
	if (!row)
		return;
	same = str_eq(row->status, line->status);
	str_set(&row->status, line->status);
	if (p->terminal)
		show_in_place(p, line, row, index, p->rows.n > before);
	else if (!same)
		show_plain(p, line);
}

static int refuse(const char *message, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	api_error_print(message, &text);
	return err_set(err, ERR_INTERNAL, "%.*s", (int)text.len - 1, text.data);
}

int progress_line(struct progress *p, const char *json, size_t len, struct err *err)
{
	struct api_progress line = {0};
	int rc = json_parse(&api_progress_table, json, len, 0, "pouchd's answer", &line, err);

	if (rc < 0)
		return rc;
	if (!str_empty(line.error))
		rc = refuse(line.error, err);
	else if (line.error_detail && !str_empty(line.error_detail->message))
		rc = refuse(line.error_detail->message, err);
	else if (!str_empty(line.stream) && p->fd >= 0)
		(void)fd_write_all(p->fd, line.stream, strlen(line.stream)); /* as above */
	else if (!str_empty(line.status))
		show_status(p, &line);
	json_clear(&api_progress_table, &line);
	return rc;
}

/* All whole lines in the buffer. */
static int take_lines(struct progress *p, bool at_end, struct err *err)
{
	size_t used = 0;
	int rc = 0;

	while (!rc && used < p->pending.len) {
		const char *start = p->pending.data + used;
		const char *end = memchr(start, '\n', p->pending.len - used);
		size_t n = end ? (size_t)(end - start) : p->pending.len - used;

		if (!end && !at_end)
			break;
		used += n + !!end;
		while (n && (start[n - 1] == '\r' || start[n - 1] == ' '))
			n--;
		if (n)
			rc = progress_line(p, start, n, err);
	}
	buf_drop(&p->pending, used);
	if (!rc && p->pending.len > LINE_MAX_BYTES)
		rc = err_set(err, ERR_TOO_LARGE, "pouchd's answer has a line over %d bytes", LINE_MAX_BYTES);
	return rc;
}

int progress_read(struct progress *p, struct http *http, struct err *err)
{
	for (;;) {
		char *room = buf_room(&p->pending, 65536);
		ssize_t n = http_read(http, room, 65536, err);
		int rc;

		if (n < 0)
			return (int)n;
		p->pending.len += (size_t)n;
		p->pending.data[p->pending.len] = '\0';
		rc = take_lines(p, n == 0, err);
		if (rc < 0 || n == 0)
			return rc;
	}
}
