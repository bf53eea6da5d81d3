/*
 * t_image - the image store: archives in and out, names, removal by docker's rules, what survives
 */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "tests/unit/image_home.h"
#include "tests/unit/tar_bytes.h"

static struct err err;
static char home[64];
static struct storage *storage;
static struct image_store *store;

/* ---- words ---- */

static void open_with(const char *driver)
{
	struct image_store_options o = {.home = home};

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
	strcpy(home, "/tmp/pouch-t_image-XXXXXX");
	assert_non_null(mkdtemp(home));
	open_with("overlay");
	return 0;
}

static int down(void **state)
{
	if (store)
		close_store();
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

static void assert_nothing_left(void)
{
	assert_int_equal(entries("image/images"), 0);
	assert_int_equal(entries("image/blobs/sha256"), 0);
	assert_int_equal(entries("overlay/layers"), 0);
	assert_int_equal(entries("overlay/tmp"), 0);
}

static int temp_file(const void *data, size_t len)
{
	char path[] = "/tmp/pouch-t_image-file-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(fd_write_all(fd, data, len), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static int load_bytes(const struct buf *bytes, const char *name)
{
	auto_fd int fd = temp_file(buf_cstr(bytes), bytes->len);
	const struct image_load l = {.fd = fd, .name = name};

	err_clear(&err);
	return image_load(store, &l, NULL, &err);
}

/* ---- archives ---- */

struct made {
	struct buf layer;
	char digest[DIGEST_SIZE];
};

static struct made make_layer(const char *file, const char *content)
{
	struct made m = {0};

	tar_add(&m.layer, &(struct tar_entry){.name = file, .type = '0', .data = content});
	tar_end(&m.layer);
	digest_of(m.layer.data, m.layer.len, m.digest);
	return m;
}

/* An archive as docker saves it: layers first, manifest.json last. @tags: JSON strings with commas between. */
static void docker_archive(struct buf *out, const char *tags, const char *cmd, const char *const *contents, size_t n)
{
	AUTO(buf_clear) struct buf config = BUF_INIT, manifest = BUF_INIT, ids = BUF_INIT, paths = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		struct made m = make_layer(contents[i], contents[i]);
		auto_free char *path = xfmt("%s/layer.tar", contents[i]);

		tar_add(out, &(struct tar_entry){.name = path, .type = '0', .data = m.layer.data, .len = m.layer.len});
		buf_fmt(&ids, "%s\"%s\"", i ? "," : "", m.digest);
		buf_fmt(&paths, "%s\"%s\"", i ? "," : "", path);
		buf_clear(&m.layer);
	}
	buf_fmt(&config, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"%s\"]},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}",
		cmd, buf_cstr(&ids));
	tar_add(out, &(struct tar_entry){.name = "config.json", .type = '0', .data = config.data, .len = config.len});
	buf_fmt(&manifest, "[{\"Config\":\"config.json\",\"RepoTags\":[%s],\"Layers\":[%s]}]", tags, buf_cstr(&paths));
	tar_add(out, &(struct tar_entry){.name = "manifest.json", .type = '0', .data = manifest.data, .len = manifest.len});
	tar_end(out);
}

static const char *const two_layers[] = {"one", "two"};

static void load_image(const char *tags, const char *cmd)
{
	AUTO(buf_clear) struct buf bytes = BUF_INIT;

	docker_archive(&bytes, tags, cmd, two_layers, 2);
	assert_ok(load_bytes(&bytes, NULL));
}

static void assert_image_works(const char *name)
{
	AUTO(image_put) struct image *image = NULL;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = NULL;
	auto_free char *file = NULL;

	assert_ok(image_find(store, name, &image, &err));
	assert_ok(storage_rootfs_create(storage, "works", image_top(image), &err));
	assert_ok(storage_rootfs_mount(storage, "works", NULL, &path, &err));
	file = path_join(path, "one");
	assert_ok(file_read(AT_FDCWD, file, 100, &text, &err));
	assert_string_equal(buf_cstr(&text), "one");
	assert_ok(storage_rootfs_remove(storage, "works", &err));
}

static void an_archive_comes_in_and_goes_out_the_same(void **state)
{
	AUTO(image_put) struct image *before = NULL, *after = NULL;
	AUTO(strv_clear) struct strv names = {0};
	AUTO(buf_clear) struct buf saved = BUF_INIT;
	auto_fd int fd = temp_file("", 0);

	load_image("\"app:1\",\"quay.io/team/app:2\"", "/x");
	assert_image_works("app:1");
	assert_ok(image_find(store, "quay.io/team/app:2", &before, &err));
	assert_int_equal(before->repo_tags.n, 2);
	assert_string_equal(before->config.config.cmd.v[0], "/x");
	assert_int_equal(before->size, 6);
	strv_add(&names, "app:1");
	strv_add(&names, "quay.io/team/app:2");
	assert_ok(image_save(store, &names, fd, NULL, &err));
	close_store();
	assert_ok(path_remove_tree(home, &err));
	assert_int_equal(mkdir(home, 0700), 0);
	open_with("overlay");
	lseek(fd, 0, SEEK_SET);
	assert_ok(buf_read_fd(&saved, fd, 1 << 20, "archive", &err));
	assert_ok(load_bytes(&saved, NULL));
	assert_ok(image_find(store, "app:1", &after, &err));
	assert_string_equal(before->id, after->id);
	assert_int_equal(after->repo_tags.n, 2);
	assert_string_equal(image_top(before), image_top(after));
}

static void an_archive_may_come_through_a_pipe(void **state)
{
	AUTO(buf_clear) struct buf bytes = BUF_INIT;
	int fds[2];
	struct image_load l;

	docker_archive(&bytes, "", "/x", two_layers, 2);
	assert_int_equal(pipe(fds), 0);
	fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	assert_int_equal(fd_write_all(fds[1], bytes.data, bytes.len), 0);
	close(fds[1]);
	l = (struct image_load){.fd = fds[0], .name = "named"};
	assert_ok(image_load(store, &l, NULL, &err));
	close(fds[0]);
	assert_image_works("named:latest");
}

static int64_t bytes_in(const char *dir)
{
	auto_free char *path = path_join(home, dir);
	auto_closedir DIR *d = opendir(path);
	int64_t sum = 0;
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
			sum += st.st_size;
	}
	return sum;
}

