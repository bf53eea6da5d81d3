/*
 * agent.c - the container's agent: how it is made, and its loop
 */
#include "runtime/oci/agent.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/netlink.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/kernel/caps.h"

#define NAME		 "pouch-exec-agent"
#define FILES_WANTED	 8192
#define NO_FILES_MS	 50

/* ---- becoming it --------------------------------------------------------------------------------------------------------- */

/* Children set what a request asks for, without the right to raise anything: so raise it now. What cannot be raised fails there. */
static int limits(struct agent *a, struct init *init, struct err *err)
{
	const struct oci_process *p = init->spec->process;
	struct rlimit files;

	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit(i, &a->limits[i]) < 0)
			a->limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	files = a->limits[RLIMIT_NOFILE];
	files.rlim_cur = files.rlim_max < FILES_WANTED ? FILES_WANTED : files.rlim_max;
	files.rlim_max = files.rlim_cur;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	for (size_t i = 0; p && i < p->rlimits.n; i++) {
		int resource = oci_rlimit_parse(p->rlimits.v[i].type);
		struct rlimit r;

		if (getrlimit(resource, &r) < 0 || r.rlim_max >= p->rlimits.v[i].hard)
			continue;
		r.rlim_max = p->rlimits.v[i].hard;
		(void)setrlimit(resource, &r);
	}
	return 0;
}

/* When the container runs out of memory, those who want to see why need it. */
static int oom(struct agent *a, struct init *init, struct err *err)
{
	if (file_put(init->proc_fd, "self/oom_score_adj", "-999", NULL) == -ENOENT)
		(void)file_put(init->proc_fd, "self/oom_adj", "-16", NULL); /* before 2.6.36 */
	return 0; /* in a user namespace it may not */
}

static int open_own(struct agent *a, struct init *init, struct err *err)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK};
	struct statfs fs;

	a->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (a->proc_fd >= 0 && (fstatfs(a->proc_fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)) {
		close(a->proc_fd);
		a->proc_fd = -1;
	}
	a->netlink = init->new_ns[NS_NET] ? socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) : -1;
	if (a->netlink >= 0 && bind(a->netlink, (struct sockaddr *)&name, sizeof(name)) < 0)
		return err_sys(err, errno, "bind a netlink socket");
	return 0;
}

/* While we have the right to; all that we fork is under it too. */
static int filter(struct agent *a, struct init *init, struct err *err)
{
	return process_seccomp(&init->setup, err);
}

/* The container's output must end with its processes, so nothing of it may stay open here. */
static int descriptors(struct agent *a, struct init *init, struct err *err)
{
	int keep[] = {a->listener, a->netlink, a->proc_fd, a->ready};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (null < 0)
		null = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (null < 0)
		return err_sys(err, errno, "open '/dev/null'");
	for (int i = 0; i < 3; i++)
		if (dup2(null, i) < 0)
			return err_sys(err, errno, "set standard fd %d", i);
	close_others(0, keep, ARRAY_SIZE(keep));
	return 0;
}

static int session(struct agent *a, struct init *init, struct err *err)
{
	if (setsid() < 0)
		return err_sys(err, errno, "start a session");
	(void)prctl(PR_SET_NAME, NAME, 0, 0, 0);
	process_title(NAME);
	return chdir("/") < 0 ? err_sys(err, errno, "enter '/'") : 0;
}

static int rights(struct agent *a, struct init *init, struct err *err)
{
	const struct oci_process *p = init->spec->process;
	uint64_t bounding = p && p->capabilities ? p->capabilities->bounding : 0;
	struct caps caps = {0};
	int rc = caps_get(&caps, err);

	if (rc)
		return rc;
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(err, errno, "drop additional groups");
	caps.permitted &= bounding | CAP_BIT(CAP_SETUID) | CAP_BIT(CAP_SETGID) | CAP_BIT(CAP_SETPCAP);
	caps.effective = caps.permitted;
	caps.inheritable = caps.ambient = 0;
	rc = caps_drop_bounding(bounding, err);
	return rc ? rc : caps_apply(&caps, err);
}

