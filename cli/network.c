/*
 * network.c - networks: inspect list
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/inspect.h"
#include "cli/list.h"
#include "cli/table.h"
#include "compat/base/str.h"
#include "runtime/api/network.h"

enum { SHORT_ID = 12 };

struct network_list_command {
	struct strv filters;
	bool quiet, no_trunc;
};

#define O(member) offsetof(struct network_list_command, member)
static const struct option list_rows[] = {
	{ "filter", 'f', OPTION_STRINGS, O(filters), "Filter (name=bridge, driver=bridge, id=...)" },
	{ "no-trunc", 0, OPTION_BOOL, O(no_trunc), "Show IDs whole" },
	{ "quiet", 'q', OPTION_BOOL, O(quiet), "Show only IDs" },
};
#undef O

typedef VEC(struct api_network) network_vec;

static void print_networks(const network_vec *all, const struct network_list_command *o, struct buf *out)
{
	AUTO(table_clear) struct table t = {0};

	table_init(&t, "NETWORK ID,NAME,DRIVER,SCOPE");
	for (size_t i = 0; i < all->n; i++) {
		const struct api_network *n = &all->v[i];
		auto_free char *id = list_short_id(n->id, SHORT_ID, o->no_trunc);

		if (o->quiet)
			buf_fmt(out, "%s\n", id);
		table_cell(&t, id);
		table_cell(&t, n->name);
		table_cell(&t, n->driver);
		table_cell(&t, n->scope);
	}
	if (!o->quiet)
		table_print(&t, out);
}

static int run_list(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct network_list_command *o = options;
	AUTO(buf_clear) struct buf path = BUF_INIT, out = BUF_INIT;
	network_vec all = {0};
	int rc;

	buf_str(&path, "/networks");
	rc = cli_filters(&o->filters, &path, err);
	if (!rc)
		rc = cli_get_vec(cli, path.data, &api_network_table, &all, err);
	if (rc >= 0) {
		print_networks(&all, o, &out);
		rc = cli_print(buf_cstr(&out), out.len, err);
	}
	json_clear_vec(&api_network_table, &all);
	return rc < 0 ? err_wrap(err, rc, "failed to list networks") : 0;
}

static const struct command command_list_networks = {
	.name = "list",
	.aliases = "ls",
	.usage = "[OPTIONS]",
	.summary = "List networks",
	.groups = { OPTIONS(list_rows) },
	.options_size = sizeof(struct network_list_command),
	.max_args = 0,
	.run = run_list,
};

struct network_inspect_command {
	char *format;
};

static const struct option inspect_rows[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct network_inspect_command, format), "Print by a Go template" },
};

static int run_inspect(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	static const struct inspect_kind kind = {"/networks/%s", &api_network_table};
	const struct network_inspect_command *o = options;

	return inspect_objects(cli, &kind, 1, o->format, args, err);
}

static const struct command command_inspect_network = {
	.name = "inspect",
	.usage = "[OPTIONS] NETWORK [NETWORK...]",
	.summary = "Show all that is known about networks",
	.groups = { OPTIONS(inspect_rows) },
	.options_size = sizeof(struct network_inspect_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_inspect,
};

static const struct command *const network_commands[] = {
	&command_inspect_network, &command_list_networks, NULL,
};

const struct command command_network = {
	.name = "network",
	.summary = "Manage networks",
	.sub = network_commands,
};
