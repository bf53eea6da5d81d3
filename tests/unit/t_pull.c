/*
 * t_pull - images from a registry that behaves, and from one that does not
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "tests/unit/fake_registry.h"
#include "tests/unit/image_home.h"
#include "tests/unit/tar_bytes.h"

static struct err err;
static char home[64];
static struct storage *storage;
static struct image_store *store;
static const char *driver = "overlay";
static char name[64];		/* 127.0.0.1:PORT/x:1 */
static struct strv said;	/* progress */

/* ---- words ---- */

static void open_store(void)
{
	static struct registry_settings settings;
	struct image_store_options o = {.home = home, .registry = &settings, .limits = {.entries = 100000}};

	settings.certs_dir = "/nonexistent";
	assert_ok(home_open(&o, driver, &storage, &store, &err));
}

static void close_store(void)
{
	image_store_close(store);
	storage_close(storage);
	store = NULL;
	storage = NULL;
}

static int up(void **state)
{
	strcpy(home, "/tmp/pouch-t_pull-XXXXXX");
	assert_non_null(mkdtemp(home));
	open_store();
	snprintf(name, sizeof(name), "127.0.0.1:%u/x:1", fake.port);
	strv_clear(&said);
	return 0;
}

static int down(void **state)
{
	if (store)
		close_store();
	fake_reset();
	strv_clear(&said);
	return path_remove_tree(home, NULL);
}

static unsigned int entries(const char *below)
{
	auto_free char *path = path_join(home, below);
	auto_closedir DIR *dir = opendir(path);
	unsigned int n = 0;
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	return n;
}

static char *in_driver(const char *below)
{
	static char text[64];

	snprintf(text, sizeof(text), "%s/%s", driver, below);
	return text;
}

/* No image, no layer, nothing half done; blobs to resume from may be there. */
static void assert_nothing_left(void)
{
	assert_int_equal(entries("image/images"), 0);
	assert_int_equal(entries("image/blobs/sha256"), 0);
	assert_int_equal(entries(in_driver("layers")), 0);
	assert_int_equal(entries(in_driver("tmp")), 0);
}

static void on_progress(void *arg, const struct image_progress *p)
{
	strv_addf(&said, "%s%s%s", p->id ? p->id : "", p->id ? ": " : "", p->status);
}

static bool was_said(const char *part)
{
	STRV_EACH(s, &said) {
		if (strstr(*s, part))
			return true;
	}
	return false;
}

static int pull_as(const char *user, const char *password)
{
	const struct registry_auth auth = {.username = user, .password = password};
	const struct image_pull p = {.reference = name, .auth = user ? &auth : NULL, .progress = on_progress};

	err_clear(&err);
	return image_pull(store, &p, NULL, &err);
}

static int pull(void)
{
	return pull_as(NULL, NULL);
}

/* ---- images to be pulled ---- */

struct layer_text {
	char digest[DIGEST_SIZE], diff_id[DIGEST_SIZE];
	size_t len;
};

static struct layer_text put_layer(const struct buf *tar, bool packed)
{
	static uint8_t level_buf[ISAL_DEF_LVL1_DEFAULT];
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct layer_text l;
	struct isal_zstream z;

	digest_of(tar->data, tar->len, l.diff_id);
	if (packed) {
		isal_deflate_init(&z);
		z.gzip_flag = IGZIP_GZIP;
		z.level = 1;
		z.level_buf = level_buf;
		z.level_buf_size = sizeof(level_buf);
		z.next_in = (uint8_t *)tar->data;
		z.avail_in = (uint32_t)tar->len;
		z.end_of_stream = 1;
		z.avail_out = (uint32_t)tar->len + 4096;
		z.next_out = (uint8_t *)buf_room(&out, z.avail_out);
		assert_int_equal(isal_deflate(&z), COMP_OK);
		out.len = z.total_out;
	} else {
		buf_add(&out, tar->data, tar->len);
	}
	digest_of(out.data, out.len, l.digest);
	l.len = out.len;
	fake_put(l.digest, "application/octet-stream", out.data, out.len);
	return l;
}

/* A layer of one file of @len bytes that do not pack well. */
static struct layer_text put_file_layer(const char *file, size_t len, bool packed)
{
	AUTO(buf_clear) struct buf tar = BUF_INIT;
	auto_free char *content = xcalloc(1, len + 1);
	uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		content[i] = (char)(x >> 24);
	}
	tar_add(&tar, &(struct tar_entry){.name = file, .type = '0', .data = content, .len = len});
	tar_end(&tar);
	return put_layer(&tar, packed);
}

