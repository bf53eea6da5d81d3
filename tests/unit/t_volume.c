/*
 * t_volume - tests of runtime/volume: the store, -v, and copy-up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/volume/volume.h"

struct place {
	char dir[64];
	struct volume_store *store;
};

static int place_make(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	struct err err = ERR_INIT;

	strcpy(p->dir, "/tmp/pouch-t-volume-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	assert_int_equal(volume_store_open(p->dir, &p->store, &err), 0);
	*state = p;
	return 0;
}

static int place_remove(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;

	volume_store_close(p->store);
	assert_int_equal(path_remove_tree(p->dir, &err), 0);
	free(p);
	return 0;
}

static void reopen(struct place *p)
{
	struct err err = ERR_INIT;

	volume_store_close(p->store);
	assert_int_equal(volume_store_open(p->dir, &p->store, &err), 0);
}

static void make(struct place *p, const char *name, struct volume *ret)
{
	struct volume_create create = {.name = name};
	struct err err = ERR_INIT;

	assert_int_equal(volume_create(p->store, &create, ret, &err), 0);
}

static void a_volume_and_its_users_survive_the_daemon(void **state)
{
	struct place *p = *state;
	AUTO(volume_clear) struct volume made = {0};
	AUTO(volume_clear) struct volume found = {0};
	struct err err = ERR_INIT;

	make(p, "data", &made);
	assert_int_equal(volume_ref(p->store, "data", "c1", &err), 0);
	assert_int_equal(volume_ref(p->store, "data", "c1", &err), 0);
	reopen(p);
	assert_int_equal(volume_find(p->store, "data", &found, &err), 0);
	assert_string_equal(found.mountpoint, made.mountpoint);
	assert_int_equal(found.created_ns, made.created_ns);
	assert_int_equal(found.users.n, 1);
	assert_string_equal(found.users.v[0], "c1");
}

static void a_volume_in_use_is_not_removed(void **state)
{
	struct place *p = *state;
	AUTO(volume_clear) struct volume made = {0};
	struct err err = ERR_INIT;

	make(p, "data", &made);
	assert_int_equal(volume_ref(p->store, "data", "c1", &err), 0);
	assert_true(volume_remove(p->store, "data", false, &err) < 0);
	assert_int_equal(err.kind, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "c1"));
	assert_int_equal(access(made.mountpoint, F_OK), 0);
	assert_int_equal(volume_unref(p->store, "data", "c1", &err), 0);
	assert_int_equal(volume_remove(p->store, "data", false, &err), 0);
	assert_int_equal(access(made.mountpoint, F_OK), -1);
	assert_int_equal(volume_remove(p->store, "data", false, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void references_of_lost_containers_are_dropped(void **state)
{
	struct place *p = *state;
	AUTO(volume_clear) struct volume made = {0};
	AUTO(volume_clear) struct volume found = {0};
	AUTO(strv_clear) struct strv live = {0};
	struct err err = ERR_INIT;

	make(p, "data", &made);
	assert_int_equal(volume_ref(p->store, "data", "lost", &err), 0);
	assert_int_equal(volume_ref(p->store, "data", "here", &err), 0);
	strv_add(&live, "here");
	assert_int_equal(volume_gc(p->store, &live, &err), 0);
	assert_int_equal(volume_find(p->store, "data", &found, &err), 0);
	assert_int_equal(found.users.n, 1);
	assert_string_equal(found.users.v[0], "here");
}

static void half_made_and_half_removed_volumes_are_swept(void **state)
{
	struct place *p = *state;
	AUTO(volumes_clear) volume_vec all = {0};
	auto_free char *half = path_join(p->dir, ".new-x");
	auto_free char *gone = path_join(p->dir, ".gone-y");
	struct err err = ERR_INIT;

	assert_int_equal(mkdir(half, 0755), 0);
	assert_int_equal(mkdir(gone, 0755), 0);
	reopen(p);
	assert_int_equal(volume_list(p->store, &all, &err), 0);
	assert_int_equal(all.n, 0);
	assert_int_equal(access(half, F_OK), -1);
	assert_int_equal(access(gone, F_OK), -1);
}

static void bad_names_and_options_are_refused_before_anything_is_made(void **state)
{
	struct place *p = *state;
	static const char *const names[] = {"../x", "a/b", ".hidden", "x\ny", "-x"};
	AUTO(volume_clear) struct volume volume = {0};
	AUTO(volumes_clear) volume_vec all = {0};
	struct err err = ERR_INIT;
	static const struct {
		const char *key, *val;
		enum err_kind kind;
	} options[] = {
		{"size", "10m", ERR_UNSUPPORTED},
		{"colour", "red", ERR_INVALID},
		{"mount", "/no/such/dir", ERR_INVALID},
		{"device", "/dev/x", ERR_INVALID},
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct volume_create create = {.name = names[i]};

		assert_true(volume_create(p->store, &create, &volume, &err) < 0);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		AUTO(strmap_clear) struct strmap map = {0};
		struct volume_create create = {.name = "good", .options = &map};

		strmap_set(&map, options[i].key, options[i].val);
		assert_true(volume_create(p->store, &create, &volume, &err) < 0);
		assert_int_equal(err.kind, options[i].kind);
	}
	assert_int_equal(volume_list(p->store, &all, &err), 0);
	assert_int_equal(all.n, 0);
	reopen(p);
	assert_int_equal(volume_list(p->store, &all, &err), 0);
	assert_int_equal(all.n, 0);
}

static void an_anonymous_volume_gets_an_id(void **state)
{
	struct place *p = *state;
	AUTO(volume_clear) struct volume made = {0};

	make(p, NULL, &made);
	assert_true(made.anonymous);
	assert_int_equal(strlen(made.name), 64);
	assert_int_equal(access(made.mountpoint, F_OK), 0);
}

static void a_bind_volume_is_mounted_for_its_first_user_and_unmounted_for_its_last(void **state)
{
	struct place *p = *state;
	AUTO(volume_clear) struct volume made = {0};
	AUTO(strmap_clear) struct strmap options = {0};
	auto_free char *source = path_join(p->dir, "src");
	auto_free char *file = NULL;
	struct volume_create create = {.name = "bound", .options = &options};
	struct err err = ERR_INIT;

	/* Beside the store: inside, it would be taken for a volume. */
	source[strlen(source) - 4] = '-';
	assert_int_equal(mkdir(source, 0755), 0);
	file = path_join(source, "f");
	assert_int_equal(file_write(AT_FDCWD, file, "x", 1, 0644, &err), 0);
	strmap_set(&options, "type", "none");
	strmap_set(&options, "o", "bind");
	strmap_set(&options, "device", source);
	assert_int_equal(volume_create(p->store, &create, &made, &err), 0);
	free(file);
	file = path_join(made.mountpoint, "f");

	assert_int_equal(volume_ref(p->store, "bound", "c1", &err), 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(volume_ref(p->store, "bound", "c2", &err), 0);
	assert_int_equal(volume_unref(p->store, "bound", "c1", &err), 0);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(volume_unref(p->store, "bound", "c2", &err), 0);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(path_remove_tree(source, &err), 0);
}

