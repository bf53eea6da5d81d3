/*
 * blob - contents on disk by digest
 */
#include "runtime/image/blob.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/archive.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"

#define CHUNK	(256 * 1024)
#define PACKED	".zst"
/* A fast one: packing shall not be slower than the disk that it spares. */
#define LEVEL	"-1"

struct blob_writer {
	int dirfd;
	int fd;
	char *path;	/* below dirfd */
	uint64_t size;
	struct digester *digest;	/* or NULL */
	struct archive *packer;		/* or NULL */
	int write_rc;			/* of the packer's file; after a failure nothing more goes there */
};

static struct blob_writer *writer_new(int dirfd, char *path)
{
	struct blob_writer *w = xcalloc(1, sizeof(*w));

	w->dirfd = dirfd;
	w->path = path;
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

/* Only when it is whole: nobody will write to it then. */
static void take_whole(int dirfd, const char *digest, uint64_t size, const char *to)
{
	auto_free char *whole = xfmt(PARTIAL_DIR "/%s", digest_hex(digest));
	struct stat st;

	if (fstatat(dirfd, whole, &st, AT_SYMLINK_NOFOLLOW) == 0 && (uint64_t)st.st_size == size)
		(void)linkat(dirfd, whole, dirfd, to, 0);	/* there is a part already, or no links: it comes again */
}

int blob_resume(int dirfd, const char *digest, const char *source, uint64_t size, blob_sink sink, void *arg,
		struct blob_writer **ret, struct err *err)
{
	char of[DIGEST_SIZE];
	auto_free char *path = NULL;
	struct blob_writer *w;
	int rc;

	digest_of(source, strlen(source), of);
	path = xfmt(PARTIAL_DIR "/%s-%.16s", digest_hex(digest), digest_hex(of));
	take_whole(dirfd, digest, size, path);
	w = writer_new(dirfd, take(path));
	rc = w->fd < 0 ? err_sys(err, errno, "create '%s'", w->path) : 0;
	w->digest = digester_new();
	if (rc == 0)
		rc = read_back(w, sink, arg, err);
	if (rc < 0) {
		blob_writer_free(w, true);
		return rc;
	}
	*ret = w;
	return 0;
}

/* ---- packing ---- */

static la_ssize_t write_packed(struct archive *a, void *arg, const void *data, size_t len)
{
	struct blob_writer *w = arg;

	if (w->write_rc == 0)
		w->write_rc = fd_write_all(w->fd, data, len);
	if (w->write_rc == 0)
		return (la_ssize_t)len;
	archive_set_error(a, -w->write_rc, "the file cannot be written");
	return -1;
}

static void packer_drop(struct blob_writer *w)
{
	if (!w->packer)
		return;
	w->write_rc = -ECANCELED;
	archive_write_abandon(w->packer);
	archive_write_free(take(w->packer));
}

/* Where this libarchive cannot, there is no packer. */
static void packer_start(struct blob_writer *w)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	bool ok;

	if (!a || !entry)
		abort();
	w->packer = a;
	archive_entry_set_filetype(entry, AE_IFREG);
	ok = archive_write_set_format_raw(a) == ARCHIVE_OK && archive_write_add_filter_zstd(a) == ARCHIVE_OK &&
	     archive_write_set_filter_option(a, "zstd", "compression-level", LEVEL) == ARCHIVE_OK &&
	     archive_write_set_bytes_per_block(a, CHUNK) == ARCHIVE_OK &&
	     archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK &&
	     archive_write_open(a, w, NULL, write_packed, NULL) == ARCHIVE_OK &&
	     archive_write_header(a, entry) == ARCHIVE_OK;
	archive_entry_free(entry);
	if (!ok)
		packer_drop(w);
}

static int pack_failed(struct blob_writer *w, struct err *err)
{
	if (w->write_rc < 0)
		return err_sys(err, -w->write_rc, "write '%s'", w->path);
	return err_set(err, ERR_INTERNAL, "pack '%s': %s", w->path, archive_error_string(w->packer));
}

static int pack(struct blob_writer *w, const void *data, size_t len, struct err *err)
{
	return archive_write_data(w->packer, data, len) == (la_ssize_t)len ? 0 : pack_failed(w, err);
}

static int pack_end(struct blob_writer *w, struct err *err)
{
	if (archive_write_close(w->packer) != ARCHIVE_OK)
		return pack_failed(w, err);
	archive_write_free(take(w->packer));
	return 0;
}

/* ---- writing ---- */

int blob_begin(int dirfd, uint64_t number, bool pack, bool digest, struct blob_writer **ret, struct err *err)
{
	struct blob_writer *w = writer_new(dirfd, xfmt(PARTIAL_DIR "/new-%" PRIu64, number));

	if (w->fd < 0 || ftruncate(w->fd, 0) < 0) {
		int rc = err_sys(err, errno, "create '%s'", w->path);

		blob_writer_free(w, false);
		return rc;
	}
	if (digest)
		w->digest = digester_new();
	if (pack)
		packer_start(w);
	*ret = w;
	return 0;
}

