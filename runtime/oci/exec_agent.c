/*
 * exec_agent.c - one more process in a container, by its agent
 *
 * The agent is inside, so nothing that it says is believed: who the new process is, the kernel tells (ns_agent_find()); it must be
 * a child of a child of the container's first process, and a terminal must be one. All that needs rights is done from here while it waits.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/oci/agent.h"
#include "runtime/oci/exec_backend.h"

#ifndef TIOCGPTN
#define TIOCGPTN _IOR('T', 0x30, unsigned int)
#endif

/* An agent which its container has stopped must not keep us for ever; a slow machine with hundreds of requests at once may take long. */
#define READY_MS 120000

struct asking {
	struct oci_container *c;
	const struct oci_process *process;
	const struct oci_exec *options;
	int conn, sync, console;
	int token[2];		/* read end for the process, write end to ask who it is */
	struct proc_ref ref;	/* the process; pid 0 before it is known */
};

/* ---- before anything is touched ------------------------------------------------------------------------------------------ */

static int check_capabilities(const struct asking *a, struct err *err)
{
	const struct caps *want = a->process->capabilities;
	const struct oci_spec *spec;
	uint64_t has = 0, more;
	int rc = oci_container_spec(a->c, &spec, err);

	if (rc || !want)
		return rc;
	if (spec->process && spec->process->capabilities)
		has = spec->process->capabilities->bounding;
	more = (want->bounding | want->effective | want->permitted | want->inheritable | want->ambient) & caps_all() & ~has;
	for (int cap = 0; cap < 64; cap++)
		if (more & CAP_BIT(cap))
			return err_set(err, ERR_UNSUPPORTED,
				       "join-namespaces: without setns a process cannot get more capabilities than its container "
				       "was made with: %s", cap_name(cap) ? cap_name(cap) : "unknown ones");
	return 0;
}

/* By a directory of the host a process could leave its root. */
static int check_fd(int fd, struct err *err)
{
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "fd %d is a directory, which does not go into a container", fd);
	return 0;
}

static int check(const struct asking *a, struct err *err)
{
	const struct oci_exec *o = a->options;
	int rc = check_capabilities(a, err);

	for (int i = 0; i < 3 && !rc && !a->process->terminal; i++)
		rc = check_fd(o->stdio[i], err);
	for (int i = 0; i < o->preserve_fds && !rc; i++)
		rc = check_fd(3 + i, err);
	if (!rc && oci_container_status(a->c) == OCI_PAUSED)
		rc = err_set(err, ERR_CONFLICT, "cannot exec in a paused container: on this kernel a process in it does the work");
	return rc;
}

/* ---- the request --------------------------------------------------------------------------------------------------------- */

static int ask(struct asking *a, struct err *err)
{
	const struct oci_exec *o = a->options;
	struct ns_agent_request head = {
		.magic = NS_AGENT_MAGIC, .kind = NS_AGENT_EXEC,
		.args = {a->process->terminal ? AGENT_EXEC_TERMINAL : 0, (uint32_t)o->preserve_fds,
			 (uint32_t)a->process->args.n, (uint32_t)a->process->env.n},
	};
	AUTO(buf_clear) struct buf body = BUF_INIT;
	auto_free int *fds = xcalloc((size_t)o->preserve_fds + AGENT_FDS, sizeof(*fds));
	auto_free char *path = path_join(a->c->dir, AGENT_SOCKET);
	auto_fd int null = -1;
	int pair[2], rc;

	agent_body_print(a->process, &body);
	head.len = (uint32_t)body.len;
	rc = ns_agent_connect(path, &a->conn, err);
	if (!rc && pipe2(a->token, O_CLOEXEC) < 0)
		rc = err_sys(err, errno, "make a pipe");
	if (!rc)
		rc = sync_pair(pair, err);
	if (rc)
		return rc;
	a->sync = pair[0];
	fds[head.fd_count++] = pair[1];
	fds[head.fd_count++] = a->token[0];
	for (int i = 0; i < 3 && !a->process->terminal; i++) {
		if (o->stdio[i] < 0 && null < 0)
			null = open("/dev/null", O_RDWR | O_CLOEXEC);
		fds[head.fd_count++] = o->stdio[i] < 0 ? null : o->stdio[i];
	}
	for (int i = 0; i < o->preserve_fds; i++)
		fds[head.fd_count++] = 3 + i;
	rc = ns_agent_send(a->conn, &head, fds, body.data, err);
	close(pair[1]);
	close(fd_take(&a->token[0]));
	return rc;
}

