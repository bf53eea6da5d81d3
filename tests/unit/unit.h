/*
 * unit.h - what every unit test includes: cmocka and a few words on top of it
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compat/base/err.h"

/* The call succeeded; if not, its message says why. */
#define assert_ok(call)                                                                            \
	do {                                                                                       \
		struct err *unit_err_ = &err;                                                      \
		int unit_rc_ = (call);                                                             \
		if (unit_rc_ < 0)                                                                  \
			fail_msg("%s: %d: %s", #call, unit_rc_, unit_err_->msg);                   \
	} while (0)

/* The call was refused with this kind. */
#define assert_refused(call, k)                                                                    \
	do {                                                                                       \
		assert_true((call) < 0);                                                           \
		assert_int_equal(err.kind, (k));                                                   \
		assert_int_not_equal(err.msg[0], '\0');                                            \
	} while (0)

#endif
