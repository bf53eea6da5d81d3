/*
 * check - may this container be made on this host?
 */
#include "runtime/engine/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/caps.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/seccomp.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/resources.h"
#include "runtime/engine/share.h"
#include "runtime/log/log_driver.h"

const char *mode_container(const char *mode)
{
	return mode ? str_skip(mode, "container:") : NULL;
}

bool mode_is_host(const char *mode)
{
	return str_eq(mode, "host");
}

/* ---- what this build or host lacks ---------------------------------------------------------------------------------------------- */

static bool raw_is_empty(const char *raw)
{
	return str_empty(raw) || !strcmp(raw, "null") || !strcmp(raw, "[]") || !strcmp(raw, "{}");
}

static bool asks_quota(const struct container_record *r)
{
	return r->config.disk_quota.n || !str_empty(r->config.quota_id);
}

static bool asks_storage_opt(const struct container_record *r)
{
	return r->host.storage_opt.n;
}

static bool asks_lxcfs(const struct container_record *r)
{
	return r->host.enable_lxcfs;
}

static bool is_init_mode(const char *mode)
{
	return str_eq(mode, "sbin-init") || str_eq(mode, "systemd");
}

static bool asks_rich_init(const struct container_record *r)
{
	return is_init_mode(r->config.rich_mode) || is_init_mode(r->host.rich_mode);
}

static bool asks_init_script(const struct container_record *r)
{
	return !str_empty(r->config.init_script) || !str_empty(r->host.init_script);
}

static bool asks_nvidia(const struct container_record *r)
{
	const struct api_nvidia_config *n = r->host.resources.nvidia_config;

	return n && (!str_empty(n->visible_devices) || !str_empty(n->driver_capabilities));
}

static bool asks_device_requests(const struct container_record *r)
{
	return !raw_is_empty(r->host.resources.device_requests);
}

static bool asks_rdt(const struct container_record *r)
{
	return !str_empty(r->host.resources.intel_rdt_l3_cbm) && access("/sys/fs/resctrl/schemata", F_OK) < 0;
}

static bool asks_userns(const struct container_record *r)
{
	return !str_empty(r->host.userns_mode) && !mode_is_host(r->host.userns_mode);
}

static bool asks_isolation(const struct container_record *r)
{
	const char *i = r->host.isolation;

	return !str_empty(i) && strcmp(i, "default") && strcmp(i, "process");
}

static bool asks_windows(const struct container_record *r)
{
	const struct api_resources *p = &r->host.resources;

	return p->cpu_count || p->cpu_percent || p->io_maximum_iops || p->io_maximum_bandwidth;
}

static bool asks_ali_kernel(const struct container_record *r)
{
	const struct api_resources *p = &r->host.resources;

	return p->sche_lat_switch || p->memory_force_empty_ctl || (p->memory_wmark_ratio.set && p->memory_wmark_ratio.v) ||
	       (p->memory_extra.set && p->memory_extra.v);
}

static bool asks_links(const struct container_record *r)
{
	return r->host.links.n;
}

static bool asks_snapshotter(const struct container_record *r)
{
	return !str_empty(r->config.snapshotter) && strcmp(r->config.snapshotter, "overlayfs") &&
	       strcmp(r->config.snapshotter, r->driver);
}

static bool asks_runtime_type(const struct container_record *r)
{
	return !str_empty(r->host.runtime_type);
}

static bool asks_health(const struct container_record *r)
{
	return !raw_is_empty(r->config.healthcheck) && !strstr(r->config.healthcheck, "\"NONE\"");
}

static const struct refusal {
	bool (*asks)(const struct container_record *r);
	const char *option, *capability;
} refusals[] = {
	{asks_quota, "--disk-quota, --quota-id", "disk quota of a directory"},
	{asks_storage_opt, "--storage-opt", "disk quota of a root file system"},
	{asks_lxcfs, "--enableLxcfs", "resource view in /proc (lxcfs)"},
	{asks_rich_init, "--rich-mode sbin-init or systemd", "rich containers with the image's init system"},
	{asks_init_script, "--initscript", "rich containers with an init script"},
	{asks_nvidia, "--nvidia-visible-devs, --nvidia-capabilities", "NVIDIA devices (nvidia-container-runtime-hook)"},
	{asks_device_requests, "device requests", "devices by request (GPU)"},
	{asks_rdt, "--intel-rdt-l3-cbm", "Intel RDT (/sys/fs/resctrl is not mounted)"},
	{asks_userns, "user namespace mode", "user namespaces of containers"},
	{asks_isolation, "isolation", "isolation technologies other than 'default' and 'process'"},
	{asks_windows, "CpuCount, CpuPercent, IOMaximum", "limits of Windows hosts"},
	{asks_ali_kernel, "ScheLatSwitch, MemoryWmarkRatio, MemoryExtra, MemoryForceEmptyCtl", "limits of the AliOS kernel"},
	{asks_links, "links", "links of containers: use a network's names"},
	{asks_snapshotter, "snapshotter", "several storage drivers at a time"},
	{asks_runtime_type, "runtime type", "containerd runtime types"},
	{asks_health, "health check", "health checks"},
};

