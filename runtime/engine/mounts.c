/*
 * mounts - what a container sees of volumes, binds and temporary file systems.
 */
#include "runtime/engine/mounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/lsm.h"
#include "runtime/engine/internal.h"

static struct mount_record *find(const mount_records *list, const char *destination)
{
	VEC_EACH(m, list) {
		if (str_eq(m->destination, destination))
			return m;
	}
	return NULL;
}

/* A new entry at @destination, or NULL with an error when the user already put something there. */
static struct mount_record *add(mount_records *list, const char *destination, struct err *err)
{
	auto_free char *clean = path_clean(destination);
	struct mount_record *m;

	if (*clean != '/' || !strcmp(clean, "/")) {
		err_set(err, ERR_INVALID, "invalid mount point '%s': it must be an absolute path other than '/'",
			destination);
		return NULL;
	}
	if (find(list, clean)) {
		err_set(err, ERR_INVALID, "duplicate mount point: %s", clean);
		return NULL;
	}
	m = VEC_ADD(list);
	m->destination = take(clean);
	return m;
}

static int use_volume(struct engine *e, struct container *c, struct mount_record *m, const char *name,
		      const struct volume_create *how, struct err *err)
{
	AUTO(volume_clear) struct volume v = {0};
	struct volume_create create = how ? *how : (struct volume_create){0};
	int rc;

	create.name = name;
	if (!create.driver && !str_empty(c->rec.host.volume_driver))
		create.driver = c->rec.host.volume_driver;
	rc = volume_create(e->volumes, &create, &v, err);
	if (rc < 0)
		return rc;
	rc = volume_ref(e->volumes, v.name, c->id, err);
	if (rc < 0)
		return rc;
	str_set(&m->type, "volume");
	str_set(&m->name, v.name);
	str_set(&m->source, v.mountpoint);
	m->anonymous = str_empty(name);
	return 0;
}

/* ---- where they come from -------------------------------------------------------------------------------------------------------- */

static int from_bind(struct engine *e, struct container *c, const char *spec, struct err *err)
{
	AUTO(volume_bind_clear) struct volume_bind b = {0};
	struct mount_record *m;
	int rc = volume_bind_parse(spec, &b, err);

	if (rc < 0)
		return rc;
	m = add(&c->rec.mounts, b.target, err);
	if (!m)
		return -EINVAL;
	m->read_only = b.read_only;
	m->no_copy = b.no_copy;
	str_set(&m->mode, b.mode);
	str_set(&m->propagation, b.propagation);
	if (b.relabel)
		str_set(&m->relabel, (const char[]){b.relabel, 0});
	if (!b.is_bind)
		return use_volume(e, c, m, b.source, NULL, err);
	str_set(&m->type, "bind");
	str_set(&m->source, b.source);
	return 0;
}

static int tmpfs_options(const struct api_mount *from, char **ret, struct err *err)
{
	const struct api_tmpfs_options *t = from->tmpfs_options;
	AUTO(buf_clear) struct buf b = BUF_INIT;

	buf_str(&b, from->read_only ? "ro" : "rw");
	if (t && !str_empty(t->options) && strcmp(t->options, "null") && strcmp(t->options, "[]"))
		return err_set(err, ERR_UNSUPPORTED, "mount '%s': further tmpfs options are given with --tmpfs",
			       from->target);
	if (t && t->size_bytes > 0)
		buf_fmt(&b, ",size=%lld", (long long)t->size_bytes);
	if (t && t->mode)
		buf_fmt(&b, ",mode=%o", t->mode);
	*ret = buf_take(&b);
	return 0;
}

