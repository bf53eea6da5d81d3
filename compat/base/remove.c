/*
 * remove.c - rm -r for trees that somebody else filled
 *
 * No link is followed and no mount is entered: a bind mount of a user's data below a container must survive. Directories
 * are opened from their parent's fd; a branch deeper than DEPTH_MAX is moved up to the top, so any depth needs only so many
 * fds.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/random.h"
#include "compat/base/str.h"

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* As in linux/openat2.h, which older build hosts do not have. */
struct how {
	uint64_t flags, mode, resolve;
};
enum { RESOLVE_NO_XDEV_ = 0x01, RESOLVE_NO_SYMLINKS_ = 0x04 };

enum { DEPTH_MAX = 128, MOUNTINFO_MAX = 16 << 20 };

struct removal {
	int topfd;		/* borrowed: the tree's own directory */
	dev_t dev;
	bool kernel_checks;	/* openat2 refuses mounts; else they were looked up before */
	const char *what;
	struct err *err;
};

/* ---- mounts ---- */

static bool has_no_xdev(int dirfd)
{
	struct how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV_};
	auto_fd int fd = -1;

	if (hidden("openat2"))
		return false;
	fd = (int)syscall(SYS_openat2, dirfd, ".", &how, sizeof(how));
	return fd >= 0;
}

/* "\040" -> ' ', in place. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* The fifth field of each line of mountinfo is a mount point. */
static int refuse_mounts_below(const char *dir, const char *what, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	size_t n = strlen(dir);
	int rc = file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, err);
	char *line, *next;

	if (rc)
		return rc;
	for (line = text.data; line && *line; line = next) {
		char *field = line, *end = strchr(line, '\n');

		next = end ? end + 1 : NULL;
		if (end)
			*end = '\0';
		for (int i = 0; i < 4 && field; i++) {
			field = strchr(field, ' ');
			field = field ? field + 1 : NULL;
		}
		if (!field)
			continue;
		field[strcspn(field, " ")] = '\0';
		unescape(field);
		if (strncmp(field, dir, n) == 0 && field[n] == '/')
			return err_sys(err, EBUSY, "remove '%s': '%s' is a mount point", what,
				       field);
	}
	return 0;
}

static int look_for_mounts(struct removal *r)
{
	char link[40], dir[4096];
	ssize_t n;

	r->kernel_checks = has_no_xdev(r->topfd);
	if (r->kernel_checks)
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", r->topfd);
	n = readlink(link, dir, sizeof(dir) - 1);
	if (n < 0)
		return err_sys(r->err, errno, "read link '%s'", link);
	dir[n] = '\0';
	return refuse_mounts_below(dir, r->what, r->err);
}

/* ---- the tree ---- */

static int open_child(const struct removal *r, int dirfd, const char *name)
{
	struct how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV_ | RESOLVE_NO_SYMLINKS_,
	};
	struct stat st;
	int fd;

	if (r->kernel_checks) {
		do
			fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
		while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	} else {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return errno == EXDEV ? -EBUSY : -errno;
	if (fstat(fd, &st) < 0 || st.st_dev != r->dev) {
		(void)close(fd);
		return -EBUSY;
	}
	return fd;
}

static int fail(const struct removal *r, int code, const char *name)
{
	return err_sys(r->err, code, "remove '%s': '%s'", r->what, name);
}

static int empty_dir(struct removal *r, int fd, int depth);

/* As remove_entry(). */
static int remove_subdir(struct removal *r, int dirfd, const char *name, int depth)
{
	uint64_t number;
	char up[40];
	int fd, rc;

	/* Most directories are empty by then, or a leaf. */
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	if (errno == EBUSY)
		return fail(r, EBUSY, name);
	if (depth >= DEPTH_MAX) {
		/* Not to be guessed: the tree's owner must not have put something there. */
		random_bytes(&number, sizeof(number));
		(void)snprintf(up, sizeof(up), ".removed-%016" PRIx64, number);
		if (renameat(dirfd, name, r->topfd, up) < 0)
			return fail(r, errno, name);
		return 1;
	}
	fd = open_child(r, dirfd, name);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fail(r, -fd, name);
	rc = empty_dir(r, fd, depth + 1);
	if (rc)
		return rc;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fail(r, errno, name);
	return 1;
}

/* 1 when there was something to remove. */
static int remove_entry(struct removal *r, int dirfd, const struct dirent *e, int depth)
{
	if (e->d_type != DT_DIR) {
		if (unlinkat(dirfd, e->d_name, 0) == 0)
			return 1;
		if (errno == ENOENT)
			return 0;
		/* DT_UNKNOWN, or it became a directory: unlink of one says EISDIR, POSIX's EPERM too. */
		if (errno != EISDIR && errno != EPERM)
			return fail(r, errno, e->d_name);
		if (errno == EPERM) {
			struct stat st;

			if (fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			    !S_ISDIR(st.st_mode))
				return fail(r, EPERM, e->d_name);
		}
	}
	return remove_subdir(r, dirfd, e->d_name, depth);
}

/*
 * Takes @fd. Reading while removing may skip entries on some file systems: read again until a pass removes none. What is shown and is not there
 * (a damaged file system) ends that way too, and the directory's own removal says that it is not empty.
 */
static int empty_dir(struct removal *r, int fd, int depth)
{
	auto_closedir DIR *dir = fdopendir(fd);
	bool removed = true;

	if (!dir) {
		int code = errno;

		(void)close(fd);
		return err_sys(r->err, code, "remove '%s'", r->what);
	}
	while (removed) {
		struct dirent *e;

		removed = false;
		rewinddir(dir);
		errno = 0;
		while ((e = readdir(dir))) {
			int rc;

			if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
				continue;
			rc = remove_entry(r, dirfd(dir), e, depth);
			if (rc < 0)
				return rc;
			removed |= rc > 0;
			errno = 0;
		}
		if (errno)
			return err_sys(r->err, errno, "remove '%s': read directory", r->what);
	}
	return 0;
}

int path_remove_tree_at(int parent, const char *name, struct err *err)
{
	struct removal r = {.what = name, .err = err};
	auto_fd int top = -1;
	struct stat st;
	int fd, rc;

	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return err_sys(err, errno, "remove '%s'", name);
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno == EBUSY)
		return err_sys(err, EBUSY, "remove '%s'", name);
	top = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0 || fstat(top, &st) < 0)
		return err_sys(err, errno, "remove '%s'", name);
	r.topfd = top;
	r.dev = st.st_dev;
	rc = look_for_mounts(&r);
	if (rc)
		return rc;
	fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "remove '%s'", name);
	rc = empty_dir(&r, fd, 0);
	if (rc)
		return rc;
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(err, errno, "remove '%s'", name);
	return 0;
}

int path_remove_tree(const char *path, struct err *err)
{
	return path_remove_tree_at(AT_FDCWD, path, err);
}
