/*
 * protocol - what pouchd and a container's shim say to each other.
 *
 * A unix stream socket (shim.sock, mode 0600) carries frames:
 *
 *	u32 magic	"PSHM", little-endian like all that follows
 *	u16 type	enum shim_type
 *	u16 fds		file descriptors that belong to this frame; sent with its first byte (SCM_RIGHTS)
 *	u32 head_len	bytes of JSON, at most SHIM_HEAD_MAX
 *	u32 tail_len	raw bytes after the JSON, at most SHIM_TAIL_MAX
 *
 * Requests are answered in order, one SHIM_OK or SHIM_ERROR each. After SHIM_WATCH a connection carries SHIM_EVENT frames
 * until it closes; after SHIM_ATTACH or SHIM_EXEC with a client's socket it carries one SHIM_EVENT when that session ends.
 *
 * Versions: unknown JSON keys are ignored and missing ones are zero on both sides, so fields may be added for ever. A shim
 * outlives the pouchd that started it: a request type it does not know is answered with ERR_UNSUPPORTED and the connection
 * lives on. Only a change of the frame itself would change the magic.
 *
 * A frame that breaks these rules closes the connection, and nothing else.
 */
#ifndef RUNTIME_SHIM_PROTOCOL_H
#define RUNTIME_SHIM_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/buf.h"
#include "compat/base/json.h"
#include "runtime/log/log_driver.h"

#define SHIM_VERSION	1
#define SHIM_MAGIC	0x4d485350u
#define SHIM_FRAME_SIZE 16
#define SHIM_HEAD_MAX	(4u << 20)
#define SHIM_TAIL_MAX	(64u << 10)
#define SHIM_FDS_MAX	4

enum {
	SHIM_FIRST_FD = 3,	/* what a new shim finds: its first connection, and its listening socket */
	SHIM_SPAWN_FDS = 2,
};

enum shim_type {
	SHIM_OK = 1,		/* shim_reply */
	SHIM_ERROR,		/* shim_failure */
	SHIM_EVENT,		/* shim_event */
	SHIM_CREATE = 16,	/* shim_options -> shim_reply.pid */
	SHIM_START,
	SHIM_ATTACH,		/* shim_attach, fd: the client's socket; tail: bytes it already sent */
	SHIM_EXEC,		/* shim_exec, fd: the client's socket unless detached; tail as above -> pid */
	SHIM_RESIZE,		/* shim_target */
	SHIM_KILL,		/* shim_target */
	SHIM_PAUSE,
	SHIM_RESUME,
	SHIM_UPDATE,		/* tail: OCI linux.resources */
	SHIM_STATE,		/* -> SHIM_OK with a shim_state */
	SHIM_WATCH,
	SHIM_CLOSE_STDIN,	/* shim_target */
	SHIM_DELETE,		/* the container is gone: answer, then the shim exits */
	SHIM_REOPEN_LOG,
	SHIM_RELEASE,		/* shim_target.session: end of shim_attach.hold */
	SHIM_EXEC_DELETE,	/* shim_target.exec: forget an ended exec */
	SHIM_SPAWN,		/* shim_spawn, fds: the new shim's connection and listening socket -> pid */
	SHIM_TYPE_COUNT
};

/* What a shim must know about its container: head of SHIM_CREATE. */
struct shim_options {
	char *id;
	char *bundle;		/* directory with config.json */
	char *runtime_root;	/* state directory of the OCI runtime */
	char *runtime;		/* NULL or "": liboci in process; else the path of another OCI runtime */
	struct strv runtime_args;	/* global arguments of that runtime */
	char *cgroup;		/* cgroup path as in config.json, "default/ID" */
	char *exit_file;	/* written before anybody hears of the exit */
	bool sync_exit;		/* fsync it: false for containers that are removed at their exit */
	struct log_config log;
	bool tty;
	bool open_stdin;	/* else /dev/null */
	bool stdin_once;	/* the first client of stdin closes it when it leaves */
	uint32_t width, height;	/* of the terminal; 0 for unknown */
	bool no_pivot, no_new_keyring, systemd_cgroup;
	struct strv entered;	/* kinds of namespaces ("network") of another container, whose shim spawned this one */
};

/*
 * One more shim, in the namespaces of this one's container: the way to share them where the kernel cannot join namespaces. ERR_UNSUPPORTED when
 * one of @kinds is not where this shim is.
 */
struct shim_spawn {
	char *id, *dir;		/* of the new one */
	struct strv kinds;	/* that it is to share: "network", "ipc", "uts" */
};

struct shim_reply {
	int pid;		/* of the container or exec, on the host */
	uint64_t session;	/* of attach and exec with a client */
	struct log_position log;	/* attach: all that came before is in the log */
};

struct shim_failure {
	int code;		/* errno */
	char *kind;		/* enum err_kind as its name */
	char *message;
};

