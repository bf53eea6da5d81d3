/*
 * t_net.c - networks for real, inside a network namespace of the test's own: the host's network is not touched
 */
#include "tests/unit/net_box.h"

#include <linux/if_bridge.h>
#include <net/if.h>
#include <sys/ioctl.h>

static double ms_since(const struct timespec *t0)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - t0->tv_sec) * 1e3 + (double)(t.tv_nsec - t0->tv_nsec) / 1e6;
}

static void a_container_gets_an_address_and_the_way_to_its_host(void **state)
{
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	AUTO(net_endpoint_clear) struct net_endpoint same = {0};
	AUTO(netlink_close) struct nl_sock *inside = NULL;
	struct link_info link;
	struct err err = ERR_INIT;
	char answer[64];
	struct net *net;
	struct box box;
	pid_t server;
	auto_free char *gone = NULL;

	NEED_NAMESPACE();
	net = open_net("plain", true);
	box = box_start();
	CHECK(attach(net, &box, NULL, &ep, &err));
	assert_string_equal(ep.ip, "192.168.5.2");
	assert_string_equal(ep.gateway, "192.168.5.1");
	assert_string_equal(ep.mac, "02:42:c0:a8:05:02");
	assert_int_equal(ep.prefix_len, 24);
	CHECK(net_endpoint_get(net, box.id, &same, &err));
	assert_string_equal(same.endpoint_id, ep.endpoint_id);

	CHECK(netlink_open(box.pid, &inside, &err));
	CHECK(link_get(inside, "eth0", &link, &err));
	assert_true(link.up);
	assert_int_equal(link.mtu, 1500);
	CHECK(link_get(inside, "lo", &link, &err));
	assert_true(link.up);

	server = answer_on(&box, "tcp", 80);
	ask("tcp", "192.168.5.2", 80, answer);
	assert_string_equal(answer, "192.168.5.1");
	stop(server);

	assert_int_equal(attach(net, &box, NULL, &ep, &err), -EEXIST);
	CHECK(net_detach(net, box.id, &err));
	CHECK(net_detach(net, box.id, &err));
	gone = xfmt("%s/plain/endpoints/%s.json", dir, box.id);
	assert_int_equal(access(gone, F_OK), -1);
	box_stop(&box);
	close_net(net);
}

/* BRCTL_GET_BRIDGE_INFO; the second number is its longest wait. */
static uint32_t forward_delay(const char *bridge)
{
	struct __bridge_info info = {.forward_delay = UINT32_MAX};
	unsigned long args[4] = {BRCTL_GET_BRIDGE_INFO, (unsigned long)&info};
	struct ifreq req = {.ifr_data = (void *)args};
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(req.ifr_name, bridge);
	assert_int_equal(ioctl(fd, SIOCDEVPRIVATE, &req), 0);
	return info.forward_delay;
}

/* Without these, 2.6.32 lets nothing through for 15 s, and nothing to the bridge itself ever. */
static void ports_need_not_wait_and_have_the_bridges_address(void **state)
{
	AUTO(netlink_close) struct nl_sock *here = NULL;
	struct link_info bridge, port;
	struct err err = ERR_INIT;
	struct box box[2];
	struct net *net;

	NEED_NAMESPACE();
	net = open_net("ports", true);
	assert_int_equal(forward_delay("p0"), 0);
	CHECK(netlink_open(0, &here, &err));
	for (int i = 0; i < 2; i++) {
		AUTO(net_endpoint_clear) struct net_endpoint ep = {0};

		box[i] = box_start();
		CHECK(attach(net, &box[i], NULL, &ep, &err));
		CHECK(link_get(here, "p0", &bridge, &err));
		CHECK(link_get(here, ep.host_if, &port, &err));
		assert_memory_equal(port.mac, bridge.mac, LINK_MAC_SIZE);
	}
	for (int i = 0; i < 2; i++) {
		CHECK(net_detach(net, box[i].id, &err));
		box_stop(&box[i]);
	}
	close_net(net);
}

static void published_ports_work_by_iptables(void **state)
{
	struct net *net;
	bool works;

	NEED_NAMESPACE();
	net = open_net("probe", true);
	works = strcmp(net->firewall.rows[0].name, "iptables") == 0 && net->firewall.rows[0].score > FIT_NO;
	if (!works)
		print_message("%s\n", net->firewall.rows[0].reason);
	close_net(net);
	if (!works)
		skip();
	check_published(true);
}

static void published_ports_work_by_proxy(void **state)
{
	NEED_NAMESPACE();
	check_published(false);
}

