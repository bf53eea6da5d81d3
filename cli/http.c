/*
 * http.c - see http.h
 */
#include "cli/http.h"

#include <ctype.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "cli/tls.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/base/version.h"
#include "runtime/api/system.h"

enum { IN_SIZE = 16384, HEAD_MAX = 65536 };

/* How the length of the body is known. */
enum framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE };

struct http {
	int fd;
	struct tls *tls;
	char *authority;	/* of the Host line */
	bool upgrading, head;	/* of the request at hand */
	const char *want;	/* name of a header, or NULL */
	char *wanted;		/* its value */

	/* What was read but not yet used. */
	char in[IN_SIZE];
	size_t in_pos, in_len;

	enum framing framing;
	uint64_t left;		/* of the body, or of the chunk */
	bool chunk_open;	/* inside a chunk: its CRLF is still to come */
};

void http_close(struct http *http)
{
	if (!http)
		return;
	tls_free(http->tls);
	if (http->fd >= 0)
		close(http->fd);
	free(http->authority);
	free(http->wanted);
	free(http);
}

/* ---- connecting ---- */

static int connect_unix(const char *path, int *ret_fd, struct err *err)
{
	int rc = unix_connect(path, ret_fd, err);

	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return err_set(err, ERR_UNAVAILABLE,
			       "cannot connect to pouchd at unix://%s: is it running? Start it as root "
			       "with 'service pouch start', or 'pouchd &'", path);
	if (rc == -EACCES || rc == -EPERM)
		return err_set(err, ERR_FORBIDDEN,
			       "no permission on %s: become root, or a member of the group 'pouch' "
			       "('usermod -aG pouch USER', then log in again)", path);
	return rc;
}

/* "name:port", "[::1]:port" */
static int split_authority(const char *text, char **ret_name, const char **ret_port, struct err *err)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	uint32_t port;

	if (!colon || !n || str_u32(colon + 1, 10, &port) < 0 || !port || port > 65535)
		return err_set(err, ERR_INVALID, "invalid host '%s': write tcp://NAME:PORT", text);
	if (*text == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	*ret_name = xstrndup(text, n);
	*ret_port = colon + 1;
	return 0;
}

static int connect_tcp(const char *name, const char *port, int *ret_fd, struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *all;
	int rc = getaddrinfo(name, port, &hints, &all), saved = ECONNREFUSED;
	int one = 1;

	if (rc)
		return err_set(err, ERR_UNAVAILABLE, "cannot connect to pouchd at %s: %s", name,
			       gai_strerror(rc));
	for (struct addrinfo *a = all; a; a = a->ai_next) {
		auto_fd int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			/* Only speed is lost where it cannot be set. */
			(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			freeaddrinfo(all);
			*ret_fd = fd_take(&fd);
			return 0;
		}
		saved = errno;
	}
	freeaddrinfo(all);
	return err_set(err, ERR_UNAVAILABLE, "cannot connect to pouchd at %s:%s: %s", name, port,
		       strerror(saved));
}

static int open_tcp(struct http *http, const char *text, const struct http_tls *tls, struct err *err)
{
	auto_free char *name = NULL;
	const char *port = NULL;
	int rc = split_authority(text, &name, &port, err);

	if (!rc)
		rc = connect_tcp(name, port, &http->fd, err);
	if (!rc && tls)
		rc = tls_connect(http->fd, name, tls, &http->tls, err);
	str_set(&http->authority, text);
	return rc;
}

struct http *http_adopt(int fd)
{
	struct http *http = xcalloc(1, sizeof(*http));

	http->fd = fd;
	str_set(&http->authority, "pouch");
	return http;
}

int http_open(const char *host, const struct http_tls *tls, struct http **ret, struct err *err)
{
	static const struct http_tls unchecked;
	AUTO(http_close) struct http *http = http_adopt(-1);
	bool wanted = tls && (tls->verify || tls->ca || tls->cert || tls->key);
	const char *rest;
	int rc;

	if ((rest = str_skip(host, "unix://"))) {
		rc = connect_unix(rest, &http->fd, err);
	} else if ((rest = str_skip(host, "tcp://"))) {
		rc = open_tcp(http, rest, wanted ? tls : NULL, err);
	} else if ((rest = str_skip(host, "https://"))) {
		rc = open_tcp(http, rest, tls ? tls : &unchecked, err);
	} else if ((rest = str_skip(host, "http://"))) {
		rc = open_tcp(http, rest, NULL, err);
	} else if (*host == '/') {
		rc = connect_unix(host, &http->fd, err);
	} else {
		rc = err_set(err, ERR_INVALID, "invalid host '%s': write unix:///PATH or tcp://NAME:PORT",
			     host);
	}
	if (rc < 0)
		return rc;
	*ret = take(http);
	return 0;
}

/* ---- bytes ---- */

