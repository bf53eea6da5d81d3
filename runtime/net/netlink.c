/*
 * netlink.c - requests by libnl, answers as errno
 */
#include "runtime/net/netlink.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/capability.h"

#ifndef SIOCBRADDBR
#define SIOCBRADDBR 0x89a0
#define SIOCBRDELBR 0x89a1
#define SIOCBRADDIF 0x89a2
#endif

#define AUTO_MSG __attribute__((cleanup(msg_free)))

static void msg_free(struct nl_msg **msg)
{
	if (*msg)
		nlmsg_free(*msg);
}

/* ---- messages ----------------------------------------------------------------------------------------------------------------- */

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *error, void *arg)
{
	*(int *)arg = -error->error;
	return NL_STOP;
}

/* Send and wait for the answer. 0 or -errno. */
static int request(struct nl_sock *sock, struct nl_msg *msg)
{
	int code = 0, rc;

	nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, on_error, &code);
	rc = nl_send_auto(sock, msg);
	if (rc >= 0)
		rc = nl_wait_for_ack(sock);
	if (code)
		return -code;
	return rc < 0 ? -EIO : 0;
}

static struct nl_msg *message(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (!msg || nlmsg_append(msg, (void *)head, len, NLMSG_ALIGNTO) < 0)
		abort(); /* memory is exhausted */
	return msg;
}

static void put(struct nl_msg *msg, int attr, const void *data, size_t len)
{
	if (nla_put(msg, attr, (int)len, data) < 0)
		abort();
}

static void put_str(struct nl_msg *msg, int attr, const char *s)
{
	put(msg, attr, s, strlen(s) + 1);
}

static void put_u32(struct nl_msg *msg, int attr, uint32_t v)
{
	put(msg, attr, &v, sizeof(v));
}

/* The library marks nested attributes (NLA_F_NESTED), and 2.6.32 takes the mark for a part of the number, which it then does not know. */
static struct nlattr *nest(struct nl_msg *msg, int attr)
{
	struct nlattr *start = nla_nest_start(msg, attr);

	if (!start)
		abort();
	start->nla_type = (uint16_t)attr;
	return start;
}

/* ---- links -------------------------------------------------------------------------------------------------------------------- */

static int ask_for_veth(struct nl_sock *sock, const struct veth *veth, const char *peer_name, bool elsewhere, unsigned int flags)
{
	struct ifinfomsg host = {.ifi_flags = flags, .ifi_change = flags}, peer = {0};
	AUTO_MSG struct nl_msg *msg = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &host, sizeof(host));
	struct nlattr *info, *data, *far;

	put_str(msg, IFLA_IFNAME, veth->host_name);
	put_u32(msg, IFLA_MTU, (uint32_t)veth->mtu);
	if (veth->host_mac)
		put(msg, IFLA_ADDRESS, veth->host_mac, LINK_MAC_SIZE);
	info = nest(msg, IFLA_LINKINFO);
	put_str(msg, IFLA_INFO_KIND, "veth");
	data = nest(msg, IFLA_INFO_DATA);
	far = nest(msg, VETH_INFO_PEER);
	if (nlmsg_append(msg, &peer, sizeof(peer), NLMSG_ALIGNTO) < 0)
		abort();
	put_str(msg, IFLA_IFNAME, peer_name);
	put_u32(msg, IFLA_MTU, (uint32_t)veth->mtu);
	put(msg, IFLA_ADDRESS, veth->peer_mac, LINK_MAC_SIZE);
	if (elsewhere)
		put_u32(msg, IFLA_NET_NS_PID, (uint32_t)veth->peer_pid);
	nla_nest_end(msg, far);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return request(sock, msg);
}

/* Before 2.6.34 a request that also wants flags of the new interface has the answer of a kernel without such interfaces. */
static int try_veth(struct nl_sock *sock, const struct veth *veth, const char *peer_name, bool elsewhere)
{
	int rc = ask_for_veth(sock, veth, peer_name, elsewhere, IFF_UP);

	return rc == -EOPNOTSUPP ? ask_for_veth(sock, veth, peer_name, elsewhere, 0) : rc;
}

