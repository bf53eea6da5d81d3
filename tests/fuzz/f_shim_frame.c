/*
 * f_shim_frame - bytes on a shim's socket, in the pieces in which they happen to come
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "runtime/shim/detach.h"
#include "runtime/shim/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct json_table *const tables[] = {
	&shim_options_table, &shim_reply_table,	 &shim_failure_table, &shim_attach_table, &shim_exec_table, &shim_spawn_table,
	&shim_target_table,  &shim_exit_table,	 &shim_state_table,   &shim_event_table,
};

static void parse_head(const struct shim_frame *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		void *value = calloc(1, tables[i]->size);
		struct err err = ERR_INIT;

		if (json_parse(tables[i], f->head, f->head_len, 0, "head", value, &err) == 0)
			json_clear(tables[i], value);
		free(value);
	}
}

/* The first byte says how large the pieces are and whether descriptors come with them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct shim_input in = {0};
	struct err err = ERR_INIT;
	struct detach keys;
	int pair[2], rc = 0;

	if (size < 2 || size > 60000 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return 0;
	for (size_t at = 1; at < size && rc >= 0;) {
		size_t n = 1 + (size_t)data[0] * 8;
		struct shim_frame f;
		int fds[] = {pair[0], pair[1]};

		if (n > size - at)
			n = size - at;
		(void)fd_send(pair[0], data + at, n, fds, at == 1 ? data[0] % 3 : 0);
		at += n;
		if (shim_input_fill(&in, pair[1]) < 0)
			break;
		while ((rc = shim_input_next(&in, &f, &err)) > 0) {
			parse_head(&f);
			shim_frame_close(&f);
		}
	}
	shim_input_clear(&in);
	close(pair[0]);
	close(pair[1]);
	if (size < 100) {
		char *text = strndup((const char *)data, size);
		struct buf out = BUF_INIT;

		if (detach_parse(text, &keys, &err) == 0)
			(void)detach_filter(&keys, data, size, &out);
		buf_clear(&out);
		free(text);
	}
	return 0;
}
