/*
 * proxy.c - the userland port proxy: one epoll loop; TCP by splice, SCTP by a buffer, UDP by sessions
 */
#include "runtime/init/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_SCTP
#define IPPROTO_SCTP 132
#endif

enum {
	FIRST_FD = 3,
	CHUNK = 65536,
	EVENTS = 64,
	SESSIONS_MAX = 4096,	/* UDP clients of one process; the idlest goes */
	SESSION_BUCKETS = 1024,
	SESSION_S = 90,
	NOBODY = 65534,
};

enum kind { LISTENER_STREAM, LISTENER_DATAGRAM, STREAM, SESSION };

/* Every fd in the epoll set points at a struct that starts with its kind. */
struct listener {
	enum kind kind;
	int fd;
	int protocol;	/* 0 or IPPROTO_SCTP */
	struct sockaddr_in to;
};

/* One way of a connection. Bytes wait in a pipe (TCP) or in a buffer. */
struct way {
	int pipe[2];
	char *buffer;
	size_t start, waiting;
	bool end, shut;
};

/* fd[0] is the client, fd[1] the container; way[i] leads away from fd[i]. */
struct stream {
	enum kind kind;
	int fd[2];
	bool connected;
	struct way way[2];
};

struct session {
	enum kind kind;
	int fd;
	struct listener *listener;
	struct sockaddr_storage client;
	socklen_t client_len;
	time_t used;
	struct session *next;		/* of its bucket */
	struct session *newer, *older;	/* by last use */
};

static struct proxy {
	int epoll;
	struct listener *listeners;
	int count;
	struct session *buckets[SESSION_BUCKETS];
	struct session *newest, *oldest;
	size_t sessions;
	/* Freed after the round of events: a later event of the round may still point here. */
	void *dead[2 * EVENTS];
	size_t dead_count;
} proxy;

static time_t now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int watch(int fd, uint32_t events, void *what)
{
	struct epoll_event event = {.events = events, .data.ptr = what};

	return epoll_ctl(proxy.epoll, EPOLL_CTL_ADD, fd, &event);
}

static void bury(void *p)
{
	if (proxy.dead_count < 2 * EVENTS)
		proxy.dead[proxy.dead_count++] = p;
}

/* ---- streams ------------------------------------------------------------------------------------------------------------------ */

static void stream_close(struct stream *s)
{
	for (int i = 0; i < 2; i++) {
		if (s->fd[i] >= 0)
			close(s->fd[i]);
		if (s->way[i].pipe[0] >= 0) {
			close(s->way[i].pipe[0]);
			close(s->way[i].pipe[1]);
		}
		free(s->way[i].buffer);
		s->fd[i] = s->way[i].pipe[0] = -1;
		s->way[i].buffer = NULL;
	}
	bury(s);
}

