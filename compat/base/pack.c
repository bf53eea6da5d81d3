/*
 * pack.c - a directory becomes a tar stream
 *
 * libarchive writes the format; the walk is ours, because its own goes by path names.
 */
#include "compat/base/pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/archive.h"
#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/charset.h"
#include "compat/base/fd.h"
#include "compat/base/links.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"
#include "compat/base/vec.h"

#define BLOCK	    (256 * 1024)
#define ZEROS	    (4 << 20)		/* a hole is passed in pieces of this; never touched, so it takes no memory */
#define XATTR_NAMES 65536		/* the kernel's own ceilings */
#define XATTR_VALUE 65536
#define EXTENTS_MAX 100000		/* of a file with holes; the rest is one extent */
#define LINKS_MAX   (128u << 20)	/* bytes of names; further links become files of their own */
#define CHANGES_MAX 8			/* times that one name may change its kind between look and open */

/* Not const: constants lie in the program's file. */
static char zeros[ZEROS];

DEFINE_AUTO(archive_write_free, struct archive *)
DEFINE_AUTO(archive_entry_free, struct archive_entry *)

struct packer {
	const struct pack_options *o;
	struct archive *archive;
	int write_rc;		/* why the stream broke */
	bool is_over;		/* nothing more is to be written */
	struct links links;
	struct buf name;	/* of the entry at hand, in the archive */
	char *block;
};

/* ---- the stream ---- */

static la_ssize_t put_bytes(struct archive *a, void *arg, const void *data, size_t len)
{
	struct packer *p = arg;

	if (p->is_over)
		return -1;
	p->write_rc = p->o->write(p->o->arg, data, len);
	if (!p->write_rc)
		return (la_ssize_t)len;
	archive_set_error(a, -p->write_rc, "write");
	return -1;
}

/* ARCHIVE_WARN says that a name was kept as it is, though it is not UTF-8. */
static int check(const struct packer *p, la_ssize_t rc, struct err *err)
{
	if (rc >= ARCHIVE_WARN)
		return 0;
	if (p->write_rc)
		return err_sys(err, -p->write_rc, "write the archive");
	return err_set(err, ERR_INVALID, "'%s' cannot be archived: %s", buf_cstr(&p->name), archive_error_string(p->archive));
}

/* ---- attributes ---- */

/* A label belongs to a place, trusted attributes to the storage below. */
static bool is_files_own(const char *name)
{
	return (str_starts(name, "user.") && !str_starts(name, "user.overlay.")) || str_eq(name, "security.capability") ||
	       str_starts(name, "system.posix_acl_");
}

static void add_xattrs(int fd, struct archive_entry *entry)
{
	/* Not on the stack: the walk is recursive. */
	auto_free char *names = xcalloc(1, XATTR_NAMES);
	ssize_t len = flistxattr(fd, names, XATTR_NAMES - 1);

	if (len <= 0)
		return;		/* has none, or its file system has none */
	for (char *name = names; name < names + len; name += strlen(name) + 1) {
		auto_free char *value = NULL;
		ssize_t n;

		if (!is_files_own(name))
			continue;
		value = xcalloc(1, XATTR_VALUE);
		n = fgetxattr(fd, name, value, XATTR_VALUE);
		if (n >= 0)
			archive_entry_xattr_add_entry(entry, name, value, (size_t)n);
	}
}

static struct archive_entry *new_entry(const struct packer *p, const struct stat *st)
{
	struct archive_entry *entry = archive_entry_new();

	if (!entry)
		abort();
	archive_entry_copy_pathname(entry, buf_cstr(&p->name));
	archive_entry_set_mode(entry, st->st_mode);
	archive_entry_set_uid(entry, p->o->owner_given ? p->o->uid : st->st_uid);
	archive_entry_set_gid(entry, p->o->owner_given ? p->o->gid : st->st_gid);
	archive_entry_set_mtime(entry, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	archive_entry_set_size(entry, S_ISREG(st->st_mode) ? st->st_size : 0);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		archive_entry_set_rdevmajor(entry, major(st->st_rdev));
		archive_entry_set_rdevminor(entry, minor(st->st_rdev));
	}
	return entry;
}

/* ---- files ---- */

struct extent {
	off_t at, len;
};

typedef VEC(struct extent) extents;

static bool is_zero(const char *data, size_t len)
{
	return !len || (!data[0] && memcmp(data, data + 1, len - 1) == 0);
}

/* Before 3.1 no kernel says where holes are: look for blocks of zeros. */
static void find_by_reading(const struct packer *p, int fd, off_t size, extents *ret)
{
	for (off_t at = 0; at < size && ret->n < EXTENTS_MAX;) {
		ssize_t n = pread(fd, p->block, BLOCK, at);
		struct extent *last = ret->n ? &ret->v[ret->n - 1] : NULL;

		if (n <= 0)
			break;
		if (!is_zero(p->block, (size_t)n)) {
			if (last && last->at + last->len == at)
				last->len += n;
			else
				VEC_PUSH(ret, ((struct extent){at, n}));
		}
		at += n;
	}
}

