/*
 * t_shim_streams - clients of a container's and an exec's streams, as pouchd hands them to pouch-shim
 */
#include "tests/unit/shim_box.h"

/* ---- sessions ---------------------------------------------------------------------------------------------------------- */

static void half_close_ends_stdin_and_all_output_arrives(void **state)
{
	struct err err = ERR_INIT;
	auto_free char *raw = NULL, *text = NULL;
	struct shim_session *s;
	struct box b;
	size_t len;
	int fd;

	box_init(&b);
	b.o.open_stdin = b.o.stdin_once = true;
	box_create(&b, "cat; echo end >&2");
	fd = attach_client(&b, &all_streams, &s);
	box_start(&b);
	assert_int_equal(write(fd, "hello\n", 6), 6);
	shutdown(fd, SHUT_WR);
	len = read_all(fd, &raw);
	text = unframe(raw, len, 1);
	assert_string_equal(text, "hello\n");
	free(text);
	text = unframe(raw, len, 2);
	assert_string_equal(text, "end\n");
	assert_int_equal(shim_session_wait(s, &err), SHIM_END_EXIT);
	shim_session_close(s);
	close(fd);
	box_clear(&b);
}

static void large_input_goes_round(void **state)
{
	enum { SIZE = 3 << 20 };
	auto_free char *raw = NULL, *text = NULL, *sent = malloc(SIZE);
	struct box b;
	size_t len;
	pid_t writer;
	int fd;

	for (size_t i = 0; i < SIZE; i++)
		sent[i] = (char)('a' + i % 23);
	box_init(&b);
	b.o.open_stdin = b.o.stdin_once = true;
	str_set(&b.o.log.driver, "none");
	box_create(&b, "cat");
	fd = attach_client(&b, &all_streams, NULL);
	box_start(&b);
	writer = fork();
	if (writer == 0) {
		(void)fd_write_all(fd, sent, SIZE);
		shutdown(fd, SHUT_WR);
		_exit(0);
	}
	len = read_all(fd, &raw);
	text = unframe(raw, len, 1);
	assert_int_equal(strlen(text), SIZE);
	assert_memory_equal(text, sent, SIZE);
	waitpid(writer, NULL, 0);
	close(fd);
	box_clear(&b);
}

static void many_clients_see_the_same(void **state)
{
	enum { CLIENTS = 20 };
	int fds[CLIENTS];
	struct box b;

	box_init(&b);
	box_create(&b, "seq 1 2000");
	for (int i = 0; i < CLIENTS; i++)
		fds[i] = attach_client(&b, &all_streams, NULL);
	box_start(&b);
	box_wait(&b);
	for (int i = 0; i < CLIENTS; i++) {
		auto_free char *raw = NULL, *text = NULL;
		size_t len = read_all(fds[i], &raw);

		text = unframe(raw, len, 1);
		assert_int_equal(strlen(text), 8893);
		close(fds[i]);
	}
	box_clear(&b);
}

static void a_slow_client_loses_nothing(void **state)
{
	enum { LINES = 400000 };
	auto_free char *raw = NULL, *text = NULL, *line = NULL;
	struct box b;
	size_t len;
	int fd;

	box_init(&b);
	str_set(&b.o.log.driver, "none");
	box_create(&b, "seq 1 400000");
	fd = attach_client(&b, &all_streams, NULL);
	box_start(&b);
	usleep(300000);	/* the container has more to say than fits anywhere */
	len = read_all(fd, &raw);
	text = unframe(raw, len, 1);
	line = text;
	for (int i = 1; i <= LINES; i++)
		assert_int_equal(strtol(line, &line, 10), i);
	line = NULL;
	close(fd);
	box_clear(&b);
}

static void a_vanished_client_harms_nobody(void **state)
{
	struct err err = ERR_INIT;
	struct shim_session *s;
	struct box b;
	int fd;

	box_init(&b);
	b.o.open_stdin = true;
	box_create(&b, "seq 1 300000; echo done");
	fd = attach_client(&b, &all_streams, &s);
	box_start(&b);
	usleep(50000);
	close(fd);
	assert_int_equal(shim_session_wait(s, &err), SHIM_END_GONE);
	shim_session_close(s);
	assert_int_equal(box_wait(&b).exit_code, 0);
	box_clear(&b);
}

