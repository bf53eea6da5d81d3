/*
 * t_layer - layers become files: everything that an image can hold, and nothing that an enemy wants
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "runtime/image/intake.h"
#include "tests/unit/tar_bytes.h"

static struct err err;
static char top[64];	/* holds root/, where layers go, and victim/, where nothing may go */
static int root = -1;
static struct buf tar;
static const struct image_limits generous = {.entries = 1000, .bytes = 1 << 30, .ratio = 1000};

#define ADD(...) tar_add(&tar, &(struct tar_entry){__VA_ARGS__})

/* ---- words ---- */

static int up(void **state)
{
	int fd;

	strcpy(top, "/tmp/pouch-t_layer-XXXXXX");
	assert_non_null(mkdtemp(top));
	fd = open(top, O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(fd, "root", 0755), 0);
	assert_int_equal(mkdirat(fd, "victim", 0755), 0);
	assert_ok(file_write(fd, "victim/file", "safe", 4, 0600, &err));
	root = openat(fd, "root", O_RDONLY | O_DIRECTORY);
	close(fd);
	buf_reset(&tar);
	return 0;
}

static int down(void **state)
{
	close(root);
	return path_remove_tree(top, NULL);
}

static int unpack_bytes(const struct buf *bytes, bool overlay, const struct image_limits *limits,
			struct intake_result *result)
{
	const struct image_layer_dir dir = {.fd = root, .overlay_whiteouts = overlay};
	struct intake *in = NULL;

	err_clear(&err);
	assert_ok(intake_start(&dir, limits, &in, &err));
	(void)intake_feed(in, bytes->data, bytes->len);	/* finish tells */
	return intake_finish(in, 0, result, &err);
}

/* What was added so far, as a whole layer. */
static int unpack_as(bool overlay)
{
	struct intake_result result;

	tar_end(&tar);
	return unpack_bytes(&tar, overlay, &generous, &result);
}

static int unpack(void)
{
	return unpack_as(true);
}

static struct stat look(const char *name)
{
	struct stat st = {0};

	if (fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: not there", name);
	return st;
}

static bool is_there(const char *name)
{
	struct stat st;

	return fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_content(const char *name, const char *want)
{
	AUTO(buf_clear) struct buf got = BUF_INIT;

	if (file_read(root, name, 1 << 20, &got, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(buf_cstr(&got), want);
}

/* Outside of the root all is as it was. */
static void assert_safe(void)
{
	AUTO(buf_clear) struct buf got = BUF_INIT;
	auto_fd int fd = open(top, O_RDONLY | O_DIRECTORY);
	struct stat st;

	assert_ok(file_read(fd, "victim/file", 100, &got, &err));
	assert_string_equal(buf_cstr(&got), "safe");
	assert_int_equal(fstatat(fd, "victim/file", &st, 0), 0);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fstatat(fd, "victim", &st, 0), 0);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(faccessat(fd, "evil", F_OK, 0), -1);
	assert_int_equal(faccessat(fd, "victim/evil", F_OK, 0), -1);
	assert_int_equal(access("/evil", F_OK), -1);
}

static void gzip_into(struct buf *out, const void *data, size_t len)
{
	static uint8_t level_buf[ISAL_DEF_LVL1_DEFAULT];
	struct isal_zstream z;

	isal_deflate_init(&z);
	z.gzip_flag = IGZIP_GZIP;
	z.level = 1;
	z.level_buf = level_buf;
	z.level_buf_size = sizeof(level_buf);
	z.next_in = (uint8_t *)data;
	z.avail_in = (uint32_t)len;
	z.end_of_stream = 1;
	z.avail_out = (uint32_t)(len + 4096);
	z.next_out = (uint8_t *)buf_room(out, z.avail_out);
	assert_int_equal(isal_deflate(&z), COMP_OK);
	out->len += z.total_out;
}

/* ---- what an image can hold ---- */

static void kinds_of_files_come_out_as_they_are(void **state)
{
	struct stat file, st;

	ADD("./", '5', .mode = 0711, .mtime = 1000);
	ADD("dir/", '5', .mode = 0750, .uid = 12, .gid = 34, .mtime = 2000);
	ADD("dir/file", '0', "content", .mode = 04755, .uid = 5, .gid = 6, .mtime = 3000);
	ADD("dir/link", '2', "/etc/../file", .mtime = 4000);
	ADD("hard", '1', "dir/file");
	ADD("dev", '3', .major = 1, .minor = 3, .mode = 0666);
	ADD("block", '4', .major = 7, .minor = 0);
	ADD("fifo", '6', .mode = 0600);
	ADD("empty", '0');
	ADD("deep/without/parents", '0', "x");
	assert_ok(unpack());

	file = look("dir/file");
	assert_int_equal(file.st_mode, S_IFREG | 04755);
	assert_int_equal(file.st_uid, 5);
	assert_int_equal(file.st_gid, 6);
	assert_int_equal(file.st_mtime, 3000);
	assert_content("dir/file", "content");
	st = look("hard");
	assert_int_equal(st.st_ino, file.st_ino);
	st = look("dir");
	assert_int_equal(st.st_mode, S_IFDIR | 0750);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_mtime, 2000);
	st = look("dir/link");
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(st.st_mtime, 4000);
	st = look("dev");
	assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3) && (st.st_mode & 0777) == 0666);
	st = look("block");
	assert_true(S_ISBLK(st.st_mode) && st.st_rdev == makedev(7, 0));
	st = look("fifo");
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(look("empty").st_size, 0);
	assert_content("deep/without/parents", "x");
	assert_int_equal(look(".").st_mode & 07777, 0711);
}

