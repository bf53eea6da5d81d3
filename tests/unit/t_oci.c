/*
 * t_oci.c - what config.json may say; and containers made in process, as the shim does it
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/oci/container.h"
#include "runtime/oci/exec.h"
#include "runtime/oci/spec.h"

/* ---- config.json: one change to a good one */

static const char good[] =
	"{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"},\"root\":{\"path\":\"r\"},"
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"}]}}";

static int parse(const char *text, struct err *err)
{
	AUTO(oci_spec_clear) struct oci_spec spec = {0};

	return oci_spec_parse(text, strlen(text), &spec, err);
}

static void a_small_config_is_enough(void **state)
{
	struct err err = ERR_INIT;

	assert_ok(parse(good, &err));
}

static void what_is_unknown_is_ignored(void **state)
{
	struct err err = ERR_INIT;

	assert_ok(parse("{\"ociVersion\":\"1.9.0\",\"tomorrow\":{\"a\":[1]},\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\",\"mood\":\"good\"},"
			"\"root\":{\"path\":\"r\",\"colour\":7},\"windows\":{},\"linux\":{\"namespaces\":[],\"later\":null}}", &err));
}

static void what_makes_no_sense_is_refused_by_name(void **state)
{
#define P "\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\""
#define R "\"root\":{\"path\":\"r\"}"
#define NS(more) "\"linux\":{\"namespaces\":[{\"type\":\"mount\"}" more "]"
	static const struct {
		const char *text, *says;
	} bad[] = {
		{"", "config.json"},
		{"[]", "config.json"},
		{"{" R "}", "ociVersion"},
		{"{\"ociVersion\":\"2.0.0\"," R "}", "ociVersion"},
		{"{\"ociVersion\":\"1\"," R "}", "ociVersion"},
		{"{\"ociVersion\":\"1.0.0\"}", "root"},
		{"{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}", "root.path"},
		{"{\"ociVersion\":\"1.0.0\"," R ",\"process\":{\"args\":[],\"cwd\":\"/\"}}", "process.args"},
		{"{\"ociVersion\":\"1.0.0\"," R ",\"process\":{\"args\":[\"a\"]}}", "process.cwd"},
		{"{\"ociVersion\":\"1.0.0\"," R "," P ",\"env\":[\"A\"]}}", "process.env"},
		{"{\"ociVersion\":\"1.0.0\"," R "," P ",\"oomScoreAdj\":1001}}", "oomScoreAdj"},
		{"{\"ociVersion\":\"1.0.0\"," R "," P ",\"user\":{\"umask\":512}}}", "umask"},
		{"{\"ociVersion\":\"1.0.0\"," R "," P ",\"user\":{\"additionalGids\":[-1]}}}", "additionalGids"},
		{"{\"ociVersion\":\"1.0.0\"," R "," P ",\"ioPriority\":{\"class\":\"x\"}}}", "ioPriority"},
		{"{\"ociVersion\":\"1.0.0\"," R ",\"hostname\":\"h\"," NS("") "}}", "hostname needs a uts namespace"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS(",{\"type\":\"user\"}") "}}", "uidMappings"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS(",{\"type\":\"x\"}") "}}", "linux.namespaces[1]"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS(",{\"type\":\"pid\",\"path\":\"x\"}") "}}", "absolute"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") ",\"devices\":[{\"type\":\"x\",\"path\":\"/d\"}]}}", "linux.devices[0]"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") ",\"sysctl\":{\"kernel.panic\":\"1\"}}}", "would change the host"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") ",\"sysctl\":{\"net//x\":\"1\"}}}", "sysctl"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS(",{\"type\":\"uts\"}") ",\"sysctl\":{\"kernel.hostname\":\"x\"}}}", "what hostname is for"},
		{"{\"ociVersion\":\"1.0.0\",\"domainname\":\"a\"," R "," NS(",{\"type\":\"uts\"}")
		 ",\"sysctl\":{\"kernel.domainname\":\"b\"}}}", "contradicts domainname"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") ",\"rootfsPropagation\":\"x\"}}", "rootfsPropagation"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") ",\"personality\":{\"domain\":\"x\"}}}", "personality"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") ",\"intelRdt\":{}}}", "intelRdt"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") ",\"timeOffsets\":{\"boottime\":{\"secs\":1}}}}", "timeOffsets"},
		{"{\"ociVersion\":\"1.0.0\"," R ",\"mounts\":[{\"destination\":\"/x\",\"type\":\"tmpfs\"}]}", "need a mount namespace"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") "},\"mounts\":[{\"destination\":\"/x\"}]}", "has no type"},
		{"{\"ociVersion\":\"1.0.0\"," R "," NS("") "},\"mounts\":[{\"destination\":\"/x\",\"type\":\"bind\"}]}", "needs a source"},
		{"{\"ociVersion\":\"1.0.0\"," R ",\"hooks\":{\"poststop\":[{\"path\":\"x\"}]}}", "hooks.poststop[0]"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err err = ERR_INIT;

		if (parse(bad[i].text, &err) == 0)
			fail_msg("accepted: %s", bad[i].text);
		if (!strstr(err.msg, bad[i].says))
			fail_msg("'%s' does not say '%s'", err.msg, bad[i].says);
	}
}

