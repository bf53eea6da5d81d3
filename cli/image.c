/*
 * image.c - images: pull load save tag rmi
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/pull.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"

enum { COPY_CHUNK = 256 << 10 };

/* What follows a request whose answer is a stream of progress messages. */
static int show_answer(struct cli *cli, struct http *http, struct progress *progress, struct err *err)
{
	struct http_answer answer = {0};
	int rc = http_receive(http, &answer, err);

	if (rc < 0)
		return rc;
	if (answer.status >= 400)
		return cli_finish(http, answer.status, NULL, err);
	rc = progress_read(progress, http, err);
	/* After an error within the answer its rest was not read. */
	if (rc < 0)
		http_close(cli_take_http(cli));
	return rc;
}

/* ---- pull ---- */

int pull_image(struct cli *cli, const struct pull_options *o, struct err *err)
{
	AUTO(progress_free) struct progress *progress = progress_new(o->quiet ? -1 : o->fd);
	AUTO(buf_clear) struct buf path = BUF_INIT;
	struct http_request request = {.method = "POST"};
	struct http *http;
	int rc = cli_http(cli, &http, err);

	if (rc < 0)
		return rc;
	buf_str(&path, "/images/create");
	cli_query(&path, "fromImage", o->image);
	if (o->platform)
		cli_query(&path, "platform", o->platform);
	request.path = path.data;
	rc = http_send(http, &request, err);
	return rc < 0 ? rc : show_answer(cli, http, progress, err);
}

struct pull_command {
	char *platform;
	bool quiet;
};

#define O(member) offsetof(struct pull_command, member)
static const struct option pull_rows[] = {
	{ "platform", 0, OPTION_STRING, O(platform), "Platform to take (linux/arm64)" },
	{ "quiet", 'q', OPTION_BOOL, O(quiet), "Print only the name" },
};
#undef O

static int run_pull(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct pull_command *o = options;
	const struct pull_options pull = {
		.image = args->v[0], .platform = o->platform, .quiet = o->quiet, .fd = STDOUT_FILENO,
	};
	int rc = pull_image(cli, &pull, err);

	if (rc < 0)
		return err_wrap(err, rc, "failed to pull image %s", args->v[0]);
	return o->quiet ? cli_printf(err, "%s\n", args->v[0]) : 0;
}

const struct command command_pull = {
	.name = "pull",
	.usage = "[OPTIONS] IMAGE",
	.summary = "Pull an image from a registry",
	.groups = { OPTIONS(pull_rows) },
	.options_size = sizeof(struct pull_command),
	.min_args = 1,
	.max_args = 1,
	.run = run_pull,
	.examples = "  pouch pull busybox\n  pouch pull registry.example.com:5000/team/app:1.2\n",
};

/* ---- load and save ---- */

/* Send the file as a chunked body. pouchd may answer (with an error) before it has read all. */
static int send_file(struct http *http, int fd, const char *name, struct err *err)
{
	auto_free char *chunk = xcalloc(1, COPY_CHUNK);
	int rc = 0;

	for (;;) {
		ssize_t n = read(fd, chunk, COPY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, errno, "read %s", name);
		rc = http_write_chunk(http, chunk, (size_t)n, err);
		if (rc < 0 || !n)
			return rc == -EPIPE || rc == -ECONNRESET ? 0 : rc;
	}
}

static int load_from(struct cli *cli, int fd, const char *file, const char *image, bool quiet,
		     struct err *err)
{
	AUTO(progress_free) struct progress *progress = progress_new(STDOUT_FILENO);
	AUTO(buf_clear) struct buf path = BUF_INIT;
	struct http_request request = {
		.method = "POST", .content_type = "application/x-tar", .chunked = true,
	};
	struct http *http;
	int rc = cli_http(cli, &http, err);

	if (rc < 0)
		return rc;
	buf_str(&path, "/images/load");
	if (image)
		cli_query(&path, "name", image);
	if (quiet)
		cli_query(&path, "quiet", "1");
	request.path = path.data;
	rc = http_send(http, &request, err);
	if (!rc)
		rc = send_file(http, fd, file, err);
	return rc < 0 ? rc : show_answer(cli, http, progress, err);
}

struct load_command {
	char *input;
	bool quiet;
};

#define O(member) offsetof(struct load_command, member)
static const struct option load_rows[] = {
	{ "input", 'i', OPTION_STRING, O(input), "Read this file instead of standard input" },
	{ "quiet", 'q', OPTION_BOOL, O(quiet), "No progress" },
};
#undef O

static int run_load(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct load_command *o = options;
	const char *file = o->input ? o->input : "standard input";
	auto_fd int fd = -1;
	int rc;

	if (o->input && !str_eq(o->input, "-")) {
		fd = open(o->input, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, errno, "failed to load image: open '%s'", o->input);
	} else if (isatty(STDIN_FILENO)) {
		return err_set(err, ERR_INVALID,
			       "failed to load image: name a file by -i, or pipe one into standard input");
	}
	rc = load_from(cli, fd >= 0 ? fd : STDIN_FILENO, file, args->n ? args->v[0] : NULL, o->quiet, err);
	return rc < 0 ? err_wrap(err, rc, "failed to load image") : 0;
}

