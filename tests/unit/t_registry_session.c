/*
 * t_registry_session - tests of the registry client against a server that misbehaves on demand.
 *
 * The server speaks real HTTP on a loopback socket; each test gives it one function that answers requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/image/registry_session.h"

struct server;
typedef void (*answer_fn)(struct server *server, int fd, const char *request);

struct server {
	int listener, stop[2];
	unsigned int port;
	answer_fn answer;
	pthread_t thread;
	int requests;		/* all answered so far */
	int count;		/* for the test's own use */
	char seen[8192];	/* the last request that the test wanted to keep */
	struct server *other;
};

static void serve_one(struct server *server, int fd)
{
	char request[8192];
	size_t len = 0;

	while (len + 1 < sizeof(request)) {
		ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);

		if (n <= 0)
			return;
		len += (size_t)n;
		request[len] = '\0';
		if (request[0] == 0x16)
			return;		/* a TLS hello: cut it off, as a plain HTTP server does */
		if (strstr(request, "\r\n\r\n"))
			break;
	}
	server->requests++;
	server->answer(server, fd, request);
}

static void *server_main(void *arg)
{
	struct server *server = arg;

	for (;;) {
		struct pollfd polls[2] = {{server->listener, POLLIN, 0}, {server->stop[0], POLLIN, 0}};
		int fd;

		poll(polls, 2, -1);
		if (polls[1].revents)
			return NULL;
		fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		serve_one(server, fd);
		close(fd);
	}
}

static void server_start(struct server *server, answer_fn answer)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	*server = (struct server){.answer = answer};
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(server->listener, 16), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pipe(server->stop), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
}

static void server_stop(struct server *server)
{
	assert_int_equal(write(server->stop[1], "x", 1), 1);
	pthread_join(server->thread, NULL);
	close(server->listener);
	close(server->stop[0]);
	close(server->stop[1]);
}

static void reply(int fd, const char *status, const char *headers, const char *body)
{
	auto_free char *text =
		xfmt("HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s", status,
		     strlen(body), headers, body);

	(void)fd_write_all(fd, text, strlen(text)); /* the client may have gone: its side is what is tested */
}

static void open_session(struct server *server, const struct registry_auth *auth,
			 const struct registry_settings *settings, struct registry_session **ret)
{
	char domain[64];
	struct err err = ERR_INIT;
	struct registry_session_options options = {
		.domain = domain, .path = "a/b", .auth = auth, .settings = settings};

	str_fmt(domain, sizeof(domain), "127.0.0.1:%u", server->port);
	assert_int_equal(registry_session_open(&options, ret, &err), 0);
}

static int collect(void *arg, const void *data, size_t len, struct err *err)
{
	(void)err;
	buf_add(arg, data, len);
	return 0;
}

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* ---- answers ---------------------------------------------------------------------------------------------------- */

static void answer_manifest(struct server *server, int fd, const char *request)
{
	(void)server;
	reply(fd, "200 OK", "Content-Type: application/vnd.oci.image.manifest.v1+json; charset=utf-8\r\n",
	      "{\"schemaVersion\":2}");
}

static void a_manifest_comes_with_its_type_and_digest_over_http_on_loopback(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(registry_manifest_clear) struct registry_manifest manifest = {0};
	struct err err = ERR_INIT;
	char digest[DIGEST_SIZE];

	(void)state;
	server_start(&server, answer_manifest);
	open_session(&server, NULL, NULL, &session);
	assert_int_equal(registry_manifest_get(session, "latest", &manifest, &err), 0);
	assert_string_equal(buf_cstr(&manifest.body), "{\"schemaVersion\":2}");
	assert_string_equal(manifest.media_type, "application/vnd.oci.image.manifest.v1+json");
	digest_of(manifest.body.data, manifest.body.len, digest);
	assert_string_equal(manifest.digest, digest);

	assert_true(registry_manifest_get(session, DIGEST, &manifest, &err) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
	server_stop(&server);
}

/* Sends five bytes more of "0123456789abcdefghij" at each request and breaks off. */
static void answer_broken(struct server *server, int fd, const char *request)
{
	const char *range = strstr(request, "Range: bytes=");
	int from = range ? atoi(range + 13) : 0;
	auto_free char *text = NULL;

	server->count++;
	text = xfmt("HTTP/1.1 %s\r\nContent-Length: %d\r\nContent-Range: bytes %d-19/20\r\n\r\n%.5s",
		    from ? "206 Partial Content" : "200 OK", 20 - from, from,
		    "0123456789abcdefghij" + from);
	(void)fd_write_all(fd, text, strlen(text)); /* see reply() */
}

static void a_broken_transfer_is_resumed_where_it_stopped(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_broken);
	open_session(&server, NULL, NULL, &session);
	assert_int_equal(registry_blob_get(session, DIGEST, 0, 20, collect, &got, &err), 0);
	assert_string_equal(buf_cstr(&got), "0123456789abcdefghij");
	assert_int_equal(server.count, 4);
	server_stop(&server);
}

