/*
 * netns.c - probes that tell network namespaces apart where /proc/self/ns is missing
 */
#include "compat/kernel/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/probe.h"

/* ---- does sysfs show the interfaces of the own namespace? ---- */

enum { STRANGE_MTU = 23456 };

static int lo_ioctl(unsigned long what, struct ifreq *req)
{
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(req->ifr_name, "lo");
	return fd < 0 ? -1 : ioctl(fd, (int)what, req);
}

/* A new namespace's "lo" gets an MTU that no other has; then its own sysfs must show it. */
static bool sysfs_in_fork(struct answer *a)
{
	struct ifreq req = {.ifr_mtu = STRANGE_MTU};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct statvfs here;
	/* As the host's is: where there is one sysfs only, it takes these flags. */
	unsigned long flags = statvfs("/sys", &here) == 0 && here.f_flag & ST_RDONLY ? MS_RDONLY : 0;
	bool works;

	if (unshare(CLONE_NEWNET) < 0)
		return probe_failed(a, "unshare(CLONE_NEWNET)");
	if (lo_ioctl(SIOCSIFMTU, &req) < 0)
		return probe_failed(a, "change lo of a new namespace");
	if ((mkdir("sysfs", 0755) < 0 && errno != EEXIST) || mount("sysfs", "sysfs", "sysfs", flags, NULL) < 0)
		return probe_failed(a, "mount -t sysfs");
	works = file_read(AT_FDCWD, "sysfs/class/net/lo/mtu", 1 << 16, &text, NULL) == 0 &&
		atoi(buf_cstr(&text)) == STRANGE_MTU;
	(void)umount2("sysfs", MNT_DETACH);
	return works ? probe_yes(a, "sysfs shows the namespace's own interfaces")
		     : probe_no(a, "sysfs shows the first namespace's interfaces");
}

bool probe_sysfs_netns(struct answer *a)
{
	return probe_in_fork(a, sysfs_in_fork);
}

/* ---- is this the first namespace? ---- */

static int lo_number(void)
{
	struct ifreq req = {0};

	return lo_ioctl(SIOCGIFINDEX, &req) < 0 ? 0 : req.ifr_ifindex;
}

/* The number travels in answer.feature, as does -errno. */
static bool number_in_fork(struct answer *a)
{
	if (unshare(CLONE_NEWNET) < 0) {
		a->feature = -errno;
		return probe_failed(a, "unshare(CLONE_NEWNET)");
	}
	a->feature = lo_number();
	return probe_yes(a, "lo is number %d", a->feature);
}

struct fit netns_first_verdict(int here, int fresh)
{
	if (here <= 0 || fresh <= 0)
		return fit(FIT_NO, "cannot tell whether this is the first network namespace: there is no 'lo'");
	/* Its own sequence in each namespace (3.7): a number proves nothing. */
	if (fresh == 1)
		return fit(FIT_NO, "cannot tell whether this is the first network namespace");
	if (here == 1)
		return fit(FIT_GOOD, "this is the first network namespace");
	return fit(FIT_NO, "not in the first network namespace, and this kernel would crash: sysfs does not know others");
}

struct fit netns_first_fit(void)
{
	struct answer a = {0};

	if (feature_works(FEATURE_SYSFS_NETNS))
		return fit(FIT_GOOD, "not needed: bridges work in every namespace");
	/* EINVAL: the kernel was built without them. Without the right to make one (EPERM) there may be others. */
	if (!probe_in_fork(&a, number_in_fork))
		return a.feature == -EINVAL ? fit(FIT_GOOD, "this kernel has one network namespace only")
					    : fit(FIT_NO, "cannot tell whether this is the first network namespace: %.50s", a.reason);
	return netns_first_verdict(lo_number(), a.feature);
}
