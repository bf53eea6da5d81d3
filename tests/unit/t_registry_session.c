/*
 * t_registry_session - tests of the registry session against a server that misbehaves on demand.
 *
 * The server speaks real HTTP on a loopback socket; each test gives it one function that answers requests.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
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
#include "runtime/image/trust.h"

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

static void reply(int fd, const char *status, const char *headers, const char *body)
{
	auto_free char *text =
		xfmt("HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n%s", status,
		     strlen(body), headers, body);

	(void)fd_write_all(fd, text, strlen(text)); /* the client may have gone: its side is what is tested */
}

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
	if (str_starts(request, "GET /v2/ ")) {
		reply(fd, "200 OK", "", "{}");
		return;
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

struct client {
	char domain[64];
	struct registry_settings settings;
	struct http *http;
	struct registry_session *session;
};

static void client_open(struct client *c, const struct server *server, const struct registry_auth *auth)
{
	struct err err = ERR_INIT;

	*c = (struct client){0};
	str_fmt(c->domain, sizeof(c->domain), "127.0.0.1:%u", server->port);
	c->http = http_new(&c->settings, NULL);
	if (registry_session_open(&c->settings, c->domain, "a/b", auth, NULL, &c->session, &err) < 0)
		fail_msg("%s", err.msg);
}

static void client_close(struct client *c)
{
	registry_session_close(c->session);
	http_free(c->http);
}
DEFINE_AUTO_CLEAR(client_close, struct client)

static int get_manifest(struct client *c, const char *name, struct buf *ret, struct err *err)
{
	auto_free char *type = NULL;
	char digest[DIGEST_SIZE];

	return registry_session_manifest(c->session, c->http, name, ret, &type, digest, err);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *type = NULL;
	struct err err = ERR_INIT;
	char digest[DIGEST_SIZE], want[DIGEST_SIZE];

	(void)state;
	server_start(&server, answer_manifest);
	client_open(&client, &server, NULL);
	assert_int_equal(registry_session_manifest(client.session, client.http, "latest", &text, &type, digest, &err), 0);
	assert_string_equal(buf_cstr(&text), "{\"schemaVersion\":2}");
	assert_string_equal(type, "application/vnd.oci.image.manifest.v1+json");
	digest_of(text.data, text.len, want);
	assert_string_equal(digest, want);

	buf_reset(&text);
	assert_true(get_manifest(&client, DIGEST, &text, &err) < 0);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_broken);
	client_open(&client, &server, NULL);
	assert_int_equal(registry_session_blob(client.session, client.http, DIGEST, 0, 20, collect, &got, &err), 0);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_rangeless);
	client_open(&client, &server, NULL);
	assert_int_equal(registry_session_blob(client.session, client.http, DIGEST, 6, 10, collect, &got, &err), 0);
	assert_string_equal(buf_cstr(&got), "6789");
	server_stop(&server);
}

static void a_blob_longer_than_its_manifest_says_is_refused(void **state)
{
	struct server server;
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_rangeless);
	client_open(&client, &server, NULL);
	assert_true(registry_session_blob(client.session, client.http, DIGEST, 0, 9, collect, &got, &err) < 0);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_busy_once);
	client_open(&client, &server, NULL);
	assert_int_equal(get_manifest(&client, "latest", &manifest, &err), 0);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_missing);
	client_open(&client, &server, NULL);
	assert_true(get_manifest(&client, "latest", &manifest, &err) < 0);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf first = {0};
	AUTO(buf_clear) struct buf second = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_bearer);
	client_open(&client, &server, &auth);
	assert_int_equal(get_manifest(&client, "1", &first, &err), 0);
	assert_int_equal(get_manifest(&client, "2", &second, &err), 0);
	assert_int_equal(server.count, 1);
	assert_non_null(strstr(server.seen, "service=reg"));
	assert_non_null(strstr(server.seen, "scope=repository%3Aa%2Fb%3Apull"));
	server_stop(&server);
}

static void a_wrong_password_is_refused(void **state)
{
	struct server server;
	struct registry_auth auth = {.username = "user", .password = "hunter2"};
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_bearer);
	client_open(&client, &server, &auth);
	assert_true(get_manifest(&client, "1", &manifest, &err) < 0);
	assert_int_equal(err.kind, ERR_FORBIDDEN);
	assert_null(strstr(err.msg, "hunter2"));
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&registry, answer_redirect);
	server_start(&storage, answer_keep);
	registry.other = &storage;
	client_open(&client, &registry, &auth);
	assert_int_equal(registry_session_blob(client.session, client.http, DIGEST, 0, 10, collect, &got, &err), 0);
	assert_string_equal(buf_cstr(&got), "0123456789");
	assert_true(str_starts(storage.seen, "GET /elsewhere"));
	assert_null(strstr(storage.seen, "Authorization"));
	server_stop(&registry);
	server_stop(&storage);
}

