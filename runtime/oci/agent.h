/*
 * agent - inside of the container's agent; see compat/kernel/ns_agent.h for what it is, runtime/oci/exec_agent.c for who asks it.
 *
 * It is a fork of the container's first process, made when all is set up and before the program starts: so it is in all namespaces, the
 * root, the control group and (as it is loaded here) under the system call filter of the container. What it may, it may within them:
 *
 *	capabilities	the bounding set is the container's. It holds that set, and SETUID, SETGID and SETPCAP, without which it could not
 *			give up rights. No process that it starts can have more than the container.
 *	looking at it	it and what it forks cannot be traced or looked into (not dumpable) before they execute the program.
 *	descriptors	no directory but the container's own /proc, no file, nothing of the host but the listening socket.
 *	asking it	the socket's path is outside; peers must be root there.
 *	waiting for it	it is a child of the first process that wait() does not see (its exit signal is none), so that no program waits
 *			for ever. It ends when that ends, also where the pid namespace is shared.
 *
 * One connection is one child, which reads the request itself: what a request does to its parser, it does to nobody else. The agent only accepts,
 * forks, and says how the child ended.
 */
#ifndef RUNTIME_OCI_AGENT_H
#define RUNTIME_OCI_AGENT_H

#include <sys/resource.h>

#include "compat/kernel/ns_agent.h"
#include "runtime/oci/internal.h"

struct agent {
	int listener;
	int ready;			/* to the first process, until we serve */
	int netlink;			/* opened while we had the right to configure; -1: none */
	int proc_fd;			/* the container's /proc, -1: it has none */
	bool any_peer;			/* a user namespace: who asks is nobody here */
	pid_t parent;			/* the first process, in its own numbers */
	struct rlimit limits[RLIM_NLIMITS];	/* what our children start with */
	struct opt_u64 personality;
	bool nosuid;			/* see struct process_setup */
	int64_t address_space;		/* the same */
};

/* Leave one behind. Called by the first process; returns when the agent serves, or why it does not. */
int agent_start(struct init *init, struct err *err);

/* In a child of the agent: serve what is asked for on @conn, which is owned. */
void agent_serve(const struct agent *a, int conn) __attribute__((noreturn));

/* A request to execute a program. Bits of args[0]; args[1] is the number of preserved descriptors, args[2] and args[3] those of arguments and of variables. */
enum { AGENT_EXEC_TERMINAL = 1 };

/* Descriptors of a request: sync, token, stdin, stdout, stderr (not with a terminal), preserved ones. */
enum { AGENT_FD_SYNC, AGENT_FD_TOKEN, AGENT_FD_STDIO, AGENT_FDS = 5 };

/* The body of a request: the process as JSON up to a NUL; then, as JSON knows no bytes, the working directory, arguments and variables. */
void agent_body_print(const struct oci_process *process, struct buf *out);
/* @body must end with a NUL. ERR_INVALID. @ret is empty before and, on failure, after. */
int agent_body_parse(const char *body, size_t len, size_t arg_count, size_t env_count, struct oci_process *ret,
		     struct err *err);
/* The head alone: magic, kind, sizes. */
int agent_head_check(const struct ns_agent_request *head, struct err *err);

#endif
