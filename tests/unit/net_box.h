/*
 * net_box.h - containers' network namespaces without containers, for the tests of networks; and what every firewall must do
 *
 * The test program is its own port proxy: main() ends with box_main().
 */
#ifndef TESTS_UNIT_NET_BOX_H
#define TESTS_UNIT_NET_BOX_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

/* The proxy is a part of pouch-init, which tests do not link. */
#include "runtime/init/proxy.c"

static char dir[] = "/tmp/t-net-XXXXXX";
static bool alone;	/* in a namespace of our own, and able to go into the boxes' */
static char self[4096];

#define NEED_NAMESPACE()                                                                                               \
	do {                                                                                                           \
		if (!alone) {                                                                                          \
			print_message("needs the right to make a network namespace, and setns\n");                                \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)

#define CHECK(call)                                                                                                    \
	do {                                                                                                           \
		if ((call) < 0)                                                                                        \
			fail_msg("%s", err.msg);                                                                       \
	} while (0)

/* ---- real containers' namespaces ---------------------------------------------------------------------------------------------- */

struct box {
	pid_t pid;
	char id[65];
};

/* A process in a network namespace of its own stands for a container. */
static struct box box_start(void)
{
	struct box box = {0};
	int ready[2];
	char c;

	random_id(box.id);
	assert_int_equal(pipe(ready), 0);
	box.pid = fork();
	assert_true(box.pid >= 0);
	if (!box.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return box;
}

static void box_stop(struct box *box)
{
	kill(box->pid, SIGKILL);
	assert_int_equal(waitpid(box->pid, NULL, 0), box->pid);
}

/* fork into the box's namespace; 0 there. */
static pid_t box_fork(const struct box *box)
{
	auto_free char *path = xfmt("/proc/%d/ns/net", (int)box->pid);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		int fd = open(path, O_RDONLY);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd < 0 || syscall(SYS_setns, fd, CLONE_NEWNET) < 0)
			_exit(99);
	}
	return pid;
}

