/*
 * init_cgroups.c - the container's view of its control groups
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/mount.h"
#include "runtime/oci/internal.h"

/* ---- a place in sysfs ----------------------------------------------------------------------------------------------------- */

/* One directory of sysfs, through the tmpfs that covers its parent. */
static int show_again(struct init *init, int covered, int cover, const char *dir, const char *name, struct err *err)
{
	static const struct mount_options bind = {.bind = true};
	auto_free char *path = path_join(dir, name);
	struct mount_place place = {init->root_fd, path, -1};
	char link[MOUNT_FD_PATH_SIZE];
	auto_fd int from = openat(covered, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int to = -1;

	if (from < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(err, errno, "open '%s'", path);
	if (mkdirat(cover, name, 0755) < 0)
		return err_sys(err, errno, "create '%s'", path);
	to = openat(cover, name, mount_path_flags() | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return err_sys(err, errno, "open '%s'", path);
	place.fd = to;
	return mount_bind_at(mount_fd_path(from, link), &place, &bind, NULL, err);
}

static int show_all_again(struct init *init, int covered, int cover, const char *dir, struct err *err)
{
	auto_fd int own = openat(covered, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_closedir DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return err_sys(err, errno, "list '%s'", dir);
	own = -1;	/* the stream's */
	while (!rc && (e = readdir(d)))
		if (*e->d_name != '.')
			rc = show_again(init, covered, cover, dir, e->d_name, err);
	return rc;
}

/*
 * Nobody can make a directory in sysfs, and before 3.0 it has none for control groups: then a tmpfs over the directory above gives room, and
 * what was to be seen there still is.
 */
static int cover_sysfs(struct init *init, const char *destination, struct err *err)
{
	enum { SYSFS_MAGIC = 0x62656572 };
	struct mount_options o = {.flags = MS_NOSUID | MS_NODEV | MS_NOEXEC};
	auto_free char *clean = path_clean(destination);
	size_t len = (size_t)(path_base(clean) - clean);
	auto_free char *dir = xstrndup(clean, len > 1 ? len - 1 : len);
	auto_free char *data = lsm_mount_options("mode=755,size=64k", init->spec->linux_.mount_label);
	struct mount_place place = {init->root_fd, dir, -1};
	char link[MOUNT_FD_PATH_SIZE];
	auto_fd int covered = -1;
	auto_fd int fd = -1;
	auto_fd int cover = -1;
	struct statfs fs;
	struct stat st;
	int rc;

	if (path_open_in(init->root_fd, *dir ? dir : "/", O_RDONLY | O_DIRECTORY, 0, &covered, NULL))
		return 0;
	if (fstatfs(covered, &fs) < 0 || fs.f_type != SYSFS_MAGIC ||
	    (!hidden("sys-fs-cgroup") && fstatat(covered, path_base(clean), &st, AT_SYMLINK_NOFOLLOW) == 0))
		return 0;
	place.fd = covered;
	rc = mount_new_at("tmpfs", &place, "tmpfs", &o, data, &fd, err);
	if (rc)
		return rc;
	cover = open(mount_fd_path(fd, link), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cover < 0)
		return err_sys(err, errno, "open '%s'", dir);
	rc = show_all_again(init, covered, cover, dir, err);
	if (!rc && mkdirat(cover, path_base(clean), 0755) < 0 && errno != EEXIST)
		rc = err_sys(err, errno, "create '%s'", clean);
	if (!rc)
		VEC_PUSH(&init->late_ro, fd_take(&fd));
	return rc;
}

/* ---- the mounts ---------------------------------------------------------------------------------------------------------- */

static int place_below(struct init *init, const char *path, int *ret_fd, struct err *err)
{
	bool existed;

	return init_open_place(init->root_fd, path, true, ret_fd, &existed, err);
}

static int mount_group(struct init *init, const struct cgroup_mount *g, const char *path,
		       const struct mount_options *options, struct err *err)
{
	struct mount_options o = *options;
	struct mount_place place = {init->root_fd, path, -1};
	auto_fd int fd = -1;
	int rc = place_below(init, path, &fd, err);

	if (rc)
		return rc;
	place.fd = fd;
	/* In a cgroup namespace of its own a fresh mount shows the container's group as the root. */
	if (init->new_ns[NS_CGROUP] && g->fstype) {
		o.data = g->options;
		return mount_new_at("cgroup", &place, g->fstype, &o, g->options, NULL, err);
	}
	o.bind = true;
	return mount_bind_at(g->source, &place, &o, NULL, err);
}

/* cgroup v1 and hybrid: a tmpfs with one directory for each hierarchy. */
static int mount_groups(struct init *init, const struct oci_mount *m, const cgroup_mount_vec *groups,
			const struct mount_options *options, struct err *err)
{
	struct mount_place place = {init->root_fd, m->destination, -1};
	auto_fd int below = -1;
	auto_fd int fd = -1;
	auto_fd int dir = -1;
	auto_free char *data = lsm_mount_options("mode=755", init->spec->linux_.mount_label);
	struct mount_options top = *options;
	char link[MOUNT_FD_PATH_SIZE];
	int rc = place_below(init, m->destination, &below, err);

	if (rc)
		return rc;
	place.fd = below;
	top.flags &= ~(unsigned long)MS_RDONLY;
	top.data = NULL;
	rc = mount_new_at("tmpfs", &place, "tmpfs", &top, data, &fd, err);
	if (rc)
		return rc;
	dir = open(mount_fd_path(fd, link), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, errno, "open '%s'", m->destination);
	VEC_EACH(g, groups) {
		auto_free char *path = path_join(m->destination, g->name);

		if (g->link) {
			if (symlinkat(g->link, dir, g->name) < 0)
				return err_sys(err, errno, "link '%s'", path);
			continue;
		}
		if (mkdirat(dir, g->name, 0755) < 0)
			return err_sys(err, errno, "create '%s'", path);
		rc = mount_group(init, g, path, options, err);
		if (rc)
			return rc;
	}
	return options->flags & MS_RDONLY ? mount_reflag(fd, m->destination, MS_RDONLY, 0, false, err) : 0;
}

int init_cgroup_mount(struct init *init, const struct oci_mount *m, struct err *err)
{
	AUTO(mount_options_clear) struct mount_options options = {0};
	cgroup_mount_vec groups = {0};
	int rc;

	if (!init->cg)
		return err_set(err, ERR_UNSUPPORTED, "this host has no control groups to show");
	mount_options_parse(&m->options, &options);
	rc = cover_sysfs(init, m->destination, err);
	if (rc)
		return rc;
	rc = cgroup_mounts_for_container(init->cg, &groups, err);
	if (!rc) {
		if (groups.n == 1 && !*groups.v[0].name)
			rc = mount_group(init, &groups.v[0], m->destination, &options, err);
		else
			rc = mount_groups(init, m, &groups, &options, err);
	}
	cgroup_mounts_clear(&groups);
	return rc ? err_wrap(err, rc, "mount '%s'", m->destination) : 0;
}
