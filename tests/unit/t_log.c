/*
 * t_log - the json-file log, written and read back
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/log/json_text.h"
#include "runtime/log/log_driver.h"
#include "runtime/log/record.h"
#include "tests/unit/unit.h"

#define T0 1700000000123456789LL /* 2023-11-14T22:13:20.123456789Z */

static char top[64];

static int setup(void **state)
{
	struct err err = ERR_INIT;

	snprintf(top, sizeof(top), "/tmp/pouch-log-test.XXXXXX");
	return mkdtemp(top) ? 0 : err_sys(&err, errno, "mkdtemp");
}

static int teardown(void **state)
{
	struct err err = ERR_INIT;

	return path_remove_tree(top, &err);
}

static char *log_path(void)
{
	return xfmt("%s/json.log", top);
}

static struct log_writer *writer(const char *max_size, const char *max_file, const char *tag)
{
	struct log_config c = {.path = log_path()};
	struct log_writer *w = NULL;
	struct err err = ERR_INIT;

	if (max_size)
		strmap_set(&c.opts, "max-size", max_size);
	if (max_file)
		strmap_set(&c.opts, "max-file", max_file);
	if (tag)
		strmap_set(&c.attrs, "tag", tag);
	assert_ok(log_writer_open(&c, &w, &err));
	json_clear(&log_config_table, &c);
	return w;
}

static void add(struct log_writer *w, const char *text)
{
	log_writer_add(w, LOG_STDOUT, text, strlen(text), T0);
}

static char *file_text(const char *path)
{
	struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(file_read(AT_FDCWD, path, 1 << 28, &b, &err));
	return buf_take(&b);
}

static struct log_read_options all_of(const char *path)
{
	return (struct log_read_options){.path = path, .want_stdout = true, .want_stderr = true, .tail = -1};
}

static char *read_with(const struct log_read_options *o, size_t *ret_len)
{
	AUTO(log_reader_free) struct log_reader *r = NULL;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	ssize_t n;

	assert_ok(log_reader_open(o, &r, &err));
	while ((n = log_reader_read(r, buf_room(&out, LOG_READ_MIN), LOG_READ_MIN, -1, &err)) > 0)
		out.len += (size_t)n;
	assert_ok((int)n);
	out.data[out.len] = '\0';
	if (ret_len)
		*ret_len = out.len;
	return buf_take(&out);
}

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static void a_line_is_a_record_as_docker_writes_it(void **state)
{
	auto_free char *path = log_path();
	auto_free char *text = NULL;
	struct log_writer *w = writer(NULL, NULL, NULL);

	add(w, "he\"llo\\ \t\x01 \xc3\xa4 \xff end\r\n");
	log_writer_add(w, LOG_STDERR, "e\n", 2, T0 + 1);
	text = file_text(path);
	assert_string_equal(text,
			    "{\"log\":\"he\\\"llo\\\\ \\t\\u0001 \xc3\xa4 \xef\xbf\xbd end\\r\\n\",\"stream\":\"stdout\","
			    "\"time\":\"2023-11-14T22:13:20.123456789Z\"}\n"
			    "{\"log\":\"e\\n\",\"stream\":\"stderr\",\"time\":\"2023-11-14T22:13:20.123456790Z\"}\n");
	log_writer_free(w);
}

static void attributes_are_in_every_record(void **state)
{
	auto_free char *path = log_path();
	auto_free char *text = NULL;
	struct log_writer *w = writer(NULL, NULL, "a\"b");

	add(w, "x\n");
	text = file_text(path);
	assert_string_equal(text, "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"tag\":\"a\\\"b\"},"
				  "\"time\":\"2023-11-14T22:13:20.123456789Z\"}\n");
	log_writer_free(w);
}