static void answer_rangeless(struct server *server, int fd, const char *request)
{
	(void)server;
	(void)request;
	reply(fd, "200 OK", "", "0123456789");
}

static void a_server_without_ranges_is_skipped_forward(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_rangeless);
	open_session(&server, NULL, NULL, &session);
	assert_int_equal(registry_blob_get(session, DIGEST, 6, 10, collect, &got, &err), 0);
	assert_string_equal(buf_cstr(&got), "6789");
	server_stop(&server);
}

static void a_blob_longer_than_its_manifest_says_is_refused(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_rangeless);
	open_session(&server, NULL, NULL, &session);
	assert_true(registry_blob_get(session, DIGEST, 0, 9, collect, &got, &err) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(got.len, 0);
	server_stop(&server);
}

static void answer_busy_once(struct server *server, int fd, const char *request)
{
	if (server->count++ == 0)
		reply(fd, "503 Service Unavailable", "", "");
	else
		reply(fd, "200 OK", "", "{}");
}

static void a_busy_registry_is_asked_again(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(registry_manifest_clear) struct registry_manifest manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_busy_once);
	open_session(&server, NULL, NULL, &session);
	assert_int_equal(registry_manifest_get(session, "latest", &manifest, &err), 0);
	assert_int_equal(server.count, 2);
	server_stop(&server);
}

static void answer_missing(struct server *server, int fd, const char *request)
{
	server->count++;
	reply(fd, "404 Not Found", "",
	      "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}");
}

static void a_missing_tag_is_told_once_in_the_registrys_words(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(registry_manifest_clear) struct registry_manifest manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_missing);
	open_session(&server, NULL, NULL, &session);
	assert_true(registry_manifest_get(session, "latest", &manifest, &err) < 0);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "manifest unknown"));
	assert_int_equal(server.count, 1);
	server_stop(&server);
}

/* A registry with a token server beside it; the first token is worth nothing when asked for with a wrong password. */
static void answer_bearer(struct server *server, int fd, const char *request)
{
	char header[256];

	if (str_starts(request, "GET /token")) {
		server->count++;
		str_fmt(server->seen, sizeof(server->seen), "%s", request);
		if (strstr(request, "Authorization: Basic dXNlcjpwYXNz"))	/* user:pass */
			reply(fd, "200 OK", "", "{\"token\":\"good\",\"expires_in\":300}");
		else
			reply(fd, "401 Unauthorized", "", "");
		return;
	}
	if (strstr(request, "Authorization: Bearer good")) {
		reply(fd, "200 OK", "", "{}");
		return;
	}
	str_fmt(header, sizeof(header),
		"WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%u/token\",service=\"reg\","
		"scope=\"repository:a/b:pull\"\r\n",
		server->port);
	reply(fd, "401 Unauthorized", header, "");
}

static void a_bearer_token_is_fetched_once_and_kept(void **state)
{
	struct server server;
	struct registry_auth auth = {.username = "user", .password = "pass"};
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(registry_manifest_clear) struct registry_manifest first = {0};
	AUTO(registry_manifest_clear) struct registry_manifest second = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_bearer);
	open_session(&server, &auth, NULL, &session);
	assert_int_equal(registry_manifest_get(session, "1", &first, &err), 0);
	assert_int_equal(registry_manifest_get(session, "2", &second, &err), 0);
	assert_int_equal(server.count, 1);
	assert_non_null(strstr(server.seen, "service=reg"));
	assert_non_null(strstr(server.seen, "scope=repository%3Aa%2Fb%3Apull"));
	server_stop(&server);
}

static void a_wrong_password_is_unauthorized(void **state)
{
	struct server server;
	struct registry_auth auth = {.username = "user", .password = "wrong"};
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(registry_manifest_clear) struct registry_manifest manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_bearer);
	open_session(&server, &auth, NULL, &session);
	assert_true(registry_manifest_get(session, "1", &manifest, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAUTHORIZED);
	assert_null(strstr(err.msg, "wrong"));
	server_stop(&server);
}

static void answer_keep(struct server *server, int fd, const char *request)
{
	str_fmt(server->seen, sizeof(server->seen), "%s", request);
	reply(fd, "200 OK", "", "0123456789");
}