static void put_manifest(const char *path, const struct layer_text *layers, size_t n, const char *architecture,
			 char ret_digest[DIGEST_SIZE], size_t *ret_len)
{
	AUTO(buf_clear) struct buf config = BUF_INIT, manifest = BUF_INIT;
	char digest[DIGEST_SIZE];
	auto_free char *by_digest = NULL;

	buf_fmt(&config, "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/%s\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[",
		architecture, path);
	for (size_t i = 0; i < n; i++)
		buf_fmt(&config, "%s\"%s\"", i ? "," : "", layers[i].diff_id);
	buf_str(&config, "]}}");
	digest_of(config.data, config.len, digest);
	fake_put(digest, "application/octet-stream", config.data, config.len);
	buf_fmt(&manifest, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[",
		digest, config.len);
	for (size_t i = 0; i < n; i++)
		buf_fmt(&manifest, "%s{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+gzip\",\"digest\":\"%s\",\"size\":%zu}",
			i ? "," : "", layers[i].digest, layers[i].len);
	buf_str(&manifest, "]}");
	digest_of(manifest.data, manifest.len, ret_digest);
	by_digest = xfmt("x/manifests/%s", ret_digest);
	fake_put(path, "application/vnd.oci.image.manifest.v1+json", manifest.data, manifest.len);
	fake_put(by_digest, "application/vnd.oci.image.manifest.v1+json", manifest.data, manifest.len);
	*ret_len = manifest.len;
}

static void put_image(const struct layer_text *layers, size_t n)
{
	char digest[DIGEST_SIZE];
	size_t len;

	put_manifest("x/manifests/1", layers, n, "amd64", digest, &len);
}

static void put_usual_image(void)
{
	const struct layer_text layers[] = {put_file_layer("one", 300000, true), put_file_layer("two", 5000, false),
					    put_file_layer("three", 700000, true)};

	put_image(layers, 3);
}

static void assert_usual_image(void)
{
	AUTO(image_put) struct image *image = NULL;
	auto_free char *path = NULL;
	auto_free char *file = NULL;
	struct stat st;

	assert_ok(image_find(store, name, &image, &err));
	assert_int_equal(image->chain_ids.n, 3);
	assert_int_equal(image->size, 300000 + 5000 + 700000);
	assert_int_equal(image->repo_tags.n, 1);
	assert_string_equal(image->repo_tags.v[0], name);
	assert_int_equal(image->repo_digests.n, 1);
	assert_ok(storage_rootfs_create(storage, "cc", image_top(image), &err));
	assert_ok(storage_rootfs_mount(storage, "cc", NULL, &path, &err));
	file = path_join(path, "three");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_size, 700000);
	assert_ok(storage_rootfs_remove(storage, "cc", &err));
	assert_int_equal(entries(in_driver("tmp")), 0);
	assert_int_equal(entries("image/partial"), 0);
}

/* ---- a registry that behaves ---- */

static void an_image_comes_whole_and_is_there_after_a_restart(void **state)
{
	put_usual_image();
	assert_ok(pull());
	assert_usual_image();
	assert_true(was_said("Pulling from x"));
	assert_true(was_said("Pull complete"));
	assert_true(was_said("Downloaded newer image"));
	close_store();
	open_store();
	assert_usual_image();
	strv_clear(&said);
	fake.blob_requests = 0;
	assert_ok(pull());
	assert_true(was_said("Already exists"));
	assert_true(was_said("up to date"));
	assert_int_equal(fake.blob_requests, 0);
}

static void layers_that_are_there_are_not_fetched_again(void **state)
{
	const struct layer_text a = put_file_layer("a", 1000, true), b = put_file_layer("b", 1000, true);
	const struct layer_text c = put_file_layer("c", 1000, true);
	const struct layer_text first[] = {a, b}, second[] = {a, c}, twice[] = {a, a, b};

	put_image(first, 2);
	assert_ok(pull());
	fake_find("x/manifests/1")->path[12] = '0';	/* that was the image before */
	put_image(second, 2);
	fake.blob_requests = 0;
	assert_ok(pull());
	assert_int_equal(fake.blob_requests, 2);	/* configuration and c */
	fake_find("x/manifests/1")->path[12] = '0';
	put_image(twice, 3);
	assert_ok(pull());
	assert_int_equal(entries("image/images"), 3);
}

