/*
 * sync.c - messages between the caller and the container's first process
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "runtime/oci/internal.h"

int sync_send(int fd, enum sync_kind kind, int attach_fd)
{
	struct sync_msg msg = {.kind = kind};

	return fd_send(fd, &msg, sizeof(msg), &attach_fd, attach_fd >= 0);
}

void sync_send_error(int fd, const struct err *err)
{
	struct sync_msg msg = {.kind = SYNC_ERROR, .err = *err};

	/* write() rather than send(): a seccomp profile may be in force that knows no sockets. */
	(void)!write(fd, &msg, sizeof(msg));
}

int sync_recv(int fd, enum sync_kind *ret, int *ret_fd, struct err *err)
{
	struct sync_msg msg = {0};
	size_t count = ret_fd ? 1 : 0;
	int attached = -1;
	ssize_t n = fd_recv(fd, &msg, sizeof(msg), &attached, &count);

	/* A reset is an end too: the other side went without reading all. */
	if (n == 0 || n == -ECONNRESET)
		return err_sys(err, EPIPE, "the other side ended");
	if (n < 0)
		return err_sys(err, (int)-n, "receive");
	if (n != sizeof(msg)) {
		if (count)
			close(attached);
		return err_sys(err, EBADMSG, "receive");
	}
	if (msg.kind == SYNC_ERROR) {
		msg.err.msg[sizeof(msg.err.msg) - 1] = '\0';
		if (err)
			*err = msg.err;
		return msg.err.code > 0 ? -msg.err.code : -EIO;
	}
	*ret = msg.kind;
	if (ret_fd)
		*ret_fd = count ? attached : -1;
	return 0;
}

int sync_expect(int fd, enum sync_kind want, struct err *err)
{
	enum sync_kind kind = 0;
	int rc = sync_recv(fd, &kind, NULL, err);

	if (!rc && kind != want)
		return err_sys(err, EBADMSG, "receive message %d instead of %d", kind, want);
	return rc;
}

int sync_pair(int ret[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ret) < 0)
		return err_sys(err, errno, "make a socket pair");
	return 0;
}
