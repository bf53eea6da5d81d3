/*
 * state.c - what a container is on disk, and what callers see of it
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/oci/internal.h"

#define STATE_MAX_BYTES (4 << 20)

static const struct json_field state_fields[] = {
	JSON_FIELD(struct oci_state, version, "ociVersion", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_state, id, "id", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_state, pid, "pid", JSON_I32, 0),
	JSON_FIELD(struct oci_state, pid_start, "pidStart", JSON_U64, 0),
	JSON_FIELD(struct oci_state, boot_id, "bootId", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_state, bundle, "bundle", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_state, rootfs, "rootfs", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_state, created_ns, "created", JSON_TIME, 0),
	JSON_FIELD(struct oci_state, owner, "owner", JSON_U32, 0),
	JSON_FIELD(struct oci_state, cgroup, "cgroup", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_state, no_cgroup, "noCgroup", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_state, kept, "kept", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_state, address_space, "addressSpace", JSON_I64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_state, annotations, "annotations", JSON_STRMAP, JSON_OMIT_EMPTY),
	JSON_SUB(struct oci_state, poststart, "poststart", JSON_VEC, JSON_OMIT_EMPTY, &oci_hook_table),
	JSON_SUB(struct oci_state, poststop, "poststop", JSON_VEC, JSON_OMIT_EMPTY, &oci_hook_table),
};
const struct json_table oci_state_table = JSON_TABLE("state.json", struct oci_state, state_fields);

int oci_state_write(const struct oci_container *c, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = path_join(c->dir, STATE_FILE);

	json_print(&oci_state_table, &c->state, 0, &text);
	return file_replace(AT_FDCWD, path, text.data, text.len, 0600, FILE_NO_SYNC, err);
}

char *oci_agent_path(const char *root, const char *id)
{
	return xfmt("%s/%s/" AGENT_SOCKET, root ? root : OCI_DEFAULT_ROOT, id);
}

const char *oci_status_name(enum oci_status status)
{
	static const char *const status_names[] = {"creating", "created", "running", "paused", "stopped"};

	return status_names[status];
}

/* ---- printing ------------------------------------------------------------------------------------------------------------ */

/* The specification's state; @extended adds what runc prints. */
struct wire_state {
	const char *version, *id, *status, *bundle, *rootfs, *owner;
	int32_t pid;
	int64_t created_ns;
	struct strmap annotations;
};

#define W(member, name, type, flags) JSON_FIELD(struct wire_state, member, name, type, flags)
static const struct json_field plain_fields[] = {
	W(version, "ociVersion", JSON_STR, 0),	 W(id, "id", JSON_STR, 0),
	W(status, "status", JSON_STR, 0),	 W(pid, "pid", JSON_I32, 0),
	W(bundle, "bundle", JSON_STR, 0),	 W(annotations, "annotations", JSON_STRMAP, JSON_OMIT_EMPTY),
};
static const struct json_field extended_fields[] = {
	W(version, "ociVersion", JSON_STR, 0),	 W(id, "id", JSON_STR, 0),
	W(pid, "pid", JSON_I32, 0),		 W(status, "status", JSON_STR, 0),
	W(bundle, "bundle", JSON_STR, 0),	 W(rootfs, "rootfs", JSON_STR, 0),
	W(created_ns, "created", JSON_TIME, 0),	 W(annotations, "annotations", JSON_STRMAP, JSON_OMIT_EMPTY),
	W(owner, "owner", JSON_STR, 0),
};
static const struct json_table plain_table = JSON_TABLE("state", struct wire_state, plain_fields);
static const struct json_table extended_table = JSON_TABLE("state", struct wire_state, extended_fields);

static struct wire_state wire(const struct oci_container *c, enum oci_status status)
{
	return (struct wire_state){
		.version = OCI_VERSION, .id = c->state.id, .status = oci_status_name(status),
		.pid = status == OCI_STOPPED ? 0 : c->state.pid, .bundle = c->state.bundle,
		.rootfs = c->state.rootfs, .created_ns = c->state.created_ns, .owner = "",
		.annotations = c->state.annotations,
	};
}

void oci_hook_state(const struct oci_container *c, enum oci_status status, struct buf *out)
{
	struct wire_state w = wire(c, status);

	json_print(&plain_table, &w, 0, out);
}

void oci_state_print(struct oci_container *c, bool extended, struct buf *out)
{
	struct wire_state w = wire(c, oci_container_status(c));

	if (extended)
		json_print(&extended_table, &w, JSON_PRINT_PRETTY, out);
	else
		json_print(&plain_table, &w, 0, out);
}

/* ---- finding ------------------------------------------------------------------------------------------------------------- */

