/*
 * protocol - frames and field tables of the shim's socket
 */
#include "runtime/shim/protocol.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"

/* ---- tables ------------------------------------------------------------------------------------------------------------ */

#define F(S, member, type) JSON_FIELD(struct S, member, #member, type, JSON_OMIT_EMPTY)

static const struct json_field options_fields[] = {
	F(shim_options, id, JSON_STR),
	F(shim_options, bundle, JSON_STR),
	F(shim_options, runtime_root, JSON_STR),
	F(shim_options, runtime, JSON_STR),
	F(shim_options, runtime_args, JSON_STRV),
	F(shim_options, cgroup, JSON_STR),
	F(shim_options, exit_file, JSON_STR),
	F(shim_options, sync_exit, JSON_BOOL),
	JSON_SUB(struct shim_options, log, "log", JSON_OBJ, 0, &log_config_table),
	F(shim_options, tty, JSON_BOOL),
	F(shim_options, open_stdin, JSON_BOOL),
	F(shim_options, stdin_once, JSON_BOOL),
	F(shim_options, width, JSON_U32),
	F(shim_options, height, JSON_U32),
	F(shim_options, no_pivot, JSON_BOOL),
	F(shim_options, no_new_keyring, JSON_BOOL),
	F(shim_options, systemd_cgroup, JSON_BOOL),
	F(shim_options, entered, JSON_STRV),
};
const struct json_table shim_options_table = JSON_TABLE("options", struct shim_options, options_fields);

static const struct json_field spawn_fields[] = {
	F(shim_spawn, id, JSON_STR),
	F(shim_spawn, dir, JSON_STR),
	F(shim_spawn, kinds, JSON_STRV),
};
const struct json_table shim_spawn_table = JSON_TABLE("spawn", struct shim_spawn, spawn_fields);

static const struct json_field position_fields[] = {
	F(log_position, inode, JSON_U64),
	F(log_position, offset, JSON_U64),
};
static const struct json_table position_table = JSON_TABLE("position", struct log_position, position_fields);

static const struct json_field reply_fields[] = {
	F(shim_reply, pid, JSON_I32),
	F(shim_reply, session, JSON_U64),
	JSON_SUB(struct shim_reply, log, "log", JSON_OBJ, JSON_OMIT_EMPTY, &position_table),
};
const struct json_table shim_reply_table = JSON_TABLE("reply", struct shim_reply, reply_fields);

static const struct json_field failure_fields[] = {
	F(shim_failure, code, JSON_I32),
	F(shim_failure, kind, JSON_STR),
	F(shim_failure, message, JSON_STR),
};
const struct json_table shim_failure_table = JSON_TABLE("failure", struct shim_failure, failure_fields);

static const struct json_field attach_fields[] = {
	F(shim_attach, want_stdin, JSON_BOOL),
	F(shim_attach, want_stdout, JSON_BOOL),
	F(shim_attach, want_stderr, JSON_BOOL),
	F(shim_attach, detach_keys, JSON_STR),
	F(shim_attach, no_detach, JSON_BOOL),
	F(shim_attach, hold, JSON_BOOL),
};
const struct json_table shim_attach_table = JSON_TABLE("attach", struct shim_attach, attach_fields);

static const struct json_field exec_fields[] = {
	F(shim_exec, id, JSON_STR),
	F(shim_exec, process, JSON_RAW),
	F(shim_exec, tty, JSON_BOOL),
	F(shim_exec, want_stdin, JSON_BOOL),
	F(shim_exec, want_stdout, JSON_BOOL),
	F(shim_exec, want_stderr, JSON_BOOL),
	F(shim_exec, detach_keys, JSON_STR),
	F(shim_exec, no_detach, JSON_BOOL),
	F(shim_exec, detached, JSON_BOOL),
	F(shim_exec, width, JSON_U32),
	F(shim_exec, height, JSON_U32),
};
const struct json_table shim_exec_table = JSON_TABLE("exec", struct shim_exec, exec_fields);

static const struct json_field target_fields[] = {
	F(shim_target, exec, JSON_STR),	  F(shim_target, signal, JSON_I32), F(shim_target, all, JSON_BOOL),
	F(shim_target, width, JSON_U32),  F(shim_target, height, JSON_U32), F(shim_target, session, JSON_U64),
};
const struct json_table shim_target_table = JSON_TABLE("target", struct shim_target, target_fields);

