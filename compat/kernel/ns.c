/*
 * ns.c - namespaces
 */
#include "compat/kernel/ns.h"
#include "compat/kernel/syscalls.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/str.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* ioctl_ns(2) */
#define IOCTL_NS_GET_NSTYPE _IO(0xb7, 0x3)

const struct ns_type ns_types[NS_COUNT] = {
	[NS_USER] = {"user", "user", CLONE_NEWUSER},
	[NS_IPC] = {"ipc", "ipc", CLONE_NEWIPC},
	[NS_UTS] = {"uts", "uts", CLONE_NEWUTS},
	[NS_NET] = {"network", "net", CLONE_NEWNET},
	[NS_PID] = {"pid", "pid", CLONE_NEWPID},
	[NS_CGROUP] = {"cgroup", "cgroup", CLONE_NEWCGROUP},
	[NS_TIME] = {"time", "time", CLONE_NEWTIME},
	[NS_MNT] = {"mount", "mnt", CLONE_NEWNS},
};

int ns_parse(const char *name)
{
	for (int i = 0; i < NS_COUNT; i++)
		if (str_eq(name, ns_types[i].oci) || str_eq(name, ns_types[i].file))
			return i;
	return -EINVAL;
}

static int ns_path(char dst[64], pid_t pid, enum ns_kind kind)
{
	if (pid)
		return snprintf(dst, 64, "/proc/%d/ns/%s", pid, ns_types[kind].file);
	return snprintf(dst, 64, "/proc/self/ns/%s", ns_types[kind].file);
}

bool ns_exists(enum ns_kind kind)
{
	char path[64];
	struct stat st;
	char name[32];

	snprintf(name, sizeof(name), "ns_%s", ns_types[kind].file);
	if (hidden(name))
		return false;
	ns_path(path, 0, kind);
	if (stat(path, &st) == 0)
		return true;
	/*
	 * 2.6.32 has no such directory, 3.0 to 3.7 show three of the kinds only. Those which clone() always took there were all
	 * there before: only user (3.8), cgroup (4.6) and time (5.6) came with their file.
	 */
	return kind != NS_USER && kind != NS_CGROUP && kind != NS_TIME;
}

int ns_set_open(pid_t pid, struct ns_set *ret, struct err *err)
{
	AUTO(ns_set_close) struct ns_set set = NS_SET_INIT;

	for (int i = 0; i < NS_COUNT; i++) {
		struct stat theirs, ours;
		char path[64];

		ns_path(path, 0, i);
		if (stat(path, &ours) < 0)
			continue;
		ns_path(path, pid, i);
		set.fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (set.fds[i] < 0 || fstat(set.fds[i], &theirs) < 0)
			return err_sys(err, errno, "open '%s'", path);
		if (theirs.st_ino == ours.st_ino && theirs.st_dev == ours.st_dev) {
			close(set.fds[i]);
			set.fds[i] = -1;
		}
	}
	*ret = set;
	set = NS_SET_INIT;
	return 0;
}

int ns_set_add(struct ns_set *set, enum ns_kind kind, const char *path, struct err *err)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat theirs, ours;
	char own[64];
	int type;

	if (fd < 0)
		return err_sys(err, errno, "open %s namespace '%s'", ns_types[kind].oci, path);
	type = ioctl(fd, IOCTL_NS_GET_NSTYPE);
	if (type > 0 && type != ns_types[kind].flag)
		return err_set(err, ERR_INVALID, "'%s' is not a %s namespace", path, ns_types[kind].oci);
	/* Ours already: nothing to join, and joining one's own user namespace is an error. */
	ns_path(own, 0, kind);
	if (stat(own, &ours) == 0 && fstat(fd, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
	    ours.st_dev == theirs.st_dev)
		return 0;
	if (set->fds[kind] >= 0)
		close(set->fds[kind]);
	set->fds[kind] = fd_take(&fd);
	return 0;
}

void ns_set_close(struct ns_set *set)
{
	for (int i = 0; i < NS_COUNT; i++) {
		if (set->fds[i] >= 0)
			close(set->fds[i]);
		set->fds[i] = -1;
	}
}

static bool join_hidden(enum ns_kind kind)
{
	char name[32];

	snprintf(name, sizeof(name), "setns-%s", ns_types[kind].file);
	return hidden("setns") || hidden(name);
}

/* By number: the C libraries of old distributions have no setns(). */
static int setns_raw(int fd, int type)
{
	return (int)syscall(SYS_setns, fd, type);
}

int ns_join_one(int fd, enum ns_kind kind, struct err *err)
{
	if (join_hidden(kind))
		return err_sys(err, ENOSYS, "join %s namespace", ns_types[kind].oci);
	if (setns_raw(fd, ns_types[kind].flag) < 0)
		return err_sys(err, errno, "join %s namespace", ns_types[kind].oci);
	return 0;
}

int ns_join(const struct ns_set *set, unsigned int except, struct err *err)
{
	for (int i = 0; i < NS_COUNT; i++) {
		int rc;

		if (set->fds[i] < 0 || except & 1u << i)
			continue;
		rc = ns_join_one(set->fds[i], i, err);
		if (rc)
			return rc;
	}
	return 0;
}

pid_t ns_clone(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	return pid < 0 ? -errno : (pid_t)pid;
}

pid_t ns_clone_unseen(void)
{
	long pid = syscall(SYS_clone, 0UL, NULL, NULL, NULL, NULL);

	return pid < 0 ? -errno : (pid_t)pid;
}

pid_t ns_clone_into(unsigned long flags, int cgroup_fd)
{
	struct k_clone_args args = {.flags = flags | K_CLONE_INTO_CGROUP, .exit_signal = SIGCHLD,
				    .cgroup = (uint64_t)cgroup_fd};
	long pid = hidden("clone3") ? -1 : syscall(NR_CLONE3, &args, sizeof(args));

	return pid < 0 ? -errno : (pid_t)pid;
}

/* Asks with a bad fd: joining even one's own mount namespace would move the working directory. */
struct fit ns_join_fit(enum ns_kind kind)
{
	char path[64];

	if (join_hidden(kind) || (setns_raw(-1, 0) < 0 && errno == ENOSYS))
		return fit(FIT_NO, "this kernel cannot join %s namespaces (setns)", ns_types[kind].oci);
	ns_path(path, 0, kind);
	if (access(path, F_OK) < 0)
		return fit(FIT_NO, "this kernel cannot join %s namespaces: there is no %s", ns_types[kind].oci, path);
	return fit(FIT_NATIVE, "setns joins %s namespaces", ns_types[kind].oci);
}
