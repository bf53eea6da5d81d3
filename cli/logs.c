/*
 * logs.c - what a container has written
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/demux.h"
#include "compat/base/str.h"
#include "compat/base/time.h"

enum { CHUNK = 256 << 10 };

struct logs_command {
	bool details, follow, timestamps;
	char *since, *until, *tail;
};

#define O(member) offsetof(struct logs_command, member)
static const struct option logs_rows[] = {
	{ "details", 0, OPTION_BOOL, O(details), "Show labels and variables that the log driver noted" },
	{ "follow", 'f', OPTION_BOOL, O(follow), "Go on with what comes" },
	{ "since", 0, OPTION_STRING, O(since), "Only from this time on (2024-01-02T15:04:05Z, 10m, seconds)" },
	{ "tail", 'n', OPTION_STRING, O(tail), "Number of lines from the end", "\"all\"" },
	{ "timestamps", 't', OPTION_BOOL, O(timestamps), "Show when each line was written" },
	{ "until", 0, OPTION_STRING, O(until), "Only up to this time" },
};
#undef O

/* Moments go as seconds with nanoseconds: "10m" means ten minutes before our now, not pouchd's. */
static int add_time(struct buf *path, const char *name, const char *value, struct err *err)
{
	char text[40];
	int64_t ns;
	int rc;

	if (!value)
		return 0;
	rc = time_parse_when(value, time_now_ns(), &ns, err);
	if (rc < 0)
		return err_wrap(err, rc, "invalid argument for --%s", name);
	rc = str_fmt(text, sizeof(text), "%lld.%09lld", (long long)(ns / 1000000000), (long long)(ns % 1000000000));
	if (!rc)
		cli_query(path, name, text);
	return rc;
}

static int build_path(const struct logs_command *o, const char *name, struct buf *path, struct err *err)
{
	auto_free char *escaped = cli_escape(name);
	uint64_t lines;
	int rc;

	if (o->tail && !str_eq(o->tail, "all") && str_u64(o->tail, 10, &lines) < 0)
		return err_set(err, ERR_INVALID, "invalid argument for --tail: '%s' is neither a number nor 'all'",
			       o->tail);
	buf_fmt(path, "/containers/%s/logs?stdout=1&stderr=1", escaped);
	if (o->details)
		cli_query(path, "details", "1");
	if (o->follow)
		cli_query(path, "follow", "1");
	if (o->timestamps)
		cli_query(path, "timestamps", "1");
	if (o->tail)
		cli_query(path, "tail", o->tail);
	rc = add_time(path, "since", o->since, err);
	return rc < 0 ? rc : add_time(path, "until", o->until, err);
}

static int show(struct http *http, bool tty, struct err *err)
{
	auto_free uint8_t *chunk = xcalloc(1, CHUNK);
	struct demux demux;
	ssize_t n;
	int rc = 0;

	demux_init(&demux, tty);
	do {
		n = http_read(http, chunk, CHUNK, err);
		rc = n < 0 ? (int)n : demux_feed(&demux, chunk, (size_t)n, err);
	} while (!rc && n);
	demux_clear(&demux);
	if (rc == -EPIPE) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	return rc;
}

static int logs(struct cli *cli, const struct logs_command *o, const char *name, struct err *err)
{
	AUTO(container_view_clear) struct container_view view = {0};
	AUTO(buf_clear) struct buf path = BUF_INIT;
	struct http_request request = {.method = "GET"};
	struct http_answer answer = {0};
	struct http *http = NULL;
	int rc = build_path(o, name, &path, err);

	if (!rc)
		rc = container_view(cli, name, &view, err);
	if (!rc)
		rc = cli_http(cli, &http, err);
	if (rc < 0)
		return rc;
	request.path = path.data;
	rc = http_send(http, &request, err);
	if (!rc)
		rc = http_receive(http, &answer, err);
	if (rc < 0)
		return rc;
	if (answer.status >= 400)
		return cli_finish(http, answer.status, NULL, err);
	return show(http, view.tty, err);
}

static int run_logs(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	int rc = logs(cli, options, args->v[0], err);

	return rc < 0 ? err_wrap(err, rc, "failed to show the logs of container %s", args->v[0]) : 0;
}

const struct command command_logs = {
	.name = "logs",
	.usage = "[OPTIONS] CONTAINER",
	.summary = "Show what a container has written",
	.groups = { OPTIONS(logs_rows) },
	.options_size = sizeof(struct logs_command),
	.min_args = 1,
	.max_args = 1,
	.run = run_logs,
	.examples = "  pouch logs -f -n 100 web\n  pouch logs --since 10m -t web\n",
};