static const struct json_field exec_state_fields[] = {
	F(shim_exec_state, id, JSON_STR),	 F(shim_exec_state, pid, JSON_I32),
	F(shim_exec_state, running, JSON_BOOL),	 F(shim_exec_state, exit_code, JSON_I32),
	F(shim_exec_state, finished, JSON_I64),
};
static const struct json_table exec_state_table = JSON_TABLE("exec state", struct shim_exec_state, exec_state_fields);

static const struct json_field exit_fields[] = {
	F(shim_exit, pid, JSON_I32),	     F(shim_exit, exit_code, JSON_I32),	 F(shim_exit, signal, JSON_I32),
	F(shim_exit, oom_killed, JSON_BOOL), F(shim_exit, started, JSON_I64),	 F(shim_exit, finished, JSON_I64),
	F(shim_exit, error, JSON_STR),	     F(shim_exit, log_dropped, JSON_U64),
};
const struct json_table shim_exit_table = JSON_TABLE("exit", struct shim_exit, exit_fields);

static const struct json_field state_fields[] = {
	F(shim_state, version, JSON_I32),
	F(shim_state, shim_pid, JSON_I32),
	F(shim_state, status, JSON_STR),
	F(shim_state, pid, JSON_I32),
	F(shim_state, oom_killed, JSON_BOOL),
	F(shim_state, started, JSON_I64),
	JSON_SUB(struct shim_state, exit, "exit", JSON_OBJP, JSON_OMIT_EMPTY, &shim_exit_table),
	JSON_SUB(struct shim_state, execs, "execs", JSON_VEC, JSON_OMIT_EMPTY, &exec_state_table),
	F(shim_state, clients, JSON_U32),
	F(shim_state, log_records, JSON_U64),
	F(shim_state, log_dropped, JSON_U64),
	F(shim_state, log_errors, JSON_U64),
	F(shim_state, log_error, JSON_STR),
};
const struct json_table shim_state_table = JSON_TABLE("state", struct shim_state, state_fields);

static const struct json_field event_fields[] = {
	F(shim_event, kind, JSON_I32),	    F(shim_event, time, JSON_I64),    F(shim_event, exec, JSON_STR),
	F(shim_event, pid, JSON_I32),	    F(shim_event, exit_code, JSON_I32), F(shim_event, session, JSON_U64),
	F(shim_event, reason, JSON_I32),    F(shim_event, error, JSON_STR),
	JSON_SUB(struct shim_event, exit, "exit", JSON_OBJP, JSON_OMIT_EMPTY, &shim_exit_table),
};
const struct json_table shim_event_table = JSON_TABLE("event", struct shim_event, event_fields);

static const char *const kind_names[ERR_KIND_COUNT] = {
	[ERR_INTERNAL] = "internal",	     [ERR_INVALID] = "invalid",	       [ERR_UNAUTHORIZED] = "unauthorized",
	[ERR_FORBIDDEN] = "forbidden",	     [ERR_NOT_FOUND] = "not-found",    [ERR_NOT_MODIFIED] = "not-modified",
	[ERR_CONFLICT] = "conflict",	     [ERR_TOO_LARGE] = "too-large",    [ERR_UNSUPPORTED] = "unsupported",
	[ERR_UNAVAILABLE] = "unavailable",   [ERR_CANCELED] = "canceled",      [ERR_NO_SPACE] = "no-space",
};

const char *shim_kind_name(enum err_kind kind)
{
	return kind < ERR_KIND_COUNT && kind_names[kind] ? kind_names[kind] : kind_names[ERR_INTERNAL];
}

enum err_kind shim_kind_parse(const char *name)
{
	for (int i = 0; i < ERR_KIND_COUNT; i++)
		if (str_eq(kind_names[i], name))
			return (enum err_kind)i;
	return ERR_INTERNAL;
}

/* ---- frames ------------------------------------------------------------------------------------------------------------ */

static void put16(char *p, uint32_t v)
{
	p[0] = (char)v;
	p[1] = (char)(v >> 8);
}

