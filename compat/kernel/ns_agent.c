/*
 * ns_agent.c - sockets of another network namespace; talking to a container's agent
 */
#include "compat/kernel/ns_agent.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/kernel/ns.h"

/* In one message, below the kernel's SCM_MAX_FD (253; 255 before 2.6.38). */
#define FDS_AT_ONCE 250
/* An agent that was stopped by its container must not keep us. */
#define SOCKET_MS 10000

/* ---- the client ---------------------------------------------------------------------------------------------------------- */

int ns_agent_connect(const char *path, int *ret_fd, struct err *err)
{
	struct err why = ERR_INIT;
	int rc = unix_connect(path, ret_fd, &why);

	if (rc == -ECONNREFUSED || rc == -ENOENT)
		return err_set(err, ERR_UNAVAILABLE, "the container's agent is gone (%s)", path);
	if (rc && err)
		*err = why;
	return rc;
}

/* It may have refused, answered and closed before it heard all: then that is what went wrong. */
static int unheard(int conn, struct err *err)
{
	struct ns_agent_answer answer = {0};

	if (ns_agent_receive(conn, 0, &answer, NULL, NULL) == 0 && answer.code)
		return err_sys(err, answer.code, "the container's agent cannot start a process");
	return err_set(err, ERR_UNAVAILABLE, "the container's agent is gone");
}

int ns_agent_send(int conn, const struct ns_agent_request *head, const int *fds, const void *body, struct err *err)
{
	size_t n = head->fd_count < FDS_AT_ONCE ? head->fd_count : FDS_AT_ONCE;
	int rc;

	if (head->fd_count > NS_AGENT_FDS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d descriptors for an agent", NS_AGENT_FDS_MAX);
	rc = fd_send(conn, head, sizeof(*head), fds, n);
	for (size_t at = n; !rc && at < head->fd_count; at += n) {
		n = head->fd_count - at < FDS_AT_ONCE ? head->fd_count - at : FDS_AT_ONCE;
		rc = fd_send(conn, "", 1, fds + at, n);
	}
	if (!rc && head->len)
		rc = fd_send(conn, body, head->len, NULL, 0);
	if (rc == -EPIPE || rc == -ECONNRESET)
		return unheard(conn, err);
	return rc ? err_sys(err, -rc, "ask the container's agent") : 0;
}

int ns_agent_receive(int conn, int timeout_ms, struct ns_agent_answer *ret, int *ret_fd, struct err *err)
{
	struct pollfd p = {.fd = conn, .events = POLLIN};
	struct ns_agent_answer answer = {0};
	size_t count = ret_fd ? 1 : 0;
	int fd = -1, rc;
	ssize_t n;

	do
		rc = poll(&p, 1, timeout_ms);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return err_set(err, ERR_UNAVAILABLE, "the container's agent does not answer");
	n = fd_recv(conn, &answer, sizeof(answer), &fd, &count);
	if (n == 0 || n == -ECONNRESET)
		return err_set(err, ERR_UNAVAILABLE, "the container's agent is gone");
	if (n < 0)
		return err_sys(err, (int)-n, "hear from the container's agent");
	if (n != sizeof(answer) || answer.magic != NS_AGENT_MAGIC) {
		if (count)
			close(fd);
		return err_set(err, ERR_UNAVAILABLE, "the container's agent is of another version of this program");
	}
	*ret = answer;
	if (ret_fd)
		*ret_fd = count ? fd : -1;
	return 0;
}

/* ---- who is it? ---------------------------------------------------------------------------------------------------------- */

int ns_agent_show(int token)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};

	return fcntl(token, F_SETLK, &lock) < 0 ? -errno : 0;
}

int ns_agent_find(int token, pid_t *ret)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(token, F_GETLK, &lock) < 0)
		return -errno;
	if (lock.l_type == F_UNLCK || lock.l_pid <= 0)
		return -ESRCH;
	*ret = lock.l_pid;
	return 0;
}

/* The child holds the lock until its end of @life is closed. */
static void hold(int token, int life) __attribute__((noreturn));
static void hold(int token, int life)
{
	char byte = 0;
	int rc = ns_agent_show(token);

	if (!rc && write(life, "", 1) == 1)
		(void)!read(life, &byte, 1);
	_exit(rc ? 1 : 0);
}

struct fit ns_agent_fit(void)
{
	int token[2], life[2];
	pid_t pid, found = 0;
	char byte;
	bool held;