/* ---- the proxy under load ----------------------------------------------------------------------------------------------------- */

enum { FLOOD = 24 << 20, CLIENTS = 40 };

static void *write_flood(void *arg)
{
	int fd = *(int *)arg;
	uint32_t block[4096];

	for (size_t at = 0; at < FLOOD; at += sizeof(block)) {
		for (size_t i = 0; i < ARRAY_SIZE(block); i++)
			block[i] = (uint32_t)(at / 4 + i);
		if (fd_write_all(fd, block, sizeof(block)) < 0)
			break;
	}
	shutdown(fd, SHUT_WR);
	return NULL;
}

/* Sends everything back until the client closes its half; each connection in a process of its own. */
static pid_t echo_on(const struct box *box, uint16_t port)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = box_fork(box);
	if (!pid) {
		int fd = port_bind("tcp", "0.0.0.0", port);

		fd_set_nonblock(fd, false);
		signal(SIGCHLD, SIG_IGN);
		(void)!write(ready[1], "x", 1);
		for (;;) {
			int client = accept(fd, NULL, NULL);
			char data[65536];
			ssize_t n;

			if (fork()) {
				close(client);
				continue;
			}
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while ((n = read(client, data, sizeof(data))) > 0)
				if (fd_write_all(client, data, (size_t)n) < 0)
					break;
			_exit(0);
		}
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static int connect_to(const char *ip, uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, ip, &to.sin_addr);
	assert_int_equal(connect(fd, (void *)&to, sizeof(to)), 0);
	return fd;
}

static void the_proxy_loses_nothing_and_serves_many(void **state)
{
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	struct err err = ERR_INIT;
	int clients[CLIENTS], fd;
	struct timespec t0;
	struct net *net;
	struct box box;
	pthread_t writer;
	uint32_t *back = xcalloc(FLOOD, 1);
	pid_t echo;

	NEED_NAMESPACE();
	net = open_net("flood", false);
	box = box_start();
	CHECK(attach(net, &box, "8080:80", &ep, &err));
	echo = echo_on(&box, 80);

	for (int i = 0; i < CLIENTS; i++)
		clients[i] = connect_to("127.0.0.1", 8080);
	/* While the others are idle, one is busy. */
	fd = connect_to("127.0.0.1", 8080);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	assert_int_equal(pthread_create(&writer, NULL, write_flood, &fd), 0);
	assert_int_equal(fd_read_all(fd, back, FLOOD), FLOOD);
	pthread_join(writer, NULL);
	print_message("there and back: %.0f MB/s\n", (double)FLOOD / 1e3 / ms_since(&t0));
	for (size_t i = 0; i < FLOOD / 4; i++)
		assert_int_equal(back[i], i);
	assert_int_equal(read(fd, back, 1), 0);
	close(fd);

	for (int i = 0; i < CLIENTS; i++) {
		char word[16], got[16] = {0};

		snprintf(word, sizeof(word), "c%d", i);
		assert_int_equal(write(clients[i], word, sizeof(word)), sizeof(word));
		assert_int_equal(fd_read_all(clients[i], got, sizeof(got)), sizeof(got));
		assert_string_equal(got, word);
		close(clients[i]);
	}
	free(back);
	stop(echo);
	box_stop(&box);
	close_net(net);
}

static void the_first_packet_is_not_late(void **state)
{
	struct err err = ERR_INIT;
	struct net *net;

	NEED_NAMESPACE();
	net = open_net("first", false);
	/* Each finds the bridge without a port, as the one container of a host does. */
	for (int i = 0; i < 4; i++) {
		AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
		struct box box = box_start();
		struct timespec t0;
		char answer[64];
		pid_t server = answer_on(&box, "tcp", 80);

		CHECK(attach(net, &box, NULL, &ep, &err));
		clock_gettime(CLOCK_MONOTONIC, &t0);
		ask("tcp", "192.168.5.2", 80, answer);
		assert_string_equal(answer, "192.168.5.1");
		/* A lost first packet is sent again after one second. */
		assert_true(ms_since(&t0) < 900);
		stop(server);
		box_stop(&box);
		CHECK(net_detach(net, box.id, &err));
		reaper_finish(net);
	}
	close_net(net);
}

