/*
 * spec_mounts - what is mounted in a container, in which order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/mounts.h"
#include "runtime/engine/spec.h"

#define SHM_SIZE_DEFAULT (64 << 20)
#define RAMFS_MAGIC	 0x858458f6

enum { INIT_MAX = 64 << 20, CHAIN_MAX = 64 };

static const struct default_mount {
	const char *destination, *type, *source;
	const char *options;
} defaults[] = {
	{"/proc", "proc", "proc", "nosuid,noexec,nodev"},
	{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
	{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
	{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"},
	{"/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev"},
	{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"},
	{"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777"},
};

static struct oci_mount *add(struct oci_spec *spec, const char *destination, const char *type, const char *source,
			     const char *options)
{
	struct oci_mount *m = VEC_ADD(&spec->mounts);

	str_set(&m->destination, destination);
	str_set(&m->type, type);
	str_set(&m->source, source);
	strv_split(&m->options, options, ",", false);
	return m;
}

static bool user_has(const struct container_record *r, const char *destination)
{
	for (size_t i = 0; i < r->mounts.n; i++) {
		if (str_eq(r->mounts.v[i].destination, destination))
			return true;
	}
	return false;
}

static void remove_option(struct strv *options, const char *word)
{
	for (size_t i = 0; i < options->n; i++) {
		if (strcmp(options->v[i], word))
			continue;
		free(options->v[i]);
		vec_del(options, i--, sizeof(options->v[0]));
	}
}

/* The IPC namespace brings its own /dev/shm; a shared namespace brings the other's. */
static int add_shm(struct engine *e, struct container *c, struct oci_spec *spec, struct err *err)
{
	const struct api_host_config *h = &c->rec.host;
	const char *other_ref = mode_container(h->ipc_mode);

	if (mode_is_host(h->ipc_mode)) {
		add(spec, "/dev/shm", "bind", "/dev/shm", "rbind,rw");
		return 0;
	}
	if (str_eq(h->ipc_mode, "none"))
		return 0;
	if (other_ref) {
		AUTO(container_put) struct container *other = NULL;
		auto_free char *shm = NULL;
		int rc = table_find(e, other_ref, &other, err);

		if (rc < 0)
			return rc;
		if (!str_eq(other->rec.host.ipc_mode, "shareable"))
			return err_set(err, ERR_CONFLICT,
				       "cannot join IPC of container %.12s: non-shareable IPC (hint: use IpcMode:shareable for the donor container)",
				       other->id);
		shm = container_exec_path(other, "shm");
		add(spec, "/dev/shm", "bind", shm, "bind,rw");
		return 0;
	}
	if (str_eq(h->ipc_mode, "shareable")) {
		auto_free char *shm = container_exec_path(c, "shm");

		add(spec, "/dev/shm", "bind", shm, "bind,rw");
		return 0;
	}
	strv_addf(&add(spec, "/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777")->options, "size=%lld",
		  (long long)(h->shm_size ? h->shm_size : SHM_SIZE_DEFAULT));
	return 0;
}

static int add_defaults(struct engine *e, struct container *c, struct oci_spec *spec, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++) {
		const struct default_mount *d = &defaults[i];
		struct oci_mount *m;

		if (user_has(&c->rec, d->destination))
			continue;
		if (!strcmp(d->destination, "/dev/shm")) {
			int rc = add_shm(e, c, spec, err);

			if (rc < 0)
				return rc;
			continue;
		}
		m = add(spec, d->destination, d->type, d->source, d->options);
		if (c->rec.host.privileged && (!strcmp(d->type, "sysfs") || !strcmp(d->type, "cgroup"))) {
			remove_option(&m->options, "ro");
			strv_add(&m->options, "rw");
		}
	}
	return 0;
}

