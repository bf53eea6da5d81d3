/*
 * main.c - pouch-oci: options, choice of the command, the log
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/json.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/base/version.h"
#include "compat/kernel/capability.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/container.h"
#include "runtime/oci/spec.h"

struct cmd_globals cmd_globals;

static int want_version, want_help;
static char *rootless, *cgroup_manager;

#define OPT(name, key, type, var, text, arg) {name, key, type, var, 0, text, arg}
static const struct poptOption global_options[] = {
	OPT("root", 0, POPT_ARG_STRING, &cmd_globals.root, "directory of the containers' states (default " OCI_DEFAULT_ROOT ")", "DIR"),
	OPT("log", 0, POPT_ARG_STRING, &cmd_globals.log, "append errors to this file", "FILE"),
	OPT("log-format", 0, POPT_ARG_STRING, &cmd_globals.log_format, "text or json", "FORMAT"),
	OPT("debug", 0, POPT_ARG_NONE, &cmd_globals.debug, "log what is done", NULL),
	OPT("systemd-cgroup", 0, POPT_ARG_NONE, &cmd_globals.systemd_cgroup, "let systemd manage the control groups", NULL),
	OPT("cgroup-manager", 0, POPT_ARG_STRING, &cgroup_manager, "cgroupfs, or systemd as --systemd-cgroup; for crun's sake", "NAME"),
	OPT("rootless", 0, POPT_ARG_STRING, &rootless, "true, false or auto; accepted for runc's sake", "WHEN"),
	OPT("criu", 0, POPT_ARG_STRING, &cmd_globals.criu, "path of criu, for checkpoint and restore", "PATH"),
	OPT("version", 'v', POPT_ARG_NONE, &want_version, "print the version", NULL),
	OPT("help", 'h', POPT_ARG_NONE, &want_help, "print this help", NULL),
	POPT_TABLEEND,
};

static const struct cmd *const groups[] = {
	cmds_run, cmds_exec, cmds_change, cmds_update, cmds_query, cmds_events, cmds_spec, cmds_criu,
};

static const struct cmd *find_command(const char *name)
{
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (const struct cmd *c = groups[g]; c->name; c++)
			if (str_eq(c->name, name))
				return c;
	return NULL;
}

/* ---- log ----------------------------------------------------------------------------------------------------------------- */