static void a_port_or_address_in_use_is_a_conflict_and_leaves_nothing(void **state)
{
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	struct net_endpoint none = {0};
	struct err err = ERR_INIT;
	struct box one, two;
	struct net *net;
	struct net_request req = {0};
	auto_fd int taken = -1;

	NEED_NAMESPACE();
	net = open_net("conflict", false);
	one = box_start();
	two = box_start();
	taken = port_bind("tcp", "0.0.0.0", 7777);
	assert_true(taken >= 0);
	CHECK(attach(net, &one, "8080:80 9000-9001:80", &ep, &err));
	assert_int_equal(ep.ports.v[1].host_first, 9000);

	assert_int_equal(attach(net, &two, "8080:80", &none, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "port is already allocated"));
	assert_int_equal(attach(net, &two, "127.0.0.1:8080:80", &none, &err), -EEXIST);
	assert_int_equal(attach(net, &two, "7777:80", &none, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "by another program"));
	assert_int_equal(attach(net, &two, "10.1.2.3:8081:80", &none, &err), -EINVAL);

	req = (struct net_request){.container_id = two.id, .pid = two.pid, .ip = "192.168.5.2"};
	assert_int_equal(net_attach(net, &req, &none, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "192.168.5.2 is in use"));
	req.ip = "192.168.5.1";
	assert_int_equal(net_attach(net, &req, &none, &err), -EEXIST);
	req.ip = "10.0.0.1";
	assert_int_equal(net_attach(net, &req, &none, &err), -EINVAL);
	req.ip = "1.2.3";
	assert_int_equal(net_attach(net, &req, &none, &err), -EINVAL);
	req.ip = NULL;
	req.mac = "zz";
	assert_int_equal(net_attach(net, &req, &none, &err), -EINVAL);
	req.mac = NULL;
	req.ip6 = "fd00::2";
	assert_true(net_attach(net, &req, &none, &err) < 0);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.msg, "--enable-ipv6"));
	req.ip6 = NULL;
	req.network = "nowhere";
	assert_int_equal(net_attach(net, &req, &none, &err), -ENOENT);
	req.network = "host";
	assert_int_equal(net_attach(net, &req, &none, &err), -EINVAL);
	req.network = NULL;
	req.pid = 999999;
	assert_true(net_attach(net, &req, &none, &err) < 0);
	assert_int_equal(net->endpoints.n, 1);
	assert_int_equal(veths(), 1);

	/* From a range the next free one; the address that the failures had is free again. */
	CHECK(attach(net, &two, "9000-9001:80", &none, &err));
	assert_int_equal(none.ports.v[0].host_first, 9001);
	assert_string_equal(none.ip, "192.168.5.3");
	net_endpoint_clear(&none);
	box_stop(&one);
	box_stop(&two);
	close_net(net);
}

static void what_a_killed_daemon_left_is_removed(void **state)
{
	AUTO(net_endpoint_clear) struct net_endpoint kept = {0};
	AUTO(net_endpoint_clear) struct net_endpoint lost = {0};
	AUTO(netlink_close) struct nl_sock *here = NULL;
	AUTO(strv_clear) struct strv live = {0};
	struct err err = ERR_INIT;
	struct link_info link;
	struct box one, two;
	struct net *net;
	char answer[64];
	pid_t server;
	int64_t proxy_pid;

	NEED_NAMESPACE();
	net = open_net("killed", false);
	one = box_start();
	two = box_start();
	CHECK(attach(net, &one, "8080:80", &kept, &err));
	CHECK(attach(net, &two, "8081:80", &lost, &err));
	net_close(net);
	proxy_pid = kept.proxy_pid;

	net = open_net("killed", false);
	strv_add(&live, one.id);
	/* A pair that was made and never noted, and a proxy that somebody killed. */
	CHECK(netlink_open(0, &here, &err));
	CHECK(link_add_veth(here,
			    &(struct veth){.host_name = "vethabcdef0", .peer_name = "eth7", .peer_pid = two.pid,
					   .peer_mac = (const unsigned char *)"\x02\0\0\0\0\2", .mtu = 1500},
			    &err));
	CHECK(link_get(here, "vethabcdef0", &link, &err));
	CHECK(bridge_add_port("p0", link.index, &err));
	assert_int_equal(kill((pid_t)proxy_pid, SIGKILL), 0);
	assert_int_equal(waitpid((pid_t)proxy_pid, NULL, 0), proxy_pid);

	CHECK(net_gc(net, &live, &err));
	reaper_finish(net);
	assert_int_equal(net->endpoints.n, 1);
	assert_int_equal(veths(), 1);
	server = answer_on(&one, "tcp", 80);
	ask("tcp", "127.0.0.1", 8080, answer);
	assert_string_equal(answer, "192.168.5.1");
	ask("tcp", "127.0.0.1", 8081, answer);
	assert_string_equal(answer, "");
	stop(server);
	box_stop(&one);
	box_stop(&two);
	close_net(net);
}

