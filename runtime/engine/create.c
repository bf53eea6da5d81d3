/*
 * create - a new container: configuration merged with the image's, checked, recorded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/mounts.h"

/* ---- merging with the image ------------------------------------------------------------------------------------------------------ */

static size_t key_len(const char *env)
{
	return strcspn(env, "=");
}

/* The image's variables first, each replaced or (a bare "KEY") removed by the user's. */
static void merge_env(struct strv *user, const struct strv *image)
{
	struct strv merged = {0};

	STRV_EACH(i, image) {
		bool replaced = false;

		STRV_EACH(u, user)
			replaced |= key_len(*u) == key_len(*i) && !strncmp(*u, *i, key_len(*i));
		if (!replaced)
			strv_add(&merged, *i);
	}
	STRV_EACH(u, user) {
		if ((*u)[key_len(*u)])
			strv_add(&merged, *u);
	}
	strv_clear(user);
	*user = merged;
}

static void add_missing(struct strv *to, const struct strv *from)
{
	STRV_EACH(s, from) {
		if (!strv_has(to, *s))
			strv_add(to, *s);
	}
}

static void inherit(char **to, const char *from)
{
	if (str_empty(*to))
		str_set(to, str_empty(from) ? NULL : from);
}

static void merge(struct api_container_config *c, const struct image *image)
{
	const struct image_run_config *i = &image->config.config;

	merge_env(&c->env, &i->env);
	/* An entry point of the user's own makes the image's command meaningless. */
	if (!c->entrypoint.n) {
		strv_add_all(&c->entrypoint, &i->entrypoint);
		if (!c->cmd.n)
			strv_add_all(&c->cmd, &i->cmd);
	} else if (c->entrypoint.n == 1 && !*c->entrypoint.v[0]) {
		strv_clear(&c->entrypoint);
	}
	inherit(&c->user, i->user);
	inherit(&c->working_dir, i->working_dir);
	inherit(&c->stop_signal, i->stop_signal);
	if (!c->stop_timeout.set)
		c->stop_timeout = i->stop_timeout;
	add_missing(&c->exposed_ports, &i->exposed_ports);
	add_missing(&c->volumes, &i->volumes);
	for (size_t k = 0; k < i->labels.n; k++) {
		if (!strmap_get(&c->labels, i->labels.v[k].key))
			strmap_set(&c->labels, i->labels.v[k].key, i->labels.v[k].val);
	}
}

static int set_command(struct container_record *r, struct err *err)
{
	AUTO(strv_clear) struct strv all = {0};

	strv_add_all(&all, &r->config.entrypoint);
	strv_add_all(&all, &r->config.cmd);
	if (!all.n || !*all.v[0])
		return err_set(err, ERR_INVALID, "no command specified: neither the image nor the request has one");
	str_set(&r->path, all.v[0]);
	for (size_t i = 1; i < all.n; i++)
		strv_add(&r->args, all.v[i]);
	return 0;
}

/* ---- defaults -------------------------------------------------------------------------------------------------------------------- */

static int set_network(struct container_record *r, struct err *err)
{
	struct api_host_config *h = &r->host;

	if (r->config.network_disabled)
		str_set(&h->network_mode, "none");
	if (str_empty(h->network_mode) && r->networking.endpoints.n == 1)
		str_set(&h->network_mode, r->networking.endpoints.v[0].name);
	if (str_empty(h->network_mode) || str_eq(h->network_mode, "default"))
		str_set(&h->network_mode, "bridge");
	if (r->networking.endpoints.n > 1)
		return err_set(err, ERR_UNSUPPORTED, "not available here: several networks of one container");
	return 0;
}

static int check_hostname(const char *name, struct err *err)
{
	if (name[1] && (strlen(name) > 63 || !str_is_name(name)))
		return err_set(err, ERR_INVALID, "invalid hostname: '%.80s'", name);
	return 0;
}

/* The name that was asked for is judged; that of the host is what it is. */
static int set_hostname(struct engine *e, struct container_record *r, struct err *err)
{
	const char *other_ref = mode_container(r->host.network_mode);
	char host[256] = "localhost";

	if (other_ref) {
		AUTO(container_put) struct container *other = NULL;
		int rc = table_find(e, other_ref, &other, err);

		if (rc < 0)
			return rc;
		if (!str_empty(r->config.hostname))
			return err_set(err, ERR_INVALID, "conflicting options: hostname and the network mode");
		str_set(&r->config.hostname, other->rec.config.hostname);
		return 0;
	}
	if (mode_is_host(r->host.uts_mode) && !str_empty(r->config.hostname))
		return err_set(err, ERR_INVALID, "conflicting options: hostname and the UTS mode");
	if (!str_empty(r->config.hostname))
		return check_hostname(r->config.hostname, err);
	if (mode_is_host(r->host.network_mode) || mode_is_host(r->host.uts_mode)) {
		(void)gethostname(host, sizeof(host) - 1);	/* the default above is good enough */
		str_set(&r->config.hostname, host);
	} else {
		free(r->config.hostname);
		r->config.hostname = xstrndup(r->id, 12);
	}
	return 0;
}

