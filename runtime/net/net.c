/*
 * net.c - the set of networks: attach, detach, list, recover
 */
#include "runtime/net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/kernel/feature.h"
#include "runtime/net/net_internal.h"

/* ---- open and close ----------------------------------------------------------------------------------------------------------- */

/* Ids of the two networks that are nothing: the same on each start, as scripts remember them. */
static char *fixed_id(const struct net *net, const char *name)
{
	uint64_t h[4] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0x2545f4914f6cdd1d};
	auto_free char *text = xfmt("%s/%s", net->state_dir, name);
	char hex[65];

	for (int i = 0; i < 4; i++) {
		for (const char *p = text; *p; p++)
			h[i] = (h[i] ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
		h[i] ^= h[i] >> 31;
	}
	str_hex(hex, h, sizeof(h));
	return xstrdup(hex);
}

int net_open(const struct net_options *options, const char *state_dir, const char *run_dir, struct net **ret,
	     struct err *err)
{
	AUTO(net_close) struct net *net = xcalloc(1, sizeof(*net));
	int rc;

	pthread_mutex_init(&net->lock, NULL);
	pthread_mutex_init(&net->rules_lock, NULL);
	pthread_mutex_init(&net->reaper.lock, NULL);
	pthread_cond_init(&net->reaper.idle, NULL);
	net->state_dir = xstrdup(state_dir);
	net->run_dir = xstrdup(run_dir);
	net->proxy_program = xstrdup(options->proxy_program);
	net->disabled = options->disable_bridge;
	net->userland_proxy = options->userland_proxy;
	net->ip_forward = options->ip_forward;
	net->peer_elsewhere = feature_works(FEATURE_VETH_PEER_NETNS);
	net->started_ns = time_now_ns();
	net->none_id = fixed_id(net, "none");
	net->host_id = fixed_id(net, "host");

	if ((rc = path_mkdirs(state_dir, 0700, err)) < 0 || (rc = path_mkdirs(run_dir, 0700, err)) < 0 ||
	    (rc = proc_boot_id(net->boot_id, err)) < 0 || (rc = endpoints_load(net, err)) < 0)
		return rc;
	if (!net->disabled) {
		if ((rc = firewall_open(&net->firewall, options->iptables, run_dir, err)) < 0 ||
		    (rc = network_open_default(net, options, err)) < 0 ||
		    (rc = rules_write(net, net->networks.v[0], true, err)) < 0)
			return rc;
	}
	*ret = take(net);
	return 0;
}

void net_close(struct net *net)
{
	if (!net)
		return;
	reaper_finish(net);
	VEC_EACH(n, &net->networks)
		network_free(*n);
	VEC_FREE(&net->networks);
	VEC_EACH(ep, &net->endpoints)
		endpoint_free(*ep);
	VEC_FREE(&net->endpoints);
	firewall_close(&net->firewall);
	pthread_mutex_destroy(&net->lock);
	pthread_mutex_destroy(&net->rules_lock);
	pthread_mutex_destroy(&net->reaper.lock);
	pthread_cond_destroy(&net->reaper.idle);
	free(net->state_dir);
	free(net->run_dir);
	free(net->proxy_program);
	free(net->none_id);
	free(net->host_id);
	free(net);
}

int net_teardown(struct net *net, struct err *err)
{
	AUTO(netlink_close) struct nl_sock *sock = NULL;
	int rc = netlink_open(0, &sock, err);

	if (rc < 0)
		return rc;
	if (net->endpoints.n)
		return err_set(err, ERR_CONFLICT, "%zu containers have active endpoints", net->endpoints.n);
	reaper_finish(net);
	VEC_EACH(n, &net->networks) {
		auto_free char *file = xfmt("%s/networks/%s.json", net->state_dir, (*n)->info.name);
		struct link_info link;

		rc = firewall_remove(&net->firewall, *n, err);
		if (rc < 0)
			return rc;
		if (link_get(sock, (*n)->info.bridge, &link, err) >= 0) {
			(void)link_set(sock, link.index, NULL, NULL, 0, 0, err); /* the removal tells */
			rc = bridge_del((*n)->info.bridge, err);
			if (rc < 0)
				return rc;
		}
		(void)remove(file);
	}
	return 0;
}

