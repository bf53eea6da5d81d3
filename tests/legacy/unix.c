/*
 * unix.c - before 2.6.36 the path of a socket leads only to sockets of the same network namespace
 *
 * Which those are the kernel tells about one namespace at a time (sock_diag(7)), with the file that each is bound to.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "tests/legacy/as_kernel.h"

enum { ANSWER_BYTES = 32768 };

/* A socket of @netns, made by this thread, which goes there for it. */
static int diag_socket(int netns)
{
	auto_fd int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (own < 0 || setns(netns, CLONE_NEWNET) < 0)
		return -1;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (setns(own, CLONE_NEWNET) < 0)
		_exit(1);	/* it would look at the wrong namespace from now on */
	return fd;
}

static bool is_bound_to(const struct nlmsghdr *head, const struct stat *st)
{
	const struct unix_diag_msg *m = NLMSG_DATA(head);
	const struct nlattr *a = (const void *)(m + 1), *end = (const void *)((const char *)head + head->nlmsg_len);

	while ((const char *)end - (const char *)a >= (ptrdiff_t)sizeof(*a) && a->nla_len >= sizeof(*a)) {
		const struct unix_diag_vfs *file = (const void *)(a + 1);

		if (a->nla_type == UNIX_DIAG_VFS && a->nla_len >= sizeof(*a) + sizeof(*file))
			return file->udiag_vfs_ino == (uint32_t)st->st_ino && file->udiag_vfs_dev >> 20 == major(st->st_dev) &&
			       (file->udiag_vfs_dev & 0xfffff) == minor(st->st_dev);
		a = (const void *)((const char *)a + NLA_ALIGN(a->nla_len));
	}
	return false;
}

/* 1 and 0; -1 when the kernel does not tell. */
static int has_socket(int netns, const struct stat *st)
{
	const struct {
		struct nlmsghdr head;
		struct unix_diag_req body;
	} request = {
		.head = {.nlmsg_len = sizeof(request), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = AF_UNIX, .udiag_states = UINT32_MAX, .udiag_show = UDIAG_SHOW_VFS},
	};
	_Alignas(8) char bytes[ANSWER_BYTES];
	auto_fd int fd = diag_socket(netns);

	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0)
		return -1;
	for (;;) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			return -1;
		for (struct nlmsghdr *head = (void *)bytes; NLMSG_OK(head, n); head = NLMSG_NEXT(head, n)) {
			if (head->nlmsg_type == NLMSG_DONE)
				return 0;
			if (head->nlmsg_type != SOCK_DIAG_BY_FAMILY)
				return -1;
			if (is_bound_to(head, st))
				return 1;
		}
	}
}

struct verdict call_connect(const struct call *c)
{
	struct sockaddr_un to = {0};
	size_t len = c->n.data.args[2] & UINT32_MAX, start = offsetof(struct sockaddr_un, sun_path);
	char path[NAME_MAX_BYTES], name[sizeof(to.sun_path) + 1] = "";
	auto_fd int sock = -1;
	auto_fd int netns = -1;
	struct stat st;

	if (len <= start || len > sizeof(to) || !remote_read(c, c->n.data.args[1], &to, len) || to.sun_family != AF_UNIX || !*to.sun_path)
		return go_on();
	memcpy(name, to.sun_path, len - start);
	if (!remote_path(c, AT_FDCWD, name, path, sizeof(path)) || stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return go_on();
	sock = remote_fd(c, (int)c->n.data.args[0]);
	netns = sock < 0 ? -1 : ioctl(sock, SIOCGSKNS);
	return netns >= 0 && has_socket(netns, &st) == 0 ? fail(ECONNREFUSED) : go_on();
}
