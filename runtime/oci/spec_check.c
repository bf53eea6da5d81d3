/*
 * spec_check.c - what is wrong with a config.json, before the host is touched
 */
#include <string.h>
#include <sys/mount.h>

#include "compat/base/str.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/ns.h"
#include "runtime/oci/spec.h"
#include "runtime/oci/words.h"

static int refuse_relative(const char *what, const char *path, struct err *err)
{
	if (!str_empty(path) && *path == '/')
		return 0;
	return err_set(err, ERR_INVALID, "config.json: %s: '%s' is not an absolute path", what,
		       path ? path : "");
}

/* ---- process ------------------------------------------------------------------------------------------------------------- */

static int check_rlimits(const struct oci_process *p, struct err *err)
{
	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct oci_rlimit *r = &p->rlimits.v[i];

		if (oci_rlimit_parse(r->type) < 0)
			return err_set(err, ERR_INVALID, "config.json: process.rlimits[%zu].type: unknown '%s'",
				       i, r->type);
		if (r->soft > r->hard)
			return err_set(err, ERR_INVALID,
				       "config.json: process.rlimits[%zu]: the soft limit of %s is above the hard one",
				       i, r->type);
		for (size_t j = 0; j < i; j++)
			if (str_eq(p->rlimits.v[j].type, r->type))
				return err_set(err, ERR_INVALID, "config.json: process.rlimits: %s twice", r->type);
	}
	return 0;
}

static int check_scheduler(const struct oci_process *p, struct err *err)
{
	const struct oci_scheduler *s = p->scheduler;
	const struct oci_io_priority *io = p->io_priority;
	uint64_t ignored;

	if (s) {
		int policy = oci_word(oci_sched_policies, s->policy, &ignored);

		if (policy < 0)
			return err_set(err, ERR_INVALID, "config.json: process.scheduler.policy: unknown '%s'",
				       s->policy);
		STRV_EACH(f, &s->flags)
			if (oci_word(oci_sched_flags, *f, &ignored) < 0)
				return err_set(err, ERR_INVALID,
					       "config.json: process.scheduler.flags: unknown '%s'", *f);
		if (s->nice < -20 || s->nice > 19)
			return err_set(err, ERR_INVALID,
				       "config.json: process.scheduler.nice: %d is not between -20 and 19", s->nice);
	}
	if (io) {
		if (oci_word(oci_io_classes, io->class, &ignored) < 0)
			return err_set(err, ERR_INVALID, "config.json: process.ioPriority.class: unknown '%s'",
				       io->class);
		if (io->priority < 0 || io->priority > 7)
			return err_set(err, ERR_INVALID,
				       "config.json: process.ioPriority.priority: %d is not between 0 and 7",
				       io->priority);
	}
	return 0;
}

int oci_process_check(const struct oci_process *p, struct err *err)
{
	int rc = refuse_relative("process.cwd", p->cwd, err);

	if (rc)
		return rc;
	if (!p->args.n || str_empty(p->args.v[0]))
		return err_set(err, ERR_INVALID, "config.json: process.args: no program is given");
	STRV_EACH(e, &p->env)
		if (!strchr(*e, '=') || **e == '=')
			return err_set(err, ERR_INVALID, "config.json: process.env: '%s' is not NAME=VALUE", *e);
	if (p->oom_score_adj.set && (p->oom_score_adj.v < -1000 || p->oom_score_adj.v > 1000))
		return err_set(err, ERR_INVALID,
			       "config.json: process.oomScoreAdj: %lld is not between -1000 and 1000",
			       (long long)p->oom_score_adj.v);
	if (p->user.umask.set && p->user.umask.v > 0777)
		return err_set(err, ERR_INVALID, "config.json: process.user.umask: more than 0777");
	if (p->console_size && (p->console_size->height > UINT16_MAX || p->console_size->width > UINT16_MAX))
		return err_set(err, ERR_INVALID, "config.json: process.consoleSize: more than 65535");
	rc = check_rlimits(p, err);
	if (!rc)
		rc = check_scheduler(p, err);
	return rc;
}

