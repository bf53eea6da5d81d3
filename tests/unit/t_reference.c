/*
 * t_reference - image names, as docker normalises them, and digests
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "compat/base/auto.h"
#include "runtime/image/digest.h"
#include "runtime/image/reference.h"

static struct err err;

#define HEX  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SUM  "sha256:" HEX
#define TEN  "aaaaaaaaaa"
#define FIFTY TEN TEN TEN TEN TEN

static const struct reference_defaults private_registry = {"localhost:5000", "team"};
static const struct reference_defaults hub_by_another_name = {"registry.hub.docker.com", "library"};

static const struct good {
	const char *text, *domain, *path, *tag, *digest, *familiar;
	const struct reference_defaults *defaults;
} good[] = {
	{"busybox", "docker.io", "library/busybox", "", "", "busybox"},
	{"busybox:1.36", "docker.io", "library/busybox", "1.36", "", "busybox:1.36"},
	{"busybox@" SUM, "docker.io", "library/busybox", "", SUM, "busybox@" SUM},
	{"busybox:1@" SUM, "docker.io", "library/busybox", "1", SUM, "busybox:1@" SUM},
	{"a/b", "docker.io", "a/b", "", "", "a/b"},
	{"a/b/c", "docker.io", "a/b/c", "", "", "a/b/c"},
	{"library/busybox", "docker.io", "library/busybox", "", "", "busybox"},
	{"docker.io/busybox", "docker.io", "library/busybox", "", "", "busybox"},
	{"docker.io/library/busybox", "docker.io", "library/busybox", "", "", "busybox"},
	{"index.docker.io/a/b", "docker.io", "a/b", "", "", "a/b"},
	{"registry-1.docker.io/busybox", "docker.io", "library/busybox", "", "", "busybox"},
	{"registry.hub.docker.com/library/x:1", "docker.io", "library/x", "1", "", "x:1"},
	{"quay.io/a/b:v1", "quay.io", "a/b", "v1", "", "quay.io/a/b:v1"},
	{"quay.io/a", "quay.io", "a", "", "", "quay.io/a"},
	{"localhost/x", "localhost", "x", "", "", "localhost/x"},
	{"localhost:5000/x:2", "localhost:5000", "x", "2", "", "localhost:5000/x:2"},
	{"[::1]:5000/x", "[::1]:5000", "x", "", "", "[::1]:5000/x"},
	{"127.0.0.1:5000/x", "127.0.0.1:5000", "x", "", "", "127.0.0.1:5000/x"},
	{"Host/x", "Host", "x", "", "", "Host/x"},
	{"a__b/c--d.e_f", "docker.io", "a__b/c--d.e_f", "", "", "a__b/c--d.e_f"},
	{"x:_T.a-9", "docker.io", "library/x", "_T.a-9", "", "x:_T.a-9"},
	{"localhost", "docker.io", "library/localhost", "", "", "localhost"},
	{"busybox", "localhost:5000", "team/busybox", "", "", "busybox", &private_registry},
	{"a/b", "localhost:5000", "a/b", "", "", "a/b", &private_registry},
	{"localhost:5000/b", "localhost:5000", "b", "", "", "localhost:5000/b", &private_registry},
	{"docker.io/b", "docker.io", "library/b", "", "", "docker.io/library/b", &private_registry},
	{"busybox", "docker.io", "library/busybox", "", "", "busybox", &hub_by_another_name},
};

static void names_are_completed_as_docker_does(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		const struct good *g = &good[i];
		char familiar[REFERENCE_SIZE];
		struct reference ref, again;

		assert_ok(reference_parse(g->text, g->defaults, &ref, &err));
		assert_string_equal(ref.domain, g->domain);
		assert_string_equal(ref.path, g->path);
		assert_string_equal(ref.tag, g->tag);
		assert_string_equal(ref.digest, g->digest);
		reference_familiar(&ref, g->defaults, familiar);
		assert_string_equal(familiar, g->familiar);
		assert_ok(reference_parse(familiar, g->defaults, &again, &err));
		assert_memory_equal(&ref, &again, sizeof(ref));
	}
}

static const char *const bad[] = {
	"", ":", ":tag", "@", "a:", "a@", "/a", "a/", "a//b", "A", "Abc", "a/B", "quay.io/Abc", "-a", "a-", "a..b",
	"a___b", "a_-b", ".a", "a.", "a b", "a\nb", "a\x1b[31m", "a:b c", "a:.b", "a:-b", "a@sha256:12", "a@md5:" HEX,
	"a@sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", HEX, "http://a/b",
	"https://registry.io/a", "-host.io/a", "host-.io/a", "a..io/b", "host:port/a", "host:0/a", "host:70000/a",
	"[::1/x", "[]:1/x", "../x", "a/../b", "localhost:5000", "x:5000/",
	FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY,
	"x:" FIFTY FIFTY TEN TEN TEN,
};

static void bad_names_are_refused_with_a_reason(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct reference ref = {.domain = "untouched"};
		int rc = reference_parse(bad[i], NULL, &ref, &err);

		if (strcmp(bad[i], "localhost:5000") == 0) {
			assert_int_equal(rc, 0);	/* the repository "localhost" with a tag */
			continue;
		}
		if (rc >= 0)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_true(strncmp(err.msg, "invalid reference", 17) == 0);
		assert_string_equal(ref.domain, "untouched");
	}
}