static int check_refusals(const struct container_record *r, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		if (refusals[i].asks(r))
			return err_set(err, ERR_UNSUPPORTED, "%s: not available here: %s", refusals[i].option,
				       refusals[i].capability);
	}
	return 0;
}

/* ---- single options -------------------------------------------------------------------------------------------------------------- */

int check_name(const char *name, struct err *err)
{
	if (!str_is_name(name) || strlen(name) > 255)
		return err_set(err, ERR_INVALID,
			       "Invalid container name (%.80s), only [a-zA-Z0-9][a-zA-Z0-9_.-]+ are allowed", name);
	return 0;
}

int check_restart_policy(const struct api_restart_policy *p, bool auto_remove, struct err *err)
{
	const char *name = str_empty(p->name) ? "no" : p->name;
	bool on_failure = !strcmp(name, "on-failure");

	if (strcmp(name, "no") && strcmp(name, "always") && strcmp(name, "unless-stopped") && !on_failure)
		return err_set(err, ERR_INVALID, "invalid restart policy '%.40s'", name);
	if (p->maximum_retry_count < 0)
		return err_set(err, ERR_INVALID, "maximum retry count cannot be negative");
	if (p->maximum_retry_count && !on_failure)
		return err_set(err, ERR_INVALID, "maximum retry count cannot be used with restart policy '%s'", name);
	if (auto_remove && strcmp(name, "no"))
		return err_set(err, ERR_INVALID, "can't create 'AutoRemove' container with restart policy");
	return 0;
}

int check_runtime(struct engine *e, const char *name, char **ret_path, struct strv *ret_args, struct err *err)
{
	const char *dflt = e->options.default_runtime ? e->options.default_runtime : "runc";
	size_t len;

	(void)ret_args;
	if (str_empty(name))
		name = dflt;
	len = strlen(name);
	for (size_t i = 0; e->options.runtimes && i < e->options.runtimes->n; i++) {
		const char *entry = e->options.runtimes->v[i];

		if (strncmp(entry, name, len) || entry[len] != '=')
			continue;
		if (access(entry + len + 1, X_OK) < 0)
			return err_set(err, ERR_UNSUPPORTED, "runtime '%s': cannot execute '%s': %s", name,
				       entry + len + 1, strerror(errno));
		*ret_path = xstrdup(entry + len + 1);
		return 0;
	}
	if (!strcmp(name, "runc") || !strcmp(name, "pouch-oci") || !strcmp(name, "io.containerd.runc.v2"))
		return 0;
	return err_set(err, ERR_INVALID, "unknown or invalid runtime name: %s", name);
}

static int check_mode(const char *what, const char *mode, const char *const *known, struct err *err)
{
	if (str_empty(mode))
		return 0;
	for (; *known; known++) {
		size_t len = strlen(*known);

		if ((*known)[len - 1] == ':' ? !strncmp(mode, *known, len) && mode[len] : !strcmp(mode, *known))
			return 0;
	}
	return err_set(err, ERR_INVALID, "invalid %s mode: %.80s", what, mode);
}

static int check_modes(struct engine *e, const struct container_record *r, struct err *err)
{
	static const char *const ipc[] = {"none", "private", "shareable", "host", "container:", NULL};
	static const char *const pid[] = {"private", "host", "container:", NULL};
	static const char *const uts[] = {"private", "host", NULL};
	static const char *const cgroup[] = {"private", "host", NULL};
	AUTO(share_clear) struct share share = {0};
	const struct api_host_config *h = &r->host;
	int rc = check_mode("IPC", h->ipc_mode, ipc, err);

	if (rc >= 0)
		rc = check_mode("PID", h->pid_mode, pid, err);
	if (rc >= 0)
		rc = check_mode("UTS", h->uts_mode, uts, err);
	if (rc >= 0)
		rc = check_mode("cgroup namespace", h->cgroupns_mode, cgroup, err);
	return rc < 0 ? rc : share_find(e, r, &share, err);
}

