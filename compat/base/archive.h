/*
 * archive - what libarchive's users share
 */
#ifndef COMPAT_BASE_ARCHIVE_H
#define COMPAT_BASE_ARCHIVE_H

#include <archive.h>

#include "compat/base/auto.h"

DEFINE_AUTO(archive_read_free, struct archive *)

/*
 * End an archive that failed, so that it does not look whole. Its write callback may be called once more and has to refuse: libarchive frees
 * its buffer only when it is closed. The archive itself is still to be freed.
 */
static inline void archive_write_abandon(struct archive *a)
{
	(void)archive_write_fail(a);
	(void)archive_write_close(a);
}

#endif
