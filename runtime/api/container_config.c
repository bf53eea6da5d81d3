/*
 * container_config.c - field tables of container_config.h
 *
 * Tables that share a first member share its fields through a macro: offsets are the same, because it is the first.
 */
#include "runtime/api/container_config.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "compat/base/str.h"
#include "runtime/api/table.h"

#define MANY (JSON_ONE_OR_MANY | NUL)

/* ---- lists that may be empty on purpose ---- */

static int opt_list_parse(void *member, struct json_object *value, struct err *err)
{
	struct api_opt_list *list = member;
	size_t n;

	if (!json_object_is_type(value, json_type_array))
		return err_set(err, ERR_INVALID, "must be a list");
	n = json_object_array_length(value);
	for (size_t i = 0; i < n; i++) {
		struct json_object *item = json_object_array_get_idx(value, i);

		if (!json_object_is_type(item, json_type_string))
			return err_set(err, ERR_INVALID, "[%zu] must be a string", i);
		strv_add(&list->list, json_object_get_string(item));
	}
	list->set = true;
	return 0;
}

static void opt_list_print(const void *member, struct buf *out)
{
	const struct api_opt_list *list = member;
	const char *sep = "";

	if (!list->set) {
		buf_str(out, "null");
		return;
	}
	buf_char(out, '[');
	STRV_EACH(s, &list->list) {
		buf_str(out, sep);
		sep = ",";
		json_print_str(out, *s, strlen(*s));
	}
	buf_char(out, ']');
}

static void opt_list_clear(void *member)
{
	struct api_opt_list *list = member;

	strv_clear(&list->list);
	list->set = false;
}

static bool opt_list_is_empty(const void *member)
{
	return !((const struct api_opt_list *)member)->set;
}

const struct json_ops api_opt_list_ops = {
	.parse = opt_list_parse,
	.print = opt_list_print,
	.clear = opt_list_clear,
	.is_empty = opt_list_is_empty,
};

int api_console_size(const char *raw, uint32_t *ret_rows, uint32_t *ret_cols)
{
	struct json_object *tree = NULL;
	int64_t size[2] = {0, 0};
	int rc = 0;

	if (!str_empty(raw)) {
		if (json_tree_parse(raw, strlen(raw), "ConsoleSize", &tree, NULL) < 0)
			return -EINVAL;
		if (tree && (!json_object_is_type(tree, json_type_array) ||
			     json_object_array_length(tree) != 2))
			rc = -EINVAL;
		for (size_t i = 0; tree && !rc && i < 2; i++) {
			struct json_object *v = json_object_array_get_idx(tree, i);

			size[i] = json_object_get_int64(v);
			if (!json_object_is_type(v, json_type_int) || size[i] < 0 || size[i] > UINT16_MAX)
				rc = -EINVAL;
		}
		json_tree_put(tree);
	}
	if (rc)
		return rc;
	*ret_rows = (uint32_t)size[0];
	*ret_cols = (uint32_t)size[1];
	return 0;
}

/* ---- Config ---- */

