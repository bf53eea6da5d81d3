/*
 * exec_backend - the ways to start a process inside a running container.
 *
 * "setns" joins the container's namespaces with a child of the caller. Where the kernel has no setns, a process that was left
 * inside when the container was made has to do it on request.
 */
#ifndef RUNTIME_OCI_EXEC_BACKEND_H
#define RUNTIME_OCI_EXEC_BACKEND_H

#include "compat/base/fit.h"
#include "runtime/oci/exec.h"

struct exec_backend {
	const char *name;
	struct fit (*probe)(struct oci_container *c);
	/* As oci_exec(); @process and @options are checked, the container runs. */
	int (*start)(struct oci_container *c, const struct oci_process *process, const struct oci_exec *options,
		     pid_t *ret_pid, int *ret_console, struct err *err);
};

extern const struct exec_backend exec_backend_setns;

/* Best first, NULL at the end. */
extern const struct exec_backend *const exec_backends[];

#endif
