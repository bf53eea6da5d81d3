/*
 * init_mounts.c - the container's mounts, made before its root is switched
 *
 * Everything is mounted on fds which were opened inside the root file system, while the host's /proc and /dev are still the ones
 * in sight: nothing that the image brings can stand in for them.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/mountinfo.h"
#include "compat/kernel/rootswitch.h"
#include "runtime/oci/internal.h"

/* ---- the root file system ------------------------------------------------------------------------------------------------ */

/* The mount below the root file system must not be shared, or ours would show on the host. */
static int make_parent_private(const char *rootfs, struct err *err)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	const struct mount_entry *e;
	int rc = mountinfo_read(NULL, &info, err);

	if (rc)
		return rc;
	e = mountinfo_find(&info, rootfs);
	if (e && e->shared && mount("none", e->target, NULL, MS_PRIVATE, NULL) < 0)
		return err_sys(err, errno, "make mount '%s' private", e->target);
	return 0;
}

int init_rootfs(struct init *init, struct err *err)
{
	static const struct mount_options options = {.bind = true, .recursive = true};
	const char *rootfs = init->container->state.rootfs;
	unsigned long propagation = 0, first = MS_SLAVE | MS_REC;
	auto_fd int host = -1;
	auto_fd int fd = -1;
	struct mount_place place;
	int rc;

	if (!init->listed_ns[NS_MNT]) {
		init->root_fd = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return init->root_fd < 0 ? err_sys(err, errno, "open '%s'", rootfs) : 0;
	}
	(void)mount_propagation_parse(init->spec->linux_.rootfs_propagation, &propagation); /* checked */
	/* What is unbindable already could be no source of a bind, and the root file system is one. */
	if (propagation & MS_UNBINDABLE)
		first = MS_PRIVATE | MS_REC;
	else if (propagation)
		first = propagation;
	if (mount("none", "/", NULL, first, NULL) < 0)
		return err_sys(err, errno, "set the propagation of '/'");
	if (propagation & MS_SHARED) {
		rc = make_parent_private(rootfs, err);
		if (rc)
			return rc;
	}
	host = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = open(rootfs, mount_path_flags() | O_DIRECTORY | O_CLOEXEC);
	if (host < 0 || fd < 0)
		return err_sys(err, errno, "open '%s'", rootfs);
	place = (struct mount_place){host, rootfs, fd};
	return mount_bind_at(rootfs, &place, &options, &init->root_fd, err);
}

/* ---- places -------------------------------------------------------------------------------------------------------------- */

