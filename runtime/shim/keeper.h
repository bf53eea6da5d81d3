/*
 * keeper - the state of a running pouch-shim, and its parts. Private to runtime/shim.
 *
 *	conn	a connection of pouchd: requests in, answers and events out
 *	io	stdio of the container, or of one exec: pipes or a terminal's master
 *	session	a client's socket, attached to one io
 *	exec	one more process, with its io
 *
 * One thread, no locks. Objects refer to each other by pointers that both ends clear.
 */
#ifndef RUNTIME_SHIM_KEEPER_H
#define RUNTIME_SHIM_KEEPER_H

#include "compat/kernel/cgroup.h"
#include "runtime/oci/exec.h"
#include "runtime/shim/detach.h"
#include "runtime/shim/loop.h"
#include "runtime/shim/protocol.h"

struct keeper;
struct session;
struct exec;

/* ---- io: stdio.c ------------------------------------------------------------------------------------------------------- */

enum { IO_IN_MAX = 65536 };

/* The container's ends: stdin, stdout, stderr; -1 for /dev/null or a terminal. */
struct io_ends {
	int fd[3];
};

struct io {
	struct keeper *k;
	struct exec *exec;		/* NULL: the container's */
	bool tty;
	bool close_in_with_client;	/* the first client of stdin takes it along */
	struct loop_source in;		/* pipe; with a terminal both directions are out[0] */
	struct loop_source out[2];
	struct buf in_queue;		/* what stdin has not taken yet, at most IO_IN_MAX and one read */
	bool in_close_after;		/* close stdin once in_queue is empty */
	bool in_blocked;		/* sessions do not read: in_queue is full */
	bool out_blocked;		/* a session's queue is full: the output waits */
	bool unbounded;			/* the writer is dead: take all that is left */
	struct loop_timer hangup;	/* nobody has the terminal open, but somebody may open it again */
	VEC(struct session *) sessions;
};

void io_init(struct io *io, struct keeper *k, struct exec *exec);
/* Make pipes for what is wanted; the other ends are in @ret, to be closed by io_ends_close(). */
int io_open_pipes(struct io *io, bool in, bool out, bool errs, struct io_ends *ret, struct err *err);
/* @master is owned by @io, also after a failure. */
int io_open_terminal(struct io *io, int master, uint32_t width, uint32_t height, struct err *err);
void io_ends_close(struct io_ends *ends);
bool io_resize(struct io *io, uint32_t width, uint32_t height);
bool io_has_output(const struct io *io);	/* not all streams have ended */
/* The process is dead: read what is left. Afterwards io_has_output() tells whether somebody else still writes. */
void io_drain(struct io *io);
/* Bytes for stdin. Sessions stop reading while it is full. */
void io_put(struct io *io, const void *data, size_t len);
void io_close_in(struct io *io);	/* after what is queued */
/* A session's queue grew or shrank: stop or go on reading the output. */
void io_balance(struct io *io);
void io_close(struct io *io);	/* all fds; sessions are left without */

/* ---- session: session.c ------------------------------------------------------------------------------------------------ */

struct conn;

struct session {
	struct keeper *k;
	struct io *io;		/* NULL once the output has ended */
	struct conn *conn;	/* that hears of the end, or NULL */
	uint64_t id;
	struct loop_source src;
	bool want_stdin, want[2];
	bool framed;		/* docker's 8-byte headers */
	bool hold;		/* queue all until released */
	bool input_ended;
	enum shim_session_end ending;	/* 0; else close when the queue is empty */
	struct detach detach;
	char *queue;
	size_t start, len, cap;
	struct loop_timer linger;
};

struct session_options {
	bool want_stdin, want_stdout, want_stderr, no_detach;
	const char *detach_keys;
};

