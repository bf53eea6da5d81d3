/*
 * command - the table of commands: finding one, its help, what to say about a name that nobody knows.
 *
 * A command is a row: its name, how it is used, its options and the function that runs it. One file for each noun defines
 * its rows; table.c lists them. A row with .sub is a family ("pouch image inspect").
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/option.h"
#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"

struct cli;

struct command {
	const char *name;
	const char *aliases;		/* "ls,l"; NULL: none */
	const char *usage;		/* what follows the name: "[OPTIONS] CONTAINER" */
	const char *summary;		/* one line */
	const char *description;	/* more, for --help; NULL: the summary */
	const char *examples;		/* lines; NULL: none */
	const struct option_group *groups[OPTION_MAX_GROUPS + 1];
	size_t options_size;		/* of the struct which the groups' offsets mean; zeroed before */
	bool stop_at_argument;		/* options behind the first argument belong to the container */
	int min_args, max_args;		/* max -1: any number */
	int mistake_status;		/* exit status for options and arguments that are wrong; 0: as other failures */
	void (*clear)(void *options);	/* what option_clear() does not know; NULL: nothing */

	/* The exit status, or -errno with the words in @err, which main() prints. */
	int (*run)(struct cli *cli, void *options, struct strv *args, struct err *err);

	const struct command *const *sub;	/* ends with NULL */
};

/* All commands, ends with NULL. */
extern const struct command *const commands[];

/* By name or alias; NULL. */
const struct command *command_find(const struct command *const *table, const char *name);

/*
 * Parse the options of argv[0]'s command @c and run it. @path is its whole name ("image inspect"). Returns as .run does.
 */
int command_run(struct cli *cli, const struct command *c, const char *path, int argc, char **argv,
		struct err *err);

/* Usage, description, options, examples. @path is the whole name. */
void command_help(const struct command *c, const char *path, struct buf *out);
/* The list of a table's commands. */
void command_list(const struct command *const *table, struct buf *out);
/* ERR_INVALID: unknown command, with the nearest names. */
int command_unknown(const struct command *const *table, const char *path, const char *name,
		    struct err *err);

#endif