static void answer_redirect(struct server *server, int fd, const char *request)
{
	char header[256];

	if (!strstr(request, "Authorization: Basic")) {
		reply(fd, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", "");
		return;
	}
	str_fmt(header, sizeof(header), "Location: http://127.0.0.1:%u/elsewhere\r\n",
		server->other->port);
	reply(fd, "307 Temporary Redirect", header, "");
}

static void credentials_do_not_go_where_a_redirect_leads(void **state)
{
	struct server registry, storage;
	struct registry_auth auth = {.username = "user", .password = "pass"};
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&registry, answer_redirect);
	server_start(&storage, answer_keep);
	registry.other = &storage;
	open_session(&registry, &auth, NULL, &session);
	assert_int_equal(registry_blob_get(session, DIGEST, 0, 10, collect, &got, &err), 0);
	assert_string_equal(buf_cstr(&got), "0123456789");
	assert_true(str_starts(storage.seen, "GET /elsewhere"));
	assert_null(strstr(storage.seen, "Authorization"));
	server_stop(&registry);
	server_stop(&storage);
}

static void answer_file(struct server *server, int fd, const char *request)
{
	static const char *const places[] = {"file:///etc/passwd", "gopher://127.0.0.1/", "", "ftp://x/"};
	char header[128];

	str_fmt(header, sizeof(header), "Location: %s\r\n", places[server->count++ % 4]);
	reply(fd, "302 Found", header, "");
}

static void a_redirect_to_what_is_no_http_is_refused(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;

	(void)state;
	server_start(&server, answer_file);
	open_session(&server, NULL, NULL, &session);
	for (int i = 0; i < 4; i++) {
		AUTO(buf_clear) struct buf got = BUF_INIT;
		struct err err = ERR_INIT;

		assert_true(registry_blob_get(session, DIGEST, 0, 10, collect, &got, &err) < 0);
		assert_int_equal(got.len, 0);
		assert_true(err.kind == ERR_INVALID);
	}
	server_stop(&server);
}

static void answer_loop(struct server *server, int fd, const char *request)
{
	server->count++;
	reply(fd, "302 Found", "Location: /again\r\n", "");
}

static void a_redirect_in_a_circle_ends(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_loop);
	open_session(&server, NULL, NULL, &session);
	assert_true(registry_blob_get(session, DIGEST, 0, 10, collect, &got, &err) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_true(server.count <= 12);
	server_stop(&server);
}

static void answer_header_bomb(struct server *server, int fd, const char *request)
{
	(void)server;
	(void)fd_write_all(fd, "HTTP/1.1 200 OK\r\n", 17); /* see reply() */
	for (int i = 0; i < 100000; i++)
		if (fd_write_all(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n", 52) < 0)
			return;
}

static void endless_headers_are_cut_off(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_header_bomb);
	open_session(&server, NULL, NULL, &session);
	assert_true(registry_blob_get(session, DIGEST, 0, 10, collect, &got, &err) < 0);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	server_stop(&server);
}

static void answer_endless(struct server *server, int fd, const char *request)
{
	char chunk[4096 + 8];

	(void)server;
	(void)fd_write_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47); /* see reply() */
	memcpy(chunk, "1000\r\n", 6);
	memset(chunk + 6, ' ', 4096);
	memcpy(chunk + 6 + 4096, "\r\n", 2);
	while (fd_write_all(fd, chunk, sizeof(chunk)) == 0)
		;
}

static void an_endless_manifest_is_cut_off(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(registry_manifest_clear) struct registry_manifest manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_endless);
	open_session(&server, NULL, NULL, &session);
	assert_true(registry_manifest_get(session, "latest", &manifest, &err) < 0);
	assert_int_equal(err.kind, ERR_TOO_LARGE);
	server_stop(&server);
}

static int refuse(void *arg, const void *data, size_t len, struct err *err)
{
	(void)arg;
	(void)data;
	(void)len;
	return err_set(err, ERR_NO_SPACE, "disk is full");
}

