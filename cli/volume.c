/*
 * volume.c - volumes: create inspect list remove
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/inspect.h"
#include "cli/table.h"
#include "compat/base/str.h"
#include "runtime/api/volume.h"

/* ---- create ---- */

struct volume_create_command {
	struct api_volume_create request;
	struct strv selectors;
};

#define O(member) offsetof(struct volume_create_command, member)
static const struct option create_rows[] = {
	{ "driver", 'd', OPTION_STRING, O(request.driver), "Volume driver", "\"local\"" },
	{ "label", 'l', OPTION_PAIRS, O(request.labels), "Label (KEY=VALUE)" },
	{ "name", 'n', OPTION_STRING, O(request.name), "Name; without one it is made up" },
	{ "option", 'o', OPTION_PAIRS, O(request.driver_opts), "Option of the driver (KEY=VALUE)" },
	{ "selector", 's', OPTION_STRINGS, O(selectors), "Selector of a place (KEY=VALUE)" },
};
#undef O

static int run_create(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	struct volume_create_command *o = options;
	struct api_volume volume = {0};
	const struct cli_call call = {
		.method = "POST",
		.path = "/volumes/create",
		.body_table = &api_volume_create_table,
		.body = &o->request,
		.ret_table = &api_volume_table,
		.ret = &volume,
	};
	int rc = 0;

	if (args->n && o->request.name)
		return err_set(err, ERR_INVALID, "the volume's name is given twice");
	if (args->n)
		str_set(&o->request.name, args->v[0]);
	if (!o->request.driver)
		str_set(&o->request.driver, "local");
	/* As upstream sends them: options whose names begin so. */
	STRV_EACH(s, &o->selectors) {
		const char *eq = strchr(*s, '=');
		auto_free char *key = eq ? xfmt("selector.%.*s", (int)(eq - *s), *s) : NULL;

		if (!eq)
			return err_set(err, ERR_INVALID, "invalid selector '%s': write KEY=VALUE", *s);
		strmap_set(&o->request.driver_opts, key, eq + 1);
	}
	rc = cli_call(cli, &call, err);
	if (rc >= 0)
		rc = cli_printf(err, "%s\n", volume.name);
	json_clear(&api_volume_table, &volume);
	return rc < 0 ? err_wrap(err, rc, "failed to create volume") : 0;
}

static void clear_create(void *options)
{
	json_clear(&api_volume_create_table, &((struct volume_create_command *)options)->request);
}

static const struct command command_create_volume = {
	.name = "create",
	.usage = "[OPTIONS] [NAME]",
	.summary = "Create a volume",
	.groups = { OPTIONS(create_rows) },
	.options_size = sizeof(struct volume_create_command),
	.max_args = 1,
	.run = run_create,
	.clear = clear_create,
};

/* ---- list ---- */

struct volume_list_command {
	struct strv filters;
	bool mountpoint, quiet, size;
};

#define O(member) offsetof(struct volume_list_command, member)
static const struct option list_rows[] = {
	{ "filter", 'f', OPTION_STRINGS, O(filters), "Filter (name=data, driver=local, label=a=b, dangling=true)" },
	{ "mountpoint", 0, OPTION_BOOL, O(mountpoint), "Show where they are mounted" },
	{ "quiet", 'q', OPTION_BOOL, O(quiet), "Show only names" },
	{ "size", 0, OPTION_BOOL, O(size), "Show their size limits" },
};
#undef O

static void print_volumes(const struct api_volume_list *all, const struct volume_list_command *o, struct buf *out)
{
	AUTO(table_clear) struct table t = {0};
	auto_free char *titles = xfmt("DRIVER,VOLUME NAME%s%s", o->size ? ",SIZE" : "", o->mountpoint ? ",MOUNT POINT" : "");

	table_init(&t, titles);
	for (size_t i = 0; i < all->volumes.n; i++) {
		const struct api_volume *v = &all->volumes.v[i];
		const char *size = strmap_get(&v->options, "opt.size");

		if (o->quiet) {
			buf_fmt(out, "%s\n", v->name);
			continue;
		}
		if (!size)
			size = strmap_get(&v->options, "size");
		table_cell(&t, v->driver);
		table_cell(&t, v->name);
		if (o->size)
			table_cell(&t, size ? size : "ulimit");
		if (o->mountpoint)
			table_cell(&t, v->mountpoint);
	}
	if (!o->quiet)
		table_print(&t, out);
}

static int run_list(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct volume_list_command *o = options;
	AUTO(buf_clear) struct buf path = BUF_INIT, out = BUF_INIT;
	struct api_volume_list all = {0};
	int rc;

	buf_str(&path, "/volumes");
	rc = cli_filters(&o->filters, &path, err);
	if (!rc)
		rc = cli_get(cli, path.data, &api_volume_list_table, &all, err);
	if (rc >= 0) {
		print_volumes(&all, o, &out);
		rc = cli_print(buf_cstr(&out), out.len, err);
	}
	json_clear(&api_volume_list_table, &all);
	return rc < 0 ? err_wrap(err, rc, "failed to list volumes") : 0;
}

static const struct command command_list_volumes = {
	.name = "list",
	.aliases = "ls",
	.usage = "[OPTIONS]",
	.summary = "List volumes",
	.groups = { OPTIONS(list_rows) },
	.options_size = sizeof(struct volume_list_command),
	.max_args = 0,
	.run = run_list,
};

/* ---- inspect and remove ---- */

struct volume_inspect_command {
	char *format;
};

static const struct option inspect_rows[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct volume_inspect_command, format), "Print by a Go template" },
};

static int run_inspect(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	static const struct inspect_kind kind = {"/volumes/%s", &api_volume_table};
	const struct volume_inspect_command *o = options;

	return inspect_objects(cli, &kind, 1, o->format, args, err);
}

static const struct command command_inspect_volume = {
	.name = "inspect",
	.usage = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Show all that is known about volumes",
	.groups = { OPTIONS(inspect_rows) },
	.options_size = sizeof(struct volume_inspect_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_inspect,
};

static int run_remove(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct cli_many many = {
		.method = "DELETE", .path_format = "/volumes/%s", .verb = "remove volume",
	};

	return cli_each(cli, &many, args, err);
}

static const struct command command_remove_volume = {
	.name = "remove",
	.aliases = "rm",
	.usage = "VOLUME [VOLUME...]",
	.summary = "Remove volumes",
	.min_args = 1,
	.max_args = -1,
	.run = run_remove,
};

static const struct command *const volume_commands[] = {
	&command_create_volume, &command_inspect_volume, &command_list_volumes, &command_remove_volume, NULL,
};

const struct command command_volume = {
	.name = "volume",
	.summary = "Manage volumes",
	.sub = volume_commands,
};
