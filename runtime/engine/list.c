/*
 * list - GET /containers/json, made for being asked thousands of times a second.
 *
 * Each container keeps its rendered row for as long as nothing that it shows changes; the words of its status ("Up 3 seconds")
 * are part of that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/engine/filter.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/mounts.h"
#include "runtime/engine/network.h"
#include "runtime/engine/status.h"

static const char *const keys[] = {"ancestor", "before", "exited", "expose", "health", "id",	"is-task", "label",
				   "name",     "network", "publish", "since",	"status", "volume", NULL};

static void command_text(const struct container_record *r, struct buf *ret)
{
	buf_str(ret, r->path);
	STRV_EACH(a, &r->args)
		buf_fmt(ret, strchr(*a, ' ') ? " '%s'" : " %s", *a);
}

static void fill_row(const struct container *c, enum dialect dialect, const char *status,
		     struct api_container_summary *row)
{
	const struct container_record *r = &c->rec;
	AUTO(buf_clear) struct buf command = BUF_INIT;

	str_set(&row->id, c->id);
	strv_addf(&row->names, "%s%s", dialect == DIALECT_DOCKER ? "/" : "", r->name);
	str_set(&row->image, r->config.image);
	str_set(&row->image_id, r->image_id);
	command_text(r, &command);
	row->command = buf_take(&command);
	row->created = r->created / 1000000000;
	strmap_copy(&row->labels, &r->config.labels);
	str_set(&row->state, status_word(r, dialect));
	str_set(&row->status, status);
	str_set(&row->host_config.network_mode, r->host.network_mode);
	str_set(&row->host_config.runtime, r->host.runtime);
	mounts_show(r, &row->mounts.v, &row->mounts.n);
	row->mounts.cap = row->mounts.n + 1;
	network_show_ports(r, row);
}

static void add_sizes(struct container *c, struct api_container_summary *row)
{
	AUTO(image_put) struct image *image = NULL;
	uint64_t bytes, inodes;

	if (storage_rootfs_usage(c->engine->storage, c->id, &bytes, &inodes, &ERR_INIT) < 0)
		return;
	row->size_rw = (struct opt_i64){true, (int64_t)bytes};
	row->size_root_fs = row->size_rw;
	if (image_find(c->engine->images, c->rec.image_id, &image, &ERR_INIT) == 0)
		row->size_root_fs.v += image->size;
}

/* With the container's lock held. */
static void add_row(struct container *c, const struct container_list *list, int64_t now, struct buf *ret)
{
	struct row_cache *cache = &c->rows[list->dialect];
	struct api_container_summary row = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char status[sizeof(cache->status)];

	status_text(&c->rec, list->dialect, now, status, sizeof(status));
	if (!list->size && cache->text && !strcmp(cache->status, status)) {
		buf_add(ret, cache->text, cache->len);
		return;
	}
	fill_row(c, list->dialect, status, &row);
	if (list->size)
		add_sizes(c, &row);
	json_print(&api_container_summary_table, &row, 0, &text);
	json_clear(&api_container_summary_table, &row);
	buf_add(ret, text.data, text.len);
	if (list->size)
		return;
	free(cache->text);
	cache->len = text.len;
	cache->text = buf_take(&text);
	memcpy(cache->status, status, sizeof(status));
}

/* ---- filters ---------------------------------------------------------------------------------------------------------------------- */

struct query {
	struct filters filters;
	bool any_state;
	int64_t before, since;	/* creation times; 0: none */
	char *ancestor_id;
};

static bool match_exited(const struct filters *f, const struct container_record *r)
{
	char code[12];

	str_fmt(code, sizeof(code), "%lld", (long long)r->state.exit_code);
	return !filters_get(f, "exited") || (!r->state.running && r->state.finished_at && filters_match(f, "exited", code));
}

static bool match_ancestor(const struct query *q, const struct container_record *r)
{
	const struct strv *v = filters_get(&q->filters, "ancestor");

	if (!v || !v->n)
		return true;
	STRV_EACH(s, v) {
		if (str_eq(*s, r->config.image) || str_eq(*s, r->image_id) || str_starts(r->image_id + 7, *s))
			return true;
	}
	return q->ancestor_id && str_eq(q->ancestor_id, r->image_id);
}

static bool match_volume(const struct filters *f, const struct container_record *r)
{
	if (!filters_get(f, "volume"))
		return true;
	for (size_t i = 0; i < r->mounts.n; i++) {
		if (filters_match(f, "volume", r->mounts.v[i].name) || filters_match(f, "volume", r->mounts.v[i].destination))
			return true;
	}
	return false;
}

