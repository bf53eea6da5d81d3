/*
 * session - one client's socket on a process's standard input and output
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/shim/keeper.h"
#include "runtime/shim/shim.h"

#define DEFAULT_KEYS "ctrl-p,ctrl-q"
#define READ_BYTES   32768
#define LINGER_MS    300000	/* a client that takes nothing for so long after the end is cut off */

int session_check(int fd, const struct session_options *options, struct err *err)
{
	const char *keys = str_empty(options->detach_keys) ? DEFAULT_KEYS : options->detach_keys;
	struct detach unused;
	int type;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
		return err_set(err, ERR_INVALID, "the client is not a stream socket");
	return options->no_detach ? 0 : detach_parse(keys, &unused, err);
}

static uint32_t wanted_events(const struct session *s)
{
	bool reads = !s->input_ended && !s->ending && !(s->want_stdin && s->io && s->io->in_blocked);

	/* Hangups are always wanted: EPOLLERR is a name for them. */
	return EPOLLERR | (reads ? EPOLLIN : 0u) | (s->len && !s->hold ? EPOLLOUT : 0u);
}

void session_update(struct session *s)
{
	loop_set(&s->k->loop, &s->src, wanted_events(s));
}

/* ---- the end ----------------------------------------------------------------------------------------------------------- */

static void leave_io(struct session *s)
{
	struct io *io = s->io;

	if (!io)
		return;
	s->io = NULL;
	for (size_t i = 0; i < io->sessions.n; i++) {
		if (io->sessions.v[i] != s)
			continue;
		VEC_DEL(&io->sessions, i);
		break;
	}
	if (s->want_stdin && io->close_in_with_client)
		io_close_in(io);
	io_balance(io);
}

static void tell_end(struct session *s, enum shim_session_end reason)
{
	const struct shim_event event = {
		.kind = SHIM_EVENT_SESSION_END,
		.time = time_now_ns(),
		.session = s->id,
		.reason = (int)reason,
	};

	if (!s->conn)
		return;
	s->conn->session = NULL;
	conn_print(s->conn, SHIM_EVENT, &shim_event_table, &event);
	s->conn = NULL;
}

void session_drop(struct session *s, enum shim_session_end reason)
{
	struct keeper *k = s->k;
	int fd = s->src.fd;

	leave_io(s);
	loop_cancel(&k->loop, &s->linger);
	loop_del(&k->loop, &s->src);
	(void)shutdown(fd, SHUT_RDWR);	/* others may hold copies; it may be broken already */
	close(fd);
	for (size_t i = 0; i < k->sessions.n; i++) {
		if (k->sessions.v[i] != s)
			continue;
		VEC_DEL(&k->sessions, i);
		break;
	}
	tell_end(s, reason);
	free(s->queue);
	free(s);
	keeper_check(k);
}

static void linger_over(struct loop_timer *timer)
{
	session_drop(container_of(timer, struct session, linger), SHIM_END_GONE);
}

void session_end(struct session *s, enum shim_session_end reason)
{
	leave_io(s);
	s->ending = reason;
	s->hold = false;
	if (!s->len) {
		session_drop(s, reason);
		return;
	}
	loop_after(&s->k->loop, &s->linger, LINGER_MS, linger_over);
	session_update(s);
}

/* ---- output ------------------------------------------------------------------------------------------------------------ */

bool session_is_full(const struct session *s)
{
	return s->len >= SHIM_SESSION_QUEUE;
}

static void queue_add(struct session *s, const char *data, size_t len)
{
	if (s->start && s->start + s->len + len > s->cap) {
		memmove(s->queue, s->queue + s->start, s->len);
		s->start = 0;
	}
	if (s->len + len > s->cap) {
		s->cap = s->len + len + 4096;
		s->queue = xrealloc(s->queue, s->cap);
	}
	memcpy(s->queue + s->start + s->len, data, len);
	s->len += len;
}

