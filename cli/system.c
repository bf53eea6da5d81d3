/*
 * system.c - the host and the programs: info, version, compat
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/list.h"
#include "cli/template.h"
#include "cli/terminal.h"
#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/base/version.h"
#include "compat/kernel/capability.h"
#include "compat/kernel/report.h"
#include "runtime/api/system.h"

struct format_command {
	char *format;
};

static const struct option format_rows[] = {
	{ "format", 'f', OPTION_STRING, offsetof(struct format_command, format),
	  "Print by a Go template, or json" },
};

/* Apply a template to an answer of the daemon. */
static int print_by_format(const char *format, const char *text, const struct json_table *table, struct err *err)
{
	auto_free char *plain = format_unescape(str_eq(format, "json") ? "{{json .}}" : format);
	AUTO(template_free) struct template *t = NULL;
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct json_object *tree = NULL;
	int rc = template_parse(plain, &t, err);

	if (!rc)
		rc = json_tree_parse(text, strlen(text), "pouchd's answer", &tree, err);
	if (!rc)
		rc = template_run(t, tree, table, &out, err);
	json_tree_put(tree);
	buf_char(&out, '\n');
	return rc ? rc : cli_print(out.data, out.len, err);
}

static void line(struct buf *out, const char *name, const char *value)
{
	if (!str_empty(value))
		buf_fmt(out, "%-16s %s\n", name, value);
}

/* ---- version ---- */

static void print_client(struct buf *out)
{
	struct utsname host;

	buf_str(out, "Client:\n");
	line(out, " Version:", version_string());
	line(out, " API version:", API_VERSION);
	line(out, " Git commit:", version_commit());
	line(out, " Built:", version_build_time());
	if (uname(&host) == 0)
		buf_fmt(out, "%-16s linux/%s\n", " OS/Arch:", host.machine);
}

static void print_server(const struct api_version *v, struct buf *out)
{
	buf_str(out, "\nServer:\n");
	line(out, " Version:", v->version);
	line(out, " API version:", v->api_version);
	line(out, " Git commit:", v->git_commit);
	line(out, " Built:", v->build_time);
	buf_fmt(out, "%-16s %s/%s\n", " OS/Arch:", v->os ? v->os : "", v->arch ? v->arch : "");
	line(out, " Kernel:", v->kernel_version);
}

static int run_version(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct format_command *o = options;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct api_version version = {0};
	int printed, rc = cli_get_text(cli, "/version", &text, err);

	if (o->format)
		return rc < 0 ? rc : print_by_format(o->format, text.data, &api_version_table, err);
	if (rc >= 0)
		rc = json_parse(&api_version_table, text.data, text.len, 0, "pouchd's answer", &version, err);
	print_client(&out);
	if (rc >= 0)
		print_server(&version, &out);
	json_clear(&api_version_table, &version);
	printed = cli_print(out.data, out.len, rc < 0 ? NULL : err);
	return rc < 0 ? rc : printed;
}

const struct command command_version = {
	.name = "version",
	.usage = "[OPTIONS]",
	.summary = "Show the versions of this program and of the daemon",
	.groups = { OPTIONS(format_rows) },
	.options_size = sizeof(struct format_command),
	.max_args = 0,
	.run = run_version,
};

/* ---- info ---- */

static void number(struct buf *out, const char *name, int64_t value)
{
	buf_fmt(out, "%s %lld\n", name, (long long)value);
}

static void text_line(struct buf *out, const char *name, const char *value)
{
	if (!str_empty(value))
		buf_fmt(out, "%s %s\n", name, value);
}

static void words(struct buf *out, const char *name, const struct strv *values)
{
	auto_free char *all = strv_join(values, " ");

	text_line(out, name, all);
}

/* [["name", "value"], ...] as indented lines. */
static void print_status(const char *raw, struct buf *out)
{
	struct json_object *pairs = NULL;

	if (str_empty(raw) || json_tree_parse(raw, strlen(raw), "DriverStatus", &pairs, NULL) < 0)
		return;
	for (size_t i = 0; json_object_is_type(pairs, json_type_array) && i < json_object_array_length(pairs); i++) {
		struct json_object *pair = json_object_array_get_idx(pairs, i);

		if (json_object_is_type(pair, json_type_array) && json_object_array_length(pair) == 2)
			buf_fmt(out, " %s: %s\n", json_object_get_string(json_object_array_get_idx(pair, 0)),
				json_object_get_string(json_object_array_get_idx(pair, 1)));
	}
	json_tree_put(pairs);
}

