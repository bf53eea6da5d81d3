/*
 * h_network - networks and volumes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "runtime/api/network.h"
#include "runtime/api/volume.h"
#include "runtime/daemon/handlers.h"
#include "runtime/daemon/rows.h"
#include "runtime/engine/filter.h"
#include "runtime/net/net.h"
#include "runtime/volume/volume.h"

/* ---- networks ---------------------------------------------------------------------------------------------------------------------- */

static void show_endpoint(struct request *r, const struct net_endpoint *from, struct api_endpoint_resource *to)
{
	struct api_container c = {0};

	str_set(&to->container_id, from->container_id);
	str_set(&to->endpoint_id, from->endpoint_id);
	str_set(&to->mac_address, from->mac);
	if (!str_empty(from->ip))
		to->ipv4_address = xfmt("%s/%d", from->ip, from->prefix_len);
	if (!str_empty(from->ip6))
		to->ipv6_address = xfmt("%s/%d", from->ip6, from->prefix_len6);
	if (container_inspect(r->engine, from->container_id, DIALECT_POUCH, false, &c, &ERR_INIT) == 0)
		str_set(&to->name, c.name);
	json_clear(&api_container_table, &c);
}

static void show_ipam(const struct net_info *from, struct api_ipam *to)
{
	str_set(&to->driver, "default");
	if (!str_empty(from->subnet)) {
		struct api_ipam_config *c = VEC_ADD(&to->config);

		str_set(&c->subnet, from->subnet);
		str_set(&c->gateway, from->gateway);
		str_set(&c->ip_range, from->ip_range);
	}
	if (!str_empty(from->subnet6)) {
		struct api_ipam_config *c = VEC_ADD(&to->config);

		str_set(&c->subnet, from->subnet6);
		str_set(&c->gateway, from->gateway6);
	}
}

static void show_network(struct request *r, const struct net_info *from, struct api_network *to)
{
	str_set(&to->name, from->name);
	str_set(&to->id, from->id);
	to->created = from->created_ns;
	str_set(&to->scope, from->scope);
	str_set(&to->driver, from->driver);
	to->enable_ipv4 = true;
	to->enable_ipv6 = from->enable_ipv6;
	to->internal = from->internal;
	strmap_copy(&to->labels, &from->labels);
	strmap_copy(&to->options, &from->options);
	show_ipam(from, &to->ipam);
	for (size_t i = 0; i < from->endpoints.n; i++)
		show_endpoint(r, &from->endpoints.v[i], VEC_ADD(&to->containers));
}

int handle_network_list(struct request *r, struct err *err)
{
	static const char *const keys[] = {"driver", "id", "label", "name", "scope", "type", "dangling", NULL};
	AUTO(net_infos_clear) net_info_vec list = {0};
	AUTO(filters_clear) struct filters f = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;
	int rc = filters_parse(&f, request_query(r, "filters"), keys, err);

	if (rc >= 0)
		rc = net_list(engine_net(r->engine), &list, err);
	if (rc < 0)
		return rc;
	buf_char(&out, '[');
	for (size_t i = 0; i < list.n; i++) {
		const struct net_info *n = &list.v[i];
		struct api_network row = {0};

		if (!filters_match(&f, "driver", n->driver) || !filters_match_any(&f, "id", n->id, NULL) ||
		    !filters_match_map(&f, "label", &n->labels) || !filters_match_part(&f, "name", n->name) ||
		    !filters_match(&f, "scope", n->scope) || !filters_match(&f, "type", "builtin"))
			continue;
		show_network(r, n, &row);
		if (out.len > 1)
			buf_char(&out, ',');
		json_print(&api_network_table, &row, 0, &out);
		json_clear(&api_network_table, &row);
	}
	buf_str(&out, "]\n");
	return reply_text(r, 200, "application/json", &out);
}

int handle_network_inspect(struct request *r, struct err *err)
{
	AUTO(net_info_clear) struct net_info info = {0};
	struct api_network answer = {0};
	int rc = net_find(engine_net(r->engine), r->arg[0], &info, err);

	if (rc < 0)
		return rc;
	show_network(r, &info, &answer);
	rc = reply_json(r, 200, &api_network_table, &answer);
	json_clear(&api_network_table, &answer);
	return rc;
}