static void what_is_printed_parses_again(void **state)
{
	AUTO(oci_spec_clear) struct oci_spec spec = {0};
	AUTO(oci_spec_clear) struct oci_spec again = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(oci_spec_parse(good, strlen(good), &spec, &err));
	VEC_PUSH(&spec.process->user.additional_gids, 7);
	json_print(&oci_spec_table, &spec, JSON_PRINT_PRETTY, &text);
	assert_ok(oci_spec_parse(text.data, text.len, &again, &err));
	assert_int_equal(again.process->user.additional_gids.v[0], 7);
	assert_int_equal(again.linux_.namespaces.n, 2);
}

/* ---- containers */

static char dir[] = "/tmp/pouch-t-oci.XXXXXX";
static char root[100], bundle[100], id[40];

static int set_up(void **state)
{
	char command[1000];

	if (geteuid() != 0 || access("/bin/busybox", X_OK))
		return 0;
	if (!mkdtemp(dir))
		return -1;
	snprintf(root, sizeof(root), "%s/state", dir);
	snprintf(bundle, sizeof(bundle), "%s/bundle", dir);
	snprintf(id, sizeof(id), "t-oci-%d", getpid());
	snprintf(command, sizeof(command),
		 "mkdir -p %s/rootfs/bin && cd %s/rootfs && mkdir proc sys dev tmp && cp /bin/busybox bin && "
		 "for a in sh sleep cat stty echo mkdir tty; do ln -s busybox bin/$a; done", bundle, bundle);
	return system(command);
}

static int tear_down(void **state)
{
	struct err err = ERR_INIT;

	return *root ? path_remove_tree(dir, &err) : 0;
}

static void config(bool terminal, const char *script)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	auto_free char *path = path_join(bundle, "config.json");
	struct err err = ERR_INIT;

	if (!*root) {
		print_message("needs root and busybox-static\n");
		skip();
	}
	buf_fmt(&b, "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":%s,\"consoleSize\":{\"height\":33,\"width\":99},"
		"\"args\":[\"sh\",\"-c\",\"%s\"],\"cwd\":\"/\",\"env\":[\"PATH=/bin\"]},\"root\":{\"path\":\"rootfs\"},",
		terminal ? "true" : "false", script);
	buf_fmt(&b, "\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
		"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"newinstance\",\"ptmxmode=0666\"]}],"
		"\"linux\":{\"cgroupsPath\":\"/%s\",\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"ipc\"},"
		"{\"type\":\"uts\"},{\"type\":\"network\"}]}}", id);
	assert_ok(file_write(AT_FDCWD, path, b.data, b.len, 0600, &err));
}

static struct oci_create creation(void)
{
	struct oci_create c = OCI_CREATE_INIT;

