/*
 * agent_request.c - one request to the agent, in a child of its own
 */
#include "runtime/oci/agent.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/capability.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/kernel/caps.h"
#include "runtime/oci/words.h"

/* For the request to be here: who asks has it ready. */
#define REQUEST_S   10
#define BODY_MAX    OCI_SPEC_MAX_BYTES
#define STRINGS_MAX 65536

struct agent_exec {
	struct oci_process process;
	int proc_fd, sync, token;
	int stdio[3];		/* -1 with a terminal */
	int preserved;
};

/* ---- what is read -------------------------------------------------------------------------------------------------------- */

int agent_head_check(const struct ns_agent_request *head, struct err *err)
{
	size_t fds = head->args[0] & AGENT_EXEC_TERMINAL ? AGENT_FD_STDIO : AGENT_FDS;

	if (head->magic != NS_AGENT_MAGIC)
		return err_set(err, ERR_INVALID, "the container was made by another version of this program");
	if (head->kind == NS_AGENT_SOCKET)
		return head->len || head->fd_count ? err_set(err, ERR_INVALID, "a socket needs no more") : 0;
	if (head->kind != NS_AGENT_EXEC)
		return err_set(err, ERR_INVALID, "no such request: %u", head->kind);
	if (head->args[0] & ~(uint32_t)AGENT_EXEC_TERMINAL)
		return err_set(err, ERR_INVALID, "unknown flags 0x%x", head->args[0]);
	if (!head->len || head->len > BODY_MAX)
		return err_set(err, ERR_TOO_LARGE, "a process of %u bytes: more than %d", head->len, BODY_MAX);
	if (!head->args[2] || head->args[2] > STRINGS_MAX || head->args[3] > STRINGS_MAX)
		return err_set(err, ERR_TOO_LARGE, "%u arguments and %u variables", head->args[2], head->args[3]);
	if (head->fd_count > NS_AGENT_FDS_MAX || head->fd_count != fds + head->args[1])
		return err_set(err, ERR_INVALID, "%u descriptors", head->fd_count);
	return 0;
}

void agent_body_print(const struct oci_process *process, struct buf *out)
{
	json_print(&oci_process_table, process, 0, out);
	buf_char(out, '\0');
	buf_add(out, process->cwd, strlen(process->cwd) + 1);
	for (size_t i = 0; i < process->args.n; i++)
		buf_add(out, process->args.v[i], strlen(process->args.v[i]) + 1);
	for (size_t i = 0; i < process->env.n; i++)
		buf_add(out, process->env.v[i], strlen(process->env.v[i]) + 1);
}

static bool take_strings(const char **at, const char *end, size_t count, struct strv *ret)
{
	strv_clear(ret);
	for (size_t i = 0; i < count; i++) {
		if (*at >= end)
			return false;
		strv_add(ret, *at);
		*at += strlen(*at) + 1;
	}
	return true;
}

int agent_body_parse(const char *body, size_t len, size_t arg_count, size_t env_count, struct oci_process *ret,
		     struct err *err)
{
	const char *end = body + len, *at;
	struct strv cwd = {0};
	bool whole;
	int rc;

	if (!len || end[-1])
		return err_set(err, ERR_INVALID, "the process does not end");
	rc = oci_process_parse(body, strlen(body), ret, err);
	if (rc)
		return rc;
	at = body + strlen(body) + 1;
	whole = take_strings(&at, end, 1, &cwd) && take_strings(&at, end, arg_count, &ret->args) &&
		take_strings(&at, end, env_count, &ret->env) && at == end;
	if (whole) {
		str_set(&ret->cwd, cwd.v[0]);
		rc = oci_process_check(ret, err);
	} else
		rc = err_set(err, ERR_INVALID, "the process has other strings than it says");
	strv_clear(&cwd);
	if (rc)
		oci_process_clear(ret);
	return rc;
}

