/*
 * container_config - what a container is made from: the request of `POST /containers/create`, and the parts of it that
 * come back in inspect.
 *
 * One shape serves pouch's API 1.24 (pouch-api.yml) and docker's 1.24 and later: each field that either knows is here, under
 * the name that both use. Whoever reads must check what it does not support and refuse it: a field that is only docker's is
 * marked so. All strings and vectors are owned; api_*_clear() frees them.
 *
 * Spec:    Docker Engine API 1.47, ContainerConfig, HostConfig, Resources; PouchContainer API 1.24
 */
#ifndef RUNTIME_API_CONTAINER_CONFIG_H
#define RUNTIME_API_CONTAINER_CONFIG_H

#include "compat/base/json.h"
#include "runtime/api/network.h"

/* A list that may be given empty, which is not the same as not given (null). */
struct api_opt_list {
	bool set;
	struct strv list;
};

extern const struct json_ops api_opt_list_ops;

struct api_container_config {
	char *hostname, *domainname;
	char *user;			/* "name|uid[:group|gid]" */
	bool attach_stdin, attach_stdout, attach_stderr;
	struct strv exposed_ports;	/* "80/tcp" */
	bool tty, open_stdin;
	bool stdin_once;		/* close stdin after the first attached client leaves */
	struct strv env;		/* "KEY=value"; "KEY" alone removes the image's */
	/*
	 * JSON takes ["a", "b"] and, as docker does, a bare "a". An entry point [""] is how a client says "none at all"; empty
	 * means "the image's".
	 */
	struct strv cmd, entrypoint;
	bool args_escaped;
	char *image;
	struct strv volumes;		/* paths of anonymous volumes */
	char *working_dir;
	bool network_disabled;
	char *mac_address;
	struct strv on_build;
	struct strmap labels;
	char *stop_signal;
	struct opt_i64 stop_timeout;	/* seconds */
	struct strv shell;
	char *healthcheck;		/* docker only, raw JSON */

	/* pouch only */
	bool disable_network_files;
	bool rich;
	char *rich_mode;		/* dumb-init, sbin-init, systemd */
	char *init_script;
	struct strmap disk_quota;	/* path or "/&path" or ".*" -> size */
	struct strmap spec_annotation;
	char *quota_id;
	int64_t net_priority;
	char *specific_id;		/* the container's id, chosen by the client */
	char *snapshotter;
};

struct api_log_config {
	char *type;
	struct strmap config;
};

struct api_restart_policy {
	char *name;			/* "", no, always, unless-stopped, on-failure */
	int64_t maximum_retry_count;
};

struct api_weight_device {
	char *path;
	uint16_t weight;
};

struct api_throttle_device {
	char *path;
	uint64_t rate;
};

struct api_device_mapping {
	char *path_on_host, *path_in_container;
	char *cgroup_permissions;	/* of "rwm" */
};

struct api_ulimit {
	char *name;			/* without RLIMIT_, lower case */
	int64_t soft, hard;		/* -1: unlimited */
};

struct api_nvidia_config {
	char *visible_devices, *driver_capabilities;
};

/* First member of host_config and update_config: the field lists share its offsets. Zero means "not set". */
struct api_resources {
	char *cgroup_parent;
	uint16_t blkio_weight;
	VEC(struct api_weight_device) blkio_weight_device;
	VEC(struct api_throttle_device) blkio_device_read_bps;
	VEC(struct api_throttle_device) blkio_device_write_bps;
	VEC(struct api_throttle_device) blkio_device_read_iops;
	VEC(struct api_throttle_device) blkio_device_write_iops;
	int64_t cpu_shares;
	int64_t cpu_period, cpu_quota;		/* microseconds */
	int64_t cpu_realtime_period, cpu_realtime_runtime;
	char *cpuset_cpus, *cpuset_mems;
	VEC(struct api_device_mapping) devices;
	struct strv device_cgroup_rules;	/* "c 13:* rwm" */
	char *device_requests;			/* docker only, raw JSON array */
	int64_t kernel_memory, kernel_memory_tcp, memory, memory_reservation;	/* bytes */
	int64_t memory_swap;			/* bytes of memory and swap; -1: unlimited swap */
	struct opt_i64 memory_swappiness;	/* 0-100, -1: not set */
	int64_t nano_cpus;			/* 1e9 for each CPU */
	struct opt_bool oom_kill_disable;
	struct opt_i64 pids_limit;		/* 0 and -1: unlimited */
	VEC(struct api_ulimit) ulimits;
	int64_t cpu_count, cpu_percent;		/* Windows only */
	uint64_t io_maximum_iops, io_maximum_bandwidth;	/* Windows only */

