/*
 * create_devices.c - create: device nodes for a user namespace, in which nobody may make them
 *
 * The host's own node is bound where it will do. Where there is none of that name and number, or it is to have another owner or
 * mode, one is made before the user namespace is: on a tmpfs over the container's directory, in a mount namespace between the caller's
 * and the container's.
 */
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "compat/kernel/lsm.h"
#include "runtime/oci/create.h"

/* The host's id of the namespace's @id. */
static bool mapped(const oci_id_map_vec *maps, uint32_t id, uint32_t *ret)
{
	VEC_EACH(m, maps) {
		if (id >= m->container_id && id - m->container_id < m->size) {
			*ret = m->host_id + (id - m->container_id);
			return true;
		}
	}
	return false;
}

/* @n with the host's ids. What has no owner is the namespace's root's; what the host has no id for is its root's, who is nobody inside. */
static void to_host(const struct oci_linux *l, struct device_node *n)
{
	uint32_t uid = 0, gid = 0;
	bool has_uid = mapped(&l->uid_mappings, n->uid, &uid), has_gid = mapped(&l->gid_mappings, n->gid, &gid);

	n->has_owner = n->has_owner && has_uid && has_gid;
	n->uid = uid;
	n->gid = gid;
}

static bool hosts_will_do(const struct device_node *n)
{
	struct stat st;

	if (stat(n->path, &st) < 0 || !device_node_is(n, &st))
		return false;
	return (!n->has_owner || (st.st_uid == n->uid && st.st_gid == n->gid)) &&
	       (!n->has_mode || (st.st_mode & 07777) == (n->mode & 07777));
}

/* Device @index, with the host's ids; *ret_make: it is one that the host has not as it is wanted. False: there is none of that index. */
static bool get(const struct creation *x, size_t index, struct device_node *ret, bool *ret_make)
{
	if (!device_node_get(x->spec, index, ret))
		return false;
	to_host(&x->spec->linux_, ret);
	*ret_make = !S_ISFIFO(ret->mode) && !hosts_will_do(ret);
	return true;
}

bool creation_wants_devices(const struct creation *x)
{
	bool make = false;
	struct device_node n;

	if (!x->init.listed_ns[NS_USER] || !x->init.new_ns[NS_MNT])
		return false;
	for (size_t i = 0; !make && get(x, i, &n, &make); i++)
		;
	return make;
}

static int make_node(const struct creation *x, size_t index, const struct device_node *n)
{
	auto_free char *path = xfmt("%s/%zu", x->c->dir, index);

	return mknod(path, n->mode, n->number) < 0 || lchown(path, n->uid, n->gid) < 0 ? -errno : 0;
}

static int make_nodes(const struct creation *x)
{
	struct device_node n;
	bool make;
	int rc = 0;

	for (size_t i = 0; !rc && get(x, i, &n, &make); i++)
		rc = make ? make_node(x, i, &n) : 0;
	return rc;
}

int creation_devices(struct creation *x, struct err *err)
{
	auto_free char *data = lsm_mount_options("mode=0755", x->spec->linux_.mount_label);
	mode_t old = umask(0);
	int rc = 0;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
	    mount("tmpfs", x->c->dir, "tmpfs", MS_NOSUID | MS_NOEXEC, data) < 0) {
		rc = -errno;
	} else {
		rc = make_nodes(x);
		if (rc)
			(void)umount2(x->c->dir, MNT_DETACH);	/* the namespace goes soon */
	}
	umask(old);
	x->init.made_devices = !rc;
	/* Who may not make any, as nobody may in a user namespace, has the host's only; the first process says when one is missing. */
	return rc && rc != -EPERM ? err_sys(err, -rc, "make devices for the user namespace") : 0;
}
