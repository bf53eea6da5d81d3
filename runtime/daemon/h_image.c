/*
 * h_image - images: pull, load, save, list, inspect, tag, remove.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/api/image.h"
#include "runtime/api/stream.h"
#include "runtime/api/system.h"
#include "runtime/daemon/handlers.h"
#include "runtime/daemon/job.h"
#include "runtime/daemon/registry_header.h"
#include "runtime/daemon/rows.h"
#include "runtime/engine/filter.h"
#include "runtime/image/store.h"

/* ---- pull and load ---------------------------------------------------------------------------------------------------------------- */

struct transfer {
	struct engine *engine;
	struct job *job;
	char *name, *platform;
	struct api_auth_config auth;
	bool has_auth, quiet;
	volatile bool cancel;
};

static void transfer_free(void *arg)
{
	struct transfer *t = arg;

	free(t->name);
	free(t->platform);
	json_clear(&api_auth_config_table, &t->auth);
	free(t);
}

static void send_line(struct transfer *t, const struct api_progress *line)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;

	json_print(&api_progress_table, line, 0, &out);
	buf_str(&out, "\r\n");
	if (job_write(t->job, out.data, out.len) < 0)
		t->cancel = true;	/* the client has left */
}

static void on_progress(void *arg, const struct image_progress *p)
{
	struct api_progress_detail detail = {.current = p->current, .total = p->total};
	const struct api_progress line = {
		.status = (char *)p->status,
		.id = (char *)p->id,
		.progress_detail = p->total || p->current ? &detail : NULL,
	};
	struct transfer *t = arg;

	if (!t->quiet)
		send_line(t, &line);
}

static int run_pull(struct job *job, void *arg, struct err *err)
{
	struct transfer *t = arg;
	const struct registry_auth auth = {
		.username = t->auth.username,
		.password = t->auth.password,
		.identity_token = t->auth.identity_token,
		.registry_token = t->auth.registry_token,
	};
	const struct image_pull pull = {
		.reference = t->name,
		.platform = str_empty(t->platform) ? NULL : t->platform,
		.auth = t->has_auth ? &auth : NULL,
		.progress = on_progress,
		.arg = t,
		.cancel = &t->cancel,
	};
	int rc;

	t->job = job;
	rc = image_pull(engine_images(t->engine), &pull, NULL, err);
	if (rc >= 0)
		engine_event(t->engine, "image", "pull", t->name, NULL);
	return rc;
}

static int start_transfer(struct request *r, struct transfer *t, struct job_work *work, struct job **ret,
			  struct err *err)
{
	int rc;

	t->engine = r->engine;
	work->free = transfer_free;
	work->arg = t;
	work->cancel = &t->cancel;
	rc = job_start(work, ret, err);
	if (rc < 0)
		transfer_free(t);
	return rc;
}

int handle_image_create(struct request *r, struct err *err)
{
	const char *name = request_query(r, "fromImage"), *tag = request_query(r, "tag");
	struct job_work work = {.run = run_pull, .reports_errors = true};
	struct transfer *t;
	struct job *job;
	int rc;

	if (!str_empty(request_query(r, "fromSrc")))
		return err_set(err, ERR_UNSUPPORTED, "not available here: import of a root file system");
	if (str_empty(name))
		return err_set(err, ERR_INVALID, "fromImage is not given: the image to pull");
	t = xcalloc(1, sizeof(*t));
	t->name = str_empty(tag)		   ? xstrdup(name)
		  : str_starts(tag, "sha256:") ? xfmt("%s@%s", name, tag)
					       : xfmt("%s:%s", name, tag);
	t->platform = xstrdup(request_query(r, "platform"));
	rc = registry_header_parse(request_header(r, "X-Registry-Auth"), &t->auth, &t->has_auth, err);
	if (rc < 0) {
		transfer_free(t);
		return rc;
	}
	rc = start_transfer(r, t, &work, &job, err);
	return rc < 0 ? rc : job_reply(job, r, "application/json", err);
}

