/*
 * ps.c - the list of containers
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/table.h"
#include "compat/base/str.h"
#include "runtime/api/container.h"

enum { SHORT_ID = 6, LONG_ID = 12, COMMAND_WIDTH = 20 };

struct ps_command {
	bool all, no_trunc, quiet, latest, size;
	struct strv filters;
	int64_t last;
	char *format;
};

#define O(member) offsetof(struct ps_command, member)
static const struct option ps_rows[] = {
	{ "all", 'a', OPTION_BOOL, O(all), "Show all containers, not only the running ones" },
	{ "filter", 'f', OPTION_STRINGS, O(filters), "Filter (status=exited, name=web, label=a=b, id=...)" },
	{ "format", 0, OPTION_STRING, O(format), "Print by a Go template, \"table TEMPLATE\", or json" },
	{ "last", 'n', OPTION_INT, O(last), "Show the last N containers, whatever their state", NULL, -1, INT32_MAX },
	{ "latest", 'l', OPTION_BOOL, O(latest), "Show the last container, whatever its state" },
	{ "no-trunc", 0, OPTION_BOOL, O(no_trunc), "Show IDs whole" },
	{ "quiet", 'q', OPTION_BOOL, O(quiet), "Show only IDs" },
	{ "size", 's', OPTION_BOOL, O(size), "Work out sizes (for --format)" },
};
#undef O

typedef VEC(struct api_container_summary) summary_vec;

static const char *container_name(const struct api_container_summary *c)
{
	const char *name = c->names.n ? c->names.v[0] : "";

	return *name == '/' ? name + 1 : name;
}

/* How many digits tell all the listed containers apart, from @least on. */
static size_t unique_digits(const summary_vec *all, size_t least)
{
	size_t digits = least;

	for (size_t i = 0; i < all->n; i++)
		for (size_t k = i + 1; k < all->n && digits < 64; k++)
			while (digits < 64 && strncmp(all->v[i].id, all->v[k].id, digits) == 0)
				digits++;
	return digits;
}

/* "0.0.0.0:8080->80/tcp, 443/tcp" */
static char *ports_text(const struct api_container_summary *c)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < c->ports.n; i++) {
		const struct api_port_summary *p = &c->ports.v[i];

		if (out.len)
			buf_str(&out, ", ");
		if (p->public_port)
			buf_fmt(&out, strchr(p->ip ? p->ip : "", ':') ? "[%s]:%u->" : "%s:%u->",
				str_empty(p->ip) ? "0.0.0.0" : p->ip, p->public_port);
		buf_fmt(&out, "%u/%s", p->private_port, p->type);
	}
	return buf_take(&out);
}

static char *labels_text(const struct strmap *labels)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < labels->n; i++)
		buf_fmt(&out, "%s%s=%s", i ? "," : "", labels->v[i].key, labels->v[i].val);
	return buf_take(&out);
}

static char *size_text(const struct api_container_summary *c)
{
	char rw[32], all[32];

	if (!c->size_rw.set)
		return xstrdup("0B");
	str_human_size(rw, (double)c->size_rw.v, true);
	if (!c->size_root_fs.set || !c->size_root_fs.v)
		return xstrdup(rw);
	str_human_size(all, (double)c->size_root_fs.v, true);
	return xfmt("%s (virtual %s)", rw, all);
}

/* Names joined by commas: of networks, of mounts. */
static char *networks_text(const struct api_container_summary *c)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < c->network_settings.networks.n; i++)
		buf_fmt(&out, "%s%s", i ? "," : "", c->network_settings.networks.v[i].name);
	return buf_take(&out);
}

static char *mounts_text(const struct api_container_summary *c)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < c->mounts.n; i++)
		buf_fmt(&out, "%s%s", i ? "," : "",
			str_empty(c->mounts.v[i].name) ? c->mounts.v[i].source : c->mounts.v[i].name);
	return buf_take(&out);
}

