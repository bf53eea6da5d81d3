/*
 * cgroup_mount.c - mount the hierarchies that a host without systemd or cgconfig lacks, and take them away again
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

#define SYSFS_PLACE "/sys/fs/cgroup"
#define OLD_PLACE   "/cgroup"

enum { RECORD_MAX = 1 << 16, FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC };

/* In the order in which they are mounted. Those of the network are for who mounts them: with v2 beside them they change how it works. */
static const enum cgroup_controller wanted[] = {
	CTL_CPU, CTL_CPUACCT, CTL_CPUSET, CTL_MEMORY, CTL_DEVICES, CTL_FREEZER, CTL_BLKIO, CTL_PIDS,
};
/* Without these a v2 tree is not enough: before 5.0 they belong to v1 alone. */
#define V2_NEEDS (CTL_BIT(CTL_CPU) | CTL_BIT(CTL_CPUSET) | CTL_BIT(CTL_MEMORY) | CTL_BIT(CTL_PIDS) | CTL_BIT(CTL_BLKIO))

struct mounting {
	const char *fallback;
	char *base;		/* chosen with the first mount */
	struct strv record;	/* mount points behind a letter, in the order of mounting */
	struct strv names;	/* what this process mounted */
};

/* What a mount point in the record is. */
enum {
	OURS = 'o',	/* nobody had it mounted: whoever has a group in it depends on this mount */
	SHARED = 's',	/* one more mount of what exists anyway, or a tmpfs for mount points */
};

/* For cgroup_host_rows(): the daemon mounts before it has threads. */
static struct strv mounted_here;

/* ---- where -------------------------------------------------------------------------------------------------------------------- */

static bool is_mount_point(const char *path, const char *type)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *part = xfmt(" %s %s ", path, type);
	struct err ignored;

	return file_read(-1, "/proc/mounts", 4 << 20, &text, &ignored) == 0 && strstr(buf_cstr(&text), part);
}

static void note(struct mounting *m, char kind, const char *path)
{
	auto_free char *line = xfmt("%c%s", kind, path);

	if (!strv_has(&m->record, line))
		strv_add(&m->record, line);
}

/* sysfs takes no directories: a tmpfs holds those of v1. */
static bool use_sysfs_place(struct mounting *m)
{
	if (!cgroup_is_dir(SYSFS_PLACE))
		return false;
	if (is_mount_point(SYSFS_PLACE, "tmpfs"))
		return access(SYSFS_PLACE, W_OK) == 0;
	if (mount("cgroup_root", SYSFS_PLACE, "tmpfs", FLAGS, "mode=755") < 0)
		return false;
	note(m, SHARED, SYSFS_PLACE);
	return true;
}

static int choose_base(struct mounting *m, struct err *err)
{
	if (m->base)
		return 0;
	if (use_sysfs_place(m)) {
		m->base = xstrdup(SYSFS_PLACE);
		return 0;
	}
	if (mkdir(OLD_PLACE, 0755) == 0 || (errno == EEXIST && cgroup_is_dir(OLD_PLACE) && access(OLD_PLACE, W_OK) == 0)) {
		m->base = xstrdup(OLD_PLACE);
		return 0;
	}
	m->base = xstrdup(m->fallback);
	return path_mkdirs(m->base, 0755, err);
}

/* ---- v2 ----------------------------------------------------------------------------------------------------------------------- */

/* Only where nothing of either version is mounted. */
static bool mount_v2(struct mounting *m)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};
	struct err ignored;

	if (hidden("cgroup_v2") || !cgroup_is_dir(SYSFS_PLACE) || is_mount_point(SYSFS_PLACE, "tmpfs") ||
	    mount("cgroup2", SYSFS_PLACE, "cgroup2", FLAGS, NULL) < 0)
		return false;
	if (cgroup_host_read(&host, &ignored) == 0 && host.unified >= 0 &&
	    (host.hierarchies.v[host.unified].carries & V2_NEEDS) == V2_NEEDS) {
		note(m, OURS, SYSFS_PLACE);
		strv_add(&m->names, "v2");
		return true;
	}
	(void)umount(SYSFS_PLACE); /* just mounted, and nobody is in it */
	return false;
}

/* ---- v1 ----------------------------------------------------------------------------------------------------------------------- */

/* "5:cpu,cpuacct:/" -> "cpu,cpuacct": what shares hierarchy @id. Owned; NULL when it has none or is not to be touched. */
static char *names_of_hierarchy(unsigned int id)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char *save = NULL;
	struct err ignored;

	if (file_read(-1, "/proc/self/cgroup", 1 << 16, &text, &ignored) < 0 || !text.len)
		return NULL;
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		AUTO(strv_clear) struct strv names = {0};
		char *colon = strchr(line, ':'), *end = colon ? strchr(colon + 1, ':') : NULL;

		if (!end || strtoul(line, NULL, 10) != id)
			continue;
		*end = '\0';
		strv_split(&names, colon + 1, ",", false);
		return strv_has(&names, "ns") ? NULL : xstrdup(colon + 1);
	}
	return NULL;
}

static void mount_v1(struct mounting *m, enum cgroup_controller c)
{
	const char *name = cgroup_controller_name(c, false);
	auto_free char *options = NULL;
	auto_free char *path = NULL;
	struct cgroup_known known;
	struct err ignored;

	if (!cgroup_kernel_knows(name, &known) || !known.enabled)
		return;
	options = known.hierarchy ? names_of_hierarchy(known.hierarchy) : xstrdup(name);
	if (!options || choose_base(m, &ignored) < 0)
		return;
	path = path_join(m->base, options);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return;
	if (mount("cgroup", path, "cgroup", FLAGS, options) < 0) {
		(void)rmdir(path); /* empty, or not ours */
		return;
	}
	note(m, known.hierarchy ? SHARED : OURS, path);
	strv_add(&m->names, options);
}

