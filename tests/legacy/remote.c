/*
 * remote.c - the memory, the descriptors, the paths and the program of who waits for an answer
 *
 * All of it by way of /proc/TID, TID being the waiting thread's.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "tests/legacy/as_kernel.h"

#define MAGIC_PROC 0x9fa0

enum { PAGE = 4096 };

bool remote_read(const struct call *c, uint64_t at, void *to, size_t len)
{
	struct iovec here = {to, len}, there = {(void *)(uintptr_t)at, len};

	return process_vm_readv((pid_t)c->n.pid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

bool remote_write(const struct call *c, uint64_t at, const void *from, size_t len)
{
	struct iovec here = {(void *)(uintptr_t)from, len}, there = {(void *)(uintptr_t)at, len};

	return process_vm_writev((pid_t)c->n.pid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

/* To the end of a page at a time: what follows a string may not be mapped. */
bool remote_string(const struct call *c, uint64_t at, char *to, size_t size)
{
	size_t have = 0;

	if (!at)
		return false;
	while (have < size) {
		size_t n = PAGE - (at + have) % PAGE;

		if (n > size - have)
			n = size - have;
		if (!remote_read(c, at + have, to + have, n))
			return false;
		if (memchr(to + have, '\0', n))
			return true;
		have += n;
	}
	return false;
}

static bool status_line(const struct call *c, const char *name, char *ret, size_t size)
{
	char path[48], text[4096];
	auto_fd int fd = -1;
	char *at, *end;
	ssize_t n;

	(void)str_fmt(path, sizeof(path), "/proc/%u/status", c->n.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	at = strstr(text, name);
	end = at ? strchr(at + 1, '\n') : NULL;
	if (!end)
		return false;
	*end = '\0';
	return str_fmt(ret, size, "%s", at + strlen(name)) == 0;
}

static int open_pidfd(const struct call *c)
{
	enum { THREAD = O_EXCL };
	char tgid[32];
	int fd = (int)syscall(SYS_pidfd_open, c->n.pid, THREAD);

	if (fd >= 0 || errno != EINVAL)
		return fd;
	return status_line(c, "\nTgid:", tgid, sizeof(tgid)) ? (int)syscall(SYS_pidfd_open, atoi(tgid), 0) : -1;
}

int remote_fd(const struct call *c, int fd)
{
	auto_fd int process = open_pidfd(c);

	return process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, fd, 0);
}

/* "real effective saved file" */
bool remote_ids(const struct call *c, uid_t *ret_uid, gid_t *ret_gid)
{
	char uids[100], gids[100];

	return status_line(c, "\nUid:", uids, sizeof(uids)) && status_line(c, "\nGid:", gids, sizeof(gids)) &&
	       sscanf(uids, "%*u %*u %*u %u", ret_uid) == 1 && sscanf(gids, "%*u %*u %*u %u", ret_gid) == 1;
}

/* ---- its program ---- */

/* A GNU C library leaves a mark in what is linked with it: the loader's name, or the note with the oldest kernel that it wants. */
static bool is_glibc(int fd)
{
	static const char note[] = {4, 0, 0, 0, 16, 0, 0, 0, NT_GNU_ABI_TAG, 0, 0, 0, 'G', 'N', 'U', 0};
	char bytes[1024];
	Elf64_Ehdr head;
	Elf64_Phdr segment;

	if (pread(fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) || memcmp(head.e_ident, ELFMAG, SELFMAG))
		return false;
	for (int i = 0; i < head.e_phnum; i++) {
		off_t at = (off_t)(head.e_phoff + (size_t)i * head.e_phentsize);
		ssize_t n;

		if (pread(fd, &segment, sizeof(segment), at) != (ssize_t)sizeof(segment))
			return false;
		if (segment.p_type != PT_INTERP && segment.p_type != PT_NOTE)
			continue;
		n = pread(fd, bytes, segment.p_filesz < sizeof(bytes) ? segment.p_filesz : sizeof(bytes), (off_t)segment.p_offset);
		if (n <= 0)
			continue;
		if (memmem(bytes, (size_t)n, segment.p_type == PT_INTERP ? "ld-linux" : note,
			   segment.p_type == PT_INTERP ? strlen("ld-linux") : sizeof(note)))
			return true;
	}
	return false;
}

