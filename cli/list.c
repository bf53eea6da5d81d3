/*
 * list.c - see list.h
 */
#include "cli/list.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "cli/table.h"
#include "cli/template.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

void list_clear(struct list *list)
{
	VEC_EACH(row, &list->rows)
		json_object_put(row->json);
	VEC_FREE(&list->rows);
}

void list_row(struct list *list)
{
	VEC_ADD(&list->rows)->json = json_object_new_object();
}

void list_set(struct list *list, const char *name, const char *value)
{
	json_object_object_add(list->rows.v[list->rows.n - 1].json, name,
			       json_object_new_string(value ? value : ""));
}

char *format_unescape(const char *format)
{
	struct buf out = BUF_INIT;

	for (const char *p = format; *p; p++) {
		if (p[0] == '\\' && (p[1] == 't' || p[1] == 'n'))
			buf_char(&out, *++p == 't' ? '\t' : '\n');
		else
			buf_char(&out, *p);
	}
	return buf_take(&out);
}

static int run_line(const struct template *t, struct json_object *row, struct buf *out, struct err *err)
{
	int rc = template_run(t, row, NULL, out, err);

	if (!rc)
		buf_char(out, '\n');
	return rc;
}

static int run_titles(const struct template *t, const char *const *titles, struct buf *out, struct err *err)
{
	AUTO(list_clear) struct list head = {0};

	list_row(&head);
	for (; *titles; titles++) {
		const char *eq = strchr(*titles, '=');
		auto_free char *name = xstrndup(*titles, (size_t)(eq - *titles));

		list_set(&head, name, eq + 1);
	}
	return run_line(t, head.rows.v[0].json, out, err);
}

int list_format(const struct list *list, const char *format, const char *const *titles, struct buf *out,
		struct err *err)
{
	const char *rest = str_skip(format, "table ");
	auto_free char *text = format_unescape(str_eq(format, "json") ? "{{json .}}" : rest ? rest : format);
	AUTO(template_free) struct template *t = NULL;
	AUTO(buf_clear) struct buf lines = BUF_INIT;
	struct buf *to = rest ? &lines : out;
	int rc = template_parse(text, &t, err);

	if (!rc && rest)
		rc = run_titles(t, titles, to, err);
	for (size_t i = 0; !rc && i < list->rows.n; i++)
		rc = run_line(t, list->rows.v[i].json, to, err);
	if (!rc && rest)
		table_align_tabs(buf_cstr(&lines), out);
	return rc;
}

static void new_line(struct buf *out, int depth)
{
	buf_fmt(out, "\n%*s", depth * 4, "");
}

void json_indent(const char *text, struct buf *out)
{
	bool quoted = false;
	int depth = 0;

	for (const char *p = text; *p; p++) {
		if (quoted) {
			buf_char(out, *p);
			if (*p == '"')
				quoted = false;
			else if (*p == '\\' && p[1])
				buf_char(out, *++p);
			continue;
		}
		switch (*p) {
		case '{':
		case '[':
			buf_char(out, *p);
			if (p[1] == '}' || p[1] == ']')
				buf_char(out, *++p);
			else
				new_line(out, ++depth);
			break;
		case '}':
		case ']':
			new_line(out, --depth);
			buf_char(out, *p);
			break;
		case ',':
			buf_char(out, ',');
			new_line(out, depth);
			break;
		case ':':
			buf_str(out, ": ");
			break;
		case ' ':
		case '\n':
		case '\r':
		case '\t':
			break;
		default:
			quoted = *p == '"';
			buf_char(out, *p);
		}
	}
}

char *list_ago(int64_t when_ns)
{
	char text[64];

	if (!when_ns)
		return xstrdup("");
	time_human(text, sizeof(text), time_now_ns() - when_ns);
	return xfmt("%s ago", text);
}

char *list_short_id(const char *id, size_t digits, bool full)
{
	const char *hex = str_skip(id ? id : "", "sha256:");

	if (full)
		return xstrdup(id ? id : "");
	return xstrndup(hex ? hex : id ? id : "", digits);
}