static int from_mount(struct engine *e, struct container *c, const struct api_mount *from, struct err *err)
{
	struct mount_record *m;
	struct stat st;

	if (str_empty(from->target))
		return err_set(err, ERR_INVALID, "field Target of a mount must not be empty");
	m = add(&c->rec.mounts, from->target, err);
	if (!m)
		return -EINVAL;
	m->read_only = from->read_only;
	if (str_eq(from->type, "tmpfs")) {
		str_set(&m->type, "tmpfs");
		if (!str_empty(from->source))
			return err_set(err, ERR_INVALID, "mount '%s': a tmpfs has no source", from->target);
		return tmpfs_options(from, &m->options, err);
	}
	if (str_eq(from->type, "volume")) {
		const struct api_volume_options *o = from->volume_options;
		struct volume_create create = {.labels = o ? &o->labels : NULL};

		if (o && !str_empty(o->subpath))
			return err_set(err, ERR_UNSUPPORTED, "mount '%s': not available here: part of a volume (subpath)",
				       from->target);
		if (o && o->driver_config) {
			create.driver = str_empty(o->driver_config->name) ? NULL : o->driver_config->name;
			create.options = &o->driver_config->options;
		}
		m->no_copy = o && o->no_copy;
		return use_volume(e, c, m, from->source, &create, err);
	}
	if (!str_eq(from->type, "bind"))
		return err_set(err, ERR_INVALID, "mount '%s': unknown type '%s'", from->target,
			       from->type ? from->type : "");

	const struct api_bind_options *o = from->bind_options;

	str_set(&m->type, "bind");
	if (str_empty(from->source) || *from->source != '/')
		return err_set(err, ERR_INVALID, "mount '%s': source '%s' must be absolute", from->target,
			       from->source ? from->source : "");
	if (o && (o->read_only_force_recursive))
		return err_set(err, ERR_UNSUPPORTED, "mount '%s': not available here: recursive read-only binds",
			       from->target);
	if (stat(from->source, &st) < 0 && !(o && o->create_mountpoint))
		return err_set(err, ERR_INVALID, "bind source path does not exist: %s", from->source);
	str_set(&m->source, from->source);
	if (o && !str_empty(o->propagation))
		str_set(&m->propagation, o->propagation);
	if (o && o->non_recursive)
		str_set(&m->options, "bind");
	return 0;
}

static int from_tmpfs(struct container *c, const struct strpair *t, struct err *err)
{
	struct mount_record *m = add(&c->rec.mounts, t->key, err);

	if (!m)
		return -EINVAL;
	str_set(&m->type, "tmpfs");
	str_set(&m->options, t->val);
	return 0;
}