/* The descriptors of @head that did not come with it. */
static int receive_fds(int conn, const struct ns_agent_request *head, int *fds, size_t have, struct err *err)
{
	while (have < head->fd_count) {
		size_t count = head->fd_count - have;
		char byte;
		ssize_t n = fd_recv(conn, &byte, 1, fds + have, &count);

		if (n != 1 || !count)
			return err_sys(err, n < 0 ? (int)-n : EPROTO, "receive descriptors");
		have += count;
	}
	return 0;
}

/* Those of the program go where it finds them, all others out of their way. */
static int move_up(int *fd, int first, struct err *err)
{
	int moved = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, first);

	if (*fd < 0)
		return 0;
	if (moved < 0)
		return err_sys(err, errno, "move descriptors");
	close(*fd);
	*fd = moved;
	return 0;
}

static int place_fds(struct agent_exec *x, int *fds, size_t count, bool terminal, struct err *err)
{
	size_t own = terminal ? AGENT_FD_STDIO : AGENT_FDS;
	int first = 3 + (int)(count - own);
	int rc = move_up(&x->proc_fd, first, err);

	for (size_t i = 0; i < count && !rc; i++)
		rc = move_up(&fds[i], first, err);
	if (rc)
		return rc;
	for (size_t i = own; i < count; i++)
		if (dup2(fds[i], 3 + (int)(i - own)) < 0)
			return err_sys(err, errno, "set fd %zu", 3 + i - own);
	x->sync = fds[AGENT_FD_SYNC];
	x->token = fds[AGENT_FD_TOKEN];
	for (int i = 0; i < 3; i++)
		x->stdio[i] = terminal ? -1 : fds[AGENT_FD_STDIO + i];
	return 0;
}

static int read_body(int conn, const struct ns_agent_request *head, struct oci_process *ret, struct err *err)
{
	auto_free char *body = xcalloc(1, head->len);
	ssize_t n = fd_read_all(conn, body, head->len);

	if (n != (ssize_t)head->len)
		return err_sys(err, n < 0 ? (int)-n : EPROTO, "receive the process");
	return agent_body_parse(body, head->len, head->args[2], head->args[3], ret, err);
}

/* ---- a process ----------------------------------------------------------------------------------------------------------- */

static void restore_limits(const struct agent *a, const struct oci_process *p)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		bool asked = false;

		for (size_t k = 0; k < p->rlimits.n; k++)
			asked |= oci_rlimit_parse(p->rlimits.v[k].type) == i;
		if (!asked)
			(void)setrlimit(i, &a->limits[i]);
	}
}

/*
 * Without CAP_CHOWN the terminal cannot be given to its user: then the user makes it.
 */
static int terminal(const struct process_setup *setup, struct err *err)
{
	auto_fd int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct caps caps = {0};
	int rc;

	if (root < 0)
		return err_sys(err, errno, "open the container's root");
	rc = caps_get(&caps, err);
	if (rc)
		return rc;
	if (!(caps.effective & CAP_BIT(CAP_CHOWN)))
		(void)setfsuid(setup->process->user.uid);
	rc = console_setup(root, setup, false, err);
	(void)setfsuid(geteuid());
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* the change of user takes it back */
	return rc;
}

static int become(const struct agent *a, const struct agent_exec *x, struct process_setup *setup, struct err *err)
{
	int rc;

	*setup = (struct process_setup){
		.process = &x->process, .proc_fd = x->proc_fd, .in_agent = true,
		.stdio = {x->stdio[0], x->stdio[1], x->stdio[2]},
		.console_socket = -1, .sync = x->sync, .preserve_fds = x->preserved,
		.personality = a->personality, .nosuid = a->nosuid, .address_space = a->address_space,
	};
	rc = ns_agent_show(x->token);
	if (rc)
		return err_sys(err, -rc, "show who we are");
	restore_limits(a, &x->process);
	if (setsid() < 0)
		return err_sys(err, errno, "start a session");
	if (x->process.terminal)
		rc = terminal(setup, err);
	else {
		rc = process_stdio(setup, err);
		if (!rc)
			rc = process_reopen_null(err);
	}
	if (rc)
		return rc;
	rc = sync_send(x->sync, SYNC_READY, -1);
	if (rc)
		return err_sys(err, -rc, "say that all is ready");
	return sync_expect(x->sync, SYNC_START, err);
}

