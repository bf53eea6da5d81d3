/*
 * ns_agent - a container's agent: a process that was left in its namespaces because this kernel cannot join them later.
 *
 * It accepts connections at a socket that was bound outside. One connection is one request: a head, @len more bytes, and descriptors,
 * answered by one struct ns_agent_answer (with a descriptor for a socket). Who serves is in runtime/oci/agent.c; here is what both
 * ends share, and the client for sockets. Both ends are on one host, but need not be of one version of this program.
 */
#ifndef COMPAT_KERNEL_NS_AGENT_H
#define COMPAT_KERNEL_NS_AGENT_H

#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"
#include "compat/base/fit.h"

/* The last byte counts up when the messages change. */
#define NS_AGENT_MAGIC UINT32_C(0x706f6301)

enum ns_agent_kind {
	NS_AGENT_SOCKET = 1,	/* args: domain, type, protocol of socket(2) */
	NS_AGENT_EXEC,		/* @len bytes of JSON; see runtime/oci/exec_agent.c */
};

struct ns_agent_request {
	uint32_t magic, kind;
	uint32_t len;		/* bytes behind the head */
	uint32_t fd_count;	/* descriptors of this request; the first come with the head */
	uint32_t args[4];
};

struct ns_agent_answer {
	uint32_t magic;
	int32_t code;		/* 0 or an errno */
	int32_t status;		/* of a process that ended: as waitpid() gives it */
};

/*
 * A socket that belongs to the network namespace of process @pid, for use here: what is sent, connected, bound or configured (ioctl) by it
 * happens there. O_CLOEXEC, owned. @pid 0: our own namespace.
 *
 * @agent	path of the agent's socket, asked where setns does not work; NULL: there is none
 *
 * By setns each call makes a new socket (in a thread of its own, since only that changes its namespace). An agent gives new AF_INET, AF_INET6
 * and AF_UNIX sockets of type SOCK_STREAM and SOCK_DGRAM, and one NETLINK_ROUTE socket, always the same, bound and emptied: it was opened while
 * the agent had the right to configure. Only one may use it at a time.
 *
 * ERR_UNSUPPORTED where there is no way, ERR_UNAVAILABLE when the agent is gone.
 */
int ns_socket(pid_t pid, const char *agent, int domain, int type, int protocol, int *ret_fd, struct err *err);

/* Connect to the agent at @path. An agent that died is ERR_UNAVAILABLE. */
int ns_agent_connect(const char *path, int *ret_fd, struct err *err);
/*
 * Send @head, @fds (head->fd_count, at most NS_AGENT_FDS_MAX; in as many pieces as the kernel wants) and @body (head->len bytes). An agent that
 * refuses before it heard all: its errno; one that died: ERR_UNAVAILABLE.
 */
#define NS_AGENT_FDS_MAX 1100
int ns_agent_send(int conn, const struct ns_agent_request *head, const int *fds, const void *body, struct err *err);
/* Wait for the answer at most @timeout_ms (-1: for ever). *ret_fd gets what is attached, -1 for nothing. */
int ns_agent_receive(int conn, int timeout_ms, struct ns_agent_answer *ret, int *ret_fd, struct err *err);

/*
 * Which process of another pid namespace talks to us? What it says of itself is a number of its own namespace, and what SO_PEERCRED says is
 * wrong on 2.6.32. But the kernel names the holder of a lock, in the numbers of who asks, and nobody can lie about it: both have an end of one
 * pipe, the process locks it, we ask. A lock is never inherited, and gone with the process or its exec (the fd is O_CLOEXEC).
 */
int ns_agent_show(int token);			/* 0 or -errno */
int ns_agent_find(int token, pid_t *ret);	/* 0, or -ESRCH when nobody holds it */

/* Could an agent serve on this host? Tries a lock across pid namespaces. */
struct fit ns_agent_fit(void);

#endif
