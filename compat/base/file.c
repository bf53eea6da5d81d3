/*
 * file.c - whole files: read, write, replace, lock
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"

int file_read(int dirfd, const char *path, size_t max, struct buf *ret, struct err *err)
{
	auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char what[256];

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	(void)snprintf(what, sizeof(what), "'%s'", path);
	return buf_read_fd(ret, fd, max, what, err);
}

int file_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
	       struct err *err)
{
	auto_fd int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
				mode);
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "create '%s'", path);
	rc = fd_write_all(fd, data, len);
	if (rc)
		return err_sys(err, -rc, "write '%s'", path);
	/* A file system over a network reports a full disk here. */
	if (close(fd_take(&fd)) < 0)
		return err_sys(err, errno, "write '%s'", path);
	return 0;
}

/*
 * The temporary's name is fixed, so that a killed process leaves at most one file, which the next call takes over. Its
 * lock keeps a second writer of the same file away; who gets the lock after the rename holds the wrong file and tries
 * again.
 */
static int open_temporary(int dirfd, const char *name, mode_t mode, int *ret_fd, struct err *err)
{
	for (;;) {
		auto_fd int fd = openat(dirfd, name,
					O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
						O_NOCTTY,
					mode);
		struct stat mine, there;

		if (fd < 0)
			return err_sys(err, errno, "create '%s'", name);
		while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
			;
		if (fstat(fd, &mine) < 0)
			return err_sys(err, errno, "stat '%s'", name);
		if (fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
		    mine.st_ino != there.st_ino || mine.st_dev != there.st_dev)
			continue;
		if (!S_ISREG(mine.st_mode) || mine.st_nlink != 1) {
			if (unlinkat(dirfd, name, 0) < 0)
				return err_sys(err, errno, "remove '%s'", name);
			continue;
		}
		if (mine.st_size && ftruncate(fd, 0) < 0)
			return err_sys(err, errno, "truncate '%s'", name);
		if ((mine.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
			return err_sys(err, errno, "chmod '%s'", name);
		*ret_fd = fd_take(&fd);
		return 0;
	}
}

static int sync_dir(int dirfd, const char *path, const char *base, struct err *err)
{
	auto_free char *dir = base == path ? xstrdup(".") : xstrndup(path, (size_t)(base - path));
	auto_fd int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", dir);
	/* EINVAL: the file system cannot sync a directory, and need not. */
	if (fsync(fd) < 0 && errno != EINVAL)
		return err_sys(err, errno, "fsync '%s'", dir);
	return 0;
}

int file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		 enum file_sync sync, struct err *err)
{
	const char *base = path_base(path);
	auto_free char *tmp = xfmt("%.*s.%s.tmp", (int)(base - path), path, base);
	auto_fd int fd = -1;
	int rc;

	rc = open_temporary(dirfd, tmp, mode, &fd, err);
	if (rc)
		return rc;
	rc = fd_write_all(fd, data, len);
	if (rc) {
		rc = err_sys(err, -rc, "write '%s'", path);
	} else if (sync == FILE_SYNC && fsync(fd) < 0) {
		rc = err_sys(err, errno, "fsync '%s'", path);
	} else if (renameat(dirfd, tmp, dirfd, path) < 0) {
		rc = err_sys(err, errno, "replace '%s'", path);
	} else {
		return sync == FILE_SYNC ? sync_dir(dirfd, path, base, err) : 0;
	}
	(void)unlinkat(dirfd, tmp, 0);	/* the failure above is the one to report */
	return rc;
}

int file_put(int dirfd, const char *path, const char *value, struct err *err)
{
	auto_fd int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = strlen(value);
	ssize_t n;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	do
		n = write(fd, value, len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(err, errno, "write '%s' to '%s'", value, path);
	if ((size_t)n != len)
		return err_sys(err, EIO, "write '%s' to '%s'", value, path);
	return 0;
}

int file_lock(const char *path, bool wait, int *ret_fd, struct err *err)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	int rc;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", path);
	do
		rc = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(err, errno, "lock '%s'", path);
	*ret_fd = fd_take(&fd);
	return 0;
}