/* Zeros pack far beyond what a stranger's stream may: our own blobs are exempt from that ceiling. */
static void what_came_plain_lies_packed_and_goes_out_the_same(void **state)
{
	const size_t len = 80u << 20;
	AUTO(buf_clear) struct buf bytes = BUF_INIT, layer = BUF_INIT, config = BUF_INIT;
	AUTO(strv_clear) struct strv names = {0};
	auto_free char *zeros = xcalloc(1, len);
	auto_fd int fd = temp_file("", 0);
	char digest[DIGEST_SIZE];
	struct image_load l = {.fd = fd};

	tar_add(&layer, &(struct tar_entry){.name = "zeros", .type = '0', .data = zeros, .len = len});
	tar_add(&layer, &(struct tar_entry){.name = "one", .type = '0', .data = "one"});
	tar_end(&layer);
	digest_of(layer.data, layer.len, digest);
	buf_fmt(&config, "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}", digest);
	tar_add(&bytes, &(struct tar_entry){.name = "l.tar", .type = '0', .data = layer.data, .len = layer.len});
	tar_add(&bytes, &(struct tar_entry){.name = "config.json", .type = '0', .data = config.data, .len = config.len});
	tar_add(&bytes, &(struct tar_entry){.name = "manifest.json", .type = '0',
		.data = "[{\"Config\":\"config.json\",\"RepoTags\":[\"app:1\"],\"Layers\":[\"l.tar\"]}]"});
	tar_end(&bytes);
	assert_ok(load_bytes(&bytes, NULL));
	assert_true(bytes_in("image/blobs/sha256") < 1 << 20);
	strv_add(&names, "app:1");
	assert_ok(image_save(store, &names, fd, NULL, &err));
	close_store();
	open_with("copy");	/* unpacked again, from the blob */
	assert_image_works("app:1");
	close_store();
	assert_ok(path_remove_tree(home, &err));
	assert_int_equal(mkdir(home, 0700), 0);
	open_with("copy");	/* the layers depend on each other: from the blob from the start */
	lseek(fd, 0, SEEK_SET);
	assert_ok(image_load(store, &l, NULL, &err));
	assert_image_works("app:1");
	assert_true(bytes_in("image/blobs/sha256") < 1 << 20);
}

