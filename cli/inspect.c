/*
 * inspect.c - all that is known about objects, as JSON or by a template
 */
#include <json-c/json.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/inspect.h"
#include "cli/list.h"
#include "cli/template.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/api/container.h"
#include "runtime/api/image.h"

enum { MAX_KINDS = 2 };

static int run_template(const struct template *t, const struct json_table *table, const struct buf *text,
			struct buf *out, struct err *err)
{
	struct json_object *tree = NULL;
	int rc = json_tree_parse(buf_cstr(text), text->len, "pouchd's answer", &tree, err);

	if (!rc)
		rc = template_run(t, tree, table, out, err);
	json_tree_put(tree);
	if (!rc)
		buf_char(out, '\n');
	return rc;
}

/* The first kind that knows the name; the error is that of the first. */
static int fetch(struct cli *cli, const struct inspect_kind *kinds, size_t n, const char *name, struct buf *ret,
		 const struct inspect_kind **ret_kind, struct err *err)
{
	auto_free char *escaped = cli_escape(name);
	struct err later = ERR_INIT;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		const char *mark = strstr(kinds[i].path_format, "%s");
		auto_free char *path = xfmt("%.*s%s%s", (int)(mark - kinds[i].path_format), kinds[i].path_format,
					    escaped, mark + 2);
		int found;

		buf_reset(ret);
		found = cli_get_text(cli, path, ret, i ? &later : err);
		if (found >= 0) {
			*ret_kind = &kinds[i];
			*err = ERR_INIT;
			return 0;
		}
		rc = i ? rc : found;
		if (err->kind != ERR_NOT_FOUND)
			break;
	}
	return rc;
}

static void complain(const struct err *failure, bool several)
{
	AUTO(buf_clear) struct buf line = BUF_INIT;

	buf_fmt(&line, "%sError: Fetch object error: %s\n", several ? "\n" : "", failure->msg);
	(void)fd_write_all(STDERR_FILENO, line.data, line.len); /* nobody is left to tell */
}

int inspect_objects(struct cli *cli, const struct inspect_kind *kinds, size_t kind_count, const char *format,
		    const struct strv *names, struct err *err)
{
	auto_free char *text = format ? format_unescape(format) : NULL;
	AUTO(template_free) struct template *t = NULL;
	AUTO(buf_clear) struct buf out = BUF_INIT, plain = BUF_INIT;
	struct err failure = ERR_INIT;
	const char *sep = "";
	int rc = text ? template_parse(str_eq(text, "json") ? "{{json .}}" : text, &t, err) : 0;

	buf_char(&plain, '[');
	for (size_t i = 0; !rc && i < names->n; i++) {
		AUTO(buf_clear) struct buf answer = BUF_INIT;
		const struct inspect_kind *kind = NULL;

		if (fetch(cli, kinds, kind_count, names->v[i], &answer, &kind, &failure) < 0)
			break;
		if (t) {
			rc = run_template(t, kind->table, &answer, &out, err);
		} else {
			buf_fmt(&plain, "%s%s", sep, buf_cstr(&answer));
			sep = ",";
		}
	}
	buf_char(&plain, ']');
	if (!rc && !t) {
		json_indent(plain.data, &out);
		buf_char(&out, '\n');
	}
	if (!rc)
		rc = cli_print(out.data ? out.data : "", out.len, err);
	if (rc || !failure.code)
		return rc;
	complain(&failure, names->n > 1);
	return 1;
}

struct inspect_command {
	char *format, *type;
	bool size;
};

#define O(member) offsetof(struct inspect_command, member)
static const struct option inspect_rows[] = {
	{ "format", 'f', OPTION_STRING, O(format), "Print by a Go template" },
	{ "size", 's', OPTION_BOOL, O(size), "Work out sizes" },
	{ "type", 0, OPTION_STRING, O(type), "Look only for this: container or image" },
};

static const struct option image_inspect_rows[] = {
	{ "format", 'f', OPTION_STRING, O(format), "Print by a Go template" },
};
#undef O

static int run_inspect(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct inspect_command *o = options;
	const struct inspect_kind kinds[MAX_KINDS] = {
		{o->size ? "/containers/%s/json?size=1" : "/containers/%s/json", &api_container_table},
		{"/images/%s/json", &api_image_table},
	};

	if (!o->type)
		return inspect_objects(cli, kinds, MAX_KINDS, o->format, args, err);
	if (!str_eq(o->type, "container") && !str_eq(o->type, "image"))
		return err_set(err, ERR_INVALID, "invalid type '%s': it is none of container, image", o->type);
	return inspect_objects(cli, &kinds[str_eq(o->type, "image")], 1, o->format, args, err);
}

static int run_image_inspect(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	static const struct inspect_kind kind = {"/images/%s/json", &api_image_table};
	const struct inspect_command *o = options;

	return inspect_objects(cli, &kind, 1, o->format, args, err);
}

const struct command command_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Show all that is known about containers (or images)",
	.groups = { OPTIONS(inspect_rows) },
	.options_size = sizeof(struct inspect_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_inspect,
	.examples = "  pouch inspect -f '{{.State.Status}} {{.State.ExitCode}}' web\n"
		    "  pouch inspect -f '{{range .Mounts}}{{.Source}} {{end}}' web\n"
		    "  pouch inspect -f '{{json .HostConfig.PortBindings}}' web\n",
};

const struct command command_image_inspect = {
	.name = "inspect",
	.usage = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Show all that is known about images",
	.groups = { OPTIONS(image_inspect_rows) },
	.options_size = sizeof(struct inspect_command),
	.min_args = 1,
	.max_args = -1,
	.run = run_image_inspect,
};