int oci_load(const char *root, const char *id, struct oci_container **ret, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = xcalloc(1, sizeof(*c));
	auto_free char *path = NULL;
	char boot[37];
	int rc;

	c->sync = c->console = -1;
	if (str_empty(id) || strchr(id, '/') || str_eq(id, ".") || str_eq(id, ".."))
		return err_set(err, ERR_INVALID, "'%s' is not a container id", id ? id : "");
	c->root = xstrdup(root ? root : OCI_DEFAULT_ROOT);
	c->dir = path_join(c->root, id);
	path = path_join(c->dir, STATE_FILE);
	rc = json_parse_file(&oci_state_table, AT_FDCWD, path, STATE_MAX_BYTES, 0, &c->state, err);
	if (rc == -ENOENT)
		return err_set(err, ERR_NOT_FOUND, "container \"%s\" does not exist", id);
	if (rc)
		return err_wrap(err, rc, "load container '%s'", id);
	/* After a restart of the host a pid and its start time may be somebody else's. */
	if (c->state.boot_id && !proc_boot_id(boot, NULL) && !str_eq(boot, c->state.boot_id))
		c->state.pid = 0;
	*ret = take(c);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int oci_list(const char *root, struct strv *ret, struct err *err)
{
	const char *path = root ? root : OCI_DEFAULT_ROOT;
	auto_closedir DIR *d = opendir(path);
	struct dirent *e;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(err, errno, "open '%s'", path);
	while ((e = readdir(d))) {
		struct stat st;

		if (*e->d_name == '.')
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
			continue;
		strv_add(ret, e->d_name);
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	return 0;
}

void oci_container_free(struct oci_container *c)
{
	if (!c)
		return;
	json_clear(&oci_state_table, &c->state);
	free(c->root);
	free(c->dir);
	cgroup_close(c->cg);
	if (c->spec) {
		oci_spec_clear(c->spec);
		free(c->spec);
	}
	if (c->sync >= 0)
		close(c->sync);
	if (c->console >= 0)
		close(c->console);
	free(c);
}

/* ---- accessors ----------------------------------------------------------------------------------------------------------- */

const char *oci_container_id(const struct oci_container *c)
{
	return c->state.id;
}

pid_t oci_container_pid(const struct oci_container *c)
{
	return c->state.pid;
}

int oci_container_console(struct oci_container *c)
{
	return fd_take(&c->console);
}

const char *oci_container_bundle(const struct oci_container *c)
{
	return c->state.bundle;
}

const char *oci_container_rootfs(const struct oci_container *c)
{
	return c->state.rootfs;
}

int64_t oci_container_created_ns(const struct oci_container *c)
{
	return c->state.created_ns;
}

uint32_t oci_container_owner(const struct oci_container *c)
{
	return c->state.owner;
}

const struct strmap *oci_container_annotations(const struct oci_container *c)
{
	return &c->state.annotations;
}

int oci_cgroup_of(struct oci_container *c, struct cgroup **ret, struct err *err)
{
	if (c->state.no_cgroup)
		return err_set(err, ERR_UNSUPPORTED, "this host has no control groups");
	if (!c->cg) {
		int rc = cgroup_open(c->state.cgroup, &c->cg, err);

		if (rc)
			return rc;
		cgroup_keep(c->cg, c->keeps | CGROUP_KEEPS_MEMORY);
	}
	*ret = c->cg;
	return 0;
}

struct cgroup *oci_container_cgroup(struct oci_container *c)
{
	struct cgroup *cg = NULL;

	return oci_cgroup_of(c, &cg, NULL) ? NULL : cg;
}

int oci_container_spec(struct oci_container *c, const struct oci_spec **ret, struct err *err)
{
	if (!c->spec) {
		AUTO(buf_clear) struct buf text = BUF_INIT;
		auto_free char *path = path_join(c->dir, CONFIG_FILE);
		auto_free struct oci_spec *spec = xcalloc(1, sizeof(*spec));
		int rc = file_read(AT_FDCWD, path, OCI_SPEC_MAX_BYTES, &text, err);

		if (rc >= 0)
			rc = oci_spec_parse(buf_cstr(&text), text.len, spec, err);
		if (rc < 0)
			return rc;
		c->spec = take(spec);
	}
	*ret = c->spec;
	return 0;
}

static bool waits_for_start(const struct oci_container *c)
{
	auto_free char *path = NULL;

	if (c->sync >= 0)
		return true;
	path = path_join(c->dir, START_SOCKET);
	return access(path, F_OK) == 0;
}

enum oci_status oci_container_status(struct oci_container *c)
{
	struct proc_ref ref = {.pid = c->state.pid, .start = c->state.pid_start};
	struct cgroup *cg = NULL;
	bool frozen = false;

	if (c->state.pid <= 0 || !proc_ref_alive(&ref))
		return OCI_STOPPED;
	if (c->state.kept) {
		auto_free char *path = path_join(c->dir, PAUSED_FILE);

		frozen = access(path, F_OK) == 0;
	} else if (oci_cgroup_of(c, &cg, NULL) < 0 || cgroup_is_frozen(cg, &frozen, NULL) < 0) {
		frozen = false;
	}
	if (frozen)
		return OCI_PAUSED;
	return waits_for_start(c) ? OCI_CREATED : OCI_RUNNING;
}
