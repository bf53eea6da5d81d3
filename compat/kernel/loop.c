/*
 * loop - files as block devices.
 */
#include "compat/kernel/loop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/str.h"

#ifndef LOOP_SET_CAPACITY
#define LOOP_SET_CAPACITY 0x4C07
#endif
#ifndef LOOP_CTL_GET_FREE
#define LOOP_CTL_GET_FREE 0x4C82
#endif

enum {
	LOOP_MAJOR_NUMBER = 7,
	DEVICES_MAX = 4096,
	SWEEP_BLIND = 16,	/* looked at where there is no sysfs to say which exist */
	TRIES = 64,
	CONFIGURE = 0x4C0A,	/* LOOP_CONFIGURE, since 5.8 */
	RESTLESS_MS = 5,
};

/* struct loop_config, which older headers lack. */
struct configure {
	uint32_t fd, block_size;
	struct loop_info64 info;
	uint64_t reserved[8];
};

/* The node in /dev if it is there and right, else one of our own. -errno; -ENXIO: there is no such device. */
static int open_device(unsigned int number, int flags, const char *scratch)
{
	auto_free char *path = xfmt("/dev/loop%u", number);
	dev_t dev = makedev(LOOP_MAJOR_NUMBER, number);
	struct stat st;
	int fd;

	if (stat(path, &st) == 0 && S_ISBLK(st.st_mode) && st.st_rdev == dev) {
		fd = open(path, flags | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	free(path);
	path = xfmt("%s/.loop%u-%d", scratch, number, (int)getpid());
	if (mknod(path, S_IFBLK | 0600, dev) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		fd = -errno;
	(void)unlink(path);	/* open, or of no use */
	return fd;
}

/* The number that the kernel proposes, or the one after the last that was tried. */
static unsigned int propose(unsigned int next)
{
	auto_fd int control = hidden("loop-control") ? -1 : open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);

	return number < 0 ? next : (unsigned int)number;
}

/* In one step where the kernel can. Returns 0, -EBUSY (somebody was faster) or -errno. */
static int attach_to(int loop, int file, const char *path, bool read_only)
{
	struct configure c = {.fd = (uint32_t)file};
	int rc = 0;

	c.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
	/* For losetup(8) to show. */
	(void)str_fmt((char *)c.info.lo_file_name, sizeof(c.info.lo_file_name), "%s",
		      strlen(path) < sizeof(c.info.lo_file_name) ? path : strrchr(path, '/') + 1);
	if (ioctl(loop, CONFIGURE, &c) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOTTY && errno != ENOSYS)
		return -errno;
	if (ioctl(loop, LOOP_SET_FD, file) < 0)
		return -errno;
	/* EAGAIN: pages of an earlier user are still there. */
	for (int i = 0; ioctl(loop, LOOP_SET_STATUS64, &c.info) < 0 && !rc; i++) {
		struct timespec step = {0, RESTLESS_MS * 1000000L};

		if (errno != EAGAIN || i == TRIES)
			rc = -errno;
		else
			nanosleep(&step, NULL);
	}
	if (rc < 0)
		(void)ioctl(loop, LOOP_CLR_FD, 0);	/* the first error is told */
	return rc;
}

int loop_attach(const char *path, bool read_only, const char *scratch, dev_t *ret_dev, int *ret_fd, struct err *err)
{
	int flags = read_only ? O_RDONLY : O_RDWR;
	auto_fd int file = open(path, flags | O_CLOEXEC);
	unsigned int next = 0, races = 0;

	if (file < 0)
		return err_sys(err, errno, "open '%s'", path);
	while (next < DEVICES_MAX) {
		unsigned int number = propose(next);
		auto_fd int loop = open_device(number, flags, scratch);
		int rc = loop < 0 ? loop : attach_to(loop, file, path, read_only);

		if (rc == 0) {
			*ret_dev = makedev(LOOP_MAJOR_NUMBER, number);
			*ret_fd = fd_take(&loop);
			return 0;
		}
		if (rc == -ENXIO && loop < 0)	/* over the module's max_loop */
			break;
		if (rc != -EBUSY && rc != -ENXIO)
			return err_sys(err, -rc, "attach '%s' to a loop device", path);
		/* The proposal was taken by somebody else meanwhile: ask again, or go on in line. */
		next = number == next ? next + 1 : ++races < TRIES ? next : next + 1;
	}
	return err_set(err, ERR_UNAVAILABLE,
		       "attach '%s': no free loop device (%u are in use, see the parameter max_loop of the module loop)",
		       path, next);
}

int loop_refresh(dev_t dev, const char *scratch, struct err *err)
{
	auto_fd int loop = open_device(minor(dev), O_RDWR, scratch);

	if (loop < 0)
		return err_sys(err, -loop, "open loop device %u", minor(dev));
	if (ioctl(loop, LOOP_SET_CAPACITY, 0) < 0)
		return err_sys(err, errno, "resize loop device %u", minor(dev));
	return 0;
}

static void sweep_one(unsigned int number, const struct loop_file *files, size_t n, const char *scratch)
{
	auto_fd int loop = open_device(number, O_RDONLY, scratch);
	struct loop_info64 info;

	if (loop < 0 || ioctl(loop, LOOP_GET_STATUS64, &info) < 0 || info.lo_flags & LO_FLAGS_AUTOCLEAR)
		return;
	for (size_t i = 0; i < n; i++) {
		if (files[i].dev == info.lo_device && files[i].ino == info.lo_inode)
			(void)ioctl(loop, LOOP_CLR_FD, 0);	/* busy: then it is in use after all */
	}
}

void loop_sweep(const struct loop_file *files, size_t n, const char *scratch)
{
	auto_closedir DIR *dir = opendir("/sys/block");
	struct dirent *e;
	uint32_t number;

	for (unsigned int i = 0; !dir && i < SWEEP_BLIND; i++)
		sweep_one(i, files, n, scratch);
	while (dir && (e = readdir(dir))) {
		const char *digits = str_skip(e->d_name, "loop");

		if (digits && str_u32(digits, 10, &number) == 0)
			sweep_one(number, files, n, scratch);
	}
}
