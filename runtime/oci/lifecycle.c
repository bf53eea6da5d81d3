/*
 * lifecycle.c - what happens to a container after create
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/oci/internal.h"

/* How long a killed container may take to be gone. */
#define DEATH_MS 10000

static struct proc_ref first_process(const struct oci_container *c)
{
	return (struct proc_ref){.pid = c->state.pid, .start = c->state.pid_start};
}

/* ---- start --------------------------------------------------------------------------------------------------------------- */

int oci_seccomp_notify(struct oci_container *c, const struct seccomp_spec *seccomp, pid_t pid, int notify_fd,
		       struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_fd int fd = -1;
	int rc;

	if (!seccomp || str_empty(seccomp->listener_path))
		return err_set(err, ERR_INVALID, "config.json: linux.seccomp: a rule notifies, but there is no listenerPath");
	rc = unix_connect(seccomp->listener_path, &fd, err);
	if (rc)
		return err_wrap(err, rc, "failed to connect with seccomp agent");
	/* runtime-spec, config-linux.md#containerprocessstate */
	buf_fmt(&text, "{\"ociVersion\":\"%s\",\"fds\":[\"seccompFd\"],\"pid\":%d,\"metadata\":", OCI_VERSION, pid);
	json_print_str(&text, seccomp->listener_metadata ? seccomp->listener_metadata : "",
		       seccomp->listener_metadata ? strlen(seccomp->listener_metadata) : 0);
	buf_str(&text, ",\"state\":");
	oci_hook_state(c, OCI_CREATED, &text);
	buf_char(&text, '}');
	rc = fd_send(fd, text.data, text.len, &notify_fd, 1);
	return rc < 0 ? err_sys(err, -rc, "send to '%s'", seccomp->listener_path) : 0;
}

int oci_await_exec(struct oci_container *c, int sync, pid_t pid, struct err *err)
{
	for (;;) {
		struct err said = ERR_INIT;
		enum sync_kind kind = 0;
		int fd = -1;
		int rc = sync_recv(sync, &kind, &fd, &said);

		/* The exec closed it. */
		if (rc == -EPIPE && said.code == EPIPE)
			return 0;
		if (!rc && kind == SYNC_NOTIFY) {
			const struct oci_spec *spec;

			rc = oci_container_spec(c, &spec, &said);
			if (!rc)
				rc = oci_seccomp_notify(c, spec->linux_.seccomp, pid, fd, &said);
			close(fd);
		}
		if (rc) {
			if (err)
				*err = said;
			return rc;
		}
	}
}

/* The specification: warn and go on. */
void oci_poststart(struct oci_container *c, struct err *err)
{
	AUTO(buf_clear) struct buf state = BUF_INIT;

	if (!c->state.poststart.n)
		return;
	oci_hook_state(c, OCI_RUNNING, &state);
	(void)oci_hooks_run("poststart", &c->state.poststart, &state, err);
}

int oci_start(struct oci_container *c, struct err *err)
{
	auto_free char *path = path_join(c->dir, START_SOCKET);
	auto_fd int sync = fd_take(&c->sync);
	int rc;

	if (sync < 0) {
		enum oci_status status = oci_container_status(c);

		if (status != OCI_CREATED)
			return err_set(err, ERR_CONFLICT, "cannot start a container in the %s state",
				       oci_status_name(status));
		rc = unix_connect(path, &sync, err);
		if (rc)
			return err_wrap(err, rc, "start container '%s'", c->state.id);
	}
	rc = sync_send(sync, SYNC_START, -1);
	if (rc < 0)
		return err_sys(err, -rc, "start container '%s'", c->state.id);
	rc = oci_await_exec(c, sync, c->state.pid, err);
	(void)unlink(path); /* there only when another process was to start it */
	if (!rc)
		oci_poststart(c, err);
	return rc;
}

/* ---- signals, freezing, limits ------------------------------------------------------------------------------------------- */

int oci_kill(struct oci_container *c, int sig, bool all, struct err *err)
{
	struct proc_ref ref = first_process(c);
	struct cgroup *cg = NULL;
	int rc;

	if (oci_cgroup_of(c, &cg, all ? err : NULL) && all)
		return -ENOTSUP;
	if (all)
		return cgroup_kill(cg, sig, err);
	/* A zombie takes signals, too. */
	rc = ref.pid > 0 && proc_ref_alive(&ref) ? proc_ref_kill(&ref, sig) : -ESRCH;
	if (rc == -ESRCH)
		return err_set(err, ERR_CONFLICT, "container not running");
	if (rc)
		return err_sys(err, -rc, "send signal %d to container '%s'", sig, c->state.id);
	return sig == SIGKILL && cg ? cgroup_let_die(cg, ref.pid, err) : 0;
}

