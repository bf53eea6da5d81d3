/*
 * trust - which certificates a host may show, and which hosts need none
 */
#include "runtime/image/trust.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"

#define CERTS_DIR "/etc/docker/certs.d"
#define PEM_MAX	  (4 << 20)

/* The programs are static: what the library was built with says nothing about this host. */
static const char *const system_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",		     /* Debian, Alpine, Arch */
	"/etc/pki/tls/certs/ca-bundle.crt",		     /* CentOS 6 and later */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* Fedora */
	"/etc/ssl/ca-bundle.pem",			     /* SUSE */
	"/etc/ssl/cert.pem",
};

static const char *system_bundle(void)
{
	const char *named = getenv("SSL_CERT_FILE");

	if (!str_empty(named))
		return named;
	for (size_t i = 0; i < ARRAY_SIZE(system_bundles); i++) {
		if (access(system_bundles[i], R_OK) == 0)
			return system_bundles[i];
	}
	return NULL;
}

void trust_clear(struct trust *t)
{
	free(t->host);
	free(t->client_cert);
	free(t->client_key);
	buf_clear(&t->authorities);
	*t = (struct trust){0};
}

static void add_file(struct buf *out, const char *path)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	if (str_empty(path) || file_read(AT_FDCWD, path, PEM_MAX, &text, NULL) < 0)
		return;		/* then the certificate is not trusted, and that is told */
	buf_add(out, buf_cstr(&text), text.len);
	buf_char(out, '\n');
}

static char *if_there(char *path)
{
	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* Read what there is for @host. */
static void load(struct trust *t, const struct registry_settings *settings, const char *host)
{
	const char *dir = settings->certs_dir ? settings->certs_dir : CERTS_DIR;
	AUTO(buf_clear) struct buf own = BUF_INIT;
	auto_free char *ca = xfmt("%s/%s/ca.crt", dir, host);

	if (str_eq(t->host, host))
		return;
	trust_clear(t);
	t->host = xstrdup(host);
	if (*host == '.' || strchr(host, '/'))
		return;		/* no host, and a way out of the directory */
	t->client_cert = if_there(xfmt("%s/%s/client.cert", dir, host));
	t->client_key = if_there(xfmt("%s/%s/client.key", dir, host));
	add_file(&own, settings->ca_file);
	add_file(&own, ca);
	if (!own.len)
		return;
	add_file(&t->authorities, system_bundle());
	buf_add(&t->authorities, own.data, own.len);
}

void trust_apply(struct trust *t, const struct registry_settings *settings, const char *host, void *curl)
{
	struct curl_blob blob = {.flags = CURL_BLOB_NOCOPY};
	const char *bundle = system_bundle();

	load(t, settings, host);
	if (t->authorities.len) {
		blob.data = t->authorities.data;
		blob.len = t->authorities.len;
		curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
	} else if (bundle) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, bundle);
	}
	if (t->client_cert)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, t->client_cert);
	if (t->client_key)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, t->client_key);
	if (trust_is_insecure(settings->insecure, host)) {
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

/* ---- hosts ---- */

/* Without the port and an address's brackets. */
static char *bare_host(const char *host)
{
	if (*host == '[')
		return xstrndup(host + 1, strcspn(host + 1, "]%"));
	return xstrndup(host, strcspn(host, ":"));
}

/* An address as 16 bytes, IPv4 mapped into IPv6. */
static bool parse_address(const char *s, unsigned char ret[16])
{
	static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (inet_pton(AF_INET6, s, ret) == 1)
		return true;
	memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, s, ret + 12) == 1;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned int bits)
{
	unsigned int rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return !rest || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* "10.0.0.0/8", "fd00::/8" */
static bool is_in_network(const char *network, const unsigned char address[16])
{
	const char *slash = strchr(network, '/');
	auto_free char *base = slash ? xstrndup(network, (size_t)(slash - network)) : NULL;
	unsigned char from[16];
	uint32_t bits;

	if (!base || str_u32(slash + 1, 10, &bits) < 0 || !parse_address(base, from))
		return false;
	if (bits > 128)
		return false;
	if (!strchr(base, ':'))
		bits += 96;
	return bits <= 128 && same_bits(from, address, bits);
}

bool trust_is_local(const char *host)
{
	static const char *const networks[] = {"127.0.0.0/8", "0.0.0.0/8", "169.254.0.0/16", "::1/128", "::/128", "fe80::/10"};
	auto_free char *bare = bare_host(host);
	size_t len = strlen(bare);
	unsigned char address[16];

	/* With or without the dot that ends a full name. */
	if (len && bare[len - 1] == '.')
		bare[--len] = '\0';
	if (strcasecmp(bare, "localhost") == 0 || (len > 10 && strcasecmp(bare + len - 10, ".localhost") == 0))
		return true;
	for (size_t i = 0; parse_address(bare, address) && i < ARRAY_SIZE(networks); i++) {
		if (is_in_network(networks[i], address))
			return true;
	}
	return false;
}

bool trust_is_loopback(const char *host)
{
	auto_free char *bare = bare_host(host);
	unsigned char address[16];

	if (strcasecmp(bare, "localhost") == 0)
		return true;
	return parse_address(bare, address) &&
	       (is_in_network("127.0.0.0/8", address) || is_in_network("::1/128", address));
}

bool trust_is_insecure(const struct strv *list, const char *host)
{
	auto_free char *bare = bare_host(host);
	unsigned char address[16];
	bool is_address = parse_address(bare, address);

	for (size_t i = 0; list && i < list->n; i++) {
		if (strcasecmp(list->v[i], host) == 0 || strcasecmp(list->v[i], bare) == 0 ||
		    (is_address && is_in_network(list->v[i], address)))
			return true;
	}
	return false;
}
