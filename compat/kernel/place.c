/*
 * place - what depends on the file system under the home
 */
#include "compat/kernel/place.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/capability_state.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/probe.h"

#define FICLONE_ 0x40049409	/* linux/fs.h: FICLONE, which is btrfs's own number on every kernel that clones */

static const struct {
	unsigned long magic;
	const char *name;
	bool upper;	/* overlay can write there */
	bool reflink;	/* the kind of file system can share extents */
} kinds[] = {
	{0xef53, "ext4", true, false},	      {0x58465342, "xfs", true, true},
	{0x9123683e, "btrfs", true, true},    {0x01021994, "tmpfs", true, false},
	{0x794c7630, "overlay", false, false}, {0x6969, "nfs", false, false},
	{0xf2f52010, "f2fs", true, false},    {0x2fc12fc1, "zfs", true, false},
	{0x65735546, "fuse", false, false},   {0x61756673, "aufs", false, false},
	{0x4d44, "vfat", false, false},	      {0x858458f6, "ramfs", false, false},
	{0x52654973, "reiserfs", true, false}, {0x3153464a, "jfs", true, false},
};

static unsigned long magic_of(const char *path)
{
	auto_free char *p = path_clean(path);
	struct statfs st;
	char *slash;

	while (statfs(p, &st) < 0) {
		slash = strrchr(p, '/');
		if (!slash || slash == p)
			return statfs("/", &st) < 0 ? 0 : (unsigned long)st.f_type;
		*slash = '\0';
	}
	/* 32 bits count; some architectures extend the sign. */
	return (unsigned long)st.f_type & 0xffffffff;
}

static int kind_of(const char *path)
{
	unsigned long magic = magic_of(path);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].magic == magic)
			return (int)i;
	return -1;
}

void place_fstype(const char *path, char ret[32])
{
	int kind = kind_of(path);

	if (kind >= 0)
		(void)snprintf(ret, 32, "%s", kinds[kind].name);
	else
		(void)snprintf(ret, 32, "type 0x%lx", magic_of(path));
}

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A directory that only we use; the caller removes it. Owned, NULL on failure with errno. */
static char *make_scratch(const char *home)
{
	char *dir = xfmt("%s/.compat-%d", home, (int)getpid());

	if (mkdir(dir, 0700) == 0)
		return dir;
	free(dir);
	return NULL;
}

/* Overlay needs readdir() to tell files from directories. */
static bool tells_types(const char *path)
{
	auto_closedir DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_type == DT_UNKNOWN)
			return false;
	return d != NULL;
}

static bool overlay_in_fork(struct answer *a)
{
	static const char *const dirs[] = {"lower", "upper", "work", "merged"};
	struct stat st;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		return probe_failed(a, "unshare(CLONE_NEWNS)");
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdir(dirs[i], 0755) < 0)
			return probe_failed(a, "mkdir");
	if (mkdir("lower/below", 0755) < 0)
		return probe_failed(a, "mkdir");
	if (!tells_types("."))
		return probe_no(a, "no d_type (xfs: made with ftype=0)");
	if (mount("overlay", "merged", "overlay", 0,
		  "lowerdir=lower,upperdir=upper,workdir=work") < 0)
		return probe_failed(a, "mount -t overlay");
	/* Some file systems take the mount and fail at the first write. */
	if (mkdir("merged/above", 0755) < 0)
		return probe_failed(a, "write on overlay");
	if (rmdir("merged/below") < 0)
		return probe_failed(a, "delete on overlay");
	if (lstat("upper/below", &st) < 0 || !S_ISCHR(st.st_mode))
		return probe_no(a, "no whiteouts");
	return probe_yes(a, "works");
}

/* The child's current directory is the scratch directory: relative names are short however long the home's is. */
static const char *scratch_dir;

static bool overlay_at(struct answer *a)
{
	if (chdir(scratch_dir) < 0)
		return probe_failed(a, "chdir");
	return overlay_in_fork(a);
}

struct fit place_overlay_fit(const char *home)
{
	auto_free char *dir = NULL;
	struct answer a = {0};
	char fstype[32];
	int kind;

	if (!feature_works(FEATURE_OVERLAY))
		return fit(FIT_NO, "%s", feature_reason(FEATURE_OVERLAY));
	place_fstype(home, fstype);
	if (!is_dir(home)) {
		kind = kind_of(home);
		if (kind >= 0 && !kinds[kind].upper)
			return fit(FIT_NO, "the home would be on %s, where overlay cannot write", fstype);
		return fit(FIT_NATIVE, "the home would be on %s (not tried: it does not exist)", fstype);
	}
	dir = make_scratch(home);
	if (!dir)
		return fit(FIT_NO, "cannot write to the home: %s", strerror(errno));
	scratch_dir = dir;
	(void)probe_in_fork(&a, overlay_at);
	if (path_remove_tree(dir, NULL) < 0 && a.works)
		probe_no(&a, "cannot remove what overlay made");
	if (!a.works)
		return fit(FIT_NO, "home on %s: %s", fstype, a.reason);
	return fit(FIT_NATIVE, "home on %s", fstype);
}

