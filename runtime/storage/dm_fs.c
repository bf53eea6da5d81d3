/*
 * dm_fs - file systems on device-mapper devices
 */
#include "runtime/storage/dm_fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/json.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/release.h"

enum { RECORD_MAX = 4096, MKFS_TIMEOUT_MS = 600000, JOURNAL_MIB = 16 };

/* Known to e2fsprogs 1.41 and to ext4 of 2.6.32; nothing of what came later. */
#define FEATURES "none,has_journal,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,uninit_bg,dir_nlink,extra_isize"

/* ---- open and close ---- */

int dm_fs_open(struct storage *s, struct dm_fs *fs, struct err *err)
{
	struct stat st;
	int rc = dm_open(s->dir, &fs->control, err);

	if (rc < 0)
		return rc;
	if (fstat(s->dirfd, &st) < 0)
		return err_sys(err, errno, "inspect '%s'", s->dir);
	fs->prefix = xfmt("pouch-%" PRIx64 "-%" PRIx64 "-", (uint64_t)st.st_dev, (uint64_t)st.st_ino);
	fs->nodes = path_join(s->dir, "dev");
	if (mkdir(fs->nodes, 0700) < 0 && errno != EEXIST)
		return err_sys(err, errno, "create directory '%s'", fs->nodes);
	return 0;
}

void dm_fs_close(struct dm_fs *fs)
{
	if (fs->control >= 0)
		close(fs->control);
	free(fs->prefix);
	free(fs->nodes);
	free(fs->size_text);
}

/* ---- ext4 ---- */

int dm_fs_mkfs_program(char **ret, struct err *err)
{
	/* An administrator's PATH, or that of an init script, may lack sbin. */
	static const char *const dirs[] = {"/sbin", "/usr/sbin", "/usr/local/sbin", "/bin", "/usr/bin"};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		auto_free char *path = path_join(dirs[i], "mke2fs");

		if (access(path, X_OK) == 0) {
			*ret = take(path);
			return 0;
		}
	}
	return err_set(err, ERR_UNSUPPORTED, "mke2fs is not installed: install the package e2fsprogs");
}

int dm_fs_mkfs(const char *path, uint64_t bytes, struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	auto_free char *program = NULL;
	auto_free char *blocks = xfmt("%" PRIu64, bytes >> 12);
	auto_free char *journal = xfmt("size=%d", bytes >= (256u << 20) ? JOURNAL_MIB : 4);
	int status;
	int rc = dm_fs_mkfs_program(&program, err);
	/*
	 * -K: no discard. It punches a hole, which 2.6.32 takes for an order to allocate, so that a sparse image would be full at once. There
	 * is nothing to discard in a new device; "-E nodiscard" is the same, but older programs lack it.
	 */
	char *argv[] = {program, "-K", "-q", "-F", "-t", "ext4", "-O", FEATURES, "-I", "256", "-b", "4096", "-m", "0",
			"-J", journal, "-E", "lazy_itable_init=1", (char *)path, blocks, NULL};

	if (rc < 0)
		return rc;
	rc = proc_run(argv, NULL, NULL, &out, MKFS_TIMEOUT_MS, &status, err);
	if (rc < 0)
		return err_wrap(err, rc, "make a file system");
	if (proc_exit_code(status)) {
		buf_cstr(&out);
		for (char *p = out.data; p && *p; p++) {
			if (*p == '\n')
				*p = ' ';
		}
		return err_set(err, ERR_INTERNAL, "make a file system on '%s': mke2fs: exit code %d: %.200s", path,
			       proc_exit_code(status), buf_cstr(&out));
	}
	return 0;
}

/*
 * Tables of inodes need not be zeroed: the device reads as zeros, and writing them would take its space. The newest kernels' options are
 * tried first; who does not know one says EINVAL, and writes a line into its log, so it is asked once.
 *
 * Before 2.6.39 delayed allocation forgets to unlock pages when the journal has given up, as it does on a device that ran full: the unmount
 * then waits for ever, and with it each process of the host that leaves a mount namespace. CentOS 6 has the mend (seen in 6.8).
 */
int dm_fs_mount(const char *source, const char *target, bool discard, const char *label, struct err *err)
{
	static const char *const options[] = {"errors=remount-ro,noinit_itable", "errors=remount-ro"};
	static _Atomic size_t known;
	const char *at_once = kernel_is_before(2, 6, 39, 642) ? ",nodelalloc" : "";
	int code = EINVAL;

	for (int with = discard; with >= 0 && code == EINVAL; with--) {
		for (size_t i = known; i < ARRAY_SIZE(options) && code == EINVAL; i++) {
			auto_free char *all = xfmt("%s%s%s%s%s%s", options[i], at_once, with ? ",discard" : "",
						   str_empty(label) ? "" : ",context=\"", str_empty(label) ? "" : label,
						   str_empty(label) ? "" : "\"");

			code = mount(source, target, "ext4", 0, all) < 0 ? errno : 0;
			if (!code)
				known = i;
		}
	}
	if (code == ENODEV)
		return err_set(err, ERR_UNSUPPORTED, "the kernel has no ext4 (is its module loaded?)");
	return code ? err_sys(err, code, "mount ext4 at '%s'", target) : 0;
}

