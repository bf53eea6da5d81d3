/*
 * registry_http - one HTTP exchange with a registry or with whom it redirects to.
 *
 * libcurl's own redirects are off: each hop is checked here before anything is sent to it.
 */
#include "runtime/image/registry_http.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "compat/base/time.h"

struct exchange {
	struct registry_session *session;
	const struct http_request *request;
	struct http_response *response;
	char *location;		/* where this hop redirects to */
	size_t header_bytes;
	uint64_t skip;		/* bytes before request->from, when the server ignores ranges */
	bool foreign;		/* this hop is not the registry's host: no favours */
	bool redirected_away;	/* this hop is another origin than was asked first: no secrets */
	bool is_local_refused;
	int sink_rc;
	struct err sink_err;
};

void http_response_clear(struct http_response *response)
{
	buf_clear(&response->body);
	*response = (struct http_response){0};
}

bool http_is_canceled(const struct registry_session *session)
{
	return session->cancel && *session->cancel;
}

void http_sleep(const struct registry_session *session, int64_t ms)
{
	int64_t until = time_mono_ms() + ms;

	while (time_mono_ms() < until && !http_is_canceled(session)) {
		struct timespec step = {0, 50 * 1000 * 1000};

		nanosleep(&step, NULL);
	}
}

/* ---- what comes back -------------------------------------------------------------------------------------------- */

static void take_status(struct exchange *x, const char *line, size_t len)
{
	struct http_response *r = x->response;
	const char *space = memchr(line, ' ', len);

	/* A new answer: 100 Continue, a proxy's, then the real one. */
	r->status = space ? strtol(space, NULL, 10) : 0;
	r->content_type[0] = r->challenges[0] = '\0';
	r->retry_after_s = 0;
	x->skip = x->request->from;
	free(take(x->location));
}

static void take_content_type(struct exchange *x, const char *value)
{
	char *dst = x->response->content_type;

	if (str_fmt(dst, sizeof(x->response->content_type), "%s", value) < 0)
		*dst = '\0';
	dst[strcspn(dst, "; \t")] = '\0';
}

static void take_location(struct exchange *x, const char *value)
{
	free(x->location);
	x->location = xstrdup(value);
}

static void take_challenge(struct exchange *x, const char *value)
{
	char *dst = x->response->challenges;
	size_t have = strlen(dst);
	size_t room = sizeof(x->response->challenges) - have;

	/* One that does not fit is left out whole: half of it would be another challenge. */
	if (str_fmt(dst + have, room, "%s%s", have ? ", " : "", value) < 0)
		dst[have] = '\0';
}

static void take_content_range(struct exchange *x, const char *value)
{
	const char *start = str_skip(value, "bytes ");

	if (start && x->response->status == 206)
		x->skip = x->request->from - strtoull(start, NULL, 10);
}

static void take_retry_after(struct exchange *x, const char *value)
{
	int64_t seconds;

	if (str_i64(value, 10, &seconds) == 0 && seconds > 0)
		x->response->retry_after_s = seconds < 30 ? (int)seconds : 30;
}

static const struct {
	const char *name;
	void (*read)(struct exchange *x, const char *value);
} headers[] = {
	{"content-type", take_content_type},	 {"location", take_location},
	{"www-authenticate", take_challenge},	 {"content-range", take_content_range},
	{"retry-after", take_retry_after},
};

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct exchange *x = arg;

	(void)one;
	x->header_bytes += len;
	if (x->header_bytes > HTTP_HEADER_BYTES || len > HTTP_URL_MAX)
		return 0;
	if (len > 5 && !strncmp(line, "HTTP/", 5)) {
		take_status(x, line, len);
		return len;
	}

	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		size_t n = strlen(headers[i].name);
		auto_free char *value = NULL;
		char *start;

		if (len <= n || strncasecmp(line, headers[i].name, n) || line[n] != ':')
			continue;
		value = xstrndup(line + n + 1, len - n - 1);
		value[strcspn(value, "\r\n")] = '\0';
		start = value + strspn(value, " \t");
		headers[i].read(x, start);
		break;
	}
	return len;
}

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
	struct exchange *x = arg;
	size_t over;

	(void)one;
	if (x->response->status / 100 != 2 || !x->request->sink) {
		if (x->response->body.len < HTTP_BODY_MAX)
			buf_add(&x->response->body, data, len);
		return len;
	}

	over = len < x->skip ? len : (size_t)x->skip;
	x->skip -= over;
	if (over < len)
		x->sink_rc = x->request->sink(x->request->arg, data + over, len - over, &x->sink_err);
	return x->sink_rc < 0 ? 0 : len;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct exchange *x = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return http_is_canceled(x->session);
}

static bool is_local_v4(uint32_t address)
{
	uint8_t first = (uint8_t)(address >> 24);

	return first == 127 || first == 0 || (address >> 16) == 0xa9fe;
}