#define S struct api_container_config
#define CONFIG_FIELDS                                                                              \
	F(hostname, "Hostname", JSON_STR, 0), F(domainname, "Domainname", JSON_STR, 0),            \
	F(user, "User", JSON_STR, 0), F(attach_stdin, "AttachStdin", JSON_BOOL, 0),                \
	F(attach_stdout, "AttachStdout", JSON_BOOL, 0),                                            \
	F(attach_stderr, "AttachStderr", JSON_BOOL, 0),                                            \
	F(exposed_ports, "ExposedPorts", JSON_SETMAP, OMIT), F(tty, "Tty", JSON_BOOL, 0),          \
	F(open_stdin, "OpenStdin", JSON_BOOL, 0), F(stdin_once, "StdinOnce", JSON_BOOL, 0),        \
	F(env, "Env", JSON_STRV, NUL), F(cmd, "Cmd", JSON_STRV, MANY),                             \
	F(healthcheck, "Healthcheck", JSON_RAW, OMIT),                                             \
	F(args_escaped, "ArgsEscaped", JSON_BOOL, OMIT), F(image, "Image", JSON_STR, 0),           \
	F(volumes, "Volumes", JSON_SETMAP, NUL), F(working_dir, "WorkingDir", JSON_STR, 0),        \
	F(entrypoint, "Entrypoint", JSON_STRV, MANY),                                              \
	F(network_disabled, "NetworkDisabled", JSON_BOOL, OMIT),                                   \
	F(mac_address, "MacAddress", JSON_STR, OMIT), F(on_build, "OnBuild", JSON_STRV, NUL),      \
	F(labels, "Labels", JSON_STRMAP, 0), F(stop_signal, "StopSignal", JSON_STR, OMIT),         \
	F(stop_timeout, "StopTimeout", JSON_OPT_I64, OMIT), F(shell, "Shell", JSON_STRV, OMIT),    \
	F(disable_network_files, "DisableNetworkFiles", JSON_BOOL, OMIT),                          \
	F(rich, "Rich", JSON_BOOL, OMIT), F(rich_mode, "RichMode", JSON_STR, OMIT),                \
	F(init_script, "InitScript", JSON_STR, OMIT),                                              \
	F(disk_quota, "DiskQuota", JSON_STRMAP, OMIT),                                             \
	F(spec_annotation, "SpecAnnotation", JSON_STRMAP, OMIT),                                   \
	F(quota_id, "QuotaID", JSON_STR, OMIT), F(net_priority, "NetPriority", JSON_I64, OMIT),    \
	F(specific_id, "SpecificID", JSON_STR, OMIT), F(snapshotter, "Snapshotter", JSON_STR, OMIT)

static const struct json_field container_config_fields[] = { CONFIG_FIELDS };
const struct json_table api_container_config_table =
	JSON_TABLE("Config", S, container_config_fields);
#undef S

/* ---- Resources ---- */

#define S struct api_weight_device
static const struct json_field weight_device_fields[] = {
	F(path, "Path", JSON_STR, 0),
	F(weight, "Weight", JSON_U16, 0),
};
static const struct json_table weight_device_table =
	JSON_TABLE("weight device", S, weight_device_fields);
#undef S

#define S struct api_throttle_device
static const struct json_field throttle_device_fields[] = {
	F(path, "Path", JSON_STR, 0),
	F(rate, "Rate", JSON_U64, 0),
};
static const struct json_table throttle_device_table =
	JSON_TABLE("throttle device", S, throttle_device_fields);
#undef S

#define S struct api_device_mapping
static const struct json_field device_mapping_fields[] = {
	F(path_on_host, "PathOnHost", JSON_STR, 0),
	F(path_in_container, "PathInContainer", JSON_STR, 0),
	F(cgroup_permissions, "CgroupPermissions", JSON_STR, 0),
};
static const struct json_table device_mapping_table =
	JSON_TABLE("device", S, device_mapping_fields);
#undef S

#define S struct api_ulimit
static const struct json_field ulimit_fields[] = {
	F(name, "Name", JSON_STR, 0),
	F(hard, "Hard", JSON_I64, 0),
	F(soft, "Soft", JSON_I64, 0),
};
static const struct json_table ulimit_table = JSON_TABLE("ulimit", S, ulimit_fields);
#undef S

#define S struct api_nvidia_config
static const struct json_field nvidia_fields[] = {
	F(visible_devices, "NvidiaVisibleDevices", JSON_STR, 0),
	F(driver_capabilities, "NvidiaDriverCapabilities", JSON_STR, 0),
};
static const struct json_table nvidia_table = JSON_TABLE("NvidiaConfig", S, nvidia_fields);
#undef S

