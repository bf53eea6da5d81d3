/*
 * conn - pouchd's connections to the shim
 *
 * A client that breaks the protocol, vanishes or stops reading loses its connection; the container does not notice.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/shim/keeper.h"

#define OUT_MAX	  ((size_t)8 << 20)	/* answers that nobody reads */
#define CONNS_MAX 4096

static void conn_free(struct conn *c)
{
	struct keeper *k = c->k;
	int fd = c->src.fd;

	loop_del(&k->loop, &c->src);
	close(fd);
	for (size_t i = 0; i < k->conns.n; i++) {
		if (k->conns.v[i] != c)
			continue;
		VEC_DEL(&k->conns, i);
		break;
	}
	if (c->session)
		c->session->conn = NULL;
	shim_input_clear(&c->in);
	buf_clear(&c->out);
	free(c);
	keeper_check(k);
}

void conn_close(struct conn *c)
{
	c->closing = true;
	if (!c->busy)
		conn_free(c);
}

static void set_events(struct conn *c)
{
	loop_set(&c->k->loop, &c->src, (c->waits ? EPOLLERR : EPOLLIN) | (c->out.len ? EPOLLOUT : 0u));
}

/* Returns false when the connection is broken. */
static bool flush(struct conn *c)
{
	while (c->out.len) {
		ssize_t n = send(c->src.fd, c->out.data, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		buf_drop(&c->out, (size_t)n);
	}
	if (!c->out.len)
		buf_clear(&c->out);
	return c->out.len <= OUT_MAX;
}

void conn_print(struct conn *c, enum shim_type type, const struct json_table *table, const void *value)
{
	if (c->closing)
		return;
	shim_frame_print(&c->out, type, 0, table, value, NULL, 0);
	if (flush(c))
		set_events(c);
	else
		(void)shutdown(c->src.fd, SHUT_RDWR);	/* the loop will find its end; nobody is surprised now */
}

void conn_fail(struct conn *c, int rc, const struct err *err)
{
	const struct shim_failure failure = {
		.code = err->code ? err->code : -rc,
		.kind = (char *)shim_kind_name(err->kind),
		.message = (char *)err->msg,
	};

	conn_print(c, SHIM_ERROR, &shim_failure_table, &failure);
}

static void handle_frames(struct conn *c)
{
	struct err err = ERR_INIT;
	struct shim_frame frame;
	int rc = 1;

	c->busy = true;
	while (!c->closing && !c->waits) {
		rc = shim_input_next(&c->in, &frame, &err);
		if (rc <= 0)
			break;
		request_handle(c, &frame);
		shim_frame_close(&frame);
	}
	c->busy = false;
	if (c->closing || rc < 0)
		conn_free(c);
	else
		set_events(c);
}

static void conn_ready(struct loop_source *source, uint32_t events)
{
	struct conn *c = container_of(source, struct conn, src);
	ssize_t n;

	if (events & EPOLLOUT) {
		if (!flush(c)) {
			conn_close(c);
			return;
		}
		set_events(c);
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = shim_input_fill(&c->in, c->src.fd);
	if (n == -EAGAIN)
		return;
	if (n <= 0) {
		conn_close(c);
		return;
	}
	handle_frames(c);
}

struct conn *conn_open(struct keeper *k, int fd)
{
	struct conn *c;

	if (k->conns.n >= CONNS_MAX) {
		close(fd);
		return NULL;
	}
	c = xcalloc(1, sizeof(*c));
	c->k = k;
	(void)fd_set_nonblock(fd, true);	/* a socket: cannot fail */
	if (loop_add(&k->loop, &c->src, fd, EPOLLIN, conn_ready) < 0) {
		close(fd);
		free(c);
		return NULL;
	}
	VEC_PUSH(&k->conns, c);
	return c;
}

void conn_close_all(struct keeper *k)
{
	for (size_t i = k->conns.n; i > 0; i--)
		conn_close(k->conns.v[i - 1]);
}

void keeper_tell(struct keeper *k, const struct shim_event *event)
{
	for (size_t i = k->conns.n; i > 0; i--)
		if (k->conns.v[i - 1]->watch)
			conn_print(k->conns.v[i - 1], SHIM_EVENT, &shim_event_table, event);
}