	if (pipe2(token, O_CLOEXEC) < 0)
		return fit(FIT_NO, "pipe: %s", strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, life) < 0) {
		close(token[0]);
		close(token[1]);
		return fit(FIT_NO, "socketpair: %s", strerror(errno));
	}
	pid = ns_clone(CLONE_NEWPID);
	if (pid < 0)
		pid = ns_clone(0); /* no pid namespaces, or no right to make one */
	if (pid == 0) {
		close(life[0]);
		hold(token[0], life[1]);
	}
	close(life[1]);
	held = pid > 0 && read(life[0], &byte, 1) == 1 && !ns_agent_find(token[1], &found);
	close(life[0]);
	close(token[0]);
	close(token[1]);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (!held || found != pid)
		return fit(FIT_NO, "the kernel does not name the holder of a lock on a pipe");
	return fit(FIT_GOOD, "a process left in the container serves");
}

/* ---- sockets ------------------------------------------------------------------------------------------------------------- */

/* What an earlier user of the agent's one netlink socket did not wait for. */
static void empty(int fd)
{
	char data[4096];
	ssize_t n;

	do
		n = recv(fd, data, sizeof(data), MSG_DONTWAIT);
	while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS)));
}

static int by_agent(const char *agent, int domain, int type, int protocol, int *ret_fd, struct err *err)
{
	const struct ns_agent_request head = {
		.magic = NS_AGENT_MAGIC, .kind = NS_AGENT_SOCKET,
		.args = {(uint32_t)domain, (uint32_t)type, (uint32_t)protocol},
	};
	struct ns_agent_answer answer = {0};
	auto_fd int conn = -1;
	struct sockaddr_storage name = {0};
	socklen_t len = sizeof(name);
	int fd = -1, rc = ns_agent_connect(agent, &conn, err);

	if (!rc)
		rc = ns_agent_send(conn, &head, NULL, NULL, err);
	if (!rc)
		rc = ns_agent_receive(conn, SOCKET_MS, &answer, &fd, err);
	if (rc)
		return rc;
	if (answer.code)
		rc = err_sys(err, answer.code, "open a socket in the container");
	/* It comes from inside: no other thing may pass for it. */
	else if (fd < 0 || getsockname(fd, (struct sockaddr *)&name, &len) < 0 || name.ss_family != domain)
		rc = err_set(err, ERR_UNAVAILABLE, "the container's agent gave no socket");
	if (rc) {
		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (domain == AF_NETLINK)
		empty(fd);
	*ret_fd = fd;
	return 0;
}

struct visit {
	pid_t pid;
	int domain, type, protocol;
	int fd, rc;
	struct err err;
};

static int enter(pid_t pid, struct err *err)
{
	auto_fd int fd = -1;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	return ns_join_one(fd, NS_NET, err);
}

static void *visit(void *arg)
{
	struct visit *v = arg;

	v->rc = enter(v->pid, &v->err);
	if (v->rc)
		return NULL;
	v->fd = socket(v->domain, v->type | SOCK_CLOEXEC, v->protocol);
	if (v->fd < 0)
		v->rc = err_sys(&v->err, errno, "socket in the network namespace of process %d", (int)v->pid);
	return NULL;
}

static int by_setns(pid_t pid, int domain, int type, int protocol, int *ret_fd, struct err *err)
{
	struct visit v = {.pid = pid, .domain = domain, .type = type, .protocol = protocol, .fd = -1};
	pthread_t thread;
	int code = pthread_create(&thread, NULL, visit, &v);

	if (code)
		return err_sys(err, code, "start a thread");
	pthread_join(thread, NULL);
	if (v.rc) {
		if (err)
			*err = v.err;
		return v.rc;
	}
	*ret_fd = v.fd;
	return 0;
}

int ns_socket(pid_t pid, const char *agent, int domain, int type, int protocol, int *ret_fd, struct err *err)
{
	struct fit join;

	if (!pid) {
		int fd = socket(domain, type | SOCK_CLOEXEC, protocol);

		if (fd < 0)
			return err_sys(err, errno, "socket");
		*ret_fd = fd;
		return 0;
	}
	join = ns_join_fit(NS_NET);
	if (join.score > FIT_NO)
		return by_setns(pid, domain, type, protocol, ret_fd, err);
	if (!agent)
		return err_set(err, ERR_UNSUPPORTED, "join-namespaces: %s, and there is no agent in the network namespace of process %d",
			       join.reason, (int)pid);
	return by_agent(agent, domain, type, protocol, ret_fd, err);
}