/* ---- finding ------------------------------------------------------------------------------------------------------------------ */

struct net_endpoint *net_endpoint_find(struct net *net, const char *container_id)
{
	VEC_EACH(ep, &net->endpoints) {
		if (str_eq((*ep)->container_id, container_id))
			return *ep;
	}
	return NULL;
}

struct network *net_network(struct net *net, const char *name)
{
	if (str_empty(name) || strcmp(name, "default") == 0)
		name = "bridge";
	VEC_EACH(n, &net->networks) {
		if (strcmp((*n)->info.name, name) == 0 || (strlen(name) >= 4 && str_starts((*n)->info.id, name)))
			return *n;
	}
	return NULL;
}

int net_endpoint_get(struct net *net, const char *container_id, struct net_endpoint *ret, struct err *err)
{
	const struct net_endpoint *ep;

	pthread_mutex_lock(&net->lock);
	ep = net_endpoint_find(net, container_id);
	if (ep)
		json_copy(&net_endpoint_table, ret, ep);
	pthread_mutex_unlock(&net->lock);
	return ep ? 0 : err_set(err, ERR_NOT_FOUND, "container %.12s has no endpoint", container_id);
}

/* ---- attach ------------------------------------------------------------------------------------------------------------------- */

static void copy_port(net_port_vec *to, const struct net_port *from)
{
	struct net_port *p = VEC_ADD(to);

	*p = *from;
	p->host_ip = str_empty(from->host_ip) ? NULL : xstrdup(from->host_ip);
	p->proto = xstrdup(str_empty(from->proto) ? "tcp" : from->proto);
	if (!p->host_last)
		p->host_last = p->host_first;
}

static bool is_published(const net_port_vec *ports, const struct net_port *port)
{
	VEC_EACH(p, ports) {
		if (p->container_port == port->container_port && str_eq(p->proto, port->proto))
			return true;
	}
	return false;
}

static int wanted_ports(const struct net_request *req, net_port_vec *ret, struct err *err)
{
	for (size_t i = 0; i < req->port_count; i++) {
		const struct net_port *p = &req->ports[i];
		unsigned char addr[16];

		if (!p->container_port || (p->host_last && p->host_last < p->host_first))
			return err_set(err, ERR_INVALID, "invalid port binding %u-%u:%u", p->host_first, p->host_last,
				       p->container_port);
		if (!str_empty(p->host_ip) && inet_pton(AF_INET, p->host_ip, addr) != 1 &&
		    inet_pton(AF_INET6, p->host_ip, addr) != 1)
			return err_set(err, ERR_INVALID, "invalid IP address '%s' in a port binding", p->host_ip);
		copy_port(ret, p);
	}
	for (size_t i = 0; req->publish_all && i < req->exposed_count; i++) {
		if (!is_published(ret, &req->exposed[i])) {
			copy_port(ret, &req->exposed[i]);
			ret->v[ret->n - 1].host_first = ret->v[ret->n - 1].host_last = 0;
		}
	}
	return 0;
}

/* Name, addresses and ports of the endpoint; with the lock. */
static int lease(struct net *net, const struct network *n, const struct net_request *req, struct net_endpoint *ep,
		 struct err *err)
{
	unsigned char mac[6] = {0x02, 0x42};
	char ip[IP_TEXT_SIZE], text[MAC_TEXT_SIZE], ip6[IP6_TEXT_SIZE];
	struct in6_addr addr6;
	uint32_t addr;
	int rc = ipam_pick(net, n, req->ip, &addr, err);

	if (rc < 0 || (rc = wanted_ports(req, &ep->ports, err)) < 0 || (rc = ports_pick(net, &ep->ports, err)) < 0)
		return rc;
	if (n->has_v6 || !str_empty(req->ip6)) {
		rc = ipam_pick6(net, n, req->ip6, addr, &addr6, err);
		if (rc < 0)
			return rc;
		inet_ntop(AF_INET6, &addr6, ip6, sizeof(ip6));
		ep->ip6 = xstrdup(ip6);
		ep->prefix_len6 = n->prefix6;
		ep->gateway6 = xstrdup(n->info.gateway6);
	}
	/* From the address: whoever gets the address again keeps its neighbours' ARP tables right. */
	for (int i = 0; i < 4; i++)
		mac[2 + i] = (unsigned char)(addr >> (24 - 8 * i));
	if (!str_empty(req->mac) && mac_parse(req->mac, mac) < 0)
		return err_set(err, ERR_INVALID, "invalid MAC address '%s'", req->mac);
	mac_text(mac, text);
	ip_text(addr, ip);
	ep->mac = xstrdup(text);
	ep->ip = xstrdup(ip);
	return 0;
}