static void long_and_foreign_names_pass(void **state)
{
	AUTO(buf_clear) struct buf pax = BUF_INIT;
	char name[400];

	memset(name, 'n', sizeof(name));
	for (size_t i = 100; i < sizeof(name); i += 101)
		name[i] = '/';
	name[399] = '\0';
	pax_record(&pax, "path", name, strlen(name));
	tar_pax(&tar, &pax);
	ADD("short", '0', "long");
	ADD("././@LongLink", 'L', .data = name, .len = 250);
	ADD("short", '0', "gnu");
	buf_reset(&pax);
	pax_record(&pax, "path", "\xc3\xa4\xe2\x82\xac", 5);
	tar_pax(&tar, &pax);
	ADD("utf8", '0', "euro");
	ADD("latin\xe4", '0', "raw");
	assert_ok(unpack());
	assert_content(name, "long");
	name[250] = '\0';
	assert_content(name, "gnu");
	assert_content("\xc3\xa4\xe2\x82\xac", "euro");
	assert_content("latin\xe4", "raw");
}

static void attributes_and_capabilities_are_kept(void **state)
{
	static const char cap[20] = {1, 0, 0, 2, 0, 4};	/* cap_net_bind_service, as setcap writes it */
	AUTO(buf_clear) struct buf pax = BUF_INIT;
	auto_fd int fd = -1;
	char got[64];

	pax_record(&pax, "SCHILY.xattr.security.capability", cap, sizeof(cap));
	pax_record(&pax, "SCHILY.xattr.user.note", "hello", 5);
	pax_record(&pax, "SCHILY.xattr.trusted.overlay.redirect", "/victim", 7);
	pax_record(&pax, "mtime", "1234.5", 6);
	tar_pax(&tar, &pax);
	ADD("bin", '0', "x", .mode = 0755, .uid = 1);
	assert_ok(unpack());
	fd = openat(root, "bin", O_RDONLY);
	assert_int_equal(fgetxattr(fd, "security.capability", got, sizeof(got)), 20);
	assert_memory_equal(got, cap, 20);
	assert_int_equal(fgetxattr(fd, "user.note", got, sizeof(got)), 5);
	assert_int_equal(fgetxattr(fd, "trusted.overlay.redirect", got, sizeof(got)), -1);
	assert_int_equal(look("bin").st_mtim.tv_nsec, 500000000);
}

