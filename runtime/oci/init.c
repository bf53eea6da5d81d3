/*
 * init.c - the container's first process, from clone() to the user's program
 *
 * One table of named stages. The first failure is sent to the parent with the stage's name and ends the process; the kernel then
 * takes away all that it had made, for it lives in namespaces which nobody else holds.
 */
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/mount.h"
#include "runtime/oci/agent.h"

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* ---- namespaces ---------------------------------------------------------------------------------------------------------- */

/* What need not be made by clone() is made here, while the parent makes the control group. */
static int make_namespaces(struct init *init, struct err *err)
{
	static const enum ns_kind kinds[] = {NS_MNT, NS_NET, NS_IPC, NS_UTS};
	int flags = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (init->new_ns[kinds[i]] && !(init->made_ns & 1u << kinds[i]))
			flags |= ns_types[kinds[i]].flag;
	return flags && unshare(flags) < 0 ? err_sys(err, errno, "unshare") : 0;
}

/* By itself: much cheaper than being moved. Before the ids change, as the files are the host's root's. */
static int enter_cgroup(struct init *init, struct err *err)
{
	int fds[CGROUP_MAX_HIERARCHIES];
	size_t count = 0;
	int rc = sync_expect(init->sync, SYNC_CGROUP, err);

	if (!rc && init->cg && !init->cgroup_born)
		rc = cgroup_enter_prepare(init->cg, fds, &count, err);
	if (!rc)
		rc = cgroup_enter_self(fds, count, err);
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	return rc;
}

static int join_namespaces(struct init *init, struct err *err)
{
	/* User and pid were joined on the way here. */
	int rc = ns_join(&init->join, 1u << NS_USER | 1u << NS_PID | 1u << NS_TIME, err);

	ns_set_close(&init->join);
	return rc;
}

/*
 * In a user namespace we are nobody until the parent has written the maps. Until we then become its root we still own what
 * the host's root owns, so that is the moment to open what will be bound.
 */