int dm_fs_seal(const char *dir, const char *name, struct err *err)
{
	auto_free char *path = path_join(dir, name);

	if (mount(NULL, path, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return err_sys(err, errno, "make '%s' read-only", path);
	return storage_unmount(dir, name, err);
}

void dm_fs_clean_root(int fd)
{
	(void)unlinkat(fd, "lost+found", AT_REMOVEDIR);	/* fsck makes it again if it needs it */
}

uint64_t dm_fs_inodes(const char *path)
{
	struct statvfs st;

	return statvfs(path, &st) < 0 ? 0 : st.f_files - st.f_ffree;
}

/* ---- devices ---- */

char *dm_fs_name(const struct dm_fs *fs, const char *suffix)
{
	return xfmt("%s%s", fs->prefix, suffix);
}

int dm_fs_activate(const struct dm_fs *fs, const char *suffix, const struct dm_line *line, char **ret_node,
		   struct err *err)
{
	auto_free char *name = dm_fs_name(fs, suffix);
	auto_free char *node = path_join(fs->nodes, suffix);
	struct dm_state state = {0};
	int rc = dm_state(fs->control, name, &state, err);

	/* One without a table was being made when a process was killed. */
	if (rc == 0 && !state.has_table) {
		rc = dm_remove(fs->control, name, 1000, NULL, err);
		if (rc < 0)
			return rc;
		rc = -ENXIO;
	}
	if (rc == -ENXIO)
		rc = dm_activate(fs->control, name, line, false, &state.dev, err);
	if (rc == 0)
		rc = dm_node(node, state.dev, err);
	if (rc == 0)
		*ret_node = take(node);
	return rc;
}

bool dm_fs_is_active(const struct dm_fs *fs, const char *suffix)
{
	auto_free char *name = dm_fs_name(fs, suffix);
	struct dm_state state;

	return dm_state(fs->control, name, &state, NULL) == 0;
}

int dm_fs_deactivate(const struct dm_fs *fs, const char *suffix, int wait_ms, struct err *err)
{
	auto_free char *name = dm_fs_name(fs, suffix);
	auto_free char *node = path_join(fs->nodes, suffix);
	bool deferred;
	int rc = dm_remove(fs->control, name, wait_ms, &deferred, err);

	if (rc == 0)
		(void)unlink(node);	/* made anew when it is needed */
	return rc;
}

void dm_fs_sweep(const struct dm_fs *fs, bool (*keep)(void *arg, const char *suffix), void *arg)
{
	AUTO(strv_clear) struct strv names = {0};
	auto_closedir DIR *dir = opendir(fs->nodes);
	struct dirent *e;

	(void)dm_list(fs->control, fs->prefix, &names, NULL);	/* whatever stays is met again by name */
	STRV_EACH(name, &names) {
		const char *suffix = *name + strlen(fs->prefix);

		if (!keep(arg, suffix))
			(void)dm_fs_deactivate(fs, suffix, 1000, NULL);	/* in use after all */
	}
	while (dir && (e = readdir(dir))) {
		if (e->d_name[0] != '.' && !dm_fs_is_active(fs, e->d_name))
			(void)unlinkat(dirfd(dir), e->d_name, 0);	/* of an earlier boot */
	}
}

/* ---- records ---- */

static const struct json_field record_fields[] = {
	JSON_FIELD(struct dm_record, id, "id", JSON_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct dm_record, size, "size", JSON_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct dm_record, shared, "shared", JSON_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct dm_record, name, "name", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct dm_record, origin, "origin", JSON_STR, JSON_OMIT_EMPTY),
};
static const struct json_table record_table = JSON_TABLE("device", struct dm_record, record_fields);

int dm_record_read(int dirfd, const char *dir, struct dm_record *ret, struct err *err)
{
	auto_free char *path = xfmt("%s/" DM_RECORD, dir);
	int rc = json_parse_file(&record_table, dirfd, path, RECORD_MAX, 0, ret, err);

	if (rc == 0 && ret->name && (!str_is_name(ret->name) || strlen(ret->name) > DM_FS_NAME_MAX)) {
		dm_record_clear(ret);
		return err_set(err, ERR_INVALID, "'%s': not a device's name", path);
	}
	return rc;
}

int dm_record_write(int dirfd, const struct dm_record *record, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	json_print(&record_table, record, 0, &text);
	return file_replace(dirfd, DM_RECORD, text.data, text.len, 0600, FILE_SYNC, err);
}

void dm_record_clear(struct dm_record *record)
{
	json_clear(&record_table, record);
}
