/*
 * warden_main - the warden's process: hold a CPU quota by freezing, and a limit of tasks by counting
 *
 * CPU: the group earns credit with time, at the rate of its quota, and pays for what the kernel says it used. Without credit it is
 * frozen until it has earned half of what it may save. So what a sluggish freezer or a late wake-up gives too much is taken back in the next
 * round, and the mean is right whatever the rounds are.
 *
 * Tasks: a group that forks without end gains thousands of tasks in the time between two looks. So looks are frequent, and cheap: as long as
 * the whole host has started fewer processes than the group may still have, nobody needs to count. Above the limit the group is
 * frozen (then nothing forks), the newest processes are killed, and it is thawed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/shim/keeper.h"

#define MS INT64_C(1000000)

enum {
	SAVED_MS = 100,		/* earnings that an idle group keeps */
	DEBT_MS = 10000,	/* and at most owes: so long it may stand still at once */
	HELD_DEBT_MS = 2000,	/* of what it used while it was held thawed */
	IDLE_MS = 20,		/* between looks at a group that does nothing */
	SHORTEST_MS = 1,
	SETTLE_MS = 2,		/* between looks while it is being frozen */
	COUNT_LONGEST_MS = 20,
	COUNT_SHORTEST_MS = 2,
	CONTAIN_MS = 500,	/* for a group to freeze before its newest are killed */
	FORKS_A_MS = 50,	/* more than two processors start */
};

