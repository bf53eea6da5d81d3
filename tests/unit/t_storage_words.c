/*
 * t_storage_words - what storage drivers say to device-mapper and aufs, and what they read of their answers; needs neither
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/dm.h"
#include "runtime/storage/aufs.h"
#include "runtime/storage/dm_pool.h"
#include "runtime/storage/dm_snapshot.h"

static struct err err;
static char dir[64];

static int dir_up(void **state)
{
	strcpy(dir, "/tmp/t_storage_words.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int dir_down(void **state)
{
	return path_remove_tree(dir, &err);
}

/* ---- struct dm_ioctl ---- */

static void a_request_without_a_body_is_the_header_alone(void **state)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	const struct dm_ioctl *dm;

	assert_ok(dm_pack(&b, NULL, 0, NULL, NULL, 0, &err));
	dm = (const void *)b.data;
	assert_int_equal(b.len, sizeof(*dm));
	assert_int_equal(dm->data_size, sizeof(*dm));
	assert_int_equal(dm->data_start, sizeof(*dm));
	assert_int_equal(dm->version[0], 4);
	assert_int_equal(dm->version[1], 0);
	assert_int_equal(dm->name[0], 0);
	assert_int_equal(dm->target_count, 0);
	assert_ok(dm_pack(&b, "x", DM_READONLY_FLAG, NULL, NULL, 1000, &err));
	dm = (const void *)b.data;
	assert_int_equal(b.len, sizeof(*dm) + 1000);
	assert_int_equal(dm->data_size, sizeof(*dm) + 1000);
	assert_int_equal(dm->flags, DM_READONLY_FLAG);
	assert_string_equal(dm->name, "x");
}

static void a_name_of_127_bytes_fits_and_one_of_128_is_refused(void **state)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	char name[DM_NAME_LEN + 1];

	memset(name, 'n', sizeof(name));
	name[DM_NAME_LEN - 1] = '\0';
	assert_ok(dm_pack(&b, name, 0, NULL, NULL, 0, &err));
	assert_string_equal(((const struct dm_ioctl *)(const void *)b.data)->name, name);
	assert_int_equal(((const struct dm_ioctl *)(const void *)b.data)->uuid[0], 0);
	name[DM_NAME_LEN - 1] = 'n';
	name[DM_NAME_LEN] = '\0';
	assert_refused(dm_pack(&b, name, 0, NULL, NULL, 0, &err), ERR_INVALID);
	assert_refused(dm_pack(&b, "", 0, NULL, NULL, 0, &err), ERR_INVALID);
}

/* The kernel wants the next line, also the one behind the last, at a multiple of 8. */
static void a_table_line_ends_in_a_nul_and_is_aligned(void **state)
{
	char args[40] = "";

	for (size_t n = 0; n < sizeof(args) - 1; n++) {
		AUTO(buf_clear) struct buf b = BUF_INIT;
		const struct dm_line line = {8, 1ull << 40, "linear", args};
		const struct dm_target_spec *spec;

		assert_ok(dm_pack(&b, "x", 0, &line, NULL, 0, &err));
		spec = (const void *)(b.data + sizeof(struct dm_ioctl));
		assert_int_equal(((const struct dm_ioctl *)(const void *)b.data)->target_count, 1);
		assert_true(spec->sector_start == 8 && spec->length == 1ull << 40);
		assert_string_equal(spec->target_type, "linear");
		assert_string_equal((const char *)(spec + 1), args);
		assert_int_equal(spec->next % 8, 0);
		assert_true(spec->next >= sizeof(*spec) + n + 1 && spec->next < sizeof(*spec) + n + 1 + 8);
		assert_int_equal(b.len, sizeof(struct dm_ioctl) + spec->next);
		args[n] = 'a';
	}
}

static void a_target_name_that_does_not_fit_is_refused(void **state)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	struct dm_line line = {0, 1, "fifteen-letters", ""};

	assert_ok(dm_pack(&b, "x", 0, &line, NULL, 0, &err));
	line.target = "sixteen-letters!";
	assert_refused(dm_pack(&b, "x", 0, &line, NULL, 0, &err), ERR_INVALID);
}