#define S struct api_resources
#define RESOURCES_FIELDS                                                                           \
	F(cgroup_parent, "CgroupParent", JSON_STR, 0),                                             \
	F(blkio_weight, "BlkioWeight", JSON_U16, 0),                                               \
	SUB(blkio_weight_device, "BlkioWeightDevice", JSON_VEC, 0, &weight_device_table),          \
	SUB(blkio_device_read_bps, "BlkioDeviceReadBps", JSON_VEC, 0, &throttle_device_table),     \
	SUB(blkio_device_write_bps, "BlkioDeviceWriteBps", JSON_VEC, 0, &throttle_device_table),   \
	SUB(blkio_device_read_iops, "BlkioDeviceReadIOps", JSON_VEC, 0, &throttle_device_table),   \
	SUB(blkio_device_write_iops, "BlkioDeviceWriteIOps", JSON_VEC, 0, &throttle_device_table), \
	F(cpu_shares, "CpuShares", JSON_I64, 0), F(cpu_period, "CpuPeriod", JSON_I64, 0),          \
	F(cpu_quota, "CpuQuota", JSON_I64, 0),                                                     \
	F(cpu_realtime_period, "CpuRealtimePeriod", JSON_I64, 0),                                  \
	F(cpu_realtime_runtime, "CpuRealtimeRuntime", JSON_I64, 0),                                \
	F(cpuset_cpus, "CpusetCpus", JSON_STR, 0), F(cpuset_mems, "CpusetMems", JSON_STR, 0),      \
	SUB(devices, "Devices", JSON_VEC, 0, &device_mapping_table),                               \
	F(device_cgroup_rules, "DeviceCgroupRules", JSON_STRV, NUL),                               \
	F(device_requests, "DeviceRequests", JSON_RAW, NUL),                                       \
	F(kernel_memory, "KernelMemory", JSON_I64, 0),                                             \
	F(kernel_memory_tcp, "KernelMemoryTCP", JSON_I64, OMIT), F(memory, "Memory", JSON_I64, 0), \
	F(memory_reservation, "MemoryReservation", JSON_I64, 0),                                   \
	F(memory_swap, "MemorySwap", JSON_I64, 0),                                                 \
	F(memory_swappiness, "MemorySwappiness", JSON_OPT_I64, NUL),                               \
	F(nano_cpus, "NanoCpus", JSON_I64, 0),                                                     \
	F(oom_kill_disable, "OomKillDisable", JSON_OPT_BOOL, NUL),                                 \
	F(pids_limit, "PidsLimit", JSON_OPT_I64, NUL),                                             \
	SUB(ulimits, "Ulimits", JSON_VEC, NUL, &ulimit_table),                                     \
	F(cpu_count, "CpuCount", JSON_I64, 0), F(cpu_percent, "CpuPercent", JSON_I64, 0),          \
	F(io_maximum_iops, "IOMaximumIOps", JSON_U64, 0),                                          \
	F(io_maximum_bandwidth, "IOMaximumBandwidth", JSON_U64, 0),                                \
	F(intel_rdt_l3_cbm, "IntelRdtL3Cbm", JSON_STR, OMIT),                                      \
	F(sche_lat_switch, "ScheLatSwitch", JSON_I64, OMIT),                                       \
	F(memory_wmark_ratio, "MemoryWmarkRatio", JSON_OPT_I64, 0),                                \
	F(memory_extra, "MemoryExtra", JSON_OPT_I64, 0),                                           \
	F(memory_force_empty_ctl, "MemoryForceEmptyCtl", JSON_I64, OMIT),                          \
	SUB(nvidia_config, "NvidiaConfig", JSON_OBJP, OMIT, &nvidia_table)

static const struct json_field resources_fields[] = { RESOURCES_FIELDS };
const struct json_table api_resources_table = JSON_TABLE("Resources", S, resources_fields);
#undef S

/* ---- mounts ---- */

#define S struct api_bind_options
static const struct json_field bind_options_fields[] = {
	F(propagation, "Propagation", JSON_STR, OMIT),
	F(non_recursive, "NonRecursive", JSON_BOOL, OMIT),
	F(create_mountpoint, "CreateMountpoint", JSON_BOOL, OMIT),
	F(read_only_non_recursive, "ReadOnlyNonRecursive", JSON_BOOL, OMIT),
	F(read_only_force_recursive, "ReadOnlyForceRecursive", JSON_BOOL, OMIT),
};
static const struct json_table bind_options_table =
	JSON_TABLE("BindOptions", S, bind_options_fields);
#undef S

#define S struct api_volume_driver_config
static const struct json_field volume_driver_fields[] = {
	F(name, "Name", JSON_STR, OMIT),
	F(options, "Options", JSON_STRMAP, OMIT),
};
static const struct json_table volume_driver_table =
	JSON_TABLE("DriverConfig", S, volume_driver_fields);
#undef S

