/*
 * mount.c - mounts by fd: mount_setattr(2) and open_tree(2) first, the classic mount(2) in two steps after
 */
#include "compat/kernel/mount.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/mountinfo.h"
#include "compat/kernel/syscalls.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define ATIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_STRICTATIME)

static int write_fd_path(int fd, char buf[MOUNT_FD_PATH_SIZE])
{
	return snprintf(buf, MOUNT_FD_PATH_SIZE, "/proc/self/fd/%d", fd);
}

const char *mount_fd_path(int fd, char buf[MOUNT_FD_PATH_SIZE])
{
	write_fd_path(fd, buf);
	return buf;
}

int mount_path_flags(void)
{
	static int flags;

	if (!flags) {
		int fd = open("/", O_PATH | O_CLOEXEC);

		flags = fd >= 0 && !hidden("o_path") && fd_is_path(fd)
				? O_PATH : O_RDONLY | O_NONBLOCK | O_NOCTTY;
		if (fd >= 0)
			close(fd);
	}
	return flags;
}

bool mount_has_own_devpts(void)
{
	enum { DEVPTS_MAGIC = 0x1cd1 };
	struct statfs fs;
	struct stat st;

	if (hidden("devpts-newinstance"))
		return false;
	/* Not access(2): the device rules that a parent is just writing may deny that, even for nothing but existence. */
	return statfs("/dev/pts", &fs) < 0 || fs.f_type != DEVPTS_MAGIC || lstat("/dev/pts/ptmx", &st) == 0;
}

/* ---- flags, in the two ways of the kernel -------------------------------------------------------------------------------- */

static const struct {
	unsigned long ms, st;
	uint64_t attr;
} flag_names[] = {
	{MS_RDONLY, 1, K_MOUNT_ATTR_RDONLY},
	{MS_NOSUID, 2, K_MOUNT_ATTR_NOSUID},
	{MS_NODEV, 4, K_MOUNT_ATTR_NODEV},
	{MS_NOEXEC, 8, K_MOUNT_ATTR_NOEXEC},
	{MS_NOSYMFOLLOW, 0x2000, K_MOUNT_ATTR_NOSYMFOLLOW},
	{MS_NODIRATIME, 2048, K_MOUNT_ATTR_NODIRATIME},
};

static struct k_mount_attr attr_of(unsigned long set, unsigned long clear)
{
	struct k_mount_attr a = {0};

	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++) {
		if (set & flag_names[i].ms)
			a.attr_set |= flag_names[i].attr;
		else if (clear & flag_names[i].ms)
			a.attr_clr |= flag_names[i].attr;
	}
	/* The three ways of atime are one value; MOUNT_ATTR_RELATIME is 0. */
	if (set & (MS_NOATIME | MS_STRICTATIME | MS_RELATIME) || clear & (MS_NOATIME | MS_STRICTATIME))
		a.attr_clr |= K_MOUNT_ATTR__ATIME;
	if (set & MS_NOATIME)
		a.attr_set |= K_MOUNT_ATTR_NOATIME;
	else if (set & MS_STRICTATIME)
		a.attr_set |= K_MOUNT_ATTR_STRICTATIME;
	return a;
}

unsigned long mount_flags_of(const char *options)
{
	static const struct {
		const char *word;
		unsigned long ms;
	} words[] = {
		{"ro", MS_RDONLY},	{"nosuid", MS_NOSUID},	   {"nodev", MS_NODEV},
		{"noexec", MS_NOEXEC},	{"noatime", MS_NOATIME},   {"nodiratime", MS_NODIRATIME},
		{"relatime", MS_RELATIME}, {"nosymfollow", MS_NOSYMFOLLOW},
	};
	unsigned long ms = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (mount_option_has(options, words[i].word))
			ms |= words[i].ms;
	return ms;
}