static void sparse_files_keep_their_holes(void **state)
{
	AUTO(buf_clear) struct buf pax = BUF_INIT;
	char data[512 + 4] = "1\n8388608\n4\n";
	struct stat st;

	memcpy(data + 512, "tail", 4);
	pax_record(&pax, "GNU.sparse.major", "1", 1);
	pax_record(&pax, "GNU.sparse.minor", "0", 1);
	pax_record(&pax, "GNU.sparse.name", "sparse", 6);
	pax_record(&pax, "GNU.sparse.realsize", "16777216", 8);
	tar_pax(&tar, &pax);
	ADD("GNUSparseFile.0/sparse", '0', data, sizeof(data));
	assert_ok(unpack());
	st = look("sparse");
	assert_int_equal(st.st_size, 16777216);
	assert_true(st.st_blocks * 512 < 1 << 20);
}

static void later_entries_replace_earlier_ones(void **state)
{
	ADD("a", '0', "old");
	ADD("a", '0', "new");
	ADD("d/file", '0', "x");
	ADD("d", '0', "now a file");
	ADD("f", '0', "x");
	ADD("f/", '5');
	ADD("f/below", '0', "y");
	ADD("l", '2', "a");
	ADD("l", '0', "own");
	assert_ok(unpack());
	assert_content("a", "new");
	assert_content("d", "now a file");
	assert_content("f/below", "y");
	assert_content("l", "own");
}

static void links_inside_the_root_are_followed(void **state)
{
	ADD("usr/lib/", '5');
	ADD("lib", '2', "usr/lib");
	ADD("abs", '2', "/usr/lib");
	ADD("lib/one", '0', "1");
	ADD("abs/two", '0', "2");
	assert_ok(unpack());
	assert_content("usr/lib/one", "1");
	assert_content("usr/lib/two", "2");
}

/* ---- whiteouts ---- */

