/*
 * options - what pouchd is told: command line and configuration file.
 */
#include "runtime/daemon/options.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <popt.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/fd.h"
#include "compat/base/json.h"
#include "compat/base/path.h"
#include "compat/base/str.h"

#define CONFIG_MAX (1 << 20)

enum option_type { OPT_STR, OPT_STRV, OPT_BOOL, OPT_INT, OPT_REFUSED };

enum option_when {
	AT_START,	/* command line or file */
	LIVE,		/* and a change in the file is taken over by a reload */
	LINE_ONLY,	/* command line alone */
};

struct option {
	const char *name;
	char letter;
	enum option_type type;
	size_t offset;
	const char *dflt;	/* NULL: "", 0, false, empty */
	const char *help;	/* OPT_REFUSED: why; its values that are fine are in dflt */
	enum option_when when;
};

#define AT(member) offsetof(struct daemon_options, member)

static const struct option options[] = {
	{"home-dir", 0, OPT_STR, AT(home), "/var/lib/pouch", "Directory of all that lasts"},
	{"exec-root-dir", 0, OPT_STR, AT(exec_root), "/var/run/pouch", "Directory of what a reboot clears"},
	{"pidfile", 0, OPT_STR, AT(pidfile), "/var/run/pouch.pid", "Where to write the process id; \"\" for nowhere"},
	{"config-file", 0, OPT_STR, AT(config_file), "/etc/pouch/config.json", "Configuration file", LINE_ONLY},
	{"listen", 'l', OPT_STRV, AT(listen), NULL, "Address to serve: unix:///path or tcp://host:port (default unix:///var/run/pouchd.sock)"},
	{"tlscacert", 0, OPT_STR, AT(tls_ca), NULL, "CA certificates that clients' certificates are checked by"},
	{"tlscert", 0, OPT_STR, AT(tls_cert), NULL, "Certificate of the tcp addresses; switches TLS on"},
	{"tlskey", 0, OPT_STR, AT(tls_key), NULL, "Key of the certificate"},
	{"tlsverify", 0, OPT_BOOL, AT(tls_verify), NULL, "Refuse clients without a certificate of --tlscacert"},
	{"manager-whitelist", 0, OPT_STRV, AT(manager_whitelist), NULL, "Common names of client certificates that may connect"},
	{"bridge-name", 0, OPT_STR, AT(bridge_name), NULL, "Name of the default bridge (default p0)"},
	{"bip", 0, OPT_STR, AT(bip), NULL, "Address of the default bridge, with prefix length"},
	{"fixed-cidr", 0, OPT_STR, AT(fixed_cidr), NULL, "Part of the bridge's subnet for containers"},
	{"default-gateway", 0, OPT_STR, AT(default_gateway), NULL, "Gateway of containers on the default bridge"},
	{"enable-ipv6", 0, OPT_BOOL, AT(enable_ipv6), NULL, "IPv6 on the default bridge; needs --fixed-cidr-v6"},
	{"fixed-cidr-v6", 0, OPT_STR, AT(fixed_cidr6), NULL, "IPv6 subnet of the default bridge"},
	{"default-gateway-v6", 0, OPT_STR, AT(default_gateway6), NULL, "IPv6 gateway of containers on the default bridge"},
	{"disable-bridge", 0, OPT_BOOL, AT(disable_bridge), NULL, "Make no default bridge"},
	{"iptables", 0, OPT_BOOL, AT(iptables), "true", "Make NAT and filter rules"},
	{"ipforward", 0, OPT_BOOL, AT(ip_forward), "true", "Switch IP forwarding on"},
	{"userland-proxy", 0, OPT_BOOL, AT(userland_proxy), NULL, "Serve published ports by a process also where NAT does it"},
	{"mtu", 0, OPT_INT, AT(mtu), "1500", "MTU of containers' interfaces"},
	{"cgroup-parent", 0, OPT_STR, AT(cgroup_parent), "default", "Control group above the containers'"},
	{"default-runtime", 0, OPT_STR, AT(default_runtime), "runc", "OCI runtime of containers that name none; runc is the built-in one"},
	{"add-runtime", 0, OPT_STRV, AT(runtimes), NULL, "One more OCI runtime: NAME=PATH"},
	{"log-driver", 0, OPT_STR, AT(log_driver), "json-file", "Log driver of containers that name none"},
	{"log-opt", 0, OPT_STRV, AT(log_opts), NULL, "Option of that driver: KEY=VALUE"},
	{"snapshotter", 0, OPT_STR, AT(snapshotter), NULL, "Storage driver: overlayfs, aufs, btrfs, devmapper, fuse, copy (default: the best that works)"},
	{"storage-driver", 0, OPT_STR, AT(snapshotter), NULL, "The same as --snapshotter"},
	{"storage-opt", 0, OPT_STRV, AT(storage_opts), NULL, "Option of that driver: KEY=VALUE"},
	{"default-registry", 0, OPT_STR, AT(default_registry), "registry.hub.docker.com", "Registry of image names without one"},
	{"default-registry-namespace", 0, OPT_STR, AT(default_registry_namespace), "library", "Namespace of image names without one"},
	{"insecure-registries", 0, OPT_STRV, AT(insecure_registries), NULL, "Registries to speak HTTP or unverified TLS with", LIVE},
	{"image-proxy", 0, OPT_STR, AT(image_proxy), NULL, "Proxy for pulling images", LIVE},
	{"label", 0, OPT_STRV, AT(labels), NULL, "Label of this daemon: KEY=VALUE", LIVE},
	{"oom-score-adj", 0, OPT_INT, AT(oom_score_adj), "-500", "OOM score adjustment of this daemon"},
	{"debug", 'D', OPT_BOOL, AT(debug), NULL, "Write debugging messages too", LIVE},
	{"supervise", 0, OPT_STR, AT(supervise), NULL, "Stay beside pouchd and start it again when it ends; pids are written to this file", LINE_ONLY},
	{"validate", 0, OPT_BOOL, AT(validate), NULL, "Check options, configuration file and compat.xml, print the places, and end", LINE_ONLY},
	{"version", 'v', OPT_BOOL, AT(version), NULL, "Print the version and end", LINE_ONLY},

	{"allow-multi-snapshotter", 0, OPT_REFUSED, 0, "false", "one storage driver serves all containers"},
	{"containerd", 'c', OPT_REFUSED, 0, "/var/run/containerd.sock", "pouchd needs no containerd: its containers run under pouch-shim"},
	{"containerd-path", 0, OPT_REFUSED, 0, "", "pouchd needs no containerd: its containers run under pouch-shim"},
	{"default-namespace", 0, OPT_REFUSED, 0, "default", "a namespace of containerd, which pouchd does not use"},
	{"enable-cri", 0, OPT_REFUSED, 0, "false", "the CRI service is not part of this build"},
	{"listen-cri", 0, OPT_REFUSED, 0, "unix:///var/run/pouchcri.sock", "the CRI service is not part of this build"},
	{"cri-version", 0, OPT_REFUSED, 0, "v1alpha2", "the CRI service is not part of this build"},
	{"cri-stats-collect-period", 0, OPT_REFUSED, 0, "10", "the CRI service is not part of this build"},
	{"disable-cri-stats-collect", 0, OPT_REFUSED, 0, "true", "the CRI service is not part of this build"},
	{"sandbox-image", 0, OPT_REFUSED, 0, "registry.cn-hangzhou.aliyuncs.com/google-containers/pause-amd64:3.0", "the CRI service is not part of this build"},
	{"stream-server-port", 0, OPT_REFUSED, 0, "10010", "the CRI service is not part of this build"},
	{"stream-server-reuse-port", 0, OPT_REFUSED, 0, "false", "the CRI service is not part of this build"},
	{"cni-bin-dir", 0, OPT_REFUSED, 0, "/opt/cni/bin", "the CRI service, which uses CNI, is not part of this build"},
	{"cni-conf-dir", 0, OPT_REFUSED, 0, "/etc/cni/net.d", "the CRI service, which uses CNI, is not part of this build"},
	{"enable-lxcfs", 0, OPT_REFUSED, 0, "false", "resource view in /proc (lxcfs) is not part of this build"},
	{"lxcfs", 0, OPT_REFUSED, 0, "/usr/local/bin/lxcfs", "resource view in /proc (lxcfs) is not part of this build"},
	{"lxcfs-home", 0, OPT_REFUSED, 0, "/var/lib/lxcfs", "resource view in /proc (lxcfs) is not part of this build"},
	{"quota-driver", 0, OPT_REFUSED, 0, "", "disk quota of a directory is not part of this build"},
	{"enable-profiler", 0, OPT_REFUSED, 0, "false", "the profiler is not part of this build"},
	{"volume-driver-alias", 0, OPT_REFUSED, 0, "", "volume drivers other than local are not part of this build"},
};