struct warden_state {
	int fd;
	struct cgroup *group;
	pid_t first;
	struct warden_order order;
	/* CPU */
	bool frozen, settled;
	bool forgets_thaws;	/* cgroup_forgets_thaws() */
	double credit_ns;
	int64_t looked_ns;
	uint64_t used_ns;
	int64_t busy_ns;	/* when it was last seen to use any */
	int processors;
	/* tasks */
	int loadavg;
	int64_t last_pid;
	int64_t room;		/* tasks below the limit at the last count */
	int64_t count_at_ns;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t clamp(int64_t v, int64_t least, int64_t most)
{
	return v < least ? least : v > most ? most : v;
}

/* ---- CPU ---------------------------------------------------------------------------------------------------------------------- */

static double share(const struct warden_state *w)
{
	return (double)w->order.limits.cpu_quota_us / (double)w->order.limits.cpu_period_us;
}

static void set_frozen(struct warden_state *w, bool frozen)
{
	if (w->frozen == frozen)
		return;
	w->frozen = frozen;
	w->settled = false;
	(void)cgroup_freeze_begin(w->group, frozen);	/* it may be gone: then so are its tasks */
}

/* For orders: the last thaw for a while. */
static void thaw(struct warden_state *w)
{
	if (w->frozen)
		cgroup_thaw(w->group);
	w->frozen = false;
	w->settled = false;
}

/* Each look at a group that shall run asks again where a thaw may have been lost. */
static void keep_thawed(const struct warden_state *w)
{
	if (w->forgets_thaws)
		(void)cgroup_freeze_begin(w->group, false);	/* as in set_frozen() */
}

static void settle(struct warden_state *w, int64_t now)
{
	double rate = share(w), most = -rate * (double)((w->order.hold ? HELD_DEBT_MS : DEBT_MS) * MS);
	uint64_t used = w->used_ns;

	if (cgroup_cpu_usage(w->group, &used) == 0 && used > w->used_ns)
		w->busy_ns = now;
	w->credit_ns += (double)(now - w->looked_ns) * rate - (double)(used - w->used_ns);
	w->looked_ns = now;
	w->used_ns = used;
	if (w->credit_ns > rate * (double)(SAVED_MS * MS))
		w->credit_ns = rate * (double)(SAVED_MS * MS);
	if (w->credit_ns < most)
		w->credit_ns = most;
}

/* When the credit would be used up at the soonest. */
static int64_t while_running(struct warden_state *w, int64_t now)
{
	size_t tasks = cgroup_count_tasks(w->group);
	double most = tasks < (size_t)w->processors ? (double)tasks : (double)w->processors;
	double surplus = most - share(w);

	if (surplus <= 0)
		return IDLE_MS * MS;
	/* The kernel counts a running task at its tick only: one that was seen to do nothing for long does nothing. */
	if (now - w->busy_ns > IDLE_MS * MS)
		return IDLE_MS * MS;
	return clamp((int64_t)(w->credit_ns / surplus), SHORTEST_MS * MS, IDLE_MS * MS);
}

static int64_t while_frozen(struct warden_state *w)
{
	double wanted = share(w) * (double)(SAVED_MS * MS) / 2 - w->credit_ns;
	int64_t wait = clamp((int64_t)(wanted / share(w)), SHORTEST_MS * MS, DEBT_MS * MS);
	bool all = false;

	if (w->settled)
		return wait;
	/* Tasks that forked meanwhile want to be asked again. */
	if (cgroup_is_frozen(w->group, &all, NULL) == 0 && all)
		w->settled = true;
	else
		(void)cgroup_freeze_begin(w->group, true);	/* as in set_frozen() */
	return w->settled ? wait : clamp(wait, SHORTEST_MS * MS, SETTLE_MS * MS);
}

/* Returns how long nothing needs to be done. */
static int64_t hold_cpu(struct warden_state *w, int64_t now)
{
	double enough = share(w) * (double)(SAVED_MS * MS) / 2;

	settle(w, now);
	if (w->frozen ? w->credit_ns >= enough : w->credit_ns > 0) {
		set_frozen(w, false);
		keep_thawed(w);
		return while_running(w, now);
	}
	set_frozen(w, true);
	return while_frozen(w);
}

/* ---- tasks -------------------------------------------------------------------------------------------------------------------- */

struct process {
	pid_t pid;
	unsigned long long start;
	long threads;
};

typedef VEC(struct process) process_vec;

static void process_vec_clear(process_vec *v)
{
	VEC_FREE(v);
}
DEFINE_AUTO_CLEAR(process_vec_clear, process_vec)

static int newest_first(const void *a, const void *b)
{
	const struct process *x = a, *y = b;

	if (x->start != y->start)
		return x->start > y->start ? -1 : 1;
	return x->pid > y->pid ? -1 : x->pid < y->pid;
}

static bool read_process(pid_t pid, struct process *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err ignored;
	const char *end;
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(-1, path, 4096, &text, &ignored) < 0)
		return false;
	end = strrchr(buf_cstr(&text), ')');
	ret->pid = pid;
	/* proc(5): state is field 3, num_threads 20, starttime 22 */
	return end && sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld %*d %llu",
			     &ret->threads, &ret->start) == 2;
}

/* Of one moment: counting and listing apart would not agree while some end by themselves. */
static size_t list_processes(struct warden_state *w, process_vec *ret)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};
	size_t tasks = 0;

	if (cgroup_pids(w->group, &pids, NULL) < 0)
		return 0;
	VEC_EACH(pid, &pids) {
		struct process p;

		if (!read_process(*pid, &p) || p.threads < 1)
			continue;
		tasks += (size_t)p.threads;
		/* The first one goes last: with it goes the container. */
		if (*pid != w->first)
			VEC_PUSH(ret, p);
	}
	return tasks;
}

static void kill_above(struct warden_state *w, size_t limit)
{
	AUTO(process_vec_clear) process_vec processes = {0};
	size_t tasks = list_processes(w, &processes);

	if (processes.n)
		qsort(processes.v, processes.n, sizeof(*processes.v), newest_first);
	for (size_t i = 0; i < processes.n && tasks > limit; i++) {
		(void)kill(processes.v[i].pid, SIGKILL);	/* frozen, so it is still the same */
		tasks -= (size_t)processes.v[i].threads;
	}
	if (tasks > limit)
		(void)kill(w->first, SIGKILL);	/* all that is left are its own threads */
}

