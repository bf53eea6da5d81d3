/*
 * network - a container's place on a network.
 */
#include "runtime/engine/network.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>

#include "compat/base/str.h"
#include "compat/kernel/ns.h"
#include "compat/kernel/ns_agent.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/oci/container.h"

static bool has_endpoint(const struct container_record *r)
{
	const char *mode = r->host.network_mode;

	return !str_eq(mode, "none") && !mode_is_host(mode) && !mode_container(mode);
}

static const struct api_endpoint_settings *asked(const struct container_record *r)
{
	return r->networking.endpoints.n ? &r->networking.endpoints.v[0] : NULL;
}

static int write_files(struct container *c, bool hosts_only, struct err *err)
{
	const struct container_record *r = &c->rec;
	const struct api_endpoint_settings *e = asked(r);
	auto_free char *dir = container_path(c, NULL);
	const struct net_files files = {
		.hostname = r->config.hostname,
		.domainname = str_empty(r->config.domainname) ? NULL : r->config.domainname,
		.ip = r->endpoint ? r->endpoint->ip : NULL,
		.ip6 = r->endpoint && !str_empty(r->endpoint->ip6) ? r->endpoint->ip6 : NULL,
		.aliases = e ? &e->aliases : NULL,
		.extra_hosts = &r->host.extra_hosts,
		.dns = &r->host.dns,
		.dns_search = &r->host.dns_search,
		.dns_options = &r->host.dns_options,
		.host_network = mode_is_host(r->host.network_mode),
	};

	return hosts_only ? net_hosts_write(dir, &files, err) : net_files_write(dir, &files, err);
}

int network_files(struct engine *e, struct container *c, struct err *err)
{
	(void)e;
	if (c->rec.config.disable_network_files || mode_container(c->rec.host.network_mode))
		return 0;
	return write_files(c, false, err);
}

/* ---- ports ------------------------------------------------------------------------------------------------------------------------ */

static int parse_host_port(const char *text, struct net_port *p, struct err *err)
{
	const char *dash;
	uint32_t first = 0, last = 0;
	auto_free char *low = NULL;

	if (str_empty(text) || !strcmp(text, "0"))
		return 0;
	dash = strchr(text, '-');
	low = xstrndup(text, dash ? (size_t)(dash - text) : strlen(text));
	if (str_u32(low, 10, &first) < 0 || str_u32(dash ? dash + 1 : text, 10, &last) < 0 || !first || first > last ||
	    last > 65535)
		return err_set(err, ERR_INVALID, "invalid host port '%.20s'", text);
	p->host_first = (uint16_t)first;
	p->host_last = (uint16_t)last;
	return 0;
}

static int published(const struct container_record *r, net_port_vec *ret, struct err *err)
{
	for (size_t i = 0; i < r->host.port_bindings.n; i++) {
		const struct api_port *port = &r->host.port_bindings.v[i];
		size_t n = port->bindings.n ? port->bindings.n : 1;

		for (size_t k = 0; k < n; k++) {
			const struct api_port_binding *b = port->bindings.n ? &port->bindings.v[k] : NULL;
			size_t at = ret->n;
			int rc = net_expose_parse(port->port, ret, err);

			if (rc < 0)
				return rc;
			for (; b && at < ret->n; at++) {
				str_set(&ret->v[at].host_ip, str_empty(b->host_ip) ? NULL : b->host_ip);
				rc = parse_host_port(b->host_port, &ret->v[at], err);
				if (rc < 0)
					return rc;
			}
		}
	}
	return 0;
}

static int exposed(const struct container_record *r, net_port_vec *ret, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < r->config.exposed_ports.n; i++)
		rc = net_expose_parse(r->config.exposed_ports.v[i], ret, err);
	return rc;
}

/* ---- attach ----------------------------------------------------------------------------------------------------------------------- */

static const char *or_null(const char *s)
{
	return str_empty(s) ? NULL : s;
}

/* Where network namespaces cannot be joined, the container's agent hands a socket out. 0: not needed. */
static int socket_inside(struct engine *e, struct container *c, pid_t pid, int *ret, struct err *err)
{
	auto_free char *root = xfmt("%s/oci", e->exec_root);
	auto_free char *agent = oci_agent_path(root, c->id);

	if (ns_join_fit(NS_NET).score > FIT_NO)
		return 0;
	return ns_socket(pid, agent, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, ret, err);
}

