/*
 * warden - the shim's side: start it, tell it, replace it
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "runtime/shim/keeper.h"

#define ANSWER_MS 5000	/* it does nothing that waits for others */

static struct cgroup *group_of(struct keeper *k)
{
	return k->runtime ? k->runtime->cgroup(k) : NULL;
}

static bool is_needed(const struct cgroup_kept *kept)
{
	return kept->cpu_quota_us > 0 || kept->tasks > 0;
}

/* ---- start and end ------------------------------------------------------------------------------------------------------------ */

static void run_child(struct keeper *k, struct cgroup *group, int fd) __attribute__((noreturn));
static void run_child(struct keeper *k, struct cgroup *group, int fd)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	/* Pipes and sockets of the container must not seem open because of us. */
	fd_close_from(3, &fd, 1);
	(void)prctl(PR_SET_NAME, "pouch-warden", 0, 0, 0);
	/* It must come in time, whatever weight the container has; the loops are short. A host whose group has no such budget: soon. */
	if (syscall(SYS_sched_setscheduler, 0, SCHED_RR, &(struct sched_param){.sched_priority = 1}) < 0)	/* musl's refuses */
		(void)setpriority(PRIO_PROCESS, 0, -15);
	warden_main(fd, group, k->pid);
}

static int start(struct keeper *k, struct err *err)
{
	struct cgroup *group = group_of(k);
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(err, errno, "socketpair");
	pid = fork();
	if (pid == 0)
		run_child(k, group, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_sys(err, errno, "fork");
	}
	k->warden.pid = pid;
	k->warden.fd = pair[0];
	return 0;
}

/* By force where it does not end: then the group may be frozen. */
static void stop(struct keeper *k, bool force)
{
	struct warden *w = &k->warden;
	struct cgroup *group = group_of(k);

	if (!w->pid)
		return;
	close(fd_take(&w->fd));
	if (force)
		(void)kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	w->pid = 0;
	if (force && group && !k->warden.paused)
		cgroup_thaw(group);
}

/* ---- orders ------------------------------------------------------------------------------------------------------------------- */

static bool answers(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char done;
	int n;

	do
		n = poll(&p, 1, ANSWER_MS);
	while (n < 0 && errno == EINTR);
	return n == 1 && recv(fd, &done, 1, MSG_DONTWAIT) == 1;
}

static bool tell(struct keeper *k)
{
	const struct warden_order order = {
		.hold = k->warden.holds || k->warden.paused,
		.idle = k->warden.paused,
		.limits = *cgroup_kept(group_of(k)),
	};

	return send(k->warden.fd, &order, sizeof(order), MSG_NOSIGNAL) == (ssize_t)sizeof(order) && answers(k->warden.fd);
}

int warden_follow(struct keeper *k, struct err *err)
{
	struct cgroup *group = group_of(k);

	if (!group || !is_needed(cgroup_kept(group))) {
		stop(k, false);
		return 0;
	}
	/* Twice: it may have been killed a moment ago. */
	for (int i = 0; i < 2; i++) {
		int rc = k->warden.pid ? 0 : start(k, err);

		if (rc < 0)
			return err_wrap(err, rc, "keep the limits of the container");
		if (tell(k))
			return 0;
		stop(k, true);
	}
	return err_set(err, ERR_INTERNAL, "the keeper of the container's limits does not answer");
}

/* Without an answer it goes; the limits are kept again from the next release on. */
static void tell_or_stop(struct keeper *k)
{
	if (k->warden.pid && !tell(k))
		stop(k, true);
}

void warden_hold(struct keeper *k)
{
	if (k->warden.holds++ == 0)
		tell_or_stop(k);
}

void warden_release(struct keeper *k)
{
	struct err ignored = ERR_INIT;	/* the next release tries again */

	if (k->warden.holds && --k->warden.holds == 0)
		(void)warden_follow(k, &ignored);
}

void warden_pause(struct keeper *k, bool pause)
{
	struct err ignored = ERR_INIT;	/* the next release tries again */

	k->warden.paused = pause;
	if (pause)
		tell_or_stop(k);
	else
		(void)warden_follow(k, &ignored);
}

void warden_end(struct keeper *k)
{
	stop(k, false);
}

bool warden_reap(struct keeper *k, pid_t pid)
{
	struct err ignored = ERR_INIT;	/* the next release tries again */
	struct cgroup *group = group_of(k);

	if (!pid || pid != k->warden.pid)
		return false;
	close(fd_take(&k->warden.fd));
	k->warden.pid = 0;
	if (group && !k->warden.paused)
		cgroup_thaw(group);
	(void)warden_follow(k, &ignored);
	return true;
}
