/*
 * h_archive - files into containers and out of them.
 */
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/api/archive.h"
#include "runtime/api/stream.h"
#include "runtime/daemon/handlers.h"
#include "runtime/daemon/job.h"

/* The value of the header that says what is at the path; owned. */
static int stat_header(struct request *r, char **ret, struct err *err)
{
	AUTO(buf_clear) struct buf json = BUF_INIT;
	struct api_path_stat st = {0};
	int rc = container_path_stat(r->engine, r->arg[0], request_query(r, "path"), &st, err);

	if (rc >= 0) {
		json_print(&api_path_stat_table, &st, 0, &json);
		*ret = xcalloc(1, json.len / 3 * 4 + 5);
		EVP_EncodeBlock((unsigned char *)*ret, (const unsigned char *)json.data, (int)json.len);
	}
	json_clear(&api_path_stat_table, &st);
	return rc;
}

int handle_archive_stat(struct request *r, struct err *err)
{
	auto_free char *header = NULL;
	int rc = stat_header(r, &header, err);

	if (rc < 0)
		return rc;
	reply_header(r, API_PATH_STAT_HEADER, header);
	return reply_empty(r, 200);
}

struct transfer {
	struct engine *engine;
	char *container, *path;
	bool keep_kinds, to_user;
};

static struct transfer *transfer_new(struct request *r)
{
	struct transfer *t = xcalloc(1, sizeof(*t));

	t->engine = r->engine;
	t->container = xstrdup(r->arg[0]);
	t->path = xstrdup(request_query(r, "path"));
	t->keep_kinds = request_query_bool(r, "noOverwriteDirNonDir", false);
	t->to_user = request_query_bool(r, "copyUIDGID", false);
	return t;
}

static void transfer_free(void *arg)
{
	struct transfer *t = arg;

	free(t->container);
	free(t->path);
	free(t);
}

static int start(struct transfer *t, struct job_work *work, struct job **ret, struct err *err)
{
	int rc;

	work->free = transfer_free;
	work->arg = t;
	rc = job_start(work, ret, err);
	if (rc < 0)
		transfer_free(t);
	return rc;
}

static int run_get(struct job *job, void *arg, struct err *err)
{
	struct transfer *t = arg;

	return container_archive(t->engine, t->container, t->path, job_output(job), err);
}

int handle_archive_get(struct request *r, struct err *err)
{
	struct job_work work = {.run = run_get};
	auto_free char *header = NULL;
	struct job *job;
	int rc = stat_header(r, &header, err);

	if (rc >= 0)
		rc = start(transfer_new(r), &work, &job, err);
	if (rc < 0)
		return rc;
	reply_header(r, API_PATH_STAT_HEADER, header);
	return job_reply(job, r, API_MIME_TAR, err);
}

static int run_put(struct job *job, void *arg, struct err *err)
{
	const struct transfer *t = arg;
	const struct container_extract how = {
		.path = t->path,
		.keep_kinds = t->keep_kinds,
		.to_user = t->to_user,
	};

	return container_extract(t->engine, t->container, &how, job_input(job), err);
}

int handle_archive_put(struct request *r, struct err *err)
{
	struct job_work work = {.run = run_put, .reads_body = true};

	return start(transfer_new(r), &work, &r->job, err);
}
