/*
 * tree - copy a directory with all that is in it.
 *
 * A second name of a file with several links is made with linkat() from the path, relative to the root of the copy, of the first.
 */
#include "compat/base/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/links.h"
#include "compat/base/str.h"

/* _IOW(0x94, 9, int): FICLONE since 4.5, the same number as BTRFS_IOC_CLONE since 2.6.29. */
#define TREE_FICLONE 0x40049409

struct walk {
	const struct tree_copy *options;
	struct tree_copied done;
	struct links links;	/* names relative to the destination's root */
	struct buf path;	/* of the entry at hand, relative to the roots */
	int dst_root;
	dev_t src_dev;
	char *block;		/* for copying bytes */
	bool clone_fails;	/* the file systems share no extents: not tried again */
};

#define BLOCK_SIZE  (256 * 1024)
#define SPARSE_SIZE (64 * 1024)	/* of a hole that is kept on kernels that do not show holes */

/* Attributes that the destination's file system cannot hold are left out, as cp -a does. */
static bool is_xattr_refusal(int code)
{
	return code == ENOTSUP || code == EPERM || code == EACCES || code == ENODATA;
}

static int copy_xattrs(const struct tree_copy *options, int src, int dst, const char *path, struct err *err)
{
	char names[4096], small[1024];
	ssize_t len = flistxattr(src, names, sizeof(names));

	if (len < 0)
		return is_xattr_refusal(errno) ? 0
					       : err_sys(err, errno, "list attributes of '%s'", path);

	for (char *name = names; name < names + len; name += strlen(name) + 1) {
		auto_free char *large = NULL;
		char *value = small;
		ssize_t n;

		if (options->no_whiteouts && str_starts(name, "trusted.overlay."))
			continue;
		n = fgetxattr(src, name, small, sizeof(small));

		if (n < 0 && errno == ERANGE) {
			value = large = xcalloc(1, 65536);
			n = fgetxattr(src, name, large, 65536);
		}
		if (n >= 0 && fsetxattr(dst, name, value, (size_t)n, 0) == 0)
			continue;
		if (!is_xattr_refusal(errno))
			return err_sys(err, errno, "attribute '%s' of '%s'", name, path);
	}
	return 0;
}

/* Owner before mode: chown clears the setuid bits. Attributes after: chown drops file capabilities. */
static int copy_attributes(const struct tree_copy *options, int src, int dst, const struct stat *st, const char *path,
			   struct err *err)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	int rc;

	if (fchown(dst, st->st_uid, st->st_gid) < 0)
		return err_sys(err, errno, "chown '%s'", path);
	if (fchmod(dst, st->st_mode & 07777) < 0)
		return err_sys(err, errno, "chmod '%s'", path);
	rc = copy_xattrs(options, src, dst, path, err);
	if (rc < 0)
		return rc;
	if (futimens(dst, times) < 0)
		return err_sys(err, errno, "set times of '%s'", path);
	return 0;
}

static bool is_zero(const char *block, size_t n)
{
	return n && !block[0] && memcmp(block, block + 1, n - 1) == 0;
}

/* @sparse: zeros need not be written, the file gets its size at the end */
static int copy_range(struct walk *w, int src, int dst, off_t from, off_t to, bool sparse, const char *path,
		      struct err *err)
{
	const off_t step = sparse ? SPARSE_SIZE : BLOCK_SIZE;

	while (from < to) {
		size_t want = to - from < step ? (size_t)(to - from) : (size_t)step;
		ssize_t n = pread(src, w->block, want, from);
		ssize_t put;
		bool hole;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read '%s'", path);
		if (n == 0)
			return 0;	/* it shrank meanwhile */
		hole = sparse && is_zero(w->block, (size_t)n);
		for (ssize_t at = hole ? n : 0; at < n; at += put) {
			put = pwrite(dst, w->block + at, (size_t)(n - at), from + at);
			if (put < 0 && errno == EINTR)
				put = 0;
			else if (put < 0)
				return err_sys(err, errno, "write '%s'", path);
		}
		from += n;
		w->done.bytes += hole ? 0 : (uint64_t)n;
		if (w->options->cancel && *w->options->cancel)
			return err_sys(err, ECANCELED, "copy '%s'", path);
	}
	return 0;
}

static int copy_bytes(struct walk *w, int src, int dst, const struct stat *st, const char *path,
		      struct err *err)
{
	const off_t size = st->st_size;
	const bool sparse = (off_t)st->st_blocks * 512 < size;
	off_t at = 0;

