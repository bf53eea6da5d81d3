/*
 * t_err.c - errors, and the choice among backends
 */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#include "compat/base/auto.h"
#include "compat/base/fit.h"

static struct err err;

static void a_failed_call_says_what_and_why(void **state)
{
	assert_int_equal(err_sys(&err, ENOENT, "open '%s'", "/x"), -ENOENT);
	assert_string_equal(err.msg, "open '/x': No such file or directory");
	assert_int_equal(err.code, ENOENT);
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_int_equal(err_sys(&err, ENOSPC, "write"), -ENOSPC);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_int_equal(err_sys(NULL, EPERM, "nobody listens"), -EPERM);
	assert_int_equal(err_sys(&err, 0, "no errno"), -EIO);
}

static void a_refusal_chooses_errno_and_status(void **state)
{
	assert_int_equal(err_set(&err, ERR_NOT_FOUND, "no such container: %s", "c"), -ENOENT);
	assert_int_equal(err_kind_status(err.kind), 404);
	for (int k = 0; k < ERR_KIND_COUNT; k++) {
		assert_true(err_kind_errno(k) > 0);
		assert_int_equal(err_kind_from_status(err_kind_status(k)), k);
	}
	assert_int_equal(err_kind_from_status(418), ERR_INVALID);
	assert_int_equal(err_kind_from_status(599), ERR_INTERNAL);
}

static void context_goes_in_front(void **state)
{
	int rc = err_set(&err, ERR_INVALID, "bad name");

	assert_int_equal(err_wrap(&err, rc, "create '%s'", "c"), -EINVAL);
	assert_string_equal(err.msg, "create 'c': bad name");
	assert_int_equal(err.kind, ERR_INVALID);

	/* The message itself as an argument. */
	err_set(&err, ERR_INVALID, "again: %s", err.msg);
	assert_string_equal(err.msg, "again: create 'c': bad name");

	/* A failure without words still has its number. */
	err_clear(&err);
	err_wrap(&err, -EIO, "read");
	assert_string_equal(err.msg, "read");
	assert_int_equal(err.code, EIO);
}

static void a_message_is_one_line_and_cut_with_dots(void **state)
{
	char name[2000];

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	err_set(&err, ERR_INVALID, "%s", name);
	assert_int_equal(strlen(err.msg), ERR_MSG_MAX - 1);
	assert_string_equal(err.msg + ERR_MSG_MAX - 4, "...");

	/* The reason survives a long name. */
	err_sys(&err, ENOENT, "open '%s'", name);
	assert_non_null(strstr(err.msg, "...: No such file or directory"));

	/* No UTF-8 sequence is split. */
	for (size_t i = 0; i + 2 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa9", 3);
	for (int shift = 0; shift < 2; shift++) {
		err_set(&err, ERR_INVALID, "%.*s%s", shift, "x", name);
		assert_int_not_equal((unsigned char)err.msg[strlen(err.msg) - 4], 0xc3);
	}
	err_set(&err, ERR_INVALID, "two\nlines\x7f\r");
	assert_string_equal(err.msg, "two lines  ");
}

static struct fit row(const char *name, int score, const char *reason)
{
	struct fit f = fit(score, "%s", reason);

	f.name = name;
	return f;
}

static void the_highest_score_wins_and_ties_go_to_the_earlier(void **state)
{
	const struct fit rows[] = {row("a", FIT_NO, "missing"), row("b", 50, ""), row("c", 50, "")};

	assert_int_equal(fit_best(rows, 3, NULL, "driver", &err), 1);
	assert_int_equal(fit_best(rows, 3, "", "driver", &err), 1);
	assert_int_equal(fit_best(rows, 3, "c", "driver", &err), 2);
}

static void a_named_backend_is_refused_not_replaced(void **state)
{
	const struct fit rows[] = {row("a", FIT_NO, "no module"), row("b", 50, "")};

	assert_refused(fit_best(rows, 2, "a", "driver", &err), ERR_UNSUPPORTED);
	assert_string_equal(err.msg, "driver 'a' does not work here: no module");
	assert_refused(fit_best(rows, 2, "x", "driver", &err), ERR_INVALID);
	assert_string_equal(err.msg, "unknown driver 'x': known are a, b");
	assert_refused(fit_best(rows, 1, NULL, "driver", &err), ERR_UNSUPPORTED);
	assert_string_equal(err.msg, "no driver works here: a: no module");
}

static void a_long_reason_is_cut(void **state)
{
	struct fit f = fit(FIT_GOOD, "%0200d", 1);

	assert_int_equal(strlen(f.reason), sizeof(f.reason) - 1);
	assert_string_equal(f.reason + sizeof(f.reason) - 4, "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_call_says_what_and_why),
		cmocka_unit_test(a_refusal_chooses_errno_and_status),
		cmocka_unit_test(context_goes_in_front),
		cmocka_unit_test(a_message_is_one_line_and_cut_with_dots),
		cmocka_unit_test(the_highest_score_wins_and_ties_go_to_the_earlier),
		cmocka_unit_test(a_named_backend_is_refused_not_replaced),
		cmocka_unit_test(a_long_reason_is_cut),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
