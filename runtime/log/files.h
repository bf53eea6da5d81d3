/*
 * files - the files of one log, from the oldest to the youngest, while somebody rotates them. Private to runtime/log.
 *
 * A file is known by its inode: its name changes under the reader. What was opened can be read to its end, even when it is deleted.
 */
#ifndef RUNTIME_LOG_FILES_H
#define RUNTIME_LOG_FILES_H

#include "runtime/log/log_driver.h"

struct log_file {
	int fd;
	uint64_t inode, offset;	/* offset: of the next byte to read */
	int64_t mtime_s;
};

typedef VEC(struct log_file) log_file_vec;

/* All files that exist, oldest first, at offset 0. ERR_NOT_FOUND when there is none. */
int log_files_open(const char *path, log_file_vec *ret, struct err *err);
/* The next younger file after the one with @inode, or the oldest when that one is gone. 1 and @ret, 0 when it is the youngest. */
int log_files_next(const char *path, uint64_t inode, struct log_file *ret, struct err *err);
/* Drop files and set offsets so that the last @records lines remain. */
int log_files_tail(log_file_vec *files, uint64_t records, struct err *err);
void log_files_clear(log_file_vec *files);

#endif
