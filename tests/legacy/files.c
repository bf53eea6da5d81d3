/*
 * files.c - files that are not there on that kernel, and files that read otherwise
 *
 * A name is looked up in a table by its last component; only then the file system it lies on is asked. Who gets at such a file by another
 * way (a directory's listing, a link of another name) sees it: programs that probe do not.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/str.h"
#include "tests/legacy/as_kernel.h"

#define MAGIC_PROC    0x9fa0
#define MAGIC_SYSFS   0x62656572
#define MAGIC_CGROUP  0x27e0eb
#define MAGIC_CGROUP2 0x63677270

/* ---- absent ---- */

enum where { PROC, CGROUP, DEV, ANY_BIN };

static const struct {
	const char *name;
	enum where where;
	unsigned int kernels;
} absent[] = {
	{"uid_map", PROC, OLD}, {"gid_map", PROC, OLD}, {"projid_map", PROC, OLD}, {"setgroups", PROC, TO_310},
	{"timerslack_ns", PROC, TO_310}, {"oom_score_adj", PROC, VANILLA}, {"comm", PROC, VANILLA}, {"children", PROC, OLD},
	{"cap_last_cap", PROC, VANILLA}, {"ns_last_pid", PROC, OLD}, {"max_user_namespaces", PROC, TO_310},
	{"pipe-max-size", PROC, OLD}, {"route_localnet", PROC, VANILLA}, {"pressure", PROC, ALL},

	{"cgroup.clone_children", CGROUP, OLD}, {"cgroup.sane_behavior", CGROUP, OLD},
	{"memory.oom_control", CGROUP, VANILLA}, {"memory.kmem.limit_in_bytes", CGROUP, OLD},
	{"memory.kmem.tcp.limit_in_bytes", CGROUP, OLD}, {"memory.kmem.usage_in_bytes", CGROUP, OLD},
	{"memory.pressure_level", CGROUP, OLD}, {"memory.numa_stat", CGROUP, OLD},
	{"memory.move_charge_at_immigrate", CGROUP, VANILLA}, {"cgroup.event_control", CGROUP, VANILLA},
	{"cpu.cfs_quota_us", CGROUP, VANILLA}, {"cpu.cfs_period_us", CGROUP, VANILLA}, {"cpu.stat", CGROUP, VANILLA},
	{"cpu.idle", CGROUP, ALL}, {"cpu.cfs_burst_us", CGROUP, ALL}, {"cpu.max.burst", CGROUP, ALL},
	{"cpuset.effective_cpus", CGROUP, TO_310}, {"cpuset.effective_mems", CGROUP, TO_310},
	{"freezer.self_freezing", CGROUP, OLD}, {"freezer.parent_freezing", CGROUP, OLD},
	{"cgroup.kill", CGROUP, ALL}, {"cgroup.freeze", CGROUP, ALL}, {"memory.peak", CGROUP, ALL},
	{"memory.reclaim", CGROUP, ALL}, {"memory.oom.group", CGROUP, ALL}, {"pids.peak", CGROUP, ALL},
	{"cpu.pressure", CGROUP, ALL}, {"memory.pressure", CGROUP, ALL}, {"io.pressure", CGROUP, ALL},

	{"loop-control", DEV, OLD},
	/* There is no nf_tables: the program is as good as not installed. */
	{"nft", ANY_BIN, OLD},
};

/* Kinds of /proc/PID/ns, and the kernels that do not have them. */
static const struct {
	const char *name;
	unsigned int kernels;
} namespaces[] = {
	{"net", VANILLA}, {"uts", VANILLA}, {"ipc", VANILLA}, {"mnt", VANILLA}, {"pid", VANILLA}, {"user", OLD},
	{"cgroup", TO_310}, {"pid_for_children", TO_310}, {"time", ALL}, {"time_for_children", ALL},
};

static bool lies_on(const struct call *c, int dirfd, const char *path, enum where where)
{
	long magic = 0;
	auto_fd int parent = -1;

	if (where == ANY_BIN)
		return strstr(path, "bin/") != NULL;
	if (where == DEV)
		return str_eq(path, "/dev/loop-control");
	parent = remote_parent(c, dirfd, path, &magic);
	if (parent < 0)
		return false;
	return where == PROC ? magic == MAGIC_PROC : magic == MAGIC_CGROUP || magic == MAGIC_CGROUP2;
}

static bool is_namespace(const struct call *c, int dirfd, const char *path)
{
	const char *name = last_name(path);
	bool in_ns = name - path >= 3 && strncmp(name - 3, "ns/", 3) == 0 && (name - path == 3 || name[-4] == '/');

	if (str_eq(name, "ns") && (c->kernel->bit & VANILLA))
		return lies_on(c, dirfd, path, PROC);
	for (size_t i = 0; in_ns && i < ARRAY_SIZE(namespaces); i++)
		if ((namespaces[i].kernels & c->kernel->bit) && str_eq(namespaces[i].name, name))
			return lies_on(c, dirfd, path, PROC);
	return false;
}

