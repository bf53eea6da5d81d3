/*
 * archive_in - the members of an archive that comes through an fd
 *
 * A plain archive is read by this thread alone; for a packed one a second thread unpacks.
 */
#include "runtime/image/archive_in.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/image/inflate.h"

#define BLOCK	   (256 * 1024)
#define BLOCKS	   8
#define RATIO_MAX  1000
#define CANCEL_MS  200

struct archive_in {
	int fd;
	const volatile bool *cancel;
	struct archive *archive;
	struct member member;
	char *first;		/* what was read to see how it is packed */
	size_t first_len;
	char *block;
	struct err read_err;	/* why the stream broke */

	/* only for a packed one */
	bool threads;
	pthread_t reader, inflater;
	struct ring *packed, *plain;
	struct inflate inflate;
	struct err inflate_err;
	volatile bool closing;
};

/* Waits for bytes, with an eye on the cancel flag: a pipe may say nothing for long. */
static ssize_t read_some(struct archive_in *a, void *data, size_t len)
{
	for (;;) {
		struct pollfd p = {.fd = a->fd, .events = POLLIN};
		int rc = poll(&p, 1, CANCEL_MS);
		ssize_t n;

		if (a->closing)
			return -ECANCELED;
		if (a->cancel && *a->cancel) {
			err_set(&a->read_err, ERR_CANCELED, "canceled");
			return -ECANCELED;
		}
		if (rc == 0 || (rc < 0 && errno == EINTR))
			continue;
		n = read(a->fd, data, len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		return n < 0 ? err_sys(&a->read_err, errno, "read the archive") : n;
	}
}

/* ---- packed ---- */

static void *run_reader(void *arg)
{
	struct archive_in *a = arg;
	ssize_t n = (ssize_t)a->first_len;
	int rc = ring_write(a->packed, a->first, a->first_len);

	while (rc == 0 && n > 0) {
		n = read_some(a, a->block, BLOCK);
		if (n > 0)
			rc = ring_write(a->packed, a->block, (size_t)n);
	}
	ring_end(a->packed, n < 0 ? (int)n : 0);
	return NULL;
}

static void *run_inflater(void *arg)
{
	struct archive_in *a = arg;
	int rc = inflate_run(&a->inflate, &a->inflate_err);

	ring_end(a->plain, rc);
	ring_stop(a->packed);
	return NULL;
}

static int start_threads(struct archive_in *a, struct err *err)
{
	int rc;

	a->packed = ring_new(BLOCKS, BLOCK);
	a->plain = ring_new(BLOCKS, BLOCK);
	a->inflate = (struct inflate){.in = a->packed, .out = a->plain, .bytes_max = UINT64_MAX, .ratio_max = RATIO_MAX};
	rc = pthread_create(&a->reader, NULL, run_reader, a);
	if (rc)
		return err_sys(err, rc, "start a thread");
	rc = pthread_create(&a->inflater, NULL, run_inflater, a);
	if (rc) {
		a->closing = true;
		ring_stop(a->packed);
		pthread_join(a->reader, NULL);
		return err_sys(err, rc, "start a thread");
	}
	a->threads = true;
	return 0;
}

static void stop_threads(struct archive_in *a)
{
	if (!a->threads)
		return;
	a->closing = true;
	ring_stop(a->plain);
	ring_stop(a->packed);
	pthread_join(a->reader, NULL);
	pthread_join(a->inflater, NULL);
}

/* ---- libarchive's view ---- */

static la_ssize_t give_block(struct archive *archive, void *arg, const void **ret)
{
	struct archive_in *a = arg;
	ssize_t n;

	if (a->threads) {
		n = ring_next(a->plain, ret);
	} else if (a->first_len) {
		n = (ssize_t)a->first_len;
		*ret = a->first;
		a->first_len = 0;
	} else {
		n = read_some(a, a->block, BLOCK);
		*ret = a->block;
	}
	if (n < 0)
		archive_set_error(archive, (int)-n, "the stream broke");
	return n < 0 ? ARCHIVE_FATAL : n;
}

/* The cause, which may lie behind the archive. */
static int failed(struct archive_in *a, struct err *err)
{
	const struct err *why = NULL;

	if (a->threads) {
		ring_stop(a->plain);
		ring_stop(a->packed);
		pthread_join(a->inflater, NULL);
		a->closing = true;
		pthread_join(a->reader, NULL);
		a->threads = false;
		if (a->inflate_err.code)
			why = &a->inflate_err;
	}
	if (!why && a->read_err.code)
		why = &a->read_err;
	if (!why)
		return err_set(err, ERR_INVALID, "the archive is damaged: %s", archive_error_string(a->archive));
	if (err)
		*err = *why;
	return -why->code;
}

int archive_in_open(int fd, const volatile bool *cancel, struct archive_in **ret, struct err *err)
{
	AUTO(archive_in_close) struct archive_in *a = xcalloc(1, sizeof(*a));
	ssize_t n = 0;
	int rc = 0;

	a->fd = fd;
	a->cancel = cancel;
	a->first = xcalloc(1, BLOCK);
	a->block = xcalloc(1, BLOCK);
	a->archive = archive_read_new();
	if (!a->archive)
		abort();
	while (a->first_len < 512 && (n = read_some(a, a->first + a->first_len, BLOCK - a->first_len)) > 0)
		a->first_len += (size_t)n;
	if (n < 0)
		return failed(a, err);
	if (!a->first_len)
		return err_set(err, ERR_INVALID, "the archive is empty");
	if (packing_of(a->first, a->first_len) != PACKING_NONE)
		rc = start_threads(a, err);
	if (rc < 0)
		return rc;
	archive_read_support_format_tar(a->archive);
	if (archive_read_open(a->archive, a, NULL, give_block, NULL) != ARCHIVE_OK)
		return failed(a, err);
	*ret = take(a);
	return 0;
}

static void member_clear(struct member *m)
{
	free(m->path);
	free(m->target);
	*m = (struct member){0};
}

void archive_in_close(struct archive_in *a)
{
	if (!a)
		return;
	stop_threads(a);
	archive_read_free(a->archive);
	member_clear(&a->member);
	ring_free(a->packed);
	ring_free(a->plain);
	free(a->first);
	free(a->block);
	free(a);
}

/* Relative and clean, or NULL when it leads out. */
static char *inside(const char *dir, size_t dir_len, const char *name)
{
	auto_free char *joined = name[0] == '/' ? xstrdup(name) : xfmt("%.*s%s", (int)dir_len, dir, name);
	auto_free char *clean = path_clean(joined);
	const char *p = clean + (*clean == '/');

	return strcmp(p, "..") == 0 || str_starts(p, "../") ? NULL : xstrdup(p);
}

static void describe(struct archive_entry *entry, const char *name, struct member *m)
{
	const char *hard = archive_entry_hardlink(entry);
	const char *soft = archive_entry_symlink(entry);

	m->path = inside("", 0, name);
	m->size = archive_entry_size(entry);
	m->kind = MEMBER_OTHER;
	if (!m->path)
		return;
	if (hard) {
		m->kind = MEMBER_LINK;
		m->target = inside("", 0, hard);
	} else if (archive_entry_filetype(entry) == AE_IFLNK && soft) {
		m->kind = MEMBER_LINK;
		m->target = inside(m->path, (size_t)(path_base(m->path) - m->path), soft);
	} else if (archive_entry_filetype(entry) == AE_IFREG) {
		m->kind = MEMBER_FILE;
	}
}

int archive_in_next(struct archive_in *a, const struct member **ret, struct err *err)
{
	struct archive_entry *entry;
	const char *name;
	int rc = archive_read_next_header(a->archive, &entry);

	if (rc == ARCHIVE_EOF)
		return 0;
	/* A warning is about a name: docker's and OCI's are plain. */
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return failed(a, err);
	member_clear(&a->member);
	name = archive_entry_pathname(entry);
	describe(entry, name ? name : "..", &a->member);
	if (!a->member.path)
		a->member.path = xstrdup("");
	*ret = &a->member;
	return 1;
}

int archive_in_read(struct archive_in *a, const void **ret, size_t *ret_len, struct err *err)
{
	la_int64_t offset;
	int rc = archive_read_data_block(a->archive, ret, ret_len, &offset);

	if (rc == ARCHIVE_EOF)
		return 0;
	return rc == ARCHIVE_OK ? 1 : failed(a, err);
}