static bool is_local(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		return is_local_v4(ntohl(in->sin_addr.s_addr));
	}
	if (sa->sa_family == AF_INET6) {
		const struct in6_addr *a = &((const struct sockaddr_in6 *)sa)->sin6_addr;
		uint32_t v4;

		if (IN6_IS_ADDR_V4MAPPED(a)) {
			memcpy(&v4, &a->s6_addr[12], sizeof(v4));
			return is_local_v4(ntohl(v4));
		}
		return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_LINKLOCAL(a);
	}
	return true;
}

static bool has_proxy(const struct registry_session *session)
{
	static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
					    "ALL_PROXY"};

	if (session->settings->proxy)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!str_empty(getenv(names[i])))
			return true;
	return false;
}

/* A registry elsewhere must not make us ask the services of this machine. */
static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct exchange *x = arg;

	(void)purpose;
	if (x->foreign && !x->session->loopback && is_local(&address->addr) &&
	    !has_proxy(x->session)) {
		x->is_local_refused = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* The host's own certificates beside the system's. */
static CURLcode on_tls_context(CURL *curl, void *context, void *arg)
{
	struct exchange *x = arg;
	const char *files[] = {x->session->settings->ca_file,
			       x->foreign ? NULL : x->session->ca_file};

	(void)curl;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (files[i] && !SSL_CTX_load_verify_locations(context, files[i], NULL))
			return CURLE_SSL_CACERT_BADFILE;
	return CURLE_OK;
}

/* ---- what is sent ----------------------------------------------------------------------------------------------- */

/* The system's bundle lies elsewhere on every distribution, and a static program cannot ask at build time. */
static const char *system_ca_file(void)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem",
	};
	const char *given = getenv("SSL_CERT_FILE");

	if (!str_empty(given))
		return given;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

static void set_tls(CURL *curl, struct exchange *x)
{
	const struct registry_session *s = x->session;
	const char *ca = system_ca_file();
	bool verify = !s->insecure || x->foreign;

	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
	if (ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, ca);
	if (s->settings->ca_file || (s->ca_file && !x->foreign)) {
		curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
		curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, x);
	}
	if (s->client_cert && !x->foreign) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, s->client_cert);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, s->client_key);
	}
}

static void set_callbacks(CURL *curl, struct exchange *x)
{
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, x);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, x);
}

static struct curl_slist *set_request(CURL *curl, struct exchange *x, const char *url)
{
	const struct http_request *request = x->request;
	struct curl_slist *list = NULL;
	char range[32];

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_SECONDS);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)HTTP_STALL_SECONDS);
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (x->session->settings->proxy) {
		curl_easy_setopt(curl, CURLOPT_PROXY, x->session->settings->proxy);
		curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
	}
	curl_easy_setopt(curl, CURLOPT_USERAGENT, x->session->user_agent);
	if (request->form)
		curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS, request->form);

	if (request->accept)
		list = curl_slist_append(list, request->accept);
	if (request->authorization && !x->redirected_away) {
		auto_free char *line = xfmt("Authorization: %s", request->authorization);

		list = curl_slist_append(list, line);
	}
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
	if (request->from && str_fmt(range, sizeof(range), "%llu-",
				     (unsigned long long)request->from) == 0)
		curl_easy_setopt(curl, CURLOPT_RANGE, range);
	return list;
}

/* ---- hops ------------------------------------------------------------------------------------------------------- */

struct origin {
	char *scheme, *host, *port;
};

static void origin_clear(struct origin *o)
{
	curl_free(o->scheme);
	curl_free(o->host);
	curl_free(o->port);
}
DEFINE_AUTO_CLEAR(origin_clear, struct origin)
DEFINE_AUTO(curl_url_cleanup, CURLU *)

static int origin_of(const char *url, struct origin *ret)
{
	AUTO(curl_url_cleanup) CURLU *u = curl_url();

	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) ||
	    curl_url_get(u, CURLUPART_SCHEME, &ret->scheme, 0) ||
	    curl_url_get(u, CURLUPART_HOST, &ret->host, 0) ||
	    curl_url_get(u, CURLUPART_PORT, &ret->port, CURLU_DEFAULT_PORT))
		return -EINVAL;
	return 0;
}

static bool is_foreign(const struct registry_session *session, const char *url)
{
	AUTO(origin_clear) struct origin registry = {0};
	AUTO(origin_clear) struct origin o = {0};
	auto_free char *own = xfmt("https://%s/", session->host);

	return origin_of(own, &registry) < 0 || origin_of(url, &o) < 0 ||
	       strcasecmp(registry.host, o.host) != 0;
}

