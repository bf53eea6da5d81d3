/*
 * t_str.c - strings, numbers, sizes, durations, patterns, buffers, vectors, random
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/hide.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"

static struct err err;

static void numbers_are_whole_strings_in_range(void **state)
{
	static const struct {
		const char *text;
		int base, rc;
		int64_t value;
	} cases[] = {
		{"0", 10, 0, 0},	  {"-5", 10, 0, -5},	     {"+7", 10, 0, 7},
		{"007", 10, 0, 7},	  {"0x1F", 0, 0, 31},	     {"010", 0, 0, 8},
		{"0", 0, 0, 0},		  {"ff", 16, 0, 255},	     {"", 10, -EINVAL, 0},
		{"-", 10, -EINVAL, 0},	  {" 1", 10, -EINVAL, 0},    {"1 ", 10, -EINVAL, 0},
		{"1a", 10, -EINVAL, 0},	  {"0x", 0, -EINVAL, 0},     {"08", 0, -EINVAL, 0},
		{"--1", 10, -EINVAL, 0},  {"1e3", 10, -EINVAL, 0},   {NULL, 10, -EINVAL, 0},
		{"9223372036854775807", 10, 0, INT64_MAX},
		{"-9223372036854775808", 10, 0, INT64_MIN},
		{"9223372036854775808", 10, -ERANGE, 0},
		{"-9223372036854775809", 10, -ERANGE, 0},
		{"99999999999999999999999", 10, -ERANGE, 0},
	};
	uint64_t u = 3;
	uint32_t w = 3;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = 99;

		assert_int_equal(str_i64(cases[i].text, cases[i].base, &v), cases[i].rc);
		assert_true(v == (cases[i].rc ? 99 : cases[i].value));
	}
	assert_int_equal(str_u64("18446744073709551615", 10, &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(str_u64("18446744073709551616", 10, &u), -ERANGE);
	assert_int_equal(str_u64("-1", 10, &u), -EINVAL);
	assert_int_equal(str_u32("4294967295", 10, &w), 0);
	assert_int_equal(str_u32("4294967296", 10, &w), -ERANGE);
}

static void sizes_are_read_as_docker_reads_them(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;	/* negative: the error */
	} cases[] = {
		{"0", 0},	     {"100", 100},	     {"1b", 1},	       {"1k", 1024},
		{"1K", 1024},	     {"1kb", 1024},	     {"1KiB", 1024},   {"512m", 512 << 20},
		{"1.5GiB", 1610612736}, {"1 g", 1 << 30},    {"2t", INT64_C(2) << 40},
		{"1p", INT64_C(1) << 50}, {"0.5k", 512},	     {"1.k", 1024},
		{"", -EINVAL},	     {"m", -EINVAL},	     {"-1", -EINVAL},  {"1x", -EINVAL},
		{"1ki", -EINVAL},    {"1bb", -EINVAL},	     {"1  k", -EINVAL}, {"1k ", -EINVAL},
		{".5k", -EINVAL},    {"9000000p", -ERANGE},  {"99999999999999999999", -ERANGE},
		{"8191p", INT64_C(8191) << 50}, {"8192p", -ERANGE}, {NULL, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = 77;
		int rc = str_bytes(cases[i].text, &v);

		if (cases[i].bytes < 0 ? rc != cases[i].bytes || v != 77 : rc || v != cases[i].bytes)
			fail_msg("'%s': %d, %lld", cases[i].text, rc, (long long)v);
	}
}

static void sizes_are_shown_as_docker_shows_them(void **state)
{
	static const struct {
		double bytes;
		bool si;
		const char *text;
	} cases[] = {
		{0, false, "0B"},	  {1023, false, "1023B"},	{1024, false, "1KiB"},
		{1536, false, "1.5KiB"},  {3221225472.0, false, "3GiB"}, {1500, true, "1.5kB"},
		{999, true, "999B"},	  {4261502, true, "4.262MB"},	{1e24, true, "1YB"},
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		str_human_size(text, cases[i].bytes, cases[i].si);
		assert_string_equal(text, cases[i].text);
	}
}

static void durations_are_go_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
		int rc;
	} cases[] = {
		{"0", 0, 0},	     {"10s", 10000, 0},	     {"1h30m", 5400000, 0},
		{"1.5s", 1500, 0},   {"300ms", 300, 0},	     {"-2m", -120000, 0},
		{"1us", 0, 0},	     {"1500\xc2\xb5s", 1, 0}, {"+1s", 1000, 0},
		{".5s", 500, 0},     {"1h1h", 7200000, 0},   {"", 0, -EINVAL},
		{"10", 0, -EINVAL},  {"s", 0, -EINVAL},	     {"1d", 0, -EINVAL},
		{"1s ", 0, -EINVAL}, {"-", 0, -EINVAL},	     {"99999999h", 0, -ERANGE},
		{".s", 0, -EINVAL},  {"1m1", 0, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t v = 0;

		if (str_duration_ms(cases[i].text, &v) != cases[i].rc || v != cases[i].ms)
			fail_msg("'%s': %lld", cases[i].text, (long long)v);
	}
}

