/*
 * t_feature.c - probes, the registry, compat.xml, the cache, the report
 *
 * What compat_begin() sets lasts as long as a process, so most tests run in a child.
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/kernel/capability.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/profile.h"
#include "compat/kernel/report.h"

static struct err err;
static char dir[64];

static int setup(void **state)
{
	strcpy(dir, "/tmp/t_feature.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return path_remove_tree(dir, &err);
}

/* A failed assertion ends the child with a message and a status that is not 0. */
static void in_child(void (*test)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		test();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static char *file_in_dir(const char *name)
{
	return path_join(dir, name);
}

static void write_profile(const char *body)
{
	auto_free char *path = file_in_dir("compat.xml");
	auto_free char *text = xfmt("<compat>%s</compat>", body);

	assert_ok(file_write(AT_FDCWD, path, text, strlen(text), 0644, &err));
}

static int init(bool with_profile, bool with_cache)
{
	auto_free char *path = file_in_dir("compat.xml");
	const struct compat_options options = {
		.home = dir,
		.exec_root = dir,
		.profile_path = with_profile ? path : NULL,
		.no_cache = !with_cache,
	};

	return compat_init(&options, &err);
}

/* ---- features ---- */

static void every_feature_has_a_name_of_its_own_and_an_answer(void **state)
{
	for (enum feature f = 0; f < FEATURE_COUNT; f++) {
		assert_non_null(feature_name(f));
		assert_true(str_is_printable(feature_name(f)));
		assert_int_equal(feature_by_name(feature_name(f)), f);
		assert_int_not_equal(feature_about(f)[0], '\0');
		assert_int_not_equal(feature_reason(f)[0], '\0');
	}
	assert_int_equal(feature_by_name("nonsense"), FEATURE_COUNT);
	assert_int_equal(feature_by_name("cgroup_v2"), FEATURE_CGROUP_V2);
}

static void one_by_one_and_all_at_once_agree(void **state)
{
	bool one[FEATURE_COUNT];

	feature_forget();
	for (enum feature f = 0; f < FEATURE_COUNT; f++)
		one[f] = feature_works(f);
	feature_forget();
	feature_probe_all();
	for (enum feature f = 0; f < FEATURE_COUNT; f++)
		if (feature_works(f) != one[f])
			fail_msg("%s: alone %d, with all %d (%s)", feature_name(f), one[f],
				 feature_works(f), feature_reason(f));
}

/* Everything that a probe could have left: mounts, files, groups, children, descriptors, the process's own state. */
static void state_of_host(struct buf *out)
{
	AUTO(buf_clear) struct buf part = BUF_INIT;
	static const char *const files[] = {"/proc/self/mountinfo", "/proc/self/cgroup",
					    "/proc/self/status"};
	char link[64];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		buf_reset(&part);
		if (file_read(AT_FDCWD, files[i], 1 << 22, &part, &err) < 0)
			continue;
		/* Counters and memory use change by themselves. */
		if (i != 2) {
			buf_add(out, part.data, part.len);
			continue;
		}
		for (char *save, *line = strtok_r(part.data, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			if (str_starts(line, "Cap") || str_starts(line, "NoNewPrivs") ||
			    str_starts(line, "Seccomp") || str_starts(line, "FDSize"))
				buf_fmt(out, "%s\n", line);
	}
	for (int fd = 0; fd < 64; fd++) {
		char path[32];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, link, sizeof(link) - 1);
		if (n > 0)
			buf_fmt(out, "%d %.*s\n", fd, (int)n, link);
	}
	for (const char *const *ns = (const char *const[]){"mnt", "net", "uts", "ipc", "pid", "user",
							   "cgroup", NULL};
	     *ns; ns++) {
		char path[40];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", *ns);
		n = readlink(path, link, sizeof(link) - 1);
		if (n > 0)
			buf_fmt(out, "%.*s\n", (int)n, link);
	}
}

static void check_traces(void)
{
	AUTO(buf_clear) struct buf before = BUF_INIT;
	AUTO(buf_clear) struct buf after = BUF_INIT;
	struct stat st;

	/* Somebody else's mounts shall not come and go here; without the right to this, probes mount nothing. */
	if (unshare(CLONE_NEWNS) == 0)
		(void)mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL);
	/* A first round loads modules. */
	feature_forget();
	feature_probe_all();
	state_of_host(&before);
	feature_forget();
	feature_probe_all();
	state_of_host(&after);
	assert_string_equal(before.data, after.data);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(stat("/tmp/ov-lower", &st), -1);
}

