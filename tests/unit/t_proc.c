/*
 * t_proc.c - processes: start, run, know again; signal names
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

static struct err err;

static int run(const char *script, const char *input, struct buf *out, struct buf *errout, int ms,
	       int *status)
{
	char *argv[] = {"/bin/sh", "-c", (char *)script, NULL};

	return proc_run(argv, input, out, errout, ms, status, &err);
}

static void a_program_runs_with_its_input_and_outputs(void **state)
{
	AUTO(buf_clear) struct buf out = BUF_INIT, errout = BUF_INIT;
	int status;

	assert_ok(run("cat; echo oops >&2; exit 3", "in", &out, &errout, 5000, &status));
	assert_string_equal(out.data, "in");
	assert_string_equal(errout.data, "oops\n");
	assert_int_equal(proc_exit_code(status), 3);
	assert_ok(run("kill -9 $$", NULL, NULL, NULL, 0, &status));
	assert_int_equal(proc_exit_code(status), 137);
	assert_ok(run("readlink /proc/self/fd/0 /proc/self/fd/2", NULL, &out, NULL, 0, &status));
	assert_non_null(strstr(out.data, "/dev/null\n/dev/null\n"));
}

static void much_output_and_a_deaf_program_do_not_hang(void **state)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	auto_free char *input = malloc(1 << 20);
	int status;

	memset(input, 'x', 1 << 20);
	input[(1 << 20) - 1] = '\0';
	assert_ok(run("head -c 3000000 /dev/zero", NULL, &out, NULL, 10000, &status));
	assert_int_equal(out.len, 1 << 20);
	assert_int_equal(status, 0);
	signal(SIGPIPE, SIG_DFL);
	assert_ok(run("exec <&-; sleep 0.1", input, NULL, NULL, 10000, &status));
	assert_int_equal(status, 0);
	buf_reset(&out);
	assert_ok(run("cat", input, &out, NULL, 10000, &status));
	assert_int_equal(out.len, (1 << 20) - 1);
}

static void a_timeout_kills_with_its_children(void **state)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int64_t start = time_mono_ms();
	int status;

	assert_int_equal(run("sleep 30 & echo $!; wait", NULL, &out, NULL, 300, &status), -ETIMEDOUT);
	assert_true(time_mono_ms() - start < 5000);
	usleep(20000);
	{
		struct proc_ref ref = {.pid = atoi(out.data)};

		assert_true(ref.pid > 1);
		assert_false(proc_ref_get(ref.pid, &ref) == 0 && proc_ref_alive(&ref));
	}
}

static void a_daemon_left_behind_does_not_hold_the_caller(void **state)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int64_t start = time_mono_ms();
	int status;

	assert_ok(run("echo started; sleep 3 &", NULL, &out, NULL, 10000, &status));
	assert_true(time_mono_ms() - start < 2000);
	assert_string_equal(out.data, "started\n");
}

static void what_cannot_start_says_so(void **state)
{
	char *argv[] = {"/nonexistent/program", NULL};
	int status;

	assert_int_equal(proc_run(argv, NULL, NULL, NULL, 0, &status, &err), -ENOENT);
	assert_string_equal(err.msg, "start '/nonexistent/program': No such file or directory");
}

static void descriptors_may_overlap_in_any_way(void **state)
{
	int pipes[3][2], status;
	char *argv[] = {"sh", "-c", "echo a >&3; echo b >&4; echo c >&1", NULL};
	struct proc_fd fds[3];
	const struct proc_spawn spawn = {.path = "sh", .argv = argv, .fds = fds, .fd_count = 3};
	char text[8];
	pid_t pid;

	for (int i = 0; i < 3; i++)
		assert_int_equal(pipe2(pipes[i], O_CLOEXEC), 0);
	/* Swap 3 and 4, whatever they are now. */
	for (int i = 0; i < 2; i++) {
		int saved = fcntl(pipes[i][1], F_DUPFD_CLOEXEC, 100);

		close(pipes[i][1]);
		pipes[i][1] = saved;
	}
	fds[0] = (struct proc_fd){.from = pipes[0][1], .to = pipes[1][1]};
	fds[1] = (struct proc_fd){.from = pipes[1][1], .to = pipes[0][1]};
	fds[2] = (struct proc_fd){.from = pipes[2][1], .to = 1};
	/* dash knows one digit only. */
	argv[2] = xfmt("echo a >/proc/self/fd/%d; echo b >/proc/self/fd/%d; echo c", fds[0].to,
		       fds[1].to);
	assert_ok(proc_spawn(&spawn, &pid, &err));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read(pipes[i][0], text, 1), 1);
		assert_int_equal(text[0], "abc"[i]);
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	free(argv[2]);
}

static void a_child_starts_clean(void **state)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	auto_free char *script = NULL;
	sigset_t all;
	int status, leak;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGPIPE, SIG_IGN);
	leak = open("/dev/null", O_RDONLY | O_CLOEXEC);
	script = xfmt("grep -E '^Sig(Blk|Ign)' /proc/self/status; test ! -e /proc/$$/fd/%d", leak);
	assert_ok(run(script, NULL, &out, NULL, 0, &status));
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close(leak);
	assert_int_equal(status, 0);
	assert_non_null(strstr(out.data, "SigBlk:\t0000000000000000"));
	/* glibc leaves its own two signals, 32 and 33, ignored. */
	assert_true(strstr(out.data, "SigIgn:\t0000000000000000") ||
		    strstr(out.data, "SigIgn:\t0000000180000000"));
}

