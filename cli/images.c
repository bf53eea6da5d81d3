/*
 * images.c - the list of images; image inspect
 */
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/table.h"
#include "compat/base/str.h"
#include "runtime/api/image.h"

enum { SHORT_ID = 12 };

struct images_command {
	bool all, digest, no_trunc, quiet;
	struct strv filters;
	char *format;
};

#define O(member) offsetof(struct images_command, member)
static const struct option images_rows[] = {
	{ "all", 'a', OPTION_BOOL, O(all), "Show images without a name too" },
	{ "digest", 0, OPTION_BOOL, O(digest), "Show digests" },
	{ "filter", 'f', OPTION_STRINGS, O(filters), "Filter (reference=busybox*, before=NAME, since=NAME)" },
	{ "format", 0, OPTION_STRING, O(format), "Print by a Go template, \"table TEMPLATE\", or json" },
	{ "no-trunc", 0, OPTION_BOOL, O(no_trunc), "Show IDs whole" },
	{ "quiet", 'q', OPTION_BOOL, O(quiet), "Show only IDs" },
};
#undef O

typedef VEC(struct api_image_summary) image_vec;

/* "703.14 KB" */
static char *size_text(int64_t bytes)
{
	static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
	double size = (double)bytes;
	size_t unit = 0;

	while (size >= 1024 && unit + 1 < ARRAY_SIZE(units)) {
		size /= 1024;
		unit++;
	}
	return xfmt("%.2f %s", size, units[unit]);
}

/* What the rows of an image are: its names, or one row without a name. */
static size_t count_names(const struct api_image_summary *image)
{
	return image->repo_tags.n ? image->repo_tags.n : 1;
}

static const char *image_name(const struct api_image_summary *image, size_t i)
{
	if (i < image->repo_tags.n)
		return image->repo_tags.v[i];
	return image->repo_digests.n ? image->repo_digests.v[0] : "<none>";
}

static const char *image_digest(const struct api_image_summary *image, size_t i)
{
	const char *name = image_name(image, i), *tag = strrchr(name, ':');
	size_t n = tag ? (size_t)(tag - name) : strlen(name);

	/* That of the same repository, else any. */
	for (size_t k = 0; k < image->repo_digests.n; k++) {
		const char *digest = image->repo_digests.v[k];

		if (strncmp(digest, name, n) == 0 && digest[n] == '@')
			return digest + n + 1;
	}
	for (size_t k = 0; k < image->repo_digests.n; k++)
		if (strchr(image->repo_digests.v[k], '@'))
			return strchr(image->repo_digests.v[k], '@') + 1;
	return "<none>";
}

static void print_table(const image_vec *all, const struct images_command *o, struct buf *out)
{
	AUTO(table_clear) struct table t = {0};

	table_init(&t, o->digest ? "IMAGE ID,IMAGE NAME,DIGEST,SIZE" : "IMAGE ID,IMAGE NAME,SIZE");
	for (size_t i = 0; i < all->n; i++) {
		const struct api_image_summary *image = &all->v[i];
		auto_free char *id = list_short_id(image->id, SHORT_ID, o->no_trunc);
		auto_free char *size = size_text(image->size);

		for (size_t k = 0; k < count_names(image); k++) {
			table_cell(&t, id);
			table_cell(&t, image_name(image, k));
			if (o->digest)
				table_cell(&t, image_digest(image, k));
			table_cell(&t, size);
		}
	}
	table_print(&t, out);
}

static void add_row(struct list *list, const struct api_image_summary *image, size_t k,
		    const struct images_command *o)
{
	auto_free char *id = list_short_id(image->id, SHORT_ID, o->no_trunc);
	auto_free char *name = xstrdup(image_name(image, k)), *ago = list_ago(image->created * 1000000000);
	auto_free char *created = xfmt("%lld", (long long)image->created);
	char *slash = strrchr(name, '/'), *tag = strchr(slash ? slash : name, ':');
	char size[32];

	str_human_size(size, (double)image->size, true);
	list_row(list);
	list_set(list, "ID", id);
	list_set(list, "Name", image_name(image, k));
	list_set(list, "Tag", tag ? tag + 1 : "<none>");
	if (tag)
		*tag = '\0';
	list_set(list, "Repository", name);
	list_set(list, "Digest", image_digest(image, k));
	list_set(list, "CreatedSince", ago);
	list_set(list, "CreatedAt", created);
	list_set(list, "Size", size);
}

static int print_format(const image_vec *all, const struct images_command *o, struct buf *out, struct err *err)
{
	static const char *const titles[] = {
		"ID=IMAGE ID", "Name=IMAGE NAME", "Repository=REPOSITORY", "Tag=TAG", "Digest=DIGEST",
		"CreatedSince=CREATED", "CreatedAt=CREATED AT", "Size=SIZE", NULL,
	};
	AUTO(list_clear) struct list list = {0};

	for (size_t i = 0; i < all->n; i++)
		for (size_t k = 0; k < count_names(&all->v[i]); k++)
			add_row(&list, &all->v[i], k, o);
	return list_format(&list, o->format, titles, out, err);
}

static int print_list(const image_vec *all, const struct images_command *o, struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int rc = 0;

	if (o->quiet) {
		for (size_t i = 0; i < all->n; i++) {
			auto_free char *id = list_short_id(all->v[i].id, SHORT_ID, o->no_trunc);

			buf_fmt(&out, "%s\n", id);
		}
	} else if (o->format) {
		rc = print_format(all, o, &out, err);
	} else {
		print_table(all, o, &out);
	}
	return rc ? rc : cli_print(out.data ? out.data : "", out.len, err);
}

static int run_images(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	struct images_command *o = options;
	AUTO(buf_clear) struct buf path = BUF_INIT;
	image_vec all = {0};
	int rc;

	buf_str(&path, "/images/json");
	if (o->all)
		cli_query(&path, "all", "1");
	if (o->digest)
		cli_query(&path, "digests", "1");
	if (args->n)
		strv_addf(&o->filters, "reference=%s", args->v[0]);
	rc = cli_filters(&o->filters, &path, err);
	if (!rc)
		rc = cli_get_vec(cli, path.data, &api_image_summary_table, &all, err);
	if (rc >= 0)
		rc = print_list(&all, o, err);
	json_clear_vec(&api_image_summary_table, &all);
	return rc < 0 ? err_wrap(err, rc, "failed to list images") : 0;
}

const struct command command_images = {
	.name = "images",
	.usage = "[OPTIONS] [REPOSITORY[:TAG]]",
	.summary = "List images",
	.groups = { OPTIONS(images_rows) },
	.options_size = sizeof(struct images_command),
	.max_args = 1,
	.run = run_images,
};

/* The family: what `pouch images`, `pouch pull` and so on do, under docker's newer names, and inspect. */
static const struct command command_image_list = {
	.name = "ls",
	.aliases = "list",
	.usage = "[OPTIONS] [REPOSITORY[:TAG]]",
	.summary = "List images",
	.groups = { OPTIONS(images_rows) },
	.options_size = sizeof(struct images_command),
	.max_args = 1,
	.run = run_images,
};

static const struct command *const image_commands[] = {
	&command_image_inspect, &command_load, &command_image_list, &command_pull, &command_rmi, &command_save,
	&command_tag, NULL,
};

const struct command command_image = {
	.name = "image",
	.summary = "Manage images",
	.sub = image_commands,
};