static int open_sources(struct init *init, struct err *err)
{
	VEC_EACH(m, &init->spec->mounts) {
		bool bind = str_eq(m->type, "bind") || strv_has(&m->options, "bind") || strv_has(&m->options, "rbind");
		int fd = -1;

		if (bind) {
			fd = open(m->source, mount_path_flags() | O_CLOEXEC);
			if (fd < 0)
				return err_sys(err, errno, "mount '%s': source '%s'", m->destination, m->source);
		}
		VEC_PUSH(&init->source_fds, fd);
	}
	if (init->made_devices) {
		init->devices_fd = open(init->container->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (init->devices_fd < 0)
			return err_sys(err, errno, "open '%s'", init->container->dir);
	}
	return 0;
}

static int map_ids(struct init *init, struct err *err)
{
	int rc;

	if (!init->listed_ns[NS_USER])
		return 0;
	if (init->new_ns[NS_USER]) {
		rc = sync_expect(init->sync, SYNC_MAPPED, err);
		if (rc)
			return rc;
	}
	if (init->listed_ns[NS_MNT]) {
		rc = open_sources(init, err);
		if (rc)
			return rc;
	}
	/* A map without a root is allowed; then we stay who we are. */
	if (setresgid(0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(err, errno, "become the namespace's root group");
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(err, errno, "drop additional groups");
	if (setresuid(0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(err, errno, "become the namespace's root");
	/* The change of user made us dumpable again; /proc/PID would be open to the container. */
	if (init->join.fds[NS_PID] >= 0)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return 0;
}

static int cgroup_namespace(struct init *init, struct err *err)
{
	if (init->new_ns[NS_CGROUP] && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(err, errno, "make a cgroup namespace");
	return 0;
}

static int session(struct init *init, struct err *err)
{
	if (setsid() < 0 && errno != EPERM)
		return err_sys(err, errno, "start a session");
	return process_keyring(&init->setup, err);
}

static int loopback_up(struct init *init, struct err *err)
{
	auto_fd int fd = -1;
	struct ifreq ifr = {.ifr_name = "lo"};

	if (!init->new_ns[NS_NET])
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ifr.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return err_sys(err, errno, "bring up 'lo'");
	return 0;
}

static int names(struct init *init, struct err *err)
{
	const struct oci_spec *s = init->spec;

	if (!str_empty(s->hostname) && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return err_sys(err, errno, "set hostname '%s'", s->hostname);
	if (!str_empty(s->domainname) && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return err_sys(err, errno, "set domainname '%s'", s->domainname);
	return 0;
}

static int sysctls(struct init *init, struct err *err)
{
	const struct strmap *map = &init->spec->linux_.sysctl;

	for (size_t i = 0; i < map->n; i++) {
		const char *key = map->v[i].key;
		bool dots = key[strcspn(key, "./")] != '/';
		auto_free char *path = xfmt("sys/%s", key);
		int rc;

		for (char *c = path + 4; dots && *c; c++)
			*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
		rc = file_put(init->proc_fd, path, map->v[i].val, err);
		if (rc)
			return err_wrap(err, rc, "sysctl '%s'", key);
	}
	return 0;
}

/* ---- waiting for others -------------------------------------------------------------------------------------------------- */

static int wait_limits(struct init *init, struct err *err)
{
	return sync_expect(init->sync, SYNC_APPLIED, err);
}

static int terminal(struct init *init, struct err *err)
{
	if (!init->spec->process || !init->spec->process->terminal)
		return 0;
	return console_setup(init->root_fd, &init->setup, init->listed_ns[NS_MNT], err);
}

/* Every runtime makes one that the image lacks; later the root may be read-only. What is wrong with it is said by who enters it. */
static int working_directory(struct init *init, struct err *err)
{
	const struct oci_process *p = init->spec->process;
	auto_fd int fd = -1;
	bool existed;

	if (p && init->listed_ns[NS_MNT])
		(void)init_open_place(init->root_fd, p->cwd, true, &fd, &existed, NULL);
	return 0;
}

static int hooks(struct init *init, struct err *err)
{
	const struct oci_hooks *h = &init->spec->hooks;
	AUTO(buf_clear) struct buf state = BUF_INIT;
	char root[MOUNT_FD_PATH_SIZE];
	int rc = 0;

	if (h->prestart.n || h->create_runtime.n) {
		rc = sync_send(init->sync, SYNC_RUN_HOOKS, -1);
		if (rc < 0)
			return err_sys(err, -rc, "ask for hooks");
		rc = sync_expect(init->sync, SYNC_HOOKED, err);
	}
	if (!rc && h->create_container.n) {
		oci_hook_state(init->container, OCI_CREATED, &state);
		/* Where the root is is nothing that a hook could know; runc and crun start it there. */
		if (chdir(mount_fd_path(init->root_fd, root)) < 0)
			return err_sys(err, errno, "enter the root file system");
		rc = oci_hooks_run("createContainer", &h->create_container, &state, err);
	}
	return rc;
}

/* ---- the program --------------------------------------------------------------------------------------------------------- */

static int standard_fds(struct init *init, struct err *err)
{
	if (init->spec->process && init->spec->process->terminal)
		return 0;
	return process_stdio(&init->setup, err);
}

/* Stands in for no_new_privs; later mounts of the host must not come in, as they would lack it. */
static int nosuid_mounts(struct init *init, struct err *err)
{
	if (!init->setup.nosuid || process_has_no_new_privs())
		return 0;
	return mount_reflag(init->root_fd, "/", MS_NOSUID, 0, true, err);
}

static int stop_propagation(struct init *init, struct err *err)
{
	if (!init->setup.nosuid || process_has_no_new_privs())
		return 0;
	return mount("none", "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ? err_sys(err, errno, "make mounts private") : 0;
}

static int inside(struct init *init, struct err *err)
{
	return process_reopen_null(err);
}

/* Component by component: by way of an open fd of ours, a plain path would lead to the host. */
static int make_cwd(const char *cwd, struct err *err)
{
	auto_fd int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int made = -1;

	if (root < 0)
		return err_sys(err, errno, "open the container's root");
	return path_mkdirs_in(root, cwd, 0755, &made, err);
}

/* The working directory is made when the image lacks it, as every runtime does. */
static int program(struct init *init, struct err *err)
{
	const struct oci_process *p = init->spec->process;
	int rc;

	if (!p)
		return 0;
	rc = process_check(&init->setup, err);
	if (rc != -ENOENT || access(p->cwd, F_OK) == 0)
		return rc;
	rc = make_cwd(p->cwd, err);
	return rc ? rc : process_check(&init->setup, err);
}

/* Last: it is to have all that we have. */
static int agent(struct init *init, struct err *err)
{
	return init->agent_socket >= 0 ? agent_start(init, err) : 0;
}

static const struct {
	const char *name;
	int (*run)(struct init *, struct err *);
} stages[] = {
	{"make namespaces", make_namespaces},
	/* Before the group's device rules, which are being written meanwhile: /dev/null may be opened. */
	{"standard fds", standard_fds},
	{"join cgroup", enter_cgroup},
	{"join namespaces", join_namespaces},
	{"map ids", map_ids},
	{"cgroup namespace", cgroup_namespace},
	{"start session", session},
	{"network", loopback_up},
	{"host name", names},
	{"sysctl", sysctls},
	{"root file system", init_rootfs},
	{"mounts", init_mounts},
	{"limits", wait_limits},
	{"devices", init_devices},
	{"terminal", terminal},
	{"hooks", hooks},
	{"working directory", working_directory},
	{"protected paths", init_protected_paths},
	{"read-only mounts", init_readonly},
	{"no_new_privs", nosuid_mounts},
	{"switch root", init_switch_root},
	{"no_new_privs", stop_propagation},
	{"standard fds inside", inside},
	{"program", program},
	{"exec agent", agent},
};

/* ---- the start ----------------------------------------------------------------------------------------------------------- */

/* Whoever starts us waits at the other end until the exec closes it. */
static int wait_start(struct init *init, struct err *err)
{
	struct pollfd p[2] = {{.fd = init->sync, .events = POLLIN}, {.fd = init->listen_socket, .events = POLLIN}};
	enum sync_kind kind;

	for (;;) {
		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(err, errno, "wait for start");
		}
		if (p[0].revents) {
			int rc = sync_recv(init->sync, &kind, NULL, err);

			if (!rc && kind == SYNC_START)
				break;
			/* The creator is gone, as `create` is; only start.sock is left. */
			if (init->listen_socket < 0)
				_exit(0);
			p[0].fd = -1;
		}
		if (p[1].revents) {
			int fd = accept4(init->listen_socket, NULL, NULL, SOCK_CLOEXEC);

			if (fd >= 0 && !sync_expect(fd, SYNC_START, NULL)) {
				close(init->sync);
				init->sync = init->setup.sync = fd;
				break;
			}
			if (fd >= 0)
				close(fd);
		}
	}
	if (init->listen_socket >= 0)
		close(init->listen_socket);
	return 0;
}

static int start_container_hooks(void *arg, struct err *err)
{
	struct init *init = arg;
	AUTO(buf_clear) struct buf state = BUF_INIT;

	if (!init->spec->hooks.start_container.n)
		return 0;
	oci_hook_state(init->container, OCI_CREATED, &state);
	return oci_hooks_run("startContainer", &init->spec->hooks.start_container, &state, err);
}

void init_main(struct init *init)
{
	struct err err = ERR_INIT;
	int rc = 0;

	init->root_fd = init->devices_fd = -1;
	umask(022);	/* what is made in the root file system does not depend on the caller's */
	if (init->join.fds[NS_PID] >= 0)
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(stages) && !rc; i++) {
		rc = stages[i].run(init, &err);
		/* The program's own troubles are said as they are. */
		if (rc && stages[i].run != program)
			err_wrap(&err, rc, "%s", stages[i].name);
	}
	if (!rc && !init->start) {
		rc = sync_send(init->sync, SYNC_READY, -1);
		rc = rc ? err_sys(&err, -rc, "say that all is ready") : wait_start(init, &err);
	}
	if (!rc && !init->spec->process)
		rc = err_set(&err, ERR_INVALID, "config.json has no process to start");
	if (!rc)
		process_exec(&init->setup, start_container_hooks, init, &err);
	sync_send_error(init->sync, &err);
	_exit(err.kind == ERR_NOT_FOUND ? 127 : 126);
}