static void a_terminal_has_a_size_and_detach_keys(void **state)
{
	struct err err = ERR_INIT;
	auto_free char *text = NULL;
	struct shim_session *s;
	struct box b;
	int fd;

	box_init(&b);
	b.o.tty = b.o.open_stdin = true;
	b.o.width = 91;
	b.o.height = 33;
	box_create(&b, "stty size; read x; stty size; echo got $x; read y");
	fd = attach_client(&b, &all_streams, &s);
	box_start(&b);
	text = read_until(fd, "33 91\r\n", 5000);
	assert_non_null(strstr(text, "33 91\r\n"));
	free(text);
	assert_ok(shim_resize(b.shim, NULL, 100, 40, &err));
	assert_int_equal(write(fd, "abc\n", 4), 4);
	text = read_until(fd, "got abc", 5000);
	assert_non_null(strstr(text, "40 100\r\n"));
	assert_int_equal(write(fd, "\x10\x11", 2), 2);
	assert_int_equal(shim_session_wait(s, &err), SHIM_END_DETACHED);
	shim_session_close(s);
	close(fd);
	/* and again, with keys of one's own */
	fd = attach_client(&b,
			   &(struct shim_attach){.want_stdin = true, .want_stdout = true, .detach_keys = (char *)"ctrl-a,x"},
			   &s);
	assert_int_equal(write(fd, "\x10\x11\x01y\x01x", 6), 6);
	assert_int_equal(shim_session_wait(s, &err), SHIM_END_DETACHED);
	shim_session_close(s);
	close(fd);
	box_clear(&b);
}

static void a_terminal_may_be_closed_and_opened_again(void **state)
{
	auto_free char *text = NULL;
	struct box b;
	int fd;

	box_init(&b);
	b.o.tty = true;
	box_create(&b, "exec 0</dev/null 1>/dev/null 2>/dev/null; sleep 0.4; echo back >/dev/pts/0; sleep 0.4; exit 8");
	fd = attach_client(&b, &all_streams, NULL);
	box_start(&b);
	text = read_until(fd, NULL, 5000);
	assert_string_equal(text, "back\r\n");
	assert_int_equal(box_wait(&b).exit_code, 8);
	close(fd);
	box_clear(&b);
}

static void bad_detach_keys_are_refused(void **state)
{
	struct err err = ERR_INIT;
	struct box b;
	int pair[2];

	box_init(&b);
	box_run(&b, "sleep 100");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_refused(shim_attach(b.shim, &(struct shim_attach){.detach_keys = (char *)"ctrl-"}, pair[0], NULL, 0, NULL, &err),
		       ERR_INVALID);
	close(pair[0]);
	close(pair[1]);
	assert_refused(shim_resize(b.shim, NULL, 10, 10, &err), ERR_CONFLICT);
	box_clear(&b);
}

static void keys_are_data_without_a_terminal(void **state)
{
	auto_free char *raw = NULL, *text = NULL;
	struct box b;
	size_t len;
	int fd;

	box_init(&b);
	b.o.open_stdin = b.o.stdin_once = true;
	box_create(&b, "cat");
	fd = attach_client(&b, &all_streams, NULL);
	box_start(&b);
	assert_int_equal(write(fd, "a\x10\x11z", 4), 4);
	shutdown(fd, SHUT_WR);
	len = read_all(fd, &raw);
	text = unframe(raw, len, 1);
	assert_string_equal(text, "a\x10\x11z");
	close(fd);
	box_clear(&b);
}

static void log_and_stream_join_without_a_gap(void **state)
{
	struct shim_attach a = {.want_stdout = true, .hold = true};
	struct err err = ERR_INIT;
	struct shim_session *s;
	AUTO(log_reader_free) struct log_reader *r = NULL;
	struct log_read_options o = {.want_stdout = true, .tail = -1};
	struct buf all = BUF_INIT;
	auto_free char *rest = NULL, *text = NULL, *line;
	struct box b;
	ssize_t n;
	size_t len;
	int fd;

	box_init(&b);
	b.o.log.opts = (struct strmap){0};
	strmap_set(&b.o.log.opts, "max-size", "200k");
	strmap_set(&b.o.log.opts, "max-file", "40");
	box_run(&b, "seq 1 50000; sleep 0.05; seq 50001 60000");
	usleep(30000);
	fd = attach_client(&b, &a, &s);
	o.path = b.o.log.path;
	o.end = shim_session_log(s);
	o.multiplexed = true;
	assert_ok(log_reader_open(&o, &r, &err));
	while ((n = log_reader_read(r, buf_room(&all, LOG_READ_MIN), LOG_READ_MIN, -1, &err)) > 0)
		all.len += (size_t)n;
	assert_ok((int)n);
	assert_ok(shim_session_release(s, &err));
	len = read_all(fd, &rest);
	buf_add(&all, rest, len);
	text = unframe(all.data, all.len, 1);
	line = text;
	for (int i = 1; i <= 60000; i++)
		assert_int_equal(strtol(line, &line, 10), i);
	line = NULL;
	buf_clear(&all);
	shim_session_close(s);
	close(fd);
	box_clear(&b);
}

