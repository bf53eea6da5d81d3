/*
 * t_net_old.c - networks on a kernel that lacks what 2.6.32 and small kernels lack: the match addrtype, route_localnet, pairs that are born in two
 * namespaces, setns
 */
#include "tests/unit/net_box.h"

#include "compat/base/hide.h"
#include "compat/kernel/capability_state.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/netns.h"

/* A failed assertion ends the child with a status that is not 0. */
static void in_child(void (*test)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		test();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static bool has_iptables(const struct net *net)
{
	if (net->firewall.rows[0].score > FIT_NO)
		return true;
	print_message("%s\n", net->firewall.rows[0].reason);
	return false;
}

static void published_ports_work_without_the_match_addrtype(void **state)
{
	struct net *net;
	bool works;

	NEED_NAMESPACE();
	net = open_net("probe", true);
	works = has_iptables(net);
	assert_false(net->firewall.addrtype);
	assert_false(net->loopback);
	close_net(net);
	if (!works)
		skip();
	check_published(true);
}

static void an_address_that_came_later_is_served_too(void **state)
{
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	AUTO(netlink_close) struct nl_sock *here = NULL;
	AUTO(netlink_close) struct nl_sock *there = NULL;
	struct box box, outside;
	struct link_info link;
	uint32_t late = htonl(0x0a630009); /* 10.99.0.9 */
	struct err err = ERR_INIT;
	char answer[64];
	struct net *net;
	pid_t server;

	NEED_NAMESPACE();
	net = open_net("later", true);
	box = box_start();
	outside = outside_start();
	CHECK(attach(net, &box, "8080:80", &ep, &err));
	server = answer_on(&box, "tcp", 80);
	CHECK(netlink_open(0, &here, &err));
	CHECK(link_get(here, "wire", &link, &err));
	CHECK(addr_add(here, link.index, AF_INET, &late, 24, &err));
	ask_from(&outside, "tcp", "10.99.0.9", 8080, answer);
	assert_string_equal(answer, "192.168.5.1");
	stop(server);
	box_stop(&box);
	box_stop(&outside);
	close_net(net);
}

static void jumps_of_another_way_are_replaced_and_others_rules_stay(void **state)
{
	static const char theirs[] =
		"*nat\n:OTHER - [0:0]\n-A PREROUTING -p tcp -m tcp --dport 9 -j OTHER\n"
		":POUCH-p0 - [0:0]\n-A PREROUTING -m addrtype --dst-type LOCAL -j POUCH-p0\n"
		":POUCH-p01 - [0:0]\n-A OUTPUT -j POUCH-p01\nCOMMIT\n"
		"*filter\n-A FORWARD -s 10.1.2.3/32 -j DROP\nCOMMIT\n";
	char *restore[] = {"iptables-restore", "--noflush", NULL};
	char *clean[] = {"iptables-restore", NULL};
	auto_free char *before = NULL;
	auto_free char *after = NULL;
	AUTO(strv_clear) struct strv none = {0};
	struct err err = ERR_INIT;
	struct net *net;
	int status;

	NEED_NAMESPACE();
	net = open_net("jumps", true);
	if (!has_iptables(net)) {
		close_net(net);
		skip();
	}
	CHECK(net_teardown(net, &err));
	net_close(net);
	CHECK(proc_run(restore, theirs, NULL, NULL, 10000, &status, &err));
	assert_int_equal(status, 0);

	net = open_net("jumps", true);
	before = rules();
	assert_non_null(strstr(before, "-A PREROUTING -j POUCH-p0-LOCAL"));
	assert_null(strstr(before, "addrtype"));
	CHECK(net_teardown(net, &err));
	net_close(net);

	after = rules();
	assert_null(strstr(after, "POUCH-p0-"));
	assert_null(strstr(after, "POUCH-p0 "));
	assert_null(strstr(after, "POUCH-PROBE"));
	assert_non_null(strstr(after, "-A PREROUTING -p tcp -m tcp --dport 9 -j OTHER"));
	assert_non_null(strstr(after, "-A OUTPUT -j POUCH-p01"));
	assert_non_null(strstr(after, "-A FORWARD -s 10.1.2.3/32 -j DROP"));
	CHECK(proc_run(clean, "*nat\nCOMMIT\n*filter\nCOMMIT\n", NULL, NULL, 10000, &status, &err));
}

static void a_socket_from_inside_stands_in_for_setns(void **state)
{
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	struct box box;
	struct net_request req = {0};
	struct err err = ERR_INIT;
	char answer[64], byte;
	size_t count = 1;
	struct net *net;
	int pair[2];
	pid_t pid;

	NEED_NAMESPACE();
	net = open_net("inside", false);
	box = box_start();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = box_fork(&box);
	if (!pid) {
		int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0 /* NETLINK_ROUTE */);

		_exit(fd < 0 || fd_send(pair[1], "s", 1, &fd, 1) < 0);
	}
	/* Otherwise nothing would end the wait for a child that failed. */
	close(pair[1]);
	assert_int_equal(fd_recv(pair[0], &byte, 1, &req.netlink_fd, &count), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);

	req.container_id = box.id;
	req.pid = box.pid;
	CHECK(net_attach(net, &req, &ep, &err));
	assert_true(fcntl(req.netlink_fd, F_GETFD) >= 0); /* still ours */
	close(req.netlink_fd);
	close(pair[0]);
	pid = answer_on(&box, "tcp", 80);
	ask("tcp", "192.168.5.2", 80, answer);
	assert_string_equal(answer, "192.168.5.1");
	stop(pid);
	CHECK(net_detach(net, box.id, &err));
	box_stop(&box);
	close_net(net);
}

