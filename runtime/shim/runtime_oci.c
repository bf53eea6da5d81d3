/*
 * runtime_oci - containers made by liboci in this process, which so is the parent of their first process
 */
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/oci/container.h"
#include "runtime/oci/exec.h"
#include "runtime/shim/keeper.h"

struct creation {
	struct oci_create options;
	struct oci_container *container;
	struct err *err;
	int rc;
};

static void run(void *arg)
{
	struct creation *x = arg;

	x->rc = oci_create(&x->options, &x->container, x->err);
}

static int create(struct keeper *k, const struct io_ends *ends, pid_t *ret_pid, int *ret_console, struct err *err)
{
	struct creation x = {.options = OCI_CREATE_INIT, .err = err};
	struct oci_create *o = &x.options;
	int rc;

	if (k->options.systemd_cgroup)
		return err_set(err, ERR_UNSUPPORTED, "systemd cgroups need another runtime; leave systemd-cgroup out");
	o->id = k->options.id;
	o->bundle = k->options.bundle;
	o->root = str_empty(k->options.runtime_root) ? NULL : k->options.runtime_root;
	o->no_pivot = k->options.no_pivot;
	o->no_new_keyring = k->options.no_new_keyring;
	o->keeps = CGROUP_KEEPS_CPU | CGROUP_KEEPS_TASKS;
	o->left = &k->left;
	memcpy(o->stdio, ends->fd, sizeof(o->stdio));
	rc = share_mask(&k->options.entered, &o->entered, err);
	if (rc == 0)
		rc = share_run(k, run, &x, err);
	if (rc < 0 || x.rc < 0)
		return rc < 0 ? rc : x.rc;
	k->runtime_state = x.container;
	*ret_pid = oci_container_pid(x.container);
	*ret_console = oci_container_console(x.container);
	return 0;
}

static int start(struct keeper *k, struct err *err)
{
	return oci_start(k->runtime_state, err);
}

static int send_signal(struct keeper *k, int sig, bool all, struct err *err)
{
	return oci_kill(k->runtime_state, sig, all, err);
}

static int set_paused(struct keeper *k, bool pause, struct err *err)
{
	return pause ? oci_pause(k->runtime_state, err) : oci_resume(k->runtime_state, err);
}

static int update(struct keeper *k, const char *json, size_t len, struct err *err)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	int rc = json_parse(&cgroup_resources_table, json, len, 0, "resources", &res, err);

	return rc < 0 ? rc : oci_update(k->runtime_state, &res, err);
}

static int exec(struct keeper *k, const struct shim_exec *request, const struct io_ends *ends,
		struct oci_exec_started *ret, struct err *err)
{
	AUTO(oci_process_clear) struct oci_process process = {0};
	struct oci_exec options = OCI_EXEC_INIT;
	int rc = oci_process_parse(request->process, strlen(request->process), &process, err);

	if (rc < 0)
		return rc;
	process.terminal = request->tty;
	if (request->tty && request->width && request->height) {
		free(process.console_size);
		process.console_size = xcalloc(1, sizeof(*process.console_size));
		process.console_size->width = request->width;
		process.console_size->height = request->height;
	}
	options.no_new_keyring = k->options.no_new_keyring;
	memcpy(options.stdio, ends->fd, sizeof(options.stdio));
	return oci_exec(k->runtime_state, &process, &options, ret, err);
}

static struct cgroup *group(struct keeper *k)
{
	return k->runtime_state ? oci_container_cgroup(k->runtime_state) : NULL;
}

static int remove_container(struct keeper *k, struct err *err)
{
	int rc;

	if (!k->runtime_state)
		return 0;
	rc = oci_delete(k->runtime_state, true, err);
	oci_container_free(k->runtime_state);
	k->runtime_state = NULL;
	return rc;
}

const struct runtime_ops runtime_oci = {
	.name = "liboci",
	.create = create,
	.start = start,
	.kill = send_signal,
	.pause = set_paused,
	.update = update,
	.exec = exec,
	.cgroup = group,
	.remove = remove_container,
};