static void contain(struct warden_state *w, size_t limit)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	int64_t end = now_ns() + CONTAIN_MS * MS;
	bool all = false;

	do {
		(void)cgroup_freeze_begin(w->group, true);	/* as in set_frozen() */
		if (cgroup_is_frozen(w->group, &all, NULL) < 0)
			break;
		if (!all)
			nanosleep(&pause, NULL);
	} while (!all && now_ns() < end);
	kill_above(w, limit);
	/* They die now. The quota of CPU time freezes it again if it must. */
	w->frozen = false;
	cgroup_thaw(w->group);
}

/* The number of the newest process of the host, or -1. */
static int64_t newest_pid(struct warden_state *w)
{
	char text[128];
	ssize_t n = w->loadavg < 0 ? -1 : pread(w->loadavg, text, sizeof(text) - 1, 0);
	const char *last;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	last = strrchr(text, ' ');
	return last ? strtoll(last, NULL, 10) : -1;
}

/* Returns how long nothing needs to be done. */
static int64_t hold_tasks(struct warden_state *w, int64_t now)
{
	int64_t limit = w->order.limits.tasks, newest, started;

	if (now < w->count_at_ns)
		return w->count_at_ns - now;
	newest = newest_pid(w);
	started = newest - w->last_pid;
	/* Numbers start again at the greatest; then we count. */
	if (newest < 0 || w->last_pid < 0 || started < 0 || started > w->room) {
		int64_t tasks = (int64_t)cgroup_count_tasks(w->group);

		if (tasks > limit) {
			contain(w, (size_t)limit);
			newest = -1;
		}
		w->room = tasks < limit ? limit - tasks : 0;
		w->last_pid = newest;
	}
	w->count_at_ns = now + clamp(w->room / FORKS_A_MS, COUNT_SHORTEST_MS, COUNT_LONGEST_MS) * MS;
	return w->count_at_ns - now;
}

/* ---- life --------------------------------------------------------------------------------------------------------------------- */

static void end(struct warden_state *w) __attribute__((noreturn));
static void end(struct warden_state *w)
{
	thaw(w);
	_exit(0);
}

static void take_order(struct warden_state *w)
{
	struct warden_order order;
	ssize_t n = recv(w->fd, &order, sizeof(order), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(order))
		end(w);
	if (order.hold || order.limits.cpu_quota_us <= 0)
		thaw(w);
	w->order = order;
	w->last_pid = -1;
	w->count_at_ns = 0;
	(void)send(w->fd, "", 1, MSG_NOSIGNAL);	/* or the shim is gone, which the next look shows */
}

static int64_t work(struct warden_state *w)
{
	const struct cgroup_kept *limits = &w->order.limits;
	int64_t now = now_ns(), wait = INT64_MAX, next;

	if (w->order.idle)
		return wait;
	if (limits->tasks > 0)
		wait = hold_tasks(w, now);
	if (limits->cpu_quota_us <= 0)
		return wait;
	if (w->order.hold) {
		settle(w, now);	/* it is paid for later */
		keep_thawed(w);
		next = (w->forgets_thaws ? IDLE_MS : SAVED_MS) * MS;
	} else {
		next = hold_cpu(w, now);
	}
	return next < wait ? next : wait;
}

void warden_main(int fd, struct cgroup *group, pid_t first)
{
	struct warden_state w = {
		.fd = fd,
		.group = group,
		.first = first,
		.processors = (int)sysconf(_SC_NPROCESSORS_ONLN),
		.looked_ns = now_ns(),
		.loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC),
		.last_pid = -1,
		.forgets_thaws = cgroup_forgets_thaws(),
	};

	(void)cgroup_cpu_usage(group, &w.used_ns);	/* what was used before is not charged */
	for (;;) {
		int64_t wait = work(&w);
		struct timespec t = {.tv_sec = wait / 1000000000, .tv_nsec = wait % 1000000000};
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (ppoll(&p, 1, wait == INT64_MAX ? NULL : &t, NULL) == 1)
			take_order(&w);
	}
}
