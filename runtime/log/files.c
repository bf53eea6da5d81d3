/*
 * files - the files of one log, from the oldest to the youngest, while somebody rotates them
 */
#include "runtime/log/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/str.h"

#define FILES_MAX   1001
#define BLOCK_BYTES 65536
#define TRIES	    50	/* a rotation has no youngest file for a moment */

static int open_one(const char *path, int n, struct log_file *ret, struct err *err)
{
	auto_free char *name = n ? xfmt("%s.%d", path, n) : xstrdup(path);
	auto_fd int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "open log '%s'", name);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INVALID, "log '%s' is not a regular file", name);
	*ret = (struct log_file){.fd = fd_take(&fd), .inode = st.st_ino, .mtime_s = st.st_mtime};
	return 0;
}

static bool has_inode(const log_file_vec *files, uint64_t inode)
{
	VEC_EACH(f, files) {
		if (f->inode == inode)
			return true;
	}
	return false;
}

static void reverse(log_file_vec *files)
{
	for (size_t i = 0; i < files->n / 2; i++) {
		struct log_file f = files->v[i];

		files->v[i] = files->v[files->n - 1 - i];
		files->v[files->n - 1 - i] = f;
	}
}

void log_files_clear(log_file_vec *files)
{
	VEC_EACH(f, files)
		close(f->fd);
	VEC_FREE(files);
}

/*
 * From the youngest to the oldest: a file that moves meanwhile is met again under its next name, never missed. -EAGAIN when the
 * youngest is just being replaced.
 */
static int open_all(const char *path, log_file_vec *ret, struct err *err)
{
	log_file_vec files = {0};
	bool youngest = false;

	for (int n = 0; n < FILES_MAX; n++) {
		struct log_file f;
		int rc = open_one(path, n, &f, err);

		if (rc == -ENOENT && n == 0)
			continue;
		if (rc == -ENOENT)
			break;
		if (rc < 0) {
			log_files_clear(&files);
			return rc;
		}
		youngest |= n == 0;
		if (has_inode(&files, f.inode))
			close(f.fd);
		else
			VEC_PUSH(&files, f);
	}
	if (!files.n)
		return -ENOENT;
	if (!youngest) {
		log_files_clear(&files);
		return -EAGAIN;
	}
	reverse(&files);
	*ret = files;
	return 0;
}

int log_files_open(const char *path, log_file_vec *ret, struct err *err)
{
	static const struct timespec moment = {.tv_nsec = 2000000};

	for (int i = 0; i < TRIES; i++) {
		int rc = open_all(path, ret, err);

		if (rc == -ENOENT && i > 1)
			return err_set(err, ERR_NOT_FOUND, "no log '%s'", path);
		if (rc != -EAGAIN && rc != -ENOENT)
			return rc;
		if (i > 0)
			nanosleep(&moment, NULL);
	}
	return err_set(err, ERR_NOT_FOUND, "no log '%s', only rotated files", path);
}

int log_files_next(const char *path, uint64_t inode, struct log_file *ret, struct err *err)
{
	log_file_vec files = {0};
	size_t next = 0;
	int rc = log_files_open(path, &files, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < files.n; i++)
		if (files.v[i].inode == inode)
			next = i + 1;
	rc = next < files.n;
	if (rc) {
		*ret = files.v[next];
		files.v[next] = files.v[files.n - 1];
		files.n--;
	}
	log_files_clear(&files);
	return rc;
}

/* The offset behind which @f has at most *@left lines; *@left is reduced by the lines found. */
static int tail_of(struct log_file *f, uint64_t *left, struct err *err)
{
	char block[BLOCK_BYTES];
	off_t end = lseek(f->fd, 0, SEEK_END);
	bool last = true;	/* the newline that ends the last line begins no line */

	if (end < 0)
		return err_sys(err, errno, "seek in log");
	while (end > 0) {
		size_t want = end < BLOCK_BYTES ? (size_t)end : BLOCK_BYTES;
		ssize_t n = pread(f->fd, block, want, end - (off_t)want);
		const char *at;

		if (n != (ssize_t)want)
			return err_sys(err, n < 0 ? errno : EIO, "read log");
		for (size_t len = want; (at = memrchr(block, '\n', len)); len = (size_t)(at - block)) {
			if (last && at == block + want - 1 && len == want) {
				last = false;
				continue;
			}
			last = false;
			if (--*left == 0) {
				f->offset = (uint64_t)(end - (off_t)want + (at - block) + 1);
				return 0;
			}
		}
		last = false;
		end -= (off_t)want;
	}
	f->offset = 0;
	if (lseek(f->fd, 0, SEEK_END) > 0)
		--*left;	/* the first line has no newline before it */
	return 0;
}

int log_files_tail(log_file_vec *files, uint64_t records, struct err *err)
{
	uint64_t left = records;
	size_t i = files->n;

	if (!records) {
		off_t end = lseek(files->v[i - 1].fd, 0, SEEK_END);

		files->v[--i].offset = end > 0 ? (uint64_t)end : 0;
	}
	while (i > 0 && left > 0) {
		int rc = tail_of(&files->v[--i], &left, err);

		if (rc < 0)
			return rc;
	}
	for (size_t n = 0; n < i; n++)
		close(files->v[n].fd);
	memmove(files->v, files->v + i, (files->n - i) * sizeof(*files->v));
	files->n -= i;
	return 0;
}
