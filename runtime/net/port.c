/*
 * port.c - published ports: how they are written, and which ones are free
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP 132
#endif

enum { PORTS_MAX = 65536 };

static const struct json_field port_fields[] = {
	JSON_FIELD(struct net_port, host_ip, "HostIp", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_port, host_first, "HostPort", JSON_U16, 0),
	JSON_FIELD(struct net_port, host_last, "HostPortEnd", JSON_U16, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_port, container_port, "ContainerPort", JSON_U16, 0),
	JSON_FIELD(struct net_port, proto, "Proto", JSON_STR, 0),
};
const struct json_table net_port_table = JSON_TABLE("port", struct net_port, port_fields);

void net_ports_clear(net_port_vec *ports)
{
	VEC_EACH(p, ports) {
		free(p->host_ip);
		free(p->proto);
	}
	VEC_FREE(ports);
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------ */

struct range {
	uint32_t first, last;
};

static int parse_range(const char *text, struct range *ret)
{
	const char *dash = strchr(text, '-');
	auto_free char *first = dash ? xstrndup(text, (size_t)(dash - text)) : xstrdup(text);
	struct range r;

	if (str_u32(first, 10, &r.first) < 0)
		return -EINVAL;
	r.last = r.first;
	if (dash && str_u32(dash + 1, 10, &r.last) < 0)
		return -EINVAL;
	if (!r.first || r.last > 65535 || r.last < r.first)
		return -EINVAL;
	*ret = r;
	return 0;
}

