/*
 * log - lines for the person who runs the program. Only main(), request handlers and the shim call it.
 */
#ifndef COMPAT_BASE_LOG_H
#define COMPAT_BASE_LOG_H

#include "compat/base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* One line to standard error (or the fd given to log_open): time, level, message. One write() a line: thread safe. */
void log_open(int fd, enum log_level level, const char *program);
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
