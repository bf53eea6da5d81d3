/*
 * lsm - AppArmor profiles and SELinux labels.
 *
 * Nothing is linked: both are driven by their files in /proc and xattrs.
 */
#ifndef COMPAT_KERNEL_LSM_H
#define COMPAT_KERNEL_LSM_H

#include <stdbool.h>

#include "compat/base/err.h"
#include "compat/base/fit.h"

bool lsm_apparmor_enabled(void);
bool lsm_selinux_enabled(void);
struct fit lsm_apparmor_fit(void);
struct fit lsm_selinux_fit(void);

/*
 * Confine what the next exec of this thread starts.
 *
 * @procfd	directory of a mounted procfs; with -1 no label can be set
 * @apparmor	profile, or NULL; "unconfined" is a profile
 * @selinux	label, or NULL
 *
 * A label that is asked for on a host without that LSM is ERR_UNSUPPORTED, never ignored ("unconfined" and "" are fine anywhere).
 * With no_new_privs set, AppArmor may refuse to change to another profile: call before PR_SET_NO_NEW_PRIVS.
 */
int lsm_apply_exec(int procfd, const char *apparmor, const char *selinux, struct err *err);

/* Mount options with SELinux's context added when @label is set and SELinux is on. Owned; @options may be NULL. */
char *lsm_mount_options(const char *options, const char *label);

/*
 * Label a tree for the container (volume mode "z", "Z"); links are not followed, mounts below are not entered. Without SELinux nothing
 * happens. Refuses "/", "/usr", "/etc" and their like (ERR_INVALID), as a relabelled one makes the host unusable.
 */
int lsm_relabel(const char *path, const char *label, struct err *err);

#endif
