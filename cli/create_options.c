/*
 * create_options.c - see create_options.h
 */
#include "cli/create_options.h"

#include <fcntl.h>
#include <stdlib.h>

#include "compat/base/fd.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "runtime/api/parse.h"

enum { ENV_FILE_MAX = 4 << 20 };

/* ---- options with a language of their own ---- */

#define HOST(o)	     (&((struct create_options *)(o))->request.host_config)
#define RESOURCES(o) (&HOST(o)->resources)
#define CONFIG(o)    (&((struct create_options *)(o))->request.config)

/* Parse into a new element at the end of @vec, which goes again on failure. */
#define PARSE_INTO(vec, call)                                                                      \
	({                                                                                         \
		__typeof__(*(vec)->v) element_ = {0};                                              \
		int rc_ = (call);                                                                  \
		if (!rc_)                                                                          \
			VEC_PUSH(vec, element_);                                                   \
		rc_;                                                                               \
	})

static int set_publish(void *o, const char *value, struct err *err)
{
	return api_parse_publish(value, &CONFIG(o)->exposed_ports, &HOST(o)->port_bindings, err);
}

static int set_expose(void *o, const char *value, struct err *err)
{
	return api_parse_expose(value, &CONFIG(o)->exposed_ports, err);
}

static int set_volume(void *o, const char *value, struct err *err)
{
	return api_parse_volume(value, &CONFIG(o)->volumes, &HOST(o)->binds, err);
}

static int set_mount(void *o, const char *value, struct err *err)
{
	return PARSE_INTO(&HOST(o)->mounts, api_parse_mount(value, &element_, err));
}

static int set_tmpfs(void *o, const char *value, struct err *err)
{
	return api_parse_tmpfs(value, &HOST(o)->tmpfs, err);
}

static int set_ulimit(void *o, const char *value, struct err *err)
{
	return PARSE_INTO(&RESOURCES(o)->ulimits, api_parse_ulimit(value, &element_, err));
}

static int set_device(void *o, const char *value, struct err *err)
{
	return PARSE_INTO(&RESOURCES(o)->devices, api_parse_device(value, &element_, err));
}

static int set_read_bps(void *o, const char *value, struct err *err)
{
	return PARSE_INTO(&RESOURCES(o)->blkio_device_read_bps,
			  api_parse_throttle(value, true, &element_, err));
}

static int set_write_bps(void *o, const char *value, struct err *err)
{
	return PARSE_INTO(&RESOURCES(o)->blkio_device_write_bps,
			  api_parse_throttle(value, true, &element_, err));
}

static int set_read_iops(void *o, const char *value, struct err *err)
{
	return PARSE_INTO(&RESOURCES(o)->blkio_device_read_iops,
			  api_parse_throttle(value, false, &element_, err));
}

static int set_write_iops(void *o, const char *value, struct err *err)
{
	return PARSE_INTO(&RESOURCES(o)->blkio_device_write_iops,
			  api_parse_throttle(value, false, &element_, err));
}

static int set_weight(void *o, const char *value, struct err *err)
{
	return PARSE_INTO(&RESOURCES(o)->blkio_weight_device,
			  api_parse_weight(value, &element_, err));
}

static int set_restart(void *o, const char *value, struct err *err)
{
	return api_parse_restart(value, &HOST(o)->restart_policy, err);
}

static int set_disk_quota(void *o, const char *value, struct err *err)
{
	return api_parse_disk_quota(value, &CONFIG(o)->disk_quota, err);
}

static int set_cpus(void *o, const char *value, struct err *err)
{
	return api_parse_cpus(value, &RESOURCES(o)->nano_cpus, err);
}

static int set_add_host(void *o, const char *value, struct err *err)
{
	return api_parse_extra_host(value, &HOST(o)->extra_hosts, err);
}

static int set_entrypoint(void *o, const char *value, struct err *err)
{
	struct strv *entrypoint = &CONFIG(o)->entrypoint;

	strv_clear(entrypoint);
	strv_add(entrypoint, value);
	return 0;
}

static struct api_nvidia_config *nvidia(void *o)
{
	struct api_resources *r = RESOURCES(o);

	if (!r->nvidia_config)
		r->nvidia_config = xcalloc(1, sizeof(*r->nvidia_config));
	return r->nvidia_config;
}

static int set_nvidia_capabilities(void *o, const char *value, struct err *err)
{
	str_set(&nvidia(o)->driver_capabilities, value);
	return 0;
}