	c.id = id;
	c.bundle = bundle;
	c.root = root;
	return c;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_fds(void)
{
	int n = 0;

	for (int i = 0; i < 256; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

static void a_container_lives_in_process(void **state)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct oci_create how = creation();
	struct err err = ERR_INIT;
	char text[10] = "";
	int out[2], fds;

	config(false, "read x; echo $x; exit 5");
	fds = open_fds();
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	how.stdio[1] = out[1];
	assert_ok(oci_create(&how, &c, &err));
	assert_int_equal(oci_container_status(c), OCI_CREATED);
	assert_ok(oci_start(c, &err));
	assert_int_equal(wait_for(oci_container_pid(c)), 5);
	assert_int_equal(read(out[0], text, sizeof(text)), 1); /* /dev/null was its input */
	assert_int_equal(oci_container_status(c), OCI_STOPPED);
	assert_ok(oci_delete(c, false, &err));
	close(out[0]);
	close(out[1]);
	oci_container_free(take(c));
	assert_int_equal(open_fds(), fds);
}

static bool reads(int fd, const char *want)
{
	char text[4096];
	size_t n = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	while (n < sizeof(text) - 1 && poll(&p, 1, 5000) > 0) {
		ssize_t got = read(fd, text + n, sizeof(text) - 1 - n);

		if (got <= 0)
			break;
		n += (size_t)got;
		text[n] = '\0';
		if (strstr(text, want))
			return true;
	}
	return false;
}

/* The exit code of an exec, whoever is its parent. */
static int ended(struct oci_exec_started *started)
{
	return started->exit_fd < 0 ? wait_for(started->pid) : proc_exit_code(oci_exec_status(started));
}

static void a_terminal_comes_back(void **state)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct oci_create how = creation();
	struct err err = ERR_INIT;
	auto_fd int console = -1;
	AUTO(oci_process_clear) struct oci_process process = {0};
	struct oci_exec exec = OCI_EXEC_INIT;
	struct oci_exec_started started = {0};

	config(true, "stty size; cat");
	assert_ok(oci_create(&how, &c, &err));
	console = oci_container_console(c);
	assert_true(console >= 0);
	assert_int_equal(oci_container_console(c), -1);
	assert_ok(oci_start(c, &err));
	assert_true(reads(console, "33 99"));

	/* And one for an exec. */
	assert_ok(oci_exec_defaults(c, &process, &err));
	assert_int_equal(process.args.n, 0);
	process.terminal = true;
	strv_add(&process.args, "sh");
	strv_add(&process.args, "-c");
	strv_add(&process.args, "tty; stty size; exit 3");
	process.console_size = xcalloc(1, sizeof(*process.console_size));
	*process.console_size = (struct oci_console_size){11, 22};
	assert_ok(oci_exec(c, &process, &exec, &started, &err));
	assert_true(started.console >= 0);
	assert_true(reads(started.console, "11 22"));
	assert_int_equal(ended(&started), 3);
	close(started.console);

	assert_ok(oci_kill(c, SIGKILL, false, &err));
	assert_int_equal(wait_for(oci_container_pid(c)), 137);
	assert_ok(oci_delete(c, false, &err));
}

static void a_terminal_goes_to_the_console_socket(void **state)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct oci_create how = creation();
	struct err err = ERR_INIT;
	int pair[2], fd = -1;
	size_t count = 1;
	char name[64] = "";

	config(true, "echo here");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	how.console_socket = pair[0];
	assert_ok(oci_create(&how, &c, &err));
	assert_true(fd_recv(pair[1], name, sizeof(name) - 1, &fd, &count) > 0);
	assert_string_equal(name, "/dev/pts/0");
	assert_int_equal(oci_container_console(c), -1);
	assert_ok(oci_start(c, &err));
	assert_true(reads(fd, "here"));
	wait_for(oci_container_pid(c));
	assert_ok(oci_delete(c, false, &err));
	close(fd);
	close(pair[0]);
	close(pair[1]);
}

static void it_is_found_again(void **state)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	AUTO(oci_container_free) struct oci_container *again = NULL;
	AUTO(strv_clear) struct strv list = {0};
	struct oci_create how = creation();
	struct err err = ERR_INIT;
	pid_vec pids = {0};

	config(false, "sleep 1000");
	how.start_by_other = true;
	assert_ok(oci_create(&how, &c, &err));
	assert_ok(oci_load(root, id, &again, &err));
	assert_int_equal(oci_container_pid(again), oci_container_pid(c));
	assert_int_equal(oci_container_status(again), OCI_CREATED);
	assert_ok(oci_start(again, &err));
	assert_int_equal(oci_container_status(again), OCI_RUNNING);
	assert_ok(oci_list(root, &list, &err));
	assert_int_equal(list.n, 1);
	assert_refused(oci_create(&how, &c, &err), ERR_CONFLICT);
	assert_ok(oci_pause(again, &err));
	assert_int_equal(oci_container_status(again), OCI_PAUSED);
	assert_ok(oci_resume(again, &err));
	assert_ok(oci_processes(again, &pids, &err));
	assert_true(pids.n >= 1);
	VEC_FREE(&pids);
	assert_ok(oci_delete(again, true, &err));
	wait_for(oci_container_pid(c));
	assert_refused(oci_load(root, id, &again, &err), ERR_NOT_FOUND);
}

