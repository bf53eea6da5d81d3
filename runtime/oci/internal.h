/*
 * internal - what the files of liboci share.
 */
#ifndef RUNTIME_OCI_INTERNAL_H
#define RUNTIME_OCI_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "compat/base/proc.h"
#include "compat/kernel/ns.h"
#include "compat/kernel/seccomp.h"
#include "runtime/oci/container.h"
#include "runtime/oci/exec.h"
#include "runtime/oci/spec.h"

/* ---- a container in memory ----------------------------------------------------------------------------------------------- */

/* state.json */
struct oci_state {
	char *version, *id, *bundle, *rootfs, *cgroup;
	bool no_cgroup;		/* the host has none */
	bool kept;		/* a keeper freezes and thaws it at will: that is no pause */
	int64_t address_space;	/* bytes for each process; 0: no limit, or the memory controller has it */
	int32_t pid;
	uint64_t pid_start;	/* makes the pid unique, see struct proc_ref */
	int64_t created_ns;
	uint32_t owner;
	char *boot_id;
	struct strmap annotations;
	oci_hook_vec poststart, poststop;
};

extern const struct json_table oci_state_table;

struct oci_container {
	struct oci_state state;
	char *root, *dir;	/* state directory and the container's own below it */
	struct cgroup *cg;	/* opened on demand */
	struct oci_spec *spec;	/* on demand */
	unsigned int keeps;	/* oci_create.keeps: this process is the keeper */
	int sync;		/* to the first process while it waits in this process's hands, else -1 */
	int console;		/* pty's master or -1 */
};

#define STATE_FILE "state.json"
#define CONFIG_FILE "config.json"
#define START_SOCKET "start.sock"
#define AGENT_SOCKET "agent.sock"
#define PAUSED_FILE "paused"	/* of a container that is kept: it was paused, not only frozen */

/*
 * Make the container's directory and lock it; what a killed create left there is removed first. ERR_CONFLICT when there is a container,
 * or one is being created. *ret_lock (owned) is held until the state is written.
 */
int oci_claim(const struct oci_container *c, int *ret_lock, struct err *err);
/* The control group is about to be made: whoever finds the directory without a state is to remove it. */
int oci_claim_cgroup(const struct oci_container *c, int lock, struct err *err);

int oci_state_write(const struct oci_container *c, struct err *err);
int oci_cgroup_of(struct oci_container *c, struct cgroup **ret, struct err *err);
/* The state that a hook gets on its standard input. */
void oci_hook_state(const struct oci_container *c, enum oci_status status, struct buf *out);

/* The program that seccomp's listener goes to gets the container's state with the fd. */
int oci_seccomp_notify(struct oci_container *c, const struct seccomp_spec *seccomp, pid_t pid, int notify_fd,
		       struct err *err);
/*
 * Follow a started process until it executed its program: forwards seccomp's listener. 0, or why it did not.
 */
int oci_await_exec(struct oci_container *c, int sync, pid_t pid, struct err *err);
/* poststart hooks; a failure is left in @err as a warning. */
void oci_poststart(struct oci_container *c, struct err *err);
/* Kill and reap a child of ours. */
void oci_kill_child(pid_t pid);
/* ERR_INVALID for what is no container id. */
int oci_id_check(const char *id, struct err *err);
/* Directory of compiled filters. Owned. */
char *oci_seccomp_cache(const char *root);
int oci_write_pid_file(const char *path, pid_t pid, struct err *err);

/* ---- what this host lacks ------------------------------------------------------------------------------------------------ */

/* ERR_UNSUPPORTED names what is asked for and cannot be had, in no way. */
int oci_host_check(const struct oci_spec *spec, struct err *err);
/* The part that concerns an exec too. */
int oci_host_check_process(const struct oci_process *process, struct err *err);
/* One system call, no trace. Without it all mounts of a container that asks for it are nosuid. */
bool process_has_no_new_privs(void);

