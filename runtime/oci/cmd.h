/*
 * cmd - the commands of pouch-oci.
 */
#ifndef RUNTIME_OCI_CMD_H
#define RUNTIME_OCI_CMD_H

#include <popt.h>
#include <stdbool.h>

#include "compat/base/err.h"
#include "runtime/oci/exec.h"

struct cmd_globals {
	char *root, *log, *log_format, *criu;
	int debug, systemd_cgroup;
};

extern struct cmd_globals cmd_globals;

struct cmd {
	const char *name;
	const char *arguments;		/* "CONTAINER [SIGNAL]" */
	const char *summary;
	const struct poptOption *options;
	int min_args, max_args;		/* of arguments; max -1: any number */
	bool arguments_end_options;	/* what follows the first argument is not ours */
	bool protect;			/* creates or joins containers: oci_protect_self() first */
	/* Returns the exit code or -errno with @err filled in. @args is NULL-terminated. */
	int (*run)(int count, const char **args, struct err *err);
};

/* NULL-terminated lists, one for each file. */
extern const struct cmd cmds_run[], cmds_exec[], cmds_change[], cmds_update[], cmds_query[], cmds_events[], cmds_spec[],
	cmds_criu[];

/* To standard error and the file of --log. */
void cmd_log(const char *level, const char *message);

/* An open container, by name; the root is that of --root. */
struct oci_container;
int cmd_load(const char *id, struct oci_container **ret, struct err *err);

/* fds 3 and following which systemd's LISTEN_FDS names; 0 when it is not meant for us. */
int cmd_listen_fds(void);

/* Connect to --console-socket; *ret stays -1 when @path is NULL. */
int cmd_console_socket(const char *path, int *ret, struct err *err);

/* ---- a container in the foreground --------------------------------------------------------------------------------------- */

/*
 * Block signals before the process is made, so that none is lost; cmd_wait() forwards them.
 */
void cmd_block_signals(void);
/*
 * Wait for the process: signals go to it, with a console the terminal is copied (ours in raw mode), other children that come to us are
 * reaped. Takes the descriptors. Returns the exit code.
 */
int cmd_wait(struct oci_exec_started *process);
/* The same for the first process of a container, our child. */
int cmd_wait_first(int pid, int console);

#endif