/* ---- mounts, hooks, devices ---------------------------------------------------------------------------------------------- */

static int check_mounts(const struct oci_spec *spec, struct err *err)
{
	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct oci_mount *m = &spec->mounts.v[i];
		AUTO(mount_options_clear) struct mount_options o = {0};

		/* Relative ones are from the days before 1.0; runc and crun take them as below "/" too. */
		if (str_empty(m->destination))
			return err_set(err, ERR_INVALID, "config.json: mounts[%zu].destination: is empty", i);
		mount_options_parse(&m->options, &o);
		if (o.idmap || m->uid_mappings.n || m->gid_mappings.n)
			return err_set(err, ERR_UNSUPPORTED,
				       "config.json: mounts[%zu]: '%s': id-mapped mounts are not supported", i,
				       m->destination);
		if ((o.bind || str_eq(m->type, "bind")) && str_empty(m->source))
			return err_set(err, ERR_INVALID, "config.json: mounts[%zu]: '%s': a bind mount needs a source",
				       i, m->destination);
		if (!o.bind && str_empty(m->type) && !(o.flags & MS_REMOUNT))
			return err_set(err, ERR_INVALID, "config.json: mounts[%zu]: '%s': has no type", i,
				       m->destination);
		if (o.copy_up && !str_eq(m->type, "tmpfs"))
			return err_set(err, ERR_INVALID, "config.json: mounts[%zu]: '%s': tmpcopyup is for tmpfs", i,
				       m->destination);
	}
	return 0;
}

static int check_hooks(const char *kind, const oci_hook_vec *hooks, struct err *err)
{
	for (size_t i = 0; i < hooks->n; i++) {
		const struct oci_hook *h = &hooks->v[i];

		if (str_empty(h->path) || *h->path != '/')
			return err_set(err, ERR_INVALID, "config.json: hooks.%s[%zu].path: '%s' is not an absolute path",
				       kind, i, h->path ? h->path : "");
		if (h->timeout.set && (h->timeout.v <= 0 || h->timeout.v > INT32_MAX / 1000))
			return err_set(err, ERR_INVALID, "config.json: hooks.%s[%zu].timeout: %lld is no number of seconds",
				       kind, i, (long long)h->timeout.v);
	}
	return 0;
}

static int check_all_hooks(const struct oci_hooks *h, struct err *err)
{
	const struct {
		const char *name;
		const oci_hook_vec *hooks;
	} kinds[] = {
		{"prestart", &h->prestart},		{"createRuntime", &h->create_runtime},
		{"createContainer", &h->create_container}, {"startContainer", &h->start_container},
		{"poststart", &h->poststart},		{"poststop", &h->poststop},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		int rc = check_hooks(kinds[i].name, kinds[i].hooks, err);

		if (rc)
			return rc;
	}
	return 0;
}

static int check_devices(const struct oci_linux *l, struct err *err)
{
	for (size_t i = 0; i < l->devices.n; i++) {
		const struct oci_device *d = &l->devices.v[i];

		if (!d->type || !d->type[0] || d->type[1] || !strchr("cbup", d->type[0]))
			return err_set(err, ERR_INVALID, "config.json: linux.devices[%zu].type: '%s' is none of c, b, u, p",
				       i, d->type ? d->type : "");
		if (str_empty(d->path) || *d->path != '/')
			return err_set(err, ERR_INVALID,
				       "config.json: linux.devices[%zu].path: '%s' is not an absolute path", i, d->path);
		if (d->file_mode.set && (d->file_mode.v & ~07777ull & ~0170000ull))
			return err_set(err, ERR_INVALID, "config.json: linux.devices[%zu].fileMode: no file mode", i);
		if (*d->type != 'p' && (d->major < 0 || d->minor < 0 || d->major > UINT32_MAX || d->minor > UINT32_MAX))
			return err_set(err, ERR_INVALID, "config.json: linux.devices[%zu]: no device number", i);
	}
	return 0;
}

