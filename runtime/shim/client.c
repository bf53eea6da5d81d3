/*
 * client - the daemon's side of the shim's socket
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/oci/container.h"
#include "runtime/shim/shim.h"

#define ANSWER_TIMEOUT_MS 300000	/* a shim that is silent for so long is broken */
#define EXIT_FILE_MAX	  65536
#define FIRST_FREE_FD	  10		/* above those that a shim is given */

/* One connection and the bytes that came over it. */
struct link {
	int fd;
	struct shim_input in;
};

struct shim {
	pthread_mutex_t lock;
	struct link link;
	char *dir;
};

struct shim_session {
	struct link link;
	struct shim_reply reply;
};

struct shim_watch {
	struct link link;
};

static void link_clear(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
	shim_input_clear(&l->in);
}
DEFINE_AUTO_CLEAR(link_clear, struct link)

static struct link link_take(struct link *l)
{
	struct link taken = *l;

	*l = (struct link){.fd = -1};
	return taken;
}

/* ---- children ---------------------------------------------------------------------------------------------------------- */

/* Shims that this process started, until they are reaped: they end whenever they want to. */
static struct {
	pthread_mutex_t lock;
	VEC(pid_t) pids;
} children = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void children_reap(void)
{
	pthread_mutex_lock(&children.lock);
	for (size_t i = children.pids.n; i > 0; i--) {
		pid_t got = waitpid(children.pids.v[i - 1], NULL, WNOHANG);

		if (got > 0 || (got < 0 && errno == ECHILD))
			VEC_DEL(&children.pids, i - 1);
	}
	pthread_mutex_unlock(&children.lock);
}

static void children_add(pid_t pid)
{
	pthread_mutex_lock(&children.lock);
	VEC_PUSH(&children.pids, pid);
	pthread_mutex_unlock(&children.lock);
}

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

static int link_next(struct link *l, int timeout_ms, struct shim_frame *ret, struct err *err)
{
	int64_t until = time_mono_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = {.fd = l->fd, .events = POLLIN};
		int rc = shim_input_next(&l->in, ret, err);
		int64_t left = until - time_mono_ms();
		ssize_t n;

		if (rc)
			return rc < 0 ? rc : 0;
		rc = poll(&p, 1, timeout_ms < 0 ? -1 : left > 0 ? (int)left : 0);
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc == 0)
			return err_set(err, ERR_UNAVAILABLE, "shim does not answer");
		n = shim_input_fill(&l->in, l->fd);
		if (n == -EAGAIN)
			continue;
		if (n == 0 || n == -ECONNRESET)
			return err_set(err, ERR_UNAVAILABLE, "shim has ended");
		if (n < 0)
			return err_sys(err, (int)-n, "read from shim");
	}
}

static int frame_failure(const struct shim_frame *f, struct err *err)
{
	struct shim_failure failure = {0};
	int rc = json_parse(&shim_failure_table, f->head, f->head_len, 0, "shim's answer", &failure, err);

	if (rc < 0)
		return rc;
	err_clear(err);
	rc = err_set(err, shim_kind_parse(failure.kind), "%s", failure.message ? failure.message : "shim failed");
	if (failure.code > 0) {
		err->code = failure.code;
		rc = -failure.code;
	}
	json_clear(&shim_failure_table, &failure);
	return rc;
}

struct call {
	enum shim_type type;
	const struct json_table *table;	/* of the request's head, or NULL */
	const void *head;
	const int *fds;
	size_t fd_count;
	const void *tail;
	size_t tail_len;
	const struct json_table *ret_table;	/* of the answer's head, or NULL */
	void *ret;
};

