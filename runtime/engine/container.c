/*
 * container - one container inside the engine: its record on disk, its locks, its references.
 */
#include "runtime/engine/container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"

#define RECORD_MAX (8 << 20)

static const struct json_field mount_fields[] = {
	JSON_FIELD(struct mount_record, type, "type", JSON_STR, 0),
	JSON_FIELD(struct mount_record, name, "name", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct mount_record, source, "source", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct mount_record, destination, "destination", JSON_STR, 0),
	JSON_FIELD(struct mount_record, mode, "mode", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct mount_record, read_only, "readOnly", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(struct mount_record, no_copy, "noCopy", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(struct mount_record, anonymous, "anonymous", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(struct mount_record, propagation, "propagation", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct mount_record, relabel, "relabel", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct mount_record, options, "options", JSON_STR, JSON_OMIT_EMPTY),
};
const struct json_table mount_record_table = JSON_TABLE("mount", struct mount_record, mount_fields);

static const struct json_field record_fields[] = {
	JSON_FIELD(struct container_record, id, "id", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct container_record, name, "name", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct container_record, created, "created", JSON_TIME, 0),
	JSON_FIELD(struct container_record, phase, "phase", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct container_record, boot_id, "bootId", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct container_record, path, "path", JSON_STR, 0),
	JSON_FIELD(struct container_record, args, "args", JSON_STRV, 0),
	JSON_FIELD(struct container_record, image_id, "imageId", JSON_STR, 0),
	JSON_FIELD(struct container_record, top_layer, "topLayer", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct container_record, driver, "driver", JSON_STR, 0),
	JSON_FIELD(struct container_record, runtime, "runtime", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct container_record, runtime_args, "runtimeArgs", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_SUB(struct container_record, config, "config", JSON_OBJ, 0, &api_container_config_table),
	JSON_SUB(struct container_record, host, "hostConfig", JSON_OBJ, 0, &api_host_config_table),
	JSON_SUB(struct container_record, networking, "networking", JSON_OBJ, 0, &api_networking_config_table),
	JSON_SUB(struct container_record, state, "state", JSON_OBJ, 0, &api_container_state_table),
	JSON_FIELD(struct container_record, restart_count, "restartCount", JSON_I64, 0),
	JSON_FIELD(struct container_record, user_stopped, "userStopped", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(struct container_record, has_started, "hasStarted", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_SUB(struct container_record, mounts, "mounts", JSON_VEC, 0, &mount_record_table),
	JSON_FIELD(struct container_record, mount_label, "mountLabel", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct container_record, process_label, "processLabel", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct container_record, app_armor, "appArmorProfile", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct container_record, log_path, "logPath", JSON_STR, JSON_OMIT_EMPTY),
	JSON_SUB(struct container_record, endpoint, "endpoint", JSON_OBJP, JSON_OMIT_EMPTY, &net_endpoint_table),
};
const struct json_table container_record_table =
	JSON_TABLE("container", struct container_record, record_fields);

static const char *const phase_names[PHASE_COUNT] = {
	[PHASE_CREATING] = "creating", [PHASE_IDLE] = "idle",	      [PHASE_STARTING] = "starting",
	[PHASE_RUNNING] = "running",   [PHASE_REMOVING] = "removing",
};

const char *phase_name(enum phase phase)
{
	return phase_names[phase];
}

int phase_parse(const char *name)
{
	for (int i = 0; i < PHASE_COUNT; i++) {
		if (str_eq(name, phase_names[i]))
			return i;
	}
	return -EINVAL;
}

struct container *container_new(struct engine *e, const char *id)
{
	struct container *c = xcalloc(1, sizeof(*c));
	pthread_condattr_t attr;

	c->engine = e;
	c->refs = 1;
	str_fmt(c->id, sizeof(c->id), "%s", id);
	pthread_mutex_init(&c->op, NULL);
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	str_set(&c->rec.id, id);
	return c;
}

struct container *container_get(struct container *c)
{
	atomic_fetch_add(&c->refs, 1);
	return c;
}

void container_put(struct container *c)
{
	if (!c || atomic_fetch_sub(&c->refs, 1) > 1)
		return;
	keeper_drop_pending(c);
	keeper_close(c);
	json_clear(&container_record_table, &c->rec);
	for (int i = 0; i < ROW_VARIANTS; i++)
		free(c->rows[i].text);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->op);
	free(c);
}

bool container_is_running(const struct container *c)
{
	return c->rec.state.running;
}

char *container_path(const struct container *c, const char *file)
{
	return xfmt("%s/containers/%s%s%s", c->engine->home, c->id, file ? "/" : "", file ? file : "");
}

char *container_exec_path(const struct container *c, const char *file)
{
	return xfmt("%s/%s%s%s", c->engine->exec_root, c->id, file ? "/" : "", file ? file : "");
}

char *container_cgroup(const struct container *c)
{
	const char *parent = c->rec.host.resources.cgroup_parent;

	if (str_empty(parent))
		parent = c->engine->options.cgroup_parent;
	while (*parent == '/')
		parent++;
	return *parent ? xfmt("%s/%s", parent, c->id) : xstrdup(c->id);
}

int container_save(struct container *c, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = container_path(c, "container.json");
	int rc;

	str_set(&c->rec.phase, phase_name(c->phase));
	json_print(&container_record_table, &c->rec, JSON_PRINT_HIDDEN, &text);
	rc = file_replace(AT_FDCWD, path, text.data, text.len, 0600, FILE_NO_SYNC, err);
	return rc < 0 ? err_wrap(err, rc, "save container %.12s", c->id) : 0;
}

int container_load(struct engine *e, const char *id, struct container **ret, struct err *err)
{
	AUTO(container_put) struct container *c = container_new(e, id);
	auto_free char *path = container_path(c, "container.json");
	int rc;

	str_set(&c->rec.id, NULL);
	rc = json_parse_file(&container_record_table, AT_FDCWD, path, RECORD_MAX, 0, &c->rec, err);
	if (rc < 0)
		return rc;
	if (!str_eq(c->rec.id, id))
		return err_set(err, ERR_INVALID, "'%s' is of another container", path);
	rc = phase_parse(c->rec.phase);
	if (rc < 0)
		return err_set(err, ERR_INVALID, "'%s' has an unknown phase '%s'", path, c->rec.phase);
	c->phase = (enum phase)rc;
	*ret = take(c);
	return 0;
}

void container_changed(struct container *c)
{
	for (int i = 0; i < ROW_VARIANTS; i++) {
		free(c->rows[i].text);
		c->rows[i].text = NULL;
	}
	pthread_cond_broadcast(&c->changed);
}

/* ---- table -------------------------------------------------------------------------------------------------------------------- */

void container_vec_clear(container_vec *v)
{
	VEC_EACH(c, v)
		container_put(*c);
	VEC_FREE(v);
}

static bool has_name(const struct container *c, const char *name)
{
	return str_eq(c->rec.name, name);
}

/* Names change under both locks, so either is enough to read them. */
int table_find(struct engine *e, const char *ref, struct container **ret, struct err *err)
{
	struct container *found = NULL;
	size_t len;
	bool many = false;

	if (*ref == '/')
		ref++;
	len = strlen(ref);
	if (!len)
		return err_set(err, ERR_INVALID, "name of the container is empty");

	pthread_mutex_lock(&e->table_lock);
	VEC_EACH(p, &e->containers) {
		if (!strcmp((*p)->id, ref) || (!found && has_name(*p, ref)))
			found = *p;
	}
	for (size_t i = 0; !found && len < 64 && i < e->containers.n; i++) {
		struct container *c = e->containers.v[i];

		if (strncmp(c->id, ref, len))
			continue;
		for (size_t k = i + 1; k < e->containers.n; k++)
			many |= !strncmp(e->containers.v[k]->id, ref, len);
		found = c;
	}
	if (found && !many)
		container_get(found);
	pthread_mutex_unlock(&e->table_lock);

	if (many)
		return err_set(err, ERR_CONFLICT, "id prefix '%s' is not unique: several containers match", ref);
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "no such container: %s: not found", ref);
	*ret = found;
	return 0;
}

static int name_is_free(struct engine *e, const char *name, const char *id, struct err *err)
{
	VEC_EACH(p, &e->containers) {
		if (has_name(*p, name))
			return err_set(err, ERR_CONFLICT,
				       "container name '%s' already exists: it is used by container %.12s", name,
				       (*p)->id);
		if (id && !strcmp((*p)->id, id))
			return err_set(err, ERR_CONFLICT, "container id '%s' already exists", id);
	}
	return 0;
}

int table_add(struct engine *e, struct container *c, struct err *err)
{
	int rc;

	pthread_mutex_lock(&e->table_lock);
	rc = name_is_free(e, c->rec.name, c->id, err);
	if (rc == 0) {
		size_t i = e->containers.n;

		VEC_PUSH(&e->containers, container_get(c));
		for (; i > 0 && e->containers.v[i - 1]->rec.created > c->rec.created; i--) {
			e->containers.v[i] = e->containers.v[i - 1];
			e->containers.v[i - 1] = c;
		}
	}
	pthread_mutex_unlock(&e->table_lock);
	return rc;
}

void table_del(struct engine *e, struct container *c)
{
	bool found = false;

	pthread_mutex_lock(&e->table_lock);
	for (size_t i = 0; i < e->containers.n && !found; i++) {
		if (e->containers.v[i] != c)
			continue;
		vec_del(&e->containers, i, sizeof(e->containers.v[0]));
		found = true;
	}
	pthread_mutex_unlock(&e->table_lock);
	if (found)
		container_put(c);
}

void table_all(struct engine *e, container_vec *ret)
{
	pthread_mutex_lock(&e->table_lock);
	for (size_t i = e->containers.n; i-- > 0;)
		VEC_PUSH(ret, container_get(e->containers.v[i]));
	pthread_mutex_unlock(&e->table_lock);
}

int table_rename(struct engine *e, struct container *c, const char *name, struct err *err)
{
	int rc;

	pthread_mutex_lock(&e->table_lock);
	pthread_mutex_lock(&c->lock);
	rc = str_eq(c->rec.name, name)
		     ? err_set(err, ERR_CONFLICT, "container %.12s already has the name '%s'", c->id, name)
		     : name_is_free(e, name, NULL, err);
	if (rc == 0) {
		str_set(&c->rec.name, name);
		container_changed(c);
	}
	pthread_mutex_unlock(&c->lock);
	pthread_mutex_unlock(&e->table_lock);
	return rc;
}
