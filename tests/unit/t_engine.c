/*
 * t_engine - tests of what the engine and the daemon decide without a host: filters, users, limits, routes, options
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/daemon/options.h"
#include "runtime/daemon/registry_header.h"
#include "runtime/daemon/route.h"
#include "runtime/engine/check.h"
#include "runtime/engine/filter.h"
#include "runtime/engine/resources.h"
#include "runtime/engine/status.h"
#include "runtime/engine/user.h"

static const char *const keys[] = {"name", "label", "id", NULL};

/* ---- filters ------------------------------------------------------------------------------------------------------------------------ */

static void filters_come_as_lists_and_as_maps(void **state)
{
	struct err err = ERR_INIT;
	AUTO(filters_clear) struct filters list = {0}, map = {0};

	(void)state;
	assert_ok(filters_parse(&list, "{\"name\":[\"a\",\"b\"]}", keys, &err));
	assert_true(filters_match(&list, "name", "b"));
	assert_false(filters_match(&list, "name", "c"));
	assert_true(filters_match(&list, "id", "anything"));
	assert_ok(filters_parse(&map, "{\"name\":{\"a\":true,\"b\":false}}", keys, &err));
	assert_true(filters_match(&map, "name", "a"));
	assert_false(filters_match(&map, "name", "b"));
}

static void unknown_filters_are_refused(void **state)
{
	struct err err = ERR_INIT;
	struct filters f = {0};

	(void)state;
	assert_refused(filters_parse(&f, "{\"colour\":[\"red\"]}", keys, &err), ERR_INVALID);
	assert_refused(filters_parse(&f, "[]", keys, &err), ERR_INVALID);
	assert_refused(filters_parse(&f, "{\"name\":[1]}", keys, &err), ERR_INVALID);
	assert_refused(filters_parse(&f, "{\"name\":3}", keys, &err), ERR_INVALID);
}

static void all_labels_must_be_there(void **state)
{
	struct err err = ERR_INIT;
	AUTO(filters_clear) struct filters f = {0};
	AUTO(strmap_clear) struct strmap labels = {0};

	(void)state;
	assert_ok(filters_parse(&f, "{\"label\":[\"a\",\"b=2\"]}", keys, &err));
	strmap_set(&labels, "a", "1");
	assert_false(filters_match_map(&f, "label", &labels));
	strmap_set(&labels, "b", "3");
	assert_false(filters_match_map(&f, "label", &labels));
	strmap_set(&labels, "b", "2");
	assert_true(filters_match_map(&f, "label", &labels));
}

static bool matches(const char *pattern, const char *value)
{
	AUTO(filters_clear) struct filters f = {0};
	struct filter *one = VEC_ADD(&f.list);

	str_set(&one->key, "name");
	strv_add(&one->values, pattern);
	return filters_match_part(&f, "name", value);
}

static void names_match_by_simple_patterns(void **state)
{
	(void)state;
	assert_true(matches("eb", "web1"));
	assert_true(matches("^web.$", "web1"));
	assert_true(matches("^/web1$", "web1"));
	assert_true(matches("w.*1$", "web1"));
	assert_true(matches("we*b", "wb"));
	assert_true(matches("a\\.b", "a.b"));
	assert_false(matches("a\\.b", "axb"));
	assert_false(matches("^eb", "web1"));
	assert_false(matches("web$", "web1"));
}

