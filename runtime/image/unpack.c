/*
 * unpack - a layer's tar becomes files: reads the archive, gives each entry to place.c
 */
#include "runtime/image/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "compat/base/archive.h"
#include "compat/base/charset.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/image/place.h"

struct source {
	struct ring *in;
	int rc;		/* the writer's failure */
};

static la_ssize_t source_read(struct archive *a, void *arg, const void **ret)
{
	struct source *s = arg;
	ssize_t n = ring_next(s->in, ret);

	if (n < 0) {
		s->rc = (int)n;
		archive_set_error(a, (int)-n, "the stream broke");
		return ARCHIVE_FATAL;
	}
	return n;
}

/* What follows the end of the archive belongs to the layer's digest: the writer must get rid of it. */
static int drain(struct source *s)
{
	const void *data;
	ssize_t n = s->rc;

	while (n == 0 && (n = ring_next(s->in, &data)) > 0)
		n = 0;
	return (int)n;
}

static int read_entries(struct archive *a, const struct unpack *u, struct placer *p, struct err *err)
{
	struct archive_entry *entry;
	uint64_t count = 0;
	int rc;

	while ((rc = archive_read_next_header(a, &entry)) == ARCHIVE_OK) {
		if (++count > u->entries_max)
			return err_set(err, ERR_TOO_LARGE, "has more than %llu entries",
				       (unsigned long long)u->entries_max);
		rc = placer_put(p, a, entry, err);
		if (rc < 0) {
			const char *name = archive_entry_pathname(entry);

			return err_wrap(err, rc, "entry '%.200s'", name && str_is_printable(name) ? name : "?");
		}
	}
	if (rc != ARCHIVE_EOF)
		return err_set(err, ERR_INVALID, "is not a sound tar archive: %s", archive_error_string(a));
	return placer_finish(p, err);
}

static int run(const struct unpack *u, uint64_t *ret_size, struct err *err)
{
	AUTO(archive_read_free) struct archive *a = archive_read_new();
	AUTO(placer_free) struct placer *p = placer_new(u);
	struct source source = {.in = u->in};
	int rc;

	if (!a)
		abort();
	archive_read_support_format_tar(a);
	archive_read_support_format_empty(a);
	if (archive_read_open(a, &source, NULL, source_read, NULL) != ARCHIVE_OK)
		rc = err_set(err, ERR_INVALID, "is not a tar archive: %s", archive_error_string(a));
	else
		rc = read_entries(a, u, p, err);
	if (source.rc < 0) {
		err_clear(err);		/* the writer knows better what broke */
		return source.rc;
	}
	if (rc == 0)
		rc = drain(&source);
	if (rc == 0)
		*ret_size = placer_bytes(p);
	return rc;
}

int unpack_run(const struct unpack *options, uint64_t *ret_size, struct err *err)
{
	struct charset charset;
	int rc;

	charset_utf8(&charset);
	rc = run(options, ret_size, err);
	charset_restore(&charset);
	return rc;
}
