/*
 * network.c - field tables of network.h, and the map of ports, which no other table has
 */
#include "runtime/api/network.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <strings.h>

#include "compat/base/str.h"
#include "runtime/api/table.h"

/* ---- PortMap ---- */

static const struct json_field port_binding_fields[] = {
	JSON_FIELD(struct api_port_binding, host_ip, "HostIp", JSON_STR, 0),
	JSON_FIELD(struct api_port_binding, host_port, "HostPort", JSON_STR, 0),
};

static const struct json_table port_binding_table =
	JSON_TABLE("port binding", struct api_port_binding, port_binding_fields);

static const struct json_field port_fields[] = {
	JSON_SUB(struct api_port, bindings, "bindings", JSON_VEC, JSON_NULL_EMPTY,
		 &port_binding_table),
};

static const struct json_table port_table = JSON_TABLE("port", struct api_port, port_fields);

struct api_port *api_port_map_entry(struct api_port_map *map, const char *port)
{
	struct api_port *entry;

	VEC_EACH(p, map)
		if (str_eq(p->port, port))
			return p;
	entry = VEC_ADD(map);
	entry->port = xstrdup(port);
	return entry;
}

void api_port_map_add(struct api_port_map *map, const char *port, const char *host_ip,
		      const char *host_port)
{
	struct api_port *entry = api_port_map_entry(map, port);
	struct api_port_binding *binding = VEC_ADD(&entry->bindings);

	binding->host_ip = xstrdup(host_ip ? host_ip : "");
	binding->host_port = xstrdup(host_port ? host_port : "");
}

void api_port_map_clear(struct api_port_map *map)
{
	VEC_EACH(p, map) {
		json_clear(&port_table, p);
		free(p->port);
	}
	VEC_FREE(map);
}

static int parse_text(struct json_object *value, const char *key, char **ret, struct err *err)
{
	struct json_object *text = NULL;

	json_object_object_foreach(value, name, v)
		if (strcasecmp(name, key) == 0)
			text = v;
	if (text && !json_object_is_type(text, json_type_string))
		return err_set(err, ERR_INVALID, "%s must be a string", key);
	str_set(ret, text ? json_object_get_string(text) : "");
	return 0;
}

static int parse_bindings(struct api_port *port, struct json_object *list, struct err *err)
{
	size_t n;

	if (!list)
		return 0;
	if (!json_object_is_type(list, json_type_array))
		return err_set(err, ERR_INVALID, "%s must be a list", port->port);
	n = json_object_array_length(list);
	for (size_t i = 0; i < n; i++) {
		struct json_object *value = json_object_array_get_idx(list, i);
		struct api_port_binding *binding;
		int rc;

		if (!json_object_is_type(value, json_type_object))
			return err_set(err, ERR_INVALID, "%s[%zu] must be an object", port->port, i);
		binding = VEC_ADD(&port->bindings);
		rc = parse_text(value, "HostIp", &binding->host_ip, err);
		if (!rc)
			rc = parse_text(value, "HostPort", &binding->host_port, err);
		if (rc)
			return err_wrap(err, rc, "%s[%zu]", port->port, i);
	}
	return 0;
}

static int port_map_parse(void *member, struct json_object *value, struct err *err)
{
	struct api_port_map *map = member;

	if (!json_object_is_type(value, json_type_object))
		return err_set(err, ERR_INVALID, "must be an object");
	json_object_object_foreach(value, key, list) {
		struct api_port *port = VEC_ADD(map);	/* keys are unique, and the map was empty */
		int rc;

		port->port = xstrdup(key);
		rc = parse_bindings(port, list, err);
		if (rc)
			return rc;
	}
	return 0;
}

static void port_map_print(const void *member, struct buf *out)
{
	const struct api_port_map *map = member;
	const char *sep = "";

	buf_char(out, '{');
	for (size_t i = 0; i < map->n; i++) {
		const struct api_port *p = &map->v[i];

		buf_str(out, sep);
		sep = ",";
		json_print_str(out, p->port, strlen(p->port));
		buf_char(out, ':');
		if (p->bindings.n)
			json_print_vec(&port_binding_table, &p->bindings, 0, out);
		else
			buf_str(out, "null");
	}
	buf_char(out, '}');
}

static void port_map_clear(void *member)
{
	api_port_map_clear(member);
}

static bool port_map_is_empty(const void *member)
{
	return ((const struct api_port_map *)member)->n == 0;
}

const struct json_ops api_port_map_ops = {
	.parse = port_map_parse,
	.print = port_map_print,
	.clear = port_map_clear,
	.is_empty = port_map_is_empty,
};

/* ---- endpoints ---- */

