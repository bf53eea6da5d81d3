/*
 * rootswitch.c - pivot_root, MS_MOVE with chroot, chroot alone
 */
#include "compat/kernel/rootswitch.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/buf.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/capability.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/mountinfo.h"

#define MAGIC_RAMFS 0x858458f6
#define MAGIC_TMPFS 0x01021994

/* Is the root the kernel's first one, which cannot be pivoted away? Its mount is its own parent, or is called rootfs. */
static bool root_is_initramfs(void)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	const struct mount_entry *e;
	struct statfs st;

	/* Cheap answer first: only ramfs and tmpfs can be it. */
	if (statfs("/", &st) == 0 && st.f_type != MAGIC_RAMFS && st.f_type != MAGIC_TMPFS)
		return false;
	if (mountinfo_read(NULL, &info, NULL) < 0)
		return false;
	e = mountinfo_at(&info, "/");
	return !e || str_eq(e->fstype, "rootfs") || e->parent == e->id;
}

void rootswitch_leave_chroot(void)
{
	auto_fd int own = hidden("setns") ? -1 : open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	/* Who joins its own mount namespace gets the root of that. */
	if (own >= 0)
		(void)syscall(SYS_setns, own, CLONE_NEWNS);
}

/* ---- pivot_root ---------------------------------------------------------------------------------------------------------- */

static struct fit pivot_probe(void)
{
	if (hidden("pivot_root"))
		return fit(FIT_NO, "hidden");
	if (root_is_initramfs())
		return fit(FIT_NO, "the host's root is an initramfs, which pivot_root cannot leave");
	return fit(FIT_NATIVE, "pivot_root");
}

/*
 * pivot_root(".", ".") stacks the old root over the new one at the same place: no directory in the container is needed for it, and the
 * lazy unmount of "." takes it away.
 */
static int pivot_enter(int root_fd, const char *root, struct err *err)
{
	auto_fd int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (old < 0)
		return err_sys(err, errno, "open '/'");
	if (fchdir(root_fd) < 0)
		return err_sys(err, errno, "enter '%s'", root);
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(err, errno, "pivot_root to '%s'", root);
	if (fchdir(old) < 0)
		return err_sys(err, errno, "enter the old root");
	/* A shared old root would take the unmount to the host. */
	if (mount("none", ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(err, errno, "make the old root a slave");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(err, errno, "unmount the old root");
	if (chdir("/") < 0)
		return err_sys(err, errno, "enter '/'");
	return 0;
}

/* ---- MS_MOVE and chroot -------------------------------------------------------------------------------------------------- */

static struct fit move_probe(void)
{
	if (hidden("ms_move"))
		return fit(FIT_NO, "hidden");
	return fit(FIT_GOOD, "MS_MOVE and chroot; the host's mounts are unmounted first");
}

/*
 * Everything but the way to the new root is unmounted, so that leaving the chroot would show nothing but the empty root below it.
 */
static int unmount_others(const char *root, struct err *err)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	int rc = mountinfo_read(NULL, &info, err);

	if (rc)
		return rc;
	for (size_t i = info.entries.n; i-- > 0;) {
		const struct mount_entry *e = &info.entries.v[i];
		size_t n = strlen(e->target);

		if (str_eq(e->target, "/"))
			continue;
		/* On the way to the root or below it. */
		if (strncmp(root, e->target, n) == 0 && (!root[n] || root[n] == '/'))
			continue;
		if (strncmp(e->target, root, strlen(root)) == 0 &&
		    (!e->target[strlen(root)] || e->target[strlen(root)] == '/'))
			continue;
		/* What cannot go (locked by a user namespace) is covered instead, where it is a directory. */
		if (umount2(e->target, MNT_DETACH) < 0 && (errno == EINVAL || errno == EPERM))
			(void)mount("none", e->target, "tmpfs", MS_RDONLY, "size=0");
	}
	return 0;
}

static int move_enter(int root_fd, const char *root, struct err *err)
{
	char link[MOUNT_FD_PATH_SIZE], path[PATH_MAX];
	ssize_t n = readlink(mount_fd_path(root_fd, link), path, sizeof(path) - 1);
	int rc;

	if (n < 0)
		return err_sys(err, errno, "find '%s'", root);
	path[n] = '\0';
	if (fchdir(root_fd) < 0)
		return err_sys(err, errno, "enter '%s'", root);
	rc = unmount_others(path, err);
	if (rc)
		return rc;
	if (mount(".", "/", NULL, MS_MOVE, NULL) < 0)
		return err_sys(err, errno, "move '%s' to '/'", root);
	if (chroot(".") < 0)
		return err_sys(err, errno, "chroot to '%s'", root);
	if (chdir("/") < 0)
		return err_sys(err, errno, "enter '/'");
	return 0;
}

/* ---- chroot -------------------------------------------------------------------------------------------------------------- */

static struct fit chroot_probe(void)
{
	return fit(FIT_FALLBACK, "chroot alone; root in the container can leave it");
}

static int chroot_enter(int root_fd, const char *root, struct err *err)
{
	if (fchdir(root_fd) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return err_sys(err, errno, "chroot to '%s'", root);
	return 0;
}

static const struct rootswitch pivot = {"pivot_root", pivot_probe, pivot_enter};
static const struct rootswitch move = {"move", move_probe, move_enter};
static const struct rootswitch plain = {"chroot", chroot_probe, chroot_enter};

const struct rootswitch *const rootswitches[] = {&pivot, &move, &plain, NULL};

int rootswitch_pick(bool no_pivot, bool no_mount_ns, const struct rootswitch **ret, struct err *err)
{
	if (no_mount_ns) {
		*ret = &plain;
		return 0;
	}
	if (str_eq(capability_forced_name("switch-root"), "move"))
		no_pivot = true;
	/* Never chroot alone where there is a mount namespace: the container could leave it. */
	if (!no_pivot && pivot_probe().score > FIT_NO)
		*ret = &pivot;
	else if (move_probe().score > FIT_NO)
		*ret = &move;
	else
		return err_set(err, ERR_UNSUPPORTED, "no way to switch the root: %s; %s",
			       pivot_probe().reason, move_probe().reason);
	return 0;
}
