/*
 * path - names as text, and directories of our own. Walks under a root that is not trusted are in walk.c.
 */
#include "compat/base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"

/* Remove the last component of the cleaned text in @b, whose first @fixed bytes stay. */
static void pop(struct buf *b, size_t fixed)
{
	while (b->len > fixed && b->data[b->len - 1] != '/')
		b->len--;
	if (b->len > fixed)
		b->len--;
	b->data[b->len] = '\0';
}

char *path_clean(const char *path)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	bool absolute = *path == '/';
	size_t fixed = absolute;	/* "/" or leading "../"s: what ".." cannot take away */

	if (absolute)
		buf_char(&b, '/');
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && memcmp(path, "..", 2) == 0) {
			if (b.len > fixed) {
				pop(&b, fixed);
			} else if (!absolute) {
				buf_str(&b, b.len ? "/.." : "..");
				fixed = b.len;
			}
		} else if (n && !(n == 1 && *path == '.')) {
			if (b.len > absolute)
				buf_char(&b, '/');
			buf_add(&b, path, n);
		}
		path += n + (path[n] == '/');
	}
	if (!b.len)
		buf_char(&b, '.');
	return buf_take(&b);
}

char *path_join(const char *a, const char *b)
{
	size_t n = strlen(a);

	while (n && a[n - 1] == '/')
		n--;
	b += strspn(b, "/");
	if (!n && *a != '/')
		return xstrdup(b);
	return xfmt("%.*s/%s", (int)n, a, b);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool path_is_under(const char *path, const char *dir)
{
	auto_free char *p = path_clean(path);
	auto_free char *d = path_clean(dir);
	size_t n = strlen(d);

	if (strcmp(d, "/") == 0)
		return *p == '/';
	return strncmp(p, d, n) == 0 && (p[n] == '\0' || p[n] == '/');
}

int path_mkdirs(const char *path, mode_t mode, struct err *err)
{
	auto_free char *copy = xstrdup(path);
	struct stat st;

	for (char *p = copy; *p;) {
		char saved;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		saved = *p;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST && errno != EISDIR) {
			int code = errno;

			if (code != EROFS || access(copy, F_OK) < 0)
				return err_sys(err, code, "create directory '%s'", copy);
		}
		*p = saved;
	}
	if (stat(path, &st) < 0)
		return err_sys(err, errno, "create directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return err_sys(err, ENOTDIR, "create directory '%s'", path);
	return 0;
}

/*
 * Without O_PATH the open itself could do something, were the file replaced by a device in this moment: where the kernel has it, look
 * first and open then what was looked at.
 */
int path_open_file_at(int dirfd, const char *name)
{
	auto_fd int look = -1;
	char path[40];
	struct stat st;
	int fd;

	/* A kernel without O_PATH takes it for nothing, and opens. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISLNK(st.st_mode) ? -ELOOP : -ENXIO;
	look = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (look < 0)
		return -errno;
	if (fstatat(look, "", &st, AT_EMPTY_PATH) < 0 && fstat(look, &st) < 0)	/* fstat() of a place: since 3.6; the other: since 2.6.39 */
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISLNK(st.st_mode) ? -ELOOP : -ENXIO;
	if (!fd_is_path(look))
		return fd_take(&look);
	(void)str_fmt(path, sizeof(path), "/proc/self/fd/%d", look);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int path_open_file_in(int rootfd, const char *path, int *ret_fd, struct err *err)
{
	auto_free char *resolved = NULL;
	auto_free char *name = NULL;
	auto_fd int dir = -1;
	int rc = path_resolve_in(rootfd, path, &resolved, err);

	if (rc >= 0)
		rc = path_parent_in(rootfd, resolved, false, &dir, &name, err);
	if (rc < 0)
		return rc;
	rc = path_open_file_at(dir, name);
	if (rc < 0)
		return err_sys(err, -rc, "open file '%s' in the root", path);
	*ret_fd = rc;
	return 0;
}
