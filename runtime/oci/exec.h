/*
 * exec - one more process in a running container.
 *
 * How to get into the namespaces is a backend (compat/kernel/ns.h): setns where the kernel has it; the agent, which was left inside
 * at create time, elsewhere.
 */
#ifndef RUNTIME_OCI_EXEC_H
#define RUNTIME_OCI_EXEC_H

#include "runtime/oci/container.h"
#include "runtime/oci/spec.h"

struct oci_exec {
	int stdio[3];		/* -1: /dev/null; not used with process.terminal. Stay the caller's */
	int console_socket;	/* connected unix socket for the pty's master, or -1: *ret_console */
	const char *pid_file;
	const char *cgroup;	/* group below the container's, must exist; NULL: the container's own */
	int preserve_fds;
	bool ignore_paused;	/* else a paused container is ERR_CONFLICT */
	bool no_new_keyring;
};

#define OCI_EXEC_INIT ((struct oci_exec){.stdio = {-1, -1, -1}, .console_socket = -1})

/*
 * Returns when the program was executed, or why not (ERR_NOT_FOUND and ERR_FORBIDDEN for the program itself: exit codes 127 and
 * 126). The process is the caller's child: wait for it. The container's seccomp, masks and limits apply.
 *
 * @process	all of it must be filled in (see oci_exec_defaults())
 * @ret_pid	in the caller's pid namespace
 * @ret_console	the pty's master, owned; NULL when there is no terminal or a console socket
 */
int oci_exec(struct oci_container *c, const struct oci_process *process, const struct oci_exec *options,
	     pid_t *ret_pid, int *ret_console, struct err *err);

/* The container's own process with its arguments and terminal taken out: what `exec` without options inherits. Deep copy. */
int oci_exec_defaults(struct oci_container *c, struct oci_process *ret, struct err *err);

#endif