/* The usual case: only the last directory is missing. -errno where it takes more. */
static int make_last(int root_fd, const char *path, int *ret_fd)
{
	const char *name = path_base(path);
	auto_free char *parent = xstrndup(path, (size_t)(name - path));
	auto_fd int fd = -1;
	int rc;

	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return -EINVAL;
	rc = path_open_in(root_fd, *parent ? parent : "/", mount_path_flags() | O_DIRECTORY, 0, &fd, NULL);
	if (rc)
		return rc;
	if (mkdirat(fd, name, 0755) < 0)
		return -errno;
	*ret_fd = openat(fd, name, mount_path_flags() | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

/* Make what @path names in the root file system, and what leads to it. */
static int make_place(int root_fd, const char *path, bool directory, int *ret_fd, struct err *err)
{
	auto_free char *real = NULL;
	auto_free char *name = NULL;
	auto_fd int parent = -1;
	int rc;

	if (directory && make_last(root_fd, path, ret_fd) == 0)
		return 0;
	/* A link to nowhere is followed to where it points inside the root. */
	(void)path_resolve_in(root_fd, path, &real, NULL);	/* else it is made where it is named */
	if (directory)
		return path_mkdirs_in(root_fd, real ? real : path, 0755, ret_fd, err);
	rc = path_parent_in(root_fd, real ? real : path, true, &parent, &name, err);
	if (rc)
		return rc;
	*ret_fd = openat(parent, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
	return *ret_fd < 0 ? err_sys(err, errno, "create '%s'", path) : 0;
}

int init_open_place(int root_fd, const char *path, bool directory, int *ret_fd, bool *ret_existed, struct err *err)
{
	int rc = path_open_in(root_fd, path, mount_path_flags(), 0, ret_fd, NULL);

	*ret_existed = !rc;
	if (!rc)
		return 0;
	if (rc != -ENOENT)
		return err_sys(err, -rc, "open '%s'", path);
	return make_place(root_fd, path, directory, ret_fd, err);
}

/* proc and sysfs carry what masks and labels rely on: where a link points is not good enough. CVE-2019-19921 */
static int refuse_link(int root_fd, const char *path, struct err *err)
{
	auto_fd int parent = -1;
	auto_free char *name = NULL;
	struct stat st;

	if (path_parent_in(root_fd, path, false, &parent, &name, NULL))
		return 0;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' must be mounted on ordinary directory", path);
	return 0;
}

/* The path below the root of what @fd has open. */
static char *path_in_root(int root_fd, int fd)
{
	char link[MOUNT_FD_PATH_SIZE], root[PATH_MAX], path[PATH_MAX];
	ssize_t n = readlink(mount_fd_path(root_fd, link), root, sizeof(root) - 1);
	ssize_t m = readlink(mount_fd_path(fd, link), path, sizeof(path) - 1);

	if (n < 0 || m < n)
		return NULL;
	path[m] = '\0';
	return xstrdup(path + (n > 1 ? n : 0));
}

static bool is_procfs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/*
 * What is written to /proc later (labels, the score for want of memory) would go wherever a mount on it leads: CVE-2019-16884. Files that show
 * resources may be covered, for that is what they are mounted for. @place and not the path is looked at: names may be exchanged meanwhile.
 */
static int check_proc(int root_fd, const char *destination, int place, bool new_proc, const char *bind_source, struct err *err)
{
	static const char *const may_be_covered[] = {"cpuinfo", "diskstats", "loadavg", "meminfo", "net/dev", "slabinfo", "stat", "swaps",
						     "uptime", "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled"};
	auto_free char *path = path_in_root(root_fd, place);
	const char *name = path ? str_skip(path, "/proc") : NULL;

	if (!path)
		return err_sys(err, errno, "see where '%s' is", destination);
	if (!name || (*name && *name != '/'))
		return 0;
	if (!*name) {
		if (new_proc || (bind_source && is_procfs(bind_source)))
			return 0;
		return err_set(err, ERR_INVALID, "mount '%s': /proc is for the proc file system only", destination);
	}
	for (size_t i = 0; i < ARRAY_SIZE(may_be_covered); i++)
		if (str_eq(name + 1, may_be_covered[i]))
			return 0;
	return err_set(err, ERR_INVALID, "mount '%s': nothing may be mounted inside of /proc", destination);
}

/* ---- one mount ----------------------------------------------------------------------------------------------------------- */

struct job {
	struct init *init;
	const struct oci_mount *mount;
	struct mount_options options;
	struct mount_place place;
	const char *type;
	char *data;		/* owned */
	bool late_ro;		/* read-only when all is in place */
};

static int copy_up(const struct job *job, int mounted, struct err *err)
{
	auto_fd int from = -1;
	auto_fd int to = -1;
	char path[MOUNT_FD_PATH_SIZE];

	/* The place's fd still is what the tmpfs covers. */
	from = open(mount_fd_path(job->place.fd, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0)
		return err_sys(err, errno, "open '%s'", job->place.path);
	to = open(mount_fd_path(mounted, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return err_sys(err, errno, "open '%s'", job->place.path);
	return tree_copy(from, to, &(struct tree_copy){.one_filesystem = true}, NULL, err);
}

/* Without the word it would be the host's own, and options would change that one. */
static void keep_from_hosts_devpts(struct mount_options *o)
{
	AUTO(strv_clear) struct strv words = {0};
	char *data;

	strv_split(&words, o->data ? o->data : "", ",", false);
	if (strv_has(&words, "newinstance"))
		return;
	data = xfmt("newinstance%s%s", o->data ? "," : "", o->data ? o->data : "");
	free(o->data);
	o->data = data;
}

static int do_new(struct job *job, struct err *err)
{
	struct mount_options *o = &job->options;
	const char *source = job->mount->source ? job->mount->source : job->type;
	bool want_fd = job->late_ro || o->copy_up;
	auto_fd int fd = -1;
	int rc;

	rc = mount_new_at(source, &job->place, job->type, o, job->data, want_fd ? &fd : NULL, err);
	if (!rc && o->copy_up) {
		rc = copy_up(job, fd, err);
		if (rc)
			err_wrap(err, rc, "copy '%s' up", job->place.path);
	}
	if (!rc && job->late_ro)
		VEC_PUSH(&job->init->late_ro, fd_take(&fd));
	return rc;
}

static int do_bind(struct job *job, size_t index, struct err *err)
{
	struct init *init = job->init;
	const char *source = job->mount->source;
	char path[MOUNT_FD_PATH_SIZE];
	auto_fd int fd = -1;
	int rc;

	if (init->source_fds.n)
		source = mount_fd_path(init->source_fds.v[index], path);
	rc = check_proc(init->root_fd, job->mount->destination, job->place.fd, false, source, err);
	if (rc)
		return rc;
	rc = mount_bind_at(source, &job->place, &job->options, job->late_ro ? &fd : NULL, err);
	if (rc)
		return rc;
	if (job->late_ro)
		VEC_PUSH(&init->late_ro, fd_take(&fd));
	return 0;
}

static int do_remount(struct job *job, struct err *err)
{
	return mount_reflag(job->place.fd, job->place.path, job->options.flags & ~MS_REMOUNT, job->options.clear,
			    false, err);
}

/* What a file system needs to hear: the words, the label, and for a tmpfs without mode that of the directory it covers. */
static void make_data(struct job *job, bool existed)
{
	const char *label = job->init->spec->linux_.mount_label;
	const char *words = job->options.data;
	struct stat st;

	if (str_eq(job->type, "tmpfs") && existed && !(words && strstr(words, "mode=")) &&
	    fstat(job->place.fd, &st) == 0)
		job->data = xfmt("%s%smode=%04o", words ? words : "", words ? "," : "", st.st_mode & 07777);
	else
		job->data = xstrdup(words);
	if (label && !str_eq(job->type, "proc") && !str_eq(job->type, "sysfs")) {
		char *labelled = lsm_mount_options(job->data, label);

		free(job->data);
		job->data = labelled;
	}
}

static bool is_bind(const struct oci_mount *m, struct mount_options *o)
{
	if (!o->bind && str_eq(m->type, "bind"))
		o->bind = o->recursive = true;
	return o->bind;
}

/* Is the bind's source no directory? */
static int source_is_file(struct init *init, const struct oci_mount *m, size_t index, bool *ret, struct err *err)
{
	struct stat st;
	int rc = init->source_fds.n ? fstat(init->source_fds.v[index], &st) : stat(m->source, &st);

	if (rc < 0)
		return err_sys(err, errno, "mount '%s': source '%s'", m->destination, m->source);
	*ret = !S_ISDIR(st.st_mode);
	return 0;
}

static int mount_one(struct job *job, size_t index, struct err *err)
{
	struct init *init = job->init;
	const struct oci_mount *m = job->mount;
	bool file = false, existed;
	int rc = 0;

	mount_options_parse(&m->options, &job->options);
	job->type = m->type;
	if (is_bind(m, &job->options)) {
		rc = source_is_file(init, m, index, &file, err);
	} else if (str_eq(m->type, "proc") || str_eq(m->type, "sysfs")) {
		rc = refuse_link(init->root_fd, m->destination, err);
	}
	if (rc)
		return rc;
	if (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"))
		return init_cgroup_mount(init, m, err);
	if (str_eq(m->type, "devpts")) {
		/* There is none but the host's: the container has no terminals, and asks for none. */
		if (!mount_has_own_devpts())
			return 0;
		keep_from_hosts_devpts(&job->options);
	}
	job->place = (struct mount_place){init->root_fd, m->destination, -1};
	rc = init_open_place(init->root_fd, m->destination, !file, &job->place.fd, &existed, err);
	if (rc)
		return rc;
	/* Devices and what is mounted below still have to go in there. */
	if (job->options.flags & MS_RDONLY && (str_eq(m->type, "tmpfs") || str_eq(m->destination, "/dev"))) {
		job->late_ro = true;
		job->options.flags &= ~(unsigned long)MS_RDONLY;
	}
	if (job->options.flags & MS_REMOUNT)
		return do_remount(job, err);
	if (job->options.bind)
		return do_bind(job, index, err);
	rc = check_proc(init->root_fd, m->destination, job->place.fd, str_eq(m->type, "proc"), NULL, err);
	if (rc)
		return rc;
	make_data(job, existed);
	return do_new(job, err);
}

int init_mounts(struct init *init, struct err *err)
{
	int rc = 0;

	if (!init->listed_ns[NS_MNT])
		return 0;
	for (size_t i = 0; i < init->spec->mounts.n && !rc; i++) {
		const struct oci_mount *m = &init->spec->mounts.v[i];
		struct job job = {.init = init, .mount = m, .place.fd = -1};

		rc = mount_one(&job, i, err);
		if (job.place.fd >= 0)
			close(job.place.fd);
		mount_options_clear(&job.options);
		free(job.data);
	}
	return rc;
}

/* ---- masked and read-only ------------------------------------------------------------------------------------------------ */

/* One empty read-only tmpfs serves all masked directories. */
static int mask_directory(struct init *init, const struct mount_place *place, int *empty, struct err *err)
{
	static const struct mount_options bind = {.bind = true};
	struct mount_options o = {.flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC};
	auto_free char *data = NULL;
	char source[MOUNT_FD_PATH_SIZE];

	if (*empty >= 0)
		return mount_bind_at(mount_fd_path(*empty, source), place, &bind, NULL, err);
	data = lsm_mount_options("size=0,nr_inodes=1", init->spec->linux_.mount_label);
	return mount_new_at("tmpfs", place, "tmpfs", &o, data, empty, err);
}

static int mask(struct init *init, const char *path, int *empty, struct err *err)
{
	static const struct mount_options bind = {.bind = true};
	struct mount_place place = {init->root_fd, path, -1};
	auto_fd int fd = -1;
	struct stat st;
	int rc = path_open_in(init->root_fd, path, mount_path_flags(), 0, &fd, NULL);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (rc || fstat(fd, &st) < 0)
		return err_sys(err, rc ? -rc : errno, "open '%s'", path);
	place.fd = fd;
	if (S_ISDIR(st.st_mode))
		return mask_directory(init, &place, empty, err);
	return mount_bind_at("/dev/null", &place, &bind, NULL, err);
}

static int make_readonly(struct init *init, const char *path, struct err *err)
{
	static const struct mount_options options = {.bind = true, .recursive = true, .flags = MS_RDONLY};
	struct mount_place place = {init->root_fd, path, -1};
	char source[MOUNT_FD_PATH_SIZE];
	auto_fd int fd = -1;
	int rc = path_open_in(init->root_fd, path, mount_path_flags(), 0, &fd, NULL);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (rc)
		return err_sys(err, -rc, "open '%s'", path);
	place.fd = fd;
	return mount_bind_at(mount_fd_path(fd, source), &place, &options, NULL, err);
}

int init_protected_paths(struct init *init, struct err *err)
{
	const struct oci_linux *l = &init->spec->linux_;
	auto_fd int empty = -1;
	int rc = 0;

	STRV_EACH(p, &l->readonly_paths) {
		rc = make_readonly(init, *p, err);
		if (rc)
			return err_wrap(err, rc, "read-only path '%s'", *p);
	}
	STRV_EACH(p, &l->masked_paths) {
		rc = mask(init, *p, &empty, err);
		if (rc)
			return err_wrap(err, rc, "masked path '%s'", *p);
	}
	return 0;
}

int init_readonly(struct init *init, struct err *err)
{
	for (size_t i = 0; i < init->late_ro.n; i++) {
		int rc = mount_reflag(init->late_ro.v[i], "tmpfs", MS_RDONLY, 0, false, err);

		if (rc)
			return rc;
	}
	if (!init->spec->root.readonly || !init->listed_ns[NS_MNT])
		return 0;
	return mount_reflag(init->root_fd, "/", MS_RDONLY, 0, false, err);
}

int init_switch_root(struct init *init, struct err *err)
{
	const struct rootswitch *way;
	unsigned long propagation = 0;
	int rc;

	if (init->listed_ns[NS_MNT])
		rootswitch_leave_chroot();
	rc = rootswitch_pick(init->no_pivot, !init->listed_ns[NS_MNT], &way, err);
	if (!rc)
		rc = way->enter(init->root_fd, init->container->state.rootfs, err);
	if (rc)
		return rc;
	close(fd_take(&init->root_fd));
	(void)mount_propagation_parse(init->spec->linux_.rootfs_propagation, &propagation); /* checked */
	if (propagation && init->listed_ns[NS_MNT] && mount("none", "/", NULL, propagation, NULL) < 0)
		return err_sys(err, errno, "set the propagation of the new root");
	return 0;
}
