/*
 * cmd_exec.c - exec: one more process in a container
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/kernel/caps.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/exec.h"

static struct {
	char *console_socket, *cwd, *user, *process, *pid_file, *process_label, *apparmor;
	char **env, **gids, **caps, **cgroups;
	int tty, detach, no_new_privs, preserve_fds, ignore_paused, no_subreaper;
} o;

static const struct poptOption exec_options[] = {
	{"console-socket", 0, POPT_ARG_STRING, &o.console_socket, 0, "unix socket that gets the terminal's master", "PATH"},
	{"cwd", 0, POPT_ARG_STRING, &o.cwd, 0, "working directory in the container", "DIR"},
	{"env", 'e', POPT_ARG_ARGV, &o.env, 0, "set NAME=VALUE (many)", "NAME=VALUE"},
	{"tty", 't', POPT_ARG_NONE, &o.tty, 0, "allocate a terminal", NULL},
	{"user", 'u', POPT_ARG_STRING, &o.user, 0, "numeric user and group", "UID[:GID]"},
	{"additional-gids", 'g', POPT_ARG_ARGV, &o.gids, 0, "additional groups (many)", "GID"},
	{"process", 'p', POPT_ARG_STRING, &o.process, 0, "process.json, instead of all other options and arguments", "FILE"},
	{"detach", 'd', POPT_ARG_NONE, &o.detach, 0, "leave it running and return", NULL},
	{"pid-file", 0, POPT_ARG_STRING, &o.pid_file, 0, "write the process's pid here", "FILE"},
	{"process-label", 0, POPT_ARG_STRING, &o.process_label, 0, "SELinux label", "LABEL"},
	{"apparmor", 0, POPT_ARG_STRING, &o.apparmor, 0, "AppArmor profile", "PROFILE"},
	{"no-new-privs", 0, POPT_ARG_NONE, &o.no_new_privs, 0, "set no_new_privs", NULL},
	{"cap", 'c', POPT_ARG_ARGV, &o.caps, 0, "add a capability (many)", "CAP_X"},
	{"preserve-fds", 0, POPT_ARG_INT, &o.preserve_fds, 0, "pass this many fds from 3 on", "N"},
	{"cgroup", 0, POPT_ARG_ARGV, &o.cgroups, 0, "a group below the container's", "[CONTROLLER,...:]PATH"},
	{"ignore-paused", 0, POPT_ARG_NONE, &o.ignore_paused, 0, "even in a paused container", NULL},
	{"no-subreaper", 0, POPT_ARG_NONE, &o.no_subreaper, 0, "accepted for runc's sake", NULL},
	POPT_TABLEEND,
};

static int set_user(struct oci_user *u, struct err *err)
{
	AUTO(strv_clear) struct strv parts = {0};

	if (!o.user)
		return 0;
	strv_split(&parts, o.user, ":", true);
	if (parts.n > 2 || str_u32(parts.v[0], 10, &u->uid) || (parts.n == 2 && str_u32(parts.v[1], 10, &u->gid)))
		return err_set(err, ERR_INVALID, "--user: '%s' is not UID[:GID]", o.user);
	return 0;
}

static int set_gids(struct oci_user *u, struct err *err)
{
	for (char **g = o.gids; g && *g; g++) {
		uint32_t gid;

		if (str_u32(*g, 10, &gid))
			return err_set(err, ERR_INVALID, "--additional-gids: '%s' is not a number", *g);
		VEC_PUSH(&u->additional_gids, gid);
	}
	return 0;
}

/* An added capability is in all sets but the ambient one, as with runc. */
static void add_caps(struct oci_process *p)
{
	for (char **c = o.caps; c && *c; c++) {
		int n = cap_parse(*c);

		if (n < 0 || n > cap_last()) {
			auto_free char *text = xfmt("--cap: '%s' is unknown here, and left out", *c);

			cmd_log("warning", text);
			continue;
		}
		if (!p->capabilities)
			p->capabilities = xcalloc(1, sizeof(*p->capabilities));
		p->capabilities->bounding |= CAP_BIT(n);
		p->capabilities->effective |= CAP_BIT(n);
		p->capabilities->permitted |= CAP_BIT(n);
	}
}

