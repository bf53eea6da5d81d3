/*
 * ipam.c - which address a container gets. The leases are the endpoints themselves.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

/* One bit an address of the range; ranges over 2^20 addresses are searched only in their first million. */
enum { WINDOW_MAX = 1 << 20 };

static bool is_leased(struct net *net, const struct network *network, uint32_t ip)
{
	char text[IP_TEXT_SIZE];

	ip_text(ip, text);
	VEC_EACH(ep, &net->endpoints) {
		if (str_eq((*ep)->network_id, network->info.id) && str_eq((*ep)->ip, text))
			return true;
	}
	return false;
}

static bool is_reserved(const struct network *n, uint32_t ip)
{
	return ip == subnet_first(&n->subnet) || ip == subnet_last(&n->subnet) || ip == n->gateway || ip == n->subnet.addr;
}

static int check_wanted(struct net *net, const struct network *network, const char *wanted, uint32_t *ret,
			struct err *err)
{
	uint32_t ip;

	if (ip_parse(wanted, &ip) < 0)
		return err_set(err, ERR_INVALID, "invalid IPv4 address '%s'", wanted);
	if (!subnet_has(&network->subnet, ip))
		return err_set(err, ERR_INVALID, "address %s is not in subnet %s of network '%s'", wanted,
			       network->info.subnet, network->info.name);
	if (is_reserved(network, ip) || is_leased(net, network, ip))
		return err_set(err, ERR_CONFLICT, "address %s is in use on network '%s'", wanted, network->info.name);
	*ret = ip;
	return 0;
}

int ipam_pick(struct net *net, const struct network *network, const char *wanted, uint32_t *ret, struct err *err)
{
	uint32_t first = subnet_first(&network->range), last = subnet_last(&network->range);
	auto_free unsigned char *used = NULL;
	size_t n;

	if (!str_empty(wanted))
		return check_wanted(net, network, wanted, ret, err);
	n = (size_t)(last - first) + 1;
	if (n > WINDOW_MAX)
		n = WINDOW_MAX;
	used = xcalloc(n / 8 + 1, 1);
	VEC_EACH(ep, &net->endpoints) {
		uint32_t ip;

		if (str_eq((*ep)->network_id, network->info.id) && (*ep)->ip && ip_parse((*ep)->ip, &ip) == 0 &&
		    ip >= first && ip - first < n)
			used[(ip - first) / 8] |= (unsigned char)(1 << ((ip - first) % 8));
	}
	for (size_t i = 0; i < n; i++) {
		if (!(used[i / 8] & 1 << (i % 8)) && !is_reserved(network, first + (uint32_t)i)) {
			*ret = first + (uint32_t)i;
			return 0;
		}
	}
	return err_set(err, ERR_CONFLICT, "no free address on network '%s' (%s)", network->info.name,
		       network->info.ip_range ? network->info.ip_range : network->info.subnet);
}

static bool in_subnet6(const struct network *n, const struct in6_addr *ip)
{
	for (int bit = 0; bit < n->prefix6; bit++) {
		int mask = 0x80 >> (bit % 8);

		if ((ip->s6_addr[bit / 8] & mask) != (n->subnet6.s6_addr[bit / 8] & mask))
			return false;
	}
	return true;
}

int ipam_pick6(struct net *net, const struct network *network, const char *wanted, uint32_t ip4, struct in6_addr *ret,
	       struct err *err)
{
	char text[IP6_TEXT_SIZE];
	struct in6_addr ip = network->subnet6;
	uint32_t offset = ip4 - subnet_first(&network->subnet);

	if (!network->has_v6)
		return err_set(err, ERR_UNSUPPORTED,
			       "IPv6 address '%s': network '%s' has no IPv6 (start pouchd with --enable-ipv6 and --fixed-cidr-v6)",
			       wanted ? wanted : "", network->info.name);
	if (!str_empty(wanted)) {
		if (inet_pton(AF_INET6, wanted, &ip) != 1)
			return err_set(err, ERR_INVALID, "invalid IPv6 address '%s'", wanted);
		if (!in_subnet6(network, &ip))
			return err_set(err, ERR_INVALID, "address %s is not in subnet %s of network '%s'", wanted,
				       network->info.subnet6, network->info.name);
	} else {
		/* The same place in its subnet as the IPv4 address has: unique because that one is. */
		for (int i = 0; i < 4; i++)
			ip.s6_addr[15 - i] |= (uint8_t)(offset >> (8 * i));
	}
	inet_ntop(AF_INET6, &ip, text, sizeof(text));
	VEC_EACH(ep, &net->endpoints) {
		if (str_eq((*ep)->network_id, network->info.id) && str_eq((*ep)->ip6, text))
			return err_set(err, ERR_CONFLICT, "address %s is in use on network '%s'", text, network->info.name);
	}
	if (memcmp(&ip, &network->gateway6, sizeof(ip)) == 0)
		return err_set(err, ERR_CONFLICT, "address %s is in use on network '%s'", text, network->info.name);
	*ret = ip;
	return 0;
}