int blob_write(struct blob_writer *w, const void *data, size_t len, struct err *err)
{
	int rc;

	if (w->packer) {
		rc = pack(w, data, len, err);
	} else {
		rc = fd_write_all(w->fd, data, len);
		rc = rc < 0 ? err_sys(err, -rc, "write '%s'", w->path) : 0;
	}
	if (rc < 0)
		return rc;
	if (w->digest)
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

void blob_digest(const struct blob_writer *w, char ret[DIGEST_SIZE])
{
	digester_get(w->digest, ret);
}

int blob_finish(struct blob_writer *w, const char *known, char ret[DIGEST_SIZE], struct err *err)
{
	auto_free char *path = NULL;
	char digest[DIGEST_SIZE];
	bool packed = w->packer;

	if (known)
		memcpy(digest, known, sizeof(digest));
	else
		digester_get(w->digest, digest);
	if (packed) {
		int rc = pack_end(w, err);

		if (rc < 0)
			return rc;
	}
	path = xfmt(PARTIAL_DIR "/%s%s", digest_hex(digest), packed ? PACKED : "");
	if (renameat(w->dirfd, w->path, w->dirfd, path) < 0)
		return err_sys(err, errno, "name blob '%s'", path);
	(void)unlinkat(w->dirfd, w->path, 0);	/* two names of one file stay as they are */
	free(take(w->path));
	memcpy(ret, digest, sizeof(digest));
	return 0;
}

void blob_writer_free(struct blob_writer *w, bool keep)
{
	if (!w)
		return;
	packer_drop(w);
	if (w->fd >= 0) {
		if (w->path && (!keep || !w->size))
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

/* ---- finding ---- */

static char *place_of(const char *dir, const char *digest, bool packed)
{
	return xfmt("%s/%s%s", dir, digest_hex(digest), packed ? PACKED : "");
}

static bool is_there(int dirfd, const char *digest, bool packed)
{
	auto_free char *path = place_of(BLOBS_DIR, digest, packed);

	return faccessat(dirfd, path, F_OK, 0) == 0;
}

static int settle(int dirfd, const char *digest, bool packed)
{
	auto_free char *from = place_of(PARTIAL_DIR, digest, packed);
	auto_free char *to = place_of(BLOBS_DIR, digest, packed);

	if (renameat(dirfd, from, dirfd, to) < 0)
		return -errno;
	(void)unlinkat(dirfd, from, 0);	/* two names of one file stay as they are */
	return 0;
}

int blob_settle(int dirfd, const char *digest, struct err *err)
{
	auto_free char *packed = place_of(BLOBS_DIR, digest, true);
	int rc = settle(dirfd, digest, false);

	if (rc == -ENOENT && !is_there(dirfd, digest, false))
		rc = settle(dirfd, digest, true);
	if (rc < 0 && (rc != -ENOENT || !blob_exists(dirfd, digest)))
		return err_sys(err, -rc, "name blob '" BLOBS_DIR "/%s'", digest_hex(digest));
	if (is_there(dirfd, digest, false))
		(void)unlinkat(dirfd, packed, 0);	/* not there, or a further copy */
	return 0;
}

int blob_open(int dirfd, const char *digest, int *ret_fd, bool *ret_packed, struct err *err)
{
	static const char *const places[] = {BLOBS_DIR, PARTIAL_DIR};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(places); i++) {
		bool packed = i % 2;
		auto_free char *path = place_of(places[i / 2], digest, packed);
		int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return err_sys(err, errno, "open '%s'", path);
		*ret_fd = fd;
		if (ret_packed)
			*ret_packed = packed;
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "no such blob: %s", digest);
}

bool blob_is_sound(int dirfd, const char *digest, uint64_t size)
{
	struct stat st;
	auto_fd int fd = -1;
	bool packed;

	if (blob_open(dirfd, digest, &fd, &packed, NULL) < 0 || fstat(fd, &st) < 0)
		return false;
	return packed ? st.st_size > 0 : (uint64_t)st.st_size == size;
}

/* ---- reading ---- */

static int digest_plain(int fd, struct digester *d)
{
	auto_free char *chunk = xcalloc(1, CHUNK);
	ssize_t n;

	while ((n = fd_read_all(fd, chunk, CHUNK)) > 0)
		digester_add(d, chunk, (size_t)n);
	return (int)n;
}

/* What cannot be unpacked is seen by its digest. */
static int digest_packed(int fd, struct digester *d)
{
	AUTO(archive_read_free) struct archive *a = archive_read_new();
	struct archive_entry *entry;
	const void *block;
	la_int64_t offset;
	size_t len;

	if (!a)
		abort();
	archive_read_support_filter_zstd(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_fd(a, fd, CHUNK) != ARCHIVE_OK || archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return 0;
	while (archive_read_data_block(a, &block, &len, &offset) == ARCHIVE_OK)
		digester_add(d, block, len);
	return 0;
}

int blob_check(int dirfd, const char *digest, struct err *err)
{
	AUTO(digester_free) struct digester *d = digester_new();
	char got[DIGEST_SIZE];
	auto_fd int fd = -1;
	bool packed;
	int rc = blob_open(dirfd, digest, &fd, &packed, err);

	if (rc < 0)
		return rc;
	rc = packed ? digest_packed(fd, d) : digest_plain(fd, d);
	if (rc < 0)
		return err_sys(err, -rc, "read blob %s", digest);
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
	return is_there(dirfd, digest, false) || is_there(dirfd, digest, true);
}

static void drop(int dirfd, const char *dir, const char *digest)
{
	auto_free char *plain = place_of(dir, digest, false);
	auto_free char *packed = place_of(dir, digest, true);

	(void)unlinkat(dirfd, plain, 0);	/* not there, or the next open tries again */
	(void)unlinkat(dirfd, packed, 0);
}

void blob_remove(int dirfd, const char *digest)
{
	drop(dirfd, BLOBS_DIR, digest);
	drop(dirfd, PARTIAL_DIR, digest);
}

void blob_drop(int dirfd, const char *digest)
{
	drop(dirfd, BLOBS_DIR, digest);
}
