/*
 * t_shim - pouch-shim as pouchd drives it, with real containers
 */
#include "tests/unit/shim_box.h"

/* ---- life and exit ----------------------------------------------------------------------------------------------------- */

static void an_exit_status_is_on_disk_before_anybody_is_told(void **state)
{
	struct err err = ERR_INIT;
	struct shim_watch *watch;
	struct shim_event event;
	struct shim_exit e;
	struct box b;
	int rc;

	box_init(&b);
	b.o.sync_exit = true;
	box_create(&b, "echo out; echo err >&2; exit 7");
	assert_ok(shim_watch_open(b.shim, &watch, &err));
	box_start(&b);
	do {
		struct pollfd p = {.fd = shim_watch_fd(watch), .events = POLLIN};

		assert_int_equal(poll(&p, 1, 10000), 1);
		rc = shim_watch_next(watch, &event, &err);
		assert_ok(rc);
	} while (!rc);
	assert_int_equal(event.kind, SHIM_EVENT_EXIT);
	assert_int_equal(event.exit->exit_code, 7);
	assert_int_equal(event.exit->pid, b.pid);
	assert_ok(shim_exit_read(b.o.exit_file, &e, &err));
	assert_int_equal(e.exit_code, 7);
	assert_int_equal(e.signal, 0);
	assert_false(e.oom_killed);
	assert_true(e.finished >= e.started && e.started > 0);
	json_clear(&shim_event_table, &event);
	assert_ok(shim_delete(b.shim, &err));
	assert_int_equal(shim_watch_next(watch, &event, &err), -EPIPE);
	shim_watch_close(watch);
	assert_box_left_nothing(&b);
	box_clear(&b);
}

static void both_streams_are_in_the_log(void **state)
{
	struct box b;

	box_init(&b);
	box_run(&b, "echo one; echo two >&2; printf three");
	box_wait(&b);
	{
		auto_free char *out = box_log(&b, true, false, NULL), *errs = box_log(&b, false, true, NULL);

		assert_string_equal(out, "one\nthree");
		assert_string_equal(errs, "two\n");
	}
	box_clear(&b);
}

static void a_signal_gives_128_and_its_number(void **state)
{
	struct err err = ERR_INIT;
	struct shim_exit e;
	struct box b;

	box_init(&b);
	box_run(&b, "sleep 100 & wait");
	assert_ok(shim_kill(b.shim, SIGKILL, false, &err));
	e = box_wait(&b);
	assert_int_equal(e.exit_code, 137);
	assert_int_equal(e.signal, SIGKILL);
	assert_refused(shim_kill(b.shim, SIGKILL, false, &err), ERR_CONFLICT);
	box_clear(&b);
}

static void a_container_outlives_its_daemon(void **state)
{
	struct err err = ERR_INIT;
	struct shim_state st;
	struct box b;

	box_init(&b);
	box_run(&b, "echo before; sleep 0.3; echo after; exit 3");
	shim_close(b.shim);
	b.shim = NULL;
	assert_ok(shim_open(b.dir, &b.shim, &err));
	assert_ok(shim_get_state(b.shim, &st, &err));
	assert_string_equal(st.status, "running");
	assert_int_equal(st.pid, b.pid);
	assert_int_equal(st.version, SHIM_VERSION);
	json_clear(&shim_state_table, &st);
	shim_close(b.shim);
	b.shim = NULL;
	assert_int_equal(box_wait(&b).exit_code, 3);
	assert_box_left_nothing(&b);
	assert_refused(shim_open(b.dir, &b.shim, &err), ERR_NOT_FOUND);
	{
		auto_free char *out = box_log(&b, true, true, NULL);

		assert_string_equal(out, "before\nafter\n");
	}
	box_clear(&b);
}

static void a_shim_without_a_container_ends_with_its_daemon(void **state)
{
	auto_free char *sock = NULL;
	struct box b;

	box_init(&b);
	box_spawn(&b);
	shim_close(b.shim);
	b.shim = NULL;
	sock = xfmt("%s/shim.sock", b.dir);
	for (int i = 0; i < 300; i++) {
		struct shim *again = NULL;
		struct err err = ERR_INIT;

		if (shim_open(b.dir, &again, &err) < 0 && err.kind == ERR_NOT_FOUND)
			break;
		shim_close(again);
		usleep(10000);
		assert_true(i < 299);
	}
	box_clear(&b);
}

