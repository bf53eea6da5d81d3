/*
 * mounts.c - a mount namespace with the control groups that the kernel has, where it has them
 *
 * 2.6.32 has no /sys/fs/cgroup: hierarchies move to a directory of ours, as CentOS 6 has them in /cgroup. Hierarchies of controllers that
 * the kernel lacks, and version 2, are unmounted.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"
#include "compat/kernel/mountinfo.h"
#include "tests/legacy/as_kernel.h"

/* Does the kernel have all that the hierarchy carries? *ret_name gets its controllers, "cpu,cpuacct"; "" when there are none. Owned. */
static bool has_hierarchy(const struct kernel *k, const struct mount_entry *e, char **ret_name)
{
	AUTO(strv_clear) struct strv words = {0};
	AUTO(strv_clear) struct strv controllers = {0};
	bool has = true;

	strv_split(&words, e->super_options, ",", false);
	STRV_EACH(word, &words) {
		if (str_eq(*word, "rw") || str_eq(*word, "ro") || strchr(*word, '=') || str_eq(*word, "xattr") ||
		    str_eq(*word, "clone_children") || str_eq(*word, "noprefix"))
			continue;
		strv_add(&controllers, *word);
		has = has && kernel_has_controller(k, *word);
	}
	*ret_name = strv_join(&controllers, ",");
	return has;
}

static int arrange_v1(const struct kernel *k, const struct mount_entry *e, const char *dir)
{
	auto_free char *name = NULL;
	auto_free char *target = NULL;
	bool has = has_hierarchy(k, e, &name);

	if (!has || ((k->bit & OLD) && !*name))
		return umount2(e->target, MNT_DETACH) < 0 ? -errno : 0;
	if (!(k->bit & OLD))
		return 0;
	target = xfmt("%s/%s", dir, name);
	if (mkdir(target, 0755) < 0 || mount(e->target, target, NULL, MS_MOVE, NULL) < 0)
		return -errno;
	return 0;
}

int mounts_arrange(const struct kernel *k, const char *dir)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	int rc;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0)
		return -errno;
	if ((k->bit & OLD) && mount("cgroup", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755") < 0)
		return -errno;
	rc = mountinfo_read(NULL, &info, NULL);
	if (rc)
		return rc;
	for (size_t i = info.entries.n; i-- > 0;) {
		const struct mount_entry *e = &info.entries.v[i];

		rc = 0;
		if (str_eq(e->fstype, "cgroup"))
			rc = arrange_v1(k, e, dir);
		else if (str_eq(e->fstype, "cgroup2") && !kernel_has_filesystem(k, "cgroup2") &&
			 umount2(e->target, MNT_DETACH) < 0)
			rc = -errno;
		if (rc)
			return rc;
	}
	if ((k->bit & OLD) && umount2("/sys/fs/cgroup", MNT_DETACH) < 0 && errno != EINVAL)
		return -errno;
	return 0;
}