static void an_empty_volume_takes_over_the_images_content(void **state)
{
	struct place *p = *state;
	char dir[] = "/tmp/pouch-t-copyup-XXXXXX";
	AUTO(volume_clear) struct volume made = {0};
	auto_free char *www = NULL;
	auto_free char *index = NULL;
	struct err err = ERR_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct stat st;

	assert_non_null(mkdtemp(dir));
	www = path_join(dir, "www");
	assert_int_equal(mkdir(www, 0750), 0);
	assert_int_equal(chown(www, 33, 33), 0);
	index = path_join(www, "index");
	assert_int_equal(file_write(AT_FDCWD, index, "hi", 2, 0644, &err), 0);
	make(p, "web", &made);

	assert_int_equal(volume_copy_up(dir, "/absent", made.mountpoint, &err), 0);
	assert_int_equal(volume_copy_up(dir, "/www", made.mountpoint, &err), 0);
	free(index);
	index = path_join(made.mountpoint, "index");
	assert_int_equal(file_read(AT_FDCWD, index, 100, &text, &err), 0);
	assert_string_equal(buf_cstr(&text), "hi");
	assert_int_equal(stat(made.mountpoint, &st), 0);
	assert_int_equal(st.st_uid, 33);
	assert_int_equal(st.st_mode & 07777, 0750);

	/* What the user has is never overwritten. */
	assert_int_equal(file_write(AT_FDCWD, index, "mine", 4, 0644, &err), 0);
	assert_int_equal(volume_copy_up(dir, "/www", made.mountpoint, &err), 0);
	buf_reset(&text);
	assert_int_equal(file_read(AT_FDCWD, index, 100, &text, &err), 0);
	assert_string_equal(buf_cstr(&text), "mine");
	assert_int_equal(path_remove_tree(dir, &err), 0);
}

static void binds_are_read_as_docker_reads_them(void **state)
{
	static const struct {
		const char *spec, *source, *target;
		bool is_bind, read_only;
	} good[] = {
		{"/data", NULL, "/data", false, false},
		{"/a:/b", "/a", "/b", true, false},
		{"/a/../c:/b/:ro", "/c", "/b", true, true},
		{"vol:/b", "vol", "/b", false, false},
		{"vol:/b:ro,nocopy", "vol", "/b", false, true},
		{"/a:/b:rslave,z", "/a", "/b", true, false},
	};
	static const char *const bad[] = {
		"", ":", "a", "a:", ":/b", "/a:b", "/a:/", "/a:/b:", "/a:/b:xx", "/a:/b:ro,rw",
		"/a:/b:ro:x", "vol:/b:rslave", "/a:/b:nocopy", "v/w:/b", "../x:/b", "/a:/b\n", "/a:/b:ro,,z",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO(volume_bind_clear) struct volume_bind bind = {0};
		struct err err = ERR_INIT;

		assert_int_equal(volume_bind_parse(good[i].spec, &bind, &err), 0);
		assert_true(str_eq(bind.source, good[i].source));
		assert_string_equal(bind.target, good[i].target);
		assert_int_equal(bind.is_bind, good[i].is_bind);
		assert_int_equal(bind.read_only, good[i].read_only);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(volume_bind_clear) struct volume_bind bind = {0};
		struct err err = ERR_INIT;

		if (volume_bind_parse(bad[i], &bind, &err) >= 0)
			fail_msg("'%s' was accepted", bad[i]);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_volume_and_its_users_survive_the_daemon),
		T(a_volume_in_use_is_not_removed),
		T(references_of_lost_containers_are_dropped),
		T(half_made_and_half_removed_volumes_are_swept),
		T(bad_names_and_options_are_refused_before_anything_is_made),
		T(an_anonymous_volume_gets_an_id),
		T(a_bind_volume_is_mounted_for_its_first_user_and_unmounted_for_its_last),
		T(an_empty_volume_takes_over_the_images_content),
		cmocka_unit_test(binds_are_read_as_docker_reads_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
