/*
 * t_net_words.c - ports, addresses and name files: all of networks that needs no network
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

static char dir[] = "/tmp/t-net-words-XXXXXX";

#define CHECK(call)                                                                                                    \
	do {                                                                                                           \
		if ((call) < 0)                                                                                        \
			fail_msg("%s", err.msg);                                                                       \
	} while (0)

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

static void published_ports_are_read_as_docker_reads_them(void **state)
{
	static const struct {
		const char *spec, *first;
		size_t n;
	} good[] = {
		{"80", "*:0-0:80/tcp", 1},
		{"8080:80", "*:8080-8080:80/tcp", 1},
		{"8080:80/UDP", "*:8080-8080:80/udp", 1},
		{"127.0.0.1:8080:80", "127.0.0.1:8080-8080:80/tcp", 1},
		{"127.0.0.1::80", "127.0.0.1:0-0:80/tcp", 1},
		{"[::1]:8080:80/sctp", "::1:8080-8080:80/sctp", 1},
		{"8000-8010:80", "*:8000-8010:80/tcp", 1},
		{"8000-8002:80-82", "*:8000-8000:80/tcp", 3},
		{"80-82", "*:0-0:80/tcp", 3},
	};
	static const char *const bad[] = {"",	    ":",	 "x",	    "0:80",	"80:0",	      "80:65536",
					  "1.2.3:1:80", "80/icmp", "8000-8001:80-82", "90-80", "1:2:3:80", "80:"};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		AUTO(net_ports_clear) net_port_vec ports = {0};
		auto_free char *text = NULL;
		struct err err = ERR_INIT;

		CHECK(net_port_parse(good[i].spec, &ports, &err));
		assert_int_equal(ports.n, good[i].n);
		text = xfmt("%s:%u-%u:%u/%s", ports.v[0].host_ip ? ports.v[0].host_ip : "*", ports.v[0].host_first,
			    ports.v[0].host_last, ports.v[0].container_port, ports.v[0].proto);
		assert_string_equal(text, good[i].first);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(net_ports_clear) net_port_vec ports = {0};
		struct err err = ERR_INIT;

		if (net_port_parse(bad[i], &ports, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i]);
	}
}

static void subnets_and_addresses_are_checked(void **state)
{
	struct subnet s, t;
	unsigned char mac[6];
	struct err err = ERR_INIT;

	CHECK(subnet_parse("192.168.5.1/24", "x", &s, &err));
	assert_int_equal(subnet_first(&s), 0xc0a80500);
	assert_int_equal(subnet_last(&s), 0xc0a805ff);
	CHECK(subnet_parse("192.168.0.0/16", "x", &t, &err));
	assert_true(subnet_overlaps(&s, &t));
	CHECK(subnet_parse("10.0.0.0/8", "x", &t, &err));
	assert_false(subnet_overlaps(&s, &t));
	assert_true(subnet_parse("192.168.5.1", "--bip", &s, &err) < 0);
	assert_true(subnet_parse("192.168.5.1/31", "--bip", &s, &err) < 0);
	assert_true(subnet_parse("192.168.5.1/0", "--bip", &s, &err) < 0);
	assert_int_equal(mac_parse("02:42:00:00:00:01", mac), 0);
	assert_true(mac_parse("01:42:00:00:00:01", mac) < 0);
	assert_true(mac_parse("02:42:00:00:00", mac) < 0);
	assert_true(mac_parse("02:42:00:00:00:01x", mac) < 0);
}

/* ---- name files --------------------------------------------------------------------------------------------------------------- */

static char *content(const char *where, const char *name)
{
	auto_free char *path = path_join(where, name);
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	CHECK(file_read(-1, path, 1 << 20, &text, &err));
	return buf_take(&text);
}

static char *resolv(const char *host, struct net_files *files)
{
	auto_free char *path = path_join(dir, "host-resolv");
	struct err err = ERR_INIT;

	CHECK(file_write(-1, path, host, strlen(host), 0600, &err));
	files->host_resolv = path;
	CHECK(net_files_write(dir, files, &err));
	return content(dir, "resolv.conf");
}

static void resolv_conf_leaves_the_hosts_loopback_servers_out(void **state)
{
	struct net_files files = {.hostname = "c"};
	AUTO(strv_clear) struct strv dns = {0};
	AUTO(strv_clear) struct strv dot = {0};
	AUTO(strv_clear) struct strv options = {0};
	struct err err = ERR_INIT;

	{
		auto_free char *t = resolv("# c\nnameserver 127.0.0.53\nnameserver 10.0.0.1 ; x\nsearch a b\noptions ndots:2\n", &files);

		assert_string_equal(t, "search a b\nnameserver 10.0.0.1\noptions ndots:2\n");
	}
	{
		auto_free char *t = resolv("nameserver 127.0.0.53\n", &files);

		assert_string_equal(t, "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
	}
	strv_add(&dns, "127.0.0.1");
	strv_add(&dot, ".");
	strv_add(&options, "debug");
	files.dns = &dns;
	files.dns_search = &dot;
	files.dns_options = &options;
	{
		auto_free char *t = resolv("nameserver 10.0.0.1\nsearch a b\noptions x\n", &files);

		assert_string_equal(t, "nameserver 127.0.0.1\noptions debug\n");
	}
	strv_add(&dns, "1.2.3.4\nnameserver 6.6.6.6");
	assert_int_equal(net_files_write(dir, &files, &err), -EINVAL);
}

static void hosts_is_rewritten_in_place(void **state)
{
	struct net_files files = {.hostname = "web", .domainname = "example.org", .ip = "192.168.5.2"};
	auto_free char *path = path_join(dir, "hosts");
	AUTO(strv_clear) struct strv extra = {0};
	AUTO(strv_clear) struct strv aliases = {0};
	struct stat before, after;
	struct err err = ERR_INIT;

	strv_add(&extra, "db:10.1.1.1");
	strv_add(&extra, "six:[fd00::1]");
	strv_add(&aliases, "www");
	files.extra_hosts = &extra;
	files.aliases = &aliases;
	CHECK(net_files_write(dir, &files, &err));
	assert_int_equal(stat(path, &before), 0);
	{
		auto_free char *t = content(dir, "hosts");

		assert_non_null(strstr(t, "127.0.0.1\tlocalhost\n"));
		assert_non_null(strstr(t, "\n10.1.1.1\tdb\nfd00::1\tsix\n192.168.5.2\tweb.example.org web www\n"));
	}
	files.ip = NULL;
	CHECK(net_hosts_write(dir, &files, &err));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_true(after.st_size < before.st_size);
	{
		auto_free char *t = content(dir, "hostname");

		assert_string_equal(t, "web\n");
	}
	strv_add(&extra, "nonsense");
	assert_int_equal(net_hosts_write(dir, &files, &err), -EINVAL);
}

static int set_up(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	struct err err = ERR_INIT;

	return path_remove_tree(dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_ports_are_read_as_docker_reads_them),
		cmocka_unit_test(subnets_and_addresses_are_checked),
		cmocka_unit_test(resolv_conf_leaves_the_hosts_loopback_servers_out),
		cmocka_unit_test(hosts_is_rewritten_in_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
