/*
 * t_pack - a tree becomes an archive, and an archive a tree again, which nothing leads out of
 */
#include "unit.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/pack.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/untar.h"

static char top[] = "/tmp/t_pack.XXXXXX";
static int top_fd = -1;

static int collect(void *arg, const void *data, size_t len)
{
	buf_add(arg, data, len);
	return 0;
}

static int refuse(void *arg, const void *data, size_t len)
{
	return -EPIPE;
}

static void put(const char *path, const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(file_write(top_fd, path, text, strlen(text), 0644, &err), 0);
}

static int packed(const char *entry, const char *name, struct buf *ret)
{
	const struct pack_options options = {.name = name, .write = collect, .arg = ret};
	struct err err = ERR_INIT;

	return pack(top_fd, entry, &options, &err);
}

static int unpacked(const struct buf *tar, const struct untar_options *options, struct err *err)
{
	AUTO(untar_free) struct untar *u = untar_new(options);
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	int rc = 0;

	archive_read_support_format_tar(a);
	assert_int_equal(archive_read_open_memory(a, tar->data, tar->len), ARCHIVE_OK);
	while (rc == 0 && archive_read_next_header(a, &entry) == ARCHIVE_OK)
		rc = untar_put(u, a, entry, err);
	archive_read_free(a);
	return rc < 0 ? rc : untar_finish(u, err);
}

static int up(void **state)
{
	strcpy(top, "/tmp/t_pack.XXXXXX");
	if (!mkdtemp(top))
		return -1;
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return top_fd < 0 ? -1 : 0;
}

static int down(void **state)
{
	close(top_fd);
	return path_remove_tree(top, NULL);
}

