/*
 * rootswitch - make a directory the root of this mount namespace.
 */
#ifndef COMPAT_KERNEL_ROOTSWITCH_H
#define COMPAT_KERNEL_ROOTSWITCH_H

#include <stdbool.h>

#include "compat/base/err.h"
#include "compat/base/fit.h"

struct rootswitch {
	const char *name;	/* "pivot_root", "move", "chroot" */
	struct fit (*probe)(void);
	/*
	 * Enter @root_fd, a mount point in a private mount namespace; afterwards it is "/" and the current directory. @root names it in errors.
	 */
	int (*enter)(int root_fd, const char *root, struct err *err);
};

/* Best first, NULL at the end. "chroot" is for containers without a mount namespace. */
extern const struct rootswitch *const rootswitches[];

/*
 * Take a caller out of the chroot that it may be in, to the root of its own (private) mount namespace. To be called before
 * rootswitch_pick(): what is switched from a chroot leaves the host's tree in the namespace, in reach of whoever joins it and of root in the
 * container; and the namespace's root decides what works. Where nothing can be joined, as on kernels without setns, nothing changes.
 */
void rootswitch_leave_chroot(void);

/* The best here. @no_pivot leaves pivot_root out, @no_mount_ns leaves only chroot. */
int rootswitch_pick(bool no_pivot, bool no_mount_ns, const struct rootswitch **ret, struct err *err);

#endif