void cmd_log(const char *level, const char *message)
{
	AUTO(buf_clear) struct buf line = BUF_INIT;
	char now[TIME_RFC3339_SIZE];
	auto_fd int fd = -1;

	if (str_eq(level, "debug") && !cmd_globals.debug)
		return;
	time_rfc3339(now, time_now_ns());
	if (cmd_globals.log) {
		buf_str(&line, str_eq(cmd_globals.log_format, "json") ? "{\"level\":\"" : "time=\"");
		if (str_eq(cmd_globals.log_format, "json")) {
			buf_fmt(&line, "%s\",\"msg\":", level);
			json_print_str(&line, message, strlen(message));
			buf_fmt(&line, ",\"time\":\"%s\"}\n", now);
		} else {
			buf_fmt(&line, "%s\" level=%s msg=", now, level);
			json_print_str(&line, message, strlen(message));
			buf_char(&line, '\n');
		}
		fd = open(cmd_globals.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
		if (fd >= 0)
			(void)!write(fd, line.data, line.len);
	}
	/* Standard error may be the container's: with a log only what ends us goes there. */
	if (!cmd_globals.log || str_eq(level, "error"))
		dprintf(2, "pouch-oci: %s%s%s\n", str_eq(level, "error") ? "" : level, str_eq(level, "error") ? "" : ": ", message);
}

/* ---- help ---------------------------------------------------------------------------------------------------------------- */

static void print_options(const struct poptOption *options)
{
	for (; options && (options->longName || options->shortName); options++) {
		char name[80];

		snprintf(name, sizeof(name), "%s%c%s--%s%s%s", options->shortName ? "-" : " ",
			 options->shortName ? options->shortName : ' ', options->shortName ? ", " : "  ",
			 options->longName, options->argDescrip ? " " : "",
			 options->argDescrip ? options->argDescrip : "");
		printf("  %-34s %s\n", name, options->descrip);
	}
}

static void print_help(void)
{
	printf("pouch-oci - run containers as the OCI runtime specification says\n\n"
	       "usage: pouch-oci [OPTION...] COMMAND [ARGUMENT...]\n\ncommands:\n");
	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (const struct cmd *c = groups[g]; c->name; c++)
			printf("  %-12s %s\n", c->name, c->summary);
	printf("\noptions:\n");
	print_options(global_options);
	printf("\n'pouch-oci COMMAND --help' says more about a command.\n");
}

static void print_command_help(const struct cmd *c)
{
	printf("usage: pouch-oci %s [OPTION...]%s%s\n\n%s\n", c->name, *c->arguments ? " " : "", c->arguments, c->summary);
	if (c->options && (c->options->longName || c->options->shortName)) {
		printf("\noptions:\n");
		print_options(c->options);
	}
}

static void print_version(void)
{
	printf("pouch-oci version %s\ncommit: %s\nspec: %s\n", version_string(), version_commit(), OCI_VERSION);
}

/* ---- parsing ------------------------------------------------------------------------------------------------------------- */

static int parse(poptContext context, struct err *err)
{
	int rc;

	while ((rc = poptGetNextOpt(context)) > 0)
		;
	if (rc < -1)
		return err_set(err, ERR_INVALID, "%s: %s", poptBadOption(context, 0), poptStrerror(rc));
	return 0;
}

static int check_globals(struct err *err)
{
	const char *f = cmd_globals.log_format;
	struct stat st;
	bool ignored;

	if (f && !str_eq(f, "text") && !str_eq(f, "json"))
		return err_set(err, ERR_INVALID, "unknown log-format \"%s\"", f);
	if (rootless && !str_eq(rootless, "auto") && str_bool(rootless, &ignored))
		return err_set(err, ERR_INVALID, "--rootless: '%s' is none of true, false, auto", rootless);
	if (cgroup_manager && !str_eq(cgroup_manager, "cgroupfs") && !str_eq(cgroup_manager, "systemd"))
		return err_set(err, ERR_INVALID, "--cgroup-manager: '%s' is neither cgroupfs nor systemd", cgroup_manager);
	if (str_eq(cgroup_manager, "systemd"))
		cmd_globals.systemd_cgroup = true;
	/* sd_booted(3) */
	if (cmd_globals.systemd_cgroup && lstat("/run/systemd/system", &st) < 0)
		return err_set(err, ERR_UNSUPPORTED, "--systemd-cgroup: this host does not run systemd");
	if (cmd_globals.systemd_cgroup)
		return err_set(err, ERR_UNSUPPORTED,
			       "--systemd-cgroup: control groups by way of systemd are not supported; leave the option out");
	return 0;
}

static void free_context(poptContext *context)
{
	poptFreeContext(*context);
}

static int run_command(const struct cmd *c, int argc, const char **argv, struct err *err)
{
	static const struct poptOption none[] = {POPT_TABLEEND};
	static int help;
	const struct poptOption table[] = {
		{NULL, 0, POPT_ARG_INCLUDE_TABLE, (void *)(c->options ? c->options : none), 0, NULL, NULL},
		{"help", 'h', POPT_ARG_NONE, &help, 0, NULL, NULL},
		POPT_TABLEEND,
	};
	__attribute__((cleanup(free_context))) poptContext context =
		poptGetContext(NULL, argc, argv, table, c->arguments_end_options ? POPT_CONTEXT_POSIXMEHARDER : 0);
	const char **args;
	static const char *no_args[] = {NULL};
	int count = 0, rc = parse(context, err);

	if (rc)
		return err_wrap(err, rc, "%s", c->name);
	if (help) {
		print_command_help(c);
		return 0;
	}
	args = poptGetArgs(context);
	if (!args)
		args = no_args;
	while (args[count])
		count++;
	if (count < c->min_args || (c->max_args >= 0 && count > c->max_args))
		return err_set(err, ERR_INVALID, "%s: needs %s%s; usage: pouch-oci %s [OPTION...] %s", c->name,
			       c->min_args == c->max_args ? "exactly " : count < c->min_args ? "at least " : "at most ",
			       c->min_args == c->max_args && c->min_args == 1 ? "one argument"
			       : count < c->min_args			     ? "one argument more"
									     : "one argument less",
			       c->name, c->arguments);
	return c->run(count, args, err);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	__attribute__((cleanup(free_context))) poptContext context =
		poptGetContext("pouch-oci", argc, (const char **)argv, global_options, POPT_CONTEXT_POSIXMEHARDER);
	const struct cmd *c = NULL;
	const char **args;
	int count = 0, rc = parse(context, &err);

	if (!rc)
		rc = check_globals(&err);
	args = poptGetArgs(context);
	while (args && args[count])
		count++;
	if (!rc && want_version) {
		print_version();
		return 0;
	}
	if (!rc && (want_help || !count || str_eq(args[0], "help"))) {
		print_help();
		return 0;
	}
	if (!rc) {
		c = find_command(args[0]);
		if (!c)
			rc = err_set(&err, ERR_INVALID, "unknown command '%s'; 'pouch-oci --help' lists them", args[0]);
	}
	/* What compat.xml hides or forces holds here too. */
	if (!rc)
		rc = compat_begin(NULL, &err);
	if (!rc && c->protect)
		rc = oci_protect_self(argv, &err);
	if (!rc)
		rc = run_command(c, count, args, &err);
	if (rc < 0) {
		cmd_log("error", err.msg);
		/* As runc: what exec itself says must not look like a word of the program's. */
		return c && str_eq(c->name, "exec") ? 255 : 1;
	}
	return rc;
}