static int move_link(struct nl_sock *sock, int index, pid_t pid, const char *name, struct err *err)
{
	struct ifinfomsg head = {.ifi_index = index};
	AUTO_MSG struct nl_msg *msg = message(RTM_NEWLINK, 0, &head, sizeof(head));
	int rc;

	put_u32(msg, IFLA_NET_NS_PID, (uint32_t)pid);
	put_str(msg, IFLA_IFNAME, name);
	rc = request(sock, msg);
	return rc < 0 ? err_sys(err, -rc, "move an interface to process %d", (int)pid) : 0;
}

/* Made here under a name that no interface of the host has, then moved and renamed at once. */
static int make_and_move(struct nl_sock *sock, const struct veth *veth, struct err *err)
{
	char far[IFNAMSIZ];
	struct link_info info;
	struct err ignored;
	int rc;

	snprintf(far, sizeof(far), "p%s", veth->host_name);
	rc = try_veth(sock, veth, far, false);
	if (rc < 0)
		return rc;
	rc = link_get(sock, far, &info, err);
	if (rc >= 0)
		rc = move_link(sock, info.index, veth->peer_pid, veth->peer_name, err);
	if (rc < 0)
		(void)link_del(sock, veth->host_name, &ignored); /* both ends */
	return rc;
}

int link_add_veth(struct nl_sock *sock, const struct veth *veth, struct err *err)
{
	int rc;

	err_clear(err);
	rc = veth->born_there ? try_veth(sock, veth, veth->peer_name, true) : make_and_move(sock, veth, err);
	if (rc >= 0 || err->code)
		return rc;
	if (rc == -ESRCH)
		return err_sys(err, ESRCH, "process %d", (int)veth->peer_pid);
	if (rc == -EOPNOTSUPP)
		return err_set(err, ERR_UNSUPPORTED, "bridge network: this kernel has no veth interfaces");
	return err_sys(err, -rc, "make interface pair '%s'", veth->host_name);
}

struct link_walk {
	bool (*cb)(void *arg, const char *name, const struct link_info *info);
	void *arg;
	bool stopped;
};

static int on_link(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *head = nlmsg_hdr(msg);
	struct link_walk *walk = arg;
	struct nlattr *attrs[IFLA_MAX + 1];
	struct link_info info = {0};
	const struct ifinfomsg *link = nlmsg_data(head);

	if (head->nlmsg_type != RTM_NEWLINK || walk->stopped ||
	    nlmsg_parse(head, sizeof(*link), attrs, IFLA_MAX, NULL) < 0 || !attrs[IFLA_IFNAME])
		return NL_OK;
	info.index = link->ifi_index;
	info.up = link->ifi_flags & IFF_UP;
	if (attrs[IFLA_ADDRESS] && nla_len(attrs[IFLA_ADDRESS]) == LINK_MAC_SIZE)
		memcpy(info.mac, nla_data(attrs[IFLA_ADDRESS]), LINK_MAC_SIZE);
	if (attrs[IFLA_MTU])
		info.mtu = (int)nla_get_u32(attrs[IFLA_MTU]);
	if (attrs[IFLA_MASTER])
		info.master = (int)nla_get_u32(attrs[IFLA_MASTER]);
	walk->stopped = !walk->cb(walk->arg, nla_get_string(attrs[IFLA_IFNAME]), &info);
	return NL_OK;
}

/* Send a dump (or one get) and hand each answer to @cb. */
static int dump(struct nl_sock *sock, struct nl_msg *msg, nl_recvmsg_msg_cb_t cb, void *arg)
{
	int code = 0, rc;

	nl_socket_modify_err_cb(sock, NL_CB_CUSTOM, on_error, &code);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, cb, arg);
	rc = nl_send_auto(sock, msg);
	if (rc >= 0)
		rc = nl_recvmsgs_default(sock);
	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_DEFAULT, NULL, NULL);
	if (code)
		return -code;
	/* The list changed while it was told: others come and go, ours is in it. */
	return rc < 0 && rc != -NLE_DUMP_INTR ? -EIO : 0;
}

static int each_of(struct nl_sock *sock, int family, bool (*cb)(void *arg, const char *name, const struct link_info *info),
		   void *arg, struct err *err)
{
	struct ifinfomsg head = {.ifi_family = (unsigned char)family};
	struct link_walk walk = {.cb = cb, .arg = arg};
	AUTO_MSG struct nl_msg *msg = message(RTM_GETLINK, NLM_F_DUMP, &head, sizeof(head));
	int rc = dump(sock, msg, on_link, &walk);

	return rc < 0 ? err_sys(err, -rc, "list interfaces") : 0;
}

