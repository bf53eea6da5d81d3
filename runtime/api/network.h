/*
 * network - ports, endpoints and networks as they travel over the API.
 *
 * Spec:    Docker Engine API 1.47, Network*, Endpoint*, PortMap; PouchContainer API 1.24
 */
#ifndef RUNTIME_API_NETWORK_H
#define RUNTIME_API_NETWORK_H

#include "compat/base/json.h"

struct api_port_binding {
	char *host_ip;			/* "" or NULL: all addresses */
	char *host_port;		/* "" or NULL: a free one; "8000-8010": one of these */
};

struct api_port {
	char *port;			/* "80/tcp" */
	VEC(struct api_port_binding) bindings;	/* empty prints null */
};

/* PortMap: {"80/tcp": [{"HostIp": "", "HostPort": "8080"}], "443/tcp": null} */
struct api_port_map {
	struct api_port *v;
	size_t n, cap;
};

extern const struct json_ops api_port_map_ops;
/* The entry of @port, made when absent. Borrowed until the next one is added. */
struct api_port *api_port_map_entry(struct api_port_map *map, const char *port);
void api_port_map_add(struct api_port_map *map, const char *port, const char *host_ip,
		      const char *host_port);
void api_port_map_clear(struct api_port_map *map);
DEFINE_AUTO_CLEAR(api_port_map_clear, struct api_port_map)

/* A port in the answer of GET /containers/json. */
struct api_port_summary {
	char *ip;
	uint16_t private_port, public_port;
	char *type;			/* tcp, udp, sctp */
};

struct api_endpoint_ipam {
	char *ipv4_address, *ipv6_address;
	struct strv link_local_ips;
};

struct api_endpoint_settings {
	char *name;			/* the network: the key in the JSON map, not a field */
	struct api_endpoint_ipam *ipam_config;
	struct strv links, aliases;
	char *mac_address, *network_id, *endpoint_id, *gateway, *ip_address;
	int64_t ip_prefix_len;
	char *ipv6_gateway, *global_ipv6_address;
	int64_t global_ipv6_prefix_len;
	struct strmap driver_opts;
	int64_t gw_priority;
	struct strv dns_names;
};

struct api_address {
	char *addr;
	int64_t prefix_len;
};

/* ContainerJSON.NetworkSettings. The address fields at the end repeat those of the default bridge, for docker clients. */
struct api_network_settings {
	char *bridge, *sandbox_id, *sandbox_key;
	bool hairpin_mode;
	char *link_local_ipv6_address;
	int64_t link_local_ipv6_prefix_len;
	struct api_port_map ports;
	VEC(struct api_address) secondary_ip_addresses, secondary_ipv6_addresses;
	char *endpoint_id, *gateway, *global_ipv6_address;
	int64_t global_ipv6_prefix_len;
	char *ip_address;
	int64_t ip_prefix_len;
	char *ipv6_gateway, *mac_address;
	VEC(struct api_endpoint_settings) networks;
};

struct api_ipam_config {
	char *subnet, *ip_range, *gateway;
	struct strmap aux_address;	/* docker calls it AuxiliaryAddresses: both names are read */
};

struct api_ipam {
	char *driver;
	struct strmap options;
	VEC(struct api_ipam_config) config;
};

struct api_network_create {
	char *name, *driver, *scope;
	bool check_duplicate, internal, attachable, ingress, config_only;
	char *config_from;		/* raw JSON */
	struct opt_bool enable_ipv4, enable_ipv6;
	struct api_ipam *ipam;
	struct strmap options, labels;
};

struct api_network_created {
	char *id, *warning;
};

/* A container on a network, keyed by the container's id. */
struct api_endpoint_resource {
	char *container_id;		/* the key */
	char *name, *endpoint_id, *mac_address, *ipv4_address, *ipv6_address;
};

/* GET /networks (an array) and /networks/ID. */
struct api_network {
	char *name, *id;
	int64_t created;		/* ns */
	char *scope, *driver;
	bool enable_ipv4, enable_ipv6;
	struct api_ipam ipam;
	bool internal, attachable, ingress, config_only;
	VEC(struct api_endpoint_resource) containers;
	struct strmap options, labels;
};

struct api_network_connect {
	char *container;
	struct api_endpoint_settings *endpoint_config;
};

struct api_network_disconnect {
	char *container;
	bool force;
};


extern const struct json_table api_port_summary_table;
extern const struct json_table api_endpoint_settings_table;	/* a map table: JSON_OBJMAP, and JSON_OBJP too */
extern const struct json_table api_network_settings_table;
extern const struct json_table api_network_create_table;
extern const struct json_table api_network_created_table;
extern const struct json_table api_network_table;
extern const struct json_table api_network_connect_table;
extern const struct json_table api_network_disconnect_table;

#endif