static int reserve(struct net *net, const struct net_request *req, struct network **ret_network,
		   struct net_endpoint **ret, struct err *err)
{
	struct net_endpoint *ep = xcalloc(1, sizeof(*ep));
	struct network *n;
	unsigned char random[4];
	char id[65];
	int rc = 0;

	random_id(id);
	ep->endpoint_id = xstrdup(id);
	ep->container_id = xstrdup(req->container_id);
	ep->boot_id = xstrdup(net->boot_id);
	for (size_t i = 0; req->aliases && req->aliases[i]; i++)
		strv_add(&ep->aliases, req->aliases[i]);

	pthread_mutex_lock(&net->lock);
	n = net_network(net, req->network);
	if (!n)
		rc = err_set(err, ERR_NOT_FOUND, net->disabled ? "network '%s' not found: the bridge is switched off" :
								 "network '%s' not found",
			     req->network ? req->network : "bridge");
	else if (net_endpoint_find(net, req->container_id))
		rc = err_set(err, ERR_CONFLICT, "container %.12s has an endpoint already", req->container_id);
	else
		rc = lease(net, n, req, ep, err);
	if (rc >= 0) {
		random_bytes(random, sizeof(random));
		str_hex(id, random, sizeof(random));
		ep->host_if = xfmt("veth%.7s", id);
		ep->container_if = xstrdup("eth0");
		ep->network_id = xstrdup(n->info.id);
		ep->network_name = xstrdup(n->info.name);
		ep->bridge = xstrdup(n->info.bridge);
		ep->gateway = xstrdup(n->info.gateway);
		ep->prefix_len = n->subnet.prefix;
		/* On disk before anything exists, so that a killed daemon's successor knows what to undo. */
		rc = endpoint_save(net, ep, err);
	}
	if (rc >= 0) {
		VEC_PUSH(&net->endpoints, ep);
		n->rules_wanted++;
	}
	pthread_mutex_unlock(&net->lock);
	if (rc < 0) {
		endpoint_free(ep);
		return rc;
	}
	*ret_network = n;
	*ret = ep;
	return 0;
}

/* Inside the container's namespace: lo, the address, the way out. */
static int configure(struct nl_sock *inside, const struct network *n, const struct net_endpoint *ep, struct err *err)
{
	uint32_t ip = 0, gateway = htonl(n->gateway);
	struct link_info eth, lo;
	struct in6_addr ip6;
	int rc;

	if ((rc = link_get(inside, ep->container_if, &eth, err)) < 0 || (rc = link_get(inside, "lo", &lo, err)) < 0)
		return rc;
	(void)ip_parse(ep->ip, &ip); /* our own text */
	ip = htonl(ip);
	if ((rc = addr_add(inside, eth.index, AF_INET, &ip, ep->prefix_len, err)) < 0)
		return rc;
	if (ep->ip6 && inet_pton(AF_INET6, ep->ip6, &ip6) == 1 &&
	    (rc = addr_add(inside, eth.index, AF_INET6, &ip6, ep->prefix_len6, err)) < 0)
		return rc;
	if ((!lo.up && (rc = link_set(inside, lo.index, NULL, NULL, 0, 1, err)) < 0) ||
	    (rc = link_set(inside, eth.index, NULL, NULL, 0, 1, err)) < 0)
		return rc;
	rc = route_add_default(inside, eth.index, AF_INET, &gateway, err);
	if (rc >= 0 && ep->ip6)
		rc = route_add_default(inside, eth.index, AF_INET6, &n->gateway6, err);
	return rc;
}

/* A bridge of somebody else's may have none as long as it has no port. */
static bool mac_is_set(const unsigned char mac[LINK_MAC_SIZE])
{
	static const unsigned char none[LINK_MAC_SIZE];

	return memcmp(mac, none, LINK_MAC_SIZE) != 0;
}

