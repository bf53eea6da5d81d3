/*
 * cli.c - see cli.h
 */
#include "cli/cli.h"

#include <json-c/json.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/api/error.h"
#include "runtime/api/parse.h"

enum { ANSWER_MAX = 256 << 20, MANY_CONNECTIONS = 16 };

/* ---- printing ---- */

int cli_print(const void *data, size_t len, struct err *err)
{
	int rc = fd_write_all(STDOUT_FILENO, data, len);

	if (rc == -EPIPE) {
		/* Die as programs do whose reader has gone, even when SIGPIPE is ignored. */
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	return rc < 0 ? err_sys(err, -rc, "write to standard output") : 0;
}

int cli_printf(struct err *err, const char *fmt, ...)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&text, fmt, ap);
	va_end(ap);
	return cli_print(text.data, text.len, err);
}

static void to_stderr(const char *mark, const char *text)
{
	AUTO(buf_clear) struct buf line = BUF_INIT;

	buf_fmt(&line, "%s: %s\n", mark, text);
	(void)fd_write_all(STDERR_FILENO, line.data, line.len); /* nobody is left to tell */
}

void cli_complain(const struct err *err)
{
	to_stderr("Error", err->msg);
}

void cli_warn(const char *text)
{
	to_stderr("Warning", text);
}

/* ---- addresses ---- */

char *cli_escape(const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	struct buf out = BUF_INIT;

	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		    strchr("-._~", *p)) {
			buf_char(&out, (char)*p);
		} else {
			const char code[3] = {'%', hex[*p >> 4], hex[*p & 15]};

			buf_add(&out, code, sizeof(code));
		}
	}
	return buf_take(&out);
}

void cli_query(struct buf *path, const char *name, const char *value)
{
	auto_free char *escaped = cli_escape(value);

	buf_fmt(path, "%c%s=%s", strchr(buf_cstr(path), '?') ? '&' : '?', name, escaped);
}

/* The values of one key in the order given; keys that came before are skipped by the caller. */
static void print_filter_values(const struct strv *filters, const char *filter, size_t key_len,
				struct buf *out)
{
	const char *sep = "";

	json_print_str(out, filter, key_len);
	buf_str(out, ":[");
	for (size_t i = 0; i < filters->n; i++) {
		const char *value = filters->v[i] + key_len;

		if (strncmp(filters->v[i], filter, key_len) != 0 || *value != '=')
			continue;
		buf_str(out, sep);
		sep = ",";
		json_print_str(out, value + 1, strlen(value + 1));
	}
	buf_char(out, ']');
}

int cli_filters(const struct strv *filters, struct buf *path, struct err *err)
{
	AUTO(buf_clear) struct buf json = BUF_INIT;

	for (size_t i = 0; i < filters->n; i++) {
		const char *filter = filters->v[i], *eq = strchr(filter, '=');
		size_t n = eq ? (size_t)(eq - filter) + 1 : 0, first = 0;

		if (n < 2)
			return err_set(err, ERR_INVALID, "bad format of filter '%s': write NAME=VALUE",
				       filter);
		while (strncmp(filters->v[first], filter, n) != 0)
			first++;
		if (first < i)
			continue;
		buf_char(&json, json.len ? ',' : '{');
		print_filter_values(filters, filter, n - 1, &json);
	}
	if (json.len) {
		buf_char(&json, '}');
		cli_query(path, "filters", json.data);
	}
	return 0;
}

/* ---- calls ---- */

int cli_connect(struct cli *cli, struct http **ret, struct err *err)
{
	return http_open(cli->host, &cli->tls, ret, err);
}

int cli_http(struct cli *cli, struct http **ret, struct err *err)
{
	if (!cli->http) {
		int rc = cli_connect(cli, &cli->http, err);

		if (rc < 0)
			return rc;
	}
	*ret = cli->http;
	return 0;
}

struct http *cli_take_http(struct cli *cli)
{
	return take(cli->http);
}

char *cli_api_message(const char *text)
{
	struct json_object *tree = NULL;
	const char *message;
	char *found;

	if (json_tree_parse(text, strlen(text), "answer", &tree, NULL) < 0)
		return NULL;
	message = json_tree_str(tree, "message");
	found = xstrdup(message);
	json_tree_put(tree);
	return found;
}

int cli_finish(struct http *http, int status, struct buf *ret, struct err *err)
{
	AUTO(buf_clear) struct buf dropped = BUF_INIT;
	struct buf *body = ret && status < 400 ? ret : &dropped;
	int rc = http_read_all(http, ANSWER_MAX, body, err);
	size_t n;

	if (rc < 0)
		return rc;
	if (status < 400)
		return status;
	n = body->len;
	while (n && strchr("\r\n ", body->data[n - 1]))
		body->data[--n] = '\0';
	if (!n)
		return err_set(err, err_kind_from_status(status), "{\"message\":\"status %d\"}", status);
	/* Control characters in a message that is not ours would reach the terminal. */
	str_make_printable(body->data, ' ');
	return err_set(err, err_kind_from_status(status), "%s", body->data);
}