static const struct option *option_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (!strcmp(options[i].name, name))
			return &options[i];
	}
	return NULL;
}

/* Give @o the value that the user wrote. Lists are appended to. */
static int option_set(const struct option *t, const char *value, struct daemon_options *o,
		      struct err *err)
{
	void *member = (char *)o + t->offset;
	int64_t number;

	switch (t->type) {
	case OPT_STR:
		str_set(member, *value ? value : NULL);
		return 0;
	case OPT_STRV:
		strv_split(member, value, ",", false);
		return 0;
	case OPT_BOOL:
		if (str_bool(value, member) < 0)
			return err_set(err, ERR_INVALID, "'%.40s' is neither true nor false", value);
		return 0;
	case OPT_INT:
		if (str_i64(value, 10, &number) < 0 || number < INT32_MIN || number > INT32_MAX)
			return err_set(err, ERR_INVALID, "'%.40s' is not a number", value);
		*(int *)member = (int)number;
		return 0;
	case OPT_REFUSED:
		if (str_eq(value, t->dflt))
			return 0;
		return err_set(err, ERR_UNSUPPORTED, "%s", t->help);
	}
	return -EINVAL;
}

/* ---- command line ------------------------------------------------------------------------------------------------------------ */

/* "--iptables=false" and "--iptables" are both fine, as Go's flags are. popt wants to know beforehand whether a value follows. */
static char *bool_value(const char *arg, const struct option **ret)
{
	const char *eq = strchr(arg, '=');
	auto_free char *name = NULL;

	if (!str_starts(arg, "--") || !eq)
		return NULL;
	name = xstrndup(arg + 2, (size_t)(eq - arg - 2));
	*ret = option_find(name);
	if (!*ret || ((*ret)->type != OPT_BOOL &&
		      ((*ret)->type != OPT_REFUSED || (strcmp((*ret)->dflt, "true") && strcmp((*ret)->dflt, "false")))))
		return NULL;
	return xstrdup(eq + 1);
}

