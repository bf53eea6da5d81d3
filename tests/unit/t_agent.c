/*
 * t_agent.c - a container's agent: what it reads, and what it does with peers that do not behave
 */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/ns.h"
#include "runtime/oci/agent.h"

/* ---- the request's bytes */

static const struct ns_agent_request exec_head = {
	.magic = NS_AGENT_MAGIC, .kind = NS_AGENT_EXEC, .len = 10, .fd_count = AGENT_FDS, .args = {0, 0, 1, 0}};

static int check(struct ns_agent_request head)
{
	struct err err = ERR_INIT;

	return agent_head_check(&head, &err);
}

static void a_head_is_held_to_its_ceilings(void **state)
{
	struct ns_agent_request head = exec_head;

	assert_int_equal(check(head), 0);
	head.magic++;
	assert_true(check(head) < 0);
	head = exec_head;
	head.kind = 9;
	assert_true(check(head) < 0);
	head = exec_head;
	head.len = OCI_SPEC_MAX_BYTES;
	assert_int_equal(check(head), 0);
	head.len++;
	assert_true(check(head) < 0);
	head.len = 0;
	assert_true(check(head) < 0);
	head = exec_head;
	head.args[0] = 2;
	assert_true(check(head) < 0);
	head = exec_head;
	head.args[2] = 0;
	assert_true(check(head) < 0);
	head = exec_head;
	head.args[1] = 1;	/* one more was promised than there is */
	assert_true(check(head) < 0);
	head.fd_count++;
	assert_int_equal(check(head), 0);
	head.args[1] = UINT32_MAX;	/* a sum that wraps */
	assert_true(check(head) < 0);
	head = exec_head;
	head.args[0] = AGENT_EXEC_TERMINAL;
	assert_true(check(head) < 0);
	head.fd_count = AGENT_FD_STDIO;
	assert_int_equal(check(head), 0);
}

static void bytes_that_are_no_text_arrive(void **state)
{
	AUTO(oci_process_clear) struct oci_process p = {0};
	AUTO(oci_process_clear) struct oci_process got = {0};
	AUTO(buf_clear) struct buf body = BUF_INIT;
	struct err err = ERR_INIT;

	str_set(&p.cwd, "/tmp/\xff");
	strv_add(&p.args, "echo");
	strv_add(&p.args, "");
	strv_add(&p.args, "\xc3\x28\n");
	strv_add(&p.env, "A=\xe4");
	agent_body_print(&p, &body);
	assert_ok(agent_body_parse(body.data, body.len, 3, 1, &got, &err));
	assert_string_equal(got.cwd, "/tmp/\xff");
	assert_string_equal(got.args.v[1], "");
	assert_string_equal(got.args.v[2], "\xc3\x28\n");
	assert_string_equal(got.env.v[0], "A=\xe4");
	oci_process_clear(&got);
	assert_refused(agent_body_parse(body.data, body.len, 2, 1, &got, &err), ERR_INVALID);
	assert_refused(agent_body_parse(body.data, body.len, 4, 1, &got, &err), ERR_INVALID);
	assert_refused(agent_body_parse(body.data, body.len, 3, 2, &got, &err), ERR_INVALID);
	assert_refused(agent_body_parse(body.data, body.len - 1, 3, 1, &got, &err), ERR_INVALID);
	assert_refused(agent_body_parse(body.data, 0, 3, 1, &got, &err), ERR_INVALID);
	assert_null(got.args.v);
}

/* ---- who is it? */

static void the_holder_of_a_lock_is_named_across_pid_namespaces(void **state)
{
	struct fit f = ns_agent_fit();
	int token[2];
	pid_t pid = 0;

	assert_int_equal(f.score, FIT_GOOD);
	assert_int_equal(pipe2(token, O_CLOEXEC), 0);
	assert_int_equal(ns_agent_find(token[1], &pid), -ESRCH);
	close(token[0]);
	close(token[1]);
}

/* ---- an agent at work */

static char dir[] = "/tmp/t-agent.XXXXXX";
static char *bundle, *root, *id;