#define S struct api_port_summary
static const struct json_field port_summary_fields[] = {
	F(ip, "IP", JSON_STR, OMIT),
	F(private_port, "PrivatePort", JSON_U16, 0),
	F(public_port, "PublicPort", JSON_U16, OMIT),
	F(type, "Type", JSON_STR, 0),
};
const struct json_table api_port_summary_table = JSON_TABLE("port", S, port_summary_fields);
#undef S

#define S struct api_endpoint_ipam
static const struct json_field endpoint_ipam_fields[] = {
	F(ipv4_address, "IPv4Address", JSON_STR, OMIT),
	F(ipv6_address, "IPv6Address", JSON_STR, OMIT),
	F(link_local_ips, "LinkLocalIPs", JSON_STRV, OMIT),
};
static const struct json_table endpoint_ipam_table =
	JSON_TABLE("IPAMConfig", S, endpoint_ipam_fields);
#undef S

#define S struct api_endpoint_settings
static const struct json_field endpoint_settings_fields[] = {
	SUB(ipam_config, "IPAMConfig", JSON_OBJP, 0, &endpoint_ipam_table),
	F(links, "Links", JSON_STRV, NUL),
	F(aliases, "Aliases", JSON_STRV, NUL),
	F(mac_address, "MacAddress", JSON_STR, 0),
	F(network_id, "NetworkID", JSON_STR, 0),
	F(endpoint_id, "EndpointID", JSON_STR, 0),
	F(gateway, "Gateway", JSON_STR, 0),
	F(ip_address, "IPAddress", JSON_STR, 0),
	F(ip_prefix_len, "IPPrefixLen", JSON_I64, 0),
	F(ipv6_gateway, "IPv6Gateway", JSON_STR, 0),
	F(global_ipv6_address, "GlobalIPv6Address", JSON_STR, 0),
	F(global_ipv6_prefix_len, "GlobalIPv6PrefixLen", JSON_I64, 0),
	F(driver_opts, "DriverOpts", JSON_STRMAP, NUL),
	F(gw_priority, "GwPriority", JSON_I64, OMIT),
	F(dns_names, "DNSNames", JSON_STRV, OMIT),
};
const struct json_table api_endpoint_settings_table =
	JSON_MAP_TABLE("endpoint", S, endpoint_settings_fields, name);
#undef S

#define S struct api_address
static const struct json_field address_fields[] = {
	F(addr, "Addr", JSON_STR, 0),
	F(prefix_len, "PrefixLen", JSON_I64, 0),
};
static const struct json_table address_table = JSON_TABLE("address", S, address_fields);
#undef S

#define S struct api_network_settings
static const struct json_field network_settings_fields[] = {
	F(bridge, "Bridge", JSON_STR, 0),
	F(sandbox_id, "SandboxID", JSON_STR, 0),
	F(sandbox_key, "SandboxKey", JSON_STR, 0),
	JSON_OPS(S, ports, "Ports", 0, &api_port_map_ops),
	F(hairpin_mode, "HairpinMode", JSON_BOOL, 0),
	F(link_local_ipv6_address, "LinkLocalIPv6Address", JSON_STR, 0),
	F(link_local_ipv6_prefix_len, "LinkLocalIPv6PrefixLen", JSON_I64, 0),
	SUB(secondary_ip_addresses, "SecondaryIPAddresses", JSON_VEC, NUL, &address_table),
	SUB(secondary_ipv6_addresses, "SecondaryIPv6Addresses", JSON_VEC, NUL, &address_table),
	F(endpoint_id, "EndpointID", JSON_STR, 0),
	F(gateway, "Gateway", JSON_STR, 0),
	F(global_ipv6_address, "GlobalIPv6Address", JSON_STR, 0),
	F(global_ipv6_prefix_len, "GlobalIPv6PrefixLen", JSON_I64, 0),
	F(ip_address, "IPAddress", JSON_STR, 0),
	F(ip_prefix_len, "IPPrefixLen", JSON_I64, 0),
	F(ipv6_gateway, "IPv6Gateway", JSON_STR, 0),
	F(mac_address, "MacAddress", JSON_STR, 0),
	SUB(networks, "Networks", JSON_OBJMAP, 0, &api_endpoint_settings_table),
};
const struct json_table api_network_settings_table =
	JSON_TABLE("NetworkSettings", S, network_settings_fields);
#undef S

/* ---- networks ---- */