static void pieces_of_a_line_become_one_record(void **state)
{
	auto_free char *path = log_path();
	auto_free char *text = NULL;
	struct log_read_options o = all_of(path);
	struct log_writer *w = writer(NULL, NULL, NULL);

	add(w, "one ");
	add(w, "two ");
	add(w, "three\nfour");
	assert_int_equal(log_writer_counts(w)->records, 1);
	log_writer_end(w, LOG_STDOUT, T0);
	text = read_with(&o, NULL);
	assert_string_equal(text, "one two three\nfour");
	log_writer_free(w);
}

static void a_long_line_is_cut_into_partial_records(void **state)
{
	enum { LEN = 50000 };
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	auto_free char *line = malloc(LEN + 2), *text = NULL, *raw = NULL;
	struct log_writer *w = writer(NULL, NULL, NULL);

	for (int i = 0; i < LEN; i++)
		line[i] = (char)('a' + i % 26);
	memcpy(line + LEN, "\n", 2);
	/* in pieces of odd sizes, and with moments that pass meanwhile */
	for (int at = 0, n = 1; at < LEN + 1; at += n, n = n * 3 + 1) {
		if (n > LEN + 1 - at)
			n = LEN + 1 - at;
		log_writer_add(w, LOG_STDOUT, line + at, (size_t)n, T0 + at);
	}
	assert_int_equal(log_writer_counts(w)->records, 4);
	text = read_with(&o, NULL);
	assert_string_equal(text, line);
	free(text);
	o.timestamps = true;
	text = read_with(&o, NULL);
	raw = file_text(path);
	/* all four carry the moment of the first */
	for (char *at = strstr(raw, "\"time\":"), *first = at; at; at = strstr(at + 1, "\"time\":"))
		assert_memory_equal(at, first, 40);
	log_writer_free(w);
}

static void a_cut_never_splits_a_character(void **state)
{
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	AUTO(buf_clear) struct buf line = BUF_INIT;
	auto_free char *text = NULL;
	struct log_writer *w = writer(NULL, NULL, NULL);

	buf_char(&line, 'x');
	while (line.len < 40000)
		buf_str(&line, "\xe2\x82\xac\xf0\x9f\x98\x80");
	buf_char(&line, '\n');
	log_writer_add(w, LOG_STDOUT, line.data, 20000, T0);
	log_writer_add(w, LOG_STDOUT, line.data + 20000, line.len - 20000, T0);
	text = read_with(&o, NULL);
	assert_string_equal(text, line.data);
	log_writer_free(w);
}

static void files_rotate_at_their_size(void **state)
{
	auto_free char *path = log_path(), *first = xfmt("%s.1", path), *second = xfmt("%s.2", path), *third = xfmt("%s.3", path);
	struct log_read_options o = all_of(path);
	auto_free char *text = NULL, *line;
	struct log_writer *w = writer("1000", "3", NULL);
	struct stat st;
	long begin;

	for (int i = 0; i < 100; i++) {
		auto_free char *number = xfmt("%d\n", i);

		add(w, number);
	}
	assert_int_equal(access(first, F_OK), 0);
	assert_int_equal(access(second, F_OK), 0);
	assert_int_equal(access(third, F_OK), -1);
	assert_int_equal(stat(first, &st), 0);
	assert_true(st.st_size >= 1000 && st.st_size < 1200);
	text = read_with(&o, NULL);
	begin = strtol(text, &line, 10);
	for (long i = begin + 1; i < 100; i++)
		assert_int_equal(strtol(line, &line, 10), i);
	line = NULL;
	assert_true(begin > 0 && begin < 90);
	log_writer_free(w);
}

static void one_file_begins_anew(void **state)
{
	auto_free char *path = log_path(), *first = xfmt("%s.1", path);
	struct log_writer *w = writer("500", NULL, NULL);
	struct stat st;

	for (int i = 0; i < 100; i++)
		add(w, "some line\n");
	assert_int_equal(access(first, F_OK), -1);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size < 700);
	log_writer_free(w);
}