struct fit place_btrfs_fit(const char *home)
{
	char fstype[32];

	place_fstype(home, fstype);
	if (!feature_works(FEATURE_BTRFS))
		return fit(FIT_NO, "%s", feature_reason(FEATURE_BTRFS));
	if (strcmp(fstype, "btrfs"))
		return fit(FIT_NO, "home on %s, not btrfs", fstype);
	return fit(FIT_GOOD, "home on btrfs: a snapshot for each container");
}

/* The daemon tries it where it may be chosen; here the kernel's word is enough. */
struct fit place_aufs_fit(const char *home)
{
	char fstype[32];

	if (!feature_works(FEATURE_AUFS))
		return fit(FIT_NO, "%s", feature_reason(FEATURE_AUFS));
	place_fstype(home, fstype);
	if (strpbrk(home, ":,="))
		return fit(FIT_NO, "the home's path has a character that aufs takes for its own");
	return fit(FIT_GOOD + 20, "home on %s", fstype);
}

/* In the directories that hold such programs, whatever PATH is. NULL: not there. */
static const char *find_in(const char *const *dirs, const char *program, char path[64])
{
	for (; *dirs; dirs++)
		if (str_fmt(path, 64, "%s/%s", *dirs, program) == 0 && access(path, X_OK) == 0)
			return path;
	return NULL;
}

static struct fit dm_fit(enum feature target, int score, const char *about)
{
	static const char *const dirs[] = {"/sbin", "/usr/sbin", "/usr/local/sbin", "/bin", "/usr/bin", NULL};
	char path[64];

	if (!feature_works(target))
		return fit(FIT_NO, "%s", feature_reason(target));
	if (!find_in(dirs, "mke2fs", path))
		return fit(FIT_NO, "mke2fs is not installed: install the package e2fsprogs");
	return fit(score, "%s", about);
}

struct fit place_dm_thin_fit(const char *home)
{
	return dm_fit(FEATURE_DM_THIN, FIT_GOOD - 5, "a thin snapshot for each container");
}

struct fit place_dm_snapshot_fit(const char *home)
{
	return dm_fit(FEATURE_DM_SNAPSHOT, FIT_GOOD - 10, "a snapshot of the image's file system for each container");
}

struct fit place_fuse_fit(const char *home)
{
	static const char *const dirs[] = {"/usr/bin", "/usr/local/bin", "/bin", NULL};
	static const char *const programs[] = {"fuse-overlayfs", "unionfs-fuse", "unionfs"};
	char path[64];

	if (!feature_works(FEATURE_FUSE))
		return fit(FIT_NO, "%s", feature_reason(FEATURE_FUSE));
	if (strpbrk(home, ":,=\\"))
		return fit(FIT_NO, "the home's path has a character that these programs take for their own");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (find_in(dirs, programs[i], path))
			return fit(i == 0 ? FIT_FALLBACK + 20 : FIT_FALLBACK + 15, "%s", path);
	return fit(FIT_NO, "neither fuse-overlayfs nor unionfs-fuse is installed");
}

static bool clone_a_file(struct answer *a, const char *dir)
{
	auto_free char *from = xfmt("%s/from", dir);
	auto_free char *to = xfmt("%s/to", dir);
	auto_fd int in = open(from, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	auto_fd int out = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (in < 0 || out < 0 || write(in, "x", 1) != 1)
		return probe_failed(a, "make a file in the home");
	return probe_result(a, ioctl(out, FICLONE_, in), "ioctl(FICLONE)");
}

bool probe_reflink(struct answer *a)
{
	const char *home = compat_home();
	auto_free char *dir = NULL;
	char fstype[32];
	int kind;

	place_fstype(home, fstype);
	kind = kind_of(home);
	if (kind >= 0 && !kinds[kind].reflink)
		return probe_no(a, "%s has no shared blocks", fstype);
	if (!is_dir(home))
		return probe_no(a, "the home does not exist yet (it would be on %s)", fstype);
	dir = make_scratch(home);
	if (!dir)
		return probe_failed(a, "write to the home");
	(void)clone_a_file(a, dir);
	(void)path_remove_tree(dir, NULL);	/* two files of ours */
	return a->works;
}

struct fit place_copy_fit(const char *home)
{
	if (feature_works(FEATURE_REFLINK))
		return fit(FIT_FALLBACK + 10, "files share their blocks (reflink)");
	return fit(FIT_FALLBACK, "works everywhere; every container is a full copy");
}