int link_each(struct nl_sock *sock, bool (*cb)(void *arg, const char *name, const struct link_info *info), void *arg,
	      struct err *err)
{
	return each_of(sock, AF_UNSPEC, cb, arg, err);
}

/* 2.6.32 tells the bridge of a port in its answer about bridges only. */
int link_each_port(struct nl_sock *sock, bool (*cb)(void *arg, const char *name, const struct link_info *info), void *arg,
		   struct err *err)
{
	return each_of(sock, AF_BRIDGE, cb, arg, err);
}

struct find {
	const char *name;
	struct link_info info;
	bool found;
};

static bool is_named(void *arg, const char *name, const struct link_info *info)
{
	struct find *find = arg;

	if (strcmp(name, find->name))
		return true;
	find->info = *info;
	find->found = true;
	return false;
}

int link_get(struct nl_sock *sock, const char *name, struct link_info *ret, struct err *err)
{
	struct find find = {.name = name};
	struct ifinfomsg head = {0};
	struct link_walk walk = {.cb = is_named, .arg = &find};
	AUTO_MSG struct nl_msg *msg = message(RTM_GETLINK, 0, &head, sizeof(head));
	int rc;

	put_str(msg, IFLA_IFNAME, name);
	nl_socket_disable_auto_ack(sock);
	rc = dump(sock, msg, on_link, &walk);
	nl_socket_enable_auto_ack(sock);
	if (rc == -EINVAL) {
		/* 2.6.32 looks a link up by index only. */
		rc = link_each(sock, is_named, &find, err);
		if (rc < 0)
			return rc;
	}
	if (!find.found)
		return err_sys(err, rc < 0 && rc != -EIO ? -rc : ENODEV, "interface '%s'", name);
	*ret = find.info;
	return 0;
}

int link_set(struct nl_sock *sock, int index, const char *name, const unsigned char *mac, int mtu, int up,
	     struct err *err)
{
	struct ifinfomsg head = {.ifi_index = index};
	AUTO_MSG struct nl_msg *msg = NULL;
	int rc;

	if (up >= 0) {
		head.ifi_change = IFF_UP;
		head.ifi_flags = up ? IFF_UP : 0;
	}
	msg = message(RTM_NEWLINK, 0, &head, sizeof(head));
	if (name)
		put_str(msg, IFLA_IFNAME, name);
	if (mac)
		put(msg, IFLA_ADDRESS, mac, LINK_MAC_SIZE);
	if (mtu > 0)
		put_u32(msg, IFLA_MTU, (uint32_t)mtu);
	rc = request(sock, msg);
	return rc < 0 ? err_sys(err, -rc, "change interface %d", index) : 0;
}

void link_settle(const char *name)
{
	/* To ask for the link's state synchronises it: see ethtool_op_get_link() in the kernel. */
	struct {
		uint32_t command, data;
	} get_link = {.command = 0x0a /* ETHTOOL_GLINK */};
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {0};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%.*s", IFNAMSIZ - 1, name);
	req.ifr_data = (void *)&get_link;
	(void)ioctl(fd, 0x8946 /* SIOCETHTOOL */, &req); /* without it the first packets are late */
}

int link_del(struct nl_sock *sock, const char *name, struct err *err)
{
	struct ifinfomsg head = {0};
	struct link_info info;
	AUTO_MSG struct nl_msg *msg = NULL;
	int rc = link_get(sock, name, &info, err);

	if (rc < 0)
		return rc;
	head.ifi_index = info.index;
	msg = message(RTM_DELLINK, 0, &head, sizeof(head));
	rc = request(sock, msg);
	return rc < 0 ? err_sys(err, -rc, "delete interface '%s'", name) : 0;
}

/* ---- bridges ------------------------------------------------------------------------------------------------------------------ */

static int bridge_ioctl(unsigned long what, void *arg)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return ioctl(fd, (int)what, arg) < 0 ? -errno : 0;
}

