/*
 * registry_session - talking to one repository of one registry.
 */
#include "runtime/image/registry_http.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/base/version.h"
#include "runtime/image/registry_auth.h"

#define TRIES		5	/* in a row without a new byte */
#define BACKOFF_MS	300	/* doubles with each try */
#define CERTS_DIR	"/etc/docker/certs.d"

#define ACCEPT_MANIFESTS                                                                           \
	"Accept: application/vnd.oci.image.index.v1+json, "                                        \
	"application/vnd.docker.distribution.manifest.list.v2+json, "                              \
	"application/vnd.oci.image.manifest.v1+json, "                                             \
	"application/vnd.docker.distribution.manifest.v2+json"

static void global_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *existing(const char *dir, const char *name)
{
	auto_free char *path = path_join(dir, name);

	return access(path, R_OK) == 0 ? take(path) : NULL;
}

/* Docker's places: DIR/HOST/ca.crt, client.cert and client.key. */
static int find_certs(struct registry_session *s, struct err *err)
{
	const char *base = s->settings->certs_dir ? s->settings->certs_dir : CERTS_DIR;
	auto_free char *dir = path_join(base, s->host);

	s->ca_file = existing(dir, "ca.crt");
	s->client_cert = existing(dir, "client.cert");
	s->client_key = existing(dir, "client.key");
	if (!s->client_cert != !s->client_key)
		return err_set(err, ERR_INVALID,
			       "'%s' holds only one of client.cert and client.key: both or none are needed",
			       dir);
	return 0;
}

int registry_session_open(const struct registry_session_options *options,
			  struct registry_session **ret, struct err *err)
{
	static const struct registry_settings defaults;
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	AUTO(registry_session_close) struct registry_session *s = xcalloc(1, sizeof(*s));
	int rc;

	pthread_once(&once, global_init);
	pthread_mutex_init(&s->lock, NULL);
	s->settings = options->settings ? options->settings : &defaults;
	s->cancel = options->cancel;
	s->domain = xstrdup(options->domain);
	s->host = xstrdup(reference_host(options->domain));
	s->path = xstrdup(options->path);
	s->user_agent = s->settings->user_agent ? xstrdup(s->settings->user_agent)
						: xfmt("pouch/%s", version_string());
	if (options->auth) {
		s->username = xstrdup(options->auth->username);
		s->password = xstrdup(options->auth->password);
		s->identity_token = xstrdup(options->auth->identity_token);
		s->registry_token = xstrdup(options->auth->registry_token);
	}
	s->loopback = registry_is_insecure(NULL, s->host);
	s->insecure = registry_is_insecure(s->settings->insecure, s->host);
	if (!s->insecure)
		s->scheme = "https";
	rc = find_certs(s, err);
	if (rc < 0)
		return rc;
	*ret = take(s);
	return 0;
}

