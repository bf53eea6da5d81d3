/*
 * t_tree - tests of compat/base/tree: copies that keep everything and follow nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"

struct place {
	char dir[64];
	int src, dst;
};

static int place_make(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));
	auto_free char *src = NULL;
	auto_free char *dst = NULL;

	strcpy(p->dir, "/tmp/pouch-t-tree-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	src = path_join(p->dir, "src");
	dst = path_join(p->dir, "dst");
	assert_int_equal(mkdir(src, 0755), 0);
	assert_int_equal(mkdir(dst, 0755), 0);
	p->src = open(src, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p->dst = open(dst, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return 0;
}

static int place_remove(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;

	close(p->src);
	close(p->dst);
	assert_int_equal(path_remove_tree(p->dir, &err), 0);
	free(p);
	return 0;
}

static void put(int dir, const char *name, const char *text)
{
	struct err err = ERR_INIT;

	assert_int_equal(file_write(dir, name, text, strlen(text), 0644, &err), 0);
}

static void a_copy_keeps_data_mode_owner_and_times(void **state)
{
	struct place *p = *state;
	struct timespec times[2] = {{1000000000, 0}, {1234567890, 123456789}};
	struct tree_copied done = {0};
	struct err err = ERR_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct stat st;

	assert_int_equal(mkdirat(p->src, "d", 0700), 0);
	put(p->src, "d/f", "hello");
	assert_int_equal(fchownat(p->src, "d/f", 12, 34, 0), 0);
	assert_int_equal(fchmodat(p->src, "d/f", 04750, 0), 0);
	assert_int_equal(utimensat(p->src, "d/f", times, 0), 0);
	assert_int_equal(utimensat(p->src, "d", times, 0), 0);

	assert_int_equal(tree_copy(p->src, p->dst, NULL, &done, &err), 0);
	assert_int_equal(done.entries, 2);
	assert_int_equal(file_read(p->dst, "d/f", 100, &text, &err), 0);
	assert_string_equal(buf_cstr(&text), "hello");
	assert_int_equal(fstatat(p->dst, "d/f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 04750);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
	assert_int_equal(st.st_mtim.tv_sec, 1234567890);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(fstatat(p->dst, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(st.st_mtim.tv_sec, 1234567890);
}

static void links_are_copied_never_followed(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	char target[64] = "";

	assert_int_equal(symlinkat("/etc/passwd", p->src, "out"), 0);
	assert_int_equal(tree_copy(p->src, p->dst, NULL, NULL, &err), 0);
	assert_true(readlinkat(p->dst, "out", target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "/etc/passwd");
}

static void a_link_at_the_destination_is_not_written_through(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	AUTO(buf_clear) struct buf text = BUF_INIT;

	put(p->src, "f", "new");
	put(p->dst, "victim", "old");
	assert_int_equal(symlinkat("victim", p->dst, "f"), 0);
	assert_int_equal(tree_copy(p->src, p->dst, NULL, NULL, &err), -EEXIST);
	assert_int_equal(file_read(p->dst, "victim", 100, &text, &err), 0);
	assert_string_equal(buf_cstr(&text), "old");
}

static void hard_links_stay_one_file(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	struct stat a, b;

	assert_int_equal(mkdirat(p->src, "d", 0755), 0);
	put(p->src, "one", "x");
	for (int i = 0; i < 100; i++) {
		char name[16], other[32];

		assert_int_equal(str_fmt(name, sizeof(name), "d/%d", i), 0);
		assert_int_equal(linkat(p->src, "one", p->src, name, 0), 0);
		assert_int_equal(str_fmt(name, sizeof(name), "pair%d", i), 0);
		put(p->src, name, "y");
		assert_int_equal(str_fmt(other, sizeof(other), "d/%s", name), 0);
		assert_int_equal(linkat(p->src, name, p->src, other, 0), 0);
	}
	assert_int_equal(tree_copy(p->src, p->dst, NULL, NULL, &err), 0);
	assert_int_equal(fstatat(p->dst, "one", &a, 0), 0);
	assert_int_equal(fstatat(p->dst, "d/99", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_nlink, 101);
	assert_int_equal(fstatat(p->dst, "pair7", &a, 0), 0);
	assert_int_equal(fstatat(p->dst, "d/pair7", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_nlink, 2);
}

static void holes_stay_holes(void **state)
{
	struct place *p = *state;
	struct tree_copy options = {.no_reflink = true};
	struct tree_copied done = {0};
	struct err err = ERR_INIT;
	struct stat st;
	auto_fd int fd = openat(p->src, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(pwrite(fd, "end", 3, 64 << 20), 3);
	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	assert_int_equal(tree_copy(p->src, p->dst, &options, &done, &err), 0);
	assert_int_equal(fstatat(p->dst, "sparse", &st, 0), 0);
	assert_int_equal(st.st_size, 100 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
	assert_true(done.bytes < 1 << 20);
}

/* What a kernel shows as data that does not show holes. */
static void zeros_of_a_sparse_file_are_not_written(void **state)
{
	struct place *p = *state;
	struct tree_copy options = {.no_reflink = true};
	struct tree_copied done = {0};
	struct err err = ERR_INIT;
	char zeros[65536] = {0}, got[3];
	auto_fd int fd = openat(p->src, "zeros", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	auto_fd int copy = -1;

	for (int i = 0; i < 32; i++)
		assert_int_equal(pwrite(fd, zeros, sizeof(zeros), i * (off_t)sizeof(zeros)), sizeof(zeros));
	assert_int_equal(pwrite(fd, "end", 3, 16 << 20), 3);
	assert_int_equal(ftruncate(fd, 20 << 20), 0);
	assert_int_equal(tree_copy(p->src, p->dst, &options, &done, &err), 0);
	assert_true(done.bytes < 1 << 20);
	copy = openat(p->dst, "zeros", O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(copy, 0, SEEK_END), 20 << 20);
	assert_int_equal(pread(copy, got, 3, 16 << 20), 3);
	assert_memory_equal(got, "end", 3);
	assert_int_equal(pread(copy, got, 3, 1 << 20), 3);
	assert_memory_equal(got, zeros, 3);
}

static void devices_fifos_and_attributes_are_kept(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	char value[16] = "";
	struct stat st;
	auto_fd int fd = -1;

	assert_int_equal(mknodat(p->src, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(fchmodat(p->src, "null", 0666, 0), 0);
	assert_int_equal(mknodat(p->src, "fifo", S_IFIFO | 0600, 0), 0);
	put(p->src, "f", "x");
	fd = openat(p->src, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fsetxattr(fd, "trusted.pouch", "yes", 3, 0), 0);

	assert_int_equal(tree_copy(p->src, p->dst, NULL, NULL, &err), 0);
	assert_int_equal(fstatat(p->dst, "null", &st, 0), 0);
	assert_true(S_ISCHR(st.st_mode));
	assert_int_equal(st.st_rdev, makedev(1, 3));
	assert_int_equal(st.st_mode & 07777, 0666);
	assert_int_equal(fstatat(p->dst, "fifo", &st, 0), 0);
	assert_true(S_ISFIFO(st.st_mode));
	close(fd);
	fd = openat(p->dst, "f", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(fd, "trusted.pouch", value, sizeof(value)), 3);
	assert_string_equal(value, "yes");
}

static void a_tree_that_is_too_deep_is_refused(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	int at = dup(p->src);

	for (int i = 0; i < TREE_MAX_DEPTH + 2; i++) {
		int next;

		assert_int_equal(mkdirat(at, "d", 0755), 0);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	close(at);
	assert_true(tree_copy(p->src, p->dst, NULL, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
}

static void usage_counts_a_hard_link_once(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	uint64_t once, twice, entries;
	char block[8192];

	memset(block, 'x', sizeof(block));
	assert_int_equal(file_write(p->src, "f", block, sizeof(block), 0644, &err), 0);
	assert_int_equal(tree_usage(p->src, &once, &entries, &err), 0);
	assert_int_equal(entries, 1);
	assert_true(once >= sizeof(block));
	assert_int_equal(linkat(p->src, "f", p->src, "g", 0), 0);
	assert_int_equal(tree_usage(p->src, &twice, &entries, &err), 0);
	assert_int_equal(entries, 2);
	assert_int_equal(once, twice);
}

#define T(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_copy_keeps_data_mode_owner_and_times),
		T(links_are_copied_never_followed),
		T(a_link_at_the_destination_is_not_written_through),
		T(hard_links_stay_one_file),
		T(holes_stay_holes),
		T(zeros_of_a_sparse_file_are_not_written),
		T(devices_fifos_and_attributes_are_kept),
		T(a_tree_that_is_too_deep_is_refused),
		T(usage_counts_a_hard_link_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
