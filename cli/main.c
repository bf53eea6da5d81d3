/*
 * main.c - `pouch`: global options, then a command
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "compat/base/str.h"
#include "compat/base/version.h"

struct global_options {
	char *host;
	struct http_tls tls;
	bool debug, version;
};

#define ROW(member) offsetof(struct global_options, member)
static const struct option global_rows[] = {
	{ "debug", 'D', OPTION_BOOL, ROW(debug), "Show each call of the daemon" },
	{ "host", 'H', OPTION_STRING, ROW(host), "Daemon to talk to, also as POUCH_HOST",
	  "\"" API_DEFAULT_HOST "\"" },
	{ "tlscacert", 0, OPTION_STRING, ROW(tls.ca), "CA that signed the daemon's certificate" },
	{ "tlscert", 0, OPTION_STRING, ROW(tls.cert), "Our certificate" },
	{ "tlskey", 0, OPTION_STRING, ROW(tls.key), "Our certificate's key" },
	{ "tlsverify", 0, OPTION_BOOL, ROW(tls.verify), "Use TLS and check the daemon's certificate" },
	{ "version", 'v', OPTION_BOOL, ROW(version), "Print this program's version" },
};
static const struct option_group *const global_groups[] = { OPTIONS(global_rows), NULL };
#undef ROW

static void print_usage(struct buf *out)
{
	buf_str(out, "Usage:  pouch [OPTIONS] COMMAND\n\nContainers on any Linux kernel from 2.6.32 on\n\n"
		     "Commands:\n");
	command_list(commands, out);
	buf_str(out, "\nOptions:\n");
	option_help(global_groups, out);
	buf_str(out, "\nRun 'pouch COMMAND --help' for more information on a command.\n"
		     "Examples:\n"
		     "  pouch pull busybox\n"
		     "  pouch run -it --rm busybox sh\n"
		     "  pouch compat\n");
}

/* `pouch help`, `pouch help COMMAND [SUBCOMMAND]` */
static int run_help(const struct strv *words, struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	const struct command *const *table = commands;
	const struct command *found = NULL;
	AUTO(buf_clear) struct buf path = BUF_INIT;

	for (size_t i = 1; i < words->n && table; i++) {
		found = command_find(table, words->v[i]);
		if (!found)
			return command_unknown(table, buf_cstr(&path), words->v[i], err);
		buf_fmt(&path, "%s%s", path.len ? " " : "", found->name);
		table = found->sub;
	}
	if (found)
		command_help(found, path.data, &out);
	else
		print_usage(&out);
	return cli_print(out.data, out.len, err);
}

static int run(struct cli *cli, const struct global_options *g, struct strv *words, struct err *err)
{
	const char *env = getenv("POUCH_HOST");
	const struct command *c;

	if (g->version)
		return cli_printf(err, "pouch version %s, commit %s\n", version_string(), version_commit());
	if (!words->n || str_eq(words->v[0], "help"))
		return run_help(words, err);
	c = command_find(commands, words->v[0]);
	if (!c)
		return command_unknown(commands, "", words->v[0], err);
	str_set(&cli->host, g->host ? g->host : !str_empty(env) ? env : API_DEFAULT_HOST);
	cli->tls = g->tls;
	cli->debug = g->debug;
	return command_run(cli, c, c->name, (int)words->n, strv_argv(words), err);
}

int main(int argc, char **argv)
{
	struct global_options options = {0};
	AUTO(strv_clear) struct strv words = {0};
	const struct option_parse parse = {global_groups, &options, true};
	struct cli cli = {0};
	struct err err = ERR_INIT;
	int rc = option_parse(&parse, argc, argv, &words, &err);

	if (rc == OPTION_HELP) {
		strv_clear(&words);
		rc = run_help(&words, &err);
	} else if (!rc) {
		rc = run(&cli, &options, &words, &err);
	}
	terminal_restore();
	if (rc < 0) {
		cli_complain(&err);
		rc = 1;
	}
	http_close(cli.http);
	free(cli.host);
	option_clear(global_groups, &options);
	return rc;
}
