/*
 * command.c - see command.h
 */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "compat/base/str.h"

static bool has_name(const struct command *c, const char *name)
{
	AUTO(strv_clear) struct strv aliases = {0};

	if (str_eq(c->name, name))
		return true;
	if (c->aliases)
		strv_split(&aliases, c->aliases, ",", false);
	return strv_has(&aliases, name);
}

const struct command *command_find(const struct command *const *table, const char *name)
{
	for (; *table; table++)
		if (has_name(*table, name))
			return *table;
	return NULL;
}

/* ---- help ---- */

void command_list(const struct command *const *table, struct buf *out)
{
	size_t width = 0;

	for (const struct command *const *c = table; *c; c++)
		width = strlen((*c)->name) > width ? strlen((*c)->name) : width;
	for (const struct command *const *c = table; *c; c++)
		buf_fmt(out, "  %-*s   %s\n", (int)width, (*c)->name, (*c)->summary);
}

void command_help(const struct command *c, const char *path, struct buf *out)
{
	buf_fmt(out, "Usage:  pouch %s%s%s\n\n%s\n", path, c->sub ? " COMMAND" : " ",
		c->sub ? "" : c->usage, c->description ? c->description : c->summary);
	if (c->aliases)
		buf_fmt(out, "\nAliases:\n  %s,%s\n", c->name, c->aliases);
	if (c->sub) {
		buf_str(out, "\nCommands:\n");
		command_list(c->sub, out);
		buf_fmt(out, "\nRun 'pouch %s COMMAND --help' for more information on a command.\n", path);
		return;
	}
	buf_str(out, "\nOptions:\n");
	option_help(c->groups, out);
	if (c->examples)
		buf_fmt(out, "\nExamples:\n%s", c->examples);
}

/* ---- unknown names ---- */

/* Letters to insert, delete, replace or swap to make @b of @a; both short. */
static size_t distance(const char *a, const char *b)
{
	size_t rows[3][32], n = strlen(b);
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	if (n >= 32 || strlen(a) >= 32)
		return 99;
	for (size_t j = 0; j <= n; j++)
		last[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t *free_row = before;

		now[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			best = last[j] + 1 < best ? last[j] + 1 : best;
			best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = free_row;
	}
	return last[n];
}

int command_unknown(const struct command *const *table, const char *path, const char *name,
		    struct err *err)
{
	AUTO(strv_clear) struct strv near = {0};
	auto_free char *names = NULL;

	for (; *table; table++)
		if (distance(name, (*table)->name) <= 2 ||
		    (strlen(name) > 1 && str_starts((*table)->name, name)))
			strv_add(&near, (*table)->name);
	names = strv_join(&near, ", ");
	return err_set(err, ERR_INVALID, "unknown command '%s' for 'pouch%s%s'%s%s; see 'pouch%s%s --help'",
		       name, *path ? " " : "", path, near.n ? "; did you mean: " : "", names,
		       *path ? " " : "", path);
}

/* ---- running ---- */

static int check_args(const struct command *c, const char *path, size_t n, struct err *err)
{
	if ((int)n < c->min_args && c->min_args == c->max_args)
		return err_set(err, ERR_INVALID, "'pouch %s' needs %d argument%s; see 'pouch %s --help'", path,
			       c->min_args, c->min_args == 1 ? "" : "s", path);
	if ((int)n < c->min_args)
		return err_set(err, ERR_INVALID,
			       "'pouch %s' needs at least %d argument%s; see 'pouch %s --help'", path,
			       c->min_args, c->min_args == 1 ? "" : "s", path);
	if (c->max_args >= 0 && (int)n > c->max_args)
		return err_set(err, ERR_INVALID,
			       "'pouch %s' takes at most %d argument%s; see 'pouch %s --help'", path,
			       c->max_args, c->max_args == 1 ? "" : "s", path);
	return 0;
}

/* A status of its own, where others are the container's. */
static int mistake(const struct command *c, const char *path, int rc, struct err *err)
{
	auto_free char *words = xstrdup(err->msg);

	if (str_starts(words, "unknown option"))
		err_set(err, err->kind, "pouch %s: %s; see 'pouch %s --help'", path, words, path);
	else if (!str_starts(words, "'pouch "))
		err_wrap(err, rc, "pouch %s", path);
	if (!c->mistake_status)
		return rc;
	cli_complain(err);
	return c->mistake_status;
}

static int run_leaf(struct cli *cli, const struct command *c, const char *path, int argc, char **argv,
		    struct err *err)
{
	auto_free void *options = xcalloc(1, c->options_size ? c->options_size : 1);
	AUTO(strv_clear) struct strv args = {0};
	const struct option_parse parse = {c->groups, options, c->stop_at_argument};
	int rc;

	rc = option_parse(&parse, argc, argv, &args, err);
	if (rc == OPTION_HELP) {
		AUTO(buf_clear) struct buf help = BUF_INIT;

		command_help(c, path, &help);
		rc = cli_print(help.data, help.len, err);
	} else if (rc < 0) {
		rc = mistake(c, path, rc, err);
	} else {
		rc = check_args(c, path, args.n, err);
		rc = rc < 0 ? mistake(c, path, rc, err) : c->run(cli, options, &args, err);
	}
	option_clear(c->groups, options);
	if (c->clear)
		c->clear(options);
	return rc;
}

static int run_family(struct cli *cli, const struct command *c, const char *path, int argc, char **argv,
		      struct err *err)
{
	const struct command *sub = argc > 1 ? command_find(c->sub, argv[1]) : NULL;
	auto_free char *sub_path = NULL;

	if (argc > 1 && *argv[1] != '-' && !sub)
		return command_unknown(c->sub, path, argv[1], err);
	if (!sub) {
		AUTO(buf_clear) struct buf help = BUF_INIT;

		command_help(c, path, &help);
		return cli_print(help.data, help.len, err);
	}
	sub_path = xfmt("%s %s", path, sub->name);
	return command_run(cli, sub, sub_path, argc - 1, argv + 1, err);
}

int command_run(struct cli *cli, const struct command *c, const char *path, int argc, char **argv,
		struct err *err)
{
	return (c->sub ? run_family : run_leaf)(cli, c, path, argc, argv, err);
}
