/*
 * blob - contents on disk by digest
 */
#include "runtime/image/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"

#define CHUNK (256 * 1024)

struct blob_writer {
	int dirfd;
	int fd;
	char *path;	/* below dirfd */
	uint64_t size;
	struct digester *digest;
};

static struct blob_writer *writer_new(int dirfd, char *path)
{
	struct blob_writer *w = xcalloc(1, sizeof(*w));

	w->dirfd = dirfd;
	w->path = path;
	w->digest = digester_new();
	w->fd = openat(dirfd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return w;
}

/* Take in what an earlier download left. */
static int read_back(struct blob_writer *w, blob_sink sink, void *arg, struct err *err)
{
	auto_free char *chunk = xcalloc(1, CHUNK);
	ssize_t n;

	while ((n = fd_read_all(w->fd, chunk, CHUNK)) > 0) {
		digester_add(w->digest, chunk, (size_t)n);
		w->size += (uint64_t)n;
		if (sink) {
			int rc = sink(arg, chunk, (size_t)n);

			if (rc < 0)
				return rc;
		}
	}
	return n < 0 ? err_sys(err, (int)-n, "read '%s'", w->path) : 0;
}

int blob_resume(int dirfd, const char *digest, blob_sink sink, void *arg, struct blob_writer **ret,
		struct err *err)
{
	struct blob_writer *w = writer_new(dirfd, xfmt(PARTIAL_DIR "/%s", digest_hex(digest)));
	int rc = w->fd < 0 ? err_sys(err, errno, "create '%s'", w->path) : 0;

	if (rc == 0)
		rc = read_back(w, sink, arg, err);
	if (rc < 0) {
		blob_writer_free(w, true);
		return rc;
	}
	*ret = w;
	return 0;
}

int blob_begin(int dirfd, uint64_t number, struct blob_writer **ret, struct err *err)
{
	struct blob_writer *w = writer_new(dirfd, xfmt(PARTIAL_DIR "/new-%" PRIu64, number));
	int rc = 0;

	if (w->fd < 0 || ftruncate(w->fd, 0) < 0)
		rc = err_sys(err, errno, "create '%s'", w->path);
	if (rc < 0) {
		blob_writer_free(w, false);
		return rc;
	}
	*ret = w;
	return 0;
}

int blob_write(struct blob_writer *w, const void *data, size_t len, struct err *err)
{
	int rc = fd_write_all(w->fd, data, len);

	if (rc < 0)
		return err_sys(err, -rc, "write '%s'", w->path);
	digester_add(w->digest, data, len);
	w->size += len;
	return 0;
}

uint64_t blob_size(const struct blob_writer *w)
{
	return w->size;
}

int blob_restart(struct blob_writer *w, struct err *err)
{
	if (ftruncate(w->fd, 0) < 0 || lseek(w->fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "empty '%s'", w->path);
	digester_free(w->digest);
	w->digest = digester_new();
	w->size = 0;
	return 0;
}

int blob_finish(struct blob_writer *w, char ret[DIGEST_SIZE], struct err *err)
{
	auto_free char *path = NULL;
	char digest[DIGEST_SIZE];

	digester_get(w->digest, digest);
	path = xfmt(PARTIAL_DIR "/%s", digest_hex(digest));
	if (strcmp(path, w->path) != 0) {
		if (renameat(w->dirfd, w->path, w->dirfd, path) < 0)
			return err_sys(err, errno, "name blob '%s'", path);
		free(w->path);
		w->path = take(path);
	}
	memcpy(ret, digest, sizeof(digest));
	return 0;
}

void blob_writer_free(struct blob_writer *w, bool keep)
{
	if (!w)
		return;
	if (w->fd >= 0) {
		if (!keep || !w->size)
			(void)unlinkat(w->dirfd, w->path, 0);	/* else it goes when it is old */
		close(w->fd);
	}
	digester_free(w->digest);
	free(w->path);
	free(w);
}

int blob_put(int dirfd, const void *data, size_t len, char ret[DIGEST_SIZE], struct err *err)
{
	auto_free char *path = NULL;

	digest_of(data, len, ret);
	path = xfmt(PARTIAL_DIR "/%s", digest_hex(ret));
	return file_write(dirfd, path, data, len, 0600, err);
}

int blob_settle(int dirfd, const char *digest, struct err *err)
{
	auto_free char *from = xfmt(PARTIAL_DIR "/%s", digest_hex(digest));
	auto_free char *to = xfmt(BLOBS_DIR "/%s", digest_hex(digest));

	if (renameat(dirfd, from, dirfd, to) < 0 && (errno != ENOENT || !blob_exists(dirfd, digest)))
		return err_sys(err, errno, "name blob '%s'", to);
	return 0;
}

int blob_open(int dirfd, const char *digest, int *ret_fd, uint64_t *ret_size, struct err *err)
{
	static const char *const places[] = {BLOBS_DIR, PARTIAL_DIR};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		auto_free char *path = xfmt("%s/%s", places[i], digest_hex(digest));
		auto_fd int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_sys(err, errno, "open '%s'", path);
		*ret_fd = fd_take(&fd);
		if (ret_size)
			*ret_size = (uint64_t)st.st_size;
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "no such blob: %s", digest);
}

int blob_check(int fd, const char *digest, struct err *err)
{
	AUTO(digester_free) struct digester *d = digester_new();
	auto_free char *chunk = xcalloc(1, CHUNK);
	char got[DIGEST_SIZE];
	ssize_t n;

	while ((n = fd_read_all(fd, chunk, CHUNK)) > 0)
		digester_add(d, chunk, (size_t)n);
	if (n < 0)
		return err_sys(err, (int)-n, "read blob %s", digest);
	digester_get(d, got);
	if (strcmp(got, digest) != 0)
		return err_set(err, ERR_INTERNAL, "blob %s is damaged", digest);
	return 0;
}

int blob_read(int dirfd, const char *digest, size_t max, struct buf *ret, struct err *err)
{
	AUTO(buf_clear) struct buf data = BUF_INIT;
	char got[DIGEST_SIZE];
	auto_fd int fd = -1;
	int rc = blob_open(dirfd, digest, &fd, NULL, err);

	if (rc == 0)
		rc = buf_read_fd(&data, fd, max, "blob", err);
	if (rc < 0)
		return rc;
	digest_of(buf_cstr(&data), data.len, got);
	if (strcmp(got, digest) != 0)
		return err_set(err, ERR_INTERNAL, "blob %s is damaged", digest);
	*ret = data;
	data = BUF_INIT;
	return 0;
}

bool blob_exists(int dirfd, const char *digest)
{
	auto_free char *path = xfmt(BLOBS_DIR "/%s", digest_hex(digest));

	return faccessat(dirfd, path, F_OK, 0) == 0;
}

void blob_remove(int dirfd, const char *digest)
{
	auto_free char *blob = xfmt(BLOBS_DIR "/%s", digest_hex(digest));
	auto_free char *partial = xfmt(PARTIAL_DIR "/%s", digest_hex(digest));

	(void)unlinkat(dirfd, blob, 0);		/* not there, or the next open tries again */
	(void)unlinkat(dirfd, partial, 0);
}
