/*
 * probe_mount.c - do mounts of all kinds work? In a child with a private mount namespace, below a tmpfs of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/probe.h"
#include "compat/kernel/sysno.h"

bool probe_mount_prepare(struct answer *a)
{
	/* Any directory serves as a mount point; /proc and /dev are needed below. */
	static const char *const places[] = {"/tmp", "/mnt", "/var", "/sys", "/usr"};

	if (unshare(CLONE_NEWNS) < 0)
		return probe_failed(a, "unshare(CLONE_NEWNS)");
	if (mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		return probe_failed(a, "make mounts private");
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (mount("tmpfs", places[i], "tmpfs", 0, "size=64k,nr_inodes=256,mode=0700") == 0)
			return chdir(places[i]) == 0 ? true : probe_failed(a, places[i]);
	return probe_failed(a, "mount a tmpfs");
}

static bool make_dirs(struct answer *a, const char *const *names)
{
	for (; *names; names++)
		if (mkdir(*names, 0755) < 0 && errno != EEXIST)
			return probe_failed(a, "mkdir");
	return true;
}

static bool make_file(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

/* What is below a probe's mounts may be probed again, so they must go; the namespace's end would be late. */
static void unmount(const char *name)
{
	(void)umount2(name, MNT_DETACH);
}

bool probe_ns_bind(struct answer *a)
{
	bool works;

	if (!make_file("ns"))
		return probe_failed(a, "make a file");
	works = probe_result(a, mount("/proc/self/ns/net", "ns", NULL, MS_BIND, NULL),
			     "bind mount of /proc/self/ns/net");
	unmount("ns");
	return works;
}

/* The container's way: the new root is put on top of the old one, which is then taken away. */
static bool pivot_in_fork(struct answer *a)
{
	if (unshare(CLONE_NEWNS) < 0)
		return probe_failed(a, "unshare(CLONE_NEWNS)");
	if (mount("tmpfs", "root", "tmpfs", 0, "size=16k") < 0 || chdir("root") < 0)
		return probe_failed(a, "mount a tmpfs");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return probe_failed(a, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return probe_failed(a, "unmount the old root");
	return probe_yes(a, "pivot_root works");
}

bool probe_pivot_root(struct answer *a)
{
	static const char *const dirs[] = {"root", NULL};

	return make_dirs(a, dirs) && probe_in_fork(a, pivot_in_fork);
}

bool probe_ms_move(struct answer *a)
{
	static const char *const dirs[] = {"move-from", "move-onto", NULL};
	bool works;

	if (!make_dirs(a, dirs))
		return false;
	if (mount("tmpfs", "move-from", "tmpfs", 0, "size=16k") < 0 || !make_file("move-from/mark"))
		return probe_failed(a, "mount a tmpfs");
	if (mount("move-from", "move-onto", NULL, MS_MOVE, NULL) < 0)
		works = probe_failed(a, "mount(MS_MOVE)");
	else if (access("move-onto/mark", F_OK) < 0 || access("move-from/mark", F_OK) == 0)
		works = probe_no(a, "mount(MS_MOVE) has no effect");
	else
		works = probe_yes(a, "mount(MS_MOVE) works");
	unmount("move-onto");
	unmount("move-from");
	return works;
}

static bool overlay_shows_and_hides(struct answer *a)
{
	struct stat st;

	if (access("ov-merged/below", F_OK) < 0)
		return probe_no(a, "the lower directory does not show");
	if (!make_file("ov-merged/above") || access("ov-upper/above", F_OK) < 0)
		return probe_no(a, "writes do not reach the upper directory");
	if (unlink("ov-merged/below") < 0)
		return probe_failed(a, "unlink on overlay");
	if (lstat("ov-upper/below", &st) < 0 || !S_ISCHR(st.st_mode) || st.st_rdev)
		return probe_no(a, "no whiteout in the upper directory");
	return probe_yes(a, "mounts, writes and whiteouts work");
}

bool probe_overlay(struct answer *a)
{
	static const char *const dirs[] = {"ov-lower", "ov-upper", "ov-work", "ov-merged", NULL};
	bool works;

	if (!make_dirs(a, dirs) || !make_file("ov-lower/below"))
		return probe_failed(a, "make a file");
	if (mount("overlay", "ov-merged", "overlay", 0,
		  "lowerdir=ov-lower,upperdir=ov-upper,workdir=ov-work") < 0)
		return probe_failed(a, "mount -t overlay");
	works = overlay_shows_and_hides(a);
	unmount("ov-merged");
	return works;
}

/* A tmpfs has no place for aufs's inode numbers, so none are asked for. */
bool probe_aufs(struct answer *a)
{
	static const char *const dirs[] = {"au-lower", "au-lower/below", "au-upper", "au-merged", NULL};
	bool works;

	if (!make_dirs(a, dirs))
		return false;
	if (mount("none", "au-merged", "aufs", 0, "noxino,br:au-upper=rw:au-lower=ro+wh") < 0)
		return probe_failed(a, "mount -t aufs");
	if (rmdir("au-merged/below") < 0)
		works = probe_failed(a, "rmdir on aufs");
	else if (access("au-upper/.wh.below", F_OK) < 0)
		works = probe_no(a, "no whiteout in the upper directory");
	else
		works = probe_yes(a, "mounts and whiteouts work");
	unmount("au-merged");
	return works;
}

bool probe_new_mount_api(struct answer *a)
{
	enum { TREE_CLONE = 1, FROM_EMPTY_PATH = 4 };
	static const char *const dirs[] = {"tree", "tree-at", NULL};
	auto_fd int fd = -1;
	bool works;

	if (!make_dirs(a, dirs))
		return false;
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, "tree", TREE_CLONE | O_CLOEXEC);
	if (fd < 0)
		return probe_failed(a, "open_tree");
	works = probe_result(a, syscall(SYS_move_mount, fd, "", AT_FDCWD, "tree-at",
					FROM_EMPTY_PATH), "open_tree, move_mount");
	unmount("tree-at");
	return works;
}

bool probe_mount_setattr(struct answer *a)
{
	enum { RECURSIVE = 0x8000, ATTR_RDONLY = 1 };
	static const char *const dirs[] = {"attr", NULL};
	const uint64_t attr[4] = {ATTR_RDONLY};
	bool works;

	if (!make_dirs(a, dirs))
		return false;
	if (mount("tmpfs", "attr", "tmpfs", 0, "size=16k") < 0)
		return probe_failed(a, "mount a tmpfs");
	if (syscall(SYS_mount_setattr, AT_FDCWD, "attr", RECURSIVE, attr, sizeof(attr)) < 0)
		works = probe_failed(a, "mount_setattr");
	else if (make_file("attr/x") || errno != EROFS)
		works = probe_no(a, "mount_setattr has no effect");
	else
		works = probe_yes(a, "mount_setattr works");
	unmount("attr");
	return works;
}

bool probe_statfs_flags(struct answer *a)
{
	enum { STATFS_HAS_FLAGS = 0x20 };
	struct statfs fs;

	if (statfs("/", &fs) < 0)
		return probe_failed(a, "statfs");
	return fs.f_flags & STATFS_HAS_FLAGS ? probe_yes(a, "statfs tells the flags of a mount")
					     : probe_no(a, "statfs does not tell the flags of a mount");
}

/* "newinstance" comes first: without it the mount would be the host's own, and options would change that one. */
bool probe_devpts_newinstance(struct answer *a)
{
	static const char *const dirs[] = {"pts", NULL};
	struct stat mine, hosts;
	bool works;

	if (!mount_has_own_devpts())
		return probe_no(a, "this kernel has one devpts only: no /dev/pts/ptmx");
	if (!make_dirs(a, dirs))
		return false;
	if (mount("devpts", "pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666") < 0)
		return probe_failed(a, "mount -t devpts -o newinstance");
	if (stat("pts", &mine) < 0)
		works = probe_failed(a, "stat");
	else if (stat("/dev/pts", &hosts) == 0 && hosts.st_dev == mine.st_dev)
		works = probe_no(a, "a new instance is the host's own");
	else
		works = probe_yes(a, "mount -t devpts -o newinstance works");
	unmount("pts");
	return works;
}

bool probe_tmpfs_xattr(struct answer *a)
{
	if (!make_file("xattr"))
		return probe_failed(a, "make a file");
	return probe_result(a, setxattr("xattr", "trusted.pouch", "x", 1, 0), "setxattr");
}

/* Nobody answers the kernel's first message: closing the device ends the connection before the unmount. */
bool probe_fuse(struct answer *a)
{
	static const char *const dirs[] = {"fuse", NULL};
	char options[80];
	bool works;
	int fd;

	if (!make_dirs(a, dirs))
		return false;
	fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return probe_failed(a, "open '/dev/fuse'");
	(void)str_fmt(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	works = probe_result(a, mount("probe", "fuse", "fuse", MS_NOSUID | MS_NODEV, options),
			     "mount -t fuse");
	(void)close(fd);
	unmount("fuse");
	return works;
}
