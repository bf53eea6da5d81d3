/*
 * server - sockets, connections, and what one daemon consists of.
 */
#include "runtime/daemon/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <microhttpd.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/log.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/daemon/job.h"
#include "runtime/daemon/request.h"
#include "runtime/daemon/route.h"
#include "runtime/daemon/tls.h"
#include "runtime/engine/thread.h"

#define STACK_SIZE  (256 * 1024)
#define MEMORY_SIZE (160 * 1024)	/* a connection's buffers; pages are touched as they are needed */

#define CONNECTIONS_MAX	   4096		/* of a listener, where there are descriptors for them */
#define CONNECTIONS_OF_IP  1024
#define IDLE_SECONDS	   60		/* without a request, or within its head: what sends nothing makes room */

struct listener {
	struct server *server;
	int fd;
	bool tls;
	char *unix_path;	/* to remove at the end */
	struct MHD_Daemon *http;
};

struct peer {
	uid_t uid;
	unsigned int connections;
};

struct server {
	struct daemon_context *daemon;
	VEC(struct listener) listeners;
	struct tls *tls;
	struct MHD_Daemon *tls_http;	/* has no listening socket: connections are added */
	atomic_int active;		/* requests that are being served */
	pthread_mutex_t lock;
	VEC(struct peer) peers;		/* users with connections; under the lock */
	unsigned int connections_max;	/* of a listener */
};

/* ---- requests ---------------------------------------------------------------------------------------------------------------- */

static struct request *request_new(struct server *s, struct MHD_Connection *conn, const char *method,
				   const char *path)
{
	struct request *r = xcalloc(1, sizeof(*r));

	atomic_fetch_add(&s->active, 1);
	r->daemon = s->daemon;
	r->engine = s->daemon->engine;
	r->conn = conn;
	r->method = method;
	if (route_find(daemon_routes, daemon_routes_count, method, path, r, &r->route, &r->failed) == 0 &&
	    (r->route->flags & ROUTE_STREAM_BODY) &&
	    r->route->handler(r, &r->failed) < 0 && !r->failed.code)
		err_sys(&r->failed, EIO, "start");
	return r;
}

static void request_completed(void *cls, struct MHD_Connection *conn, void **req,
			      enum MHD_RequestTerminationCode why)
{
	struct server *s = cls;
	struct request *r = *req;

	(void)why;
	if (!r)
		return;
	if (r->job)
		job_abandon(r->job);
	for (int i = 0; i < REQUEST_ARGS_MAX; i++)
		free(r->arg[i]);
	free(r->path);
	buf_clear(&r->body);
	free(r);
	*req = NULL;
	(void)MHD_set_connection_option(conn, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned int)IDLE_SECONDS);
	atomic_fetch_sub(&s->active, 1);
}

static void body_add(struct request *r, const char *data, size_t len)
{
	if (r->job) {
		(void)job_feed(r->job, data, len);	/* what the work does not want is read and dropped */
		return;
	}
	if (r->failed.code)
		return;
	if (r->body.len + len > REQUEST_BODY_MAX) {
		err_set(&r->failed, ERR_TOO_LARGE, "request body is larger than %d bytes", REQUEST_BODY_MAX);
		buf_clear(&r->body);
		return;
	}
	buf_add(&r->body, data, len);
}

static int serve(struct request *r)
{
	struct err err = ERR_INIT;
	int rc = 0;

	if (r->job) {
		struct job *job = r->job;

		r->job = NULL;
		job_feed_end(job);
		rc = job_reply(job, r, "application/json", &err);
	} else if (r->failed.code) {
		err = r->failed;
		rc = -err.code;
	} else {
		rc = r->route->handler(r, &err);
	}
	if (rc < 0 && !r->status) {
		if (!err.code)
			err_sys(&err, -rc, "%s %s", r->method, r->path ? r->path : "");
		if (err.kind == ERR_INTERNAL)
			log_error("%s %s: %s", r->method, r->path ? r->path : "?", err.msg);
		rc = reply_error(r, &err);
	}
	log_debug("%s %s: %d", r->method, r->path ? r->path : "?", r->status);
	return rc;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_len, void **req)
{
	struct server *s = cls;
	struct request *r = *req;

	(void)version;
	if (!r) {
		/* From here on it may take as long as it takes. */
		(void)MHD_set_connection_option(conn, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
		*req = request_new(s, conn, method, url);
		return MHD_YES;
	}
	if (*data_len) {
		body_add(r, data, *data_len);
		*data_len = 0;
		return MHD_YES;
	}
	return serve(r) < 0 ? MHD_NO : MHD_YES;
}

/* ---- connections ------------------------------------------------------------------------------------------------------------- */

/* With the lock held; a new one with none. */
static struct peer *peer_of(struct server *s, uid_t uid)
{
	struct peer *p;

	VEC_EACH(known, &s->peers) {
		if (known->uid == uid)
			return known;
	}
	p = VEC_ADD(&s->peers);
	p->uid = uid;
	return p;
}

static bool peer_uid(struct MHD_Connection *conn, uid_t *ret, int *ret_fd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred who;
	socklen_t len = sizeof(who);

	if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || len != sizeof(who) ||
	    who.uid == (uid_t)-1)
		return false;
	*ret = who.uid;
	*ret_fd = info->connect_fd;
	return true;
}

