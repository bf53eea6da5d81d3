/*
 * http - requests to registries, by libcurl
 */
#include "runtime/image/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include "compat/base/str.h"
#include "compat/base/version.h"
#include "runtime/image/trust.h"

#define REDIRECTS_MAX	  10
#define HEADERS_MAX	  200
#define HEADER_BYTES_MAX  (256 * 1024)
#define ERROR_BODY_MAX	  (64 * 1024)
#define CONNECT_TIMEOUT_S 15
#define STALL_S		  60	/* without a byte: the peer is dead */
#define BUFFER_BYTES	  (256 * 1024)

struct http {
	CURL *curl;
	const struct registry_settings *settings;
	const volatile bool *cancel;
	char words[CURL_ERROR_SIZE];
	struct trust trust;	/* of the host that was asked last */
};

/* One transfer. */
struct exchange {
	struct http *h;
	const struct http_request *request;
	struct http_response *response;
	char *location;
	unsigned int headers;
	size_t header_bytes;
	bool no_local;		/* this hop may not lead to this machine */
	bool local_refused;
	int sink_rc;
	struct err sink_err;
};

static void start_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http *http_new(const struct registry_settings *settings, const volatile bool *cancel)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http *h = xcalloc(1, sizeof(*h));

	pthread_once(&once, start_curl);
	h->curl = curl_easy_init();
	if (!h->curl)
		abort();
	h->settings = settings;
	h->cancel = cancel;
	return h;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	curl_easy_cleanup(h->curl);
	trust_clear(&h->trust);
	free(h);
}

void http_response_clear(struct http_response *r)
{
	strv_clear(&r->challenges);
	free(r->content_type);
	free(r->content_digest);
	buf_clear(&r->body);
	*r = (struct http_response){0};
}

char *http_escape(const char *s)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;

	for (; *s; s++) {
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", *s))
			buf_char(&out, *s);
		else
			buf_fmt(&out, "%%%02X", (unsigned char)*s);
	}
	return buf_take(&out);
}

/* ---- callbacks ---- */

static void take_header(struct exchange *x, const char *name, const char *value)
{
	struct http_response *r = x->response;
	uint64_t number;

	if (strcasecmp(name, "WWW-Authenticate") == 0) {
		strv_add(&r->challenges, value);
	} else if (strcasecmp(name, "Location") == 0) {
		str_set(&x->location, value);
	} else if (strcasecmp(name, "Docker-Content-Digest") == 0) {
		str_set(&r->content_digest, value);
	} else if (strcasecmp(name, "Content-Type") == 0) {
		free(r->content_type);
		r->content_type = xstrndup(value, strcspn(value, "; "));
	} else if (strcasecmp(name, "Retry-After") == 0) {
		if (str_u64(value, 10, &number) == 0)
			r->retry_after_s = number < 60 ? (int)number : 60;
	} else if (strcasecmp(name, "Content-Range") == 0 && str_skip(value, "bytes ")) {
		auto_free char *from = xstrndup(value + 6, strspn(value + 6, "0123456789"));

		if (str_u64(from, 10, &number) == 0)
			r->from = number;
	}
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * count;
	auto_free char *line = NULL;
	char *colon;

	x->header_bytes += len;
	if (x->header_bytes > HEADER_BYTES_MAX)
		return 0;
	line = xstrndup(data, len);
	if (str_starts(line, "HTTP/")) {	/* a new answer, after "100 Continue" or a proxy's */
		x->headers = 0;
		return len;
	}
	line[strcspn(line, "\r\n")] = '\0';
	colon = strchr(line, ':');
	if (!colon || ++x->headers > HEADERS_MAX)
		return len;
	*colon++ = '\0';
	take_header(x, line, colon + strspn(colon, " \t"));
	return len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	size_t len = size * count;
	long status = 0;
	uint64_t max;

	curl_easy_getinfo(x->h->curl, CURLINFO_RESPONSE_CODE, &status);
	if (x->request->sink && status >= 200 && status < 300) {
		x->response->status = status;
		x->sink_rc = x->request->sink(x->request->arg, data, len, &x->sink_err);
		return x->sink_rc < 0 ? 0 : len;
	}
	max = status >= 200 && status < 300 ? x->request->body_max : ERROR_BODY_MAX;
	if (x->response->body.len + len > max) {
		if (status < 200 || status >= 300)
			return len;	/* an error page: its beginning is enough */
		x->sink_rc = err_set(&x->sink_err, ERR_TOO_LARGE, "the answer is over %llu bytes",
				     (unsigned long long)max);
		return 0;
	}
	buf_add(&x->response->body, data, len);
	return len;
}