static void an_index_is_resolved_by_platform(void **state)
{
	const struct layer_text a = put_file_layer("a", 1000, true), b = put_file_layer("b", 1000, true);
	struct image_pull p = {.reference = name, .platform = "linux/arm64"};
	AUTO(buf_clear) struct buf index = BUF_INIT;
	AUTO(image_put) struct image *image = NULL;
	char amd64[DIGEST_SIZE], arm64[DIGEST_SIZE], reference[200];
	size_t amd64_len, arm64_len;

	put_manifest("x/manifests/a", &a, 1, "amd64", amd64, &amd64_len);
	put_manifest("x/manifests/b", &b, 1, "arm64", arm64, &arm64_len);
	buf_fmt(&index, "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.docker.distribution.manifest.list.v2+json\",\"manifests\":["
		"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}},"
		"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}]}",
		arm64, arm64_len, amd64, amd64_len);
	fake_put("x/manifests/1", "application/vnd.docker.distribution.manifest.list.v2+json", index.data, index.len);
	assert_ok(image_pull(store, &p, &image, &err));
	assert_string_equal(image->config.architecture, "arm64");
	image_put(take(image));
	p.platform = "linux/amd64";
	assert_ok(image_pull(store, &p, &image, &err));
	assert_string_equal(image->config.architecture, "amd64");
	p.platform = "linux/s390x";
	assert_refused(image_pull(store, &p, NULL, &err), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "linux/arm64/v8"));
	p.platform = "bad//platform";
	assert_refused(image_pull(store, &p, NULL, &err), ERR_INVALID);

	snprintf(reference, sizeof(reference), "127.0.0.1:%u/x@%s", fake.port, amd64);
	p = (struct image_pull){.reference = reference};
	assert_ok(image_pull(store, &p, NULL, &err));
}

/* ---- proofs ---- */

#define USER_PASSWORD "dXNlcjpwYXNz"	/* user:pass */

static void basic_authentication_lets_the_right_user_in(void **state)
{
	put_usual_image();
	fake.basic = USER_PASSWORD;
	assert_refused(pull(), ERR_FORBIDDEN);
	assert_refused(pull_as("user", "wrong"), ERR_FORBIDDEN);
	assert_nothing_left();
	assert_ok(pull_as("user", "pass"));
}

static void tokens_are_fetched_and_renewed(void **state)
{
	put_usual_image();
	fake.bearer = true;
	fake.token_uses = 3;
	assert_ok(pull());
	assert_string_equal(fake.scope, "repository:x:pull");
	assert_string_equal(fake.token_auth, "");
	assert_true(fake.token_requests >= 2);
	fake.basic = USER_PASSWORD;
	assert_refused(pull_as("user", "wrong"), ERR_FORBIDDEN);
	assert_ok(pull_as("user", "pass"));
	assert_string_equal(fake.token_auth, "Basic " USER_PASSWORD);
}

static void a_login_is_tried(void **state)
{
	const struct registry_settings settings = {0};
	struct registry_auth auth = {.username = "user", .password = "pass"};
	char domain[64];

	snprintf(domain, sizeof(domain), "127.0.0.1:%u", fake.port);
	fake.basic = USER_PASSWORD;
	assert_ok(registry_login(&settings, domain, &auth, NULL, &err));
	auth.password = "wrong";
	assert_refused(registry_login(&settings, domain, &auth, NULL, &err), ERR_UNAUTHORIZED);
	fake.bearer = true;
	assert_refused(registry_login(&settings, domain, &auth, NULL, &err), ERR_UNAUTHORIZED);
	auth.password = "pass";
	assert_ok(registry_login(&settings, domain, &auth, NULL, &err));
}

/* ---- redirects ---- */

static void a_redirect_to_another_host_takes_no_credentials_along(void **state)
{
	put_usual_image();
	fake.basic = USER_PASSWORD;
	fake.redirect = "other";
	assert_ok(pull_as("user", "pass"));
	assert_usual_image();
	assert_int_equal(fake.leaks, 0);
}

static void redirects_elsewhere_are_refused(void **state)
{
	static const char *const bad[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "dict://x/"};

	put_usual_image();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		fake.redirect = bad[i];
		assert_refused(pull(), ERR_INVALID);
		assert_non_null(strstr(err.msg, "redirects"));
		assert_nothing_left();
	}
}

static void a_circle_of_redirects_ends(void **state)
{
	char self[200];

	put_usual_image();
	snprintf(self, sizeof(self), "/v2/x/blobs/%s", fake.objects.v[0].path);
	fake.redirect = self;
	assert_refused(pull(), ERR_INVALID);
	assert_non_null(strstr(err.msg, "redirects"));
}