static struct {
	dev_t dev;
	ino_t ino;
	struct timespec changed;
	bool glibc;
} known[64];
static unsigned int next_known;
static pthread_mutex_t known_lock = PTHREAD_MUTEX_INITIALIZER;

/* -1: not known */
static int look_up(const struct stat *st)
{
	int found = -1;

	pthread_mutex_lock(&known_lock);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].ino == st->st_ino && known[i].dev == st->st_dev &&
		    known[i].changed.tv_sec == st->st_ctim.tv_sec && known[i].changed.tv_nsec == st->st_ctim.tv_nsec)
			found = known[i].glibc;
	pthread_mutex_unlock(&known_lock);
	return found;
}

static void remember(const struct stat *st, bool glibc)
{
	pthread_mutex_lock(&known_lock);
	next_known = (next_known + 1) % ARRAY_SIZE(known);
	known[next_known].dev = st->st_dev;
	known[next_known].ino = st->st_ino;
	known[next_known].changed = st->st_ctim;
	known[next_known].glibc = glibc;
	pthread_mutex_unlock(&known_lock);
}

/* Run by its own name, as ldd(1) does. */
static bool is_loader(const char *exe)
{
	char target[NAME_MAX_BYTES];
	ssize_t n = readlink(exe, target, sizeof(target) - 1);

	target[n > 0 ? n : 0] = '\0';
	return str_starts(last_name(target), "ld-linux");
}

bool remote_is_glibc(const struct call *c)
{
	char path[48];
	auto_fd int fd = -1;
	struct stat st;
	int answer;

	(void)str_fmt(path, sizeof(path), "/proc/%u/exe", c->n.pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	answer = look_up(&st);
	if (answer < 0) {
		answer = is_glibc(fd) || is_loader(path);
		remember(&st, answer);
	}
	return answer;
}

/* ---- its paths ---- */

const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "self" means the supervisor when the supervisor follows it. The number is the innermost one: that of the nearest /proc. */
static const char *after_self(const struct call *c, const char *path, char number[32])
{
	const char *rest = str_skip(path, "/proc/self/");
	char line[256];
	const char *last;

	if (!rest)
		rest = str_skip(path, "/proc/thread-self/");
	if (!rest)
		return NULL;
	if (!status_line(c, "\nNSpid:", line, sizeof(line)))
		return NULL;
	last = strrchr(line, '\t');
	return str_fmt(number, 32, "%s", last ? last + 1 : line) == 0 ? rest : NULL;
}

bool remote_path(const struct call *c, int dirfd, const char *path, char *ret, size_t size)
{
	char number[32];
	const char *rest;

	if (*path == '/') {
		rest = after_self(c, path, number);
		return rest ? str_fmt(ret, size, "/proc/%u/root/proc/%s/%s", c->n.pid, number, rest) == 0
			    : str_fmt(ret, size, "/proc/%u/root%s", c->n.pid, path) == 0;
	}
	if (dirfd == AT_FDCWD)
		return str_fmt(ret, size, "/proc/%u/cwd/%s", c->n.pid, path) == 0;
	return str_fmt(ret, size, "/proc/%u/fd/%d/%s", c->n.pid, dirfd, path) == 0;
}

int remote_parent(const struct call *c, int dirfd, const char *path, long *ret_magic)
{
	char full[NAME_MAX_BYTES + 64];
	struct statfs st;
	int fd;

	if (!remote_path(c, dirfd, path, full, sizeof(full)))
		return -1;
	*(char *)last_name(full) = '\0';
	fd = open(full, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstatfs(fd, &st) < 0) {
		(void)close(fd);
		return -1;
	}
	*ret_magic = st.f_type;
	return fd;
}
