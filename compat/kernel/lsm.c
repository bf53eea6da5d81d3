/*
 * lsm.c - AppArmor and SELinux by their files
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/lsm.h"

bool lsm_apparmor_enabled(void)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err ignored;

	return !hidden("apparmor") &&
	       file_read(-1, "/sys/module/apparmor/parameters/enabled", 16, &text, &ignored) >= 0 &&
	       buf_cstr(&text)[0] == 'Y';
}

/* SELinux is on when its file system is mounted and a policy is loaded (a process has a label). */
bool lsm_selinux_enabled(void)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err ignored;

	if (hidden("selinux") || (access("/sys/fs/selinux/enforce", F_OK) && access("/selinux/enforce", F_OK)))
		return false;
	return file_read(-1, "/proc/self/attr/current", 4096, &text, &ignored) >= 0 &&
	       strcmp(buf_cstr(&text), "kernel") != 0;
}

struct fit lsm_apparmor_fit(void)
{
	return lsm_apparmor_enabled() ? fit(FIT_NATIVE, "enabled") : fit(FIT_NO, "the kernel has no AppArmor, or it is off");
}

struct fit lsm_selinux_fit(void)
{
	return lsm_selinux_enabled() ? fit(FIT_NATIVE, "enabled") : fit(FIT_NO, "the kernel has no SELinux, or it is off");
}

/* The first of @names below @procfd that exists. Kernels from 5.8 on have a directory for each LSM; threads have their own from 3.17 on. */
static int put_attr(int procfd, const char *const *names, const char *value, const char *what, struct err *err)
{
	int rc = -ENOENT;

	/* A path would lead to what the container has put there. */
	if (procfd < 0)
		return err_set(err, ERR_UNSUPPORTED, "%s '%s': there is no proc file system to set it by", what, value);
	for (; *names && rc == -ENOENT; names++)
		rc = file_put(procfd, *names, value, err);
	return rc < 0 ? err_wrap(err, rc, "set %s '%s'", what, value) : 0;
}

static int apply_apparmor(int procfd, const char *profile, struct err *err)
{
	static const char *const files[] = {"thread-self/attr/apparmor/exec", "self/attr/apparmor/exec",
					    "thread-self/attr/exec", "self/attr/exec", NULL};
	auto_free char *value = xfmt("exec %s", profile);

	if (!lsm_apparmor_enabled()) {
		if (strcmp(profile, "unconfined") == 0)
			return 0;
		return err_set(err, ERR_UNSUPPORTED, "AppArmor profile '%s': this host has no AppArmor", profile);
	}
	return put_attr(procfd, files, value, "AppArmor profile", err);
}

static int apply_selinux(int procfd, const char *label, struct err *err)
{
	static const char *const files[] = {"thread-self/attr/exec", "self/attr/exec", NULL};

	if (!lsm_selinux_enabled())
		return err_set(err, ERR_UNSUPPORTED, "SELinux label '%s': this host has no SELinux", label);
	return put_attr(procfd, files, label, "SELinux label", err);
}

int lsm_apply_exec(int procfd, const char *apparmor, const char *selinux, struct err *err)
{
	int rc = str_empty(apparmor) ? 0 : apply_apparmor(procfd, apparmor, err);

	if (rc < 0)
		return rc;
	return str_empty(selinux) ? 0 : apply_selinux(procfd, selinux, err);
}

char *lsm_mount_options(const char *options, const char *label)
{
	const char *comma = str_empty(options) ? "" : ",";

	if (str_empty(label) || !lsm_selinux_enabled())
		return xstrdup(options ? options : "");
	return xfmt("%s%scontext=\"%s\"", options ? options : "", comma, label);
}

/* ---- relabelling -------------------------------------------------------------------------------------------------------------- */

static int relabel_tree(int parent, const char *name, dev_t device, const char *label, int depth, struct err *err)
{
	auto_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_closedir DIR *dir = NULL;
	struct dirent *e;
	struct stat st;

	if (fd < 0)
		return err_sys(err, errno, "open '%s'", name);
	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "stat '%s'", name);
	if (st.st_dev != device)
		return 0;
	if (depth > 256)
		return err_set(err, ERR_TOO_LARGE, "relabel: tree is deeper than 256 at '%s'", name);
	if (fsetxattr(fd, "security.selinux", label, strlen(label) + 1, 0) < 0)
		return err_sys(err, errno, "label '%s'", name);
	dir = fdopendir(fd);
	if (!dir)
		return err_sys(err, errno, "read '%s'", name);
	fd_take(&fd);

	while ((e = readdir(dir))) {
		auto_free char *path = NULL;
		int rc;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue; /* gone meanwhile */
		if (S_ISDIR(st.st_mode)) {
			rc = relabel_tree(dirfd(dir), e->d_name, device, label, depth + 1, err);
			if (rc < 0)
				return rc;
			continue;
		}
		/* There is no lsetxattrat: the directory's fd stands for a path that cannot be swapped. */
		path = xfmt("/proc/self/fd/%d/%s", dirfd(dir), e->d_name);
		if (lsetxattr(path, "security.selinux", label, strlen(label) + 1, 0) < 0 && errno != ENOENT)
			return err_sys(err, errno, "label '%s'", e->d_name);
	}
	return 0;
}

int lsm_relabel(const char *path, const char *label, struct err *err)
{
	static const char *const forbidden[] = {"/",	 "/bin", "/boot", "/dev",  "/etc", "/home",  "/lib", "/lib64",
						"/media", "/opt", "/proc", "/root", "/run", "/sbin", "/srv", "/sys",
						"/tmp",	 "/usr", "/var", "/var/lib"};
	auto_free char *clean = path_clean(path);
	struct stat st;

	if (str_empty(label) || !lsm_selinux_enabled())
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		if (strcmp(clean, forbidden[i]) == 0)
			return err_set(err, ERR_INVALID, "SELinux relabelling of '%s' is not allowed", clean);
	}
	if (lstat(clean, &st) < 0)
		return err_sys(err, errno, "stat '%s'", clean);
	if (S_ISDIR(st.st_mode))
		return relabel_tree(AT_FDCWD, clean, st.st_dev, label, 0, err);
	if (lsetxattr(clean, "security.selinux", label, strlen(label) + 1, 0) < 0)
		return err_sys(err, errno, "label '%s'", clean);
	return 0;
}
