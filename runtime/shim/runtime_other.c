/*
 * runtime_other - containers made by another OCI runtime's program (runc, crun, kata, runsc)
 *
 * The program ends when the container exists; its child, the container's first process, then falls to the nearest subreaper: us.
 * Without a subreaper nobody would learn the exit status, so the runtime is refused there.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/feature.h"
#include "runtime/oci/spec.h"
#include "runtime/shim/keeper.h"

#define RUNTIME_LOG_MAX (1 << 20)

struct other {
	struct cgroup *group;
	bool made;	/* the runtime may know of the container */
};

/* ---- running the program ----------------------------------------------------------------------------------------------- */

static char *in_dir(const struct keeper *k, const char *name)
{
	return path_join(k->dir, name);
}

/* The runtime's last error from its JSON log; NULL when it says nothing. Owned. */
static char *last_message(const char *log_path)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err ignored = ERR_INIT;	/* then there is no message */
	char *line, *next, *found = NULL;

	if (file_read(AT_FDCWD, log_path, RUNTIME_LOG_MAX, &text, &ignored) < 0)
		return NULL;
	for (line = text.data; line && *line; line = next) {
		struct json_object *tree = NULL;
		char *end = strchr(line, '\n');

		next = end ? end + 1 : NULL;
		if (json_tree_parse(line, end ? (size_t)(end - line) : strlen(line), "log", &tree, &ignored) < 0)
			continue;
		if (str_eq(json_tree_str(tree, "level"), "error"))
			str_set(&found, json_tree_str(tree, "msg"));
		json_tree_put(tree);
	}
	return found;
}

/* Global arguments and the command's name; the caller adds the rest. */
static void begin(struct keeper *k, struct strv *argv, const char *command)
{
	strv_add(argv, k->options.runtime);
	strv_add_all(argv, &k->options.runtime_args);
	if (!str_empty(k->options.runtime_root)) {
		strv_add(argv, "--root");
		strv_add(argv, k->options.runtime_root);
	}
	strv_add(argv, "--log");
	strv_take(argv, in_dir(k, "runtime.log"));
	strv_add(argv, "--log-format");
	strv_add(argv, "json");
	strv_add(argv, command);
}

static int run(struct keeper *k, struct strv *argv, const char *command, const struct io_ends *ends, struct err *err)
{
	auto_free char *log_path = in_dir(k, "runtime.log");
	auto_free char *message = NULL;
	struct proc_spawn spawn = {.path = k->options.runtime, .argv = strv_argv(argv)};
	struct proc_fd fds[3];
	int status, rc;
	pid_t pid;

	for (int i = 0; ends && i < 3; i++)
		if (ends->fd[i] >= 0)
			fds[spawn.fd_count++] = (struct proc_fd){ends->fd[i], i};
	spawn.fds = fds;
	(void)unlink(log_path);	/* only this call's messages */
	rc = proc_spawn(&spawn, &pid, err);
	if (rc < 0)
		return rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, errno, "wait for '%s %s'", k->options.runtime, command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	message = last_message(log_path);
	return err_set(err, ERR_INTERNAL, "%s %s: %s", path_base(k->options.runtime), command,
		       message ? message : "failed without a message");
}

/* "runtime COMMAND ID" with at most one option and its value. */
static int run_simple(struct keeper *k, const char *command, const char *option, const char *value, struct err *err)
{
	AUTO(strv_clear) struct strv argv = {0};

	begin(k, &argv, command);
	if (option)
		strv_add(&argv, option);
	if (value)
		strv_add(&argv, value);
	strv_add(&argv, k->options.id);
	return run(k, &argv, command, NULL, err);
}

static int read_pid(const char *path, pid_t *ret, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	uint32_t pid;
	int rc = file_read(AT_FDCWD, path, 64, &text, err);

	if (rc < 0)
		return rc;
	while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
		text.data[--text.len] = '\0';
	if (str_u32(buf_cstr(&text), 10, &pid) < 0 || !pid || pid > INT32_MAX)
		return err_set(err, ERR_INTERNAL, "runtime wrote no pid to '%s'", path);
	(void)unlink(path);	/* read once */
	*ret = (pid_t)pid;
	return 0;
}

/* The runtime has connected and sent the terminal's master before it ended. */
static int receive_console(int listener, int *ret, struct err *err)
{
	auto_fd int sock = -1;
	size_t count = 1;
	char name[256];
	ssize_t n;

	(void)fd_set_nonblock(listener, true);	/* a socket: cannot fail */
	sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (sock < 0)
		return err_sys(err, errno, "runtime sent no terminal");
	n = fd_recv(sock, name, sizeof(name), ret, &count);
	if (n < 0 || count != 1)
		return err_set(err, ERR_INTERNAL, "runtime sent no terminal");
	return 0;
}