/* The other end of sync went without a word: what does the agent say? */
static int no_word(struct asking *a, struct err *err)
{
	struct ns_agent_answer answer;
	int rc = ns_agent_receive(a->conn, READY_MS, &answer, NULL, err);

	if (rc)
		return rc;
	if (answer.code)
		return err_sys(err, answer.code, "the container's agent cannot start a process");
	return err_set(err, ERR_INTERNAL, "the process ended before its program was started");
}

static int take_console(struct asking *a, int fd, struct err *err)
{
	int number;

	if (fd < 0 || a->console >= 0 || ioctl(fd, TIOCGPTN, &number) < 0) {
		if (fd >= 0)
			close(fd);
		return err_set(err, ERR_INTERNAL, "the container's agent gave no terminal");
	}
	a->console = fd;
	return 0;
}

static int await_ready(struct asking *a, struct err *err)
{
	struct pollfd p = {.fd = a->sync, .events = POLLIN};

	for (;;) {
		enum sync_kind kind = 0;
		int fd = -1, rc;

		do
			rc = poll(&p, 1, READY_MS);
		while (rc < 0 && errno == EINTR);
		if (rc <= 0)
			return err_set(err, ERR_UNAVAILABLE, "the container's agent does not answer");
		rc = sync_recv(a->sync, &kind, &fd, err);
		if (rc == -EPIPE && err->code == EPIPE)
			return no_word(a, err);
		if (!rc && kind == SYNC_CONSOLE && a->process->terminal)
			rc = take_console(a, fd, err);
		else if (!rc && (kind != SYNC_READY || fd >= 0)) {
			if (fd >= 0)
				close(fd);
			rc = err_sys(err, EBADMSG, "hear from the container's agent");
		}
		if (rc || kind == SYNC_READY)
			return rc;
	}
}

/* ---- while it waits ------------------------------------------------------------------------------------------------------ */

/* Found twice with the start time read between: so that time is its own. */
static int identify(struct asking *a, struct err *err)
{
	struct proc_ref ref = {0};
	pid_t pid = 0, again = 0, agent = 0, first = 0;
	int rc = ns_agent_find(a->token[1], &pid);

	if (!rc)
		rc = proc_ref_get(pid, &ref);
	if (!rc)
		rc = proc_parent(pid, &agent);
	if (!rc)
		rc = proc_parent(agent, &first);
	if (!rc)
		rc = ns_agent_find(a->token[1], &again);
	if (!rc && (again != pid || first != a->c->state.pid))
		rc = -ESRCH;
	if (rc)
		return err_sys(err, -rc, "find the process that the container's agent has started");
	a->ref = ref;
	return 0;
}

static int read_cgroup(pid_t pid, struct buf *ret, struct err *err)
{
	char path[40];
	int rc;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	rc = file_read(AT_FDCWD, path, 1 << 20, ret, err);
	return rc < 0 ? rc : 0;
}

/* Born where the agent is: that is the container's group, unless somebody inside has moved it. */
static int place(struct asking *a, struct err *err)
{
	AUTO(buf_clear) struct buf its = BUF_INIT, theirs = BUF_INIT;
	AUTO(cgroup_close) struct cgroup *below = NULL;
	struct cgroup *cg = NULL;
	int rc;

	if (a->c->state.no_cgroup)
		return 0;
	rc = exec_group_below(a->c, a->options, &below, err);
	if (rc || below)
		return rc ? rc : cgroup_attach(below, a->ref.pid, err);
	rc = read_cgroup(a->ref.pid, &its, err);
	if (!rc)
		rc = read_cgroup(a->c->state.pid, &theirs, err);
	if (rc || (its.len == theirs.len && memcmp(its.data, theirs.data, its.len) == 0))
		return rc;
	rc = oci_cgroup_of(a->c, &cg, err);
	return rc ? rc : cgroup_attach(cg, a->ref.pid, err);
}