/* 0, or -errno when the client is gone. */
static int queue_flush(struct session *s)
{
	while (s->len) {
		ssize_t n = send(s->src.fd, s->queue + s->start, s->len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		s->start += (size_t)n;
		s->len -= (size_t)n;
		if (s->ending)
			loop_after(&s->k->loop, &s->linger, LINGER_MS, linger_over);
	}
	free(s->queue);
	s->queue = NULL;
	s->start = s->cap = 0;
	return 0;
}

void session_send(struct session *s, enum log_stream stream, const void *data, size_t len)
{
	char header[8] = {(char)stream, 0, 0, 0, (char)(len >> 24), (char)(len >> 16), (char)(len >> 8), (char)len};
	size_t skip = s->framed ? 0 : sizeof(header), done = 0;
	struct iovec iov[2] = {{header + skip, sizeof(header) - skip}, {(void *)data, len}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	if (!s->want[stream - 1])
		return;
	if (!s->len && !s->hold) {
		ssize_t n = sendmsg(s->src.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			session_drop(s, SHIM_END_GONE);
			return;
		}
		done = n > 0 ? (size_t)n : 0;
	}
	for (size_t i = 0; i < 2; i++) {
		size_t used = done < iov[i].iov_len ? done : iov[i].iov_len;

		if (used < iov[i].iov_len)
			queue_add(s, (char *)iov[i].iov_base + used, iov[i].iov_len - used);
		done -= used;
	}
	session_update(s);
}

void session_release(struct session *s)
{
	s->hold = false;
	session_update(s);
}

/* ---- input ------------------------------------------------------------------------------------------------------------- */

/* Returns false when the session is gone. */
static bool take_input(struct session *s, const char *data, size_t len)
{
	AUTO(buf_clear) struct buf typed = BUF_INIT;

	if (!s->want_stdin || !s->io)
		return true;	/* nobody asked for it */
	if (!s->detach.count) {
		io_put(s->io, data, len);
		return true;
	}
	if (!detach_filter(&s->detach, data, len, &typed)) {
		io_put(s->io, typed.data, typed.len);
		return true;
	}
	io_put(s->io, typed.data, typed.len);
	s->io->close_in_with_client = false;	/* detached, not finished */
	session_end(s, SHIM_END_DETACHED);
	return false;
}

void session_take(struct session *s, const void *data, size_t len)
{
	if (len)
		(void)take_input(s, data, len);	/* whether it ended, its owner hears by conn */
}

static void input_ended(struct session *s)
{
	s->input_ended = true;
	if (s->want_stdin && s->io && s->io->close_in_with_client)
		io_close_in(s->io);
	session_update(s);
}

static void session_ready(struct loop_source *source, uint32_t events)
{
	struct session *s = container_of(source, struct session, src);
	ssize_t n;

	if (events & EPOLLOUT) {
		if (queue_flush(s) < 0) {
			session_drop(s, SHIM_END_GONE);
			return;
		}
		if (!s->len && s->ending) {
			session_drop(s, s->ending);
			return;
		}
		if (s->io)
			io_balance(s->io);
		session_update(s);
	}
	if (events & EPOLLIN && s->src.events & EPOLLIN) {
		char *data = keeper_scratch(s->k);

		n = recv(s->src.fd, data, READ_BYTES, MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			session_drop(s, SHIM_END_GONE);
			return;
		}
		if (n > 0 && !take_input(s, data, (size_t)n))
			return;
		if (n == 0)
			input_ended(s);
		if (n != 0)
			return;
	}
	if (!(events & (EPOLLHUP | EPOLLERR)))
		return;
	/* Both directions are closed: nothing can be delivered any more. Input that waits is read first, when stdin has room. */
	if (s->input_ended || s->ending || !s->want_stdin)
		session_drop(s, SHIM_END_GONE);
	else if (!(s->src.events & EPOLLIN))
		loop_set(&s->k->loop, &s->src, 0);
}

struct session *session_open(struct io *io, struct conn *conn, int fd, const struct session_options *options)
{
	struct keeper *k = io->k;
	struct session *s = xcalloc(1, sizeof(*s));
	struct err ignored = ERR_INIT;	/* session_check() has parsed the keys */
	int on = 1;

	s->k = k;
	s->io = io;
	s->id = ++k->session_count;
	s->want_stdin = options->want_stdin;
	s->want[0] = options->want_stdout;
	s->want[1] = options->want_stderr;
	if (io->tty)
		s->want[0] |= s->want[1];
	s->framed = !io->tty;
	s->hold = true;
	/* Keys are a terminal's: in a pipe the same bytes are data. */
	if (io->tty && !options->no_detach)
		(void)detach_parse(str_empty(options->detach_keys) ? DEFAULT_KEYS : options->detach_keys, &s->detach,
				   &ignored);
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));   /* a unix socket ignores it */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));   /* a unix socket has none */
	VEC_PUSH(&k->sessions, s);
	VEC_PUSH(&io->sessions, s);
	s->conn = conn;
	if (conn)
		conn->session = s;
	(void)loop_add(&k->loop, &s->src, fd, wanted_events(s), session_ready);	/* sockets can be waited for */
	s->src.fd = fd;
	return s;
}