static void a_full_disk_drops_whole_records_and_recovers(void **state)
{
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct rlimit old, small = {3000, RLIM_INFINITY};
	auto_free char *text = NULL, *line;
	struct log_writer *w = writer(NULL, NULL, NULL);
	const struct log_counts *counts = log_writer_counts(w);
	AUTO(buf_clear) struct buf lines = BUF_INIT;
	uint64_t kept;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 100; i++)
		buf_fmt(&lines, "%d\n", i);
	add(w, lines.data);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(counts->last_error, EFBIG);
	assert_int_equal(counts->errors, 1);
	assert_true(counts->records > 20 && counts->records < 60);
	assert_int_equal(counts->records + counts->dropped_records, 100);
	kept = counts->records;
	add(w, "after\n");
	assert_int_equal(counts->last_error, 0);
	text = read_with(&o, NULL);
	line = text;
	for (uint64_t i = 0; i < kept; i++)
		assert_int_equal(strtol(line, &line, 10), i);
	assert_string_equal(line, "\nafter\n");
	line = NULL;
	log_writer_free(w);
}

static void a_torn_line_is_closed_and_left_out(void **state)
{
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct err err = ERR_INIT;
	static const char torn[] = "{\"log\":\"a\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:20Z\"}\n{\"log\":\"bro";
	auto_free char *text = NULL;
	struct log_writer *w;

	assert_ok(file_write(AT_FDCWD, path, torn, sizeof(torn) - 1, 0600, &err));
	w = writer(NULL, NULL, NULL);
	add(w, "b\n");
	text = read_with(&o, NULL);
	assert_string_equal(text, "a\nb\n");
	log_writer_free(w);
}

static void a_moved_file_is_reopened(void **state)
{
	auto_free char *path = log_path(), *old = xfmt("%s-old", path);
	struct err err = ERR_INIT;
	struct stat st;
	struct log_writer *w = writer(NULL, NULL, NULL);

	add(w, "1\n");
	assert_int_equal(rename(path, old), 0);
	add(w, "2\n");
	assert_ok(log_writer_reopen(w, &err));
	add(w, "3\n");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(log_writer_position(w).inode, st.st_ino);
	assert_int_equal(log_writer_position(w).offset, st.st_size);
	log_writer_free(w);
}

/* ---- options ----------------------------------------------------------------------------------------------------------- */

static int check(const char *driver, const char *key, const char *value, struct err *err)
{
	AUTO(strmap_clear) struct strmap opts = {0};

	err_clear(err);
	if (key)
		strmap_set(&opts, key, value);
	return log_config_check(driver, &opts, err);
}

static void options_are_checked(void **state)
{
	struct err err = ERR_INIT;

	assert_ok(check(NULL, NULL, NULL, &err));
	assert_ok(check("json-file", "max-size", "10m", &err));
	assert_ok(check("json-file", "compress", "false", &err));
	assert_ok(check("none", NULL, NULL, &err));
	assert_refused(check("json-file", "max-size", "ten", &err), ERR_INVALID);
	assert_refused(check("json-file", "max-size", "0", &err), ERR_INVALID);
	assert_refused(check("json-file", "max-file", "0", &err), ERR_INVALID);
	assert_refused(check("json-file", "max-fil", "3", &err), ERR_INVALID);
	assert_refused(check("json-file", "compress", "true", &err), ERR_UNSUPPORTED);
	assert_refused(check("json-file", "mode", "non-blocking", &err), ERR_UNSUPPORTED);
	assert_refused(check("json-file", "env-regex", "(", &err), ERR_INVALID);
	assert_refused(check("json-file", "tag", "{{.Nope}}", &err), ERR_INVALID);
	assert_refused(check("json-file", "tag", "{{.ID", &err), ERR_INVALID);
	assert_refused(check("none", "max-size", "1m", &err), ERR_INVALID);
	assert_refused(check("gelf", NULL, NULL, &err), ERR_UNSUPPORTED);
	assert_refused(check("nosuch", NULL, NULL, &err), ERR_INVALID);
	assert_true(log_driver_reads(NULL) && !log_driver_reads("none"));
}

