/*
 * f_daemon - what clients and administrators write: filters, the auth header, configuration files, paths, create bodies
 *
 * The first byte says which.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/daemon/options.h"
#include "runtime/daemon/registry_header.h"
#include "runtime/daemon/route.h"
#include "runtime/engine/filter.h"
#include "runtime/engine/resources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void filters(const char *text)
{
	static const char *const keys[] = {"name", "label", "id", NULL};
	AUTO(strmap_clear) struct strmap labels = {0};
	AUTO(filters_clear) struct filters f = {0};
	struct err err = ERR_INIT;

	if (filters_parse(&f, text, keys, &err) < 0)
		return;
	strmap_set(&labels, "a", "b");
	(void)filters_match(&f, "name", "x");
	(void)filters_match_part(&f, "name", "some-name");
	(void)filters_match_any(&f, "id", "0123456789ab", "name");
	(void)filters_match_map(&f, "label", &labels);
}

static void header(const char *text)
{
	struct api_auth_config auth = {0};
	struct err err = ERR_INIT;
	bool some;

	(void)registry_header_parse(text, &auth, &some, &err);
	json_clear(&api_auth_config_table, &auth);
}

static void configuration(const char *text)
{
	struct daemon_options o = {0};
	struct err err = ERR_INIT;

	(void)options_parse_file(text, strlen(text), &o, &err);
	options_clear(&o);
}

static void path(const char *text)
{
	struct request r = {0};
	struct err err = ERR_INIT;
	const struct route *route;

	if (route_find(daemon_routes, daemon_routes_count, "GET", text, &r, &route, &err) == 0 && !route->handler)
		abort();
	for (int i = 0; i < REQUEST_ARGS_MAX; i++)
		free(r.arg[i]);
	free(r.path);
}

/* What is accepted prints to what is accepted again. */
static void create(const char *text)
{
	struct api_container_create body = {0}, again = {0};
	AUTO(cgroup_resources_clear) struct cgroup_resources limits = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	if (json_parse(&api_container_create_table, text, strlen(text), 0, "body", &body, &err) < 0)
		return;
	(void)resources_build(&body.host_config.resources, &limits, &err);
	json_print(&api_container_create_table, &body, 0, &out);
	if (json_parse(&api_container_create_table, out.data, out.len, 0, "body", &again, &err) < 0)
		abort();
	json_clear(&api_container_create_table, &again);
	json_clear(&api_container_create_table, &body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const targets[])(const char *) = {filters, header, configuration, path, create};
	auto_free char *text = NULL;

	if (!size)
		return 0;
	text = xstrndup((const char *)data + 1, size - 1);
	targets[data[0] % ARRAY_SIZE(targets)](text);
	return 0;
}
