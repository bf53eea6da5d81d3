/*
 * log_driver - where a container's output goes, and how it is read back.
 *
 * The writer runs in the shim: it takes what the container wrote, cuts it into lines and hands them to a driver. The
 * reader runs in the daemon and reads the files while they are written and rotated; it needs nothing from the writer.
 *
 * json-file: one JSON object a line in PATH, as docker writes it:
 *	{"log":"text\n","stream":"stdout","attrs":{"tag":"x"},"time":"2024-01-02T03:04:05.123456789Z"}
 * A line over 16 KiB becomes several records; all but its last lack the "\n", and all carry the time of the first. Output
 * that ends without a newline is a record without one. Rotated files are PATH.1 (youngest) to PATH.(max-file - 1).
 * none: output is dropped.
 */
#ifndef RUNTIME_LOG_LOG_DRIVER_H
#define RUNTIME_LOG_LOG_DRIVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"
#include "compat/base/json.h"
#include "compat/base/vec.h"

enum log_stream { LOG_STDOUT = 1, LOG_STDERR = 2 };	/* numbers of docker's stream frames */

#define LOG_LINE_MAX 16384	/* a longer line is cut into partial records */

/* ---- configuration ---- */

struct log_config {
	char *driver;		/* NULL or "": "json-file" */
	char *path;		/* json-file: absolute path of the youngest file */
	struct strmap opts;	/* --log-opt: max-size, max-file, mode, labels, env, env-regex, labels-regex, tag */
	struct strmap attrs;	/* what every record carries; from log_config_attrs() */
};

extern const struct json_table log_config_table;

/*
 * Check a driver's name and options as `create` gives them. ERR_INVALID names the bad option; ERR_UNSUPPORTED names what is
 * missing (other drivers, compress, mode=non-blocking).
 */
int log_config_check(const char *driver, const struct strmap *opts, struct err *err);

/* Does `logs` work with this driver? */
bool log_driver_reads(const char *driver);

/* What the options labels, env and tag choose from. Borrowed. */
struct log_subject {
	const char *id, *name;		/* name without a slash */
	const char *image_id, *image_name;
	const char *daemon_name;	/* "pouch" */
	const struct strmap *labels;
	const struct strv *env;		/* "KEY=value" */
};

/*
 * The attributes of every record: chosen labels and environment variables, and the tag, whose template knows {{.ID}} {{.FullID}}
 * {{.Name}} {{.ImageID}} {{.ImageFullID}} {{.ImageName}} {{.DaemonName}}. ERR_INVALID on another template or a bad pattern.
 */
int log_config_attrs(const struct strmap *opts, const struct log_subject *subject, struct strmap *ret,
		     struct err *err);

/* ---- writer ---- */

struct log_writer;

struct log_counts {
	uint64_t records, bytes;	/* in the log's files; bytes as they stand there */
	uint64_t dropped_records, dropped_bytes;	/* lost to a full or failing disk */
	uint64_t errors;		/* failed writes and rotations */
	int last_error;			/* errno of the last failure; 0 after a success */
};

/*
 * Opens (creates with mode 0640) the file; a torn last line of a crashed host is closed with a newline. @config is copied.
 */
int log_writer_open(const struct log_config *config, struct log_writer **ret, struct err *err);

/*
 * Take @len bytes that were read from @stream at @now_ns. Whole lines are in the file when it returns (one write() a
 * batch); the rest waits for its newline, at most LOG_LINE_MAX bytes a stream. Never blocks for ever and never fails: what a full
 * disk refuses is counted in log_counts and dropped, on a record's boundary, and the next call tries again.
 */
void log_writer_add(struct log_writer *w, enum log_stream stream, const void *data, size_t len,
		    int64_t now_ns);
/* The stream ended: what waits for a newline is written without one. */
void log_writer_end(struct log_writer *w, enum log_stream stream, int64_t now_ns);
/* Give up buffers that an idle container does not need. */
void log_writer_trim(struct log_writer *w);
/* Open PATH again, after somebody else has moved it. The old file stays in use when that fails. */
int log_writer_reopen(struct log_writer *w, struct err *err);
/* Where the next record will go: for log_read_options.end. {0, 0} with the none driver. */
struct log_position {
	uint64_t inode, offset;
};
struct log_position log_writer_position(const struct log_writer *w);
/* What waits for its newline, and so is not in the file yet. Borrowed until the next call on @w. */
size_t log_writer_pending(const struct log_writer *w, enum log_stream stream, const char **ret_data);
const struct log_counts *log_writer_counts(const struct log_writer *w);
void log_writer_free(struct log_writer *w);
DEFINE_AUTO(log_writer_free, struct log_writer *)

/* ---- reader ---- */

struct log_read_options {
	const char *path;		/* the youngest file; its rotated siblings are found */
	bool want_stdout, want_stderr;
	int64_t since_ns, until_ns;	/* 0: no bound; both inclusive */
	int64_t tail;			/* last records of all files, before the other filters; negative: all */
	bool follow;
	bool timestamps;		/* RFC 3339 with nine digits and a space before each line */
	bool details;			/* "k=v,k=v " after it */
	bool multiplexed;		/* docker's 8-byte frames; false: raw text (terminals) */
	struct log_position end;	/* inode 0: none; else stop there (with follow: follow no further) */
};

struct log_reader;

/* ERR_NOT_FOUND when there is no file (the container was never started): the caller decides whether that is empty. */
int log_reader_open(const struct log_read_options *options, struct log_reader **ret, struct err *err);

/*
 * Fill @dst with what comes next, whole frames and at least one when @size is LOG_READ_MIN or more. Returns the bytes,
 * 0 at the end, -EAGAIN when @timeout_ms passed with nothing new (follow; negative waits for ever), or -errno with @err.
 * Lines that are not records (torn, not JSON) are left out.
 */
#define LOG_READ_MIN 131072
ssize_t log_reader_read(struct log_reader *r, void *dst, size_t size, int timeout_ms, struct err *err);

/* The container has stopped: what is in the files is still delivered, then the end. From any thread. */
void log_reader_stop(struct log_reader *r);
/* The client has gone: the next or the waiting log_reader_read() returns 0 at once. From any thread. */
void log_reader_cancel(struct log_reader *r);
void log_reader_free(struct log_reader *r);
DEFINE_AUTO(log_reader_free, struct log_reader *)

#endif
