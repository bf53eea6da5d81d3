/*
 * container.c - commands about containers that need little talk: stop restart kill rm pause unpause rename wait top port
 */
#include <json-c/json.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/api/container.h"

/* ---- stop and restart ---- */

struct timeout_command {
	struct opt_i64 time;
};

static const struct option timeout_rows[] = {
	{ "time", 't', OPTION_OPT_INT, offsetof(struct timeout_command, time),
	  "Seconds to wait before killing it; -1 waits for ever", "10", -1, INT32_MAX },
};

static int with_timeout(struct cli *cli, const struct timeout_command *o, const char *path, const char *verb,
			const struct strv *names, struct err *err)
{
	struct cli_many many = {.method = "POST", .verb = verb};
	AUTO(buf_clear) struct buf format = BUF_INIT;

	buf_str(&format, path);
	/* Without the option the container's own time counts, which is ten seconds unless it has another. */
	if (o->time.set)
		buf_fmt(&format, "?t=%d", (int)o->time.v);
	many.path_format = format.data;
	return cli_each(cli, &many, names, err);
}

static int run_stop(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	return with_timeout(cli, options, "/containers/%s/stop", "stop container", args, err);
}

static int run_restart(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	return with_timeout(cli, options, "/containers/%s/restart", "restart container", args, err);
}

