/*
 * option - tables of command line options over popt.
 *
 * A command's options are rows that say where in its options struct a value goes and how it is read. Rules are those of
 * pouch and docker: -it joins flags, --opt=value and --opt value, --flag=false; a list option may be repeated, and
 * OPTION_STRINGS also splits at commas (one line of CSV) while OPTION_ARRAY does not.
 */
#ifndef CLI_OPTION_H
#define CLI_OPTION_H

#include "compat/base/json.h"

enum option_type {
	OPTION_BOOL,	/* bool */
	OPTION_OPT_BOOL,/* struct opt_bool */
	OPTION_STRING,	/* char *, owned */
	OPTION_INT,	/* int64_t */
	OPTION_OPT_INT,	/* struct opt_i64 */
	OPTION_UINT16,	/* uint16_t */
	OPTION_BYTES,	/* int64_t; "512m" */
	OPTION_STRINGS,	/* struct strv; commas split */
	OPTION_ARRAY,	/* struct strv */
	OPTION_PAIRS,	/* struct strmap; KEY=VALUE, commas split */
	OPTION_PAIR_ARRAY,	/* struct strmap; KEY=VALUE or KEY */
	OPTION_CALL,	/* .set */
	OPTION_CALL_EACH,	/* .set for each part between commas */
};

struct option {
	const char *name;	/* long, without dashes */
	char letter;		/* 0: none */
	enum option_type type;
	size_t offset;
	const char *help;
	const char *fallback;	/* default as help shows it */
	int64_t min, max;	/* numbers; both 0: any */
	int (*set)(void *options, const char *value, struct err *err);
	const char *value_name;	/* what help calls the value; NULL: by type */
};

/* Rows that belong together, so that commands can share some. */
struct option_group {
	const struct option *v;
	size_t n;
};

#define OPTION_GROUP(rows) { (rows), ARRAY_SIZE(rows) }
/* The same where a pointer is wanted, at file scope. */
#define OPTIONS(rows)	   (&(const struct option_group)OPTION_GROUP(rows))
#define OPTION_MAX_GROUPS  4

struct option_parse {
	const struct option_group *const *groups;	/* ends with NULL */
	void *options;				/* the struct of the offsets */
	bool stop_at_argument;			/* what follows the first argument is not ours */
};

enum { OPTION_HELP = 1 };

/*
 * @argv	argv[0] is the command's name
 * @ret_args	arguments, appended
 *
 * Returns 0, OPTION_HELP (--help or -h was given), or ERR_INVALID.
 */
int option_parse(const struct option_parse *parse, int argc, char **argv, struct strv *ret_args,
		 struct err *err);

/* Frees what the rows' members own (not those of OPTION_CALL). */
void option_clear(const struct option_group *const *groups, void *options);

/* One line for each row, aligned, sorted by name. */
void option_help(const struct option_group *const *groups, struct buf *out);

#endif