/* ---- namespaces ---------------------------------------------------------------------------------------------------------- */

struct ns_seen {
	bool listed[NS_COUNT], fresh[NS_COUNT];
};

static int check_namespaces(const struct oci_linux *l, struct ns_seen *seen, struct err *err)
{
	for (size_t i = 0; i < l->namespaces.n; i++) {
		const struct oci_namespace *n = &l->namespaces.v[i];
		int kind = -EINVAL;

		for (int k = 0; k < NS_COUNT; k++)
			if (str_eq(n->type, ns_types[k].oci))
				kind = k;
		if (kind < 0)
			return err_set(err, ERR_INVALID, "config.json: linux.namespaces[%zu].type: unknown '%s'", i,
				       n->type);
		if (seen->listed[kind])
			return err_set(err, ERR_INVALID, "config.json: linux.namespaces: '%s' twice", n->type);
		if (!str_empty(n->path) && *n->path != '/')
			return err_set(err, ERR_INVALID,
				       "config.json: linux.namespaces[%zu].path: '%s' is not an absolute path", i, n->path);
		seen->listed[kind] = true;
		seen->fresh[kind] = str_empty(n->path);
	}
	return 0;
}

static int check_mappings(const oci_id_map_vec *maps, const char *name, struct err *err)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct oci_id_map *m = &maps->v[i];

		if (!m->size || (uint64_t)m->container_id + m->size > (uint64_t)UINT32_MAX + 1 ||
		    (uint64_t)m->host_id + m->size > (uint64_t)UINT32_MAX + 1)
			return err_set(err, ERR_INVALID, "config.json: linux.%s[%zu]: the range is empty or too large",
				       name, i);
	}
	return 0;
}