/* ---- exec -------------------------------------------------------------------------------------------------------------- */

static void exec_has_its_own_streams_and_exit_code(void **state)
{
	struct shim_exec e = {.id = (char *)"e1", .want_stdin = true, .want_stdout = true, .want_stderr = true};
	auto_free char *raw = NULL, *text = NULL;
	struct err err = ERR_INIT;
	struct shim_session *s;
	struct box b;
	size_t len;
	int fd;

	box_init(&b);
	box_run(&b, "sleep 100");
	fd = exec_start(&b, &e, "read a; echo in:$a; echo bad >&2; exit 9", &s);
	assert_int_equal(write(fd, "hi\n", 3), 3);
	len = read_all(fd, &raw);
	text = unframe(raw, len, 1);
	assert_string_equal(text, "in:hi\n");
	free(text);
	text = unframe(raw, len, 2);
	assert_string_equal(text, "bad\n");
	assert_int_equal(shim_session_wait(s, &err), SHIM_END_EXIT);
	assert_int_equal(exec_code(&b, "e1"), 9);
	assert_ok(shim_exec_delete(b.shim, "e1", &err));
	assert_refused(shim_exec_delete(b.shim, "e1", &err), ERR_NOT_FOUND);
	shim_session_close(s);
	close(fd);
	{
		auto_free char *log = box_log(&b, true, true, NULL);

		assert_string_equal(log, "");
	}
	box_clear(&b);
}

static void exec_has_a_terminal(void **state)
{
	struct shim_exec e = {.id = (char *)"t", .tty = true, .want_stdin = true, .want_stdout = true, .width = 70, .height = 20};
	auto_free char *text = NULL;
	struct err err = ERR_INIT;
	struct box b;
	int fd;

	box_init(&b);
	box_run(&b, "sleep 100");
	fd = exec_start(&b, &e, "stty size; read x; stty size; exit 5", NULL);
	text = read_until(fd, "20 70\r\n", 5000);
	assert_non_null(strstr(text, "20 70\r\n"));
	free(text);
	assert_ok(shim_resize(b.shim, "t", 60, 10, &err));
	assert_int_equal(write(fd, "\n", 1), 1);
	text = read_until(fd, NULL, 5000);
	assert_non_null(strstr(text, "10 60\r\n"));
	assert_int_equal(exec_code(&b, "t"), 5);
	close(fd);
	box_clear(&b);
}

static void exec_failures_are_told_apart(void **state)
{
	struct shim_exec e = {.id = (char *)"x", .detached = true};
	struct err err = ERR_INIT;
	struct box b;
	pid_t pid;

	box_init(&b);
	box_run(&b, "sleep 100");
	e.process = (char *)"{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"args\":[\"nothing-there\"]}";
	assert_refused(shim_exec(b.shim, &e, -1, NULL, 0, &pid, NULL, &err), ERR_NOT_FOUND);
	e.process = (char *)"{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"args\":[\"/tmp\"]}";
	assert_refused(shim_exec(b.shim, &e, -1, NULL, 0, &pid, NULL, &err), ERR_FORBIDDEN);
	e.process = (char *)"{\"args\":7}";
	assert_refused(shim_exec(b.shim, &e, -1, NULL, 0, &pid, NULL, &err), ERR_INVALID);
	e.process = (char *)"";
	assert_refused(shim_exec(b.shim, &e, -1, NULL, 0, &pid, NULL, &err), ERR_INVALID);
	box_clear(&b);
}

