/*
 * h_container - life of containers.
 */
#include <errno.h>
#include <stdlib.h>

#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/api/container.h"
#include "runtime/api/container_config.h"
#include "runtime/daemon/handlers.h"

int handle_container_create(struct request *r, struct err *err)
{
	struct api_container_create create = {0};
	struct api_container_created created = {0};
	int rc = request_decode(r, &api_container_create_table, false, &create, err);

	if (rc >= 0)
		rc = container_create(r->engine, request_query(r, "name"), &create, &created, err);
	if (rc >= 0)
		rc = reply_json(r, 201, &api_container_created_table, &created);
	json_clear(&api_container_create_table, &create);
	json_clear(&api_container_created_table, &created);
	return rc;
}

int handle_container_list(struct request *r, struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct container_list list = {
		.all = request_query_bool(r, "all", false),
		.size = request_query_bool(r, "size", false),
		.filters = request_query(r, "filters"),
		.dialect = request_dialect(r),
	};
	int rc = request_query_i64(r, "limit", &list.limit, err);

	if (rc >= 0)
		rc = container_list(r->engine, &list, &out, err);
	return rc < 0 ? rc : reply_text(r, 200, "application/json", &out);
}

int handle_container_inspect(struct request *r, struct err *err)
{
	struct api_container c = {0};
	int rc = container_inspect(r->engine, r->arg[0], request_dialect(r), request_query_bool(r, "size", false), &c,
				   err);

	if (rc >= 0)
		rc = reply_json(r, 200, &api_container_table, &c);
	json_clear(&api_container_table, &c);
	return rc;
}

static int done(struct request *r, int rc, int status)
{
	return rc < 0 ? rc : reply_empty(r, status);
}

int handle_container_start(struct request *r, struct err *err)
{
	if (!str_empty(request_query(r, "checkpoint")) || !str_empty(request_query(r, "checkpoint-dir")))
		return err_set(err, ERR_UNSUPPORTED, "not available here: checkpoints");
	return done(r, container_start(r->engine, r->arg[0], err), 204);
}

static int stop_timeout(struct request *r, int64_t *ret, struct err *err)
{
	*ret = STOP_TIMEOUT_DEFAULT;
	return request_query_i64(r, "t", ret, err);
}

int handle_container_stop(struct request *r, struct err *err)
{
	int64_t timeout;
	int rc = stop_timeout(r, &timeout, err);

	return rc < 0 ? rc : done(r, container_stop(r->engine, r->arg[0], timeout, err), 204);
}

int handle_container_restart(struct request *r, struct err *err)
{
	int64_t timeout;
	int rc = stop_timeout(r, &timeout, err);

	return rc < 0 ? rc : done(r, container_restart(r->engine, r->arg[0], timeout, err), 204);
}

int handle_container_kill(struct request *r, struct err *err)
{
	const char *name = request_query(r, "signal");
	int sig = str_empty(name) ? 0 : signal_parse(name);

	if (sig < 0)
		return err_set(err, ERR_INVALID, "invalid signal: %.40s", name);
	return done(r, container_kill(r->engine, r->arg[0], sig, err), 204);
}

int handle_container_pause(struct request *r, struct err *err)
{
	return done(r, container_pause(r->engine, r->arg[0], err), 204);
}

int handle_container_unpause(struct request *r, struct err *err)
{
	return done(r, container_unpause(r->engine, r->arg[0], err), 204);
}

int handle_container_rename(struct request *r, struct err *err)
{
	const char *name = request_query(r, "name");

	if (!name)
		name = request_query(r, "newName");
	return done(r, container_rename(r->engine, r->arg[0], name, err), 204);
}

int handle_container_remove(struct request *r, struct err *err)
{
	const struct container_remove how = {
		.force = request_query_bool(r, "force", false),
		.volumes = request_query_bool(r, "v", false),
	};

	if (request_query_bool(r, "link", false))
		return err_set(err, ERR_UNSUPPORTED, "not available here: links of containers");
	return done(r, container_remove(r->engine, r->arg[0], &how, err), 204);
}

static void print_warnings(const struct strv *warnings, struct buf *out)
{
	buf_str(out, "{\"Warnings\":[");
	for (size_t i = 0; i < warnings->n; i++) {
		if (i)
			buf_char(out, ',');
		json_print_str(out, warnings->v[i], strlen(warnings->v[i]));
	}
	buf_str(out, "]}\n");
}

int handle_container_update(struct request *r, struct err *err)
{
	struct api_container_update update = {0};
	AUTO(strv_clear) struct strv warnings = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int rc = request_decode(r, &api_container_update_table, false, &update, err);

	if (rc >= 0)
		rc = container_update(r->engine, r->arg[0], &update, &warnings, err);
	json_clear(&api_container_update_table, &update);
	if (rc < 0)
		return rc;
	print_warnings(&warnings, &out);
	return reply_text(r, 200, "application/json", &out);
}

int handle_container_top(struct request *r, struct err *err)
{
	struct api_top top = {0};
	int rc = container_top(r->engine, r->arg[0], request_query(r, "ps_args"), &top, err);

	if (rc >= 0)
		rc = reply_json(r, 200, &api_top_table, &top);
	json_clear(&api_top_table, &top);
	return rc;
}

static int terminal_size(struct request *r, uint32_t *rows, uint32_t *cols, struct err *err)
{
	int64_t h = 0, w = 0;
	int rc = request_query_i64(r, "h", &h, err);

	if (rc >= 0)
		rc = request_query_i64(r, "w", &w, err);
	if (rc >= 0 && (h < 0 || h > 65535 || w < 0 || w > 65535))
		rc = err_set(err, ERR_INVALID, "size of the terminal is not between 0 and 65535");
	*rows = (uint32_t)h;
	*cols = (uint32_t)w;
	return rc;
}

int handle_container_resize(struct request *r, struct err *err)
{
	uint32_t rows, cols;
	int rc = terminal_size(r, &rows, &cols, err);

	return rc < 0 ? rc : done(r, container_resize(r->engine, r->arg[0], rows, cols, err), 200);
}

int handle_exec_resize(struct request *r, struct err *err)
{
	uint32_t rows, cols;
	int rc = terminal_size(r, &rows, &cols, err);

	return rc < 0 ? rc : done(r, exec_resize(r->engine, r->arg[0], rows, cols, err), 200);
}
