/*
 * place - one entry of a layer gets its place below the root
 *
 * Most entries follow others of the same directory, so the last directories stay open, by path. They are forgotten when
 * a directory or a link is removed: what a path means may have changed then, and only then.
 */
#include "runtime/image/place.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"
#include "runtime/image/pathset.h"

#define WHITEOUT	".wh."
#define WHITEOUT_META	".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define OPAQUE_XATTR	"trusted.overlay.opaque"

#define CACHED_DIRS   16
#define PATHS_MAX     (256u << 20)	/* bytes of names that are remembered */
#define XATTR_MAX     (64 * 1024)	/* the kernel's own ceiling for a value */
#define XATTRS_MAX    1000

struct dir_times {
	char *path;
	struct timespec mtime;
};

struct placer {
	const struct unpack *u;
	struct {
		char *path;
		int fd;
	} cache[CACHED_DIRS];
	unsigned int next_slot;
	VEC(struct dir_times) dirs;
	size_t dirs_bytes;
	struct pathset seen;	/* only where whiteouts are applied at once: they spare what came with this layer */
	uint64_t bytes;
};

/* One entry on its way. */
struct put {
	struct placer *p;
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

struct placer *placer_new(const struct unpack *options)
{
	struct placer *p = xcalloc(1, sizeof(*p));

	p->u = options;
	return p;
}

static void forget_dirs(struct placer *p)
{
	for (size_t i = 0; i < CACHED_DIRS; i++) {
		if (p->cache[i].path)
			close(p->cache[i].fd);
		free(take(p->cache[i].path));
	}
}

void placer_free(struct placer *p)
{
	if (!p)
		return;
	forget_dirs(p);
	VEC_EACH(d, &p->dirs)
		free(d->path);
	VEC_FREE(&p->dirs);
	pathset_clear(&p->seen);
	free(p);
}

uint64_t placer_bytes(const struct placer *p)
{
	return p->bytes;
}

/* ---- finding the place ---- */

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int set_opaque(int fd, struct err *err)
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
	return fd < 0 ? err_sys(err, errno, "open directory") : set_opaque(fd, err);
}

/* The first component of @path that is a whiteout becomes a directory. 1: there was one. */
static int lift_whiteout_above(struct placer *p, const char *path, struct err *err)
{
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		auto_free char *prefix = xstrndup(path, (size_t)(slash - path));
		auto_free char *name = NULL;
		auto_fd int fd = -1;
		struct stat st;
		int rc;

		if (path_parent_in(p->u->dirfd, prefix, false, &fd, &name, NULL) < 0 ||
		    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return 0;
		if (!is_whiteout(&st))
			continue;
		rc = replace_whiteout(fd, name, err);
		return rc < 0 ? rc : 1;
	}
	return 0;
}

/* The directory which holds @path; made where it is missing. Borrowed, until forget_dirs() or CACHED_DIRS others. */
static int open_parent(struct placer *p, const char *path, bool create, int *ret, struct err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;
	auto_free char *name = NULL;
	unsigned int slot;
	int fd, rc;

	if (!len) {
		*ret = p->u->dirfd;
		return 0;
	}
	for (size_t i = 0; i < CACHED_DIRS; i++) {
		if (p->cache[i].path && strncmp(p->cache[i].path, path, len) == 0 && !p->cache[i].path[len]) {
			*ret = p->cache[i].fd;
			return 0;
		}
	}
	rc = path_parent_in(p->u->dirfd, path, create, &fd, &name, err);
	if (rc == -ENOTDIR && create && p->u->overlay_whiteouts) {
		int lifted = lift_whiteout_above(p, path, err);

		if (lifted > 0)
			rc = path_parent_in(p->u->dirfd, path, create, &fd, &name, err);
		else if (lifted < 0)
			rc = lifted;
	}
	if (rc < 0)
		return rc;
	slot = p->next_slot++ % CACHED_DIRS;
	if (p->cache[slot].path)
		close(p->cache[slot].fd);
	free(p->cache[slot].path);
	p->cache[slot].path = xstrndup(path, len);
	p->cache[slot].fd = fd;
	*ret = fd;
	return 0;
}