static bool is_opaque(const char *name)
{
	auto_fd int fd = openat(root, name, O_RDONLY | O_DIRECTORY);
	char value = 0;

	return fd >= 0 && fgetxattr(fd, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static bool is_whiteout_device(const char *name)
{
	struct stat st;

	return fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static void whiteouts_become_overlayfs_own(void **state)
{
	ADD(".wh.gone", '0');
	ADD("dir/.wh.gone", '0');
	ADD("opaque/", '5');
	ADD("opaque/.wh..wh..opq", '0');
	ADD("opaque/new", '0', "x");
	ADD("again/", '5');
	ADD(".wh.again", '0');		/* the lower one is deleted, this layer's is not */
	ADD(".wh.first", '0');
	ADD("first/new", '0', "x");
	ADD(".wh.file", '0');
	ADD("file", '0', "new");
	ADD(".wh..wh.plnk/1", '0', "aufs");
	ADD(".wh..wh.aufs", '0', "aufs");
	assert_ok(unpack());
	assert_true(is_whiteout_device("gone"));
	assert_true(is_whiteout_device("dir/gone"));
	assert_true(is_opaque("opaque"));
	assert_content("opaque/new", "x");
	assert_true(is_opaque("again"));
	assert_true(is_opaque("first"));
	assert_content("first/new", "x");
	assert_content("file", "new");
	assert_false(is_there(".wh..wh.aufs"));
}

static void whiteouts_are_applied_where_layers_are_whole(void **state)
{
	/* What the layer below brought. */
	ADD("gone/below", '0', "old");
	ADD("opaque/old", '0', "old");
	ADD("opaque/sub/old", '0', "old");
	ADD("mixed/old", '0', "old");
	ADD("kept", '0', "old");
	assert_ok(unpack_as(false));

	buf_reset(&tar);
	ADD(".wh.gone", '0');
	ADD("opaque/new", '0', "new");
	ADD("opaque/sub/new", '0', "new");
	ADD("opaque/.wh..wh..opq", '0');	/* after what it must spare */
	ADD("mixed/new", '0', "new");
	ADD(".wh.mixed", '0');
	ADD(".wh.absent", '0');
	assert_ok(unpack_as(false));
	assert_false(is_there("gone"));
	assert_false(is_there("opaque/old"));
	assert_false(is_there("opaque/sub/old"));
	assert_content("opaque/new", "new");
	assert_content("opaque/sub/new", "new");
	assert_false(is_there("mixed/old"));
	assert_content("mixed/new", "new");
	assert_content("kept", "old");
	assert_false(is_there(".wh.gone"));
}

static void whiteouts_that_name_nothing_are_refused(void **state)
{
	static const char *const names[] = {".wh.", ".wh..", ".wh...", "a/.wh..", "a/.wh..."};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (int overlay = 0; overlay < 2; overlay++) {
			buf_reset(&tar);
			ADD("a/file", '0', "x");
			ADD(names[i], '0');
			assert_refused(unpack_as(overlay), ERR_INVALID);
			assert_content("a/file", "x");
			assert_safe();
		}
	}
}

/* ---- hostile ---- */

static void names_cannot_lead_out(void **state)
{
	static const char *const bad[] = {"../evil", "../victim/evil", "a/../../evil", "..", "../../../../../../evil",
					  "a/b/../../../evil", "./../evil"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		buf_reset(&tar);
		ADD(bad[i], '0', "x");
		assert_refused(unpack(), ERR_INVALID);
		assert_safe();
	}
	buf_reset(&tar);
	ADD("/evil", '0', "x");
	ADD("//a//./b/../evil2", '0', "x");
	assert_ok(unpack());
	assert_content("evil", "x");
	assert_content("a/evil2", "x");
	assert_safe();
}

static void links_cannot_be_used_to_get_out(void **state)
{
	for (int overlay = 0; overlay < 2; overlay++) {
		static const char *const targets[] = {"../victim", "/", "..", "../..", "/../victim",
						      "../../../../../../.."};

		for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
			buf_reset(&tar);
			ADD("out", '2', targets[i]);
			ADD("out/evil", '0', "x");
			ADD("out/victim/evil", '0', "x");
			ADD("out/.wh.file", '0');
			ADD("out/.wh..wh..opq", '0');
			(void)unpack_as(overlay);	/* refused, or it landed inside */
			assert_safe();
			assert_ok(path_remove_tree_at(root, "out", &err));
		}
	}
}

static void an_absolute_link_lands_inside(void **state)
{
	char target[100];

	snprintf(target, sizeof(target), "%s/victim", top);
	ADD("out", '2', target);
	ADD("out/evil", '0', "x");
	(void)unpack();
	assert_safe();
}

static void a_link_swapped_under_a_later_entry_does_not_help(void **state)
{
	ADD("d/", '5');
	ADD("d/inside", '0', "x");
	ADD("d", '2', "../victim");	/* the directory was open a moment ago */
	ADD("d/evil", '0', "x");
	ADD("d/file", '0', "overwritten");
	(void)unpack();
	assert_safe();

	buf_reset(&tar);
	ADD("f", '2', "../victim/file");
	ADD("f", '0', "overwritten");	/* the link goes, what it points to stays */
	ADD("g", '2', "../victim/file");
	ADD("g", '3', .major = 1, .minor = 3);
	ADD("h", '2', "../victim");
	ADD("h/", '5', .mode = 0777);	/* not applied through the link */
	assert_ok(unpack());
	assert_safe();
	assert_content("f", "overwritten");
	assert_true(S_ISDIR(look("h").st_mode));
}

static void hard_links_cannot_point_out(void **state)
{
	static const char *const bad[] = {"../victim/file", "/../victim/file", "a/../../victim/file"};
	char absolute[100];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		buf_reset(&tar);
		ADD("evil", '1', bad[i]);
		assert_true(unpack() < 0);
		assert_safe();
	}
	snprintf(absolute, sizeof(absolute), "%s/victim/file", top);
	buf_reset(&tar);
	ADD("evil", '1', absolute);
	assert_true(unpack() < 0);
	assert_safe();

	/* By way of a link. */
	buf_reset(&tar);
	ADD("out", '2', "../victim");
	ADD("evil", '1', "out/file");
	assert_true(unpack() < 0);
	assert_safe();

	buf_reset(&tar);
	ADD("self", '0', "x");
	ADD("self", '1', "self");
	assert_refused(unpack(), ERR_INVALID);
	buf_reset(&tar);
	ADD("dir/", '5');
	ADD("toDir", '1', "dir");
	assert_refused(unpack(), ERR_INVALID);
}