static void a_message_follows_its_sector(void **state)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	const struct dm_target_msg *m;

	assert_ok(dm_pack(&b, "pool", 0, NULL, "create_snap 7 3", 0, &err));
	m = (const void *)(b.data + sizeof(struct dm_ioctl));
	assert_int_equal(m->sector, 0);
	assert_string_equal(m->message, "create_snap 7 3");
	assert_true(b.len >= sizeof(struct dm_ioctl) + sizeof(*m) + 16);
}

/* ---- tables and their status ---- */

static void tables_name_devices_by_number(void **state)
{
	char args[120];

	assert_ok(dm_snapshot_line(args, makedev(7, 0), makedev(7, 1048575)));
	assert_string_equal(args, "7:0 7:1048575 P 32");
	assert_ok(dm_pool_line(args, makedev(7, 1), makedev(253, 12), UINT64_MAX, true));
	assert_string_equal(args, "7:1 253:12 128 18446744073709551615 2 skip_block_zeroing error_if_no_space");
	assert_ok(dm_pool_line(args, makedev(7, 1), makedev(253, 12), 0, false));
	assert_string_equal(args, "7:1 253:12 128 0 1 skip_block_zeroing");
}

/* One chunk of records for each 1024 chunks of 16 KiB, a header, and one to spare. */
static void the_file_for_changes_has_room_for_all_of_them(void **state)
{
	const uint64_t chunk = 16384;

	assert_int_equal(dm_snapshot_cow_size(chunk), 4 * chunk);
	assert_int_equal(dm_snapshot_cow_size(chunk + 1), 5 * chunk);
	assert_int_equal(dm_snapshot_cow_size(1024 * chunk), (1024 + 3) * chunk);
	assert_int_equal(dm_snapshot_cow_size(1025 * chunk), (1025 + 4) * chunk);
	assert_true(dm_snapshot_cow_size(10ull << 30) < (10ull << 30) + (11 << 20));
}

static void a_snapshots_status_is_understood(void **state)
{
	uint64_t bytes = 0;

	assert_true(dm_snapshot_is_invalid("Invalid"));
	assert_true(dm_snapshot_is_invalid("Overflow"));
	assert_false(dm_snapshot_is_invalid("528/20480 16"));
	assert_ok(dm_snapshot_allocated("528/20480 16", &bytes));
	assert_int_equal(bytes, 512 * 512);
	assert_ok(dm_snapshot_allocated("528/20480", &bytes));	/* 2.6.32 */
	assert_int_equal(bytes, 528 * 512);
	assert_int_equal(dm_snapshot_allocated("Invalid", &bytes), -EINVAL);
	assert_int_equal(dm_snapshot_allocated("16/20480 17", &bytes), -EINVAL);
	assert_int_equal(dm_snapshot_allocated("", &bytes), -EINVAL);
	assert_int_equal(bytes, 528 * 512);
}

static void a_pools_status_is_understood(void **state)
{
	struct dm_pool_status st;

	assert_ok(dm_pool_parse("1 167/4096 43/1024 - rw discard_passdown error_if_no_space - 1024", &st));
	assert_int_equal(st.metadata_used, 167);
	assert_int_equal(st.metadata_total, 4096);
	assert_int_equal(st.data_used, 43);
	assert_int_equal(st.data_total, 1024);
	assert_false(st.failed || st.read_only || st.out_of_data || st.needs_check);
	assert_ok(dm_pool_parse("0 11/4096 0/4096 - rw no_discard_passdown queue_if_no_space - ", &st));
	assert_false(st.failed || st.read_only || st.out_of_data || st.needs_check);
	assert_ok(dm_pool_parse("0 11/4096 0/4096 -", &st));	/* the first versions */
	assert_int_equal(st.data_total, 4096);
	assert_ok(dm_pool_parse("0 11/4096 4096/4096 - out_of_data_space no_discard_passdown error_if_no_space - 1024", &st));
	assert_true(st.out_of_data);
	assert_ok(dm_pool_parse("0 11/4096 10/4096 - ro no_discard_passdown error_if_no_space needs_check 1024", &st));
	assert_true(st.read_only && st.needs_check);
	assert_ok(dm_pool_parse("Fail", &st));
	assert_true(st.failed);
	assert_int_equal(dm_pool_parse("", &st), -EINVAL);
	assert_int_equal(dm_pool_parse("0 11/0 0/4096 -", &st), -EINVAL);
	assert_int_equal(dm_pool_parse("nonsense", &st), -EINVAL);
}