static void a_failed_create_leaves_nothing(void **state)
{
	struct err err = ERR_INIT;
	struct box b;

	box_init(&b);
	box_config(&b, "true");
	str_set(&b.o.bundle, "/nonexistent");
	box_spawn(&b);
	assert_true(shim_create(b.shim, &b.o, &b.pid, &err) < 0);
	assert_non_null(strstr(err.msg, "nonexistent"));
	shim_close(b.shim);
	b.shim = NULL;
	assert_box_left_nothing(&b);
	box_clear(&b);
}

static void a_missing_program_is_not_found(void **state)
{
	struct err err = ERR_INIT;
	auto_free char *path = NULL;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct box b;
	char *at;
	int rc;

	box_init(&b);
	box_config(&b, "true");
	path = xfmt("%s/config.json", b.dir);
	assert_ok(file_read(AT_FDCWD, path, 1 << 20, &text, &err));
	at = strstr(text.data, "\"sh\"");
	memcpy(at, "\"zz\"", 4);
	assert_ok(file_write(AT_FDCWD, path, text.data, text.len, 0600, &err));
	box_spawn(&b);
	rc = shim_create(b.shim, &b.o, &b.pid, &err);
	if (rc == 0)
		rc = shim_start(b.shim, &err);
	assert_true(rc < 0);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	shim_close(b.shim);
	b.shim = NULL;
	assert_box_left_nothing(&b);
	box_clear(&b);
}

static void a_created_container_can_be_deleted(void **state)
{
	struct err err = ERR_INIT;
	struct box b;

	box_init(&b);
	box_create(&b, "true");
	assert_ok(shim_delete(b.shim, &err));
	for (int i = 0; i < 300 && kill(b.pid, 0) == 0; i++)
		usleep(10000);
	assert_int_equal(kill(b.pid, 0), -1);
	assert_box_left_nothing(&b);
	box_clear(&b);
}

static void a_running_container_is_not_deleted(void **state)
{
	struct err err = ERR_INIT;
	struct box b;

	box_init(&b);
	box_run(&b, "sleep 100");
	assert_refused(shim_delete(b.shim, &err), ERR_CONFLICT);
	box_clear(&b);
}

static void memory_kills_are_told(void **state)
{
	struct shim_exit e;
	struct box b;

	if (access("/sys/fs/cgroup/memory", F_OK) < 0) {
		print_message("no v1 memory controller\n");
		skip();
	}
	box_init(&b);
	b.resources = "\"memory\":{\"limit\":8388608}";
	box_run(&b, "x=$(yes | head -c 40000000); echo ${#x}");
	e = box_wait(&b);
	assert_true(e.oom_killed);
	assert_int_equal(e.exit_code, 137);
	box_clear(&b);
}

static void strays_of_a_shared_pid_namespace_are_killed(void **state)
{
	struct box b;

	box_init(&b);
	b.host_pid = true;
	box_run(&b, "(sleep 1000) & echo started; exit 4");
	assert_int_equal(box_wait(&b).exit_code, 4);
	shim_close(b.shim);
	b.shim = NULL;
	assert_box_left_nothing(&b);
	box_clear(&b);
}

static void a_paused_container_stands_still(void **state)
{
	struct err err = ERR_INIT;
	struct shim_state st;
	struct box b;

	box_init(&b);
	box_run(&b, "while true; do echo x; sleep 0.01; done");
	assert_ok(shim_pause(b.shim, &err));
	assert_refused(shim_pause(b.shim, &err), ERR_CONFLICT);
	usleep(50000);
	assert_ok(shim_get_state(b.shim, &st, &err));
	assert_string_equal(st.status, "paused");
	{
		auto_free char *first = box_log(&b, true, true, NULL);
		auto_free char *second = NULL;

		usleep(150000);
		second = box_log(&b, true, true, NULL);
		assert_string_equal(first, second);
	}
	json_clear(&shim_state_table, &st);
	assert_ok(shim_resume(b.shim, &err));
	box_clear(&b);
}

static void a_paused_container_can_be_killed(void **state)
{
	struct err err = ERR_INIT;
	struct box b;

	box_init(&b);
	box_run(&b, "sleep 100");
	assert_ok(shim_pause(b.shim, &err));
	assert_ok(shim_kill(b.shim, SIGKILL, false, &err));
	assert_int_equal(box_wait(&b).exit_code, 137);
	box_clear(&b);
}