static bool serves(enum cgroup_controller c)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};
	struct err ignored;

	return cgroup_host_read(&host, &ignored) == 0 && host.serves[c] >= 0;
}

/* With v2 alone mounted its owner decided so; a controller that is missing there is not to be had. */
static bool may_mount_v1(const struct cgroup_host *host)
{
	return !hidden("cgroup_v1") && (host->mode != CGROUP_V2 || !host->hierarchies.v[host->unified].carries);
}

/* ---- the record --------------------------------------------------------------------------------------------------------------- */

static void read_record(const char *path, struct strv *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(strv_clear) struct strv lines = {0};
	struct err ignored;

	if (file_read(AT_FDCWD, path, RECORD_MAX, &text, &ignored) < 0)
		return;
	strv_split(&lines, buf_cstr(&text), "\n", false);
	/* After a reboot it is out of date. */
	STRV_EACH(line, &lines) {
		const char *place = *line + 1;

		if (is_mount_point(place, "cgroup") || is_mount_point(place, "cgroup2") || is_mount_point(place, "tmpfs"))
			strv_add(ret, *line);
	}
}

static int write_record(const char *path, const struct strv *record, struct err *err)
{
	auto_free char *text = strv_join(record, "\n");

	if (!record->n) {
		(void)unlink(path); /* it may never have been there */
		return 0;
	}
	return file_replace(AT_FDCWD, path, text, strlen(text), 0644, FILE_NO_SYNC, err);
}

int cgroup_host_mount(const char *fallback, const char *record, struct err *err)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};
	struct mounting m = {.fallback = fallback};
	int rc = cgroup_host_read(&host, err);

	if (rc < 0)
		return rc;
	read_record(record, &m.record);
	if ((host.mode != CGROUP_NONE || host.hierarchies.n || !mount_v2(&m)) && may_mount_v1(&host)) {
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
			if (!serves(wanted[i]))
				mount_v1(&m, wanted[i]);
		}
	}
	rc = write_record(record, &m.record, err);
	strv_clear(&mounted_here);
	mounted_here = m.names;
	strv_clear(&m.record);
	free(m.base);
	return rc < 0 ? rc : (int)mounted_here.n;
}

/* ---- the way back ------------------------------------------------------------------------------------------------------------- */

static bool has_groups(const char *path)
{
	auto_closedir DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		auto_free char *child = path_join(path, e->d_name);

		if (e->d_name[0] != '.' && cgroup_is_dir(child))
			return true;
	}
	return false;
}

static bool take_away(const char *line, const char *parent)
{
	const char *path = line + 1;
	auto_free char *group = path_join(path, parent);

	(void)rmdir(group); /* there are containers, or it was never made */
	if (cgroup_is_dir(group) || (*line == OURS && has_groups(path)) || umount(path) < 0)
		return false;
	(void)rmdir(path); /* sysfs keeps its own */
	return true;
}

bool cgroup_host_mounted(void)
{
	return mounted_here.n > 0;
}

void cgroup_host_unmount(const char *record, const char *parent)
{
	AUTO(strv_clear) struct strv all = {0};
	AUTO(strv_clear) struct strv kept = {0};
	struct err ignored;

	read_record(record, &all);
	for (size_t i = all.n; i > 0; i--) {
		if (!take_away(all.v[i - 1], parent))
			strv_add(&kept, all.v[i - 1]);
	}
	/* Reversed again: in the order of mounting. */
	strv_clear(&all);
	for (size_t i = kept.n; i > 0; i--)
		strv_add(&all, kept.v[i - 1]);
	(void)write_record(record, &all, &ignored); /* then the next one tries in vain what is gone */
}

/* ---- how it looks ------------------------------------------------------------------------------------------------------------- */

static void list_missing(struct strv *ret)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};
	struct cgroup_known known;
	struct err ignored;

	if (cgroup_host_read(&host, &ignored) < 0 || !may_mount_v1(&host))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const char *name = cgroup_controller_name(wanted[i], false);

		if (host.serves[wanted[i]] < 0 && cgroup_kernel_knows(name, &known) && known.enabled)
			strv_add(ret, name);
	}
}

void cgroup_host_rows(struct fit rows[CGROUP_HOST_BACKENDS])
{
	AUTO(strv_clear) struct strv missing = {0};
	auto_free char *names = NULL;
	const char *mode = cgroup_mode_name(cgroup_host_mode());

	list_missing(&missing);
	names = strv_join(mounted_here.n ? &mounted_here : &missing, " ");
	rows[0] = mounted_here.n || missing.n ? fit(FIT_NO, "left out: %s", names) : fit(FIT_NATIVE, "mounted: %s", mode);
	if (mounted_here.n)
		rows[1] = fit(FIT_GOOD, "pouchd mounted %s", names);
	else if (missing.n && geteuid() == 0)
		rows[1] = fit(FIT_GOOD, "pouchd mounts %s at its start", names);
	else
		rows[1] = fit(FIT_NO, missing.n ? "needs root" : "nothing is left to mount");
	rows[0].name = "host";
	rows[1].name = "mount";
}
