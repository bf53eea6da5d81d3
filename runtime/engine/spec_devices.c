/*
 * spec_devices - device nodes of a container, and which devices its processes may use.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "compat/base/str.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/spec.h"

#define DEPTH_MAX 4	/* /dev/bus/usb/001/002 */

/* Docker's list. -1: all. */
static const struct {
	const char *type;
	int major, minor;
	const char *access;
} allowed[] = {
	{"c", -1, -1, "m"}, {"b", -1, -1, "m"},		     /* mknod of anything */
	{"c", 1, 3, "rwm"}, {"c", 1, 5, "rwm"},		     /* null zero */
	{"c", 1, 7, "rwm"}, {"c", 1, 8, "rwm"}, {"c", 1, 9, "rwm"}, /* full random urandom */
	{"c", 5, 0, "rwm"}, {"c", 5, 1, "rwm"}, {"c", 5, 2, "rwm"}, /* tty console ptmx */
	{"c", 136, -1, "rwm"},				     /* pts */
};

static void rule(struct oci_spec *spec, bool allow, const char *type, int64_t major, int64_t minor, const char *access)
{
	struct cgroup_device *d = VEC_ADD(&spec->linux_.resources.devices);

	d->allow = allow;
	str_set(&d->type, type);
	if (major >= 0)
		d->major = (struct opt_i64){true, major};
	if (minor >= 0)
		d->minor = (struct opt_i64){true, minor};
	str_set(&d->access, access);
}

static void add_node(struct oci_spec *spec, const char *path, const struct stat *st, const char *access)
{
	const char *type = S_ISBLK(st->st_mode) ? "b" : "c";
	struct oci_device *d = VEC_ADD(&spec->linux_.devices);

	str_set(&d->type, type);
	str_set(&d->path, path);
	d->major = major(st->st_rdev);
	d->minor = minor(st->st_rdev);
	d->file_mode = (struct opt_u64){true, st->st_mode & 07777};
	d->uid = (struct opt_u64){true, st->st_uid};
	d->gid = (struct opt_u64){true, st->st_gid};
	if (access)
		rule(spec, true, type, d->major, d->minor, access);
}

static bool is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

/* Every device below @from appears below @to. */
static void add_tree(struct oci_spec *spec, const char *from, const char *to, const char *access, int depth)
{
	static const char *const skip[] = {"pts", "shm", "fd", "mqueue", ".", "..", "console", ".lxc", ".lxd-mounts", ".udev"};
	auto_closedir DIR *dir = opendir(from);
	struct dirent *entry;

	while (dir && depth < DEPTH_MAX && (entry = readdir(dir))) {
		auto_free char *source = xfmt("%s/%s", from, entry->d_name);
		auto_free char *target = xfmt("%s/%s", to, entry->d_name);
		struct stat st;
		bool skipped = false;

		for (size_t i = 0; i < ARRAY_SIZE(skip); i++)
			skipped |= !strcmp(entry->d_name, skip[i]);
		if (skipped || lstat(source, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
			add_tree(spec, source, target, access, depth + 1);
		else if (is_device(&st))
			add_node(spec, target, &st, access);
	}
}

static int add_mapping(struct oci_spec *spec, const struct api_device_mapping *m, struct err *err)
{
	const char *access = str_empty(m->cgroup_permissions) ? "rwm" : m->cgroup_permissions;
	const char *target = str_empty(m->path_in_container) ? m->path_on_host : m->path_in_container;
	struct stat st;

	if (strspn(access, "rwm") != strlen(access))
		return err_set(err, ERR_INVALID, "invalid device mode: %.20s", access);
	if (str_empty(m->path_on_host) || stat(m->path_on_host, &st) < 0)
		return err_set(err, ERR_INVALID, "device '%s': %s", m->path_on_host ? m->path_on_host : "",
			       strerror(errno));
	if (S_ISDIR(st.st_mode)) {
		add_tree(spec, m->path_on_host, target, access, 0);
		return 0;
	}
	if (!is_device(&st))
		return err_set(err, ERR_INVALID, "'%s': not a device node", m->path_on_host);
	add_node(spec, target, &st, access);
	return 0;
}

/* "c 13:* rwm" */
static int add_rule(struct oci_spec *spec, const char *text, struct err *err)
{
	AUTO(strv_clear) struct strv f = {0};
	int64_t number[2] = {-1, -1};
	bool ok;

	strv_split(&f, text, " :", false);
	ok = f.n == 4 && strlen(f.v[0]) == 1 && strchr("abc", *f.v[0]) && strspn(f.v[3], "rwm") == strlen(f.v[3]);
	for (int i = 0; ok && i < 2; i++)
		ok = !strcmp(f.v[i + 1], "*") || (str_i64(f.v[i + 1], 10, &number[i]) == 0 && number[i] >= 0);
	if (!ok)
		return err_set(err, ERR_INVALID, "invalid device cgroup rule format: '%.60s'", text);
	rule(spec, true, f.v[0], number[0], number[1], f.v[3]);
	return 0;
}

int spec_devices(struct container *c, struct oci_spec *spec, struct err *err)
{
	const struct api_resources *r = &c->rec.host.resources;
	int rc = 0;

	if (c->rec.host.privileged) {
		rule(spec, true, "a", -1, -1, "rwm");
		add_tree(spec, "/dev", "/dev", NULL, 0);
	} else {
		rule(spec, false, "a", -1, -1, "rwm");
		for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
			rule(spec, true, allowed[i].type, allowed[i].major, allowed[i].minor, allowed[i].access);
	}
	for (size_t i = 0; rc >= 0 && i < r->devices.n; i++)
		rc = add_mapping(spec, &r->devices.v[i], err);
	for (size_t i = 0; rc >= 0 && i < r->device_cgroup_rules.n; i++)
		rc = add_rule(spec, r->device_cgroup_rules.v[i], err);
	return rc;
}
