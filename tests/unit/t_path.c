/*
 * t_path.c - names as text, walks under a root, removal of trees
 *
 * Every walk is tested twice: with openat2 and, in a child where POUCH_HIDE says that there is none, by component.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"

static struct err err;

struct world {
	char dir[64];	/* holds root/ and outside */
	int root;	/* fd of root/ */
};

static void put(const struct world *w, const char *name, const char *text)
{
	auto_free char *path = xfmt("%s/%s", w->dir, name);

	assert_ok(file_write(AT_FDCWD, path, text, strlen(text), 0644, &err));
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	auto_free char *root = NULL;

	strcpy(w->dir, "/tmp/t_path.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	root = xfmt("%s/root", w->dir);
	assert_int_equal(mkdir(root, 0755), 0);
	w->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->root >= 0);
	put(w, "outside", "secret");
	mkdirat(w->root, "etc", 0755);
	mkdirat(w->root, "etc/deep", 0755);
	put(w, "root/etc/passwd", "inside");
	put(w, "root/outside", "decoy");
	mkfifoat(w->root, "fifo", 0600);
	symlinkat("/etc", w->root, "abs");
	symlinkat("../../../../../outside", w->root, "etc/up");
	symlinkat("/outside", w->root, "etc/absup");
	symlinkat("../../abs/deep/../passwd", w->root, "etc/deep/chain");
	symlinkat("loop", w->root, "loop");
	symlinkat("nowhere/at/all", w->root, "dangling");
	symlinkat("etc/new", w->root, "dangling-file");
	symlinkat("/proc/self/root", w->root, "magic");
	symlinkat("etc/", w->root, "slash");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	close(w->root);
	assert_ok(path_remove_tree(w->dir, &err));
	free(w);
	return 0;
}

/* What is read at @path in the root, or the negative errno as text. */
static void expect(const struct world *w, const char *path, const char *want)
{
	char got[64] = "";
	int fd = -1, rc = path_open_in(w->root, path, O_RDONLY | O_NONBLOCK, 0, &fd, &err);

	if (rc < 0) {
		snprintf(got, sizeof(got), "%s", strerror(-rc));
	} else {
		ssize_t n = read(fd, got, sizeof(got) - 1);

		if (n < 0)
			snprintf(got, sizeof(got), "%s", strerror(errno));
		close(fd);
	}
	if (strcmp(got, want))
		fail_msg("'%s' (%s openat2): got '%s', wanted '%s'", path,
			 hidden("openat2") ? "without" : "with", got, want);
}

static void check_open(const struct world *w)
{
	expect(w, "etc/passwd", "inside");
	expect(w, "/etc/passwd", "inside");
	expect(w, "//etc/./deep/..//passwd", "inside");
	expect(w, "../../../../etc/passwd", "inside");
	expect(w, "abs/passwd", "inside");
	expect(w, "slash/passwd", "inside");
	expect(w, "etc/up", "decoy");
	expect(w, "etc/absup", "decoy");
	expect(w, "etc/deep/chain", "inside");
	expect(w, "../outside", "decoy");
	expect(w, "loop", strerror(ELOOP));
	expect(w, "loop/x", strerror(ELOOP));
	expect(w, "dangling", strerror(ENOENT));
	expect(w, "etc/passwd/", strerror(ENOTDIR));
	expect(w, "etc/passwd/x", strerror(ENOTDIR));
	expect(w, "etc/passwd/..", strerror(ENOTDIR));
	expect(w, "etc/passwd/.", strerror(ENOTDIR));
	expect(w, "missing/..", strerror(ENOENT));
	expect(w, "etc", strerror(EISDIR));
	expect(w, "/", strerror(EISDIR));
	expect(w, "", strerror(EISDIR));
	expect(w, "..", strerror(EISDIR));
	expect(w, "magic/etc/passwd", strerror(ENOENT));
	expect(w, "fifo", "");
}

