/*
 * buf - a growing byte buffer, always NUL-terminated.
 */
#include "compat/base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "compat/base/str.h"

char *buf_room(struct buf *b, size_t len)
{
	if (len >= b->cap - b->len || !b->data) {
		size_t want, cap = b->cap ? b->cap : 64;

		if (len > SIZE_MAX / 4 - b->len)
			abort();
		want = b->len + len + 1;
		while (cap < want)
			cap *= 2;
		b->data = xrealloc(b->data, cap);
		b->cap = cap;
		b->data[b->len] = '\0';
	}
	return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	char *p = buf_room(b, len);

	if (len)
		memcpy(p, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_char(struct buf *b, char c)
{
	char *p = buf_room(b, 1);

	p[0] = c;
	p[1] = '\0';
	b->len++;
}

void buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
	char *p = buf_room(b, 60);
	size_t room = b->cap - b->len;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(p, room, fmt, ap);
	if (n < 0)
		abort();
	if ((size_t)n >= room) {
		p = buf_room(b, (size_t)n);
		(void)vsnprintf(p, (size_t)n + 1, fmt, again);
	}
	va_end(again);
	b->len += (size_t)n;
}

void buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(b, fmt, ap);
	va_end(ap);
}

void buf_drop(struct buf *b, size_t len)
{
	if (!len)
		return;
	if (len > b->len)
		len = b->len;
	memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
	b->data[b->len] = '\0';
}

char *buf_take(struct buf *b)
{
	char *data;

	(void)buf_room(b, 0);
	data = b->data;
	*b = BUF_INIT;
	return data;
}

const char *buf_cstr(const struct buf *b)
{
	return b->data ? b->data : "";
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data)
		b->data[0] = '\0';
}

void buf_clear(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT;
}

int buf_read_fd(struct buf *b, int fd, size_t max, const char *what, struct err *err)
{
	size_t start = b->len, step = 4096;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		if ((uint64_t)st.st_size > max)
			return err_set(err, ERR_TOO_LARGE, "read %s: over %zu bytes", what, max);
		step = (size_t)st.st_size + 1;
	}
	for (;;) {
		char *p = buf_room(b, step);
		ssize_t n = read(fd, p, b->cap - b->len - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read %s", what);
		if (n == 0)
			return 0;
		b->len += (size_t)n;
		b->data[b->len] = '\0';
		if (b->len - start > max)
			return err_set(err, ERR_TOO_LARGE, "read %s: over %zu bytes", what, max);
		step = 4096;
	}
}