static int set_nvidia_devices(void *o, const char *value, struct err *err)
{
	str_set(&nvidia(o)->visible_devices, value);
	return 0;
}

static int set_stop_signal(void *o, const char *value, struct err *err)
{
	if (signal_parse(value) < 0)
		return err_set(err, ERR_INVALID, "'%s' is not a signal", value);
	str_set(&CONFIG(o)->stop_signal, value);
	return 0;
}

static int set_security(void *o, const char *value, struct err *err)
{
	const char *file = str_skip(value, "seccomp=");
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc;

	/* A profile is a file on this machine: the daemon gets its text. */
	if (!file || str_eq(file, "unconfined") || str_eq(file, "builtin") || *file == '{') {
		strv_add(&HOST(o)->security_opt, value);
		return 0;
	}
	rc = file_read(AT_FDCWD, file, ENV_FILE_MAX, &text, err);
	if (rc < 0)
		return rc;
	strv_addf(&HOST(o)->security_opt, "seccomp=%s", buf_cstr(&text));
	return 0;
}

static int set_rich_mode(void *o, const char *value, struct err *err)
{
	if (!str_eq(value, "dumb-init") && !str_eq(value, "sbin-init") && !str_eq(value, "systemd"))
		return err_set(err, ERR_INVALID, "'%s' is none of dumb-init, sbin-init, systemd", value);
	str_set(&CONFIG(o)->rich_mode, value);
	return 0;
}

static int set_specific_id(void *o, const char *value, struct err *err)
{
	if (!str_is_hex(value, 64, 64))
		return err_set(err, ERR_INVALID, "'%s' is not 64 hexadecimal digits", value);
	str_set(&CONFIG(o)->specific_id, value);
	return 0;
}

static int set_pull(void *options, const char *value, struct err *err)
{
	struct create_options *o = options;

	if (!str_eq(value, "missing") && !str_eq(value, "always") && !str_eq(value, "never"))
		return err_set(err, ERR_INVALID, "'%s' is none of missing, always, never", value);
	str_set(&o->pull, value);
	return 0;
}

/* ---- the tables ---- */

