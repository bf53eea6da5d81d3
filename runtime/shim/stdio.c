/*
 * stdio - a process's standard input and output: pipes or a terminal, the log, and the sessions that share them
 *
 * The output is read in large pieces into one buffer; from there it goes to the log and straight to each client. A session
 * whose client does not take it keeps a bounded copy; while one is full, nobody reads the output and the container waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/time.h"
#include "runtime/shim/keeper.h"

#define PIPE_BYTES_BUSY (1 << 20)	/* of a pipe that was once found full */
#define PIPE_BYTES	65536		/* what a pipe has from the kernel */
#define HANGUP_RETRY_MS 250

void io_init(struct io *io, struct keeper *k, struct exec *exec)
{
	*io = (struct io){.k = k, .exec = exec, .in.fd = -1, .out = {{.fd = -1}, {.fd = -1}}};
}

static void end_stream(struct io *io, size_t i)
{
	int fd = io->out[i].fd;

	if (fd < 0)
		return;
	loop_cancel(&io->k->loop, &io->hangup);
	loop_del(&io->k->loop, &io->out[i]);
	close(fd);
	if (!io->exec && io->k->log)
		log_writer_end(io->k->log, i ? LOG_STDERR : LOG_STDOUT, time_now_ns());
	if (io_has_output(io))
		return;
	if (io->exec)
		exec_io_ended(io->exec);
	else
		keeper_io_ended(io->k);
}

bool io_has_output(const struct io *io)
{
	return io->out[0].fd >= 0 || io->out[1].fd >= 0;
}

/* ---- output ------------------------------------------------------------------------------------------------------------ */

static void share(struct io *io, size_t i, const char *data, size_t len)
{
	enum log_stream stream = i ? LOG_STDERR : LOG_STDOUT;

	if (!io->exec)
		keeper_log(io->k, stream, data, len);
	/* A session that breaks takes itself out of the list. */
	for (size_t n = io->sessions.n; n > 0; n--)
		if (n <= io->sessions.n)
			session_send(io->sessions.v[n - 1], stream, data, len);
}

enum read_result { READ_MORE, READ_NONE, READ_HANGUP, READ_END };

static enum read_result read_once(struct io *io, size_t i)
{
	char *data = keeper_scratch(io->k);
	int fd = io->out[i].fd;
	ssize_t n = read(fd, data, SCRATCH_BYTES);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return READ_NONE;
	if (n < 0 && io->tty && !io->unbounded)
		return READ_HANGUP;
	if (n < 0)
		return READ_END;
	if (n == 0)
		return READ_END;
	if (n == PIPE_BYTES && !io->tty)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES_BUSY);	/* only for speed; 2.6.35 */
	share(io, i, data, (size_t)n);
	return READ_MORE;
}

static void set_out_events(struct io *io);

static void hangup_over(struct loop_timer *timer)
{
	set_out_events(container_of(timer, struct io, hangup));
}

static void out_ready(struct io *io, size_t i, uint32_t events)
{
	enum read_result got;

	if (io->tty && events & EPOLLOUT)
		io_put(io, NULL, 0);
	if (io->out[i].fd < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || io->out_blocked)
		return;
	got = read_once(io, i);
	if (got == READ_END) {
		end_stream(io, i);
		return;
	}
	if (got == READ_HANGUP)
		loop_after(&io->k->loop, &io->hangup, HANGUP_RETRY_MS, hangup_over);
	io_balance(io);
}

static void out0_ready(struct loop_source *source, uint32_t events)
{
	out_ready(container_of(source, struct io, out[0]), 0, events);
}

static void out1_ready(struct loop_source *source, uint32_t events)
{
	out_ready(container_of(source, struct io, out[1]), 1, events);
}

static void set_out_events(struct io *io)
{
	for (size_t i = 0; i < 2; i++) {
		uint32_t events = io->out_blocked ? 0 : EPOLLIN;

		if (io->tty && io->in_queue.len)
			events |= EPOLLOUT;
		if (io->hangup.at_ms)
			events = 0;
		loop_set(&io->k->loop, &io->out[i], events);
	}
}

void io_balance(struct io *io)
{
	bool full = false;

	VEC_EACH(s, &io->sessions)
		full |= session_is_full(*s);
	io->out_blocked = full && !io->unbounded;
	set_out_events(io);
}

void io_drain(struct io *io)
{
	io->unbounded = true;
	loop_cancel(&io->k->loop, &io->hangup);
	io_balance(io);
	for (size_t i = 0; i < 2; i++) {
		enum read_result got = READ_MORE;

		while (io->out[i].fd >= 0 && got == READ_MORE)
			got = read_once(io, i);
		if (got == READ_END)
			end_stream(io, i);
	}
}

/* ---- input ------------------------------------------------------------------------------------------------------------- */

static int in_fd(const struct io *io)
{
	return io->tty ? io->out[0].fd : io->in.fd;
}

