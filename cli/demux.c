/*
 * demux.c - see demux.h
 */
#include "cli/demux.h"

#include <unistd.h>

#include "compat/base/fd.h"

enum { FLUSH_AT = 256 << 10 };

void demux_init(struct demux *d, bool plain)
{
	*d = (struct demux){.plain = plain, .fd = {STDOUT_FILENO, STDERR_FILENO}, .out_fd = -1};
}

void demux_clear(struct demux *d)
{
	buf_clear(&d->out);
}

static int write_out(int fd, const void *data, size_t len, struct err *err)
{
	int rc = fd < 0 ? 0 : fd_write_all(fd, data, len);

	return rc < 0 ? err_sys(err, -rc, "write the container's output") : 0;
}

static int flush(struct demux *d, struct err *err)
{
	int rc = d->out.len ? write_out(d->out_fd, d->out.data, d->out.len, err) : 0;

	buf_reset(&d->out);
	return rc;
}

/* Bytes of the present frame. Large runs go out as they are. */
static int put(struct demux *d, const uint8_t *data, size_t len, struct err *err)
{
	int fd = d->fd[d->stream > API_STREAM_STDOUT];
	int rc = 0;

	if (fd != d->out_fd || d->out.len + len > FLUSH_AT)
		rc = flush(d, err);
	d->out_fd = fd;
	if (rc)
		return rc;
	if (len >= FLUSH_AT / 4) {
		rc = flush(d, err);
		return rc ? rc : write_out(fd, data, len, err);
	}
	buf_add(&d->out, data, len);
	return 0;
}

static int take_head(struct demux *d, const uint8_t **p, const uint8_t *end, struct err *err)
{
	while (*p < end && d->head_len < API_FRAME_HEAD)
		d->head[d->head_len++] = *(*p)++;
	if (d->head_len < API_FRAME_HEAD)
		return 0;
	if (d->head[0] > API_STREAM_SYSTEM_ERROR || d->head[1] || d->head[2] || d->head[3])
		return err_set(err, ERR_UNAVAILABLE, "the container's output has a bad frame");
	d->stream = d->head[0];
	d->left = api_frame_len(d->head);
	d->head_len = 0;
	return 0;
}

int demux_feed(struct demux *d, const uint8_t *data, size_t len, struct err *err)
{
	const uint8_t *p = data, *end = data + len;
	int rc = 0;

	if (d->plain)
		return write_out(d->fd[0], data, len, err);
	while (!rc && p < end) {
		size_t n = (size_t)(end - p) < d->left ? (size_t)(end - p) : d->left;

		if (!n) {
			rc = take_head(d, &p, end, err);
			continue;
		}
		rc = put(d, p, n, err);
		p += n;
		d->left -= (uint32_t)n;
	}
	return rc ? rc : flush(d, err);
}

bool demux_is_amid_frame(const struct demux *d)
{
	return d->head_len || d->left;
}
