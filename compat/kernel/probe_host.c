/*
 * probe_host.c - what the host has: file systems, devices, control groups, security modules, network
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/dm.h"
#include "compat/kernel/probe.h"

/* ---- file systems ---- */

bool probe_filesystem_is_listed(const char *fstype)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *line = xfmt("\t%s\n", fstype);

	return file_read(AT_FDCWD, "/proc/filesystems", 1 << 16, &text, NULL) == 0 &&
	       strstr(buf_cstr(&text), line);
}

static bool is_listed(struct answer *a, const char *fstype)
{
	if (probe_filesystem_is_listed(fstype))
		return probe_yes(a, "in /proc/filesystems");
	return probe_no(a, "'%s' is not in /proc/filesystems", fstype);
}

/* Loading its module measures checksums for a tenth of a second; where a home lies on btrfs it is loaded. */
bool probe_btrfs(struct answer *a)
{
	return is_listed(a, "btrfs");
}

/* ---- block devices ---- */

/* A node of the control device, where one is needed, is made in the probes' own tmpfs. */
bool probe_device_mapper(struct answer *a)
{
	struct err why = ERR_INIT;
	auto_fd int fd = -1;
	char version[32];

	if (dm_open(".", &fd, &why) < 0 || dm_version(fd, version, &why) < 0)
		return probe_no(a, "%s", why.msg);
	return probe_yes(a, "driver version %s", version);
}

static bool has_target(struct answer *a, const char *target)
{
	struct err why = ERR_INIT;
	auto_fd int fd = -1;
	char version[32];

	if (dm_open(".", &fd, &why) < 0)
		return probe_no(a, "%s", why.msg);
	if (!dm_has_target(fd, target, version))
		return probe_no(a, "device-mapper has no target '%s'", target);
	return probe_yes(a, "target %s version %s", target, version);
}

bool probe_dm_thin(struct answer *a)
{
	return has_target(a, "thin-pool");
}

bool probe_dm_snapshot(struct answer *a)
{
	return has_target(a, "snapshot");
}

bool probe_loop_control(struct answer *a)
{
	auto_fd int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	return probe_result(a, fd, "open '/dev/loop-control'");
}

/* ---- control groups ---- */

bool probe_cgroup_v1(struct answer *a)
{
	return is_listed(a, "cgroup");
}

bool probe_cgroup_v2(struct answer *a)
{
	return is_listed(a, "cgroup2");
}

bool probe_sys_fs_cgroup(struct answer *a)
{
	struct stat st;

	return probe_result(a, stat("/sys/fs/cgroup", &st), "stat '/sys/fs/cgroup'");
}

struct place {
	char dir[256];		/* where the hierarchy is mounted */
	char group[512];	/* this process's group in it */
};

/* Cut the next blank-separated word off *p. */
static char *word(char **p)
{
	return strsep(p, " ");
}

/*
 * The first cgroup mount whose options have @controller, or any when @controller is NULL; *ret_v2 tells which version. The simple case is
 * enough here: mount points with blanks or a mounted subtree are passed over.
 */
static bool find_mount(const char *controller, char dir[256], char options[256], bool *ret_v2)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char *line, *rest;

	if (file_read(AT_FDCWD, "/proc/self/mounts", 16 << 20, &text, NULL) < 0)
		return false;
	rest = text.data;
	while (rest && (line = strsep(&rest, "\n")) && *line) {
		const char *source = word(&line), *target = word(&line), *type = word(&line);
		const char *opts = word(&line);
		auto_free char *padded = NULL;
		auto_free char *wanted = NULL;

		(void)source;
		if (!opts || (strcmp(type, "cgroup") && strcmp(type, "cgroup2")))
			continue;
		padded = xfmt(",%s,", opts);
		wanted = xfmt(",%s,", controller ? controller : "rw");
		if (!strstr(padded, wanted))
			continue;
		*ret_v2 = strcmp(type, "cgroup2") == 0;
		return str_fmt(dir, 256, "%s", target) == 0 &&
		       str_fmt(options, 256, "%s", padded) == 0;
	}
	return false;
}

/* "3:cpu,cpuacct:/x" -> "/x", for the hierarchy whose mount options name all of the line's controllers. */
static bool find_own_group(const char *options, bool v2, char group[512])
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char *line, *rest;

	if (file_read(AT_FDCWD, "/proc/self/cgroup", 1 << 16, &text, NULL) < 0)
		return false;
	rest = text.data;
	while (rest && (line = strsep(&rest, "\n")) && *line) {
		const char *id = strsep(&line, ":"), *names = strsep(&line, ":");
		auto_free char *wanted = names ? xfmt(",%s,", names) : NULL;

		if (!line)
			continue;
		if (v2 ? strcmp(id, "0") == 0 : *names && strstr(options, wanted))
			return str_fmt(group, 512, "%s", line) == 0;
	}
	return false;
}

/* Moves this process to where it is. On vanilla 2.6.32 cgroup.procs can be opened, yet says EINVAL to every write. */
bool probe_cgroup_procs(struct answer *a)
{
	char options[256], path[1024], pid[16];
	struct place p;
	auto_fd int fd = -1;
	bool v2;

	if (!find_mount(NULL, p.dir, options, &v2) || !find_own_group(options, v2, p.group))
		return probe_no(a, "no cgroup file system is mounted");
	(void)str_fmt(path, sizeof(path), "%s%s/cgroup.procs", p.dir,
		      strcmp(p.group, "/") ? p.group : "");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return probe_failed(a, "open cgroup.procs");
	(void)str_fmt(pid, sizeof(pid), "%d", (int)getpid());
	return probe_result(a, write(fd, pid, strlen(pid)), "write cgroup.procs");
}

