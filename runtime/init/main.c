/*
 * main.c - pouch-init: the first process of a container which runs a program that was not made to be one
 *
 * It starts the program, passes every signal on to it, reaps whatever the kernel hands to process 1, and ends with the program's
 * status. It runs inside of untrusted images: static, no library, no file is opened, no environment is looked at.
 *
 * Called as "pouch-proxy" it is the host's port proxy: see proxy.h.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/init/proxy.h"

static const char usage[] =
	"usage: pouch-init [-g] [--] PROGRAM [ARGUMENT...]\n"
	"  -g    pass signals to the program's whole process group\n";

static void say(const char *what, const char *why)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "pouch-init: %.200s: %s\n", what, why);

	(void)!write(2, line, (size_t)n);
}

/* A group of its own, in the foreground of the terminal if there is one: as a shell starts a job. */
static void become_program(char **argv, const sigset_t *old)
{
	setpgid(0, 0);
	/* From the background this raises SIGTTOU, which is blocked here. */
	(void)tcsetpgrp(0, getpid());
	sigprocmask(SIG_SETMASK, old, NULL);
	execvp(argv[0], argv);
	say(argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* All that ended; true and the status when the program was among them. */
static bool reap(pid_t program, int *status)
{
	bool ended = false;
	int s;

	for (pid_t pid; (pid = waitpid(-1, &s, WNOHANG)) > 0;) {
		if (pid == program) {
			*status = s;
			ended = true;
		}
	}
	return ended;
}

int main(int argc, char **argv)
{
	int first = 1, status = 0, sig;
	bool group = false;
	sigset_t all, old;
	pid_t program;

	if (argc > 0 && strcmp(argv[0], "pouch-proxy") == 0)
		return proxy_main(argc, argv);
	for (; first < argc && argv[first][0] == '-'; first++) {
		if (strcmp(argv[first], "--") == 0) {
			first++;
			break;
		}
		if (strcmp(argv[first], "-g") != 0) {
			(void)!write(2, usage, sizeof(usage) - 1);
			return 2;
		}
		group = true;
	}
	if (first >= argc) {
		(void)!write(2, usage, sizeof(usage) - 1);
		return 2;
	}
	/* Faults are not blocked: they would be lost. */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	sigprocmask(SIG_SETMASK, &all, &old);
	program = fork();
	if (program < 0) {
		say("fork", strerror(errno));
		return 126;
	}
	if (program == 0)
		become_program(argv + first, &old);
	for (;;) {
		sig = sigwaitinfo(&all, NULL);
		if (sig == SIGCHLD) {
			if (reap(program, &status))
				break;
		} else if (sig > 0 && sig != SIGTTOU && sig != SIGTTIN) {
			(void)kill(group ? -program : program, sig); /* it may have ended: SIGCHLD follows */
		}
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