static void probing_leaves_nothing_behind(void **state)
{
	in_child(check_traces);
}

/* 20 ms is the aim on a quiet machine; this only notices a probe that waits. */
static void all_probes_together_are_quick(void **state)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < 5; i++) {
		int64_t start = time_mono_ms(), took;

		feature_forget();
		feature_probe_all();
		took = time_mono_ms() - start;
		best = took < best ? took : best;
	}
	print_message("best of five: %d ms\n", (int)best);
	assert_true(best < 200);
}

static void check_hiding(void)
{
	hide_add("setns,overlay,cgroup-v2");
	feature_forget();
	assert_false(feature_works(FEATURE_OVERLAY));
	assert_string_equal(feature_reason(FEATURE_OVERLAY), "hidden");
	assert_false(feature_works(FEATURE_SETNS_NET));
	assert_string_equal(feature_reason(FEATURE_SETNS_NET), "needs setns");
	assert_true(hidden("cgroup_v2"));
	feature_set(FEATURE_OVERLAY, true, "from a cache");
	assert_false(feature_works(FEATURE_OVERLAY));
	feature_probe_all();
	assert_false(feature_works(FEATURE_SETNS_MNT));
}

static void a_hidden_feature_does_not_work_nor_what_needs_it(void **state)
{
	in_child(check_hiding);
}

static void unknown_names_are_refused_and_the_known_listed(void **state)
{
	assert_ok(feature_check_hidden("", "POUCH_HIDE", &err));
	assert_ok(feature_check_hidden("overlay,pidfd", "POUCH_HIDE", &err));
	assert_refused(feature_check_hidden("overlay,nope", "POUCH_HIDE", &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "'nope'"));
	assert_non_null(strstr(err.msg, "subreaper"));
}

/* What the code asks hidden() for must be a name that POUCH_HIDE takes. */
static void every_name_that_the_code_hides_by_is_known(void **state)
{
	FILE *p = popen("grep -rhoE 'hidden\\(\"[^\"]*\"\\)' --include=*.c compat runtime cli 2>/dev/null | "
			"cut -d'\"' -f2 | sort -u", "r");
	char line[100];
	int names = 0;

	assert_non_null(p);
	while (fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = '\0';
		if (feature_by_name(line) == FEATURE_COUNT)
			fail_msg("hidden(\"%s\") in the code, which is no feature", line);
		names++;
	}
	pclose(p);
	assert_true(names > 5);
}

/* ---- profile ---- */

static int parse(const char *text, const char *release, struct profile *ret)
{
	return profile_parse(text, strlen(text), release, "compat.xml", ret, &err);
}

static void a_profile_hides_and_forces(void **state)
{
	AUTO(profile_clear) struct profile p = {0};

	assert_ok(parse("<?xml version='1.0'?>\n<compat><!-- x -->\n<hide feature='overlay'/>"
			"<force capability='layered-root' backend='copy'/>"
			"<feature name='pidfd' since='5.3'>text &amp; more</feature>"
			"<kernel name='old' match='2.6.32*'><quirk>t</quirk><hide feature='btrfs'/></kernel>"
			"<kernel name='new' match='6.*'><hide feature='fuse'/></kernel>"
			"<hide feature='overlay'/></compat>", "2.6.32-642.el6.x86_64", &p));
	assert_int_equal(p.hide.n, 2);
	assert_true(strv_has(&p.hide, "overlay"));
	assert_true(strv_has(&p.hide, "btrfs"));
	assert_string_equal(strmap_get(&p.force, "layered-root"), "copy");
	assert_int_equal(p.kernels.n, 1);
	assert_string_equal(p.kernels.v[0], "old");
}

static void a_wrong_profile_is_refused_with_its_line(void **state)
{
	static const char *const wrong[] = {
		"",
		"text",
		"<compat>",
		"<other/>",
		"<compat>\n<hide feature='nope'/></compat>",
		"<compat>\n<hide feature='overlay,pidfd'/></compat>",
		"<compat>\n<hide feature=''/></compat>",
		"<compat>\n<hide/></compat>",
		"<compat>\n<hide feature='overlay' x='y'/></compat>",
		"<compat>\n<hide feature='overlay'><hide feature='pidfd'/></hide></compat>",
		"<compat>\n<force capability='nope' backend='copy'/></compat>",
		"<compat>\n<force capability='layered-root' backend='zfs'/></compat>",
		"<compat>\n<force capability='disk-quota' backend='x'/></compat>",
		"<compat>\n<force capability='random' backend='urandom'/>"
		"<force capability='random' backend='getrandom'/></compat>",
		"<compat>\nloose text</compat>",
		"<compat>\n<compat/></compat>",
		"<compat>\n<kernel name='x' match='*'><hide feature='nope'/></kernel></compat>",
		"<compat>\n<kernel name='x' match='none'><hide feature='nope'/></kernel></compat>",
		"<!DOCTYPE compat [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]>\n<compat>&b;</compat>",
		"<!DOCTYPE compat SYSTEM '/etc/passwd'>\n<compat/>",
		"<compat/><compat/>",
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct profile p = {0};

		if (parse(wrong[i], "6.1", &p) == 0)
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_non_null(strstr(err.msg, "compat.xml: line "));
		assert_int_equal(p.hide.n, 0);
	}
}