static void an_invalid_snapshot_is_made_valid_and_no_other_is_touched(void **state)
{
	static const unsigned char invalid[16] = {0x53, 0x6e, 0x41, 0x70, 0, 0, 0, 0, 1, 0, 0, 0, 32, 0, 0, 0};
	auto_free char *path = path_join(dir, "cow");
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	unsigned char got[16];
	bool healed = true;

	assert_ok(dm_snapshot_heal(fd, &healed, &err));	/* empty */
	assert_false(healed);
	assert_int_equal(ftruncate(fd, 65536), 0);
	assert_ok(dm_snapshot_heal(fd, &healed, &err));	/* new */
	assert_false(healed);
	assert_int_equal(pread(fd, got, 16, 0), 16);
	assert_int_equal(got[0] | got[4], 0);
	assert_int_equal(pwrite(fd, invalid, 16, 0), 16);
	assert_ok(dm_snapshot_heal(fd, &healed, &err));
	assert_true(healed);
	assert_int_equal(pread(fd, got, 16, 0), 16);
	assert_int_equal(got[4], 1);
	assert_memory_equal(got + 8, invalid + 8, 8);
	assert_ok(dm_snapshot_heal(fd, &healed, &err));	/* valid by now */
	assert_false(healed);
}

/* ---- options ---- */

static void options_have_defaults_limits_and_known_names(void **state)
{
	AUTO(strv_clear) struct strv given = {0};
	uint64_t size = 0;
	char *text = NULL;
	const struct storage_option table[] = {{"a.size", "64M", 1 << 20, &size, NULL}, {"a.text", NULL, 0, NULL, &text}};

	assert_ok(storage_options_set(NULL, table, 2, &err));
	assert_int_equal(size, 64 << 20);
	assert_null(text);
	strv_add(&given, "a.size=1025k");
	strv_add(&given, "a.text=x=y");
	assert_ok(storage_options_set(&given, table, 2, &err));
	assert_int_equal(size, 1 << 20);	/* whole pages */
	assert_string_equal(text, "x=y");
	free(text);
	for (const char *const *bad = (const char *const[]){"a.size", "a.size=", "a.size=1", "a.size=many", "a.siz=1G", "=1", "", NULL};
	     *bad; bad++) {
		AUTO(strv_clear) struct strv one = {0};

		strv_add(&one, *bad);
		assert_refused(storage_options_set(&one, table, 2, &err), ERR_INVALID);
	}
	assert_non_null(strstr(err.msg, "known are a.size a.text"));
}

/* ---- aufs ---- */

static void aufs_branches_fit_into_one_mount_where_they_can(void **state)
{
	AUTO(strv_clear) struct strv layers = {0};
	AUTO(strv_clear) struct strv got = {0};

	assert_ok(aufs_options("/u", &layers, &got, &err));
	assert_int_equal(got.n, 1);
	assert_string_equal(got.v[0], "noplink,br:/u=rw");
	strv_clear(&got);
	strv_add(&layers, "/l/2");
	strv_add(&layers, "/l/1");
	assert_ok(aufs_options("/u", &layers, &got, &err));
	assert_int_equal(got.n, 1);
	assert_string_equal(got.v[0], "noplink,br:/u=rw:/l/2=ro+wh:/l/1=ro+wh");
}

static void aufs_branches_beyond_a_page_are_appended_in_their_order(void **state)
{
	AUTO(strv_clear) struct strv layers = {0};
	AUTO(strv_clear) struct strv got = {0};
	AUTO(buf_clear) struct buf all = BUF_INIT;
	size_t at = 0;

	for (int i = 0; i < 500; i++)
		strv_addf(&layers, "/var/lib/pouch/aufs/l/%d", i);
	assert_ok(aufs_options("/var/lib/pouch/aufs/rootfs/one/upper", &layers, &got, &err));
	assert_true(got.n > 2);
	for (size_t i = 0; i < got.n; i++) {
		assert_true(strlen(got.v[i]) <= AUFS_OPTIONS_MAX);
		assert_true(i == 0 || str_starts(got.v[i], "append:"));
		buf_fmt(&all, "%s,", got.v[i]);
	}
	for (int i = 0; i < 500; i++) {
		auto_free char *want = xfmt(":/var/lib/pouch/aufs/l/%d=ro+wh", i);
		const char *found = strstr(all.data + at, want);

		assert_non_null(found);
		at = (size_t)(found - all.data) + 1;
	}
}