static void endpoints_of_an_earlier_boot_are_forgotten(void **state)
{
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	auto_free char *file = NULL;
	struct net *net;
	struct box box;
	char *boot;

	NEED_NAMESPACE();
	net = open_net("boot", false);
	box = box_start();
	CHECK(attach(net, &box, NULL, &ep, &err));
	file = xfmt("%s/boot/endpoints/%s.json", dir, box.id);
	CHECK(file_read(-1, file, 65536, &text, &err));
	boot = strstr(text.data, net->boot_id);
	assert_non_null(boot);
	boot[0] = boot[0] == '0' ? '1' : '0';
	CHECK(file_replace(-1, file, text.data, text.len, 0600, FILE_NO_SYNC, &err));
	net_close(net);
	net = open_net("boot", false);
	assert_int_equal(net->endpoints.n, 0);
	assert_int_equal(access(file, F_OK), -1);
	box_stop(&box);
	close_net(net);
}

static void the_bridge_keeps_its_subnet_and_takes_a_new_one_on_request(void **state)
{
	struct net_options options = {.bridge_name = "p0", .bip = "10.77.0.1/16", .fixed_cidr = "10.77.3.0/24"};
	AUTO(net_info_clear) struct net_info info = {0};
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	auto_free char *state_dir = xfmt("%s/bip", dir);
	struct err err = ERR_INIT;
	struct net *net = NULL;
	struct box box;

	NEED_NAMESPACE();
	net_close(open_net("bip", false));
	net = NULL;
	CHECK(net_open(&options, state_dir, dir, &net, &err));
	CHECK(net_find(net, "bridge", &info, &err));
	assert_string_equal(info.subnet, "10.77.0.0/16");
	assert_string_equal(info.gateway, "10.77.0.1");
	box = box_start();
	CHECK(attach(net, &box, NULL, &ep, &err));
	assert_string_equal(ep.ip, "10.77.3.0");
	net_close(net);

	options.bip = "10.78.0.1/16";
	options.fixed_cidr = NULL;
	net = NULL;
	assert_int_equal(net_open(&options, state_dir, dir, &net, &err), -EEXIST);
	options.bip = "nonsense";
	assert_int_equal(net_open(&options, state_dir, dir, &net, &err), -EINVAL);
	options.bip = "10.77.0.1/16";
	options.fixed_cidr = "10.78.0.0/24";
	assert_int_equal(net_open(&options, state_dir, dir, &net, &err), -EINVAL);
	options.fixed_cidr = NULL;
	options.bridge_name = "a/b";
	assert_int_equal(net_open(&options, state_dir, dir, &net, &err), -EINVAL);
	box_stop(&box);
	options.bridge_name = "p0";
	CHECK(net_open(&options, state_dir, dir, &net, &err));
	close_net(net);
}

