/*
 * exec_setns.c - one more process in a container, by setns
 *
 * The child is in the container's cgroup before it is in its namespaces, cannot be looked into while it joins (it is not dumpable),
 * and has none of our fds.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/oci/exec_backend.h"
#include "runtime/oci/internal.h"
#include "runtime/oci/words.h"

struct joining {
	struct oci_container *c;
	const struct oci_process *process;
	const struct oci_exec *options;
	const struct oci_spec *spec;
	struct process_setup setup;
	struct seccomp_program seccomp;
	struct ns_set set;
	char *keyring;
	int cgroup_fds[CGROUP_MAX_HIERARCHIES];
	size_t cgroup_fd_count;
	int cgroup_into;		/* v2: the group's directory, -1 without */
	bool cgroup_born;		/* in it since clone() */
	int root_fd;
	int chroot_fd;			/* the root of a container without a mount namespace of its own, -1 with one */
};

/* ---- the child ----------------------------------------------------------------------------------------------------------- */

static void keep_needed(struct joining *j)
{
	int keep[CGROUP_MAX_HIERARCHIES + NS_COUNT + 9];
	size_t n = 0;

	keep[n++] = j->setup.sync;
	keep[n++] = j->setup.proc_fd;
	keep[n++] = j->chroot_fd;
	keep[n++] = j->options->console_socket;
	for (int i = 0; i < 3; i++)
		keep[n++] = j->options->stdio[i];
	for (size_t i = 0; i < j->cgroup_fd_count; i++)
		keep[n++] = j->cgroup_fds[i];
	for (int i = 0; i < NS_COUNT; i++)
		keep[n++] = j->set.fds[i];
	close_others(j->options->preserve_fds, keep, n);
}

static int enter_cgroup(struct joining *j, struct err *err)
{
	int rc = j->cgroup_born ? 0 : cgroup_enter_self(j->cgroup_fds, j->cgroup_fd_count, err);

	for (size_t i = 0; i < j->cgroup_fd_count; i++)
		close(j->cgroup_fds[i]);
	return rc;
}

static int session(struct joining *j, struct err *err)
{
	if (setsid() < 0)
		return err_sys(err, errno, "start a session");
	return process_keyring(&j->setup, err);
}

static int standard_fds(struct joining *j, struct err *err)
{
	return j->process->terminal ? 0 : process_stdio(&j->setup, err);
}

