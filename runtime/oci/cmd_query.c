/*
 * cmd_query.c - state, list, ps
 */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/container.h"
#include "runtime/oci/spec.h"

static char *format;
static int quiet;

static const struct poptOption list_options[] = {
	{"format", 'f', POPT_ARG_STRING, &format, 0, "table or json", "FORMAT"},
	{"quiet", 'q', POPT_ARG_NONE, &quiet, 0, "ids only", NULL},
	POPT_TABLEEND,
};
static const struct poptOption ps_options[] = {
	{"format", 'f', POPT_ARG_STRING, &format, 0, "table or json", "FORMAT"},
	POPT_TABLEEND,
};

static int state(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = cmd_load(args[0], &c, err);

	if (rc)
		return rc;
	oci_state_print(c, true, &text);
	puts(buf_cstr(&text));
	return 0;
}

/* ---- list ---------------------------------------------------------------------------------------------------------------- */

struct row {
	const char *version, *status;
	char *id, *bundle, *rootfs, *owner;
	int32_t pid;
	int64_t created_ns;
	struct strmap annotations;
};

#define R(member, name, type, flags) JSON_FIELD(struct row, member, name, type, flags)
static const struct json_field row_fields[] = {
	R(version, "ociVersion", JSON_STR, 0), R(id, "id", JSON_STR, 0),
	R(pid, "pid", JSON_I32, 0),	       R(status, "status", JSON_STR, 0),
	R(bundle, "bundle", JSON_STR, 0),      R(rootfs, "rootfs", JSON_STR, 0),
	R(created_ns, "created", JSON_TIME, 0), R(annotations, "annotations", JSON_STRMAP, JSON_OMIT_EMPTY),
	R(owner, "owner", JSON_STR, 0),
};
static const struct json_table row_table = JSON_TABLE("list", struct row, row_fields);

typedef VEC(struct row) row_vec;

static void rows_clear(row_vec *rows)
{
	VEC_EACH(r, rows) {
		free(r->id);
		free(r->bundle);
		free(r->rootfs);
		free(r->owner);
		strmap_clear(&r->annotations);
	}
	VEC_FREE(rows);
}
DEFINE_AUTO_CLEAR(rows_clear, row_vec)

static char *user_name(uint32_t uid)
{
	struct passwd *pw = getpwuid(uid);

	return pw ? xstrdup(pw->pw_name) : xfmt("#%u", uid);
}

static int collect(row_vec *rows, struct err *err)
{
	AUTO(strv_clear) struct strv ids = {0};
	int rc = oci_list(cmd_globals.root, &ids, err);

	if (rc)
		return rc;
	STRV_EACH(id, &ids) {
		AUTO(oci_container_free) struct oci_container *c = NULL;
		enum oci_status status;
		struct row *r;

		/* Gone meanwhile, or half made. */
		if (oci_load(cmd_globals.root, *id, &c, NULL))
			continue;
		status = oci_container_status(c);
		r = VEC_ADD(rows);
		r->version = OCI_VERSION;
		r->id = xstrdup(*id);
		r->status = oci_status_name(status);
		r->pid = status == OCI_STOPPED ? 0 : oci_container_pid(c);
		r->bundle = xstrdup(oci_container_bundle(c));
		r->rootfs = xstrdup(oci_container_rootfs(c));
		r->created_ns = oci_container_created_ns(c);
		r->owner = user_name(oci_container_owner(c));
		strmap_copy(&r->annotations, oci_container_annotations(c));
	}
	return 0;
}

/* Columns as wide as their widest cell and three more, at least twelve: the layout of runc's table. */
static void print_table(const row_vec *rows)
{
	static const char *const heads[] = {"ID", "PID", "STATUS", "BUNDLE", "CREATED"};
	size_t width[5];

	for (int i = 0; i < 5; i++)
		width[i] = strlen(heads[i]);
	for (int pass = 0; pass < 2; pass++) {
		if (pass)
			for (int i = 0; i < 5; i++)
				width[i] = width[i] + 3 < 12 ? 12 : width[i] + 3;
		for (int i = 0; pass && i < 5; i++)
			printf("%-*s", (int)width[i], heads[i]);
		if (pass)
			puts("OWNER");
		VEC_EACH(r, rows) {
			char pid[16], created[TIME_RFC3339_SIZE];
			const char *cells[5] = {r->id, pid, r->status, r->bundle, created};

			snprintf(pid, sizeof(pid), "%d", r->pid);
			time_rfc3339(created, r->created_ns);
			for (int i = 0; i < 5; i++) {
				if (pass)
					printf("%-*s", (int)width[i], cells[i]);
				else if (strlen(cells[i]) > width[i])
					width[i] = strlen(cells[i]);
			}
			if (pass)
				puts(r->owner);
		}
	}
}

