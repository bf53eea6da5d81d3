/*
 * probe_file.c - do features of files work? Effects are looked at, since 2.6.32 ignores flags that it does not know.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/kernel/probe.h"
#include "compat/kernel/sysno.h"

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif
#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef O_PATH
#define O_PATH 010000000
#endif

bool probe_openat2(struct answer *a)
{
	const struct {
		uint64_t flags, mode, resolve;
	} how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = 0x10 /* RESOLVE_IN_ROOT */};
	auto_fd int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = (int)syscall(SYS_openat2, root, "..", &how, sizeof(how));

	return probe_result(a, fd, "openat2(RESOLVE_IN_ROOT)");
}

bool probe_o_path(struct answer *a)
{
	auto_fd int fd = open("/proc/self/stat", O_PATH | O_CLOEXEC);
	char byte;

	if (fd < 0)
		return probe_failed(a, "open(O_PATH)");
	if (read(fd, &byte, 1) >= 0 || errno != EBADF)
		return probe_no(a, "open(O_PATH) really opens");
	return probe_yes(a, "open(O_PATH) works");
}

/* The system call itself: C libraries hide from their callers what old kernels refuse. */
bool probe_at_empty_path(struct answer *a)
{
	struct stat st;

	return probe_result(a, syscall(SYS_newfstatat, AT_FDCWD, "", &st, AT_EMPTY_PATH), "fstatat(AT_EMPTY_PATH)");
}

bool probe_o_tmpfile(struct answer *a)
{
	auto_fd int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return probe_result(a, fd, "open(O_TMPFILE)");
}

bool probe_close_range(struct answer *a)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return probe_failed(a, "open '/'");
	if (syscall(SYS_close_range, fd, fd, 0) < 0) {
		(void)probe_failed(a, "close_range");
		(void)close(fd);
		return false;
	}
	return probe_yes(a, "close_range works");
}

bool probe_memfd(struct answer *a)
{
	enum { CLOEXEC = 1, ALLOW_SEALING = 2 };
	auto_fd int fd = (int)syscall(SYS_memfd_create, "probe", CLOEXEC | ALLOW_SEALING);

	if (fd < 0)
		return probe_failed(a, "memfd_create");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return probe_failed(a, "fcntl(F_ADD_SEALS)");
	if (write(fd, "x", 1) >= 0)
		return probe_no(a, "seals have no effect");
	return probe_yes(a, "memfd_create, F_ADD_SEALS works");
}

bool probe_statx(struct answer *a)
{
	enum { BASIC_STATS = 0x7ff };
	uint32_t buffer[64] = {0};

	if (syscall(SYS_statx, AT_FDCWD, "/", 0, BASIC_STATS, buffer) < 0)
		return probe_failed(a, "statx");
	return buffer[0] ? probe_yes(a, "statx works") : probe_no(a, "statx answers nothing");
}

static bool make_file(const char *name, const char *text)
{
	auto_fd int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

bool probe_renameat2(struct answer *a)
{
	enum { NOREPLACE = 1 };

	if (!make_file("from", "from") || !make_file("to", "to"))
		return probe_failed(a, "make a file");
	if (syscall(SYS_renameat2, AT_FDCWD, "from", AT_FDCWD, "to", NOREPLACE) == 0)
		return probe_no(a, "RENAME_NOREPLACE replaces");
	return errno == EEXIST ? probe_yes(a, "renameat2(RENAME_NOREPLACE) works")
			       : probe_failed(a, "renameat2(RENAME_NOREPLACE)");
}

bool probe_copy_file_range(struct answer *a)
{
	auto_fd int from = -1;
	auto_fd int to = -1;

	if (!make_file("source", "text"))
		return probe_failed(a, "make a file");
	from = open("source", O_RDONLY | O_CLOEXEC);
	to = open("copy", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return probe_result(a, syscall(SYS_copy_file_range, from, NULL, to, NULL, 4, 0),
			    "copy_file_range");
}

bool probe_getrandom(struct answer *a)
{
	enum { NONBLOCK = 1 };
	char byte;

	if (syscall(SYS_getrandom, &byte, 1, NONBLOCK) < 0 && errno != EAGAIN)
		return probe_failed(a, "getrandom");
	return probe_yes(a, "getrandom works");
}