static void add_row(struct list *list, const struct api_container_summary *c, const struct ps_command *o)
{
	auto_free char *id = list_short_id(c->id, LONG_ID, o->no_trunc);
	auto_free char *command = strlen(c->command) > COMMAND_WIDTH && !o->no_trunc
		? xfmt("\"%.*s…\"", COMMAND_WIDTH - 1, c->command) : xfmt("\"%s\"", c->command);
	auto_free char *ago = list_ago(c->created * 1000000000);
	auto_free char *ports = ports_text(c), *labels = labels_text(&c->labels), *size = size_text(c);
	auto_free char *networks = networks_text(c), *mounts = mounts_text(c);
	auto_free char *names = strv_join(&c->names, ",");
	auto_free char *created = xfmt("%lld", (long long)c->created);

	list_row(list);
	list_set(list, "ID", id);
	list_set(list, "Names", *names == '/' ? names + 1 : names);
	list_set(list, "Name", container_name(c));
	list_set(list, "Image", c->image);
	list_set(list, "ImageID", c->image_id);
	list_set(list, "Command", command);
	list_set(list, "Created", created);
	list_set(list, "CreatedAt", created);
	list_set(list, "RunningFor", ago);
	list_set(list, "Ports", ports);
	list_set(list, "State", c->state);
	list_set(list, "Status", c->status);
	list_set(list, "Size", size);
	list_set(list, "Labels", labels);
	list_set(list, "Mounts", mounts);
	list_set(list, "Networks", networks);
	list_set(list, "Runtime", c->host_config.runtime);
}

static int print_format(const summary_vec *all, const struct ps_command *o, struct buf *out, struct err *err)
{
	static const char *const titles[] = {
		"ID=CONTAINER ID", "Names=NAMES", "Name=NAME", "Image=IMAGE", "ImageID=IMAGE ID",
		"Command=COMMAND", "Created=CREATED", "CreatedAt=CREATED AT", "RunningFor=CREATED",
		"Ports=PORTS", "State=STATE", "Status=STATUS", "Size=SIZE", "Labels=LABELS",
		"Mounts=MOUNTS", "Networks=NETWORKS", "Runtime=RUNTIME", NULL,
	};
	AUTO(list_clear) struct list list = {0};

	for (size_t i = 0; i < all->n; i++)
		add_row(&list, &all->v[i], o);
	return list_format(&list, o->format, titles, out, err);
}

static void print_table(const summary_vec *all, const struct ps_command *o, struct buf *out)
{
	size_t digits = unique_digits(all, SHORT_ID);
	AUTO(table_clear) struct table t = {0};

	table_init(&t, "Name,ID,Status,Created,Image,Runtime");
	for (size_t i = 0; i < all->n; i++) {
		const struct api_container_summary *c = &all->v[i];
		auto_free char *id = list_short_id(c->id, digits, o->no_trunc);
		auto_free char *ago = list_ago(c->created * 1000000000);

		table_cell(&t, container_name(c));
		table_cell(&t, id);
		table_cell(&t, c->status);
		table_cell(&t, ago);
		table_cell(&t, c->image);
		table_cell(&t, c->host_config.runtime);
	}
	table_print(&t, out);
}

static int print_list(const summary_vec *all, const struct ps_command *o, struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int rc = 0;

	if (o->quiet) {
		size_t digits = unique_digits(all, SHORT_ID);

		for (size_t i = 0; i < all->n; i++)
			buf_fmt(&out, "%.*s\n", o->no_trunc ? 64 : (int)digits, all->v[i].id);
	} else if (o->format) {
		rc = print_format(all, o, &out, err);
	} else {
		print_table(all, o, &out);
	}
	return rc ? rc : cli_print(out.data ? out.data : "", out.len, err);
}

static int build_path(const struct ps_command *o, struct buf *path, struct err *err)
{
	int64_t last = o->latest ? 1 : o->last;

	buf_str(path, "/containers/json");
	if (o->all)
		cli_query(path, "all", "1");
	if (last > 0) {
		auto_free char *limit = xfmt("%lld", (long long)last);

		cli_query(path, "limit", limit);
	}
	if (o->size)
		cli_query(path, "size", "1");
	return cli_filters(&o->filters, path, err);
}

static int run_ps(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct ps_command *o = options;
	AUTO(buf_clear) struct buf path = BUF_INIT;
	summary_vec all = {0};
	int rc = build_path(o, &path, err);

	if (!rc)
		rc = cli_get_vec(cli, path.data, &api_container_summary_table, &all, err);
	if (rc >= 0)
		rc = print_list(&all, o, err);
	json_clear_vec(&api_container_summary_table, &all);
	return rc < 0 ? err_wrap(err, rc, "failed to list containers") : 0;
}

const struct command command_ps = {
	.name = "ps",
	.aliases = "ls,list",
	.usage = "[OPTIONS]",
	.summary = "List containers",
	.groups = { OPTIONS(ps_rows) },
	.options_size = sizeof(struct ps_command),
	.max_args = 0,
	.run = run_ps,
	.examples = "  pouch ps -a\n  pouch ps -q -f status=exited\n"
		    "  pouch ps --format 'table {{.Names}}\\t{{.Ports}}'\n",
};
