/*
 * net - networks of containers: the default bridge, addresses, NAT, published ports, name files.
 *
 * A struct net is the host's set of networks. "none", "host" and the default bridge "bridge" always exist; the table holds any number of
 * bridges. State is on disk, one JSON file an endpoint, and whoever opens the directory again knows all of it:
 *
 *	STATE/networks/NAME.json	a network: id, bridge, subnet, gateway, options
 *	STATE/endpoints/ID.json		a container's endpoint: addresses (the lease), interface, published ports, proxies
 *
 * Attach order: address lease, veth pair (its far end is moved by pid and renamed to eth0), address and routes inside, ports. A
 * failed attach undoes what it did. Rules live in own chains, named after the bridge (POUCH-p0, POUCH-p0-SNAT, POUCH-p0-FWD, POUCH-p0-IN),
 * which are always written as a whole from the endpoints, so nobody else's rules are touched and ours cannot drift.
 *
 * Threads: all functions may be called at the same time; there is one lock for the table and one for each bridge's leases.
 */
#ifndef RUNTIME_NET_NET_H
#define RUNTIME_NET_NET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"
#include "compat/base/json.h"
#include "compat/base/vec.h"

struct net_options {
	const char *bridge_name;	/* NULL: "p0" */
	const char *bip;		/* "192.168.5.1/24"; NULL: the bridge's present one, else the first free of the pool */
	const char *fixed_cidr;		/* containers get addresses of this part only; NULL: whole subnet */
	const char *default_gateway;	/* NULL: the bridge's address */
	const char *subnet_v6;		/* --fixed-cidr-v6 with --enable-ipv6; NULL: IPv6 is off */
	const char *default_gateway_v6;
	int mtu;			/* 0: 1500 */
	bool disable_bridge;		/* only none, host, container */
	bool iptables;			/* false: no rules; published ports by proxy alone */
	bool ip_forward;		/* switch net.ipv4.ip_forward on */
	bool userland_proxy;		/* also where NAT works (loopback without route_localnet needs it) */
	const char *proxy_program;	/* NULL: the sibling pouch-init, which is called as "pouch-proxy" */
};

struct net;

/*
 * @state_dir	home's "network"; made when absent
 * @run_dir	cleared by a reboot; for locks and the boot's mark
 *
 * Makes or adopts the default bridge, its rules, forwarding. Endpoints of an earlier boot are dropped, leases with them.
 */
int net_open(const struct net_options *options, const char *state_dir, const char *run_dir, struct net **ret,
	     struct err *err);
/* Frees memory; bridges, rules and proxies stay for the containers that live on. */
void net_close(struct net *net);
DEFINE_AUTO(net_close, struct net *)
/* Remove the default bridge and all rules. Refused (ERR_CONFLICT) while endpoints exist. For tests and uninstalling. */
int net_teardown(struct net *net, struct err *err);

/* ---- ports ------------------------------------------------------------------------------------------------------------------ */

/* One published port, or a range: [first, last] on the host serves container ports from container_port on. */
struct net_port {
	char *host_ip;			/* NULL: all addresses, IPv4 and IPv6 */
	uint16_t host_first, host_last;	/* both 0: any free port */
	uint16_t container_port;
	char *proto;			/* "tcp", "udp", "sctp" */
};

typedef VEC(struct net_port) net_port_vec;

extern const struct json_table net_port_table;

void net_ports_clear(net_port_vec *ports);
DEFINE_AUTO_CLEAR(net_ports_clear, net_port_vec)

/*
 * Docker's --publish: "8080:80", "127.0.0.1:8080:80/udp", "8000-8010:80" (any of them), "8000-8002:80-82", "80", "[::1]:80:80". Appends
 * to @ret, one element a container port.
 */
int net_port_parse(const char *spec, net_port_vec *ret, struct err *err);
/* "80/tcp", "80", "8000-8010/udp" -> appends one element a port, host ports 0. */
int net_expose_parse(const char *spec, net_port_vec *ret, struct err *err);

/* ---- endpoints -------------------------------------------------------------------------------------------------------------- */