/* What was loaded is the answer itself, also to who wants to see no progress: docker prints it from "stream". */
static void on_load_progress(void *arg, const struct image_progress *p)
{
	auto_free char *text = NULL;

	if (!str_starts(p->status, "Loaded image")) {
		on_progress(arg, p);
		return;
	}
	text = xfmt("%s\n", p->status);
	send_line(arg, &(struct api_progress){.stream = text});
}

static int run_load(struct job *job, void *arg, struct err *err)
{
	struct transfer *t = arg;
	AUTO(image_list_clear) struct image_list loaded = {0};
	const struct image_load load = {
		.fd = job_input(job),
		.name = str_empty(t->name) ? NULL : t->name,
		.progress = on_load_progress,
		.arg = t,
		.cancel = &t->cancel,
	};
	int rc;

	t->job = job;
	rc = image_load(engine_images(t->engine), &load, &loaded, err);
	for (size_t i = 0; rc >= 0 && i < loaded.n; i++)
		engine_event(t->engine, "image", "load", loaded.v[i]->id, NULL);
	return rc;
}

int handle_image_load(struct request *r, struct err *err)
{
	struct job_work work = {.run = run_load, .reads_body = true, .reports_errors = true};
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->name = xstrdup(request_query(r, "name"));
	t->quiet = request_query_bool(r, "quiet", false);
	return start_transfer(r, t, &work, &r->job, err);
}

/* ---- save -------------------------------------------------------------------------------------------------------------------------- */

struct save {
	struct engine *engine;
	struct strv names;
};

static void save_free(void *arg)
{
	struct save *s = arg;

	strv_clear(&s->names);
	free(s);
}

static int run_save(struct job *job, void *arg, struct err *err)
{
	struct save *s = arg;

	return image_save(engine_images(s->engine), &s->names, job_output(job), NULL, err);
}

int handle_image_save(struct request *r, struct err *err)
{
	struct save *s = xcalloc(1, sizeof(*s));
	struct job_work work = {.run = run_save, .free = save_free, .arg = s};
	struct job *job;
	int rc;

	s->engine = r->engine;
	if (r->arg[0])
		strv_add(&s->names, r->arg[0]);
	request_query_all(r, "names", &s->names);
	request_query_all(r, "name", &s->names);
	if (!s->names.n) {
		save_free(s);
		return err_set(err, ERR_INVALID, "no image to save is named");
	}
	rc = job_start(&work, &job, err);
	if (rc < 0) {
		save_free(s);
		return rc;
	}
	return job_reply(job, r, API_MIME_TAR, err);
}

/* ---- list -------------------------------------------------------------------------------------------------------------------------- */

static const char *const keys[] = {"before", "dangling", "label", "reference", "since", "until", NULL};

static bool match_reference(const struct filters *f, const struct image *image)
{
	const struct strv *v = filters_get(f, "reference");

	if (!v || !v->n)
		return true;
	STRV_EACH(pattern, v) {
		STRV_EACH(tag, &image->repo_tags) {
			auto_free char *name = xstrndup(*tag, (size_t)(strrchr(*tag, ':') - *tag));

			if (str_match(*pattern, *tag) || str_match(*pattern, name))
				return true;
		}
	}
	return false;
}

struct image_query {
	struct filters filters;
	int64_t before, since;	/* creation times; 0: none */
};

static int query_parse(struct request *r, struct image_query *q, struct err *err)
{
	static const char *const ends[] = {"before", "since"};
	int64_t *times[] = {&q->before, &q->since};
	int rc = filters_parse(&q->filters, request_query(r, "filters"), keys, err);

	for (size_t i = 0; rc >= 0 && i < ARRAY_SIZE(ends); i++) {
		const struct strv *v = filters_get(&q->filters, ends[i]);
		AUTO(image_put) struct image *image = NULL;

		if (!v || !v->n)
			continue;
		rc = image_find(engine_images(r->engine), v->v[0], &image, err);
		if (rc >= 0)
			*times[i] = image->config.created;
	}
	return rc;
}

