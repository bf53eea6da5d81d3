/*
 * t_fd.c - descriptors, files and unix sockets
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/log.h"
#include "compat/base/path.h"
#include "compat/base/str.h"

static struct err err;
static char dir[64];
static int dirfd_;

static int setup(void **state)
{
	strcpy(dir, "/tmp/t_fd.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int teardown(void **state)
{
	close(dirfd_);
	return path_remove_tree(dir, &err);
}

static void assert_content(const char *name, const char *want)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;

	assert_ok(file_read(dirfd_, name, 1 << 20, &b, &err));
	assert_string_equal(buf_cstr(&b), want);
}

static void files_are_read_with_a_ceiling(void **state)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;

	assert_ok(file_write(dirfd_, "f", "12345", 5, 0644, &err));
	assert_content("f", "12345");
	assert_refused(file_read(dirfd_, "f", 4, &b, &err), ERR_TOO_LARGE);
	assert_int_equal(file_read(dirfd_, "none", 4, &b, &err), -ENOENT);
	assert_int_equal(err.kind, ERR_INTERNAL);
	assert_ok(file_read(AT_FDCWD, "/proc/self/stat", 4096, &b, &err));
}

static void a_replaced_file_has_the_mode_and_no_rest(void **state)
{
	struct stat st;

	umask(077);
	assert_ok(file_replace(dirfd_, "r", "one", 3, 0644, FILE_SYNC, &err));
	assert_ok(file_replace(dirfd_, "r", "", 0, 0640, FILE_NO_SYNC, &err));
	umask(022);
	assert_content("r", "");
	assert_int_equal(fstatat(dirfd_, "r", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(faccessat(dirfd_, ".r.tmp", F_OK, 0), -1);

	/* What a killed process left is taken over, also when it is longer; a planted link or file of two names is not followed. */
	assert_ok(file_write(dirfd_, ".r.tmp", "a long rest", 11, 0600, &err));
	assert_ok(file_replace(dirfd_, "r", "two", 3, 0600, FILE_NO_SYNC, &err));
	assert_content("r", "two");
	assert_ok(file_write(dirfd_, "victim", "v", 1, 0600, &err));
	assert_int_equal(linkat(dirfd_, "victim", dirfd_, ".r.tmp", 0), 0);
	assert_ok(file_replace(dirfd_, "r", "three", 5, 0600, FILE_NO_SYNC, &err));
	assert_content("victim", "v");
	assert_content("r", "three");
	assert_int_equal(symlinkat("victim", dirfd_, ".r.tmp"), 0);
	assert_int_equal(file_replace(dirfd_, "r", "x", 1, 0600, FILE_NO_SYNC, &err), -ELOOP);
	assert_content("victim", "v");
	unlinkat(dirfd_, ".r.tmp", 0);

	assert_int_equal(file_replace(dirfd_, "no/dir", "x", 1, 0600, FILE_SYNC, &err), -ENOENT);
	assert_int_equal(mkdirat(dirfd_, "d", 0755), 0);
	assert_int_equal(file_replace(dirfd_, "d", "x", 1, 0600, FILE_SYNC, &err), -EISDIR);
	assert_int_equal(faccessat(dirfd_, ".d.tmp", F_OK, 0), -1);
}

static void *replace_often(void *arg)
{
	char text[4096];
	struct err e = ERR_INIT;

	memset(text, *(const char *)arg, sizeof(text));
	for (int i = 0; i < 500; i++)
		if (file_replace(dirfd_, "busy", text, sizeof(text), 0600, FILE_NO_SYNC, &e) < 0)
			return strdup(e.msg);
	return NULL;
}