static void answer_redirect_bare(struct server *server, int fd, const char *request)
{
	char header[256];

	(void)request;
	str_fmt(header, sizeof(header), "Location: http://127.0.0.1:%u/inside\r\n", server->other->port);
	reply(fd, "307 Temporary Redirect", header, "");
}

/* Does @name, which is no word for loopback, lead to 127.0.0.1 all the same? */
static bool resolves_here(const char *name)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	bool here = false;

	if (trust_is_loopback(name) || getaddrinfo(name, NULL, &hints, &list) != 0)
		return false;
	for (struct addrinfo *i = list; i; i = i->ai_next)
		here |= (ntohl(((struct sockaddr_in *)i->ai_addr)->sin_addr.s_addr) >> 24) == 127;
	freeaddrinfo(list);
	return here;
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
	AUTO(client_close) struct client client = {0};

	(void)state;
	server_start(&server, answer_file);
	client_open(&client, &server, NULL);
	for (int i = 0; i < 4; i++) {
		AUTO(buf_clear) struct buf got = BUF_INIT;
		struct err err = ERR_INIT;

		assert_true(registry_session_blob(client.session, client.http, DIGEST, 0, 10, collect, &got, &err) < 0);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_loop);
	client_open(&client, &server, NULL);
	assert_true(registry_session_blob(client.session, client.http, DIGEST, 0, 10, collect, &got, &err) < 0);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf got = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_header_bomb);
	client_open(&client, &server, NULL);
	assert_true(registry_session_blob(client.session, client.http, DIGEST, 0, 10, collect, &got, &err) < 0);
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
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_endless);
	client_open(&client, &server, NULL);
	assert_true(get_manifest(&client, "latest", &manifest, &err) < 0);
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
	AUTO(client_close) struct client client = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_keep);
	client_open(&client, &server, NULL);
	assert_true(registry_session_blob(client.session, client.http, DIGEST, 0, 10, refuse, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_NO_SPACE);
	assert_non_null(strstr(err.msg, "disk is full"));
	assert_true(server.requests <= 2);
	server_stop(&server);
}

static void a_dead_registry_is_unavailable(void **state)
{
	struct server server;
	struct registry_settings settings = {0};
	AUTO(registry_session_close) struct registry_session *session = NULL;
	volatile bool cancel = true;
	struct err err = ERR_INIT;
	char domain[64];

	(void)state;
	server_start(&server, answer_keep);
	server_stop(&server);
	str_fmt(domain, sizeof(domain), "127.0.0.1:%u", server.port);
	assert_true(registry_session_open(&settings, domain, "a/b", NULL, NULL, &session, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.msg, domain));
	assert_true(registry_session_open(&settings, domain, "a/b", NULL, &cancel, &session, &err) < 0);
	assert_int_equal(err.kind, ERR_CANCELED);
}

/* The name is not loopback's, but its address is: --image-proxy off, and libcurl told where to find it. */
static void a_registry_elsewhere_does_not_lead_to_this_machine(void **state)
{
	struct server registry, victim;
	struct registry_settings settings = {0};
	AUTO(http_free) struct http *http = NULL;
	AUTO(http_response_clear) struct http_response response = {0};
	struct http_request request = {.body_max = 1000};
	char name[256], url[512];
	struct err err = ERR_INIT;

	(void)state;
	if (gethostname(name, sizeof(name)) < 0 || !resolves_here(name)) {
		print_message("this machine's name has no address of its own to stand for \"elsewhere\"\n");
		skip();
	}
	server_start(&registry, answer_redirect_bare);
	server_start(&victim, answer_keep);
	registry.other = &victim;
	http = http_new(&settings, NULL);
	str_fmt(url, sizeof(url), "http://%s:%u/x", name, registry.port);
	request.url = url;
	assert_true(http_do(http, &request, &response, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.msg, "on this machine"));
	assert_int_equal(victim.requests, 0);
	server_stop(&registry);
	server_stop(&victim);
}

static void answer_endless_error(struct server *server, int fd, const char *request)
{
	char block[4096];

	(void)request;
	(void)server;
	(void)fd_write_all(fd, "HTTP/1.1 404 Not Found\r\n\r\n", 26); /* see reply() */
	memset(block, ' ', sizeof(block));
	while (fd_write_all(fd, block, sizeof(block)) == 0)
		;
}

static void of_an_endless_error_the_beginning_is_enough(void **state)
{
	struct server server;
	AUTO(client_close) struct client client = {0};
	AUTO(buf_clear) struct buf manifest = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_endless_error);
	client_open(&client, &server, NULL);
	assert_true(get_manifest(&client, "latest", &manifest, &err) < 0);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_int_equal(server.requests, 1);
	server_stop(&server);
}

