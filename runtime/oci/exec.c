/*
 * exec.c - one more process in a container: what is the same whoever starts it
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "runtime/oci/exec_backend.h"
#include "runtime/oci/internal.h"

const struct exec_backend *const exec_backends[] = {&exec_backend_setns, &exec_backend_agent, NULL};

static int check_state(struct oci_container *c, const struct oci_exec *options, struct err *err)
{
	enum oci_status status = oci_container_status(c);

	if (status == OCI_STOPPED)
		return err_set(err, ERR_CONFLICT, "cannot exec in a stopped container");
	if (status == OCI_PAUSED && !options->ignore_paused)
		return err_set(err, ERR_CONFLICT, "cannot exec in a paused container (use --ignore-paused to override)");
	for (int i = 3; i < 3 + options->preserve_fds; i++)
		if (fcntl(i, F_GETFD) < 0)
			return err_set(err, ERR_INVALID, "%d fds shall be preserved, but fd %d is not open",
				       options->preserve_fds, i);
	return 0;
}

int exec_group_below(const struct oci_container *c, const struct oci_exec *options, struct cgroup **ret, struct err *err)
{
	AUTO(cgroup_close) struct cgroup *cg = NULL;
	int rc;

	*ret = NULL;
	if (!options->cgroups || !options->cgroups[0])
		return 0;
	rc = cgroup_open(c->state.cgroup, &cg, err);
	if (!rc)
		rc = cgroup_descend(cg, options->cgroups, err);
	if (rc)
		return err_wrap(err, rc, "--cgroup");
	*ret = take(cg);
	return 0;
}

int oci_exec(struct oci_container *c, const struct oci_process *process, const struct oci_exec *options,
	     struct oci_exec_started *ret, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct fit why = {0};
	int rc;

	if (!err)
		err = &ignored;
	rc = oci_process_check(process, err);
	if (!rc)
		rc = oci_host_check_process(process, err);
	if (!rc)
		rc = check_state(c, options, err);
	if (rc)
		return rc;
	for (size_t i = 0; exec_backends[i]; i++) {
		why = exec_backends[i]->probe(c);
		if (why.score > FIT_NO)
			return exec_backends[i]->start(c, process, options, ret, err);
	}
	return err_set(err, ERR_UNSUPPORTED, "join-namespaces: no process can be started in container '%s': %s", c->state.id,
		       why.reason);
}

int oci_exec_defaults(struct oci_container *c, struct oci_process *ret, struct err *err)
{
	const struct oci_spec *spec;
	int rc = oci_container_spec(c, &spec, err);

	if (rc)
		return rc;
	if (!spec->process)
		return err_set(err, ERR_INVALID, "container '%s' was created without a process", c->state.id);
	json_copy(&oci_process_table, ret, spec->process);
	strv_clear(&ret->args);
	ret->terminal = false;
	if (ret->console_size) {
		free(ret->console_size);
		ret->console_size = NULL;
	}
	return 0;
}
