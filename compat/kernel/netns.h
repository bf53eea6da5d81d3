/*
 * netns - in which network namespace are we, and may a bridge be made in it?
 *
 * The bridges of 2.6.32 take the host down when they are made outside of the first network namespace: their entries in sysfs belong to an
 * interface that sysfs, which knows the first namespace's only, was never told of. Vanilla kernels stop at the creation, those of
 * CentOS 6 when the namespace ends. So a bridge must not be tried; whether sysfs knows namespaces is asked instead (feature sysfs-netns),
 * and where it does not, whether this is the first one.
 */
#ifndef COMPAT_KERNEL_NETNS_H
#define COMPAT_KERNEL_NETNS_H

#include <stdbool.h>

#include "compat/base/fit.h"

/*
 * Until 3.7 the kernel numbered all interfaces of all namespaces in one sequence, and the first of all was the first namespace's "lo". So where
 * a new namespace's "lo" is not number 1, the number 1 proves the first namespace. Makes a network namespace for a moment, in a child.
 * FIT_NO whenever there is a doubt.
 */
struct fit netns_first_fit(void);

/* What netns_first_fit() concludes: @here and @fresh are the numbers of "lo" in this and in a new namespace, 0 for not known. */
struct fit netns_first_verdict(int here, int fresh);

#endif
