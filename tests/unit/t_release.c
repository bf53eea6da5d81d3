/*
 * t_release.c - the age of a kernel
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "compat/kernel/release.h"

static void releases_are_ordered(void **state)
{
	assert_true(release_is_before("2.6.32.69", 2, 6, 39, 642));
	assert_true(release_is_before("2.6.32-5-amd64", 2, 6, 39, 642));
	assert_true(release_is_before("2.6.38", 2, 6, 39, 642));
	assert_false(release_is_before("2.6.39", 2, 6, 39, 642));
	assert_false(release_is_before("3.0.101", 2, 6, 39, 642));
	assert_false(release_is_before("3.10.0-1160.el7.x86_64", 2, 6, 39, 642));
	assert_true(release_is_before("3.10.0-1160.el7.x86_64", 3, 11, 0, 642));
	assert_false(release_is_before("6.1.0-26-amd64", 2, 6, 39, 642));
}

static void centos_6_counts_by_its_build(void **state)
{
	assert_true(release_is_before("2.6.32-573.26.1.el6.x86_64", 2, 6, 39, 642));
	assert_false(release_is_before("2.6.32-642.el6.x86_64", 2, 6, 39, 642));
	assert_false(release_is_before("2.6.32-754.35.1.el6.x86_64", 2, 6, 39, 642));
	assert_true(release_is_before("2.6.32-754.lve1.4.x86_64", 2, 6, 39, 642));
}

static void what_is_no_release_is_not_old(void **state)
{
	struct utsname uts;

	assert_false(release_is_before("", 2, 6, 39, 642));
	assert_false(release_is_before("unknown", 2, 6, 39, 642));
	assert_int_equal(uname(&uts), 0);
	assert_int_equal(kernel_is_before(2, 6, 39, 642), release_is_before(uts.release, 2, 6, 39, 642));
	assert_true(kernel_is_before(1000, 0, 0, 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(releases_are_ordered),
		cmocka_unit_test(centos_6_counts_by_its_build),
		cmocka_unit_test(what_is_no_release_is_not_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