static int plug(const struct net *net, const struct network *n, const struct net_endpoint *ep, const struct net_request *req,
		struct err *err)
{
	AUTO(netlink_close) struct nl_sock *inside = NULL;
	AUTO(netlink_close) struct nl_sock *here = NULL;
	unsigned char mac[6];
	struct link_info link, bridge;
	struct err ignored;
	int rc;

	(void)mac_parse(ep->mac, mac); /* our own text */
	rc = req->netlink_fd ? netlink_open_fd(req->netlink_fd, &inside, err) : netlink_open(req->pid, &inside, err);
	if (rc < 0 || (rc = netlink_open(0, &here, err)) < 0 || (rc = link_get(here, ep->bridge, &bridge, err)) < 0)
		return rc;
	rc = link_add_veth(here,
			   &(struct veth){.host_name = ep->host_if, .peer_name = ep->container_if, .peer_pid = req->pid,
					  .born_there = net->peer_elsewhere, .peer_mac = mac,
					  .host_mac = mac_is_set(bridge.mac) ? bridge.mac : NULL, .mtu = n->info.mtu},
			   err);
	if (rc < 0)
		return rc;
	if ((rc = link_get(here, ep->host_if, &link, err)) < 0 ||
	    (!link.up && (rc = link_set(here, link.index, NULL, NULL, 0, 1, err)) < 0) ||
	    (rc = bridge_add_port(ep->bridge, link.index, err)) < 0 || (rc = configure(inside, n, ep, err)) < 0)
		(void)link_del(here, ep->host_if, &ignored); /* takes its peer with it */
	if (rc >= 0) {
		link_settle(ep->host_if);
		link_settle(ep->bridge); /* its first port gave it its carrier */
	}
	if (rc >= 0 && ep->ports.n && firewall_has_nat(&net->firewall))
		(void)bridge_hairpin(here, ep->host_if, link.index); /* without, only its own port by the host's address fails */
	return rc;
}

static bool wants_proxy(const struct net *net, const struct net_endpoint *ep, bool *ret_v4)
{
	*ret_v4 = !firewall_has_nat(&net->firewall) || !net->loopback;
	if (*ret_v4)
		return ep->ports.n > 0;
	VEC_EACH(p, &ep->ports) {
		if (p->host_ip && strchr(p->host_ip, ':'))
			return true;
	}
	return false;
}

static int publish(struct net *net, struct network *n, struct net_endpoint *ep, struct err *err)
{
	bool v4;
	int rc = 0;

	if (!ep->ports.n)
		return 0;
	if (wants_proxy(net, ep, &v4))
		rc = proxy_start(net->proxy_program, ep, v4, err);
	return rc < 0 ? rc : rules_write(net, n, false, err);
}

/* Everything but the interface, which dies with the namespace or is removed by the caller. */
static void retire(struct net *net, const char *container_id)
{
	struct net_endpoint *ep = NULL;
	struct network *n = NULL;
	struct err ignored;

	pthread_mutex_lock(&net->lock);
	for (size_t i = 0; i < net->endpoints.n && !ep; i++) {
		if (str_eq(net->endpoints.v[i]->container_id, container_id)) {
			ep = net->endpoints.v[i];
			proxy_stop(ep);
			VEC_DEL(&net->endpoints, i);
			n = net_network(net, ep->network_name);
			if (n)
				n->rules_wanted++;
		}
	}
	pthread_mutex_unlock(&net->lock);
	if (!ep)
		return;
	if (ep->ports.n && n)
		(void)rules_write(net, n, false, &ignored); /* the next change writes them whole again */
	endpoint_forget(net, container_id);
	endpoint_free(ep);
}