static void find_extents(const struct packer *p, int fd, const struct stat *st, extents *ret)
{
	off_t at = 0;

	if ((off_t)st->st_blocks * 512 >= st->st_size)
		return;
	while (at < st->st_size) {
		off_t data = lseek(fd, at, SEEK_DATA), hole;

		if (data < 0 && errno == ENXIO)
			break;		/* nothing but a hole up to the end */
		if (data < 0) {
			find_by_reading(p, fd, st->st_size, ret);
			break;
		}
		hole = lseek(fd, data, SEEK_HOLE);
		if (hole < 0 || hole > st->st_size || ret->n == EXTENTS_MAX - 1)
			hole = st->st_size;
		if (data >= hole)
			break;
		VEC_PUSH(ret, ((struct extent){data, hole - data}));
		at = hole;
	}
	/* The format marks holes by what is between them. */
	if (!ret->n)
		VEC_PUSH(ret, ((struct extent){st->st_size, 0}));
}

static int put_zeros(struct packer *p, off_t len, struct err *err)
{
	while (len > 0) {
		size_t n = len < ZEROS ? (size_t)len : ZEROS;
		int rc = check(p, archive_write_data(p->archive, zeros, n), err);

		if (rc < 0)
			return rc;
		len -= (off_t)n;
	}
	return 0;
}

static int put_data(struct packer *p, int fd, off_t at, off_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = pread(fd, p->block, len < BLOCK ? (size_t)len : BLOCK, at);
		int rc;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read '%s'", buf_cstr(&p->name));
		if (!n)
			return put_zeros(p, len, err);	/* it shrank */
		rc = check(p, archive_write_data(p->archive, p->block, (size_t)n), err);
		if (rc < 0)
			return rc;
		at += n;
		len -= n;
	}
	return 0;
}

/* The format wants all of the file, and leaves the holes out itself. */
static int put_content(struct packer *p, int fd, off_t size, const extents *map, struct err *err)
{
	off_t at = 0;
	int rc = 0;

	if (!map->n)
		return put_data(p, fd, 0, size, err);
	for (size_t i = 0; i < map->n && rc == 0; i++) {
		rc = put_zeros(p, map->v[i].at - at, err);
		if (rc == 0)
			rc = put_data(p, fd, map->v[i].at, map->v[i].len, err);
		at = map->v[i].at + map->v[i].len;
	}
	return rc < 0 ? rc : put_zeros(p, size - at, err);
}

/* 1: it was packed as a further name. */
static int put_if_link(struct packer *p, const struct stat *st, struct err *err)
{
	const char *first = st->st_nlink > 1 ? links_find(&p->links, st->st_dev, st->st_ino) : NULL;
	AUTO(archive_entry_free) struct archive_entry *entry = NULL;
	int rc;

	if (!first) {
		if (st->st_nlink > 1 && p->links.bytes < LINKS_MAX)
			links_add(&p->links, st->st_dev, st->st_ino, buf_cstr(&p->name));
		return 0;
	}
	entry = new_entry(p, st);
	archive_entry_copy_hardlink(entry, first);
	archive_entry_set_size(entry, 0);
	rc = check(p, archive_write_header(p->archive, entry), err);
	return rc < 0 ? rc : 1;
}

static int put_file(struct packer *p, int fd, const struct stat *st, struct err *err)
{
	AUTO(archive_entry_free) struct archive_entry *entry = NULL;
	extents map = {0};
	int rc = put_if_link(p, st, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	entry = new_entry(p, st);
	add_xattrs(fd, entry);
	find_extents(p, fd, st, &map);
	VEC_EACH(e, &map)
		archive_entry_sparse_add_entry(entry, e->at, e->len);
	rc = check(p, archive_write_header(p->archive, entry), err);
	if (rc == 0)
		rc = put_content(p, fd, st->st_size, &map, err);
	VEC_FREE(&map);
	return rc < 0 ? rc : check(p, archive_write_finish_entry(p->archive), err);
}

/* ---- the walk ---- */

static int put_entry(struct packer *p, int dirfd, const char *name, int depth, struct err *err);

bool pack_is_kernel_file(int fd)
{
	/* linux/magic.h: proc sysfs cgroup cgroup2 devpts debugfs tracefs securityfs mqueue bpf pstore configfs efivarfs fusectl
	 * selinuxfs binfmt_misc rpc_pipefs nsfs hugetlbfs */
	static const unsigned long magics[] = {
		0x9fa0,	    0x62656572, 0x27e0eb,   0x63677270, 0x1cd1,	    0x64626720, 0x74726163, 0x73636673, 0x19800202, 0xcafe4a11,
		0x6165676c, 0x62656570, 0xde5e81e4, 0x65735543, 0xf97cff8c, 0x42494e4d, 0x67596969, 0x6e736673, 0x958458f6,
	};
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		if (((unsigned long)st.f_type & 0xffffffff) == magics[i])
			return true;
	}
	return false;
}