static int link_call(struct link *l, const struct call *c, struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct shim_frame f;
	int rc;

	if (c->tail_len > SHIM_TAIL_MAX)
		return err_set(err, ERR_TOO_LARGE, "too many bytes for a shim's frame");
	shim_frame_print(&out, c->type, c->fd_count, c->table, c->head, c->tail, c->tail_len);
	rc = fd_send(l->fd, out.data, out.len, c->fds, c->fd_count);
	if (rc == -EPIPE || rc == -ECONNRESET)
		return err_set(err, ERR_UNAVAILABLE, "shim has ended");
	if (rc < 0)
		return err_sys(err, -rc, "write to shim");
	rc = link_next(l, ANSWER_TIMEOUT_MS, &f, err);
	if (rc < 0)
		return rc;
	shim_frame_close(&f);	/* no answer carries any */
	if (f.type == SHIM_ERROR)
		return frame_failure(&f, err);
	if (f.type != SHIM_OK)
		return err_set(err, ERR_INTERNAL, "shim answered with frame %d", f.type);
	if (c->ret_table)
		return json_parse(c->ret_table, f.head, f.head_len ? f.head_len : 0, 0, "shim's answer", c->ret, err);
	return 0;
}

static int shim_call(struct shim *shim, const struct call *c, struct err *err)
{
	int rc;

	pthread_mutex_lock(&shim->lock);
	rc = link_call(&shim->link, c, err);
	pthread_mutex_unlock(&shim->lock);
	return rc;
}

static int link_open(const char *dir, struct link *ret, struct err *err)
{
	auto_free char *path = path_join(dir, "shim.sock");
	int rc;

	*ret = (struct link){.fd = -1};
	rc = unix_connect(path, &ret->fd, err);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		err_clear(err);
		return err_set(err, ERR_NOT_FOUND, "no shim lives in '%s'", dir);
	}
	return rc;
}

/* ---- life -------------------------------------------------------------------------------------------------------------- */

static struct shim *shim_new(const char *dir, int fd)
{
	struct shim *shim = xcalloc(1, sizeof(*shim));

	pthread_mutex_init(&shim->lock, NULL);
	shim->link.fd = fd;
	shim->dir = xstrdup(dir);
	return shim;
}

/*
 * Where pouch-shim is executed from: a view of the file which containers cannot write, made once for all shims. Else each would make its own
 * at its start: that costs time and, where it is a copy, memory for each.
 */
static struct {
	pthread_mutex_t lock;
	char *program;
	int fd;
} view = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1};

/* Owned. The program's own path when there is no view. */
static char *view_path(const char *program)
{
	struct err ignored = ERR_INIT;	/* the shim protects itself then, or says why not */
	char *path;
	int fd = -1;

	pthread_mutex_lock(&view.lock);
	if (!str_eq(view.program, program)) {
		if (view.fd >= 0)
			close(view.fd);
		view.fd = -1;
		str_set(&view.program, program);
		if (oci_protected_view(program, &fd, &ignored) == 0) {
			view.fd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
			close(fd);
		}
	}
	path = view.fd >= 0 ? xfmt("/proc/self/fd/%d", view.fd) : xstrdup(program);
	pthread_mutex_unlock(&view.lock);
	return path;
}

static int write_pid(const char *dir, pid_t pid, struct err *err)
{
	auto_free char *path = path_join(dir, "shim.pid");
	auto_free char *text = NULL;
	struct proc_ref ref = {.pid = pid};

	(void)proc_ref_get(pid, &ref);	/* it may have ended: start 0 matches nothing */
	text = xfmt("%d %llu\n", (int)pid, (unsigned long long)ref.start);
	return file_replace(AT_FDCWD, path, text, strlen(text), 0600, FILE_NO_SYNC, err);
}

/* By this process. */
static int spawn_here(const struct shim_start *start, const int given[SHIM_SPAWN_FDS], pid_t *ret, struct err *err)
{
	const struct proc_fd fds[] = {{given[0], SHIM_FIRST_FD}, {given[1], SHIM_FIRST_FD + 1}};
	char *argv[] = {(char *)"pouch-shim", (char *)start->id, (char *)start->dir, NULL};
	auto_free char *program = xstrdup(start->program), *path = NULL;
	struct proc_spawn spawn = {
		.argv = argv,
		.env = start->env,
		.fds = fds,
		.fd_count = ARRAY_SIZE(fds),
		.new_session = true,
	};
	int rc = program ? 0 : proc_sibling("pouch-shim", &program, err);

	if (rc < 0)
		return rc;
	spawn.path = path = view_path(program);
	rc = proc_spawn(&spawn, ret, err);
	if (rc == 0)
		children_add(*ret);
	return rc;
}