static int choose_id(const struct api_container_create *create, char ret[65], struct err *err)
{
	const char *id = create->config.specific_id;

	if (str_empty(id)) {
		random_id(ret);
		return 0;
	}
	if (!str_is_hex(id, 64, 64))
		return err_set(err, ERR_INVALID, "specific id '%.80s' is not 64 hexadecimal digits", id);
	str_fmt(ret, 65, "%s", id);
	return 0;
}

/* Pouch's way: the start of the id; longer when that is taken. */
static int add_named(struct engine *e, struct container *c, const char *name, struct err *err)
{
	int rc = 0;

	if (!str_empty(name)) {
		name += *name == '/';
		rc = check_name(name, err);
		if (rc < 0)
			return rc;
		str_set(&c->rec.name, name);
		return table_add(e, c, err);
	}
	for (size_t len = 6; len <= 64; len += 6) {
		free(c->rec.name);
		c->rec.name = xstrndup(c->id, len);
		err_clear(err);
		rc = table_add(e, c, err);
		if (rc != -err_kind_errno(ERR_CONFLICT))
			break;
	}
	return rc;
}

/* ---- making it ------------------------------------------------------------------------------------------------------------------- */

static int fill(struct engine *e, struct container *c, const struct api_container_create *create,
		const struct image *image, struct strv *warnings, struct err *err)
{
	struct container_record *r = &c->rec;
	int rc;

	json_copy(&api_container_config_table, &r->config, &create->config);
	json_copy(&api_host_config_table, &r->host, &create->host_config);
	json_copy(&api_networking_config_table, &r->networking, &create->networking);
	r->created = time_now_ns();
	str_set(&r->image_id, image->id);
	str_set(&r->top_layer, image_top(image));
	str_set(&r->driver, storage_name(e->storage));
	str_set(&r->state.status, "created");

	merge(&r->config, image);
	rc = set_command(r, err);
	if (rc >= 0)
		rc = set_network(r, err);
	if (rc >= 0)
		rc = set_hostname(e, r, err);
	if (rc >= 0)
		rc = check_create(e, r, warnings, err);
	if (rc >= 0 && str_empty(r->host.runtime))
		str_set(&r->host.runtime, e->options.default_runtime ? e->options.default_runtime : "runc");
	if (rc >= 0 && str_empty(r->host.restart_policy.name))
		str_set(&r->host.restart_policy.name, "no");
	return rc;
}

static void undo(struct engine *e, struct container *c)
{
	auto_free char *dir = container_path(c, NULL);

	/* The first failure is what the client hears; leftovers are found again at the next start. */
	(void)mounts_release(e, c, true, &ERR_INIT);
	(void)storage_rootfs_remove(e->storage, c->id, &ERR_INIT);
	(void)path_remove_tree(dir, &ERR_INIT);
	table_del(e, c);
}

/* Killed anywhere in here, the daemon leaves a directory without a record, or a root file system without a directory. */
static int make(struct engine *e, struct container *c, struct err *err)
{
	auto_free char *dir = container_path(c, NULL);
	int rc;

	if (mkdir(dir, 0711) < 0)
		return err_sys(err, errno, "make '%s'", dir);
	rc = storage_rootfs_create(e->storage, c->id, c->rec.top_layer, err);
	if (rc >= 0)
		rc = mounts_plan(e, c, err);
	if (rc >= 0) {
		c->phase = PHASE_IDLE;
		rc = container_save(c, err);
	}
	return rc;
}

int container_create(struct engine *e, const char *name, const struct api_container_create *create,
		     struct api_container_created *ret, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	AUTO(image_put) struct image *image = NULL;
	AUTO(strv_clear) struct strv warnings = {0};
	char id[65];
	int rc;

	if (str_empty(create->config.image))
		return err_set(err, ERR_INVALID, "image of the container is not given");
	rc = check_lists(create, err);
	if (rc >= 0)
		rc = image_find(e->images, create->config.image, &image, err);
	if (rc >= 0)
		rc = choose_id(create, id, err);
	if (rc < 0)
		return rc;

	c = container_new(e, id);
	c->phase = PHASE_CREATING;
	rc = fill(e, c, create, image, &warnings, err);
	if (rc < 0)
		return rc;

	/* Held until it is whole: others find it in the table, and whatever they do waits. */
	pthread_mutex_lock(&c->op);
	rc = add_named(e, c, name, err);
	if (rc >= 0) {
		rc = make(e, c, err);
		if (rc < 0) {
			undo(e, c);
			c->removed = true;
		}
	}
	pthread_mutex_unlock(&c->op);
	if (rc < 0)
		return rc;

	container_event(c, "create", NULL, NULL);
	str_set(&ret->id, c->id);
	str_set(&ret->name, c->rec.name);
	strv_add_all(&ret->warnings, &warnings);
	return 0;
}