static bool is_flag(const struct option *t)
{
	return t->type == OPT_BOOL ||
	       (t->type == OPT_REFUSED && (!strcmp(t->dflt, "true") || !strcmp(t->dflt, "false")));
}

static void popt_table(struct poptOption *table)
{
	size_t n = 0;

	for (; n < ARRAY_SIZE(options); n++) {
		const struct option *t = &options[n];

		table[n] = (struct poptOption){
			.longName = t->name,
			.shortName = t->letter,
			.argInfo = (unsigned int)(is_flag(t) ? POPT_ARG_NONE : POPT_ARG_STRING) |
				   (t->type == OPT_REFUSED ? POPT_ARGFLAG_DOC_HIDDEN : 0u),
			.val = (int)n + 1,
			.descrip = t->help,
			.argDescrip = is_flag(t) ? NULL : "VALUE",
		};
	}
	table[n++] = (struct poptOption){.argInfo = POPT_ARG_INCLUDE_TABLE, .arg = poptHelpOptions, .descrip = "Help options:"};
	table[n] = (struct poptOption)POPT_TABLEEND;
}

static int given(const struct option *t, const char *value, struct daemon_options *o, struct err *err)
{
	int rc = option_set(t, value, o, err);

	if (rc < 0)
		return err_wrap(err, rc, "option --%s", t->name);
	if (!strv_has(&o->given, t->name))
		strv_add(&o->given, t->name);
	return 0;
}

static int read_command_line(int argc, const char **argv, struct daemon_options *o, struct err *err)
{
	struct poptOption table[ARRAY_SIZE(options) + 2];
	AUTO(strv_clear) struct strv rest = {0};
	poptContext context;
	int rc = 0, n;

	for (int i = 0; i < argc; i++) {
		const struct option *t = NULL;
		auto_free char *value = i ? bool_value(argv[i], &t) : NULL;

		if (value)
			rc = given(t, value, o, err);
		else
			strv_add(&rest, argv[i]);
		if (rc < 0)
			return rc;
	}

	popt_table(table);
	context = poptGetContext("pouchd", (int)rest.n, (const char **)strv_argv(&rest), table, 0);
	while (rc >= 0 && (n = poptGetNextOpt(context)) > 0) {
		char *value = poptGetOptArg(context);

		rc = given(&options[n - 1], value ? value : "true", o, err);
		free(value);
	}
	if (rc >= 0 && n < -1)
		rc = err_set(err, ERR_INVALID, "%s: %s", poptBadOption(context, 0), poptStrerror(n));
	else if (rc >= 0 && poptPeekArg(context))
		rc = err_set(err, ERR_INVALID, "pouchd takes no argument: '%s'", poptPeekArg(context));
	poptFreeContext(context);
	return rc;
}

