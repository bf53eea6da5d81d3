/*
 * none - the log driver that keeps nothing
 */
#include <string.h>

#include "compat/base/str.h"
#include "runtime/log/writer.h"

static int none_check(const struct strmap *opts, struct err *err)
{
	if (opts->n)
		return err_set(err, ERR_INVALID, "log driver none has no option '%s'", opts->v[0].key);
	return 0;
}

static int none_open(struct log_writer *w, struct err *err)
{
	return 0;
}

static void none_record(struct log_writer *w, enum log_stream stream, const char *line, size_t len, bool whole,
			int64_t now_ns)
{
}

static void none_nothing(struct log_writer *w)
{
}

static int none_reopen(struct log_writer *w, struct err *err)
{
	return err_set(err, ERR_INVALID, "log driver none has no file to open again");
}

static struct log_position none_position(const struct log_writer *w)
{
	return (struct log_position){0, 0};
}

const struct log_ops log_none_ops = {
	.name = "none",
	.reads = false,
	.check = none_check,
	.open = none_open,
	.record = none_record,
	.flush = none_nothing,
	.reopen = none_reopen,
	.trim = none_nothing,
	.position = none_position,
	.close = none_nothing,
};