/* The last setting of a name counts. */
static void set_env(struct oci_process *p)
{
	for (char **e = o.env; e && *e; e++) {
		size_t n = strcspn(*e, "=") + 1;

		for (size_t i = 0; i < p->env.n; i++)
			if (strncmp(p->env.v[i], *e, n) == 0) {
				free(p->env.v[i]);
				VEC_DEL(&p->env, i);
				i--;
			}
		strv_add(&p->env, *e);
	}
}

static int from_options(struct oci_container *c, int count, const char **args, struct oci_process *p, struct err *err)
{
	int rc;

	if (count < 1)
		return err_set(err, ERR_INVALID, "exec: process args cannot be empty");
	rc = oci_exec_defaults(c, p, err);
	if (rc)
		return rc;
	for (int i = 0; i < count; i++)
		strv_add(&p->args, args[i]);
	p->terminal = o.tty;
	if (o.cwd)
		str_set(&p->cwd, o.cwd);
	if (o.process_label)
		str_set(&p->selinux_label, o.process_label);
	if (o.apparmor)
		str_set(&p->apparmor_profile, o.apparmor);
	if (o.no_new_privs)
		p->no_new_privileges = true;
	set_env(p);
	rc = set_user(&p->user, err);
	if (!rc)
		rc = set_gids(&p->user, err);
	add_caps(p);
	return rc;
}

static int from_file(struct oci_process *p, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = file_read(AT_FDCWD, o.process, OCI_SPEC_MAX_BYTES, &text, err);

	return rc < 0 ? rc : oci_process_parse(buf_cstr(&text), text.len, p, err);
}

static void log_started(const char *id, const struct oci_process *p, const struct oci_exec_started *started)
{
	auto_free char *text = xfmt("container '%s': process %d, by %s: %s", id, (int)started->pid,
				    started->exit_fd < 0 ? "setns" : "its agent", p->args.v[0]);

	cmd_log("debug", text);
}

static int exec(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	AUTO(oci_process_clear) struct oci_process p = {0};
	struct oci_exec how = OCI_EXEC_INIT;
	struct oci_exec_started started = {0};
	int socket = -1, rc = 0;

	if (o.preserve_fds < 0 || o.preserve_fds > 1000)
		return err_set(err, ERR_INVALID, "--preserve-fds: %d is not between 0 and 1000", o.preserve_fds);
	for (int i = 3; i < 3 + o.preserve_fds; i++)
		if (fd_set_cloexec(i, true) < 0)
			return err_set(err, ERR_INVALID, "--preserve-fds: fd %d is not open", i);
	rc = cmd_load(args[0], &c, err);
	if (!rc)
		rc = o.process ? from_file(&p, err) : from_options(c, count - 1, args + 1, &p, err);
	if (!rc && p.terminal && o.detach && !o.console_socket)
		rc = err_set(err, ERR_INVALID,
			     "cannot allocate a terminal without --console-socket when nobody stays to hold it");
	if (!rc)
		rc = cmd_console_socket(o.console_socket, &socket, err);
	if (rc)
		return rc;
	for (int i = 0; i < 3; i++)
		how.stdio[i] = i;
	how.console_socket = socket;
	how.cgroups = (const char *const *)o.cgroups;
	how.pid_file = o.pid_file;
	how.preserve_fds = o.preserve_fds;
	how.ignore_paused = o.ignore_paused;
	if (!o.detach)
		cmd_block_signals();
	rc = oci_exec(c, &p, &how, &started, err);
	if (rc)
		return rc;
	log_started(args[0], &p, &started);
	return o.detach ? 0 : cmd_wait(&started);
}

const struct cmd cmds_exec[] = {
	{"exec", "CONTAINER COMMAND [ARGUMENT...]", "run a command in a running container", exec_options, 1, -1, true, true, exec},
	{0},
};