/* ---- a bad network ---- */

static void broken_downloads_go_on_where_they_broke(void **state)
{
	put_usual_image();
	fake.cut_after = 200000;
	assert_ok(pull());
	assert_usual_image();
	assert_true(fake.range_requests >= 3);
}

static void a_server_without_ranges_works_too(void **state)
{
	const struct layer_text a = put_file_layer("one", 300000, true);

	put_image(&a, 1);
	fake.no_ranges = true;
	fake.cut_after = 200000;
	assert_refused(pull(), ERR_UNAVAILABLE);	/* never gets further, and ends */
	assert_nothing_left();
	assert_int_equal(entries("image/partial") > 0, 1);
	fake.cut_after = 0;
	assert_ok(pull());	/* what is there already is dropped on arrival */
}

static volatile bool stop_flag;

static void *stop_soon(void *arg)
{
	while (fake.blob_requests < 2)	/* configuration and layer */
		usleep(10000);
	usleep(200000);
	stop_flag = true;
	return NULL;
}

static void a_canceled_pull_ends_soon_and_is_resumed_by_the_next(void **state)
{
	const struct layer_text a = put_file_layer("one", 3000000, true);
	const struct image_pull p = {.reference = name, .cancel = &stop_flag};
	pthread_t thread;

	put_image(&a, 1);
	fake.slow_us = 20000;
	stop_flag = false;
	pthread_create(&thread, NULL, stop_soon, NULL);
	assert_refused(image_pull(store, &p, NULL, &err), ERR_CANCELED);
	pthread_join(thread, NULL);
	assert_nothing_left();
	fake.slow_us = 0;
	fake.range_requests = 0;
	assert_ok(pull());
	assert_int_equal(fake.range_requests, 1);
}

static void a_busy_registry_is_asked_again(void **state)
{
	put_usual_image();
	fake.busy = 2;
	assert_ok(pull());
}

static void a_dead_registry_gives_one_clear_line(void **state)
{
	snprintf(name, sizeof(name), "127.0.0.1:1/x:1");
	assert_refused(pull(), ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, "127.0.0.1:1"));
	assert_nothing_left();
}

/* ---- a registry that lies ---- */

static void what_is_not_there_is_said(void **state)
{
	assert_refused(pull(), ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "manifest unknown"));
	assert_nothing_left();
}

static void other_content_than_promised_is_refused(void **state)
{
	const struct layer_text a = put_file_layer("one", 100000, true);

	put_image(&a, 1);
	fake_find(a.digest)->data.data[50000] ^= 1;
	assert_refused(pull(), ERR_INVALID);
	assert_nothing_left();
	assert_int_equal(entries("image/partial"), 0);	/* neither manifest nor configuration */
	fake_find(a.digest)->data.data[50000] ^= 1;
	assert_ok(pull());
}

static void a_wrong_diff_id_is_refused(void **state)
{
	struct layer_text a = put_file_layer("one", 100000, true);

	digest_of("x", 1, a.diff_id);
	put_image(&a, 1);
	assert_refused(pull(), ERR_INVALID);
	assert_non_null(strstr(err.msg, "image configuration says"));
	assert_nothing_left();
}

static void more_than_promised_is_refused(void **state)
{
	const struct layer_text a = put_file_layer("one", 100000, false);

	put_image(&a, 1);
	assert_ok(pull());
	fake.endless = true;
	fake_find("x/manifests/1")->path[12] = '0';
	struct layer_text b = put_file_layer("two", 100000, false);
	put_image(&b, 1);
	assert_refused(pull(), ERR_INVALID);
	assert_int_equal(entries("image/images"), 1);
	assert_int_equal(entries(in_driver("layers")), 1);
}

static void a_truncated_blob_that_is_promised_short_is_refused(void **state)
{
	struct layer_text a = put_file_layer("one", 100000, true);

	a.len -= 10;
	put_image(&a, 1);
	assert_true(pull() < 0);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_nothing_left();
}

static void a_hostile_layer_leaves_nothing(void **state)
{
	AUTO(buf_clear) struct buf tar = BUF_INIT;
	struct layer_text layers[2];

	layers[0] = put_file_layer("good", 1000, true);
	tar_add(&tar, &(struct tar_entry){.name = "fine", .type = '0', .data = "x"});
	tar_add(&tar, &(struct tar_entry){.name = "../../../evil", .type = '0', .data = "x"});
	tar_end(&tar);
	layers[1] = put_layer(&tar, true);
	put_image(layers, 2);
	assert_refused(pull(), ERR_INVALID);
	assert_non_null(strstr(err.msg, "leads out of the root"));
	assert_nothing_left();
}