static void a_full_disk_does_not_stop_the_container(void **state)
{
	auto_free char *small = xfmt("%s/small", box_top), *text = NULL, *line;
	struct err err = ERR_INIT;
	struct shim_watch *watch;
	struct shim_event event;
	struct shim_exit e;
	struct box b;
	long last = 0;

	assert_ok(path_mkdirs(small, 0755, &err));
	if (mount("tmpfs", small, "tmpfs", 0, "size=256k") < 0) {
		print_message("cannot mount a tmpfs: %s\n", strerror(errno));
		skip();
	}
	box_init(&b);
	free(b.o.log.path);
	b.o.log.path = xfmt("%s/json.log", small);
	box_create(&b, "seq 1 50000; exit 5");
	assert_ok(shim_watch_open(b.shim, &watch, &err));
	box_start(&b);
	e = box_wait(&b);
	assert_int_equal(e.exit_code, 5);
	assert_true(e.log_dropped > 40000 && e.log_dropped < 50000);
	assert_int_equal(shim_watch_next(watch, &event, &err), 1);
	assert_int_equal(event.kind, SHIM_EVENT_LOG_ERROR);
	assert_non_null(strstr(event.error, "No space"));
	json_clear(&shim_event_table, &event);
	shim_watch_close(watch);
	text = box_log(&b, true, true, NULL);
	for (line = text; *line && line[1]; last++)
		assert_int_equal(strtol(line, &line, 10), last + 1);
	line = NULL;
	assert_int_equal(last, 50000 - (long)e.log_dropped);
	box_clear(&b);
	(void)umount2(small, MNT_DETACH);
}

static void limits_change_while_it_runs(void **state)
{
	struct err err = ERR_INIT;
	struct box b;

	box_init(&b);
	box_run(&b, "sleep 100");
	assert_ok(shim_update(b.shim, "{\"cpu\":{\"shares\":333}}", &err));
	{
		auto_free char *path = xfmt("/sys/fs/cgroup/cpu/%s/cpu.shares", b.o.cgroup);
		AUTO(buf_clear) struct buf text = BUF_INIT;

		if (file_read(AT_FDCWD, path, 100, &text, &err) == 0)
			assert_string_equal(buf_cstr(&text), "333\n");
	}
	assert_true(shim_update(b.shim, "{\"cpu\":7}", &err) < 0);
	box_clear(&b);
}

static void a_user_without_rights_may_open_its_stdout(void **state)
{
	struct box b;

	box_init(&b);
	b.uid = "1000";
	box_run(&b, "echo again > /proc/self/fd/1; echo $?");
	box_wait(&b);
	{
		auto_free char *out = box_log(&b, true, false, NULL);

		assert_string_equal(out, "again\n0\n");
	}
	box_clear(&b);
}

/* ---- protocol ---------------------------------------------------------------------------------------------------------- */