#define S struct api_volume_options
static const struct json_field volume_options_fields[] = {
	F(no_copy, "NoCopy", JSON_BOOL, OMIT),
	F(labels, "Labels", JSON_STRMAP, OMIT),
	SUB(driver_config, "DriverConfig", JSON_OBJP, OMIT, &volume_driver_table),
	F(subpath, "Subpath", JSON_STR, OMIT),
};
static const struct json_table volume_options_table =
	JSON_TABLE("VolumeOptions", S, volume_options_fields);
#undef S

#define S struct api_tmpfs_options
static const struct json_field tmpfs_options_fields[] = {
	F(size_bytes, "SizeBytes", JSON_I64, OMIT),
	F(mode, "Mode", JSON_U32, OMIT),
	F(options, "Options", JSON_RAW, OMIT),
};
static const struct json_table tmpfs_options_table =
	JSON_TABLE("TmpfsOptions", S, tmpfs_options_fields);
#undef S

#define S struct api_mount
static const struct json_field mount_fields[] = {
	F(type, "Type", JSON_STR, 0),
	F(source, "Source", JSON_STR, OMIT),
	F(target, "Target", JSON_STR, 0),
	F(read_only, "ReadOnly", JSON_BOOL, OMIT),
	F(consistency, "Consistency", JSON_STR, OMIT),
	SUB(bind_options, "BindOptions", JSON_OBJP, OMIT, &bind_options_table),
	SUB(volume_options, "VolumeOptions", JSON_OBJP, OMIT, &volume_options_table),
	SUB(tmpfs_options, "TmpfsOptions", JSON_OBJP, OMIT, &tmpfs_options_table),
};
const struct json_table api_mount_table = JSON_TABLE("mount", S, mount_fields);
#undef S

/* ---- HostConfig ---- */

#define S struct api_log_config
static const struct json_field log_config_fields[] = {
	F(type, "Type", JSON_STR, 0),
	F(config, "Config", JSON_STRMAP, 0),
};
const struct json_table api_log_config_table = JSON_TABLE("LogConfig", S, log_config_fields);
#undef S

#define S struct api_restart_policy
static const struct json_field restart_policy_fields[] = {
	F(name, "Name", JSON_STR, 0),
	F(maximum_retry_count, "MaximumRetryCount", JSON_I64, 0),
};
const struct json_table api_restart_policy_table =
	JSON_TABLE("RestartPolicy", S, restart_policy_fields);
#undef S