/* By the shim of another container. */
static int spawn_beside(const struct shim_start *start, const int fds[SHIM_SPAWN_FDS], pid_t *ret, struct err *err)
{
	AUTO(link_clear) struct link l = {.fd = -1};
	const struct shim_spawn request = {.id = (char *)start->id, .dir = (char *)start->dir, .kinds = *start->kinds};
	struct shim_reply reply = {0};
	const struct call c = {
		.type = SHIM_SPAWN,
		.table = &shim_spawn_table,
		.head = &request,
		.fds = fds,
		.fd_count = SHIM_SPAWN_FDS,
		.ret_table = &shim_reply_table,
		.ret = &reply,
	};
	int rc = link_open(start->beside, &l, err);

	if (rc == 0)
		rc = link_call(&l, &c, err);
	if (rc == 0)
		*ret = reply.pid;
	return rc;
}

int shim_spawn(const struct shim_start *start, struct shim **ret, struct err *err)
{
	auto_free char *sock = path_join(start->dir, "shim.sock");
	int pair[2];
	auto_fd int listener = -1;
	pid_t pid = 0;
	int rc;

	children_reap();
	rc = unix_listen(sock, 0600, &listener, err);
	if (rc < 0)
		return rc;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = err_sys(err, errno, "socketpair for a shim");
	} else {
		const int fds[SHIM_SPAWN_FDS] = {pair[1], listener};

		rc = start->beside ? spawn_beside(start, fds, &pid, err) : spawn_here(start, fds, &pid, err);
		close(pair[1]);
		if (rc == 0)
			rc = write_pid(start->dir, pid, err);
		if (rc < 0)
			close(pair[0]);	/* a shim without a connection and a container ends */
	}
	if (rc < 0) {
		(void)unlink(sock);	/* of this very moment */
		return rc;
	}
	*ret = shim_new(start->dir, pair[0]);
	return 0;
}

int shim_open(const char *dir, struct shim **ret, struct err *err)
{
	struct link l;
	int rc = link_open(dir, &l, err);

	children_reap();
	if (rc < 0)
		return rc;
	*ret = shim_new(dir, l.fd);
	return 0;
}

void shim_close(struct shim *shim)
{
	if (!shim)
		return;
	link_clear(&shim->link);
	pthread_mutex_destroy(&shim->lock);
	free(shim->dir);
	free(shim);
	children_reap();
}

int shim_create(struct shim *shim, const struct shim_options *options, pid_t *ret_pid, struct err *err)
{
	struct shim_reply reply = {0};
	const struct call c = {
		.type = SHIM_CREATE,
		.table = &shim_options_table,
		.head = options,
		.ret_table = &shim_reply_table,
		.ret = &reply,
	};
	int rc = shim_call(shim, &c, err);

	if (rc == 0)
		*ret_pid = reply.pid;
	return rc;
}

static int call_target(struct shim *shim, enum shim_type type, const struct shim_target *target, struct err *err)
{
	const struct call c = {.type = type, .table = &shim_target_table, .head = target};

	return shim_call(shim, &c, err);
}

int shim_start(struct shim *shim, struct err *err)
{
	return call_target(shim, SHIM_START, &(struct shim_target){0}, err);
}

int shim_kill(struct shim *shim, int sig, bool all, struct err *err)
{
	return call_target(shim, SHIM_KILL, &(struct shim_target){.signal = sig, .all = all}, err);
}

int shim_exec_kill(struct shim *shim, const char *exec, int sig, struct err *err)
{
	return call_target(shim, SHIM_KILL, &(struct shim_target){.exec = (char *)exec, .signal = sig}, err);
}

