/*
 * t_caps.c - capability names, docker's rule, and giving capabilities up for real
 */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "compat/base/str.h"
#include "compat/kernel/caps.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/oom_score.h"

static void names_are_read_in_any_case_with_and_without_prefix(void **state)
{
	assert_int_equal(cap_parse("CAP_SYS_ADMIN"), 21);
	assert_int_equal(cap_parse("sys_admin"), 21);
	assert_int_equal(cap_parse("Chown"), 0);
	assert_int_equal(cap_parse("CAP_"), -EINVAL);
	assert_int_equal(cap_parse(""), -EINVAL);
	assert_int_equal(cap_parse("CAP_CAP_CHOWN"), -EINVAL);
	for (int cap = 0; cap_name(cap); cap++)
		assert_int_equal(cap_parse(cap_name(cap)), cap);
	assert_null(cap_name(-1));
	assert_null(cap_name(64));
}

static void the_last_capability_is_what_the_kernel_says(void **state)
{
	assert_true(cap_last() >= 33);
	assert_true(caps_all() & CAP_BIT(33));
	assert_false(caps_all() & ~(cap_last() >= 63 ? UINT64_MAX : CAP_BIT(cap_last() + 1) - 1));
	assert_int_equal(__builtin_popcountll(caps_default()), 14);
}

static uint64_t tweak(const char *add, const char *drop)
{
	AUTO(strv_clear) struct strv adds = {0};
	AUTO(strv_clear) struct strv drops = {0};
	struct err err = ERR_INIT;
	uint64_t set = 0;

	strv_split(&adds, add, ",", false);
	strv_split(&drops, drop, ",", false);
	if (caps_tweak(caps_default(), &adds, &drops, &set, &err) < 0)
		fail_msg("%s", err.msg);
	return set;
}

static void adding_and_dropping_follow_docker(void **state)
{
	AUTO(strv_clear) struct strv bad = {0};
	struct err err = ERR_INIT;
	uint64_t set;

	assert_int_equal(tweak("", ""), caps_default());
	assert_int_equal(tweak("NET_ADMIN", "CHOWN"),
			 (caps_default() | CAP_BIT(CAP_NET_ADMIN)) & ~CAP_BIT(CAP_CHOWN));
	assert_int_equal(tweak("ALL", ""), caps_all());
	assert_int_equal(tweak("all", "CAP_SYS_ADMIN"), caps_all() & ~CAP_BIT(CAP_SYS_ADMIN));
	assert_int_equal(tweak("", "ALL"), 0);
	assert_int_equal(tweak("chown", "ALL"), CAP_BIT(CAP_CHOWN));
	strv_add(&bad, "NONSENSE");
	assert_int_equal(caps_tweak(0, &bad, NULL, &set, &err), -EINVAL);
	assert_string_equal(err.msg, "invalid capability 'NONSENSE' in --cap-add");
}

static void only_single_names_count_as_named(void **state)
{
	AUTO(strv_clear) struct strv list = {0};

	assert_int_equal(caps_named(&list), 0);
	strv_split(&list, "ALL sys_boot CAP_MKNOD nonsense", " ", false);
	assert_int_equal(caps_named(&list), CAP_BIT(CAP_SYS_BOOT) | CAP_BIT(CAP_MKNOD));
}

static void the_default_has_nothing_that_only_a_filter_keeps_harmless(void **state)
{
	static const int dangerous[] = {CAP_SYS_BOOT,  CAP_SYS_MODULE,	CAP_SYS_RAWIO, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_SYS_TIME,
					CAP_NET_ADMIN, CAP_DAC_READ_SEARCH, CAP_SYS_TTY_CONFIG, CAP_SYS_RESOURCE, CAP_SYS_NICE};

	for (size_t i = 0; i < ARRAY_SIZE(dangerous); i++)
		assert_false(caps_default() & CAP_BIT(dangerous[i]));
}

static void sets_are_read_and_printed_as_oci_wants(void **state)
{
	static const char in[] = "{\"bounding\":[\"CAP_KILL\",\"CAP_CHOWN\",\"CAP_FROM_THE_FUTURE\"],\"ambient\":[],"
				 "\"effective\":[\"CAP_FROM_THE_FUTURE\"]}";
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct caps caps = {0};
	struct err err = ERR_INIT;

	assert_int_equal(json_parse(&caps_table, in, strlen(in), 0, "capabilities", &caps, &err), 0);
	assert_int_equal(caps.bounding & ~CAP_UNKNOWN, CAP_BIT(CAP_KILL) | CAP_BIT(CAP_CHOWN));
	json_print(&caps_table, &caps, 0, &out);
	assert_string_equal(buf_cstr(&out), "{\"bounding\":[\"CAP_CHOWN\",\"CAP_KILL\"]}");
	assert_true(json_parse(&caps_table, "{\"bounding\":[1]}", 16, 0, "capabilities", &caps, &err) < 0);
}

