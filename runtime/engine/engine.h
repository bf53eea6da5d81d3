/*
 * engine - containers: what they are, what may be done to them, and how they survive the daemon.
 *
 * The engine composes images, storage, networks, volumes, logs and shims. Every container has a directory HOME/containers/ID
 * with container.json (its record, replaced atomically), the files that it sees as /etc/hosts and so on, its log, and
 * exit.json, which its shim writes. The record's phase says what was going on when a daemon died: engine_open() finishes or
 * undoes it, adopts what runs, and removes what belongs to nobody.
 *
 * Locks: one of each container for operations (start, remove, pause, what follows an exit), one of each container for its
 * fields, one for the table. An operation's lock is never waited for while another lock is held; a container's fields may be
 * locked while the table is, not the other way round.
 *
 * Containers are named by id, name, or unambiguous prefix of an id; ERR_NOT_FOUND says "no such container". All functions
 * may be called from any thread at once.
 */
#ifndef RUNTIME_ENGINE_ENGINE_H
#define RUNTIME_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"
#include "runtime/api/archive.h"
#include "runtime/api/container.h"
#include "runtime/api/container_config.h"
#include "runtime/api/exec.h"
#include "runtime/api/system.h"

struct engine;
struct image_store;
struct net;
struct volume_store;

/* Borrowed until engine_close(). NULL members stand for what pouchd's options call the default. */
struct engine_options {
	const char *home, *exec_root;
	const char *cgroup_parent;		/* "default" */
	const char *default_runtime;		/* "runc": the built-in one */
	const struct strv *runtimes;		/* "name=path" */
	const char *log_driver;
	const struct strv *log_opts;		/* "key=value" */
	const char *snapshotter;		/* storage driver; NULL: the best that works */
	const struct strv *storage_opts;	/* "key=value", for that driver */
	const char *default_registry, *default_registry_namespace, *image_proxy;
	const struct strv *insecure_registries;	/* and image_proxy: for the call; later image_store_set_registry() */
	const char *bridge_name, *bip, *fixed_cidr, *default_gateway, *fixed_cidr6, *default_gateway6;
	bool disable_bridge, iptables, ip_forward, userland_proxy;
	int mtu;
	void (*warn)(const char *message);	/* what happens without a caller: restarts that fail, leftovers */
	/* Called when the home is this process's, before anything else of the host is changed; NULL: not. An error ends engine_open(). */
	int (*claimed)(void *arg, struct err *err);
	void *claimed_arg;
};

/*
 * Take the home (one daemon a home: ERR_CONFLICT), recover, and restart what its policy wants running. An error leaves every
 * running container as it is.
 */
int engine_open(const struct engine_options *options, struct engine **ret, struct err *err);
/* Wake all who wait (logs, events, wait); containers live on. The process is to end next. */
void engine_shutdown(struct engine *e);
void engine_close(struct engine *e);
bool engine_is_stopping(struct engine *e);

struct image_store *engine_images(struct engine *e);
struct net *engine_net(struct engine *e);
struct volume_store *engine_volumes(struct engine *e);

/* Somebody may lose interest while a call waits: polled about once a second. */
struct cancel {
	bool (*is_canceled)(void *arg);
	void *arg;
};

/* Pouch's API and docker's say some things in other words: names with a slash, "stopped" for "exited". */
enum dialect { DIALECT_POUCH, DIALECT_DOCKER };

/* ---- life -------------------------------------------------------------------------------------------------------------------- */

/*
 * @name	NULL or "": one is made up
 *
 * Everything is checked before anything is made: an option that this host cannot honour is ERR_UNSUPPORTED and named.
 * ERR_NOT_FOUND without the image, ERR_CONFLICT for a name in use.
 */
int container_create(struct engine *e, const char *name, const struct api_container_create *create,
		     struct api_container_created *ret, struct err *err);
