/*
 * fd - files: read and write whole, replace atomically, lock, close many.
 *
 * Every fd that this project makes is born O_CLOEXEC.
 */
#ifndef COMPAT_BASE_FD_H
#define COMPAT_BASE_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "compat/base/buf.h"
#include "compat/base/err.h"

/* Returns bytes read (short only at the end) or -errno. Restarts after EINTR. */
ssize_t fd_read_all(int fd, void *data, size_t len);
/* 0 or -errno. Restarts after EINTR; waits on EAGAIN. */
int fd_write_all(int fd, const void *data, size_t len);

/* Whole file with a ceiling (ERR_TOO_LARGE). A missing file is kind INTERNAL, code ENOENT: the caller decides. */
int file_read(int dirfd, const char *path, size_t max, struct buf *ret, struct err *err);
int file_write(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
	       struct err *err);

enum file_sync { FILE_NO_SYNC, FILE_SYNC };
/*
 * Replace @path atomically: temporary in the same directory, write, (fsync), rename, (fsync of the directory). With
 * FILE_NO_SYNC a crash of the host may lose the change, never tear it (the process may be killed at any instant).
 * The temporary is ".NAME.tmp", one for each file: writers of one file wait for each other, and what a killed one left
 * is used again. @mode is set whatever the umask is.
 */
int file_replace(int dirfd, const char *path, const void *data, size_t len, mode_t mode,
		 enum file_sync sync, struct err *err);

/* Write a short value to a kernel file in one write(); no O_CREAT, no newline added. */
int file_put(int dirfd, const char *path, const char *value, struct err *err);

/* flock(LOCK_EX); @wait false gives -EWOULDBLOCK. The lock ends with the fd. */
int file_lock(const char *path, bool wait, int *ret_fd, struct err *err);

int fd_set_cloexec(int fd, bool on);
int fd_set_nonblock(int fd, bool on);
/* Was it really opened as a place only? Kernels before O_PATH open the file itself, and keep the flag for F_GETFL all the same. */
bool fd_is_path(int fd);
/* Close every fd from @first on except the sorted @keep list. close_range(2) or a walk of /proc/self/fd. */
void fd_close_from(int first, const int *keep, size_t keep_count);

/*
 * Pass and receive fds over a unix socket with @len bytes (at most 253 fds). Send: 0 or -errno. Receive: bytes, 0 at the
 * end, or -errno; *fd_count is the room before and the count after; more fds than room are closed and give -EMSGSIZE.
 */
int fd_send(int sock, const void *data, size_t len, const int *fds, size_t fd_count);
ssize_t fd_recv(int sock, void *data, size_t len, int *fds, size_t *fd_count);

/*
 * Listening and connected unix stream sockets; paths over 107 bytes work (by way of a directory fd). A socket that a dead
 * process left is replaced, a living one is ERR_CONFLICT.
 */
int unix_listen(const char *path, mode_t mode, int *ret_fd, struct err *err);
int unix_connect(const char *path, int *ret_fd, struct err *err);

#endif
