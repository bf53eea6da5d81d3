/*
 * reference - what people call images
 */
#include "runtime/image/reference.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"

#define HUB	 "docker.io"
#define HUB_HOST "registry-1.docker.io"
#define HUB_NS	 "library"

static const char *const hub_names[] = {
	HUB, "index.docker.io", HUB_HOST, "registry.hub.docker.com",
};

static bool is_hub(const char *domain)
{
	for (size_t i = 0; i < ARRAY_SIZE(hub_names); i++) {
		if (strcmp(domain, hub_names[i]) == 0)
			return true;
	}
	return false;
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Labels of letters, digits and inner dashes, with dots between; or an IPv6 address in brackets. Returns its length. */
static size_t host_length(const char *s)
{
	size_t n = 0;

	if (*s == '[') {
		n = 1 + strspn(s + 1, "0123456789abcdefABCDEF:");
		return n > 1 && s[n] == ']' ? n + 1 : 0;
	}
	for (;;) {
		size_t start = n;

		while (is_alnum(s[n]) || s[n] == '-')
			n++;
		if (n == start || s[start] == '-' || s[n - 1] == '-')
			return 0;
		if (s[n] != '.')
			return n;
		n++;
	}
}

static bool is_domain(const char *s)
{
	size_t n = host_length(s);
	uint32_t port;

	if (!n)
		return false;
	if (s[n] == '\0')
		return true;
	return s[n] == ':' && isdigit((unsigned char)s[n + 1]) && str_u32(s + n + 1, 10, &port) == 0 &&
	       port > 0 && port < 65536;
}

/* Lower-case letters and digits, parted by one '.', one or two '_', or any number of '-'. */
static bool is_component(const char *s, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t start = i;

		while (i < len && is_lower_alnum(s[i]))
			i++;
		if (i == start)
			return false;
		if (i == len)
			return true;
		start = i;
		if (s[i] == '.')
			i++;
		else if (s[i] == '_')
			i += i + 1 < len && s[i + 1] == '_' ? 2 : 1;
		else
			while (i < len && s[i] == '-')
				i++;
		if (i == start)
			return false;
	}
	return false;
}

static bool is_path(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "/");

		if (!is_component(s, n))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static bool is_tag(const char *s)
{
	size_t n = 0;

	while (is_alnum(s[n]) || s[n] == '_' || (n && (s[n] == '.' || s[n] == '-')))
		n++;
	return n && n <= REFERENCE_TAG_MAX && !s[n];
}

static const char *default_domain(const struct reference_defaults *d)
{
	const char *registry = d && !str_empty(d->registry) ? d->registry : HUB;

	return is_hub(registry) ? HUB : registry;
}

static const char *default_namespace(const struct reference_defaults *d)
{
	return d && !str_empty(d->registry_namespace) ? d->registry_namespace : HUB_NS;
}

/* Is the first component, of @len bytes, a registry rather than the start of a repository? */
static bool names_registry(const char *s, size_t len)
{
	if (len == strlen("localhost") && memcmp(s, "localhost", len) == 0)
		return true;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '.' || s[i] == ':' || (s[i] >= 'A' && s[i] <= 'Z'))
			return true;
	}
	return false;
}

/* Cut tag and digest off @name, which is left with the name alone. */
static int split_suffixes(char *name, const char *text, struct reference *ref, struct err *err)
{
	char *at = strchr(name, '@');
	char *slash, *colon;

	if (at) {
		*at++ = '\0';
		if (!digest_is_valid(at))
			return err_set(err, ERR_INVALID,
				       "invalid reference '%s': what follows '@' is not sha256: and 64 lower-case hex digits",
				       text);
		memcpy(ref->digest, at, DIGEST_SIZE);
	}
	slash = strrchr(name, '/');
	colon = strrchr(slash ? slash : name, ':');
	if (!colon)
		return 0;
	*colon++ = '\0';
	if (!is_tag(colon))
		return err_set(err, ERR_INVALID,
			       "invalid reference '%s': a tag has up to %d letters, digits, '_', '.' and '-'",
			       text, REFERENCE_TAG_MAX);
	return str_fmt(ref->tag, sizeof(ref->tag), "%s", colon);
}

/* Fill domain and path from the name alone. */
static int complete_name(const char *name, const char *text, const struct reference_defaults *d,
			 struct reference *ref, struct err *err)
{
	const char *slash = strchr(name, '/');
	const char *ns = NULL;	/* goes before a repository of one component */
	int rc;

