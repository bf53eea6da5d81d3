/*
 * proc - start processes, wait for them, and know them again.
 *
 * pouchd never forks: all that it starts goes through proc_spawn() (posix_spawn).
 */
#ifndef COMPAT_BASE_PROC_H
#define COMPAT_BASE_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"

struct proc_fd {
	int from;	/* fd here */
	int to;		/* number in the child */
};

struct proc_spawn {
	const char *path;		/* absolute, or a name looked up in PATH */
	char *const *argv;		/* NULL-terminated */
	char *const *env;		/* NULL: this process's */
	const struct proc_fd *fds;	/* all others are O_CLOEXEC by rule; 0-2 are /dev/null unless mapped */
	size_t fd_count;
	bool new_session;		/* setsid, or setpgid where posix_spawn cannot */
};

/* At most 64 fds; they may overlap in any way. The child has default signal actions and an empty signal mask. */
int proc_spawn(const struct proc_spawn *spawn, pid_t *ret_pid, struct err *err);

/*
 * Run and wait; standard output and error are collected (each at most 1 MiB, the rest is dropped) when not NULL, else
 * they are /dev/null. Ends with the program, even if a grandchild keeps the pipes open.
 * @timeout_ms 0 waits for ever; on timeout the child is killed and the error is ETIMEDOUT.
 * *ret_status is as waitpid() gives it. A non-zero exit is not an error here.
 */
int proc_run(char *const *argv, const char *input, struct buf *out, struct buf *errout,
	     int timeout_ms, int *ret_status, struct err *err);

/* A process that cannot be confused with a later one of the same pid. */
struct proc_ref {
	pid_t pid;
	uint64_t start;		/* field 22 of /proc/PID/stat, clock ticks since boot */
};

int proc_ref_get(pid_t pid, struct proc_ref *ret);	/* -ESRCH */
int proc_parent(pid_t pid, pid_t *ret);		/* -ESRCH; 0 when it is none of ours */
bool proc_ref_alive(const struct proc_ref *ref);	/* zombies count as dead; who cannot be looked at, but is there, as alive */

typedef VEC(struct proc_ref) proc_ref_vec;
void proc_ref_vec_clear(proc_ref_vec *refs);
DEFINE_AUTO_CLEAR(proc_ref_vec_clear, proc_ref_vec)

/*
 * Adds the host's tasks (threads too, by their own numbers) that are on their way out, but no zombies yet: they have closed their files, and
 * may be in no cgroup any more, while they wait for a file system to be unmounted. 0, or -errno when /proc cannot be read.
 */
int proc_exiting(proc_ref_vec *ret);

/* pidfd_send_signal where it works, else a check of the start time and kill(). 0, -ESRCH, or why /proc cannot be read. */
int proc_ref_kill(const struct proc_ref *ref, int sig);

/* "TERM", "SIGTERM", "15", "RTMIN+3" -> number, or -EINVAL. */
int signal_parse(const char *name);
const char *signal_name(int sig);	/* "SIGTERM", or NULL */
/* WEXITSTATUS or 128 + signal. */
int proc_exit_code(int wait_status);

/*
 * Where this program's siblings are: pouch-shim and pouch-init beside pouchd or in ../libexec/pouch; with the environment
 * variable POUCH_LIBEXEC only in that directory (for tests). Owned. ERR_NOT_FOUND.
 */
int proc_sibling(const char *name, char **ret, struct err *err);

/* The host's boot id (/proc/sys/kernel/random/boot_id): 36 characters. */
int proc_boot_id(char ret[37], struct err *err);

#endif
