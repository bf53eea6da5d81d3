/*
 * signal.c - names of signals
 */
#include <signal.h>
#include <stddef.h>
#include <strings.h>

#include "compat/base/auto.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"

/* The kernel's numbers: what the C library reserves below its own SIGRTMIN is none of the container's business. */
enum { RT_MIN = 34, RT_MAX = 64 };

static const char *const names[RT_MIN] = {
	[SIGHUP] = "SIGHUP",	   [SIGINT] = "SIGINT",	    [SIGQUIT] = "SIGQUIT",
	[SIGILL] = "SIGILL",	   [SIGTRAP] = "SIGTRAP",   [SIGABRT] = "SIGABRT",
	[SIGBUS] = "SIGBUS",	   [SIGFPE] = "SIGFPE",	    [SIGKILL] = "SIGKILL",
	[SIGUSR1] = "SIGUSR1",	   [SIGSEGV] = "SIGSEGV",   [SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE",	   [SIGALRM] = "SIGALRM",   [SIGTERM] = "SIGTERM",
	[SIGSTKFLT] = "SIGSTKFLT", [SIGCHLD] = "SIGCHLD",   [SIGCONT] = "SIGCONT",
	[SIGSTOP] = "SIGSTOP",	   [SIGTSTP] = "SIGTSTP",   [SIGTTIN] = "SIGTTIN",
	[SIGTTOU] = "SIGTTOU",	   [SIGURG] = "SIGURG",	    [SIGXCPU] = "SIGXCPU",
	[SIGXFSZ] = "SIGXFSZ",	   [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF",
	[SIGWINCH] = "SIGWINCH",   [SIGIO] = "SIGIO",	    [SIGPWR] = "SIGPWR",
	[SIGSYS] = "SIGSYS",
};

static const struct {
	const char *name;
	int sig;
} aliases[] = {{"IOT", SIGABRT}, {"CLD", SIGCHLD}, {"POLL", SIGIO}};

/* "RTMIN", "RTMIN+3", "RTMAX-2". */
static int parse_realtime(const char *s)
{
	bool max = strncasecmp(s, "RTMAX", 5) == 0;
	uint32_t n = 0;

	if (!max && strncasecmp(s, "RTMIN", 5))
		return -EINVAL;
	s += 5;
	if (*s && (*s != (max ? '-' : '+') || str_u32(s + 1, 10, &n) || n > RT_MAX - RT_MIN))
		return -EINVAL;
	return max ? RT_MAX - (int)n : RT_MIN + (int)n;
}

int signal_parse(const char *s)
{
	uint32_t n;

	if (str_empty(s))
		return -EINVAL;
	if (str_u32(s, 10, &n) == 0)
		return n >= 1 && n <= RT_MAX ? (int)n : -EINVAL;
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	for (int i = 1; i < RT_MIN; i++)
		if (names[i] && strcasecmp(names[i] + 3, s) == 0)
			return i;
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcasecmp(aliases[i].name, s) == 0)
			return aliases[i].sig;
	return parse_realtime(s);
}

const char *signal_name(int sig)
{
	static const char *const realtime[RT_MAX - RT_MIN + 1] = {
		"SIGRTMIN",    "SIGRTMIN+1",  "SIGRTMIN+2",  "SIGRTMIN+3",  "SIGRTMIN+4",
		"SIGRTMIN+5",  "SIGRTMIN+6",  "SIGRTMIN+7",  "SIGRTMIN+8",  "SIGRTMIN+9",
		"SIGRTMIN+10", "SIGRTMIN+11", "SIGRTMIN+12", "SIGRTMIN+13", "SIGRTMIN+14",
		"SIGRTMIN+15", "SIGRTMAX-14", "SIGRTMAX-13", "SIGRTMAX-12", "SIGRTMAX-11",
		"SIGRTMAX-10", "SIGRTMAX-9",  "SIGRTMAX-8",  "SIGRTMAX-7",  "SIGRTMAX-6",
		"SIGRTMAX-5",  "SIGRTMAX-4",  "SIGRTMAX-3",  "SIGRTMAX-2",  "SIGRTMAX-1",
		"SIGRTMAX",
	};

	if (sig >= RT_MIN && sig <= RT_MAX)
		return realtime[sig - RT_MIN];
	return sig > 0 && sig < RT_MIN ? names[sig] : NULL;
}
