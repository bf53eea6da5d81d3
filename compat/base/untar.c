/*
 * untar.c - entries of an archive become files below a root
 *
 * Most entries follow others of the same directory, so the last directories stay open, by path. They are forgotten when
 * a directory or a link is removed: what a path means may have changed then, and only then.
 */
#include "compat/base/untar.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"

#define OPAQUE_XATTR "trusted.overlay.opaque"

#define CACHED_DIRS   16
#define PATHS_MAX     (256u << 20)	/* bytes of names that are remembered */
#define XATTR_MAX     (64 * 1024)	/* the kernel's own ceiling for a value */
#define XATTRS_MAX    1000

struct dir_times {
	char *path;
	struct timespec mtime;
};

struct untar {
	struct untar_options o;
	struct {
		char *path;
		int fd;
	} cache[CACHED_DIRS];
	unsigned int next_slot;
	VEC(struct dir_times) dirs;
	size_t dirs_bytes;
	uint64_t bytes;
};

/* One entry on its way. */
struct put {
	struct untar *u;
	struct archive *a;
	struct archive_entry *entry;
	const char *path;	/* clean and relative */
	const char *name;	/* its last component */
	int parent;		/* borrowed from the cache */
	struct timespec mtime;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct untar *untar_new(const struct untar_options *options)
{
	struct untar *u = xcalloc(1, sizeof(*u));

	u->o = *options;
	return u;
}

void untar_forget(struct untar *u)
{
	for (size_t i = 0; i < CACHED_DIRS; i++) {
		if (u->cache[i].path)
			close(u->cache[i].fd);
		free(take(u->cache[i].path));
	}
}

void untar_free(struct untar *u)
{
	if (!u)
		return;
	untar_forget(u);
	VEC_EACH(d, &u->dirs)
		free(d->path);
	VEC_FREE(&u->dirs);
	free(u);
}

uint64_t untar_bytes(const struct untar *u)
{
	return u->bytes;
}

/* ---- finding the place ---- */

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

int untar_set_opaque(int fd, struct err *err)
{
	if (fsetxattr(fd, OPAQUE_XATTR, "y", 1, 0) < 0)
		return err_sys(err, errno, "mark a directory as opaque");
	return 0;
}

/* A directory of this layer where its whiteout stands: what is deleted below is hidden by it from now on. */
static int replace_whiteout(int parent, const char *name, struct err *err)
{
	auto_fd int fd = -1;

	if (unlinkat(parent, name, 0) < 0 || mkdirat(parent, name, 0755) < 0)
		return err_sys(err, errno, "replace a whiteout");
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_sys(err, errno, "open directory") : untar_set_opaque(fd, err);
}

/* The first component of @path that is a whiteout becomes a directory. 1: there was one. */
static int lift_whiteout_above(struct untar *u, const char *path, struct err *err)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		auto_free char *prefix = xstrndup(path, (size_t)(slash - path));
		auto_free char *name = NULL;
		auto_fd int fd = -1;
		struct stat st;
		int rc;

		if (path_parent_in(u->o.rootfd, prefix, false, &fd, &name, NULL) < 0 ||
		    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
		if (!is_whiteout(&st))
			continue;
		rc = replace_whiteout(fd, name, err);
		return rc < 0 ? rc : 1;
	}
	return 0;
}

int untar_parent(struct untar *u, const char *path, bool create, int *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	auto_free char *name = NULL;
	unsigned int slot;
	int fd, rc;

	if (!len) {
		*ret = u->o.rootfd;
		return 0;
	}
	for (size_t i = 0; i < CACHED_DIRS; i++) {
		if (u->cache[i].path && strncmp(u->cache[i].path, path, len) == 0 && !u->cache[i].path[len]) {
			*ret = u->cache[i].fd;
			return 0;
		}
	}
	rc = path_parent_in(u->o.rootfd, path, create, &fd, &name, err);
	if (rc == -ENOTDIR && create && u->o.overlay_whiteouts) {
		int lifted = lift_whiteout_above(u, path, err);

		if (lifted > 0)
			rc = path_parent_in(u->o.rootfd, path, create, &fd, &name, err);
		else if (lifted < 0)
			rc = lifted;
	}
	if (rc < 0)
		return rc;
	slot = u->next_slot++ % CACHED_DIRS;
	if (u->cache[slot].path)
		close(u->cache[slot].fd);
	free(u->cache[slot].path);
	u->cache[slot].path = xstrndup(path, len);
	u->cache[slot].fd = fd;
	*ret = fd;
	return 0;
}