static void free_secret(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void registry_session_close(struct registry_session *s)
{
	if (!s)
		return;
	VEC_EACH(curl, &s->idle)
		curl_easy_cleanup(*curl);
	VEC_FREE(&s->idle);
	free(s->domain);
	free(s->host);
	free(s->path);
	free(s->user_agent);
	free(s->ca_file);
	free(s->client_cert);
	free(s->client_key);
	free(s->username);
	free_secret(s->password);
	free_secret(s->identity_token);
	free_secret(s->registry_token);
	free_secret(s->token);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

void registry_manifest_clear(struct registry_manifest *manifest)
{
	buf_clear(&manifest->body);
	*manifest = (struct registry_manifest){0};
}

/* ---- requests --------------------------------------------------------------------------------------------------- */

static const char *scheme_of(struct registry_session *s)
{
	const char *scheme;

	pthread_mutex_lock(&s->lock);
	scheme = s->scheme;
	pthread_mutex_unlock(&s->lock);
	return scheme;
}

static void learn_scheme(struct registry_session *s, const char *scheme)
{
	pthread_mutex_lock(&s->lock);
	s->scheme = scheme;
	pthread_mutex_unlock(&s->lock);
}

/* One exchange with what we know of the registry; https is tried before http where both are allowed. */
static int exchange(struct registry_session *s, const char *what, const struct http_request *request,
		    struct http_response *response, struct err *err)
{
	const char *known = scheme_of(s);
	const char *scheme = known ? known : "https";
	auto_free char *authorization = NULL;
	auto_free char *url = NULL;
	struct http_request now = *request;
	int rc;

	rc = registry_authorization(s, &authorization, err);
	if (rc < 0)
		return rc;
	now.authorization = authorization;
	/* Nothing secret goes out before it is known that there is TLS, or that there is none. */
	if (!known)
		now.authorization = NULL;
	url = xfmt("%s://%s/v2/%s", scheme, s->host, what);
	now.url = url;
	rc = http_exchange(s, &now, response, err);
	if (rc < 0 && !known && response->is_tls_refused) {
		scheme = "http";
		free(url);
		now.url = url = xfmt("%s://%s/v2/%s", scheme, s->host, what);
		rc = http_exchange(s, &now, response, err);
	}
	if (rc == 0 && !known)
		learn_scheme(s, scheme);
	return rc;
}

/* The registry's own words from {"errors":[{"code":...,"message":...}]}, for the end of a message; "" when it has none. */
static void registry_words(const struct http_response *response, char *dst, size_t size)
{
	const char *text = buf_cstr(&response->body);
	const char *message = strstr(text, "\"message\"");
	size_t n = 0;

	dst[0] = '\0';
	message = message ? strchr(message + 9, '"') : NULL;
	if (!message)
		return;
	for (message++; *message && *message != '"' && n + 1 < size && n < 200; message++)
		dst[n++] = (unsigned char)*message < ' ' || *message == '\\' ? ' ' : *message;
	dst[n] = '\0';
}

static int refuse_status(const struct registry_session *s, const char *what,
			 struct http_response *response, struct err *err)
{
	char words[256];
	const char *colon;
	bool anonymous = !s->username && !s->identity_token && !s->registry_token;

	registry_words(response, words, sizeof(words));
	colon = *words ? ": " : "";
	response->is_transient = response->status == 429 || response->status == 408 ||
				 response->status / 100 == 5;
	switch (response->status) {
	case 401:
	case 403:
		return err_set(err, ERR_UNAUTHORIZED, "registry '%s' denies access to '%s'%s%s%s", s->domain,
			       s->path, colon, words,
			       anonymous ? "; if the image exists, log in first"
					 : "; check user name and password");
	case 404:
		return err_set(err, ERR_NOT_FOUND, "registry '%s' has no %s of '%s'%s%s", s->domain, what,
			       s->path, colon, words);
	case 429:
		return err_set(err, ERR_UNAVAILABLE, "registry '%s' says: too many requests%s%s; try later",
			       s->domain, colon, words);
	default:
		return err_set(err, ERR_UNAVAILABLE, "registry '%s' answers status %ld for %s of '%s'%s%s",
			       s->domain, response->status, what, s->path, colon, words);
	}
}

/*
 * Ask, answer one challenge, and judge the status. @what names the object in messages.
 * On failure response->is_transient tells whether another try makes sense.
 */
static int ask(struct registry_session *s, const char *path, const char *what,
	       const struct http_request *request, struct http_response *response, struct err *err)
{
	int rc = exchange(s, path, request, response, err);

	if (rc == 0 && response->status == 401) {
		rc = registry_answer_challenge(s, response->challenges, err);
		if (rc > 0)
			rc = exchange(s, path, request, response, err);
	}
	if (rc < 0)
		return rc;
	return response->status / 100 == 2 ? 0 : refuse_status(s, what, response, err);
}

static void back_off(const struct registry_session *s, const struct http_response *response, int try)
{
	int64_t ms = (int64_t)BACKOFF_MS << try;

	if (response->retry_after_s * INT64_C(1000) > ms)
		ms = response->retry_after_s * INT64_C(1000);
	http_sleep(s, ms);
}

/* ---- manifests -------------------------------------------------------------------------------------------------- */

static int manifest_sink(void *arg, const void *data, size_t len, struct err *err)
{
	struct buf *body = arg;

	if (body->len + len > REGISTRY_MANIFEST_MAX)
		return err_set(err, ERR_TOO_LARGE, "manifest is over %d bytes", REGISTRY_MANIFEST_MAX);
	buf_add(body, data, len);
	return 0;
}

static int manifest_once(struct registry_session *s, const char *name,
			 struct registry_manifest *manifest, struct http_response *response,
			 struct err *err)
{
	auto_free char *path = xfmt("%s/manifests/%s", s->path, name);
	auto_free char *what = xfmt("manifest '%s'", name);
	struct http_request request = {
		.accept = ACCEPT_MANIFESTS, .sink = manifest_sink, .arg = &manifest->body};

	buf_reset(&manifest->body);
	return ask(s, path, what, &request, response, err);
}

int registry_manifest_get(struct registry_session *s, const char *name,
			  struct registry_manifest *ret, struct err *err)
{
	AUTO(registry_manifest_clear) struct registry_manifest manifest = {0};
	AUTO(http_response_clear) struct http_response response = {0};
	int rc = 0;

	for (int try = 0; try < TRIES; try++) {
		rc = manifest_once(s, name, &manifest, &response, err);
		if (rc == 0 || !response.is_transient || http_is_canceled(s))
			break;
		if (try + 1 < TRIES)
			back_off(s, &response, try);
	}
	if (http_is_canceled(s))
		return err_set(err, ERR_CANCELED, "pull canceled");
	if (rc < 0)
		return rc;

	digest_of(manifest.body.data, manifest.body.len, manifest.digest);
	if (digest_is_valid(name) && !str_eq(name, manifest.digest))
		return err_set(err, ERR_INVALID,
			       "registry '%s' sent another manifest than was asked for: want %s, got %s",
			       s->domain, name, manifest.digest);
	strcpy(manifest.media_type, response.content_type);
	*ret = manifest;
	manifest = (struct registry_manifest){0};
	return 0;
}

/* ---- blobs ------------------------------------------------------------------------------------------------------ */

struct blob {
	registry_sink_fn sink;
	void *arg;
	const char *digest;
	uint64_t at;		/* next byte that is wanted */
	int64_t size;
};

static int blob_sink(void *arg, const void *data, size_t len, struct err *err)
{
	struct blob *blob = arg;
	int rc;

	if (blob->size >= 0 && blob->at + len > (uint64_t)blob->size)
		return err_set(err, ERR_INVALID,
			       "blob %s is longer than the %lld bytes that its manifest says", blob->digest,
			       (long long)blob->size);
	rc = blob->sink(blob->arg, data, len, err);
	if (rc == 0)
		blob->at += len;
	return rc;
}

static int blob_once(struct registry_session *s, struct blob *blob, struct http_response *response,
		     struct err *err)
{
	auto_free char *path = xfmt("%s/blobs/%s", s->path, blob->digest);
	auto_free char *what = xfmt("blob '%s'", blob->digest);
	struct http_request request = {.from = blob->at, .sink = blob_sink, .arg = blob};
	int rc = ask(s, path, what, &request, response, err);

	if (rc == 0 && blob->size >= 0 && blob->at < (uint64_t)blob->size) {
		response->is_transient = true;
		rc = err_set(err, ERR_INVALID, "blob %s ends after %llu of %lld bytes", blob->digest,
			     (unsigned long long)blob->at, (long long)blob->size);
	}
	return rc;
}

int registry_blob_get(struct registry_session *s, const char *digest, uint64_t offset, int64_t size,
		      registry_sink_fn sink, void *arg, struct err *err)
{
	AUTO(http_response_clear) struct http_response response = {0};
	struct blob blob = {sink, arg, digest, offset, size};
	int rc = 0;

	if (size >= 0 && offset >= (uint64_t)size)
		return 0;
	for (int try = 0; try < TRIES; try++) {
		uint64_t before = blob.at;

		rc = blob_once(s, &blob, &response, err);
		if (rc == 0 || !response.is_transient || http_is_canceled(s))
			break;
		if (blob.at > before)
			try = 0;	/* it goes on: patience anew, so that a long layer survives many breaks */
		if (try + 1 < TRIES)
			back_off(s, &response, try);
	}
	if (rc < 0 && http_is_canceled(s))
		return err_set(err, ERR_CANCELED, "pull canceled");
	return rc;
}