/* Cuts "/proto" off @text. */
static int cut_proto(char *text, const char **ret)
{
	char *slash = strchr(text, '/');

	*ret = "tcp";
	if (!slash)
		return 0;
	*slash = '\0';
	for (char *p = slash + 1; *p; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	if (strcmp(slash + 1, "tcp") && strcmp(slash + 1, "udp") && strcmp(slash + 1, "sctp"))
		return -EINVAL;
	*ret = slash + 1;
	return 0;
}

static int refuse(const char *what, const char *spec, struct err *err)
{
	return err_set(err, ERR_INVALID, "invalid %s '%s': want [[IP:]HOST_PORT:]CONTAINER_PORT[/tcp|udp|sctp]", what, spec);
}

int net_expose_parse(const char *spec, net_port_vec *ret, struct err *err)
{
	auto_free char *text = xstrdup(spec);
	const char *proto;
	struct range r;

	if (cut_proto(text, &proto) < 0 || parse_range(text, &r) < 0)
		return err_set(err, ERR_INVALID, "invalid port '%s': want PORT[-PORT][/tcp|udp|sctp]", spec);
	if (ret->n + (r.last - r.first) >= PORTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d ports", PORTS_MAX);
	for (uint32_t port = r.first; port <= r.last; port++) {
		struct net_port *p = VEC_ADD(ret);

		p->container_port = (uint16_t)port;
		p->proto = xstrdup(proto);
	}
	return 0;
}

static bool is_ip(const char *text)
{
	unsigned char addr[16];

	return inet_pton(AF_INET, text, addr) == 1 || inet_pton(AF_INET6, text, addr) == 1;
}

int net_port_parse(const char *spec, net_port_vec *ret, struct err *err)
{
	auto_free char *text = xstrdup(spec);
	char *ip = NULL, *host = NULL, *container = text, *colon;
	struct range in, out = {0};
	const char *proto;
	uint32_t n;

	if (cut_proto(text, &proto) < 0)
		return refuse("port to publish", spec, err);
	colon = strrchr(text, ':');
	if (colon) {
		*colon = '\0';
		container = colon + 1;
		host = text;
		colon = strrchr(host, ':');
		if (colon) {
			*colon = '\0';
			ip = host;
			host = colon + 1;
			if (*ip == '[' && str_ends(ip, "]")) {
				ip[strlen(ip) - 1] = '\0';
				ip++;
			}
			if (*ip && !is_ip(ip))
				return err_set(err, ERR_INVALID, "invalid IP address '%s' in '%s'", ip, spec);
		}
	}
	if (parse_range(container, &in) < 0 || (!str_empty(host) && parse_range(host, &out) < 0))
		return refuse("port to publish", spec, err);
	n = in.last - in.first + 1;
	if (out.first && n > 1 && out.last - out.first + 1 != n)
		return err_set(err, ERR_INVALID, "port ranges of different length in '%s'", spec);
	if (ret->n + n > PORTS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d ports", PORTS_MAX);

	for (uint32_t i = 0; i < n; i++) {
		struct net_port *p = VEC_ADD(ret);

		p->host_ip = str_empty(ip) ? NULL : xstrdup(ip);
		p->container_port = (uint16_t)(in.first + i);
		p->proto = xstrdup(proto);
		if (out.first) {
			p->host_first = (uint16_t)(n > 1 ? out.first + i : out.first);
			p->host_last = (uint16_t)(n > 1 ? out.first + i : out.last);
		}
	}
	return 0;
}

/* ---- binding ------------------------------------------------------------------------------------------------------------------ */

int port_bind(const char *proto, const char *ip, uint16_t number)
{
	bool udp = strcmp(proto, "udp") == 0;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(number)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(number)};
	bool is_v6 = strchr(ip, ':') != NULL;
	auto_fd int fd = -1;
	int on = 1;

	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, ip, is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
		return -EINVAL;
	fd = socket(is_v6 ? AF_INET6 : AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK,
		    strcmp(proto, "sctp") == 0 ? IPPROTO_SCTP : 0);
	if (fd < 0)
		return -errno;
	if (is_v6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (!udp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* TIME_WAIT is no owner */
	if (bind(fd, is_v6 ? (void *)&v6 : (void *)&v4, is_v6 ? sizeof(v6) : sizeof(v4)) < 0)
		return -errno;
	if (!udp && listen(fd, SOMAXCONN) < 0)
		return -errno;
	return fd_take(&fd);
}

int port_probe(const struct net_port *port, uint16_t number)
{
	int fd = port_bind(port->proto, port->host_ip ? port->host_ip : "0.0.0.0", number);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* ---- choosing ----------------------------------------------------------------------------------------------------------------- */

/* Where the kernel itself takes ports from for outgoing connections; docker's dynamic ports come from there too. */
static struct range dynamic_range(void)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct range r = {32768, 60999};
	struct err ignored;
	unsigned int a, b;

	if (file_read(-1, "/proc/sys/net/ipv4/ip_local_port_range", 64, &text, &ignored) >= 0 &&
	    sscanf(buf_cstr(&text), "%u %u", &a, &b) == 2 && a && a <= b && b <= 65535)
		r = (struct range){a, b};
	return r;
}

static bool same_place(const struct net_port *a, const struct net_port *b)
{
	if (strcmp(a->proto, b->proto))
		return false;
	return !a->host_ip || !b->host_ip || strcmp(a->host_ip, b->host_ip) == 0 || strcmp(a->host_ip, "0.0.0.0") == 0 ||
	       strcmp(b->host_ip, "0.0.0.0") == 0;
}

static bool held_by(const net_port_vec *ports, size_t n, const struct net_port *port, uint16_t number)
{
	for (size_t i = 0; i < n; i++) {
		if (ports->v[i].host_first == number && same_place(&ports->v[i], port))
			return true;
	}
	return false;
}

static bool is_allocated(const struct net *net, const net_port_vec *own, size_t n, const struct net_port *port,
			 uint16_t number)
{
	if (held_by(own, n, port, number))
		return true;
	VEC_EACH(ep, &net->endpoints) {
		if (held_by(&(*ep)->ports, (*ep)->ports.n, port, number))
			return true;
	}
	return false;
}

static int pick(struct net *net, net_port_vec *own, size_t i, struct err *err)
{
	struct net_port *port = &own->v[i];
	struct range r = {port->host_first, port->host_last};
	bool dynamic = !r.first;
	int why = 0;

	if (dynamic)
		r = dynamic_range();
	for (uint32_t number = r.first; number <= r.last; number++) {
		int rc;

		if (is_allocated(net, own, i, port, (uint16_t)number))
			continue;
		rc = port_probe(port, (uint16_t)number);
		if (rc == 0) {
			port->host_first = port->host_last = (uint16_t)number;
			return 0;
		}
		if (rc == -EPROTONOSUPPORT || rc == -ESOCKTNOSUPPORT)
			return err_set(err, ERR_UNSUPPORTED, "publish %s port: this kernel has no %s", port->proto,
				       port->proto);
		if (rc == -EADDRNOTAVAIL)
			return err_set(err, ERR_INVALID, "publish port: this host has no address %s", port->host_ip);
		why = -rc;
	}
	if (dynamic)
		return err_set(err, ERR_CONFLICT, "all ports from %u to %u are allocated", r.first, r.last);
	if (r.first != r.last)
		return err_set(err, ERR_CONFLICT, "Bind for %s:%u-%u failed: all ports are allocated",
			       port->host_ip ? port->host_ip : "0.0.0.0", r.first, r.last);
	if (why && why != EADDRINUSE)
		return err_sys(err, why, "Bind for %s:%u", port->host_ip ? port->host_ip : "0.0.0.0", r.first);
	return err_set(err, ERR_CONFLICT, "Bind for %s:%u failed: port is already allocated%s",
		       port->host_ip ? port->host_ip : "0.0.0.0", r.first, why ? " by another program" : "");
}

int ports_pick(struct net *net, net_port_vec *ports, struct err *err)
{
	/* Fixed ports first, so that a dynamic one cannot take what a later element names. */
	for (int dynamic = 0; dynamic < 2; dynamic++) {
		for (size_t i = 0; i < ports->n; i++) {
			int rc;

			if ((ports->v[i].host_first == 0) != (dynamic == 1))
				continue;
			rc = pick(net, ports, i, err);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}