/* ERR_NOT_MODIFIED when it runs. A failure leaves nothing behind and is kept in State.Error. */
int container_start(struct engine *e, const char *ref, struct err *err);

#define STOP_TIMEOUT_DEFAULT INT64_MIN	/* the container's own, else 10 s */

/* @timeout seconds until SIGKILL; below 0: never. ERR_NOT_MODIFIED when it does not run. */
int container_stop(struct engine *e, const char *ref, int64_t timeout, struct err *err);
int container_restart(struct engine *e, const char *ref, int64_t timeout, struct err *err);
/* @sig 0: SIGKILL, and wait for its end. ERR_CONFLICT when it does not run. */
int container_kill(struct engine *e, const char *ref, int sig, struct err *err);
int container_pause(struct engine *e, const char *ref, struct err *err);
int container_unpause(struct engine *e, const char *ref, struct err *err);
int container_rename(struct engine *e, const char *ref, const char *name, struct err *err);

struct container_remove {
	bool force;	/* kill it first */
	bool volumes;	/* its anonymous volumes too */
};

int container_remove(struct engine *e, const char *ref, const struct container_remove *how, struct err *err);

/* @ret_warnings: what was not done to the letter */
int container_update(struct engine *e, const char *ref, const struct api_container_update *update,
		     struct strv *ret_warnings, struct err *err);

enum wait_condition { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };

struct container_wait;

/* Begin to look before the container is started, so that no exit is missed; then block. */
int container_wait_begin(struct engine *e, const char *ref, enum wait_condition condition,
			 struct container_wait **ret, struct err *err);
/* ERR_CANCELED, or 0 and the exit code. */
int container_wait_end(struct container_wait *w, const struct cancel *cancel, int *ret_code, struct err *err);
void container_wait_free(struct container_wait *w);
DEFINE_AUTO(container_wait_free, struct container_wait *)

/* ---- looking at them ---------------------------------------------------------------------------------------------------------- */

int container_inspect(struct engine *e, const char *ref, enum dialect dialect, bool size,
		      struct api_container *ret, struct err *err);

struct container_list {
	bool all;		/* also those that do not run */
	bool size;
	int64_t limit;		/* 0: none */
	const char *filters;	/* JSON: {"name":["x"]} or {"name":{"x":true}}; NULL */
	enum dialect dialect;
};

/* Appends the JSON array of api_container_summary, newest first. */
int container_list(struct engine *e, const struct container_list *list, struct buf *ret, struct err *err);

/* @ps_args: options for ps(1); NULL: "-ef" */
int container_top(struct engine *e, const char *ref, const char *ps_args, struct api_top *ret, struct err *err);

/* Appends docker's stats object. @previous: CPU numbers of the call before, kept by the caller; zero at first. */
struct container_cpu {
	uint64_t total_ns, user_ns, system_ns, host_ns;
	uint64_t periods, throttled_periods, throttled_ns;
	int64_t read_ns;
};
int container_stats(struct engine *e, const char *ref, struct container_cpu *previous, struct buf *ret,
		    struct err *err);

/* 404 or 409 beforehand, so that an upgraded connection need not carry it. @ret_tty: frames or plain. */
int container_attach_check(struct engine *e, const char *ref, bool *ret_tty, struct err *err);

struct container_attach {
	bool in, out, err, logs, stream;
	const char *detach_keys;	/* NULL: default */
	const char *early;		/* what the client sent already */
	size_t early_len;
};

/* The socket is handed over, also on failure; the session lives in the shim. Before a start it waits for that. */
int container_attach(struct engine *e, const char *ref, const struct container_attach *how, int sock,
		     struct err *err);
int container_resize(struct engine *e, const char *ref, uint32_t rows, uint32_t cols, struct err *err);

struct container_logs {
	bool out, err, follow, timestamps, details;
	const char *since, *until;	/* as time_parse_when() takes them; NULL */
	const char *tail;		/* number or "all"; NULL */
};

struct container_log;

