/*
 * shim - the daemon's side of a container's keeper.
 *
 * Every running container has a pouch-shim process: the parent of its first process, the holder of its stdio, writer of its
 * log, keeper of its exit status. This is how pouchd starts one, talks to it and finds it again after a restart.
 *
 * The exec directory of the container (DIR) holds shim.sock (0600) and shim.pid ("PID STARTTIME\n").
 *
 * Life: shim_spawn -> shim_create -> (network by pid; shim_attach) -> shim_start -> ... -> exit event -> shim_delete -> shim_close.
 * When the container's first process ends, the shim reads what is left of its output, writes exit.json, tells the watchers, removes
 * the container's cgroup and runtime state, and waits for shim_delete() or for its last connection to close; then it exits. So a dead pouchd
 * leaves exit.json and no process. A shim that was spawned, but whose pouchd died before shim_start(), undoes everything
 * after SHIM_ORPHAN_S seconds unless somebody connects.
 *
 * A struct shim may be used by many threads: requests on it are taken one at a time.
 */
#ifndef RUNTIME_SHIM_SHIM_H
#define RUNTIME_SHIM_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"
#include "runtime/shim/protocol.h"

#define SHIM_ORPHAN_S 60

struct shim;

struct shim_start {
	const char *program;	/* path of pouch-shim; NULL: this program's sibling */
	const char *dir;	/* exists already */
	const char *id;		/* for the process's command line */
	char *const *env;	/* NULL: this process's */
	/*
	 * For a kernel that cannot join namespaces: the shim whose directory is @beside starts it, in the namespaces of its container. Those of
	 * @kinds are to be shared (shim_options.entered names them again), and new ones take the others' place. Program and environment are
	 * those of the other shim. ERR_UNSUPPORTED when that has not what is asked for. NULL: this process starts it.
	 */
	const char *beside;
	const struct strv *kinds;
};

/*
 * Start a shim process; it does nothing before shim_create(). Does not wait for it: the connection is a socket pair, and
 * the listening socket is made here.
 */
int shim_spawn(const struct shim_start *start, struct shim **ret, struct err *err);

/* Connect to the shim of @dir. ERR_NOT_FOUND when none lives there (then exit.json tells how it ended). */
int shim_open(const char *dir, struct shim **ret, struct err *err);

/*
 * Close the connection and reap the process if it has ended. The shim lives on as described above.
 */
void shim_close(struct shim *shim);
DEFINE_AUTO(shim_close, struct shim *)

/* Create the container: its namespaces exist and its first process waits. On failure nothing of it is left and the shim ends. */
int shim_create(struct shim *shim, const struct shim_options *options, pid_t *ret_pid, struct err *err);
/* Let the first process run. On failure the container is removed, as above. */
int shim_start(struct shim *shim, struct err *err);

int shim_kill(struct shim *shim, int sig, bool all, struct err *err);
/* Signal an exec's process. ERR_NOT_FOUND when there is none or it ended. */
int shim_exec_kill(struct shim *shim, const char *exec, int sig, struct err *err);
int shim_pause(struct shim *shim, struct err *err);
int shim_resume(struct shim *shim, struct err *err);
/* @resources: OCI linux.resources as JSON text. */
int shim_update(struct shim *shim, const char *resources, struct err *err);
/* @exec NULL: the container's own terminal. ERR_CONFLICT when it has none. */
int shim_resize(struct shim *shim, const char *exec, uint32_t width, uint32_t height, struct err *err);
int shim_close_stdin(struct shim *shim, const char *exec, struct err *err);
int shim_reopen_log(struct shim *shim, struct err *err);
/* @ret: json_clear(&shim_state_table, ret). */
int shim_get_state(struct shim *shim, struct shim_state *ret, struct err *err);
/*
 * The container has exited (or was never started: then it is killed): returns when cgroup and runtime state are removed. The shim
 * exits. exit.json stays; the caller removes it. ERR_CONFLICT while it runs. A shim that is already gone is success.
 */
int shim_delete(struct shim *shim, struct err *err);

/* ---- sessions: a client's socket, served by the shim itself ---- */

/*
 * From these calls on the shim speaks to the client: raw bytes with a terminal, else docker's frames (8-byte header) for output
 * and raw bytes for input. The client's half-close ends its input. The caller may close its copy of @client at once, and
 * pouchd may die: the session goes on. The shim closes the socket at the end (and shuts it down, for the
 * sake of other copies).
 *
 * Detach keys are those of a terminal; without one the same bytes are data and go to the process.
 *
 * A client that does not read holds the container back once SHIM_SESSION_QUEUE bytes wait for it, as docker does: nothing is lost,
 * memory is bounded, and the log waits with it.
 */
#define SHIM_SESSION_QUEUE 262144

struct shim_session;

/*
 * @sent, @sent_len: bytes that the client sent and somebody already read (after an HTTP upgrade); at most SHIM_TAIL_MAX.
 * @ret may be NULL when the caller does not want to know about the end.
 */
int shim_attach(struct shim *shim, const struct shim_attach *attach, int client, const void *sent,
		size_t sent_len, struct shim_session **ret, struct err *err);
/* @client -1 and @ret NULL with exec->detached. ERR_NOT_FOUND/FORBIDDEN when the program cannot be started: nothing was sent to the client. */
int shim_exec(struct shim *shim, const struct shim_exec *exec, int client, const void *sent, size_t sent_len,
	      pid_t *ret_pid, struct shim_session **ret, struct err *err);
/* Forget an exec that has ended; its state is in shim_get_state() until then (the oldest of more than 256 go first). */
int shim_exec_delete(struct shim *shim, const char *exec, struct err *err);

/* With shim_attach.hold: all output before this position is in the log, none after it was sent yet. */
struct log_position shim_session_log(const struct shim_session *session);
int shim_session_release(struct shim_session *session, struct err *err);
/* Wait for the end. Returns enum shim_session_end, or -errno when the shim died. */
int shim_session_wait(struct shim_session *session, struct err *err);
/* Readable when the session has ended: for callers that poll. */
int shim_session_fd(const struct shim_session *session);
/* Forgets the handle; the session itself goes on. */
void shim_session_close(struct shim_session *session);
DEFINE_AUTO(shim_session_close, struct shim_session *)

/* ---- events ---- */

struct shim_watch;

/* Events from now on. An exit that already happened is reported at once, so none can be missed. */
int shim_watch_open(struct shim *shim, struct shim_watch **ret, struct err *err);
/* Nonblocking: poll it for POLLIN, then call shim_watch_next() until it returns 0. */
int shim_watch_fd(const struct shim_watch *watch);
/* 1 and an event (json_clear(&shim_event_table, ...)), 0 for none now, -EPIPE when the shim has ended, -errno. */
int shim_watch_next(struct shim_watch *watch, struct shim_event *ret, struct err *err);
void shim_watch_close(struct shim_watch *watch);
DEFINE_AUTO(shim_watch_close, struct shim_watch *)

/* ---- what stays when the shim is gone ---- */

/* ERR_NOT_FOUND when the container has not exited (or the host went down first). */
int shim_exit_read(const char *exit_file, struct shim_exit *ret, struct err *err);

#endif