ssize_t http_raw_write(struct http *http, const void *data, size_t len)
{
	ssize_t n;

	if (http->tls)
		return tls_write(http->tls, data, len);
	do
		n = send(http->fd, data, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t transport_read(struct http *http, void *data, size_t len)
{
	ssize_t n;

	if (http->tls)
		return tls_read(http->tls, data, len);
	do
		n = recv(http->fd, data, len, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t http_raw_read(struct http *http, void *data, size_t len)
{
	size_t n = http->in_len - http->in_pos;

	if (!n)
		return transport_read(http, data, len);
	n = n < len ? n : len;
	memcpy(data, http->in + http->in_pos, n);
	http->in_pos += n;
	return (ssize_t)n;
}

int http_fd(const struct http *http)
{
	return http->fd;
}

bool http_has_pending(const struct http *http)
{
	return http->in_pos < http->in_len || (http->tls && tls_has_pending(http->tls));
}

int http_set_nonblock(struct http *http)
{
	return fd_set_nonblock(http->fd, true);
}

void http_shutdown_write(struct http *http)
{
	if (http->tls)
		tls_shutdown(http->tls);
	else
		(void)shutdown(http->fd, SHUT_WR); /* the peer may be gone: reading will tell */
}

static int write_all(struct http *http, const void *data, size_t len, struct err *err)
{
	const char *p = data;

	while (len) {
		ssize_t n = http_raw_write(http, p, len);

		if (n < 0)
			return err_sys(err, (int)-n, "send to pouchd");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- requests ---- */

int http_send(struct http *http, const struct http_request *r, struct err *err)
{
	AUTO(buf_clear) struct buf head = BUF_INIT;

	buf_fmt(&head, "%s /v" API_VERSION "%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pouch/%s\r\n", r->method,
		r->path, http->authority, version_string());
	if (r->extra)
		buf_str(&head, r->extra);
	if (r->content_type)
		buf_fmt(&head, "Content-Type: %s\r\n", r->content_type);
	if (r->chunked)
		buf_str(&head, "Transfer-Encoding: chunked\r\n");
	else if (r->content_type || (strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0))
		buf_fmt(&head, "Content-Length: %zu\r\n", r->content_type ? r->body_len : 0);
	if (r->upgrade)
		buf_str(&head, "Connection: Upgrade\r\nUpgrade: tcp\r\n");
	buf_str(&head, "\r\n");
	if (r->content_type && !r->chunked)
		buf_add(&head, r->body, r->body_len);
	http->upgrading = r->upgrade;
	http->head = strcmp(r->method, "HEAD") == 0;
	http->want = r->want_header;
	str_set(&http->wanted, NULL);
	return write_all(http, head.data, head.len, err);
}

int http_write_chunk(struct http *http, const void *data, size_t len, struct err *err)
{
	char head[32];
	int n = snprintf(head, sizeof(head), "%zx\r\n", len), rc;

	rc = write_all(http, head, (size_t)n, err);
	if (!rc && len)
		rc = write_all(http, data, len, err);
	return rc ? rc : write_all(http, "\r\n", 2, err);
}

/* ---- answers ---- */

/* At least one byte more into the buffer. 0 at the end of the connection. */
static ssize_t fill(struct http *http, struct err *err)
{
	ssize_t n;

	if (http->in_pos == http->in_len)
		http->in_pos = http->in_len = 0;
	n = transport_read(http, http->in + http->in_len, sizeof(http->in) - http->in_len);
	if (n < 0)
		return err_sys(err, (int)-n, "receive from pouchd");
	http->in_len += (size_t)n;
	return n;
}

/* One line without its end. */
static int read_line(struct http *http, struct buf *line, struct err *err)
{
	buf_reset(line);
	for (;;) {
		char *start = http->in + http->in_pos;
		size_t n = http->in_len - http->in_pos;
		char *end = memchr(start, '\n', n);
		ssize_t got;

		buf_add(line, start, end ? (size_t)(end - start) : n);
		http->in_pos += end ? (size_t)(end - start) + 1 : n;
		if (end)
			break;
		if (line->len > HEAD_MAX)
			return err_set(err, ERR_TOO_LARGE, "pouchd's answer has a line over %d bytes",
				       HEAD_MAX);
		got = fill(http, err);
		if (got < 0)
			return (int)got;
		if (!got)
			return err_set(err, ERR_UNAVAILABLE, "pouchd closed the connection");
	}
	if (line->len && line->data[line->len - 1] == '\r')
		line->data[--line->len] = '\0';
	return 0;
}

static int read_header(struct http *http, const char *line, struct http_answer *ret, struct err *err)
{
	const char *colon = strchr(line, ':'), *value;
	size_t n = colon ? (size_t)(colon - line) : 0;

	if (!n)
		return err_set(err, ERR_UNAVAILABLE, "pouchd's answer has a bad header line");
	value = colon + 1 + strspn(colon + 1, " \t");
	if (http->want && n == strlen(http->want) && strncasecmp(line, http->want, n) == 0)
		str_set(&http->wanted, value);
	if (n == 14 && strncasecmp(line, "Content-Length", n) == 0) {
		if (str_u64(value, 10, &http->left) < 0)
			return err_set(err, ERR_UNAVAILABLE, "pouchd's answer has a bad length: %s", value);
		if (http->framing != BODY_CHUNKED)
			http->framing = BODY_LENGTH;
	} else if (n == 17 && strncasecmp(line, "Transfer-Encoding", n) == 0) {
		http->framing = BODY_CHUNKED;
	} else if (n == 12 && strncasecmp(line, "Content-Type", n) == 0) {
		size_t len = strcspn(value, "; \t");

		len = len < sizeof(ret->content_type) ? len : sizeof(ret->content_type) - 1;
		for (size_t i = 0; i < len; i++)
			ret->content_type[i] = (char)tolower((unsigned char)value[i]);
		ret->content_type[len] = '\0';
	}
	return 0;
}

static int read_head(struct http *http, struct http_answer *ret, struct err *err)
{
	AUTO(buf_clear) struct buf line = BUF_INIT;
	int64_t status;
	int rc = read_line(http, &line, err);

	if (rc)
		return rc;
	if (!str_starts(buf_cstr(&line), "HTTP/1.") || line.len < 12)
		return err_set(err, ERR_UNAVAILABLE, "this is not pouchd: it answered '%.40s'",
			       buf_cstr(&line));
	line.data[12] = '\0';
	if (str_i64(line.data + 9, 10, &status) < 0)
		return err_set(err, ERR_UNAVAILABLE, "pouchd's answer has a bad status");
	*ret = (struct http_answer){.status = (int)status};
	http->framing = BODY_UNTIL_CLOSE;
	http->left = 0;
	http->chunk_open = false;
	for (int i = 0; i < 100; i++) {
		rc = read_line(http, &line, err);
		if (rc || !line.len)
			return rc;
		rc = read_header(http, line.data, ret, err);
		if (rc)
			return rc;
	}
	return err_set(err, ERR_TOO_LARGE, "pouchd's answer has over 100 header lines");
}

int http_receive(struct http *http, struct http_answer *ret, struct err *err)
{
	int rc;

	do
		rc = read_head(http, ret, err);
	while (!rc && ret->status == 100);
	if (rc)
		return rc;
	ret->upgraded = ret->status == 101 || (ret->status == 200 && http->upgrading);
	if (ret->upgraded || ret->status == 204 || ret->status == 304 || http->head)
		http->framing = BODY_NONE;
	ret->header = http->wanted;
	return 0;
}

/* At a chunk's head: its length, or the end of the body. */
static int next_chunk(struct http *http, struct err *err)
{
	AUTO(buf_clear) struct buf line = BUF_INIT;
	char *end;
	int rc = 0;

	if (http->chunk_open)
		rc = read_line(http, &line, err);
	if (!rc)
		rc = read_line(http, &line, err);
	if (rc)
		return rc;
	if (!isxdigit((unsigned char)*buf_cstr(&line)) || line.len > 15)
		return err_set(err, ERR_UNAVAILABLE, "pouchd's answer has a bad chunk");
	http->left = strtoull(line.data, &end, 16);
	http->chunk_open = true;
	if (http->left)
		return 0;
	while (!rc && line.len)
		rc = read_line(http, &line, err);
	http->framing = BODY_NONE;
	return rc;
}

ssize_t http_read(struct http *http, void *data, size_t len, struct err *err)
{
	ssize_t n;
	int rc;

	if (http->framing == BODY_CHUNKED && !http->left) {
		rc = next_chunk(http, err);
		if (rc)
			return rc;
	}
	if (http->framing == BODY_NONE || (http->framing == BODY_LENGTH && !http->left))
		return 0;
	if (http->framing != BODY_UNTIL_CLOSE && len > http->left)
		len = (size_t)http->left;
	n = http_raw_read(http, data, len);
	if (n < 0)
		return err_sys(err, (int)-n, "receive from pouchd");
	if (!n && http->framing != BODY_UNTIL_CLOSE)
		return err_set(err, ERR_UNAVAILABLE, "pouchd closed the connection amid its answer");
	if (http->framing != BODY_UNTIL_CLOSE)
		http->left -= (uint64_t)n;
	return n;
}

int http_read_all(struct http *http, size_t max, struct buf *ret, struct err *err)
{
	for (;;) {
		char *room = buf_room(ret, IN_SIZE);
		ssize_t n = http_read(http, room, IN_SIZE, err);

		if (n < 0)
			return (int)n;
		if (!n)
			return 0;
		ret->len += (size_t)n;
		ret->data[ret->len] = '\0';
		if (ret->len > max)
			return err_set(err, ERR_TOO_LARGE, "pouchd's answer is over %zu bytes", max);
	}
}
