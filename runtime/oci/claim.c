/*
 * claim.c - whose is a container's directory? While a container is made, its maker's, by a lock that ends with the process
 *
 * A directory without a state that nobody holds is what a killed create left. Its control group is known by a link in it.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/oci/internal.h"

#define CGROUP_LINK "cgroup"

/* A create that was killed a moment ago may not have ended yet. */
#define WAIT_STEP_MS 20
#define WAIT_STEPS   50

/* Lock the directory at @path. -ENOENT: there is none any more; -EWOULDBLOCK: somebody is at work. */
static int lock_dir(const char *path, int *ret_fd)
{
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat mine, there;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	/* Somebody may have removed it before we had the lock, and another made a new one. */
	if (fstat(fd, &mine) < 0 || lstat(path, &there) < 0 || mine.st_ino != there.st_ino || mine.st_dev != there.st_dev)
		return -ENOENT;
	*ret_fd = fd_take(&fd);
	return 0;
}

/* @fd is locked and has no state: the group first, so that it is not forgotten when that fails. */
static int clear_locked(const char *path, int fd, struct err *err)
{
	AUTO(cgroup_close) struct cgroup *cg = NULL;
	char group[PATH_MAX];
	ssize_t n = readlinkat(fd, CGROUP_LINK, group, sizeof(group) - 1);
	int rc = 0;

	if (n > 0) {
		group[n] = '\0';
		rc = cgroup_open(group, &cg, err);
		if (!rc)
			rc = cgroup_remove(cg, err);
	}
	return rc ? rc : path_remove_tree(path, err);
}

static int make_dir(const struct oci_container *c, struct err *err)
{
	int rc = mkdir(c->dir, 0700);

	if (rc < 0 && errno == ENOENT) {
		rc = path_mkdirs(c->root, 0711, err);
		if (rc)
			return rc;
		rc = mkdir(c->dir, 0700);
	}
	if (rc < 0 && errno != EEXIST)
		return err_sys(err, errno, "create directory '%s'", c->dir);
	return rc < 0 ? 0 : 1;
}

int oci_claim(const struct oci_container *c, int *ret_lock, struct err *err)
{
	auto_free char *state = path_join(c->dir, STATE_FILE);

	for (;;) {
		auto_fd int fd = -1;
		int made = make_dir(c, err);
		int rc;

		if (made < 0)
			return made;
		rc = lock_dir(c->dir, &fd);
		if (rc == -EWOULDBLOCK && made)
			poll(NULL, 0, 1);	/* somebody takes it for a leftover, and removes it now */
		if (rc == -ENOENT || (rc == -EWOULDBLOCK && made))
			continue;
		if (rc == -EWOULDBLOCK || (!rc && access(state, F_OK) == 0))
			return err_set(err, ERR_CONFLICT, "container with id exists: %s", c->state.id);
		if (rc < 0) {
			if (made)
				(void)rmdir(c->dir);	/* it is empty, or another's by now */
			return err_sys(err, -rc, "lock directory '%s'", c->dir);
		}
		if (made) {
			*ret_lock = fd_take(&fd);
			return 0;
		}
		rc = clear_locked(c->dir, fd, err);
		if (rc)
			return err_wrap(err, rc, "remove what a killed create of '%s' left", c->state.id);
	}
}

int oci_claim_cgroup(const struct oci_container *c, int lock, struct err *err)
{
	if (symlinkat(c->state.cgroup, lock, CGROUP_LINK) < 0)
		return err_sys(err, errno, "note the control group in '%s'", c->dir);
	return 0;
}

int oci_delete_unfinished(const char *root, const char *id, struct err *err)
{
	auto_free char *dir = path_join(root ? root : OCI_DEFAULT_ROOT, id);
	auto_free char *state = path_join(dir, STATE_FILE);
	auto_fd int fd = -1;
	int rc = oci_id_check(id, err);

	if (rc)
		return rc;
	for (int i = 0; (rc = lock_dir(dir, &fd)) == -EWOULDBLOCK && i < WAIT_STEPS; i++)
		poll(NULL, 0, WAIT_STEP_MS);
	if (rc == -ENOENT)
		return 0;
	if (rc == -EWOULDBLOCK || (!rc && access(state, F_OK) == 0))
		return err_set(err, ERR_CONFLICT, "container '%s' is being created by a process that goes on", id);
	if (rc)
		return err_sys(err, -rc, "lock directory '%s'", dir);
	return err_wrap(err, clear_locked(dir, fd, err), "delete container '%s'", id);
}