#define S struct api_ipam_config
static const struct json_field ipam_config_fields[] = {
	F(subnet, "Subnet", JSON_STR, OMIT),
	F(ip_range, "IPRange", JSON_STR, OMIT),
	F(gateway, "Gateway", JSON_STR, OMIT),
	F(aux_address, "AuxAddress", JSON_STRMAP, OMIT),
	F(aux_address, "AuxiliaryAddresses", JSON_STRMAP, OMIT),
};
static const struct json_table ipam_config_table = JSON_TABLE("IPAM.Config", S, ipam_config_fields);
#undef S

#define S struct api_ipam
static const struct json_field ipam_fields[] = {
	F(driver, "Driver", JSON_STR, 0),
	F(options, "Options", JSON_STRMAP, NUL),
	SUB(config, "Config", JSON_VEC, 0, &ipam_config_table),
};
static const struct json_table ipam_table = JSON_TABLE("IPAM", S, ipam_fields);
#undef S

#define S struct api_network_create
static const struct json_field network_create_fields[] = {
	F(name, "Name", JSON_STR, JSON_REQUIRED),
	F(check_duplicate, "CheckDuplicate", JSON_BOOL, 0),
	F(driver, "Driver", JSON_STR, 0),
	F(scope, "Scope", JSON_STR, OMIT),
	F(enable_ipv4, "EnableIPv4", JSON_OPT_BOOL, 0),
	F(enable_ipv6, "EnableIPv6", JSON_OPT_BOOL, 0),
	SUB(ipam, "IPAM", JSON_OBJP, OMIT, &ipam_table),
	F(internal, "Internal", JSON_BOOL, 0),
	F(attachable, "Attachable", JSON_BOOL, OMIT),
	F(ingress, "Ingress", JSON_BOOL, OMIT),
	F(config_only, "ConfigOnly", JSON_BOOL, OMIT),
	F(config_from, "ConfigFrom", JSON_RAW, OMIT),
	F(options, "Options", JSON_STRMAP, 0),
	F(labels, "Labels", JSON_STRMAP, 0),
};
const struct json_table api_network_create_table =
	JSON_TABLE("network", S, network_create_fields);
#undef S

#define S struct api_network_created
static const struct json_field network_created_fields[] = {
	F(id, "Id", JSON_STR, 0),
	F(warning, "Warning", JSON_STR, 0),
};
const struct json_table api_network_created_table =
	JSON_TABLE("created network", S, network_created_fields);
#undef S

#define S struct api_endpoint_resource
static const struct json_field endpoint_resource_fields[] = {
	F(name, "Name", JSON_STR, 0),
	F(endpoint_id, "EndpointID", JSON_STR, 0),
	F(mac_address, "MacAddress", JSON_STR, 0),
	F(ipv4_address, "IPv4Address", JSON_STR, 0),
	F(ipv6_address, "IPv6Address", JSON_STR, 0),
};
static const struct json_table endpoint_resource_table =
	JSON_MAP_TABLE("endpoint", S, endpoint_resource_fields, container_id);
#undef S

#define S struct api_network
static const struct json_field network_fields[] = {
	F(name, "Name", JSON_STR, 0),
	F(id, "Id", JSON_STR, 0),
	F(created, "Created", JSON_TIME, 0),
	F(scope, "Scope", JSON_STR, 0),
	F(driver, "Driver", JSON_STR, 0),
	F(enable_ipv4, "EnableIPv4", JSON_BOOL, 0),
	F(enable_ipv6, "EnableIPv6", JSON_BOOL, 0),
	SUB(ipam, "IPAM", JSON_OBJ, 0, &ipam_table),
	F(internal, "Internal", JSON_BOOL, 0),
	F(attachable, "Attachable", JSON_BOOL, 0),
	F(ingress, "Ingress", JSON_BOOL, 0),
	F(config_only, "ConfigOnly", JSON_BOOL, 0),
	SUB(containers, "Containers", JSON_OBJMAP, 0, &endpoint_resource_table),
	F(options, "Options", JSON_STRMAP, 0),
	F(labels, "Labels", JSON_STRMAP, 0),
};
const struct json_table api_network_table = JSON_TABLE("network", S, network_fields);
#undef S

#define S struct api_network_connect
static const struct json_field network_connect_fields[] = {
	F(container, "Container", JSON_STR, 0),
	SUB(endpoint_config, "EndpointConfig", JSON_OBJP, OMIT, &api_endpoint_settings_table),
};
const struct json_table api_network_connect_table =
	JSON_TABLE("network connect", S, network_connect_fields);
#undef S

#define S struct api_network_disconnect
static const struct json_field network_disconnect_fields[] = {
	F(container, "Container", JSON_STR, 0),
	F(force, "Force", JSON_BOOL, 0),
};
const struct json_table api_network_disconnect_table =
	JSON_TABLE("network disconnect", S, network_disconnect_fields);
#undef S