static int on_progress(void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
	const struct http *h = arg;

	return h->cancel && *h->cancel;
}

static bool is_local_v4(uint32_t address)
{
	uint8_t first = (uint8_t)(address >> 24);

	return first == 127 || first == 0 || address >> 16 == 0xa9fe;
}

/* Loopback, unspecified, link-local: what only answers on this machine or its link. */
static bool is_local(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return is_local_v4(ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr));
	if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;
		uint32_t v4;

		memcpy(&v4, &a->s6_addr[12], sizeof(v4));
		if (IN6_IS_ADDR_V4MAPPED(a))
			return is_local_v4(ntohl(v4));
		return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_LINKLOCAL(a);
	}
	return true;
}

/* Judged by the address that a name has at the moment of the connection: a name may lie. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct exchange *x = arg;

	if (x->no_local && is_local(&address->addr)) {
		x->local_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- one transfer ---- */

/* Host and port, never a user's name; "" when it is no URL. */
static char *host_of(const char *url)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *ret;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		host = NULL;
	else if (curl_url_get(u, CURLUPART_PORT, &port, 0) != CURLUE_OK)
		port = NULL;
	ret = host ? xfmt("%s%s%s", host, port ? ":" : "", port ? port : "") : xstrdup("");
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(u);
	return ret;
}

static char *scheme_of(const char *url)
{
	return xstrndup(url, strcspn(url, ":"));
}

static struct curl_slist *make_headers(const struct http_request *request, const char *authorization)
{
	struct curl_slist *list = NULL;

	for (size_t i = 0; request->accept && request->accept[i]; i++) {
		auto_free char *line = xfmt("Accept: %s", request->accept[i]);

		list = curl_slist_append(list, line);
	}
	if (authorization) {
		auto_free char *line = xfmt("Authorization: %s", authorization);

		list = curl_slist_append(list, line);
	}
	return list;
}

static void set_options(struct http *h, struct exchange *x, const char *url, const char *host)
{
	const struct registry_settings *s = h->settings;
	auto_free char *agent = s->user_agent ? xstrdup(s->user_agent) : xfmt("pouch/%s", version_string());
	CURL *c = h->curl;

	curl_easy_reset(c);	/* keeps connections */
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_USERAGENT, agent);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_S);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->words);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, h);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, x);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (trust_is_loopback(host))
		curl_easy_setopt(c, CURLOPT_PROXY, "");
	else if (!str_empty(s->proxy))
		curl_easy_setopt(c, CURLOPT_PROXY, s->proxy);
	trust_apply(&h->trust, s, host, c);
	if (x->request->post)
		curl_easy_setopt(c, CURLOPT_POSTFIELDS, x->request->post);
	if (x->request->from) {
		auto_free char *range = xfmt("%llu-", (unsigned long long)x->request->from);

		curl_easy_setopt(c, CURLOPT_RANGE, range);
	}
}

static int explain(struct http *h, struct exchange *x, CURLcode code, const char *host, bool *ret_tls,
		   struct err *err)
{
	const char *words = h->words[0] ? h->words : curl_easy_strerror(code);

	if (x->sink_rc < 0) {
		if (err && x->sink_err.code)
			*err = x->sink_err;
		return x->sink_rc;
	}
	if (code == CURLE_ABORTED_BY_CALLBACK)
		return err_set(err, ERR_CANCELED, "canceled");
	if (x->local_refused)
		return err_set(err, ERR_INVALID, "a redirect leads to '%s', on this machine: refused", host);
	if (x->header_bytes > HEADER_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "'%s' sends over %d bytes of headers", host, HEADER_BYTES_MAX);
	if (ret_tls)
		*ret_tls = code == CURLE_SSL_CONNECT_ERROR;
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
	    code == CURLE_SSL_CERTPROBLEM)
		return err_set(err, ERR_INVALID, "'%s': %.300s", host, words);
	return err_set(err, ERR_UNAVAILABLE, "'%s': %.300s", host, words);
}