int shim_pause(struct shim *shim, struct err *err)
{
	return call_target(shim, SHIM_PAUSE, &(struct shim_target){0}, err);
}

int shim_resume(struct shim *shim, struct err *err)
{
	return call_target(shim, SHIM_RESUME, &(struct shim_target){0}, err);
}

/* The text is JSON already, so it goes as the tail. */
int shim_update(struct shim *shim, const char *resources, struct err *err)
{
	const struct call c = {.type = SHIM_UPDATE, .tail = resources, .tail_len = strlen(resources)};

	return shim_call(shim, &c, err);
}

int shim_resize(struct shim *shim, const char *exec, uint32_t width, uint32_t height, struct err *err)
{
	return call_target(shim, SHIM_RESIZE,
			   &(struct shim_target){.exec = (char *)exec, .width = width, .height = height}, err);
}

int shim_close_stdin(struct shim *shim, const char *exec, struct err *err)
{
	return call_target(shim, SHIM_CLOSE_STDIN, &(struct shim_target){.exec = (char *)exec}, err);
}

int shim_reopen_log(struct shim *shim, struct err *err)
{
	return call_target(shim, SHIM_REOPEN_LOG, &(struct shim_target){0}, err);
}

int shim_exec_delete(struct shim *shim, const char *exec, struct err *err)
{
	return call_target(shim, SHIM_EXEC_DELETE, &(struct shim_target){.exec = (char *)exec}, err);
}

int shim_get_state(struct shim *shim, struct shim_state *ret, struct err *err)
{
	const struct call c = {.type = SHIM_STATE, .ret_table = &shim_state_table, .ret = ret};

	*ret = (struct shim_state){0};
	return shim_call(shim, &c, err);
}

/* After its answer to SHIM_DELETE the shim's end is the connection's end. */
static void wait_for_end(struct shim *shim)
{
	struct err ignored = ERR_INIT;	/* that it ended is what we wait for */
	struct shim_frame f;

	pthread_mutex_lock(&shim->lock);
	while (link_next(&shim->link, 10000, &f, &ignored) == 0)
		shim_frame_close(&f);
	pthread_mutex_unlock(&shim->lock);
}

int shim_delete(struct shim *shim, struct err *err)
{
	int rc = call_target(shim, SHIM_DELETE, &(struct shim_target){0}, err);

	if (rc < 0 && err->kind == ERR_UNAVAILABLE) {
		err_clear(err);
		rc = 0;
	}
	if (rc < 0)
		return rc;
	wait_for_end(shim);
	children_reap();
	return 0;
}

/* ---- sessions ---------------------------------------------------------------------------------------------------------- */

/* A session has its own connection, which carries nothing else: its end is the session's end. */
static int open_session(struct shim *shim, const struct call *request, int client, struct shim_reply *reply,
			struct shim_session **ret, struct err *err)
{
	AUTO(link_clear) struct link l = {.fd = -1};
	struct call c = *request;
	int rc;

	c.fds = &client;
	c.fd_count = client >= 0 ? 1 : 0;
	c.ret_table = &shim_reply_table;
	c.ret = reply;
	rc = link_open(shim->dir, &l, err);
	if (rc == 0)
		rc = link_call(&l, &c, err);
	if (rc < 0 || !ret)
		return rc;
	*ret = xcalloc(1, sizeof(**ret));
	(*ret)->link = link_take(&l);
	(*ret)->reply = *reply;
	return 0;
}

int shim_attach(struct shim *shim, const struct shim_attach *attach, int client, const void *sent, size_t sent_len,
		struct shim_session **ret, struct err *err)
{
	struct shim_reply reply = {0};
	const struct call c = {
		.type = SHIM_ATTACH,
		.table = &shim_attach_table,
		.head = attach,
		.tail = sent,
		.tail_len = sent_len,
	};

	return open_session(shim, &c, client, &reply, ret, err);
}