	/* pouch only */
	char *intel_rdt_l3_cbm;
	int64_t sche_lat_switch;
	struct opt_i64 memory_wmark_ratio, memory_extra;
	int64_t memory_force_empty_ctl;
	struct api_nvidia_config *nvidia_config;
};

/* One element of HostConfig.Mounts (docker's --mount). */
struct api_bind_options {
	char *propagation;
	bool non_recursive, create_mountpoint, read_only_non_recursive, read_only_force_recursive;
};

struct api_volume_driver_config {
	char *name;
	struct strmap options;
};

struct api_volume_options {
	bool no_copy;
	struct strmap labels;
	struct api_volume_driver_config *driver_config;
	char *subpath;
};

struct api_tmpfs_options {
	int64_t size_bytes;
	uint32_t mode;
	char *options;			/* raw JSON: [["exec"], ["key", "value"]] */
};

struct api_mount {
	char *type;			/* bind, volume, tmpfs */
	char *source, *target;
	bool read_only;
	char *consistency;
	struct api_bind_options *bind_options;
	struct api_volume_options *volume_options;
	struct api_tmpfs_options *tmpfs_options;
};

struct api_host_config {
	struct api_resources resources;	/* must stay first */

	struct strv binds;		/* "source:target[:options]" */
	char *container_id_file;
	struct api_log_config log_config;
	char *network_mode;
	struct api_port_map port_bindings;
	struct api_restart_policy restart_policy;
	bool auto_remove;
	char *volume_driver;
	struct strv volumes_from;	/* "container[:ro|rw]" */
	VEC(struct api_mount) mounts;
	struct strv cap_add, cap_drop;
	struct strv dns, dns_options, dns_search;
	struct strv extra_hosts;	/* "name:address" */
	struct strv group_add;
	char *cgroupns_mode;		/* pouch calls it CgroupMode: both names are read */
	char *ipc_mode;
	char *cgroup;
	struct strv links;
	struct opt_i64 oom_score_adj;	/* printed only when set; -1000 to 1000 */
	char *pid_mode;
	bool privileged, publish_all_ports, readonly_rootfs;
	struct strv security_opt;
	struct strmap storage_opt;
	struct strmap tmpfs;		/* path -> options */
	char *uts_mode, *userns_mode;
	int64_t shm_size;		/* bytes; 0: 64 MiB */
	struct strmap sysctls;
	char *runtime;
	char *console_size;		/* raw JSON array [height, width]; api_console_size() */
	char *isolation;
	struct api_opt_list masked_paths, readonly_paths;	/* not set: the defaults */
	struct opt_bool init;
	struct strmap annotations;	/* docker's name for SpecAnnotation */

	/* pouch only */
	char *runtime_type;
	bool enable_lxcfs, rich;
	char *rich_mode, *init_script;
};

/* Endpoints by network name. */
struct api_networking_config {
	VEC(struct api_endpoint_settings) endpoints;
};

struct api_container_create {
	struct api_container_config config;	/* must stay first */
	struct api_host_config host_config;
	struct api_networking_config networking;
};

struct api_container_created {
	char *id, *name;
	struct strv warnings;
};

/* `POST /containers/ID/update` */
struct api_container_update {
	struct api_resources resources;	/* must stay first */
	struct api_restart_policy restart_policy;
	struct strv env, label;
	struct strmap disk_quota, spec_annotation;
};

struct api_container_upgrade {
	char *image;
	struct strv cmd, entrypoint;
};

extern const struct json_table api_container_config_table;
extern const struct json_table api_resources_table;
extern const struct json_table api_host_config_table;
extern const struct json_table api_networking_config_table;
extern const struct json_table api_container_create_table;
extern const struct json_table api_container_created_table;
extern const struct json_table api_container_update_table;
extern const struct json_table api_container_upgrade_table;
extern const struct json_table api_restart_policy_table;
extern const struct json_table api_log_config_table;
extern const struct json_table api_mount_table;

/* HostConfig.ConsoleSize into rows and columns; 0 and 0 when absent. -EINVAL. */
int api_console_size(const char *raw, uint32_t *ret_rows, uint32_t *ret_cols);

#endif
