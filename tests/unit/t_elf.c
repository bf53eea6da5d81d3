/*
 * t_elf.c - what files say about where they can run, and what is concluded from it
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/elf.h"
#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "runtime/engine/libc.h"
#include "tests/unit/elf_file.h"

#define TOO_OLD "FATAL: kernel too old"
#define LOADER "/lib64/ld-linux-x86-64.so.2"

static struct err err;
static char dir[64];

static int setup(void **state)
{
	strcpy(dir, "/tmp/t_elf.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	return path_remove_tree(dir, &err);
}

/* ---- parsing ---- */

struct memory {
	const char *data;
	size_t len;
};

static int read_memory(void *arg, uint64_t at, void *data, size_t len)
{
	const struct memory *m = arg;

	if (at > m->len || len > m->len - at)
		return -ENODATA;
	memcpy(data, m->data + at, len);
	return 0;
}

static int parse(const struct buf *file, struct elf_info *ret)
{
	return elf_parse(read_memory, &(struct memory){file->data, file->len}, ret);
}

static void a_program_names_its_loader_and_its_oldest_kernel(void **state)
{
	AUTO(buf_clear) struct buf file = BUF_INIT;
	struct elf_info info;

	elf_file_make(&(struct elf_want){.interpreter = LOADER, .abi = {2, 6, 32}}, &file);
	assert_int_equal(parse(&file, &info), 0);
	assert_string_equal(info.interpreter, LOADER);
	assert_int_equal(info.machine, EM_X86_64);
	assert_true(info.has_abi);
	assert_int_equal(info.abi[0] * 10000 + info.abi[1] * 100 + info.abi[2], 20632);
	assert_int_equal(info.glibc_minor, 0);
}

static void the_highest_version_counts_wherever_it_stands(void **state)
{
	AUTO(buf_clear) struct buf file = BUF_INIT;
	struct elf_info info;

	elf_file_make(&(struct elf_want){.versions = "libc.so.6 GLIBC_2.36 GLIBC_2.2.5 GLIBC_2.9 GLIBC_ABI_DT_RELR "
						     "GLIBC_PRIVATE GLIBC_2.99x"}, &file);
	assert_int_equal(parse(&file, &info), 0);
	assert_int_equal(info.glibc_minor, 36);
	assert_false(info.has_abi);
	assert_string_equal(info.interpreter, "");
}

static void what_is_no_such_file_is_told_from_a_damaged_one(void **state)
{
	AUTO(buf_clear) struct buf file = BUF_INIT;
	struct elf_info info = {.machine = 7};
	Elf64_Phdr *h;

	buf_add(&file, "#!/bin/sh\n", 10);
	assert_int_equal(parse(&file, &info), -ENOEXEC);
	buf_reset(&file);
	elf_file_make(&(struct elf_want){.interpreter = LOADER}, &file);
	file.data[EI_CLASS] = ELFCLASS32;
	assert_int_equal(parse(&file, &info), -ENOEXEC);
	file.data[EI_CLASS] = ELFCLASS64;

	h = (Elf64_Phdr *)(file.data + sizeof(Elf64_Ehdr));
	h[1].p_filesz--;	/* the name has no end */
	assert_int_equal(parse(&file, &info), -EINVAL);
	h[1].p_filesz = UINT64_MAX;
	assert_int_equal(parse(&file, &info), -EINVAL);
	h[1].p_filesz = sizeof(LOADER);
	h[1].p_offset = UINT64_MAX - 3;
	assert_true(parse(&file, &info) < 0);
	((Elf64_Ehdr *)file.data)->e_phnum = 60000;
	assert_int_equal(parse(&file, &info), -EINVAL);
	assert_int_equal(info.machine, 7);	/* untouched on failure */
}

static void every_cut_of_a_file_is_refused_or_understood(void **state)
{
	AUTO(buf_clear) struct buf file = BUF_INIT;
	struct elf_info info;

	elf_file_make(&(struct elf_want){.interpreter = LOADER, .abi = {3, 2, 0}, .versions = "a GLIBC_2.31"}, &file);
	for (size_t len = 0; len < file.len; len++)
		assert_true(elf_parse(read_memory, &(struct memory){file.data, len}, &info) < 0);
}

static void this_host_own_library_is_understood(void **state)
{
	static const char *const paths[] = {"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"};
	struct elf_info info;
	auto_fd int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(paths) && fd < 0; i++)
		fd = open(paths[i], O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		print_message("this host has no glibc\n");
		skip();
	}
	assert_int_equal(elf_read(fd, &info), 0);
	assert_true(info.glibc_minor >= 17 && info.glibc_minor < 100);
	assert_true(info.has_abi);
	assert_true(elf_mentions(fd, "GNU C Library"));
	assert_false(elf_mentions(fd, "no library of this world has these words"));
}

