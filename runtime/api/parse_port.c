/*
 * parse_port.c - parse.h: published and exposed ports
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

#include "compat/base/str.h"
#include "runtime/api/parse.h"

struct range {
	uint16_t first, last;
};

static int parse_number(const char *s, size_t n, uint16_t *ret)
{
	char text[8];
	uint64_t v;

	if (!n || n >= sizeof(text))
		return -EINVAL;
	memcpy(text, s, n);
	text[n] = '\0';
	if (str_u64(text, 10, &v) < 0 || v > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

/* "80" or "80-90". */
static int parse_range(const char *s, size_t n, struct range *ret)
{
	const char *dash = memchr(s, '-', n);
	size_t first = dash ? (size_t)(dash - s) : n;

	if (parse_number(s, first, &ret->first) < 0)
		return -EINVAL;
	ret->last = ret->first;
	if (dash && parse_number(dash + 1, n - first - 1, &ret->last) < 0)
		return -EINVAL;
	return ret->last < ret->first ? -EINVAL : 0;
}

/* Cuts "/udp" off the end of @n bytes; NULL for an unknown one. */
static const char *parse_proto(const char *s, size_t *n)
{
	static const char *const known[] = { "tcp", "udp", "sctp" };
	const char *slash = memchr(s, '/', *n);
	size_t len;

	if (!slash)
		return "tcp";
	len = *n - (size_t)(slash - s) - 1;
	*n = (size_t)(slash - s);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i]) == len && strncasecmp(known[i], slash + 1, len) == 0)
			return known[i];
	return NULL;
}

/*
 * Where each port of one protocol stands in a list, counted from 1: a range of all ports would else take billions of
 * comparisons.
 */
struct places {
	uint32_t at[UINT16_MAX + 1];
};

static void note_place(struct places *places, const char *port, const char *proto, size_t at)
{
	uint16_t number;
	size_t n = strcspn(port, "/");

	if (port[n] && str_eq(port + n + 1, proto) && parse_number(port, n, &number) == 0)
		places->at[number] = (uint32_t)at;
}

static void expose_all(struct strv *exposed, const struct range *r, const char *proto)
{
	auto_free struct places *places = xcalloc(1, sizeof(*places));

	for (size_t i = 0; i < exposed->n; i++)
		note_place(places, exposed->v[i], proto, i + 1);
	for (unsigned int port = r->first; port <= r->last; port++)
		if (!places->at[port])
			strv_addf(exposed, "%u/%s", port, proto);
}

int api_parse_expose(const char *spec, struct strv *exposed, struct err *err)
{
	size_t n = strlen(spec);
	const char *proto = parse_proto(spec, &n);
	struct range r;

	if (!proto || parse_range(spec, n, &r) < 0 || !r.first)
		return err_set(err, ERR_INVALID, "invalid port '%s': write PORT[-PORT][/tcp|udp|sctp]",
			       spec);
	expose_all(exposed, &r, proto);
	return 0;
}

/* The address in front: "1.2.3.4:", "[::1]:" or nothing. *rest is what follows it. */
static int parse_address(const char *spec, char ip[64], const char **rest)
{
	unsigned char binary[16];
	const char *end;
	size_t n;

	ip[0] = '\0';
	*rest = spec;
	if (*spec == '[') {
		end = strchr(spec, ']');
		if (!end || end[1] != ':' || end - spec - 1 >= 64)
			return -EINVAL;
		n = (size_t)(end - spec - 1);
		memcpy(ip, spec + 1, n);
		ip[n] = '\0';
		*rest = end + 2;
		return inet_pton(AF_INET6, ip, binary) == 1 ? 0 : -EINVAL;
	}
	end = strchr(spec, ':');
	if (!end || !strchr(end + 1, ':'))
		return 0;
	n = (size_t)(end - spec);
	if (n >= 64)
		return -EINVAL;
	memcpy(ip, spec, n);
	ip[n] = '\0';
	*rest = end + 1;
	return !n || inet_pton(AF_INET, ip, binary) == 1 ? 0 : -EINVAL;
}

struct publish {
	char ip[64];
	struct range host, container;
	bool any_host;		/* no port on the host was named */
	const char *proto;
};

static int parse_spec(const char *spec, struct publish *ret)
{
	const char *rest, *colon;
	size_t n;

	if (parse_address(spec, ret->ip, &rest) < 0)
		return -EINVAL;
	colon = strchr(rest, ':');
	ret->any_host = !colon || colon == rest;
	if (colon && !ret->any_host &&
	    (parse_range(rest, (size_t)(colon - rest), &ret->host) < 0 || !ret->host.first))
		return -EINVAL;
	rest = colon ? colon + 1 : rest;
	n = strlen(rest);
	ret->proto = parse_proto(rest, &n);
	if (!ret->proto || parse_range(rest, n, &ret->container) < 0 || !ret->container.first)
		return -EINVAL;
	return 0;
}

static void bind_all(struct api_port_map *map, const struct publish *p)
{
	auto_free struct places *places = xcalloc(1, sizeof(*places));
	bool any_of_range = p->host.first != p->host.last && p->container.first == p->container.last;

	for (size_t i = 0; i < map->n; i++)
		note_place(places, map->v[i].port, p->proto, i + 1);
	for (unsigned int port = p->container.first; port <= p->container.last; port++) {
		struct api_port_binding *binding;
		struct api_port *entry;

		if (places->at[port]) {
			entry = &map->v[places->at[port] - 1];
		} else {
			entry = VEC_ADD(map);
			entry->port = xfmt("%u/%s", port, p->proto);
		}
		binding = VEC_ADD(&entry->bindings);
		binding->host_ip = xstrdup(p->ip);
		if (p->any_host)
			binding->host_port = xstrdup("");
		else if (any_of_range)
			binding->host_port = xfmt("%u-%u", p->host.first, p->host.last);
		else
			binding->host_port = xfmt("%u", p->host.first + (port - p->container.first));
	}
}

int api_parse_publish(const char *spec, struct strv *exposed, struct api_port_map *bindings,
		      struct err *err)
{
	struct publish p = {.any_host = true};
	unsigned int count, host_count;

	if (parse_spec(spec, &p) < 0)
		return err_set(err, ERR_INVALID,
			       "invalid port mapping '%s': write [[IP:]HOST_PORT:]CONTAINER_PORT[/PROTO]",
			       spec);
	count = p.container.last - p.container.first + 1U;
	host_count = p.host.last - p.host.first + 1U;
	if (!p.any_host && host_count != count && count != 1)
		return err_set(err, ERR_INVALID,
			       "invalid port mapping '%s': the ranges differ in length", spec);

	expose_all(exposed, &p.container, p.proto);
	bind_all(bindings, &p);
	return 0;
}
