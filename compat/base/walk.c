/*
 * walk.c - names under a root that may be hostile
 *
 * Two ways to the same result. openat2(RESOLVE_IN_ROOT) lets the kernel do it. Without it, the walk here opens one
 * component at a time, never follows a link in a system call, and resolves ".." from a stack of the directories that it
 * came through: a directory that somebody moves out of the root meanwhile therefore leads nowhere.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"

#ifndef SYS_openat2
#define SYS_openat2 437
#endif

/* As in linux/openat2.h, which older build hosts do not have. */
struct how {
	uint64_t flags, mode, resolve;
};
enum { RESOLVE_NO_MAGICLINKS_ = 0x02, RESOLVE_IN_ROOT_ = 0x10 };

enum {
	LINKS_MAX = 40,		/* the kernel's own ceiling */
	DEPTH_MAX = 512,	/* directories open at once */
	TEXT_MAX = 1 << 16,	/* what links may make of a path */
};

static int dir_open(int dirfd, const char *name)
{
	return openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool makes_file(int flags)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE;
}

/* ---- by openat2 ---- */

static int by_openat2(int rootfd, const char *path, int flags, mode_t mode)
{
	struct how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = makes_file(flags) ? mode & 07777 : 0,
		.resolve = RESOLVE_IN_ROOT_ | RESOLVE_NO_MAGICLINKS_,
	};
	int fd;

	if (hidden("openat2"))
		return -ENOSYS;
	/* EAGAIN: a rename somewhere made the kernel unsure about a "..". */
	for (int i = 0; i < 128; i++) {
		fd = (int)syscall(SYS_openat2, rootfd, *path ? path : ".", &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd >= 0)
		return fd;
	/* A seccomp filter of an old container engine answers EPERM to what it does not know. */
	return errno == EPERM || errno == EAGAIN ? -ENOSYS : -errno;
}

/* ---- by component ---- */

struct walk {
	int rootfd;		/* borrowed */
	VEC(int) dirs;		/* opened directories below the root, the last is where we are */
	struct strv names;	/* their names */
	char *rest;		/* owned: what is still to be resolved */
	int links;
	const char *whole;	/* for messages */
};

static int here(const struct walk *w)
{
	return w->dirs.n ? w->dirs.v[w->dirs.n - 1] : w->rootfd;
}

static void go_up(struct walk *w)
{
	if (!w->dirs.n)
		return;
	(void)close(w->dirs.v[--w->dirs.n]);
	free(w->names.v[--w->names.n]);
}

static void walk_clear(struct walk *w)
{
	while (w->dirs.n)
		go_up(w);
	VEC_FREE(&w->dirs);
	strv_clear(&w->names);
	free(w->rest);
}
DEFINE_AUTO_CLEAR(walk_clear, struct walk)

static void walk_init(struct walk *w, int rootfd, const char *path)
{
	*w = (struct walk){.rootfd = rootfd, .rest = xstrdup(path), .whole = path};
}

/* Cut the first component off w->rest. *ret_last: nothing but slashes was behind it. */
static char *next_component(struct walk *w, bool *ret_last, bool *ret_slash)
{
	char *p = w->rest + strspn(w->rest, "/"), *name, *behind, *rest;
	size_t n = strcspn(p, "/");

	if (!n)
		return NULL;
	name = xstrndup(p, n);
	behind = p + n;
	*ret_slash = *behind == '/';
	rest = xstrdup(behind + strspn(behind, "/"));
	*ret_last = !*rest;
	free(w->rest);
	w->rest = rest;
	return name;
}

