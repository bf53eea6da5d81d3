/*
 * spawn.c - start a program; run one to its end
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

extern char **environ;

enum { OUTPUT_MAX = 1 << 20, FDS_MAX = 64 };

/*
 * A source may lie where a target will be put, and dup2() onto itself keeps O_CLOEXEC: copies above all targets have
 * neither problem.
 */
static int lift_sources(const struct proc_spawn *s, int *lifted, struct err *err)
{
	int top = 2;

	for (size_t i = 0; i < s->fd_count; i++)
		if (s->fds[i].to > top)
			top = s->fds[i].to;
	for (size_t i = 0; i < s->fd_count; i++) {
		if (s->fds[i].from > top)
			continue;
		lifted[i] = fcntl(s->fds[i].from, F_DUPFD_CLOEXEC, top + 1);
		if (lifted[i] < 0)
			return err_sys(err, errno, "duplicate fd %d", s->fds[i].from);
	}
	return 0;
}

static int add_actions(posix_spawn_file_actions_t *fa, const struct proc_spawn *s,
		       const int *lifted)
{
	bool mapped[3] = {false};
	int rc = 0;

	for (size_t i = 0; i < s->fd_count && !rc; i++) {
		const struct proc_fd *f = &s->fds[i];

		if (f->to >= 0 && f->to < 3)
			mapped[f->to] = true;
		rc = posix_spawn_file_actions_adddup2(fa, lifted[i] >= 0 ? lifted[i] : f->from,
						      f->to);
	}
	for (int fd = 0; fd < 3 && !rc; fd++)
		if (!mapped[fd])
			rc = posix_spawn_file_actions_addopen(fa, fd, "/dev/null",
							      fd ? O_WRONLY : O_RDONLY, 0);
	return rc;
}

/* A program starts with default signal actions and an empty mask, whatever this thread has. */
static int set_attributes(posix_spawnattr_t *attr, const struct proc_spawn *s)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	(void)posix_spawnattr_setsigmask(attr, &none);
	(void)posix_spawnattr_setsigdefault(attr, &all);
	if (s->new_session) {
#ifdef POSIX_SPAWN_SETSID
		flags |= POSIX_SPAWN_SETSID;
#else
		flags |= POSIX_SPAWN_SETPGROUP;
#endif
	}
	return posix_spawnattr_setflags(attr, flags);
}

int proc_spawn(const struct proc_spawn *s, pid_t *ret_pid, struct err *err)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	int lifted[FDS_MAX];
	pid_t pid;
	int rc;

	if (s->fd_count > FDS_MAX)
		return err_set(err, ERR_INVALID, "start '%s': over %d fds", s->path, FDS_MAX);
	memset(lifted, -1, sizeof(lifted));
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	rc = lift_sources(s, lifted, err);
	if (!rc) {
		rc = add_actions(&fa, s, lifted);
		if (!rc)
			rc = set_attributes(&attr, s);
		if (!rc)
			rc = (strchr(s->path, '/') ? posix_spawn : posix_spawnp)(
				&pid, s->path, &fa, &attr, s->argv, s->env ? s->env : environ);
		if (rc)
			rc = err_sys(err, rc, "start '%s'", s->path);
	}
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	for (size_t i = 0; i < s->fd_count; i++)
		auto_close_fn(&lifted[i]);
	if (!rc)
		*ret_pid = pid;
	return rc;
}

/* ---- run to the end ---- */

struct run {
	pid_t pid;
	int in, out, errout;		/* our ends, -1 when closed */
	const char *input;
	size_t input_left;
	struct buf *out_buf, *errout_buf;
	int64_t deadline_ms;		/* 0: none */
};

static void close_end(int *fd)
{
	auto_close_fn(fd);
	*fd = -1;
}

/* Who writes to a program that stopped reading gets EPIPE, not a signal. */
static ssize_t write_quietly(int fd, const void *data, size_t len)
{
	struct timespec now = {0};
	sigset_t pipe_only, pending, old;
	ssize_t n;
	int saved;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe_only, &old);
	n = write(fd, data, len);
	saved = errno;
	if (n < 0 && saved == EPIPE && !sigismember(&pending, SIGPIPE))
		(void)sigtimedwait(&pipe_only, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = saved;
	return n;
}