int untar_path(const struct untar *u, const char *name, const char *what, char **ret, struct err *err)
{
	const char *prefix = u->o.prefix ? u->o.prefix : ".";
	auto_free char *clean = NULL;
	const char *p;

	if (str_empty(name))
		return err_set(err, ERR_INVALID, "has no %s", what);
	if (strlen(name) >= 4096)
		return err_set(err, ERR_INVALID, "%s is over 4095 bytes", what);
	clean = path_clean(name);
	for (p = clean; *p == '/'; p++)
		;
	if (strcmp(p, "..") == 0 || str_starts(p, "../"))
		return err_set(err, ERR_INVALID, "%s leads out of the root", what);
	if (!*p)
		p = ".";
	if (strcmp(prefix, ".") == 0)
		*ret = xstrdup(p);
	else
		*ret = strcmp(p, ".") == 0 ? xstrdup(prefix) : path_join(prefix, p);
	return 0;
}

/* ---- making room ---- */

/* Remove what is at the place. */
static int remove_existing(struct put *t, const struct stat *st, struct err *err)
{
	if (S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode)) {
		/* t->parent stays valid: it is above what goes. */
		int keep = fcntl(t->parent, F_DUPFD_CLOEXEC, 3);
		int rc;

		if (keep < 0)
			return err_sys(err, errno, "duplicate a directory's fd");
		rc = path_remove_tree_at(keep, t->name, err);
		untar_forget(t->u);
		close(keep);
		return rc < 0 ? rc : untar_parent(t->u, t->path, true, &t->parent, err);
	}
	if (unlinkat(t->parent, t->name, 0) < 0)
		return err_sys(err, errno, "remove what is in its place");
	return 0;
}

