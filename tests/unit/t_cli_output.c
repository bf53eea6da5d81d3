/*
 * t_cli_output - what comes from the daemon, on its way to the user: answers, frames, progress, tables
 */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/demux.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"

/* A connection on which the daemon has said all of @text. */
static struct http *answered(const char *text, size_t len)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(fd_write_all(pair[1], text, len), 0);
	close(pair[1]);
	return http_adopt(pair[0]);
}

static void bodies_are_read_in_every_framing(void **state)
{
	static const char text[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: Text/Plain; charset=x\r\n\r\nabc"
		"HTTP/1.1 100 Continue\r\n\r\n"
		"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nTrailer: 1\r\n\r\n"
		"HTTP/1.1 204 No Content\r\n\r\n"
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"
		"HTTP/1.1 404 Not Found\r\n\r\nto the end";
	static const struct {
		int status;
		const char *body;
	} expected[] = {{200, "abc"}, {201, "def"}, {204, ""}, {304, ""}, {404, "to the end"}};
	AUTO(http_close) struct http *http = answered(text, sizeof(text) - 1);
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		AUTO(buf_clear) struct buf body = BUF_INIT;
		struct http_answer answer;

		assert_ok(http_receive(http, &answer, &err));
		assert_int_equal(answer.status, expected[i].status);
		if (i == 0)
			assert_string_equal(answer.content_type, "text/plain");
		assert_ok(http_read_all(http, 1000, &body, &err));
		assert_string_equal(buf_cstr(&body), expected[i].body);
	}
}

static void bad_answers_are_refused(void **state)
{
	static const char *const bad[] = {
		"", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(http_close) struct http *http = answered(bad[i], strlen(bad[i]));
		AUTO(buf_clear) struct buf body = BUF_INIT;
		struct http_answer answer;
		struct err err = ERR_INIT;
		int rc = http_receive(http, &answer, &err);

		if (rc >= 0)
			rc = http_read_all(http, 1000, &body, &err);
		if (rc >= 0)
			fail_msg("answer %zu was taken", i);
		assert_int_not_equal(err.msg[0], '\0');
	}
}

static void endless_heads_and_bodies_are_cut(void **state)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct http_answer answer;
	struct err err = ERR_INIT;

	buf_str(&text, "HTTP/1.1 200 OK\r\nX: ");
	for (int i = 0; i < 70000; i++)
		buf_char(&text, 'x');
	{
		AUTO(http_close) struct http *http = answered(text.data, text.len);

		assert_refused(http_receive(http, &answer, &err), ERR_TOO_LARGE);
	}
	buf_reset(&text);
	buf_str(&text, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 200; i++)
		buf_str(&text, "X: y\r\n");
	{
		AUTO(http_close) struct http *http = answered(text.data, text.len);

		assert_refused(http_receive(http, &answer, &err), ERR_TOO_LARGE);
	}
	{
		static const char big[] = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n01234567890123456789";
		AUTO(http_close) struct http *http = answered(big, sizeof(big) - 1);
		AUTO(buf_clear) struct buf body = BUF_INIT;

		assert_ok(http_receive(http, &answer, &err));
		assert_refused(http_read_all(http, 10, &body, &err), ERR_TOO_LARGE);
	}
}

static void errors_of_the_daemon_keep_their_words_and_their_kind(void **state)
{
	static const char text[] = "HTTP/1.1 409 Conflict\r\nContent-Length: 29\r\n\r\n{\"message\":\"already\x1b exist\"}\n"
				   "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n";
	AUTO(http_close) struct http *http = answered(text, sizeof(text) - 1);
	struct http_answer answer;
	struct err err = ERR_INIT;

	assert_ok(http_receive(http, &answer, &err));
	assert_refused(cli_finish(http, answer.status, NULL, &err), ERR_CONFLICT);
	assert_string_equal(err.msg, "{\"message\":\"already  exist\"}");
	assert_null(cli_api_message("nonsense"));
}

/* The frames of @text fed in pieces of @step bytes; what came out of both ends. */
static void feed(const char *text, size_t len, size_t step, char out[64], char error[64])
{
	int pipes[2][2];
	struct demux d;
	struct err err = ERR_INIT;
	char *const to[2] = {out, error};

	demux_init(&d, false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		d.fd[i] = pipes[i][1];
	}
	for (size_t at = 0; at < len; at += step)
		assert_ok(demux_feed(&d, (const uint8_t *)text + at, len - at < step ? len - at : step, &err));
	assert_false(demux_is_amid_frame(&d));
	demux_clear(&d);
	for (int i = 0; i < 2; i++) {
		ssize_t n;

		close(pipes[i][1]);
		n = fd_read_all(pipes[i][0], to[i], 63);
		assert_true(n >= 0);
		to[i][n] = '\0';
		close(pipes[i][0]);
	}
}

