/*
 * terminal.c - see terminal.h
 *
 * Signal handlers see only this file's variables, so these are the program's only globals.
 */
#include "cli/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "compat/base/auto.h"

static struct termios saved;
static volatile sig_atomic_t raw_fd = -1;
static int signal_pipe[2] = {-1, -1};

void terminal_restore(void)
{
	if (raw_fd >= 0) {
		/* There is nothing to be done about a terminal that has gone. */
		(void)tcsetattr(raw_fd, TCSADRAIN, &saved);
		raw_fd = -1;
	}
}

static void on_fatal(int sig)
{
	if (raw_fd >= 0)
		(void)tcsetattr(raw_fd, TCSANOW, &saved);
	/* SA_RESETHAND put the default action back. */
	(void)raise(sig);
}

int terminal_raw(int fd, struct err *err)
{
	static const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGFPE,
				    SIGILL, SIGPIPE, SIGALRM};
	struct sigaction action = {.sa_handler = on_fatal, .sa_flags = SA_RESETHAND | SA_NODEFER};
	struct termios raw;

	if (tcgetattr(fd, &saved) < 0)
		return err_sys(err, errno, "read the terminal's mode");
	raw = saved;
	cfmakeraw(&raw);
	raw_fd = fd;
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		(void)sigaction(fatal[i], &action, NULL);
	(void)atexit(terminal_restore);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0) {
		raw_fd = -1;
		return err_sys(err, errno, "change the terminal's mode");
	}
	return 0;
}

bool terminal_size(int fd, uint32_t *ret_rows, uint32_t *ret_cols)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) < 0 || (!size.ws_row && !size.ws_col))
		return false;
	*ret_rows = size.ws_row;
	*ret_cols = size.ws_col;
	return true;
}

static void on_signal(int sig)
{
	int keep = errno;
	const unsigned char byte = (unsigned char)sig;

	/* A full pipe has signals enough in it. */
	if (write(signal_pipe[1], &byte, 1) < 0)
		errno = keep;
	errno = keep;
}

int terminal_signals(bool forward, int *ret_fd, struct err *err)
{
	static const int told[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM,
				   SIGVTALRM, SIGPROF, SIGIO, SIGXCPU, SIGXFSZ};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	if (signal_pipe[0] < 0 && pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "make a pipe");
	(void)sigaction(SIGWINCH, &action, NULL);
	for (size_t i = 0; forward && i < ARRAY_SIZE(told); i++)
		(void)sigaction(told[i], &action, NULL);
	*ret_fd = signal_pipe[0];
	return 0;
}