/* Keys and the socket are checked before anything happens. */
int session_check(int fd, const struct session_options *options, struct err *err);
/* @fd is owned from here on. Nothing is sent before session_release(). */
struct session *session_open(struct io *io, struct conn *conn, int fd, const struct session_options *options);
void session_send(struct session *s, enum log_stream stream, const void *data, size_t len);
bool session_is_full(const struct session *s);
void session_release(struct session *s);
/* What the client sent before the socket came here. May end the session. */
void session_take(struct session *s, const void *data, size_t len);
/* May it be read again? (stdin has room, or not) */
void session_update(struct session *s);
/* No more output will come: deliver what waits, then close. */
void session_end(struct session *s, enum shim_session_end reason);
/* Close at once. */
void session_drop(struct session *s, enum shim_session_end reason);

/* ---- exec: exec.c ------------------------------------------------------------------------------------------------------ */

struct exec {
	struct keeper *k;
	char *id;
	pid_t pid;
	bool running;		/* the process lives */
	bool reported;		/* watchers know of its end */
	int exit_code;
	int64_t finished;
	struct io io;
	struct oci_exec_started started;
	struct loop_source exit;	/* of a process that is not our child; fd -1 else */
	struct loop_timer grace;
};

struct exec *exec_find(struct keeper *k, const char *id);
/* *ret_session stays NULL when detached. */
int exec_run(struct keeper *k, struct conn *conn, struct shim_exec *request, struct shim_frame *frame,
	     struct session **ret_session, pid_t *ret_pid, struct err *err);
/* 0 or -errno */
int exec_signal(struct exec *e, int sig);
bool exec_reap(struct keeper *k, pid_t pid, int status);
/* The container is gone: so are they. */
void exec_end_all(struct keeper *k);
int exec_forget(struct keeper *k, const char *id, struct err *err);
void exec_io_ended(struct exec *e);

/* ---- share: share.c ---------------------------------------------------------------------------------------------------- */

/* "network", "ipc" -> 1 << NS_NET | 1 << NS_IPC. ERR_INVALID. */
int share_mask(const struct strv *kinds, unsigned int *ret, struct err *err);
/*
 * Call @run in the thread that lives in the container's namespaces where the kernel cannot join them, and wait for it; else in this one. Nothing else
 * runs meanwhile.
 */
int share_run(struct keeper *k, void (*run)(void *arg), void *arg, struct err *err);
/* See SHIM_SPAWN. The fds stay the frame's. */
int share_spawn(struct keeper *k, const struct shim_spawn *request, const struct shim_frame *frame, pid_t *ret_pid, struct err *err);

/* ---- conn: conn.c ------------------------------------------------------------------------------------------------------ */

struct conn {
	struct keeper *k;
	struct loop_source src;
	struct shim_input in;
	struct buf out;
	bool watch;
	bool waits;		/* an answer is owed (SHIM_DELETE): no further request is taken */
	bool closing;		/* broken: freed as soon as nobody uses it */
	bool busy;		/* a request of it is being handled */
	struct session *session;
};

struct conn *conn_open(struct keeper *k, int fd);
void conn_close(struct conn *c);
void conn_print(struct conn *c, enum shim_type type, const struct json_table *table, const void *value);
void conn_fail(struct conn *c, int rc, const struct err *err);
void conn_close_all(struct keeper *k);
/* To every connection that watches. */
void keeper_tell(struct keeper *k, const struct shim_event *event);

/* ---- requests: request.c ----------------------------------------------------------------------------------------------- */

/* Handle @frame and answer it. */
void request_handle(struct conn *c, struct shim_frame *frame);

/* ---- runtime: how containers are made. runtime_oci.c, runtime_other.c -------------------------------------------------- */

/*
 * All calls return when the thing is done. @ret_console is the terminal's master (owned by the caller) or -1.
 */
struct runtime_ops {
	const char *name;
	int (*create)(struct keeper *k, const struct io_ends *ends, pid_t *ret_pid, int *ret_console, struct err *err);
	int (*start)(struct keeper *k, struct err *err);
	int (*kill)(struct keeper *k, int sig, bool all, struct err *err);
	int (*pause)(struct keeper *k, bool pause, struct err *err);
	int (*update)(struct keeper *k, const char *json, size_t len, struct err *err);
	int (*exec)(struct keeper *k, const struct shim_exec *exec, const struct io_ends *ends,
		    struct oci_exec_started *ret, struct err *err);
	/* The group of the container, or NULL. Borrowed. */
	struct cgroup *(*cgroup)(struct keeper *k);
	/* Kills what is left and removes all traces. Does nothing when there is no container. */
	int (*remove)(struct keeper *k, struct err *err);
};