static void attributes_come_from_labels_environment_and_tag(void **state)
{
	AUTO(strmap_clear) struct strmap opts = {0}, labels = {0}, attrs = {0};
	AUTO(strv_clear) struct strv env = {0};
	struct log_subject s = {
		.id = "0123456789abcdef",
		.name = "web",
		.image_id = "sha256:fedcba9876543210",
		.image_name = "busybox",
		.daemon_name = "pouch",
		.labels = &labels,
		.env = &env,
	};
	struct err err = ERR_INIT;

	strmap_set(&labels, "team", "a");
	strmap_set(&labels, "other", "b");
	strv_add(&env, "PATH=/bin");
	strv_add(&env, "APP_X=1");
	strmap_set(&opts, "labels", "team,absent");
	strmap_set(&opts, "env-regex", "^APP_");
	strmap_set(&opts, "tag", "{{.Name}}/{{ .ID }}/{{.ImageID}}/{{.DaemonName}}");
	assert_ok(log_config_attrs(&opts, &s, &attrs, &err));
	assert_int_equal(attrs.n, 3);
	assert_string_equal(strmap_get(&attrs, "team"), "a");
	assert_string_equal(strmap_get(&attrs, "APP_X"), "1");
	assert_string_equal(strmap_get(&attrs, "tag"), "web/0123456789ab/fedcba987654/pouch");
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

static void write_numbers(struct log_writer *w, int from, int to)
{
	for (int i = from; i < to; i++) {
		auto_free char *line = xfmt("%d\n", i);

		log_writer_add(w, i % 2 ? LOG_STDERR : LOG_STDOUT, line, strlen(line), T0 + i * 1000000000LL);
	}
}

static void the_tail_is_found_from_the_end(void **state)
{
	static const int tails[] = {0, 1, 2, 17, 18, 19, 50, 99, 100, 101, 100000};
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct log_writer *w = writer("2000", "100", NULL);

	write_numbers(w, 0, 100);
	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		auto_free char *text = NULL, *line;
		int n = tails[i] < 100 ? tails[i] : 100;

		o.tail = tails[i];
		text = read_with(&o, NULL);
		line = text;
		for (int j = 100 - n; j < 100; j++)
			assert_int_equal(strtol(line, &line, 10), j);
		assert_string_equal(line, n ? "\n" : "");
		line = NULL;
	}
	log_writer_free(w);
}

static void streams_and_times_are_filtered(void **state)
{
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	auto_free char *text = NULL;
	struct log_writer *w = writer("500", "20", NULL);

	write_numbers(w, 0, 12);
	o.since_ns = T0 + 3 * 1000000000LL;
	o.until_ns = T0 + 8 * 1000000000LL;
	text = read_with(&o, NULL);
	assert_string_equal(text, "3\n4\n5\n6\n7\n8\n");
	free(text);
	o.want_stderr = false;
	text = read_with(&o, NULL);
	assert_string_equal(text, "4\n6\n8\n");
	free(text);
	o.timestamps = true;
	o.until_ns = T0 + 4 * 1000000000LL;
	text = read_with(&o, NULL);
	assert_string_equal(text, "2023-11-14T22:13:24.123456789Z 4\n");
	log_writer_free(w);
}

static void frames_carry_their_stream(void **state)
{
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	auto_free char *data = NULL;
	struct log_writer *w = writer(NULL, NULL, "t g");
	size_t len;

	add(w, "a\nbb\n");
	log_writer_add(w, LOG_STDERR, "c\n", 2, T0);
	o.multiplexed = true;
	data = read_with(&o, &len);
	assert_int_equal(len, 8 + 5 + 8 + 2);
	assert_memory_equal(data, "\1\0\0\0\0\0\0\5a\nbb\n\2\0\0\0\0\0\0\2c\n", len);
	free(data);
	o.details = true;
	o.multiplexed = false;
	data = read_with(&o, &len);
	assert_string_equal(data, "tag=t+g a\ntag=t+g bb\ntag=t+g c\n");
	log_writer_free(w);
}