static int check_network(struct engine *e, const struct container_record *r, struct err *err)
{
	const struct api_host_config *h = &r->host;
	const char *mode = h->network_mode;
	bool shared = mode_is_host(mode) || mode_container(mode);
	struct net_info info = {0};
	int rc;

	if (mode_container(mode)) {
		if (h->port_bindings.n || h->publish_all_ports)
			return err_set(err, ERR_INVALID,
				       "conflicting options: port publishing and the container type network mode");
		return 0;
	}
	if (shared && !str_empty(r->config.mac_address))
		return err_set(err, ERR_INVALID, "conflicting options: mac-address and the network mode");
	if (shared || str_eq(mode, "none"))
		return 0;
	rc = net_find(e->net, str_eq(mode, "default") || str_empty(mode) ? "bridge" : mode, &info, err);
	net_info_clear(&info);
	/* Clients of docker take "not found" for the image, and would pull that. */
	if (rc < 0 && err->kind == ERR_NOT_FOUND)
		return err_set(err, ERR_INVALID, "%s", err->msg);
	return rc;
}

static int check_ports(const struct container_record *r, struct err *err)
{
	AUTO(net_ports_clear) net_port_vec ports = {0};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < r->config.exposed_ports.n; i++)
		rc = net_expose_parse(r->config.exposed_ports.v[i], &ports, err);
	for (size_t i = 0; rc >= 0 && i < r->host.port_bindings.n; i++)
		rc = net_expose_parse(r->host.port_bindings.v[i].port, &ports, err);
	return rc;
}

/* What is named after an interface comes with the interface, so the start will tell. */
static bool kernel_has_sysctl(const char *key)
{
	auto_free char *path = xfmt("/proc/sys/%s", key);
	bool dots = key[strcspn(key, "./")] != '/';

	for (char *c = path + strlen("/proc/sys/"); dots && *c; c++)
		*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
	return strstr(path, "/conf/") || strstr(path, "/neigh/") || access(path, F_OK) == 0;
}

/* Settings that belong to a namespace which the container has for itself: others would change the host. */
static int check_sysctls(const struct container_record *r, struct err *err)
{
	static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
					  "kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced"};

	for (size_t i = 0; i < r->host.sysctls.n; i++) {
		const char *key = r->host.sysctls.v[i].key;
		bool is_ipc = str_starts(key, "fs.mqueue.");

		for (size_t k = 0; k < ARRAY_SIZE(ipc); k++)
			is_ipc |= !strcmp(key, ipc[k]);
		if (is_ipc && mode_is_host(r->host.ipc_mode))
			return err_set(err, ERR_INVALID, "sysctl '%s' is not allowed in the host's IPC namespace", key);
		if (str_starts(key, "net.") && mode_is_host(r->host.network_mode))
			return err_set(err, ERR_INVALID, "sysctl '%s' is not allowed in the host's network namespace", key);
		if (str_eq(key, "kernel.domainname") || str_eq(key, "kernel.hostname"))
			is_ipc = !mode_is_host(r->host.uts_mode);
		if (!is_ipc && !str_starts(key, "net."))
			return err_set(err, ERR_INVALID, "sysctl '%s' is not in a namespace: it would change the host", key);
		if (!kernel_has_sysctl(key))
			return err_set(err, ERR_UNSUPPORTED, "sysctl '%s': not available here: this kernel does not have it", key);
	}
	return 0;
}