static void words_are_found_across_pieces(void **state)
{
	auto_free char *path = path_join(dir, "long");
	AUTO(buf_clear) struct buf file = BUF_INIT;
	auto_fd int fd = -1;

	for (size_t i = 0; i < (64 << 10) - 7; i++)
		buf_char(&file, 'F');
	buf_str(&file, TOO_OLD "\n");
	assert_ok(file_write(AT_FDCWD, path, file.data, file.len, 0600, &err));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(elf_mentions(fd, TOO_OLD));
	assert_false(elf_mentions(fd, TOO_OLD "!"));
}

/* ---- judging ---- */

static void put(const char *path, const struct elf_want *want)
{
	AUTO(buf_clear) struct buf file = BUF_INIT;
	auto_free char *full = xfmt("%s/%s", dir, path);
	auto_free char *parent = xfmt("%.*s", (int)(path_base(full) - full), full);

	elf_file_make(want, &file);
	assert_ok(path_mkdirs(parent, 0755, &err));
	assert_ok(file_write(AT_FDCWD, full, file.data, file.len, 0755, &err));
}

static void put_text(const char *path, const char *text)
{
	auto_free char *full = xfmt("%s/%s", dir, path);

	assert_ok(file_write(AT_FDCWD, full, text, strlen(text), 0755, &err));
}

static void put_link(const char *path, const char *to)
{
	auto_free char *full = xfmt("%s/%s", dir, path);

	(void)unlink(full);
	assert_int_equal(symlink(to, full), 0);
}

/* An image in @dir: /usr/bin/tool, its loader behind links, and its glibc. */
static void image(uint32_t minor, uint32_t major, uint32_t mid, uint32_t low)
{
	auto_free char *versions = xfmt("libc.so.6 GLIBC_2.2.5 GLIBC_2.%u GLIBC_PRIVATE", minor);

	assert_ok(path_remove_tree(dir, &err));
	put("usr/bin/tool", &(struct elf_want){.interpreter = LOADER, .abi = {3, 2, 0}});
	put("usr/lib/deep/ld.so", &(struct elf_want){.text = minor < 36 ? TOO_OLD : "x"});
	put("usr/lib/deep/libc.so.6", &(struct elf_want){.versions = versions, .abi = {major, mid, low}});
	put_link("lib64", "/usr/lib");
	put_link("usr/lib/ld-linux-x86-64.so.2", "../../../usr/lib/deep/ld.so");
}

static const struct libc_kernel old_kernel = {.release = "2.6.32-754.el6", .version = {2, 6, 32}};
static const struct libc_kernel middle_kernel = {.release = "3.10.0", .version = {3, 10, 0}, .at_empty_path = true};

static int check(const char *name, const struct libc_kernel *kernel)
{
	const struct libc_program p = {.rootfs = dir, .name = name, .path = "/bin:/usr/bin", .cwd = "/usr"};

	return libc_check(&p, kernel, &err);
}

static void refused(const char *name, const struct libc_kernel *kernel, const char *text)
{
	assert_refused(check(name, kernel), ERR_UNSUPPORTED);
	if (!strstr(err.msg, text))
		fail_msg("expected '%s' in: %s", text, err.msg);
}

static void a_library_for_newer_kernels_is_refused_by_name(void **state)
{
	image(28, 3, 2, 0);
	refused("tool", &old_kernel, "cannot run 'tool' on Linux 2.6.32-754.el6: the glibc 2.28 of its image was built for Linux 3.2.0");
	assert_non_null(strstr(err.msg, "glibc up to 2.23 (CentOS 7"));
	assert_null(strchr(err.msg, '\n'));
	assert_ok(check("tool", &middle_kernel));
	image(17, 2, 6, 32);
	assert_ok(check("tool", &old_kernel));
	image(17, 2, 6, 33);
	refused("tool", &old_kernel, "built for Linux 2.6.33");
}

static void fstat_by_another_call_is_refused_where_it_is_unknown(void **state)
{
	image(36, 3, 2, 0);
	refused("tool", &old_kernel, "glibc 2.36 of its image needs fstatat(AT_EMPTY_PATH)");
	assert_ok(check("tool", &middle_kernel));
	image(33, 2, 6, 32);
	refused("tool", &old_kernel, "glibc 2.33");
	/* The versions before and after the one that does so. */
	image(32, 2, 6, 32);
	assert_ok(check("tool", &old_kernel));
	image(39, 3, 2, 0);
	assert_ok(check("tool", &old_kernel));
}