static ssize_t take_in(struct way *w, int from)
{
	if (w->buffer) {
		w->start = 0;
		return recv(from, w->buffer, CHUNK, 0);
	}
	return splice(from, NULL, w->pipe[1], NULL, CHUNK, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

static ssize_t give_out(struct way *w, int to)
{
	if (w->buffer)
		return send(to, w->buffer + w->start, w->waiting, MSG_NOSIGNAL);
	return splice(w->pipe[0], NULL, to, NULL, w->waiting, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

/* Move what can be moved without waiting. False: the connection is broken. */
static bool pump(struct way *w, int from, int to)
{
	for (;;) {
		ssize_t n;

		if (!w->waiting && !w->end) {
			n = take_in(w, from);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return errno == EAGAIN;
			if (n == 0)
				w->end = true;
			w->waiting = (size_t)n;
		}
		if (w->waiting) {
			n = give_out(w, to);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0)
				return errno == EAGAIN;
			w->start += (size_t)n;
			w->waiting -= (size_t)n;
			continue;
		}
		if (w->end) {
			/* The half that is closed is closed on the other side as well; the other half goes on. */
			if (!w->shut)
				(void)shutdown(to, SHUT_WR);
			w->shut = true;
			return true;
		}
	}
}

static void on_stream(struct stream *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (s->fd[0] < 0)
		return;
	if (!s->connected) {
		struct sockaddr_in peer;
		socklen_t peer_len = sizeof(peer);

		if (getsockopt(s->fd[1], SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error) {
			stream_close(s);
			return;
		}
		if (getpeername(s->fd[1], (struct sockaddr *)&peer, &peer_len) < 0)
			return; /* still under way */
		s->connected = true;
	}
	if (!pump(&s->way[0], s->fd[0], s->fd[1]) || !pump(&s->way[1], s->fd[1], s->fd[0]) ||
	    (s->way[0].shut && s->way[1].shut))
		stream_close(s);
}

static bool stream_open(struct stream *s, const struct listener *l)
{
	int on = 1;

	s->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, l->protocol);
	if (s->fd[1] < 0)
		return false;
	for (int i = 0; i < 2; i++) {
		if (l->protocol == IPPROTO_SCTP) {
			s->way[i].buffer = malloc(CHUNK);
			if (!s->way[i].buffer)
				return false;
			continue;
		}
		(void)setsockopt(s->fd[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (pipe2(s->way[i].pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
			s->way[i].pipe[0] = -1;
			return false;
		}
	}
	if (connect(s->fd[1], (const struct sockaddr *)&l->to, sizeof(l->to)) < 0 && errno != EINPROGRESS)
		return false;
	return watch(s->fd[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, s) == 0 &&
	       watch(s->fd[1], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, s) == 0;
}

static void on_connection(struct listener *l)
{
	/* A few at a time, so that those who are connected get their turn. */
	for (int i = 0; i < 16; i++) {
		int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct stream *s;

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
				usleep(10000); /* until somebody hangs up */
			return;
		}
		s = calloc(1, sizeof(*s));
		if (!s) {
			close(fd);
			return;
		}
		*s = (struct stream){.kind = STREAM, .fd = {fd, -1}};
		s->way[0].pipe[0] = s->way[1].pipe[0] = -1;
		if (!stream_open(s, l)) {
			stream_close(s);
			if (proxy.dead_count == 2 * EVENTS)
				return;
		}
	}
}

/* ---- datagrams ---------------------------------------------------------------------------------------------------------------- */

static struct session **bucket(const struct listener *l, const struct sockaddr_storage *client, socklen_t len)
{
	const unsigned char *p = (const unsigned char *)client;
	uint32_t h = 2166136261u ^ (uint32_t)l->fd;

	for (socklen_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u;
	return &proxy.buckets[h % SESSION_BUCKETS];
}

static void unlink_use(struct session *s)
{
	*(s->newer ? &s->newer->older : &proxy.newest) = s->older;
	*(s->older ? &s->older->newer : &proxy.oldest) = s->newer;
}

static void link_use(struct session *s)
{
	s->used = now_s();
	s->newer = NULL;
	s->older = proxy.newest;
	*(proxy.newest ? &proxy.newest->newer : &proxy.oldest) = s;
	proxy.newest = s;
}

static void session_close(struct session *s)
{
	struct session **p = bucket(s->listener, &s->client, s->client_len);

	while (*p != s)
		p = &(*p)->next;
	*p = s->next;
	unlink_use(s);
	close(s->fd);
	s->fd = -1;
	proxy.sessions--;
	bury(s);
}

static void expire(void)
{
	time_t limit = now_s() - SESSION_S;

	while (proxy.oldest && proxy.oldest->used < limit && proxy.dead_count < EVENTS)
		session_close(proxy.oldest);
}

static struct session *session_get(struct listener *l, const struct sockaddr_storage *client, socklen_t len)
{
	struct session **b = bucket(l, client, len);
	struct session *s;

	for (s = *b; s; s = s->next) {
		if (s->listener == l && s->client_len == len && memcmp(&s->client, client, len) == 0) {
			unlink_use(s);
			link_use(s);
			return s;
		}
	}
	if (proxy.sessions >= SESSIONS_MAX) {
		if (proxy.dead_count >= EVENTS)
			return NULL;
		session_close(proxy.oldest);
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->kind = SESSION;
	s->listener = l;
	memcpy(&s->client, client, len);
	s->client_len = len;
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || connect(s->fd, (const struct sockaddr *)&l->to, sizeof(l->to)) < 0 ||
	    watch(s->fd, EPOLLIN, s) < 0) {
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return NULL;
	}
	s->next = *b;
	*b = s;
	link_use(s);
	proxy.sessions++;
	return s;
}

static void on_datagram(struct listener *l)
{
	static char data[CHUNK];

	for (int i = 0; i < 64; i++) {
		struct sockaddr_storage client = {0};
		socklen_t len = sizeof(client);
		ssize_t n = recvfrom(l->fd, data, sizeof(data), 0, (struct sockaddr *)&client, &len);
		struct session *s;

		if (n < 0)
			return;
		s = session_get(l, &client, len);
		/* As on any network, a datagram may be lost. */
		if (s)
			(void)!send(s->fd, data, (size_t)n, MSG_NOSIGNAL);
	}
}

static void on_answer(struct session *s)
{
	static char data[CHUNK];

	if (s->fd < 0)
		return;
	for (int i = 0; i < 64; i++) {
		ssize_t n = recv(s->fd, data, sizeof(data), 0);

		if (n < 0)
			return; /* ECONNREFUSED: nobody serves the port; the session expires */
		(void)!sendto(s->listener->fd, data, (size_t)n, MSG_NOSIGNAL, (struct sockaddr *)&s->client,
			      s->client_len);
		unlink_use(s);
		link_use(s);
	}
}

/* ---- start -------------------------------------------------------------------------------------------------------------------- */

/* "tcp:192.168.5.2:80" */
static bool listener_parse(const char *word, struct listener *l)
{
	char proto[8], ip[16];
	unsigned int port;
	int end = 0;

	if (sscanf(word, "%7[a-z]:%15[0-9.]:%u%n", proto, ip, &port, &end) != 3 || word[end] || port < 1 || port > 65535)
		return false;
	l->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	l->kind = strcmp(proto, "udp") == 0 ? LISTENER_DATAGRAM : LISTENER_STREAM;
	l->protocol = strcmp(proto, "sctp") == 0 ? IPPROTO_SCTP : 0;
	return inet_pton(AF_INET, ip, &l->to.sin_addr) == 1;
}

/* It only moves bytes: no rights are needed, and as many fds as may be had. */
static void settle_down(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	signal(SIGPIPE, SIG_IGN);
	if (chdir("/") < 0 || geteuid() != 0)
		return;
	if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0)
		return; /* a host that forbids it has locked us in otherwise */
}

static void serve(void)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int n = epoll_wait(proxy.epoll, events, EVENTS, proxy.sessions ? 5000 : -1);

		for (int i = 0; i < n; i++) {
			switch (*(enum kind *)events[i].data.ptr) {
			case LISTENER_STREAM: on_connection(events[i].data.ptr); break;
			case LISTENER_DATAGRAM: on_datagram(events[i].data.ptr); break;
			case STREAM: on_stream(events[i].data.ptr); break;
			case SESSION: on_answer(events[i].data.ptr); break;
			}
		}
		expire();
		while (proxy.dead_count)
			free(proxy.dead[--proxy.dead_count]);
	}
}

int proxy_main(int argc, char **argv)
{
	proxy.count = argc - 1;
	proxy.epoll = epoll_create1(EPOLL_CLOEXEC);
	proxy.listeners = calloc((size_t)argc, sizeof(*proxy.listeners));
	if (argc < 2 || proxy.epoll < 0 || !proxy.listeners) {
		fprintf(stderr, "usage: pouch-proxy PROTO:IP:PORT... (with as many sockets from fd 3 on)\n");
		return 2;
	}
	for (int i = 0; i < proxy.count; i++) {
		struct listener *l = &proxy.listeners[i];

		l->fd = FIRST_FD + i;
		if (!listener_parse(argv[i + 1], l)) {
			fprintf(stderr, "pouch-proxy: invalid '%s'\n", argv[i + 1]);
			return 2;
		}
		if (fcntl(l->fd, F_SETFL, O_NONBLOCK) < 0 || watch(l->fd, EPOLLIN, l) < 0) {
			fprintf(stderr, "pouch-proxy: socket %d: %s\n", l->fd, strerror(errno));
			return 1;
		}
	}
	settle_down();
	serve();
	return 0;
}