/* Half of the file descriptors at most are for clients; the rest is for containers. */
static unsigned int connections_max(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur / 2 > CONNECTIONS_MAX)
		return CONNECTIONS_MAX;
	return (unsigned int)files.rlim_cur / 2;
}

/* So many of one user; some are left for root. */
static unsigned int connections_of_uid(const struct server *s)
{
	return s->connections_max / 4 * 3;
}

/* Nobody but root can take all connections: members of a group share the socket. *@own keeps whose it is. */
static void on_connection(void *cls, struct MHD_Connection *conn, void **own, enum MHD_ConnectionNotificationCode what)
{
	struct server *s = cls;
	struct peer *p;
	uid_t uid;
	int fd;

	pthread_mutex_lock(&s->lock);
	if (what == MHD_CONNECTION_NOTIFY_STARTED && peer_uid(conn, &uid, &fd)) {
		p = peer_of(s, uid);
		p->connections++;
		*own = (void *)((uintptr_t)uid + 1);
		if (uid && p->connections > connections_of_uid(s))
			(void)shutdown(fd, SHUT_RDWR);
	} else if (what == MHD_CONNECTION_NOTIFY_CLOSED && *own) {
		p = peer_of(s, (uid_t)((uintptr_t)*own - 1));
		if (!--p->connections)
			VEC_DEL(&s->peers, (size_t)(p - s->peers.v));
	}
	pthread_mutex_unlock(&s->lock);
}

/* ---- sockets ----------------------------------------------------------------------------------------------------------------- */

static int listen_unix(const char *path, struct listener *l, struct err *err)
{
	struct group *group = getgrnam("pouch");
	auto_free char *dir = xstrndup(path, (size_t)(path_base(path) - path));
	int rc;

	if (path[0] != '/')
		return err_set(err, ERR_INVALID, "path of the socket is not absolute: '%s'", path);
	rc = path_mkdirs(dir, 0755, err);
	if (rc < 0)
		return rc;
	rc = unix_listen(path, 0660, &l->fd, err);
	if (rc < 0)
		return rc;
	if (group && lchown(path, 0, group->gr_gid) < 0)
		return err_sys(err, errno, "give '%s' to group pouch", path);
	l->unix_path = xstrdup(path);
	return 0;
}

static int listen_at(const struct addrinfo *a, int *ret_fd)
{
	auto_fd int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
	int one = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 1024) < 0)
		return -errno;
	*ret_fd = fd_take(&fd);
	return 0;
}

/* "127.0.0.1:4243", "[::1]:4243", ":4243" */
static int listen_tcp(const char *where, struct listener *l, struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	const char *colon = strrchr(where, ':');
	auto_free char *host = NULL;
	struct addrinfo *list;
	int rc;

	if (!colon || !colon[1])
		return err_set(err, ERR_INVALID, "'tcp://%s' has no port", where);
	host = *where == '[' && colon > where + 1 && colon[-1] == ']'
		       ? xstrndup(where + 1, (size_t)(colon - where - 2))
		       : xstrndup(where, (size_t)(colon - where));
	rc = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &list);
	if (rc)
		return err_set(err, ERR_INVALID, "address 'tcp://%s': %s", where, gai_strerror(rc));
	rc = listen_at(list, &l->fd);
	freeaddrinfo(list);
	if (rc < 0)
		return err_sys(err, -rc, "listen on tcp://%s", where);
	return 0;
}

static int listener_open(struct server *s, const char *address, struct err *err)
{
	struct listener *l = VEC_ADD(&s->listeners);
	const char *where;

	l->server = s;
	l->fd = -1;
	if ((where = str_skip(address, "unix://")))
		return listen_unix(where, l, err);
	if ((where = str_skip(address, "tcp://"))) {
		l->tls = s->tls != NULL;
		return listen_tcp(where, l, err);
	}
	if (*address == '/')
		return listen_unix(address, l, err);
	return err_set(err, ERR_INVALID, "listening address '%s' starts with neither unix:// nor tcp://",
		       address);
}

