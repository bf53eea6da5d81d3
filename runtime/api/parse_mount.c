/*
 * parse_mount.c - parse.h: volumes, mounts and tmpfs
 */
#include <stdlib.h>
#include <strings.h>

#include "compat/base/str.h"
#include "runtime/api/parse.h"

int api_parse_volume(const char *spec, struct strv *volumes, struct strv *binds, struct err *err)
{
	AUTO(strv_clear) struct strv part = {0};

	strv_split(&part, spec, ":", true);
	if (part.n < 1 || part.n > 3)
		return err_set(err, ERR_INVALID,
			       "invalid volume '%s': write [SOURCE:]DESTINATION[:OPTIONS]", spec);
	STRV_EACH(p, &part)
		if (!**p)
			return err_set(err, ERR_INVALID, "invalid volume '%s': a part is empty", spec);
	if (part.n == 1) {
		if (*spec != '/')
			return err_set(err, ERR_INVALID,
				       "invalid volume '%s': the path in the container must be absolute",
				       spec);
		if (!strv_has(volumes, spec))
			strv_add(volumes, spec);
		return 0;
	}
	if (part.v[1][0] != '/')
		return err_set(err, ERR_INVALID,
			       "invalid volume '%s': the path in the container must be absolute", spec);
	if (str_eq(part.v[1], "/"))
		return err_set(err, ERR_INVALID, "invalid volume '%s': the destination can't be '/'",
			       spec);
	if (part.v[0][0] != '/' && !str_is_name(part.v[0]))
		return err_set(err, ERR_INVALID,
			       "invalid volume '%s': '%s' is neither an absolute path nor a volume's name",
			       spec, part.v[0]);
	strv_add(binds, spec);
	return 0;
}

int api_parse_tmpfs(const char *spec, struct strmap *ret, struct err *err)
{
	const char *colon = strchr(spec, ':');
	auto_free char *path = colon ? xstrndup(spec, (size_t)(colon - spec)) : xstrdup(spec);

	if (*path != '/')
		return err_set(err, ERR_INVALID, "invalid tmpfs '%s': the path must be absolute", spec);
	strmap_set(ret, path, colon ? colon + 1 : "");
	return 0;
}

/* ---- --mount ---- */

enum mount_key {
	KEY_TYPE, KEY_SOURCE, KEY_TARGET, KEY_READONLY, KEY_PROPAGATION, KEY_NON_RECURSIVE, KEY_NOCOPY,
	KEY_LABEL, KEY_DRIVER, KEY_DRIVER_OPT, KEY_TMPFS_SIZE, KEY_TMPFS_MODE, KEY_CONSISTENCY,
};

static const struct {
	const char *name;
	enum mount_key key;
	const char *type;	/* only for mounts of this type */
} mount_keys[] = {
	{ "type", KEY_TYPE, NULL },
	{ "source", KEY_SOURCE, NULL },
	{ "src", KEY_SOURCE, NULL },
	{ "target", KEY_TARGET, NULL },
	{ "dst", KEY_TARGET, NULL },
	{ "destination", KEY_TARGET, NULL },
	{ "readonly", KEY_READONLY, NULL },
	{ "ro", KEY_READONLY, NULL },
	{ "consistency", KEY_CONSISTENCY, NULL },
	{ "bind-propagation", KEY_PROPAGATION, "bind" },
	{ "bind-nonrecursive", KEY_NON_RECURSIVE, "bind" },
	{ "volume-nocopy", KEY_NOCOPY, "volume" },
	{ "volume-label", KEY_LABEL, "volume" },
	{ "volume-driver", KEY_DRIVER, "volume" },
	{ "volume-opt", KEY_DRIVER_OPT, "volume" },
	{ "tmpfs-size", KEY_TMPFS_SIZE, "tmpfs" },
	{ "tmpfs-mode", KEY_TMPFS_MODE, "tmpfs" },
};

static struct api_bind_options *bind_options(struct api_mount *m)
{
	if (!m->bind_options)
		m->bind_options = xcalloc(1, sizeof(*m->bind_options));
	return m->bind_options;
}

static struct api_volume_options *volume_options(struct api_mount *m)
{
	if (!m->volume_options)
		m->volume_options = xcalloc(1, sizeof(*m->volume_options));
	return m->volume_options;
}

static struct api_volume_driver_config *volume_driver(struct api_mount *m)
{
	struct api_volume_options *o = volume_options(m);

	if (!o->driver_config)
		o->driver_config = xcalloc(1, sizeof(*o->driver_config));
	return o->driver_config;
}

