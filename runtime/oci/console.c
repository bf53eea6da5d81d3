/*
 * console.c - the container's terminal
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/mount.h"
#include "runtime/oci/internal.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static int open_master(int root_fd, int *ret, struct err *err)
{
	static const char *const names[] = {"/dev/pts/ptmx", "/dev/ptmx"};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		rc = path_open_in(root_fd, names[i], O_RDWR | O_NOCTTY, 0, ret, err);
		if (rc != -ENOENT)
			break;
	}
	return rc < 0 ? err_wrap(err, rc, "open a terminal") : 0;
}

static int open_slave(int root_fd, int master, const char *name, int *ret, struct err *err)
{
	/* Unlike the name, this cannot lead to another file. 4.13 */
	int fd = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0) {
		*ret = fd;
		return 0;
	}
	return path_open_in(root_fd, name, O_RDWR | O_NOCTTY | O_NOFOLLOW, 0, ret, err);
}

static int bind_console(int root_fd, int slave, struct err *err)
{
	static const struct mount_options options = {.bind = true};
	struct mount_place place = {root_fd, "/dev/console", -1};
	auto_fd int fd = -1;
	char source[MOUNT_FD_PATH_SIZE];
	int rc = path_open_in(root_fd, place.path, mount_path_flags() | O_NOFOLLOW, 0, &fd, NULL);

	if (rc == -ENOENT)
		rc = path_open_in(root_fd, place.path, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0620, &fd, NULL);
	if (rc < 0)
		return err_sys(err, -rc, "open '/dev/console'");
	place.fd = fd;
	return mount_bind_at(mount_fd_path(slave, source), &place, &options, NULL, err);
}

static int hand_over(const struct process_setup *setup, int master, const char *name, struct err *err)
{
	int rc;

	if (setup->console_socket >= 0)
		rc = fd_send(setup->console_socket, name, strlen(name), &master, 1);
	else
		rc = sync_send(setup->sync, SYNC_CONSOLE, master);
	return rc < 0 ? err_sys(err, -rc, "hand over the terminal") : 0;
}

int console_setup(int root_fd, const struct process_setup *setup, bool console, struct err *err)
{
	const struct oci_process *p = setup->process;
	auto_fd int master = -1;
	auto_fd int slave = -1;
	int unlock = 0, number = 0, rc;
	char name[32];

	rc = open_master(root_fd, &master, err);
	if (rc)
		return rc;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0 || ioctl(master, TIOCGPTN, &number) < 0)
		return err_sys(err, errno, "unlock a terminal");
	snprintf(name, sizeof(name), "/dev/pts/%d", number);
	rc = open_slave(root_fd, master, name, &slave, err);
	if (rc)
		return err_wrap(err, rc, "open terminal '%s'", name);
	if (p->console_size) {
		struct winsize size = {.ws_row = (unsigned short)p->console_size->height,
				       .ws_col = (unsigned short)p->console_size->width};

		if (ioctl(slave, TIOCSWINSZ, &size) < 0)
			return err_sys(err, errno, "set the terminal's size");
	}
	/* A read-only or foreign devpts keeps its owner. */
	if (fchown(slave, p->user.uid, (gid_t)-1) < 0 && errno != EROFS && errno != EPERM && errno != EINVAL)
		return err_sys(err, errno, "give terminal '%s' to user %u", name, p->user.uid);
	if (console) {
		rc = bind_console(root_fd, slave, err);
		if (rc)
			return rc;
	}
	rc = hand_over(setup, master, name, err);
	if (rc)
		return rc;
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return err_sys(err, errno, "make '%s' the controlling terminal", name);
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return err_sys(err, errno, "set standard fd %d", i);
	return 0;
}
