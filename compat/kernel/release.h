/*
 * release - which kernel runs, for the few faults that can only be told by its age
 *
 * What a kernel can do is asked of it (feature.h). What it does wrong now and then cannot be.
 */
#ifndef COMPAT_KERNEL_RELEASE_H
#define COMPAT_KERNEL_RELEASE_H

#include <stdbool.h>

/*
 * Is the release @text, as of uname(2), older than @major.@minor.@patch? A kernel of CentOS 6 (2.6.32-BUILD.el6) is not, from the build
 * @el6_build on: it has what it is asked for from later kernels. False for what is no release.
 */
bool release_is_before(const char *text, int major, int minor, int patch, int el6_build);
/* The same of the running kernel. */
bool kernel_is_before(int major, int minor, int patch, int el6_build);

#endif