static struct api_tmpfs_options *tmpfs_options(struct api_mount *m)
{
	if (!m->tmpfs_options)
		m->tmpfs_options = xcalloc(1, sizeof(*m->tmpfs_options));
	return m->tmpfs_options;
}

static int set_number(struct api_mount *m, enum mount_key key, const char *value)
{
	if (key == KEY_TMPFS_SIZE)
		return str_bytes(value, &tmpfs_options(m)->size_bytes);
	return str_u32(value, 8, &tmpfs_options(m)->mode);
}

static int set_key(struct api_mount *m, enum mount_key key, const char *value, struct err *err)
{
	bool flag = true;

	if ((key == KEY_READONLY || key == KEY_NON_RECURSIVE || key == KEY_NOCOPY) && value &&
	    str_bool(value, &flag) < 0)
		return err_set(err, ERR_INVALID, "'%s' is neither true nor false", value);
	switch (key) {
	case KEY_TYPE:
		break;		/* known before the others */
	case KEY_SOURCE:
		str_set(&m->source, value);
		break;
	case KEY_TARGET:
		str_set(&m->target, value);
		break;
	case KEY_CONSISTENCY:
		str_set(&m->consistency, value);
		break;
	case KEY_READONLY:
		m->read_only = flag;
		break;
	case KEY_PROPAGATION:
		str_set(&bind_options(m)->propagation, value);
		break;
	case KEY_NON_RECURSIVE:
		bind_options(m)->non_recursive = flag;
		break;
	case KEY_NOCOPY:
		volume_options(m)->no_copy = flag;
		break;
	case KEY_LABEL:
		return api_parse_pair(value, true, "label", &volume_options(m)->labels, err);
	case KEY_DRIVER:
		str_set(&volume_driver(m)->name, value);
		break;
	case KEY_DRIVER_OPT:
		return api_parse_pair(value, true, "option", &volume_driver(m)->options, err);
	case KEY_TMPFS_SIZE:
	case KEY_TMPFS_MODE:
		if (set_number(m, key, value) < 0)
			return err_set(err, ERR_INVALID, "'%s' is not a number", value);
	}
	return 0;
}

static int set_field(struct api_mount *m, const char *field, struct err *err)
{
	const char *eq = strchr(field, '=');
	size_t i, n = eq ? (size_t)(eq - field) : strlen(field);
	enum mount_key key;

	for (i = 0; i < ARRAY_SIZE(mount_keys); i++)
		if (strlen(mount_keys[i].name) == n && strncasecmp(mount_keys[i].name, field, n) == 0)
			break;
	if (i == ARRAY_SIZE(mount_keys))
		return err_set(err, ERR_INVALID, "unexpected key '%.*s'", (int)n, field);
	key = mount_keys[i].key;
	if (mount_keys[i].type && !str_eq(mount_keys[i].type, m->type))
		return err_set(err, ERR_INVALID, "'%s' is for mounts of type %s", mount_keys[i].name,
			       mount_keys[i].type);
	if (!eq && key != KEY_READONLY && key != KEY_NON_RECURSIVE && key != KEY_NOCOPY)
		return err_set(err, ERR_INVALID, "'%s' needs a value", field);
	return set_key(m, key, eq ? eq + 1 : NULL, err);
}

static int check_mount(const struct api_mount *m, struct err *err)
{
	bool bind = str_eq(m->type, "bind"), tmpfs = str_eq(m->type, "tmpfs");

	if (!bind && !tmpfs && !str_eq(m->type, "volume"))
		return err_set(err, ERR_INVALID, "type '%s' is none of bind, volume, tmpfs", m->type);
	if (str_empty(m->target) || *m->target != '/')
		return err_set(err, ERR_INVALID, "target must be an absolute path");
	if (bind && (str_empty(m->source) || *m->source != '/'))
		return err_set(err, ERR_INVALID, "source must be an absolute path");
	if (tmpfs && m->source)
		return err_set(err, ERR_INVALID, "a tmpfs has no source");
	return 0;
}

int api_parse_mount(const char *spec, struct api_mount *ret, struct err *err)
{
	AUTO(strv_clear) struct strv fields = {0};
	struct api_mount m = {0};
	int rc = api_parse_csv(spec, &fields, err);

	str_set(&m.type, "volume");
	STRV_EACH(f, &fields)
		if (strncasecmp(*f, "type=", 5) == 0)
			str_set(&m.type, *f + 5);
	for (size_t i = 0; !rc && i < fields.n; i++)
		rc = set_field(&m, fields.v[i], err);
	if (!rc)
		rc = check_mount(&m, err);
	if (rc) {
		json_clear(&api_mount_table, &m);
		return err_wrap(err, rc, "invalid mount '%s'", spec);
	}
	*ret = m;
	return 0;
}