static int check_security(const struct container_record *r, struct err *err)
{
	STRV_EACH(opt, &r->host.security_opt) {
		const char *v;

		if (!strcmp(*opt, "no-new-privileges") || str_skip(*opt, "no-new-privileges:") ||
		    str_skip(*opt, "no-new-privileges=") || !strcmp(*opt, "systempaths=unconfined"))
			continue;
		if ((v = str_skip(*opt, "seccomp=")) || (v = str_skip(*opt, "seccomp:"))) {
			AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
			int rc;

			if (!strcmp(v, "unconfined") || !strcmp(v, "builtin"))
				continue;
			rc = seccomp_profile_parse(v, strlen(v), caps_default(), &spec, err);
			if (rc < 0)
				return err_wrap(err, rc, "seccomp profile");
			if (seccomp_load_fit().score == FIT_NO || seccomp_compile_fit().score == FIT_NO)
				return err_set(err, ERR_UNSUPPORTED, "security option 'seccomp': not available here: %s",
					       seccomp_load_fit().score == FIT_NO ? seccomp_load_fit().reason
										  : seccomp_compile_fit().reason);
			continue;
		}
		if ((v = str_skip(*opt, "apparmor=")) || (v = str_skip(*opt, "apparmor:"))) {
			if (!lsm_apparmor_enabled() && strcmp(v, "unconfined"))
				return err_set(err, ERR_UNSUPPORTED, "security option '%s': not available here: AppArmor",
					       *opt);
			continue;
		}
		if ((v = str_skip(*opt, "label=")) || (v = str_skip(*opt, "label:"))) {
			if (!lsm_selinux_enabled() && strcmp(v, "disable"))
				return err_set(err, ERR_UNSUPPORTED, "security option '%s': not available here: SELinux",
					       *opt);
			continue;
		}
		return err_set(err, ERR_INVALID, "invalid security option '%.80s'", *opt);
	}
	return 0;
}

static int check_log(struct engine *e, struct container_record *r, struct err *err)
{
	struct api_log_config *l = &r->host.log_config;

	if (str_empty(l->type)) {
		str_set(&l->type, e->options.log_driver ? e->options.log_driver : "json-file");
		for (size_t i = 0; e->options.log_opts && i < e->options.log_opts->n; i++) {
			const char *opt = e->options.log_opts->v[i], *eq = strchr(opt, '=');
			auto_free char *key = xstrndup(opt, (size_t)(eq - opt));

			if (!strmap_get(&l->config, key))
				strmap_set(&l->config, key, eq + 1);
		}
	}
	return log_config_check(l->type, &l->config, err);
}