/* "name[:ro|rw]": every volume and bind of another container, unless something is there already. */
static int from_container(struct engine *e, struct container *c, const char *spec, struct err *err)
{
	AUTO(container_put) struct container *other = NULL;
	AUTO(strv_clear) struct strv parts = {0};
	int rc;

	strv_split(&parts, spec, ":", true);
	if (parts.n > 2 || (parts.n == 2 && strcmp(parts.v[1], "ro") && strcmp(parts.v[1], "rw")))
		return err_set(err, ERR_INVALID, "--volumes-from '%s' is not CONTAINER[:ro|rw]", spec);
	rc = table_find(e, parts.n ? parts.v[0] : "", &other, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < other->rec.mounts.n; i++) {
		const struct mount_record *from = &other->rec.mounts.v[i];
		struct mount_record *m;

		if (str_eq(from->type, "tmpfs") || find(&c->rec.mounts, from->destination))
			continue;
		m = VEC_ADD(&c->rec.mounts);
		json_copy(&mount_record_table, m, from);
		m->anonymous = false;	/* it is not this container's to remove */
		if (parts.n == 2)
			m->read_only = parts.v[1][1] == 'o';
		if (m->name)
			rc = volume_ref(e->volumes, m->name, c->id, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int from_image(struct engine *e, struct container *c, const char *path, struct err *err)
{
	auto_free char *clean = path_clean(path);
	struct mount_record *m;

	if (find(&c->rec.mounts, clean))
		return 0;
	m = add(&c->rec.mounts, clean, err);
	return m ? use_volume(e, c, m, NULL, NULL, err) : -EINVAL;
}

int mounts_plan(struct engine *e, struct container *c, struct err *err)
{
	const struct api_host_config *h = &c->rec.host;
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < h->binds.n; i++)
		rc = from_bind(e, c, h->binds.v[i], err);
	for (size_t i = 0; rc >= 0 && i < h->mounts.n; i++)
		rc = from_mount(e, c, &h->mounts.v[i], err);
	for (size_t i = 0; rc >= 0 && i < h->tmpfs.n; i++)
		rc = from_tmpfs(c, &h->tmpfs.v[i], err);
	for (size_t i = 0; rc >= 0 && i < h->volumes_from.n; i++)
		rc = from_container(e, c, h->volumes_from.v[i], err);
	for (size_t i = 0; rc >= 0 && i < c->rec.config.volumes.n; i++)
		rc = from_image(e, c, c->rec.config.volumes.v[i], err);
	if (rc < 0)
		(void)mounts_release(e, c, true, &ERR_INIT);	/* the first failure is what is reported */
	return rc;
}

int mounts_release(struct engine *e, struct container *c, bool remove_anonymous, struct err *err)
{
	int first = 0;

	VEC_EACH(m, &c->rec.mounts) {
		int rc;

		if (str_empty(m->name))
			continue;
		rc = volume_unref(e->volumes, m->name, c->id, first ? &ERR_INIT : err);
		if (rc >= 0 && m->anonymous && remove_anonymous)
			rc = volume_remove(e->volumes, m->name, false, first ? &ERR_INIT : err);
		if (rc < 0 && !first)
			first = rc;
	}
	return first;
}

int mounts_prepare(struct engine *e, struct container *c, const char *rootfs, struct err *err)
{
	VEC_EACH(m, &c->rec.mounts) {
		struct stat st;
		int rc = 0;

		if (str_eq(m->type, "bind") && stat(m->source, &st) < 0) {
			/* Docker makes a directory; a socket or file that vanished comes back as one, too. */
			if (errno != ENOENT)
				return err_sys(err, errno, "bind source '%s'", m->source);
			rc = path_mkdirs(m->source, 0755, err);
		} else if (str_eq(m->type, "volume") && !m->no_copy) {
			rc = volume_copy_up(rootfs, m->destination, m->source, err);
		}
		if (rc >= 0 && m->relabel && c->rec.mount_label)
			rc = lsm_relabel(m->source, c->rec.mount_label, err);
		if (rc < 0)
			return err_wrap(err, rc, "mount '%s'", m->destination);
	}
	(void)e;
	return 0;
}

static int by_depth(const void *a, const void *b)
{
	const struct mount_record *const *x = a, *const *y = b;
	size_t dx = 0, dy = 0;

	for (const char *s = (*x)->destination; *s; s++)
		dx += *s == '/';
	for (const char *s = (*y)->destination; *s; s++)
		dy += *s == '/';
	if (dx != dy)
		return dx < dy ? -1 : 1;
	return strcmp((*x)->destination, (*y)->destination);
}

const struct mount_record **mounts_in_order(const struct container_record *rec)
{
	const struct mount_record **order = xcalloc(rec->mounts.n + 1, sizeof(*order));

	for (size_t i = 0; i < rec->mounts.n; i++)
		order[i] = &rec->mounts.v[i];
	qsort(order, rec->mounts.n, sizeof(*order), by_depth);
	return order;
}

void mounts_show(const struct container_record *rec, struct api_mount_point **ret, size_t *ret_n)
{
	struct api_mount_point *list = xcalloc(rec->mounts.n + 1, sizeof(*list));

	for (size_t i = 0; i < rec->mounts.n; i++) {
		const struct mount_record *m = &rec->mounts.v[i];
		struct api_mount_point *p = &list[i];

		str_set(&p->type, m->type);
		str_set(&p->name, m->name);
		str_set(&p->source, m->source);
		str_set(&p->destination, m->destination);
		str_set(&p->driver, str_eq(m->type, "volume") ? "local" : NULL);
		str_set(&p->mode, m->mode);
		p->rw = !m->read_only;
		str_set(&p->propagation,
			m->propagation ? m->propagation : str_eq(m->type, "bind") ? "rprivate" : NULL);
		p->named = m->name && !m->anonymous;
		p->copy_data = str_eq(m->type, "volume") && !m->no_copy;
	}
	*ret = list;
	*ret_n = rec->mounts.n;
}
