/*
 * place - one entry of a layer gets its place below the root
 *
 * What a layer adds is put there by untar; what it deletes, here.
 */
#include "runtime/image/place.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/untar.h"
#include "runtime/image/pathset.h"

#define WHITEOUT	".wh."
#define WHITEOUT_META	".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

#define PATHS_MAX (256u << 20)	/* bytes of names that are remembered */

struct placer {
	struct untar *untar;
	bool overlay_whiteouts;
	struct pathset seen;	/* only where whiteouts are applied at once: they spare what came with this layer */
};

/* A deletion on its way. */
struct put {
	struct placer *p;
	const char *path;	/* clean and relative */
	const char *name;	/* its last component */
	int parent;		/* borrowed from untar */
};

struct placer *placer_new(const struct unpack *options)
{
	const struct untar_options untar = {
		.rootfd = options->dirfd,
		.bytes_max = options->bytes_max,
		.overlay_whiteouts = options->overlay_whiteouts,
	};
	struct placer *p = xcalloc(1, sizeof(*p));

	p->untar = untar_new(&untar);
	p->overlay_whiteouts = options->overlay_whiteouts;
	return p;
}

void placer_free(struct placer *p)
{
	if (!p)
		return;
	untar_free(p->untar);
	pathset_clear(&p->seen);
	free(p);
}

uint64_t placer_bytes(const struct placer *p)
{
	return untar_bytes(p->untar);
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

	if (t->p->overlay_whiteouts)
		return untar_set_opaque(t->parent, err);
	rc = clear_dir(t->p, t->parent, dir_path, 0, err);
	untar_forget(t->p->untar);
	return rc;
}

/* @t->name is what is deleted, @path its path. Something of the same name may come with this very layer. */
static int put_whiteout(struct put *t, struct err *err)
{
	auto_fd int fd = -1;
	int rc;

	if (!*t->name || strcmp(t->name, ".") == 0 || strcmp(t->name, "..") == 0)
		return err_set(err, ERR_INVALID, "deletes nothing that has a name");
	if (t->p->overlay_whiteouts) {
		if (mknodat(t->parent, t->name, S_IFCHR, makedev(0, 0)) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(err, errno, "create whiteout");
		fd = openat(t->parent, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? 0 : untar_set_opaque(fd, err);
	}
	if (pathset_has(&t->p->seen, t->path)) {
		fd = openat(t->parent, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		rc = fd < 0 ? 0 : clear_dir(t->p, fd, t->path, 0, err);
	} else {
		rc = path_remove_tree_at(t->parent, t->name, err);
	}
	untar_forget(t->p->untar);
	return rc;
}

/* 1: it was one. */
static int put_if_whiteout(struct placer *p, const char *path, struct err *err)
{
	const char *name = path_base(path);
	struct put t = {.p = p, .path = path, .name = name};
	size_t dir_len = (size_t)(name - path);
	auto_free char *real = NULL;
	int rc;

	if (!str_starts(name, WHITEOUT))
		return 0;
	rc = untar_parent(p->untar, path, true, &t.parent, err);
	if (rc < 0)
		return rc;
	if (strcmp(name, WHITEOUT_OPAQUE) == 0) {
		real = dir_len ? xstrndup(path, dir_len - 1) : xstrdup(".");
		rc = put_opaque(&t, real, err);
		return rc < 0 ? rc : 1;
	}
	if (str_starts(name, WHITEOUT_META))
		return 1;	/* aufs kept its own affairs there */
	real = xfmt("%.*s%s", (int)dir_len, path, name + strlen(WHITEOUT));
	t.path = real;
	t.name = real + dir_len;
	rc = put_whiteout(&t, err);
	return rc < 0 ? rc : 1;
}

/* ---- all together ---- */

/* Every directory above was touched by this layer too. */
static int remember_seen(struct placer *p, const char *path, struct err *err)
{
	auto_free char *copy = xstrdup(path);
	char *slash;

	if (p->overlay_whiteouts)
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

int placer_put(struct placer *p, struct archive *a, struct archive_entry *entry, struct err *err)
{
	auto_free char *path = NULL;
	int rc = untar_path(p->untar, archive_entry_pathname(entry), "name", &path, err);

	if (rc < 0)
		return rc;
	if (strlen(path_base(path)) > 255)
		return err_set(err, ERR_INVALID, "its name is over 255 bytes");
	rc = put_if_whiteout(p, path, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = untar_put(p->untar, a, entry, err);
	return rc < 0 || strcmp(path, ".") == 0 ? rc : remember_seen(p, path, err);
}

int placer_finish(struct placer *p, struct err *err)
{
	return untar_finish(p->untar, err);
}