static void serve_exec(const struct agent *a, int conn, const struct ns_agent_request *head, int *fds)
	__attribute__((noreturn));
static void serve_exec(const struct agent *a, int conn, const struct ns_agent_request *head, int *fds)
{
	struct agent_exec x = {.proc_fd = a->proc_fd, .sync = fds[AGENT_FD_SYNC], .preserved = (int)head->args[1]};
	struct process_setup setup;
	struct err err = ERR_INIT;
	int rc = read_body(conn, head, &x.process, &err);

	if (!rc && x.process.terminal != !!(head->args[0] & AGENT_EXEC_TERMINAL))
		rc = err_set(&err, ERR_INVALID, "a terminal is asked for and is not");
	if (!rc)
		rc = place_fds(&x, fds, head->fd_count, x.process.terminal, &err);
	if (!rc)
		rc = become(a, &x, &setup, &err);
	if (!rc)
		process_exec(&setup, NULL, NULL, &err);
	sync_send_error(x.sync, &err);
	_exit(err.kind == ERR_NOT_FOUND ? 127 : 126);
}

/* ---- a socket ------------------------------------------------------------------------------------------------------------ */

static int open_socket(const struct agent *a, const struct ns_agent_request *head, int *ret)
{
	int domain = (int)head->args[0], type = (int)head->args[1], protocol = (int)head->args[2];

	if (domain == AF_NETLINK) {
		*ret = a->netlink;
		return a->netlink < 0 || protocol ? EPROTONOSUPPORT : 0;
	}
	if ((domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) || (type != SOCK_STREAM && type != SOCK_DGRAM) ||
	    protocol)
		return EPROTONOSUPPORT;
	*ret = socket(domain, type | SOCK_CLOEXEC, 0);
	return *ret < 0 ? errno : 0;
}

static void serve_socket(const struct agent *a, int conn, const struct ns_agent_request *head) __attribute__((noreturn));
static void serve_socket(const struct agent *a, int conn, const struct ns_agent_request *head)
{
	struct ns_agent_answer answer = {.magic = NS_AGENT_MAGIC};
	int fd = -1;

	answer.code = open_socket(a, head, &fd);
	(void)fd_send(conn, &answer, sizeof(answer), &fd, answer.code ? 0 : 1);
	_exit(0);
}

/* ---- either -------------------------------------------------------------------------------------------------------------- */

/* What cannot be read is told to whoever still listens. */
static void refuse(int conn, int code) __attribute__((noreturn));
static void refuse(int conn, int code)
{
	const struct ns_agent_answer answer = {.magic = NS_AGENT_MAGIC, .code = code};

	(void)fd_send(conn, &answer, sizeof(answer), NULL, 0);
	_exit(126);
}

void agent_serve(const struct agent *a, int conn)
{
	static int fds[NS_AGENT_FDS_MAX];
	const struct timeval patience = {.tv_sec = REQUEST_S};
	struct ns_agent_request head;
	size_t count = ARRAY_SIZE(fds);
	struct err err = ERR_INIT;
	ssize_t n;
	int rc;

	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* as the agent is; kept by fork() */
	(void)setsockopt(conn, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	n = fd_recv(conn, &head, sizeof(head), fds, &count);
	if (n != sizeof(head))
		refuse(conn, n < 0 ? (int)-n : EPROTO);
	rc = agent_head_check(&head, &err);
	if (!rc && count > head.fd_count)
		rc = -EPROTO;
	if (!rc && head.kind == NS_AGENT_EXEC)
		rc = receive_fds(conn, &head, fds, count, &err);
	if (rc)
		refuse(conn, -rc);
	if (head.kind == NS_AGENT_SOCKET)
		serve_socket(a, conn, &head);
	serve_exec(a, conn, &head, fds);
}
