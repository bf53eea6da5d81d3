/*
 * writer - between the line splitter and the drivers that keep the lines. Private to runtime/log.
 */
#ifndef RUNTIME_LOG_WRITER_H
#define RUNTIME_LOG_WRITER_H

#include "runtime/log/log_driver.h"

struct log_writer;

struct log_ops {
	const char *name;
	bool reads;	/* `logs` works */
	/* Everything that @opts may hold, and whether the values make sense. */
	int (*check)(const struct strmap *opts, struct err *err);
	/* Sets w->state. */
	int (*open)(struct log_writer *w, struct err *err);
	/* One line without its newline; @whole says whether it had one. The record may wait until flush. */
	void (*record)(struct log_writer *w, enum log_stream stream, const char *line, size_t len, bool whole,
		       int64_t now_ns);
	void (*flush)(struct log_writer *w);
	int (*reopen)(struct log_writer *w, struct err *err);
	void (*trim)(struct log_writer *w);
	struct log_position (*position)(const struct log_writer *w);
	void (*close)(struct log_writer *w);
};

/* What waits for its newline. */
struct log_carry {
	char *data;		/* LOG_LINE_MAX bytes, or NULL */
	size_t len;
	bool partial;		/* records of this line were already written, at: */
	int64_t partial_ns;
};

struct log_writer {
	const struct log_ops *ops;
	void *state;		/* the driver's */
	struct log_config config;
	struct log_counts counts;
	struct log_carry carry[2];
};

extern const struct log_ops log_json_ops, log_none_ops;

/* json-file's numbers; -1 and 1 when not given. */
int log_json_limits(const struct strmap *opts, int64_t *ret_max_bytes, int *ret_max_files, struct err *err);

/* ERR_INVALID, or ERR_UNSUPPORTED for the drivers that docker has and we have not. */
int log_ops_find(const char *name, const struct log_ops **ret, struct err *err);

#endif
