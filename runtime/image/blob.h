/*
 * blob - inside of image: contents on disk by digest
 *
 * A blob grows in partial/HEX, from where a broken download goes on, and moves to blobs/sha256/HEX when the image that
 * it belongs to is recorded. What came plain from an archive lies packed beside: HEX.zst, a zstd stream of the content
 * that HEX names. There is one of the two; the plain one wins.
 */
#ifndef RUNTIME_IMAGE_BLOB_H
#define RUNTIME_IMAGE_BLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "runtime/image/digest.h"

#define BLOBS_DIR   "blobs/sha256"
#define PARTIAL_DIR "partial"
#define PARTIAL_AGE_SECONDS (7 * 24 * 3600)

/* @dirfd is HOME/image in all calls. */

/* A file that grows; its digest is taken on the way. */
struct blob_writer;

/*
 * Go on with what came of @digest from @source before, or begin: partial/HEX-SOURCE, so that one source neither waits for another nor gets
 * its bytes. The whole blob of @size bytes that another left counts. What is there is read once, given to @sink (may be NULL) and digested.
 */
typedef int (*blob_sink)(void *arg, const void *data, size_t len);
int blob_resume(int dirfd, const char *digest, const char *source, uint64_t size, blob_sink sink, void *arg,
		struct blob_writer **ret, struct err *err);
/*
 * A new one whose digest is not known yet. @pack: store it packed, quickly; where that cannot be done it is stored as it
 * is. @digest: take the digest of what is written; else the caller does, and says it in the end.
 */
int blob_begin(int dirfd, uint64_t number, bool pack, bool digest, struct blob_writer **ret, struct err *err);
int blob_write(struct blob_writer *w, const void *data, size_t len, struct err *err);
uint64_t blob_size(const struct blob_writer *w);	/* of what was written, plain */
/* Start over: what was written is wrong or cannot be continued. */
int blob_restart(struct blob_writer *w, struct err *err);
/* Of what was written so far. */
void blob_digest(const struct blob_writer *w, char ret[DIGEST_SIZE]);
/*
 * The digest of all, which is @known to the caller or NULL; its file is partial/HEX or partial/HEX.zst from now on, and no more the
 * writer's: others may count on it.
 */
int blob_finish(struct blob_writer *w, const char *known, char ret[DIGEST_SIZE], struct err *err);
/* Leaves the unfinished file when @keep. */
void blob_writer_free(struct blob_writer *w, bool keep);

/* Small ones at once. */
int blob_put(int dirfd, const void *data, size_t len, char ret[DIGEST_SIZE], struct err *err);

/* partial/ -> blobs/. One that is there already is fine. */
int blob_settle(int dirfd, const char *digest, struct err *err);
/* From either place; ERR_NOT_FOUND. *ret_packed (may be NULL): its bytes are a zstd stream of the content. */
int blob_open(int dirfd, const char *digest, int *ret_fd, bool *ret_packed, struct err *err);
/* Read it to its end: is it what @digest says? */
int blob_check(int dirfd, const char *digest, struct err *err);
/* Is it there, with the @size of its content as far as that shows without reading? */
bool blob_is_sound(int dirfd, const char *digest, uint64_t size);
/* Whole and checked; of a blob that is not packed. */
int blob_read(int dirfd, const char *digest, size_t max, struct buf *ret, struct err *err);
bool blob_exists(int dirfd, const char *digest);	/* settled */
void blob_remove(int dirfd, const char *digest);	/* from both places */
void blob_drop(int dirfd, const char *digest);		/* the settled one */

#endif