static void an_aufs_branch_may_fill_the_page_and_no_more(void **state)
{
	char path[AUFS_OPTIONS_MAX + 1];
	size_t room = AUFS_OPTIONS_MAX - strlen("append:=ro+wh");

	for (int over = 0; over < 2; over++) {
		AUTO(strv_clear) struct strv layers = {0};
		AUTO(strv_clear) struct strv got = {0};

		memset(path, 'x', room + (size_t)over);
		path[room + (size_t)over] = '\0';
		strv_add(&layers, path);
		if (over) {
			assert_refused(aufs_options("/u", &layers, &got, &err), ERR_TOO_LARGE);
		} else {
			assert_ok(aufs_options("/u", &layers, &got, &err));
			assert_int_equal(got.n, 2);
			assert_int_equal(strlen(got.v[1]), AUFS_OPTIONS_MAX);
		}
	}
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	{
		AUTO(strv_clear) struct strv none = {0};

		assert_refused(aufs_options(path, &none, &none, &err), ERR_TOO_LARGE);
	}
}

static void overlay_whiteouts_become_those_of_aufs(void **state)
{
	auto_free char *sub = path_join(dir, "sub"), *white = path_join(dir, "sub/gone"), *null = path_join(dir, "null");
	auto_free char *hides = path_join(dir, "sub/.wh.gone"), *opaque = path_join(dir, "sub/.wh..wh..opq");
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat before, after, st;
	char value;

	if (geteuid() != 0) {
		print_message("making devices needs root\n");
		skip();
	}
	assert_int_equal(mkdir(sub, 0750), 0);
	if (setxattr(sub, "trusted.overlay.opaque", "y", 1, 0) < 0) {
		print_message("no trusted attributes on /tmp: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(mknod(white, S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(mknod(null, S_IFCHR | 0600, makedev(1, 3)), 0);
	assert_int_equal(stat(sub, &before), 0);
	assert_ok(aufs_whiteouts(fd, &err));
	assert_true(lstat(white, &st) < 0);
	assert_int_equal(lstat(hides, &st), 0);
	assert_true(S_ISREG(st.st_mode) && st.st_size == 0);
	assert_int_equal(lstat(opaque, &st), 0);
	assert_true(getxattr(sub, "trusted.overlay.opaque", &value, 1) < 0);
	assert_int_equal(stat(sub, &after), 0);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(lstat(null, &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_without_a_body_is_the_header_alone),
		cmocka_unit_test(a_name_of_127_bytes_fits_and_one_of_128_is_refused),
		cmocka_unit_test(a_table_line_ends_in_a_nul_and_is_aligned),
		cmocka_unit_test(a_target_name_that_does_not_fit_is_refused),
		cmocka_unit_test(a_message_follows_its_sector),
		cmocka_unit_test(tables_name_devices_by_number),
		cmocka_unit_test(the_file_for_changes_has_room_for_all_of_them),
		cmocka_unit_test(a_snapshots_status_is_understood),
		cmocka_unit_test(a_pools_status_is_understood),
		cmocka_unit_test_setup_teardown(an_invalid_snapshot_is_made_valid_and_no_other_is_touched, dir_up, dir_down),
		cmocka_unit_test(options_have_defaults_limits_and_known_names),
		cmocka_unit_test(aufs_branches_fit_into_one_mount_where_they_can),
		cmocka_unit_test(aufs_branches_beyond_a_page_are_appended_in_their_order),
		cmocka_unit_test(an_aufs_branch_may_fill_the_page_and_no_more),
		cmocka_unit_test_setup_teardown(overlay_whiteouts_become_those_of_aufs, dir_up, dir_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
