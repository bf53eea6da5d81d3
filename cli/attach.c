/*
 * attach.c - see attach.h; and the commands attach and start
 */
#include "cli/attach.h"

#include <stdlib.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "compat/base/str.h"
#include "runtime/api/container.h"
#include "runtime/api/table.h"

enum { WAIT_ANSWER_MAX = 1 << 20 };

/* ---- the view ---- */

struct view_config {
	bool tty, open_stdin;
};

struct view_state {
	bool running, paused;
	int64_t exit_code;
};

struct view {
	char *id;
	struct view_config config;
	struct view_state state;
};

#define S struct view_config
static const struct json_field view_config_fields[] = {
	F(tty, "Tty", JSON_BOOL, 0),
	F(open_stdin, "OpenStdin", JSON_BOOL, 0),
};
static const struct json_table view_config_table = JSON_TABLE("Config", S, view_config_fields);
#undef S

#define S struct view_state
static const struct json_field view_state_fields[] = {
	F(running, "Running", JSON_BOOL, 0),
	F(paused, "Paused", JSON_BOOL, 0),
	F(exit_code, "ExitCode", JSON_I64, 0),
};
static const struct json_table view_state_table = JSON_TABLE("State", S, view_state_fields);
#undef S

#define S struct view
static const struct json_field view_fields[] = {
	F(id, "Id", JSON_STR, 0),
	SUB(config, "Config", JSON_OBJ, 0, &view_config_table),
	SUB(state, "State", JSON_OBJ, 0, &view_state_table),
};
static const struct json_table view_table = JSON_TABLE("container", S, view_fields);
#undef S

int container_view(struct cli *cli, const char *name, struct container_view *ret, struct err *err)
{
	auto_free char *escaped = cli_escape(name);
	auto_free char *path = xfmt("/containers/%s/json", escaped);
	struct view view = {0};
	int rc = cli_get(cli, path, &view_table, &view, err);

	if (rc < 0)
		return rc;
	*ret = (struct container_view){
		.id = view.id,
		.tty = view.config.tty,
		.open_stdin = view.config.open_stdin,
		.running = view.state.running,
		.paused = view.state.paused,
		.exit_code = view.state.exit_code,
	};
	return 0;
}

void container_view_clear(struct container_view *view)
{
	free(view->id);
	*view = (struct container_view){0};
}

/* ---- attaching ---- */

void attachment_clear(struct attachment *a)
{
	session_clear(&a->session);
	http_close(take(a->stream));
	http_close(take(a->wait));
}

int attach_keys(const char *spec, struct api_detach_keys *ret, struct err *err)
{
	return api_parse_detach_keys(str_empty(spec) ? "ctrl-p,ctrl-q" : spec, ret, err);
}

int attach_upgrade(struct cli *cli, const char *path, const struct buf *body, struct http **ret,
		   struct err *err)
{
	const struct http_request request = {
		.method = "POST",
		.path = path,
		.upgrade = true,
		.content_type = body ? "application/json" : NULL,
		.body = body ? body->data : NULL,
		.body_len = body ? body->len : 0,
	};
	struct http_answer answer = {0};
	struct http *http;
	int rc = cli_http(cli, &http, err);

	if (rc < 0)
		return rc;
	rc = http_send(http, &request, err);
	if (!rc)
		rc = http_receive(http, &answer, err);
	if (rc < 0)
		return rc;
	if (!answer.upgraded) {
		rc = cli_finish(http, answer.status, NULL, err);
		return rc < 0 ? rc : err_set(err, ERR_UNAVAILABLE, "pouchd gave no stream (status %d)",
					     answer.status);
	}
	*ret = cli_take_http(cli);
	return 0;
}

static int subscribe(struct cli *cli, const char *escaped, const char *condition, struct http **ret,
		     struct err *err)
{
	auto_free char *path = xfmt("/containers/%s/wait?condition=%s", escaped, condition);
	const struct http_request request = {.method = "POST", .path = path};
	AUTO(http_close) struct http *http = NULL;
	struct http_answer answer;
	int rc = cli_connect(cli, &http, err);

	if (!rc)
		rc = http_send(http, &request, err);
	/* The head of the answer says that the subscription stands. */
	if (!rc)
		rc = http_receive(http, &answer, err);
	if (!rc && answer.status >= 400)
		rc = cli_finish(http, answer.status, NULL, err);
	if (rc < 0)
		return rc;
	*ret = take(http);
	return 0;
}