const struct command command_stop = {
	.name = "stop",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop one or more running containers",
	.description = "Send the container's stop signal, and kill it when it has not ended in time",
	.groups = { OPTIONS(timeout_rows) },
	.options_size = sizeof(struct timeout_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_stop,
	.examples = "  pouch stop web\n  pouch stop -t 60 db\n",
};

const struct command command_restart = {
	.name = "restart",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Restart one or more containers",
	.groups = { OPTIONS(timeout_rows) },
	.options_size = sizeof(struct timeout_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_restart,
};

/* ---- kill ---- */

struct kill_command {
	char *signal;
};

static const struct option kill_rows[] = {
	{ "signal", 's', OPTION_STRING, offsetof(struct kill_command, signal), "Signal to send", "\"KILL\"" },
};

static int run_kill(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct kill_command *o = options;
	struct cli_many many = {.method = "POST", .verb = "kill container"};
	AUTO(buf_clear) struct buf format = BUF_INIT;

	if (o->signal && signal_parse(o->signal) < 0)
		return err_set(err, ERR_INVALID, "invalid signal: %s", o->signal);
	buf_str(&format, "/containers/%s/kill");
	cli_query(&format, "signal", o->signal ? o->signal : "KILL");
	many.path_format = format.data;
	return cli_each(cli, &many, args, err);
}

const struct command command_kill = {
	.name = "kill",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Send a signal to one or more running containers",
	.groups = { OPTIONS(kill_rows) },
	.options_size = sizeof(struct kill_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_kill,
};

/* ---- rm ---- */

struct rm_command {
	bool force, volumes, link;
};

#define O(member) offsetof(struct rm_command, member)
static const struct option rm_rows[] = {
	{ "force", 'f', OPTION_BOOL, O(force), "Also running containers: kill them first" },
	{ "link", 0, OPTION_BOOL, O(link), "Remove a link, not the container" },
	{ "volumes", 'v', OPTION_BOOL, O(volumes), "Remove its anonymous volumes too" },
};
#undef O

static int run_rm(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct rm_command *o = options;
	struct cli_many many = {.method = "DELETE", .verb = "remove container"};
	AUTO(buf_clear) struct buf format = BUF_INIT;

	buf_str(&format, "/containers/%s");
	if (o->force)
		cli_query(&format, "force", "1");
	if (o->volumes)
		cli_query(&format, "v", "1");
	if (o->link)
		cli_query(&format, "link", "1");
	many.path_format = format.data;
	return cli_each(cli, &many, args, err);
}

const struct command command_rm = {
	.name = "rm",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Remove one or more containers",
	.groups = { OPTIONS(rm_rows) },
	.options_size = sizeof(struct rm_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_rm,
};

/* ---- pause, unpause, rename ---- */

static int run_pause(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct cli_many many = {
		.method = "POST", .path_format = "/containers/%s/pause", .verb = "pause container",
	};

	return cli_each(cli, &many, args, err);
}

static int run_unpause(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct cli_many many = {
		.method = "POST", .path_format = "/containers/%s/unpause", .verb = "unpause container",
	};

	return cli_each(cli, &many, args, err);
}

const struct command command_pause = {
	.name = "pause",
	.usage = "CONTAINER [CONTAINER...]",
	.summary = "Pause all processes of one or more containers",
	.min_args = 1,
	.max_args = -1,
	.run = run_pause,
};

const struct command command_unpause = {
	.name = "unpause",
	.usage = "CONTAINER [CONTAINER...]",
	.summary = "Let one or more paused containers go on",
	.min_args = 1,
	.max_args = -1,
	.run = run_unpause,
};

static int run_rename(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	auto_free char *name = cli_escape(args->v[0]);
	AUTO(buf_clear) struct buf path = BUF_INIT;
	int rc;

	buf_fmt(&path, "/containers/%s/rename", name);
	cli_query(&path, "name", args->v[1]);
	rc = cli_post(cli, path.data, err);
	return rc < 0 ? err_wrap(err, rc, "failed to rename container %s", args->v[0]) : 0;
}

const struct command command_rename = {
	.name = "rename",
	.usage = "CONTAINER NEWNAME",
	.summary = "Give a container another name",
	.min_args = 2,
	.max_args = 2,
	.run = run_rename,
};

/* ---- wait ---- */

static int wait_one(struct cli *cli, const char *name, struct err *err)
{
	auto_free char *escaped = cli_escape(name);
	auto_free char *path = xfmt("/containers/%s/wait", escaped);
	struct api_wait wait = {0};
	const struct cli_call call = {
		.method = "POST", .path = path, .ret_table = &api_wait_table, .ret = &wait,
	};
	int rc = cli_call(cli, &call, err);

	if (rc < 0)
		return err_wrap(err, rc, "failed to wait for container %s", name);
	rc = cli_printf(err, "%lld\n", (long long)wait.status_code);
	json_clear(&api_wait_table, &wait);
	return rc;
}

static int run_wait(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	int status = 0;

	STRV_EACH(name, args) {
		struct err failure = ERR_INIT;

		if (wait_one(cli, *name, &failure) < 0) {
			cli_complain(&failure);
			status = 1;
		}
	}
	return status;
}

const struct command command_wait = {
	.name = "wait",
	.usage = "CONTAINER [CONTAINER...]",
	.summary = "Wait until one or more containers end, and print their exit statuses",
	.min_args = 1,
	.max_args = -1,
	.run = run_wait,
};

/* ---- top ---- */

static int print_processes(const struct api_top *top, struct err *err)
{
	auto_free char *titles = strv_join(&top->titles, ",");
	AUTO(table_clear) struct table table = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct json_object *rows = NULL;
	int rc = json_tree_parse(top->processes ? top->processes : "[]",
				 strlen(top->processes ? top->processes : "[]"), "pouchd's answer", &rows, err);

	if (rc < 0)
		return rc;
	table_init(&table, titles);
	for (size_t i = 0; json_object_is_type(rows, json_type_array) && i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		for (size_t k = 0; json_object_is_type(row, json_type_array) && k < table.columns; k++)
			table_cell(&table, json_object_get_string(json_object_array_get_idx(row, k)));
	}
	json_tree_put(rows);
	table_print(&table, &out);
	return cli_print(out.data, out.len, err);
}

static int run_top(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	auto_free char *name = cli_escape(args->v[0]);
	AUTO(strv_clear) struct strv words = {0};
	AUTO(buf_clear) struct buf path = BUF_INIT;
	struct api_top top = {0};
	int rc;

	buf_fmt(&path, "/containers/%s/top", name);
	for (size_t i = 1; i < args->n; i++)
		strv_add(&words, args->v[i]);
	if (words.n) {
		auto_free char *ps_args = strv_join(&words, " ");

		cli_query(&path, "ps_args", ps_args);
	}
	rc = cli_get(cli, path.data, &api_top_table, &top, err);
	if (rc >= 0)
		rc = print_processes(&top, err);
	json_clear(&api_top_table, &top);
	return rc < 0 ? err_wrap(err, rc, "failed to show the processes of container %s", args->v[0]) : 0;
}

const struct command command_top = {
	.name = "top",
	.usage = "CONTAINER [ps OPTIONS]",
	.summary = "Show the processes of a container",
	.stop_at_argument = true,
	.min_args = 1,
	.max_args = -1,
	.run = run_top,
	.examples = "  pouch top web\n  pouch top web -eo pid,rss,args\n",
};

/* ---- port ---- */

static int print_port(const struct api_port *port, bool bare, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < port->bindings.n; i++) {
		const struct api_port_binding *b = &port->bindings.v[i];
		const char *ip = str_empty(b->host_ip) ? "0.0.0.0" : b->host_ip;
		bool v6 = strchr(ip, ':') != NULL;

		rc = cli_printf(err, "%s%s%s%s%s:%s\n", bare ? "" : port->port, bare ? "" : " -> ", v6 ? "[" : "",
				ip, v6 ? "]" : "", b->host_port);
	}
	return rc;
}

static int print_ports(const struct api_port_map *map, const char *wanted, struct err *err)
{
	auto_free char *port = wanted ? xfmt("%s%s", wanted, strchr(wanted, '/') ? "" : "/tcp") : NULL;
	bool found = false;
	int rc = 0;

	for (size_t i = 0; !rc && i < map->n; i++) {
		if (port && !str_eq(port, map->v[i].port))
			continue;
		found |= map->v[i].bindings.n > 0;
		rc = print_port(&map->v[i], port != NULL, err);
	}
	if (!rc && port && !found)
		return err_set(err, ERR_NOT_FOUND, "no public port '%s' published", port);
	return rc;
}

static int run_port(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	auto_free char *name = cli_escape(args->v[0]);
	auto_free char *path = xfmt("/containers/%s/json", name);
	struct api_container c = {0};
	int rc = cli_get(cli, path, &api_container_table, &c, err);

	if (rc >= 0)
		rc = print_ports(&c.network_settings.ports, args->n > 1 ? args->v[1] : NULL, err);
	json_clear(&api_container_table, &c);
	return rc < 0 ? err_wrap(err, rc, "failed to show the ports of container %s", args->v[0]) : 0;
}

const struct command command_port = {
	.name = "port",
	.usage = "CONTAINER [PRIVATE_PORT[/PROTO]]",
	.summary = "Show the published ports of a container",
	.min_args = 1,
	.max_args = 2,
	.run = run_port,
};
