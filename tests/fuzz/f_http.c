/*
 * f_http - what a daemon may answer to the command line program: heads, bodies in all framings, frames and lines in them
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/demux.h"
#include "cli/http.h"
#include "cli/progress.h"
#include "compat/base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_frames(const struct buf *body)
{
	struct demux d;
	struct err err = ERR_INIT;

	demux_init(&d, false);
	d.fd[0] = d.fd[1] = -1;
	(void)demux_feed(&d, (const uint8_t *)buf_cstr(body), body->len, &err);
	demux_clear(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(http_close) struct http *http = NULL;
	struct err err = ERR_INIT;
	int pair[2];

	/* All of it fits into the socket's buffer. */
	if (size > 32768 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	http = http_adopt(pair[0]);
	(void)fd_write_all(pair[1], data, size);
	close(pair[1]);
	for (int i = 0; i < 4; i++) {
		AUTO(buf_clear) struct buf body = BUF_INIT;
		struct http_answer answer;

		if (http_receive(http, &answer, &err) < 0)
			return 0;
		if (answer.status == 200 && strcmp(answer.content_type, "application/json") == 0) {
			AUTO(progress_free) struct progress *p = progress_new(-1);

			if (progress_read(p, http, &err) < 0)
				return 0;
			continue;
		}
		if (http_read_all(http, 1 << 20, &body, &err) < 0)
			return 0;
		read_frames(&body);
	}
	return 0;
}