static void programs_are_found_as_the_kernel_finds_them(void **state)
{
	image(36, 3, 2, 0);
	put_text("usr/bin/script", "#! /usr/bin/again -x\n");
	put_text("usr/bin/again", "#!/usr/bin/tool");
	put_text("usr/bin/loop", "#!/usr/bin/loop\n");
	put_link("usr/bin/out", "../../../../../../usr/bin/tool");
	refused("script", &old_kernel, "cannot run 'script'");
	refused("bin/tool", &old_kernel, "cannot run 'bin/tool'");	/* from cwd */
	refused("/usr/bin/out", &old_kernel, "glibc 2.36");		/* links stay inside */
	assert_ok(check("loop", &old_kernel));
	assert_ok(check("absent", &old_kernel));
	assert_ok(check("/usr/bin", &old_kernel));
}

static void musl_and_unknown_things_are_left_alone(void **state)
{
	image(36, 3, 2, 0);
	put("usr/bin/musl", &(struct elf_want){.interpreter = "/lib64/ld-musl-x86_64.so.1"});
	put("usr/lib/ld-musl-x86_64.so.1", &(struct elf_want){.text = TOO_OLD});
	put("usr/bin/go", &(struct elf_want){.text = "no note"});
	put("usr/bin/lost", &(struct elf_want){.interpreter = "/nowhere/ld.so"});
	put_text("usr/bin/damaged", "\177ELF\2\1\1 and then nothing");
	assert_ok(check("musl", &old_kernel));
	assert_ok(check("go", &old_kernel));
	assert_ok(check("lost", &old_kernel));
	assert_ok(check("damaged", &old_kernel));
}

static void static_programs_tell_by_their_note_and_words(void **state)
{
	image(36, 3, 2, 0);
	put("usr/bin/old", &(struct elf_want){.abi = {3, 2, 0}, .text = TOO_OLD});
	put("usr/bin/new", &(struct elf_want){.abi = {3, 2, 0}});
	put("usr/bin/told", &(struct elf_want){.abi = {3, 2, 0}, .text = "GNU C Library (X) stable release version 2.36.\n"});
	refused("old", &old_kernel, "the glibc of its image was built for Linux 3.2.0");
	refused("told", &old_kernel, "glibc 2.36");
	assert_ok(check("new", &old_kernel));	/* it starts */
	assert_ok(check("old", &middle_kernel));
	assert_ok(check("told", &middle_kernel));
}

static void the_name_of_the_loader_tells_where_the_library_does_not(void **state)
{
	image(36, 3, 2, 0);
	put("usr/lib/deep/libc.so.6", &(struct elf_want){.text = "no versions"});
	put("usr/lib/deep/ld-2.34.so", &(struct elf_want){.text = "x"});
	put_link("usr/lib/ld-linux-x86-64.so.2", "deep/ld-2.34.so");
	refused("tool", &old_kernel, "glibc 2.34");
}

static void releases_are_read_as_glibc_reads_them(void **state)
{
	uint32_t v[3];

	libc_kernel_parse("2.6.32-754.el6.x86_64", v);
	assert_int_equal(v[0] * 10000 + v[1] * 100 + v[2], 20632);
	libc_kernel_parse("6.1", v);
	assert_int_equal(v[0] * 10000 + v[1] * 100 + v[2], 60100);
	libc_kernel_parse("odd", v);
	assert_int_equal(v[0] + v[1] + v[2], 0);
	assert_false(libc_kernel_is_new(&middle_kernel));
	assert_true(libc_kernel_is_new(&(struct libc_kernel){.version = {6, 1, 0}, .at_empty_path = true}));
	assert_false(libc_kernel_is_new(&(struct libc_kernel){.version = {6, 1, 0}}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_names_its_loader_and_its_oldest_kernel),
		cmocka_unit_test(the_highest_version_counts_wherever_it_stands),
		cmocka_unit_test(what_is_no_such_file_is_told_from_a_damaged_one),
		cmocka_unit_test(every_cut_of_a_file_is_refused_or_understood),
		cmocka_unit_test(this_host_own_library_is_understood),
		cmocka_unit_test_setup_teardown(words_are_found_across_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(a_library_for_newer_kernels_is_refused_by_name, setup, teardown),
		cmocka_unit_test_setup_teardown(fstat_by_another_call_is_refused_where_it_is_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(programs_are_found_as_the_kernel_finds_them, setup, teardown),
		cmocka_unit_test_setup_teardown(musl_and_unknown_things_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(static_programs_tell_by_their_note_and_words, setup, teardown),
		cmocka_unit_test_setup_teardown(the_name_of_the_loader_tells_where_the_library_does_not, setup, teardown),
		cmocka_unit_test(releases_are_read_as_glibc_reads_them),
	};

	return cmocka_run_group_tests_name("elf", tests, NULL, NULL);
}