/* Called after EEXIST, for what is no directory. */
static int make_room(struct put *t, struct err *err)
{
	struct stat st;

	if (fstatat(t->parent, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "inspect what is in its place");
	if (t->u->o.keep_kinds && S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "cannot overwrite directory with non-directory");
	return remove_existing(t, &st, err);
}

/* ---- owner, mode, attributes, times ---- */

static bool is_private_xattr(const char *name)
{
	return str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay.");
}

/* The capabilities of a file are those of its owner, in a way: who gets it must be who had it. */
static bool is_owners(const struct put *t, const char *name)
{
	return t->u->o.owner == UNTAR_OWNER_CREATOR && strcmp(name, "security.capability") == 0;
}

static int put_owner(const struct put *t, int fd)
{
	if (t->u->o.owner == UNTAR_OWNER_CREATOR)
		return 0;
	return fd >= 0 ? fchown(fd, t->uid, t->gid)
		       : fchownat(t->parent, t->name, t->uid, t->gid, AT_SYMLINK_NOFOLLOW);
}

/* Attributes that a file system may lack without harm: all but those that programs need to work. */
static bool may_be_lost(const char *name, int code)
{
	return (code == ENOTSUP || (code == EPERM && !str_starts(name, "trusted."))) &&
	       strcmp(name, "security.capability") != 0;
}

/* @fd of the file, or -1: by name (links, devices). */
static int put_xattrs(struct put *t, int fd, struct err *err)
{
	auto_free char *path = NULL;
	const char *name;
	const void *value;
	size_t len;

	if (archive_entry_xattr_reset(t->entry) > XATTRS_MAX)
		return err_set(err, ERR_TOO_LARGE, "has more than %d extended attributes", XATTRS_MAX);
	while (archive_entry_xattr_next(t->entry, &name, &value, &len) == ARCHIVE_OK) {
		int rc;

		if (!name || is_private_xattr(name) || is_owners(t, name))
			continue;
		if (len > XATTR_MAX)
			return err_set(err, ERR_TOO_LARGE, "has an extended attribute of %zu bytes", len);
		if (fd < 0 && !path)
			path = xfmt("/proc/self/fd/%d/%s", t->parent, t->name);
		rc = fd >= 0 ? fsetxattr(fd, name, value, len, 0) : lsetxattr(path, name, value, len, 0);
		if (rc < 0 && !may_be_lost(name, errno))
			return err_sys(err, errno, "set extended attribute '%.100s'", name);
	}
	return 0;
}

static int put_attributes(struct put *t, int fd, struct err *err)
{
	struct timespec times[2] = {t->mtime, t->mtime};
	int rc;

	/* The owner first: it takes setuid bits and capabilities away. */
	if (put_owner(t, fd) < 0)
		return err_sys(err, errno, "set owner %u:%u", t->uid, t->gid);
	if (fchmod(fd, t->mode) < 0)
		return err_sys(err, errno, "set mode %04o", t->mode);
	rc = put_xattrs(t, fd, err);
	if (rc < 0)
		return rc;
	if (futimens(fd, times) < 0)
		return err_sys(err, errno, "set times");
	return 0;
}

static int put_attributes_by_name(struct put *t, struct err *err)
{
	struct timespec times[2] = {t->mtime, t->mtime};
	bool link = archive_entry_filetype(t->entry) == AE_IFLNK;
	int rc;

	if (put_owner(t, -1) < 0)
		return err_sys(err, errno, "set owner %u:%u", t->uid, t->gid);
	/* Follows a link that somebody put there meanwhile. In a shared tree it was made with its mode, see make_special(). */
	if (!link && !t->u->o.shared && fchmodat(t->parent, t->name, t->mode, 0) < 0)
		return err_sys(err, errno, "set mode %04o", t->mode);
	rc = put_xattrs(t, -1, err);
	if (rc < 0)
		return rc;
	/* Some kernels cannot set a link's times. */
	if (utimensat(t->parent, t->name, times, AT_SYMLINK_NOFOLLOW) < 0 && !link)
		return err_sys(err, errno, "set times");
	return 0;
}

/* ---- the kinds of entries ---- */

/* The directory that names start from. */
static int put_top(struct put *t, const char *path, struct err *err)
{
	auto_fd int fd = -1;
	int rc;

	if (archive_entry_filetype(t->entry) != AE_IFDIR)
		return err_set(err, ERR_INVALID, "the root is not a directory");
	if (!t->u->o.prefix)
		return put_attributes(t, t->u->o.rootfd, err);
	rc = path_open_in(t->u->o.rootfd, path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
	return rc < 0 ? rc : put_attributes(t, fd, err);
}

static int remember_times(struct put *t, struct err *err)
{
	struct dir_times *d;

	t->u->dirs_bytes += strlen(t->path) + sizeof(*d);
	if (t->u->dirs_bytes > PATHS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the names of the directories are over %u MiB", PATHS_MAX >> 20);
	d = VEC_ADD(&t->u->dirs);
	d->path = xstrdup(t->path);
	d->mtime = t->mtime;
	return 0;
}

static int put_dir(struct put *t, struct err *err)
{
	auto_fd int fd = -1;
	bool opaque = false;
	struct stat st;
	int rc;

	if (mkdirat(t->parent, t->name, 0700) < 0) {
		if (errno != EEXIST)
			return err_sys(err, errno, "create directory");
		if (fstatat(t->parent, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "inspect what is in its place");
		if (!S_ISDIR(st.st_mode) && t->u->o.keep_kinds)
			return err_set(err, ERR_INVALID, "cannot overwrite non-directory with directory");
		if (!S_ISDIR(st.st_mode)) {
			opaque = t->u->o.overlay_whiteouts && is_whiteout(&st);
			rc = remove_existing(t, &st, err);
			if (rc < 0)
				return rc;
			if (mkdirat(t->parent, t->name, 0700) < 0)
				return err_sys(err, errno, "create directory");
		}
	}
	fd = openat(t->parent, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "open directory");
	rc = opaque ? untar_set_opaque(fd, err) : 0;
	if (rc == 0)
		rc = put_attributes(t, fd, err);
	return rc < 0 ? rc : remember_times(t, err);
}

static int write_block(int fd, const char *data, size_t len, off_t offset)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

/* Blocks may have holes between them. */
static int put_content(struct put *t, int fd, struct err *err)
{
	int64_t size = archive_entry_size(t->entry);
	int64_t end = 0;
	const void *data;
	size_t len;
	la_int64_t offset;
	int rc;

	if (size < 0)
		return err_set(err, ERR_INVALID, "has a negative size");
	t->u->bytes += (uint64_t)size;
	if ((uint64_t)size > t->u->o.bytes_max || t->u->bytes > t->u->o.bytes_max)
		return err_set(err, ERR_TOO_LARGE, "the layer's files are over %llu bytes",
			       (unsigned long long)t->u->o.bytes_max);
	while ((rc = archive_read_data_block(t->a, &data, &len, &offset)) == ARCHIVE_OK) {
		if (offset < end || offset > size || len > (uint64_t)(size - offset))
			return err_set(err, ERR_INVALID, "has data outside of its size");
		rc = write_block(fd, data, len, offset);
		if (rc < 0)
			return err_sys(err, -rc, "write");
		end = offset + (int64_t)len;
	}
	if (rc != ARCHIVE_EOF)
		return err_set(err, ERR_INVALID, "is damaged: %s", archive_error_string(t->a));
	if (end < size && ftruncate(fd, size) < 0)
		return err_sys(err, errno, "set size");
	return 0;
}

static int put_file(struct put *t, struct err *err)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	auto_fd int fd = openat(t->parent, t->name, flags, 0600);
	int rc;

	if (fd < 0 && errno == EEXIST) {
		rc = make_room(t, err);
		if (rc < 0)
			return rc;
		fd = openat(t->parent, t->name, flags, 0600);
	}
	if (fd < 0)
		return err_sys(err, errno, "create file");
	rc = put_content(t, fd, err);
	if (rc < 0)
		(void)unlinkat(t->parent, t->name, 0);	/* half a file is of no use */
	return rc < 0 ? rc : put_attributes(t, fd, err);
}

static int put_hard_link(struct put *t, const char *to, struct err *err)
{
	auto_free char *target = NULL;
	struct stat st;
	int parent, keep, rc;

	rc = untar_path(t->u, to, "link target", &target, err);
	if (rc < 0)
		return rc;
	if (strcmp(target, t->path) == 0)
		return err_set(err, ERR_INVALID, "is a link to itself");
	rc = untar_parent(t->u, target, false, &parent, err);
	if (rc < 0)
		return err_wrap(err, rc, "find the link's target");
	if (fstatat(parent, path_base(target), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "find the link's target '%.200s'", to);
	if (S_ISDIR(st.st_mode) || is_whiteout(&st))
		return err_set(err, ERR_INVALID, "is a link to '%.200s', which is not a file", to);
	/* Opening one may push the other out of the cache. */
	keep = fcntl(parent, F_DUPFD_CLOEXEC, 3);
	if (keep < 0)
		return err_sys(err, errno, "duplicate a directory's fd");
	rc = untar_parent(t->u, t->path, true, &t->parent, err);
	if (rc == 0 && linkat(keep, path_base(target), t->parent, t->name, 0) < 0) {
		rc = errno == EEXIST ? make_room(t, err) : err_sys(err, errno, "link to '%.200s'", to);
		if (rc == 0 && linkat(keep, path_base(target), t->parent, t->name, 0) < 0)
			rc = err_sys(err, errno, "link to '%.200s'", to);
	}
	close(keep);
	return rc;
}

static int make_special(const struct put *t)
{
	mode_t type = archive_entry_filetype(t->entry);
	dev_t dev = 0;

	if (type == AE_IFLNK) {
		const char *target = archive_entry_symlink(t->entry);

		return symlinkat(target ? target : "", t->parent, t->name) < 0 ? -errno : 0;
	}
	if (type == AE_IFCHR || type == AE_IFBLK)
		dev = makedev(archive_entry_rdevmajor(t->entry), archive_entry_rdevminor(t->entry));
	return mknodat(t->parent, t->name, type | (t->u->o.shared ? t->mode & 0777 : 0600), dev) < 0 ? -errno : 0;
}

static int put_special(struct put *t, struct err *err)
{
	int rc = make_special(t);

	if (rc == -EEXIST) {
		rc = make_room(t, err);
		if (rc < 0)
			return rc;
		rc = make_special(t);
	}
	if (rc < 0)
		return err_sys(err, -rc, archive_entry_filetype(t->entry) == AE_IFLNK ? "create link" :
									       "create node");
	return put_attributes_by_name(t, err);
}

/* ---- all together ---- */

static int read_attributes(struct put *t, struct err *err)
{
	int64_t uid = archive_entry_uid(t->entry), gid = archive_entry_gid(t->entry);
	long nsec = archive_entry_mtime_nsec(t->entry);

	/* All bits set means "leave as it is" to chown. */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_set(err, ERR_INVALID, "its owner is not a number of 32 bits");
	t->uid = t->u->o.owner == UNTAR_OWNER_GIVEN ? t->u->o.uid : (uid_t)uid;
	t->gid = t->u->o.owner == UNTAR_OWNER_GIVEN ? t->u->o.gid : (gid_t)gid;
	t->mode = archive_entry_perm(t->entry) & (t->u->o.owner == UNTAR_OWNER_CREATOR ? 01777 : 07777);
	t->mtime.tv_sec = archive_entry_mtime(t->entry);
	t->mtime.tv_nsec = nsec >= 0 && nsec < 1000000000 ? nsec : 0;
	return 0;
}

static int put_by_kind(struct put *t, struct err *err)
{
	const char *hard_link = archive_entry_hardlink(t->entry);

	if (hard_link)
		return put_hard_link(t, hard_link, err);
	switch (archive_entry_filetype(t->entry)) {
	case AE_IFREG:
		return put_file(t, err);
	case AE_IFDIR:
		return put_dir(t, err);
	case AE_IFLNK:
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return put_special(t, err);
	default:
		return 0;	/* sockets are of the process that made them */
	}
}

int untar_put(struct untar *u, struct archive *a, struct archive_entry *entry, struct err *err)
{
	struct put t = {.u = u, .a = a, .entry = entry};
	auto_free char *path = NULL;
	int rc = untar_path(u, archive_entry_pathname(entry), "name", &path, err);

	if (rc == 0)
		rc = read_attributes(&t, err);
	if (rc < 0)
		return rc;
	if (strcmp(path, u->o.prefix ? u->o.prefix : ".") == 0)
		return u->o.keep_top ? 0 : put_top(&t, path, err);
	t.path = path;
	t.name = path_base(path);
	if (strlen(t.name) > 255)
		return err_set(err, ERR_INVALID, "its name is over 255 bytes");
	rc = untar_parent(u, path, true, &t.parent, err);
	return rc < 0 ? rc : put_by_kind(&t, err);
}

int untar_finish(struct untar *u, struct err *err)
{
	for (size_t i = u->dirs.n; i-- > 0;) {
		const struct dir_times *d = &u->dirs.v[i];
		struct timespec times[2] = {d->mtime, d->mtime};
		struct stat st;
		int parent;

		/* A later entry may have put something else there, which has times of its own. */
		if (untar_parent(u, d->path, false, &parent, NULL) < 0 ||
		    fstatat(parent, path_base(d->path), &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		if (utimensat(parent, path_base(d->path), times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "set times of directory '%.200s'", d->path);
	}
	return 0;
}
