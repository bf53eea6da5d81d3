/*
 * netlink - links, addresses and routes, here or in another network namespace. Nobody outside runtime/net includes this.
 */
#ifndef RUNTIME_NET_NETLINK_H
#define RUNTIME_NET_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"

struct nl_sock;

/*
 * A socket in the namespace of @pid, or in ours with 0. It stays in that namespace whoever uses it. Opened by a thread of its own, since
 * only a thread's namespace changes. ERR_UNSUPPORTED where the kernel cannot join one: netlink_open_fd().
 */
int netlink_open(pid_t pid, struct nl_sock **ret, struct err *err);
/* By a NETLINK_ROUTE socket that somebody opened in the namespace. @fd stays the caller's. */
int netlink_open_fd(int fd, struct nl_sock **ret, struct err *err);
void netlink_close(struct nl_sock *sock);
DEFINE_AUTO(netlink_close, struct nl_sock *)

#define LINK_MAC_SIZE 6

struct link_info {
	int index;
	bool up;
	unsigned char mac[LINK_MAC_SIZE];
	int mtu;
	int master;	/* index of its bridge, 0 none */
};

struct veth {
	const char *host_name, *peer_name;
	pid_t peer_pid;			/* in whose namespace the peer ends */
	bool born_there;		/* it may be made there (feature veth-peer-netns); else it is moved and renamed */
	const unsigned char *peer_mac;	/* of LINK_MAC_SIZE */
	const unsigned char *host_mac;	/* NULL: the kernel chooses */
	int mtu;
};

/* A pair. The host's end is down where the kernel does not take that word in the same request (before 2.6.34). */
int link_add_veth(struct nl_sock *sock, const struct veth *veth, struct err *err);
/* kind INTERNAL and code ENODEV when it does not exist. */
int link_get(struct nl_sock *sock, const char *name, struct link_info *ret, struct err *err);
/* What is NULL, 0 or negative stays as it is. */
int link_set(struct nl_sock *sock, int index, const char *name, const unsigned char *mac, int mtu, int up,
	     struct err *err);
/*
 * Make what follows from a link's carrier happen now. The kernel leaves it to a worker which runs once a second at busy times, and until
 * then an interface that was up before its peer drops what it should send, and a bridge keeps its port closed.
 */
void link_settle(const char *name);
int link_del(struct nl_sock *sock, const char *name, struct err *err);
/* Names of all links; @cb returns false to stop. info->master is told by newer kernels only. */
int link_each(struct nl_sock *sock, bool (*cb)(void *arg, const char *name, const struct link_info *info), void *arg,
	      struct err *err);

/* The same for ports of bridges, with info->master. */
int link_each_port(struct nl_sock *sock, bool (*cb)(void *arg, const char *name, const struct link_info *info), void *arg,
		   struct err *err);

/*
 * By ioctl: the same on every kernel, where netlink's way is accepted and ignored by old ones. Existing is -EEXIST without a message.
 * ERR_UNSUPPORTED, and nothing is tried, where the kernel would crash of it: see compat/kernel/netns.h.
 */
int bridge_add(const char *name, struct err *err);
int bridge_del(const char *name, struct err *err);
/* Ports forward from the first moment. On 2.6.32 they wait for the forward delay, 15 s, without a spanning tree too. */
int bridge_open_at_once(const char *bridge, struct err *err);
/*
 * Let the port have the bridge's address: where that was given to the bridge, 2.6.32 still takes for the bridge only what is sent to an
 * address of one of its ports.
 */
int bridge_add_port(const char *bridge, int index, struct err *err);
/*
 * Let the port send back what came from it: a container that connects to its own published port, where the bridge's frames pass through the
 * host's NAT (bridge-nf-call-iptables). 0 or -errno.
 */
int bridge_hairpin(struct nl_sock *sock, const char *name, int index);

/* @family AF_INET or AF_INET6; @addr of 4 or 16 bytes. An address that is there already is fine. */
int addr_add(struct nl_sock *sock, int index, int family, const void *addr, int prefix, struct err *err);
int addr_del(struct nl_sock *sock, int index, int family, const void *addr, int prefix, struct err *err);
/* @index 0: all links. */
int addr_each(struct nl_sock *sock, int index, int family,
	      bool (*cb)(void *arg, int index, const void *addr, int prefix), void *arg, struct err *err);
int route_add_default(struct nl_sock *sock, int index, int family, const void *gateway, struct err *err);
/* Destinations of the main table's routes that are not the default one. */
int route_each(struct nl_sock *sock, int family, bool (*cb)(void *arg, const void *addr, int prefix), void *arg,
	       struct err *err);

#endif
