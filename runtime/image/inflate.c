/*
 * inflate - a packed stream becomes a plain one: gzip by ISA-L, others by libarchive
 */
#include "runtime/image/inflate.h"

#include <archive.h>
#include <archive_entry.h>
#include <isa-l/igzip_lib.h>
#include <string.h>

#include "compat/base/archive.h"
#include "compat/base/str.h"

#define OUT_BLOCK	 (256 * 1024)	/* not more than the ring's blocks */
#define RATIO_FREE_BYTES (64ull << 20)

enum packing packing_of(const void *data, size_t len)
{
	static const struct {
		const char *magic;
		size_t len;
		enum packing packing;
	} known[] = {
		{"\x1f\x8b", 2, PACKING_GZIP},		   {"\x28\xb5\x2f\xfd", 4, PACKING_OTHER},
		{"\xfd" "7zXZ\0", 6, PACKING_OTHER},	   {"BZh", 3, PACKING_OTHER},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (len >= known[i].len && memcmp(data, known[i].magic, known[i].len) == 0)
			return known[i].packing;
	}
	/* A zstd stream may begin with a frame to skip: 0x184d2a50 to 5f, little-endian. */
	if (len >= 4 && (*(const uint8_t *)data & 0xf0) == 0x50 &&
	    memcmp((const char *)data + 1, "\x2a\x4d\x18", 3) == 0)
		return PACKING_OTHER;
	return PACKING_NONE;
}

static int came_out(struct inflate *f, const void *data, size_t len, struct err *err)
{
	f->out_bytes += len;
	if (f->out_bytes > f->bytes_max)
		return err_set(err, ERR_TOO_LARGE, "unpacks to more than %llu bytes",
			       (unsigned long long)f->bytes_max);
	if (f->out_bytes > RATIO_FREE_BYTES &&
	    f->out_bytes - RATIO_FREE_BYTES > f->in_bytes * f->ratio_max)
		return err_set(err, ERR_TOO_LARGE, "unpacks to over %u times its size: a decompression bomb",
			       f->ratio_max);
	if (f->digest)
		digester_add(f->digest, data, len);
	return 0;
}

static int put(struct inflate *f, const void *data, size_t len, struct err *err)
{
	int rc = came_out(f, data, len, err);

	return rc < 0 ? rc : ring_write(f->out, data, len);
}

static int run_plain(struct inflate *f, const void *data, ssize_t n, struct err *err)
{
	for (; n > 0; n = ring_next(f->in, &data)) {
		int rc;

		f->in_bytes += (size_t)n;
		rc = put(f, data, (size_t)n, err);
		if (rc < 0)
			return rc;
	}
	return (int)n;
}

/* ---- gzip ---- */

struct gzip {
	struct inflate_state state;
	struct inflate *f;
	bool between;	/* members: a stream may have several, and zeros at its end */
};

/* One block of output, as much as the input gives. */
static int gzip_step(struct gzip *z, struct err *err)
{
	void *block;
	size_t len;
	int rc = ring_claim(z->f->out, &block);

	if (rc < 0)
		return rc;
	z->state.next_out = block;
	z->state.avail_out = OUT_BLOCK;
	rc = isal_inflate(&z->state);
	if (rc < 0)
		return err_set(err, ERR_INVALID, rc == ISAL_INCORRECT_CHECKSUM ?
			       "the gzip stream is damaged: wrong checksum" : "the gzip stream is damaged");
	if (rc > ISAL_OUT_OVERFLOW)
		return err_set(err, ERR_INVALID, "the gzip stream needs a dictionary");
	len = OUT_BLOCK - z->state.avail_out;
	rc = came_out(z->f, block, len, err);
	if (rc == 0)
		ring_commit(z->f->out, len);
	return rc;
}

static int gzip_input(struct gzip *z, const void *data, size_t len, struct err *err)
{
	z->state.next_in = (uint8_t *)data;	/* not written to */
	z->state.avail_in = (uint32_t)len;
	z->f->in_bytes += len;
	for (;;) {
		int rc;

		if (z->between) {
			while (z->state.avail_in && !*z->state.next_in) {
				z->state.next_in++;
				z->state.avail_in--;
			}
			if (!z->state.avail_in)
				return 0;
			isal_inflate_reset(&z->state);
			z->state.crc_flag = ISAL_GZIP;
			z->between = false;
		}
		rc = gzip_step(z, err);
		if (rc < 0)
			return rc;
		if (z->state.block_state == ISAL_BLOCK_FINISH)
			z->between = true;
		else if (!z->state.avail_in && z->state.avail_out)
			return 0;
	}
}

static int run_gzip(struct inflate *f, const void *data, ssize_t n, struct err *err)
{
	auto_free struct gzip *z = xcalloc(1, sizeof(*z));

	z->f = f;
	isal_inflate_init(&z->state);
	z->state.crc_flag = ISAL_GZIP;
	for (; n > 0; n = ring_next(f->in, &data)) {
		int rc = gzip_input(z, data, (size_t)n, err);

		if (rc < 0)
			return rc;
	}
	if (n == 0 && !z->between)
		return err_set(err, ERR_INVALID, "the gzip stream is cut short");
	return (int)n;
}

/* ---- the rest ---- */

struct source {
	struct inflate *f;
	const void *first;	/* block that was looked at already, or NULL */
	ssize_t first_len;
	int rc;			/* the writer's failure */
};

static la_ssize_t source_read(struct archive *a, void *arg, const void **ret)
{
	struct source *s = arg;
	ssize_t n;

	if (s->first) {
		*ret = s->first;
		s->first = NULL;
		n = s->first_len;
	} else {
		n = ring_next(s->f->in, ret);
	}
	if (n < 0) {
		s->rc = (int)n;
		archive_set_error(a, (int)-n, "the stream broke");
		return ARCHIVE_FATAL;
	}
	s->f->in_bytes += (size_t)n;
	return n;
}

static int run_other(struct inflate *f, const void *data, ssize_t n, struct err *err)
{
	AUTO(archive_read_free) struct archive *a = archive_read_new();
	struct source source = {.f = f, .first = data, .first_len = n};
	struct archive_entry *entry;
	int rc;

	if (!a)
		abort();
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_format_raw(a);
	rc = archive_read_open(a, &source, NULL, source_read, NULL);
	if (rc == ARCHIVE_OK)
		rc = archive_read_next_header(a, &entry);
	while (rc == ARCHIVE_OK) {
		const void *block;
		size_t len;
		la_int64_t offset;
		int put_rc;

		rc = archive_read_data_block(a, &block, &len, &offset);
		if (rc != ARCHIVE_OK)
			break;
		put_rc = put(f, block, len, err);
		if (put_rc < 0)
			return put_rc;
	}
	if (source.rc < 0)
		return source.rc;
	if (rc != ARCHIVE_EOF)
		return err_set(err, ERR_INVALID, "the packed stream is damaged: %s", archive_error_string(a));
	return 0;
}

int inflate_run(struct inflate *f, struct err *err)
{
	const void *data = NULL;
	ssize_t n = ring_next(f->in, &data);

	if (n <= 0)
		return (int)n;
	switch (packing_of(data, (size_t)n)) {
	case PACKING_GZIP:
		return run_gzip(f, data, n, err);
	case PACKING_OTHER:
		return run_other(f, data, n, err);
	case PACKING_NONE:
		break;
	}
	return run_plain(f, data, n, err);
}
