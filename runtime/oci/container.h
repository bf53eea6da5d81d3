/*
 * container - liboci: from a bundle to a running container and back.
 *
 * The caller is the parent of the container's first process, must have a single thread and must not change its children's
 * SIGCHLD to "ignore". A container whose create fails leaves no process, cgroup, mount or directory.
 *
 * On disk a container is <root>/<id>/: state.json (what `state` and later commands need), config.json (what it was created from;
 * the bundle may change) and, when another process shall start it, start.sock.
 *
 * Spec:    OCI runtime-spec 1.1, runtime.md
 */
#ifndef RUNTIME_OCI_CONTAINER_H
#define RUNTIME_OCI_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"
#include "compat/base/json.h"
#include "compat/kernel/cgroup.h"

#define OCI_DEFAULT_ROOT "/run/pouch-oci"

struct oci_container;
struct oci_spec;

struct oci_create {
	const char *id;		/* [A-Za-z0-9_+.-]{1,1024} */
	const char *bundle;	/* directory with config.json; NULL: the current one */
	const char *root;	/* state directory, made 0711 when absent; NULL: OCI_DEFAULT_ROOT */
	int stdio[3];		/* -1: /dev/null; not used with process.terminal. Stay the caller's */
	int console_socket;	/* connected unix socket to send the pty's master to, or -1: oci_container_console() */
	const char *pid_file;	/* NULL: none. Replaced atomically */
	bool no_pivot;		/* MS_MOVE and chroot instead of pivot_root */
	bool no_new_keyring;	/* stay in the caller's session keyring */
	int preserve_fds;	/* fds 3 to 2 + n go to the container */
	int listen_fds;		/* LISTEN_FDS: fds 3 to 2 + n go too and the variables are set; 0: none */
	bool start_by_other;	/* make start.sock, so that another process can start it */
	bool start;		/* start it in the same go: cheaper than oci_start() after; returns as that does */
	bool no_console;	/* nobody would hold a terminal: ERR_INVALID for process.terminal without console_socket */
	unsigned int keeps;	/* CGROUP_KEEPS_*: limits that the caller enforces while the container lives, see oci_container_cgroup() */
	const char *seccomp_cache; /* directory; NULL: below @root */
	const char *config;	/* its file, an absolute path or one from @bundle; NULL: config.json */
	/*
	 * Where this kernel cannot join network, IPC and UTS namespaces later, only who is in them can start others there: this thread, if it
	 * may leave the host's. Masks of 1 << enum ns_kind.
	 *
	 * @left	kinds of which it has left the host's; new ones of @id are made by it, and added. NULL: it stays where it is. Only
	 *		for a thread that serves one container, while no other thread runs. Hooks must run in the host's: with such it stays, too
	 * @entered	kinds of another container's that it is in already: where config.json names a path, that is them
	 */
	unsigned int *left, entered;
	/* "warning": it is not quite as asked; "debug": what is done next. NULL: nobody wants to know */
	void (*note)(const char *level, const char *message);
};

/* All fields as above say for "nothing special". */
#define OCI_CREATE_INIT                                                                                          \
	((struct oci_create){.stdio = {-1, -1, -1}, .console_socket = -1})

enum oci_status { OCI_CREATING, OCI_CREATED, OCI_RUNNING, OCI_PAUSED, OCI_STOPPED };

const char *oci_status_name(enum oci_status status);	/* "created", ... */

/* Everything is set up, the first process waits for oci_start(). Errors name the stage and the object. */
int oci_create(const struct oci_create *create, struct oci_container **ret, struct err *err);
/* Let it run. Returns when the program was executed (or an error that says why not). ERR_CONFLICT unless created. */
int oci_start(struct oci_container *c, struct err *err);

/* Find it again by its directory. ERR_NOT_FOUND. */
int oci_load(const char *root, const char *id, struct oci_container **ret, struct err *err);
/* Memory only; the container is not touched. */
void oci_container_free(struct oci_container *c);
DEFINE_AUTO(oci_container_free, struct oci_container *)

/*
 * Where a container's agent listens (see compat/kernel/ns_agent.h) when it has one: where this kernel cannot join all of its namespaces.
 * @root as in struct oci_create. Owned.
 */
char *oci_agent_path(const char *root, const char *id);

const char *oci_container_id(const struct oci_container *c);
pid_t oci_container_pid(const struct oci_container *c);	/* in the caller's pid namespace */
/* The pty's master; the caller owns it from now on. -1: there is none, or it was sent or taken. */
int oci_container_console(struct oci_container *c);
/* Borrowed. For stats, OOM notice and the like; NULL where the host has no cgroups. */
struct cgroup *oci_container_cgroup(struct oci_container *c);
const char *oci_container_bundle(const struct oci_container *c);
const char *oci_container_rootfs(const struct oci_container *c);
int64_t oci_container_created_ns(const struct oci_container *c);	/* since 1970 */
uint32_t oci_container_owner(const struct oci_container *c);
const struct strmap *oci_container_annotations(const struct oci_container *c);
/* The config.json it was created from, parsed at the first call and kept by @c. */
int oci_container_spec(struct oci_container *c, const struct oci_spec **ret, struct err *err);
enum oci_status oci_container_status(struct oci_container *c);

/*
 * @all		every process of the container instead of the first alone
 *
 * ERR_CONFLICT "container not running" when it is stopped (unless @all: strays are signalled).
 */
int oci_kill(struct oci_container *c, int sig, bool all, struct err *err);
/* ERR_CONFLICT too for one whose keeper freezes and thaws it by itself, unless the caller is the keeper (oci_create.keeps). */
int oci_pause(struct oci_container *c, struct err *err);
int oci_resume(struct oci_container *c, struct err *err);
int oci_update(struct oci_container *c, const struct cgroup_resources *res, struct err *err);
/* Pids in the container, in the caller's pid namespace. */
int oci_processes(struct oci_container *c, pid_vec *ret, struct err *err);

/*
 * Remove cgroup, directory and what else is left; runs poststop hooks (their failure is written to @err and 0 returned).
 *
 * @force	kill it first when it runs; else ERR_CONFLICT
 */
int oci_delete(struct oci_container *c, bool force, struct err *err);

/*
 * Remove what a create that was killed left where there is no state yet: directory, control group, processes in that. Absent is fine.
 * ERR_CONFLICT while the creator is alive.
 */
int oci_delete_unfinished(const char *root, const char *id, struct err *err);

/* The runtime's state as the specification's JSON and, with @extended, as `runc state` prints it (rootfs, created, owner). */
void oci_state_print(struct oci_container *c, bool extended, struct buf *out);

/* Ids below @root, sorted; those without a readable state too. An absent @root has none. */
int oci_list(const char *root, struct strv *ret, struct err *err);

/*
 * Call first in main() of a program that creates or joins containers: makes sure that what runs is not a file that a
 * container could write through /proc/PID/exe, by executing a read-only view of it (detached read-only mount, sealed memfd, unlinked
 * copy: the first that works). Returns when that is so already; does not return when it executes.
 *
 * CVE-2019-5736
 */
int oci_protect_self(char **argv, struct err *err);
/*
 * The view of @program that oci_protect_self() would execute, made once by somebody who starts it often: executed as /proc/self/fd/N it
 * finds itself protected, and all its processes share the view's memory. @ret_fd is O_CLOEXEC and owned.
 */
int oci_protected_view(const char *program, int *ret_fd, struct err *err);

#endif