static void writers_of_one_file_never_mix(void **state)
{
	pthread_t threads[3];
	void *said[3];

	assert_ok(file_replace(dirfd_, "busy", "", 0, 0600, FILE_NO_SYNC, &err));
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, replace_often, "abc" + i);
	for (int i = 0; i < 500; i++) {
		AUTO(buf_clear) struct buf b = BUF_INIT;

		assert_ok(file_read(dirfd_, "busy", 4096, &b, &err));
		assert_true(b.len == 0 || (b.len == 4096 && b.data[0] == b.data[4095] &&
					   memcmp(b.data, b.data + 1, 4095) == 0));
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], &said[i]);
	for (int i = 0; i < 3; i++)
		if (said[i])
			fail_msg("%s", (char *)said[i]);
}

static void a_killed_writer_leaves_the_old_or_the_new(void **state)
{
	for (int i = 0; i < 30; i++) {
		AUTO(buf_clear) struct buf b = BUF_INIT;
		pid_t pid = fork();

		if (!pid) {
			char c = 'a';

			for (;;)
				(void)replace_often(&c);
		}
		usleep(1000 + i * 100);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		assert_ok(file_read(dirfd_, "busy", 4096, &b, &err));
		assert_int_equal(b.len, 4096);
	}
	assert_ok(file_replace(dirfd_, "busy", "x", 1, 0600, FILE_SYNC, &err));
}

static void kernel_files_are_written_in_one_go(void **state)
{
	assert_ok(file_write(dirfd_, "k", "abd", 3, 0644, &err));
	assert_ok(file_put(dirfd_, "k", "ne", &err));
	assert_content("k", "ned");
	assert_int_equal(file_put(dirfd_, "missing", "x", &err), -ENOENT);
	assert_int_equal(faccessat(dirfd_, "missing", F_OK, 0), -1);
}

static void a_lock_excludes_until_its_fd_closes(void **state)
{
	auto_free char *path = path_join(dir, "lock");
	auto_fd int a = -1;
	auto_fd int b = -1;

	assert_ok(file_lock(path, false, &a, &err));
	assert_int_equal(file_lock(path, false, &b, &err), -EWOULDBLOCK);
	close(fd_take(&a));
	assert_ok(file_lock(path, true, &b, &err));
}

/* ---- closing ---- */

static int count_open(int from)
{
	int n = 0;

	for (int fd = from; fd < 300; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int close_in_child(const char *hide)
{
	static const int keep[] = {5, 101, 150};
	int status;
	pid_t pid = fork();

	if (!pid) {
		int ok;

		if (hide)
			hide_add(hide);
		for (int fd = 3; fd < 200; fd++)
			dup2(1, fd);
		fd_close_from(5, keep, 3);
		ok = count_open(3) == 5 && fcntl(3, F_GETFD) >= 0 && fcntl(101, F_GETFD) >= 0 &&
		     fcntl(150, F_GETFD) >= 0;
		fd_close_from(3, NULL, 0);
		_exit(ok && count_open(3) == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void all_but_the_kept_descriptors_are_closed(void **state)
{
	assert_int_equal(close_in_child(NULL), 0);
	assert_int_equal(close_in_child("close_range"), 0);
}

/* ---- sockets ---- */

static void descriptors_travel_with_their_bytes(void **state)
{
	int pair[2], fds[3], got[3] = {-1, -1, -1};
	size_t n = 3;
	char text[16] = "";

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	for (int i = 0; i < 3; i++)
		fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	assert_int_equal(fd_send(pair[0], "hello", 5, fds, 3), 0);
	assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &n), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(n, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fcntl(got[i], F_GETFD), FD_CLOEXEC);
		close(got[i]);
	}

	/* More than there is room for: nothing leaks. */
	n = count_open(0);
	assert_int_equal(fd_send(pair[0], "x", 1, fds, 3), 0);
	{
		size_t room = 1;

		assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &room), -EMSGSIZE);
	}
	assert_int_equal(count_open(0), n);
	assert_int_equal(fd_send(pair[0], "x", 1, fds, 3), 0);
	assert_int_equal(fd_recv(pair[1], text, sizeof(text), NULL, NULL), -EMSGSIZE);
	assert_int_equal(count_open(0), n);

	assert_int_equal(fd_send(pair[0], "y", 1, NULL, 0), 0);
	n = 3;
	assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &n), 1);
	assert_int_equal(n, 0);
	close(pair[0]);
	assert_int_equal(fd_recv(pair[1], text, sizeof(text), got, &n), 0);
	assert_int_equal(fd_send(pair[1], "z", 1, NULL, 0), -EPIPE);
	close(pair[1]);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void sockets_live_at_paths_of_any_length(void **state)
{
	auto_free char *deep = xfmt("%s/%0100d/%0100d", dir, 1, 2);
	auto_free char *path = xfmt("%s/socket", deep);
	auto_free char *file = xfmt("%s/file", deep);
	auto_fd int listener = -1;
	auto_fd int client = -1;
	auto_fd int again = -1;
	struct stat st;

	assert_ok(path_mkdirs(deep, 0755, &err));
	assert_ok(unix_listen(path, 0660, &listener, &err));
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0660);
	assert_ok(unix_connect(path, &client, &err));
	assert_refused(unix_listen(path, 0660, &again, &err), ERR_CONFLICT);

	/* What a dead server left is replaced. */
	close(fd_take(&listener));
	assert_int_equal(unix_connect(path, &again, &err), -ECONNREFUSED);
	assert_ok(unix_listen(path, 0600, &listener, &err));

	assert_ok(file_write(AT_FDCWD, file, "", 0, 0600, &err));
	assert_refused(unix_listen(file, 0600, &again, &err), ERR_CONFLICT);
	assert_int_equal(unix_connect("/nonexistent/s", &again, &err), -ENOENT);
}