static bool matches(const struct image_query *q, const struct image *image)
{
	bool dangling = image->repo_tags.n == 0, asked;
	const struct strv *v = filters_get(&q->filters, "dangling");

	if (v && v->n && str_bool(v->v[0], &asked) == 0 && asked != dangling)
		return false;
	return match_reference(&q->filters, image) &&
	       filters_match_map(&q->filters, "label", &image->config.config.labels) &&
	       (!q->before || image->config.created < q->before) && (!q->since || image->config.created > q->since);
}

void image_show_row(const struct image *image, struct api_image_summary *row)
{
	str_set(&row->id, image->id);
	strv_add_all(&row->repo_tags, &image->repo_tags);
	strv_add_all(&row->repo_digests, &image->repo_digests);
	row->created = image->config.created / 1000000000;
	row->created_at = image->config.created;
	row->size = row->virtual_size = image->size;
	row->shared_size = row->containers = -1;
	strmap_copy(&row->labels, &image->config.config.labels);
	str_set(&row->architecture, image->config.architecture);
	str_set(&row->os, image->config.os);
}

int handle_image_list(struct request *r, struct err *err)
{
	AUTO(image_list_clear) struct image_list list = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct image_query q = {0};
	int rc = query_parse(r, &q, err);

	if (rc >= 0)
		rc = image_list(engine_images(r->engine), &list, err);
	buf_char(&out, '[');
	for (size_t i = 0; rc >= 0 && i < list.n; i++) {
		struct api_image_summary row = {0};

		if (!matches(&q, list.v[i]))
			continue;
		image_show_row(list.v[i], &row);
		if (out.len > 1)
			buf_char(&out, ',');
		json_print(&api_image_summary_table, &row, 0, &out);
		json_clear(&api_image_summary_table, &row);
	}
	buf_str(&out, "]\n");
	filters_clear(&q.filters);
	return rc < 0 ? rc : reply_text(r, 200, "application/json", &out);
}

/* ---- one image --------------------------------------------------------------------------------------------------------------------- */

static void show_config(const struct image_run_config *from, struct api_container_config *to)
{
	str_set(&to->hostname, from->hostname);
	str_set(&to->domainname, from->domainname);
	str_set(&to->user, from->user);
	strv_add_all(&to->exposed_ports, &from->exposed_ports);
	strv_add_all(&to->env, &from->env);
	strv_add_all(&to->entrypoint, &from->entrypoint);
	strv_add_all(&to->cmd, &from->cmd);
	strv_add_all(&to->volumes, &from->volumes);
	str_set(&to->working_dir, from->working_dir);
	strmap_copy(&to->labels, &from->labels);
	str_set(&to->stop_signal, from->stop_signal);
	to->stop_timeout = from->stop_timeout;
	strv_add_all(&to->shell, &from->shell);
	strv_add_all(&to->on_build, &from->on_build);
	str_set(&to->healthcheck, from->healthcheck);
}

static void show(struct request *r, const struct image *image, struct api_image *ret)
{
	const struct image_config *c = &image->config;

	str_set(&ret->id, image->id);
	strv_add_all(&ret->repo_tags, &image->repo_tags);
	strv_add_all(&ret->repo_digests, &image->repo_digests);
	str_set(&ret->parent, c->parent);
	str_set(&ret->comment, c->comment);
	ret->created = ret->created_at = c->created;
	str_set(&ret->docker_version, c->docker_version);
	str_set(&ret->author, c->author);
	show_config(&c->config, &ret->config);
	str_set(&ret->architecture, c->architecture);
	str_set(&ret->variant, c->variant);
	str_set(&ret->os, c->os);
	str_set(&ret->os_version, c->os_version);
	ret->size = ret->virtual_size = image->size;
	str_set(&ret->root_fs.type, "layers");
	strv_add_all(&ret->root_fs.layers, &c->rootfs.diff_ids);
	ret->metadata.last_tag_time = image->pulled;
	engine_image_driver(r->engine, image, &ret->graph_driver);
}