/* Last: changes of credentials take both back. */
static int hide(struct agent *a, struct init *init, struct err *err)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, errno, "become undumpable");
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
		return err_sys(err, errno, "bind the agent's life to the container's");
	if (getppid() != a->parent)
		_exit(0); /* it died meanwhile */
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct agent *, struct init *, struct err *);
} stages[] = {
	{"limits", limits},	      {"oom score", oom},	{"open", open_own},	{"seccomp", filter},
	{"descriptors", descriptors}, {"session", session},	{"rights", rights},	{"hide", hide},
};

/* ---- its loop ------------------------------------------------------------------------------------------------------------ */

struct child {
	pid_t pid;
	int conn;
};

struct serving {
	struct agent *agent;
	int signals;
	VEC(struct child) children;
};

static void answer(int conn, int code, int status)
{
	const struct ns_agent_answer a = {.magic = NS_AGENT_MAGIC, .code = code, .status = status};

	/* Who asked may be gone: `exec -d` is. */
	(void)!send(conn, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(conn);
}

static void reap(struct serving *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < s->children.n; i++) {
			if (s->children.v[i].pid != pid)
				continue;
			answer(s->children.v[i].conn, 0, status);
			VEC_DEL(&s->children, i);
			break;
		}
}

static bool is_allowed(const struct agent *a, int conn)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return a->any_peer || (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == 0);
}

/* Returns false when there is no fd for it: then wait until somebody ends. */
static bool take_request(struct serving *s)
{
	int conn = accept4(s->agent->listener, NULL, NULL, SOCK_CLOEXEC);
	pid_t pid;

	if (conn < 0)
		return errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS;
	if (!is_allowed(s->agent, conn)) {
		answer(conn, EPERM, 0);
		return true;
	}
	pid = ns_clone(0);
	if (pid == 0) {
		close(s->agent->listener);
		close(s->signals);
		VEC_EACH(c, &s->children)
			close(c->conn);
		agent_serve(s->agent, conn);
	}
	if (pid < 0)
		answer(conn, -pid, 0);
	else
		VEC_PUSH(&s->children, ((struct child){pid, conn}));
	return true;
}

static void serve(struct agent *a) __attribute__((noreturn));
static void serve(struct agent *a)
{
	struct serving s = {.agent = a};
	struct pollfd p[2];
	bool room = true;
	sigset_t all;

	sigfillset(&all);
	s.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	p[0] = (struct pollfd){.fd = s.signals, .events = POLLIN};
	p[1] = (struct pollfd){.fd = a->listener, .events = POLLIN};
	for (;;) {
		struct signalfd_siginfo info;

		p[1].fd = room ? a->listener : -1;
		if (poll(p, 2, room ? -1 : NO_FILES_MS) < 0 && errno != EINTR)
			_exit(1);
		while (read(s.signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
			;
		reap(&s);
		/* The first process is dead, in a pid namespace that lives on. */
		if (getppid() != a->parent)
			_exit(0);
		room = room && p[1].revents ? take_request(&s) : true;
	}
}

static void run(struct init *init, int ready) __attribute__((noreturn));
static void run(struct init *init, int ready)
{
	static struct agent a;
	struct err err = ERR_INIT;
	sigset_t all;
	int rc = 0;

	/* Whatever a process of the container sends: nothing but SIGKILL ends us. */
	process_default_signals();
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	a = (struct agent){.listener = init->agent_socket, .ready = ready, .netlink = -1, .proc_fd = -1, .parent = getppid(),
			   .any_peer = init->listed_ns[NS_USER], .personality = init->setup.personality,
			   .nosuid = init->setup.nosuid,
			   .address_space = init->setup.address_space};
	for (size_t i = 0; i < ARRAY_SIZE(stages) && !rc; i++) {
		rc = stages[i].run(&a, init, &err);
		err_wrap(&err, rc, "%s", stages[i].name);
	}
	if (rc) {
		sync_send_error(ready, &err);
		_exit(1);
	}
	if (sync_send(ready, SYNC_READY, -1))
		_exit(1);
	close(ready);
	serve(&a);
}

int agent_start(struct init *init, struct err *err)
{
	int pair[2], rc = sync_pair(pair, err);
	pid_t pid;

	if (rc)
		return rc;
	pid = ns_clone_unseen();
	if (pid == 0)
		run(init, pair[1]);
	close(pair[1]);
	close(fd_take(&init->agent_socket));
	rc = pid < 0 ? err_sys(err, -pid, "clone") : sync_expect(pair[0], SYNC_READY, err);
	close(pair[0]);
	while (rc && pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return rc;
}