/* Put a link's target in front of what is left. An absolute one starts at the root again. */
static int expand_link(struct walk *w, const char *name)
{
	char target[PATH_MAX], *rest;
	ssize_t n = readlinkat(here(w), name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	target[n] = '\0';
	if (++w->links > LINKS_MAX || (size_t)n + strlen(w->rest) > TEXT_MAX)
		return -ELOOP;
	if (*target == '/')
		while (w->dirs.n)
			go_up(w);
	rest = *w->rest ? xfmt("%s/%s", target, w->rest) : xstrdup(target);
	free(w->rest);
	w->rest = rest;
	return 0;
}

/* Enter the directory @name, or expand it when it is a link. */
static int enter(struct walk *w, const char *name)
{
	int fd = dir_open(here(w), name);
	int rc;

	if (fd >= 0) {
		if (w->dirs.n >= DEPTH_MAX) {
			(void)close(fd);
			return -ENAMETOOLONG;
		}
		VEC_PUSH(&w->dirs, fd);
		strv_add(&w->names, name);
		return 0;
	}
	/* O_DIRECTORY wins over O_NOFOLLOW on some kernels: a link answers ENOTDIR there, ELOOP elsewhere. */
	if (errno != ELOOP && errno != ENOTDIR)
		return -errno;
	rc = expand_link(w, name);
	return rc == -EINVAL ? -ENOTDIR : rc;
}

/* Enter @name and make it first if it is missing. */
static int enter_or_make(struct walk *w, const char *name, mode_t mode)
{
	int rc = enter(w, name);

	if (rc != -ENOENT)
		return rc;
	if (mkdirat(here(w), name, mode) < 0 && errno != EEXIST)
		return -errno;
	return enter(w, name);
}

/*
 * Walk all components but the last, which becomes *ret_name; NULL when the path ends in the directory where we are
 * ("/", "a/.."). A last component that is a link is expanded when @follow. *ret_slash: the path demands a directory.
 */
static int walk_parent(struct walk *w, bool follow, bool create, char **ret_name, bool *ret_slash)
{
	bool slash = false;

	for (;;) {
		bool last = false, slash_here = false;
		auto_free char *name = next_component(w, &last, &slash_here);
		struct stat st;
		int rc;

		if (!name) {
			*ret_name = NULL;
			*ret_slash = true;
			return 0;
		}
		if (strlen(name) > NAME_MAX)
			return -ENAMETOOLONG;
		slash = last && (slash || slash_here);
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			go_up(w);
			continue;
		}
		if (!last) {
			rc = create ? enter_or_make(w, name, 0755) : enter(w, name);
			if (rc)
				return rc;
			continue;
		}
		if ((follow || slash) &&
		    fstatat(here(w), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode)) {
			rc = expand_link(w, name);
			if (rc && rc != -EINVAL)
				return rc;
			if (!rc)
				continue;
			/* EINVAL: no longer a link; take it as it is now. */
		}
		*ret_name = take(name);
		*ret_slash = slash;
		return 0;
	}
}