/* What /proc/self/mountinfo says of the mount at @path: "/proc/self/fd/N", or a name in such a directory. */
static unsigned long listed_flags(const char *path)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	const char *rest = str_skip(path, "/proc/self/fd/"), *name = rest ? strchr(rest, '/') : NULL;
	auto_free char *link = name ? xstrndup(path, (size_t)(name - path)) : xstrdup(path);
	auto_free char *whole = NULL;
	const struct mount_entry *e;
	char real[PATH_MAX];
	ssize_t n = readlink(link, real, sizeof(real) - 1);

	if (n < 0 || mountinfo_read(NULL, &info, NULL))
		return 0;
	real[n] = '\0';
	whole = name ? path_join(real, name + 1) : xstrdup(real);
	e = mountinfo_find(&info, whole);
	return e ? mount_flags_of(e->options) : 0;
}

/* MS_* that the mount has now. By path: O_PATH fds are refused before 3.12. */
static unsigned long present_flags(const char *path)
{
	enum { STATFS_HAS_FLAGS = 0x20 };	/* since 2.6.36 */
	struct statfs st;
	unsigned long ms = 0;

	if (statfs(path, &st) < 0 || !(st.f_flags & STATFS_HAS_FLAGS) || hidden("statfs-flags"))
		return listed_flags(path);
	for (size_t i = 0; i < ARRAY_SIZE(flag_names); i++)
		if ((unsigned long)st.f_flags & flag_names[i].st)
			ms |= flag_names[i].ms;
	if (st.f_flags & 1024)
		ms |= MS_NOATIME;
	else if (st.f_flags & 4096)
		ms |= MS_RELATIME;
	return ms;
}

static int set_attr(int fd, unsigned long set, unsigned long clear, bool recursive)
{
	struct k_mount_attr a = attr_of(set, clear);

	if (hidden("mount_setattr"))
		return -ENOSYS;
	if (!a.attr_set && !a.attr_clr)
		return 0;
	if (syscall(NR_MOUNT_SETATTR, fd, "", K_AT_EMPTY_PATH | (recursive ? K_AT_RECURSIVE : 0), &a,
		    sizeof(a)) < 0)
		return -errno;
	return 0;
}

/* The kernel has no such call, or a filter of the environment that we run in denies it. */
static bool call_missing(int rc)
{
	return rc == -ENOSYS || rc == -EINVAL || rc == -EPERM;
}

/* @present: what the mount has, as all of it is set anew. */
static int classic_reflag(const char *path, unsigned long present, unsigned long set, unsigned long clear)
{
	unsigned long keep = present & ~clear;

	if (set & ATIME_FLAGS)
		keep &= ~ATIME_FLAGS;
	if (mount("none", path, NULL, MS_REMOUNT | MS_BIND | set | keep, NULL) < 0)
		return -errno;
	return 0;
}

static int classic_reflag_tree(int fd, unsigned long set, unsigned long clear, struct err *err)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	char link[MOUNT_FD_PATH_SIZE], root[PATH_MAX];
	ssize_t n = readlink(mount_fd_path(fd, link), root, sizeof(root) - 1);
	int rc;

	if (n < 0)
		return err_sys(err, errno, "read link '%s'", link);
	root[n] = '\0';
	rc = mountinfo_read(NULL, &info, err);
	if (rc)
		return rc;
	/* By name: without O_PATH a socket cannot be opened, and a device had better not be. */
	VEC_EACH(e, &info.entries) {
		if (!path_is_under(e->target, root))
			continue;
		rc = classic_reflag(e->target, mount_flags_of(e->options), set, clear);
		/* A mount that another one covers cannot be reached, by the container neither. */
		if (rc && rc != -EINVAL && rc != -ENOENT)
			return err_sys(err, -rc, "change the flags of mount '%s'", e->target);
	}
	return 0;
}

int mount_reflag(int mount_fd, const char *path, unsigned long set, unsigned long clear, bool recursive,
		 struct err *err)
{
	char link[MOUNT_FD_PATH_SIZE];
	int rc = set_attr(mount_fd, set, clear, recursive);

	if (!rc)
		return 0;
	if (call_missing(rc)) {
		if (recursive)
			return classic_reflag_tree(mount_fd, set, clear, err);
		(void)mount_fd_path(mount_fd, link);
		rc = classic_reflag(link, present_flags(link), set, clear);
	}
	if (rc)
		return err_sys(err, -rc, "change the flags of mount '%s'", path);
	return 0;
}