static void a_detached_exec_keeps_its_exit_code(void **state)
{
	struct shim_exec e = {.id = (char *)"d", .detached = true};
	struct err err = ERR_INIT;
	struct box b;

	box_init(&b);
	box_run(&b, "sleep 100");
	exec_start(&b, &e, "sleep 0.1; exit 6", NULL);
	assert_refused(shim_exec_delete(b.shim, "d", &err), ERR_CONFLICT);
	assert_int_equal(exec_code(&b, "d"), 6);
	box_clear(&b);
}

static void an_exec_survives_its_client(void **state)
{
	struct shim_exec e = {.id = (char *)"v", .want_stdout = true};
	auto_free char *path = xfmt("%s/rootfs/tmp/survived", box_top);
	struct box b;
	int fd;

	box_init(&b);
	box_run(&b, "sleep 100");
	fd = exec_start(&b, &e, "sleep 0.2; seq 1 100000; echo yes > /tmp/survived", NULL);
	close(fd);
	assert_int_equal(exec_code(&b, "v"), 0);
	assert_int_equal(access(path, F_OK), 0);
	box_clear(&b);
}

static void a_background_child_does_not_hold_the_client(void **state)
{
	struct shim_exec e = {.id = (char *)"bg", .want_stdout = true};
	auto_free char *raw = NULL, *text = NULL;
	int64_t begin = time_mono_ms();
	struct box b;
	size_t len;
	int fd;

	box_init(&b);
	box_run(&b, "sleep 100");
	fd = exec_start(&b, &e, "sleep 50 & echo now", NULL);
	len = read_all(fd, &raw);
	text = unframe(raw, len, 1);
	assert_string_equal(text, "now\n");
	assert_true(time_mono_ms() - begin < 5000);
	close(fd);
	box_clear(&b);
}

static void a_hundred_execs_at_once(void **state)
{
	enum { EXECS = 100 };
	int fds[EXECS];
	char ids[EXECS][16];
	struct box b;

	box_init(&b);
	box_run(&b, "sleep 100");
	for (int i = 0; i < EXECS; i++) {
		struct shim_exec e = {.id = ids[i], .want_stdin = true, .want_stdout = true};

		snprintf(ids[i], sizeof(ids[i]), "e%d", i);
		fds[i] = exec_start(&b, &e, "read n; echo n=$n; exit $n", NULL);
	}
	for (int i = 0; i < EXECS; i++)
		dprintf(fds[i], "%d\n", i);
	for (int i = 0; i < EXECS; i++) {
		auto_free char *raw = NULL, *text = NULL, *want = xfmt("n=%d\n", i);
		size_t len = read_all(fds[i], &raw);

		text = unframe(raw, len, 1);
		assert_string_equal(text, want);
		assert_int_equal(exec_code(&b, ids[i]), i);
		close(fds[i]);
	}
	box_clear(&b);
}

static void these_tests_can_run(void **state)
{
	const char *why_not = box_setup();

	if (!why_not)
		return;
	print_message("%s\n", why_not);
	skip();
}

int main(void)
{
	static const struct CMUnitTest first[] = {cmocka_unit_test(these_tests_can_run)};
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_close_ends_stdin_and_all_output_arrives),
		cmocka_unit_test(large_input_goes_round),
		cmocka_unit_test(many_clients_see_the_same),
		cmocka_unit_test(a_slow_client_loses_nothing),
		cmocka_unit_test(a_vanished_client_harms_nobody),
		cmocka_unit_test(a_terminal_has_a_size_and_detach_keys),
		cmocka_unit_test(a_terminal_may_be_closed_and_opened_again),
		cmocka_unit_test(bad_detach_keys_are_refused),
		cmocka_unit_test(keys_are_data_without_a_terminal),
		cmocka_unit_test(log_and_stream_join_without_a_gap),
		cmocka_unit_test(exec_has_its_own_streams_and_exit_code),
		cmocka_unit_test(exec_has_a_terminal),
		cmocka_unit_test(exec_failures_are_told_apart),
		cmocka_unit_test(a_detached_exec_keeps_its_exit_code),
		cmocka_unit_test(an_exec_survives_its_client),
		cmocka_unit_test(a_background_child_does_not_hold_the_client),
		cmocka_unit_test(a_hundred_execs_at_once),
	};
	int rc = cmocka_run_group_tests(first, NULL, NULL);

	signal(SIGPIPE, SIG_IGN);
	if (rc == 0 && box_top[0])
		rc = cmocka_run_group_tests(tests, NULL, NULL);
	box_teardown();
	return rc;
}