static void words_for_yes_and_no(void **state)
{
	bool v = false;

	assert_int_equal(str_bool("true", &v), 0);
	assert_true(v);
	assert_int_equal(str_bool("0", &v), 0);
	assert_false(v);
	assert_int_equal(str_bool("maybe", &v), -EINVAL);
	assert_int_equal(str_bool("", &v), -EINVAL);
	assert_int_equal(str_bool(NULL, &v), -EINVAL);
}

static void hex_goes_both_ways(void **state)
{
	unsigned char bytes[3] = {0x00, 0xab, 0xff}, back[3];
	char text[7];

	str_hex(text, bytes, 3);
	assert_string_equal(text, "00abff");
	assert_int_equal(str_unhex(back, "00ABff", 3), 0);
	assert_memory_equal(bytes, back, 3);
	assert_int_equal(str_unhex(back, "00abf", 3), -EINVAL);
	assert_int_equal(str_unhex(back, "00abfff", 3), -EINVAL);
	assert_int_equal(str_unhex(back, "00abfg", 3), -EINVAL);
	assert_true(str_is_hex("0af", 1, 3));
	assert_false(str_is_hex("0AF", 1, 3));
	assert_false(str_is_hex("0afa", 1, 3));
	assert_false(str_is_hex("", 1, 3));
}

static void names_are_dockers(void **state)
{
	assert_true(str_is_name("a1"));
	assert_true(str_is_name("web_1.x-y"));
	assert_false(str_is_name("a"));
	assert_false(str_is_name("-a"));
	assert_false(str_is_name("a/b"));
	assert_false(str_is_name("\xc3\xa9t"));
	assert_false(str_is_name(""));
	assert_false(str_is_name(NULL));
	assert_true(str_is_printable("caf\xc3\xa9"));
	assert_false(str_is_printable("a\nb"));
	assert_false(str_is_printable("a\x1b[0m"));
	assert_false(str_is_printable("a\xc2\x9b" "0m"));
	assert_true(str_is_printable("a\xc2\xa0"));
	assert_true(str_is_printable("a\xc2"));
}

