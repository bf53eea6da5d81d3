/*
 * system - version, info and logins.
 *
 * Spec:    Docker Engine API 1.47, SystemVersion, SystemInfo, AuthConfig; PouchContainer API 1.24
 */
#ifndef RUNTIME_API_SYSTEM_H
#define RUNTIME_API_SYSTEM_H

#include "compat/base/json.h"

#define API_VERSION	"1.24"		/* pouch's; the CLI asks under this prefix */
#define API_VERSION_MAX "1.47"		/* docker's newest that the routes answer to */

#define API_DEFAULT_SOCKET "/var/run/pouchd.sock"
#define API_DEFAULT_HOST   "unix://" API_DEFAULT_SOCKET

struct api_platform {
	char *name;
};

struct api_component {
	char *name, *version;
	struct strmap details;
};

struct api_version {
	struct api_platform platform;
	VEC(struct api_component) components;
	char *version, *api_version, *min_api_version, *git_commit, *go_version;
	char *os, *arch, *kernel_version;
	bool experimental;
	char *build_time;
};

struct api_index_info {
	char *key;			/* the key in the JSON map */
	char *name;
	struct strv mirrors;
	bool secure, official;
};

struct api_registry_config {
	struct strv allow_nondistributable_cidrs, allow_nondistributable_hostnames;
	struct strv insecure_registry_cidrs;
	VEC(struct api_index_info) index_configs;
	struct strv mirrors;
};

struct api_runtime {
	char *name;			/* the key in the JSON map */
	char *type, *path;
	struct strv runtime_args;
	char *options;			/* raw JSON */
};

struct api_component_commit {
	char *id, *expected;
};

struct api_plugins {
	struct strv volume, network, authorization, log;
};

struct api_info {
	char *id;
	int64_t containers, containers_running, containers_paused, containers_stopped, images;
	char *driver;
	char *driver_status;		/* raw JSON: [["name", "value"], ...] */
	struct api_plugins plugins;
	bool memory_limit, swap_limit, kernel_memory_tcp, cpu_cfs_period, cpu_cfs_quota;
	bool cpu_shares, cpu_set, pids_limit, oom_kill_disable;
	bool ipv4_forwarding, bridge_nf_iptables, bridge_nf_ip6tables, debug;
	int64_t n_fd, n_goroutines, n_events_listener;
	int64_t system_time;		/* ns */
	char *logging_driver, *cgroup_driver, *cgroup_version;
	char *kernel_version, *operating_system, *os_version, *os_type, *architecture;
	char *index_server_address;
	struct api_registry_config registry_config;
	int64_t ncpu, mem_total;
	char *docker_root_dir, *http_proxy, *https_proxy, *no_proxy, *name;
	struct strv labels;
	bool experimental_build;
	char *server_version;
	VEC(struct api_runtime) runtimes;
	char *default_runtime;
	char *swarm;			/* raw JSON object, for docker clients */
	bool live_restore_enabled;
	char *isolation, *init_binary;
	struct api_component_commit containerd_commit, runc_commit, init_commit;
	struct strv security_options;
	struct strv warnings;

	/* pouch only */
	char *pouch_root_dir, *default_registry;
	struct strv volume_drivers, listen_addresses;
	bool lxcfs_enabled, cri_enabled;
	char *compat;			/* raw JSON array: capability, backend chosen, reason */
};

struct api_auth_config {
	char *username, *password, *auth, *email, *server_address, *identity_token, *registry_token;
};

struct api_auth_response {
	char *status, *identity_token;
};

struct api_daemon_update {
	struct strv labels;
	char *image_proxy;
};

extern const struct json_table api_version_table;
extern const struct json_table api_info_table;
extern const struct json_table api_auth_config_table;
extern const struct json_table api_auth_response_table;
extern const struct json_table api_daemon_update_table;

#endif