static int put_children(struct packer *p, int fd_owned, int depth, struct err *err)
{
	auto_fd int fd = fd_owned;
	auto_closedir DIR *dir = NULL;
	struct dirent *e;
	int rc = 0;

	if (depth > TREE_MAX_DEPTH)
		return err_set(err, ERR_TOO_LARGE, "directories are nested over %d deep", TREE_MAX_DEPTH);
	dir = fdopendir(fd);
	if (!dir)
		return err_sys(err, errno, "read directory '%s'", buf_cstr(&p->name));
	fd_take(&fd);
	while (rc == 0 && (errno = 0, e = readdir(dir))) {
		size_t parent = p->name.len;

		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		buf_fmt(&p->name, "%s%s", parent && p->name.data[parent - 1] == '/' ? "" : "/", e->d_name);
		rc = put_entry(p, dirfd(dir), e->d_name, depth + 1, err);
		p->name.len = parent;
		p->name.data[parent] = '\0';
	}
	if (rc == 0 && errno)
		return err_sys(err, errno, "read directory '%s'", buf_cstr(&p->name));
	return rc;
}

static int put_dir(struct packer *p, int fd_owned, int depth, struct err *err)
{
	AUTO(archive_entry_free) struct archive_entry *entry = NULL;
	auto_fd int fd = fd_owned;
	struct stat st;
	int rc;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "inspect '%s'", buf_cstr(&p->name));
	entry = new_entry(p, &st);
	add_xattrs(fd, entry);
	rc = check(p, archive_write_header(p->archive, entry), err);
	if (rc < 0 || (p->o->no_kernel_files && pack_is_kernel_file(fd)))
		return rc;
	return put_children(p, fd_take(&fd), depth, err);
}

static int put_special(struct packer *p, int dirfd, const char *name, const struct stat *st, struct err *err)
{
	AUTO(archive_entry_free) struct archive_entry *entry = new_entry(p, st);

	if (S_ISLNK(st->st_mode)) {
		auto_free char *target = xcalloc(1, PATH_MAX);
		ssize_t n = readlinkat(dirfd, name, target, PATH_MAX - 1);

		if (n < 0)
			return -EAGAIN;		/* it is no link any more */
		archive_entry_copy_symlink(entry, target);
	}
	return check(p, archive_write_header(p->archive, entry), err);
}

/* -EAGAIN: it is something else by now. */
static int put_by_kind(struct packer *p, int dirfd, const char *name, const struct stat *st, int depth, struct err *err)
{
	auto_fd int fd = -1;
	struct stat opened;
	int code;

	if (S_ISDIR(st->st_mode)) {
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			return put_dir(p, fd_take(&fd), depth, err);
		code = errno;
	} else if (S_ISREG(st->st_mode)) {
		fd = path_open_file_at(dirfd, name);
		if (fd >= 0 && fstat(fd, &opened) == 0)
			return S_ISREG(opened.st_mode) ? put_file(p, fd, &opened, err) : -EAGAIN;
		code = fd < 0 ? -fd : errno;
	} else {
		return put_special(p, dirfd, name, st, err);
	}
	if (code == ENOENT || code == ELOOP || code == ENOTDIR || code == ENXIO)
		return -EAGAIN;
	return err_sys(err, code, "open '%s'", buf_cstr(&p->name));
}

static int put_entry(struct packer *p, int dirfd, const char *name, int depth, struct err *err)
{
	for (int i = 0; i < CHANGES_MAX; i++) {
		struct stat st;
		int rc;

		if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT && depth ? 0 : err_sys(err, errno, "inspect '%s'", buf_cstr(&p->name));
		if (S_ISSOCK(st.st_mode))
			return 0;
		rc = put_by_kind(p, dirfd, name, &st, depth, err);
		if (rc != -EAGAIN)
			return rc;
	}
	return 0;	/* it never stood still: there was nothing to pack at any moment that we saw */
}

static int run(struct packer *p, int dirfd, const char *entry, struct err *err)
{
	int rc, fd;

	archive_write_set_format_pax_restricted(p->archive);
	archive_write_set_bytes_per_block(p->archive, BLOCK);
	archive_write_set_bytes_in_last_block(p->archive, 512);
	if (archive_write_open(p->archive, p, NULL, put_bytes, NULL) != ARCHIVE_OK)
		return check(p, ARCHIVE_FATAL, err);
	if (entry) {
		rc = put_entry(p, dirfd, entry, 0, err);
	} else {
		fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = fd < 0 ? err_sys(err, errno, "open '%s'", p->o->name) : put_dir(p, fd, 0, err);
	}
	if (rc >= 0)
		return check(p, archive_write_close(p->archive), err);
	p->is_over = true;
	archive_write_abandon(p->archive);
	return rc;
}

int pack(int dirfd, const char *entry, const struct pack_options *options, struct err *err)
{
	AUTO(archive_write_free) struct archive *archive = archive_write_new();
	struct packer p = {.o = options, .archive = archive};
	struct charset charset;
	int rc;

	if (!archive)
		abort();
	p.block = xcalloc(1, BLOCK);
	buf_str(&p.name, options->name);
	charset_utf8(&charset);
	rc = run(&p, dirfd, entry, err);
	charset_restore(&charset);
	links_clear(&p.links);
	buf_clear(&p.name);
	free(p.block);
	return rc;
}