/* The agent is spared when memory runs out; what it starts is not: as with setns it gets what is ours. */
static int oom_score(struct asking *a, struct err *err)
{
	static const char *const names[] = {"oom_score_adj", "oom_adj"};

	if (a->process->oom_score_adj.set)
		return process_oom_score(a->ref.pid, a->process, err);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO(buf_clear) struct buf own = BUF_INIT;
		char path[48];

		snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		if (file_read(AT_FDCWD, path, 64, &own, NULL) < 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)a->ref.pid, names[i]);
		return file_put(AT_FDCWD, path, buf_cstr(&own), err);
	}
	return 0;
}

/* As in oci_await_exec(), but nothing is passed on: the filter was loaded by the agent. */
static int await_exec(struct asking *a, struct err *err)
{
	enum sync_kind kind;
	struct err said = ERR_INIT;
	int rc = sync_send(a->sync, SYNC_START, -1);

	if (rc)
		return err_sys(err, -rc, "start the program");
	rc = sync_recv(a->sync, &kind, NULL, &said);
	if (rc == -EPIPE && said.code == EPIPE)
		return 0;
	if (!rc)
		rc = err_sys(&said, EBADMSG, "hear from the container's agent");
	*err = said;
	return rc;
}

/* The terminal goes where the caller wants it; the name is said as the runtime's specification has it. */
static int send_console(struct asking *a, struct err *err)
{
	char name[32];
	int number = 0, rc;

	if (!a->process->terminal)
		return 0;
	if (a->console < 0 || ioctl(a->console, TIOCGPTN, &number) < 0)
		return err_set(err, ERR_INTERNAL, "the container's agent gave no terminal");
	if (a->options->console_socket < 0)
		return 0;
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	rc = fd_send(a->options->console_socket, name, strlen(name), &a->console, 1);
	close(fd_take(&a->console));
	return rc < 0 ? err_sys(err, -rc, "hand over the terminal") : 0;
}

static int limits(struct asking *a, struct err *err)
{
	const struct process_setup setup = {.process = a->process, .address_space = a->c->state.address_space};
	int rc = process_rlimits(a->ref.pid, &setup, err);

	return rc ? rc : process_scheduling(a->ref.pid, a->process, err);
}

static int pid_file(struct asking *a, struct err *err)
{
	return oci_write_pid_file(a->options->pid_file, a->ref.pid, err);
}

static int start_agent(struct oci_container *c, const struct oci_process *process, const struct oci_exec *options,
		       struct oci_exec_started *ret, struct err *err)
{
	static int (*const stages[])(struct asking *, struct err *) = {
		ask, await_ready, identify, place, oom_score, limits, send_console, await_exec, pid_file,
	};
	struct asking a = {.c = c, .process = process, .options = options, .conn = -1, .sync = -1, .console = -1,
			   .token = {-1, -1}};
	int rc = check(&a, err);

	for (size_t i = 0; i < ARRAY_SIZE(stages) && !rc; i++)
		rc = stages[i](&a, err);
	if (rc && a.ref.pid)
		(void)proc_ref_kill(&a.ref, SIGKILL); /* it ends by itself when sync is closed, unless its program runs */
	for (int i = 0; i < 2; i++)
		if (a.token[i] >= 0)
			close(a.token[i]);
	if (a.sync >= 0)
		close(a.sync);
	if (rc) {
		if (a.conn >= 0)
			close(a.conn);
		if (a.console >= 0)
			close(a.console);
		return rc;
	}
	*ret = (struct oci_exec_started){
		.pid = a.ref.pid, .start = a.ref.start, .console = a.console, .exit_fd = a.conn};
	return 0;
}

int oci_exec_status(struct oci_exec_started *started)
{
	const struct proc_ref ref = {.pid = started->pid, .start = started->start};
	struct ns_agent_answer answer = {0};
	int rc = ns_agent_receive(started->exit_fd, -1, &answer, NULL, NULL);

	close(fd_take(&started->exit_fd));
	if (!rc && !answer.code)
		return answer.status;
	(void)proc_ref_kill(&ref, SIGKILL); /* usually gone, with its container */
	return SIGKILL;
}

/* ---- the backend --------------------------------------------------------------------------------------------------------- */

static struct fit agent_probe(struct oci_container *c)
{
	auto_free char *path = path_join(c->dir, AGENT_SOCKET);

	if (access(path, F_OK) < 0)
		return fit(FIT_NO, "it cannot be joined by setns and was made without an agent");
	return fit(FIT_GOOD, "agent");
}

const struct exec_backend exec_backend_agent = {"agent", agent_probe, start_agent};
