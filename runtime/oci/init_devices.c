/*
 * init_devices.c - device nodes and links in /dev
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/mount.h"
#include "runtime/oci/internal.h"

struct node {
	const char *path;
	mode_t mode;		/* with type */
	dev_t number;
	uint32_t uid, gid;
};

/* runtime-spec, config-linux.md#default-devices */
static const struct {
	const char *name;
	unsigned int major, minor;
} default_devices[] = {
	{"/dev/null", 1, 3}, {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
	{"/dev/tty", 5, 0},  {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9},
};

static const struct {
	const char *name, *target;
} links[] = {
	{"fd", "/proc/self/fd"},	 {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

static bool is_that(int dir, const char *name, const struct node *n)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & S_IFMT) == (n->mode & S_IFMT) &&
	       (S_ISFIFO(n->mode) || st.st_rdev == n->number);
}

/* In a user namespace nobody may make device nodes: the host's own is bound instead. */
static int bind_node(int root_fd, int dir, const char *name, const struct node *n, struct err *err)
{
	static const struct mount_options options = {.bind = true};
	struct mount_place place = {root_fd, n->path, -1};
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);

	if (fd < 0)
		return err_sys(err, errno, "create '%s'", n->path);
	place.fd = fd;
	return mount_bind_at(n->path, &place, &options, NULL, err);
}

static int make_node(struct init *init, int dir, const char *name, const struct node *n, struct err *err)
{
	if (init->listed_ns[NS_USER] && !S_ISFIFO(n->mode))
		return bind_node(init->root_fd, dir, name, n, err);
	if (mknodat(dir, name, n->mode, n->number) < 0) {
		if (errno != EEXIST)
			return err_sys(err, errno, "make device '%s'", n->path);
		if (is_that(dir, name, n))
			return 0;
		/* What an image brings under this name is not what programs will take it for. */
		if (unlinkat(dir, name, 0) < 0 || mknodat(dir, name, n->mode, n->number) < 0)
			return err_sys(err, errno, "replace '%s' by the device", n->path);
	}
	if ((n->uid || n->gid) && fchownat(dir, name, n->uid, n->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "give device '%s' to %u:%u", n->path, n->uid, n->gid);
	return 0;
}

static int make_defaults(struct init *init, int dev, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_devices); i++) {
		struct node n = {default_devices[i].name, S_IFCHR | 0666,
				 makedev(default_devices[i].major, default_devices[i].minor), 0, 0};
		int rc = make_node(init, dev, n.path + strlen("/dev/"), &n, err);

		if (rc)
			return rc;
	}
	return 0;
}

static int make_links(int dev, struct err *err)
{
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		if (symlinkat(links[i].target, dev, links[i].name) == 0)
			continue;
		/* An image's own ptmx would open the host's terminals. */
		if (errno == EEXIST && str_eq(links[i].name, "ptmx") &&
		    fstatat(dev, "ptmx", &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode) &&
		    unlinkat(dev, "ptmx", 0) == 0 && symlinkat("pts/ptmx", dev, "ptmx") == 0)
			continue;
		if (errno != EEXIST)
			return err_sys(err, errno, "link '/dev/%s'", links[i].name);
	}
	if (access("/proc/kcore", F_OK) == 0 && symlinkat("/proc/kcore", dev, "core") < 0 && errno != EEXIST)
		return err_sys(err, errno, "link '/dev/core'");
	return 0;
}

static int make_listed(struct init *init, const struct oci_device *d, struct err *err)
{
	struct node n = {.path = d->path};
	auto_fd int dir = -1;
	auto_free char *name = NULL;
	int rc;

	n.mode = (d->file_mode.set ? (mode_t)d->file_mode.v & 07777 : 0666) |
		 (*d->type == 'b' ? S_IFBLK : *d->type == 'p' ? S_IFIFO : S_IFCHR);
	if (!S_ISFIFO(n.mode))
		n.number = makedev((unsigned int)d->major, (unsigned int)d->minor);
	n.uid = d->uid.set ? (uint32_t)d->uid.v : 0;
	n.gid = d->gid.set ? (uint32_t)d->gid.v : 0;
	rc = path_parent_in(init->root_fd, d->path, true, &dir, &name, err);
	return rc ? rc : make_node(init, dir, name, &n, err);
}

/* With the host's /dev bound in, or that of another container, nothing is to be made there. */
static bool dev_is_bound(const struct oci_spec *spec)
{
	VEC_EACH(m, &spec->mounts) {
		const char *d = m->destination;

		if ((str_eq(d, "/dev") || str_eq(d, "/dev/")) &&
		    (str_eq(m->type, "bind") || strv_has(&m->options, "bind") || strv_has(&m->options, "rbind")))
			return true;
	}
	return false;
}

int init_devices(struct init *init, struct err *err)
{
	const struct oci_linux *l = &init->spec->linux_;
	auto_fd int dev = -1;
	mode_t old;
	int rc;

	if (!init->listed_ns[NS_MNT] || dev_is_bound(init->spec))
		return 0;
	old = umask(0);
	rc = path_mkdirs_in(init->root_fd, "/dev", 0755, &dev, err);
	if (!rc)
		rc = make_defaults(init, dev, err);
	if (!rc)
		rc = make_links(dev, err);
	for (size_t i = 0; i < l->devices.n && !rc; i++)
		rc = make_listed(init, &l->devices.v[i], err);
	umask(old);
	return rc;
}
