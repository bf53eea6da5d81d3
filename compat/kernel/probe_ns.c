/*
 * probe_ns.c - do namespaces work, and joining them?
 *
 * All of this runs in a child. unshare() is tried rather than clone() wherever it can be: clone() on 2.6.32 takes CLONE_NEWCGROUP for
 * CLONE_STOPPED, and the child hangs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "compat/kernel/probe.h"
#include "compat/kernel/sysno.h"

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* ---- make ---- */

bool probe_ns_mnt(struct answer *a)
{
	return probe_result(a, unshare(CLONE_NEWNS), "unshare(CLONE_NEWNS)");
}

bool probe_ns_uts(struct answer *a)
{
	return probe_result(a, unshare(CLONE_NEWUTS), "unshare(CLONE_NEWUTS)");
}

bool probe_ns_ipc(struct answer *a)
{
	return probe_result(a, unshare(CLONE_NEWIPC), "unshare(CLONE_NEWIPC)");
}

bool probe_ns_net(struct answer *a)
{
	return probe_result(a, unshare(CLONE_NEWNET), "unshare(CLONE_NEWNET)");
}

/* 2.6.32 makes pid namespaces by clone() only. */
bool probe_ns_pid(struct answer *a)
{
	long pid = syscall(SYS_clone, (unsigned long)(CLONE_NEWPID | SIGCHLD), 0, 0, 0, 0);
	int status = 0;

	if (pid == 0)
		_exit(syscall(SYS_getpid) == 1 ? 0 : 1);
	if (pid < 0)
		return probe_failed(a, "clone(CLONE_NEWPID)");
	while (waitpid((pid_t)pid, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		return probe_no(a, "clone(CLONE_NEWPID) has no effect");
	return probe_yes(a, "clone(CLONE_NEWPID) works");
}

static bool write_map(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Before 3.8 the kernel has the flag but no map, and without a map everybody inside is nobody. */
static bool user_in_fork(struct answer *a)
{
	char map[40];
	unsigned int uid = geteuid();

	if (unshare(CLONE_NEWUSER) < 0)
		return probe_failed(a, "unshare(CLONE_NEWUSER)");
	(void)str_fmt(map, sizeof(map), "0 %u 1\n", uid);
	if (!write_map("/proc/self/uid_map", map))
		return probe_failed(a, "write /proc/self/uid_map");
	return probe_yes(a, "unshare(CLONE_NEWUSER) works");
}

bool probe_ns_user(struct answer *a)
{
	return probe_in_fork(a, user_in_fork);
}

bool probe_ns_cgroup(struct answer *a)
{
	return probe_result(a, unshare(CLONE_NEWCGROUP), "unshare(CLONE_NEWCGROUP)");
}

static bool time_in_fork(struct answer *a)
{
	return probe_result(a, unshare(CLONE_NEWTIME), "unshare(CLONE_NEWTIME)");
}

bool probe_ns_time(struct answer *a)
{
	return probe_in_fork(a, time_in_fork);
}

static bool unshare_pid_in_fork(struct answer *a)
{
	return probe_result(a, unshare(CLONE_NEWPID), "unshare(CLONE_NEWPID)");
}

bool probe_unshare_pid(struct answer *a)
{
	return probe_in_fork(a, unshare_pid_in_fork);
}

/* ---- join ---- */

/* EBADF: there is such a call. */
bool probe_setns(struct answer *a)
{
	if (syscall(SYS_setns, -1, 0) < 0 && errno != EBADF)
		return probe_failed(a, "setns");
	return probe_yes(a, "setns works");
}

/* Join what we are in already. */
static bool join_own(struct answer *a, const char *kind, int flag)
{
	char path[40], call[48];
	auto_fd int fd = -1;

	(void)str_fmt(path, sizeof(path), "/proc/self/ns/%s", kind);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return probe_failed(a, path);
	(void)str_fmt(call, sizeof(call), "setns to %s", path);
	return probe_result(a, syscall(SYS_setns, fd, flag), call);
}

bool probe_setns_mnt(struct answer *a)
{
	return join_own(a, "mnt", CLONE_NEWNS);
}

bool probe_setns_uts(struct answer *a)
{
	return join_own(a, "uts", CLONE_NEWUTS);
}

bool probe_setns_ipc(struct answer *a)
{
	return join_own(a, "ipc", CLONE_NEWIPC);
}

bool probe_setns_net(struct answer *a)
{
	return join_own(a, "net", CLONE_NEWNET);
}

bool probe_setns_pid(struct answer *a)
{
	return join_own(a, "pid", CLONE_NEWPID);
}

bool probe_setns_user(struct answer *a)
{
	if (join_own(a, "user", CLONE_NEWUSER))
		return true;
	/* Joining one's own is refused, by a kernel that can join others. */
	return errno == EINVAL ? probe_yes(a, "setns to /proc/self/ns/user works") : false;
}

bool probe_setns_cgroup(struct answer *a)
{
	return join_own(a, "cgroup", CLONE_NEWCGROUP);
}

bool probe_setns_time(struct answer *a)
{
	return join_own(a, "time", CLONE_NEWTIME);
}

bool probe_setns_pidfd(struct answer *a)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (fd < 0)
		return probe_failed(a, "pidfd_open");
	return probe_result(a, syscall(SYS_setns, fd, CLONE_NEWUTS | CLONE_NEWIPC),
			    "setns with a pidfd");
}

/* ---- network ---- */

struct message {
	struct nlmsghdr head;
	struct ifinfomsg link;
	char attributes[256];
};

/* Start an attribute; end_attribute() gives it its length, so that attributes may lie in it. */
static struct rtattr *add_attribute(struct message *m, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (void *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	m->head.nlmsg_len = (uint32_t)((char *)a + RTA_ALIGN(a->rta_len) - (char *)m);
	return a;
}

static void end_attribute(const struct message *m, struct rtattr *a)
{
	a->rta_len = (unsigned short)((const char *)m + m->head.nlmsg_len - (const char *)a);
}

/* 0 or the kernel's -errno. */
static int ask(struct message *m)
{
	auto_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char more[512];
	} reply;
	ssize_t n;

	m->head.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (fd < 0 || sendto(fd, m, m->head.nlmsg_len, 0, (const void *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	n = recv(fd, &reply, sizeof(reply), 0);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)offsetof(__typeof__(reply), more) || reply.head.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return reply.error.error;
}

enum { IFLA_NET_NS_PID_ = 19, IFLA_NET_NS_FD_ = 28, INFO_KIND = 1, INFO_DATA = 2, VETH_PEER = 1 };

/*
 * "Move lo to the namespace of a descriptor that does not exist." Who knows the attribute says EBADF; who does not
 * (2.6.32) finds nothing to do and says 0. Neither changes anything.
 */
bool probe_netlink_ns_fd(struct answer *a)
{
	enum { LO_INDEX = 1 };
	const int32_t no_fd = INT32_MAX;
	struct message m = {
		.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(m.link)), .nlmsg_type = RTM_SETLINK},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = LO_INDEX},
	};
	int rc;

	(void)add_attribute(&m, IFLA_NET_NS_FD_, &no_fd, sizeof(no_fd));
	rc = ask(&m);
	if (rc == 0)
		return probe_no(a, "IFLA_NET_NS_FD is ignored");
	errno = -rc;
	return rc == -EBADF ? probe_yes(a, "IFLA_NET_NS_FD works") : probe_failed(a, "IFLA_NET_NS_FD");
}

/*
 * "Make a pair whose peer is in the namespace of a process that does not exist." ESRCH when the kernel looked for it; when it
 * did not, the pair is made here, in a namespace that ends with this child.
 */
static bool veth_in_fork(struct answer *a)
{
	const int32_t no_pid = INT32_MAX;
	const struct ifinfomsg peer = {.ifi_family = AF_UNSPEC};
	struct message m = {
		.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(m.link)),
			 .nlmsg_type = RTM_NEWLINK,
			 .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL},
		.link = {.ifi_family = AF_UNSPEC},
	};
	struct rtattr *info, *data, *end;
	int rc;

	if (unshare(CLONE_NEWNET) < 0)
		return probe_failed(a, "unshare(CLONE_NEWNET)");
	info = add_attribute(&m, IFLA_LINKINFO, NULL, 0);
	(void)add_attribute(&m, INFO_KIND, "veth", 4);
	data = add_attribute(&m, INFO_DATA, NULL, 0);
	end = add_attribute(&m, VETH_PEER, &peer, sizeof(peer));
	(void)add_attribute(&m, IFLA_NET_NS_PID_, &no_pid, sizeof(no_pid));
	end_attribute(&m, end);
	end_attribute(&m, data);
	end_attribute(&m, info);
	rc = ask(&m);
	if (rc == 0)
		return probe_no(a, "the peer's namespace is ignored");
	errno = -rc;
	return rc == -ESRCH ? probe_yes(a, "veth with a peer elsewhere works") : probe_failed(a, "veth");
}

bool probe_veth_peer_netns(struct answer *a)
{
	return probe_in_fork(a, veth_in_fork);
}