/* A sysctl that is not of one of the container's own namespaces would be the host's. */
static int check_sysctl(const struct oci_spec *spec, const struct ns_seen *seen, struct err *err)
{
	const struct oci_linux *l = &spec->linux_;
	static const char *const ipc[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall",
		"kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};

	for (size_t i = 0; i < l->sysctl.n; i++) {
		auto_free char *key = xstrdup(l->sysctl.v[i].key);
		int need = NS_COUNT;

		/* "net/ipv4/conf/eth0.1/x" is the other way to write it: the first separator decides. */
		if (key[strcspn(key, "./")] == '/')
			for (char *c = key; *c; c++)
				*c = *c == '/' ? '.' : *c == '.' ? '/' : *c;
		if (strstr(key, "//") || strstr(key, ".."))
			return err_set(err, ERR_INVALID, "config.json: linux.sysctl: '%s' is no name", key);
		if (str_starts(key, "net."))
			need = NS_NET;
		else if (str_starts(key, "fs.mqueue."))
			need = NS_IPC;
		else if (str_eq(key, "kernel.domainname"))
			need = NS_UTS;
		if (str_eq(key, "kernel.hostname"))
			return err_set(err, ERR_INVALID, "config.json: linux.sysctl: 'kernel.hostname' is what hostname is for");
		if (str_eq(key, "kernel.domainname") && spec->domainname && !str_eq(spec->domainname, l->sysctl.v[i].val))
			return err_set(err, ERR_INVALID, "config.json: linux.sysctl: 'kernel.domainname' contradicts domainname");
		if (str_starts(key, "user."))
			need = NS_USER;
		for (size_t j = 0; j < ARRAY_SIZE(ipc); j++)
			if (str_eq(key, ipc[j]))
				need = NS_IPC;
		if (need == NS_COUNT)
			return err_set(err, ERR_INVALID,
				       "config.json: linux.sysctl: '%s' does not belong to a namespace: it would change the host",
				       key);
		if (!seen->listed[need])
			return err_set(err, ERR_INVALID, "config.json: linux.sysctl: '%s' needs a %s namespace", key,
				       ns_types[need].oci);
	}
	return 0;
}

static int check_linux(const struct oci_spec *spec, struct err *err)
{
	const struct oci_linux *l = &spec->linux_;
	const struct oci_time_offsets *t = &l->time_offsets;
	struct ns_seen seen = {0};
	unsigned long propagation;
	uint64_t ignored;
	int rc = check_namespaces(l, &seen, err);

	if (rc)
		return rc;
	if ((spec->hostname || spec->domainname) && !seen.listed[NS_UTS])
		return err_set(err, ERR_INVALID, "config.json: %s needs a uts namespace",
			       spec->hostname ? "hostname" : "domainname");
	if ((l->uid_mappings.n || l->gid_mappings.n) && !seen.listed[NS_USER])
		return err_set(err, ERR_INVALID, "config.json: linux.uidMappings need a user namespace");
	if (seen.fresh[NS_USER] && (!l->uid_mappings.n || !l->gid_mappings.n))
		return err_set(err, ERR_INVALID, "config.json: a new user namespace needs uidMappings and gidMappings");
	if ((t->monotonic || t->boottime) && !seen.fresh[NS_TIME])
		return err_set(err, ERR_INVALID, "config.json: linux.timeOffsets need a new time namespace");
	if (!seen.listed[NS_MNT] && (l->masked_paths.n || l->readonly_paths.n || spec->mounts.n))
		return err_set(err, ERR_INVALID,
			       "config.json: mounts, maskedPaths and readonlyPaths need a mount namespace");
	if (mount_propagation_parse(l->rootfs_propagation, &propagation))
		return err_set(err, ERR_INVALID, "config.json: linux.rootfsPropagation: unknown '%s'",
			       l->rootfs_propagation);
	if (l->personality && oci_word(oci_personalities, l->personality->domain, &ignored) < 0)
		return err_set(err, ERR_INVALID, "config.json: linux.personality.domain: unknown '%s'",
			       l->personality->domain);
	if (l->personality && l->personality->flags.n)
		return err_set(err, ERR_INVALID, "config.json: linux.personality.flags: none is known");
	if (l->intel_rdt)
		return err_set(err, ERR_UNSUPPORTED, "config.json: linux.intelRdt: cache and bandwidth allocation is not supported");
	rc = check_mappings(&l->uid_mappings, "uidMappings", err);
	if (!rc)
		rc = check_mappings(&l->gid_mappings, "gidMappings", err);
	if (!rc)
		rc = check_devices(l, err);
	if (!rc)
		rc = check_sysctl(spec, &seen, err);
	return rc;
}

/* "1.0.2-dev", "1.1.0+x": ours is any 1. */
static int check_version(const char *version, struct err *err)
{
	if (str_empty(version))
		return err_set(err, ERR_INVALID, "config.json: ociVersion: is empty");
	if (!str_starts(version, "1.") || version[2] < '0' || version[2] > '9')
		return err_set(err, ERR_INVALID, "config.json: ociVersion: '%s' is not 1.x", version);
	return 0;
}

int oci_spec_check(const struct oci_spec *spec, struct err *err)
{
	int rc = check_version(spec->version, err);

	if (rc)
		return rc;
	if (str_empty(spec->root.path))
		return err_set(err, ERR_INVALID, "config.json: root.path: is empty");
	if (spec->hostname && strlen(spec->hostname) > 64)
		return err_set(err, ERR_INVALID, "config.json: hostname: longer than 64 bytes");
	if (spec->domainname && strlen(spec->domainname) > 64)
		return err_set(err, ERR_INVALID, "config.json: domainname: longer than 64 bytes");
	if (spec->process)
		rc = oci_process_check(spec->process, err);
	if (!rc)
		rc = check_mounts(spec, err);
	if (!rc)
		rc = check_all_hooks(&spec->hooks, err);
	if (!rc)
		rc = check_linux(spec, err);
	return rc;
}
