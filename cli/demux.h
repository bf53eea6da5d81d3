/*
 * demux - frames of an attached container's output, to standard output and error.
 *
 * Consecutive frames of one stream are written with one write(): logs come as a frame for each line.
 */
#ifndef CLI_DEMUX_H
#define CLI_DEMUX_H

#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "runtime/api/stream.h"

struct demux {
	bool plain;			/* no frames: all is standard output */
	int fd[2];			/* where output and error go; -1: dropped */
	uint8_t head[API_FRAME_HEAD];
	size_t head_len;
	uint32_t left;			/* of the frame's bytes */
	int stream;
	int out_fd;			/* whose bytes are in out */
	struct buf out;
};

void demux_init(struct demux *d, bool plain);
void demux_clear(struct demux *d);
/* Take @len bytes of the connection and write out what they hold. -EPIPE: the reader of our output has gone. */
int demux_feed(struct demux *d, const uint8_t *data, size_t len, struct err *err);
/* At the end: whether a frame was cut. */
bool demux_is_amid_frame(const struct demux *d);

#endif