static void a_tree_comes_back_as_it_was(void **state)
{
	AUTO(buf_clear) struct buf tar = BUF_INIT;
	struct untar_options options = {.bytes_max = 1 << 20, .owner = UNTAR_OWNER_CREATOR};
	struct err err = ERR_INIT;
	struct stat a, b;

	mkdirat(top_fd, "from", 0755);
	mkdirat(top_fd, "from/dir", 01777);
	put("from/dir/file", "text");
	linkat(top_fd, "from/dir/file", top_fd, "from/hard", 0);
	symlinkat("dir/file", top_fd, "from/soft");
	mknodat(top_fd, "from/fifo", S_IFIFO | 0600, 0);
	mknodat(top_fd, "from/socket", S_IFSOCK | 0600, 0);
	assert_int_equal(packed("from", "other", &tar), 0);
	options.rootfd = top_fd;
	assert_int_equal(unpacked(&tar, &options, &err), 0);
	assert_int_equal(fstatat(top_fd, "other/dir/file", &a, 0), 0);
	assert_int_equal(fstatat(top_fd, "other/hard", &b, 0), 0);
	assert_true(a.st_ino == b.st_ino && a.st_size == 4);
	assert_int_equal(fstatat(top_fd, "other/soft", &a, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(a.st_mode));
	assert_int_equal(fstatat(top_fd, "other/fifo", &a, 0), 0);
	assert_true(S_ISFIFO(a.st_mode));
	assert_int_equal(fstatat(top_fd, "other/socket", &a, 0), -1);
}

static void a_hole_is_no_content(void **state)
{
	AUTO(buf_clear) struct buf tar = BUF_INIT;
	struct untar_options options = {.bytes_max = 1LL << 40, .owner = UNTAR_OWNER_CREATOR, .prefix = "to"};
	struct err err = ERR_INIT;
	struct stat st;
	int fd = openat(top_fd, "holes", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(pwrite(fd, "x", 1, 1 << 30), 1);
	assert_int_equal(ftruncate(fd, 3LL << 30), 0);
	close(fd);
	assert_int_equal(packed("holes", "holes", &tar), 0);
	assert_true(tar.len < 1 << 20);
	mkdirat(top_fd, "to", 0755);
	options.rootfd = top_fd;
	assert_int_equal(unpacked(&tar, &options, &err), 0);
	assert_int_equal(fstatat(top_fd, "to/holes", &st, 0), 0);
	assert_int_equal(st.st_size, 3LL << 30);
	assert_true(st.st_blocks * 512 < 1 << 20);
}

static void links_below_the_root_lead_inside(void **state)
{
	AUTO(buf_clear) struct buf tar = BUF_INIT;
	struct untar_options options = {.bytes_max = 1 << 20, .owner = UNTAR_OWNER_CREATOR};
	struct err err = ERR_INIT;
	struct stat st;

	mkdirat(top_fd, "outside", 0755);
	mkdirat(top_fd, "root", 0755);
	mkdirat(top_fd, "from", 0755);
	put("from/file", "text");
	assert_int_equal(packed("from/file", "link/file", &tar), 0);
	symlinkat("../outside", top_fd, "root/link");
	options.rootfd = openat(top_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* "../outside" is root/outside in there, which does not exist: it is made, or refused, but never what is beside the root. */
	(void)unpacked(&tar, &options, &err);
	close(options.rootfd);
	assert_int_equal(fstatat(top_fd, "outside/file", &st, 0), -1);
}

static void kinds_are_kept_on_demand(void **state)
{
	AUTO(buf_clear) struct buf tar = BUF_INIT;
	struct untar_options options = {.bytes_max = 1 << 20, .owner = UNTAR_OWNER_CREATOR, .keep_kinds = true};
	struct err err = ERR_INIT;

	put("file", "text");
	assert_int_equal(packed("file", "dir", &tar), 0);
	mkdirat(top_fd, "dir", 0755);
	options.rootfd = top_fd;
	assert_int_equal(unpacked(&tar, &options, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "cannot overwrite directory"));
	options.keep_kinds = false;
	assert_int_equal(unpacked(&tar, &options, &err), 0);
}

static void more_than_is_allowed_is_refused(void **state)
{
	AUTO(buf_clear) struct buf tar = BUF_INIT;
	struct untar_options options = {.bytes_max = 3, .owner = UNTAR_OWNER_CREATOR};
	struct err err = ERR_INIT;
	struct stat st;

	put("file", "text");
	assert_int_equal(packed("file", "copy", &tar), 0);
	options.rootfd = top_fd;
	assert_true(unpacked(&tar, &options, &err) < 0);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	assert_int_equal(fstatat(top_fd, "copy", &st, 0), -1);
}

static void a_reader_that_leaves_ends_it(void **state)
{
	const struct pack_options options = {.name = "file", .write = refuse};
	struct err err = ERR_INIT;

	put("file", "text");
	assert_int_equal(pack(top_fd, "file", &options, &err), -EPIPE);
}

static void names_of_the_top_are_the_callers(void **state)
{
	static const char *const names[] = {".", "/", "a"}, *const first[] = {"./", "/", "a/"}, *const second[] = {"./f", "/f", "a/f"};

	put("f", "");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(buf_clear) struct buf tar = BUF_INIT;
		struct archive *a = archive_read_new();
		struct archive_entry *entry;

		assert_int_equal(packed(NULL, names[i], &tar), 0);
		archive_read_support_format_tar(a);
		assert_int_equal(archive_read_open_memory(a, tar.data, tar.len), ARCHIVE_OK);
		assert_int_equal(archive_read_next_header(a, &entry), ARCHIVE_OK);
		assert_string_equal(archive_entry_pathname(entry), first[i]);
		assert_int_equal(archive_read_next_header(a, &entry), ARCHIVE_OK);
		assert_string_equal(archive_entry_pathname(entry), second[i]);
		archive_read_free(a);
	}
}

#define PACK(f) cmocka_unit_test_setup_teardown(f, up, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACK(a_tree_comes_back_as_it_was),
		PACK(a_hole_is_no_content),
		PACK(links_below_the_root_lead_inside),
		PACK(kinds_are_kept_on_demand),
		PACK(more_than_is_allowed_is_refused),
		PACK(a_reader_that_leaves_ends_it),
		PACK(names_of_the_top_are_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
