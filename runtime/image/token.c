/*
 * token - the proof that a registry wants
 */
#include "runtime/image/token.h"

#include <openssl/evp.h>
#include <string.h>

#include "compat/base/json.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

#define ANSWER_MAX     (1 << 20)
#define LIFE_DEFAULT_S 60	/* the specification's */
#define LIFE_MAX_S     (24 * 3600)
#define LIFE_MARGIN_S  5	/* clocks and ways differ */
#define CLIENT_ID      "pouch"

struct answer {
	char *token, *access_token, *refresh_token;
	int64_t expires_in;
};

static const struct json_field answer_fields[] = {
	JSON_FIELD(struct answer, token, "token", JSON_STR, 0),
	JSON_FIELD(struct answer, access_token, "access_token", JSON_STR, 0),
	JSON_FIELD(struct answer, refresh_token, "refresh_token", JSON_STR, 0),
	JSON_FIELD(struct answer, expires_in, "expires_in", JSON_I64, 0),
};
static const struct json_table answer_table = JSON_TABLE("token", struct answer, answer_fields);

void proof_clear(struct proof *p)
{
	free(p->authorization);
	free(p->identity_token);
	*p = (struct proof){0};
}

static bool has_password(const struct registry_auth *auth)
{
	return auth && !str_empty(auth->username) && auth->password;
}

/* "Basic ..."; owned. */
static char *basic(const struct registry_auth *auth)
{
	auto_free char *both = xfmt("%s:%s", auth->username, auth->password);
	size_t len = strlen(both);
	auto_free char *text = xcalloc(1, (len + 2) / 3 * 4 + 1);

	EVP_EncodeBlock((unsigned char *)text, (unsigned char *)both, (int)len);
	return xfmt("Basic %s", text);
}

/* "service=...&scope=..." */
static char *form(const struct token_request *q, const struct challenge *c)
{
	const char *service = strmap_get(&c->parameters, "service");
	const char *asked = strmap_get(&c->parameters, "scope");
	auto_free char *own = q->repository ? xfmt("repository:%s:pull", q->repository) : NULL;
	AUTO(buf_clear) struct buf out = BUF_INIT;

	if (service) {
		auto_free char *value = http_escape(service);

		buf_fmt(&out, "service=%s", value);
	}
	/* To read is all that is asked for, whatever the challenge would grant. */
	if (own || asked) {
		auto_free char *value = http_escape(own ? own : asked);

		buf_fmt(&out, "%sscope=%s", out.len ? "&" : "", value);
	}
	return buf_take(&out);
}

static int read_answer(const struct http_response *r, struct proof *ret, struct err *err)
{
	struct answer a = {0};
	const char *token;
	int64_t life;
	int rc = json_parse(&answer_table, buf_cstr(&r->body), r->body.len, 0, "token server's answer", &a, err);

	if (rc < 0)
		return rc;
	token = !str_empty(a.token) ? a.token : a.access_token;
	if (str_empty(token) || !str_is_printable(token)) {
		rc = err_set(err, ERR_UNAVAILABLE, "the token server's answer has no token");
	} else {
		life = a.expires_in > 0 ? a.expires_in : LIFE_DEFAULT_S;
		if (life > LIFE_MAX_S)
			life = LIFE_MAX_S;
		free(ret->authorization);
		ret->authorization = xfmt("Bearer %s", token);
		ret->expires_ms = time_mono_ms() + (life > 2 * LIFE_MARGIN_S ? life - LIFE_MARGIN_S : life) * 1000;
		if (!str_empty(a.refresh_token))
			str_set(&ret->identity_token, a.refresh_token);
	}
	json_clear(&answer_table, &a);
	return rc;
}

/* Passwords go over TLS, or where the registry itself may do without. */
static int check_realm(const struct token_request *q, const char *realm, struct err *err)
{
	const char *host;

	if (str_starts(realm, "https://"))
		return 0;
	host = str_skip(realm, "http://");
	if (host) {
		auto_free char *name = xstrndup(host, strcspn(host, "/?#@"));

		if (!strchr(host, '@') && http_may_be_insecure(q->settings, name))
			return 0;
		return err_set(err, ERR_INVALID, "the token server '%.100s' is not reached by https: refused", name);
	}
	return err_set(err, ERR_INVALID, "the registry names a token server that is no URL");
}

static int get_bearer(const struct token_request *q, const struct challenge *c, struct http *h,
		      struct proof *ret, struct err *err)
{
	const char *realm = strmap_get(&c->parameters, "realm");
	bool oauth = q->auth && !str_empty(q->auth->identity_token);
	AUTO(http_response_clear) struct http_response r = {0};
	auto_free char *fields = form(q, c);
	auto_free char *url = NULL;
	auto_free char *post = NULL;
	auto_free char *authorization = NULL;
	struct http_request request = {.body_max = ANSWER_MAX};
	int rc = check_realm(q, realm, err);

	if (rc < 0)
		return rc;
	if (oauth) {
		auto_free char *token = http_escape(q->auth->identity_token);

		url = xstrdup(realm);
		post = xfmt("grant_type=refresh_token&client_id=" CLIENT_ID "&refresh_token=%s&%s", token, fields);
	} else {
		url = xfmt("%s%s%s%s", realm, strchr(realm, '?') ? "&" : "?", fields,
			   !q->repository && has_password(q->auth) ? "&offline_token=true&client_id=" CLIENT_ID : "");
		if (has_password(q->auth))
			authorization = basic(q->auth);
	}
	request.url = url;
	request.post = post;
	request.authorization = authorization;
	request.base = q->base;
	request.base_is_here = q->base_is_here;
	rc = http_do(h, &request, &r, NULL, err);
	if (rc < 0)
		return err_wrap(err, rc, "fetch token");
	if (r.status == 401 || r.status == 403 || (oauth && r.status == 400))
		return err_set(err, q->repository ? ERR_FORBIDDEN : ERR_UNAUTHORIZED,
			       "the token server refuses: wrong user or password, or no right to it");
	if (r.status != 200)
		return err_set(err, ERR_UNAVAILABLE, "the token server answers with status %ld", r.status);
	return read_answer(&r, ret, err);
}

int token_get(const struct token_request *request, struct http *h, struct proof *ret, struct err *err)
{
	AUTO(challenge_clear) struct challenge c = {0};

	challenge_parse(request->challenges, &c);
	if (c.kind == CHALLENGE_BEARER)
		return get_bearer(request, &c, h, ret, err);
	free(ret->authorization);
	ret->authorization = c.kind == CHALLENGE_BASIC && has_password(request->auth) ? basic(request->auth) : NULL;
	ret->expires_ms = 0;
	return 0;
}