static int setup(void **state)
{
	auto_free char *config = NULL, *bin = NULL, *command = NULL;
	struct err err = ERR_INIT;

	if (geteuid() != 0 || access("/bin/busybox", X_OK) < 0 || !mkdtemp(dir))
		return 0;
	bundle = path_join(dir, "b");
	root = path_join(dir, "oci");
	id = xfmt("t-agent-%d", (int)getpid());
	bin = path_join(bundle, "rootfs/bin");
	command = xfmt("mkdir -p %s %s/rootfs/proc && cp /bin/busybox %s/sh && cp /bin/busybox %s/sleep", bin, bundle, bin, bin);
	config = path_join(bundle, "config.json");
	if (system(command))
		return -1;
	free(command);
	command = xfmt("{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"sleep\",\"1000\"],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"},"
		       "\"root\":{\"path\":\"rootfs\"},\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"}],"
		       "\"linux\":{\"cgroupsPath\":\"/%s\",\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"pid\"},{\"type\":\"network\"}]}}", id);
	return file_write(AT_FDCWD, config, command, strlen(command), 0600, &err) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	if (bundle)
		(void)path_remove_tree(dir, NULL);
	free(bundle);
	free(root);
	free(id);
	return 0;
}

static struct oci_container *start(void)
{
	struct oci_create how = OCI_CREATE_INIT;
	struct oci_container *c = NULL;
	struct err err = ERR_INIT;

	if (!bundle)
		skip();
	how.id = id;
	how.bundle = bundle;
	how.root = root;
	how.start = true;
	assert_ok(oci_create(&how, &c, &err));
	return c;
}

static void stop(struct oci_container *c)
{
	struct err err = ERR_INIT;

	assert_ok(oci_delete(c, true, &err));
	(void)waitpid(oci_container_pid(c), NULL, 0);
	oci_container_free(c);
}

static int run(struct oci_container *c, const char *script)
{
	AUTO(oci_process_clear) struct oci_process p = {0};
	struct oci_exec how = OCI_EXEC_INIT;
	struct oci_exec_started started = {0};
	struct err err = ERR_INIT;

	assert_ok(oci_exec_defaults(c, &p, &err));
	strv_add(&p.args, "sh");
	strv_add(&p.args, "-c");
	strv_add(&p.args, script);
	assert_ok(oci_exec(c, &p, &how, &started, &err));
	assert_true(started.exit_fd >= 0);
	assert_int_not_equal(started.start, 0);
	return proc_exit_code(oci_exec_status(&started));
}

static int refused_with(const char *path, const void *bytes, size_t len)
{
	struct ns_agent_answer answer = {0};
	struct err err = ERR_INIT;
	auto_fd int conn = -1;

	assert_ok(ns_agent_connect(path, &conn, &err));
	if (len)
		assert_int_equal(fd_send(conn, bytes, len, NULL, 0), 0);
	shutdown(conn, SHUT_WR);
	assert_ok(ns_agent_receive(conn, 20000, &answer, NULL, &err));
	return answer.code;
}

static void what_is_no_request_is_refused_and_harms_nobody(void **state)
{
	struct oci_container *c = start();
	auto_free char *path = oci_agent_path(root, id);
	struct ns_agent_request head = exec_head;

	assert_int_not_equal(refused_with(path, "", 0), 0);
	assert_int_not_equal(refused_with(path, "GET / HTTP/1.0\r\n\r\n and more than a head", 36), 0);
	head.magic++;
	assert_int_not_equal(refused_with(path, &head, sizeof(head)), 0);
	/* It promises descriptors and has none. */
	head.magic--;
	assert_int_not_equal(refused_with(path, &head, sizeof(head)), 0);
	assert_int_equal(run(c, "exit 5"), 5);
	stop(c);
}

/* An agent that can make no process answers at once; what is said meanwhile ends nobody and hides nothing. */
static void a_refusal_is_heard_though_it_did_not_listen(void **state)
{
	const struct ns_agent_answer answer = {.magic = NS_AGENT_MAGIC, .code = EAGAIN};
	struct ns_agent_request head = exec_head;
	char body[64] = "";
	int pair[2];

	head.fd_count = 0;
	head.len = sizeof(body);
	for (int answered = 1; answered >= 0; answered--) {
		struct err err = ERR_INIT;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		if (answered)
			assert_int_equal(fd_send(pair[1], &answer, sizeof(answer), NULL, 0), 0);
		close(pair[1]);
		assert_true(ns_agent_send(pair[0], &head, NULL, body, &err) < 0);
		if (answered)
			assert_int_equal(err.code, EAGAIN);
		else
			assert_int_equal(err.kind, ERR_UNAVAILABLE);
		close(pair[0]);
	}
}

