/*
 * writer - cuts a container's output into lines
 */
#include "runtime/log/writer.h"

#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/log/json_text.h"

int log_writer_open(const struct log_config *config, struct log_writer **ret, struct err *err)
{
	AUTO(log_writer_free) struct log_writer *w = xcalloc(1, sizeof(*w));
	int rc;

	rc = log_ops_find(config->driver, &w->ops, err);
	if (rc < 0)
		return rc;
	rc = w->ops->check(&config->opts, err);
	if (rc < 0)
		return rc;
	json_copy(&log_config_table, &w->config, config);
	rc = w->ops->open(w, err);
	if (rc < 0)
		return rc;
	*ret = take(w);
	return 0;
}

static void emit(struct log_writer *w, enum log_stream stream, const char *line, size_t len, bool whole, int64_t now_ns)
{
	struct log_carry *c = &w->carry[stream - 1];

	if (c->partial)
		now_ns = c->partial_ns;
	c->partial = !whole;
	c->partial_ns = now_ns;
	w->ops->record(w, stream, line, len, whole, now_ns);
}

/* More of a line whose beginning waits. Returns how much of @p was used; the carry is empty or @p was used up. */
static size_t add_to_carry(struct log_writer *w, enum log_stream stream, const char *p, size_t len, int64_t now_ns)
{
	struct log_carry *c = &w->carry[stream - 1];
	size_t room = LOG_LINE_MAX - c->len, n = len < room ? len : room;
	const char *newline = json_text_newline(p, p + n);
	size_t used = newline ? (size_t)(newline - p) : n, cut;

	memcpy(c->data + c->len, p, used);
	c->len += used;
	if (newline) {
		emit(w, stream, c->data, c->len, true, now_ns);
		c->len = 0;
		return used + 1;
	}
	if (c->len < LOG_LINE_MAX)
		return used;
	if (used < len && p[used] == '\n') {
		emit(w, stream, c->data, c->len, true, now_ns);
		c->len = 0;
		return used + 1;
	}
	cut = json_text_cut(c->data, c->len);
	emit(w, stream, c->data, cut, false, now_ns);
	memmove(c->data, c->data + cut, c->len - cut);
	c->len -= cut;
	return used;
}

static void keep_rest(struct log_carry *c, const char *p, size_t len)
{
	if (!c->data)
		c->data = xcalloc(1, LOG_LINE_MAX);
	memcpy(c->data, p, len);
	c->len = len;
}

void log_writer_add(struct log_writer *w, enum log_stream stream, const void *data, size_t len, int64_t now_ns)
{
	struct log_carry *c = &w->carry[stream - 1];
	const char *p = data, *end = p + len;

	while (p < end) {
		const char *limit, *newline;

		if (c->len) {
			p += add_to_carry(w, stream, p, (size_t)(end - p), now_ns);
			continue;
		}
		limit = end - p > LOG_LINE_MAX ? p + LOG_LINE_MAX + 1 : end;
		newline = json_text_newline(p, limit);
		if (newline) {
			emit(w, stream, p, (size_t)(newline - p), true, now_ns);
			p = newline + 1;
		} else if (end - p > LOG_LINE_MAX) {
			size_t cut = json_text_cut(p, LOG_LINE_MAX);

			emit(w, stream, p, cut, false, now_ns);
			p += cut;
		} else {
			keep_rest(c, p, (size_t)(end - p));
			break;
		}
	}
	w->ops->flush(w);
}

void log_writer_end(struct log_writer *w, enum log_stream stream, int64_t now_ns)
{
	struct log_carry *c = &w->carry[stream - 1];

	if (c->len)
		emit(w, stream, c->data, c->len, false, now_ns);
	c->len = 0;
	c->partial = false;
	w->ops->flush(w);
}

void log_writer_trim(struct log_writer *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(w->carry); i++) {
		if (w->carry[i].len)
			continue;
		free(w->carry[i].data);
		w->carry[i].data = NULL;
	}
	w->ops->trim(w);
}

int log_writer_reopen(struct log_writer *w, struct err *err)
{
	return w->ops->reopen(w, err);
}

struct log_position log_writer_position(const struct log_writer *w)
{
	return w->ops->position(w);
}

size_t log_writer_pending(const struct log_writer *w, enum log_stream stream, const char **ret_data)
{
	const struct log_carry *c = &w->carry[stream - 1];

	*ret_data = c->data;
	return c->len;
}

const struct log_counts *log_writer_counts(const struct log_writer *w)
{
	return &w->counts;
}

void log_writer_free(struct log_writer *w)
{
	if (!w)
		return;
	if (w->ops && w->state)
		w->ops->close(w);
	for (size_t i = 0; i < ARRAY_SIZE(w->carry); i++)
		free(w->carry[i].data);
	json_clear(&log_config_table, &w->config);
	free(w);
}
