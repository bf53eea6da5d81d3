/*
 * supervise - a process beside pouchd which starts it again.
 */
#include "runtime/daemon/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/log.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

#define DELAY_FIRST_MS	100
#define DELAY_MAX_MS	2000
#define PIDFILE_WAIT_MS 5000
#define PIDFILE_POLL_MS 10
#define KILL_AFTER_MS	20000	/* a daemon that does not end on SIGTERM; containers do not mind */

struct supervisor {
	int pid_fd;
	char *const *argv;
	char program[4096];
	sigset_t signals;
	pid_t child;		/* 0: none */
	int64_t started;
	int64_t stop_at;	/* since when it is to end; 0: it is not */
};

/* A package may replace the program while it runs: then the new one is started. */
static int own_path(char *dst, size_t size, struct err *err)
{
	static const char gone[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", dst, size - 1);

	if (n < 0)
		return err_sys(err, errno, "read link '/proc/self/exe'");
	dst[n] = '\0';
	if (str_ends(dst, gone))
		dst[(size_t)n - strlen(gone)] = '\0';
	return 0;
}

/* In place, so that the lock stays with the file. */
static void write_pids(const struct supervisor *s)
{
	auto_free char *text = s->child ? xfmt("%d\n%d\n", (int)getpid(), (int)s->child) : xfmt("%d\n", (int)getpid());
	ssize_t n = (ssize_t)strlen(text);

	if (pwrite(s->pid_fd, text, (size_t)n, 0) != n || ftruncate(s->pid_fd, n) < 0)
		log_warn("supervisor: write the pid file: %s", strerror(errno));
}

static int start(struct supervisor *s, struct err *err)
{
	const struct proc_fd fds[] = {{STDERR_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
	const struct proc_spawn spawn = {
		.path = s->program,
		.argv = s->argv,
		.fds = fds,
		.fd_count = ARRAY_SIZE(fds),
	};
	int rc;

	s->started = time_mono_ms();
	rc = proc_spawn(&spawn, &s->child, err);
	if (rc < 0)
		s->child = 0;
	write_pids(s);
	return rc;
}

static void on_signal(struct supervisor *s, int sig)
{
	if (sig == SIGTERM || sig == SIGINT) {
		if (!s->stop_at)
			s->stop_at = time_mono_ms();
		sig = SIGTERM;
	}
	if (s->child && sig != SIGCHLD)
		(void)kill(s->child, sig);	/* it may have ended just now */
}

/* A signal of ours, or 0 after @ms. */
static int next_signal(const struct supervisor *s, int64_t ms)
{
	const struct timespec wait = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	int sig = sigtimedwait(&s->signals, NULL, &wait);

	return sig < 0 ? 0 : sig;
}

/* Until pouchd has ended; its wait status. */
static int wait_child(struct supervisor *s)
{
	int status = 0;

	while (waitpid(s->child, &status, WNOHANG) == 0) {
		on_signal(s, next_signal(s, 1000));
		if (s->stop_at && time_mono_ms() - s->stop_at > KILL_AFTER_MS)
			(void)kill(s->child, SIGKILL);
	}
	s->child = 0;
	write_pids(s);
	return status;
}

static void pause_for(struct supervisor *s, int64_t ms)
{
	int64_t end = time_mono_ms() + ms, left;

	while (!s->stop_at && (left = end - time_mono_ms()) > 0)
		on_signal(s, next_signal(s, left));
}

static int64_t delay_after(int ends)
{
	int64_t ms = DELAY_FIRST_MS;

	for (int i = 1; i < ends && ms < DELAY_MAX_MS; i++)
		ms *= 2;
	return ms < DELAY_MAX_MS ? ms : DELAY_MAX_MS;
}

static void describe(char *dst, size_t size, int status)
{
	if (WIFSIGNALED(status))
		str_fmt(dst, size, "was killed by signal %d", WTERMSIG(status));
	else
		str_fmt(dst, size, "ended with exit code %d", WEXITSTATUS(status));
}

/* Start and wait once. False when it is not to be started again. @ends: in a row, soon after the start. */
static bool one_life(struct supervisor *s, int *ends)
{
	struct err err = ERR_INIT;
	char what[80] = "could not be started";

	if (start(s, &err) < 0)
		log_error("supervisor: %s", err.msg);
	else
		describe(what, sizeof(what), wait_child(s));
	if (s->stop_at)
		return false;
	*ends = time_mono_ms() - s->started < SUPERVISE_SOON_MS ? *ends + 1 : 1;
	if (*ends >= SUPERVISE_TRIES)
		return false;
	log_warn("supervisor: pouchd %s; it is started again in %d ms", what, (int)delay_after(*ends));
	pause_for(s, delay_after(*ends));
	return !s->stop_at;
}

/* The supervisor that @path names, if it lives. */
static bool names_supervisor(const char *path, pid_t *ret)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char text[32] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	*ret = (pid_t)strtol(text, NULL, 10);
	return *ret > 0 && (kill(*ret, 0) == 0 || errno == EPERM);
}

/*
 * Who loses to another supervisor returns only when that one's pid can be read (or after PIDFILE_WAIT_MS): a service script which then
 * finds the file empty would take the start for failed. A file that was removed between its opening and its locking is not ours.
 */
static int lock_pidfile(struct supervisor *s, const char *path, struct err *err)
{
	int64_t end = time_mono_ms() + PIDFILE_WAIT_MS;
	struct stat st;
	pid_t other;

	for (;;) {
		int rc = file_lock(path, false, &s->pid_fd, err);

		if (rc >= 0 && (fstat(s->pid_fd, &st) < 0 || st.st_nlink > 0))
			return 0;
		if (rc >= 0)
			close(s->pid_fd);
		else if (rc != -EWOULDBLOCK)
			return rc;
		else if (names_supervisor(path, &other))
			return err_set(err, ERR_CONFLICT, "another supervisor (pid %d) has '%s'", (int)other, path);
		if (time_mono_ms() > end)
			return err_set(err, ERR_CONFLICT, "another supervisor has '%s'", path);
		nanosleep(&(struct timespec){.tv_nsec = PIDFILE_POLL_MS * 1000000L}, NULL);
	}
}

static int open_pidfile(struct supervisor *s, const char *path, struct err *err)
{
	int rc = lock_pidfile(s, path, err);

	if (rc < 0)
		return rc;
	write_pids(s);
	if (fchmod(s->pid_fd, 0644) < 0)
		return err_sys(err, errno, "chmod '%s'", path);
	return 0;
}

/* Nothing of the session that started it may end it, or be kept by it. */
static void detach(struct supervisor *s)
{
	const int keep[] = {s->pid_fd};

	(void)setsid();	/* fails for the leader of a group, as which it was detached already */
	if (chdir("/") < 0)
		log_warn("supervisor: chdir '/': %s", strerror(errno));
	fd_close_from(3, keep, ARRAY_SIZE(keep));
	sigemptyset(&s->signals);
	sigaddset(&s->signals, SIGTERM);
	sigaddset(&s->signals, SIGINT);
	sigaddset(&s->signals, SIGHUP);
	sigaddset(&s->signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &s->signals, NULL);
	signal(SIGCHLD, SIG_DFL);	/* who started us may have ignored it, and then there is no wait status */
	signal(SIGPIPE, SIG_IGN);
}

int supervise(const char *pidfile, char *const *argv, struct err *err)
{
	struct supervisor s = {.pid_fd = -1, .argv = argv};
	int rc = own_path(s.program, sizeof(s.program), err), ends = 0;

	if (rc >= 0)
		rc = open_pidfile(&s, pidfile, err);
	if (rc < 0)
		return rc;
	detach(&s);
	while (one_life(&s, &ends))
		continue;
	(void)unlink(pidfile);	/* a stale one is harmless: its lock is gone */
	close(s.pid_fd);
	if (s.stop_at)
		return 0;
	return err_set(err, ERR_INTERNAL, "supervisor: pouchd ended %d times within %d seconds of its start and is given up; why is told above",
		       SUPERVISE_TRIES, SUPERVISE_SOON_MS / 1000);
}
