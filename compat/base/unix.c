/*
 * unix.c - unix stream sockets at paths of any length
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"

/*
 * An address has room for 107 bytes. A longer path goes by way of /proc/self/fd/N/name, where N is its directory:
 * *ret_dir must stay open while the address is used.
 */
static int address(const char *path, struct sockaddr_un *addr, int *ret_dir, struct err *err)
{
	const char *base = path_base(path);
	auto_free char *dir = NULL;

	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (str_fmt(addr->sun_path, sizeof(addr->sun_path), "%s", path) == 0)
		return 0;

	dir = xstrndup(path, (size_t)(base - path));
	*ret_dir = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_dir < 0)
		return err_sys(err, errno, "open '%s'", dir);
	if (str_fmt(addr->sun_path, sizeof(addr->sun_path), "/proc/self/fd/%d/%s", *ret_dir, base))
		return err_set(err, ERR_INVALID, "socket name '%s' is too long", base);
	return 0;
}

/* What a dead server left is removed; a live one is a conflict. */
static int remove_stale(const char *path, const struct sockaddr_un *addr, struct err *err)
{
	auto_fd int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_CONFLICT, "'%s' exists and is not a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (connect(fd, (const void *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
		return err_set(err, ERR_CONFLICT, "another process listens on '%s'", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s'", path);
	return 0;
}

int unix_listen(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	auto_fd int fd = -1;
	auto_fd int dir = -1;
	struct sockaddr_un addr;
	int rc;

	rc = address(path, &addr, &dir, err);
	if (!rc)
		rc = remove_stale(path, &addr, err);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (bind(fd, (const void *)&addr, sizeof(addr)) < 0)
		return err_sys(err, errno, "bind '%s'", path);
	/* Nobody can connect before listen(), so the mode is never too wide for anyone. */
	if (chmod(path, mode) < 0)
		rc = err_sys(err, errno, "chmod '%s'", path);
	else if (listen(fd, 1024) < 0)
		rc = err_sys(err, errno, "listen on '%s'", path);
	if (rc) {
		(void)unlink(path);	/* ours: bind made it */
		return rc;
	}
	*ret_fd = fd_take(&fd);
	return 0;
}

int unix_connect(const char *path, int *ret_fd, struct err *err)
{
	auto_fd int fd = -1;
	auto_fd int dir = -1;
	struct sockaddr_un addr;
	int rc;

	rc = address(path, &addr, &dir, err);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "socket");
	do
		rc = connect(fd, (const void *)&addr, sizeof(addr));
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, errno, "connect to '%s'", path);
	*ret_fd = fd_take(&fd);
	return 0;
}