static bool match_ports(const struct filters *f, const struct container_record *r)
{
	const struct strv *expose = filters_get(f, "expose"), *publish = filters_get(f, "publish");
	bool ok = !expose;

	for (size_t i = 0; !ok && i < r->config.exposed_ports.n; i++)
		ok = filters_match_part(f, "expose", r->config.exposed_ports.v[i]);
	if (!ok || !publish)
		return ok;
	for (size_t i = 0; i < r->host.port_bindings.n; i++) {
		if (filters_match_part(f, "publish", r->host.port_bindings.v[i].port))
			return true;
	}
	return false;
}

static bool matches(const struct query *q, const struct container *c, enum dialect dialect)
{
	const struct container_record *r = &c->rec;
	const struct filters *f = &q->filters;

	return filters_match_any(f, "id", c->id, NULL) && filters_match_part(f, "name", r->name) &&
	       filters_match_map(f, "label", &r->config.labels) &&
	       filters_match(f, "status", status_word(r, dialect)) &&
	       filters_match(f, "network", r->host.network_mode) && match_exited(f, r) && match_ancestor(q, r) &&
	       match_volume(f, r) && match_ports(f, r) && (!q->before || r->created < q->before) &&
	       (!q->since || r->created > q->since);
}

static int created_of(struct engine *e, const struct filters *f, const char *key, int64_t *ret, struct err *err)
{
	const struct strv *v = filters_get(f, key);
	AUTO(container_put) struct container *c = NULL;
	int rc;

	if (!v || !v->n)
		return 0;
	rc = table_find(e, v->v[0], &c, err);
	if (rc >= 0)
		*ret = c->rec.created;
	return rc;
}

static int query_parse(struct engine *e, const char *text, struct query *q, struct err *err)
{
	static const char *const states[] = {"created", "running", "stopped", "paused", "restarting", "removing", "exited",
					     "dead", NULL};
	const struct strv *v;
	int rc = filters_parse(&q->filters, text, keys, err);

	if (rc >= 0)
		rc = created_of(e, &q->filters, "before", &q->before, err);
	if (rc >= 0)
		rc = created_of(e, &q->filters, "since", &q->since, err);
	if (rc < 0)
		return rc;
	if ((v = filters_get(&q->filters, "status"))) {
		STRV_EACH(s, v) {
			const char *const *k = states;

			while (*k && strcmp(*k, *s))
				k++;
			if (!*k)
				return err_set(err, ERR_INVALID, "invalid filter 'status=%.40s'", *s);
		}
		q->any_state = true;
	}
	if (filters_get(&q->filters, "exited"))
		q->any_state = true;
	if ((v = filters_get(&q->filters, "ancestor")) && v->n) {
		AUTO(image_put) struct image *image = NULL;

		if (image_find(e->images, v->v[0], &image, &ERR_INIT) == 0)
			str_set(&q->ancestor_id, image->id);
	}
	return 0;
}

/* ---- whole ------------------------------------------------------------------------------------------------------------------------ */

int container_list(struct engine *e, const struct container_list *list, struct buf *ret, struct err *err)
{
	AUTO(container_vec_clear) container_vec all = {0};
	struct query q = {0};
	int64_t now = time_now_ns(), n = 0;
	int rc = query_parse(e, list->filters, &q, err);

	if (rc >= 0) {
		table_all(e, &all);
		(void)buf_room(ret, atomic_load(&e->list_bytes) + 1024);	/* growing step by step is slow with musl */
		buf_char(ret, '[');
		VEC_EACH(p, &all) {
			struct container *c = *p;

			if (list->limit > 0 && n >= list->limit)
				break;
			pthread_mutex_lock(&c->lock);
			if (c->phase != PHASE_CREATING && !c->removed &&
			    (list->all || list->limit > 0 || q.any_state || container_is_running(c) ||
			     c->rec.state.restarting) &&
			    (!list->filters || matches(&q, c, list->dialect))) {
				if (n++)
					buf_char(ret, ',');
				add_row(c, list, now, ret);
			}
			pthread_mutex_unlock(&c->lock);
		}
		buf_str(ret, "]\n");
		if (ret->len > atomic_load(&e->list_bytes))
			atomic_store(&e->list_bytes, ret->len);
	}
	filters_clear(&q.filters);
	free(q.ancestor_id);
	return rc;
}
