/*
 * fd - descriptors: read and write whole, close many, pass over sockets. Files are in file.c, sockets in unix.c.
 */
#include "compat/base/fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/hide.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

void auto_close_fn(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);	/* nothing that was written is lost here: writers check their own close */
	errno = saved;
}

ssize_t fd_read_all(int fd, void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)data + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fd_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd pfd = {.fd = fd, .events = POLLOUT};

			(void)poll(&pfd, 1, -1);	/* an error shows in the next write */
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int fd_set_cloexec(int fd, bool on)
{
	return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

/* What is a place only cannot be read from: EBADF. At an offset, so that nothing is lost of what can. */
bool fd_is_path(int fd)
{
	char byte;

	return pread(fd, &byte, 1, 0) < 0 && errno == EBADF;
}

/* ---- close many ---- */

static bool is_kept(int fd, const int *keep, size_t keep_count)
{
	for (size_t i = 0; i < keep_count; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

/* The gaps between the kept descriptors. */
static bool close_by_range(int first, const int *keep, size_t keep_count)
{
	unsigned int from = (unsigned int)first;

	if (hidden("close_range"))
		return false;
	for (size_t i = 0; i < keep_count; i++) {
		unsigned int fd = (unsigned int)keep[i];

		if (keep[i] < first)
			continue;
		if (fd > from && syscall(SYS_close_range, from, fd - 1, 0) < 0)
			return false;
		from = fd + 1;
	}
	return syscall(SYS_close_range, from, ~0U, 0) == 0;
}

struct dirent64_raw {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

/* Without malloc: this runs between fork and execve. */
static bool close_by_proc(int first, const int *keep, size_t keep_count)
{
	char entries[4096] __attribute__((aligned(8)));
	int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool closed;
	long n;

	if (dir < 0)
		return false;
	do {
		/* Closing moves what getdents will say next, so start again until a pass finds nothing. */
		closed = false;
		(void)lseek(dir, 0, SEEK_SET);
		while ((n = syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0) {
			for (long at = 0; at < n;) {
				const struct dirent64_raw *e = (const void *)(entries + at);
				int fd = 0;

				at += e->reclen;
				if (e->name[0] < '0' || e->name[0] > '9')
					continue;
				for (const char *c = e->name; *c; c++)
					fd = fd * 10 + *c - '0';
				if (fd < first || fd == dir || is_kept(fd, keep, keep_count))
					continue;
				closed |= close(fd) == 0;
			}
		}
	} while (closed);
	(void)close(dir);
	return true;
}

void fd_close_from(int first, const int *keep, size_t keep_count)
{
	struct rlimit limit;

	if (close_by_range(first, keep, keep_count) || close_by_proc(first, keep, keep_count))
		return;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max > 1 << 20)
		limit.rlim_max = 1 << 20;
	for (int fd = first; fd < (int)limit.rlim_max; fd++)
		if (!is_kept(fd, keep, keep_count))
			(void)close(fd);	/* most are not open */
}

/* ---- passing ---- */

#define FDS_MAX 253

int fd_send(int sock, const void *data, size_t len, const int *fds, size_t fd_count)
{
	char control[CMSG_SPACE(sizeof(int) * FDS_MAX)] __attribute__((aligned(8))) = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fd_count > FDS_MAX || !len)
		return -EINVAL;
	if (fd_count) {
		struct cmsghdr *c;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * fd_count);
	}
	do
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	/* The descriptors went with the first byte; the rest is plain data. */
	while ((size_t)n < len) {
		ssize_t m = send(sock, (const char *)data + n, len - (size_t)n, MSG_NOSIGNAL);

		if (m < 0 && errno != EINTR)
			return -errno;
		n += m > 0 ? m : 0;
	}
	return 0;
}

static void close_each(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)close(fds[i]);
}

ssize_t fd_recv(int sock, void *data, size_t len, int *fds, size_t *fd_count)
{
	char control[CMSG_SPACE(sizeof(int) * FDS_MAX)] __attribute__((aligned(8)));
	struct iovec iov = {.iov_base = data, .iov_len = len};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int got[FDS_MAX];
	size_t count = 0, room = fds ? *fd_count : 0;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		size_t more = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		if (more > FDS_MAX - count)
			more = FDS_MAX - count;
		memcpy(got + count, CMSG_DATA(c), more * sizeof(int));
		count += more;
	}
	if (msg.msg_flags & MSG_CTRUNC || count > room) {
		close_each(got, count);
		return -EMSGSIZE;
	}
	if (fds) {
		memcpy(fds, got, count * sizeof(int));
		*fd_count = count;
	}
	return n;
}