static int endpoint_attach(struct engine *e, struct container *c, pid_t pid, struct err *err)
{
	struct container_record *r = &c->rec;
	const struct api_endpoint_settings *ask = asked(r);
	AUTO(net_ports_clear) net_port_vec ports = {0}, open = {0};
	struct strv none = {0};
	struct strv *aliases = ask ? (struct strv *)&ask->aliases : &none;
	struct net_endpoint ep = {0};
	struct net_request req = {
		.container_id = c->id,
		.pid = pid,
		.network = r->host.network_mode,
		.ip = ask && ask->ipam_config ? or_null(ask->ipam_config->ipv4_address) : NULL,
		.ip6 = ask && ask->ipam_config ? or_null(ask->ipam_config->ipv6_address) : NULL,
		.mac = or_null(r->config.mac_address),
		.publish_all = r->host.publish_all_ports,
	};
	int rc = published(r, &ports, err);

	if (rc >= 0)
		rc = exposed(r, &open, err);
	if (rc < 0)
		return rc;
	if (!req.mac && ask)
		req.mac = or_null(ask->mac_address);
	req.aliases = (const char *const *)strv_argv(aliases);
	req.ports = ports.v;
	req.port_count = ports.n;
	req.exposed = open.v;
	req.exposed_count = open.n;
	rc = socket_inside(e, c, pid, &req.netlink_fd, err);
	if (rc >= 0)
		rc = net_attach(e->net, &req, &ep, err);
	if (req.netlink_fd > 0)
		close(req.netlink_fd);
	strv_clear(&none);
	if (rc < 0)
		return rc;

	pthread_mutex_lock(&c->lock);
	if (!r->endpoint)
		r->endpoint = xcalloc(1, sizeof(*r->endpoint));
	net_endpoint_clear(r->endpoint);
	*r->endpoint = ep;
	pthread_mutex_unlock(&c->lock);
	if (r->config.disable_network_files)
		return 0;
	return write_files(c, true, err);
}

int network_attach(struct engine *e, struct container *c, pid_t pid, struct err *err)
{
	/* Without an endpoint there is only lo, which the runtime brings up. */
	return has_endpoint(&c->rec) ? endpoint_attach(e, c, pid, err) : 0;
}

int network_detach(struct engine *e, struct container *c, struct err *err)
{
	struct net_endpoint *ep;
	int rc = has_endpoint(&c->rec) ? net_detach(e->net, c->id, err) : 0;

	pthread_mutex_lock(&c->lock);
	ep = take(c->rec.endpoint);
	pthread_mutex_unlock(&c->lock);
	if (ep) {
		net_endpoint_clear(ep);
		free(ep);
	}
	return rc;
}

/* ---- showing it -------------------------------------------------------------------------------------------------------------------- */

static void show_endpoint(const struct container_record *r, struct api_endpoint_settings *ret)
{
	const struct net_endpoint *ep = r->endpoint;
	const struct api_endpoint_settings *ask = asked(r);

	if (ask)
		json_copy(&api_endpoint_settings_table, ret, ask);
	str_set(&ret->name, ep && ep->network_name ? ep->network_name : r->host.network_mode);
	if (mode_container(ret->name))
		str_set(&ret->name, NULL);
	if (!ep)
		return;
	str_set(&ret->network_id, ep->network_id);
	str_set(&ret->endpoint_id, ep->endpoint_id);
	str_set(&ret->gateway, ep->gateway);
	str_set(&ret->ip_address, ep->ip);
	ret->ip_prefix_len = ep->prefix_len;
	str_set(&ret->ipv6_gateway, ep->gateway6);
	str_set(&ret->global_ipv6_address, ep->ip6);
	ret->global_ipv6_prefix_len = ep->prefix_len6;
	str_set(&ret->mac_address, ep->mac);
}

void network_show(const struct container_record *r, struct api_network_settings *ret)
{
	const struct net_endpoint *ep = r->endpoint;

	if (!mode_container(r->host.network_mode))
		show_endpoint(r, VEC_ADD(&ret->networks));
	if (r->state.pid > 0) {
		str_set(&ret->sandbox_id, r->id);
		ret->sandbox_key = xfmt("/proc/%lld/ns/net", (long long)r->state.pid);
	}
	STRV_EACH(port, &r->config.exposed_ports)
		if (ep)
			(void)api_port_map_entry(&ret->ports, *port);	/* null: open, not published */
	if (!ep)
		return;
	for (size_t i = 0; i < ep->ports.n; i++) {
		const struct net_port *p = &ep->ports.v[i];
		char port[24], host[8];

		str_fmt(port, sizeof(port), "%u/%s", p->container_port, p->proto);
		str_fmt(host, sizeof(host), "%u", p->host_first);
		api_port_map_add(&ret->ports, port, str_empty(p->host_ip) ? "0.0.0.0" : p->host_ip, host);
	}
	str_set(&ret->bridge, ep->bridge);
	str_set(&ret->endpoint_id, ep->endpoint_id);
	str_set(&ret->gateway, ep->gateway);
	str_set(&ret->ip_address, ep->ip);
	ret->ip_prefix_len = ep->prefix_len;
	str_set(&ret->mac_address, ep->mac);
	str_set(&ret->global_ipv6_address, ep->ip6);
	str_set(&ret->ipv6_gateway, ep->gateway6);
	ret->global_ipv6_prefix_len = ep->prefix_len6;
}

void network_show_ports(const struct container_record *r, struct api_container_summary *ret)
{
	const struct net_endpoint *ep = r->endpoint;

	if (!mode_container(r->host.network_mode))
		show_endpoint(r, VEC_ADD(&ret->network_settings.networks));
	for (size_t i = 0; ep && i < ep->ports.n; i++) {
		struct api_port_summary *p = VEC_ADD(&ret->ports);

		str_set(&p->ip, str_empty(ep->ports.v[i].host_ip) ? "0.0.0.0" : ep->ports.v[i].host_ip);
		p->private_port = ep->ports.v[i].container_port;
		p->public_port = ep->ports.v[i].host_first;
		str_set(&p->type, ep->ports.v[i].proto);
	}
}
