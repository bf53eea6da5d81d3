/*
 * netlink_open.c - netlink sockets of this and of other network namespaces
 */
#include <fcntl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "runtime/net/netlink.h"

static int open_here(struct nl_sock **ret, struct err *err)
{
	struct nl_sock *sock = nl_socket_alloc();

	if (!sock)
		return err_sys(err, ENOMEM, "make a netlink socket");
	if (nl_connect(sock, NETLINK_ROUTE) < 0) {
		nl_socket_free(sock);
		return err_sys(err, errno ? errno : EIO, "connect a netlink socket");
	}
	(void)fd_set_cloexec(nl_socket_get_fd(sock), true);
	/* One question at a time; a plain answer does not advance the library's count. */
	nl_socket_disable_seq_check(sock);
	*ret = sock;
	return 0;
}

int netlink_open_fd(int fd, struct nl_sock **ret, struct err *err)
{
	struct nl_sock *sock = nl_socket_alloc();
	auto_fd int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	int rc;

	if (!sock || own < 0) {
		nl_socket_free(sock);
		return err_sys(err, sock ? errno : ENOMEM, "take over a netlink socket");
	}
	rc = nl_socket_set_fd(sock, NETLINK_ROUTE, own);
	if (rc < 0) {
		nl_socket_free(sock);
		return err_set(err, ERR_INTERNAL, "take over a netlink socket: %s", nl_geterror(rc));
	}
	(void)fd_take(&own);
	nl_socket_disable_seq_check(sock);
	*ret = sock;
	return 0;
}

struct visit {
	pid_t pid;
	struct nl_sock *sock;
	int rc;
	struct err err;
};

static int enter(pid_t pid, struct err *err)
{
	auto_fd int fd = -1;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	fd = hidden("setns_net") || hidden("setns") ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || syscall(SYS_setns, fd, CLONE_NEWNET) < 0) {
		if (fd < 0 ? kill(pid, 0) == 0 : errno == ENOSYS)
			return err_set(err, ERR_UNSUPPORTED,
				       "bridge network: this kernel cannot join a network namespace (setns)");
		return err_sys(err, errno, "join the network namespace of process %d", (int)pid);
	}
	return 0;
}

static void *visit(void *arg)
{
	struct visit *v = arg;

	v->rc = enter(v->pid, &v->err);
	if (v->rc >= 0)
		v->rc = open_here(&v->sock, &v->err);
	return NULL;
}

int netlink_open(pid_t pid, struct nl_sock **ret, struct err *err)
{
	struct visit v = {.pid = pid};
	pthread_t thread;
	int code;

	if (!pid)
		return open_here(ret, err);
	code = pthread_create(&thread, NULL, visit, &v);
	if (code)
		return err_sys(err, code, "start a thread");
	pthread_join(thread, NULL);
	if (v.rc < 0) {
		if (err)
			*err = v.err;
		return v.rc;
	}
	*ret = v.sock;
	return 0;
}

void netlink_close(struct nl_sock *sock)
{
	if (sock)
		nl_socket_free(sock);
}