struct net_request {
	const char *container_id;	/* 64 hex digits */
	pid_t pid;			/* whose network namespace; the process is blocked before its start */
	int netlink_fd;			/* a NETLINK_ROUTE socket from in there, borrowed; 0: the namespace of @pid is joined for one */
	const char *network;		/* name, id or id prefix; NULL or "default": the default bridge */
	const char *ip, *ip6, *mac;	/* NULL: chosen */
	const char *const *aliases;	/* NULL-terminated or NULL */
	const struct net_port *ports;
	size_t port_count;
	bool publish_all;		/* also @exposed, at free ports */
	const struct net_port *exposed;
	size_t exposed_count;
};

struct net_endpoint {
	char *container_id;
	char *endpoint_id;		/* 64 hex digits */
	char *network_id, *network_name;
	char *ip, *gateway, *mac;	/* "192.168.5.2" */
	int prefix_len;
	char *ip6, *gateway6;		/* NULL without IPv6 */
	int prefix_len6;
	char *host_if, *container_if;
	char *bridge;
	struct strv aliases;
	net_port_vec ports;		/* as they are published: host ports chosen, ranges resolved */
	int64_t proxy_pid;		/* 0: none */
	uint64_t proxy_start;		/* field 22 of its /proc/PID/stat: what proc_ref holds */
	char *boot_id;
};

extern const struct json_table net_endpoint_table;

void net_endpoint_clear(struct net_endpoint *ep);
DEFINE_AUTO_CLEAR(net_endpoint_clear, struct net_endpoint)

/*
 * Give the container of @req its eth0. Networks "none" and "host" and "container:ID" need no endpoint and are ERR_INVALID here.
 * The namespace's lo and, without IPv6, its net.ipv6.conf.default.disable_ipv6 are its maker's business.
 * ERR_CONFLICT "... port is already allocated" / "address ... is in use"; ERR_UNSUPPORTED names what the host lacks.
 */
int net_attach(struct net *net, const struct net_request *req, struct net_endpoint *ret, struct err *err);
/* Undo net_attach: rules, proxies, interface, lease. Absent is fine. */
int net_detach(struct net *net, const char *container_id, struct err *err);
/* A copy of the container's endpoint, ERR_NOT_FOUND without one. */
int net_endpoint_get(struct net *net, const char *container_id, struct net_endpoint *ret, struct err *err);
/* Detach every container that is not in @live (container ids), remove interfaces and rules of nobody. At pouchd's start. */
int net_gc(struct net *net, const struct strv *live, struct err *err);

/* ---- networks --------------------------------------------------------------------------------------------------------------- */

struct net_info {
	char *id, *name, *driver, *scope; /* "bridge", "host", "null"; "local" */
	int64_t created_ns;
	bool internal, enable_ipv6;
	char *bridge, *subnet, *gateway, *ip_range, *subnet6, *gateway6;
	int mtu;
	struct strmap labels, options;
	VEC(struct net_endpoint) endpoints;
};

typedef VEC(struct net_info) net_info_vec;

void net_info_clear(struct net_info *info);
DEFINE_AUTO_CLEAR(net_info_clear, struct net_info)
void net_infos_clear(net_info_vec *infos);
DEFINE_AUTO_CLEAR(net_infos_clear, net_info_vec)

int net_list(struct net *net, net_info_vec *ret, struct err *err);
/* @name: name, id or unambiguous prefix of an id. */
int net_find(struct net *net, const char *name, struct net_info *ret, struct err *err);

/* ---- /etc/hosts, /etc/hostname, /etc/resolv.conf ---------------------------------------------------------------------------- */

struct net_files {
	const char *hostname, *domainname;	/* domainname may be NULL */
	const char *ip, *ip6;			/* NULL: no line of its own (none, host) */
	const struct strv *aliases;		/* more names of this address; may be NULL */
	const struct strv *extra_hosts;		/* "name:ip"; may be NULL */
	const struct strv *dns, *dns_search, *dns_options; /* may be NULL or empty: the host's */
	const char *host_resolv;		/* NULL: "/etc/resolv.conf" */
	bool host_network;			/* hosts and resolv.conf of the host as they are, with extra_hosts added */
};

/*
 * Write "hosts", "hostname" and "resolv.conf" into directory @dir, in place: the inodes stay, as containers have them bind-mounted.
 * Docker's rules: without --dns the host's name servers without its loopback ones (all loopback: 8.8.8.8 and 8.8.4.4), search "." is none.
 */
int net_files_write(const char *dir, const struct net_files *files, struct err *err);
/* "hosts" alone, for a start that got another address. */
int net_hosts_write(const char *dir, const struct net_files *files, struct err *err);

#endif