static void hostile_bytes_close_the_connection_only(void **state)
{
	struct err err = ERR_INIT;
	auto_free char *sock = NULL;
	struct shim_state st;
	struct box b;

	box_init(&b);
	box_run(&b, "sleep 100");
	sock = xfmt("%s/shim.sock", b.dir);
	for (int i = 0; i < 300; i++) {
		AUTO(buf_clear) struct buf frame = BUF_INIT;
		char noise[600];
		int fd = -1, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
		int fds[4] = {null, null, null, null};

		random_bytes(noise, sizeof(noise));
		assert_ok(unix_connect(sock, &fd, &err));
		shim_frame_print(&frame, (enum shim_type)(i % 40), (size_t)(i % 7), NULL, NULL, noise, (size_t)(i % 500));
		if (i % 3 == 0)
			frame.data[(unsigned char)noise[0] % frame.len] ^= (char)(1 + i);
		(void)fd_send(fd, frame.data, i % 5 ? frame.len : frame.len / 2, fds, (size_t)(i % 5));
		if (i % 2)
			(void)send(fd, noise, sizeof(noise), MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		close(null);
	}
	assert_ok(shim_get_state(b.shim, &st, &err));
	assert_int_equal(st.pid, b.pid);
	(void)shim_resume(b.shim, &err);	/* some of it may have been good requests */
	json_clear(&shim_state_table, &st);
	box_clear(&b);
}

static void an_unknown_request_is_unsupported(void **state)
{
	struct err err = ERR_INIT;
	AUTO(buf_clear) struct buf frame = BUF_INIT;
	struct shim_input in = {0};
	auto_free char *sock = NULL;
	struct shim_frame f;
	struct box b;
	int fd = -1;

	box_init(&b);
	box_spawn(&b);
	sock = xfmt("%s/shim.sock", b.dir);
	assert_ok(unix_connect(sock, &fd, &err));
	shim_frame_print(&frame, (enum shim_type)999, 0, NULL, NULL, NULL, 0);
	shim_frame_print(&frame, SHIM_STATE, 0, NULL, NULL, NULL, 0);
	assert_ok(fd_send(fd, frame.data, frame.len, NULL, 0));
	for (int i = 0; i < 2; i++) {
		while (shim_input_next(&in, &f, &err) == 0)
			assert_true(shim_input_fill(&in, fd) > 0);
		assert_int_equal(f.type, i ? SHIM_OK : SHIM_ERROR);
	}
	shim_input_clear(&in);
	close(fd);
	box_clear(&b);
}

/* ---- size -------------------------------------------------------------------------------------------------------------- */

static long pss_kib(pid_t pid)
{
	auto_free char *path = xfmt("/proc/%d/smaps_rollup", (int)pid);
	auto_fclose FILE *f = fopen(path, "r");
	char line[200];
	long kib = -1;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Pss: %ld kB", &kib) == 1)
			break;
	return kib;
}

static void an_idle_shim_is_small(void **state)
{
	enum { TARGET_KIB = 250 };
	char built[sizeof(box_shim)], release[sizeof(box_shim) + 16];
	struct err err = ERR_INIT;
	struct shim_state st;
	struct box b;
	long kib = -1;

	memcpy(built, box_shim, sizeof(built));
	snprintf(release, sizeof(release), "%.*s/static/pouch-shim", (int)(strlen(built) - 11), built);
	if (access(release, X_OK) < 0) {
		print_message("the release build is not there (make static)\n");
		skip();
	}
	(void)str_fmt(box_shim, sizeof(box_shim), "%s", release);	/* it would not be found else */
	box_init(&b);
	box_run(&b, "echo ready; sleep 100");
	assert_ok(shim_get_state(b.shim, &st, &err));
	for (int i = 0; i < 50 && (kib < 0 || kib > TARGET_KIB); i++) {
		usleep(100000);
		kib = pss_kib(st.shim_pid);
	}
	json_clear(&shim_state_table, &st);
	box_clear(&b);
	memcpy(box_shim, built, sizeof(built));
	if (kib < 0) {
		print_message("this kernel has no smaps_rollup\n");
		skip();
	}
	print_message("PSS of one shim alone: %ld KiB\n", kib);
	assert_true(kib <= TARGET_KIB);
}

/* ---- the daemon dies --------------------------------------------------------------------------------------------------- */

static void assert_log_is_whole(struct box *b, int lines)
{
	auto_free char *text = box_log(b, true, true, NULL), *line = text;

	for (int i = 1; i <= lines; i++)
		assert_int_equal(strtol(line, &line, 10), i);
	assert_string_equal(line, "\n");
	line = NULL;
}

/* What a new daemon does with what it finds. Returns the state that it found. */
static char recover(struct box *b, int lines)
{
	struct err err = ERR_INIT;
	struct shim_state st = {0};
	struct shim_exit e;
	char found;

	b->shim = NULL;
	if (shim_open(b->dir, &b->shim, &err) < 0 || shim_get_state(b->shim, &st, &err) < 0) {
		assert_true(err.kind == ERR_NOT_FOUND || err.kind == ERR_UNAVAILABLE);
		found = shim_exit_read(b->o.exit_file, &e, &err) == 0 ? 'x' : '-';
	} else {
		found = st.status[0];
	}
	if (found == 'c')
		assert_ok(shim_delete(b->shim, &err));
	if (found == 'r' || found == 's' || found == 'x') {
		assert_int_equal(box_wait(b).exit_code, 42);
		assert_log_is_whole(b, lines);
	}
	json_clear(&shim_state_table, &st);
	shim_close(b->shim);
	b->shim = NULL;
	assert_box_left_nothing(b);
	return found;
}

static void nothing_is_lost_when_the_daemon_is_killed(void **state)
{
	enum { ROUNDS = 60, LINES = 2000 };
	char seen[ROUNDS + 1] = "";
	unsigned int seed = 42;

	for (int i = 0; i < ROUNDS; i++) {
		struct box b;
		pid_t daemon;

		box_init(&b);
		box_config(&b, "seq 1 2000; exit 42");
		daemon = fork();
		if (daemon == 0) {
			struct err err = ERR_INIT;
			const struct shim_start start = {.program = box_shim, .dir = b.dir, .id = b.id};

			if (shim_spawn(&start, &b.shim, &err) == 0 && shim_create(b.shim, &b.o, &b.pid, &err) == 0)
				(void)shim_start(b.shim, &err);
			pause();
		}
		usleep((useconds_t)(rand_r(&seed) % 12000));
		kill(daemon, SIGKILL);
		waitpid(daemon, NULL, 0);
		seen[i] = recover(&b, LINES);
		box_clear(&b);
	}
	print_message("found: %s\n", seen);
}

/* ---- namespaces that cannot be joined ---------------------------------------------------------------------------------- */

/* Without them this kernel joins none, and the comparison has nothing to look at. */
static void needs_shown_namespaces(void)
{
	if (access("/proc/self/ns/ipc", F_OK) == 0)
		return;
	print_message("this kernel does not show namespaces\n");
	skip();
}

static bool same_namespace(pid_t a, pid_t b, const char *kind)
{
	char path[2][64], link[2][64] = {"", ""};

	snprintf(path[0], sizeof(path[0]), "/proc/%d/ns/%s", (int)a, kind);
	snprintf(path[1], sizeof(path[1]), "/proc/%d/ns/%s", (int)b, kind);
	for (int i = 0; i < 2; i++)
		assert_true(readlink(path[i], link[i], sizeof(link[i]) - 1) > 0);
	return !strcmp(link[0], link[1]);
}

static void share(struct box *b, struct box *with, const char *kind)
{
	box_init(b);
	b->beside = with;
	strv_add(&b->kinds, kind);
	strv_add(&b->o.entered, kind);
}

static void a_shim_starts_another_beside_it(void **state)
{
	auto_free char *hide = xfmt("POUCH_HIDE=setns%s%s", getenv("POUCH_HIDE") ? "," : "", getenv("POUCH_HIDE") ? getenv("POUCH_HIDE") : "");
	char *const env[] = {hide, NULL};
	auto_free char *ipc = NULL;
	struct box first, second, third;

	needs_shown_namespaces();
	box_init(&first);
	first.env = env;
	box_run(&first, "sleep 1000");
	ipc = xfmt(",\"path\":\"/proc/%d/ns/ipc\"", (int)first.pid);
	share(&second, &first, "ipc");
	second.ipc = ipc;
	box_run(&second, "sleep 1000");
	assert_true(same_namespace(first.pid, second.pid, "ipc"));
	assert_false(same_namespace(first.pid, getpid(), "ipc"));
	assert_false(same_namespace(first.pid, second.pid, "uts"));
	assert_true(same_namespace(second.pid, getpid(), "net"));	/* nobody has another */
	box_clear(&first);
	/* Which shim it was that started the next does not matter. */
	share(&third, &second, "ipc");
	third.ipc = ipc;
	box_run(&third, "exit 7");
	assert_int_equal(box_wait(&third).exit_code, 7);
	box_clear(&third);
	assert_true(kill(second.pid, 0) == 0);
	box_clear(&second);
}

static void a_shim_starts_none_where_it_is_not_itself(void **state)
{
	static const struct {
		const char *kind;
		enum err_kind refusal;
	} rows[] = {{"ipc", ERR_UNSUPPORTED}, {"pid", ERR_UNSUPPORTED}, {"nonsense", ERR_INVALID}};
	struct err err = ERR_INIT;
	struct box first, second;

	needs_shown_namespaces();
	box_init(&first);
	box_run(&first, "sleep 1000");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *sock = NULL;

		share(&second, &first, rows[i].kind);
		assert_refused(box_try_spawn(&second, &err), rows[i].refusal);
		sock = xfmt("%s/shim.sock", second.dir);
		assert_int_equal(access(sock, F_OK), -1);
		box_clear(&second);
	}
	box_clear(&first);
	share(&second, &first, "ipc");
	assert_refused(box_try_spawn(&second, &err), ERR_NOT_FOUND);
	box_clear(&second);
}

