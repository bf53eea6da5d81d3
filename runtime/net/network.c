/*
 * network.c - the default bridge: its subnet, its address, its place on disk
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/net/net_internal.h"

enum { FILE_MAX = 1 << 20, MTU_DEFAULT = 1500 };

/* Tried in this order until one overlaps nothing that the host knows. */
static const char *const pool[] = {
	"192.168.5.1/24",   "172.18.0.1/16",   "172.19.0.1/16",	  "172.20.0.1/16", "172.21.0.1/16",
	"172.22.0.1/16",    "172.23.0.1/16",   "172.24.0.1/16",	  "172.25.0.1/16", "172.26.0.1/16",
	"172.27.0.1/16",    "172.28.0.1/16",   "172.29.0.1/16",	  "172.30.0.1/16", "172.31.0.1/16",
	"192.168.105.1/24", "192.168.205.1/24", "10.205.5.1/24", "10.105.5.1/24",
};

void network_free(struct network *network)
{
	if (network)
		net_info_clear(&network->info);
	free(network);
}

static char *info_path(const struct net *net, const char *name)
{
	return xfmt("%s/networks/%s.json", net->state_dir, name);
}

static int info_save(const struct net *net, const struct network *network, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = info_path(net, network->info.name);

	json_print(&net_info_table, &network->info, JSON_PRINT_PRETTY, &text);
	return file_replace(-1, path, text.data, text.len, 0600, FILE_SYNC, err);
}

static bool is_bridge_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < 16 && strcmp(name, ".") && strcmp(name, "..") &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len && *name != '-';
}

/* ---- which subnet ------------------------------------------------------------------------------------------------------------- */

struct taken {
	struct subnet candidate;
	int own_index;
	bool overlaps;
};

static bool on_addr(void *arg, int index, const void *addr, int prefix)
{
	struct taken *t = arg;
	struct subnet other = {.prefix = prefix};

	memcpy(&other.addr, addr, 4);
	other.addr = ntohl(other.addr);
	if (index != t->own_index && subnet_overlaps(&t->candidate, &other))
		t->overlaps = true;
	return !t->overlaps;
}

static bool on_route(void *arg, const void *addr, int prefix)
{
	return on_addr(arg, -1, addr, prefix);
}

/* @own_index: an interface whose own address does not count. Its routes do, unless it has no address yet. */
static int is_free(struct nl_sock *sock, const struct subnet *candidate, int own_index, bool *ret, struct err *err)
{
	struct taken t = {.candidate = *candidate, .own_index = own_index};
	int rc = addr_each(sock, 0, AF_INET, on_addr, &t, err);

	if (rc >= 0 && !t.overlaps)
		rc = route_each(sock, AF_INET, on_route, &t, err);
	*ret = !t.overlaps;
	return rc;
}

struct present {
	struct subnet v[8];
	size_t n;
};

static bool collect(void *arg, int index, const void *addr, int prefix)
{
	struct present *p = arg;
	uint32_t ip;

	memcpy(&ip, addr, 4);
	if (p->n < ARRAY_SIZE(p->v) && prefix <= 30)
		p->v[p->n++] = (struct subnet){ntohl(ip), prefix};
	return true;
}

static int pick_subnet(struct net *net, struct nl_sock *sock, int index, const struct present *present,
		       const char *saved, const char *bip, struct subnet *ret, struct err *err)
{
	bool is_unused = false;
	int rc;

	if (!str_empty(bip))
		return subnet_parse(bip, "--bip", ret, err);
	if (present->n) {
		*ret = present->v[0];
		return 0;
	}
	/* What it had before a restart of the host, so that containers keep their addresses. */
	if (!str_empty(saved) && subnet_parse(saved, "saved address", ret, err) >= 0) {
		rc = is_free(sock, ret, index, &is_unused, err);
		if (rc < 0 || is_unused)
			return rc;
	}
	for (size_t i = 0; i < ARRAY_SIZE(pool); i++) {
		rc = subnet_parse(pool[i], "pool", ret, err);
		if (rc < 0 || (rc = is_free(sock, ret, index, &is_unused, err)) < 0 || is_unused)
			return rc;
	}
	return err_set(err, ERR_CONFLICT, "no free subnet for the default bridge: choose one by --bip");
}

static bool in_use(const struct net *net, const char *bridge)
{
	VEC_EACH(ep, &net->endpoints) {
		if (str_eq((*ep)->bridge, bridge))
			return true;
	}
	return false;
}