static int propagate(const char *at, const char *path, unsigned long propagation, struct err *err)
{
	if (mount("none", at, NULL, propagation, NULL) < 0)
		return err_sys(err, errno, "set the propagation of mount '%s'", path);
	return 0;
}

int mount_propagate(int mount_fd, const char *path, unsigned long propagation, struct err *err)
{
	char link[MOUNT_FD_PATH_SIZE];

	return propagate(mount_fd_path(mount_fd, link), path, propagation, err);
}

/* ---- mounting ------------------------------------------------------------------------------------------------------------ */

/* The root of a new mount. */
struct mounted {
	int fd;		/* -1: a socket, FIFO or device, where opening it would really open it */
	int parent;	/* then: the directory it is in; nobody can rename or replace a mount point */
	char path[MOUNT_FD_PATH_SIZE + NAME_MAX + 1];	/* for calls that want a path */
};

static void mounted_clear(struct mounted *m)
{
	if (m->fd >= 0)
		close(m->fd);
	if (m->parent >= 0)
		close(m->parent);
}
DEFINE_AUTO_CLEAR(mounted_clear, struct mounted)

#define MOUNTED_INIT ((struct mounted){.fd = -1, .parent = -1})

/* A socket cannot be opened, a watchdog is started by it, a tape rewound: without O_PATH only files and directories are opened. */
static int reach_mounted(const struct mount_place *place, struct mounted *m, struct err *err)
{
	auto_free char *real = NULL;
	auto_free char *name = NULL;
	char link[MOUNT_FD_PATH_SIZE];
	struct stat st;
	int rc = path_resolve_in(place->root_fd, place->path, &real, err);

	if (!rc)
		rc = path_parent_in(place->root_fd, real, false, &m->parent, &name, err);
	if (rc)
		return rc;
	if (fstatat(m->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "look at mount '%s'", place->path);
	(void)snprintf(m->path, sizeof(m->path), "%s/%s", mount_fd_path(m->parent, link), name);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return 0;
	m->fd = openat(m->parent, name, mount_path_flags() | O_NOFOLLOW | O_CLOEXEC);
	if (m->fd < 0)
		return err_sys(err, errno, "open mount '%s'", place->path);
	(void)mount_fd_path(m->fd, m->path);
	return 0;
}

/* The fd of a place is of what lies below the new mount; its root must be found by name. */
static int open_mounted(const struct mount_place *place, struct mounted *m, struct err *err)
{
	int rc;

	if (!(mount_path_flags() & O_PATH) && *path_base(place->path))
		return reach_mounted(place, m, err);
	rc = path_open_in(place->root_fd, place->path, mount_path_flags(), 0, &m->fd, err);
	if (!rc)
		(void)mount_fd_path(m->fd, m->path);
	return rc;
}

/* No mount is below one that is no directory. */
static int reflag_mounted(const struct mounted *m, const char *path, const struct mount_options *o, struct err *err)
{
	int rc;

	if (m->fd >= 0)
		return mount_reflag(m->fd, path, o->rec_set, o->rec_clear, true, err);
	rc = classic_reflag(m->path, present_flags(m->path), o->rec_set, o->rec_clear);
	return rc ? err_sys(err, -rc, "change the flags of mount '%s'", path) : 0;
}

static int finish(const struct mounted *m, const char *path, const struct mount_options *o, struct err *err)
{
	int rc = 0;

	if (o->rec_set || o->rec_clear)
		rc = reflag_mounted(m, path, o, err);
	if (!rc && o->propagation)
		rc = propagate(m->path, path, o->propagation, err);
	return rc;
}

/* Of these the machine has one, whose flags a further mount may change everywhere: a read-only sysfs on 2.6.32. */
static bool exists_once(const char *fstype)
{
	static const char *const types[] = {"sysfs",   "securityfs", "debugfs", "tracefs",  "configfs",
					    "fusectl", "devtmpfs",   "pstore",  "efivarfs", "binfmt_misc"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(fstype, types[i]) == 0)
			return true;
	return false;
}

int mount_new_at(const char *source, const struct mount_place *place, const char *fstype,
		 const struct mount_options *o, const char *data, int *ret_fd, struct err *err)
{
	unsigned long flags = (o->flags | o->rec_set) & ~o->rec_clear;
	bool late_ro = flags & MS_RDONLY && exists_once(fstype);
	AUTO(mounted_clear) struct mounted m = MOUNTED_INIT;
	char link[MOUNT_FD_PATH_SIZE];
	int rc;

	(void)mount_fd_path(place->fd, link);
	/* In a user namespace it may only be had as the host's is, and that cannot be changed from there. */
	if (late_ro && mount(source, link, fstype, flags & ~(unsigned long)MS_RDONLY, data) < 0)
		late_ro = false;
	if (!late_ro && mount(source, link, fstype, flags, data) < 0)
		return err_sys(err, errno, "mount '%s' (%s)", place->path, fstype);
	if (!ret_fd && !o->propagation && !late_ro)
		return 0;
	rc = open_mounted(place, &m, err);
	if (!rc && late_ro)
		rc = mount_reflag(m.fd, place->path, MS_RDONLY, 0, false, err);
	if (!rc && o->propagation)
		rc = propagate(m.path, place->path, o->propagation, err);
	if (rc)
		return rc;
	if (ret_fd)
		*ret_fd = fd_take(&m.fd);
	return 0;
}

/* Clone the source's mount, change it, attach it: nobody ever sees it without its flags. */
static int bind_detached(const char *source, const struct mount_place *place, const struct mount_options *o,
			 struct mounted *m)
{
	auto_fd int fd = -1;
	int rc;

	if (hidden("mount_setattr") || !(mount_path_flags() & O_PATH))
		return -ENOSYS;
	fd = (int)syscall(NR_OPEN_TREE, AT_FDCWD, source,
			  K_OPEN_TREE_CLONE | K_OPEN_TREE_CLOEXEC | (o->recursive ? K_AT_RECURSIVE : 0));
	if (fd < 0)
		return -errno;
	rc = set_attr(fd, o->flags, o->clear, false);
	if (rc)
		return rc;
	if (syscall(NR_MOVE_MOUNT, fd, "", place->fd, "",
		    K_MOVE_MOUNT_F_EMPTY_PATH | K_MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return -errno;
	m->fd = fd_take(&fd);
	(void)mount_fd_path(m->fd, m->path);
	return 0;
}

static int bind_classic(const char *source, const struct mount_place *place, const struct mount_options *o,
			struct mounted *m, struct err *err)
{
	char link[MOUNT_FD_PATH_SIZE];
	int rc;

	if (mount(source, mount_fd_path(place->fd, link), NULL, MS_BIND | (o->recursive ? MS_REC : 0), NULL) < 0)
		return err_sys(err, errno, "bind mount '%s' on '%s'", source, place->path);
	rc = open_mounted(place, m, err);
	if (!rc && (o->flags || o->clear)) {
		/* The first call takes no flags, on no kernel: they need a second one. */
		rc = classic_reflag(m->path, present_flags(m->path), o->flags, o->clear);
		if (rc)
			err_sys(err, -rc, "change the flags of mount '%s'", place->path);
	}
	if (rc)
		(void)umount2(*m->path ? m->path : mount_fd_path(place->fd, link), MNT_DETACH); /* best effort */
	return rc;
}

int mount_bind_at(const char *source, const struct mount_place *place, const struct mount_options *o,
		  int *ret_fd, struct err *err)
{
	AUTO(mounted_clear) struct mounted m = MOUNTED_INIT;
	int rc = bind_detached(source, place, o, &m);

	if (call_missing(rc))
		rc = bind_classic(source, place, o, &m, err);
	else if (rc)
		err_sys(err, -rc, "bind mount '%s' on '%s'", source, place->path);
	if (!rc)
		rc = finish(&m, place->path, o, err);
	if (rc)
		return rc;
	if (ret_fd && m.fd < 0)
		return err_sys(err, ENOTDIR, "open mount '%s'", place->path);
	if (ret_fd)
		*ret_fd = fd_take(&m.fd);
	return 0;
}
