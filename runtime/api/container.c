/*
 * container.c - field tables of container.h
 */
#include "runtime/api/container.h"

#include "runtime/api/table.h"

#define S struct api_container_state
static const struct json_field state_fields[] = {
	F(status, "Status", JSON_STR, 0),
	F(running, "Running", JSON_BOOL, 0),
	F(paused, "Paused", JSON_BOOL, 0),
	F(restarting, "Restarting", JSON_BOOL, 0),
	F(oom_killed, "OOMKilled", JSON_BOOL, 0),
	F(dead, "Dead", JSON_BOOL, 0),
	F(exited, "Exited", JSON_BOOL, 0),
	F(pid, "Pid", JSON_I64, 0),
	F(exit_code, "ExitCode", JSON_I64, 0),
	F(error, "Error", JSON_STR, 0),
	F(started_at, "StartedAt", JSON_TIME, 0),
	F(finished_at, "FinishedAt", JSON_TIME, 0),
};
const struct json_table api_container_state_table = JSON_TABLE("State", S, state_fields);
#undef S

#define S struct api_mount_point
static const struct json_field mount_point_fields[] = {
	F(type, "Type", JSON_STR, OMIT),
	F(id, "ID", JSON_STR, OMIT),
	F(name, "Name", JSON_STR, OMIT),
	F(source, "Source", JSON_STR, 0),
	F(destination, "Destination", JSON_STR, 0),
	F(driver, "Driver", JSON_STR, OMIT),
	F(mode, "Mode", JSON_STR, 0),
	F(rw, "RW", JSON_BOOL, 0),
	F(propagation, "Propagation", JSON_STR, 0),
	F(copy_data, "CopyData", JSON_BOOL, OMIT),
	F(named, "Named", JSON_BOOL, OMIT),
	F(replace, "Replace", JSON_STR, OMIT),
};
const struct json_table api_mount_point_table = JSON_TABLE("mount point", S, mount_point_fields);
#undef S

#define S struct api_driver_data
static const struct json_field driver_data_fields[] = {
	F(data, "Data", JSON_STRMAP, NUL),
	F(name, "Name", JSON_STR, 0),
};
const struct json_table api_driver_data_table = JSON_TABLE("driver", S, driver_data_fields);
#undef S

#define S struct api_container
static const struct json_field container_fields[] = {
	F(id, "Id", JSON_STR, 0),
	F(created, "Created", JSON_TIME, 0),
	F(path, "Path", JSON_STR, 0),
	F(args, "Args", JSON_STRV, 0),
	SUB(state, "State", JSON_OBJ, 0, &api_container_state_table),
	F(image, "Image", JSON_STR, 0),
	F(resolv_conf_path, "ResolvConfPath", JSON_STR, 0),
	F(hostname_path, "HostnamePath", JSON_STR, 0),
	F(hosts_path, "HostsPath", JSON_STR, 0),
	F(log_path, "LogPath", JSON_STR, 0),
	F(name, "Name", JSON_STR, 0),
	F(restart_count, "RestartCount", JSON_I64, 0),
	F(driver, "Driver", JSON_STR, 0),
	F(platform, "Platform", JSON_STR, 0),
	F(mount_label, "MountLabel", JSON_STR, 0),
	F(process_label, "ProcessLabel", JSON_STR, 0),
	F(app_armor_profile, "AppArmorProfile", JSON_STR, 0),
	F(exec_ids, "ExecIDs", JSON_STRV, NUL),
	SUB(host_config, "HostConfig", JSON_OBJ, 0, &api_host_config_table),
	SUB(graph_driver, "GraphDriver", JSON_OBJ, 0, &api_driver_data_table),
	SUB(snapshotter, "Snapshotter", JSON_OBJP, OMIT, &api_driver_data_table),
	F(size_rw, "SizeRw", JSON_OPT_I64, 0),
	F(size_root_fs, "SizeRootFs", JSON_OPT_I64, 0),
	SUB(mounts, "Mounts", JSON_VEC, 0, &api_mount_point_table),
	SUB(config, "Config", JSON_OBJ, 0, &api_container_config_table),
	SUB(network_settings, "NetworkSettings", JSON_OBJ, 0, &api_network_settings_table),
	F(host_root_path, "HostRootPath", JSON_STR, OMIT),
};
const struct json_table api_container_table = JSON_TABLE("container", S, container_fields);
#undef S

#define S struct api_host_config_summary
static const struct json_field host_config_summary_fields[] = {
	F(network_mode, "NetworkMode", JSON_STR, OMIT),
	F(runtime, "Runtime", JSON_STR, OMIT),
	F(annotations, "Annotations", JSON_STRMAP, OMIT),
};
static const struct json_table host_config_summary_table =
	JSON_TABLE("HostConfig", S, host_config_summary_fields);
#undef S

#define S struct api_networks
static const struct json_field networks_fields[] = {
	SUB(networks, "Networks", JSON_OBJMAP, 0, &api_endpoint_settings_table),
};
static const struct json_table networks_table = JSON_TABLE("NetworkSettings", S, networks_fields);
#undef S

#define S struct api_container_summary
static const struct json_field container_summary_fields[] = {
	F(id, "Id", JSON_STR, 0),
	F(names, "Names", JSON_STRV, 0),
	F(image, "Image", JSON_STR, 0),
	F(image_id, "ImageID", JSON_STR, 0),
	F(command, "Command", JSON_STR, 0),
	F(created, "Created", JSON_I64, 0),
	SUB(ports, "Ports", JSON_VEC, 0, &api_port_summary_table),
	F(size_rw, "SizeRw", JSON_OPT_I64, 0),
	F(size_root_fs, "SizeRootFs", JSON_OPT_I64, 0),
	F(labels, "Labels", JSON_STRMAP, 0),
	F(state, "State", JSON_STR, 0),
	F(status, "Status", JSON_STR, 0),
	SUB(host_config, "HostConfig", JSON_OBJ, 0, &host_config_summary_table),
	SUB(network_settings, "NetworkSettings", JSON_OBJ, 0, &networks_table),
	SUB(mounts, "Mounts", JSON_VEC, 0, &api_mount_point_table),
};
const struct json_table api_container_summary_table =
	JSON_TABLE("container", S, container_summary_fields);
#undef S

#define S struct api_top
static const struct json_field top_fields[] = {
	F(titles, "Titles", JSON_STRV, 0),
	F(processes, "Processes", JSON_RAW, 0),
};
const struct json_table api_top_table = JSON_TABLE("processes", S, top_fields);
#undef S

#define S struct api_wait_error
static const struct json_field wait_error_fields[] = {
	F(message, "Message", JSON_STR, 0),
};
static const struct json_table wait_error_table = JSON_TABLE("Error", S, wait_error_fields);
#undef S

#define S struct api_wait
static const struct json_field wait_fields[] = {
	F(status_code, "StatusCode", JSON_I64, 0),
	SUB(error, "Error", JSON_OBJP, OMIT, &wait_error_table),
};
const struct json_table api_wait_table = JSON_TABLE("wait", S, wait_fields);
#undef S

#define S struct api_change
static const struct json_field change_fields[] = {
	F(path, "Path", JSON_STR, 0),
	F(kind, "Kind", JSON_I32, 0),
};
const struct json_table api_change_table = JSON_TABLE("change", S, change_fields);
#undef S

#define S struct api_commit
static const struct json_field commit_fields[] = {
	F(id, "Id", JSON_STR, 0),
};
const struct json_table api_commit_table = JSON_TABLE("commit", S, commit_fields);
#undef S