int bridge_add(const char *name, struct err *err)
{
	const struct fit *may = compat_choice(CAPABILITY_BRIDGE);
	int rc;

	if (may->score == FIT_NO)
		return err_set(err, ERR_UNSUPPORTED, "bridge network: %s", may->reason);
	rc = bridge_ioctl(SIOCBRADDBR, (void *)name);
	if (rc == -EEXIST)
		return rc;
	if (rc == -ENOPKG || rc == -ENOTTY || rc == -EINVAL)
		return err_set(err, ERR_UNSUPPORTED, "bridge network: this kernel has no bridges (module 'bridge')");
	return rc < 0 ? err_sys(err, -rc, "make bridge '%s'", name) : 0;
}

int bridge_del(const char *name, struct err *err)
{
	int rc = bridge_ioctl(SIOCBRDELBR, (void *)name);

	return rc < 0 ? err_sys(err, -rc, "remove bridge '%s'", name) : 0;
}

int bridge_open_at_once(const char *bridge, struct err *err)
{
	enum { SET_FORWARD_DELAY = 8 };	/* BRCTL_SET_BRIDGE_FORWARD_DELAY */
	unsigned long args[4] = {SET_FORWARD_DELAY, 0};
	struct ifreq req = {0};
	int rc;

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%.*s", IFNAMSIZ - 1, bridge);
	req.ifr_data = (void *)args;
	rc = bridge_ioctl(SIOCDEVPRIVATE, &req);
	return rc < 0 ? err_sys(err, -rc, "set the forward delay of bridge '%s'", bridge) : 0;
}

int bridge_add_port(const char *bridge, int index, struct err *err)
{
	struct ifreq req = {0};
	int rc;

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%.*s", IFNAMSIZ - 1, bridge);
	req.ifr_ifindex = index;
	rc = bridge_ioctl(SIOCBRADDIF, &req);
	return rc < 0 ? err_sys(err, -rc, "put an interface on bridge '%s'", bridge) : 0;
}

int bridge_hairpin(struct nl_sock *sock, const char *name, int index)
{
	struct ifinfomsg head = {.ifi_family = AF_BRIDGE, .ifi_index = index};
	AUTO_MSG struct nl_msg *msg = message(RTM_SETLINK, 0, &head, sizeof(head));
	auto_free char *file = NULL;
	struct nlattr *port = nla_nest_start(msg, IFLA_PROTINFO | NLA_F_NESTED);
	const uint8_t on = 1;
	struct err ignored;

	if (!port)
		abort();
	put(msg, IFLA_BRPORT_MODE, &on, sizeof(on));
	nla_nest_end(msg, port);
	if (request(sock, msg) == 0)
		return 0;
	/*
	 * Before 3.8. Those take what follows for the port's state and refuse it, as the nested attribute's length is no state. Where sysfs
	 * shows the first namespace only, there is no bridge in any other.
	 */
	file = xfmt("/sys/class/net/%s/brport/hairpin_mode", name);
	return file_put(-1, file, "1", &ignored);
}

/* ---- addresses and routes ----------------------------------------------------------------------------------------------------- */

static size_t addr_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static int change_addr(struct nl_sock *sock, int type, int index, int family, const void *addr, int prefix)
{
	struct ifaddrmsg head = {.ifa_family = (uint8_t)family, .ifa_prefixlen = (uint8_t)prefix,
				 .ifa_index = (uint32_t)index};
	AUTO_MSG struct nl_msg *msg = NULL;

	if (family == AF_INET6)
		head.ifa_flags = IFA_F_NODAD; /* our own table says who has it */
	msg = message(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0, &head, sizeof(head));
	put(msg, IFA_LOCAL, addr, addr_size(family));
	if (family == AF_INET)
		put(msg, IFA_ADDRESS, addr, addr_size(family));
	if (family == AF_INET && type == RTM_NEWADDR && prefix < 31) {
		uint32_t broadcast;

		memcpy(&broadcast, addr, 4);
		broadcast |= htonl(prefix ? (1u << (32 - prefix)) - 1 : UINT32_MAX);
		put(msg, IFA_BROADCAST, &broadcast, 4);
	}
	return request(sock, msg);
}

int addr_add(struct nl_sock *sock, int index, int family, const void *addr, int prefix, struct err *err)
{
	int rc = change_addr(sock, RTM_NEWADDR, index, family, addr, prefix);

	return rc < 0 && rc != -EEXIST ? err_sys(err, -rc, "give interface %d an address", index) : 0;
}