/* ---- other runtimes ---------------------------------------------------------------------------------------------------- */

static void run_with(const char *runtime)
{
	struct shim_exec e = {.id = (char *)"o", .want_stdin = true, .want_stdout = true};
	auto_free char *raw = NULL, *text = NULL, *log = NULL;
	struct err err = ERR_INIT;
	struct box b;
	size_t len;
	int fd;

	if (access(runtime, X_OK) < 0) {
		print_message("%s is not installed\n", runtime);
		skip();
	}
	box_init(&b);
	str_set(&b.o.runtime, runtime);
	box_config(&b, "echo hello; while true; do sleep 0.02; done");
	box_spawn(&b);
	if (shim_create(b.shim, &b.o, &b.pid, &err) < 0 && strstr(err.msg, "hybrid")) {
		print_message("it refuses this host's cgroups: %s\n", err.msg);
		box_clear(&b);
		skip();
	}
	assert_true(b.pid > 0);
	box_start(&b);
	fd = exec_start(&b, &e, "echo from exec; exit 3", NULL);
	len = read_all(fd, &raw);
	text = unframe(raw, len, 1);
	assert_string_equal(text, "from exec\n");
	assert_int_equal(exec_code(&b, "o"), 3);
	close(fd);
	assert_ok(shim_pause(b.shim, &err));
	assert_ok(shim_resume(b.shim, &err));
	assert_ok(shim_kill(b.shim, SIGKILL, false, &err));
	assert_int_equal(box_wait(&b).exit_code, 137);
	log = box_log(&b, true, true, NULL);
	assert_string_equal(log, "hello\n");
	assert_ok(shim_delete(b.shim, &err));
	assert_box_left_nothing(&b);
	box_clear(&b);
}

