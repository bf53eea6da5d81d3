/*
 * handlers - one function for each route; see routes.c for which is which.
 */
#ifndef RUNTIME_DAEMON_HANDLERS_H
#define RUNTIME_DAEMON_HANDLERS_H

#include "runtime/daemon/request.h"
#include "runtime/engine/engine.h"

/* Docker's words for clients that speak its later versions, pouch's for 1.24 and for no version at all. */
static inline enum dialect request_dialect(const struct request *r)
{
	return r->versioned && r->api_minor > 24 ? DIALECT_DOCKER : DIALECT_POUCH;
}

request_handler handle_container_create, handle_container_list, handle_container_inspect, handle_container_start,
	handle_container_stop, handle_container_restart, handle_container_kill, handle_container_pause,
	handle_container_unpause, handle_container_rename, handle_container_remove, handle_container_update,
	handle_container_top, handle_container_resize;
request_handler handle_container_attach, handle_container_logs, handle_container_wait, handle_container_stats,
	handle_events;
request_handler handle_archive_stat, handle_archive_get, handle_archive_put;
request_handler handle_exec_create, handle_exec_start, handle_exec_inspect, handle_exec_resize;
request_handler handle_image_create, handle_image_load, handle_image_save, handle_image_list, handle_image_inspect,
	handle_image_history, handle_image_tag, handle_image_remove;
request_handler handle_network_list, handle_network_inspect, handle_network_create, handle_network_unsupported,
	handle_volume_list, handle_volume_create, handle_volume_inspect, handle_volume_remove;
request_handler handle_ping, handle_version, handle_info, handle_compat, handle_auth, handle_daemon_update,
	handle_disk_usage;

#endif