/* Version 1 needs its controller; in version 2 every group but the root has the file. */
bool probe_freezer(struct answer *a)
{
	char options[256], path[1024];
	struct place p;
	bool v2;

	if (find_mount("freezer", p.dir, options, &v2))
		return probe_yes(a, "version 1 at %s", p.dir);
	if (!find_mount(NULL, p.dir, options, &v2) || !v2 || !find_own_group(options, v2, p.group))
		return probe_no(a, "no hierarchy with a freezer is mounted");
	(void)str_fmt(path, sizeof(path), "%s%s/cgroup.freeze", p.dir, p.group);
	if (strcmp(p.group, "/") == 0)
		return probe_yes(a, "version 2 at %s", p.dir);
	return probe_result(a, access(path, F_OK), "cgroup.freeze");
}

bool probe_clone_children(struct answer *a)
{
	char dir[256], options[256], path[300];
	bool v2;

	if (!find_mount("cpuset", dir, options, &v2))
		return probe_no(a, "no cpuset hierarchy of version 1 is mounted");
	(void)str_fmt(path, sizeof(path), "%s/cgroup.clone_children", dir);
	return probe_result(a, access(path, W_OK), "cgroup.clone_children");
}

/* The kernel's own ways only: what stands in for them is no feature. */
static bool has_limit(struct answer *a, enum cgroup_limit limit)
{
	struct fit best = cgroup_limit_native(limit);

	return (best.score > FIT_NO ? probe_yes : probe_no)(a, "%s", best.reason);
}

bool probe_cfs_quota(struct answer *a)
{
	return has_limit(a, CGROUP_CPU_QUOTA);
}

bool probe_pids_cgroup(struct answer *a)
{
	return has_limit(a, CGROUP_PIDS);
}

bool probe_memory_cgroup(struct answer *a)
{
	return has_limit(a, CGROUP_MEMORY);
}

bool probe_oom_control(struct answer *a)
{
	return has_limit(a, CGROUP_OOM_NOTICE);
}

/* ---- security modules ---- */

bool probe_apparmor(struct answer *a)
{
	static const char path[] = "/sys/module/apparmor/parameters/enabled";
	AUTO(buf_clear) struct buf text = BUF_INIT;

	if (file_read(AT_FDCWD, path, 64, &text, NULL) < 0)
		return probe_no(a, "the kernel has no AppArmor");
	if (buf_cstr(&text)[0] != 'Y')
		return probe_no(a, "AppArmor is switched off");
	return probe_yes(a, "AppArmor is on");
}

bool probe_selinux(struct answer *a)
{
	if (access("/sys/fs/selinux/enforce", F_OK) && access("/selinux/enforce", F_OK))
		return probe_no(a, "SELinux is not there or switched off");
	return probe_yes(a, "SELinux is on");
}

/* ---- network ---- */

bool probe_ipv6(struct answer *a)
{
	auto_fd int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return probe_failed(a, "socket(AF_INET6)");
	return probe_result(a, access("/proc/net/if_inet6", F_OK), "/proc/net/if_inet6");
}

bool probe_route_localnet(struct answer *a)
{
	return probe_result(a, access("/proc/sys/net/ipv4/conf/all/route_localnet", F_OK),
			    "/proc/sys/net/ipv4/conf/all/route_localnet");
}

/*
 * What libxtables asks the kernel before it uses a match. Before the kernel's part of iptables is loaded, and with the one that is built on
 * nftables, nobody can tell without making a rule.
 */
bool probe_addrtype(struct answer *a)
{
	enum { GET_REVISION_MATCH = 66 };	/* linux/netfilter_ipv4/ip_tables.h, which does not go with netinet/in.h */
	struct {
		char name[29];
		uint8_t revision;
	} ask = {.name = "addrtype"};
	socklen_t len = sizeof(ask);
	auto_fd int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	if (fd < 0)
		return probe_failed(a, "raw socket");
	if (getsockopt(fd, IPPROTO_IP, GET_REVISION_MATCH, &ask, &len) == 0 || errno == EPROTONOSUPPORT)
		return probe_yes(a, "the kernel knows the match");
	if (errno == ENOENT)
		return probe_no(a, "the kernel has no match 'addrtype'");
	return probe_yes(a, "not known before it is tried: ip_tables is not loaded");
}

/* Running it would load the kernel's tables, on a host that may have none on purpose. */
static bool has_program(struct answer *a, const char *name)
{
	const char *path = getenv("PATH");

	for (path = str_empty(path) ? "/usr/sbin:/sbin:/usr/bin:/bin" : path; *path;) {
		size_t n = strcspn(path, ":");
		auto_free char *file = xfmt("%.*s/%s", (int)n, path, name);

		if (n && access(file, X_OK) == 0)
			return probe_yes(a, "found %s", file);
		path += n + (path[n] == ':');
	}
	return probe_no(a, "no program '%s' in PATH", name);
}

bool probe_iptables(struct answer *a)
{
	return has_program(a, "iptables-restore");
}

bool probe_nft(struct answer *a)
{
	return has_program(a, "nft");
}
