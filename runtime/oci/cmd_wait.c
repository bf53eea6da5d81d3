/*
 * cmd_wait.c - a container in the foreground: its end, our signals, our terminal
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/proc.h"
#include "runtime/oci/cmd.h"

#define FALLBACK_MS 20

static struct termios saved;
static bool is_raw;

static void restore_terminal(void)
{
	if (is_raw)
		(void)tcsetattr(0, TCSANOW, &saved);
	is_raw = false;
}

static void raw_terminal(void)
{
	struct termios raw;

	if (tcgetattr(0, &saved) < 0)
		return;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST;
	is_raw = tcsetattr(0, TCSANOW, &raw) == 0;
	atexit(restore_terminal);
}

static void copy_size(int console)
{
	struct winsize size;

	if (ioctl(0, TIOCGWINSZ, &size) == 0)
		(void)ioctl(console, TIOCSWINSZ, &size);
}

void cmd_block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	/* What a fault of our own raises must come through. */
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

/* true when @pid ended. */
static bool reap(pid_t pid, int *status)
{
	bool ended = false;
	int s;

	for (pid_t got; (got = waitpid(-1, &s, WNOHANG)) > 0;)
		if (got == pid) {
			*status = s;
			ended = true;
		}
	return ended;
}

/* One chunk; false at the end of either side. */
static bool move(int from, int to)
{
	char data[16384];
	ssize_t n = read(from, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return n > 0 && fd_write_all(to, data, (size_t)n) == 0;
}

/* Our child's pid is its own until we reap it. */
static void forward(const struct oci_exec_started *process, int sig)
{
	const struct proc_ref ref = {.pid = process->pid, .start = process->start};

	if (process->exit_fd >= 0)
		(void)proc_ref_kill(&ref, sig); /* it may have ended */
	else
		(void)kill(process->pid, sig);
}

/* The next one that is pending, or 0. @fd: a signalfd, or -1. */
static int next_signal(int fd, const sigset_t *all)
{
	struct signalfd_siginfo si;
	int sig;

	if (fd >= 0)
		return read(fd, &si, sizeof(si)) == sizeof(si) ? (int)si.ssi_signo : 0;
	sig = sigtimedwait(all, NULL, &(struct timespec){0});
	return sig > 0 ? sig : 0;
}

/* true when @process ended. */
static bool take_signal(int sig, const struct oci_exec_started *process, int console, int *status)
{
	if (sig == SIGCHLD)
		return reap(process->exit_fd < 0 ? process->pid : -1, status);
	if (sig == SIGWINCH && console >= 0)
		copy_size(console);
	else if (sig)
		forward(process, sig);
	return false;
}

/* Wait for any of them. The kernel may lack memory for that, or for the signalfd, for a while: then we come back often. */
static void wait_any(struct pollfd *p, nfds_t n)
{
	if (poll(p, n, p[0].fd < 0 ? FALLBACK_MS : -1) >= 0)
		return;
	for (nfds_t i = 0; i < n; i++)
		p[i].revents = 0;
	if (errno != EINTR)
		nanosleep(&(struct timespec){.tv_nsec = FALLBACK_MS * 1000000L}, NULL);
}

int cmd_wait_first(int pid, int console)
{
	return cmd_wait(&(struct oci_exec_started){.pid = pid, .console = console, .exit_fd = -1});
}

int cmd_wait(struct oci_exec_started *process)
{
	auto_fd int console = fd_take(&process->console);
	auto_fd int signals = -1;
	struct pollfd p[4];
	int status = 0;
	sigset_t all;

	sigfillset(&all);
	signals = signalfd(-1, &all, SFD_CLOEXEC);
	if (console >= 0) {
		copy_size(console);
		raw_terminal();
	}
	p[0] = (struct pollfd){.fd = signals, .events = POLLIN};
	p[1] = (struct pollfd){.fd = console, .events = POLLIN};
	p[2] = (struct pollfd){.fd = console >= 0 ? 0 : -1, .events = POLLIN};
	p[3] = (struct pollfd){.fd = process->exit_fd, .events = POLLIN};
	for (;;) {
		wait_any(p, ARRAY_SIZE(p));
		if (p[1].revents && !move(console, 1))
			p[1].fd = -1;
		if (p[2].revents && !move(0, console))
			p[2].fd = -1;
		if ((p[0].revents || signals < 0) && take_signal(next_signal(signals, &all), process, console, &status))
			break;
		if (p[3].revents) {
			status = oci_exec_status(process);
			break;
		}
	}
	/* What it wrote last is still in the terminal. */
	if (console >= 0 && p[1].fd >= 0) {
		fd_set_nonblock(console, true);
		for (char data[4096];;) {
			ssize_t n = read(console, data, sizeof(data));

			if (n <= 0 || fd_write_all(1, data, (size_t)n))
				break;
		}
	}
	restore_terminal();
	return proc_exit_code(status);
}