/* The wanted address and no other of ours; refused while containers live in another subnet. */
static int settle_address(struct net *net, struct nl_sock *sock, int index, const struct present *present,
			  const struct network *network, struct err *err)
{
	uint32_t ip = htonl(network->subnet.addr);

	for (size_t i = 0; i < present->n; i++) {
		uint32_t old = htonl(present->v[i].addr);
		char text[IP_TEXT_SIZE];
		int rc;

		if (present->v[i].addr == network->subnet.addr && present->v[i].prefix == network->subnet.prefix)
			continue;
		ip_text(present->v[i].addr, text);
		if (in_use(net, network->info.bridge))
			return err_set(err, ERR_CONFLICT, "bridge '%s' has address %s/%d and containers: stop them to use %s",
				       network->info.bridge, text, present->v[i].prefix, network->info.gateway);
		rc = addr_del(sock, index, AF_INET, &old, present->v[i].prefix, err);
		if (rc < 0)
			return rc;
	}
	return addr_add(sock, index, AF_INET, &ip, network->subnet.prefix, err);
}

/* ---- describing it ------------------------------------------------------------------------------------------------------------ */

static int describe_v6(struct network *n, const struct net_options *o, struct err *err)
{
	char text[IP6_TEXT_SIZE];
	int rc;

	if (str_empty(o->subnet_v6))
		return 0;
	rc = subnet6_parse(o->subnet_v6, "--fixed-cidr-v6", &n->subnet6, &n->prefix6, err);
	if (rc < 0)
		return rc;
	n->has_v6 = true;
	for (int bit = n->prefix6; bit < 128; bit++)
		n->subnet6.s6_addr[bit / 8] &= (uint8_t)~(0x80 >> (bit % 8));
	n->gateway6 = n->subnet6;
	n->gateway6.s6_addr[15] |= 1;
	if (!str_empty(o->default_gateway_v6) && inet_pton(AF_INET6, o->default_gateway_v6, &n->gateway6) != 1)
		return err_set(err, ERR_INVALID, "invalid --default-gateway-v6 '%s'", o->default_gateway_v6);
	str_set(&n->info.subnet6, o->subnet_v6);
	inet_ntop(AF_INET6, &n->gateway6, text, sizeof(text));
	str_set(&n->info.gateway6, text);
	n->info.enable_ipv6 = true;
	return 0;
}

static int describe(struct network *n, const struct net_options *o, struct err *err)
{
	char ip[IP_TEXT_SIZE];
	int rc;

	if (n->subnet.addr == subnet_first(&n->subnet))
		n->subnet.addr++; /* "10.0.0.0/24" as bip: the first address is the bridge's */
	if (n->subnet.addr == subnet_last(&n->subnet))
		return err_set(err, ERR_INVALID, "invalid --bip '%s': that is the broadcast address", o->bip ? o->bip : "");
	n->range = n->subnet;
	n->gateway = n->subnet.addr;
	if (!str_empty(o->fixed_cidr)) {
		rc = subnet_parse(o->fixed_cidr, "--fixed-cidr", &n->range, err);
		if (rc < 0)
			return rc;
		if (!subnet_has(&n->subnet, subnet_first(&n->range)) || n->range.prefix < n->subnet.prefix)
			return err_set(err, ERR_INVALID, "--fixed-cidr %s is not inside the bridge's subnet", o->fixed_cidr);
		str_set(&n->info.ip_range, o->fixed_cidr);
	} else {
		str_set(&n->info.ip_range, NULL);
	}
	if (!str_empty(o->default_gateway) &&
	    (ip_parse(o->default_gateway, &n->gateway) < 0 || !subnet_has(&n->subnet, n->gateway)))
		return err_set(err, ERR_INVALID, "--default-gateway %s is not inside the bridge's subnet", o->default_gateway);

	free(n->info.subnet);
	free(n->info.gateway);
	ip_text(subnet_first(&n->subnet), ip);
	n->info.subnet = xfmt("%s/%d", ip, n->subnet.prefix);
	ip_text(n->gateway, ip);
	n->info.gateway = xstrdup(ip);
	return describe_v6(n, o, err);
}

static int load(struct net *net, const char *name, struct net_info *ret, struct err *err)
{
	auto_free char *path = info_path(net, name);
	struct err why = ERR_INIT;
	int rc = json_parse_file(&net_info_table, -1, path, FILE_MAX, 0, ret, &why);

	if (rc >= 0)
		return 0;
	if (why.code != ENOENT) {
		if (err)
			*err = why;
		return err_wrap(err, rc, "read network '%s'", name);
	}
	*ret = (struct net_info){0};
	return 0;
}

/* ---- making it ---------------------------------------------------------------------------------------------------------------- */

/* A made-up locally administered address that stays: by default a bridge takes its lowest member's, and that changes. */
static int fix_mac(struct nl_sock *sock, int index, const struct subnet *s, struct err *err)
{
	unsigned char mac[LINK_MAC_SIZE] = {0x02, 0x42};

	for (int i = 0; i < 4; i++)
		mac[2 + i] = (unsigned char)(s->addr >> (24 - 8 * i));
	return link_set(sock, index, NULL, mac, 0, -1, err);
}

static int make_bridge(struct net *net, struct network *n, const struct net_options *o, const char *saved,
		       struct err *err)
{
	AUTO(netlink_close) struct nl_sock *sock = NULL;
	struct present present = {0};
	struct link_info link;
	bool is_new;
	int rc = netlink_open(0, &sock, err);