/* ERR_INVALID with neither stream, or for a driver that cannot be read. */
int container_logs_open(struct engine *e, const char *ref, const struct container_logs *how,
			struct container_log **ret, bool *ret_tty, struct err *err);
/* Frames, or plain bytes of a terminal. 0 at the end, -errno. */
ssize_t container_logs_read(struct container_log *log, char *dst, size_t max, const struct cancel *cancel);
void container_logs_close(struct container_log *log);
DEFINE_AUTO(container_logs_close, struct container_log *)

/* ---- files ---------------------------------------------------------------------------------------------------------------------- */

/*
 * Paths are the container's; the container may run, be paused or not run. Nothing that it does meanwhile, and nothing in an archive, leads
 * out of its root. ERR_NOT_FOUND: no such path. Files of the kernel (/proc, /sys ...) count as not there.
 */
int container_path_stat(struct engine *e, const char *ref, const char *path, struct api_path_stat *ret, struct err *err);
/* Write a tar archive of what is at @path to @fd; its entries begin with the path's last component ("." after "/."). */
int container_archive(struct engine *e, const char *ref, const char *path, int fd, struct err *err);

struct container_extract {
	const char *path;	/* of an existing directory; links are followed */
	bool keep_kinds;	/* a directory is not replaced by what is none, nor the other way round: ERR_INVALID */
	bool to_user;		/* files become the container's user's, if it has one; else they keep the archive's owner */
};

/* Unpack the archive that @fd gives (plain, gzip, bzip2, xz, zstd). ERR_FORBIDDEN where it is mounted read-only. */
int container_extract(struct engine *e, const char *ref, const struct container_extract *how, int fd, struct err *err);

/* ---- exec --------------------------------------------------------------------------------------------------------------------- */

int exec_create(struct engine *e, const char *ref, const struct api_exec_create *create, char **ret_id,
		struct err *err);
/* ERR_CONFLICT when it ran already. */
int exec_start_check(struct engine *e, const char *id, bool *ret_tty, struct err *err);
/* @sock -1: detached. Handed over, also on failure. */
int exec_start(struct engine *e, const char *id, const struct api_exec_start *start, const char *early,
	       size_t early_len, int sock, struct err *err);
int exec_inspect(struct engine *e, const char *id, struct api_exec *ret, struct err *err);
int exec_resize(struct engine *e, const char *id, uint32_t rows, uint32_t cols, struct err *err);

/* ---- the host ----------------------------------------------------------------------------------------------------------------- */

/* Fills what the engine knows: counts, drivers, kernel, compat. */
int engine_info(struct engine *e, struct api_info *ret, struct err *err);
struct image;
/* GraphDriver of an image. */
void engine_image_driver(struct engine *e, const struct image *image, struct api_driver_data *ret);
/* How many containers were made of an image. */
size_t engine_image_users(struct engine *e, const char *image_id);
/* Who uses an image, for image_removal.in_use; a struct engine * as void *. */
int engine_image_use(void *engine, const char *image_id, char **ret_container);

/* ---- events -------------------------------------------------------------------------------------------------------------------- */

struct events;
struct event_reader;

struct event_query {
	const char *since, *until;	/* as time_parse_when(); NULL */
	const char *filters;		/* JSON */
	enum dialect dialect;
};

int events_open(struct engine *e, const struct event_query *query, struct event_reader **ret, struct err *err);
/* Appends lines of JSON. Blocks for the first; 0 at the end, else 1; ERR_CANCELED. */
int events_read(struct event_reader *r, const struct cancel *cancel, struct buf *ret, struct err *err);
void events_close(struct event_reader *r);
DEFINE_AUTO(events_close, struct event_reader *)

/* For what is not a container: @type "image", "network", "volume", "daemon". @attributes may be NULL. */
void engine_event(struct engine *e, const char *type, const char *action, const char *id,
		  const struct strmap *attributes);

#endif
