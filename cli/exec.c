/*
 * exec.c - run a further process in a container
 */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/api/exec.h"
#include "runtime/api/parse.h"

enum { ENV_FILE_MAX = 4 << 20 };

struct exec_command {
	bool detach, interactive, privileged, tty;
	char *user, *workdir, *detach_keys;
	struct strv env, env_files;
};

#define O(member) offsetof(struct exec_command, member)
static const struct option exec_rows[] = {
	{ "detach", 'd', OPTION_BOOL, O(detach), "Run in the background" },
	{ "detach-keys", 0, OPTION_STRING, O(detach_keys), "Keys that leave the process alone",
	  "\"ctrl-p,ctrl-q\"" },
	{ "env", 'e', OPTION_ARRAY, O(env), "Environment variable (KEY=VALUE, or KEY to take ours)" },
	{ "env-file", 0, OPTION_ARRAY, O(env_files), "File with environment variables" },
	{ "interactive", 'i', OPTION_BOOL, O(interactive), "Keep standard input open" },
	{ "privileged", 0, OPTION_BOOL, O(privileged), "Give the process all powers of the host" },
	{ "tty", 't', OPTION_BOOL, O(tty), "Give it a terminal" },
	{ "user", 'u', OPTION_STRING, O(user), "User, or USER:GROUP" },
	{ "workdir", 'w', OPTION_STRING, O(workdir), "Working directory" },
};
#undef O

static char *console_size(bool tty)
{
	uint32_t rows, cols;

	return tty && terminal_size(STDOUT_FILENO, &rows, &cols) ? xfmt("[%u,%u]", rows, cols) : NULL;
}

static int collect_env(const struct exec_command *o, struct strv *ret, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < o->env_files.n; i++) {
		AUTO(buf_clear) struct buf text = BUF_INIT;
		const char *path = o->env_files.v[i];

		rc = file_read(AT_FDCWD, path, ENV_FILE_MAX, &text, err);
		if (!rc)
			rc = api_parse_env_file(buf_cstr(&text), path, ret, err);
	}
	for (size_t i = 0; !rc && i < o->env.n; i++)
		rc = api_parse_env(o->env.v[i], ret, err);
	return rc;
}

static int create(struct cli *cli, const struct exec_command *o, const struct strv *args, char **ret_id,
		  struct err *err)
{
	auto_free char *name = cli_escape(args->v[0]);
	auto_free char *path = xfmt("/containers/%s/exec", name);
	struct api_exec_create request = {
		.privileged = o->privileged,
		.tty = o->tty,
		.attach_stdin = !o->detach && o->interactive,
		.attach_stdout = !o->detach,
		.attach_stderr = !o->detach,
		.detach = o->detach,
		.user = xstrdup(o->user),
		.working_dir = xstrdup(o->workdir),
		.detach_keys = xstrdup(o->detach_keys),
		.console_size = console_size(o->tty),
	};
	struct api_exec_created created = {0};
	const struct cli_call call = {
		.method = "POST",
		.path = path,
		.body_table = &api_exec_create_table,
		.body = &request,
		.ret_table = &api_exec_created_table,
		.ret = &created,
	};
	int rc = collect_env(o, &request.env, err);

	for (size_t i = 1; i < args->n; i++)
		strv_add(&request.cmd, args->v[i]);
	if (!rc)
		rc = cli_call(cli, &call, err);
	json_clear(&api_exec_create_table, &request);
	if (rc < 0)
		return rc;
	*ret_id = created.id;
	return 0;
}

/* The stream's end and the process's end reach pouchd on different ways: the status may come a moment later. */
static int exit_status(struct cli *cli, const char *id, struct err *err)
{
	auto_free char *path = xfmt("/exec/%s/json", id);

	for (int i = 0; i < 50; i++) {
		const struct timespec pause = {.tv_nsec = 1000000L << (i < 5 ? i : 5)};
		struct api_exec exec = {0};
		int rc = cli_get(cli, path, &api_exec_table, &exec, err);
		int status = (int)exec.exit_code.v & 0xff;
		bool running = exec.running;

		json_clear(&api_exec_table, &exec);
		if (rc < 0 || !running)
			return rc < 0 ? rc : status;
		(void)nanosleep(&pause, NULL);
	}
	return 0;	/* it goes on without its streams */
}

static int start(struct cli *cli, const struct exec_command *o, const char *id, struct err *err)
{
	AUTO(session_clear) struct session session = {.tty = o->tty, .use_stdin = o->interactive};
	AUTO(http_close) struct http *stream = NULL;
	AUTO(buf_clear) struct buf body = BUF_INIT;
	auto_free char *path = xfmt("/exec/%s/start", id);
	struct api_exec_start request = {
		.detach = o->detach, .tty = o->tty, .console_size = console_size(o->tty),
	};
	int rc;

	json_print(&api_exec_start_table, &request, 0, &body);
	if (o->detach) {
		const struct cli_call call = {
			.method = "POST", .path = path, .body_table = &api_exec_start_table, .body = &request,
		};

		rc = cli_call(cli, &call, err);
		json_clear(&api_exec_start_table, &request);
		return rc < 0 ? rc : 0;
	}
	json_clear(&api_exec_start_table, &request);
	rc = attach_keys(o->detach_keys, &session.detach, err);
	if (!rc)
		rc = attach_upgrade(cli, path, &body, &stream, err);
	if (rc < 0)
		return rc;
	session.http = stream;
	session.resize_path = xfmt("/exec/%s/resize", id);
	rc = session_prepare(&session, err);
	if (rc < 0)
		return rc;
	session_resize(cli, &session);
	rc = session_run(cli, &session, err);
	return rc < 0 ? rc : rc == SESSION_DETACHED ? 0 : exit_status(cli, id, err);
}

static int run_exec(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct exec_command *o = options;
	auto_free char *id = NULL;
	int status, rc;

	if (!o->detach && session_check_tty(o->tty, o->interactive, err) < 0)
		return -EINVAL;
	rc = create(cli, o, args, &id, err);
	if (!rc)
		rc = start(cli, o, id, err);
	if (rc >= 0)
		return rc;
	terminal_restore();
	err_wrap(err, rc, "failed to exec in container %s", args->v[0]);
	cli_complain(err);
	/* pouch has one status for both: the command cannot be run. */
	status = id ? attach_start_status(err) : EXIT_DAEMON;
	return status == EXIT_DAEMON ? 1 : EXIT_NOT_EXECUTABLE;
}

const struct command command_exec = {
	.name = "exec",
	.usage = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.summary = "Run a further command in a running container",
	.groups = { OPTIONS(exec_rows) },
	.options_size = sizeof(struct exec_command),
	.stop_at_argument = true,
	.min_args = 2,
	.max_args = -1,
	.run = run_exec,
	.examples = "  pouch exec -it web sh\n  pouch exec -e A=1 -u nobody web env\n",
};
