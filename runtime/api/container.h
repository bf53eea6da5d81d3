/*
 * container - containers as the API shows them: inspect, list, top, wait, changes, stats and the events about them.
 *
 * Spec:    Docker Engine API 1.47; PouchContainer API 1.24
 */
#ifndef RUNTIME_API_CONTAINER_H
#define RUNTIME_API_CONTAINER_H

#include "compat/base/json.h"
#include "runtime/api/container_config.h"
#include "runtime/api/network.h"

struct api_container_state {
	char *status;			/* created running stopped paused restarting removing exited dead */
	bool running, paused, restarting, oom_killed, dead;
	bool exited;			/* pouch only */
	int64_t pid, exit_code;
	char *error;
	int64_t started_at, finished_at;	/* ns; 0 prints Go's zero time */
};

struct api_mount_point {
	char *type;			/* bind, volume, tmpfs */
	char *id;			/* pouch only */
	char *name;			/* of a volume */
	char *source, *destination, *driver, *mode;
	bool rw;
	char *propagation;
	bool copy_data, named;		/* pouch only */
	char *replace;			/* pouch only */
};

/* GraphDriver and, under pouch's name, Snapshotter. */
struct api_driver_data {
	char *name;
	struct strmap data;
};

/* GET /containers/ID/json. Docker's clients expect a name with a slash in front, pouch's without: the handler decides. */
struct api_container {
	char *id;
	int64_t created;
	char *path;
	struct strv args;
	struct api_container_state state;
	char *image;			/* the image's id */
	char *resolv_conf_path, *hostname_path, *hosts_path, *log_path;
	char *name;
	int64_t restart_count;
	char *driver, *platform, *mount_label, *process_label, *app_armor_profile;
	struct strv exec_ids;
	struct api_host_config host_config;
	struct opt_i64 size_rw, size_root_fs;
	struct api_container_config config;
	struct api_driver_data graph_driver;
	struct api_driver_data *snapshotter;	/* pouch only */
	VEC(struct api_mount_point) mounts;
	struct api_network_settings network_settings;
	char *host_root_path;		/* pouch only: where its root file system is on the host */
};

/* The part of HostConfig that a list shows. */
struct api_host_config_summary {
	char *network_mode;
	char *runtime;			/* pouch only */
	struct strmap annotations;
};

struct api_networks {
	VEC(struct api_endpoint_settings) networks;
};

/* One row of GET /containers/json. */
struct api_container_summary {
	char *id;
	struct strv names;
	char *image, *image_id, *command;
	int64_t created;		/* seconds */
	VEC(struct api_port_summary) ports;
	struct opt_i64 size_rw, size_root_fs;
	struct strmap labels;
	char *state, *status;		/* "running", "Up 3 seconds" */
	struct api_host_config_summary host_config;
	struct api_networks network_settings;
	VEC(struct api_mount_point) mounts;
};

struct api_top {
	struct strv titles;
	char *processes;		/* raw JSON: an array of arrays of strings */
};

struct api_wait_error {
	char *message;
};

struct api_wait {
	int64_t status_code;
	struct api_wait_error *error;
};

/* GET /containers/ID/changes: 0 modified, 1 added, 2 deleted. */
struct api_change {
	char *path;
	int kind;
};

struct api_commit {
	char *id;
};

extern const struct json_table api_container_state_table;
extern const struct json_table api_mount_point_table;
extern const struct json_table api_driver_data_table;
extern const struct json_table api_container_table;
extern const struct json_table api_container_summary_table;
extern const struct json_table api_top_table;
extern const struct json_table api_wait_table;
extern const struct json_table api_change_table;
extern const struct json_table api_commit_table;

#endif