int handle_image_inspect(struct request *r, struct err *err)
{
	AUTO(image_put) struct image *image = NULL;
	struct api_image answer = {0};
	int rc = image_find(engine_images(r->engine), r->arg[0], &image, err);

	if (rc < 0)
		return rc;
	show(r, image, &answer);
	rc = reply_json(r, 200, &api_image_table, &answer);
	json_clear(&api_image_table, &answer);
	return rc;
}

int handle_image_history(struct request *r, struct err *err)
{
	AUTO(image_put) struct image *image = NULL;
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int rc = image_find(engine_images(r->engine), r->arg[0], &image, err);
	size_t layer;

	if (rc < 0)
		return rc;
	layer = image->layer_sizes.n;
	buf_char(&out, '[');
	for (size_t n = image->config.history.n, i = n; i-- > 0;) {
		const struct image_history *from = &image->config.history.v[i];
		struct api_history row = {0};

		str_set(&row.id, i + 1 == n ? image->id : "<missing>");
		row.created = from->created / 1000000000;
		str_set(&row.created_by, from->created_by);
		str_set(&row.author, from->author);
		str_set(&row.comment, from->comment);
		row.empty_layer = from->empty_layer;
		if (!from->empty_layer && layer)
			row.size = image->layer_sizes.v[--layer];
		if (i + 1 == n)
			strv_add_all(&row.tags, &image->repo_tags);
		if (out.len > 1)
			buf_char(&out, ',');
		json_print(&api_history_table, &row, 0, &out);
		json_clear(&api_history_table, &row);
	}
	buf_str(&out, "]\n");
	return reply_text(r, 200, "application/json", &out);
}

int handle_image_tag(struct request *r, struct err *err)
{
	const char *repo = request_query(r, "repo"), *tag = request_query(r, "tag");
	auto_free char *target = NULL;
	int rc;

	if (str_empty(repo))
		return err_set(err, ERR_INVALID, "repo is not given: the new name");
	target = str_empty(tag) ? xstrdup(repo) : xfmt("%s:%s", repo, tag);
	rc = image_tag(engine_images(r->engine), r->arg[0], target, err);
	if (rc < 0)
		return rc;
	engine_event(r->engine, "image", "tag", target, NULL);
	return reply_empty(r, 201);
}

static enum image_use in_use(void *arg, const char *image_id, char **ret_container)
{
	return (enum image_use)engine_image_use(arg, image_id, ret_container);
}

int handle_image_remove(struct request *r, struct err *err)
{
	const struct image_removal removal = {
		.name = r->arg[0],
		.force = request_query_bool(r, "force", false),
		.in_use = in_use,
		.arg = r->engine,
	};
	AUTO(image_removed_list_clear) struct image_removed_list list = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int rc = image_remove(engine_images(r->engine), &removal, &list, err);

	if (rc < 0) {
		if (err->kind == ERR_CONFLICT && request_dialect(r) == DIALECT_POUCH)
			err->kind = ERR_INTERNAL;	/* pouch's word for an image in use is 500 */
		return rc;
	}
	buf_char(&out, '[');
	for (size_t i = 0; i < list.n; i++) {
		const struct api_image_deleted row = {
			.deleted = list.v[i].deleted ? list.v[i].what : NULL,
			.untagged = list.v[i].deleted ? NULL : list.v[i].what,
		};

		if (i)
			buf_char(&out, ',');
		json_print(&api_image_deleted_table, &row, 0, &out);
		engine_event(r->engine, "image", list.v[i].deleted ? "delete" : "untag", list.v[i].what, NULL);
	}
	buf_str(&out, "]\n");
	if (request_dialect(r) == DIALECT_POUCH)
		return reply_empty(r, 204);
	return reply_text(r, 200, "application/json", &out);
}