#define O(member)   offsetof(struct create_options, member)
#define C(member)   O(request.config.member)
#define H(member)   O(request.host_config.member)
#define R(member)   O(request.host_config.resources.member)
#define CALL(fn)    0, .set = (fn)
#define ROW(name, letter, type, place, text, ...)                                                  \
	{ name, letter, OPTION_##type, .help = text, .offset = place, ##__VA_ARGS__ }

static const struct option create_rows[] = {
	ROW("add-host", 0, CALL, CALL(set_add_host), "Add a line to /etc/hosts (HOST:ADDRESS)",
	    .value_name = "stringArray"),
	ROW("annotation", 0, PAIR_ARRAY, C(spec_annotation), "Annotation for the runtime (KEY=VALUE)"),
	ROW("blkio-weight", 0, UINT16, R(blkio_weight), "Block IO weight, 10 to 1000, or 0 to leave it",
	    .min = 0, .max = 1000),
	ROW("blkio-weight-device", 0, CALL_EACH, CALL(set_weight),
	    "Block IO weight of a device (DEVICE:WEIGHT)"),
	ROW("cap-add", 0, STRINGS, H(cap_add), "Add Linux capabilities"),
	ROW("cap-drop", 0, STRINGS, H(cap_drop), "Drop Linux capabilities"),
	ROW("cgroup-parent", 0, STRING, R(cgroup_parent), "Parent cgroup", .fallback = "\"default\""),
	ROW("cgroupns", 0, STRING, H(cgroupns_mode), "Cgroup namespace: host or private"),
	ROW("cidfile", 0, STRING, O(cidfile), "Write the container's ID to this file"),
	ROW("cpu-period", 0, INT, R(cpu_period), "CPU CFS period in microseconds"),
	ROW("cpu-quota", 0, INT, R(cpu_quota), "CPU CFS quota in microseconds"),
	ROW("cpu-rt-period", 0, INT, R(cpu_realtime_period), "CPU real-time period in microseconds"),
	ROW("cpu-rt-runtime", 0, INT, R(cpu_realtime_runtime), "CPU real-time runtime in microseconds"),
	ROW("cpu-shares", 0, INT, R(cpu_shares), "CPU shares (relative weight)", .min = 0,
	    .max = INT64_MAX),
	ROW("cpus", 0, CALL, CALL(set_cpus), "Number of CPUs, like 1.5", .value_name = "decimal"),
	ROW("cpuset-cpus", 0, STRING, R(cpuset_cpus), "CPUs to run on (0-3, 0,1)"),
	ROW("cpuset-mems", 0, STRING, R(cpuset_mems), "Memory nodes to use (0-3, 0,1)"),
	ROW("device", 0, CALL_EACH, CALL(set_device), "Add a device of the host (HOST[:CONTAINER][:rwm])"),
	ROW("device-cgroup-rule", 0, STRINGS, R(device_cgroup_rules),
	    "Allow devices by number (\"c 13:* rwm\")"),
	ROW("device-read-bps", 0, CALL_EACH, CALL(set_read_bps), "Limit reading from a device (DEVICE:SIZE)"),
	ROW("device-read-iops", 0, CALL_EACH, CALL(set_read_iops),
	    "Limit reading from a device in IO a second (DEVICE:NUMBER)"),
	ROW("device-write-bps", 0, CALL_EACH, CALL(set_write_bps), "Limit writing to a device (DEVICE:SIZE)"),
	ROW("device-write-iops", 0, CALL_EACH, CALL(set_write_iops),
	    "Limit writing to a device in IO a second (DEVICE:NUMBER)"),
	ROW("disable-network-files", 0, BOOL, C(disable_network_files),
	    "Leave /etc/hosts, /etc/hostname and /etc/resolv.conf as the image has them"),
	ROW("disk-quota", 0, CALL_EACH, CALL(set_disk_quota),
	    "Limit disk space (10g for all, or PATH[&PATH...]=10g)"),
	ROW("dns", 0, ARRAY, H(dns), "DNS server"),
	ROW("dns-option", 0, STRINGS, H(dns_options), "Resolver option"),
	ROW("dns-search", 0, ARRAY, H(dns_search), "DNS search domain"),
	ROW("domainname", 0, STRING, C(domainname), "Domain name"),
	ROW("enableLxcfs", 0, BOOL, H(enable_lxcfs), "Let /proc show the container's own resources"),
	ROW("entrypoint", 0, CALL, CALL(set_entrypoint), "Replace the image's entry point"),
	ROW("env", 'e', ARRAY, O(env), "Environment variable (KEY=VALUE, or KEY to take ours)"),
	ROW("env-file", 0, ARRAY, O(env_files), "File with environment variables"),
	ROW("expose", 0, CALL_EACH, CALL(set_expose), "Expose a port or a range"),
	ROW("group-add", 0, STRINGS, H(group_add), "Further groups of the process"),
	ROW("hostname", 0, STRING, O(hostname), "Host name (\"NAME\" or \"NAME.DOMAIN\")"),
	ROW("init", 0, OPT_BOOL, H(init), "Run an init that forwards signals and reaps processes"),
	ROW("initscript", 0, STRING, C(init_script), "Script to run before a rich container's init"),
	ROW("intel-rdt-l3-cbm", 0, STRING, R(intel_rdt_l3_cbm), "Intel RDT cache mask"),
	ROW("interactive", 'i', BOOL, O(interactive), "Keep standard input open"),
	ROW("ip", 0, STRING, O(ip), "IPv4 address"),
	ROW("ip6", 0, STRING, O(ip6), "IPv6 address"),
	ROW("ipc", 0, STRING, H(ipc_mode), "IPC namespace (host, private, shareable, container:NAME)"),
	ROW("kernel-memory", 0, BYTES, R(kernel_memory), "Kernel memory limit", .value_name = "string"),
	ROW("label", 'l', PAIR_ARRAY, C(labels), "Label (KEY=VALUE)"),
	ROW("link", 0, ARRAY, H(links), "Link to another container (NAME[:ALIAS])"),
	ROW("log-driver", 0, STRING, H(log_config.type), "Where output is kept", .fallback = "\"json-file\""),
	ROW("log-opt", 0, PAIR_ARRAY, H(log_config.config), "Option of the log driver (max-size=10m)"),
	ROW("mac-address", 0, STRING, C(mac_address), "MAC address"),
	ROW("memory", 'm', BYTES, R(memory), "Memory limit", .value_name = "string"),
	ROW("memory-reservation", 0, BYTES, R(memory_reservation), "Memory soft limit",
	    .value_name = "string"),
	ROW("memory-swap", 0, BYTES, R(memory_swap), "Limit of memory and swap; -1 is unlimited",
	    .value_name = "string"),
	ROW("memory-swappiness", 0, OPT_INT, R(memory_swappiness), "How eagerly to swap, 0 to 100", .min = -1,
	    .max = 100),
	ROW("mount", 0, CALL, CALL(set_mount), "Mount (type=bind,source=/a,target=/b,readonly)",
	    .value_name = "mount"),
	ROW("name", 0, STRING, O(name), "Name of the container"),
	ROW("net", 0, STRINGS, O(networks), "Network (bridge, none, host, container:NAME, or its name)"),
	ROW("net-priority", 0, INT, C(net_priority), "Network priority", .min = 0, .max = UINT32_MAX),
	ROW("network", 0, STRINGS, O(networks), "The same as --net"),
	ROW("network-alias", 0, ARRAY, O(network_aliases), "Further name of the container in its networks"),
	ROW("nvidia-capabilities", 0, CALL, CALL(set_nvidia_capabilities),
	    "NVIDIA driver capabilities (compute,utility)"),
	ROW("nvidia-visible-devs", 0, CALL, CALL(set_nvidia_devices), "NVIDIA devices (0,1 or all)"),
	ROW("oom-kill-disable", 0, OPT_BOOL, R(oom_kill_disable),
	    "Do not kill processes when memory runs out"),
	ROW("oom-score-adj", 0, OPT_INT, H(oom_score_adj), "OOM score of the host, -1000 to 1000",
	    .fallback = "-500", .min = -1000, .max = 1000),
	ROW("pid", 0, STRING, H(pid_mode), "PID namespace (host, container:NAME)"),
	ROW("pids-limit", 0, OPT_INT, R(pids_limit), "Limit of processes; -1 is unlimited", .min = -1,
	    .max = INT64_MAX),
	ROW("platform", 0, STRING, O(platform), "Platform of the image (linux/amd64)"),
	ROW("privileged", 0, BOOL, H(privileged), "Give the container all powers of the host"),
	ROW("publish", 'p', CALL_EACH, CALL(set_publish), "Publish a port ([[IP:]HOST:]CONTAINER[/PROTO])"),
	ROW("publish-all", 'P', BOOL, H(publish_all_ports), "Publish all exposed ports at free ones"),
	ROW("pull", 0, CALL, CALL(set_pull), "When to pull the image: missing, always, never",
	    .fallback = "\"missing\""),
	ROW("quota-id", 0, STRING, C(quota_id), "Disk quota ID"),
	ROW("read-only", 0, BOOL, H(readonly_rootfs), "Make the root file system read-only"),
	ROW("restart", 0, CALL, CALL(set_restart),
	    "Restart policy (no, always, unless-stopped, on-failure[:N])"),
	ROW("rich", 0, BOOL, C(rich), "Start as a rich container, like a virtual machine",
	    .fallback = "false"),
	ROW("rich-mode", 0, CALL, CALL(set_rich_mode), "Its init: dumb-init, sbin-init, systemd"),
	ROW("runtime", 0, STRING, H(runtime), "OCI runtime"),
	ROW("security-opt", 0, CALL_EACH, CALL(set_security),
	    "Security option (no-new-privileges, seccomp=FILE, apparmor=, label=)"),
	ROW("shm-size", 0, BYTES, H(shm_size), "Size of /dev/shm", .value_name = "string",
	    .fallback = "64m"),
	ROW("specific-id", 0, CALL, CALL(set_specific_id), "ID of the container, 64 hexadecimal digits"),
	ROW("stop-signal", 0, CALL, CALL(set_stop_signal), "Signal that stops it",
	    .fallback = "\"SIGTERM\""),
	ROW("stop-timeout", 0, OPT_INT, C(stop_timeout), "Seconds to wait before it is killed", .min = -1,
	    .max = INT32_MAX),
	ROW("storage-opt", 0, PAIR_ARRAY, H(storage_opt), "Option of the storage driver"),
	ROW("sysctl", 0, PAIRS, H(sysctls), "Kernel parameter (NAME=VALUE)"),
	ROW("tmpfs", 0, CALL, CALL(set_tmpfs), "Mount a tmpfs (PATH[:OPTIONS])",
	    .value_name = "stringArray"),
	ROW("tty", 't', BOOL, O(tty), "Give it a terminal"),
	ROW("ulimit", 0, CALL_EACH, CALL(set_ulimit), "Resource limit (NAME=SOFT[:HARD])",
	    .value_name = "ulimit"),
	ROW("user", 'u', STRING, C(user), "User, or USER:GROUP"),
	ROW("userns", 0, STRING, H(userns_mode), "User namespace (host)"),
	ROW("uts", 0, STRING, H(uts_mode), "UTS namespace (host)"),
	ROW("volume", 'v', CALL_EACH, CALL(set_volume), "Volume or bind ([SOURCE:]DESTINATION[:OPTIONS])",
	    .value_name = "volumes"),
	ROW("volume-driver", 0, STRING, H(volume_driver), "Volume driver of volumes made here"),
	ROW("volumes-from", 0, STRINGS, H(volumes_from), "Take the volumes of a container (NAME[:ro])"),
	ROW("workdir", 'w', STRING, C(working_dir), "Working directory"),
};

static const struct option run_rows[] = {
	ROW("attach", 'a', BOOL, O(attach), "Attach standard output and error (so does -d's absence)"),
	ROW("detach", 'd', BOOL, O(detach), "Run in the background and print the ID"),
	ROW("detach-keys", 0, STRING, O(detach_keys), "Keys that leave the container alone",
	    .fallback = "\"ctrl-p,ctrl-q\""),
	ROW("rm", 0, BOOL, O(rm), "Remove the container when it ends"),
	ROW("sig-proxy", 0, OPT_BOOL, O(sig_proxy), "Pass signals on to the container",
	    .fallback = "true"),
};

const struct option_group create_option_group = OPTION_GROUP(create_rows);
const struct option_group run_option_group = OPTION_GROUP(run_rows);

void create_options_clear(void *options)
{
	struct create_options *o = options;

	json_clear(&api_container_create_table, &o->request);
	free(o->pull);
}

/* ---- the whole ---- */

static int finish_env(struct create_options *o, struct err *err)
{
	struct strv *env = &o->request.config.env;
	int rc;

	STRV_EACH(path, &o->env_files) {
		AUTO(buf_clear) struct buf text = BUF_INIT;

		rc = file_read(AT_FDCWD, *path, ENV_FILE_MAX, &text, err);
		if (!rc)
			rc = api_parse_env_file(buf_cstr(&text), *path, env, err);
		if (rc < 0)
			return rc;
	}
	STRV_EACH(e, &o->env) {
		rc = api_parse_env(*e, env, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_special_network(const char *name)
{
	return str_eq(name, "none") || str_eq(name, "host") || str_starts(name, "container:");
}

/* The first network is the mode; each gets an endpoint when there is something to say about it. */
static int finish_networks(struct create_options *o, struct err *err)
{
	bool settings = o->ip || o->ip6 || o->network_aliases.n;

	if (!o->networks.n && settings)
		strv_add(&o->networks, "bridge");
	if (o->networks.n)
		str_set(&o->request.host_config.network_mode, o->networks.v[0]);
	for (size_t i = 0; i < o->networks.n; i++) {
		struct api_endpoint_settings *e;

		if (is_special_network(o->networks.v[i])) {
			if (settings || o->networks.n > 1)
				return err_set(err, ERR_INVALID,
					       "network '%s' takes neither addresses nor other networks "
					       "beside it", o->networks.v[i]);
			continue;
		}
		if (!settings && o->networks.n == 1)
			continue;
		e = VEC_ADD(&o->request.networking.endpoints);
		str_set(&e->name, o->networks.v[i]);
		strv_add_all(&e->aliases, &o->network_aliases);
		if (i == 0 && (o->ip || o->ip6)) {
			e->ipam_config = xcalloc(1, sizeof(*e->ipam_config));
			str_set(&e->ipam_config->ipv4_address, o->ip);
			str_set(&e->ipam_config->ipv6_address, o->ip6);
		}
	}
	return 0;
}

int create_options_finish(struct create_options *o, const struct strv *args, bool attach,
			  struct err *err)
{
	struct api_container_config *c = &o->request.config;
	struct api_host_config *h = &o->request.host_config;
	int rc;

	str_set(&c->image, args->v[0]);
	for (size_t i = 1; i < args->n; i++)
		strv_add(&c->cmd, args->v[i]);
	str_set(&c->hostname, o->hostname);
	c->tty = o->tty;
	c->open_stdin = o->interactive;
	c->attach_stdin = attach && o->interactive;
	c->attach_stdout = c->attach_stderr = attach;
	c->stdin_once = c->attach_stdin;
	h->auto_remove = o->rm;
	if (c->rich_mode && !c->rich)
		return err_set(err, ERR_INVALID, "--rich-mode needs --rich");
	if (o->rm && !str_empty(h->restart_policy.name) && !str_eq(h->restart_policy.name, "no"))
		return err_set(err, ERR_INVALID, "--rm and --restart contradict each other");
	rc = finish_env(o, err);
	return rc < 0 ? rc : finish_networks(o, err);
}