	if (rc < 0)
		return rc;
	rc = bridge_add(n->info.bridge, err);
	if (rc < 0 && rc != -EEXIST)
		return rc;
	is_new = rc == 0;
	if ((rc = link_get(sock, n->info.bridge, &link, err)) < 0 ||
	    (rc = addr_each(sock, link.index, AF_INET, collect, &present, err)) < 0 ||
	    (rc = pick_subnet(net, sock, link.index, &present, saved, o->bip, &n->subnet, err)) < 0 ||
	    (rc = describe(n, o, err)) < 0 || (is_new && (rc = fix_mac(sock, link.index, &n->subnet, err)) < 0) ||
	    (is_new && (rc = bridge_open_at_once(n->info.bridge, err)) < 0) ||
	    (rc = settle_address(net, sock, link.index, &present, n, err)) < 0 ||
	    (rc = link_set(sock, link.index, NULL, NULL, is_new ? n->info.mtu : 0, 1, err)) < 0)
		goto undo;
	if (n->has_v6)
		rc = addr_add(sock, link.index, AF_INET6, &n->gateway6, n->prefix6, err);
undo:
	if (rc < 0 && is_new) {
		struct err ignored;

		(void)link_set(sock, link.index, NULL, NULL, 0, 0, &ignored);
		(void)bridge_del(n->info.bridge, &ignored);
	}
	return rc;
}

static int forward(struct net *net, const struct network *n, struct err *err)
{
	auto_free char *localnet = xfmt("/proc/sys/net/ipv4/conf/%s/route_localnet", n->info.bridge);
	struct err ignored;
	int rc = net->ip_forward ? sysctl_set("/proc/sys/net/ipv4/ip_forward", "1", err) : 0;

	if (rc < 0)
		return err_wrap(err, rc, "switch IP forwarding on (--ipforward=false leaves it)");
	if (net->ip_forward && n->has_v6)
		rc = sysctl_set("/proc/sys/net/ipv6/conf/all/forwarding", "1", err);
	if (rc < 0)
		return err_wrap(err, rc, "switch IPv6 forwarding on");
	/* Absent before 3.6: then the proxy serves 127.0.0.1. */
	net->loopback = firewall_has_nat(&net->firewall) && !net->userland_proxy && !hidden("route_localnet") &&
			sysctl_set(localnet, "1", &ignored) >= 0;
	return 0;
}

int network_open_default(struct net *net, const struct net_options *o, struct err *err)
{
	auto_free char *dir = path_join(net->state_dir, "networks");
	struct network *n = NULL;
	auto_free char *saved = NULL;
	char id[65];
	int rc = path_mkdirs(dir, 0700, err);

	if (rc < 0)
		return rc;
	n = xcalloc(1, sizeof(*n));
	rc = load(net, "bridge", &n->info, err);
	if (rc < 0)
		goto out;
	if (str_empty(n->info.id)) {
		random_id(id);
		str_set(&n->info.id, id);
		n->info.created_ns = time_now_ns();
	} else if (str_eq(n->info.bridge, o->bridge_name ? o->bridge_name : "p0") && n->info.subnet) {
		const char *slash = strchr(n->info.subnet, '/');

		saved = xfmt("%s%s", n->info.gateway, slash ? slash : "/24");
	}
	str_set(&n->info.name, "bridge");
	str_set(&n->info.driver, "bridge");
	str_set(&n->info.scope, "local");
	str_set(&n->info.bridge, str_empty(o->bridge_name) ? "p0" : o->bridge_name);
	n->info.mtu = o->mtu > 0 ? o->mtu : MTU_DEFAULT;
	n->info.enable_ipv6 = false;
	str_set(&n->info.subnet6, NULL);
	str_set(&n->info.gateway6, NULL);
	if (!is_bridge_name(n->info.bridge)) {
		rc = err_set(err, ERR_INVALID, "invalid --bridge-name '%s': an interface name has 1 to 15 letters and digits",
			     n->info.bridge);
		goto out;
	}
	if (n->info.mtu < 68 || n->info.mtu > 65535) {
		rc = err_set(err, ERR_INVALID, "invalid --mtu %d: range is from 68 to 65535", n->info.mtu);
		goto out;
	}
	strmap_set(&n->info.options, "com.docker.network.bridge.name", n->info.bridge);
	strmap_set(&n->info.options, "com.docker.network.bridge.default_bridge", "true");
	rc = make_bridge(net, n, o, saved, err);
	if (rc >= 0)
		rc = forward(net, n, err);
	if (rc >= 0)
		rc = info_save(net, n, err);
out:
	if (rc < 0)
		network_free(n);
	else
		VEC_PUSH(&net->networks, n);
	return rc < 0 ? err_wrap(err, rc, "default bridge network") : 0;
}