int attach_open(struct cli *cli, const struct attach_options *o, const char *condition,
		struct attachment *ret, struct err *err)
{
	AUTO(attachment_clear) struct attachment a = {0};
	auto_free char *escaped = cli_escape(o->name);
	AUTO(buf_clear) struct buf path = BUF_INIT;
	int rc = attach_keys(o->detach_keys, &a.session.detach, err);

	if (rc < 0)
		return rc;
	buf_fmt(&path, "/containers/%s/attach?stream=1&stdout=1&stderr=1", escaped);
	if (o->use_stdin)
		cli_query(&path, "stdin", "1");
	if (!str_empty(o->detach_keys))
		cli_query(&path, "detachKeys", o->detach_keys);
	rc = attach_upgrade(cli, path.data, NULL, &a.stream, err);
	if (!rc)
		rc = subscribe(cli, escaped, condition, &a.wait, err);
	if (rc < 0)
		return rc;
	a.session.http = a.stream;
	a.session.tty = o->tty;
	a.session.use_stdin = o->use_stdin;
	a.session.resize_path = xfmt("/containers/%s/resize", escaped);
	a.session.kill_path = o->sig_proxy ? xfmt("/containers/%s/kill", escaped) : NULL;
	*ret = a;
	a = (struct attachment){0};
	return 0;
}

static int exit_status(struct http *http, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct api_wait wait = {0};
	int status, rc = http_read_all(http, WAIT_ANSWER_MAX, &text, err);

	if (!rc)
		rc = json_parse(&api_wait_table, text.data ? text.data : "", text.len, 0, "pouchd's answer",
				&wait, err);
	if (rc < 0)
		return rc;
	status = (int)wait.status_code & 0xff;
	if (wait.error && !str_empty(wait.error->message))
		rc = err_set(err, ERR_INTERNAL, "%s", wait.error->message);
	json_clear(&api_wait_table, &wait);
	return rc < 0 ? rc : status;
}

int attach_finish(struct cli *cli, struct attachment *a, struct err *err)
{
	int rc;

	session_resize(cli, &a->session);
	rc = session_run(cli, &a->session, err);
	if (rc < 0)
		return rc;
	return rc == SESSION_DETACHED ? 0 : exit_status(a->wait, err);
}