static int transfer(struct http *h, struct exchange *x, const char *url, const char *authorization,
		    bool *ret_tls, struct err *err)
{
	auto_free char *host = host_of(url);
	struct curl_slist *headers = make_headers(x->request, authorization);
	CURLcode code;

	h->words[0] = '\0';
	x->header_bytes = 0;
	http_response_clear(x->response);
	free(take(x->location));
	set_options(h, x, url, host);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(h->curl);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &x->response->status);
	curl_slist_free_all(headers);
	return code == CURLE_OK ? 0 : explain(h, x, code, host, ret_tls, err);
}

/* ---- redirects ---- */

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* @location may be relative to @url. Owned, or NULL when it is no URL. */
static char *absolute(const char *url, const char *location)
{
	CURLU *u = curl_url();
	char *full = NULL, *ret;

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_URL, location, 0) != CURLUE_OK ||
	    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_URL, &full, 0) != CURLUE_OK)
		full = NULL;
	ret = xstrdup(full);
	curl_free(full);
	curl_url_cleanup(u);
	return ret;
}

/* Where to go from @url, or why not. *ret_same: the same scheme, host and port. */
static int next_url(struct http *h, const char *url, const char *location, char **ret, bool *ret_same,
		    struct err *err)
{
	auto_free char *to = location ? absolute(url, location) : NULL;
	auto_free char *from_scheme = scheme_of(url);
	auto_free char *from_host = host_of(url);
	auto_free char *scheme = NULL;
	auto_free char *host = NULL;

	if (!to)
		return err_set(err, ERR_INVALID, "'%s' redirects to nowhere", from_host);
	scheme = scheme_of(to);
	host = host_of(to);
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		return err_set(err, ERR_INVALID, "'%s' redirects to a '%.20s' URL: refused", from_host, scheme);
	if (strcmp(scheme, "http") == 0 && strcmp(from_scheme, "https") == 0 &&
	    !http_may_be_insecure(h->settings, host))
		return err_set(err, ERR_INVALID, "'%s' redirects to plain http at '%.100s': refused", from_host,
			       host);
	*ret_same = strcmp(scheme, from_scheme) == 0 && strcasecmp(host, from_host) == 0;
	*ret = take(to);
	return 0;
}

/* A proxy of this machine is asked in place of every host: its address says nothing. */
static bool has_proxy(const struct http *h)
{
	static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

	if (!str_empty(h->settings->proxy))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!str_empty(getenv(names[i])))
			return true;
	}
	return false;
}

static char *name_of(const char *url)
{
	char *host = host_of(url);
	char *port = strrchr(host, ':');

	if (port && port[1] && !strchr(port, ']'))
		*port = '\0';
	return host;
}

/* A registry elsewhere must not make us ask the services of this machine; one that is here, by whatever name, may. */
static bool may_lead_here(const struct http *h, const char *first_url, const char *url)
{
	auto_free char *first = name_of(first_url);
	auto_free char *name = name_of(url);

	return trust_is_loopback(first) || strcasecmp(first, name) == 0 || has_proxy(h);
}

int http_do(struct http *h, const struct http_request *request, struct http_response *ret, bool *ret_tls,
	    struct err *err)
{
	struct exchange x = {.h = h, .request = request, .response = ret};
	const char *authorization = request->authorization;
	auto_free char *url = xstrdup(request->url);
	int rc = transfer(h, &x, url, authorization, ret_tls, err);

	for (int hops = 0; rc == 0 && is_redirect(ret->status) && !request->post; hops++) {
		auto_free char *to = NULL;
		bool same = false;

		rc = hops < REDIRECTS_MAX ? next_url(h, url, x.location, &to, &same, err) :
					    err_set(err, ERR_INVALID, "more than %d redirects", REDIRECTS_MAX);
		if (rc < 0)
			break;
		if (!same)
			authorization = NULL;
		free(url);
		url = take(to);
		x.no_local = !may_lead_here(h, request->url, url);
		rc = transfer(h, &x, url, authorization, NULL, err);
	}
	free(x.location);
	return rc;
}

bool http_may_be_insecure(const struct registry_settings *settings, const char *host)
{
	return trust_is_loopback(host) || trust_is_insecure(settings->insecure, host);
}