static void bad_archives_are_refused_and_leave_nothing(void **state)
{
	AUTO(buf_clear) struct buf bytes = BUF_INIT;
	struct made m = make_layer("one", "one");
	static const char *const manifests[] = {
		"[]", "{}", "[{}]", "[{\"Config\":\"missing\",\"Layers\":[]}]",
		"[{\"Config\":\"config.json\",\"RepoTags\":[\"BAD\"],\"Layers\":[\"l.tar\"]}]",
		"[{\"Config\":\"config.json\",\"Layers\":[\"missing.tar\"]}]",
		"[{\"Config\":\"config.json\",\"Layers\":[\"l.tar\",\"l.tar\"]}]",
		"[{\"Config\":\"config.json\",\"Layers\":[]}]",
	};

	buf_str(&bytes, "no archive");
	assert_refused(load_bytes(&bytes, NULL), ERR_INVALID);
	buf_reset(&bytes);
	assert_refused(load_bytes(&bytes, NULL), ERR_INVALID);
	for (size_t i = 0; i <= ARRAY_SIZE(manifests); i++) {
		auto_free char *config = xfmt("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"%s\"]}}", m.digest);

		buf_reset(&bytes);
		tar_add(&bytes, &(struct tar_entry){.name = "l.tar", .type = '0', .data = m.layer.data, .len = m.layer.len});
		tar_add(&bytes, &(struct tar_entry){.name = "config.json", .type = '0', .data = config});
		if (i < ARRAY_SIZE(manifests))
			tar_add(&bytes, &(struct tar_entry){.name = "manifest.json", .type = '0', .data = manifests[i]});
		tar_end(&bytes);
		if (load_bytes(&bytes, NULL) >= 0)
			fail_msg("manifest %zu was accepted", i);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_nothing_left();
		assert_int_equal(entries("image/partial"), 0);
	}
	/* Cut anywhere. */
	buf_reset(&bytes);
	docker_archive(&bytes, "\"app:1\"", "/x", two_layers, 2);
	for (size_t cut = 700; cut < bytes.len - 1100; cut += 1000) {
		struct buf part = {.data = bytes.data, .len = cut};

		if (load_bytes(&part, NULL) >= 0)
			fail_msg("cut at %zu: accepted", cut);
		assert_nothing_left();
	}
	buf_clear(&m.layer);
}

static void a_wrong_layer_in_an_archive_is_refused(void **state)
{
	AUTO(buf_clear) struct buf bytes = BUF_INIT;

	docker_archive(&bytes, "\"app:1\"", "/x", two_layers, 2);
	/* The second file's content, which stands alone in its block. */
	for (size_t i = 0; i + 512 <= bytes.len; i += 512) {
		if (memcmp(bytes.data + i, "two\0\0", 5) == 0 && memcmp(bytes.data + i + 257, "ustar", 5) != 0)
			bytes.data[i] = 'T';
	}
	assert_refused(load_bytes(&bytes, NULL), ERR_INVALID);
	assert_non_null(strstr(err.msg, "configuration says"));
	assert_nothing_left();
}

/* ---- finding and naming ---- */

static void images_are_found_by_name_id_and_start_of_id(void **state)
{
	AUTO(image_put) struct image *a = NULL;
	static const size_t lengths[] = {12, 5, 64};

	load_image("\"app:latest\"", "/x");
	assert_ok(image_find(store, "app", &a, &err));
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		AUTO(image_put) struct image *b = NULL;
		auto_free char *part = xstrndup(digest_hex(a->id), lengths[i]);

		assert_ok(image_find(store, part, &b, &err));
		assert_string_equal(a->id, b->id);
	}
	image_put(take(a));
	assert_refused(image_find(store, "nosuch", &a, &err), ERR_NOT_FOUND);
	assert_refused(image_find(store, "app:2", &a, &err), ERR_NOT_FOUND);
	assert_refused(image_find(store, "", &a, &err), ERR_INVALID);
	assert_refused(image_find(store, "a\x1b[1m", &a, &err), ERR_INVALID);
}

static void names_move_and_survive(void **state)
{
	AUTO(image_put) struct image *first = NULL, *second = NULL;

	load_image("\"app:1\"", "/first");
	load_image("\"app:2\"", "/second");
	assert_ok(image_tag(store, "app:1", "other", &err));
	assert_ok(image_tag(store, "app:2", "other", &err));
	assert_ok(image_tag(store, "app:2", "other", &err));
	assert_refused(image_tag(store, "app:1", "BAD", &err), ERR_INVALID);
	assert_refused(image_tag(store, "nosuch", "x", &err), ERR_NOT_FOUND);
	close_store();
	open_with("overlay");
	assert_ok(image_find(store, "other:latest", &second, &err));
	assert_string_equal(second->config.config.cmd.v[0], "/second");
	assert_int_equal(second->repo_tags.n, 2);
	assert_ok(image_find(store, "app:1", &first, &err));
	assert_int_equal(first->repo_tags.n, 1);
}

/* ---- removal ---- */

static enum image_use use;