int shim_exec(struct shim *shim, const struct shim_exec *exec, int client, const void *sent, size_t sent_len,
	      pid_t *ret_pid, struct shim_session **ret, struct err *err)
{
	struct shim_reply reply = {0};
	const struct call c = {
		.type = SHIM_EXEC,
		.table = &shim_exec_table,
		.head = exec,
		.tail = sent,
		.tail_len = sent_len,
	};
	int rc = open_session(shim, &c, client, &reply, ret, err);

	if (rc == 0)
		*ret_pid = reply.pid;
	return rc;
}

struct log_position shim_session_log(const struct shim_session *session)
{
	return session->reply.log;
}

int shim_session_release(struct shim_session *session, struct err *err)
{
	const struct shim_target target = {.session = session->reply.session};
	const struct call c = {.type = SHIM_RELEASE, .table = &shim_target_table, .head = &target};

	return link_call(&session->link, &c, err);
}

int shim_session_wait(struct shim_session *session, struct err *err)
{
	struct shim_event event = {0};
	struct shim_frame f;
	int rc;

	do {
		rc = link_next(&session->link, -1, &f, err);
		if (rc < 0)
			return rc;
		shim_frame_close(&f);
	} while (f.type != SHIM_EVENT);
	rc = json_parse(&shim_event_table, f.head, f.head_len, 0, "shim's event", &event, err);
	if (rc < 0)
		return rc;
	rc = event.reason;
	json_clear(&shim_event_table, &event);
	return rc;
}

int shim_session_fd(const struct shim_session *session)
{
	return session->link.fd;
}

void shim_session_close(struct shim_session *session)
{
	if (!session)
		return;
	link_clear(&session->link);
	free(session);
}

/* ---- events ------------------------------------------------------------------------------------------------------------ */

int shim_watch_open(struct shim *shim, struct shim_watch **ret, struct err *err)
{
	AUTO(link_clear) struct link l = {.fd = -1};
	const struct call c = {.type = SHIM_WATCH};
	int rc = link_open(shim->dir, &l, err);

	if (rc == 0)
		rc = link_call(&l, &c, err);
	if (rc == 0 && (rc = fd_set_nonblock(l.fd, true)) < 0)
		(void)err_sys(err, -rc, "make a shim's connection nonblocking");
	if (rc < 0)
		return rc;
	*ret = xcalloc(1, sizeof(**ret));
	(*ret)->link = link_take(&l);
	return 0;
}

int shim_watch_fd(const struct shim_watch *watch)
{
	return watch->link.fd;
}

int shim_watch_next(struct shim_watch *watch, struct shim_event *ret, struct err *err)
{
	struct shim_frame f;
	ssize_t n;
	int rc;

	for (;;) {
		rc = shim_input_next(&watch->link.in, &f, err);
		if (rc < 0)
			return rc;
		if (rc == 0) {
			n = shim_input_fill(&watch->link.in, watch->link.fd);
			if (n == -EAGAIN)
				return 0;
			if (n == 0 || n == -ECONNRESET) {
				(void)err_set(err, ERR_UNAVAILABLE, "shim has ended");
				return -EPIPE;
			}
			if (n < 0)
				return err_sys(err, (int)-n, "read from shim");
			continue;
		}
		shim_frame_close(&f);
		if (f.type != SHIM_EVENT)
			continue;
		*ret = (struct shim_event){0};
		rc = json_parse(&shim_event_table, f.head, f.head_len, 0, "shim's event", ret, err);
		return rc < 0 ? rc : 1;
	}
}

void shim_watch_close(struct shim_watch *watch)
{
	if (!watch)
		return;
	link_clear(&watch->link);
	free(watch);
}

int shim_exit_read(const char *exit_file, struct shim_exit *ret, struct err *err)
{
	int rc;

	*ret = (struct shim_exit){0};
	rc = json_parse_file(&shim_exit_table, AT_FDCWD, exit_file, EXIT_FILE_MAX, 0, ret, err);
	if (rc == -ENOENT) {
		err_clear(err);
		return err_set(err, ERR_NOT_FOUND, "no exit status in '%s'", exit_file);
	}
	return rc;
}