static void print_info(const struct api_info *i, struct buf *out)
{
	char memory[32];

	number(out, "Containers:", i->containers);
	number(out, " Running:", i->containers_running);
	number(out, " Paused:", i->containers_paused);
	number(out, " Stopped:", i->containers_stopped);
	number(out, "Images:", i->images);
	text_line(out, "ID:", i->id);
	text_line(out, "Name:", i->name);
	text_line(out, "Server Version:", i->server_version);
	text_line(out, "Storage Driver:", i->driver);
	print_status(i->driver_status, out);
	text_line(out, "Logging Driver:", i->logging_driver);
	words(out, "Volume Drivers:", &i->volume_drivers);
	text_line(out, "Cgroup Driver:", i->cgroup_driver);
	text_line(out, "Cgroup Version:", i->cgroup_version);
	text_line(out, "Default Runtime:", i->default_runtime);
	buf_str(out, "Runtimes:");
	for (size_t k = 0; k < i->runtimes.n; k++)
		buf_fmt(out, " %s", i->runtimes.v[k].name);
	buf_char(out, '\n');
	words(out, "Security Options:", &i->security_options);
	text_line(out, "Kernel Version:", i->kernel_version);
	text_line(out, "Operating System:", i->operating_system);
	text_line(out, "OSType:", i->os_type);
	text_line(out, "Architecture:", i->architecture);
	text_line(out, "HTTP Proxy:", i->http_proxy);
	text_line(out, "HTTPS Proxy:", i->https_proxy);
	text_line(out, "Default Registry:", i->default_registry);
	words(out, "Insecure Registries:", &i->registry_config.insecure_registry_cidrs);
	words(out, "Registry Mirrors:", &i->registry_config.mirrors);
	number(out, "CPUs:", i->ncpu);
	str_human_size(memory, (double)i->mem_total, false);
	text_line(out, "Total Memory:", memory);
	text_line(out, "Pouch Root Dir:", i->pouch_root_dir);
	words(out, "Listen Addresses:", &i->listen_addresses);
	words(out, "Labels:", &i->labels);
	text_line(out, "Live Restore Enabled:", i->live_restore_enabled ? "true" : "false");
	text_line(out, "LxcfsEnabled:", i->lxcfs_enabled ? "true" : "false");
	text_line(out, "CriEnabled:", i->cri_enabled ? "true" : "false");
	text_line(out, "Debug Mode:", i->debug ? "true" : "false");
}

static int run_info(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct format_command *o = options;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct api_info info = {0};
	int rc = cli_get_text(cli, "/info", &text, err);

	if (rc < 0)
		return err_wrap(err, rc, "failed to get system info");
	if (o->format)
		return print_by_format(o->format, text.data, &api_info_table, err);
	rc = json_parse(&api_info_table, text.data, text.len, 0, "pouchd's answer", &info, err);
	if (rc < 0)
		return rc;
	print_info(&info, &out);
	rc = cli_print(out.data, out.len, err);
	STRV_EACH(w, &info.warnings)
		cli_warn(*w);
	json_clear(&api_info_table, &info);
	return rc;
}

const struct command command_info = {
	.name = "info",
	.usage = "[OPTIONS]",
	.summary = "Show what is known about the daemon and its host",
	.groups = { OPTIONS(format_rows) },
	.options_size = sizeof(struct format_command),
	.max_args = 0,
	.run = run_info,
};

/* ---- compat ---- */

struct compat_command {
	char *format;
	bool all;
};

#define O(member) offsetof(struct compat_command, member)
static const struct option compat_rows[] = {
	{ "all", 'a', OPTION_BOOL, O(all), "Show every feature that was probed too" },
	{ "format", 'f', OPTION_STRING, O(format), "table, json, or a Go template", "\"table\"" },
};
#undef O

/* From the daemon; without one this program looks itself. */
static int get_report(struct cli *cli, struct compat_report *ret, struct err *refused, struct err *err)
{
	int rc = cli_get(cli, "/compat", &compat_report_table, ret, refused);

	if (rc >= 0)
		return 0;
	rc = compat_init(&(const struct compat_options){.no_cache = true}, err);
	if (rc < 0)
		return rc;
	compat_report_get(ret);
	return 0;
}

static int print_report(const struct compat_report *report, const struct compat_command *o, struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	uint32_t rows, columns = 0;

	if (o->format && !str_eq(o->format, "table")) {
		json_print(&compat_report_table, report, str_eq(o->format, "json") ? JSON_PRINT_PRETTY : 0, &out);
		if (!str_eq(o->format, "json"))
			return print_by_format(o->format, out.data, &compat_report_table, err);
		buf_char(&out, '\n');
		return cli_print(out.data, out.len, err);
	}
	(void)terminal_size(STDOUT_FILENO, &rows, &columns);
	compat_report_print(report, o->all, (int)columns, &out);
	return cli_print(out.data, out.len, err);
}

static int run_compat(struct cli *cli, void *options, struct strv *args, struct err *err)
{
	const struct compat_command *o = options;
	struct compat_report report = {0};
	struct err refused = ERR_INIT;
	int rc = get_report(cli, &report, &refused, err);

	if (rc < 0)
		return err_wrap(err, rc, "failed to probe this host");
	if (refused.code) {
		auto_free char *note = xfmt("%s.\nSo this program has probed the host itself:\n", refused.msg);

		(void)fd_write_all(STDERR_FILENO, note, strlen(note)); /* a remark, no more */
	}
	rc = print_report(&report, o, err);
	json_clear(&compat_report_table, &report);
	return rc;
}

const struct command command_compat = {
	.name = "compat",
	.usage = "[OPTIONS]",
	.summary = "Show what this kernel gives, and what stands in for the rest",
	.description = "Show for each capability that the engine needs which way was chosen, why, and what is lost by "
		       "it.\nAsks the daemon; without one, this program probes the host itself.",
	.groups = { OPTIONS(compat_rows) },
	.options_size = sizeof(struct compat_command),
	.max_args = 0,
	.run = run_compat,
	.examples = "  pouch compat\n  pouch compat --format json\n"
		    "  pouch compat -f '{{range .Capabilities}}{{.Name}}: {{.Backend}}{{println}}{{end}}'\n",
};