/* /sys/fs/cgroup, where it is the kernel's own directory: what a container mounted there is seen. */
static bool is_sys_fs_cgroup(const struct call *c, const char *path)
{
	const char *rest = str_skip(path, "/sys/fs/cgroup");
	char full[NAME_MAX_BYTES];
	struct statfs st;

	return (c->kernel->bit & OLD) && rest && (!*rest || *rest == '/') &&
	       remote_path(c, AT_FDCWD, "/sys/fs/cgroup", full, sizeof(full)) && statfs(full, &st) == 0 && st.f_type == MAGIC_SYSFS;
}

/* What a controller that the kernel does not have would have put there, "pids.max". */
static bool is_of_no_controller(const struct call *c, int dirfd, const char *path)
{
	const char *name = last_name(path), *dot = strchr(name, '.');
	char controller[16];

	if (!dot || (size_t)(dot - name) >= sizeof(controller))
		return false;
	memcpy(controller, name, (size_t)(dot - name));
	controller[dot - name] = '\0';
	return !kernel_has_controller(c->kernel, controller) && lies_on(c, dirfd, path, CGROUP);
}

static bool is_absent(const struct call *c, int dirfd, const char *path, bool *ret_cgroup)
{
	const char *name = last_name(path);

	*ret_cgroup = false;
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
		if (!(absent[i].kernels & c->kernel->bit) || strcmp(absent[i].name, name))
			continue;
		*ret_cgroup = absent[i].where == CGROUP;
		return lies_on(c, dirfd, path, absent[i].where);
	}
	if (is_of_no_controller(c, dirfd, path)) {
		*ret_cgroup = true;
		return true;
	}
	return is_namespace(c, dirfd, path) || is_sys_fs_cgroup(c, path);
}

/* ---- other contents ---- */

typedef bool keep_fn(const struct kernel *k, char *line);

static bool keep_filesystem(const struct kernel *k, char *line)
{
	const char *tab = strchr(line, '\t');

	return !tab || kernel_has_filesystem(k, tab + 1);
}

/* "memory\t4\t65\t1" */
static bool keep_controller(const struct kernel *k, char *line)
{
	char *tab = strchr(line, '\t');
	bool keep;

	if (!tab || *line == '#')
		return true;
	*tab = '\0';
	keep = kernel_has_controller(k, line);
	*tab = '\t';
	return keep;
}

/* "4:cpu,cpuacct:/path"; "0::/path" is version 2's */
static bool keep_group(const struct kernel *k, char *line)
{
	char *colon = strchr(line, ':'), *end = colon ? strchr(colon + 1, ':') : NULL;
	bool keep = true;

	if (!end)
		return true;
	if (end == colon + 1)
		return kernel_has_filesystem(k, "cgroup2");
	*end = '\0';
	if (!strchr(colon + 1, ',') && !strchr(colon + 1, '='))
		keep = kernel_has_controller(k, colon + 1);
	*end = ':';
	return keep;
}

/* One filter is ours. */
static void rewrite_seccomp(char *line, const char *text)
{
	const char *filters = strstr(text, "Seccomp_filters:\t");

	if (filters && atoi(strchr(filters, '\t')) <= 1)
		line[strlen("Seccomp:\t")] = '0';
}

/* What 2.6.32 does not know in it, it does not clear. */
static void rewrite_bounding(const struct kernel *k, char *line)
{
	char *tab = strchr(line, '\t');
	unsigned long long known = (2ULL << k->last_cap) - 1;

	if (tab && strlen(tab + 1) == 16)
		(void)snprintf(tab + 1, 17, "%016llx", strtoull(tab + 1, NULL, 16) | ~known);
}

static bool keep_status(const struct kernel *k, char *line)
{
	static const struct {
		const char *start;
		unsigned int kernels;
	} later[] = {
		{"NS", TO_310}, {"NoNewPrivs:", TO_310}, {"Seccomp:", OLD}, {"Seccomp_filters:", ALL}, {"CapAmb:", TO_310},
		{"Speculation", TO_310}, {"Umask:", TO_310}, {"CoreDumping:", TO_310}, {"THP_enabled:", ALL},
		{"Kthread:", ALL}, {"untag_mask:", ALL}, {"x86_Thread", ALL}, {"Ngid:", TO_310},
	};

	for (size_t i = 0; i < ARRAY_SIZE(later); i++)
		if ((later[i].kernels & k->bit) && str_starts(line, later[i].start))
			return false;
	if ((k->bit & OLD) && str_starts(line, "CapBnd:"))
		rewrite_bounding(k, line);
	return true;
}