static void check_ref(void)
{
	struct proc_ref ref, other;
	int status;
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	assert_int_equal(proc_ref_get(pid, &ref), 0);
	assert_true(proc_ref_alive(&ref));
	assert_int_equal(proc_ref_kill(&ref, 0), 0);

	/* A later process of the same pid. */
	other = ref;
	other.start++;
	assert_false(proc_ref_alive(&other));
	assert_int_equal(proc_ref_kill(&other, SIGKILL), -ESRCH);

	assert_int_equal(proc_ref_kill(&ref, SIGTERM), 0);
	waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
	assert_false(proc_ref_alive(&ref));	/* a zombie */
	waitpid(pid, &status, 0);
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_int_equal(proc_ref_kill(&ref, SIGTERM), -ESRCH);
	assert_int_equal(proc_ref_get(pid, &ref), -ESRCH);
	ref.pid = 0;
	assert_int_equal(proc_ref_kill(&ref, SIGTERM), -ESRCH);
	ref.pid = -1;
	assert_int_equal(proc_ref_kill(&ref, SIGTERM), -ESRCH);
}

static void a_process_is_not_taken_for_a_later_one(void **state)
{
	check_ref();
	hide_add("pidfd");
	check_ref();
}

/* A process without a free descriptor cannot read /proc. */
static void nobody_is_dead_because_nothing_can_be_read(void **state)
{
	struct rlimit before, none;
	struct proc_ref ref;
	pid_t pid = fork();
	bool alive;
	int rc;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(proc_ref_get(pid, &ref), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	alive = proc_ref_alive(&ref);
	rc = proc_ref_kill(&ref, SIGKILL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(alive);
	assert_int_equal(rc, -EMFILE);	/* whose process it is cannot be known: it is left alone, and that is said */
	assert_int_equal(proc_ref_kill(&ref, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	alive = proc_ref_alive(&ref);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_false(alive);
}

static void signals_have_names_numbers_and_aliases(void **state)
{
	static const struct {
		const char *name;
		int sig;
	} cases[] = {
		{"TERM", SIGTERM}, {"SIGTERM", SIGTERM}, {"sigterm", SIGTERM}, {"15", 15},
		{"KILL", 9},	   {"64", 64},		 {"RTMIN", 34},	      {"SIGRTMIN+3", 37},
		{"RTMAX", 64},	   {"RTMAX-1", 63},	 {"CLD", SIGCHLD},    {"IOT", SIGABRT},
		{"", -EINVAL},	   {"0", -EINVAL},	 {"65", -EINVAL},     {"-9", -EINVAL},
		{"NOPE", -EINVAL}, {"SIG", -EINVAL},	 {"RTMIN+31", -EINVAL}, {"RTMIN-1", -EINVAL},
		{"9 ", -EINVAL},   {NULL, -EINVAL},	 {"RTMIN+", -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (signal_parse(cases[i].name) != cases[i].sig)
			fail_msg("'%s'", cases[i].name);
	for (int sig = 1; sig <= 64; sig++)
		if (signal_name(sig))
			assert_int_equal(signal_parse(signal_name(sig)), sig);
	assert_string_equal(signal_name(9), "SIGKILL");
	assert_null(signal_name(0));
	assert_null(signal_name(65));
	assert_null(signal_name(33));
}

static void siblings_are_found_where_told(void **state)
{
	auto_free char *path = NULL;
	char boot[37];

	setenv("POUCH_LIBEXEC", "/bin", 1);
	assert_ok(proc_sibling("sh", &path, &err));
	assert_string_equal(path, "/bin/sh");
	assert_int_equal(proc_sibling("no-such-program", &path, &err), -ENOENT);
	unsetenv("POUCH_LIBEXEC");
	free(take(path));
	assert_ok(proc_sibling("t_proc", &path, &err));
	assert_true(path[0] == '/');
	assert_refused(proc_sibling("no-such-program", &path, &err), ERR_NOT_FOUND);
	assert_ok(proc_boot_id(boot, &err));
	assert_int_equal(strlen(boot), 36);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_runs_with_its_input_and_outputs),
		cmocka_unit_test(much_output_and_a_deaf_program_do_not_hang),
		cmocka_unit_test(a_timeout_kills_with_its_children),
		cmocka_unit_test(a_daemon_left_behind_does_not_hold_the_caller),
		cmocka_unit_test(what_cannot_start_says_so),
		cmocka_unit_test(descriptors_may_overlap_in_any_way),
		cmocka_unit_test(a_child_starts_clean),
		cmocka_unit_test(a_process_is_not_taken_for_a_later_one),
		cmocka_unit_test(nobody_is_dead_because_nothing_can_be_read),
		cmocka_unit_test(signals_have_names_numbers_and_aliases),
		cmocka_unit_test(siblings_are_found_where_told),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