int addr_del(struct nl_sock *sock, int index, int family, const void *addr, int prefix, struct err *err)
{
	int rc = change_addr(sock, RTM_DELADDR, index, family, addr, prefix);

	return rc < 0 && rc != -EADDRNOTAVAIL ? err_sys(err, -rc, "take an address from interface %d", index) : 0;
}

struct addr_walk {
	bool (*cb)(void *arg, int index, const void *addr, int prefix);
	void *arg;
	int index, family;
	bool stopped;
};

static int on_addr(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *head = nlmsg_hdr(msg);
	const struct ifaddrmsg *addr = nlmsg_data(head);
	struct addr_walk *walk = arg;
	struct nlattr *attrs[IFA_MAX + 1], *value;

	if (head->nlmsg_type != RTM_NEWADDR || walk->stopped || addr->ifa_family != walk->family ||
	    (walk->index && (int)addr->ifa_index != walk->index) ||
	    nlmsg_parse(head, sizeof(*addr), attrs, IFA_MAX, NULL) < 0)
		return NL_OK;
	value = attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS];
	if (value && (size_t)nla_len(value) == addr_size(walk->family))
		walk->stopped = !walk->cb(walk->arg, (int)addr->ifa_index, nla_data(value), addr->ifa_prefixlen);
	return NL_OK;
}

int addr_each(struct nl_sock *sock, int index, int family,
	      bool (*cb)(void *arg, int index, const void *addr, int prefix), void *arg, struct err *err)
{
	struct ifaddrmsg head = {.ifa_family = (uint8_t)family};
	struct addr_walk walk = {.cb = cb, .arg = arg, .index = index, .family = family};
	AUTO_MSG struct nl_msg *msg = message(RTM_GETADDR, NLM_F_DUMP, &head, sizeof(head));
	int rc = dump(sock, msg, on_addr, &walk);

	return rc < 0 ? err_sys(err, -rc, "list addresses") : 0;
}

int route_add_default(struct nl_sock *sock, int index, int family, const void *gateway, struct err *err)
{
	struct rtmsg head = {.rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_BOOT,
			     .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = RTN_UNICAST};
	AUTO_MSG struct nl_msg *msg = message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &head, sizeof(head));
	int rc;

	put(msg, RTA_GATEWAY, gateway, addr_size(family));
	put_u32(msg, RTA_OIF, (uint32_t)index);
	rc = request(sock, msg);
	return rc < 0 && rc != -EEXIST ? err_sys(err, -rc, "add the default route") : 0;
}

struct route_walk {
	bool (*cb)(void *arg, const void *addr, int prefix);
	void *arg;
	int family;
	bool stopped;
};

static int on_route(struct nl_msg *msg, void *arg)
{
	struct nlmsghdr *head = nlmsg_hdr(msg);
	const struct rtmsg *route = nlmsg_data(head);
	struct route_walk *walk = arg;
	struct nlattr *attrs[RTA_MAX + 1];

	if (head->nlmsg_type != RTM_NEWROUTE || walk->stopped || route->rtm_family != walk->family ||
	    route->rtm_table != RT_TABLE_MAIN || nlmsg_parse(head, sizeof(*route), attrs, RTA_MAX, NULL) < 0 ||
	    !attrs[RTA_DST])
		return NL_OK;
	if ((size_t)nla_len(attrs[RTA_DST]) == addr_size(walk->family))
		walk->stopped = !walk->cb(walk->arg, nla_data(attrs[RTA_DST]), route->rtm_dst_len);
	return NL_OK;
}

int route_each(struct nl_sock *sock, int family, bool (*cb)(void *arg, const void *addr, int prefix), void *arg,
	       struct err *err)
{
	struct rtmsg head = {.rtm_family = (uint8_t)family};
	struct route_walk walk = {.cb = cb, .arg = arg, .family = family};
	AUTO_MSG struct nl_msg *msg = message(RTM_GETROUTE, NLM_F_DUMP, &head, sizeof(head));
	int rc = dump(sock, msg, on_route, &walk);

	return rc < 0 ? err_sys(err, -rc, "list routes") : 0;
}
