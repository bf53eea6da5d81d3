/*
 * plain - what drivers share: hooks that do nothing, root file systems that are plain directories, and names of file systems
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/tree.h"
#include "runtime/storage/driver.h"

int storage_plain_open(struct storage *s, const struct strv *options, struct err *err)
{
	if (options && options->n)
		return err_set(err, ERR_INVALID, "storage option '%s': storage driver '%s' has no options", options->v[0],
			       s->driver->name);
	return 0;
}

void storage_plain_close(struct storage *s, bool last)
{
}

void storage_plain_tick(struct storage *s)
{
}

void storage_plain_status(struct storage *s, struct strmap *ret)
{
}

int storage_plain_mount(struct storage *s, const struct rootfs *r, const char *label, char **ret_path,
			struct err *err)
{
	auto_free char *path = path_join(r->path, FS_DIR);

	if (!str_empty(label))
		return err_set(err, ERR_UNSUPPORTED,
			       "storage driver '%s' cannot give a container's files an SELinux label: use overlay",
			       s->driver->name);
	if (access(path, F_OK) < 0)
		return err_sys(err, errno, "open root file system '%s'", path);
	*ret_path = take(path);
	return 0;
}

int storage_plain_umount(struct storage *s, const struct rootfs *r, struct err *err)
{
	return 0;
}

int storage_plain_usage(struct storage *s, const struct rootfs *r, uint64_t *ret_bytes,
			uint64_t *ret_inodes, struct err *err)
{
	auto_free char *path = path_join(r->path, FS_DIR);
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, errno, "open root file system '%s'", path);
	return tree_usage(fd, ret_bytes, ret_inodes, err);
}

void storage_plain_info(struct storage *s, const struct rootfs *r, struct strmap *ret)
{
	auto_free char *path = path_join(r->path, FS_DIR);

	strmap_set(ret, "Dir", path);
}

int storage_copy_root(int from, int to, struct err *err)
{
	struct stat st;
	struct timespec times[2];

	if (fstat(from, &st) < 0)
		return err_sys(err, errno, "inspect a layer's root directory");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0 ||
	    futimens(to, times) < 0)
		return err_sys(err, errno, "set up a root directory");
	return 0;
}

const char *storage_fs_name(const char *path)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} names[] = {
		{0xef53, "extfs"},	    {0x58465342, "xfs"},      {0x9123683e, "btrfs"},
		{0x01021994, "tmpfs"},	    {0x794c7630, "overlayfs"}, {0x6969, "nfs"},
		{0x65735546, "fuse"},	    {0x2fc12fc1, "zfs"},      {0xf2f52010, "f2fs"},
		{0x61756673, "aufs"},	    {0x858458f6, "ramfs"},    {0x52654973, "reiserfs"},
		{0xca451a4e, "bcachefs"},   {0x47504653, "gpfs"},
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return "unknown";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (names[i].magic == (uint32_t)fs.f_type)
			return names[i].name;
	}
	return "another file system";
}