static void filter_lines(const struct kernel *k, char *text, keep_fn *keep, bool status, struct buf *out)
{
	auto_free char *whole = xstrdup(text);
	char *line;

	while ((line = strsep(&text, "\n"))) {
		if (!text && !*line)
			break;
		if (status && str_starts(line, "Seccomp:\t"))
			rewrite_seccomp(line, whole);
		if (keep(k, line))
			buf_fmt(out, "%s\n", line);
	}
}

static const struct {
	const char *name;
	keep_fn *keep;		/* NULL: see write_other() */
	unsigned int kernels;
} other[] = {
	{"filesystems", keep_filesystem, ALL}, {"cgroups", keep_controller, ALL}, {"cgroup", keep_group, TO_310},
	{"status", keep_status, ALL},	       {"osrelease", NULL, ALL},	   {"version", NULL, ALL},
	{"cap_last_cap", NULL, ALL},
};

/* False: this is another file of that name. */
static bool write_other(const struct call *c, const char *path, const char *name, struct buf *out)
{
	if (str_eq(name, "osrelease") && str_eq(path, "/proc/sys/kernel/osrelease"))
		buf_fmt(out, "%s\n", c->kernel->release);
	else if (str_eq(name, "version") && str_eq(path, "/proc/version"))
		buf_fmt(out, "Linux version %s\n", c->kernel->release);
	else if (str_eq(name, "cap_last_cap") && str_eq(path, "/proc/sys/kernel/cap_last_cap"))
		buf_fmt(out, "%u\n", c->kernel->last_cap);
	else
		return false;
	return true;
}

static bool read_real(const struct call *c, int dirfd, const char *path, struct buf *out)
{
	long magic = 0;
	auto_fd int parent = remote_parent(c, dirfd, path, &magic);
	auto_fd int fd = -1;

	if (parent < 0 || magic != MAGIC_PROC)
		return false;
	fd = openat(parent, last_name(path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd >= 0 && buf_read_fd(out, fd, 1 << 20, path, NULL) == 0;
}

static struct verdict give_text(const struct buf *text, int open_flags)
{
	char name[64];
	auto_fd int fd = memfd_create("as-kernel", MFD_CLOEXEC);
	int given;

	if (fd < 0 || write(fd, text->data, text->len) != (ssize_t)text->len)
		return go_on();
	(void)str_fmt(name, sizeof(name), "/proc/self/fd/%d", fd);
	given = open(name, O_RDONLY | O_CLOEXEC);
	return given < 0 ? go_on()
			 : (struct verdict){.what = GIVE, .value = given, .cloexec = (open_flags & O_CLOEXEC) != 0};
}

static struct verdict other_contents(const struct call *c, int dirfd, const char *path, int open_flags)
{
	const char *name = last_name(path);

	if ((open_flags & O_ACCMODE) != O_RDONLY || (open_flags & O_DIRECTORY))
		return go_on();
	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		AUTO(buf_clear) struct buf real = BUF_INIT;
		AUTO(buf_clear) struct buf text = BUF_INIT;

		if (!(other[i].kernels & c->kernel->bit) || strcmp(other[i].name, name))
			continue;
		if (!other[i].keep)
			return write_other(c, path, name, &text) ? give_text(&text, open_flags) : go_on();
		if (!read_real(c, dirfd, path, &real))
			return go_on();
		buf_char(&real, '\0');
		filter_lines(c->kernel, real.data, other[i].keep, str_eq(name, "status"), &text);
		return give_text(&text, open_flags);
	}
	return go_on();
}

/* Measured: writing a pid to cgroup.procs says EINVAL on vanilla. So does writing to a timer. */
static struct verdict no_cgroup_procs(const struct call *c, int dirfd, const char *path, int open_flags)
{
	int fd;

	if (!(c->kernel->bit & VANILLA) || (open_flags & O_ACCMODE) == O_RDONLY || strcmp(last_name(path), "cgroup.procs") ||
	    !lies_on(c, dirfd, path, CGROUP))
		return go_on();
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	return fd < 0 ? go_on() : (struct verdict){.what = GIVE, .value = fd, .cloexec = (open_flags & O_CLOEXEC) != 0};
}

struct verdict file_use(const struct call *c, int dirfd, const char *path, bool opens, int open_flags)
{
	struct verdict v;
	bool cgroup;

	if (is_absent(c, dirfd, path, &cgroup))
		return fail(cgroup && opens && (open_flags & O_CREAT) ? EACCES : ENOENT);
	if (!opens)
		return go_on();
	v = no_cgroup_procs(c, dirfd, path, open_flags);
	return v.what == GO_ON ? other_contents(c, dirfd, path, open_flags) : v;
}