extern const struct runtime_ops runtime_oci, runtime_other;

/* ---- warden: warden.c, warden_main.c ------------------------------------------------------------------------------------------- */

/*
 * A second process of the shim, for limits that the kernel has no file for: freezes and thaws the group to hold a CPU quota, and kills the
 * newest processes above a limit of tasks. Apart from the shim so that neither waits for the other; it ends, with the group
 * thawed, when the shim does, and the shim thaws the group and starts another when it dies.
 */
struct warden {
	pid_t pid;		/* 0: none is needed */
	int fd;			/* -1 */
	unsigned int holds;
	bool paused;
};

/* Begin, adapt or end what cgroup_kept() of the container asks for. */
int warden_follow(struct keeper *k, struct err *err);
/*
 * Until as many calls of warden_release(): the group is thawed and not frozen any more for its quota. For whatever must not meet a frozen
 * group: exec, SIGKILL, removal.
 */
void warden_hold(struct keeper *k);
void warden_release(struct keeper *k);
/* Until the group is to run again it does nothing at all; the group is thawed when this returns. */
void warden_pause(struct keeper *k, bool pause);
void warden_end(struct keeper *k);
/* Was @pid the warden? Then it is replaced. */
bool warden_reap(struct keeper *k, pid_t pid);

/* The other side of the socket: messages of this form, each answered by one byte once it is done. */
struct warden_order {
	bool hold;		/* leave the group thawed; tasks are still counted */
	bool idle;		/* leave it as it is */
	struct cgroup_kept limits;
};

/* @first: the container's first process, which is killed last. Never returns. */
void warden_main(int fd, struct cgroup *group, pid_t first) __attribute__((noreturn));

/* ---- keeper: keeper.c -------------------------------------------------------------------------------------------------- */

enum phase {
	PHASE_EMPTY,	/* nothing was created, or its creation failed */
	PHASE_CREATED,
	PHASE_RUNNING,
	PHASE_EXITED,	/* the first process was reaped, its output is being read */
	PHASE_STOPPED,	/* everybody was told, nothing is left but this process */
};

struct keeper {
	struct loop loop;
	char *id, *dir;
	struct shim_options options;
	unsigned int left;		/* see struct oci_create */
	struct share_thread *inside;	/* which has left them; NULL: there is none */
	enum phase phase;
	bool paused, deleted;
	bool killed;			/* we sent SIGKILL: then it was not the kernel for want of memory */
	struct warden warden;
	const struct runtime_ops *runtime;
	void *runtime_state;
	pid_t pid;
	struct io io;
	struct log_writer *log;
	bool log_failing;
	struct shim_exit exit;
	struct loop_source signals, listener, oom;
	struct loop_timer grace, orphan, idle, no_files;
	char *scratch;			/* SCRATCH_BYTES for reads, mapped while there is traffic */
	uint64_t session_count;
	VEC(struct conn *) conns;
	VEC(struct session *) sessions;
	VEC(struct exec *) execs;
};

#define SCRATCH_BYTES ((size_t)128 << 10)

/* @left: kinds of namespaces, "network,ipc", of which the host's was left before this program began; NULL: none */
int keeper_init(struct keeper *k, const char *id, const char *dir, const char *left, struct err *err);
/* True when the process may end. */
bool keeper_is_done(const struct keeper *k);
char *keeper_scratch(struct keeper *k);
int keeper_make_container(struct keeper *k, struct shim_options *options, struct err *err);
int keeper_start(struct keeper *k, struct err *err);
int keeper_delete_container(struct keeper *k, struct conn *c, struct err *err);
void keeper_io_ended(struct keeper *k);
void keeper_log(struct keeper *k, enum log_stream stream, const void *data, size_t len);
/* A connection or session has gone. */
void keeper_check(struct keeper *k);
void keeper_state(struct keeper *k, struct shim_state *ret);

#endif