/* Relative to the root and without ".."; "." is the root. */
static int clean_name(const char *name, const char *what, char **ret, struct err *err)
{
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
	*ret = xstrdup(*p ? p : ".");
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
		forget_dirs(t->p);
		close(keep);
		return rc < 0 ? rc : open_parent(t->p, t->path, true, &t->parent, err);
	}
	if (unlinkat(t->parent, t->name, 0) < 0)
		return err_sys(err, errno, "remove what is in its place");
	return 0;
}

/* Called after EEXIST. */
static int make_room(struct put *t, struct err *err)
{
	struct stat st;

	if (fstatat(t->parent, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "inspect what is in its place");
	return remove_existing(t, &st, err);
}

/* ---- owner, mode, attributes, times ---- */

static bool is_private_xattr(const char *name)
{
	return str_starts(name, "trusted.overlay.") || str_starts(name, "user.overlay.");
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

		if (!name || is_private_xattr(name))
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
	if (fchown(fd, t->uid, t->gid) < 0)
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

	if (fchownat(t->parent, t->name, t->uid, t->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "set owner %u:%u", t->uid, t->gid);
	if (!link && fchmodat(t->parent, t->name, t->mode, 0) < 0)
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

static int put_root(struct put *t, struct err *err)
{
	if (archive_entry_filetype(t->entry) != AE_IFDIR)
		return err_set(err, ERR_INVALID, "the root is not a directory");
	return put_attributes(t, t->p->u->dirfd, err);
}

static int remember_times(struct put *t, struct err *err)
{
	struct dir_times *d;

	t->p->dirs_bytes += strlen(t->path) + sizeof(*d);
	if (t->p->dirs_bytes > PATHS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the names of the directories are over %u MiB", PATHS_MAX >> 20);
	d = VEC_ADD(&t->p->dirs);
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
		if (!S_ISDIR(st.st_mode)) {
			opaque = t->p->u->overlay_whiteouts && is_whiteout(&st);
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
	rc = opaque ? set_opaque(fd, err) : 0;
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
	t->p->bytes += (uint64_t)size;
	if ((uint64_t)size > t->p->u->bytes_max || t->p->bytes > t->p->u->bytes_max)
		return err_set(err, ERR_TOO_LARGE, "the layer's files are over %llu bytes",
			       (unsigned long long)t->p->u->bytes_max);
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
	return rc < 0 ? rc : put_attributes(t, fd, err);
}

static int put_hard_link(struct put *t, const char *to, struct err *err)
{
	auto_free char *target = NULL;
	struct stat st;
	int parent, keep, rc;

	rc = clean_name(to, "link target", &target, err);
	if (rc < 0)
		return rc;
	if (strcmp(target, t->path) == 0)
		return err_set(err, ERR_INVALID, "is a link to itself");
	rc = open_parent(t->p, target, false, &parent, err);
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
	rc = open_parent(t->p, t->path, true, &t->parent, err);
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
	return mknodat(t->parent, t->name, type | 0600, dev) < 0 ? -errno : 0;
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

/* ---- whiteouts ---- */

/* Remove what is below the directory @fd, whose path is @path, but for what this layer brought. */
static int clear_dir(struct placer *p, int fd, const char *path, unsigned int depth, struct err *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	auto_closedir DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;
	int rc = 0;

	if (!dir)
		return err_sys(err, errno, "read directory '%.200s'", path);
	if (depth > 512)
		return err_set(err, ERR_TOO_LARGE, "directories are more than 512 deep");
	rewinddir(dir);
	while (rc == 0 && (e = readdir(dir))) {
		auto_free char *below = strcmp(path, ".") == 0 ? xstrdup(e->d_name) : path_join(path, e->d_name);
		auto_fd int sub = -1;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (!pathset_has(&p->seen, below)) {
			rc = path_remove_tree_at(fd, e->d_name, err);
			continue;
		}
		sub = openat(fd, e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			rc = clear_dir(p, sub, below, depth + 1, err);
	}
	return rc;
}

static int put_opaque(struct put *t, const char *dir_path, struct err *err)
{
	int rc;

	if (t->p->u->overlay_whiteouts)
		return set_opaque(t->parent, err);
	rc = clear_dir(t->p, t->parent, dir_path, 0, err);
	forget_dirs(t->p);
	return rc;
}

/* @t->name is what is deleted, @path its path. Something of the same name may come with this very layer. */
static int put_whiteout(struct put *t, struct err *err)
{
	auto_fd int fd = -1;
	int rc;

	if (!*t->name || strcmp(t->name, ".") == 0 || strcmp(t->name, "..") == 0)
		return err_set(err, ERR_INVALID, "deletes nothing that has a name");
	if (t->p->u->overlay_whiteouts) {
		if (mknodat(t->parent, t->name, S_IFCHR, makedev(0, 0)) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(err, errno, "create whiteout");
		fd = openat(t->parent, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? 0 : set_opaque(fd, err);
	}
	if (pathset_has(&t->p->seen, t->path)) {
		fd = openat(t->parent, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rc = fd < 0 ? 0 : clear_dir(t->p, fd, t->path, 0, err);
	} else {
		rc = path_remove_tree_at(t->parent, t->name, err);
	}
	forget_dirs(t->p);
	return rc;
}

/* 1: it was one. */
static int put_if_whiteout(struct put *t, struct err *err)
{
	auto_free char *path = NULL;
	size_t dir_len = (size_t)(t->name - t->path);
	int rc;

	if (!str_starts(t->name, WHITEOUT))
		return 0;
	if (strcmp(t->name, WHITEOUT_OPAQUE) == 0) {
		path = dir_len ? xstrndup(t->path, dir_len - 1) : xstrdup(".");
		rc = put_opaque(t, path, err);
		return rc < 0 ? rc : 1;
	}
	if (str_starts(t->name, WHITEOUT_META))
		return 1;	/* aufs kept its own affairs there */
	path = xfmt("%.*s%s", (int)dir_len, t->path, t->name + strlen(WHITEOUT));
	t->path = path;
	t->name = path + dir_len;
	rc = put_whiteout(t, err);
	return rc < 0 ? rc : 1;
}

/* ---- all together ---- */

/* Every directory above was touched by this layer too. */
static int remember_seen(struct placer *p, const char *path, struct err *err)
{
	auto_free char *copy = xstrdup(path);
	char *slash;

	if (p->u->overlay_whiteouts)
		return 0;
	while (!pathset_has(&p->seen, copy)) {
		pathset_add(&p->seen, copy);
		slash = strrchr(copy, '/');
		if (!slash)
			break;
		*slash = '\0';
	}
	if (p->seen.bytes > PATHS_MAX)
		return err_set(err, ERR_TOO_LARGE, "the names are over %u MiB", PATHS_MAX >> 20);
	return 0;
}

static int read_attributes(struct put *t, struct err *err)
{
	int64_t uid = archive_entry_uid(t->entry), gid = archive_entry_gid(t->entry);
	long nsec = archive_entry_mtime_nsec(t->entry);

	/* All bits set means "leave as it is" to chown. */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return err_set(err, ERR_INVALID, "its owner is not a number of 32 bits");
	t->uid = (uid_t)uid;
	t->gid = (gid_t)gid;
	t->mode = archive_entry_perm(t->entry) & 07777;
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
		return 0;	/* sockets have no meaning in an image */
	}
}

int placer_put(struct placer *p, struct archive *a, struct archive_entry *entry, struct err *err)
{
	struct put t = {.p = p, .a = a, .entry = entry};
	auto_free char *path = NULL;
	int rc = clean_name(archive_entry_pathname(entry), "name", &path, err);

	if (rc == 0)
		rc = read_attributes(&t, err);
	if (rc < 0)
		return rc;
	if (strcmp(path, ".") == 0)
		return put_root(&t, err);
	t.path = path;
	t.name = path_base(path);
	if (strlen(t.name) > 255)
		return err_set(err, ERR_INVALID, "its name is over 255 bytes");
	rc = open_parent(p, path, true, &t.parent, err);
	if (rc == 0)
		rc = put_if_whiteout(&t, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = put_by_kind(&t, err);
	return rc < 0 ? rc : remember_seen(p, path, err);
}

int placer_finish(struct placer *p, struct err *err)
{
	for (size_t i = p->dirs.n; i-- > 0;) {
		const struct dir_times *d = &p->dirs.v[i];
		struct timespec times[2] = {d->mtime, d->mtime};
		struct stat st;
		int parent;

		/* A later entry may have put something else there, which has times of its own. */
		if (open_parent(p, d->path, false, &parent, NULL) < 0 ||
		    fstatat(parent, path_base(d->path), &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		if (utimensat(parent, path_base(d->path), times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(err, errno, "set times of directory '%.200s'", d->path);
	}
	return 0;
}
