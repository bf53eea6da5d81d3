/*
 * ns - namespaces: kinds, making them, and the ways to join those of a running process.
 *
 * Spec:    namespaces(7), setns(2); OCI runtime-spec 1.1, config-linux.md#namespaces
 */
#ifndef COMPAT_KERNEL_NS_H
#define COMPAT_KERNEL_NS_H

#include <stdbool.h>
#include <sys/types.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"
#include "compat/base/fit.h"
#include "compat/base/fit.h"

/* In the order in which they are joined: user first (it gives the rights), mount last (it takes our paths away). */
enum ns_kind { NS_USER, NS_IPC, NS_UTS, NS_NET, NS_PID, NS_CGROUP, NS_TIME, NS_MNT, NS_COUNT };

struct ns_type {
	const char *oci;	/* "network" */
	const char *file;	/* below /proc/PID/ns: "net" */
	int flag;		/* CLONE_NEWNET */
};

extern const struct ns_type ns_types[NS_COUNT];

/* "network" or "net" -> NS_NET, or -EINVAL. */
int ns_parse(const char *name);
/* Does this kernel know it? Looks for /proc/self/ns/X; where that directory is missing (2.6.32), tries. */
bool ns_exists(enum ns_kind kind);

/*
 * The namespaces to join: fds, -1 for those that stay.
 */
struct ns_set {
	int fds[NS_COUNT];
};

#define NS_SET_INIT ((struct ns_set){.fds = {-1, -1, -1, -1, -1, -1, -1, -1}})

/* All of @pid's that differ from the caller's. */
int ns_set_open(pid_t pid, struct ns_set *ret, struct err *err);
/* One by path; checks that it is a namespace of that kind where the kernel can tell (4.11). */
int ns_set_add(struct ns_set *set, enum ns_kind kind, const char *path, struct err *err);
void ns_set_close(struct ns_set *set);
DEFINE_AUTO_CLEAR(ns_set_close, struct ns_set)

/* Join one; a pid or time namespace takes effect for children. */
int ns_join_one(int fd, enum ns_kind kind, struct err *err);
/* Join all of the set but those in @except (a mask of 1 << kind), in order. The caller must have one thread. */
int ns_join(const struct ns_set *set, unsigned int except, struct err *err);

/*
 * clone() with the signal SIGCHLD and @flags, copying memory as fork() does. Returns like fork(), or -errno. Never pass CLONE_NEWCGROUP
 * (on 2.6.32 that bit stops the child).
 */
pid_t ns_clone(unsigned long flags);
/*
 * fork() of a child that wait() does not see (only with __WALL or __WCLONE): for a helper below a process that does not know of it. It must not
 * execute anything: kernels from 3.4 on then make it an ordinary child.
 */
pid_t ns_clone_unseen(void);
/* As ns_clone() into the cgroup v2 group whose directory is @cgroup_fd, by clone3(CLONE_INTO_CGROUP), 5.7. -errno where that does not work. */
pid_t ns_clone_into(unsigned long flags, int cgroup_fd);

/* Can this kernel join namespaces of @kind? */
struct fit ns_join_fit(enum ns_kind kind);

#endif