static void sockets_come_from_its_network(void **state)
{
	struct oci_container *c = start();
	auto_free char *path = oci_agent_path(root, id);
	struct err err = ERR_INIT;
	int fd = -1;
	struct sockaddr_storage name;
	socklen_t len = sizeof(name);

	assert_ok(ns_socket(oci_container_pid(c), path, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &fd, &err));
	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &len), 0);
	assert_int_equal(name.ss_family, AF_NETLINK);
	close(fd);
	assert_ok(ns_socket(oci_container_pid(c), path, AF_INET, SOCK_STREAM, 0, &fd, &err));
	close(fd);
	assert_true(ns_socket(oci_container_pid(c), path, AF_PACKET, SOCK_RAW, 0, &fd, &err) < 0);
	assert_true(ns_socket(oci_container_pid(c), path, AF_INET, SOCK_RAW, 1, &fd, &err) < 0);
	assert_refused(ns_socket(oci_container_pid(c), NULL, AF_INET, SOCK_STREAM, 0, &fd, &err), ERR_UNSUPPORTED);
	stop(c);
	assert_refused(ns_socket(1, path, AF_INET, SOCK_STREAM, 0, &fd, &err), ERR_UNAVAILABLE);
}

static void a_caller_that_goes_away_leaves_no_child(void **state)
{
	struct oci_container *c = start();
	auto_free char *path = oci_agent_path(root, id);
	AUTO(oci_process_clear) struct oci_process p = {0};
	AUTO(buf_clear) struct buf body = BUF_INIT;
	struct ns_agent_request head = exec_head;
	struct err err = ERR_INIT;
	struct proc_ref ref;
	enum sync_kind kind;
	int pair[2], token[2], conn = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid = 0;

	assert_ok(oci_exec_defaults(c, &p, &err));
	strv_add(&p.args, "sleep");
	strv_add(&p.args, "777");
	agent_body_print(&p, &body);
	head.len = (uint32_t)body.len;
	head.args[2] = (uint32_t)p.args.n;
	head.args[3] = (uint32_t)p.env.n;
	assert_ok(sync_pair(pair, &err));
	assert_int_equal(pipe2(token, O_CLOEXEC), 0);
	assert_ok(ns_agent_connect(path, &conn, &err));
	assert_ok(ns_agent_send(conn, &head, (int[]){pair[1], token[0], null, null, null}, body.data, &err));
	close(pair[1]);
	assert_ok(sync_recv(pair[0], &kind, NULL, &err));
	assert_int_equal(kind, SYNC_READY);
	/* It waits, and the kernel knows who it is. Then nobody is there to let it go. */
	assert_int_equal(ns_agent_find(token[1], &pid), 0);
	assert_int_equal(proc_ref_get(pid, &ref), 0);
	close(pair[0]);
	close(conn);
	for (int i = 0; i < 100 && proc_ref_alive(&ref); i++)
		poll(NULL, 0, 50);
	assert_false(proc_ref_alive(&ref));
	close(token[0]);
	close(token[1]);
	close(null);
	stop(c);
}

static void those_who_say_nothing_hinder_nobody(void **state)
{
	enum { MANY = 300 };
	struct oci_container *c = start();
	auto_free char *path = oci_agent_path(root, id);
	struct err err = ERR_INIT;
	int conn[MANY];

	/* Each costs a child until its patience ends or they go. */
	for (int i = 0; i < MANY; i++)
		assert_ok(ns_agent_connect(path, &conn[i], &err));
	assert_int_equal(run(c, "exit 6"), 6);
	for (int i = 0; i < MANY; i++)
		close(conn[i]);
	assert_int_equal(run(c, "exit 7"), 7);
	stop(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_is_held_to_its_ceilings),
		cmocka_unit_test(bytes_that_are_no_text_arrive),
		cmocka_unit_test(the_holder_of_a_lock_is_named_across_pid_namespaces),
		cmocka_unit_test(what_is_no_request_is_refused_and_harms_nobody),
		cmocka_unit_test(a_refusal_is_heard_though_it_did_not_listen),
		cmocka_unit_test(sockets_come_from_its_network),
		cmocka_unit_test(a_caller_that_goes_away_leaves_no_child),
		cmocka_unit_test(those_who_say_nothing_hinder_nobody),
	};

	hide_add("setns");
	return cmocka_run_group_tests(tests, setup, teardown);
}
