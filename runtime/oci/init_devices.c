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

bool device_node_get(const struct oci_spec *spec, size_t index, struct device_node *ret)
{
	const struct oci_device *d;

	if (index < ARRAY_SIZE(default_devices)) {
		*ret = (struct device_node){
			.path = default_devices[index].name, .mode = S_IFCHR | 0666,
			.number = makedev(default_devices[index].major, default_devices[index].minor),
		};
		return true;
	}
	index -= ARRAY_SIZE(default_devices);
	if (index >= spec->linux_.devices.n)
		return false;
	d = &spec->linux_.devices.v[index];
	*ret = (struct device_node){
		.path = d->path, .has_mode = d->file_mode.set, .has_owner = d->uid.set || d->gid.set,
		.mode = (d->file_mode.set ? (mode_t)d->file_mode.v & 07777 : 0666) |
			(*d->type == 'b' ? S_IFBLK : *d->type == 'p' ? S_IFIFO : S_IFCHR),
		.uid = d->uid.set ? (uint32_t)d->uid.v : 0,
		.gid = d->gid.set ? (uint32_t)d->gid.v : 0,
	};
	if (!S_ISFIFO(ret->mode))
		ret->number = makedev((unsigned int)d->major, (unsigned int)d->minor);
	return true;
}

bool device_node_is(const struct device_node *n, const struct stat *st)
{
	return (st->st_mode & S_IFMT) == (n->mode & S_IFMT) && (S_ISFIFO(n->mode) || st->st_rdev == n->number);
}

static bool is_that(int dir, const char *name, const struct device_node *n)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && device_node_is(n, &st);
}

/* In a user namespace nobody may make device nodes: one made before is bound, or the host's own. */
static int bind_node(struct init *init, size_t index, int dir, const char *name, const struct device_node *n, struct err *err)
{
	static const struct mount_options options = {.bind = true};
	struct mount_place place = {init->root_fd, n->path, -1};
	char of_devices[MOUNT_FD_PATH_SIZE];
	auto_free char *made = xfmt("%s/%zu", mount_fd_path(init->devices_fd, of_devices), index);
	auto_fd int fd = -1;
	struct stat st;
	bool is_made = init->devices_fd >= 0 && lstat(made, &st) == 0;

	if (!is_made && (stat(n->path, &st) < 0 || !device_node_is(n, &st)))
		return err_set(err, ERR_UNSUPPORTED, "device '%s': in a user namespace that is the host's, which has no %s %u:%u there",
			       n->path, S_ISBLK(n->mode) ? "block device" : "character device", major(n->number), minor(n->number));
	fd = openat(dir, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
	if (fd < 0)
		return err_sys(err, errno, "create '%s'", n->path);
	place.fd = fd;
	return mount_bind_at(is_made ? made : n->path, &place, &options, NULL, err);
}

static int make_node(struct init *init, size_t index, int dir, const char *name, const struct device_node *n, struct err *err)
{
	if (init->listed_ns[NS_USER] && !S_ISFIFO(n->mode))
		return bind_node(init, index, dir, name, n, err);
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

/* The default ones right in @dev. */
static int make_nodes(struct init *init, int dev, size_t from, size_t to, struct err *err)
{
	struct device_node n;
	int rc = 0;

	for (size_t i = from; i < to && !rc && device_node_get(init->spec, i, &n); i++) {
		auto_fd int dir = -1;
		auto_free char *name = NULL;

		if (i < ARRAY_SIZE(default_devices)) {
			rc = make_node(init, i, dev, n.path + strlen("/dev/"), &n, err);
			continue;
		}
		rc = path_parent_in(init->root_fd, n.path, true, &dir, &name, err);
		if (!rc)
			rc = make_node(init, i, dir, name, &n, err);
	}
	return rc;
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
	auto_fd int dev = -1;
	mode_t old;
	int rc;

	if (!init->listed_ns[NS_MNT] || dev_is_bound(init->spec))
		return 0;
	old = umask(0);
	rc = path_mkdirs_in(init->root_fd, "/dev", 0755, &dev, err);
	if (!rc)
		rc = make_nodes(init, dev, 0, ARRAY_SIZE(default_devices), err);
	if (!rc)
		rc = make_links(dev, err);
	if (!rc)
		rc = make_nodes(init, dev, ARRAY_SIZE(default_devices), SIZE_MAX, err);
	umask(old);
	return rc;
}