/* ---- limits that the control group cannot hold: kept.c ----------------------------------------------------------------------- */

/* Take over into the state what cgroup_apply() left to us. */
void kept_note(struct oci_container *c);
/* Before an update changes anything: can it be changed in processes that run? */
int kept_check(const struct cgroup *cg, const struct cgroup_resources *res, struct err *err);
/* After cgroup_apply(@res): change it in them, and in the state for those to come. */
int kept_update(struct oci_container *c, const struct cgroup *cg, const struct cgroup_resources *res, struct err *err);

/* ---- hooks --------------------------------------------------------------------------------------------------------------- */

/*
 * Run one after the other, each with the state on standard input. Stops at the first that fails: its name, exit status or
 * timeout and the first line of its standard error make the message.
 */
int oci_hooks_run(const char *kind, const oci_hook_vec *hooks, const struct buf *state, struct err *err);

/* ---- between the caller and the container's first process ---------------------------------------------------------------- */

enum sync_kind {
	SYNC_CGROUP = 1,	/* to child: the control group is there */
	SYNC_MAPPED,		/* to child: user and group ids are mapped */
	SYNC_APPLIED,		/* to child: limits are in force */
	SYNC_HOOKED,		/* to child: hooks ran */
	SYNC_START,		/* to child */
	SYNC_RUN_HOOKS,		/* to parent: prestart and createRuntime now */
	SYNC_CONSOLE,		/* to parent: carries the pty's master */
	SYNC_NOTIFY,		/* to parent: carries seccomp's listener */
	SYNC_READY,		/* to parent: waiting for SYNC_START */
	SYNC_ERROR,		/* to parent: the last word */
};

struct sync_msg {
	uint32_t kind;
	struct err err;		/* SYNC_ERROR only */
};

/* Over a unix stream; every message has the same size. */
int sync_send(int fd, enum sync_kind kind, int attach_fd);
void sync_send_error(int fd, const struct err *err);
/*
 * Next message. *ret_fd gets what is attached, -1 for nothing; NULL refuses. -EPIPE at the other's end; a SYNC_ERROR is
 * copied to @err and returned as its -errno.
 */
int sync_recv(int fd, enum sync_kind *ret, int *ret_fd, struct err *err);
/* The same, but any other kind than @want is an error. */
int sync_expect(int fd, enum sync_kind want, struct err *err);
/* A connected pair, O_CLOEXEC. */
int sync_pair(int ret[2], struct err *err);

/* Close what the caller had open, except 0 to 2 + @preserve and @keep (in any order, negative ones are skipped). */
void close_others(int preserve, int *keep, size_t count);

/* ---- what both a first process and an exec do to themselves -------------------------------------------------------------- */

struct process_setup {
	const struct oci_process *process;
	const struct seccomp_program *seccomp;	/* NULL: none */
	int proc_fd;		/* the host's /proc; in an agent the container's, or -1 */
	bool in_agent;		/* a child of the container's agent */
	int stdio[3];		/* -1: /dev/null; ignored with a terminal */
	int console_socket;	/* -1: the master goes through @sync */
	int sync;
	int preserve_fds;	/* fds 3 to 2 + n stay open */
	int listen_fds;
	bool nosuid;		/* all of the container's mounts are: stands in for no_new_privs */
	bool no_new_keyring;
	int64_t address_space;	/* limit in bytes; 0: none but that of process->rlimits */
	bool self_limits;	/* sets its resource limits and scheduling itself; else the parent did */
	struct opt_u64 personality;
	const char *keyring;	/* name */
};

/* Standard fds from @setup->stdio, with /dev/null of the container where none was given. Before the root switch. */
int process_stdio(const struct process_setup *setup, struct err *err);
/* After the root switch: fds that are the host's /dev/null become the container's. */
int process_reopen_null(struct err *err);
int process_keyring(const struct process_setup *setup, struct err *err);
/* Everything that must not wait for the start, as root in the container: working directory, program exists. */
int process_check(const struct process_setup *setup, struct err *err);
/* Drop all privileges that are not granted, then seccomp; @before_exec runs with the container's rights. Returns on failure only. */
int process_exec(const struct process_setup *setup, int (*before_exec)(void *arg, struct err *err), void *arg,
		 struct err *err);