static void no_other_runtime_without_a_subreaper(void **state)
{
	struct err err = ERR_INIT;
	struct box b;

	box_init(&b);
	str_set(&b.o.runtime, "/usr/sbin/runc");
	box_config(&b, "true");
	setenv("POUCH_HIDE", "subreaper", 1);
	box_spawn(&b);
	unsetenv("POUCH_HIDE");
	assert_refused(shim_create(b.shim, &b.o, &b.pid, &err), ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "subreaper"));
	box_clear(&b);
}

static void runc_is_kept_too(void **state)
{
	run_with("/usr/sbin/runc");
}

static void crun_is_kept_too(void **state)
{
	run_with("/usr/bin/crun");
}

static void these_tests_can_run(void **state)
{
	const char *why_not = box_setup();

	if (!why_not)
		return;
	print_message("%s\n", why_not);
	skip();
}

int main(void)
{
	static const struct CMUnitTest first[] = {cmocka_unit_test(these_tests_can_run)};
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exit_status_is_on_disk_before_anybody_is_told),
		cmocka_unit_test(both_streams_are_in_the_log),
		cmocka_unit_test(a_signal_gives_128_and_its_number),
		cmocka_unit_test(a_container_outlives_its_daemon),
		cmocka_unit_test(a_shim_without_a_container_ends_with_its_daemon),
		cmocka_unit_test(a_failed_create_leaves_nothing),
		cmocka_unit_test(a_missing_program_is_not_found),
		cmocka_unit_test(a_created_container_can_be_deleted),
		cmocka_unit_test(a_running_container_is_not_deleted),
		cmocka_unit_test(memory_kills_are_told),
		cmocka_unit_test(strays_of_a_shared_pid_namespace_are_killed),
		cmocka_unit_test(a_paused_container_stands_still),
		cmocka_unit_test(a_paused_container_can_be_killed),
		cmocka_unit_test(a_full_disk_does_not_stop_the_container),
		cmocka_unit_test(limits_change_while_it_runs),
		cmocka_unit_test(a_user_without_rights_may_open_its_stdout),
		cmocka_unit_test(hostile_bytes_close_the_connection_only),
		cmocka_unit_test(an_unknown_request_is_unsupported),
		cmocka_unit_test(an_idle_shim_is_small),
		cmocka_unit_test(nothing_is_lost_when_the_daemon_is_killed),
		cmocka_unit_test(a_shim_starts_another_beside_it),
		cmocka_unit_test(a_shim_starts_none_where_it_is_not_itself),
		cmocka_unit_test(no_other_runtime_without_a_subreaper),
		cmocka_unit_test(runc_is_kept_too),
		cmocka_unit_test(crun_is_kept_too),
	};
	int rc = cmocka_run_group_tests(first, NULL, NULL);

	signal(SIGPIPE, SIG_IGN);
	if (rc == 0 && box_top[0])
		rc = cmocka_run_group_tests(tests, NULL, NULL);
	box_teardown();
	return rc;
}
