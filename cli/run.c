/*
 * run.c - create and run
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/commands.h"
#include "cli/create_options.h"
#include "cli/pull.h"
#include "cli/terminal.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/api/image.h"

/* ---- creating ---- */

static int post_create(struct cli *cli, const struct create_options *o, const char *path,
		       struct api_container_created *ret, struct err *err)
{
	const struct cli_call call = {
		.method = "POST",
		.path = path,
		.body_table = &api_container_create_table,
		.body = &o->request,
		.ret_table = &api_container_created_table,
		.ret = ret,
	};

	return cli_call(cli, &call, err);
}

/* Also networks and volumes can be what was not found. */
static bool is_missing_image(const struct err *err)
{
	auto_free char *message = err->kind == ERR_NOT_FOUND ? cli_api_message(err->msg) : NULL;

	return message && (str_starts(message, "image") || strstr(message, "o such image"));
}

/* Whether the image is here and of another platform than --platform asks for. */
static bool is_other_platform(struct cli *cli, const struct create_options *o)
{
	auto_free char *name = cli_escape(o->request.config.image);
	auto_free char *path = xfmt("/images/%s/json", name);
	auto_free char *platform = NULL;
	struct api_image image = {0};
	bool other = false;

	if (cli_get(cli, path, &api_image_table, &image, NULL) >= 0) {
		platform = xfmt("%s/%s/%s", image.os, image.architecture, image.variant ? image.variant : "");
		other = strncmp(platform, o->platform, strlen(o->platform)) != 0;
	}
	json_clear(&api_image_table, &image);
	return other;
}

static int create(struct cli *cli, struct create_options *o, struct api_container_created *ret,
		  struct err *err)
{
	const struct pull_options pull = {
		.image = o->request.config.image, .platform = o->platform, .fd = STDERR_FILENO,
	};
	AUTO(buf_clear) struct buf path = BUF_INIT;
	int rc = 0;

	buf_str(&path, "/containers/create");
	if (o->name)
		cli_query(&path, "name", o->name);
	if (o->platform)
		cli_query(&path, "platform", o->platform);
	if (str_eq(o->pull, "always") ||
	    (o->platform && !str_eq(o->pull, "never") && is_other_platform(cli, o)))
		rc = pull_image(cli, &pull, err);
	if (rc < 0)
		return rc;
	rc = post_create(cli, o, path.data, ret, err);
	if (rc >= 0 || !is_missing_image(err) || str_eq(o->pull, "never"))
		return rc;
	*err = ERR_INIT;
	rc = pull_image(cli, &pull, err);
	return rc < 0 ? rc : post_create(cli, o, path.data, ret, err);
}

/* The file must be new: another container's ID in it would be lost. */
static int open_cidfile(const char *path, int *ret_fd, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_CONFLICT, "file '%s' exists: the ID of another container may be in it",
			       path);
	if (fd < 0)
		return err_sys(err, errno, "create '%s'", path);
	*ret_fd = fd;
	return 0;
}

/* Create the container of @args; its warnings and its ID go where they belong. */
static int create_container(struct cli *cli, struct create_options *o, struct api_container_created *ret,
			    struct err *err)
{
	auto_fd int cidfile = -1;
	int rc = o->cidfile ? open_cidfile(o->cidfile, &cidfile, err) : 0;

	if (rc < 0)
		return rc;
	rc = create(cli, o, ret, err);
	if (rc < 0) {
		if (o->cidfile)
			(void)unlink(o->cidfile); /* empty, and ours */
		return rc;
	}
	STRV_EACH(w, &ret->warnings)
		cli_warn(*w);
	if (cidfile >= 0 && (rc = fd_write_all(cidfile, ret->id, strlen(ret->id))) < 0)
		return err_sys(err, -rc, "write '%s'", o->cidfile);
	return 0;
}

static int run_create(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	struct create_options *o = options;
	struct api_container_created created = {0};
	int rc = create_options_finish(o, args, false, err);

	if (!rc)
		rc = create_container(cli, o, &created, err);
	if (!rc)
		rc = cli_printf(err, "%s\n", created.id);
	json_clear(&api_container_created_table, &created);
	return rc < 0 ? err_wrap(err, rc, "failed to create container%s%s", o->name ? " " : "",
				 o->name ? o->name : "") : 0;
}

const struct command command_create = {
	.name = "create",
	.usage = "[OPTIONS] IMAGE [ARG...]",
	.summary = "Create a new container",
	.description = "Create a container from an image, without starting it, and print its ID",
	.groups = { &create_option_group },
	.options_size = sizeof(struct create_options),
	.stop_at_argument = true,
	.min_args = 1,
	.max_args = -1,
	.clear = create_options_clear,
	.run = run_create,
	.examples = "  pouch create --name web -p 8080:80 -v /srv/www:/www:ro busybox httpd -f -h /www\n"
		    "  pouch start web\n",
};