/* Frozen says nothing here: a file does. */
static int freeze_kept(struct oci_container *c, struct cgroup *cg, bool on, struct err *err)
{
	auto_free char *path = path_join(c->dir, PAUSED_FILE);
	int rc = cgroup_freeze(cg, on, err);

	if (!rc && on)
		rc = file_write(AT_FDCWD, path, "", 0, 0600, err);
	if (rc && on)
		(void)cgroup_freeze(cg, false, NULL);	/* the first error is the one to report */
	if (!rc && !on)
		(void)unlink(path);	/* oci_pause() made it */
	return rc;
}

static int freeze(struct oci_container *c, bool on, struct err *err)
{
	enum oci_status status = oci_container_status(c);
	struct cgroup *cg = NULL;
	int rc;

	if (on ? status != OCI_RUNNING && status != OCI_CREATED : status != OCI_PAUSED)
		return err_set(err, ERR_CONFLICT, "container '%s' is not %s: %s", c->state.id,
			       on ? "running" : "paused", oci_status_name(status));
	if (c->state.kept && !c->keeps)
		return err_set(err, ERR_CONFLICT, "container '%s' is frozen and thawed by its keeper: only that can %s it",
			       c->state.id, on ? "pause" : "resume");
	rc = oci_cgroup_of(c, &cg, err);
	if (rc || !c->state.kept)
		return rc ? rc : cgroup_freeze(cg, on, err);
	return freeze_kept(c, cg, on, err);
}

int oci_pause(struct oci_container *c, struct err *err)
{
	return freeze(c, true, err);
}

int oci_resume(struct oci_container *c, struct err *err)
{
	return freeze(c, false, err);
}

int oci_update(struct oci_container *c, const struct cgroup_resources *res, struct err *err)
{
	struct cgroup *cg = NULL;
	int rc = oci_cgroup_of(c, &cg, err);

	if (!rc && oci_container_status(c) == OCI_STOPPED)
		return err_set(err, ERR_CONFLICT, "container not running");
	if (!rc)
		rc = kept_check(cg, res, err);
	if (!rc)
		rc = cgroup_apply(cg, res, err);
	return rc ? rc : kept_update(c, cg, res, err);
}

int oci_processes(struct oci_container *c, pid_vec *ret, struct err *err)
{
	struct cgroup *cg = NULL;

	if (c->state.no_cgroup) {
		if (oci_container_status(c) != OCI_STOPPED)
			VEC_PUSH(ret, c->state.pid);
		return 0;
	}
	return oci_cgroup_of(c, &cg, err) ? -ENOTSUP : cgroup_pids(cg, ret, err);
}

/* ---- delete -------------------------------------------------------------------------------------------------------------- */

/* Reaps it when it is our child; else waits until it is dead or its parent's zombie. */
static int wait_dead(struct oci_container *c, struct err *err)
{
	struct proc_ref ref = first_process(c);
	int64_t deadline = time_mono_ms() + DEATH_MS;

	for (int pause_ms = 0; proc_ref_alive(&ref); pause_ms += pause_ms < 20) {
		if (time_mono_ms() > deadline)
			return err_set(err, ERR_INTERNAL, "process %d of container '%s' does not die", ref.pid, c->state.id);
		poll(NULL, 0, pause_ms);
	}
	return 0;
}

int oci_delete(struct oci_container *c, bool force, struct err *err)
{
	enum oci_status status = oci_container_status(c);
	AUTO(buf_clear) struct buf state = BUF_INIT;
	struct cgroup *cg = NULL;
	int rc = 0;

	if (status != OCI_STOPPED) {
		/* What was never started may go without force. */
		if (!force && status != OCI_CREATED)
			return err_set(err, ERR_CONFLICT, "cannot delete container \"%s\" that is not stopped: %s",
				       c->state.id, oci_status_name(status));
		rc = oci_kill(c, SIGKILL, false, err);
		if (rc && rc != -EEXIST)
			return rc;
		if (c->sync >= 0)
			close(fd_take(&c->sync));
		rc = wait_dead(c, err);
		if (rc)
			return rc;
	}
	if (oci_cgroup_of(c, &cg, NULL) == 0)
		rc = cgroup_remove(cg, err);
	cgroup_ns_forget(c->state.pid);
	if (!rc)
		rc = path_remove_tree(c->dir, err);
	if (rc)
		return err_wrap(err, rc, "delete container '%s'", c->state.id);
	if (c->state.poststop.n) {
		oci_hook_state(c, OCI_STOPPED, &state);
		(void)oci_hooks_run("poststop", &c->state.poststop, &state, err);
	}
	return 0;
}