int handle_network_create(struct request *r, struct err *err)
{
	struct api_network_create create = {0};
	int rc = request_decode(r, &api_network_create_table, false, &create, err);

	if (rc >= 0 && str_empty(create.name))
		rc = err_set(err, ERR_INTERNAL, "network name cannot be empty");
	if (rc >= 0)
		rc = err_set(err, ERR_UNSUPPORTED, "not available here: networks of the user's own");
	json_clear(&api_network_create_table, &create);
	return rc;
}

int handle_network_unsupported(struct request *r, struct err *err)
{
	AUTO(net_info_clear) struct net_info info = {0};
	int rc = net_find(engine_net(r->engine), r->arg[0], &info, err);

	if (rc < 0)
		return rc;
	if (!strcmp(r->method, "DELETE"))
		return err_set(err, ERR_FORBIDDEN, "%s is a pre-defined network and cannot be removed", info.name);
	return err_set(err, ERR_UNSUPPORTED, "not available here: several networks of one container");
}

/* ---- volumes ----------------------------------------------------------------------------------------------------------------------- */

void volume_show(const struct volume *from, struct api_volume *to)
{
	str_set(&to->name, from->name);
	str_set(&to->driver, from->driver);
	str_set(&to->mountpoint, from->mountpoint);
	str_set(&to->scope, from->scope);
	to->created_at = from->created_ns;
	strmap_copy(&to->labels, &from->labels);
	strmap_copy(&to->options, &from->options);
}

int handle_volume_list(struct request *r, struct err *err)
{
	static const char *const keys[] = {"dangling", "driver", "label", "name", NULL};
	AUTO(volumes_clear) volume_vec list = {0};
	AUTO(filters_clear) struct filters f = {0};
	struct api_volume_list answer = {0};
	const struct strv *dangling;
	bool want = false;
	int rc = filters_parse(&f, request_query(r, "filters"), keys, err);

	if (rc < 0 && request_dialect(r) == DIALECT_POUCH)
		err->kind = ERR_INTERNAL;	/* pouch's word for a bad filter of volumes is 500 */
	if (rc >= 0)
		rc = volume_list(engine_volumes(r->engine), &list, err);
	if (rc < 0)
		return rc;
	dangling = filters_get(&f, "dangling");
	if (dangling && dangling->n && str_bool(dangling->v[0], &want) < 0)
		return err_set(err, ERR_INVALID, "invalid filter 'dangling=%.40s'", dangling->v[0]);
	for (size_t i = 0; i < list.n; i++) {
		const struct volume *v = &list.v[i];

		if (!filters_match(&f, "driver", v->driver) || !filters_match_part(&f, "name", v->name) ||
		    !filters_match_map(&f, "label", &v->labels) || (dangling && want != (v->users.n == 0)))
			continue;
		volume_show(v, VEC_ADD(&answer.volumes));
	}
	rc = reply_json(r, 200, &api_volume_list_table, &answer);
	json_clear(&api_volume_list_table, &answer);
	return rc;
}

static int reply_volume(struct request *r, int status, const struct volume *volume)
{
	struct api_volume answer = {0};
	int rc;

	volume_show(volume, &answer);
	rc = reply_json(r, status, &api_volume_table, &answer);
	json_clear(&api_volume_table, &answer);
	return rc;
}

int handle_volume_create(struct request *r, struct err *err)
{
	AUTO(volume_clear) struct volume v = {0};
	struct api_volume_create create = {0};
	int rc = request_decode(r, &api_volume_create_table, false, &create, err);

	if (rc >= 0) {
		const struct volume_create how = {
			.name = create.name,
			.driver = str_empty(create.driver) ? NULL : create.driver,
			.labels = &create.labels,
			.options = &create.driver_opts,
		};

		rc = volume_create(engine_volumes(r->engine), &how, &v, err);
	}
	if (rc >= 0)
		engine_event(r->engine, "volume", "create", v.name, NULL);
	json_clear(&api_volume_create_table, &create);
	return rc < 0 ? rc : reply_volume(r, 201, &v);
}

int handle_volume_inspect(struct request *r, struct err *err)
{
	AUTO(volume_clear) struct volume v = {0};
	int rc = volume_find(engine_volumes(r->engine), r->arg[0], &v, err);

	return rc < 0 ? rc : reply_volume(r, 200, &v);
}

int handle_volume_remove(struct request *r, struct err *err)
{
	int rc = volume_remove(engine_volumes(r->engine), r->arg[0], request_query_bool(r, "force", false), err);

	if (rc < 0)
		return rc;
	engine_event(r->engine, "volume", "destroy", r->arg[0], NULL);
	return reply_empty(r, 204);
}