struct shim_attach {
	bool want_stdin, want_stdout, want_stderr;
	char *detach_keys;	/* "ctrl-a,x"; NULL or "": "ctrl-p,ctrl-q" */
	bool no_detach;		/* no keys end the session */
	bool hold;		/* nothing is sent before SHIM_RELEASE: the caller writes the log to the client first */
};

struct shim_exec {
	char *id;		/* chosen by the engine */
	char *process;		/* raw JSON: OCI process object */
	bool tty;
	bool want_stdin, want_stdout, want_stderr;
	char *detach_keys;	/* as above */
	bool no_detach;
	bool detached;		/* no client; all output is dropped */
	uint32_t width, height;
};

/* One table for the small requests. */
struct shim_target {
	char *exec;		/* NULL or "": the container itself */
	int signal;		/* kill */
	bool all;		/* kill: every process of the container */
	uint32_t width, height;	/* resize */
	uint64_t session;	/* release */
};

struct shim_exec_state {
	char *id;
	int pid;
	bool running;
	int exit_code;
	int64_t finished;	/* ns since 1970 */
};

/* exit.json, and part of shim_state and the exit event. */
struct shim_exit {
	int pid;
	int exit_code;		/* 128 + signal when killed */
	int signal;		/* that killed it, or 0 */
	bool oom_killed;
	int64_t started, finished;	/* ns since 1970 */
	char *error;		/* what went wrong in the shim, or NULL */
	uint64_t log_dropped;	/* records that the log's disk refused */
};

struct shim_state {
	int version;		/* SHIM_VERSION of the shim */
	int shim_pid;
	char *status;		/* "empty" "created" "running" "paused" "stopped" */
	int pid;		/* of the container's first process; 0 when there is none */
	bool oom_killed;
	int64_t started;
	struct shim_exit *exit;	/* once it has stopped */
	VEC(struct shim_exec_state) execs;
	uint32_t clients;	/* attached sessions */
	uint64_t log_records, log_dropped, log_errors;
	char *log_error;	/* last failure's text, NULL after a success */
};

enum shim_event_kind {
	SHIM_EVENT_EXIT = 1,	/* .exit; exit.json is on disk */
	SHIM_EVENT_OOM,		/* a process of the container was, or is about to be, killed for memory */
	SHIM_EVENT_EXEC_EXIT,	/* .exec, .exit_code */
	SHIM_EVENT_SESSION_END,	/* .session, .reason */
	SHIM_EVENT_LOG_ERROR,	/* .error: output is being dropped; once until it works again */
	SHIM_EVENT_PAUSED,
	SHIM_EVENT_RESUMED,
};

enum shim_session_end {
	SHIM_END_EXIT = 1,	/* the container or exec ended, all its output was delivered */
	SHIM_END_DETACHED,	/* detach keys */
	SHIM_END_GONE,		/* the client closed or broke its connection */
};

struct shim_event {
	int kind;		/* enum shim_event_kind */
	int64_t time;
	char *exec;
	int pid;
	int exit_code;
	uint64_t session;
	int reason;		/* enum shim_session_end */
	char *error;
	struct shim_exit *exit;
};

extern const struct json_table shim_options_table, shim_reply_table, shim_failure_table, shim_attach_table,
	shim_exec_table, shim_spawn_table, shim_target_table, shim_exit_table, shim_state_table, shim_event_table;

/* ---- frames ---- */

struct shim_frame {
	enum shim_type type;
	char *head;		/* into the input buffer; NUL is not guaranteed */
	size_t head_len;
	char *tail;
	size_t tail_len;
	int fds[SHIM_FDS_MAX];	/* owned by who took the frame */
	size_t fd_count;
};

/* One direction's unfinished input: bytes and the fds that came with them. */
struct shim_input {
	struct buf bytes;
	int fds[SHIM_FDS_MAX * 2];
	size_t fd_count;
	size_t consumed;	/* of the frame that was handed out last */
};

/* Receive once. Returns bytes, 0 at the end, -EAGAIN, -EPROTO (too many fds) or -errno. */
ssize_t shim_input_fill(struct shim_input *in, int sock);
/*
 * The next whole frame: 1, or 0 when more bytes are needed, or -EPROTO with @err. The frame's memory lives until the next call
 * on @in; its fds are the caller's.
 */
int shim_input_next(struct shim_input *in, struct shim_frame *ret, struct err *err);
void shim_input_clear(struct shim_input *in);	/* closes fds that nobody took */
void shim_frame_close(struct shim_frame *frame);	/* closes its fds */

/* Append a frame to @out; @table and @value may be NULL for an empty head. */
void shim_frame_print(struct buf *out, enum shim_type type, size_t fd_count, const struct json_table *table,
		      const void *value, const void *tail, size_t tail_len);

const char *shim_kind_name(enum err_kind kind);
enum err_kind shim_kind_parse(const char *name);

#endif
