/*
 * record - one line of a json-file log, taken apart. Private to runtime/log.
 */
#ifndef RUNTIME_LOG_RECORD_H
#define RUNTIME_LOG_RECORD_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/log/log_driver.h"

struct log_record {
	enum log_stream stream;
	size_t text_len;	/* of the unescaped text */
	const char *time;	/* as it stands in the line, or NULL */
	size_t time_len;
	const char *attrs;	/* raw JSON object in the line, or NULL */
	size_t attrs_len;
};

/*
 * Parse the line [s, end), without its newline. The text is unescaped to @text, which has room for end - s bytes. Keys may come in any
 * order, unknown ones are skipped, so docker's own files can be read. Returns false when it is not such a record.
 */
bool log_record_parse(const char *s, const char *end, char *text, struct log_record *ret);

#endif