static enum image_use used(void *arg, const char *image_id, char **ret_container)
{
	*ret_container = xstrdup("0123456789abcdef");
	return use;
}

static int rmi(const char *name, bool force, unsigned int *ret_untagged, unsigned int *ret_deleted)
{
	const struct image_removal r = {.name = name, .force = force, .in_use = used};
	AUTO(image_removed_list_clear) struct image_removed_list list = {0};
	int rc;

	err_clear(&err);
	rc = image_remove(store, &r, &list, &err);
	*ret_untagged = *ret_deleted = 0;
	VEC_EACH(l, &list) {
		*ret_untagged += !l->deleted;
		*ret_deleted += l->deleted;
	}
	return rc;
}

static void the_last_name_takes_the_image_along(void **state)
{
	unsigned int untagged, deleted;

	use = IMAGE_UNUSED;
	load_image("\"app:1\",\"app:2\"", "/x");
	assert_ok(rmi("app:1", false, &untagged, &deleted));
	assert_int_equal(untagged, 1);
	assert_int_equal(deleted, 0);
	assert_image_works("app:2");
	assert_ok(rmi("app:2", false, &untagged, &deleted));
	assert_int_equal(untagged, 1);
	assert_int_equal(deleted, 3);	/* the image and two layers */
	assert_nothing_left();
	assert_refused(rmi("app:2", false, &untagged, &deleted), ERR_NOT_FOUND);
}

static void an_id_with_names_in_several_repositories_needs_force(void **state)
{
	AUTO(image_put) struct image *image = NULL;
	unsigned int untagged, deleted;

	use = IMAGE_UNUSED;
	load_image("\"app:1\",\"app:2\",\"other:1\"", "/x");
	assert_ok(image_find(store, "app:1", &image, &err));
	assert_refused(rmi(image->id, false, &untagged, &deleted), ERR_CONFLICT);
	assert_ok(rmi(image->id, true, &untagged, &deleted));
	assert_int_equal(untagged, 3);
	assert_nothing_left();
}

static void what_is_used_stays(void **state)
{
	AUTO(image_put) struct image *image = NULL;
	auto_free char *path = NULL;
	unsigned int untagged, deleted;

	load_image("\"app:1\",\"app:2\"", "/x");
	assert_ok(image_find(store, "app:1", &image, &err));
	use = IMAGE_USED_BY_RUNNING;
	assert_ok(rmi("app:2", false, &untagged, &deleted));	/* only a name */
	assert_refused(rmi("app:1", false, &untagged, &deleted), ERR_CONFLICT);
	assert_refused(rmi("app:1", true, &untagged, &deleted), ERR_CONFLICT);
	assert_refused(rmi(image->id, true, &untagged, &deleted), ERR_CONFLICT);
	use = IMAGE_USED_BY_STOPPED;
	assert_refused(rmi("app:1", false, &untagged, &deleted), ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "0123456789ab"));
	assert_image_works("app:1");

	/* Forced: the container keeps its layers until it goes. */
	assert_ok(storage_rootfs_create(storage, "kept", image_top(image), &err));
	assert_ok(rmi("app:1", true, &untagged, &deleted));
	assert_int_equal(entries("image/images"), 0);
	assert_int_equal(entries("overlay/layers"), 2);
	assert_ok(storage_rootfs_mount(storage, "kept", NULL, &path, &err));
	close_store();
	open_with("overlay");
	assert_int_equal(entries("overlay/layers"), 2);
	assert_ok(storage_rootfs_remove(storage, "kept", &err));
	assert_nothing_left();
}

static void layers_that_others_have_stay(void **state)
{
	unsigned int untagged, deleted;

	use = IMAGE_UNUSED;
	load_image("\"app:1\"", "/first");
	load_image("\"app:2\"", "/second");
	assert_int_equal(entries("overlay/layers"), 2);
	assert_ok(rmi("app:1", false, &untagged, &deleted));
	assert_int_equal(deleted, 1);
	assert_image_works("app:2");
	assert_ok(rmi("app:2", false, &untagged, &deleted));
	assert_nothing_left();
}

/* ---- what survives ---- */

static void another_driver_gets_the_layers_from_the_blobs(void **state)
{
	load_image("\"app:1\"", "/x");
	close_store();
	open_with("copy");
	assert_int_equal(entries("copy/layers"), 2);
	assert_image_works("app:1");
	close_store();
	open_with("overlay");
	assert_image_works("app:1");
}