int attach_start_status(const struct err *err)
{
	static const struct {
		const char *words;
		int status;
	} known[] = {
		{ "executable file not found", EXIT_NOT_FOUND },
		{ "command not found", EXIT_NOT_FOUND },
		{ "exec: no such file", EXIT_NOT_FOUND },
		{ "no such file or directory", EXIT_NOT_FOUND },
		{ "No such file or directory", EXIT_NOT_FOUND },
		{ "permission denied", EXIT_NOT_EXECUTABLE },
		{ "Permission denied", EXIT_NOT_EXECUTABLE },
		{ "is a directory", EXIT_NOT_EXECUTABLE },
		{ "Is a directory", EXIT_NOT_EXECUTABLE },
		{ "xec format error", EXIT_NOT_EXECUTABLE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strstr(err->msg, known[i].words))
			return known[i].status;
	return EXIT_DAEMON;
}

/* ---- pouch attach ---- */

struct attach_command {
	char *detach_keys;
	bool no_stdin;
	struct opt_bool sig_proxy;
};

#define O(member) offsetof(struct attach_command, member)
static const struct option attach_rows[] = {
	{ "detach-keys", 0, OPTION_STRING, O(detach_keys), "Keys that leave the container alone",
	  "\"ctrl-p,ctrl-q\"" },
	{ "no-stdin", 0, OPTION_BOOL, O(no_stdin), "Do not attach standard input" },
	{ "sig-proxy", 0, OPTION_OPT_BOOL, O(sig_proxy), "Pass signals on to the container", "true" },
};
#undef O

static int attach_to(struct cli *cli, const struct attach_command *o, const char *name, struct err *err)
{
	AUTO(container_view_clear) struct container_view view = {0};
	AUTO(attachment_clear) struct attachment a = {0};
	struct attach_options options = {.name = name, .detach_keys = o->detach_keys};
	int rc = container_view(cli, name, &view, err);

	if (rc < 0)
		return rc;
	if (!view.running)
		return err_set(err, ERR_CONFLICT, "it is not running: start it first");
	if (view.paused)
		return err_set(err, ERR_CONFLICT, "it is paused: unpause it first");
	options.tty = view.tty;
	options.use_stdin = view.open_stdin && !o->no_stdin;
	options.sig_proxy = !o->sig_proxy.set || o->sig_proxy.v;
	rc = session_check_tty(options.tty, options.use_stdin, err);
	if (!rc)
		rc = attach_open(cli, &options, "not-running", &a, err);
	if (!rc)
		rc = session_prepare(&a.session, err);
	return rc < 0 ? rc : attach_finish(cli, &a, err);
}

static int run_attach(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	int rc = attach_to(cli, options, args->v[0], err);

	return rc < 0 ? err_wrap(err, rc, "failed to attach to container %s", args->v[0]) : rc;
}

const struct command command_attach = {
	.name = "attach",
	.usage = "[OPTIONS] CONTAINER",
	.summary = "Attach to a running container",
	.groups = { OPTIONS(attach_rows) },
	.options_size = sizeof(struct attach_command),
	.min_args = 1,
	.max_args = 1,
	.run = run_attach,
};

/* ---- pouch start ---- */

struct start_command {
	bool attach, interactive;
	char *checkpoint, *checkpoint_dir, *detach_keys;
};

#define O(member) offsetof(struct start_command, member)
static const struct option start_rows[] = {
	{ "attach", 'a', OPTION_BOOL, O(attach), "Attach standard output and error" },
	{ "checkpoint", 0, OPTION_STRING, O(checkpoint), "Go on from this checkpoint" },
	{ "checkpoint-dir", 0, OPTION_STRING, O(checkpoint_dir), "Where checkpoints are" },
	{ "detach-keys", 0, OPTION_STRING, O(detach_keys), "Keys that leave the container alone",
	  "\"ctrl-p,ctrl-q\"" },
	{ "interactive", 'i', OPTION_BOOL, O(interactive), "Attach standard input" },
};
#undef O

static void start_query(const struct start_command *o, struct buf *path)
{
	if (o->checkpoint)
		cli_query(path, "checkpoint", o->checkpoint);
	if (o->checkpoint_dir)
		cli_query(path, "checkpoint-dir", o->checkpoint_dir);
	if (o->detach_keys)
		cli_query(path, "detachKeys", o->detach_keys);
}

static int start_attached(struct cli *cli, const struct start_command *o, const char *name, struct err *err)
{
	AUTO(container_view_clear) struct container_view view = {0};
	AUTO(attachment_clear) struct attachment a = {0};
	struct attach_options options = {
		.name = name, .detach_keys = o->detach_keys, .sig_proxy = true,
	};
	auto_free char *escaped = cli_escape(name);
	AUTO(buf_clear) struct buf path = BUF_INIT;
	int rc = container_view(cli, name, &view, err);

	if (rc < 0)
		return rc;
	options.tty = view.tty;
	options.use_stdin = o->interactive && view.open_stdin;
	rc = session_check_tty(options.tty, options.use_stdin, err);
	if (!rc)
		rc = attach_open(cli, &options, view.running ? "not-running" : "next-exit", &a, err);
	if (!rc)
		rc = session_prepare(&a.session, err);
	if (rc < 0)
		return rc;
	buf_fmt(&path, "/containers/%s/start", escaped);
	start_query(o, &path);
	rc = cli_post(cli, path.data, err);
	return rc < 0 ? rc : attach_finish(cli, &a, err);
}

static int run_start(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct start_command *o = options;
	AUTO(buf_clear) struct buf path = BUF_INIT;
	struct cli_many many = {.method = "POST", .verb = "start container"};
	int rc;

	if (o->attach || o->interactive) {
		if (args->n > 1)
			return err_set(err, ERR_INVALID, "cannot start and attach multiple containers at once");
		rc = start_attached(cli, o, args->v[0], err);
		return rc < 0 ? err_wrap(err, rc, "failed to start container %s", args->v[0]) : rc;
	}
	buf_str(&path, "/containers/%s/start");
	start_query(o, &path);
	many.path_format = path.data;
	return cli_each(cli, &many, args, err);
}

const struct command command_start = {
	.name = "start",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Start one or more created or stopped containers",
	.groups = { OPTIONS(start_rows) },
	.options_size = sizeof(struct start_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_start,
	.examples = "  pouch start web\n  pouch start -a -i shell\n",
};
