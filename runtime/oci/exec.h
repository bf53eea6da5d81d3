/*
 * exec - one more process in a running container.
 *
 * How to get into the namespaces is a backend (compat/kernel/ns.h): setns where the kernel has it; the agent, which was left inside
 * at create time, elsewhere.
 */
#ifndef RUNTIME_OCI_EXEC_H
#define RUNTIME_OCI_EXEC_H

#include <stdint.h>

#include "runtime/oci/container.h"
#include "runtime/oci/spec.h"

struct oci_exec {
	int stdio[3];		/* -1: /dev/null; not used with process.terminal. Stay the caller's */
	int console_socket;	/* connected unix socket for the pty's master, or -1: *ret_console */
	const char *pid_file;
	const char *const *cgroups; /* groups below the container's, as cgroup_descend() takes them; NULL: the container's own */
	int preserve_fds;
	bool ignore_paused;	/* else a paused container is ERR_CONFLICT */
	bool no_new_keyring;
};

#define OCI_EXEC_INIT ((struct oci_exec){.stdio = {-1, -1, -1}, .console_socket = -1})

struct oci_exec_started {
	pid_t pid;		/* in the caller's pid namespace */
	int console;		/* the pty's master, owned; -1 without a terminal, or when it went to a console socket */
	int exit_fd;		/* -1: the process is the caller's child, who waits for it */
	uint64_t start;		/* with an exit_fd: when it started, for struct proc_ref */
};

/*
 * Returns when the program was executed, or why not (ERR_NOT_FOUND and ERR_FORBIDDEN for the program itself: exit codes 127 and
 * 126). The container's seccomp, masks and limits apply.
 *
 * By setns the process is the caller's child. By the agent it is the agent's: then @ret->exit_fd (owned) is readable when it has ended, and
 * oci_exec_status() takes the status from there.
 *
 * By the agent a process gets no capability that the container's bounding set lacks (ERR_UNSUPPORTED), and none can be started in a paused
 * container (ERR_CONFLICT).
 *
 * @process	all of it must be filled in (see oci_exec_defaults())
 */
int oci_exec(struct oci_container *c, const struct oci_process *process, const struct oci_exec *options,
	     struct oci_exec_started *ret, struct err *err);

/*
 * How the process ended, as waitpid() gives it; waits for the end, and closes exit_fd. When the agent died before it could tell, the process is killed, as
 * nobody would ever know of its end, and the status is that of SIGKILL.
 */
int oci_exec_status(struct oci_exec_started *started);

/* The container's own process with its arguments and terminal taken out: what `exec` without options inherits. Deep copy. */
int oci_exec_defaults(struct oci_container *c, struct oci_process *ret, struct err *err);

#endif
