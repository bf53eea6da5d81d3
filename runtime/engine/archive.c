/*
 * archive - files go into a container and come out of it, as tar streams.
 *
 * Paths are resolved in the container's root as docker does it: the last component is followed where a slash, or "/.", comes after it, or
 * where an archive is unpacked there.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/archive.h"
#include "compat/base/charset.h"
#include "compat/base/fd.h"
#include "compat/base/pack.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/untar.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/user.h"
#include "runtime/engine/view.h"

#define ENTRIES_MAX (10u << 20)
#define READ_BLOCK  (256 * 1024)

/* ---- places ---------------------------------------------------------------------------------------------------------------------- */

/* A path that somebody asked for. */
struct asked {
	const char *ref;	/* the container's name, for messages */
	const char *text;
	char *path;		/* absolute and clean */
	bool follow;		/* it demands a directory */
	const char *name;	/* what docker calls it: the last component, "." or "/" */
};

static int ask(const char *ref, const char *text, struct asked *ret, struct err *err)
{
	auto_free char *rooted = xfmt("/%s", text ? text : "");
	size_t len = strlen(rooted);
	bool dot = str_ends(rooted, "/.");

	if (str_empty(text))
		return err_set(err, ERR_INVALID, "the path in the container is not given");
	if (len >= 4096)
		return err_set(err, ERR_INVALID, "the path in the container is over 4095 bytes");
	*ret = (struct asked){.ref = ref, .text = text, .path = path_clean(rooted)};
	ret->follow = dot || rooted[len - 1] == '/' || !strcmp(ret->path, "/");
	ret->name = dot ? "." : !strcmp(ret->path, "/") ? "/" : path_base(ret->path);
	return 0;
}

static int not_found(const struct asked *a, struct err *err)
{
	return err_set(err, ERR_NOT_FOUND, "Could not find the file %s in container %s", a->text, a->ref);
}

static int say_why(const struct asked *a, int rc, struct err *err)
{
	if (rc == -ENOENT)
		return not_found(a, err);
	if (rc == -ENOTDIR)
		return err_set(err, ERR_INVALID, "%s in container %s is not a directory", a->text, a->ref);
	return rc;
}

/*
 * Where it is: *ret_fd of the directory and *ret_entry (owned) in it, or NULL when *ret_fd is the thing itself.
 */
static int find(const struct asked *a, int rootfd, int *ret_fd, char **ret_entry, struct err *err)
{
	auto_free char *entry = NULL;
	auto_fd int fd = -1;
	int rc;

	if (a->follow)
		rc = path_open_in(rootfd, a->path, O_RDONLY | O_DIRECTORY, 0, &fd, err);
	else
		rc = path_parent_in(rootfd, a->path, false, &fd, &entry, err);
	if (rc < 0)
		return say_why(a, rc, err);
	/* What the kernel shows by files is no content of the container: it would never end, or wait. */
	if (pack_is_kernel_file(fd))
		return not_found(a, err);
	*ret_fd = fd_take(&fd);
	*ret_entry = take(entry);
	return 0;
}

/* ---- looking --------------------------------------------------------------------------------------------------------------------- */

struct look {
	struct asked asked;
	struct api_path_stat *ret;
};

static int look_at(int rootfd, void *arg, struct err *err)
{
	const struct look *l = arg;
	auto_free char *target = NULL;
	auto_free char *entry = NULL;
	auto_fd int fd = -1;
	struct stat st;
	int rc = find(&l->asked, rootfd, &fd, &entry, err);

	if (rc < 0)
		return rc;
	if ((entry ? fstatat(fd, entry, &st, AT_SYMLINK_NOFOLLOW) : fstat(fd, &st)) < 0)
		return say_why(&l->asked, err_sys(err, errno, "inspect '%s'", l->asked.path), err);
	if (S_ISLNK(st.st_mode)) {
		rc = path_resolve_in(rootfd, l->asked.path, &target, err);
		if (rc < 0)
			return say_why(&l->asked, rc, err);
	}
	str_set(&l->ret->name, l->asked.name);
	str_set(&l->ret->link_target, target ? target : "");
	l->ret->size = st.st_size;
	l->ret->mode = api_mode(st.st_mode);
	l->ret->mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	return 0;
}

int container_path_stat(struct engine *e, const char *ref, const char *path, struct api_path_stat *ret, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	struct look l = {.ret = ret};
	int rc = table_find(e, ref, &c, err);

	if (rc >= 0)
		rc = ask(ref, path, &l.asked, err);
	if (rc >= 0)
		rc = view_run(c, look_at, &l, err);
	free(l.asked.path);
	return rc;
}

/* ---- out ------------------------------------------------------------------------------------------------------------------------- */

struct out {
	struct asked asked;
	int fd;
};

static int out_write(void *arg, const void *data, size_t len)
{
	const struct out *o = arg;

	return fd_write_all(o->fd, data, len);
}

static int pack_it(int rootfd, void *arg, struct err *err)
{
	struct out *o = arg;
	const struct pack_options options = {
		.name = o->asked.name,
		.no_kernel_files = true,
		.write = out_write,
		.arg = o,
	};
	auto_free char *entry = NULL;
	auto_fd int fd = -1;
	int rc = find(&o->asked, rootfd, &fd, &entry, err);

	return rc < 0 ? rc : pack(fd, entry, &options, err);
}