/* Load @setup's filter, if it has one; a listener goes through @setup->sync. */
int process_seccomp(const struct process_setup *setup, struct err *err);
/* What ps shows: replaces the arguments that oci_protect_self() saw. */
void process_title(const char *title);
/* Default actions, nothing blocked. */
void process_default_signals(void);
int process_rlimits(pid_t pid, const struct process_setup *setup, struct err *err);
/* Set a running process's address space (0: no limit). ERR_UNSUPPORTED where that is only possible from inside. */
int process_address_space(pid_t pid, int64_t bytes, struct err *err);
/* Scheduling, by the parent, for a child that may be in a user namespace without the right to do it. */
int process_scheduling(pid_t pid, const struct oci_process *process, struct err *err);
int process_oom_score(pid_t pid, const struct oci_process *process, struct err *err);

/* ---- terminal ------------------------------------------------------------------------------------------------------------ */

/*
 * Open a pty of the container's devpts, make it the controlling terminal and the standard fds, give the master away.
 *
 * @root_fd	the container's root
 * @console	bind the terminal on /dev/console too
 */
int console_setup(int root_fd, const struct process_setup *setup, bool console, struct err *err);

/* ---- the first process --------------------------------------------------------------------------------------------------- */

struct init {
	const struct oci_spec *spec;
	const struct oci_container *container;
	struct process_setup setup;
	int sync;
	int listen_socket;	/* start.sock, or -1 */
	int agent_socket;	/* agent.sock: leave an agent behind which serves it; -1: none is needed */
	struct cgroup *cg;	/* NULL: the host has none */
	bool cgroup_born;	/* in its group since clone() */
	struct ns_set join;	/* by path, what the child joins by itself */
	bool new_ns[NS_COUNT], listed_ns[NS_COUNT];
	unsigned int made_ns;	/* of new_ns: made already, we were born in them (1 << enum ns_kind) */
	bool no_pivot;
	bool made_devices;	/* user namespaces: on what is mounted over the container's directory, named by their index */
	bool start;		/* do not wait for SYNC_START */
	int proc_fd, root_fd;
	int devices_fd;		/* of made_devices, or -1 */
	VEC(int) source_fds;	/* user namespaces: bind sources, opened while we may; parallel to spec->mounts */
	VEC(int) late_ro;	/* mounts to make read-only at the end */
};

struct device_node {
	const char *path;	/* in the container */
	mode_t mode;		/* with type */
	dev_t number;
	uint32_t uid, gid;	/* the container's ids */
	bool has_mode, has_owner; /* that is asked for */
};

/* Those that every container has, then those listed; false when there is no @index. */
bool device_node_get(const struct oci_spec *spec, size_t index, struct device_node *ret);
/* Is @st that device, whosever it may be? */
bool device_node_is(const struct device_node *n, const struct stat *st);

/* Never returns. */
void init_main(struct init *init) __attribute__((noreturn));

/* Open @path in the root for a mount, and make it where it is missing. */
int init_open_place(int root_fd, const char *path, bool directory, int *ret_fd, bool *ret_existed, struct err *err);

/* Stages of it, in init_mounts.c, init_cgroups.c and init_devices.c */
int init_rootfs(struct init *init, struct err *err);
int init_mounts(struct init *init, struct err *err);
int init_cgroup_mount(struct init *init, const struct oci_mount *m, struct err *err);
int init_devices(struct init *init, struct err *err);
int init_protected_paths(struct init *init, struct err *err);
int init_readonly(struct init *init, struct err *err);
int init_switch_root(struct init *init, struct err *err);

#endif