static void latest_is_added_only_where_nothing_was_said(void **state)
{
	struct reference ref;

	assert_ok(reference_parse("a", NULL, &ref, &err));
	reference_complete(&ref);
	assert_string_equal(ref.tag, "latest");
	assert_ok(reference_parse("a@" SUM, NULL, &ref, &err));
	reference_complete(&ref);
	assert_string_equal(ref.tag, "");
}

static void registries_are_known_by_their_hosts(void **state)
{
	char domain[REFERENCE_NAME_MAX + 1];

	assert_string_equal(reference_host("docker.io"), "registry-1.docker.io");
	assert_string_equal(reference_host("quay.io"), "quay.io");
	assert_ok(reference_domain("https://index.docker.io/v1/", domain, &err));
	assert_string_equal(domain, "docker.io");
	assert_ok(reference_domain("http://localhost:5000", domain, &err));
	assert_string_equal(domain, "localhost:5000");
	assert_refused(reference_domain("a b", domain, &err), ERR_INVALID);
}

static void digests_are_checked_and_taken(void **state)
{
	AUTO(digester_free) struct digester *d = digester_new();
	char got[DIGEST_SIZE];

	digest_of("", 0, got);
	assert_string_equal(got, SUM);
	assert_true(digest_is_valid(SUM));
	assert_false(digest_is_valid(HEX));
	assert_false(digest_is_valid(SUM "0"));
	assert_false(digest_is_valid(NULL));
	assert_refused(digest_check("sha512:00", "layer digest", &err), ERR_INVALID);
	assert_refused(digest_check("x", "layer digest", &err), ERR_INVALID);

	digester_add(d, "ab", 2);
	digester_get(d, got);
	digester_add(d, "c", 1);
	digester_get(d, got);
	assert_string_equal(got, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void chain_ids_name_a_layer_with_all_below(void **state)
{
	char chain[DIGEST_SIZE], want[DIGEST_SIZE];

	digest_chain(NULL, SUM, chain);
	assert_string_equal(chain, SUM);
	digest_chain(chain, SUM, chain);
	digest_of(SUM " " SUM, strlen(SUM " " SUM), want);
	assert_string_equal(chain, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_completed_as_docker_does),
		cmocka_unit_test(bad_names_are_refused_with_a_reason),
		cmocka_unit_test(latest_is_added_only_where_nothing_was_said),
		cmocka_unit_test(registries_are_known_by_their_hosts),
		cmocka_unit_test(digests_are_checked_and_taken),
		cmocka_unit_test(chain_ids_name_a_layer_with_all_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
