/*
 * system.c - field tables of system.h
 */
#include "runtime/api/system.h"

#include "runtime/api/table.h"

#define S struct api_platform
static const struct json_field platform_fields[] = {
	F(name, "Name", JSON_STR, 0),
};
static const struct json_table platform_table = JSON_TABLE("Platform", S, platform_fields);
#undef S

#define S struct api_component
static const struct json_field component_fields[] = {
	F(name, "Name", JSON_STR, 0),
	F(version, "Version", JSON_STR, 0),
	F(details, "Details", JSON_STRMAP, NUL),
};
static const struct json_table component_table = JSON_TABLE("component", S, component_fields);
#undef S

#define S struct api_version
static const struct json_field version_fields[] = {
	SUB(platform, "Platform", JSON_OBJ, 0, &platform_table),
	SUB(components, "Components", JSON_VEC, OMIT, &component_table),
	F(version, "Version", JSON_STR, 0),
	F(api_version, "ApiVersion", JSON_STR, 0),
	F(min_api_version, "MinAPIVersion", JSON_STR, OMIT),
	F(git_commit, "GitCommit", JSON_STR, 0),
	F(go_version, "GoVersion", JSON_STR, 0),
	F(os, "Os", JSON_STR, 0),
	F(arch, "Arch", JSON_STR, 0),
	F(kernel_version, "KernelVersion", JSON_STR, OMIT),
	F(experimental, "Experimental", JSON_BOOL, OMIT),
	F(build_time, "BuildTime", JSON_STR, OMIT),
};
const struct json_table api_version_table = JSON_TABLE("version", S, version_fields);
#undef S

#define S struct api_index_info
static const struct json_field index_info_fields[] = {
	F(name, "Name", JSON_STR, 0),
	F(mirrors, "Mirrors", JSON_STRV, 0),
	F(secure, "Secure", JSON_BOOL, 0),
	F(official, "Official", JSON_BOOL, 0),
};
static const struct json_table index_info_table =
	JSON_MAP_TABLE("index", S, index_info_fields, key);
#undef S

#define S struct api_registry_config
static const struct json_field registry_config_fields[] = {
	F(allow_nondistributable_cidrs, "AllowNondistributableArtifactsCIDRs", JSON_STRV, 0),
	F(allow_nondistributable_hostnames, "AllowNondistributableArtifactsHostnames", JSON_STRV, 0),
	F(insecure_registry_cidrs, "InsecureRegistryCIDRs", JSON_STRV, 0),
	SUB(index_configs, "IndexConfigs", JSON_OBJMAP, 0, &index_info_table),
	F(mirrors, "Mirrors", JSON_STRV, NUL),
};
static const struct json_table registry_config_table =
	JSON_TABLE("RegistryConfig", S, registry_config_fields);
#undef S

#define S struct api_runtime
static const struct json_field runtime_fields[] = {
	F(type, "type", JSON_STR, OMIT),
	F(path, "path", JSON_STR, OMIT),
	F(runtime_args, "runtimeArgs", JSON_STRV, OMIT),
	F(options, "options", JSON_RAW, OMIT),
};
static const struct json_table runtime_table = JSON_MAP_TABLE("runtime", S, runtime_fields, name);
#undef S

#define S struct api_component_commit
static const struct json_field component_commit_fields[] = {
	F(id, "ID", JSON_STR, 0),
	F(expected, "Expected", JSON_STR, 0),
};
static const struct json_table component_commit_table =
	JSON_TABLE("commit", S, component_commit_fields);
#undef S

#define S struct api_plugins
static const struct json_field plugins_fields[] = {
	F(volume, "Volume", JSON_STRV, 0),
	F(network, "Network", JSON_STRV, 0),
	F(authorization, "Authorization", JSON_STRV, NUL),
	F(log, "Log", JSON_STRV, 0),
};
static const struct json_table plugins_table = JSON_TABLE("Plugins", S, plugins_fields);
#undef S