static void in_shut(struct io *io)
{
	int fd = io->in.fd;

	buf_clear(&io->in_queue);
	io->in_close_after = false;
	if (fd < 0)
		return;
	loop_del(&io->k->loop, &io->in);
	close(fd);
}

static void set_in_events(struct io *io)
{
	bool blocked = io->in_queue.len >= IO_IN_MAX;

	if (io->tty)
		set_out_events(io);
	else
		loop_set(&io->k->loop, &io->in, io->in_queue.len ? EPOLLOUT : 0);
	if (blocked == io->in_blocked)
		return;
	io->in_blocked = blocked;
	VEC_EACH(s, &io->sessions)
		session_update(*s);
}

void io_put(struct io *io, const void *data, size_t len)
{
	int fd = in_fd(io);

	if (fd < 0)
		return;	/* nobody reads it: as a closed pipe would */
	if (len)
		buf_add(&io->in_queue, data, len);
	while (io->in_queue.len) {
		ssize_t n = write(fd, io->in_queue.data, io->in_queue.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && !io->tty) {
			in_shut(io);	/* EPIPE: the process has closed it */
			break;
		}
		if (n <= 0)
			break;
		buf_drop(&io->in_queue, (size_t)n);
	}
	if (!io->in_queue.len) {
		buf_clear(&io->in_queue);
		if (io->in_close_after)
			in_shut(io);
	}
	set_in_events(io);
}

static void in_ready(struct loop_source *source, uint32_t events)
{
	struct io *io = container_of(source, struct io, in);

	if (events & EPOLLERR && !(events & EPOLLOUT)) {
		in_shut(io);	/* the last reader has gone */
		set_in_events(io);
		return;
	}
	io_put(io, NULL, 0);
}

void io_close_in(struct io *io)
{
	if (io->tty || io->in.fd < 0)
		return;
	io->in_close_after = true;
	io_put(io, NULL, 0);
}

/* ---- opening ----------------------------------------------------------------------------------------------------------- */

static int open_pipe(int *ret_ours, int *ret_theirs, bool they_write, struct err *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	*ret_ours = fds[they_write ? 0 : 1];
	*ret_theirs = fds[they_write ? 1 : 0];
	(void)fd_set_nonblock(*ret_ours, true);	/* cannot fail on a pipe */
	return 0;
}

int io_open_pipes(struct io *io, bool in, bool out, bool errs, struct io_ends *ret, struct err *err)
{
	static void (*const ready[])(struct loop_source *, uint32_t) = {in_ready, out0_ready, out1_ready};
	struct loop_source *const sources[] = {&io->in, &io->out[0], &io->out[1]};
	const bool wanted[] = {in, out, errs};
	int rc = 0, ours = -1;

	*ret = (struct io_ends){{-1, -1, -1}};
	for (size_t i = 0; i < 3 && rc == 0; i++) {
		if (!wanted[i])
			continue;
		rc = open_pipe(&ours, &ret->fd[i], i > 0, err);
		if (rc < 0)
			break;
		rc = loop_add(&io->k->loop, sources[i], ours, i ? EPOLLIN : 0, ready[i]);
		if (rc < 0) {
			close(ours);
			(void)err_sys(err, -rc, "wait for a pipe");
		}
	}
	if (rc < 0) {
		io_ends_close(ret);
		io_close(io);
	}
	return rc;
}

int io_open_terminal(struct io *io, int master, uint32_t width, uint32_t height, struct err *err)
{
	int rc = fd_set_nonblock(master, true);

	io->tty = true;
	if (rc == 0)
		rc = fd_set_cloexec(master, true);
	if (rc == 0)
		rc = loop_add(&io->k->loop, &io->out[0], master, EPOLLIN, out0_ready);
	if (rc < 0) {
		close(master);
		return err_sys(err, -rc, "wait for the terminal");
	}
	if (width && height)
		(void)io_resize(io, width, height);	/* it is a terminal: cannot fail */
	return 0;
}

void io_ends_close(struct io_ends *ends)
{
	for (size_t i = 0; i < 3; i++)
		if (ends->fd[i] >= 0)
			close(ends->fd[i]);
	*ends = (struct io_ends){{-1, -1, -1}};
}

bool io_resize(struct io *io, uint32_t width, uint32_t height)
{
	struct winsize size = {.ws_col = (unsigned short)width, .ws_row = (unsigned short)height};

	return io->tty && io->out[0].fd >= 0 && ioctl(io->out[0].fd, TIOCSWINSZ, &size) == 0;
}

void io_close(struct io *io)
{
	loop_cancel(&io->k->loop, &io->hangup);
	in_shut(io);
	for (size_t i = 0; i < 2; i++) {
		int fd = io->out[i].fd;

		loop_del(&io->k->loop, &io->out[i]);
		if (fd >= 0)
			close(fd);
	}
	while (io->sessions.n) {
		io->sessions.v[io->sessions.n - 1]->io = NULL;
		io->sessions.n--;
	}
	VEC_FREE(&io->sessions);
}
