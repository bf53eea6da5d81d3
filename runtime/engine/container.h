/*
 * container - one container inside the engine: its record on disk, its locks, its place in the table.
 */
#ifndef RUNTIME_ENGINE_CONTAINER_H
#define RUNTIME_ENGINE_CONTAINER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "compat/base/json.h"
#include "compat/base/time.h"
#include "runtime/engine/engine.h"
#include "runtime/net/net.h"

struct keeper;

/* What is being done, or was being done when a daemon died. */
enum phase { PHASE_CREATING, PHASE_IDLE, PHASE_STARTING, PHASE_RUNNING, PHASE_REMOVING, PHASE_COUNT };

/* A mount that the user, the image or another container asked for, sources resolved. */
struct mount_record {
	char *type;		/* bind, volume, tmpfs */
	char *name;		/* of a volume */
	char *source;		/* absolute host path */
	char *destination;	/* absolute, cleaned */
	char *mode;		/* as given */
	bool read_only, no_copy, anonymous;
	char *propagation;	/* NULL: rprivate */
	char *relabel;		/* "z", "Z" or NULL */
	char *options;		/* tmpfs: "size=64m,mode=1777" */
};

typedef VEC(struct mount_record) mount_records;

/* container.json */
struct container_record {
	char *id, *name;
	int64_t created;		/* ns */
	char *phase;			/* "creating", ...: enum phase in words */
	char *boot_id;			/* of the last start */
	char *path;			/* program and arguments, resolved with the image's */
	struct strv args;
	char *image_id;			/* "sha256:..." */
	char *top_layer;		/* chain ID, NULL for an empty image */
	char *driver;			/* storage */
	char *runtime;			/* path of a foreign OCI runtime, NULL: built-in */
	struct strv runtime_args;
	struct api_container_config config;	/* merged with the image's */
	struct api_host_config host;
	struct api_networking_config networking;
	struct api_container_state state;
	int64_t restart_count;
	bool user_stopped;		/* by stop or kill: no restart policy applies */
	bool has_started;
	mount_records mounts;
	char *mount_label, *process_label, *app_armor;
	char *log_path;			/* once it was started */
	struct net_endpoint *endpoint;	/* while it has one */
};

extern const struct json_table container_record_table;
extern const struct json_table mount_record_table;

/* A client that attached before the start. */
struct pending_attach {
	struct container_attach how;	/* strings owned */
	int sock;
};

#define ROW_VARIANTS 2	/* enum dialect */

struct row_cache {
	char *text;
	size_t len;
	char status[64];	/* what is said in it */
};

struct container {
	struct engine *engine;
	atomic_int refs;
	char id[65];			/* never changes; the record's is the same */

	pthread_mutex_t op;		/* one operation at a time */

	pthread_mutex_t lock;		/* all below */
	pthread_cond_t changed;		/* state, exits, removed */
	struct container_record rec;
	enum phase phase;
	struct keeper *keeper;		/* while it has a shim */
	uint64_t generation;		/* counts starts: an exit belongs to one */
	uint64_t exits;
	bool removed;			/* no longer in the table */
	unsigned int restart_delay_ms;	/* the next one of the restart policy */
	bool restart_pending;
	bool health_gone;
	VEC(struct pending_attach) pending;
	struct row_cache rows[ROW_VARIANTS];
};

struct container *container_new(struct engine *e, const char *id);
struct container *container_get(struct container *c);
void container_put(struct container *c);
DEFINE_AUTO(container_put, struct container *)

/* With the lock held, unless it is not yet in the table. */
bool container_is_running(const struct container *c);	/* paused counts */
const char *phase_name(enum phase phase);
int phase_parse(const char *name);
/*
 * Write the record. Not fsynced: a killed daemon loses nothing by that, and a host that loses power finds the record of
 * before, whose state engine_open() corrects.
 */
int container_save(struct container *c, struct err *err);
int container_load(struct engine *e, const char *id, struct container **ret, struct err *err);
/* Call after every change that inspect or list show: wakes waiters, drops rendered rows. */
void container_changed(struct container *c);

/* Owned paths: HOME/containers/ID[/file], EXEC_ROOT/ID[/file] */
char *container_path(const struct container *c, const char *file);
char *container_exec_path(const struct container *c, const char *file);
/* "default/ID" as cgroup_open() takes it; owned */
char *container_cgroup(const struct container *c);

/* ---- table -------------------------------------------------------------------------------------------------------------------- */

int table_find(struct engine *e, const char *ref, struct container **ret, struct err *err);
/* ERR_CONFLICT for a name or id that is in use. The table takes a reference of its own. */
int table_add(struct engine *e, struct container *c, struct err *err);
void table_del(struct engine *e, struct container *c);
/* Owned references of all, newest first. */
typedef VEC(struct container *) container_vec;
void table_all(struct engine *e, container_vec *ret);
void container_vec_clear(container_vec *v);
DEFINE_AUTO_CLEAR(container_vec_clear, container_vec)
int table_rename(struct engine *e, struct container *c, const char *name, struct err *err);

/* ---- what follows an exit; see exit.c -------------------------------------------------------------------------------------------- */

/* "start", "die": appends attributes as docker does. Without the lock held. */
void container_event(struct container *c, const char *action, const char *key, const char *val);

#endif