	if (slash && names_registry(name, (size_t)(slash - name))) {
		rc = str_fmt(ref->domain, sizeof(ref->domain), "%.*s", (int)(slash - name), name);
		name = slash + 1;
		if (rc == 0 && is_hub(ref->domain)) {
			strncpy(ref->domain, HUB, sizeof(ref->domain));	/* zeroes the rest: structs compare */
			ns = HUB_NS;
		}
	} else {
		rc = str_fmt(ref->domain, sizeof(ref->domain), "%s", default_domain(d));
		ns = default_namespace(d);
	}
	if (rc == 0)
		rc = ns && !strchr(name, '/') ?
			     str_fmt(ref->path, sizeof(ref->path), "%s/%s", ns, name) :
			     str_fmt(ref->path, sizeof(ref->path), "%s", name);
	if (rc < 0 || strlen(ref->domain) + 1 + strlen(ref->path) > REFERENCE_NAME_MAX)
		return err_set(err, ERR_INVALID, "invalid reference: the name is over %d characters",
			       REFERENCE_NAME_MAX);
	if (!is_domain(ref->domain))
		return err_set(err, ERR_INVALID, "invalid reference '%s': '%s' is not a registry's host", text,
			       ref->domain);
	for (const char *p = ref->path; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			return err_set(err, ERR_INVALID,
				       "invalid reference '%s': repository name must be lowercase", text);
	}
	if (!is_path(ref->path))
		return err_set(err, ERR_INVALID, "invalid reference '%s': invalid repository name", text);
	return 0;
}

int reference_parse(const char *text, const struct reference_defaults *defaults,
		    struct reference *ret, struct err *err)
{
	auto_free char *name = NULL;
	struct reference ref = {0};
	int rc;

	if (str_empty(text))
		return err_set(err, ERR_INVALID, "invalid reference: the name is empty");
	if (strlen(text) >= REFERENCE_SIZE)
		return err_set(err, ERR_INVALID, "invalid reference: the name is over %d characters",
			       REFERENCE_NAME_MAX);
	if (!str_is_printable(text))
		return err_set(err, ERR_INVALID, "invalid reference: it has control characters");
	if (str_is_hex(text, 64, 64))
		return err_set(err, ERR_INVALID, "invalid reference '%s': 64 hex digits are an id, not a name",
			       text);
	name = xstrdup(text);
	rc = split_suffixes(name, text, &ref, err);
	if (rc < 0)
		return rc;
	rc = complete_name(name, text, defaults, &ref, err);
	if (rc < 0)
		return rc;
	*ret = ref;
	return 0;
}

void reference_complete(struct reference *ref)
{
	if (!ref->tag[0] && !ref->digest[0])
		strcpy(ref->tag, "latest");
}

bool reference_is_same_name(const struct reference *a, const struct reference *b)
{
	return strcmp(a->domain, b->domain) == 0 && strcmp(a->path, b->path) == 0;
}

void reference_name(const struct reference *ref, char ret[REFERENCE_SIZE])
{
	(void)str_fmt(ret, REFERENCE_SIZE, "%s/%s", ref->domain, ref->path);	/* checked by the parser */
}

static void add_suffixes(const struct reference *ref, char ret[REFERENCE_SIZE])
{
	size_t n = strlen(ret);

	(void)str_fmt(ret + n, REFERENCE_SIZE - n, "%s%s%s%s", ref->tag[0] ? ":" : "", ref->tag,
		      ref->digest[0] ? "@" : "", ref->digest);
}

void reference_string(const struct reference *ref, char ret[REFERENCE_SIZE])
{
	reference_name(ref, ret);
	add_suffixes(ref, ret);
}

void reference_familiar(const struct reference *ref, const struct reference_defaults *defaults,
			char ret[REFERENCE_SIZE])
{
	const char *full = ref->path;
	const char *rest = full;
	const char *in_ns;

	reference_name(ref, ret);
	if (strcmp(ref->domain, default_domain(defaults)) == 0) {
		in_ns = str_skip(full, default_namespace(defaults));
		if (in_ns && in_ns[0] == '/' && !strchr(in_ns + 1, '/'))
			rest = in_ns + 1;
		/* Without its registry "localhost/x" or "a.b/x" would name another one; "x" alone would be completed. */
		if (strchr(rest, '/') ? !names_registry(rest, strcspn(rest, "/")) :
					rest != full && !str_is_hex(rest, 64, 64))
			(void)str_fmt(ret, REFERENCE_SIZE, "%s", rest);
	}
	add_suffixes(ref, ret);
}

const char *reference_host(const char *domain)
{
	return strcmp(domain, HUB) == 0 ? HUB_HOST : domain;
}

int reference_domain(const char *text, char ret[REFERENCE_NAME_MAX + 1], struct err *err)
{
	const char *host = text;
	char domain[REFERENCE_NAME_MAX + 1];
	size_t n;

	if (str_skip(host, "https://"))
		host = str_skip(host, "https://");
	else if (str_skip(host, "http://"))
		host = str_skip(host, "http://");
	n = strcspn(host, "/");
	if (str_fmt(domain, sizeof(domain), "%.*s", (int)n, host) < 0 || !is_domain(domain))
		return err_set(err, ERR_INVALID, "'%.100s' is not a registry", text);
	strcpy(ret, is_hub(domain) ? HUB : domain);
	return 0;
}