static void check_flags(const struct world *w)
{
	struct stat st;
	int fd = -1;

	assert_int_equal(path_open_in(w->root, "abs", O_RDONLY | O_NOFOLLOW, 0, &fd, &err), -ELOOP);
	assert_int_equal(path_open_in(w->root, "/", O_RDWR, 0, &fd, &err), -EISDIR);
	assert_int_equal(path_open_in(w->root, "fifo/", O_RDONLY, 0, &fd, &err), -ENOTDIR);
	assert_int_equal(fd, -1);
	assert_ok(path_open_in(w->root, "etc/..", O_PATH, 0, &fd, &err));
	close(fd);
	fd = -1;

	/* A dangling link leads O_CREAT to a place inside. */
	assert_ok(path_open_in(w->root, "dangling-file", O_WRONLY | O_CREAT, 0640, &fd, &err));
	close(fd);
	assert_int_equal(fstatat(w->root, "etc/new", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(unlinkat(w->root, "etc/new", 0), 0);
	assert_int_equal(path_open_in(w->root, "dangling-file", O_WRONLY | O_CREAT | O_EXCL, 0640,
				      &fd, &err), -EEXIST);

	assert_ok(path_open_in(w->root, "abs/deep", O_RDONLY | O_DIRECTORY, 0, &fd, &err));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

static void check_parent(const struct world *w)
{
	auto_free char *name = NULL;
	auto_fd int fd = -1;
	struct stat a, b;

	assert_ok(path_parent_in(w->root, "/abs/deep/../up", false, &fd, &name, &err));
	assert_string_equal(name, "up");
	fstat(fd, &a);
	fstatat(w->root, "etc", &b, 0);
	assert_int_equal(a.st_ino, b.st_ino);

	assert_int_equal(path_parent_in(w->root, "no/such/x", false, &fd, &name, &err), -ENOENT);
	assert_refused(path_parent_in(w->root, "etc/..", true, &fd, &name, &err), ERR_INVALID);
	assert_refused(path_parent_in(w->root, "/", true, &fd, &name, &err), ERR_INVALID);
	assert_refused(path_parent_in(w->root, ".", true, &fd, &name, &err), ERR_INVALID);

	close(fd_take(&fd));
	free(take(name));
	assert_ok(path_parent_in(w->root, "dangling/made/x/", true, &fd, &name, &err));
	assert_string_equal(name, "x");
	assert_int_equal(fstatat(w->root, "nowhere/at/all/made", &a, 0), 0);
	fstat(fd, &b);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_ok(path_remove_tree_at(w->root, "nowhere", &err));
}

static void check_mkdirs(const struct world *w)
{
	struct stat a, b;
	int fd = -1;

	assert_ok(path_mkdirs_in(w->root, "/abs/../../run/./a/b/", 0711, &fd, &err));
	fstat(fd, &a);
	close(fd);
	assert_int_equal(fstatat(w->root, "run/a/b", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_ok(path_mkdirs_in(w->root, "run/a/b", 0711, &fd, &err));
	close(fd);
	assert_ok(path_mkdirs_in(w->root, "/", 0711, &fd, &err));
	close(fd);
	assert_int_equal(path_mkdirs_in(w->root, "etc/passwd/x", 0755, &fd, &err), -ENOTDIR);
	assert_int_equal(path_mkdirs_in(w->root, "loop/x", 0755, &fd, &err), -ELOOP);
	assert_ok(path_remove_tree_at(w->root, "run", &err));
}

static void check_resolve(const struct world *w)
{
	static const char *const pairs[][2] = {
		{"abs/deep/chain", "/etc/passwd"}, {"etc/up", "/outside"}, {"../..", "/"},
		{"", "/"},			   {"abs/none", "/etc/none"}, {"dangling-file", "/etc/new"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		auto_free char *got = NULL;

		assert_ok(path_resolve_in(w->root, pairs[i][0], &got, &err));
		assert_string_equal(got, pairs[i][1]);
	}
}

/* Run in a child, so that hiding stays there. */
static void both_ways(void (*check)(const struct world *), void **state)
{
	pid_t pid;
	int status;

	check(*state);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		hide_add("openat2");
		check(*state);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void links_and_dots_stay_in_the_root(void **state)
{
	both_ways(check_open, state);
}

static void flags_mean_what_open_means(void **state)
{
	both_ways(check_flags, state);
}

static void a_parent_is_found_and_made_inside(void **state)
{
	both_ways(check_parent, state);
}

static void directories_are_made_inside(void **state)
{
	both_ways(check_mkdirs, state);
}

static void a_path_is_resolved_as_inside(void **state)
{
	both_ways(check_resolve, state);
}

/* ---- somebody changes the tree meanwhile ---- */

struct swapper {
	const struct world *w;
	volatile bool stop;
};

/* "swap" is now a directory, now a link out; "walk" goes out of the root and comes back. */
static void *swap(void *arg)
{
	struct swapper *s = arg;
	int up = open(s->w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	mkdirat(s->w->root, "swap-dir", 0755);
	close(openat(s->w->root, "swap-dir/outside", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	symlinkat("../../..", s->w->root, "swap-link");
	mkdirat(s->w->root, "walk", 0755);
	mkdirat(s->w->root, "walk/in", 0755);
	while (!s->stop) {
		(void)renameat(s->w->root, "swap-dir", s->w->root, "swap");
		(void)renameat(s->w->root, "walk/in", up, "gone");
		(void)renameat(s->w->root, "swap", s->w->root, "swap-dir");
		(void)renameat(s->w->root, "swap-link", s->w->root, "swap");
		(void)renameat(up, "gone", s->w->root, "walk/in");
		(void)renameat(s->w->root, "swap", s->w->root, "swap-link");
	}
	close(up);
	return NULL;
}

static void check_swaps(const struct world *w)
{
	struct swapper s = {.w = w};
	pthread_t thread;
	int opened = 0;

	pthread_create(&thread, NULL, swap, &s);
	for (int i = 0; i < 20000; i++) {
		static const char *const tries[] = {"swap/outside", "walk/in/../../outside",
						    "walk/in/../../../outside", "swap/../outside"};
		char text[16] = "";
		int fd;

		if (path_open_in(w->root, tries[i % 4], O_RDONLY, 0, &fd, &err))
			continue;
		opened++;
		(void)!read(fd, text, sizeof(text) - 1);
		close(fd);
		if (strcmp(text, "secret") == 0) {
			s.stop = true;
			fail_msg("'%s' led out of the root", tries[i % 4]);
		}
	}
	s.stop = true;
	pthread_join(thread, NULL);
	assert_true(opened > 0);
}

static void renames_and_link_swaps_lead_nowhere(void **state)
{
	both_ways(check_swaps, state);
}

/* ---- removal ---- */

static void check_remove(const struct world *w)
{
	auto_free char *tree = xfmt("%s/tree", w->dir);
	auto_free char *secret = xfmt("%s/outside", w->dir);
	int fd, at;

	assert_ok(path_remove_tree(tree, &err));
	mkdir(tree, 0755);
	at = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	symlinkat(w->dir, at, "to-dir");
	symlinkat(secret, at, "to-file");
	mkfifoat(at, "fifo", 0600);
	for (int i = 0; i < 3000; i++) {
		char name[32];

		snprintf(name, sizeof(name), "file%d", i);
		close(openat(at, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0));
	}
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(mkdirat(at, "a-quite-long-name-for-a-directory", 0755), 0);
		fd = openat(at, "a-quite-long-name-for-a-directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(fd >= 0);
		close(at);
		at = fd;
	}
	close(at);
	assert_ok(path_remove_tree(tree, &err));
	assert_int_equal(access(tree, F_OK), -1);
	assert_int_equal(access(secret, F_OK), 0);

	/* Not a directory: removed as what it is. */
	assert_int_equal(symlink(w->dir, tree), 0);
	assert_ok(path_remove_tree(tree, &err));
	assert_int_equal(access(secret, F_OK), 0);
}

static void a_tree_of_any_depth_is_removed_and_no_link_followed(void **state)
{
	both_ways(check_remove, state);
}

static void check_mount(const struct world *w)
{
	auto_free char *tree = xfmt("%s/tree", w->dir);
	auto_free char *point = xfmt("%s/tree/in/point", w->dir);
	auto_free char *data = xfmt("%s/data", w->dir);
	auto_free char *file = xfmt("%s/data/precious", w->dir);

	assert_ok(path_mkdirs(point, 0755, &err));
	assert_ok(path_mkdirs(data, 0755, &err));
	put(w, "data/precious", "x");
	if (mount(data, point, NULL, MS_BIND, NULL) < 0)
		fail_msg("bind mount: %s", strerror(errno));
	assert_int_equal(path_remove_tree(tree, &err), -EBUSY);
	assert_int_equal(access(file, F_OK), 0);
	assert_int_equal(umount(point), 0);
	assert_ok(path_remove_tree(tree, &err));
	assert_int_equal(access(file, F_OK), 0);
}

static void a_mount_in_the_tree_stops_its_removal(void **state)
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
			_exit(77);
		check_mount(*state);
		hide_add("openat2");
		check_mount(*state);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("no mount namespace can be made here\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* From now on what is removed in an open directory "is not there", although reading shows it: as on a damaged file system. */
static bool play_damage(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unlinkat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)AT_FDCWD, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOENT),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void entries_that_are_not_there_end_a_removal(void **state)
{
	const struct world *w = *state;
	auto_free char *tree = xfmt("%s/damaged", w->dir), *inner = xfmt("%s/damaged/inner", w->dir);
	int status, rc;
	pid_t pid;

	assert_ok(path_mkdirs(inner, 0755, &err));
	put(w, "damaged/file", "x");
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(10);	/* SIGALRM: it goes on for ever */
		if (!play_damage())
			_exit(77);
		rc = path_remove_tree(tree, &err);
		_exit(rc == -ENOTEMPTY && strstr(err.msg, "damaged") ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("this kernel has no filter of system calls\n");
		skip();
	}
	assert_int_equal(status, 0);
	assert_ok(path_remove_tree(tree, &err));
}

/* ---- text ---- */

static void paths_are_cleaned_without_looking(void **state)
{
	static const char *const pairs[][2] = {
		{"a//b/./c/..", "a/b"}, {"", "."},	  {"/", "/"},	     {"/..", "/"},
		{"/../x/", "/x"},	{"..", ".."},	  {"../../a", "../../a"},
		{"a/../..", ".."},	{"a/..", "."},	  {"../a/../..", "../.."},
		{"./.", "."},		{"//a", "/a"},	  {"a/b/../../c", "c"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		auto_free char *got = path_clean(pairs[i][0]);

		assert_string_equal(got, pairs[i][1]);
	}
	assert_true(path_is_under("/a/b", "/a"));
	assert_true(path_is_under("/a/", "/a"));
	assert_true(path_is_under("/a", "/"));
	assert_false(path_is_under("/ab", "/a"));
	assert_false(path_is_under("/a/../b", "/a"));
	assert_string_equal(path_base("/a/b"), "b");
	assert_string_equal(path_base("b"), "b");
}

static void paths_are_joined_with_one_slash(void **state)
{
	static const char *const triples[][3] = {
		{"/a", "b", "/a/b"}, {"/a/", "/b", "/a/b"}, {"/", "b", "/b"}, {"", "b", "b"}};

	for (size_t i = 0; i < ARRAY_SIZE(triples); i++) {
		auto_free char *got = path_join(triples[i][0], triples[i][1]);

		assert_string_equal(got, triples[i][2]);
	}
}

static void *write_to_pipe(void *arg)
{
	const struct world *w = arg;
	int fd = openat(w->root, "fifo", O_WRONLY | O_CLOEXEC);	/* waits for whoever reads it */

	close(fd);
	return NULL;
}

/* A reader of the pipe would set its writer free. */
static void what_is_no_file_is_not_even_opened(void **state)
{
	struct world *w = *state;
	pthread_t writer;
	int fd = -1;

	assert_ok(symlinkat("/fifo", w->root, "etc/pipe") < 0 ? -errno : 0);
	assert_int_equal(pthread_create(&writer, NULL, write_to_pipe, w), 0);
	usleep(100 * 1000);
	assert_int_equal(path_open_file_in(w->root, "/fifo", &fd, &err), -ENXIO);
	assert_int_equal(path_open_file_in(w->root, "etc/pipe", &fd, &err), -ENXIO);
	assert_int_equal(path_open_file_in(w->root, "etc", &fd, &err), -ENXIO);
	assert_int_equal(path_open_file_in(w->root, "nothing", &fd, &err), -ENOENT);
	assert_int_equal(path_open_file_in(w->root, "loop", &fd, &err), -ELOOP);
	assert_int_equal(path_open_file_at(w->root, "abs"), -ELOOP);
	assert_int_equal(fd, -1);
	usleep(100 * 1000);
	assert_int_equal(pthread_tryjoin_np(writer, NULL), EBUSY);
	fd = openat(w->root, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(pthread_join(writer, NULL), 0);
	close(fd);

	assert_ok(path_open_file_in(w->root, "etc/deep/chain", &fd, &err));
	close(fd);
	unlinkat(w->root, "etc/pipe", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_and_dots_stay_in_the_root),
		cmocka_unit_test(flags_mean_what_open_means),
		cmocka_unit_test(a_parent_is_found_and_made_inside),
		cmocka_unit_test(directories_are_made_inside),
		cmocka_unit_test(a_path_is_resolved_as_inside),
		cmocka_unit_test(renames_and_link_swaps_lead_nowhere),
		cmocka_unit_test(a_tree_of_any_depth_is_removed_and_no_link_followed),
		cmocka_unit_test(a_mount_in_the_tree_stops_its_removal),
		cmocka_unit_test(entries_that_are_not_there_end_a_removal),
		cmocka_unit_test(paths_are_cleaned_without_looking),
		cmocka_unit_test(paths_are_joined_with_one_slash),
		cmocka_unit_test(what_is_no_file_is_not_even_opened),
	};

	return cmocka_run_group_tests_name("path", tests, setup, teardown);
}