/* ---- file -------------------------------------------------------------------------------------------------------------------- */

static int set_from_json(const struct option *t, struct json_object *v, struct daemon_options *o,
			 struct err *err)
{
	int rc = 0;

	switch (json_object_get_type(v)) {
	case json_type_array:
		if (t->type != OPT_STRV)
			return err_set(err, ERR_INVALID, "is one value, not a list");
		for (size_t i = 0; rc >= 0 && i < json_object_array_length(v); i++) {
			struct json_object *e = json_object_array_get_idx(v, i);

			if (!json_object_is_type(e, json_type_string))
				return err_set(err, ERR_INVALID, "element %zu is not a string", i);
			strv_add((struct strv *)((char *)o + t->offset), json_object_get_string(e));
		}
		return rc;
	case json_type_boolean:
		if (!is_flag(t))
			return err_set(err, ERR_INVALID, "is not a boolean");
		return option_set(t, json_object_get_boolean(v) ? "true" : "false", o, err);
	case json_type_int:
		if (t->type != OPT_INT && t->type != OPT_REFUSED)
			return err_set(err, ERR_INVALID, "is not a number");
		return option_set(t, json_object_get_string(v), o, err);
	case json_type_string:
		return option_set(t, json_object_get_string(v), o, err);
	default:
		return err_set(err, ERR_INVALID, "has a value of the wrong type");
	}
}

int options_parse_file(const char *text, size_t len, struct daemon_options *o, struct err *err)
{
	struct json_object *tree;
	int rc = json_tree_parse(text, len, "configuration file", &tree, err);

	if (rc < 0)
		return rc;
	if (!json_object_is_type(tree, json_type_object)) {
		json_tree_put(tree);
		return err_set(err, ERR_INVALID, "configuration file is not a JSON object");
	}
	json_object_object_foreach(tree, key, value)
	{
		const struct option *t = option_find(key);

		if (!t || t->when == LINE_ONLY)
			rc = err_set(err, ERR_INVALID, "unknown key '%.60s'", key);
		else if (strv_has(&o->given, key))
			rc = err_set(err, ERR_INVALID,
				     "'%s' is given both as an option and in the file: keep one", key);
		else if ((rc = set_from_json(t, value, o, err)) < 0)
			err_wrap(err, rc, "key '%s'", key);
		if (rc < 0)
			break;
	}
	json_tree_put(tree);
	return rc;
}

static int read_file(struct daemon_options *o, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc;

	if (!o->config_file)
		return 0;
	rc = file_read(AT_FDCWD, o->config_file, CONFIG_MAX, &text, err);
	if (rc < 0 && err->code == ENOENT && !strv_has(&o->given, "config-file")) {
		err_clear(err);	/* the default place may be empty */
		return 0;
	}
	if (rc >= 0)
		rc = options_parse_file(buf_cstr(&text), text.len, o, err);
	return rc < 0 ? err_wrap(err, rc, "configuration file '%s'", o->config_file) : 0;
}

/* ---- whole ------------------------------------------------------------------------------------------------------------------- */

static void defaults(struct daemon_options *o)
{
	*o = (struct daemon_options){0};
	pthread_mutex_init(&o->lock, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].dflt && options[i].type != OPT_REFUSED)
			option_set(&options[i], options[i].dflt, o, NULL);
	}
}

static int check_pairs(const struct strv *list, const char *option, struct err *err)
{
	STRV_EACH(s, list) {
		const char *eq = strchr(*s, '=');

		if (!eq || eq == *s)
			return err_set(err, ERR_INVALID, "option --%s: '%s' is not KEY=VALUE", option, *s);
	}
	return 0;
}

