/*
 * state.c - networks and endpoints on disk
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/net/net_internal.h"

enum { FILE_MAX = 8 << 20, ENDPOINTS_MAX = 100000 };

static const struct json_field endpoint_fields[] = {
	JSON_FIELD(struct net_endpoint, container_id, "ContainerID", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct net_endpoint, endpoint_id, "EndpointID", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct net_endpoint, network_id, "NetworkID", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct net_endpoint, network_name, "NetworkName", JSON_STR, 0),
	JSON_FIELD(struct net_endpoint, ip, "IPAddress", JSON_STR, 0),
	JSON_FIELD(struct net_endpoint, prefix_len, "IPPrefixLen", JSON_I32, 0),
	JSON_FIELD(struct net_endpoint, gateway, "Gateway", JSON_STR, 0),
	JSON_FIELD(struct net_endpoint, mac, "MacAddress", JSON_STR, 0),
	JSON_FIELD(struct net_endpoint, ip6, "GlobalIPv6Address", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_endpoint, prefix_len6, "GlobalIPv6PrefixLen", JSON_I32, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_endpoint, gateway6, "IPv6Gateway", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_endpoint, host_if, "HostInterface", JSON_STR, 0),
	JSON_FIELD(struct net_endpoint, container_if, "ContainerInterface", JSON_STR, 0),
	JSON_FIELD(struct net_endpoint, bridge, "Bridge", JSON_STR, 0),
	JSON_FIELD(struct net_endpoint, aliases, "Aliases", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_SUB(struct net_endpoint, ports, "Ports", JSON_VEC, JSON_OMIT_EMPTY, &net_port_table),
	JSON_FIELD(struct net_endpoint, proxy_pid, "ProxyPid", JSON_I64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_endpoint, proxy_start, "ProxyStart", JSON_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_endpoint, boot_id, "BootID", JSON_STR, 0),
};
const struct json_table net_endpoint_table = JSON_TABLE("endpoint", struct net_endpoint, endpoint_fields);

static const struct json_field info_fields[] = {
	JSON_FIELD(struct net_info, id, "Id", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct net_info, name, "Name", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct net_info, driver, "Driver", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct net_info, scope, "Scope", JSON_STR, 0),
	JSON_FIELD(struct net_info, created_ns, "Created", JSON_TIME, 0),
	JSON_FIELD(struct net_info, internal, "Internal", JSON_BOOL, 0),
	JSON_FIELD(struct net_info, enable_ipv6, "EnableIPv6", JSON_BOOL, 0),
	JSON_FIELD(struct net_info, bridge, "Bridge", JSON_STR, 0),
	JSON_FIELD(struct net_info, subnet, "Subnet", JSON_STR, 0),
	JSON_FIELD(struct net_info, gateway, "Gateway", JSON_STR, 0),
	JSON_FIELD(struct net_info, ip_range, "IPRange", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_info, subnet6, "IPv6Subnet", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_info, gateway6, "IPv6Gateway", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_info, mtu, "Mtu", JSON_I32, 0),
	JSON_FIELD(struct net_info, labels, "Labels", JSON_STRMAP, JSON_OMIT_EMPTY),
	JSON_FIELD(struct net_info, options, "Options", JSON_STRMAP, JSON_OMIT_EMPTY),
	JSON_SUB(struct net_info, endpoints, "Endpoints", JSON_VEC, JSON_OMIT_EMPTY, &net_endpoint_table),
};
const struct json_table net_info_table = JSON_TABLE("network", struct net_info, info_fields);

void net_endpoint_clear(struct net_endpoint *ep)
{
	json_clear(&net_endpoint_table, ep);
}

void net_info_clear(struct net_info *info)
{
	json_clear(&net_info_table, info);
}

void net_infos_clear(net_info_vec *infos)
{
	VEC_EACH(info, infos)
		net_info_clear(info);
	VEC_FREE(infos);
}

void endpoint_free(struct net_endpoint *ep)
{
	if (ep)
		net_endpoint_clear(ep);
	free(ep);
}

static char *endpoint_path(const struct net *net, const char *container_id)
{
	return xfmt("%s/endpoints/%s.json", net->state_dir, container_id);
}

int endpoint_save(struct net *net, const struct net_endpoint *ep, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = endpoint_path(net, ep->container_id);

	json_print(&net_endpoint_table, ep, 0, &text);
	return file_replace(-1, path, text.data, text.len, 0600, FILE_NO_SYNC, err);
}

void endpoint_forget(struct net *net, const char *container_id)
{
	auto_free char *path = endpoint_path(net, container_id);

	(void)unlink(path); /* a leftover is found without its container and dropped at the next start */
}

/* A file that cannot be read is of no use to anybody: its container has lost the network at the worst, and the start goes on. */
static void load_one(struct net *net, const char *path)
{
	struct net_endpoint *ep = xcalloc(1, sizeof(*ep));
	struct err ignored;

	if (json_parse_file(&net_endpoint_table, -1, path, FILE_MAX, 0, ep, &ignored) < 0) {
		free(ep);
		(void)unlink(path);
		return;
	}
	if (!str_eq(ep->boot_id, net->boot_id)) {
		/* The host started anew: interface, rules and proxy are gone with the namespace. */
		endpoint_free(ep);
		(void)unlink(path);
		return;
	}
	VEC_PUSH(&net->endpoints, ep);
}

int endpoints_load(struct net *net, struct err *err)
{
	auto_free char *dir_path = path_join(net->state_dir, "endpoints");
	int rc = path_mkdirs(dir_path, 0700, err);
	auto_closedir DIR *dir = NULL;
	struct dirent *e;

	if (rc < 0)
		return rc;
	dir = opendir(dir_path);
	if (!dir)
		return err_sys(err, errno, "read '%s'", dir_path);
	while ((e = readdir(dir)) && net->endpoints.n < ENDPOINTS_MAX) {
		auto_free char *path = NULL;

		if (e->d_name[0] == '.' || !str_ends(e->d_name, ".json"))
			continue;
		path = path_join(dir_path, e->d_name);
		load_one(net, path);
	}
	return 0;
}

int sysctl_set(const char *path, const char *value, struct err *err)
{
	AUTO(buf_clear) struct buf now = BUF_INIT;
	int rc = file_read(-1, path, 4096, &now, err);

	if (rc < 0)
		return rc;
	if (now.len && strncmp(buf_cstr(&now), value, strlen(value)) == 0)
		return 0;
	return file_put(-1, path, value, err);
}
