/*
 * registry_session - one repository of one registry: scheme, proofs, manifests, blobs
 */
#include "runtime/image/registry_session.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "compat/base/json.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/image/internal.h"
#include "runtime/image/manifest.h"
#include "runtime/image/token.h"

#define TRIES	      5		/* without any progress between */
#define FIRST_WAIT_MS 500
#define RENEWALS_MAX  3		/* for one request: others may use up what was just renewed */
#define SMALL_MAX     (64 * 1024)
#define PROGRESS_MAX  (1 << 20)

struct registry_session {
	const struct registry_settings *settings;
	const char *domain, *path;
	const struct registry_auth *auth;
	const volatile bool *cancel;
	char *base;			/* "https://host" */
	bool is_here;			/* it answered from this machine */
	int64_t patience_ms;		/* no new try once that is over */
	pthread_mutex_t lock;		/* all below */
	struct proof proof;
};

static const char *const manifest_types[] = {
	MEDIA_OCI_INDEX, MEDIA_DOCKER_LIST, MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST, NULL};

static int canceled(struct err *err)
{
	return err_set(err, ERR_CANCELED, "canceled");
}

/* Pieces, so that a cancel is seen soon. */
static int wait_ms(struct registry_session *s, int64_t ms, struct err *err)
{
	int64_t until = time_mono_ms() + ms;

	while (time_mono_ms() < until) {
		struct timespec piece = {.tv_nsec = 50 * 1000 * 1000};

		if (s->cancel && *s->cancel)
			return canceled(err);
		nanosleep(&piece, NULL);
	}
	return 0;
}

/* ---- errors ---- */

struct error_item {
	char *code, *message;
};

static const struct json_field error_fields[] = {
	JSON_FIELD(struct error_item, code, "code", JSON_STR, 0),
	JSON_FIELD(struct error_item, message, "message", JSON_STR, 0),
};
static const struct json_table error_table = JSON_TABLE("error", struct error_item, error_fields);

struct error_list {
	VEC(struct error_item) errors;
};

static const struct json_field list_fields[] = {
	JSON_SUB(struct error_list, errors, "errors", JSON_VEC, JSON_REQUIRED, &error_table),
};
static const struct json_table list_table = JSON_TABLE("errors", struct error_list, list_fields);

/* What the registry says about a failure: owned, "" when it says nothing that can be shown. */
static char *said(const struct buf *body)
{
	struct error_list list = {0};
	char *ret = NULL;

	if (json_parse(&list_table, buf_cstr(body), body->len, 0, "errors", &list, NULL) == 0 && list.errors.n) {
		const struct error_item *e = &list.errors.v[0];
		const char *text = !str_empty(e->message) ? e->message : e->code;

		if (!str_empty(text) && str_is_printable(text))
			ret = xfmt(": %.200s", text);
	}
	json_clear(&list_table, &list);
	return ret ? ret : xstrdup("");
}

static int refuse(struct registry_session *s, const struct http_response *r, const char *what, struct err *err)
{
	auto_free char *words = said(&r->body);

	switch (r->status) {
	case 401:
	case 403:
		if (s->auth && (!str_empty(s->auth->username) || !str_empty(s->auth->identity_token) ||
				!str_empty(s->auth->registry_token)))
			return err_set(err, ERR_FORBIDDEN, "access to %s/%s denied: wrong user or password, or no right to it%s",
				       s->domain, s->path, words);
		return err_set(err, ERR_FORBIDDEN,
			       "access to %s/%s denied: it does not exist, or may need 'pouch login %s'%s", s->domain,
			       s->path, s->domain, words);
	case 404:
		return err_set(err, ERR_NOT_FOUND, "%s of %s/%s not found%s", what, s->domain, s->path, words);
	case 429:
		return err_set(err, ERR_UNAVAILABLE, "'%s' limits the rate of requests%s", s->domain, words);
	default:
		return err_set(err, ERR_UNAVAILABLE, "'%s' answers with status %ld%s", s->domain, r->status, words);
	}
}