static void frames_are_taken_apart_wherever_they_are_cut(void **state)
{
	static const char text[] = "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\2er\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\1d\3\0\0\0\0\0\0\1!";
	char out[64], error[64];

	for (size_t step = 1; step < sizeof(text); step++) {
		feed(text, sizeof(text) - 1, step, out, error);
		assert_string_equal(out, "abcd");
		assert_string_equal(error, "er!");
	}
}

static void a_bad_frame_is_refused(void **state)
{
	struct demux d;
	struct err err = ERR_INIT;

	demux_init(&d, false);
	assert_refused(demux_feed(&d, (const uint8_t *)"HTTP/1.1 200", 12, &err), ERR_UNAVAILABLE);
	demux_clear(&d);
}

static void progress_on_a_pipe_is_a_line_for_each_new_status(void **state)
{
	static const char *const lines[] = {
		"{\"status\":\"Pulling from x\",\"id\":\"1\"}",
		"{\"status\":\"Downloading\",\"id\":\"abc\",\"progressDetail\":{\"current\":1,\"total\":9}}",
		"{\"status\":\"Downloading\",\"id\":\"abc\",\"progressDetail\":{\"current\":5,\"total\":9}}",
		"{\"status\":\"Pull complete\",\"id\":\"abc\"}", "{\"status\":\"Done\"}", "{\"stream\":\"Loaded\\n\"}",
	};
	char text[200];
	int pipes[2];
	ssize_t n;
	struct err err = ERR_INIT;

	assert_int_equal(pipe(pipes), 0);
	{
		AUTO(progress_free) struct progress *p = progress_new(pipes[1]);

		for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
			assert_ok(progress_line(p, lines[i], strlen(lines[i]), &err));
		assert_refused(progress_line(p, "{\"error\":\"a \\\"b\\\"\"}", 19, &err), ERR_INTERNAL);
		assert_string_equal(err.msg, "{\"message\":\"a \\\"b\\\"\"}");
	}
	close(pipes[1]);
	n = fd_read_all(pipes[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	close(pipes[0]);
	assert_string_equal(text, "1: Pulling from x\nabc: Downloading\nabc: Pull complete\nDone\nLoaded\n");
}

static void tables_align_by_characters_and_hide_control_bytes(void **state)
{
	AUTO(table_clear) struct table t = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;

	table_init(&t, "NAME,X");
	table_cell(&t, "h\xc3\xa9");
	table_cell(&t, "1");
	table_cell(&t, "a\x1b[2J");
	table_cell(&t, NULL);
	table_cell(&t, "\xc2\x9b" "2J");
	table_cell(&t, "\x7f");
	table_print(&t, &out);
	assert_string_equal(out.data, "NAME    X\nh\xc3\xa9      1\na?[2J   \n??2J    ?\n");
}

static void filters_become_one_object(void **state)
{
	AUTO(strv_clear) struct strv filters = {0};
	AUTO(buf_clear) struct buf path = BUF_INIT;
	struct err err = ERR_INIT;

	strv_add(&filters, "label=a=b");
	strv_add(&filters, "name=x");
	strv_add(&filters, "label=c");
	buf_str(&path, "/p");
	assert_ok(cli_filters(&filters, &path, &err));
	assert_string_equal(path.data, "/p?filters=%7B%22label%22%3A%5B%22a%3Db%22%2C%22c%22%5D%2C%22name%22%3A%5B%22x%22%5D%7D");
	strv_add(&filters, "=x");
	assert_refused(cli_filters(&filters, &path, &err), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_are_read_in_every_framing),
		cmocka_unit_test(bad_answers_are_refused),
		cmocka_unit_test(endless_heads_and_bodies_are_cut),
		cmocka_unit_test(errors_of_the_daemon_keep_their_words_and_their_kind),
		cmocka_unit_test(frames_are_taken_apart_wherever_they_are_cut),
		cmocka_unit_test(a_bad_frame_is_refused),
		cmocka_unit_test(progress_on_a_pipe_is_a_line_for_each_new_status),
		cmocka_unit_test(tables_align_by_characters_and_hide_control_bytes),
		cmocka_unit_test(filters_become_one_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
