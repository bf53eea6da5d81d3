/*
 * registry_challenge - what a registry asks for, and which registries may be talked to without TLS.
 */
#include "runtime/image/registry_session.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <strings.h>

#include "compat/base/str.h"

static const char *skip_space(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* token or quoted-string into @dst; false when it does not fit or has no end. */
static bool parse_value(const char **at, char *dst, size_t size)
{
	const char *s = *at;
	size_t n = 0;

	if (*s == '"') {
		for (s++; *s && *s != '"'; s++) {
			if (*s == '\\' && s[1])
				s++;
			if (n + 1 >= size)
				return false;
			dst[n++] = *s;
		}
		if (*s != '"')
			return false;
		s++;
	} else {
		/* Some registries leave URLs unquoted: up to the next comma or blank. */
		for (; *s && *s != ',' && *s != ' ' && *s != '\t'; s++) {
			if (n + 1 >= size)
				return false;
			dst[n++] = *s;
		}
	}
	dst[n] = '\0';
	*at = s;
	return true;
}

/* The parameters of one challenge; stops before the next scheme. */
static bool parse_params(const char **at, struct registry_challenge *c)
{
	char ignored[2048];

	for (;;) {
		const char *s = skip_space(*at);
		const char *name;
		size_t len;
		char *dst = ignored;
		size_t size = sizeof(ignored);

		while (*s == ',')
			s = skip_space(s + 1);
		name = s;
		while (is_token_char(*s))
			s++;
		len = (size_t)(s - name);
		s = skip_space(s);
		if (!len || *s != '=') {
			*at = name;
			return true;
		}
		s = skip_space(s + 1);

		if (len == 5 && !strncasecmp(name, "realm", len)) {
			dst = c->realm;
			size = sizeof(c->realm);
		} else if (len == 7 && !strncasecmp(name, "service", len)) {
			dst = c->service;
			size = sizeof(c->service);
		} else if (len == 5 && !strncasecmp(name, "scope", len)) {
			dst = c->scope;
			size = sizeof(c->scope);
		}
		if (!parse_value(&s, dst, size))
			return false;
		*at = s;
	}
}

void registry_challenge_parse(const char *header, struct registry_challenge *ret)
{
	*ret = (struct registry_challenge){0};
	while (*(header = skip_space(header))) {
		struct registry_challenge c = {0};
		const char *scheme = header;

		while (is_token_char(*header))
			header++;
		if (header - scheme == 6 && !strncasecmp(scheme, "Bearer", 6))
			c.kind = CHALLENGE_BEARER;
		else if (header - scheme == 5 && !strncasecmp(scheme, "Basic", 5))
			c.kind = CHALLENGE_BASIC;
		if (header == scheme || !parse_params(&header, &c))
			return;
		if (c.kind == CHALLENGE_BEARER && !*c.realm)
			continue;
		if (c.kind > ret->kind)
			*ret = c;
	}
}

/* ---- who may speak http ----------------------------------------------------------------------------------------- */

/* "host", "host:port", "[v6]:port" -> the host alone. */
static void host_of(const char *host, char *dst, size_t size)
{
	const char *end;
	size_t len;

	if (*host == '[') {
		host++;
		end = strchr(host, ']');
	} else {
		end = strrchr(host, ':');
		if (end && strchr(host, ':') != end)
			end = NULL;	/* a bare IPv6 address */
	}
	len = end ? (size_t)(end - host) : strlen(host);
	if (len >= size)
		len = size - 1;
	memcpy(dst, host, len);
	dst[len] = '\0';
}

static bool prefix_equal(const unsigned char *a, const unsigned char *b, uint32_t bits)
{
	uint32_t bytes = bits / 8, rest = bits % 8;

	if (memcmp(a, b, bytes))
		return false;
	return !rest || !((a[bytes] ^ b[bytes]) >> (8 - rest));
}

static bool is_in_network(const char *host, const char *network)
{
	char address[64];
	const char *slash = strchr(network, '/');
	unsigned char a[16], b[16];
	int family = strchr(network, ':') ? AF_INET6 : AF_INET;
	uint32_t bits, max = family == AF_INET ? 32 : 128;

	if (!slash || (size_t)(slash - network) >= sizeof(address) ||
	    str_u32(slash + 1, 10, &bits) < 0 || bits > max)
		return false;
	memcpy(address, network, (size_t)(slash - network));
	address[slash - network] = '\0';
	return inet_pton(family, address, b) == 1 && inet_pton(family, host, a) == 1 &&
	       prefix_equal(a, b, bits);
}

bool registry_is_insecure(const struct strv *list, const char *host)
{
	char name[REFERENCE_NAME_MAX + 1];

	host_of(host, name, sizeof(name));
	if (!strcasecmp(name, "localhost") || is_in_network(name, "127.0.0.0/8") ||
	    is_in_network(name, "::1/128"))
		return true;
	for (size_t i = 0; list && i < list->n; i++) {
		const char *entry = list->v[i];

		if (!strcasecmp(entry, host) || !strcasecmp(entry, name) || is_in_network(name, entry))
			return true;
	}
	return false;
}