static void a_failure_leaves_no_fd_and_no_child(void **state)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct oci_create how = creation();
	struct err err = ERR_INIT;
	int fds;

	config(false, "true");
	fds = open_fds();
	how.bundle = "/nonexistent";
	assert_true(oci_create(&how, &c, &err) < 0);
	how.bundle = bundle;
	config(false, "true");
	{
		/* A mount that cannot be: the child says so. */
		auto_free char *path = path_join(bundle, "config.json");
		AUTO(buf_clear) struct buf b = BUF_INIT;
		char *at;

		assert_true(file_read(AT_FDCWD, path, 1 << 20, &b, &err) >= 0);
		at = strstr(b.data, "\"tmpfs\"");
		memcpy(at, "\"nopes\"", 7);
		assert_ok(file_write(AT_FDCWD, path, b.data, b.len, 0600, &err));
	}
	assert_true(oci_create(&how, &c, &err) < 0);
	assert_non_null(strstr(err.msg, "/dev"));
	assert_int_equal(open_fds(), fds);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void exec_says_what_is_missing(void **state)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	AUTO(oci_process_clear) struct oci_process process = {0};
	struct oci_create how = creation();
	struct oci_exec exec = OCI_EXEC_INIT;
	struct err err = ERR_INIT;
	struct oci_exec_started started = {0};
	int fds;

	config(false, "sleep 1000");
	assert_ok(oci_create(&how, &c, &err));
	assert_ok(oci_start(c, &err));
	assert_ok(oci_exec_defaults(c, &process, &err));
	fds = open_fds();
	strv_add(&process.args, "nope");
	assert_refused(oci_exec(c, &process, &exec, &started, &err), ERR_NOT_FOUND);
	strv_clear(&process.args);
	strv_add(&process.args, "/proc");
	assert_refused(oci_exec(c, &process, &exec, &started, &err), ERR_FORBIDDEN);
	strv_clear(&process.args);
	assert_refused(oci_exec(c, &process, &exec, &started, &err), ERR_INVALID);
	assert_int_equal(open_fds(), fds);
	assert_ok(oci_delete(c, true, &err));
	wait_for(oci_container_pid(c));
}

/* linux.seccomp.listenerPath: the one who answers for the kernel gets the fd and knows whose it is. */
static void a_seccomp_listener_gets_its_fd(void **state)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct oci_create how = creation();
	struct err err = ERR_INIT;
	auto_free char *path = path_join(bundle, "config.json");
	auto_free char *socket_path = path_join(dir, "listener");
	AUTO(buf_clear) struct buf b = BUF_INIT;
	auto_fd int listener = -1;
	auto_fd int connection = -1;
	char text[4096] = "";
	int notify = -1;
	size_t count = 1;

	config(false, "mkdir /tmp/x 2>/dev/null; exit $?");
	assert_true(file_read(AT_FDCWD, path, 1 << 20, &b, &err) >= 0);
	b.len -= 2;	/* "}}" */
	buf_fmt(&b, ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"%s\",\"listenerMetadata\":\"m\","
		"\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}}}", socket_path);
	assert_ok(file_write(AT_FDCWD, path, b.data, b.len, 0600, &err));
	if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK)) {
		print_message("this kernel has no seccomp notices\n");
		skip();
	}
	assert_ok(unix_listen(socket_path, 0600, &listener, &err));
	how.start = true;
	assert_ok(oci_create(&how, &c, &err));
	connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(fd_recv(connection, text, sizeof(text) - 1, &notify, &count) > 0);
	assert_int_equal(count, 1);
	assert_non_null(strstr(text, "\"fds\":[\"seccompFd\"]"));
	assert_non_null(strstr(text, "\"metadata\":\"m\""));
	assert_non_null(strstr(text, id));
	/* Nobody answers: the call fails. */
	close(notify);
	assert_int_not_equal(wait_for(oci_container_pid(c)), 0);
	assert_ok(oci_delete(c, false, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_config_is_enough),
		cmocka_unit_test(what_is_unknown_is_ignored),
		cmocka_unit_test(what_makes_no_sense_is_refused_by_name),
		cmocka_unit_test(what_is_printed_parses_again),
		cmocka_unit_test(a_container_lives_in_process),
		cmocka_unit_test(a_terminal_comes_back),
		cmocka_unit_test(a_terminal_goes_to_the_console_socket),
		cmocka_unit_test(it_is_found_again),
		cmocka_unit_test(a_failure_leaves_no_fd_and_no_child),
		cmocka_unit_test(exec_says_what_is_missing),
		cmocka_unit_test(a_seccomp_listener_gets_its_fd),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
