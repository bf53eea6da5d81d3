/*
 * netlink.c - messages about links, changed so that the running kernel ignores what the old one ignores
 *
 * 2.6.32 answers 0 to an attribute that it does not know and does nothing; so the attribute gets a number that no kernel knows. A kind of
 * interface that it does not have gets a name that no kernel has: the answer is EOPNOTSUPP then, as there; and so does any kind in a request
 * for a new interface that also wants flags of it, which it answers in the same way.
 */
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "tests/legacy/as_kernel.h"

enum { MESSAGE_MAX = 8192, UNKNOWN = 0x3ff0, KIND = 1, DATA = 2, PEER = 1 };

static bool is_route_netlink(const struct call *c)
{
	auto_fd int fd = remote_fd(c, (int)c->n.data.args[0]);
	int domain = 0, protocol = 0;
	socklen_t len = sizeof(int);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 && protocol == NETLINK_ROUTE;
}

static bool has_kind(const struct kernel *k, const char *kind, size_t len)
{
	static const struct {
		const char *name;
		unsigned int kernels;
	} lacks[] = {{"bridge", VANILLA}, {"vxlan", VANILLA}, {"ipvlan", TO_310}, {"ifb", OLD}, {"vrf", TO_310}, {"wireguard", ALL}};

	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++)
		if ((lacks[i].kernels & k->bit) && strnlen(kind, len) == strlen(lacks[i].name) &&
		    strncmp(kind, lacks[i].name, len) == 0)
			return false;
	return true;
}

/*
 * The attributes in [@at, @end); @level: 0 the link's, 1 its kind's, 2 the kind's data, 3 the veth peer's; @no_kind: it makes none of any
 * kind.
 */
static bool change(const struct kernel *k, unsigned char *at, unsigned char *end, int level, bool no_kind)
{
	bool changed = false;

	while (end - at >= (ssize_t)sizeof(struct rtattr)) {
		struct rtattr *a = (void *)at;
		unsigned char *data = RTA_DATA(a), *next = at + RTA_ALIGN(a->rta_len);
		unsigned int type = a->rta_type & 0x3fff;

		if (a->rta_len < sizeof(*a) || at + a->rta_len > end)
			break;
		if ((level == 0 && type == IFLA_MASTER) || (level == 0 && type == IFLA_NET_NS_FD && (k->bit & VANILLA)) ||
		    (level == 3 && (type == IFLA_NET_NS_FD || type == IFLA_NET_NS_PID))) {
			a->rta_type = UNKNOWN;
			changed = true;
		} else if (level == 1 && type == KIND && RTA_PAYLOAD(a) > 0 &&
			   (no_kind || !has_kind(k, (char *)data, RTA_PAYLOAD(a)))) {
			*data = '-';
			changed = true;
		} else if ((level == 0 && type == IFLA_LINKINFO) || (level == 1 && type == DATA)) {
			changed |= change(k, data, at + a->rta_len, level + 1, no_kind);
		} else if (level == 2 && type == PEER && RTA_PAYLOAD(a) >= sizeof(struct ifinfomsg)) {
			changed |= change(k, data + NLMSG_ALIGN(sizeof(struct ifinfomsg)), at + a->rta_len, 3, no_kind);
		}
		at = next;
	}
	return changed;
}

static void change_message(const struct call *c, uint64_t at, size_t len)
{
	_Alignas(8) unsigned char bytes[MESSAGE_MAX];
	const struct nlmsghdr *head = (const void *)bytes;
	size_t start = NLMSG_LENGTH(sizeof(struct ifinfomsg));
	const struct ifinfomsg *link;
	bool wants_flags;

	if (len < start || len > sizeof(bytes) || !remote_read(c, at, bytes, len))
		return;
	if ((head->nlmsg_type != RTM_NEWLINK && head->nlmsg_type != RTM_SETLINK) || head->nlmsg_len > len ||
	    head->nlmsg_len < start || !is_route_netlink(c))
		return;
	link = NLMSG_DATA(head);
	wants_flags = (c->kernel->bit & OLD) && head->nlmsg_type == RTM_NEWLINK && (head->nlmsg_flags & NLM_F_CREATE) &&
		      (link->ifi_flags || link->ifi_change);
	if (change(c->kernel, bytes + start, bytes + head->nlmsg_len, 0, wants_flags))
		(void)remote_write(c, at, bytes, len);	/* in vain: the caller is gone */
}

struct verdict call_send(const struct call *c)
{
	struct msghdr message;
	struct iovec part;

	if (c->n.data.nr == SYS_sendto)
		change_message(c, c->n.data.args[1], c->n.data.args[2]);
	else if (remote_read(c, c->n.data.args[1], &message, sizeof(message)) && message.msg_iovlen &&
		 remote_read(c, (uintptr_t)message.msg_iov, &part, sizeof(part)))
		change_message(c, (uintptr_t)part.iov_base, part.iov_len);
	return go_on();
}