static void docker_s_own_files_can_be_read(void **state)
{
	static const char text[] =
		"{\"log\":\"a\\u003cb\\n\",\"stream\":\"stderr\",\"attrs\":{\"x\":\"}\"},\"time\":\"2023-11-14T22:13:20.5Z\"}\n"
		"{ \"time\" : \"2023-11-14T23:13:21+01:00\", \"extra\": [1,{\"y\":2}], \"stream\":\"stdout\", \"log\":\"c\\ud83d\\ude00\\n\" }\n"
		"\n"
		"not json\n"
		"{\"log\":7,\"stream\":\"stdout\"}\n"
		"{\"log\":\"d\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:22Z\"}\n"
		"{\"log\":\"torn\\n\",\"stream\":\"stdout\",\"ti";
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct err err = ERR_INIT;
	auto_free char *out = NULL;

	assert_ok(file_write(AT_FDCWD, path, text, sizeof(text) - 1, 0600, &err));
	o.timestamps = true;
	out = read_with(&o, NULL);
	assert_string_equal(out, "2023-11-14T22:13:20.500000000Z a<b\n"
				 "2023-11-14T22:13:21.000000000Z c\xf0\x9f\x98\x80\n"
				 "2023-11-14T22:13:22.000000000Z d\n");
}

static void a_record_larger_than_the_room_comes_in_pieces(void **state)
{
	AUTO(buf_clear) struct buf line = BUF_INIT;
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct err err = ERR_INIT;
	auto_free char *out = NULL;
	size_t len;

	buf_str(&line, "{\"log\":\"");
	for (int i = 0; i < 100000; i++)
		buf_fmt(&line, "%05d", i);
	buf_str(&line, "\\n\",\"stream\":\"stdout\",\"time\":\"2023-11-14T22:13:22Z\"}\n");
	assert_ok(file_write(AT_FDCWD, path, line.data, line.len, 0600, &err));
	o.multiplexed = true;
	out = read_with(&o, &len);
	assert_int_equal(len, 8 + 500001);
	assert_memory_equal(out, "\1\0\0\0\0\7\xa1\x21", 8);
	assert_string_equal(out + len - 11, "9999899999\n");
}

static void no_log_is_not_found(void **state)
{
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct log_reader *r = NULL;
	struct err err = ERR_INIT;

	assert_refused(log_reader_open(&o, &r, &err), ERR_NOT_FOUND);
}

struct follower {
	struct log_reader *r;
	struct buf got;
	pthread_t thread;
};

static void *follow_thread(void *arg)
{
	struct follower *f = arg;
	struct err err = ERR_INIT;
	ssize_t n;

	while ((n = log_reader_read(f->r, buf_room(&f->got, LOG_READ_MIN), LOG_READ_MIN, 20000, &err)) > 0)
		f->got.len += (size_t)n;
	return NULL;
}

static void a_follower_loses_nothing_over_rotations(void **state)
{
	enum { LINES = 60000 };
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct follower f[2] = {{.got = BUF_INIT}, {.got = BUF_INIT}};
	struct err err = ERR_INIT;
	/* 40 files of 100 KiB: enough that no follower falls behind the oldest */
	struct log_writer *w = writer("100k", "1000", NULL);

	o.follow = true;
	for (int i = 0; i < 2; i++) {
		assert_ok(log_reader_open(&o, &f[i].r, &err));
		pthread_create(&f[i].thread, NULL, follow_thread, &f[i]);
	}
	for (int i = 0; i < LINES; i += 10) {
		AUTO(buf_clear) struct buf lines = BUF_INIT;

		for (int j = i; j < i + 10; j++)
			buf_fmt(&lines, "line %d\n", j);
		add(w, lines.data);
	}
	for (int i = 0; i < 2; i++) {
		char *at;

		log_reader_stop(f[i].r);
		pthread_join(f[i].thread, NULL);
		buf_char(&f[i].got, '\0');
		at = f[i].got.data;
		for (int j = 0; j < LINES; j++) {
			assert_memory_equal(at, "line ", 5);
			assert_int_equal(strtol(at + 5, &at, 10), j);
			at++;
		}
		log_reader_free(f[i].r);
		buf_clear(&f[i].got);
	}
	log_writer_free(w);
}