int container_archive(struct engine *e, const char *ref, const char *path, int fd, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	struct out o = {.fd = fd};
	int rc = table_find(e, ref, &c, err);

	if (rc >= 0)
		rc = ask(ref, path, &o.asked, err);
	if (rc >= 0)
		rc = view_run(c, pack_it, &o, err);
	free(o.asked.path);
	if (rc >= 0)
		container_event(c, "archive-path", NULL, NULL);
	return rc;
}

/* ---- in -------------------------------------------------------------------------------------------------------------------------- */

struct in {
	struct container *c;
	struct asked asked;
	const struct container_extract *how;
	int fd;
};

static int unpack_entries(struct archive *a, struct untar *u, struct err *err)
{
	struct archive_entry *entry;
	unsigned int count = 0;
	int rc;

	while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
		const char *name = archive_entry_pathname(entry);

		if (++count > ENTRIES_MAX)
			return err_set(err, ERR_TOO_LARGE, "the archive has more than %u entries", ENTRIES_MAX);
		rc = untar_put(u, a, entry, err);
		if (rc < 0)
			return err_wrap(err, rc, "entry '%.200s'", name && str_is_printable(name) ? name : "?");
	}
	if (rc != ARCHIVE_EOF)
		return err_set(err, ERR_INVALID, "this is not a sound tar archive: %s", archive_error_string(a));
	return untar_finish(u, err);
}

static int unpack(const struct in *in, const struct untar_options *options, struct err *err)
{
	AUTO(archive_read_free) struct archive *a = archive_read_new();
	AUTO(untar_free) struct untar *u = untar_new(options);
	struct charset charset;
	int rc;

	if (!a)
		abort();
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_empty(a);
	charset_utf8(&charset);
	if (archive_read_open_fd(a, in->fd, READ_BLOCK) == ARCHIVE_OK)
		rc = unpack_entries(a, u, err);
	else
		rc = err_set(err, ERR_INVALID, "this is not a tar archive: %s", archive_error_string(a));
	charset_restore(&charset);
	return rc;
}

/* access(2) knows of read-only mounts, and on 2.6.32 nothing else does. */
static int check_writable(const struct in *in, int fd, const char *path, struct err *err)
{
	if (faccessat(fd, ".", W_OK, 0) == 0 || errno != EROFS)
		return 0;
	VEC_EACH(m, &in->c->rec.mounts) {
		if (path_is_under(path, m->destination))
			return err_set(err, ERR_FORBIDDEN, "mounted volume is marked read-only");
	}
	return err_set(err, ERR_FORBIDDEN, "container rootfs is marked read-only");
}

static int set_owner(const struct in *in, int rootfd, struct untar_options *options, struct err *err)
{
	struct oci_process process = {0};
	char root[40];
	int rc;

	if (!in->how->to_user || str_empty(in->c->rec.config.user))
		return 0;
	(void)str_fmt(root, sizeof(root), "/proc/self/fd/%d", rootfd);
	rc = user_resolve(root, in->c->rec.config.user, NULL, &process.user, NULL, err);
	if (rc >= 0) {
		options->owner = UNTAR_OWNER_GIVEN;
		options->uid = process.user.uid;
		options->gid = process.user.gid;
	}
	json_clear(&oci_process_table, &process);
	return rc;
}

static int unpack_into(int rootfd, void *arg, struct err *err)
{
	const struct in *in = arg;
	struct untar_options options = {
		.rootfd = rootfd,
		.bytes_max = INT64_MAX,
		.shared = true,
		.keep_top = true,
		.keep_kinds = in->how->keep_kinds,
	};
	auto_free char *path = NULL;
	auto_fd int fd = -1;
	int rc = path_open_in(rootfd, in->asked.path, O_RDONLY | O_DIRECTORY, 0, &fd, err);

	if (rc == -ENOTDIR)
		return err_set(err, ERR_INVALID, "extraction point is not a directory");
	if (rc < 0)
		return say_why(&in->asked, rc, err);
	if (pack_is_kernel_file(fd))
		return err_set(err, ERR_FORBIDDEN, "%s in container %s is the kernel's", in->asked.text, in->asked.ref);
	rc = path_resolve_in(rootfd, in->asked.path, &path, err);
	if (rc == 0)
		rc = check_writable(in, fd, path, err);
	if (rc == 0)
		rc = set_owner(in, rootfd, &options, err);
	if (rc < 0)
		return rc;
	options.prefix = path[1] ? path + 1 : NULL;
	return unpack(in, &options, err);
}

int container_extract(struct engine *e, const char *ref, const struct container_extract *how, int fd, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	struct in in = {.how = how, .fd = fd};
	int rc = table_find(e, ref, &c, err);

	in.c = c;
	if (rc >= 0)
		rc = ask(ref, how->path, &in.asked, err);
	if (rc >= 0)
		rc = view_run(c, unpack_into, &in, err);
	free(in.asked.path);
	if (rc >= 0)
		container_event(c, "extract-to-dir", NULL, NULL);
	return rc;
}
