/*
 * h_system - the daemon and its host.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "compat/base/str.h"
#include "compat/base/version.h"
#include "compat/kernel/report.h"
#include "runtime/api/system.h"
#include "runtime/daemon/handlers.h"
#include "runtime/daemon/reload.h"
#include "runtime/daemon/route.h"
#include "runtime/daemon/server.h"
#include "runtime/image/reference.h"
#include "runtime/image/registry.h"

int handle_ping(struct request *r, struct err *err)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;

	(void)err;
	buf_str(&out, "OK");
	reply_header(r, "Cache-Control", "no-cache, no-store, must-revalidate");
	return reply_text(r, 200, "text/plain; charset=utf-8", &out);
}

/* "x86_64" -> "amd64" */
static const char *go_arch(const char *machine)
{
	static const struct {
		const char *machine, *go;
	} names[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}, {"i686", "386"}, {"armv7l", "arm"}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(machine, names[i].machine))
			return names[i].go;
	}
	return machine;
}

int handle_version(struct request *r, struct err *err)
{
	struct api_version v = {0};
	struct api_component *engine;
	struct utsname uts;
	int rc;

	(void)err;
	uname(&uts);
	str_set(&v.platform.name, "Pouch Engine");
	str_set(&v.version, version_string());
	/* Docker's libraries ask without a version which one to speak; only who says /v1.24 wants pouch's. */
	str_set(&v.api_version,
		r->versioned && request_dialect(r) == DIALECT_POUCH ? API_VERSION : API_VERSION_OURS);
	str_set(&v.min_api_version, API_VERSION_MIN);
	str_set(&v.git_commit, version_commit());
	str_set(&v.os, "linux");
	str_set(&v.arch, go_arch(uts.machine));
	str_set(&v.kernel_version, uts.release);
	str_set(&v.build_time, version_build_time());
	engine = VEC_ADD(&v.components);
	str_set(&engine->name, "Engine");
	str_set(&engine->version, version_string());
	strmap_set(&engine->details, "ApiVersion", v.api_version);
	strmap_set(&engine->details, "MinAPIVersion", API_VERSION_MIN);
	strmap_set(&engine->details, "Arch", v.arch);
	strmap_set(&engine->details, "BuildTime", v.build_time);
	strmap_set(&engine->details, "GitCommit", v.git_commit);
	strmap_set(&engine->details, "KernelVersion", v.kernel_version);
	strmap_set(&engine->details, "Os", "linux");
	rc = reply_json(r, 200, &api_version_table, &v);
	json_clear(&api_version_table, &v);
	return rc;
}

/* Whoever may ask for info need not know the proxy's password: docker hides user and password in the same way. */
static char *proxy_to_show(const char *url)
{
	const char *host, *end, *at = NULL;

	if (!url)
		return NULL;
	host = strstr(url, "://");
	host = host ? host + 3 : url;
	end = host + strcspn(host, "/?#");
	for (const char *p = host; p < end; p++)
		if (*p == '@')
			at = p;
	return at ? xfmt("%.*sxxxxx:xxxxx%s", (int)(host - url), url, at) : xstrdup(url);
}

/* What the engine does not know: what the daemon was told. */
static void add_options(struct daemon_options *o, struct api_info *info)
{
	pthread_mutex_lock(&o->lock);
	strv_add_all(&info->labels, &o->labels);
	info->http_proxy = proxy_to_show(o->image_proxy);
	info->https_proxy = proxy_to_show(o->image_proxy);
	info->debug = o->debug;
	strv_add_all(&info->listen_addresses, &o->listen);
	STRV_EACH(registry, &o->insecure_registries) {
		struct api_index_info *i = VEC_ADD(&info->registry_config.index_configs);

		str_set(&i->key, *registry);
		str_set(&i->name, *registry);
		if (strchr(*registry, '/'))
			strv_add(&info->registry_config.insecure_registry_cidrs, *registry);
	}
	pthread_mutex_unlock(&o->lock);
}

/* One line a capability: the whole table is GET /compat. */
static void add_compat(struct api_info *info)
{
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct compat_report report = {0};

	compat_report_get(&report);
	buf_char(&out, '[');
	for (size_t i = 0; i < report.capabilities.n; i++) {
		const struct report_capability *c = &report.capabilities.v[i];
		const char *text[] = {"{\"Capability\":", c->name, ",\"Backend\":", c->backend, ",\"Reason\":", c->reason};

		if (i)
			buf_char(&out, ',');
		for (size_t k = 0; k < ARRAY_SIZE(text); k += 2) {
			buf_str(&out, text[k]);
			json_print_str(&out, text[k + 1] ? text[k + 1] : "", strlen(text[k + 1] ? text[k + 1] : ""));
		}
		buf_char(&out, '}');
	}
	buf_char(&out, ']');
	info->compat = buf_take(&out);
	json_clear(&compat_report_table, &report);
}

int handle_info(struct request *r, struct err *err)
{
	struct api_info info = {0};
	int rc = engine_info(r->engine, &info, err);

	if (rc >= 0) {
		add_options(r->daemon->options, &info);
		add_compat(&info);
		rc = reply_json(r, 200, &api_info_table, &info);
	}
	json_clear(&api_info_table, &info);
	return rc;
}

int handle_compat(struct request *r, struct err *err)
{
	struct compat_report report = {0};
	int rc;

	(void)err;
	compat_report_get(&report);
	rc = reply_json(r, 200, &compat_report_table, &report);
	json_clear(&compat_report_table, &report);
	return rc;
}

int handle_auth(struct request *r, struct err *err)
{
	struct api_auth_config auth = {0};
	struct api_auth_response answer = {0};
	char domain[REFERENCE_NAME_MAX + 1];
	int rc = request_decode(r, &api_auth_config_table, false, &auth, err);

	if (rc >= 0)
		rc = reference_domain(str_empty(auth.server_address) ? r->daemon->options->default_registry
								     : auth.server_address,
				      domain, err);
	if (rc >= 0) {
		AUTO(registry_copy_clear) struct registry_copy reach = {0};
		const struct registry_auth who = {
			.username = auth.username,
			.password = auth.password,
			.identity_token = auth.identity_token,
		};

		reload_registry(r->daemon->options, &reach);
		rc = registry_login(&reach.settings, domain, &who, &answer.identity_token, err);
	}
	if (rc >= 0) {
		str_set(&answer.status, "Login Succeeded");
		rc = reply_json(r, 200, &api_auth_response_table, &answer);
	}
	json_clear(&api_auth_config_table, &auth);
	json_clear(&api_auth_response_table, &answer);
	return rc;
}

int handle_daemon_update(struct request *r, struct err *err)
{
	struct daemon_options *o = r->daemon->options;
	struct api_daemon_update update = {0};
	int rc = request_decode(r, &api_daemon_update_table, false, &update, err);

	STRV_EACH(label, &update.labels) {
		if (rc >= 0 && (!strchr(*label, '=') || **label == '='))
			rc = err_set(err, ERR_INVALID, "label '%.60s' is not KEY=VALUE", *label);
	}
	if (rc >= 0) {
		pthread_mutex_lock(&o->lock);
		STRV_EACH(label, &update.labels) {
			if (!strv_has(&o->labels, *label))
				strv_add(&o->labels, *label);
		}
		if (!str_empty(update.image_proxy))
			str_set(&o->image_proxy, update.image_proxy);
		pthread_mutex_unlock(&o->lock);
		reload_apply(r->daemon);
		rc = reply_empty(r, 200);
	}
	json_clear(&api_daemon_update_table, &update);
	return rc;
}