/* A server inside that answers each client with the address it sees it from. */
static pid_t answer_on(const struct box *box, const char *proto, uint16_t port)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = box_fork(box);
	if (!pid) {
		int fd = port_bind(proto, "0.0.0.0", port);

		if (fd < 0)
			_exit(1);
		fd_set_nonblock(fd, false);
		(void)!write(ready[1], "x", 1);
		for (;;) {
			struct sockaddr_in from;
			socklen_t len = sizeof(from);
			char text[64], in[64];

			if (strcmp(proto, "udp") == 0) {
				if (recvfrom(fd, in, sizeof(in), 0, (void *)&from, &len) < 0)
					_exit(2);
				snprintf(text, sizeof(text), "%s", inet_ntoa(from.sin_addr));
				(void)!sendto(fd, text, strlen(text), 0, (void *)&from, len);
			} else {
				int client = accept(fd, (void *)&from, &len);

				while (read(client, in, sizeof(in)) > 0)
					; /* until the client closes its half */
				snprintf(text, sizeof(text), "%s", inet_ntoa(from.sin_addr));
				(void)!write(client, text, strlen(text));
				close(client);
			}
		}
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

/* What the server says, "" when it cannot be reached within a second. */
static void ask(const char *proto, const char *ip, uint16_t port, char answer[64])
{
	bool is_v6 = strchr(ip, ':') != NULL, udp = strcmp(proto, "udp") == 0;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	auto_fd int fd = socket(is_v6 ? AF_INET6 : AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	struct timeval limit = {1, 0};
	ssize_t n;

	answer[0] = '\0';
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	inet_pton(is_v6 ? AF_INET6 : AF_INET, ip, is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr);
	if (connect(fd, is_v6 ? (void *)&v6 : (void *)&v4, is_v6 ? sizeof(v6) : sizeof(v4)) < 0)
		return;
	if (write(fd, "hello", 5) != 5)
		return;
	if (!udp)
		shutdown(fd, SHUT_WR);
	n = read(fd, answer, 63);
	answer[n > 0 ? n : 0] = '\0';
}

/* The same from inside a box. */
static void ask_from(const struct box *box, const char *proto, const char *ip, uint16_t port, char answer[64])
{
	int result[2];
	pid_t pid;

	memset(answer, 0, 64);
	assert_int_equal(pipe(result), 0);
	pid = box_fork(box);
	if (!pid) {
		ask(proto, ip, port, answer);
		(void)!write(result[1], answer, 64);
		_exit(0);
	}
	close(result[1]);
	assert_int_equal(read(result[0], answer, 64), 64);
	close(result[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static struct net *open_net(const char *name, bool iptables)
{
	auto_free char *state = xfmt("%s/%s", dir, name);
	auto_free char *run = xfmt("%s/%s-run", dir, name);
	struct net_options options = {
		.bridge_name = "p0", .iptables = iptables, .ip_forward = true, .proxy_program = self};
	struct net *net = NULL;
	struct err err = ERR_INIT;

	CHECK(net_open(&options, state, run, &net, &err));
	return net;
}

static char *rules(void)
{
	char *argv[] = {"iptables-save", NULL};
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	int status;

	if (proc_run(argv, NULL, &out, NULL, 10000, &status, &err) < 0)
		buf_str(&out, "");
	return buf_take(&out);
}

/* Links of this namespace that are named like ours. */
static size_t veths(void)
{
	auto_closedir DIR *d = opendir("/proc/sys/net/ipv4/conf");
	struct dirent *e;
	size_t n = 0;

	while (d && (e = readdir(d)))
		n += str_starts(e->d_name, "veth");
	return n;
}

static void close_net(struct net *net)
{
	AUTO(strv_clear) struct strv none = {0};
	struct err err = ERR_INIT;
	auto_free char *left = NULL;

	CHECK(net_gc(net, &none, &err));
	CHECK(net_teardown(net, &err));
	net_close(net);
	left = rules();
	if (strstr(left, "POUCH-"))
		fail_msg("rules are left:\n%s", left);
	assert_int_equal(veths(), 0);
}

static int attach(struct net *net, const struct box *box, const char *publish, struct net_endpoint *ep, struct err *err)
{
	AUTO(net_ports_clear) net_port_vec ports = {0};
	AUTO(strv_clear) struct strv specs = {0};
	struct net_request req = {.container_id = box->id, .pid = box->pid};

	strv_split(&specs, publish ? publish : "", " ", false);
	STRV_EACH(spec, &specs) {
		int rc = net_port_parse(*spec, &ports, err);

		if (rc < 0)
			return rc;
	}
	req.ports = ports.v;
	req.port_count = ports.n;
	return net_attach(net, &req, ep, err);
}

/* Another host on another wire: 10.99.0.2, whose way to us is 10.99.0.1. */
static struct box outside_start(void)
{
	AUTO(netlink_close) struct nl_sock *here = NULL;
	AUTO(netlink_close) struct nl_sock *there = NULL;
	const struct veth veth = {.host_name = "wire", .peer_name = "eth0", .mtu = 1500,
				  .peer_mac = (const unsigned char *)"\x02\x00\x00\x00\x00\x01"};
	struct veth pair = veth;
	struct box box = box_start();
	struct link_info link;
	uint32_t ours = htonl(0x0a630001), theirs = htonl(0x0a630002);
	struct err err = ERR_INIT;

	pair.peer_pid = box.pid;
	CHECK(netlink_open(0, &here, &err));
	CHECK(netlink_open(box.pid, &there, &err));
	CHECK(link_add_veth(here, &pair, &err));
	CHECK(link_get(here, "wire", &link, &err));
	CHECK(link_set(here, link.index, NULL, NULL, 0, 1, &err));
	CHECK(addr_add(here, link.index, AF_INET, &ours, 24, &err));
	CHECK(link_get(there, "eth0", &link, &err));
	CHECK(addr_add(there, link.index, AF_INET, &theirs, 24, &err));
	CHECK(link_set(there, link.index, NULL, NULL, 0, 1, &err));
	return box;
}

static void check_published(bool iptables)
{
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	AUTO(net_endpoint_clear) struct net_endpoint ep2 = {0};
	struct box box, other, outside;
	struct err err = ERR_INIT;
	char answer[64];
	struct net *net = open_net("published", iptables);
	pid_t tcp, udp, far;
	bool nat = firewall_has_nat(&net->firewall);

	box = box_start();
	other = box_start();
	outside = outside_start();
	CHECK(attach(net, &box, "8080:80 5353:53/udp 127.0.0.1:9090:80", &ep, &err));
	CHECK(attach(net, &other, NULL, &ep2, &err));
	tcp = answer_on(&box, "tcp", 80);
	udp = answer_on(&box, "udp", 53);
	far = answer_on(&outside, "tcp", 80);

	ask("tcp", "192.168.5.1", 8080, answer);
	assert_string_equal(answer, "192.168.5.1");
	ask("tcp", "127.0.0.1", 8080, answer);
	assert_string_equal(answer, "192.168.5.1");
	ask("tcp", "127.0.0.1", 9090, answer);
	assert_string_equal(answer, "192.168.5.1");
	ask("udp", "127.0.0.1", 5353, answer);
	assert_string_equal(answer, "192.168.5.1");

	/* From another host: with its own address where there is NAT. Not on the port of 127.0.0.1. */
	ask_from(&outside, "tcp", "10.99.0.1", 8080, answer);
	assert_string_equal(answer, nat ? "10.99.0.2" : "192.168.5.1");
	ask_from(&outside, "udp", "10.99.0.1", 5353, answer);
	assert_string_equal(answer, nat ? "10.99.0.2" : "192.168.5.1");
	ask_from(&outside, "tcp", "10.99.0.1", 9090, answer);
	assert_string_equal(answer, "");

	/* From itself and from its neighbour, by the host's address. */
	ask_from(&box, "tcp", "192.168.5.1", 8080, answer);
	assert_string_equal(answer, "192.168.5.1");
	ask_from(&other, "tcp", "10.99.0.1", 8080, answer);
	assert_string_equal(answer, "192.168.5.1");
	ask_from(&other, "tcp", "192.168.5.2", 80, answer);
	assert_string_equal(answer, "192.168.5.3");
	/* To another host: NAT. */
	if (nat) {
		ask_from(&box, "tcp", "10.99.0.2", 80, answer);
		assert_string_equal(answer, "10.99.0.1");
	}
	if (!nat) {
		ask("tcp", "::1", 8080, answer);
		if (access("/proc/net/if_inet6", F_OK) == 0)
			assert_string_equal(answer, "192.168.5.1");
	}

	/* The daemon comes back. */
	net_close(net);
	net = open_net("published", iptables);
	ask("tcp", "127.0.0.1", 8080, answer);
	assert_string_equal(answer, "192.168.5.1");

	CHECK(net_detach(net, box.id, &err));
	ask("tcp", "127.0.0.1", 8080, answer);
	assert_string_equal(answer, "");
	stop(tcp);
	stop(udp);
	stop(far);
	box_stop(&box);
	box_stop(&other);
	box_stop(&outside);
	close_net(net);
}

/* These tests ask and answer from inside a box. */
static bool can_join(void)
{
	auto_fd int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && syscall(SYS_setns, fd, CLONE_NEWNET) == 0;
}

/* A fresh namespace for each test, so that one that fails leaves nothing to the next. */
static int fresh(void **state)
{
	AUTO(netlink_close) struct nl_sock *sock = NULL;
	struct link_info lo;
	struct err err = ERR_INIT;

	alone = unshare(CLONE_NEWNET) == 0 && can_join();
	if (alone && (netlink_open(0, &sock, &err) < 0 || link_get(sock, "lo", &lo, &err) < 0 ||
		      link_set(sock, lo.index, NULL, NULL, 0, 1, &err) < 0))
		print_message("%s\n", err.msg);
	return 0;
}

static int set_up(void **state)
{
	return mkdtemp(dir) && readlink("/proc/self/exe", self, sizeof(self) - 1) > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	struct err err = ERR_INIT;

	return path_remove_tree(dir, &err);
}

/* @argc and @argv of main(). */
static int box_main(int argc, char **argv, int (*all_tests)(void))
{
	return strcmp(argv[0], "pouch-proxy") == 0 ? proxy_main(argc, argv) : all_tests();
}

#endif