static void a_full_disk_ends_the_transfer_at_once(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_keep);
	open_session(&server, NULL, NULL, &session);
	assert_true(registry_blob_get(session, DIGEST, 0, 10, refuse, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_string_equal(err.msg, "disk is full");
	assert_true(server.requests <= 2);
	server_stop(&server);
}

static void a_dead_registry_is_unavailable(void **state)
{
	struct server server;
	AUTO(registry_session_close) struct registry_session *session = NULL;
	AUTO(registry_manifest_clear) struct registry_manifest manifest = {0};
	volatile bool cancel = true;
	struct err err = ERR_INIT;
	char domain[64];
	struct registry_session_options options = {.domain = domain, .path = "a/b"};

	(void)state;
	server_start(&server, answer_keep);
	server_stop(&server);
	str_fmt(domain, sizeof(domain), "127.0.0.1:%u", server.port);
	assert_int_equal(registry_session_open(&options, &session, &err), 0);
	assert_true(registry_manifest_get(session, "latest", &manifest, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, domain));

	registry_session_close(take(session));
	options.cancel = &cancel;
	assert_int_equal(registry_session_open(&options, &session, &err), 0);
	assert_true(registry_manifest_get(session, "latest", &manifest, &err) < 0);
	assert_int_equal(err.kind, ERR_CANCELED);
}

/* ---- parsers ---------------------------------------------------------------------------------------------------- */

static void challenges_are_read(void **state)
{
	static const struct {
		const char *header;
		int kind;
		const char *realm, *service;
	} rows[] = {
		{"Basic realm=\"x\"", CHALLENGE_BASIC, "x", ""},
		{"bearer Realm=\"https://a/t?x=1\",service=\"s\\\"q\"", CHALLENGE_BEARER, "https://a/t?x=1",
		 "s\"q"},
		{"Bearer realm=https://a/t, service=s", CHALLENGE_BEARER, "https://a/t", "s"},
		{"Basic realm=\"b\", Bearer realm=\"https://t\"", CHALLENGE_BEARER, "https://t", ""},
		{"Digest realm=\"d\", nonce=\"n\"", CHALLENGE_NONE, "", ""},
		{"Bearer service=\"s\"", CHALLENGE_NONE, "", ""},
		{"Bearer realm=\"unterminated", CHALLENGE_NONE, "", ""},
		{"", CHALLENGE_NONE, "", ""},
		{",,,=", CHALLENGE_NONE, "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct registry_challenge c;

		registry_challenge_parse(rows[i].header, &c);
		assert_int_equal(c.kind, rows[i].kind);
		assert_string_equal(c.realm, rows[i].realm);
		assert_string_equal(c.service, rows[i].service);
	}
}

static void only_loopback_and_listed_registries_may_speak_http(void **state)
{
	struct strv list = {0};

	(void)state;
	strv_add(&list, "reg.example:5000");
	strv_add(&list, "plain.example");
	strv_add(&list, "10.1.0.0/16");
	strv_add(&list, "fd00::/8");
	assert_true(registry_is_insecure(NULL, "localhost:5000"));
	assert_true(registry_is_insecure(NULL, "127.3.2.1"));
	assert_true(registry_is_insecure(NULL, "[::1]:5000"));
	assert_true(registry_is_insecure(&list, "reg.example:5000"));
	assert_true(registry_is_insecure(&list, "plain.example:77"));
	assert_true(registry_is_insecure(&list, "10.1.2.3:5000"));
	assert_true(registry_is_insecure(&list, "[fd12::1]:5000"));
	assert_false(registry_is_insecure(&list, "reg.example"));
	assert_false(registry_is_insecure(&list, "10.2.0.1"));
	assert_false(registry_is_insecure(&list, "127.0.0.1.evil.example"));
	assert_false(registry_is_insecure(&list, "localhost.evil.example"));
	assert_false(registry_is_insecure(NULL, "docker.io"));
	strv_clear(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_manifest_comes_with_its_type_and_digest_over_http_on_loopback),
		cmocka_unit_test(a_broken_transfer_is_resumed_where_it_stopped),
		cmocka_unit_test(a_server_without_ranges_is_skipped_forward),
		cmocka_unit_test(a_blob_longer_than_its_manifest_says_is_refused),
		cmocka_unit_test(a_busy_registry_is_asked_again),
		cmocka_unit_test(a_missing_tag_is_told_once_in_the_registrys_words),
		cmocka_unit_test(a_bearer_token_is_fetched_once_and_kept),
		cmocka_unit_test(a_wrong_password_is_unauthorized),
		cmocka_unit_test(credentials_do_not_go_where_a_redirect_leads),
		cmocka_unit_test(a_redirect_to_what_is_no_http_is_refused),
		cmocka_unit_test(a_redirect_in_a_circle_ends),
		cmocka_unit_test(endless_headers_are_cut_off),
		cmocka_unit_test(an_endless_manifest_is_cut_off),
		cmocka_unit_test(a_full_disk_ends_the_transfer_at_once),
		cmocka_unit_test(a_dead_registry_is_unavailable),
		cmocka_unit_test(challenges_are_read),
		cmocka_unit_test(only_loopback_and_listed_registries_may_speak_http),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