static void what_is_no_image_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "{\"schemaVersion\":2}", "{\"schemaVersion\":1,\"name\":\"x\"}",
		"{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:0\",\"size\":1}}",
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.cncf.helm.config.v1+json\",\"digest\":"
		"\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":1}}",
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":"
		"\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":-1}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		fake_reset();
		fake_put("x/manifests/1", "application/vnd.oci.image.manifest.v1+json", texts[i], strlen(texts[i]));
		if (pull() >= 0)
			fail_msg("accepted: %s", texts[i]);
		assert_true(err.kind == ERR_INVALID || err.kind == ERR_UNSUPPORTED);
		assert_nothing_left();
	}
}

/* ---- at once ---- */

static void *pull_thread(void *arg)
{
	const struct image_pull p = {.reference = name};
	struct err *e = arg;

	image_pull(store, &p, NULL, e);
	return NULL;
}

static void pulls_of_one_image_at_once_share_its_blobs(void **state)
{
	pthread_t threads[4];
	struct err errs[4] = {0};

	put_usual_image();
	fake.slow_us = 1000;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, pull_thread, &errs[i]);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_string_equal(errs[i].msg, "");
	}
	assert_usual_image();
	assert_int_equal(entries(in_driver("layers")), 3);
	assert_true(fake.blob_requests <= 3 + 4);	/* layers once; configurations are small */
}

/* A killed pull: at the next open nothing is half there, and the next pull goes on. */
static void a_killed_pull_leaves_a_sound_store(void **state)
{
	const struct layer_text layers[] = {put_file_layer("one", 1500000, true), put_file_layer("two", 1500000, true)};

	put_image(layers, 2);
	fake.slow_us = 1000;
	close_store();
	for (int i = 0; i < 8; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			open_store();
			pull();
			_exit(0);
		}
		usleep((useconds_t)(20000 + i * 30000));
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		open_store();
		assert_int_equal(entries(in_driver("tmp")), 0);
		if (entries("image/images") == 0)
			assert_int_equal(entries(in_driver("layers")), 0);
		close_store();
	}
	fake.slow_us = 0;
	open_store();
	assert_ok(pull());
	assert_int_equal(entries("image/images"), 1);
	assert_int_equal(entries(in_driver("layers")), 2);
}

#define PULL(f) cmocka_unit_test_setup_teardown(f, up, down)

static int run(const char *with)
{
	const struct CMUnitTest tests[] = {
		PULL(an_image_comes_whole_and_is_there_after_a_restart),
		PULL(layers_that_are_there_are_not_fetched_again),
		PULL(an_index_is_resolved_by_platform),
		PULL(basic_authentication_lets_the_right_user_in),
		PULL(tokens_are_fetched_and_renewed),
		PULL(a_login_is_tried),
		PULL(a_redirect_to_another_host_takes_no_credentials_along),
		PULL(redirects_elsewhere_are_refused),
		PULL(a_circle_of_redirects_ends),
		PULL(broken_downloads_go_on_where_they_broke),
		PULL(a_server_without_ranges_works_too),
		PULL(a_canceled_pull_ends_soon_and_is_resumed_by_the_next),
		PULL(a_busy_registry_is_asked_again),
		PULL(a_dead_registry_gives_one_clear_line),
		PULL(what_is_not_there_is_said),
		PULL(other_content_than_promised_is_refused),
		PULL(a_wrong_diff_id_is_refused),
		PULL(more_than_promised_is_refused),
		PULL(a_truncated_blob_that_is_promised_short_is_refused),
		PULL(a_hostile_layer_leaves_nothing),
		PULL(what_is_no_image_is_refused),
		PULL(pulls_of_one_image_at_once_share_its_blobs),
		PULL(a_killed_pull_leaves_a_sound_store),
	};
	char title[64];

	driver = with;
	snprintf(title, sizeof(title), "with %s", with);
	return cmocka_run_group_tests_name(title, tests, NULL, NULL);
}

int main(void)
{
	int failed;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
		printf("ok 1 - pull # SKIP owners and mounts need root\n");
		return 0;
	}
	mount("", "/", "", MS_REC | MS_PRIVATE, "");
	signal(SIGPIPE, SIG_IGN);
	fake_start();
	failed = run("overlay") + run("copy");
	fake_stop();
	return failed;
}