static void put32(char *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static uint32_t get16(const char *p)
{
	return (uint32_t)(unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8;
}

static uint32_t get32(const char *p)
{
	return get16(p) | get16(p + 2) << 16;
}

void shim_frame_print(struct buf *out, enum shim_type type, size_t fd_count, const struct json_table *table,
		      const void *value, const void *tail, size_t tail_len)
{
	size_t start = out->len, head_len;
	char *header;

	buf_room(out, SHIM_FRAME_SIZE);
	out->len += SHIM_FRAME_SIZE;
	if (table && value)
		json_print(table, value, 0, out);
	head_len = out->len - start - SHIM_FRAME_SIZE;
	header = out->data + start;
	put32(header, SHIM_MAGIC);
	put16(header + 4, type);
	put16(header + 6, (uint32_t)fd_count);
	put32(header + 8, (uint32_t)head_len);
	put32(header + 12, (uint32_t)tail_len);
	if (tail_len)
		buf_add(out, tail, tail_len);
}

ssize_t shim_input_fill(struct shim_input *in, int sock)
{
	enum { CHUNK = 16384, ROOM = ARRAY_SIZE(in->fds) };
	size_t want = CHUNK, count = ROOM;
	int fds[ROOM];
	ssize_t n;

	if (in->consumed) {
		buf_drop(&in->bytes, in->consumed);
		in->consumed = 0;
	}
	/* A large frame is read in large pieces once its header is known. */
	if (in->bytes.len >= SHIM_FRAME_SIZE && get32(in->bytes.data) == SHIM_MAGIC) {
		uint32_t head = get32(in->bytes.data + 8);

		if (head > CHUNK && head <= SHIM_HEAD_MAX)
			want = head < 262144 ? head : 262144;
	}
	n = fd_recv(sock, buf_room(&in->bytes, want), want, fds, &count);
	if (n < 0)
		return n;
	for (size_t i = 0; i < count; i++) {
		if (in->fd_count == ROOM) {
			close(fds[i]);
			n = -EPROTO;
			continue;
		}
		in->fds[in->fd_count++] = fds[i];
	}
	if (n > 0)
		in->bytes.len += (size_t)n;
	return n;
}

static int check_header(const char *p, struct shim_frame *f, struct err *err)
{
	if (get32(p) != SHIM_MAGIC)
		return err_set(err, ERR_INVALID, "not a shim frame");
	f->type = (enum shim_type)get16(p + 4);
	f->fd_count = get16(p + 6);
	f->head_len = get32(p + 8);
	f->tail_len = get32(p + 12);
	if (f->head_len > SHIM_HEAD_MAX || f->tail_len > SHIM_TAIL_MAX || f->fd_count > SHIM_FDS_MAX)
		return err_set(err, ERR_TOO_LARGE, "shim frame over its ceilings");
	return 0;
}

int shim_input_next(struct shim_input *in, struct shim_frame *ret, struct err *err)
{
	struct shim_frame f = {0};
	size_t total;

	if (in->consumed) {
		buf_drop(&in->bytes, in->consumed);
		in->consumed = 0;
	}
	if (in->bytes.len < SHIM_FRAME_SIZE)
		return 0;
	if (check_header(in->bytes.data, &f, err) < 0)
		return -EPROTO;
	total = SHIM_FRAME_SIZE + f.head_len + f.tail_len;
	if (in->bytes.len < total)
		return 0;
	if (f.fd_count > in->fd_count) {
		(void)err_set(err, ERR_INVALID, "shim frame without its file descriptors");
		return -EPROTO;
	}
	memcpy(f.fds, in->fds, f.fd_count * sizeof(int));
	in->fd_count -= f.fd_count;
	memmove(in->fds, in->fds + f.fd_count, in->fd_count * sizeof(int));
	f.head = in->bytes.data + SHIM_FRAME_SIZE;
	f.tail = f.head + f.head_len;
	in->consumed = total;
	*ret = f;
	return 1;
}

void shim_input_clear(struct shim_input *in)
{
	for (size_t i = 0; i < in->fd_count; i++)
		close(in->fds[i]);
	buf_clear(&in->bytes);
	*in = (struct shim_input){0};
}

void shim_frame_close(struct shim_frame *frame)
{
	for (size_t i = 0; i < frame->fd_count; i++)
		if (frame->fds[i] >= 0)
			close(frame->fds[i]);
	frame->fd_count = 0;
}