/* A byte in ten milliseconds: never silent, never done. */
static void answer_dripping(struct server *server, int fd, const char *request)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";

	(void)request;
	(void)server;
	(void)fd_write_all(fd, head, sizeof(head) - 1); /* see reply() */
	while (fd_write_all(fd, " ", 1) == 0)
		poll(NULL, 0, 10);
}

static int drop(void *arg, const void *data, size_t len, struct err *err)
{
	(void)arg;
	(void)data;
	(void)len;
	(void)err;
	return 0;
}

static void a_dripping_peer_is_given_up(void **state)
{
	struct server server;
	struct registry_settings settings = {.patience_s = 1};
	AUTO(http_free) struct http *http = http_new(&settings, NULL);
	AUTO(http_response_clear) struct http_response response = {0};
	struct http_request request = {.body_max = 1000000};
	struct err err = ERR_INIT;
	char url[64];

	(void)state;
	server_start(&server, answer_dripping);
	str_fmt(url, sizeof(url), "http://127.0.0.1:%u/x", server.port);
	request.url = url;
	assert_true(http_do(http, &request, &response, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	request.sink = drop;
	assert_true(http_do(http, &request, &response, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	server_stop(&server);
}

/* One byte in each answer, from where it was asked for. */
static void answer_crumb(struct server *server, int fd, const char *request)
{
	const char *range = strstr(request, "Range: bytes=");
	unsigned long from = range ? strtoul(range + 13, NULL, 10) : 0;
	auto_free char *text = xfmt("HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Length: %lu\r\nContent-Range: bytes "
				    "%lu-99999/100000\r\n\r\nx", 100000 - from, from);

	(void)server;
	(void)fd_write_all(fd, text, strlen(text)); /* see reply() */
}

static void crumbs_are_no_progress(void **state)
{
	struct server server;
	AUTO(client_close) struct client client = {0};
	struct err err = ERR_INIT;

	(void)state;
	server_start(&server, answer_crumb);
	client_open(&client, &server, NULL);
	assert_true(registry_session_blob(client.session, client.http, DIGEST, 0, 100000, drop, NULL, &err) < 0);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_in_range(server.requests, 2, 10);
	server_stop(&server);
}

/* What a registry elsewhere names, or what a token server of its does, must not lead here: whatever the words, with a proxy or without. */
static void a_peer_elsewhere_names_no_service_of_this_machine(void **state)
{
	static const char *const words[] = {"127.0.0.1", "127.1", "2130706433", "0x7f.1", "localhost", "LOCALHOST", "a.localhost",
					    "localhost.", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "169.254.169.254",
					    "[fe80::1]", "user@127.0.0.1", "127.0.0.1."};
	static const char *const proxies[] = {NULL, "http://127.0.0.1:9"};
	struct server victim;

	(void)state;
	server_start(&victim, answer_keep);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(proxies); k++) {
			struct registry_settings settings = {.proxy = proxies[k]};
			AUTO(http_free) struct http *http = http_new(&settings, NULL);
			AUTO(http_response_clear) struct http_response response = {0};
			struct http_request request = {.body_max = 1000, .base = "https://registry.test"};
			struct err err = ERR_INIT;
			char url[100];

			str_fmt(url, sizeof(url), "http://%s:%u/x", words[i], victim.port);
			request.url = url;
			assert_true(http_do(http, &request, &response, NULL, &err) < 0);
			if (!strstr(err.msg, "on this machine"))
				fail_msg("%s: %s", words[i], err.msg);
			assert_int_equal(err.kind, ERR_INVALID);
		}
	}
	assert_int_equal(victim.requests, 0);
	server_stop(&victim);
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
		cmocka_unit_test(a_wrong_password_is_refused),
		cmocka_unit_test(credentials_do_not_go_where_a_redirect_leads),
		cmocka_unit_test(a_redirect_to_what_is_no_http_is_refused),
		cmocka_unit_test(a_redirect_in_a_circle_ends),
		cmocka_unit_test(endless_headers_are_cut_off),
		cmocka_unit_test(an_endless_manifest_is_cut_off),
		cmocka_unit_test(a_full_disk_ends_the_transfer_at_once),
		cmocka_unit_test(a_dead_registry_is_unavailable),
		cmocka_unit_test(a_registry_elsewhere_does_not_lead_to_this_machine),
		cmocka_unit_test(a_peer_elsewhere_names_no_service_of_this_machine),
		cmocka_unit_test(of_an_endless_error_the_beginning_is_enough),
		cmocka_unit_test(a_dripping_peer_is_given_up),
		cmocka_unit_test(crumbs_are_no_progress),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