static int join(struct joining *j, struct err *err)
{
	bool user = j->set.fds[NS_USER] >= 0;
	int rc = ns_join(&j->set, 1u << NS_PID | 1u << NS_TIME, err);

	ns_set_close(&j->set);
	if (!rc && j->chroot_fd >= 0 && (fchdir(j->chroot_fd) < 0 || chroot(".") < 0))
		rc = err_sys(err, errno, "enter the container's root");
	if (rc || !user)
		return rc;
	if (setresgid(0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(err, errno, "become the namespace's root group");
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(err, errno, "drop additional groups");
	if (setresuid(0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(err, errno, "become the namespace's root");
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* changing the user allowed it again */
	return 0;
}

static int terminal(struct joining *j, struct err *err)
{
	int rc;

	j->root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->root_fd < 0)
		return err_sys(err, errno, "open the container's root");
	rc = j->process->terminal ? console_setup(j->root_fd, &j->setup, false, err) : process_reopen_null(err);
	close(j->root_fd);
	return rc;
}

static int program(struct joining *j, struct err *err)
{
	return process_check(&j->setup, err);
}

static const struct {
	const char *name;
	int (*run)(struct joining *, struct err *);
} stages[] = {
	{"join cgroup", enter_cgroup},	     {"start session", session}, {"standard fds", standard_fds},
	{"join namespaces", join},	     {"terminal", terminal},	 {"program", program},
};

static void run_child(struct joining *j) __attribute__((noreturn));
static void run_child(struct joining *j)
{
	struct err err = ERR_INIT;
	int rc = 0;

	keep_needed(j);
	for (size_t i = 0; i < ARRAY_SIZE(stages) && !rc; i++) {
		rc = stages[i].run(j, &err);
		/* The program's own troubles are said as they are. */
		if (rc && stages[i].run != program)
			err_wrap(&err, rc, "%s", stages[i].name);
	}
	if (!rc && (rc = sync_send(j->setup.sync, SYNC_READY, -1)))
		err_sys(&err, -rc, "say that all is ready");
	if (!rc)
		rc = sync_expect(j->setup.sync, SYNC_START, &err);
	if (!rc)
		process_exec(&j->setup, NULL, NULL, &err);
	sync_send_error(j->setup.sync, &err);
	_exit(err.kind == ERR_NOT_FOUND ? 127 : 126);
}

/* ---- the parent ---------------------------------------------------------------------------------------------------------- */

static int prepare_cgroup(struct joining *j, struct err *err)
{
	AUTO(cgroup_close) struct cgroup *below = NULL;
	struct cgroup *cg = NULL;
	int rc;

	if (j->c->state.no_cgroup)
		return 0;
	rc = exec_group_below(j->c, j->options, &below, err);
	if (!rc && !below)
		rc = oci_cgroup_of(j->c, &cg, err);
	if (rc)
		return rc;
	if (below)
		cg = below;
	j->cgroup_into = cgroup_clone_fd(cg);
	return cgroup_enter_prepare(cg, j->cgroup_fds, &j->cgroup_fd_count, err);
}

static int open_chroot(struct joining *j, struct err *err)
{
	char path[40];

	if (j->set.fds[NS_MNT] >= 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)j->c->state.pid);
	j->chroot_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return j->chroot_fd < 0 ? err_sys(err, errno, "open '%s'", path) : 0;
}

static int prepare(struct joining *j, struct err *err)
{
	const struct oci_exec *o = j->options;
	uint64_t personality;
	int rc = oci_container_spec(j->c, &j->spec, err);

	if (rc)
		return rc;
	j->keyring = xfmt("_ses.%s", j->c->state.id);
	j->setup = (struct process_setup){
		.process = j->process, .stdio = {o->stdio[0], o->stdio[1], o->stdio[2]},
		.console_socket = o->console_socket, .preserve_fds = o->preserve_fds,
		.no_new_keyring = o->no_new_keyring, .keyring = j->keyring, .sync = -1,
		.address_space = j->c->state.address_space,
		.nosuid = j->spec->process && j->spec->process->no_new_privileges,
		.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};
	if (j->setup.proc_fd < 0)
		return err_sys(err, errno, "open '/proc'");
	if (j->spec->linux_.personality) {
		(void)oci_word(oci_personalities, j->spec->linux_.personality->domain, &personality);
		j->setup.personality = (struct opt_u64){true, personality};
	}
	if (j->spec->linux_.seccomp) {
		auto_free char *cache = oci_seccomp_cache(j->c->root);

		rc = seccomp_compile(j->spec->linux_.seccomp, cache, &j->seccomp, err);
		j->setup.seccomp = &j->seccomp;
	}
	if (!rc)
		rc = ns_set_open(j->c->state.pid, &j->set, err);
	if (!rc)
		rc = open_chroot(j, err);
	if (!rc)
		rc = prepare_cgroup(j, err);
	return rc;
}

/* pid and time namespaces are for children only: entered around the clone, left again. */
static pid_t clone_joined(struct joining *j, struct err *err)
{
	static const struct {
		enum ns_kind kind;
		const char *own;
	} kinds[] = {{NS_PID, "/proc/self/ns/pid"}, {NS_TIME, "/proc/self/ns/time"}};
	int own[2] = {-1, -1}, rc = 0;
	pid_t pid = -1;

	for (int i = 0; i < 2 && !rc; i++) {
		if (j->set.fds[kinds[i].kind] < 0)
			continue;
		own[i] = open(kinds[i].own, O_RDONLY | O_CLOEXEC);
		rc = own[i] < 0 ? err_sys(err, errno, "open '%s'", kinds[i].own)
				: ns_join_one(j->set.fds[kinds[i].kind], kinds[i].kind, err);
	}
	if (!rc) {
		/* The child is seen in the container from its first moment on, so it inherits that it cannot be looked into. */
		int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);

		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
		j->cgroup_born = j->cgroup_into >= 0;
		pid = j->cgroup_born ? ns_clone_into(0, j->cgroup_into) : -1;
		if (pid < 0) {
			j->cgroup_born = false;
			pid = ns_clone(0);
		}
		if (pid == 0)
			run_child(j);
		if (dumpable == 1)
			(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		rc = pid < 0 ? err_sys(err, -pid, "clone") : 0;
	}
	for (int i = 0; i < 2; i++) {
		if (own[i] < 0)
			continue;
		(void)ns_join_one(own[i], kinds[i].kind, NULL); /* one's own namespace: cannot fail */
		close(own[i]);
	}
	return rc ? rc : pid;
}

static int serve(struct joining *j, int sync, pid_t pid, int *console, struct err *err)
{
	enum sync_kind kind = 0;
	int rc = 0;

	while (!rc && kind != SYNC_READY) {
		int fd = -1;

		rc = sync_recv(sync, &kind, &fd, err);
		if (!rc && kind == SYNC_CONSOLE)
			*console = fd;
	}
	if (!rc)
		rc = process_rlimits(pid, &j->setup, err);
	if (!rc)
		rc = process_scheduling(pid, j->process, err);
	if (!rc)
		rc = process_oom_score(pid, j->process, err);
	if (!rc)
		rc = oci_write_pid_file(j->options->pid_file, pid, err);
	if (!rc && (rc = sync_send(sync, SYNC_START, -1)))
		return err_sys(err, -rc, "start the program");
	return rc ? rc : oci_await_exec(j->c, sync, pid, err);
}

static void release(struct joining *j)
{
	for (size_t i = 0; i < j->cgroup_fd_count; i++)
		close(j->cgroup_fds[i]);
	if (j->cgroup_into >= 0)
		close(j->cgroup_into);
	if (j->chroot_fd >= 0)
		close(j->chroot_fd);
	ns_set_close(&j->set);
	seccomp_program_clear(&j->seccomp);
	if (j->setup.proc_fd >= 0)
		close(j->setup.proc_fd);
	free(j->keyring);
}

static int start_setns(struct oci_container *c, const struct oci_process *process, const struct oci_exec *options,
		       struct oci_exec_started *ret, struct err *err)
{
	struct joining j = {.c = c, .process = process, .options = options, .set = NS_SET_INIT, .setup.proc_fd = -1,
			    .cgroup_into = -1, .chroot_fd = -1};
	int pair[2] = {-1, -1}, console = -1;
	pid_t pid = -1;
	int rc = prepare(&j, err);

	if (!rc)
		rc = sync_pair(pair, err);
	if (!rc) {
		j.setup.sync = pair[1];
		pid = clone_joined(&j, err);
		close(pair[1]);
		rc = pid < 0 ? pid : serve(&j, pair[0], pid, &console, err);
		close(pair[0]);
	}
	release(&j);
	if (rc) {
		oci_kill_child(pid);
		if (console >= 0)
			close(console);
		return rc;
	}
	*ret = (struct oci_exec_started){.pid = pid, .console = console, .exit_fd = -1};
	return 0;
}

/* ---- the backend --------------------------------------------------------------------------------------------------------- */

struct fit exec_setns_fit(const struct oci_spec *spec)
{
	struct fit worst = fit(FIT_NATIVE, "setns");

	VEC_EACH(n, &spec->linux_.namespaces) {
		struct fit f = ns_join_fit(ns_parse(n->type));

		if (f.score == FIT_NO)
			worst = f;
	}
	return worst;
}

static struct fit setns_probe(struct oci_container *c)
{
	const struct oci_spec *spec;
	struct err err = ERR_INIT;

	if (oci_container_spec(c, &spec, &err))
		return fit(FIT_NO, "%s", err.msg);
	return exec_setns_fit(spec);
}

const struct exec_backend exec_backend_setns = {"setns", setns_probe, start_setns};