static void server_free(struct server *s)
{
	VEC_EACH(l, &s->listeners) {
		if (l->fd >= 0)
			close(l->fd);
		if (l->unix_path)
			(void)unlink(l->unix_path);	/* may be gone: nothing to do then either */
		free(l->unix_path);
	}
	VEC_FREE(&s->listeners);
	free(s);
}

int server_open(struct daemon_context *daemon, struct server **ret, struct err *err)
{
	const struct daemon_options *o = daemon->options;
	struct server *s = xcalloc(1, sizeof(*s));
	int rc = 0;

	s->daemon = daemon;
	s->connections_max = connections_max();
	pthread_mutex_init(&s->lock, NULL);
	if (o->tls_cert) {
		const struct tls_options tls = {o->tls_ca, o->tls_cert, o->tls_key, o->tls_verify,
						&o->manager_whitelist};

		rc = tls_open(&tls, &s->tls, err);
	}
	STRV_EACH(address, &o->listen) {
		if (rc >= 0)
			rc = listener_open(s, *address, err);
	}
	if (rc < 0) {
		server_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

/* ---- serving ----------------------------------------------------------------------------------------------------------------- */

static void on_log(void *cls, const char *fmt, va_list ap)
{
	char line[300];

	(void)cls;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	log_debug("http: %s", line);
}

static struct MHD_Daemon *http_start(struct server *s, int fd)
{
	unsigned int flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
			     MHD_USE_POLL | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG | MHD_USE_ITC;
	const struct MHD_OptionItem listen_item[] = {
		{MHD_OPTION_LISTEN_SOCKET, fd, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
	unsigned int of_ip = s->connections_max / 2 < CONNECTIONS_OF_IP ? s->connections_max / 2 : CONNECTIONS_OF_IP;

	if (fd < 0)
		flags |= MHD_USE_NO_LISTEN_SOCKET;
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, s,			    /* */
				MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,		    /* */
				MHD_OPTION_NOTIFY_COMPLETED, request_completed, s,	    /* */
				MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE,	    /* */
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_SIZE,    /* */
				MHD_OPTION_CONNECTION_LIMIT, s->connections_max,	    /* */
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS,  /* */
				MHD_OPTION_PER_IP_CONNECTION_LIMIT, of_ip,		    /* */
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,		    /* */
				MHD_OPTION_ARRAY, fd < 0 ? none : listen_item, MHD_OPTION_END);
}

static void tls_listener(void *arg)
{
	struct listener *l = arg;
	int err_pause = 10;

	for (;;) {
		struct err err = ERR_INIT;
		struct sockaddr_storage peer;
		socklen_t len = sizeof(peer);
		int plain, fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EBADF || errno == EINVAL)
				return;	/* closed by server_stop() */
			poll(NULL, 0, err_pause);
			continue;
		}
		if (tls_accept(l->server->tls, fd, &plain, &err) < 0) {
			log_warn("TLS connection: %s", err.msg);
			continue;
		}
		if (MHD_add_connection(l->server->tls_http, plain, (struct sockaddr *)&peer, len) != MHD_YES)
			log_warn("TLS connection: no room for it");
	}
}

int server_start(struct server *s, struct err *err)
{
	VEC_EACH(l, &s->listeners) {
		if (l->tls) {
			int rc;

			if (!s->tls_http)
				s->tls_http = http_start(s, -1);
			if (!s->tls_http)
				return err_sys(err, EIO, "start the HTTP server");
			rc = thread_run(tls_listener, l, THREAD_STACK_SMALL, err);
			if (rc < 0)
				return rc;
			continue;
		}
		l->http = http_start(s, l->fd);
		if (!l->http)
			return err_sys(err, EIO, "start the HTTP server");
	}
	return 0;
}

/* The process ends next: connections are left to the kernel, as threads may be in the middle of anything. */
void server_stop(struct server *s, int ms)
{
	int64_t end = time_mono_ms() + ms;

	VEC_EACH(l, &s->listeners) {
		if (l->http)
			(void)MHD_quiesce_daemon(l->http);	/* the fd is in l->fd as well */
		else
			(void)shutdown(l->fd, SHUT_RDWR);	/* wakes accept() */
		if (l->unix_path)
			(void)unlink(l->unix_path);
	}
	while (atomic_load(&s->active) > 0 && time_mono_ms() < end)
		poll(NULL, 0, 10);
}