/* The shipped file is the catalogue: it has every feature and backend, with the versions that the code has. */
static void the_shipped_profile_documents_everything(void **state)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(profile_clear) struct profile p = {0};

	assert_ok(file_read(AT_FDCWD, "compat/profile.xml", PROFILE_MAX_BYTES, &text, &err));
	assert_ok(parse(text.data, "6.1.0", &p));
	assert_int_equal(p.hide.n, 0);
	assert_int_equal(p.force.n, 0);
	for (enum feature f = 0; f < FEATURE_COUNT; f++) {
		auto_free char *element = *feature_since(f)
			? xfmt("<feature name=\"%s\" since=\"%s\">", feature_name(f), feature_since(f))
			: xfmt("<feature name=\"%s\">", feature_name(f));

		if (!strstr(text.data, element))
			fail_msg("compat/profile.xml lacks %s", element);
	}
	for (enum capability c = 0; c < CAPABILITY_COUNT; c++) {
		auto_free char *element = xfmt("<capability name=\"%s\">", capability_name(c));
		const char *at = strstr(text.data, element);

		if (!at)
			fail_msg("compat/profile.xml lacks %s", element);
		for (size_t i = 0; capability_backend(c, i); i++) {
			auto_free char *backend = xfmt("<backend name=\"%s\">", capability_backend(c, i));

			at = strstr(at, backend);
			if (!at)
				fail_msg("compat/profile.xml: %s lacks %s", element, backend);
		}
	}
	profile_clear(&p);
	assert_ok(parse(text.data, "2.6.32-642.6.2.el6.x86_64", &p));
	assert_int_equal(p.kernels.n, 1);
	profile_clear(&p);
	assert_ok(parse(text.data, "2.6.32.69", &p));
	assert_int_equal(p.kernels.n, 1);
}

/* ---- registry ---- */

static void check_choices(void)
{
	assert_ok(init(false, false));
	for (enum capability c = 0; c < CAPABILITY_COUNT; c++) {
		const struct fit *choice = compat_choice(c), *rows;
		size_t n;

		assert_non_null(choice->name);
		assert_int_not_equal(choice->reason[0], '\0');
		rows = capability_rows(c, &n);
		for (size_t i = 0; i < n; i++) {
			assert_string_equal(rows[i].name, capability_backend(c, i));
			assert_true(rows[i].score <= choice->score);
		}
		assert_int_equal(capability_by_name(capability_name(c)), c);
	}
}

static void the_best_backend_is_chosen_with_a_reason(void **state)
{
	in_child(check_choices);
}

static void check_substitutes(void)
{
	hide_add("aufs,device-mapper,fuse,subreaper,pivot_root,overlay,btrfs,freezer,cgroup_v1,cgroup_v2,cgroup-procs,"
		 "close_range,pidfd,getrandom,openat2,seccomp,sys-fs-cgroup,cgroup-clone-children");
	assert_ok(init(false, false));
	assert_string_equal(compat_choice(CAPABILITY_EXIT_STATUS)->name, "direct-parent");
	assert_string_equal(compat_choice(CAPABILITY_LAYERED_ROOT)->name, "copy");
	assert_string_equal(compat_choice(CAPABILITY_PAUSE)->name, "stop-signals");
	assert_string_equal(compat_choice(CAPABILITY_CGROUP_ATTACH)->name, "tasks");
	assert_string_equal(compat_choice(CAPABILITY_EMPTY_CPUSET)->name, "copy");
	assert_string_equal(compat_choice(CAPABILITY_CLOSE_FDS)->name, "proc-walk");
	assert_string_equal(compat_choice(CAPABILITY_PROCESS_HANDLE)->name, "start-time");
	assert_string_equal(compat_choice(CAPABILITY_RANDOM)->name, "urandom");
	assert_string_equal(compat_choice(CAPABILITY_SAFE_PATHS)->name, "walk");
	assert_int_equal(compat_choice(CAPABILITY_MEMORY_LIMIT)->score, FIT_NO);
	if (geteuid() == 0)
		assert_string_equal(compat_choice(CAPABILITY_SWITCH_ROOT)->name, "move");
}

