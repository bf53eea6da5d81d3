/*
 * request - one HTTP request as the handlers see it, and the ways to answer it.
 */
#include "runtime/daemon/request.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/log.h"
#include "compat/base/str.h"
#include "compat/base/version.h"
#include "runtime/api/error.h"
#include "runtime/daemon/route.h"

#define STREAM_BLOCK (128 * 1024)

const char *request_query(struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->conn, MHD_GET_ARGUMENT_KIND, name);
}

struct all_values {
	const char *name;
	struct strv *ret;
};

static enum MHD_Result add_value(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct all_values *all = arg;

	(void)kind;
	if (value && !strcmp(key, all->name))
		strv_split(all->ret, value, ",", false);
	return MHD_YES;
}

void request_query_all(struct request *r, const char *name, struct strv *ret)
{
	struct all_values all = {name, ret};

	(void)MHD_get_connection_values(r->conn, MHD_GET_ARGUMENT_KIND, add_value, &all);
}

bool request_query_bool(struct request *r, const char *name, bool dflt)
{
	const char *v = request_query(r, name);
	bool b;

	if (!v)
		return dflt;
	/* As docker reads them: anything but these is true. */
	if (!*v || !strcmp(v, "no") || !strcmp(v, "none"))
		return false;
	return str_bool(v, &b) == 0 ? b : true;
}

int request_query_i64(struct request *r, const char *name, int64_t *ret, struct err *err)
{
	const char *v = request_query(r, name);

	if (str_empty(v))
		return 0;
	if (str_i64(v, 10, ret) < 0)
		return err_set(err, ERR_INVALID, "query parameter %s: '%.40s' is not a number", name,
			       v);
	return 0;
}

const char *request_header(struct request *r, const char *name)
{
	return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

bool request_wants_upgrade(struct request *r)
{
	return request_header(r, "Upgrade") != NULL;
}

int request_decode(struct request *r, const struct json_table *table, bool optional, void *ret,
		   struct err *err)
{
	if (!r->body.len) {
		if (optional)
			return 0;
		return err_set(err, ERR_INVALID, "request body is empty: JSON is expected");
	}
	return json_parse(table, r->body.data, r->body.len, 0, "request body", ret, err);
}

static int client_fd(struct request *r)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

bool request_is_abandoned(void *request)
{
	struct pollfd p = {.fd = client_fd(request), .events = POLLRDHUP};

	return p.fd >= 0 && poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* ---- answers ----------------------------------------------------------------------------------------------------------------- */

static int queue(struct request *r, int status, struct MHD_Response *response, const char *type)
{
	enum MHD_Result ok;
	char server[64];

	if (type)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(response, "Api-Version", API_VERSION_OURS);
	MHD_add_response_header(response, "Docker-Experimental", "false");
	MHD_add_response_header(response, "Ostype", "linux");
	str_fmt(server, sizeof(server), "Pouch/%s (linux)", version_string());
	MHD_add_response_header(response, "Server", server);
	for (size_t i = 0; i < r->header_count; i++)
		MHD_add_response_header(response, r->header[i].key, r->header[i].val);

	ok = MHD_queue_response(r->conn, (unsigned int)status, response);
	MHD_destroy_response(response);
	if (ok != MHD_YES)
		return -EIO;
	r->status = status;
	return 0;
}

void reply_header(struct request *r, const char *name, const char *value)
{
	if (r->header_count < ARRAY_SIZE(r->header))
		r->header[r->header_count++] = (struct strpair){(char *)name, (char *)value};
}

int reply_empty(struct request *r, int status)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(0, (void *)"", MHD_RESPMEM_PERSISTENT);

	return response ? queue(r, status, response, NULL) : -ENOMEM;
}

int reply_text(struct request *r, int status, const char *type, struct buf *text)
{
	size_t len = text->len;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(len, buf_take(text), MHD_RESPMEM_MUST_FREE);

	return response ? queue(r, status, response, type) : -ENOMEM;
}

int reply_json(struct request *r, int status, const struct json_table *table, const void *value)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;

	json_print(table, value, 0, &out);
	buf_char(&out, '\n');
	return reply_text(r, status, "application/json", &out);
}

int reply_error(struct request *r, const struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int status = err_kind_status(err->kind);

	/* They are of the answer that did not come, and may be gone with the handler that had them. */
	r->header_count = 0;
	if (err->kind == ERR_NOT_MODIFIED)
		return reply_empty(r, 304);
	api_error_print(err->msg, &out);
	if (err->code == ENOSYS)
		status = 405;
	return reply_text(r, status, "application/json", &out);
}

/* ---- streams ----------------------------------------------------------------------------------------------------------------- */

struct stream {
	struct reply_source source;
};

static ssize_t stream_read(void *arg, uint64_t pos, char *dst, size_t max)
{
	struct stream *s = arg;
	ssize_t n = s->source.read(s->source.arg, dst, max);

	(void)pos;
	if (n > 0)
		return n;
	return n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void stream_free(void *arg)
{
	struct stream *s = arg;

	if (s->source.free)
		s->source.free(s->source.arg);
	free(s);
}

int reply_stream(struct request *r, int status, const char *type, const struct reply_source *source)
{
	struct stream *s = xcalloc(1, sizeof(*s));
	struct MHD_Response *response;

	s->source = *source;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, s,
						     stream_free);
	if (!response) {
		stream_free(s);
		return -ENOMEM;
	}
	return queue(r, status, response, type);
}

/* ---- raw connections --------------------------------------------------------------------------------------------------------- */

struct raw {
	struct reply_raw raw;
	bool taken;
	int pair;		/* our end of the socket pair, -1 */
};

static void raw_free(struct raw *w)
{
	if (w->pair >= 0)
		close(w->pair);
	if (w->raw.free)
		w->raw.free(w->raw.arg);
	free(w);
}

/*
 * The handler works on a duplicate, so that the server may close its own fd at once. The server's socket does not block,
 * and whoever takes it over expects that it does.
 */
static void upgraded(void *arg, struct MHD_Connection *conn, void *req, const char *extra,
		     size_t extra_len, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
	struct raw *w = arg;
	int fd = fcntl(sock, F_DUPFD_CLOEXEC, 3);

	(void)conn;
	(void)req;
	if (fd >= 0) {
		(void)fd_set_nonblock(fd, false);
		w->raw.taken(w->raw.arg, fd, extra, extra_len);
	}
	MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
	raw_free(w);
}

static ssize_t pair_read(void *arg, char *dst, size_t max)
{
	struct raw *w = arg;
	ssize_t n;

	/* The head of the answer is out by now, which is when a session may begin. */
	if (!w->taken) {
		int pair[2];

		w->taken = true;
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return -errno;
		w->pair = pair[0];
		w->raw.taken(w->raw.arg, pair[1], NULL, 0);
	}
	do
		n = read(w->pair, dst, max);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static void pair_free(void *arg)
{
	raw_free(arg);
}

int reply_raw(struct request *r, const char *type, const struct reply_raw *raw)
{
	struct raw *w = xcalloc(1, sizeof(*w));
	struct MHD_Response *response;

	w->raw = *raw;
	w->pair = -1;
	if (!request_wants_upgrade(r)) {
		struct reply_source source = {pair_read, pair_free, w};

		reply_header(r, "Connection", "close");
		return reply_stream(r, 200, type, &source);
	}

	response = MHD_create_response_for_upgrade(upgraded, w);
	if (!response) {
		raw_free(w);
		return -ENOMEM;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "tcp");
	return queue(r, 101, response, type);
}
