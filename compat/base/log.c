/*
 * log - lines for the person who runs the program.
 */
#include "compat/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

enum { LINE_MAX_BYTES = 2048 };

/* Set once by main() before threads. */
static struct {
	int fd;
	enum log_level level;
	char program[32];
} sink = {.fd = STDERR_FILENO, .level = LOG_LEVEL_INFO};

void log_open(int fd, enum log_level level, const char *program)
{
	sink.fd = fd;
	sink.level = level;
	(void)snprintf(sink.program, sizeof(sink.program), "%s", program);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	char line[LINE_MAX_BYTES], stamp[TIME_RFC3339_SIZE];
	int saved = errno;
	va_list ap;
	size_t n;
	int m;

	if (level > sink.level)
		return;
	time_rfc3339(stamp, time_now_ns());
	/* Milliseconds are enough for a person. */
	n = (size_t)snprintf(line, sizeof(line), "%.23sZ %-7s %s%s", stamp, names[level],
			     sink.program, *sink.program ? ": " : "");
	va_start(ap, fmt);
	m = vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
	va_end(ap);
	if (m < 0)
		return;
	if ((size_t)m >= sizeof(line) - n - 1) {
		m = (int)(sizeof(line) - n - 2);
		memcpy(line + n + m - 3, "...", 3);
	}
	/* What a client sent must not forge a second line. */
	str_make_printable(line + n, ' ');
	n += (size_t)m;
	line[n++] = '\n';
	(void)fd_write_all(sink.fd, line, n);	/* there is nobody left to tell */
	errno = saved;
}