static int child(void)
{
	struct caps caps = {.bounding = CAP_BIT(CAP_KILL) | CAP_BIT(CAP_CHOWN)};
	struct caps now;
	struct err err = ERR_INIT;

	caps.permitted = caps.effective = caps.inheritable = caps.ambient = CAP_BIT(CAP_KILL);
	/* Neither permitted nor inheritable: the kernel would refuse to raise it. */
	caps.ambient |= CAP_BIT(CAP_CHOWN);
	if (caps_drop_bounding(caps.bounding, &err) < 0 || caps_keep(&err) < 0 || setresgid(1234, 1234, 1234) < 0 ||
	    setresuid(1234, 1234, 1234) < 0 || caps_apply(&caps, &err) < 0 || caps_get(&now, &err) < 0)
		return 10;
	if (now.effective != caps.effective || now.permitted != caps.permitted)
		return 11;
	return now.bounding == (caps.bounding & caps_all()) && now.inheritable == caps.inheritable ? 0 : 12;
}

/* Two capabilities are asked for, one is there. */
static int child_with_less(void)
{
	struct caps caps = {.bounding = CAP_BIT(CAP_KILL) | CAP_BIT(CAP_CHOWN) | CAP_UNKNOWN};
	struct caps less, now;
	struct err err = ERR_INIT;

	caps.permitted = caps.effective = caps.inheritable = caps.bounding;
	less = caps;
	less.permitted = less.effective = CAP_BIT(CAP_KILL) | CAP_BIT(CAP_SETPCAP);
	less.inheritable = 0;
	if (caps_apply(&less, &err) < 0 || caps_drop_bounding(caps.bounding, &err) < 0 || caps_apply(&caps, &err) < 0 ||
	    caps_get(&now, &err) < 0)
		return 10;
	return now.permitted == CAP_BIT(CAP_KILL) && now.effective == now.permitted && now.inheritable == now.permitted ? 0 : 11;
}

/* In a process of its own: what it gives up is gone. */
static void assert_child_says_yes(int (*check)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid)
		_exit(check());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void what_a_process_does_not_have_is_left_out(void **state)
{
	struct caps now;
	struct err err = ERR_INIT;

	if (caps_get(&now, &err) < 0 || !(now.effective & CAP_BIT(CAP_SETPCAP))) {
		print_message("needs CAP_SETPCAP\n");
		skip();
	}
	assert_child_says_yes(child_with_less);
}

static void a_process_gives_up_what_it_shall_not_have(void **state)
{
	struct caps now;
	struct err err = ERR_INIT;

	if (caps_get(&now, &err) < 0 || !(now.effective & CAP_BIT(CAP_SETPCAP)) ||
	    !(now.effective & CAP_BIT(CAP_SETUID))) {
		print_message("needs CAP_SETPCAP and CAP_SETUID\n");
		skip();
	}
	assert_child_says_yes(child);
}

static void only_the_lowest_score_means_never(void **state)
{
	assert_int_equal(oom_score_to_adj(-1000), -17);
	assert_int_equal(oom_score_to_adj(-999), -16);
	assert_int_equal(oom_score_to_adj(-1), 0);
	assert_int_equal(oom_score_to_adj(0), 0);
	assert_int_equal(oom_score_to_adj(999), 14);
	assert_int_equal(oom_score_to_adj(1000), 15);
}

static void labels_without_their_lsm_are_refused(void **state)
{
	struct err err = ERR_INIT;
	auto_free char *plain = lsm_mount_options("mode=755", NULL);

	assert_string_equal(plain, "mode=755");
	assert_int_equal(lsm_apply_exec(-1, NULL, "", &err), 0);
	if (!lsm_apparmor_enabled()) {
		assert_int_equal(lsm_apply_exec(-1, "unconfined", NULL, &err), 0);
		assert_true(lsm_apply_exec(-1, "docker-default", NULL, &err) < 0);
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
	}
	if (!lsm_selinux_enabled()) {
		assert_true(lsm_apply_exec(-1, NULL, "system_u:system_r:x", &err) < 0);
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
		assert_int_equal(lsm_relabel("/", "x", &err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_in_any_case_with_and_without_prefix),
		cmocka_unit_test(the_last_capability_is_what_the_kernel_says),
		cmocka_unit_test(adding_and_dropping_follow_docker),
		cmocka_unit_test(only_single_names_count_as_named),
		cmocka_unit_test(the_default_has_nothing_that_only_a_filter_keeps_harmless),
		cmocka_unit_test(sets_are_read_and_printed_as_oci_wants),
		cmocka_unit_test(a_process_gives_up_what_it_shall_not_have),
		cmocka_unit_test(what_a_process_does_not_have_is_left_out),
		cmocka_unit_test(only_the_lowest_score_means_never),
		cmocka_unit_test(labels_without_their_lsm_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
