/*
 * http - requests to registries, by libcurl
 */
#include "runtime/image/http.h"

#include <arpa/inet.h>
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
#define PATIENCE_S	  60
#define SLOWEST_BPS	  1024	/* a modem's */
#define ANSWER_PATIENCES  5	/* for all of a body that is kept */
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
	bool enough;		/* of an error's body was read */
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
		/* An error page may have no end. */
		x->enough = status < 200 || status >= 300;
		if (x->enough)
			return 0;
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

/* Loopback, unspecified, link-local: what only answers on this machine or its link. What is no internet address is, too. */
static bool is_local(const struct sockaddr *sa)
{
	char text[INET6_ADDRSTRLEN + 2] = "[";

	if (sa->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, text, INET_ADDRSTRLEN);
	else if (sa->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)sa)->sin6_addr, text + 1, INET6_ADDRSTRLEN);
	else
		return true;
	return trust_is_local(text);
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

/* Judged by the address that a name has at the moment of the connection: a name may lie. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct exchange *x = arg;

	if (x->no_local && !has_proxy(x->h) && is_local(&address->addr)) {
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
	long patience = s->patience_s ? (long)s->patience_s : PATIENCE_S;
	CURL *c = h->curl;

	curl_easy_reset(c);	/* keeps connections */
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_USERAGENT, agent);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST_BPS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, patience);
	if (!x->request->sink)
		curl_easy_setopt(c, CURLOPT_TIMEOUT, patience * ANSWER_PATIENCES);
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

static int refuse_local(const char *host, struct err *err)
{
	return err_set(err, ERR_INVALID, "a redirect or a token server leads to '%.200s', on this machine: refused", host);
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
		return refuse_local(host, err);
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
	struct curl_slist *headers;
	CURLcode code;

	h->words[0] = '\0';
	x->header_bytes = 0;
	x->enough = false;
	http_response_clear(x->response);
	/* Even where a proxy is asked for most hosts: such addresses may be among those that it is not asked for. */
	if (x->no_local && trust_is_local(host))
		return refuse_local(host, err);
	headers = make_headers(x->request, authorization);
	free(take(x->location));
	set_options(h, x, url, host);
	curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(h->curl);
	curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &x->response->status);
	curl_slist_free_all(headers);
	return code == CURLE_OK || x->enough ? 0 : explain(h, x, code, host, ret_tls, err);
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

/* Without the port. */
static char *name_of(const char *url)
{
	char *host = host_of(url);
	char *port = strrchr(host, ':');

	if (port && port[1] && !strchr(port, ']'))
		*port = '\0';
	return host;
}

/*
 * A registry elsewhere must not make us ask the services of this machine. One that is here may; whether it is is told by what it was asked for
 * by, as names may mean another address at the next look: a name that means one of here leads here under itself only.
 */
static bool may_lead_here(const char *base, bool base_is_here, const char *url)
{
	auto_free char *first = name_of(base);
	auto_free char *name = name_of(url);

	return trust_is_loopback(first) || (base_is_here && strcasecmp(first, name) == 0);
}

/* Who answered just now, under the name of @url. */
static bool peer_is_here(const struct http *h, const char *url)
{
	auto_free char *host = host_of(url);
	auto_free char *text = NULL;
	char *address = NULL;

	if (trust_is_loopback(host))
		return true;
	if (has_proxy(h) || curl_easy_getinfo(h->curl, CURLINFO_PRIMARY_IP, &address) != CURLE_OK || str_empty(address))
		return false;
	text = xfmt("[%s]", address);
	return trust_is_local(text);
}

int http_do(struct http *h, const struct http_request *request, struct http_response *ret, bool *ret_tls,
	    struct err *err)
{
	struct exchange x = {.h = h, .request = request, .response = ret};
	const char *authorization = request->authorization;
	auto_free char *url = xstrdup(request->url);
	const char *base = request->base ? request->base : request->url;
	bool is_here;
	int rc;

	x.no_local = request->base && !may_lead_here(base, request->base_is_here, url);
	rc = transfer(h, &x, url, authorization, ret_tls, err);
	is_here = rc == 0 && peer_is_here(h, url);
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
		x.no_local = !may_lead_here(base, request->base ? request->base_is_here : is_here, url);
		rc = transfer(h, &x, url, authorization, NULL, err);
	}
	free(x.location);
	ret->is_here = is_here;
	return rc;
}

bool http_may_be_insecure(const struct registry_settings *settings, const char *host)
{
	return trust_is_loopback(host) || trust_is_insecure(settings->insecure, host);
}