static void no_setns_and_no_socket(void)
{
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	struct err err = ERR_INIT;
	struct net *net;
	struct box box;

	hide_add("setns-net");
	net = open_net("lost", false);
	box = box_start();
	assert_true(attach(net, &box, NULL, &ep, &err) < 0);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_int_equal(net->endpoints.n, 0);
	box_stop(&box);
	close_net(net);
}

static void without_both_an_attach_is_refused_and_leaves_nothing(void **state)
{
	NEED_NAMESPACE();
	in_child(no_setns_and_no_socket);
}

static void try_a_bridge(void)
{
	AUTO(netlink_close) struct nl_sock *sock = NULL;
	struct net_options options = {.bridge_name = "p0", .proxy_program = self};
	auto_free char *state = xfmt("%s/crash", dir);
	struct link_info link;
	struct net *net = NULL;
	struct err err = ERR_INIT;

	hide_add("sysfs-netns");
	feature_forget();
	capability_forget();
	assert_true(net_open(&options, state, state, &net, &err) < 0);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "cannot tell whether this is the first network namespace"));
	CHECK(netlink_open(0, &sock, &err));
	assert_true(link_get(sock, "p0", &link, &err) < 0);
	/* Without the bridge there are the other networks. */
	options.disable_bridge = true;
	CHECK(net_open(&options, state, state, &net, &err));
	net_close(net);
}

static void a_bridge_that_could_crash_the_kernel_is_not_tried(void **state)
{
	NEED_NAMESPACE();
	in_child(try_a_bridge);
}

static void only_a_proof_makes_a_namespace_the_first(void **state)
{
	assert_int_equal(netns_first_verdict(1, 17).score, FIT_GOOD);
	assert_int_equal(netns_first_verdict(17, 23).score, FIT_NO);
	assert_int_equal(netns_first_verdict(1, 1).score, FIT_NO);
	assert_int_equal(netns_first_verdict(0, 17).score, FIT_NO);
	assert_int_equal(netns_first_verdict(1, 0).score, FIT_NO);
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_proof_makes_a_namespace_the_first),
		cmocka_unit_test_setup(published_ports_work_without_the_match_addrtype, fresh),
		cmocka_unit_test_setup(an_address_that_came_later_is_served_too, fresh),
		cmocka_unit_test_setup(jumps_of_another_way_are_replaced_and_others_rules_stay, fresh),
		cmocka_unit_test_setup(a_socket_from_inside_stands_in_for_setns, fresh),
		cmocka_unit_test_setup(without_both_an_attach_is_refused_and_leaves_nothing, fresh),
		cmocka_unit_test_setup(a_bridge_that_could_crash_the_kernel_is_not_tried, fresh),
	};

	hide_add("veth-peer-netns,addrtype,route_localnet");
	return cmocka_run_group_tests(tests, set_up, tear_down);
}

int main(int argc, char **argv)
{
	return box_main(argc, argv, all_tests);
}
