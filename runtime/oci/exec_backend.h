/*
 * exec_backend - the ways to start a process inside a running container.
 *
 * "setns" joins the container's namespaces with a child of the caller. Where the kernel cannot join all of them, the container was left a
 * process inside when it was made, the "agent", which forks on request.
 */
#ifndef RUNTIME_OCI_EXEC_BACKEND_H
#define RUNTIME_OCI_EXEC_BACKEND_H

#include "compat/base/fit.h"
#include "runtime/oci/exec.h"

struct exec_backend {
	const char *name;
	struct fit (*probe)(struct oci_container *c);
	/* As oci_exec(); @process and @options are checked, the container runs, @err is not NULL. */
	int (*start)(struct oci_container *c, const struct oci_process *process, const struct oci_exec *options,
		     struct oci_exec_started *ret, struct err *err);
};

extern const struct exec_backend exec_backend_setns, exec_backend_agent;

/* Best first, NULL at the end. */
extern const struct exec_backend *const exec_backends[];

/* Can setns join all namespaces of a container like @spec? If not, it must be left an agent when it is made. */
struct fit exec_setns_fit(const struct oci_spec *spec);

/*
 * Where @options wants the process: below the container's group (owned, to close); NULL when it asks for none, so the group itself.
 */
int exec_group_below(const struct oci_container *c, const struct oci_exec *options, struct cgroup **ret, struct err *err);

#endif