static void devices_replace_and_are_not_written_to(void **state)
{
	ADD("null", '3', .major = 1, .minor = 3);
	ADD("null", '0', "a file");
	ADD("x", '0', "a file");
	ADD("x", '3', .major = 1, .minor = 3);
	ADD("fifo", '6');
	ADD("fifo", '0', "does not wait");
	assert_ok(unpack());
	assert_content("null", "a file");
	assert_true(S_ISCHR(look("x").st_mode));
	assert_content("fifo", "does not wait");
}

static void impossible_numbers_are_refused(void **state)
{
	AUTO(buf_clear) struct buf pax = BUF_INIT;

	ADD("neg", '0', .size_field = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00");
	assert_refused(unpack(), ERR_INVALID);

	buf_reset(&tar);
	pax_record(&pax, "size", "-5", 2);
	tar_pax(&tar, &pax);
	ADD("neg", '0', "x");
	assert_true(unpack() < 0);

	buf_reset(&tar);
	buf_reset(&pax);
	pax_record(&pax, "uid", "4294967295", 10);
	tar_pax(&tar, &pax);
	ADD("owner", '0', "x");
	assert_refused(unpack(), ERR_INVALID);

	buf_reset(&tar);
	ADD("huge", '0', .size_field = "77777777777\0");	/* 8 GiB that do not come */
	assert_true(unpack() < 0);
}

static void ceilings_hold(void **state)
{
	const struct image_limits few = {.entries = 3, .bytes = 1 << 30, .ratio = 1000};
	const struct image_limits small = {.entries = 100, .bytes = 10, .ratio = 1000};
	struct intake_result result;

	ADD("1", '0', "1234");
	ADD("2", '0', "1234");
	ADD("3", '0', "12");
	tar_end(&tar);
	assert_ok(unpack_bytes(&tar, true, &few, &result));
	assert_int_equal(result.size, 10);
	assert_ok(unpack_bytes(&tar, true, &small, &result));
	tar.len -= 1024;
	ADD("4", '0', "x");
	tar_end(&tar);
	assert_refused(unpack_bytes(&tar, true, &few, &result), ERR_TOO_LARGE);
	assert_refused(unpack_bytes(&tar, true, &small, &result), ERR_TOO_LARGE);
}

static void a_decompression_bomb_is_defused(void **state)
{
	const struct image_limits limits = {.entries = 10, .bytes = 1ull << 40, .ratio = 100};
	AUTO(buf_clear) struct buf packed = BUF_INIT;
	size_t len = 200 << 20;
	auto_free char *zeros = calloc(1, len);
	struct intake_result result;

	ADD("bomb", '0', zeros, len);
	gzip_into(&packed, tar.data, tar.len);
	assert_true(packed.len < len / 100);
	assert_refused(unpack_bytes(&packed, true, &limits, &result), ERR_TOO_LARGE);
	assert_non_null(strstr(err.msg, "bomb"));
	buf_clear(&tar);
}

static void deep_directories_end_somewhere(void **state)
{
	AUTO(buf_clear) struct buf pax = BUF_INIT;
	AUTO(buf_clear) struct buf name = BUF_INIT;

	for (int i = 0; i < 3000; i++)
		buf_str(&name, "d/");
	buf_str(&name, "f");
	pax_record(&pax, "path", name.data, name.len);
	tar_pax(&tar, &pax);
	ADD("x", '0', "x");
	assert_true(unpack() < 0);
}

/* ---- damaged, and packed in odd ways ---- */

static void damaged_streams_are_refused(void **state)
{
	AUTO(buf_clear) struct buf packed = BUF_INIT;
	struct intake_result result;
	size_t whole;

	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%d", i);
		ADD(name, '0', "some content that is packed");
	}
	tar_end(&tar);
	gzip_into(&packed, tar.data, tar.len);
	assert_ok(unpack_bytes(&packed, true, &generous, &result));
	whole = packed.len;
	packed.len = whole - 5;
	assert_refused(unpack_bytes(&packed, true, &generous, &result), ERR_INVALID);
	assert_non_null(strstr(err.msg, "cut short"));
	packed.len = whole;
	packed.data[whole - 6] ^= 1;	/* in the checksum */
	assert_refused(unpack_bytes(&packed, true, &generous, &result), ERR_INVALID);
	assert_non_null(strstr(err.msg, "checksum"));
	packed.data[whole - 6] ^= 1;
	packed.data[whole / 2] ^= 0x55;
	assert_true(unpack_bytes(&packed, true, &generous, &result) < 0);

	tar.data[148] ^= 1;		/* a header's checksum */
	assert_refused(unpack_bytes(&tar, true, &generous, &result), ERR_INVALID);
	buf_reset(&tar);
	buf_str(&tar, "this is not an archive at all, is it? it is text that goes on and on");
	assert_refused(unpack_bytes(&tar, true, &generous, &result), ERR_INVALID);
}