const struct command command_load = {
	.name = "load",
	.usage = "[OPTIONS] [IMAGE_NAME]",
	.summary = "Load images from a tar archive",
	.description = "Load images from an archive of 'save', docker, podman or skopeo (docker-archive or OCI "
		       "layout;\nplain, gzip or zstd), from a file or standard input",
	.groups = { OPTIONS(load_rows) },
	.options_size = sizeof(struct load_command),
	.max_args = 1,
	.run = run_load,
	.examples = "  pouch load -i busybox.tar\n  docker save busybox | pouch load\n",
};

struct save_command {
	char *output;
};

static const struct option save_rows[] = {
	{ "output", 'o', OPTION_STRING, offsetof(struct save_command, output),
	  "Write this file instead of standard output" },
};

static int copy_body(struct http *http, int fd, const char *name, struct err *err)
{
	auto_free char *chunk = xcalloc(1, COPY_CHUNK);

	for (;;) {
		ssize_t n = http_read(http, chunk, COPY_CHUNK, err);
		int rc;

		if (n <= 0)
			return (int)n;
		rc = fd_write_all(fd, chunk, (size_t)n);
		if (rc < 0)
			return err_sys(err, -rc, "write %s", name);
	}
}

/* Where to write at first, so that @output appears whole or not at all; devices and pipes are written as they are. */
static char *output_file(const char *output)
{
	struct stat st;

	return stat(output, &st) == 0 && !S_ISREG(st.st_mode) ? xstrdup(output) : xfmt("%s.part", output);
}

static int save_images(struct cli *cli, const struct strv *names, const char *output, struct err *err)
{
	auto_free char *partial = output ? output_file(output) : NULL;
	struct http_request request = {.method = "GET"};
	AUTO(buf_clear) struct buf path = BUF_INIT;
	struct http_answer answer;
	struct http *http;
	auto_fd int fd = -1;
	int rc = cli_http(cli, &http, err);

	buf_str(&path, names->n == 1 ? "/images/save" : "/images/get");
	STRV_EACH(name, names)
		cli_query(&path, names->n == 1 ? "name" : "names", *name);
	request.path = path.data;
	if (!rc)
		rc = http_send(http, &request, err);
	if (!rc)
		rc = http_receive(http, &answer, err);
	if (rc)
		return rc;
	if (answer.status >= 400)
		return cli_finish(http, answer.status, NULL, err);
	if (!output)
		return copy_body(http, STDOUT_FILENO, "standard output", err);
	fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, errno, "create '%s'", partial);
	rc = copy_body(http, fd, partial, err);
	if (str_eq(partial, output))
		return rc;
	if (!rc && rename(partial, output) < 0)
		rc = err_sys(err, errno, "rename to '%s'", output);
	if (rc < 0)
		(void)unlink(partial); /* half an archive is of no use */
	return rc;
}

static int run_save(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct save_command *o = options;
	auto_free char *names = strv_join(args, ", ");
	int rc;

	if (!o->output && isatty(STDOUT_FILENO))
		return err_set(err, ERR_INVALID,
			       "failed to save image: name a file by -o, or redirect standard output");
	rc = save_images(cli, args, o->output, err);
	return rc < 0 ? err_wrap(err, rc, "failed to save image %s", names) : 0;
}

const struct command command_save = {
	.name = "save",
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Save images to a tar archive",
	.groups = { OPTIONS(save_rows) },
	.options_size = sizeof(struct save_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_save,
	.examples = "  pouch save -o busybox.tar busybox\n  pouch save busybox | gzip > busybox.tar.gz\n",
};

/* ---- tag and rmi ---- */

static int run_tag(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	auto_free char *source = cli_escape(args->v[0]);
	auto_free char *repo = xstrdup(args->v[1]);
	char *slash = strrchr(repo, '/'), *colon = strchr(slash ? slash : repo, ':');
	AUTO(buf_clear) struct buf path = BUF_INIT;
	int rc;

	if (colon)
		*colon = '\0';
	buf_fmt(&path, "/images/%s/tag", source);
	cli_query(&path, "repo", repo);
	cli_query(&path, "tag", colon ? colon + 1 : "latest");
	rc = cli_post(cli, path.data, err);
	return rc < 0 ? err_wrap(err, rc, "failed to tag image %s", args->v[0]) : 0;
}

const struct command command_tag = {
	.name = "tag",
	.usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
	.summary = "Give an image a further name",
	.min_args = 2,
	.max_args = 2,
	.run = run_tag,
};

struct rmi_command {
	bool force;
};

static const struct option rmi_rows[] = {
	{ "force", 'f', OPTION_BOOL, offsetof(struct rmi_command, force),
	  "Also when stopped containers use it, and all its names" },
};

static int run_rmi(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct rmi_command *o = options;
	const struct cli_many many = {
		.method = "DELETE",
		.path_format = o->force ? "/images/%s?force=1" : "/images/%s",
		.verb = "remove image",
	};

	return cli_each(cli, &many, args, err);
}

const struct command command_rmi = {
	.name = "rmi",
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Remove one or more images",
	.groups = { OPTIONS(rmi_rows) },
	.options_size = sizeof(struct rmi_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_rmi,
};