static void ipv6_works_when_it_is_switched_on(void **state)
{
	struct net_options options = {.bridge_name = "p0", .subnet_v6 = "fd42:5::/64"};
	AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
	auto_free char *state_dir = xfmt("%s/six", dir);
	struct err err = ERR_INIT;
	struct net *net = NULL;
	struct box box;

	NEED_NAMESPACE();
	if (access("/proc/net/if_inet6", F_OK)) {
		print_message("this kernel has no IPv6\n");
		skip();
	}
	CHECK(net_open(&options, state_dir, dir, &net, &err));
	box = box_start();
	CHECK(attach(net, &box, NULL, &ep, &err));
	assert_string_equal(ep.ip6, "fd42:5::2");
	assert_string_equal(ep.gateway6, "fd42:5::1");
	{
		pid_t pid = box_fork(&box);
		int status;

		if (!pid) {
			struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
			int fd = socket(AF_INET6, SOCK_STREAM, 0);

			inet_pton(AF_INET6, "fd42:5::1", &to.sin6_addr);
			/* The host is reached and says that nobody listens. */
			_exit(connect(fd, (void *)&to, sizeof(to)) < 0 && errno == ECONNREFUSED ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	box_stop(&box);
	close_net(net);
}

static void the_three_networks_are_listed_and_found(void **state)
{
	AUTO(net_infos_clear) net_info_vec all = {0};
	AUTO(net_info_clear) struct net_info info = {0};
	AUTO(net_info_clear) struct net_info again = {0};
	struct err err = ERR_INIT;
	struct net *net;
	char prefix[13];

	NEED_NAMESPACE();
	net = open_net("list", false);
	CHECK(net_list(net, &all, &err));
	assert_int_equal(all.n, 3);
	CHECK(net_find(net, "default", &info, &err));
	assert_string_equal(info.driver, "bridge");
	snprintf(prefix, sizeof(prefix), "%s", info.id);
	CHECK(net_find(net, prefix, &again, &err));
	assert_string_equal(again.id, info.id);
	assert_int_equal(net_find(net, "nowhere", &again, &err), -ENOENT);
	net_info_clear(&again);
	CHECK(net_find(net, "none", &again, &err));
	assert_string_equal(again.driver, "null");
	close_net(net);
}

struct worker {
	struct net *net;
	struct box box;
	uint16_t port;
	struct net_endpoint ep;
	struct err err;
	int rc;
};

static void *work(void *arg)
{
	struct worker *w = arg;
	auto_free char *publish = xfmt("%u:80", w->port);

	w->rc = attach(w->net, &w->box, publish, &w->ep, &w->err);
	return NULL;
}

static void many_containers_attach_at_once(void **state)
{
	enum { N = 12 };
	struct worker workers[N] = {0};
	pthread_t threads[N];
	struct timespec t0;
	struct err err = ERR_INIT;
	struct net *net;
	char answer[64];
	pid_t server;

	NEED_NAMESPACE();
	net = open_net("many", true);
	for (int i = 0; i < N; i++)
		workers[i] = (struct worker){.net = net, .box = box_start(), .port = (uint16_t)(20000 + i)};
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < N; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	for (int i = 0; i < N; i++)
		pthread_join(threads[i], NULL);
	print_message("%d at once with a port each: %.1f ms\n", N, ms_since(&t0));
	for (int i = 0; i < N; i++) {
		if (workers[i].rc < 0)
			fail_msg("%s", workers[i].err.msg);
		server = answer_on(&workers[i].box, "tcp", 80);
		ask("tcp", "192.168.5.1", workers[i].port, answer);
		assert_string_equal(answer, "192.168.5.1");
		stop(server);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(workers[i].ep.ip, workers[k].ep.ip);
	}
	for (int i = 0; i < N; i++) {
		CHECK(net_detach(net, workers[i].box.id, &err));
		box_stop(&workers[i].box);
		net_endpoint_clear(&workers[i].ep);
	}
	close_net(net);
}

static void attaching_takes_few_milliseconds(void **state)
{
	double best = 1e9, best_detach = 1e9;
	struct err err = ERR_INIT;
	struct net *net;

	NEED_NAMESPACE();
	net = open_net("speed", true);
	for (int i = 0; i < 10; i++) {
		AUTO(net_endpoint_clear) struct net_endpoint ep = {0};
		struct box box = box_start();
		struct timespec t0;
		double ms;

		clock_gettime(CLOCK_MONOTONIC, &t0);
		CHECK(attach(net, &box, NULL, &ep, &err));
		ms = ms_since(&t0);
		best = ms < best ? ms : best;
		box_stop(&box);
		clock_gettime(CLOCK_MONOTONIC, &t0);
		CHECK(net_detach(net, box.id, &err));
		ms = ms_since(&t0);
		best_detach = ms < best_detach ? ms : best_detach;
	}
	print_message("attach %.2f ms, detach %.2f ms\n", best, best_detach);
	assert_true(best < 60);
	close_net(net);
}

static int all_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_container_gets_an_address_and_the_way_to_its_host, fresh),
		cmocka_unit_test_setup(ports_need_not_wait_and_have_the_bridges_address, fresh),
		cmocka_unit_test_setup(published_ports_work_by_iptables, fresh),
		cmocka_unit_test_setup(published_ports_work_by_proxy, fresh),
		cmocka_unit_test_setup(the_proxy_loses_nothing_and_serves_many, fresh),
		cmocka_unit_test_setup(the_first_packet_is_not_late, fresh),
		cmocka_unit_test_setup(a_port_or_address_in_use_is_a_conflict_and_leaves_nothing, fresh),
		cmocka_unit_test_setup(what_a_killed_daemon_left_is_removed, fresh),
		cmocka_unit_test_setup(endpoints_of_an_earlier_boot_are_forgotten, fresh),
		cmocka_unit_test_setup(the_bridge_keeps_its_subnet_and_takes_a_new_one_on_request, fresh),
		cmocka_unit_test_setup(ipv6_works_when_it_is_switched_on, fresh),
		cmocka_unit_test_setup(the_three_networks_are_listed_and_found, fresh),
		cmocka_unit_test_setup(many_containers_attach_at_once, fresh),
		cmocka_unit_test_setup(attaching_takes_few_milliseconds, fresh),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

int main(int argc, char **argv)
{
	return box_main(argc, argv, all_tests);
}
