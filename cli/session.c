/*
 * session.c - see session.h
 *
 * One loop over standard input, the connection and the signal pipe. What goes to the container waits in a buffer while the
 * connection has no room, and standard input is not read meanwhile; what comes from it is written at once, so a slow
 * reader of our output slows the container down and costs no memory.
 */
#include "cli/session.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/demux.h"
#include "cli/terminal.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"

enum { CHUNK = 256 << 10, INPUT_CHUNK = 64 << 10, FORCE_AFTER = 3 };

struct loop {
	struct cli *cli;
	struct session *session;
	struct demux demux;
	struct buf to_container;	/* read but not sent */
	uint8_t *chunk;
	size_t matched;			/* of the detach keys */
	int interrupts;			/* SIGINT and SIGTERM passed on */
	bool stdin_open, ended, detached;
};

void session_clear(struct session *s)
{
	free(s->resize_path);
	free(s->kill_path);
	*s = (struct session){0};
}

int session_check_tty(bool tty, bool use_stdin, struct err *err)
{
	if (tty && use_stdin && !isatty(STDIN_FILENO))
		return err_set(err, ERR_INVALID, "the input device is not a TTY");
	return 0;
}

int session_prepare(struct session *s, struct err *err)
{
	bool raw = s->tty && s->use_stdin && isatty(STDIN_FILENO);
	int unused, rc = terminal_signals(s->kill_path && !raw, &unused, err);

	if (!rc && raw)
		rc = terminal_raw(STDIN_FILENO, err);
	return rc;
}

void session_resize(struct cli *cli, const struct session *s)
{
	uint32_t rows, cols;
	auto_free char *path = NULL;

	if (!s->tty || !s->resize_path || (!terminal_size(STDOUT_FILENO, &rows, &cols) &&
					   !terminal_size(STDIN_FILENO, &rows, &cols)))
		return;
	path = xfmt("%s?h=%u&w=%u", s->resize_path, rows, cols);
	(void)cli_post(cli, path, NULL);
}

/* ---- signals ---- */

static void pass_on(struct loop *l, int sig)
{
	const char *name = signal_name(sig);
	auto_free char *path = name ? xfmt("%s?signal=%s", l->session->kill_path, name)
				    : xfmt("%s?signal=%d", l->session->kill_path, sig);

	/* The container may have just ended. */
	(void)cli_post(l->cli, path, NULL);
}

static int on_signals(struct loop *l, int fd, struct err *err)
{
	unsigned char sig;

	while (read(fd, &sig, 1) == 1) {
		if (sig == SIGWINCH) {
			session_resize(l->cli, l->session);
			continue;
		}
		if (l->session->kill_path)
			pass_on(l, sig);
		if ((sig == SIGINT || sig == SIGTERM) && ++l->interrupts >= FORCE_AFTER)
			return err_set(err, ERR_CANCELED,
				       "got %d signals to end; the container is left to itself",
				       FORCE_AFTER);
	}
	return 0;
}

/* ---- to the container ---- */

/* Keys that begin the detach sequence are held back until they are known not to be it. */
static void take_keys(struct loop *l, const uint8_t *keys, size_t n)
{
	const struct api_detach_keys *d = &l->session->detach;

	for (size_t i = 0; i < n && !l->detached; i++) {
		if (d->n && keys[i] == d->key[l->matched]) {
			if (++l->matched == d->n)
				l->detached = true;
			continue;
		}
		buf_add(&l->to_container, d->key, l->matched);
		l->matched = d->n && keys[i] == d->key[0];
		if (!l->matched)
			buf_char(&l->to_container, (char)keys[i]);
		else if (d->n == 1)
			l->detached = true;
	}
}

static void read_stdin(struct loop *l)
{
	uint8_t *p;
	ssize_t n;

	if (!l->session->tty) {
		p = (uint8_t *)buf_room(&l->to_container, INPUT_CHUNK);
		n = read(STDIN_FILENO, p, INPUT_CHUNK);
		if (n > 0)
			l->to_container.len += (size_t)n;
	} else {
		n = read(STDIN_FILENO, l->chunk, INPUT_CHUNK);
		if (n > 0)
			take_keys(l, l->chunk, (size_t)n);
	}
	/* Whatever the reason is for which no more can be read: the container sees the end. */
	if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		l->stdin_open = false;
}

static void send_input(struct loop *l)
{
	while (l->to_container.len) {
		ssize_t n = http_raw_write(l->session->http, l->to_container.data, l->to_container.len);

		if (n == -EAGAIN)
			return;
		if (n < 0) {
			/* The container does not read any more; its output may still come. */
			buf_reset(&l->to_container);
			l->stdin_open = false;
			return;
		}
		buf_drop(&l->to_container, (size_t)n);
	}
}

/* ---- from the container ---- */

static int receive_output(struct loop *l, struct err *err)
{
	do {
		ssize_t n = http_raw_read(l->session->http, l->chunk, CHUNK);
		int rc;

		if (n == -EAGAIN)
			return 0;
		if (n <= 0) {
			l->ended = true;
			return n == 0 || n == -ECONNRESET ? 0
				: err_sys(err, (int)-n, "receive the container's output");
		}
		rc = demux_feed(&l->demux, l->chunk, (size_t)n, err);
		if (rc)
			return rc;
	} while (http_has_pending(l->session->http));
	return 0;
}

static int turn(struct loop *l, int signals, bool *shut, struct err *err)
{
	struct pollfd fds[3] = {
		{.fd = http_fd(l->session->http), .events = POLLIN},
		{.fd = signals, .events = POLLIN},
		{.fd = -1, .events = POLLIN},
	};
	int rc = 0;

	if (l->to_container.len)
		fds[0].events |= POLLOUT;
	else if (l->stdin_open)
		fds[2].fd = STDIN_FILENO;
	if (poll(fds, 3, http_has_pending(l->session->http) ? 0 : -1) < 0 && errno != EINTR)
		return err_sys(err, errno, "wait for input and output");
	if (fds[1].revents)
		rc = on_signals(l, signals, err);
	if (!rc && fds[2].revents)
		read_stdin(l);
	if (l->to_container.len)
		send_input(l);
	if (!l->stdin_open && !l->to_container.len && !*shut && l->session->use_stdin) {
		http_shutdown_write(l->session->http);
		*shut = true;
	}
	if (!rc && (fds[0].revents & ~POLLOUT || http_has_pending(l->session->http)))
		rc = receive_output(l, err);
	return rc;
}

int session_run(struct cli *cli, struct session *s, struct err *err)
{
	struct loop l = {.cli = cli, .session = s, .stdin_open = s->use_stdin};
	bool shut = false;
	int signals, rc;

	rc = terminal_signals(false, &signals, err);
	if (rc)
		return rc;
	demux_init(&l.demux, s->tty);
	l.chunk = xcalloc(1, CHUNK);
	rc = http_set_nonblock(s->http);
	if (rc < 0)
		err_sys(err, -rc, "set up the connection");
	while (!rc && !l.ended && !l.detached)
		rc = turn(&l, signals, &shut, err);
	terminal_restore();
	demux_clear(&l.demux);
	buf_clear(&l.to_container);
	free(l.chunk);
	if (rc == -EPIPE) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	return rc ? rc : l.detached ? SESSION_DETACHED : SESSION_ENDED;
}