static void add_one(const struct mount_record *r, struct oci_spec *spec)
{
	struct oci_mount *m;

	if (str_eq(r->type, "tmpfs")) {
		m = add(spec, r->destination, "tmpfs", "tmpfs", "noexec,nosuid,nodev");
		/* What the user says wins: "exec" takes noexec away. */
		if (r->options) {
			AUTO(strv_clear) struct strv words = {0};

			strv_split(&words, r->options, ",", false);
			STRV_EACH(w, &words) {
				auto_free char *opposite = xfmt("no%s", *w);

				remove_option(&m->options, opposite);
				strv_add(&m->options, *w);
			}
		}
		return;
	}
	m = add(spec, r->destination, "bind", r->source, r->options ? r->options : "rbind");
	strv_add(&m->options, r->read_only ? "ro" : "rw");
	strv_add(&m->options, r->propagation ? r->propagation : "rprivate");
	if (str_eq(r->propagation, "shared") || str_eq(r->propagation, "rshared"))
		str_set(&spec->linux_.rootfs_propagation, "rshared");
	else if (r->propagation && !spec->linux_.rootfs_propagation && strstr(r->propagation, "slave"))
		str_set(&spec->linux_.rootfs_propagation, "rslave");
}

static void add_users(const struct container_record *r, struct oci_spec *spec)
{
	auto_free const struct mount_record **order = mounts_in_order(r);

	for (size_t i = 0; i < r->mounts.n; i++)
		add_one(order[i], spec);
}

/* The other may have its network from a third one, and so on. */
int spec_network_dir(struct engine *e, struct container *c, char **ret, struct err *err)
{
	AUTO(container_put) struct container *at = container_get(c);
	const char *ref;

	for (int n = 0; (ref = mode_container(at->rec.host.network_mode)); n++) {
		struct container *next;
		int rc = n < CHAIN_MAX ? table_find(e, ref, &next, err)
				       : err_set(err, ERR_CONFLICT, "the network of container %.12s leads to itself", c->id);

		if (rc < 0)
			return rc;
		container_put(at);
		at = next;
	}
	*ret = container_path(at, NULL);
	return 0;
}

static int add_network_files(struct engine *e, struct container *c, struct oci_spec *spec, struct err *err)
{
	static const char *const files[] = {"resolv.conf", "hostname", "hosts"};
	auto_free char *dir = NULL;
	int rc;

	if (c->rec.config.disable_network_files)
		return 0;
	rc = spec_network_dir(e, c, &dir, err);
	for (size_t i = 0; rc >= 0 && i < ARRAY_SIZE(files); i++) {
		auto_free char *source = xfmt("%s/%s", dir, files[i]);
		auto_free char *destination = xfmt("/etc/%s", files[i]);

		if (!user_has(&c->rec, destination))
			add(spec, destination, "bind", source, "rbind,rprivate,rw");
	}
	return rc;
}

/*
 * Before 3.12 nothing can be bound from the first root file system, on which the program lies where the host runs from its initramfs: EINVAL.
 * A copy beside what the engine keeps for the boot can be. Everywhere else it is only a needless copy.
 */
static int init_program(struct engine *e, char **ret, struct err *err)
{
	AUTO(buf_clear) struct buf bytes = BUF_INIT;
	auto_free char *program = NULL, *copy = NULL;
	struct statfs fs;
	int rc = proc_sibling("pouch-init", &program, err);

	if (rc < 0)
		return rc;
	if (statfs(program, &fs) < 0 || fs.f_type != RAMFS_MAGIC) {
		*ret = take(program);
		return 0;
	}
	copy = xfmt("%s/pouch-init", e->exec_root);
	rc = file_read(-1, program, INIT_MAX, &bytes, err);
	if (rc >= 0)
		rc = file_replace(-1, copy, bytes.data, bytes.len, 0755, FILE_NO_SYNC, err);
	if (rc < 0)
		return err_wrap(err, rc, "copy '%s'", program);
	*ret = take(copy);
	return 0;
}

int spec_mounts(struct engine *e, struct container *c, struct oci_spec *spec, struct err *err)
{
	int rc = add_defaults(e, c, spec, err);

	if (rc >= 0)
		rc = add_network_files(e, c, spec, err);
	if (rc < 0)
		return rc;
	if (spec_wants_init(&c->rec)) {
		auto_free char *init = NULL;

		rc = init_program(e, &init, err);
		if (rc < 0)
			return rc;
		add(spec, SPEC_INIT_PATH, "bind", init, "bind,ro");
	}
	add_users(&c->rec, spec);
	return 0;
}