static void a_log_line_is_one_line(void **state)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	auto_fd int fd = openat(dirfd_, "log", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char long_text[3000];

	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	log_open(fd, LOG_LEVEL_INFO, "test");
	log_debug("not shown");
	log_info("a\nforged line");
	log_error("%s", long_text);
	log_open(STDERR_FILENO, LOG_LEVEL_INFO, "");
	assert_ok(file_read(dirfd_, "log", 10000, &b, &err));
	assert_non_null(strstr(b.data, "Z info    test: a forged line\n"));
	assert_non_null(strstr(b.data, "x...\n"));
	assert_int_equal(b.data[b.len - 1], '\n');
	assert_null(strstr(b.data, "not shown"));
}

static void a_place_is_known_by_what_it_does(void **state)
{
	int place = open("/proc/self/exe", O_PATH | O_CLOEXEC), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int top = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char byte;

	assert_true(place >= 0 && file >= 0 && top >= 0);
	/* A kernel without O_PATH has opened it. */
	assert_int_equal(fd_is_path(place), read(place, &byte, 1) < 0);
	assert_false(fd_is_path(file));
	assert_false(fd_is_path(top));
	assert_int_equal(lseek(file, 0, SEEK_CUR), 0);
	close(place);
	close(file);
	close(top);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read_with_a_ceiling),
		cmocka_unit_test(a_replaced_file_has_the_mode_and_no_rest),
		cmocka_unit_test(writers_of_one_file_never_mix),
		cmocka_unit_test(a_killed_writer_leaves_the_old_or_the_new),
		cmocka_unit_test(kernel_files_are_written_in_one_go),
		cmocka_unit_test(a_lock_excludes_until_its_fd_closes),
		cmocka_unit_test(all_but_the_kept_descriptors_are_closed),
		cmocka_unit_test(descriptors_travel_with_their_bytes),
		cmocka_unit_test(sockets_live_at_paths_of_any_length),
		cmocka_unit_test(a_log_line_is_one_line),
		cmocka_unit_test(a_place_is_known_by_what_it_does),
	};

	return cmocka_run_group_tests_name("fd", tests, setup, teardown);
}