/* *@url (owned) becomes where the answer sends us from there, when going there is allowed. */
static int next_hop(struct exchange *x, char **url, struct err *err)
{
	AUTO(curl_url_cleanup) CURLU *u = curl_url();
	AUTO(origin_clear) struct origin first = {0};
	AUTO(origin_clear) struct origin from = {0};
	AUTO(origin_clear) struct origin to = {0};
	char *full = NULL;

	if (!x->location)
		return err_set(err, ERR_INVALID, "registry '%s' redirects without saying where to",
			       x->session->domain);
	if (!u || curl_url_set(u, CURLUPART_URL, *url, 0) ||
	    curl_url_set(u, CURLUPART_URL, x->location, 0) ||
	    curl_url_get(u, CURLUPART_URL, &full, 0))
		return err_set(err, ERR_INVALID, "registry '%s' redirects to what is no http address",
			       x->session->domain);
	if (origin_of(x->request->url, &first) < 0 || origin_of(*url, &from) < 0 ||
	    origin_of(full, &to) < 0) {
		curl_free(full);
		return err_set(err, ERR_INVALID, "registry '%s' redirects to what is no http address",
			       x->session->domain);
	}
	free(*url);
	*url = xstrdup(full);
	curl_free(full);

	if (strcasecmp(to.scheme, "http") && strcasecmp(to.scheme, "https"))
		return err_set(err, ERR_INVALID, "registry '%s' redirects to what is no http address",
			       x->session->domain);
	if (!strcasecmp(from.scheme, "https") && !strcasecmp(to.scheme, "http") &&
	    !x->session->insecure)
		return err_set(err, ERR_INVALID, "registry '%s' redirects from https to http, which is refused",
			       x->session->domain);
	x->redirected_away = strcasecmp(first.scheme, to.scheme) || strcasecmp(first.host, to.host) ||
			     strcmp(first.port, to.port);
	x->foreign = is_foreign(x->session, *url);
	return 0;
}

static bool is_transient(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_PARTIAL_FILE:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return true;
	default:
		return false;
	}
}

static int hop_failed(struct exchange *x, CURLcode code, const char *detail, struct err *err)
{
	const char *domain = x->session->domain;

	x->response->is_transient = is_transient(code) && !x->is_local_refused;
	x->response->is_tls_refused = code == CURLE_SSL_CONNECT_ERROR || code == CURLE_GOT_NOTHING;
	if (x->sink_rc < 0) {
		*err = x->sink_err;
		x->response->is_transient = false;
		return x->sink_rc;
	}
	if (http_is_canceled(x->session))
		return err_set(err, ERR_CANCELED, "pull canceled");
	if (x->is_local_refused)
		return err_set(err, ERR_INVALID,
			       "registry '%s' redirects to an address of this machine, which is refused",
			       domain);
	if (x->header_bytes > HTTP_HEADER_BYTES)
		return err_set(err, ERR_TOO_LARGE, "registry '%s' sends over %d bytes of headers", domain,
			       HTTP_HEADER_BYTES);
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return err_set(err, ERR_UNAVAILABLE,
			       "registry '%s': its certificate is not trusted (%s): give its CA, or list it "
			       "under --insecure-registries",
			       domain, detail);
	return err_set(err, ERR_UNAVAILABLE, "registry '%s': %s", domain, detail);
}

static int one_hop(struct exchange *x, CURL *curl, const char *url, struct err *err)
{
	char detail[CURL_ERROR_SIZE] = "";
	struct curl_slist *list;
	CURLcode code;

	x->header_bytes = 0;
	x->skip = x->request->from;
	buf_reset(&x->response->body);
	curl_easy_reset(curl);	/* keeps the connections */
	set_callbacks(curl, x);
	set_tls(curl, x);
	list = set_request(curl, x, url);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
	code = curl_easy_perform(curl);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(list);
	if (code != CURLE_OK)
		return hop_failed(x, code, *detail ? detail : curl_easy_strerror(code), err);
	return 0;
}

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static CURL *take_handle(struct registry_session *session)
{
	CURL *curl = NULL;

	pthread_mutex_lock(&session->lock);
	if (session->idle.n)
		curl = session->idle.v[--session->idle.n];
	pthread_mutex_unlock(&session->lock);
	return curl ? curl : curl_easy_init();
}

static void give_handle(struct registry_session *session, CURL *curl)
{
	pthread_mutex_lock(&session->lock);
	VEC_PUSH(&session->idle, curl);
	pthread_mutex_unlock(&session->lock);
}

int http_exchange(struct registry_session *session, const struct http_request *request,
		  struct http_response *response, struct err *err)
{
	struct exchange x = {.session = session, .request = request, .response = response};
	auto_free char *url = xstrdup(request->url);
	CURL *curl = take_handle(session);
	int hops = 0, rc;

	if (!curl)
		return err_set(err, ERR_INTERNAL, "out of memory for a connection");
	response->is_transient = response->is_tls_refused = false;
	x.foreign = is_foreign(session, url);
	do {
		rc = one_hop(&x, curl, url, err);
		/* What was posted (a refresh token) is for the one who was asked. */
		if (rc < 0 || !is_redirect(response->status) || request->form)
			break;
		rc = ++hops > HTTP_REDIRECTS_MAX
			     ? err_set(err, ERR_INVALID, "registry '%s' redirects more than %d times",
				       session->domain, HTTP_REDIRECTS_MAX)
			     : next_hop(&x, &url, err);
	} while (rc == 0);
	give_handle(session, curl);
	free(x.location);
	return rc;
}