int check_lists(const struct api_container_create *create, struct err *err)
{
	const struct api_container_config *c = &create->config;
	const struct api_host_config *h = &create->host_config;
	const struct {
		const char *name;
		size_t n, max;
	} lists[] = {
		{"Env", c->env.n, RUN_CONFIG_LIST_MAX},
		{"Entrypoint", c->entrypoint.n, RUN_CONFIG_LIST_MAX},
		{"Cmd", c->cmd.n, RUN_CONFIG_LIST_MAX},
		{"Labels", c->labels.n, RUN_CONFIG_LIST_MAX},
		{"ExposedPorts", c->exposed_ports.n, RUN_CONFIG_LIST_MAX},
		{"Volumes", c->volumes.n, RUN_CONFIG_VOLUMES_MAX},
		{"Binds", h->binds.n, RUN_CONFIG_VOLUMES_MAX},
		{"Mounts", h->mounts.n, RUN_CONFIG_VOLUMES_MAX},
		{"Tmpfs", h->tmpfs.n, RUN_CONFIG_VOLUMES_MAX},
		{"VolumesFrom", h->volumes_from.n, RUN_CONFIG_VOLUMES_MAX},
		{"PortBindings", h->port_bindings.n, RUN_CONFIG_LIST_MAX},
		{"Sysctls", h->sysctls.n, RUN_CONFIG_VOLUMES_MAX},
		{"GroupAdd", h->group_add.n, RUN_CONFIG_VOLUMES_MAX},
		{"SecurityOpt", h->security_opt.n, RUN_CONFIG_VOLUMES_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (lists[i].n > lists[i].max)
			return err_set(err, ERR_TOO_LARGE, "%s has %zu entries, %zu are supported", lists[i].name, lists[i].n,
				       lists[i].max);
	}
	return 0;
}

static int check_process(const struct container_record *r, struct err *err)
{
	const struct api_container_config *c = &r->config;

	if (!str_empty(c->working_dir) && *c->working_dir != '/')
		return err_set(err, ERR_INVALID, "the working directory '%s' is invalid, it needs to be an absolute path",
			       c->working_dir);
	if (!str_empty(c->stop_signal) && signal_parse(c->stop_signal) < 0)
		return err_set(err, ERR_INVALID, "invalid signal: %s", c->stop_signal);
	if (c->stop_timeout.set && c->stop_timeout.v < -1)
		return err_set(err, ERR_INVALID, "stop timeout is -1 (never) or a number of seconds");
	STRV_EACH(env, &c->env) {
		if (**env == '=' || !**env)
			return err_set(err, ERR_INVALID, "invalid environment variable: %.80s", *env);
	}
	for (size_t i = 0; i < r->host.resources.ulimits.n; i++) {
		const struct api_ulimit *u = &r->host.resources.ulimits.v[i];

		if (u->hard >= 0 && (u->soft > u->hard || u->soft < 0))
			return err_set(err, ERR_INVALID,
				       "ulimit soft limit must be less than or equal to hard limit: %s", u->name);
	}
	if (r->host.shm_size < 0)
		return err_set(err, ERR_INVALID, "SHM size can not be less than 0");
	return 0;
}

enum { DEFAULT_OOM_SCORE = -500 };

int check_terminal(bool tty, struct err *err)
{
	if (!tty || feature_works(FEATURE_DEVPTS_NEWINSTANCE))
		return 0;
	return err_set(err, ERR_UNSUPPORTED, "terminal (-t): not available here: %s", feature_reason(FEATURE_DEVPTS_NEWINSTANCE));
}

static int check_oom_score(struct engine *e, struct container_record *r, struct strv *warnings, struct err *err)
{
	struct opt_i64 *adj = &r->host.oom_score_adj;

	/* The default is not worth a warning each time: the daemon's log has it once. */
	if (!adj->set) {
		*adj = (struct opt_i64){true, e->can_lower_oom_score ? DEFAULT_OOM_SCORE : 0};
		return 0;
	}
	if (adj->v < -1000 || adj->v > 1000)
		return err_set(err, ERR_INVALID, "invalid value %lld, range for oom score adj is [-1000, 1000]",
			       (long long)adj->v);
	if (adj->v < 0 && !e->can_lower_oom_score) {
		strv_addf(warnings, "this host refuses an OOM score adjustment of %lld: 0 is used", (long long)adj->v);
		adj->v = 0;
	}
	return 0;
}

static int check_limits(struct container_record *r, struct err *err)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	int rc = resources_build(&r->host.resources, &res, err);

	if (rc >= 0 && r->config.net_priority < 0)
		rc = err_set(err, ERR_INVALID, "network priority is not negative");
	if (rc >= 0 && r->config.net_priority) {
		struct cgroup_net_priority *p = VEC_ADD(&res.network.priorities);

		str_set(&p->name, "lo");
		p->priority = (uint32_t)r->config.net_priority;
	}
	return rc < 0 ? rc : cgroup_check(&res, err);
}

static int check_caps(const struct container_record *r, struct err *err)
{
	uint64_t mask;

	return caps_tweak(caps_default(), &r->host.cap_add, &r->host.cap_drop, &mask, err);
}

static int check_cgroup_parent(const struct container_record *r, struct err *err)
{
	const char *p = r->host.resources.cgroup_parent;
	AUTO(strv_clear) struct strv parts = {0};

	strv_split(&parts, p ? p : "", "/", false);
	if (strv_has(&parts, "..") || (p && str_ends(p, ".slice")))
		return err_set(err, ERR_INVALID, "cgroup parent '%s' is not a path of cgroupfs", p);
	return 0;
}

int check_create(struct engine *e, struct container_record *r, struct strv *warnings, struct err *err)
{
	int rc = check_refusals(r, err);

	if (rc >= 0)
		rc = check_process(r, err);
	if (rc >= 0)
		rc = check_terminal(r->config.tty, err);
	if (rc >= 0)
		rc = check_restart_policy(&r->host.restart_policy, r->host.auto_remove, err);
	if (rc >= 0)
		rc = check_modes(e, r, err);
	if (rc >= 0)
		rc = check_network(e, r, err);
	if (rc >= 0)
		rc = check_ports(r, err);
	if (rc >= 0)
		rc = check_sysctls(r, err);
	if (rc >= 0)
		rc = check_caps(r, err);
	if (rc >= 0)
		rc = check_security(r, err);
	if (rc >= 0)
		rc = check_cgroup_parent(r, err);
	if (rc >= 0)
		rc = check_limits(r, err);
	if (rc >= 0)
		rc = check_log(e, r, err);
	if (rc >= 0)
		rc = check_oom_score(e, r, warnings, err);
	if (rc >= 0)
		rc = check_runtime(e, r->host.runtime, &r->runtime, &r->runtime_args, err);
	return rc;
}
