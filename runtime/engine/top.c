/*
 * top - the processes of a container, as ps(1) shows them on the host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "compat/base/json.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup.h"
#include "runtime/engine/internal.h"

#define PS_TIMEOUT_MS 10000

static int pids_of(struct container *c, pid_vec *ret, struct err *err)
{
	auto_free char *path = container_cgroup(c);
	struct cgroup *cg;
	int rc = cgroup_open(path, &cg, err);

	if (rc < 0)
		return rc;
	rc = cgroup_pids(cg, ret, err);
	cgroup_close(cg);
	return rc;
}

static int run_ps(const char *args, char **ret, struct err *err)
{
	AUTO(strv_clear) struct strv argv = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT, errout = BUF_INIT;
	int status, rc;

	strv_add(&argv, "ps");
	strv_split(&argv, str_empty(args) ? "-ef" : args, " \t", false);
	for (size_t i = 1; i < argv.n; i++) {
		if (!str_is_printable(argv.v[i]))
			return err_set(err, ERR_INVALID, "invalid ps arguments");
	}
	rc = proc_run(strv_argv(&argv), NULL, &out, &errout, PS_TIMEOUT_MS, &status, err);
	if (rc < 0)
		return err_wrap(err, rc, "run ps");
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return err_set(err, ERR_INVALID, "ps: %.*s", (int)strcspn(buf_cstr(&errout), "\n"), buf_cstr(&errout));
	*ret = buf_take(&out);
	return 0;
}

/* Split at blanks into at most @columns fields: the last (the command) keeps its blanks. */
static void split_row(const char *line, size_t columns, struct strv *ret)
{
	while (*line && ret->n < columns) {
		size_t n;

		line += strspn(line, " \t");
		if (!*line)
			break;
		n = columns && ret->n + 1 == columns ? strlen(line) : strcspn(line, " \t");
		strv_take(ret, xstrndup(line, n));
		line += n;
	}
}

static bool is_ours(const pid_vec *pids, const char *field)
{
	int64_t pid;

	if (str_i64(field, 10, &pid) < 0)
		return false;
	for (size_t i = 0; i < pids->n; i++) {
		if (pids->v[i] == pid)
			return true;
	}
	return false;
}

static void print_row(const struct strv *row, struct buf *json)
{
	buf_char(json, '[');
	for (size_t i = 0; i < row->n; i++) {
		if (i)
			buf_char(json, ',');
		json_print_str(json, row->v[i], strlen(row->v[i]));
	}
	buf_char(json, ']');
}

static int parse(char *text, const pid_vec *pids, struct api_top *ret, struct err *err)
{
	AUTO(buf_clear) struct buf json = BUF_INIT;
	char *line = strsep(&text, "\n");
	size_t pid_column = 0;

	split_row(line ? line : "", 100, &ret->titles);
	while (pid_column < ret->titles.n && strcmp(ret->titles.v[pid_column], "PID"))
		pid_column++;
	if (pid_column == ret->titles.n)
		return err_set(err, ERR_INVALID, "couldn't find PID field in ps output");

	buf_char(&json, '[');
	while ((line = strsep(&text, "\n"))) {
		AUTO(strv_clear) struct strv row = {0};

		split_row(line, ret->titles.n, &row);
		if (row.n <= pid_column || !is_ours(pids, row.v[pid_column]))
			continue;
		if (json.len > 1)
			buf_char(&json, ',');
		print_row(&row, &json);
	}
	buf_char(&json, ']');
	ret->processes = buf_take(&json);
	return 0;
}

int container_top(struct engine *e, const char *ref, const char *ps_args, struct api_top *ret, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	auto_free char *text = NULL;
	pid_vec pids = {0};
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	if (!c->rec.state.running)
		return err_set(err, ERR_CONFLICT, "container %.12s is not running", c->id);
	rc = pids_of(c, &pids, err);
	if (rc >= 0)
		rc = run_ps(ps_args, &text, err);
	if (rc >= 0)
		rc = parse(text, &pids, ret, err);
	VEC_FREE(&pids);
	return rc;
}
