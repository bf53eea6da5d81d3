/*
 * protect.c - never let a container see this program's file
 *
 * A process of ours that is about to become the container's can be looked at through /proc/PID/exe, and a program called
 * "#!/proc/self/exe" becomes it. Written to later, the file would run as root on the host. So what runs is a view of the file that
 * cannot be written: a detached read-only mount costs two system calls and no copy.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/capability.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/syscalls.h"
#include "runtime/oci/internal.h"

#define SELF "/proc/self/exe"

#ifndef F_GET_SEALS
#define F_ADD_SEALS   1033
#define F_GET_SEALS   1034
#define F_SEAL_SEAL   0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW   0x0004
#define F_SEAL_WRITE  0x0008
#endif
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum { K_MFD_CLOEXEC = 1, K_MFD_ALLOW_SEALING = 2, K_MFD_EXEC = 0x10 };

extern char **environ;

/* Where the kernel looks for this process's arguments: one behind the other. */
static struct {
	char *start;
	size_t len;
} arguments;

void process_title(const char *title)
{
	size_t n = strlen(title);

	if (!arguments.len)
		return;
	n = n < arguments.len ? n : arguments.len - 1;
	memset(arguments.start, 0, arguments.len);
	memcpy(arguments.start, title, n);
}

static void note_arguments(char **argv)
{
	arguments.start = argv[0];
	while (*argv) {
		arguments.len = (size_t)(*argv - arguments.start) + strlen(*argv) + 1;
		argv++;
	}
}

static bool is_protected(void)
{
	auto_fd int fd = open(SELF, O_RDONLY | O_CLOEXEC);
	struct statfs fs;
	struct stat st;
	int seals;

	if (fd < 0)
		return false;
	if (fstatfs(fd, &fs) == 0 && fs.f_flags & 1 /* ST_RDONLY */)
		return true;
	seals = fcntl(fd, F_GET_SEALS);
	if (seals >= 0 && seals & F_SEAL_WRITE)
		return true;
	/* Nobody will ever execute this one again. */
	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static int by_mount(const char *file, int *ret)
{
	struct k_mount_attr attr = {.attr_set = K_MOUNT_ATTR_RDONLY | K_MOUNT_ATTR_NODEV};
	auto_fd int fd = -1;

	if (hidden("mount_setattr"))
		return -ENOSYS;
	fd = (int)syscall(NR_OPEN_TREE, AT_FDCWD, file, K_OPEN_TREE_CLONE | K_OPEN_TREE_CLOEXEC);
	if (fd < 0 || syscall(NR_MOUNT_SETATTR, fd, "", K_AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	*ret = fd_take(&fd);
	return 0;
}

static int copy(const char *file, int to)
{
	auto_fd int from = open(file, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return -errno;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		if (n <= 0)
			return n ? -errno : -EIO;
		left -= n;
	}
	return 0;
}

static int by_memfd(const char *file, int *ret)
{
	auto_fd int fd = -1;
	int rc;

	if (hidden("memfd"))
		return -ENOSYS;
	fd = (int)syscall(SYS_memfd_create, "pouch", K_MFD_CLOEXEC | K_MFD_ALLOW_SEALING | K_MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "pouch", K_MFD_CLOEXEC | K_MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	rc = copy(file, fd);
	if (!rc && fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		rc = -errno;
	if (!rc)
		*ret = fd_take(&fd);
	return rc;
}

/* A file without a name in @directory, unless nothing there may be executed. */
static int copy_into(const char *directory, const struct buf *text, int *ret)
{
	auto_free char *path = xfmt("%s/.pouch-XXXXXX", directory);
	char link[MOUNT_FD_PATH_SIZE];
	auto_fd int fd = mkostemp(path, O_CLOEXEC);
	auto_fd int in = -1;
	int rc;

	if (fd < 0)
		return -errno;
	in = open(path, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		rc = -errno;
	else
		rc = fd_write_all(fd, text->data, text->len);
	(void)unlink(path); /* it has just been made */
	if (!rc && fchmod(fd, 0500) < 0)
		rc = -errno;
	/* Before 2.6.36 only this tells of "noexec". */
	if (!rc && access(mount_fd_path(in, link), X_OK) < 0)
		rc = -errno;
	if (!rc)
		*ret = fd_take(&in);
	return rc;
}

static int by_copy(const char *file, int *ret)
{
	static const char *const directories[] = {"/run", "/var/run", "/tmp", "/var/tmp", "/dev/shm"};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	/* 2.6.32 has no sendfile to files: read and write. */
	int rc = file_read(AT_FDCWD, file, 256 << 20, &text, NULL);

	if (rc < 0)
		return rc;
	rc = -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(directories) && rc; i++)
		rc = copy_into(directories[i], &text, ret);
	return rc;
}

static const struct {
	const char *name;
	int (*open)(const char *file, int *ret);
} ways[] = {{"read-only-mount", by_mount}, {"memfd", by_memfd}, {"private-copy", by_copy}};

/* Way @i unless another is forced: 0 and @ret, or -errno. */
static int open_way(size_t i, const char *file, int *ret)
{
	const char *forced = capability_forced_name("protect-runtime");

	if (forced && !str_eq(forced, ways[i].name))
		return -EOPNOTSUPP;
	return ways[i].open(file, ret);
}

int oci_protected_view(const char *program, int *ret_fd, struct err *err)
{
	int rc = -EOPNOTSUPP;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		rc = open_way(i, program, ret_fd);
		if (!rc)
			return 0;
	}
	return err_sys(err, -rc, "protect '%s' from containers", program);
}

int oci_protect_self(char **argv, struct err *err)
{
	char path[MOUNT_FD_PATH_SIZE];
	int rc = -EOPNOTSUPP;

	if (is_protected()) {
		/* The kernel named us after an fd. */
		(void)prctl(PR_SET_NAME, path_base(argv[0]), 0, 0, 0);
		note_arguments(argv);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int fd = -1;

		rc = open_way(i, SELF, &fd);
		if (rc)
			continue;
		execve(mount_fd_path(fd, path), argv, environ);
		rc = -errno;
		close(fd);
	}
	return err_sys(err, -rc, "protect this program's file from containers");
}
