/*
 * routes - all that the daemon serves.
 */
#include "runtime/daemon/handlers.h"
#include "runtime/daemon/route.h"

const struct route daemon_routes[] = {
	{"GET", "/_ping", handle_ping, 0},
	{"GET", "/version", handle_version, 0},
	{"GET", "/info", handle_info, 0},
	{"GET", "/compat", handle_compat, 0},
	{"GET", "/system/df", handle_disk_usage, 0},
	{"GET", "/events", handle_events, 0},
	{"POST", "/auth", handle_auth, 0},
	{"POST", "/daemon/update", handle_daemon_update, 0},

	{"GET", "/containers/json", handle_container_list, 0},
	{"GET", "/containers/ps", handle_container_list, 0},
	{"POST", "/containers/create", handle_container_create, 0},
	{"GET", "/containers/{id}/json", handle_container_inspect, 0},
	{"POST", "/containers/{id}/start", handle_container_start, 0},
	{"POST", "/containers/{id}/stop", handle_container_stop, 0},
	{"POST", "/containers/{id}/restart", handle_container_restart, 0},
	{"POST", "/containers/{id}/kill", handle_container_kill, 0},
	{"POST", "/containers/{id}/pause", handle_container_pause, 0},
	{"POST", "/containers/{id}/unpause", handle_container_unpause, 0},
	{"POST", "/containers/{id}/rename", handle_container_rename, 0},
	{"POST", "/containers/{id}/update", handle_container_update, 0},
	{"POST", "/containers/{id}/wait", handle_container_wait, 0},
	{"POST", "/containers/{id}/attach", handle_container_attach, 0},
	{"POST", "/containers/{id}/resize", handle_container_resize, 0},
	{"POST", "/containers/{id}/exec", handle_exec_create, 0},
	{"GET", "/containers/{id}/logs", handle_container_logs, 0},
	{"GET", "/containers/{id}/top", handle_container_top, 0},
	{"GET", "/containers/{id}/stats", handle_container_stats, 0},
	{"HEAD", "/containers/{id}/archive", handle_archive_stat, 0},
	{"GET", "/containers/{id}/archive", handle_archive_get, 0},
	{"PUT", "/containers/{id}/archive", handle_archive_put, ROUTE_STREAM_BODY},
	{"DELETE", "/containers/{id}", handle_container_remove, 0},

	{"POST", "/exec/{id}/start", handle_exec_start, 0},
	{"POST", "/exec/{id}/resize", handle_exec_resize, 0},
	{"GET", "/exec/{id}/json", handle_exec_inspect, 0},

	{"GET", "/images/json", handle_image_list, 0},
	{"POST", "/images/create", handle_image_create, 0},
	{"POST", "/images/load", handle_image_load, ROUTE_STREAM_BODY},
	{"GET", "/images/save", handle_image_save, 0},
	{"GET", "/images/get", handle_image_save, 0},
	{"GET", "/images/{name*}/get", handle_image_save, 0},
	{"GET", "/images/{name*}/json", handle_image_inspect, 0},
	{"GET", "/images/{name*}/history", handle_image_history, 0},
	{"POST", "/images/{name*}/tag", handle_image_tag, 0},
	{"DELETE", "/images/{name*}", handle_image_remove, 0},

	{"GET", "/networks", handle_network_list, 0},
	{"GET", "/networks/", handle_network_list, 0},
	{"POST", "/networks/create", handle_network_create, 0},
	{"POST", "/networks/{id}/connect", handle_network_unsupported, 0},
	{"POST", "/networks/{id}/disconnect", handle_network_unsupported, 0},
	{"GET", "/networks/{id}", handle_network_inspect, 0},
	{"DELETE", "/networks/{id}", handle_network_unsupported, 0},

	{"GET", "/volumes", handle_volume_list, 0},
	{"POST", "/volumes/create", handle_volume_create, 0},
	{"GET", "/volumes/{name}", handle_volume_inspect, 0},
	{"DELETE", "/volumes/{name}", handle_volume_remove, 0},
};

const size_t daemon_routes_count = ARRAY_SIZE(daemon_routes);