#define S struct api_host_config
static const struct json_field host_config_fields[] = {
	F(binds, "Binds", JSON_STRV, NUL),
	F(container_id_file, "ContainerIDFile", JSON_STR, 0),
	SUB(log_config, "LogConfig", JSON_OBJ, 0, &api_log_config_table),
	F(network_mode, "NetworkMode", JSON_STR, 0),
	JSON_OPS(S, port_bindings, "PortBindings", 0, &api_port_map_ops),
	SUB(restart_policy, "RestartPolicy", JSON_OBJ, 0, &api_restart_policy_table),
	F(auto_remove, "AutoRemove", JSON_BOOL, 0),
	F(volume_driver, "VolumeDriver", JSON_STR, 0),
	F(volumes_from, "VolumesFrom", JSON_STRV, NUL),
	SUB(mounts, "Mounts", JSON_VEC, OMIT, &api_mount_table),
	F(cap_add, "CapAdd", JSON_STRV, MANY),
	F(cap_drop, "CapDrop", JSON_STRV, MANY),
	F(cgroupns_mode, "CgroupnsMode", JSON_STR, 0),
	F(cgroupns_mode, "CgroupMode", JSON_STR, OMIT),
	F(dns, "Dns", JSON_STRV, 0),
	F(dns_options, "DnsOptions", JSON_STRV, 0),
	F(dns_search, "DnsSearch", JSON_STRV, 0),
	F(extra_hosts, "ExtraHosts", JSON_STRV, NUL),
	F(group_add, "GroupAdd", JSON_STRV, NUL),
	F(ipc_mode, "IpcMode", JSON_STR, 0),
	F(cgroup, "Cgroup", JSON_STR, 0),
	F(links, "Links", JSON_STRV, NUL),
	F(oom_score_adj, "OomScoreAdj", JSON_OPT_I64, 0),
	F(pid_mode, "PidMode", JSON_STR, 0),
	F(privileged, "Privileged", JSON_BOOL, 0),
	F(publish_all_ports, "PublishAllPorts", JSON_BOOL, 0),
	F(readonly_rootfs, "ReadonlyRootfs", JSON_BOOL, 0),
	F(security_opt, "SecurityOpt", JSON_STRV, NUL),
	F(storage_opt, "StorageOpt", JSON_STRMAP, OMIT),
	F(tmpfs, "Tmpfs", JSON_STRMAP, OMIT),
	F(uts_mode, "UTSMode", JSON_STR, 0),
	F(userns_mode, "UsernsMode", JSON_STR, 0),
	F(shm_size, "ShmSize", JSON_I64, 0),
	F(sysctls, "Sysctls", JSON_STRMAP, OMIT),
	F(runtime, "Runtime", JSON_STR, OMIT),
	F(runtime_type, "RuntimeType", JSON_STR, OMIT),
	F(console_size, "ConsoleSize", JSON_RAW, OMIT),
	F(isolation, "Isolation", JSON_STR, 0),
	JSON_OPS(S, masked_paths, "MaskedPaths", 0, &api_opt_list_ops),
	JSON_OPS(S, readonly_paths, "ReadonlyPaths", 0, &api_opt_list_ops),
	F(init, "Init", JSON_OPT_BOOL, 0),
	F(annotations, "Annotations", JSON_STRMAP, OMIT),
	F(enable_lxcfs, "EnableLxcfs", JSON_BOOL, 0),
	F(rich, "Rich", JSON_BOOL, 0),
	F(rich_mode, "RichMode", JSON_STR, OMIT),
	F(init_script, "InitScript", JSON_STR, OMIT),
#undef S
#define S struct api_resources
	RESOURCES_FIELDS,
#undef S
};
#define S struct api_host_config
const struct json_table api_host_config_table = JSON_TABLE("HostConfig", S, host_config_fields);
#undef S

/* ---- requests and answers ---- */

#define S struct api_networking_config
static const struct json_field networking_config_fields[] = {
	SUB(endpoints, "EndpointsConfig", JSON_OBJMAP, 0, &api_endpoint_settings_table),
};
const struct json_table api_networking_config_table =
	JSON_TABLE("NetworkingConfig", S, networking_config_fields);
#undef S

static const struct json_field container_create_fields[] = {
#define S struct api_container_config
	CONFIG_FIELDS,
#undef S
#define S struct api_container_create
	SUB(host_config, "HostConfig", JSON_OBJ, 0, &api_host_config_table),
	SUB(networking, "NetworkingConfig", JSON_OBJ, 0, &api_networking_config_table),
};
const struct json_table api_container_create_table =
	JSON_TABLE("container", S, container_create_fields);
#undef S

#define S struct api_container_created
static const struct json_field container_created_fields[] = {
	F(id, "Id", JSON_STR, 0),
	F(name, "Name", JSON_STR, OMIT),
	F(warnings, "Warnings", JSON_STRV, 0),
};
const struct json_table api_container_created_table =
	JSON_TABLE("created container", S, container_created_fields);
#undef S

static const struct json_field container_update_fields[] = {
#define S struct api_resources
	RESOURCES_FIELDS,
#undef S
#define S struct api_container_update
	SUB(restart_policy, "RestartPolicy", JSON_OBJ, OMIT, &api_restart_policy_table),
	F(env, "Env", JSON_STRV, OMIT),
	F(label, "Label", JSON_STRV, OMIT),
	F(disk_quota, "DiskQuota", JSON_STRMAP, OMIT),
	F(spec_annotation, "SpecAnnotation", JSON_STRMAP, OMIT),
};
const struct json_table api_container_update_table =
	JSON_TABLE("update", S, container_update_fields);
#undef S

#define S struct api_container_upgrade
static const struct json_field container_upgrade_fields[] = {
	F(image, "Image", JSON_STR, JSON_REQUIRED),
	F(cmd, "Cmd", JSON_STRV, MANY),
	F(entrypoint, "Entrypoint", JSON_STRV, MANY),
};
const struct json_table api_container_upgrade_table =
	JSON_TABLE("upgrade", S, container_upgrade_fields);
#undef S