static int check(struct daemon_options *o, struct err *err)
{
	const struct {
		const char *name;
		char **path;
	} paths[] = {{"home-dir", &o->home}, {"exec-root-dir", &o->exec_root}};
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char *clean;

		if (str_empty(*paths[i].path) || **paths[i].path != '/')
			return err_set(err, ERR_INVALID, "option --%s: needs an absolute path",
				       paths[i].name);
		clean = path_clean(*paths[i].path);
		free(*paths[i].path);
		*paths[i].path = clean;
	}
	if (!str_empty(o->supervise) && *o->supervise != '/')
		return err_set(err, ERR_INVALID, "option --supervise: needs an absolute path");
	if (!o->tls_cert != !o->tls_key)
		return err_set(err, ERR_INVALID, "--tlscert and --tlskey need each other");
	if (o->tls_verify && (!o->tls_ca || !o->tls_cert))
		return err_set(err, ERR_INVALID, "--tlsverify needs --tlscacert, --tlscert and --tlskey");
	if (o->manager_whitelist.n && !o->tls_verify)
		return err_set(err, ERR_INVALID, "--manager-whitelist needs --tlsverify");
	if (o->mtu < 68 || o->mtu > 65535)
		return err_set(err, ERR_INVALID, "option --mtu: %d is not between 68 and 65535", o->mtu);
	if (o->oom_score_adj < -1000 || o->oom_score_adj > 1000)
		return err_set(err, ERR_INVALID, "option --oom-score-adj: %d is not between -1000 and 1000",
			       o->oom_score_adj);
	if (o->enable_ipv6 && !o->fixed_cidr6)
		return err_set(err, ERR_INVALID, "--enable-ipv6 needs --fixed-cidr-v6");
	rc = check_pairs(&o->labels, "label", err);
	if (rc >= 0)
		rc = check_pairs(&o->log_opts, "log-opt", err);
	if (rc >= 0)
		rc = check_pairs(&o->runtimes, "add-runtime", err);
	if (rc >= 0 && !o->listen.n)
		strv_add(&o->listen, "unix:///var/run/pouchd.sock");
	return rc;
}

int options_read(int argc, const char **argv, struct daemon_options *ret, struct err *err)
{
	int rc;

	defaults(ret);
	rc = read_command_line(argc, argv, ret, err);
	if (rc >= 0 && !ret->version)
		rc = read_file(ret, err);
	if (rc >= 0)
		rc = check(ret, err);
	if (rc < 0)
		options_clear(ret);
	return rc;
}

void options_clear(struct daemon_options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		void *member = (char *)o + options[i].offset;

		if (options[i].type == OPT_STR)
			str_set(member, NULL);
		else if (options[i].type == OPT_STRV)
			strv_clear(member);
	}
	strv_clear(&o->given);
}

/* ---- again, while running ---------------------------------------------------------------------------------------------------- */

static bool option_equal(const struct option *t, const struct daemon_options *a, const struct daemon_options *b)
{
	const void *x = (const char *)a + t->offset, *y = (const char *)b + t->offset;
	const struct strv *v = x, *w = y;

	switch (t->type) {
	case OPT_STR:
		return str_eq(*(char *const *)x, *(char *const *)y);
	case OPT_STRV:
		for (size_t i = 0; v->n == w->n && i < v->n; i++) {
			if (strcmp(v->v[i], w->v[i]))
				return false;
		}
		return v->n == w->n;
	case OPT_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case OPT_INT:
		return *(const int *)x == *(const int *)y;
	case OPT_REFUSED:
		return true;
	}
	return true;
}

static void option_copy(const struct option *t, struct daemon_options *to, const struct daemon_options *from)
{
	const void *source = (const char *)from + t->offset;
	void *target = (char *)to + t->offset;

	switch (t->type) {
	case OPT_STR:
		str_set(target, *(char *const *)source);
		break;
	case OPT_STRV:
		strv_clear(target);
		strv_add_all(target, source);
		break;
	case OPT_BOOL:
		*(bool *)target = *(const bool *)source;
		break;
	case OPT_INT:
		*(int *)target = *(const int *)source;
		break;
	case OPT_REFUSED:
		break;
	}
}

/* What the file says now, beside what the command line said once. */
static int read_again(const struct daemon_options *o, struct daemon_options *fresh, struct err *err)
{
	int rc;

	defaults(fresh);
	strv_add_all(&fresh->given, &o->given);
	str_set(&fresh->config_file, o->config_file);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		if (strv_has(&o->given, options[i].name))
			option_copy(&options[i], fresh, o);
	}
	rc = read_file(fresh, err);
	return rc < 0 ? rc : check(fresh, err);
}

int options_reload(struct daemon_options *o, struct strv *ret_changed, struct strv *ret_waiting, struct err *err)
{
	struct daemon_options fresh;
	int rc = read_again(o, &fresh, err);

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; rc >= 0 && i < ARRAY_SIZE(options); i++) {
		const struct option *t = &options[i];

		/* A second name of the option before it says nothing new. */
		if (option_equal(t, o, &fresh) || (i && t->offset == t[-1].offset))
			continue;
		strv_add(t->when == LIVE ? ret_changed : ret_waiting, t->name);
		if (t->when == LIVE)
			option_copy(t, o, &fresh);
	}
	pthread_mutex_unlock(&o->lock);
	options_clear(&fresh);
	return rc;
}
