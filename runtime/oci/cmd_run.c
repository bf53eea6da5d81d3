/*
 * cmd_run.c - create, run, start
 */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/container.h"
#include "runtime/oci/spec.h"

#ifndef PR_SET_CHILD_SUBREAPER
#define PR_SET_CHILD_SUBREAPER 36
#endif

static struct {
	char *bundle, *config, *console_socket, *pid_file;
	int no_pivot, no_new_keyring, preserve_fds;
	int detach, keep, no_subreaper;
} o;

#define CREATE_OPTIONS                                                                                                   \
	{"bundle", 'b', POPT_ARG_STRING, &o.bundle, 0, "the bundle (default: the current directory)", "DIR"},            \
	{"config", 0, POPT_ARG_STRING, &o.config, 0, "its file, relative to the bundle (default: config.json)", "FILE"},  \
	{"console-socket", 0, POPT_ARG_STRING, &o.console_socket, 0, "unix socket that gets the terminal's master", "PATH"}, \
	{"pid-file", 0, POPT_ARG_STRING, &o.pid_file, 0, "write the first process's pid here", "FILE"},                  \
	{"no-pivot", 0, POPT_ARG_NONE, &o.no_pivot, 0, "do not use pivot_root", NULL},                                   \
	{"no-new-keyring", 0, POPT_ARG_NONE, &o.no_new_keyring, 0, "keep the session keyring", NULL},                    \
	{"preserve-fds", 0, POPT_ARG_INT, &o.preserve_fds, 0, "pass this many fds from 3 on", "N"}

static const struct poptOption create_options[] = {CREATE_OPTIONS, POPT_TABLEEND};
static const struct poptOption run_options[] = {
	CREATE_OPTIONS,
	{"detach", 'd', POPT_ARG_NONE, &o.detach, 0, "leave it running and return", NULL},
	{"keep", 0, POPT_ARG_NONE, &o.keep, 0, "do not delete it after its end", NULL},
	{"no-subreaper", 0, POPT_ARG_NONE, &o.no_subreaper, 0, "do not take in orphans of the container", NULL},
	POPT_TABLEEND,
};
static const struct poptOption start_options[] = {POPT_TABLEEND};

int cmd_load(const char *id, struct oci_container **ret, struct err *err)
{
	return oci_load(cmd_globals.root, id, ret, err);
}

int cmd_console_socket(const char *path, int *ret, struct err *err)
{
	int rc;

	if (!path)
		return 0;
	rc = unix_connect(path, ret, err);
	return rc ? err_wrap(err, rc, "--console-socket") : 0;
}

int cmd_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint32_t n;

	if (!fds || str_u32(fds, 10, &n) || n > 1000)
		return 0;
	/* containerd and podman pass LISTEN_FDS without a pid. */
	if (pid && strtol(pid, NULL, 10) != getpid())
		return 0;
	return (int)n;
}

static int fill(struct oci_create *c, const char *id, int *console_socket, struct err *err)
{
	if (o.preserve_fds < 0 || o.preserve_fds > 1000)
		return err_set(err, ERR_INVALID, "--preserve-fds: %d is not between 0 and 1000", o.preserve_fds);
	*c = (struct oci_create){
		.id = id, .bundle = o.bundle, .root = cmd_globals.root, .stdio = {0, 1, 2}, .console_socket = -1,
		.pid_file = o.pid_file, .no_pivot = o.no_pivot, .no_new_keyring = o.no_new_keyring,
		.preserve_fds = o.preserve_fds, .listen_fds = cmd_listen_fds(), .config = o.config, .note = cmd_log,
	};
	if (c->listen_fds)
		c->preserve_fds += c->listen_fds;
	c->console_socket = *console_socket;
	return 0;
}

/* --preserve-fds must be looked at before we open anything ourselves. */
static int prepare(struct oci_create *c, const char *id, int *socket, struct err *err)
{
	int rc = fill(c, id, socket, err);

	for (int i = 3; !rc && i < 3 + c->preserve_fds; i++)
		if (fd_set_cloexec(i, true) < 0)
			rc = err_set(err, ERR_INVALID, "--preserve-fds: fd %d is not open", i);
	if (!rc)
		rc = cmd_console_socket(o.console_socket, socket, err);
	c->console_socket = *socket;
	return rc;
}

static int create(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	auto_fd int socket = -1;
	struct oci_create what;
	int rc = prepare(&what, args[0], &socket, err);

	what.start_by_other = what.no_console = true;
	return rc ? rc : oci_create(&what, &c, err);
}

static void warn(const struct err *err)
{
	if (err->msg[0])
		cmd_log("warning", err->msg);
}

static int start(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	int rc = cmd_load(args[0], &c, err);

	if (!rc)
		rc = oci_start(c, err);
	if (!rc)
		warn(err);
	return rc;
}

static int run(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	auto_fd int socket = -1;
	struct oci_create what;
	int code = 0, rc = prepare(&what, args[0], &socket, err);

	if (rc)
		return rc;
	if (!o.detach) {
		cmd_block_signals();
		if (!o.no_subreaper)
			(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* orphans then stay init's, as on old kernels */
	}
	what.start = true;
	what.no_console = o.detach;
	rc = oci_create(&what, &c, err);
	if (rc)
		return rc;
	warn(err);
	if (o.detach)
		return 0;
	code = cmd_wait_first(oci_container_pid(c), oci_container_console(c));
	if (!o.keep) {
		err_clear(err);
		rc = oci_delete(c, true, err);
		if (rc)
			return rc;
		warn(err);
	}
	return code;
}

const struct cmd cmds_run[] = {
	{"create", "CONTAINER", "make a container; 'start' runs it", create_options, 1, 1, false, true, create},
	{"start", "CONTAINER", "run what 'create' made", start_options, 1, 1, false, false, start},
	{"run", "CONTAINER", "create, start, wait and delete", run_options, 1, 1, false, true, run},
	{0},
};
