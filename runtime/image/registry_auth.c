/*
 * registry_auth - answers to a registry's challenges.
 */
#include "runtime/image/registry_auth.h"

#include <openssl/evp.h>
#include <strings.h>

#include "compat/base/json.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

#define TOKEN_DEFAULT_S 60	/* what a token lives when its server does not say */
#define TOKEN_SPARE_S	10	/* fetched anew this long before it runs out */

struct token_answer {
	char *token, *access_token, *refresh_token;
	int64_t expires_in;
};

static const struct json_field token_fields[] = {
	JSON_FIELD(struct token_answer, token, "token", JSON_STR, 0),
	JSON_FIELD(struct token_answer, access_token, "access_token", JSON_STR, 0),
	JSON_FIELD(struct token_answer, refresh_token, "refresh_token", JSON_STR, 0),
	JSON_FIELD(struct token_answer, expires_in, "expires_in", JSON_I64, 0),
};

static const struct json_table token_table = JSON_TABLE("token", struct token_answer, token_fields);

static char *basic(const char *username, const char *password)
{
	auto_free char *plain = xfmt("%s:%s", username, password ? password : "");
	size_t len = strlen(plain);
	auto_free unsigned char *coded = xcalloc(1, len * 2 + 8);

	EVP_EncodeBlock(coded, (const unsigned char *)plain, (int)len);
	explicit_bzero(plain, len);
	return xfmt("Basic %s", (const char *)coded);
}

/* ---- the token server ------------------------------------------------------------------------------------------- */

static void add_parameter(struct buf *b, const char *name, const char *value)
{
	char *escaped;

	if (str_empty(value))
		return;
	escaped = curl_easy_escape(NULL, value, 0);
	if (b->len && !strchr("?&", b->data[b->len - 1]))
		buf_char(b, '&');
	buf_fmt(b, "%s=%s", name, escaped ? escaped : "");
	curl_free(escaped);
}

/* A realm is told by the registry: it may be elsewhere, but credentials go to it over TLS only. */
static int check_realm(const struct registry_session *s, const char *realm, struct err *err)
{
	bool tls = !strncasecmp(realm, "https://", 8);

	if (!tls && strncasecmp(realm, "http://", 7))
		return err_set(err, ERR_INVALID, "registry '%s' names a token server that is no http address",
			       s->domain);
	if (!tls && !s->insecure)
		return err_set(err, ERR_INVALID,
			       "registry '%s' names a token server without TLS (%s), which is refused",
			       s->domain, realm);
	return 0;
}

static int read_token(struct registry_session *s, const struct http_response *response,
		      struct err *err)
{
	struct token_answer answer = {0};
	const char *token;
	int64_t lives;
	int rc = json_parse(&token_table, response->body.data, response->body.len, 0, "token", &answer,
			    err);

	if (rc < 0)
		return err_wrap(err, rc, "token server of registry '%s'", s->domain);
	token = str_empty(answer.token) ? answer.access_token : answer.token;
	if (str_empty(token) || !str_is_printable(token)) {
		json_clear(&token_table, &answer);
		return err_set(err, ERR_INVALID, "token server of registry '%s' sent no usable token",
			       s->domain);
	}

	lives = answer.expires_in > 0 ? answer.expires_in : TOKEN_DEFAULT_S;
	if (lives > 86400)
		lives = 86400;
	pthread_mutex_lock(&s->lock);
	str_set(&s->token, token);
	s->token_until_ms = time_mono_ms() + (lives > TOKEN_SPARE_S * 2 ? lives - TOKEN_SPARE_S : lives) * 1000;
	if (!str_empty(answer.refresh_token))
		str_set(&s->identity_token, answer.refresh_token);
	pthread_mutex_unlock(&s->lock);
	json_clear(&token_table, &answer);
	return 0;
}

static int fetch_token(struct registry_session *s, const struct registry_challenge *c,
		       struct err *err)
{
	AUTO(http_response_clear) struct http_response response = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *scope = *s->path ? xfmt("repository:%s:pull", s->path) : NULL;
	auto_free char *authorization = NULL;
	auto_free char *refresh = NULL;
	const char *wanted = *c->scope ? c->scope : scope;
	struct http_request request = {0};
	int rc = check_realm(s, c->realm, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	refresh = xstrdup(s->identity_token);
	pthread_mutex_unlock(&s->lock);

	if (refresh) {
		add_parameter(&text, "grant_type", "refresh_token");
		add_parameter(&text, "client_id", "pouch");
		add_parameter(&text, "service", c->service);
		add_parameter(&text, "scope", wanted);
		add_parameter(&text, "refresh_token", refresh);
		request.url = c->realm;
		request.form = buf_cstr(&text);
	} else {
		buf_fmt(&text, "%s%c", c->realm, strchr(c->realm, '?') ? '&' : '?');
		add_parameter(&text, "service", c->service);
		add_parameter(&text, "scope", wanted);
		if (s->username) {
			add_parameter(&text, "account", s->username);
			authorization = basic(s->username, s->password);
		}
		request.url = buf_cstr(&text);
		request.authorization = authorization;
	}

	rc = http_exchange(s, &request, &response, err);
	if (refresh)
		explicit_bzero(refresh, strlen(refresh));
	if (rc < 0)
		return err_wrap(err, rc, "token server");
	if (response.status == 401 || response.status == 403 || response.status == 400)
		return err_set(err, ERR_UNAUTHORIZED,
			       "the token server of registry '%s' refuses %s: check user name and password",
			       s->domain, s->username ? s->username : "an anonymous user");
	if (response.status / 100 != 2)
		return err_set(err, ERR_UNAVAILABLE, "the token server of registry '%s' answers status %ld",
			       s->domain, response.status);
	return read_token(s, &response, err);
}

/* ---- what to show ----------------------------------------------------------------------------------------------- */

int registry_authorization(struct registry_session *s, char **ret, struct err *err)
{
	struct registry_challenge challenge;
	bool stale;
	int rc;

	if (s->registry_token) {
		*ret = xfmt("Bearer %s", s->registry_token);
		return 0;
	}
	pthread_mutex_lock(&s->lock);
	challenge = s->challenge;
	stale = s->token && time_mono_ms() >= s->token_until_ms;
	pthread_mutex_unlock(&s->lock);

	if (challenge.kind == CHALLENGE_BASIC && s->username) {
		*ret = basic(s->username, s->password);
		return 0;
	}
	if (challenge.kind != CHALLENGE_BEARER)
		return 0;
	rc = stale ? fetch_token(s, &challenge, err) : 0;
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&s->lock);
	if (s->token)
		*ret = xfmt("Bearer %s", s->token);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

int registry_answer_challenge(struct registry_session *s, const char *challenges, struct err *err)
{
	struct registry_challenge challenge;
	bool shown;
	int rc;

	registry_challenge_parse(challenges, &challenge);
	if (challenge.kind == CHALLENGE_NONE || s->registry_token)
		return 0;

	pthread_mutex_lock(&s->lock);
	shown = s->challenge.kind == CHALLENGE_BASIC;
	s->challenge = challenge;
	pthread_mutex_unlock(&s->lock);

	/* The same password again would not be better. A bearer token may have been withdrawn, or lack a scope. */
	if (challenge.kind == CHALLENGE_BASIC)
		return s->username && !shown;
	rc = fetch_token(s, &challenge, err);
	return rc < 0 ? rc : 1;
}
