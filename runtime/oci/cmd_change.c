/*
 * cmd_change.c - kill, delete, pause, resume
 */
#include <signal.h>

#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/container.h"

static int all, force;

static const struct poptOption kill_options[] = {
	{"all", 'a', POPT_ARG_NONE, &all, 0, "signal every process of the container", NULL},
	POPT_TABLEEND,
};
static const struct poptOption delete_options[] = {
	{"force", 'f', POPT_ARG_NONE, &force, 0, "kill it first; a container that is not there is no error", NULL},
	POPT_TABLEEND,
};

static int kill_it(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	int sig = count > 1 ? signal_parse(args[1]) : SIGTERM;
	int rc;

	/* kill(2): sends nothing, and says whether it could. */
	if (count > 1 && str_eq(args[1], "0"))
		sig = 0;
	if (sig < 0)
		return err_set(err, ERR_INVALID, "unknown signal \"%s\"", args[1]);
	rc = cmd_load(args[0], &c, err);
	return rc ? rc : oci_kill(c, sig, all, err);
}

static int delete(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	int rc = cmd_load(args[0], &c, err);

	if (rc && force && err->kind == ERR_NOT_FOUND) {
		err_clear(err);
		return oci_delete_unfinished(cmd_globals.root, args[0], err);
	}
	if (!rc)
		rc = oci_delete(c, force, err);
	if (!rc && err->msg[0])
		cmd_log("warning", err->msg);
	return rc;
}

static int pause_it(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	int rc = cmd_load(args[0], &c, err);

	return rc ? rc : oci_pause(c, err);
}

static int resume(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	int rc = cmd_load(args[0], &c, err);

	return rc ? rc : oci_resume(c, err);
}

const struct cmd cmds_change[] = {
	{"kill", "CONTAINER [SIGNAL]", "send a signal (default SIGTERM)", kill_options, 1, 2, false, false, kill_it},
	{"delete", "CONTAINER", "remove a stopped container", delete_options, 1, 1, false, false, delete},
	{"pause", "CONTAINER", "freeze all processes", NULL, 1, 1, false, false, pause_it},
	{"resume", "CONTAINER", "let frozen processes go on", NULL, 1, 1, false, false, resume},
	{0},
};