static void patterns_match_as_gos_path_match(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
		{"abc", "abc", true},	  {"*", "abc", true},	    {"*c", "abc", true},
		{"a*", "a", true},	  {"a*", "abc", true},	    {"a*", "ab/c", false},
		{"a*/b", "abc/b", true},  {"a*/b", "a/c/b", false}, {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
		{"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},	    {"a*b?c*x", "abxbbxdbxebxczzx", true},
		{"a*b?c*x", "abxbbxdbxebxczzy", false},		    {"ab[c]", "abc", true},
		{"ab[b-d]", "abc", true}, {"ab[e-g]", "abc", false}, {"ab[^c]", "abc", false},
		{"ab[^e-g]", "abc", true}, {"a\\*b", "a*b", true},  {"a\\*b", "ab", false},
		{"a?b", "a\xe2\x98\xba" "b", true},		    {"a[^a]b", "a\xe2\x98\xba" "b", true},
		{"a???b", "a\xe2\x98\xba" "b", false},		    {"[a-\xce\xb6]*", "\xce\xb1", true},
		{"a?b", "a/b", false},	  {"a*b", "a/b", false},    {"[\\]a]", "]", true},
		{"[\\-]", "-", true},	  {"[x\\-]", "x", true},    {"[x\\-]", "z", false},
		{"[]a]", "]", false},	  {"[-]", "-", false},	    {"[a", "a", false},
		{"[a-]", "a", false},	  {"a[", "a", false},	    {"\\", "a", false},
		{"*x", "xxx", true},	  {"", "", true},	    {"", "a", false},
		{"**", "", true},	  {"*", "", true},	    {"?", "", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (str_match(cases[i].pattern, cases[i].text) != cases[i].match)
			fail_msg("'%s' against '%s'", cases[i].pattern, cases[i].text);
}

static void formatting_never_cuts(void **state)
{
	char small[4];
	char *owned = NULL;

	assert_int_equal(str_fmt(small, sizeof(small), "abc"), 0);
	assert_int_equal(str_fmt(small, sizeof(small), "abcd"), -ENAMETOOLONG);
	assert_string_equal(small, "");
	str_set(&owned, "abcdef");
	str_set(&owned, owned + 3);
	assert_string_equal(owned, "def");
	str_set(&owned, NULL);
	assert_null(owned);
	assert_true(str_ends("a.c", ".c"));
	assert_false(str_ends("c", ".c"));
	assert_string_equal(str_skip("--x", "--"), "x");
	assert_null(str_skip("-x", "--"));
}

static void a_buffer_grows_and_stays_terminated(void **state)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	char *taken;

	assert_string_equal(buf_cstr(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_fmt(&b, "%d,", i);
	assert_int_equal(b.len, strlen(b.data));
	buf_drop(&b, 2);
	assert_memory_equal(b.data, "1,2,3,", 6);
	buf_drop(&b, 1 << 20);
	assert_string_equal(b.data, "");
	buf_add(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	buf_char(&b, 'c');
	taken = buf_take(&b);
	assert_memory_equal(taken, "a\0bc", 5);
	free(taken);
	taken = buf_take(&b);
	assert_string_equal(taken, "");
	free(taken);
	buf_fmt(&b, "%0100d", 7);
	assert_int_equal(b.len, 100);
}

static void reading_has_a_ceiling(void **state)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	auto_fd int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	auto_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_refused(buf_read_fd(&b, fd, 10000, "zeros", &err), ERR_TOO_LARGE);
	buf_reset(&b);
	assert_ok(buf_read_fd(&b, null, 0, "nothing", &err));
	assert_int_equal(b.len, 0);
}

static void vectors_grow_and_shrink(void **state)
{
	VEC(int) v = {0};
	int sum = 0;

	for (int i = 0; i < 1000; i++)
		VEC_PUSH(&v, i);
	VEC_DEL(&v, 0);
	VEC_DEL(&v, 998);
	VEC_EACH(p, &v)
		sum += *p;
	assert_int_equal(v.n, 998);
	assert_int_equal(sum, 999 * 998 / 2);
	VEC_FREE(&v);
	VEC_EACH(p, &v)
		sum += *p;
	assert_int_equal(v.n, 0);
}

static void lists_split_join_and_serve_as_argv(void **state)
{
	AUTO(strv_clear) struct strv s = {0};
	auto_free char *joined = NULL;

	strv_split(&s, "a,,b;c", ",;", false);
	assert_int_equal(s.n, 3);
	strv_clear(&s);
	strv_split(&s, ",a,", ",", true);
	assert_int_equal(s.n, 3);
	assert_string_equal(s.v[1], "a");
	strv_clear(&s);
	strv_addf(&s, "%d", 4);
	strv_add(&s, "x");
	strv_add_all(&s, &s);
	joined = strv_join(&s, "-");
	assert_string_equal(joined, "4-x-4-x");
	assert_null(strv_argv(&s)[4]);
	assert_int_equal(s.n, 4);
	assert_true(strv_has(&s, "x"));
	assert_false(strv_has(&s, "y"));
}

static void maps_keep_order_and_replace(void **state)
{
	AUTO(strmap_clear) struct strmap m = {0}, copy = {0};

	strmap_set(&m, "b", "1");
	strmap_set(&m, "a", "2");
	strmap_set(&m, "b", "3");
	assert_int_equal(m.n, 2);
	assert_string_equal(m.v[0].key, "b");
	assert_string_equal(strmap_get(&m, "b"), "3");
	strmap_copy(&copy, &m);
	strmap_copy(&copy, &copy);
	assert_true(strmap_del(&m, "b"));
	assert_false(strmap_del(&m, "b"));
	assert_null(strmap_get(&m, "b"));
	assert_string_equal(strmap_get(&copy, "b"), "3");
	strmap_clear(&copy);
}

static void ids_are_not_numbers_and_differ(void **state)
{
	char a[65], b[65];

	random_id(a);
	hide_add("getrandom");
	random_id(b);
	assert_string_not_equal(a, b);
	assert_true(str_is_hex(a, 64, 64));
	assert_true(str_is_hex(b, 64, 64));
	assert_true(strspn(a, "0123456789") < 12);
}

static void hiding_compares_whole_names(void **state)
{
	hide_add("one,two-three");
	hide_add("");
	assert_true(hidden("one"));
	assert_true(hidden("two_three"));
	assert_false(hidden("on"));
	assert_false(hidden("two"));
	assert_false(hidden("three"));
	assert_false(hidden(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_whole_strings_in_range),
		cmocka_unit_test(sizes_are_read_as_docker_reads_them),
		cmocka_unit_test(sizes_are_shown_as_docker_shows_them),
		cmocka_unit_test(durations_are_go_durations),
		cmocka_unit_test(words_for_yes_and_no),
		cmocka_unit_test(hex_goes_both_ways),
		cmocka_unit_test(names_are_dockers),
		cmocka_unit_test(patterns_match_as_gos_path_match),
		cmocka_unit_test(formatting_never_cuts),
		cmocka_unit_test(a_buffer_grows_and_stays_terminated),
		cmocka_unit_test(reading_has_a_ceiling),
		cmocka_unit_test(vectors_grow_and_shrink),
		cmocka_unit_test(lists_split_join_and_serve_as_argv),
		cmocka_unit_test(maps_keep_order_and_replace),
		cmocka_unit_test(ids_are_not_numbers_and_differ),
		cmocka_unit_test(hiding_compares_whole_names),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