static void hiding_the_native_backends_brings_the_substitutes(void **state)
{
	in_child(check_substitutes);
}

static void check_hidden_freezer(void)
{
	hide_add("freezer");
	assert_ok(init(false, false));
	assert_string_equal(compat_choice(CAPABILITY_PAUSE)->name, "stop-signals");
}

static void hiding_the_freezer_alone_leaves_signals(void **state)
{
	in_child(check_hidden_freezer);
}

static void check_forced(void)
{
	write_profile("<force capability='random' backend='urandom'/><hide feature='statx'/>");
	assert_ok(init(true, false));
	assert_string_equal(compat_choice(CAPABILITY_RANDOM)->name, "urandom");
	assert_string_equal(capability_forced(CAPABILITY_RANDOM), "urandom");
	assert_null(capability_forced(CAPABILITY_PAUSE));
	assert_false(feature_works(FEATURE_STATX));

	write_profile("<hide feature='pidfd'/><force capability='process-handle' backend='pidfd'/>");
	assert_refused(init(true, false), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "process-handle 'pidfd' does not work here: hidden"));

	/* Forcing one hides what the code would use instead. */
	write_profile("<force capability='safe-paths' backend='walk'/><force capability='pause' "
		      "backend='stop-signals'/><force capability='seccomp' backend='prctl'/>");
	assert_ok(init(true, false));
	assert_true(hidden("openat2"));
	assert_true(hidden("freezer"));
	assert_true(hidden("seccomp"));
	assert_false(hidden("seccomp-filter"));

	/* This one would be used all the same, so it is not taken. */
	write_profile("<force capability='device-access' backend='v2'/>");
	if (init(true, false) < 0)
		assert_int_equal(err.kind, ERR_UNSUPPORTED);

	write_profile("<nonsense/>");
	assert_refused(init(true, false), ERR_INVALID);
	unlink(file_in_dir("compat.xml"));
	assert_int_equal(init(true, false), -ENOENT);
}

static void a_forced_backend_is_used_or_the_start_fails(void **state)
{
	in_child(check_forced);
}

/* ---- home ---- */