static void feed(struct run *r)
{
	ssize_t n = write_quietly(r->in, r->input, r->input_left);

	if (n > 0) {
		r->input += n;
		r->input_left -= (size_t)n;
	}
	/* A program may well stop reading before the end of its input. */
	if (!r->input_left || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_end(&r->in);
}

/* Output over the ceiling is read and dropped, so that the program does not hang. */
static void collect(int *fd, struct buf *b)
{
	char chunk[16384];
	ssize_t n = read(*fd, chunk, sizeof(chunk));

	if (n > 0 && b && b->len < OUTPUT_MAX)
		buf_add(b, chunk, (size_t)n < OUTPUT_MAX - b->len ? (size_t)n
								  : OUTPUT_MAX - b->len);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close_end(fd);
}

/* What a pipe can hold at most, and no more: a grandchild may write for ever. */
static void drain(int *fd, struct buf *b)
{
	for (int i = 0; i < 64 && *fd >= 0; i++) {
		struct pollfd pfd = {.fd = *fd, .events = POLLIN};

		if (poll(&pfd, 1, 0) <= 0)
			return;
		collect(fd, b);
	}
}

/* Returns the time to the deadline at most, -1 for ever, 0 when it has passed. */
static int time_left(const struct run *r, int at_most)
{
	int64_t left;

	if (!r->deadline_ms)
		return at_most;
	left = r->deadline_ms - time_mono_ms();
	if (left <= 0)
		return 0;
	return at_most >= 0 && left > at_most ? at_most : (int)left;
}

/*
 * Until the program has ended: a grandchild that keeps the pipe open does not count. There is no fd for a child's end on
 * old kernels, so look in short steps once the pipes are quiet.
 */
static int pump(struct run *r, int *ret_status)
{
	int step = 1;

	for (;;) {
		struct pollfd fds[3] = {
			{.fd = r->in, .events = POLLOUT},
			{.fd = r->out, .events = POLLIN},
			{.fd = r->errout, .events = POLLIN},
		};
		bool open = r->in >= 0 || r->out >= 0 || r->errout >= 0;
		bool ended = waitpid(r->pid, ret_status, WNOHANG) == r->pid;
		int wait_ms = ended ? 0 : time_left(r, step);
		int ready;

		if (!ended && r->deadline_ms && wait_ms == 0)
			return -ETIMEDOUT;
		ready = poll(fds, 3, wait_ms);
		if (ready <= 0 && ended)
			return 0;
		if (ready > 0) {
			step = 1;
			if (fds[0].revents)
				feed(r);
			if (fds[1].revents)
				collect(&r->out, r->out_buf);
			if (fds[2].revents)
				collect(&r->errout, r->errout_buf);
		} else if (step < 20) {
			step *= 2;
		}
		if (ended) {
			drain(&r->out, r->out_buf);
			drain(&r->errout, r->errout_buf);
			return 0;
		}
		if (!open && !r->deadline_ms) {
			while (waitpid(r->pid, ret_status, 0) < 0 && errno == EINTR)
				;
			return 0;
		}
	}
}

/* A pipe whose @ours end does not block here. */
static int make_pipe(int ends[2], int ours, struct err *err)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	(void)fd_set_nonblock(ends[ours], true);	/* cannot fail on a pipe */
	return 0;
}

int proc_run(char *const *argv, const char *input, struct buf *out, struct buf *errout,
	     int timeout_ms, int *ret_status, struct err *err)
{
	int ends[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
	const bool wanted[3] = {input != NULL, out != NULL, errout != NULL};
	struct proc_fd fds[3];
	struct proc_spawn spawn = {
		.path = argv[0], .argv = argv, .fds = fds, .new_session = true};
	struct run r = {
		.input = input,
		.input_left = input ? strlen(input) : 0,
		.out_buf = out,
		.errout_buf = errout,
		.deadline_ms = timeout_ms > 0 ? time_mono_ms() + timeout_ms : 0,
	};
	int rc = 0;

	for (int i = 0; i < 3 && !rc; i++) {
		if (!wanted[i])
			continue;
		rc = make_pipe(ends[i], i == 0, err);
		fds[spawn.fd_count++] = (struct proc_fd){.from = ends[i][i != 0], .to = i};
	}
	if (!rc)
		rc = proc_spawn(&spawn, &r.pid, err);
	for (int i = 0; i < 3; i++)
		close_end(&ends[i][i != 0]);
	if (rc) {
		for (int i = 0; i < 3; i++)
			close_end(&ends[i][i == 0]);
		return rc;
	}
	r.in = ends[0][1];
	r.out = ends[1][0];
	r.errout = ends[2][0];
	if (r.in >= 0 && !r.input_left)
		close_end(&r.in);
	rc = pump(&r, ret_status);
	close_end(&r.in);
	close_end(&r.out);
	close_end(&r.errout);
	if (rc) {
		(void)kill(-r.pid, SIGKILL);
		(void)kill(r.pid, SIGKILL);
		while (waitpid(r.pid, ret_status, 0) < 0 && errno == EINTR)
			;
		return err_sys(err, -rc, "run '%s'", argv[0]);
	}
	return 0;
}