static void following_ends_by_stop_cancel_and_until(void **state)
{
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct log_reader *r = NULL;
	struct err err = ERR_INIT;
	char *room = malloc(LOG_READ_MIN);
	int64_t begin;
	struct log_writer *w = writer(NULL, NULL, NULL);

	add(w, "x\n");
	o.follow = true;
	assert_ok(log_reader_open(&o, &r, &err));
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, 0, &err), 2);
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, 0, &err), -EAGAIN);
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, 20, &err), -EAGAIN);
	add(w, "y\n");
	log_reader_stop(r);
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, -1, &err), 2);
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, -1, &err), 0);
	log_reader_free(r);
	assert_ok(log_reader_open(&o, &r, &err));
	log_reader_cancel(r);
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, -1, &err), 0);
	log_reader_free(r);
	o.until_ns = time_now_ns() + 100000000;
	o.since_ns = T0 + 1;
	begin = time_mono_ms();
	assert_ok(log_reader_open(&o, &r, &err));
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, -1, &err), 0);
	assert_true(time_mono_ms() - begin >= 90);
	log_reader_free(r);
	free(room);
	log_writer_free(w);
}

static void a_truncated_file_is_read_from_its_start(void **state)
{
	auto_free char *path = log_path();
	struct log_read_options o = all_of(path);
	struct log_reader *r = NULL;
	struct err err = ERR_INIT;
	char *room = malloc(LOG_READ_MIN);
	struct log_writer *w = writer(NULL, NULL, NULL);

	add(w, "long first line\n");
	o.follow = true;
	assert_ok(log_reader_open(&o, &r, &err));
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, 0, &err), 16);
	assert_int_equal(truncate(path, 0), 0);
	add(w, "2\n");
	assert_int_equal(log_reader_read(r, room, LOG_READ_MIN, 1000, &err), 2);
	log_reader_free(r);
	free(room);
	log_writer_free(w);
}

static void text_goes_round_whatever_it_is(void **state)
{
	unsigned int seed = 7;

	for (int i = 0; i < 20000; i++) {
		char in[80], escaped[80 * JSON_TEXT_GROWTH + 32], out[sizeof(escaped)], *out_end = NULL, *end;
		size_t len = (size_t)(rand_r(&seed) % 79);

		for (size_t j = 0; j < len; j++)
			in[j] = (char)(rand_r(&seed) % (i % 2 ? 128 : 40) + (i % 3 ? 0 : 32));
		for (size_t j = 0; j < len; j++)
			in[j] &= 0x7f;
		end = json_text_escape(escaped, in, len);
		*end++ = '"';
		assert_ptr_equal(json_text_unescape(escaped, end, out, &out_end), end - 1);
		assert_int_equal(out_end - out, len);
		assert_memory_equal(out, in, len);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		T(a_line_is_a_record_as_docker_writes_it),
		T(attributes_are_in_every_record),
		T(pieces_of_a_line_become_one_record),
		T(a_long_line_is_cut_into_partial_records),
		T(a_cut_never_splits_a_character),
		T(files_rotate_at_their_size),
		T(one_file_begins_anew),
		T(a_full_disk_drops_whole_records_and_recovers),
		T(a_torn_line_is_closed_and_left_out),
		T(a_moved_file_is_reopened),
		cmocka_unit_test(options_are_checked),
		cmocka_unit_test(attributes_come_from_labels_environment_and_tag),
		T(the_tail_is_found_from_the_end),
		T(streams_and_times_are_filtered),
		T(frames_carry_their_stream),
		T(docker_s_own_files_can_be_read),
		T(a_record_larger_than_the_room_comes_in_pieces),
		T(no_log_is_not_found),
		T(a_follower_loses_nothing_over_rotations),
		T(following_ends_by_stop_cancel_and_until),
		T(a_truncated_file_is_read_from_its_start),
		cmocka_unit_test(text_goes_round_whatever_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