static void check_home_on_overlay(void)
{
	auto_free char *options = xfmt("lowerdir=%s/l,upperdir=%s/u,workdir=%s/w", dir, dir, dir);
	auto_free char *merged = file_in_dir("m");
	struct compat_options o = {.home = merged, .exec_root = dir, .no_cache = true};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		_exit(77);
	for (const char *const *d = (const char *const[]){"l", "u", "w", "m", NULL}; *d; d++) {
		auto_free char *path = file_in_dir(*d);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	if (mount("overlay", merged, "overlay", 0, options) < 0)
		_exit(77);
	assert_ok(compat_init(&o, &err));
	assert_string_not_equal(compat_choice(CAPABILITY_LAYERED_ROOT)->name, "overlay");
	assert_int_equal(umount(merged), 0);
	if (mount("tmpfs", merged, "tmpfs", 0, NULL) < 0)
		_exit(77);
	assert_ok(compat_init(&o, &err));
	assert_string_equal(compat_choice(CAPABILITY_LAYERED_ROOT)->name, "overlay");
}

static void a_home_on_overlay_says_why_and_takes_the_next(void **state)
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	pid = fork();
	if (!pid) {
		check_home_on_overlay();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("overlay cannot be mounted here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

static void check_missing_home(void)
{
	auto_free char *home = file_in_dir("not/there/yet");
	struct compat_options o = {.home = home, .exec_root = home, .no_cache = false};

	assert_ok(compat_init(&o, &err));
	assert_int_equal(access(home, F_OK), -1);
}

static void a_home_and_a_cache_that_are_not_there_are_no_error(void **state)
{
	in_child(check_missing_home);
}

/* ---- cache ---- */

static void report_is_cached(bool want)
{
	struct compat_report r;

	compat_report_get(&r);
	assert_int_equal(r.cached, want);
	json_clear(&compat_report_table, &r);
}

static void check_cache(void)
{
	auto_free char *path = file_in_dir("compat.json");
	AUTO(buf_clear) struct buf text = BUF_INIT;

	unlink(path);
	write_profile("<hide feature='fuse'/><force capability='random' backend='urandom'/>");
	assert_ok(init(true, true));
	report_is_cached(false);
	assert_ok(file_read(AT_FDCWD, path, 1 << 20, &text, &err));
	assert_non_null(strstr(text.data, "fuse"));
}

static void check_cache_again(void)
{
	auto_free char *path = file_in_dir("compat.json");

	assert_ok(init(true, true));
	report_is_cached(true);
	assert_false(feature_works(FEATURE_FUSE));
	assert_true(hidden("fuse"));
	assert_string_equal(compat_choice(CAPABILITY_RANDOM)->name, "urandom");

	/* Somebody else could have written it. */
	chmod(path, 0666);
	assert_ok(init(true, true));
	report_is_cached(false);
}

static void check_cache_of_another_profile(void)
{
	write_profile("<hide feature='fuse'/><!-- changed -->");
	assert_ok(init(true, true));
	report_is_cached(false);
	assert_string_equal(compat_choice(CAPABILITY_RANDOM)->name, "getrandom");
}

static void check_damaged_cache(void)
{
	auto_free char *path = file_in_dir("compat.json");
	AUTO(buf_clear) struct buf text = BUF_INIT;

	assert_ok(init(true, true));
	assert_ok(file_read(AT_FDCWD, path, 1 << 20, &text, &err));
	for (size_t cut = 0; cut < text.len; cut += text.len / 40) {
		assert_ok(file_write(AT_FDCWD, path, text.data, cut, 0644, &err));
		assert_ok(init(true, true));
	}
}

static void results_are_kept_for_this_boot_profile_and_program(void **state)
{
	in_child(check_cache);
	in_child(check_cache_again);
	in_child(check_cache_of_another_profile);
	in_child(check_damaged_cache);
}

/* ---- report ---- */

static void check_report(void)
{
	AUTO(buf_clear) struct buf json = BUF_INIT;
	AUTO(buf_clear) struct buf table = BUF_INIT;
	struct compat_report r, back = {0};
	struct utsname uts;

	hide_add("overlay,aufs,btrfs,device-mapper,fuse");
	assert_ok(init(false, false));
	compat_report_get(&r);
	uname(&uts);
	assert_string_equal(r.kernel, uts.release);
	json_print(&compat_report_table, &r, 0, &json);
	assert_ok(json_parse(&compat_report_table, json.data, json.len, JSON_UNKNOWN_ERROR, "report",
			     &back, &err));
	assert_int_equal(back.features.n, FEATURE_COUNT);
	assert_int_equal(back.capabilities.n, CAPABILITY_COUNT);
	compat_report_print(&back, true, 80, &table);
	assert_non_null(strstr(table.data, "CAPABILITY"));
	assert_non_null(strstr(table.data, "* copy"));
	assert_non_null(strstr(table.data, "lost: every container is a full copy"));
	assert_non_null(strstr(table.data, "Hidden:   overlay aufs btrfs device-mapper fuse"));
	for (char *line = strtok(table.data, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 80 || !strchr(line + 43, ' '));
	json_clear(&compat_report_table, &r);
	json_clear(&compat_report_table, &back);
}

static void the_report_says_the_same_as_table_and_json(void **state)
{
	in_child(check_report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_feature_has_a_name_of_its_own_and_an_answer),
		cmocka_unit_test(one_by_one_and_all_at_once_agree),
		cmocka_unit_test(probing_leaves_nothing_behind),
		cmocka_unit_test(all_probes_together_are_quick),
		cmocka_unit_test(a_hidden_feature_does_not_work_nor_what_needs_it),
		cmocka_unit_test(unknown_names_are_refused_and_the_known_listed),
		cmocka_unit_test(every_name_that_the_code_hides_by_is_known),
		cmocka_unit_test(a_profile_hides_and_forces),
		cmocka_unit_test(a_wrong_profile_is_refused_with_its_line),
		cmocka_unit_test(the_shipped_profile_documents_everything),
		cmocka_unit_test(the_best_backend_is_chosen_with_a_reason),
		cmocka_unit_test(hiding_the_native_backends_brings_the_substitutes),
		cmocka_unit_test(hiding_the_freezer_alone_leaves_signals),
		cmocka_unit_test(a_forced_backend_is_used_or_the_start_fails),
		cmocka_unit_test(a_home_on_overlay_says_why_and_takes_the_next),
		cmocka_unit_test(a_home_and_a_cache_that_are_not_there_are_no_error),
		cmocka_unit_test(results_are_kept_for_this_boot_profile_and_program),
		cmocka_unit_test(the_report_says_the_same_as_table_and_json),
	};

	return cmocka_run_group_tests_name("feature", tests, setup, teardown);
}