/* With --debug: each call, its outcome and how long it took. */
static void trace(const struct cli *cli, const struct cli_call *call, int rc, int64_t begin_ns)
{
	AUTO(buf_clear) struct buf line = BUF_INIT;

	if (!cli->debug)
		return;
	buf_fmt(&line, "debug: %s %s%s: %d, %.1f ms\n", call->method, cli->host, call->path, rc,
		(double)(time_now_ns() - begin_ns) / 1e6);
	(void)fd_write_all(STDERR_FILENO, line.data, line.len); /* a remark, no more */
}

static int exchange(struct cli *cli, const struct cli_call *call, struct err *err)
{
	AUTO(buf_clear) struct buf body = BUF_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct buf *out = call->ret_text ? call->ret_text : &text;
	struct http_request request = {.method = call->method, .path = call->path};
	struct http_answer answer;
	struct http *http;
	int rc = cli_http(cli, &http, err);

	if (rc < 0)
		return rc;
	if (call->body) {
		json_print(call->body_table, call->body, 0, &body);
		request.content_type = "application/json";
		request.body = body.data;
		request.body_len = body.len;
	}
	rc = http_send(http, &request, err);
	if (!rc)
		rc = http_receive(http, &answer, err);
	if (!rc)
		rc = cli_finish(http, answer.status, out, err);
	if (rc > 0 && call->ret && out->len) {
		int parsed = json_parse(call->ret_table, out->data, out->len, 0, "pouchd's answer",
					call->ret, err);

		rc = parsed < 0 ? parsed : rc;
	}
	return rc;
}

int cli_call(struct cli *cli, const struct cli_call *call, struct err *err)
{
	int64_t begin = cli->debug ? time_now_ns() : 0;
	int rc = exchange(cli, call, err);

	trace(cli, call, rc, begin);
	return rc;
}

int cli_get(struct cli *cli, const char *path, const struct json_table *table, void *ret,
	    struct err *err)
{
	const struct cli_call call = {
		.method = "GET", .path = path, .ret_table = table, .ret = ret,
	};

	return cli_call(cli, &call, err);
}

int cli_get_text(struct cli *cli, const char *path, struct buf *ret, struct err *err)
{
	const struct cli_call call = {.method = "GET", .path = path, .ret_text = ret};

	return cli_call(cli, &call, err);
}

int cli_get_vec(struct cli *cli, const char *path, const struct json_table *table, void *ret_vec,
		struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = cli_get_text(cli, path, &text, err);

	return rc < 0 ? rc : json_parse_vec(table, text.data, text.len, 0, "pouchd's answer", ret_vec, err);
}

int cli_post(struct cli *cli, const char *path, struct err *err)
{
	const struct cli_call call = {.method = "POST", .path = path};

	return cli_call(cli, &call, err);
}

/* ---- many at once ---- */

static int send_one(struct cli *cli, const struct cli_many *many, const char *name, struct http **http,
		    struct err *err)
{
	auto_free char *escaped = cli_escape(name);
	AUTO(buf_clear) struct buf path = BUF_INIT;
	struct http_request request = {.method = many->method};
	const char *mark = strstr(many->path_format, "%s");
	int rc = 0;

	buf_fmt(&path, "%.*s%s%s", (int)(mark - many->path_format), many->path_format, escaped, mark + 2);
	request.path = path.data;
	if (!*http)
		rc = cli_connect(cli, http, err);
	return rc < 0 ? rc : http_send(*http, &request, err);
}

static int receive_one(struct http *http, struct err *err)
{
	struct http_answer answer;
	int rc = http_receive(http, &answer, err);

	return rc < 0 ? rc : cli_finish(http, answer.status, NULL, err);
}

int cli_each(struct cli *cli, const struct cli_many *many, const struct strv *names, struct err *err)
{
	struct http *conn[MANY_CONNECTIONS] = {NULL};
	struct err sent[MANY_CONNECTIONS] = {ERR_INIT};
	int status = 0;

	/* Slot i % N: requests go out N ahead of the answers, which are read in the order of the names. */
	for (size_t i = 0; i < names->n + MANY_CONNECTIONS; i++) {
		size_t slot = i % MANY_CONNECTIONS;

		if (i >= MANY_CONNECTIONS && i - MANY_CONNECTIONS < names->n) {
			const char *name = names->v[i - MANY_CONNECTIONS];
			struct err failure = sent[slot];
			int rc = failure.code ? -failure.code : receive_one(conn[slot], &failure);

			if (rc < 0) {
				err_wrap(&failure, rc, "failed to %s %s", many->verb, name);
				cli_complain(&failure);
				http_close(take(conn[slot]));
				status = 1;
			} else if (!many->quiet) {
				cli_printf(err, "%s\n", name);
			}
		}
		sent[slot] = ERR_INIT;
		if (i < names->n)
			(void)send_one(cli, many, names->v[i], &conn[slot], &sent[slot]);
	}
	for (size_t i = 0; i < MANY_CONNECTIONS; i++)
		http_close(conn[i]);
	return status;
}