static void no_pattern_takes_long_or_much(void **state)
{
	(void)state;
	assert_false(matches("((((a{200}){200}){200}){200})", "aaaa"));
	assert_false(matches("(+++++++++++++++++++++++++++++++++++++++++", "aaaa"));
	assert_false(matches("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

/* ---- users -------------------------------------------------------------------------------------------------------------------------- */

struct root {
	char dir[40];
};

static int root_make(void **state)
{
	struct root *r = xcalloc(1, sizeof(*r));
	struct err err = ERR_INIT;
	auto_free char *passwd = NULL, *group = NULL, *etc = NULL;
	static const char users[] = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44::/var/www:/bin/false\nbroken line\n:::\n";
	static const char groups[] = "root:x:0:\nweb:x:44:\nlog:x:55:web,other\nbad:x:no:web\n";

	strcpy(r->dir, "/tmp/pouch-t-engine-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	etc = path_join(r->dir, "etc");
	passwd = path_join(etc, "passwd");
	group = path_join(etc, "group");
	assert_int_equal(mkdir(etc, 0755), 0);
	assert_ok(file_write(AT_FDCWD, passwd, users, strlen(users), 0644, &err));
	assert_ok(file_write(AT_FDCWD, group, groups, strlen(groups), 0644, &err));
	*state = r;
	return 0;
}

static int root_remove(void **state)
{
	struct root *r = *state;
	struct err err = ERR_INIT;

	assert_ok(path_remove_tree(r->dir, &err));
	free(r);
	return 0;
}

static void resolve(struct root *r, const char *user, uint32_t uid, uint32_t gid, const char *home)
{
	struct err err = ERR_INIT;
	struct oci_user u = {0};
	auto_free char *found = NULL;

	assert_ok(user_resolve(r->dir, user, NULL, &u, &found, &err));
	assert_int_equal(u.uid, uid);
	assert_int_equal(u.gid, gid);
	assert_true(str_eq(found, home));
	VEC_FREE(&u.additional_gids);
}

static void users_are_found_in_the_image(void **state)
{
	resolve(*state, NULL, 0, 0, "/root");
	resolve(*state, "web", 33, 44, "/var/www");
	resolve(*state, "33", 33, 44, "/var/www");
	resolve(*state, "web:log", 33, 55, "/var/www");
	resolve(*state, "1234", 1234, 0, NULL);
	resolve(*state, "1234:99", 1234, 99, NULL);
}

static void groups_of_a_user_are_added(void **state)
{
	struct root *r = *state;
	struct err err = ERR_INIT;
	AUTO(strv_clear) struct strv more = {0};
	struct oci_user u = {0};

	strv_add(&more, "root");
	strv_add(&more, "77");
	assert_ok(user_resolve(r->dir, "web", &more, &u, NULL, &err));
	assert_int_equal(u.additional_gids.n, 3);
	assert_int_equal(u.additional_gids.v[0], 55);
	assert_int_equal(u.additional_gids.v[1], 0);
	assert_int_equal(u.additional_gids.v[2], 77);
	VEC_FREE(&u.additional_gids);
}

static void unknown_users_are_refused(void **state)
{
	struct root *r = *state;
	struct err err = ERR_INIT;
	struct oci_user u = {0};

	assert_refused(user_resolve(r->dir, "nobody", NULL, &u, NULL, &err), ERR_INVALID);
	assert_refused(user_resolve(r->dir, "web:nogroup", NULL, &u, NULL, &err), ERR_INVALID);
	assert_refused(user_resolve(r->dir, "-5", NULL, &u, NULL, &err), ERR_INVALID);
}

/* ---- limits ------------------------------------------------------------------------------------------------------------------------- */

static void refuse_limits(const struct api_resources *r)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources out = {0};
	struct err err = ERR_INIT;

	assert_refused(resources_build(r, &out, &err), ERR_INVALID);
}

static void senseless_limits_are_refused(void **state)
{
	(void)state;
	refuse_limits(&(struct api_resources){.memory = 1000});
	refuse_limits(&(struct api_resources){.memory = -5});
	refuse_limits(&(struct api_resources){.memory = 100 << 20, .memory_swap = 50 << 20});
	refuse_limits(&(struct api_resources){.memory_swap = 50 << 20});
	refuse_limits(&(struct api_resources){.memory = 50 << 20, .memory_reservation = 60 << 20});
	refuse_limits(&(struct api_resources){.memory_swappiness = {true, 101}});
	refuse_limits(&(struct api_resources){.cpu_period = 999});
	refuse_limits(&(struct api_resources){.cpu_quota = 999});
	refuse_limits(&(struct api_resources){.nano_cpus = 1000000000, .cpu_quota = 50000});
	refuse_limits(&(struct api_resources){.blkio_weight = 5});
}

static void numbers_of_cpus_become_a_quota(void **state)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources out = {0};
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(resources_build(&(struct api_resources){.nano_cpus = 1500000000}, &out, &err));
	assert_int_equal(out.cpu.quota.v, 150000);
	assert_int_equal(out.cpu.period.v, 100000);
}

static void block_devices_must_be_such(void **state)
{
	struct api_throttle_device device = {.path = (char *)"/dev/null", .rate = 1};
	struct api_resources r = {.blkio_device_read_bps = {&device, 1, 1}};

	(void)state;
	refuse_limits(&r);
	device.path = (char *)"/dev/no-such-device";
	refuse_limits(&r);
}

/* ---- states ------------------------------------------------------------------------------------------------------------------------- */

static void says(const struct container_record *r, enum dialect dialect, const char *text)
{
	char got[64];

	status_text(r, dialect, 100ll * 1000000000, got, sizeof(got));
	assert_string_equal(got, text);
}

static void states_are_told_in_both_dialects(void **state)
{
	struct container_record r = {.state = {.running = true, .started_at = 97ll * 1000000000}};

	(void)state;
	says(&r, DIALECT_POUCH, "Up 3 seconds");
	r.state.paused = true;
	says(&r, DIALECT_POUCH, "Up 3 seconds(paused)");
	says(&r, DIALECT_DOCKER, "Up 3 seconds (Paused)");
	r.state = (struct api_container_state){.finished_at = 98ll * 1000000000, .exit_code = 7, .status = (char *)"stopped"};
	says(&r, DIALECT_POUCH, "Stopped (7) 2 seconds");
	says(&r, DIALECT_DOCKER, "Exited (7) 2 seconds ago");
	assert_string_equal(status_word(&r, DIALECT_DOCKER), "exited");
	r.state = (struct api_container_state){.status = (char *)"created"};
	says(&r, DIALECT_POUCH, "created");
}

static void restart_policies_are_checked(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(check_restart_policy(&(struct api_restart_policy){.name = (char *)"on-failure", .maximum_retry_count = 3}, false, &err));
	assert_refused(check_restart_policy(&(struct api_restart_policy){.name = (char *)"often"}, false, &err), ERR_INVALID);
	assert_refused(check_restart_policy(&(struct api_restart_policy){.name = (char *)"always", .maximum_retry_count = 3}, false, &err),
		       ERR_INVALID);
	assert_refused(check_restart_policy(&(struct api_restart_policy){.name = (char *)"always"}, true, &err), ERR_INVALID);
}

/* ---- routes ------------------------------------------------------------------------------------------------------------------------- */

static int find(const char *method, const char *path, struct request *r, struct err *err)
{
	const struct route *route;

	for (int i = 0; i < REQUEST_ARGS_MAX; i++)
		free(r->arg[i]);
	free(r->path);
	memset(r, 0, sizeof(*r));
	return route_find(daemon_routes, daemon_routes_count, method, path, r, &route, err);
}

static void paths_find_their_routes(void **state)
{
	struct request r = {0};
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(find("GET", "/v1.41/containers/abc/json", &r, &err));
	assert_string_equal(r.arg[0], "abc");
	assert_int_equal(r.api_minor, 41);
	assert_ok(find("GET", "/images/quay.io/a/b:1/json", &r, &err));
	assert_string_equal(r.arg[0], "quay.io/a/b:1");
	assert_false(r.versioned);
	assert_ok(find("DELETE", "/images/a/b", &r, &err));
	assert_string_equal(r.arg[0], "a/b");
	assert_ok(find("HEAD", "/_ping", &r, &err));
	assert_refused(find("GET", "/containers//json", &r, &err), ERR_NOT_FOUND);
	assert_refused(find("GET", "/containers/a/b/json", &r, &err), ERR_NOT_FOUND);
	assert_refused(find("GET", "/v1.23/_ping", &r, &err), ERR_INVALID);
	assert_refused(find("GET", "/v1.x/_ping", &r, &err), ERR_INVALID);
	assert_int_equal(find("PUT", "/_ping", &r, &err), -ENOSYS);
	(void)find("GET", "/_ping", &r, &err);
	free(r.path);
}

/* ---- options ------------------------------------------------------------------------------------------------------------------------ */

static void command_line_and_file_make_options(void **state)
{
	const char *argv[] = {"pouchd", "--iptables=false", "-l", "unix:///a", "-l", "tcp://b:1", "--mtu", "1400",
			      "--config-file", "", "--home-dir=/x//y/", "-D"};
	struct daemon_options o;
	struct err err = ERR_INIT;

	(void)state;
	assert_ok(options_read(ARRAY_SIZE(argv), argv, &o, &err));
	assert_false(o.iptables);
	assert_true(o.ip_forward);
	assert_true(o.debug);
	assert_int_equal(o.mtu, 1400);
	assert_int_equal(o.listen.n, 2);
	assert_string_equal(o.home, "/x/y");
	assert_ok(options_parse_file("{\"label\":[\"a=b\"],\"oom-score-adj\":5}", 35, &o, &err));
	assert_int_equal(o.oom_score_adj, 5);
	assert_refused(options_parse_file("{\"mtu\":1}", 9, &o, &err), ERR_INVALID);
	options_clear(&o);
}

static void write_file(const char *path, const char *text)
{
	struct err err = ERR_INIT;

	assert_ok(file_write(AT_FDCWD, path, text, strlen(text), 0600, &err));
}

static void reload_changes_what_can_change(void **state)
{
	char path[] = "/tmp/pouch-options.XXXXXX";
	const char *argv[] = {"pouchd", "--config-file", path, "--label", "a=1", "--tlskey", "/k"};
	AUTO(strv_clear) struct strv changed = {0}, waiting = {0};
	struct daemon_options o;
	struct err err = ERR_INIT;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "{\"image-proxy\":\"http://p\",\"tlscert\":\"/c\",\"mtu\":1400}");
	assert_ok(options_read(ARRAY_SIZE(argv), argv, &o, &err));
	assert_ok(options_reload(&o, &changed, &waiting, &err));
	assert_int_equal(changed.n + waiting.n, 0);

	write_file(path, "{\"insecure-registries\":[\"a\",\"b\"],\"tlscert\":\"/c\",\"mtu\":1300,\"iptables\":false}");
	assert_ok(options_reload(&o, &changed, &waiting, &err));
	assert_int_equal(changed.n, 2);
	assert_string_equal(changed.v[0], "insecure-registries");
	assert_string_equal(changed.v[1], "image-proxy");
	assert_int_equal(waiting.n, 2);
	assert_string_equal(waiting.v[0], "iptables");
	assert_string_equal(waiting.v[1], "mtu");
	assert_int_equal(o.insecure_registries.n, 2);
	assert_null(o.image_proxy);
	assert_int_equal(o.mtu, 1400);
	assert_true(o.iptables);

	/* The command line has the key: without the certificate the file no longer fits it. */
	write_file(path, "{\"image-proxy\":\"http://q\"}");
	assert_refused(options_reload(&o, &changed, &waiting, &err), ERR_INVALID);
	err_clear(&err);
	write_file(path, "{\"tlscert\":\"/c\",\"label\":[\"b=1\"]}");
	assert_refused(options_reload(&o, &changed, &waiting, &err), ERR_INVALID);
	assert_null(o.image_proxy);
	assert_string_equal(o.labels.v[0], "a=1");
	unlink(path);
	options_clear(&o);
}

/* ---- X-Registry-Auth ------------------------------------------------------------------------------------------------------------------ */

static void auth_header_is_taken_apart(void **state)
{
	struct api_auth_config a = {0};
	struct err err = ERR_INIT;
	bool some;

	(void)state;
	assert_ok(registry_header_parse("eyJ1c2VybmFtZSI6ImEiLCJwYXNzd29yZCI6ImIifQ==", &a, &some, &err));
	assert_true(some);
	assert_string_equal(a.username, "a");
	assert_string_equal(a.password, "b");
	json_clear(&api_auth_config_table, &a);
	memset(&a, 0, sizeof(a));
	assert_ok(registry_header_parse("e30", &a, &some, &err));
	assert_false(some);
	assert_ok(registry_header_parse("eyJhdXRoIjoiWVRwaSJ9", &a, &some, &err));
	assert_true(some);
	assert_string_equal(a.password, "b");
	json_clear(&api_auth_config_table, &a);
	memset(&a, 0, sizeof(a));
	assert_refused(registry_header_parse("!!", &a, &some, &err), ERR_INVALID);
	assert_refused(registry_header_parse("a", &a, &some, &err), ERR_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_come_as_lists_and_as_maps),
		cmocka_unit_test(unknown_filters_are_refused),
		cmocka_unit_test(all_labels_must_be_there),
		cmocka_unit_test(names_match_by_simple_patterns),
		cmocka_unit_test(no_pattern_takes_long_or_much),
		cmocka_unit_test_setup_teardown(users_are_found_in_the_image, root_make, root_remove),
		cmocka_unit_test_setup_teardown(groups_of_a_user_are_added, root_make, root_remove),
		cmocka_unit_test_setup_teardown(unknown_users_are_refused, root_make, root_remove),
		cmocka_unit_test(senseless_limits_are_refused),
		cmocka_unit_test(numbers_of_cpus_become_a_quota),
		cmocka_unit_test(block_devices_must_be_such),
		cmocka_unit_test(states_are_told_in_both_dialects),
		cmocka_unit_test(restart_policies_are_checked),
		cmocka_unit_test(paths_find_their_routes),
		cmocka_unit_test(command_line_and_file_make_options),
		cmocka_unit_test(reload_changes_what_can_change),
		cmocka_unit_test(auth_header_is_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