	while (at < size) {
		off_t data = lseek(src, at, SEEK_DATA);
		off_t hole;
		int rc;

		if (data < 0 && errno == ENXIO)
			break;		/* nothing but a hole up to the end */
		if (data < 0)
			data = at;	/* before 3.1 there is no SEEK_DATA: one extent, with zeros for holes */
		hole = lseek(src, data, SEEK_HOLE);
		if (hole < 0 || hole > size)
			hole = size;
		rc = copy_range(w, src, dst, data, hole, sparse, path, err);
		if (rc < 0)
			return rc;
		at = hole > data ? hole : size;
	}
	if (ftruncate(dst, size) < 0)
		return err_sys(err, errno, "truncate '%s'", path);
	return 0;
}

static int copy_file(struct walk *w, int src_dir, int dst_dir, const char *name, struct err *err)
{
	const char *path = buf_cstr(&w->path);
	struct stat st;
	auto_fd int src = -1;
	auto_fd int dst = -1;
	int rc;

	/* O_NONBLOCK: the entry may have become a FIFO since it was looked at. */
	src = openat(src_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (src < 0 || fstat(src, &st) < 0)
		return err_sys(err, errno, "open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_sys(err, EAGAIN, "'%s' changed while it was copied", path);

	if (st.st_nlink > 1) {
		const char *first = links_find(&w->links, st.st_dev, st.st_ino);

		if (first) {
			if (linkat(w->dst_root, first, dst_dir, name, 0) < 0)
				return err_sys(err, errno, "link '%s' to '%s'", path, first);
			return 0;
		}
	}

	dst = openat(dst_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (dst < 0)
		return err_sys(err, errno, "create '%s'", path);
	if (st.st_nlink > 1)
		links_add(&w->links, st.st_dev, st.st_ino, path);

	if (st.st_size > 0) {
		bool shared = false;

		if (!w->options->no_reflink && !w->clone_fails) {
			shared = ioctl(dst, TREE_FICLONE, src) == 0;
			w->clone_fails = !shared && errno != EINTR;
		}
		rc = shared ? 0 : copy_bytes(w, src, dst, &st, path, err);
		if (rc < 0)
			return rc;
	}
	return copy_attributes(w->options, src, dst, &st, path, err);
}

/* What has no fd that could be opened safely: links, devices, FIFOs. */
static int copy_special(struct walk *w, int src_dir, int dst_dir, const char *name,
			const struct stat *st, struct err *err)
{
	const char *path = buf_cstr(&w->path);
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (S_ISLNK(st->st_mode)) {
		char target[4097];
		ssize_t n = readlinkat(src_dir, name, target, sizeof(target) - 1);

		if (n < 0)
			return err_sys(err, errno, "read link '%s'", path);
		target[n] = '\0';
		if (symlinkat(target, dst_dir, name) < 0)
			return err_sys(err, errno, "make link '%s'", path);
	} else if (mknodat(dst_dir, name, st->st_mode & ~(mode_t)07777, st->st_rdev) < 0) {
		return err_sys(err, errno, "make device '%s' (%u:%u)", path, major(st->st_rdev),
			       minor(st->st_rdev));
	}

	if (fchownat(dst_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "chown '%s'", path);
	if (!S_ISLNK(st->st_mode) && fchmodat(dst_dir, name, st->st_mode & 07777, 0) < 0)
		return err_sys(err, errno, "chmod '%s'", path);
	if (utimensat(dst_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "set times of '%s'", path);
	return 0;
}

static int copy_dir(struct walk *w, int src_owned, int dst, int depth, struct err *err);

static int copy_subdir(struct walk *w, int src_dir, int dst_dir, const char *name, int depth,
		       struct err *err)
{
	const char *path = buf_cstr(&w->path);
	auto_fd int src = openat(src_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int dst = -1;

	if (src < 0)
		return err_sys(err, errno, "open directory '%s'", path);
	if (mkdirat(dst_dir, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "make directory '%s'", path);
	dst = openat(dst_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dst < 0)
		return err_sys(err, errno, "open directory '%s' of the copy", path);
	return copy_dir(w, fd_take(&src), dst, depth + 1, err);
}

static int copy_entry(struct walk *w, int src_dir, int dst_dir, const char *name, int depth,
		      struct err *err)
{
	struct stat st;

	if (fstatat(src_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "stat '%s'", buf_cstr(&w->path));
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (w->options->no_whiteouts && S_ISCHR(st.st_mode) && !st.st_rdev)
		return 0;

	w->done.entries++;
	if (S_ISDIR(st.st_mode))
		return copy_subdir(w, src_dir, dst_dir, name, depth, err);
	if (w->options->link)
		return linkat(src_dir, name, dst_dir, name, 0) < 0 ?
			       err_sys(err, errno, "link '%s'", buf_cstr(&w->path)) : 0;
	if (S_ISREG(st.st_mode))
		return copy_file(w, src_dir, dst_dir, name, err);
	return copy_special(w, src_dir, dst_dir, name, &st, err);
}

/* Takes @src_owned: the directory stream reads from it, so that a level costs two fds. */
static int copy_dir(struct walk *w, int src_owned, int dst, int depth, struct err *err)
{
	auto_fd int src = src_owned;
	auto_closedir DIR *dir = NULL;
	struct stat st;
	struct dirent *entry;
	bool skip;

	if (depth > TREE_MAX_DEPTH)
		return err_set(err, ERR_TOO_LARGE, "copy '%s': directories are nested over %d deep",
			       buf_cstr(&w->path), TREE_MAX_DEPTH);
	if (fstat(src, &st) < 0)
		return err_sys(err, errno, "stat directory '%s'", buf_cstr(&w->path));
	dir = fdopendir(src);
	if (!dir)
		return err_sys(err, errno, "read directory '%s'", buf_cstr(&w->path));
	fd_take(&src);

	skip = w->options->one_filesystem && st.st_dev != w->src_dev;
	while (!skip && (errno = 0, entry = readdir(dir))) {
		size_t parent = w->path.len;
		int rc;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		buf_fmt(&w->path, "%s%s", parent ? "/" : "", entry->d_name);
		rc = copy_entry(w, dirfd(dir), dst, entry->d_name, depth, err);
		if (rc < 0)
			return rc;
		w->path.len = parent;
		w->path.data[parent] = '\0';
		if (w->options->cancel && *w->options->cancel)
			return err_sys(err, ECANCELED, "copy");
	}
	if (!skip && errno)
		return err_sys(err, errno, "read directory '%s'", buf_cstr(&w->path));

	return copy_attributes(w->options, dirfd(dir), dst, &st, buf_cstr(&w->path), err);
}

int tree_copy(int src, int dst, const struct tree_copy *options, struct tree_copied *ret,
	      struct err *err)
{
	static const struct tree_copy defaults;
	struct walk w = {.options = options ? options : &defaults, .dst_root = dst};
	struct stat st;
	int root, rc;

	if (fstat(src, &st) < 0)
		return err_sys(err, errno, "stat the source directory");
	root = openat(src, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(err, errno, "open the source directory");
	w.src_dev = st.st_dev;
	w.block = xcalloc(1, BLOCK_SIZE);
	rc = copy_dir(&w, root, dst, 0, err);
	free(w.block);
	links_clear(&w.links);
	buf_clear(&w.path);
	if (rc == 0 && ret)
		*ret = w.done;
	return rc;
}

struct usage {
	uint64_t bytes, entries;
	struct links links;
	dev_t dev;
};

static int usage_dir(struct usage *u, int fd_in, int depth, struct err *err)
{
	auto_closedir DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(fd_in, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		int rc = err_sys(err, errno, "read directory");

		if (fd >= 0)
			close(fd);
		return rc;
	}
	if (depth > TREE_MAX_DEPTH)
		return err_set(err, ERR_TOO_LARGE, "directories are nested over %d deep",
			       TREE_MAX_DEPTH);

	while ((errno = 0, entry = readdir(dir))) {
		struct stat st;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;	/* gone meanwhile */
		if (st.st_dev != u->dev)
			continue;
		u->entries++;
		if (S_ISDIR(st.st_mode)) {
			auto_fd int sub = openat(dirfd(dir), entry->d_name,
						 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			int rc = sub < 0 ? 0 : usage_dir(u, sub, depth + 1, err);

			if (rc < 0)
				return rc;
		} else if (st.st_nlink > 1) {
			if (links_find(&u->links, st.st_dev, st.st_ino))
				continue;
			links_add(&u->links, st.st_dev, st.st_ino, "");
		}
		u->bytes += (uint64_t)st.st_blocks * 512;
	}
	return errno ? err_sys(err, errno, "read directory") : 0;
}

int tree_usage(int dirfd, uint64_t *ret_bytes, uint64_t *ret_entries, struct err *err)
{
	struct usage u = {0};
	struct stat st;
	int rc;

	if (fstat(dirfd, &st) < 0)
		return err_sys(err, errno, "stat directory");
	u.dev = st.st_dev;
	rc = usage_dir(&u, dirfd, 0, err);
	links_clear(&u.links);
	if (rc < 0)
		return rc;
	*ret_bytes = u.bytes;
	*ret_entries = u.entries;
	return 0;
}