/* ---- running ---- */

/* A container that was to vanish when it ends never started: it vanishes now. */
static void remove_failed(struct cli *cli, const char *id)
{
	auto_free char *path = xfmt("/containers/%s?force=1&v=1", id);
	const struct cli_call call = {.method = "DELETE", .path = path};

	(void)cli_call(cli, &call, NULL); /* pouchd may have removed it; the first error counts */
}

/* The exit status, or -errno; *started tells whether the container ran. */
static int run_attached(struct cli *cli, const struct create_options *o, const char *id, bool *started,
			struct err *err)
{
	AUTO(attachment_clear) struct attachment a = {0};
	const struct attach_options options = {
		.name = id,
		.tty = o->tty,
		.use_stdin = o->interactive,
		.sig_proxy = !o->sig_proxy.set || o->sig_proxy.v,
		.detach_keys = o->detach_keys,
	};
	auto_free char *path = xfmt("/containers/%s/start", id);
	int rc = attach_open(cli, &options, o->rm ? "removed" : "next-exit", &a, err);

	if (!rc)
		rc = session_prepare(&a.session, err);
	if (!rc)
		rc = cli_post(cli, path, err);
	if (rc < 0)
		return rc;
	*started = true;
	return attach_finish(cli, &a, err);
}

static int run_detached(struct cli *cli, const struct create_options *o, const char *id, bool *started,
			struct err *err)
{
	AUTO(container_view_clear) struct container_view view = {0};
	auto_free char *path = xfmt("/containers/%s/start", id);
	int rc = cli_post(cli, path, err);

	if (rc < 0)
		return rc;
	*started = true;
	rc = cli_printf(err, "%s\n", id);
	/* The status so far: that of a container which has already ended, else 0. With --rm it may be gone by now. */
	if (rc < 0 || o->rm || container_view(cli, id, &view, NULL) < 0)
		return rc;
	return view.running ? 0 : (int)view.exit_code & 0xff;
}

static int run_container(struct cli *cli, struct create_options *o, const struct strv *args, int *ret_status,
			 struct err *err)
{
	struct api_container_created created = {0};
	bool started = false;
	uint32_t rows, cols;
	int rc;

	*ret_status = EXIT_DAEMON;
	if (!o->detach && session_check_tty(o->tty, o->interactive, err) < 0) {
		*ret_status = 1;
		return -EINVAL;
	}
	rc = create_options_finish(o, args, !o->detach, err);
	if (rc < 0)
		return rc;
	if (o->tty && terminal_size(STDOUT_FILENO, &rows, &cols))
		o->request.host_config.console_size = xfmt("[%u,%u]", rows, cols);
	rc = create_container(cli, o, &created, err);
	if (!rc)
		rc = (o->detach ? run_detached : run_attached)(cli, o, created.id, &started, err);
	if (rc < 0 && created.id && !started) {
		*ret_status = attach_start_status(err);
		if (o->rm)
			remove_failed(cli, created.id);
	}
	json_clear(&api_container_created_table, &created);
	return rc;
}

static int run_run(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	struct create_options *o = options;
	int status, rc = run_container(cli, o, args, &status, err);

	if (rc >= 0)
		return rc;
	terminal_restore();
	if (status != 1)
		err_wrap(err, rc, "failed to run container%s%s", o->name ? " " : "", o->name ? o->name : "");
	cli_complain(err);
	return status;
}

const struct command command_run_ = {
	.name = "run",
	.usage = "[OPTIONS] IMAGE [ARG...]",
	.summary = "Create and start a new container",
	.mistake_status = EXIT_DAEMON,
	.description = "Create a container from an image, which is pulled when it is not here, start it, and "
		       "stay attached unless -d.\nExits with the container's exit status; 125 when the container "
		       "could not be started, 126 when its\ncommand could not be executed, 127 when there is no "
		       "such command.",
	.groups = { &create_option_group, &run_option_group },
	.options_size = sizeof(struct create_options),
	.stop_at_argument = true,
	.min_args = 1,
	.max_args = -1,
	.clear = create_options_clear,
	.run = run_run,
	.examples = "  pouch run -it --rm busybox sh\n"
		    "  pouch run -d --name web --restart always -p 8080:80 -m 64m busybox httpd -f\n"
		    "  echo hello | pouch run -i --rm busybox cat\n",
};