static void change_boot(const char *file)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = path_join(home, file);
	char *boot;

	assert_ok(file_read(AT_FDCWD, path, 1 << 20, &text, &err));
	boot = strstr(text.data, "\"boot\":\"");
	assert_non_null(boot);
	boot[8] = boot[8] == 'x' ? 'y' : 'x';
	assert_ok(file_write(AT_FDCWD, path, text.data, text.len, 0600, &err));
}

/* As if the host had lost its power before the sync. */
static void change_to_unsynced(const char *record)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = path_join(home, record);
	char *synced;

	change_boot(record);
	assert_ok(file_read(AT_FDCWD, path, 1 << 20, &text, &err));
	synced = strstr(text.data, "\"synced\":true");
	if (synced)
		memcpy(synced, "\"synced\":null", 13);
	assert_ok(file_write(AT_FDCWD, path, text.data, text.len, 0600, &err));
}

static char *the_only(const char *dir, const char *skip)
{
	auto_free char *path = path_join(home, dir);
	auto_closedir DIR *d = opendir(path);
	struct dirent *e;

	while ((e = readdir(d))) {
		if (e->d_name[0] != '.' && !(skip && strstr(e->d_name, skip)))
			return xfmt("%s/%s", dir, e->d_name);
	}
	return NULL;
}

static void after_a_power_loss_damage_is_seen_and_dropped(void **state)
{
	AUTO(image_put) struct image *image = NULL;
	auto_free char *record = NULL;
	auto_free char *blob = NULL;
	auto_free char *path = NULL;

	load_image("\"app:1\"", "/x");
	assert_ok(image_find(store, "app:1", &image, &err));
	close_store();

	/* Not known to be on the disk, but sound: kept. */
	record = the_only("image/images", NULL);
	change_to_unsynced(record);
	open_with("overlay");
	assert_image_works("app:1");
	close_store();

	/* A blob that lost its content, or the end of it: the image is gone, with all that was its own. */
	for (off_t left = 0; left <= 40; left += 40) {
		blob = the_only("image/blobs/sha256", digest_hex(image->id));
		free(take(path));
		path = path_join(home, blob);
		assert_true(bytes_in("image/blobs/sha256") > 80);
		assert_int_equal(truncate(path, left), 0);
		free(take(blob));
		change_to_unsynced(record);
		open_with("overlay");
		image_put(take(image));
		assert_refused(image_find(store, "app:1", &image, &err), ERR_NOT_FOUND);
		assert_nothing_left();
		load_image("\"app:1\"", "/x");
		assert_image_works("app:1");
		assert_ok(image_find(store, "app:1", &image, &err));
		close_store();
	}
	open_with("overlay");
}

static void a_store_has_one_user(void **state)
{
	struct image_store_options o = {.home = home};
	struct image_layers layers = {.has = home_has};
	struct image_store *other = NULL;

	o.layers = &layers;
	assert_refused(image_store_open(&o, &other, &err), ERR_CONFLICT);
}

static void saving_what_is_not_there_writes_nothing(void **state)
{
	AUTO(strv_clear) struct strv names = {0};
	auto_fd int fd = temp_file("", 0);

	load_image("\"app:1\"", "/x");
	strv_add(&names, "app:1");
	strv_add(&names, "nosuch");
	assert_refused(image_save(store, &names, fd, NULL, &err), ERR_NOT_FOUND);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0);
	strv_clear(&names);
	assert_refused(image_save(store, &names, fd, NULL, &err), ERR_INVALID);
}

#define IMAGE(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IMAGE(an_archive_comes_in_and_goes_out_the_same),
		IMAGE(an_archive_may_come_through_a_pipe),
		IMAGE(what_came_plain_lies_packed_and_goes_out_the_same),
		IMAGE(bad_archives_are_refused_and_leave_nothing),
		IMAGE(a_wrong_layer_in_an_archive_is_refused),
		IMAGE(images_are_found_by_name_id_and_start_of_id),
		IMAGE(names_move_and_survive),
		IMAGE(the_last_name_takes_the_image_along),
		IMAGE(an_id_with_names_in_several_repositories_needs_force),
		IMAGE(what_is_used_stays),
		IMAGE(layers_that_others_have_stay),
		IMAGE(another_driver_gets_the_layers_from_the_blobs),
		IMAGE(after_a_power_loss_damage_is_seen_and_dropped),
		IMAGE(a_store_has_one_user),
		IMAGE(saving_what_is_not_there_writes_nothing),
	};

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0) {
		printf("ok 1 - images # SKIP owners and mounts need root\n");
		return 0;
	}
	mount("", "/", "", MS_REC | MS_PRIVATE, "");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