/* ---- one request with proof ---- */

static bool is_worth_another_try(int rc, const struct err *err, const struct http_response *r)
{
	if (rc < 0)
		return err->kind == ERR_UNAVAILABLE;
	return r->status == 429 || r->status == 408 || r->status >= 500;
}

static char *current_proof(struct registry_session *s)
{
	char *ret;

	pthread_mutex_lock(&s->lock);
	ret = xstrdup(s->proof.authorization);
	if (s->proof.expires_ms && time_mono_ms() > s->proof.expires_ms) {
		free(ret);
		ret = NULL;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}

/* The registry refused @used and says what it wants: get it, unless another thread did meanwhile. */
static int renew_proof(struct registry_session *s, struct http *h, const char *used, const struct strv *challenges,
		       struct err *err)
{
	struct token_request want = {.settings = s->settings, .auth = s->auth, .base = s->base,
				     .base_is_here = s->is_here, .repository = s->path, .challenges = challenges};
	int rc = 0;

	pthread_mutex_lock(&s->lock);
	if (str_eq(used, s->proof.authorization) ||
	    (s->proof.expires_ms && time_mono_ms() > s->proof.expires_ms)) {
		rc = token_get(&want, h, &s->proof, err);
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

/* One exchange; a 401 is answered with a new proof. */
static int ask(struct registry_session *s, struct http *h, struct http_request *q, struct http_response *ret,
	       struct err *err)
{
	for (int i = 0;; i++) {
		auto_free char *proof = current_proof(s);
		int rc;

		q->authorization = proof;
		q->base = s->base;
		q->base_is_here = s->is_here;
		rc = http_do(h, q, ret, NULL, err);
		if (rc < 0 || ret->status != 401 || (i && !proof) || i == RENEWALS_MAX)
			return rc;
		rc = renew_proof(s, h, proof, &ret->challenges, err);
		if (rc < 0)
			return rc;
	}
}

/* The same with patience. */
static int ask_patiently(struct registry_session *s, struct http *h, struct http_request *q, struct http_response *ret,
			 struct err *err)
{
	int64_t wait = FIRST_WAIT_MS, end = time_mono_ms() + s->patience_ms;

	for (int i = 1;; i++) {
		struct err why = ERR_INIT;
		int rc = ask(s, h, q, ret, &why);

		if (!is_worth_another_try(rc, &why, ret) || i == TRIES || time_mono_ms() > end) {
			if (rc < 0 && err)
				*err = why;
			return rc;
		}
		rc = wait_ms(s, ret->retry_after_s ? ret->retry_after_s * 1000 : wait, err);
		if (rc < 0)
			return rc;
		wait *= 2;
	}
}

/* ---- open ---- */

/* GET BASE/v2/. Any answer shows that somebody speaks HTTP there. */
static int ping(struct registry_session *s, struct http *h, const char *base, struct http_response *r, bool *ret_tls,
		struct err *err)
{
	auto_free char *url = xfmt("%s/v2/", base);
	struct http_request q = {.url = url, .body_max = SMALL_MAX};

	return http_do(h, &q, r, ret_tls, err);
}

static int first_proof(struct registry_session *s, struct http *h, const struct http_response *r, struct err *err)
{
	if (r->status == 401)
		return renew_proof(s, h, NULL, &r->challenges, err);
	if (r->status == 200 || r->status == 403 || r->status == 404)
		return 0;	/* some answer so here although repositories can be read */
	return refuse(s, r, "API version 2", err);
}

/* https, and http where it is allowed and https does not work. */
static int find_scheme(struct registry_session *s, struct http *h, struct http_response *r, struct err *err)
{
	const char *host = reference_host(s->domain);
	auto_free char *https = xfmt("https://%s", host);
	auto_free char *http = xfmt("http://%s", host);
	struct err plain_err = ERR_INIT;
	int64_t wait = FIRST_WAIT_MS;
	bool tls = false;
	int rc;

	for (int i = 1;; i++) {
		rc = ping(s, h, https, r, &tls, err);
		if (rc == 0) {
			s->base = take(https);
			return 0;
		}
		if (err->kind != ERR_UNAVAILABLE)
			return rc;
		if (http_may_be_insecure(s->settings, host) && ping(s, h, http, r, NULL, &plain_err) == 0) {
			s->base = take(http);
			return 0;
		}
		if (s->cancel && *s->cancel)
			return canceled(err);
		if (tls || i == 3)
			return rc;
		rc = wait_ms(s, wait, err);
		if (rc < 0)
			return rc;
		wait *= 2;
	}
}

int registry_session_open(const struct registry_settings *settings, const char *domain, const char *path,
		 const struct registry_auth *auth, const volatile bool *cancel, struct registry_session **ret,
		 struct err *err)
{
	AUTO(registry_session_close) struct registry_session *s = xcalloc(1, sizeof(*s));
	AUTO(http_free) struct http *h = http_new(settings, cancel);
	AUTO(http_response_clear) struct http_response r = {0};
	struct err local = ERR_INIT;
	int rc;

	s->settings = settings;
	s->domain = domain;
	s->path = path;
	s->auth = auth;
	s->cancel = cancel;
	s->patience_ms = (settings->patience_s ? settings->patience_s : 60) * 5 * 1000;
	pthread_mutex_init(&s->lock, NULL);
	if (auth && !str_empty(auth->registry_token))
		s->proof.authorization = xfmt("Bearer %s", auth->registry_token);
	rc = find_scheme(s, h, &r, &local);
	s->is_here = r.is_here;
	if (rc == 0 && !s->proof.authorization)
		rc = first_proof(s, h, &r, &local);
	if (rc < 0) {
		if (err)
			*err = local;
		return rc;
	}
	*ret = take(s);
	return 0;
}

void registry_session_close(struct registry_session *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	proof_clear(&s->proof);
	free(s->base);
	free(s);
}

char *registry_session_identity_token(struct registry_session *s)
{
	return xstrdup(s->proof.identity_token);
}

int registry_login(const struct registry_settings *settings, const char *domain,
		   const struct registry_auth *auth, char **ret_identity_token, struct err *err)
{
	AUTO(registry_session_close) struct registry_session *s = NULL;
	AUTO(http_free) struct http *h = http_new(settings, NULL);
	AUTO(http_response_clear) struct http_response r = {0};
	auto_free char *url = NULL;
	struct http_request q = {.body_max = SMALL_MAX};
	int rc = registry_session_open(settings, domain, NULL, auth, NULL, &s, err);

	if (rc < 0)
		return rc;
	url = xfmt("%s/v2/", s->base);
	q.url = url;
	rc = ask_patiently(s, h, &q, &r, err);
	if (rc < 0)
		return rc;
	if (r.status == 401 || r.status == 403)
		return err_set(err, ERR_UNAUTHORIZED, "login to '%s' refused: wrong user or password", domain);
	if (r.status >= 300)
		return refuse(s, &r, "API version 2", err);
	if (ret_identity_token)
		*ret_identity_token = registry_session_identity_token(s);
	return 0;
}

/* ---- manifests ---- */

int registry_session_manifest(struct registry_session *s, struct http *h, const char *reference, struct buf *ret, char **ret_type,
		     char ret_digest[DIGEST_SIZE], struct err *err)
{
	auto_free char *url = xfmt("%s/v2/%s/manifests/%s", s->base, s->path, reference);
	auto_free char *what = xfmt("manifest '%s'", reference);
	AUTO(http_response_clear) struct http_response r = {0};
	struct http_request q = {.url = url, .accept = manifest_types, .body_max = MANIFEST_MAX};
	char digest[DIGEST_SIZE];
	int rc = ask_patiently(s, h, &q, &r, err);

	if (rc < 0)
		return err_wrap(err, rc, "fetch %s", what);
	if (r.status != 200)
		return refuse(s, &r, what, err);
	digest_of(buf_cstr(&r.body), r.body.len, digest);
	if (digest_is_valid(reference) && strcmp(digest, reference) != 0)
		return err_set(err, ERR_INVALID, "the registry sent another manifest than %s: its digest is %s",
			       reference, digest);
	if (digest_is_valid(r.content_digest) && strcmp(digest, r.content_digest) != 0)
		return err_set(err, ERR_INVALID, "the manifest '%s' is damaged: its digest is %s, announced was %s",
			       reference, digest, r.content_digest);
	memcpy(ret_digest, digest, DIGEST_SIZE);
	*ret_type = take(r.content_type);
	*ret = r.body;
	r.body = BUF_INIT;
	return 0;
}

/* ---- blobs ---- */

struct blob_fetch {
	struct http_response *response;
	uint64_t from;		/* asked for */
	uint64_t skip;		/* bytes to drop: a server that does not know ranges begins anew */
	uint64_t got, max;	/* got: in all, what was there before included */
	bool begun;
	http_sink sink;
	void *arg;
};

static int take_bytes(void *arg, const void *data, size_t len, struct err *err)
{
	struct blob_fetch *f = arg;
	const char *p = data;
	size_t drop;

	if (!f->begun) {
		f->begun = true;
		if (f->response->status == 206 && f->response->from != f->from)
			return err_set(err, ERR_UNAVAILABLE, "another range came than was asked for");
		f->skip = f->response->status == 206 ? 0 : f->from;
	}
	drop = f->skip < len ? (size_t)f->skip : len;
	f->skip -= drop;
	p += drop;
	len -= drop;
	if (!len)
		return 0;
	if (len > f->max - f->got)
		return err_set(err, ERR_INVALID, "the registry sent more than the %llu bytes of the blob",
			       (unsigned long long)f->max);
	f->got += len;
	return f->sink(f->arg, p, len, err);
}

int registry_session_blob(struct registry_session *s, struct http *h, const char *digest, uint64_t from, uint64_t max,
		 http_sink sink, void *arg, struct err *err)
{
	auto_free char *url = xfmt("%s/v2/%s/blobs/%s", s->base, s->path, digest);
	AUTO(http_response_clear) struct http_response r = {0};
	struct blob_fetch f = {.response = &r, .got = from, .max = max, .sink = sink, .arg = arg};
	int64_t wait = FIRST_WAIT_MS;
	/* Fewer bytes are no progress: a peer that gives crumbs would be asked for ever. */
	uint64_t progress = max / 64 < PROGRESS_MAX ? max / 64 + 1 : PROGRESS_MAX;

	for (int i = 1; f.got < max; i++) {
		struct http_request q = {.url = url, .from = f.got, .body_max = SMALL_MAX, .sink = take_bytes, .arg = &f};
		struct err why = ERR_INIT;
		uint64_t before = f.got;
		int rc;

		f.from = f.got;
		f.begun = false;
		rc = ask(s, h, &q, &r, &why);
		if (rc == 0 && r.status >= 200 && r.status < 300 && f.got < max) {
			rc = err_set(&why, ERR_UNAVAILABLE, "'%s' sent %llu of %llu bytes", s->domain,
				     (unsigned long long)f.got, (unsigned long long)max);
		} else if (rc == 0 && r.status >= 200 && r.status < 300) {
			break;
		} else if (rc == 0 && !is_worth_another_try(rc, &why, &r)) {
			return refuse(s, &r, digest, err);
		} else if (rc == 0) {
			rc = refuse(s, &r, digest, &why);
		}
		if (f.got - before >= progress) {
			i = 0;
			wait = FIRST_WAIT_MS;
		}
		if (why.kind != ERR_UNAVAILABLE || i == TRIES) {
			if (err)
				*err = why;
			/* The sink may leave without words: its owner knows. */
			return why.code ? err_wrap(err, rc, "fetch blob %.12s", digest_hex(digest)) : rc;
		}
		rc = wait_ms(s, r.retry_after_s ? r.retry_after_s * 1000 : wait, err);
		if (rc < 0)
			return rc;
		wait *= 2;
	}
	return 0;
}