static int check_format(struct err *err)
{
	if (!format || str_eq(format, "table") || str_eq(format, "json"))
		return 0;
	return err_set(err, ERR_INVALID, "--format: '%s' is neither table nor json", format);
}

static int list(int count, const char **args, struct err *err)
{
	AUTO(rows_clear) row_vec rows = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = check_format(err);

	if (!rc)
		rc = collect(&rows, err);
	if (rc)
		return rc;
	if (quiet) {
		VEC_EACH(r, &rows)
			puts(r->id);
	} else if (str_eq(format, "json")) {
		if (rows.n)
			json_print_vec(&row_table, &rows, 0, &text);
		puts(rows.n ? buf_cstr(&text) : "null");
	} else {
		print_table(&rows);
	}
	return 0;
}

/* ---- ps ------------------------------------------------------------------------------------------------------------------ */

static bool has_pid(const pid_vec *pids, const char *word)
{
	uint32_t n;

	if (str_u32(word, 10, &n))
		return false;
	VEC_EACH(p, pids)
		if ((uint32_t)*p == n)
			return true;
	return false;
}

/* Which word of the heading is PID? */
static int pid_column(const char *heading)
{
	AUTO(strv_clear) struct strv words = {0};

	strv_split(&words, heading, " \t", false);
	for (size_t i = 0; i < words.n; i++)
		if (str_eq(words.v[i], "PID"))
			return (int)i;
	return -1;
}

static int filter(const char *text, const pid_vec *pids, struct err *err)
{
	AUTO(strv_clear) struct strv lines = {0};
	int column;

	strv_split(&lines, text, "\n", false);
	column = lines.n ? pid_column(lines.v[0]) : -1;
	if (column < 0)
		return err_set(err, ERR_INVALID, "ps: couldn't find PID field in ps output");
	puts(lines.v[0]);
	for (size_t i = 1; i < lines.n; i++) {
		AUTO(strv_clear) struct strv words = {0};

		strv_split(&words, lines.v[i], " \t", false);
		if ((size_t)column < words.n && has_pid(pids, words.v[column]))
			puts(lines.v[i]);
	}
	return 0;
}

static int ps(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	AUTO(strv_clear) struct strv argv = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	AUTO(buf_clear) struct buf errout = BUF_INIT;
	pid_vec pids = {0};
	int status = 0, rc = check_format(err);

	if (!rc)
		rc = cmd_load(args[0], &c, err);
	if (!rc)
		rc = oci_processes(c, &pids, err);
	if (!rc && str_eq(format, "json")) {
		for (size_t i = 0; i < pids.n; i++)
			printf("%s%d", i ? "," : "[", (int)pids.v[i]);
		puts(pids.n ? "]" : "null");
	} else if (!rc) {
		strv_add(&argv, "ps");
		for (int i = 1; i < count; i++)
			strv_add(&argv, args[i]);
		if (count == 1)
			strv_add(&argv, "-ef");
		rc = proc_run(strv_argv(&argv), NULL, &out, &errout, 0, &status, err);
		if (!rc && status)
			rc = err_set(err, ERR_INVALID, "ps: %s", buf_cstr(&errout));
		if (!rc)
			rc = filter(buf_cstr(&out), &pids, err);
	}
	VEC_FREE(&pids);
	return rc;
}

const struct cmd cmds_query[] = {
	{"state", "CONTAINER", "print the state as JSON", NULL, 1, 1, false, false, state},
	{"list", "", "list the containers", list_options, 0, 0, false, false, list},
	{"ps", "CONTAINER [PS OPTION...]", "list the container's processes", ps_options, 1, -1, true, false, ps},
	{0},
};