static void a_cut_archive_is_refused(void **state)
{
	struct intake_result result;
	char content[5000];

	memset(content, 'c', sizeof(content));
	ADD("file", '0', content, sizeof(content));
	tar.len = 512 + 1000;
	assert_refused(unpack_bytes(&tar, true, &generous, &result), ERR_INVALID);
}

static void gzip_members_and_padding_are_one_stream(void **state)
{
	AUTO(buf_clear) struct buf packed = BUF_INIT;
	struct intake_result one, two;
	char zeros[100] = {0};

	ADD("file", '0', "content");
	tar_end(&tar);
	assert_ok(unpack_bytes(&tar, true, &generous, &one));
	gzip_into(&packed, tar.data, 300);
	gzip_into(&packed, tar.data + 300, tar.len - 300);
	buf_add(&packed, zeros, sizeof(zeros));
	assert_ok(unpack_bytes(&packed, true, &generous, &two));
	assert_string_equal(one.diff_id, two.diff_id);
	buf_str(&packed, "garbage");
	assert_refused(unpack_bytes(&packed, true, &generous, &two), ERR_INVALID);
}

static void the_diff_id_covers_what_follows_the_archive(void **state)
{
	struct intake_result result;
	char want[DIGEST_SIZE];
	char zeros[9000] = {0};

	ADD("file", '0', "content");
	tar_end(&tar);
	buf_add(&tar, zeros, sizeof(zeros));
	buf_str(&tar, "trailer");
	digest_of(tar.data, tar.len, want);
	assert_ok(unpack_bytes(&tar, true, &generous, &result));
	assert_string_equal(result.diff_id, want);
	assert_int_equal(result.tar_bytes, tar.len);
}

static void an_empty_layer_is_a_layer(void **state)
{
	struct intake_result result;

	tar_end(&tar);
	assert_ok(unpack_bytes(&tar, true, &generous, &result));
	assert_int_equal(result.size, 0);
}

#define LAYER(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAYER(kinds_of_files_come_out_as_they_are),
		LAYER(long_and_foreign_names_pass),
		LAYER(attributes_and_capabilities_are_kept),
		LAYER(sparse_files_keep_their_holes),
		LAYER(later_entries_replace_earlier_ones),
		LAYER(links_inside_the_root_are_followed),
		LAYER(whiteouts_become_overlayfs_own),
		LAYER(whiteouts_are_applied_where_layers_are_whole),
		LAYER(whiteouts_that_name_nothing_are_refused),
		LAYER(names_cannot_lead_out),
		LAYER(links_cannot_be_used_to_get_out),
		LAYER(an_absolute_link_lands_inside),
		LAYER(a_link_swapped_under_a_later_entry_does_not_help),
		LAYER(hard_links_cannot_point_out),
		LAYER(devices_replace_and_are_not_written_to),
		LAYER(impossible_numbers_are_refused),
		LAYER(ceilings_hold),
		LAYER(a_decompression_bomb_is_defused),
		LAYER(deep_directories_end_somewhere),
		LAYER(damaged_streams_are_refused),
		LAYER(a_cut_archive_is_refused),
		LAYER(gzip_members_and_padding_are_one_stream),
		LAYER(the_diff_id_covers_what_follows_the_archive),
		LAYER(an_empty_layer_is_a_layer),
	};
	int failed;

	if (geteuid() != 0) {
		printf("ok 1 - layers # SKIP owners and devices need root\n");
		return 0;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_clear(&tar);
	return failed;
}
