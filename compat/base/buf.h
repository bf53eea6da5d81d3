/*
 * buf - a growing byte buffer, always NUL-terminated.
 */
#ifndef COMPAT_BASE_BUF_H
#define COMPAT_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"

struct buf {
	char *data;	/* NULL only before the first byte */
	size_t len, cap;
};

#define BUF_INIT ((struct buf){0})

void buf_add(struct buf *b, const void *data, size_t len);
static inline void buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}
void buf_char(struct buf *b, char c);
void buf_fmt(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vfmt(struct buf *b, const char *fmt, va_list ap);
/* Room for @len more bytes; returns where they go. The caller adds to len what it filled. */
char *buf_room(struct buf *b, size_t len);
void buf_drop(struct buf *b, size_t len);	/* from the front */
char *buf_take(struct buf *b);			/* owned string, never NULL; b is empty after */
const char *buf_cstr(const struct buf *b);	/* never NULL */
void buf_reset(struct buf *b);			/* keeps the memory */
void buf_clear(struct buf *b);
DEFINE_AUTO_CLEAR(buf_clear, struct buf)

/* Read @fd to its end; over @max bytes is ERR_TOO_LARGE. @what names the object in messages. */
int buf_read_fd(struct buf *b, int fd, size_t max, const char *what, struct err *err);

#endif