#define S struct api_info
static const struct json_field info_fields[] = {
	F(id, "ID", JSON_STR, 0),
	F(containers, "Containers", JSON_I64, 0),
	F(containers_running, "ContainersRunning", JSON_I64, 0),
	F(containers_paused, "ContainersPaused", JSON_I64, 0),
	F(containers_stopped, "ContainersStopped", JSON_I64, 0),
	F(images, "Images", JSON_I64, 0),
	F(driver, "Driver", JSON_STR, 0),
	F(driver_status, "DriverStatus", JSON_RAW, 0),
	SUB(plugins, "Plugins", JSON_OBJ, 0, &plugins_table),
	F(memory_limit, "MemoryLimit", JSON_BOOL, 0),
	F(swap_limit, "SwapLimit", JSON_BOOL, 0),
	F(kernel_memory_tcp, "KernelMemoryTCP", JSON_BOOL, OMIT),
	F(cpu_cfs_period, "CpuCfsPeriod", JSON_BOOL, 0),
	F(cpu_cfs_quota, "CpuCfsQuota", JSON_BOOL, 0),
	F(cpu_shares, "CPUShares", JSON_BOOL, 0),
	F(cpu_set, "CPUSet", JSON_BOOL, 0),
	F(pids_limit, "PidsLimit", JSON_BOOL, 0),
	F(ipv4_forwarding, "IPv4Forwarding", JSON_BOOL, 0),
	F(bridge_nf_iptables, "BridgeNfIptables", JSON_BOOL, 0),
	F(bridge_nf_ip6tables, "BridgeNfIp6tables", JSON_BOOL, 0),
	F(debug, "Debug", JSON_BOOL, 0),
	F(n_fd, "NFd", JSON_I64, 0),
	F(oom_kill_disable, "OomKillDisable", JSON_BOOL, 0),
	F(n_goroutines, "NGoroutines", JSON_I64, 0),
	F(system_time, "SystemTime", JSON_TIME, 0),
	F(logging_driver, "LoggingDriver", JSON_STR, 0),
	F(cgroup_driver, "CgroupDriver", JSON_STR, 0),
	F(cgroup_version, "CgroupVersion", JSON_STR, OMIT),
	F(n_events_listener, "NEventsListener", JSON_I64, 0),
	F(kernel_version, "KernelVersion", JSON_STR, 0),
	F(operating_system, "OperatingSystem", JSON_STR, 0),
	F(os_version, "OSVersion", JSON_STR, 0),
	F(os_type, "OSType", JSON_STR, 0),
	F(architecture, "Architecture", JSON_STR, 0),
	F(index_server_address, "IndexServerAddress", JSON_STR, 0),
	SUB(registry_config, "RegistryConfig", JSON_OBJ, 0, &registry_config_table),
	F(ncpu, "NCPU", JSON_I64, 0),
	F(mem_total, "MemTotal", JSON_I64, 0),
	F(docker_root_dir, "DockerRootDir", JSON_STR, 0),
	F(http_proxy, "HttpProxy", JSON_STR, 0),
	F(https_proxy, "HttpsProxy", JSON_STR, 0),
	F(no_proxy, "NoProxy", JSON_STR, 0),
	F(name, "Name", JSON_STR, 0),
	F(labels, "Labels", JSON_STRV, 0),
	F(experimental_build, "ExperimentalBuild", JSON_BOOL, 0),
	F(server_version, "ServerVersion", JSON_STR, 0),
	SUB(runtimes, "Runtimes", JSON_OBJMAP, 0, &runtime_table),
	F(default_runtime, "DefaultRuntime", JSON_STR, 0),
	F(swarm, "Swarm", JSON_RAW, OMIT),
	F(live_restore_enabled, "LiveRestoreEnabled", JSON_BOOL, 0),
	F(isolation, "Isolation", JSON_STR, 0),
	F(init_binary, "InitBinary", JSON_STR, 0),
	SUB(containerd_commit, "ContainerdCommit", JSON_OBJ, 0, &component_commit_table),
	SUB(runc_commit, "RuncCommit", JSON_OBJ, 0, &component_commit_table),
	SUB(init_commit, "InitCommit", JSON_OBJ, 0, &component_commit_table),
	F(security_options, "SecurityOptions", JSON_STRV, 0),
	F(warnings, "Warnings", JSON_STRV, NUL),
	F(pouch_root_dir, "PouchRootDir", JSON_STR, 0),
	F(default_registry, "DefaultRegistry", JSON_STR, 0),
	F(volume_drivers, "VolumeDrivers", JSON_STRV, 0),
	F(listen_addresses, "ListenAddresses", JSON_STRV, 0),
	F(lxcfs_enabled, "LxcfsEnabled", JSON_BOOL, 0),
	F(cri_enabled, "CriEnabled", JSON_BOOL, 0),
	F(compat, "Compat", JSON_RAW, OMIT),
};
const struct json_table api_info_table = JSON_TABLE("info", S, info_fields);
#undef S

#define S struct api_auth_config
static const struct json_field auth_config_fields[] = {
	F(username, "username", JSON_STR, OMIT),
	F(password, "password", JSON_STR, OMIT),
	F(auth, "auth", JSON_STR, OMIT),
	F(email, "email", JSON_STR, OMIT),
	F(server_address, "serveraddress", JSON_STR, OMIT),
	F(identity_token, "identitytoken", JSON_STR, OMIT),
	F(registry_token, "registrytoken", JSON_STR, OMIT),
};
const struct json_table api_auth_config_table = JSON_TABLE("login", S, auth_config_fields);
#undef S

#define S struct api_auth_response
static const struct json_field auth_response_fields[] = {
	F(status, "Status", JSON_STR, 0),
	F(identity_token, "IdentityToken", JSON_STR, 0),
};
const struct json_table api_auth_response_table = JSON_TABLE("login", S, auth_response_fields);
#undef S

#define S struct api_daemon_update
static const struct json_field daemon_update_fields[] = {
	F(labels, "Labels", JSON_STRV, 0),
	F(image_proxy, "ImageProxy", JSON_STR, 0),
};
const struct json_table api_daemon_update_table =
	JSON_TABLE("daemon update", S, daemon_update_fields);
#undef S