/* create and exec: what both have in common is the pid file and the console. */
static int run_process(struct keeper *k, struct strv *argv, const char *command, bool tty, const struct io_ends *ends,
		       pid_t *ret_pid, int *ret_console, struct err *err)
{
	auto_free char *pid_path = in_dir(k, "runtime.pid");
	auto_free char *console_path = in_dir(k, "console.sock");
	auto_fd int listener = -1;
	int rc = 0;

	*ret_console = -1;
	strv_add(argv, "--pid-file");
	strv_add(argv, pid_path);
	if (tty) {
		strv_add(argv, "--console-socket");
		strv_add(argv, console_path);
		rc = unix_listen(console_path, 0600, &listener, err);
	}
	if (rc == 0) {
		strv_add(argv, k->options.id);
		rc = run(k, argv, command, tty ? NULL : ends, err);
	}
	if (rc == 0)
		rc = read_pid(pid_path, ret_pid, err);
	if (rc == 0 && tty)
		rc = receive_console(listener, ret_console, err);
	if (tty)
		(void)unlink(console_path);	/* may be absent */
	return rc;
}

/* ---- the operations ---------------------------------------------------------------------------------------------------- */

static int create(struct keeper *k, const struct io_ends *ends, pid_t *ret_pid, int *ret_console, struct err *err)
{
	AUTO(strv_clear) struct strv argv = {0};
	struct err ignored = ERR_INIT;	/* the group is for OOM notice and kill --all only */
	struct other *o;

	if (!feature_works(FEATURE_SUBREAPER))
		return err_set(err, ERR_UNSUPPORTED,
			       "runtime '%s' needs a child subreaper to keep exit statuses, which this kernel lacks (%s); "
			       "use the default runtime",
			       k->options.runtime, feature_reason(FEATURE_SUBREAPER));
	o = xcalloc(1, sizeof(*o));
	k->runtime_state = o;
	begin(k, &argv, "create");
	strv_add(&argv, "--bundle");
	strv_add(&argv, k->options.bundle);
	if (k->options.no_pivot)
		strv_add(&argv, "--no-pivot");
	if (k->options.no_new_keyring)
		strv_add(&argv, "--no-new-keyring");
	o->made = true;
	if (!str_empty(k->options.cgroup))
		(void)cgroup_open(k->options.cgroup, &o->group, &ignored);
	return run_process(k, &argv, "create", k->options.tty, ends, ret_pid, ret_console, err);
}

static int start(struct keeper *k, struct err *err)
{
	return run_simple(k, "start", NULL, NULL, err);
}

static int send_signal(struct keeper *k, int sig, bool all, struct err *err)
{
	struct other *o = k->runtime_state;

	if (all && o->group && cgroup_exists(o->group))
		return cgroup_kill(o->group, sig, err);
	/* Our child, not yet waited for. */
	if (k->pid && kill(k->pid, sig) < 0)
		return err_sys(err, errno, "signal container");
	return 0;
}

static int set_paused(struct keeper *k, bool pause, struct err *err)
{
	return run_simple(k, pause ? "pause" : "resume", NULL, NULL, err);
}

static int update(struct keeper *k, const char *json, size_t len, struct err *err)
{
	auto_free char *path = in_dir(k, "resources.json");
	int rc = file_write(AT_FDCWD, path, json, len, 0600, err);

	if (rc == 0)
		rc = run_simple(k, "update", "--resources", path, err);
	(void)unlink(path);	/* ours */
	return rc;
}

static int write_process(const char *path, const struct shim_exec *request, struct err *err)
{
	AUTO(oci_process_clear) struct oci_process process = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = oci_process_parse(request->process, strlen(request->process), &process, err);

	if (rc < 0)
		return rc;
	process.terminal = request->tty;
	json_print(&oci_process_table, &process, 0, &text);
	return file_write(AT_FDCWD, path, text.data, text.len, 0600, err);
}

static int exec(struct keeper *k, const struct shim_exec *request, const struct io_ends *ends,
		struct oci_exec_started *ret, struct err *err)
{
	struct oci_exec_started started = {.console = -1, .exit_fd = -1};
	AUTO(strv_clear) struct strv argv = {0};
	auto_free char *path = in_dir(k, "process.json");
	int rc = write_process(path, request, err);

	if (rc < 0)
		return rc;
	begin(k, &argv, "exec");
	strv_add(&argv, "--detach");
	strv_add(&argv, "--process");
	strv_add(&argv, path);
	if (request->tty)
		strv_add(&argv, "--tty");
	rc = run_process(k, &argv, "exec", request->tty, ends, &started.pid, &started.console, err);
	(void)unlink(path);	/* ours */
	if (rc == 0)
		*ret = started;
	return rc;
}

static struct cgroup *group(struct keeper *k)
{
	struct other *o = k->runtime_state;

	return o && o->group && cgroup_exists(o->group) ? o->group : NULL;
}

static void free_state(struct keeper *k)
{
	struct other *o = k->runtime_state;

	if (o)
		cgroup_close(o->group);
	free(o);
	k->runtime_state = NULL;
}

static int remove_container(struct keeper *k, struct err *err)
{
	struct other *o = k->runtime_state;
	int rc = 0;

	if (!o)
		return 0;
	if (o->made)
		rc = run_simple(k, "delete", "--force", NULL, err);
	free_state(k);
	return rc;
}

const struct runtime_ops runtime_other = {
	.name = "other",
	.create = create,
	.start = start,
	.kill = send_signal,
	.pause = set_paused,
	.update = update,
	.exec = exec,
	.cgroup = group,
	.remove = remove_container,
};
