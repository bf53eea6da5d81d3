/*
 * t_time.c - moments as text
 */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compat/base/auto.h"
#include "compat/base/time.h"

static struct err err;

static void moments_go_to_rfc3339_and_back(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{0, "0001-01-01T00:00:00Z"},
		{1, "1970-01-01T00:00:00.000000001Z"},
		{-1, "1969-12-31T23:59:59.999999999Z"},
		{INT64_C(1704164645123456789), "2024-01-02T03:04:05.123456789Z"},
		{INT64_C(1709164800000000000), "2024-02-29T00:00:00.000000000Z"},
		{INT64_C(951782400000000000), "2000-02-29T00:00:00.000000000Z"},
		{INT64_C(4107542399999999999), "2100-02-28T23:59:59.999999999Z"},
		{INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
		{INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[TIME_RFC3339_SIZE];
		int64_t back = 5;

		time_rfc3339(text, cases[i].ns);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(time_parse_rfc3339(text, &back), 0);
		assert_true(back == cases[i].ns);
	}
	/* Against the C library, over four hundred years of days. */
	for (int64_t day = -100000; day < 100000; day += 37) {
		char text[TIME_RFC3339_SIZE], want[TIME_RFC3339_SIZE];
		time_t s = (time_t)(day * 86400 + 4711);
		struct tm tm;

		time_rfc3339(text, s * INT64_C(1000000000));
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000000000Z", gmtime_r(&s, &tm));
		assert_string_equal(text, want);
	}
}

static void any_offset_and_fraction_is_read(void **state)
{
	static const char *const same[] = {
		"2024-01-02T03:04:05Z",		"2024-01-02T05:04:05+02:00",
		"2024-01-01T21:34:05-05:30",	"2024-01-02 03:04:05.000Z",
		"2024-01-02t03:04:05.0000000000000z",
	};
	static const char *const wrong[] = {
		"", "2024", "2024-01-02", "2024-01-02T03:04:05", "2024-13-02T03:04:05Z",
		"2023-02-29T03:04:05Z", "1900-02-29T03:04:05Z", "2024-01-32T03:04:05Z",
		"2024-01-02T24:04:05Z", "2024-01-02T03:60:05Z", "2024-01-02T03:04:61Z",
		"2024-01-02T03:04:05.Z", "2024-01-02T03:04:05+2:00", "2024-01-02T03:04:05+24:00",
		"2024-01-02T03:04:05Zx", "2024-1-2T03:04:05Z", "+024-01-02T03:04:05Z",
	};
	int64_t ns;

	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		assert_int_equal(time_parse_rfc3339(same[i], &ns), 0);
		assert_true(ns == INT64_C(1704164645000000000));
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		if (time_parse_rfc3339(wrong[i], &ns) != -EINVAL)
			fail_msg("accepted '%s'", wrong[i]);
	assert_int_equal(time_parse_rfc3339("9999-01-01T00:00:00Z", &ns), -ERANGE);
	assert_int_equal(time_parse_rfc3339(NULL, &ns), -EINVAL);
}

static void since_and_until_take_dates_seconds_and_durations(void **state)
{
	const int64_t now = INT64_C(1704164645000000000);
	int64_t ns;

	assert_ok(time_parse_when("1704164645", now, &ns, &err));
	assert_true(ns == now);
	assert_ok(time_parse_when("1704164645.25", now, &ns, &err));
	assert_true(ns == now + 250000000);
	assert_ok(time_parse_when("10m", now, &ns, &err));
	assert_true(ns == now - INT64_C(600000000000));
	assert_ok(time_parse_when("2024-01-02T03:04:05Z", now, &ns, &err));
	assert_true(ns == now);
	setenv("TZ", "UTC-2", 1);
	tzset();
	assert_ok(time_parse_when("2024-01-02T05:04:05", now, &ns, &err));
	assert_true(ns == now);
	assert_ok(time_parse_when("2024-01-02", now, &ns, &err));
	assert_true(ns == now - INT64_C(1000000000) * (5 * 3600 + 4 * 60 + 5));
	unsetenv("TZ");
	assert_refused(time_parse_when("yesterday", now, &ns, &err), ERR_INVALID);
	assert_refused(time_parse_when("", now, &ns, &err), ERR_INVALID);
	assert_refused(time_parse_when("1.2.3", now, &ns, &err), ERR_INVALID);
	assert_refused(time_parse_when("99999999999999", now, &ns, &err), ERR_INVALID);
}

static void durations_read_as_people_speak(void **state)
{
	static const struct {
		int64_t seconds;
		const char *text;
	} cases[] = {
		{0, "Less than a second"}, {1, "1 second"},	{45, "45 seconds"},
		{60, "About a minute"},	   {119, "About a minute"}, {150, "2 minutes"},
		{3600, "About an hour"},   {2700, "45 minutes"}, {3600 * 5, "5 hours"},
		{86400, "24 hours"},	   {86400 * 3, "3 days"}, {86400 * 15, "2 weeks"},
		{86400 * 90, "3 months"},  {86400 * 365 * 3, "3 years"},
	};
	char text[40];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		time_human(text, sizeof(text), cases[i].seconds * 1000000000);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_go_to_rfc3339_and_back),
		cmocka_unit_test(any_offset_and_fraction_is_read),
		cmocka_unit_test(since_and_until_take_dates_seconds_and_durations),
		cmocka_unit_test(durations_read_as_people_speak),
	};

	return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