int net_attach(struct net *net, const struct net_request *req, struct net_endpoint *ret, struct err *err)
{
	struct net_endpoint *ep;
	struct network *n;
	int rc;

	if (!str_is_hex(req->container_id, 64, 64))
		return err_set(err, ERR_INVALID, "invalid container id '%s'", req->container_id);
	if (str_eq(req->network, "none") || str_eq(req->network, "host") ||
	    (req->network && str_starts(req->network, "container:")))
		return err_set(err, ERR_INVALID, "network '%s' has no endpoints", req->network);
	rc = reserve(net, req, &n, &ep, err);
	if (rc < 0)
		return rc;

	rc = plug(net, n, ep, req, err);
	if (rc >= 0)
		rc = publish(net, n, ep, err);
	pthread_mutex_lock(&net->lock);
	if (rc >= 0 && ep->proxy_pid)
		rc = endpoint_save(net, ep, err);
	if (rc >= 0)
		json_copy(&net_endpoint_table, ret, ep);
	pthread_mutex_unlock(&net->lock);
	if (rc < 0) {
		AUTO(netlink_close) struct nl_sock *sock = NULL;
		struct err ignored;

		if (netlink_open(0, &sock, &ignored) >= 0)
			(void)link_del(sock, ep->host_if, &ignored); /* absent when the plug failed */
		retire(net, req->container_id);
		return err_wrap(err, rc, "attach to network '%s'", n->info.name);
	}
	return 0;
}

int net_detach(struct net *net, const char *container_id, struct err *err)
{
	const struct net_endpoint *ep;

	pthread_mutex_lock(&net->lock);
	ep = net_endpoint_find(net, container_id);
	if (ep)
		reaper_add(net, ep->host_if);
	pthread_mutex_unlock(&net->lock);
	if (ep)
		retire(net, container_id);
	return 0;
}

/* ---- recovery ----------------------------------------------------------------------------------------------------------------- */

struct strays {
	struct net *net;
	int bridge;
	struct strv names;
};

/* "veth" and seven hex digits on our bridge, and no endpoint's: a killed daemon's. */
static bool is_stray(void *arg, const char *name, const struct link_info *info)
{
	struct strays *s = arg;

	if (info->master != s->bridge || strlen(name) != 11 || !str_starts(name, "veth") || !str_is_hex(name + 4, 7, 7))
		return true;
	VEC_EACH(ep, &s->net->endpoints) {
		if (str_eq((*ep)->host_if, name))
			return true;
	}
	strv_add(&s->names, name);
	return true;
}

static int sweep_links(struct net *net, struct err *err)
{
	AUTO(netlink_close) struct nl_sock *sock = NULL;
	int rc = netlink_open(0, &sock, err);

	for (size_t i = 0; rc >= 0 && i < net->networks.n; i++) {
		struct strays s = {.net = net};
		struct link_info link;
		struct err ignored;

		rc = link_get(sock, net->networks.v[i]->info.bridge, &link, err);
		if (rc < 0)
			break;
		s.bridge = link.index;
		pthread_mutex_lock(&net->lock);
		rc = link_each_port(sock, is_stray, &s, err);
		pthread_mutex_unlock(&net->lock);
		STRV_EACH(name, &s.names)
			(void)link_del(sock, *name, &ignored); /* its namespace may have died meanwhile */
		strv_clear(&s.names);
	}
	return rc;
}

/* A proxy that died is started again: its ports are part of the container's promise. */
static void revive_proxies(struct net *net)
{
	struct err ignored;

	pthread_mutex_lock(&net->lock);
	VEC_EACH(p, &net->endpoints) {
		struct net_endpoint *ep = *p;
		const struct proc_ref ref = {.pid = (pid_t)ep->proxy_pid, .start = ep->proxy_start};
		bool v4;

		if (!wants_proxy(net, ep, &v4) || (ep->proxy_pid && proc_ref_alive(&ref)))
			continue;
		proxy_stop(ep);
		if (proxy_start(net->proxy_program, ep, v4, &ignored) >= 0) /* else its port was taken meanwhile */
			(void)endpoint_save(net, ep, &ignored);
	}
	pthread_mutex_unlock(&net->lock);
}

int net_gc(struct net *net, const struct strv *live, struct err *err)
{
	AUTO(strv_clear) struct strv dead = {0};
	int rc = 0;

	pthread_mutex_lock(&net->lock);
	VEC_EACH(ep, &net->endpoints) {
		if (!strv_has(live, (*ep)->container_id))
			strv_add(&dead, (*ep)->container_id);
	}
	pthread_mutex_unlock(&net->lock);
	STRV_EACH(id, &dead) {
		rc = net_detach(net, *id, err);
		if (rc < 0)
			return rc;
	}
	if (net->disabled)
		return 0;
	revive_proxies(net);
	return sweep_links(net, err);
}