static int reopen_here(const struct walk *w, int flags, mode_t mode)
{
	int fd;

	/* Not O_ACCMODE: O_PATH is in musl's. */
	if ((flags & O_TMPFILE) != O_TMPFILE && flags & (O_WRONLY | O_RDWR | O_CREAT))
		return -EISDIR;
	fd = openat(here(w), ".", flags | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

static int by_component(int rootfd, const char *path, int flags, mode_t mode)
{
	bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);

	/* A link that appears between look and open answers ELOOP: look again. */
	for (int i = 0;; i++) {
		AUTO(walk_clear) struct walk w = {0};
		auto_free char *name = NULL;
		bool slash = false;
		int rc, fd;

		walk_init(&w, rootfd, path);
		rc = walk_parent(&w, follow, false, &name, &slash);
		if (rc)
			return rc;
		if (!name)
			return reopen_here(&w, flags, mode);
		if (slash && flags & O_CREAT)
			return -EISDIR;
		fd = openat(here(&w), name,
			    flags | O_NOFOLLOW | O_CLOEXEC | (slash ? O_DIRECTORY : 0), mode);
		if (fd >= 0)
			return fd;
		if (errno != ELOOP || !follow || i == 16)
			return -errno;
	}
}

/* ---- interface ---- */

int path_open_in(int rootfd, const char *path, int flags, mode_t mode, int *ret_fd, struct err *err)
{
	int fd = by_openat2(rootfd, path, flags, mode);

	if (fd == -ENOSYS)
		fd = by_component(rootfd, path, flags, mode);
	if (fd < 0)
		return err_sys(err, -fd, "open '%s' in the root", path);
	*ret_fd = fd;
	return 0;
}

/*
 * The parent's own path, without its last component and without opening anything: with openat2 the kernel walks it in one
 * call. False when the last component is not a plain name.
 */
static bool split(const char *path, char **ret_parent, char **ret_name)
{
	const char *end = path + strlen(path), *name;

	while (end > path && end[-1] == '/')
		end--;
	name = end;
	while (name > path && name[-1] != '/')
		name--;
	if (name == end || (end - name == 1 && *name == '.') ||
	    (end - name == 2 && name[0] == '.' && name[1] == '.'))
		return false;
	*ret_parent = xstrndup(path, (size_t)(name - path));
	*ret_name = xstrndup(name, (size_t)(end - name));
	return true;
}

static int parent_by_component(int rootfd, const char *path, bool create, int *ret_fd,
			       char **ret_name)
{
	AUTO(walk_clear) struct walk w = {0};
	auto_free char *name = NULL;
	bool slash;
	int rc, fd;

	walk_init(&w, rootfd, path);
	rc = walk_parent(&w, false, create, &name, &slash);
	if (rc)
		return rc;
	fd = dir_open(here(&w), ".");
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	*ret_name = take(name);
	return 0;
}

int path_parent_in(int rootfd, const char *path, bool create, int *ret_fd, char **ret_name,
		   struct err *err)
{
	auto_free char *parent = NULL;
	auto_free char *name = NULL;
	int fd, rc;

	if (!split(path, &parent, &name))
		return err_set(err, ERR_INVALID, "'%s' does not end in a name", path);
	if (strlen(name) > NAME_MAX)
		return err_sys(err, ENAMETOOLONG, "open the parent of '%s' in the root", path);
	fd = by_openat2(rootfd, parent, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 && (fd == -ENOSYS || (fd == -ENOENT && create))) {
		auto_free char *stripped = xfmt("%s%s", parent, name);
		auto_free char *again = NULL;

		rc = parent_by_component(rootfd, stripped, create, &fd, &again);
		if (rc)
			fd = rc;
	}
	if (fd < 0)
		return err_sys(err, -fd, "open the parent of '%s' in the root", path);
	*ret_fd = fd;
	*ret_name = take(name);
	return 0;
}

int path_mkdirs_in(int rootfd, const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	AUTO(walk_clear) struct walk w = {0};
	int fd = by_openat2(rootfd, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	walk_init(&w, rootfd, path);
	for (;;) {
		bool last, slash;
		auto_free char *name = next_component(&w, &last, &slash);
		int rc;

		if (!name)
			break;
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			go_up(&w);
			continue;
		}
		rc = enter_or_make(&w, name, mode);
		if (rc)
			return err_sys(err, -rc, "create directory '%s' in the root", path);
	}
	fd = dir_open(here(&w), ".");
	if (fd < 0)
		return err_sys(err, errno, "create directory '%s' in the root", path);
	*ret_fd = fd;
	return 0;
}

int path_resolve_in(int rootfd, const char *path, char **ret, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(walk_clear) struct walk w = {0};
	auto_free char *name = NULL;
	bool slash;
	int rc;

	walk_init(&w, rootfd, path);
	rc = walk_parent(&w, true, false, &name, &slash);
	if (rc)
		return err_sys(err, -rc, "resolve '%s' in the root", path);
	STRV_EACH(dir, &w.names)
		buf_fmt(&text, "/%s", *dir);
	if (name)
		buf_fmt(&text, "/%s", name);
	if (!text.len)
		buf_char(&text, '/');
	*ret = buf_take(&text);
	return 0;
}
