/*
 * engine - opening and closing one, and what it knows about the host.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/version.h"
#include "compat/kernel/capability.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/seccomp.h"
#include "runtime/engine/events.h"
#include "runtime/engine/exec.h"
#include "runtime/engine/images.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/monitor.h"
#include "runtime/engine/recover.h"

void engine_warn(struct engine *e, const char *fmt, ...)
{
	char line[ERR_MSG_MAX + 100];
	va_list ap;

	if (!e->options.warn)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	e->options.warn(line);
}

struct image_store *engine_images(struct engine *e)
{
	return e->images;
}

struct net *engine_net(struct engine *e)
{
	return e->net;
}

struct volume_store *engine_volumes(struct engine *e)
{
	return e->volumes;
}

bool engine_is_stopping(struct engine *e)
{
	return atomic_load(&e->stopping);
}

void engine_shutdown(struct engine *e)
{
	AUTO(container_vec_clear) container_vec all = {0};

	atomic_store(&e->stopping, true);
	events_stop(e->events);
	table_all(e, &all);
	VEC_EACH(p, &all) {
		pthread_mutex_lock(&(*p)->lock);
		pthread_cond_broadcast(&(*p)->changed);
		pthread_mutex_unlock(&(*p)->lock);
	}
}

/* ---- opening ----------------------------------------------------------------------------------------------------------------------- */

static int make_dir(const char *base, const char *name, mode_t mode, struct err *err)
{
	auto_free char *path = *name ? xfmt("%s/%s", base, name) : xstrdup(base);
	int rc = path_mkdirs(path, mode, err);

	if (rc == -EROFS)
		return err_wrap(err, rc, "'%s' is on a read-only file system", base);
	return rc;
}

static int make_dirs(struct engine *e, struct err *err)
{
	static const struct {
		bool exec;
		const char *name;
		mode_t mode;
	} dirs[] = {{false, "", 0711},	       {false, "containers", 0711}, {false, "tmp", 0700}, {false, "network", 0711},
		    {true, "", 0711},	       {true, "oci", 0711}};
	int rc = 0;

	for (size_t i = 0; rc >= 0 && i < ARRAY_SIZE(dirs); i++)
		rc = make_dir(dirs[i].exec ? e->exec_root : e->home, dirs[i].name, dirs[i].mode, err);
	return rc;
}

/* A pouchd that was killed while it started a shim leaves its lock for a moment with the child, up to the child's execve(). */
#define LOCK_TRIES   100
#define LOCK_WAIT_MS 20

static int lock_home(struct engine *e, struct err *err)
{
	auto_free char *path = xfmt("%s/pouchd.lock", e->home);
	int rc = file_lock(path, false, &e->home_lock, err);

	for (int i = 0; rc == -EWOULDBLOCK && i < LOCK_TRIES; i++) {
		struct timespec step = {0, LOCK_WAIT_MS * 1000000L};

		nanosleep(&step, NULL);
		rc = file_lock(path, false, &e->home_lock, err);
	}
	if (rc == -EWOULDBLOCK)
		return err_set(err, ERR_CONFLICT, "another pouchd uses the home directory '%s'", e->home);
	if (rc == -EROFS || rc == -EACCES)
		return err_wrap(err, rc, "home directory '%s' cannot be written", e->home);
	return rc;
}

static int claimed(struct engine *e, struct err *err)
{
	return e->options.claimed ? e->options.claimed(e->options.claimed_arg, err) : 0;
}

static int open_net(struct engine *e, struct err *err)
{
	const struct engine_options *o = &e->options;
	auto_free char *state = xfmt("%s/network", e->home);
	const struct net_options net = {
		.bridge_name = o->bridge_name,
		.bip = o->bip,
		.fixed_cidr = o->fixed_cidr,
		.default_gateway = o->default_gateway,
		.subnet_v6 = o->fixed_cidr6,
		.default_gateway_v6 = o->default_gateway6,
		.mtu = o->mtu,
		.disable_bridge = o->disable_bridge,
		.iptables = o->iptables,
		.ip_forward = o->ip_forward,
		.userland_proxy = o->userland_proxy,
	};

	return net_open(&net, state, e->exec_root, &e->net, err);
}

static int open_volumes(struct engine *e, struct err *err)
{
	auto_free char *dir = xfmt("%s/volume", e->home);

	return volume_store_open(dir, &e->volumes, err);
}

static void warn_of_storage(void *arg, const char *message)
{
	engine_warn(arg, "%s", message);
}

static int open_storage(struct engine *e, struct err *err)
{
	struct storage_options options = {
		.home = e->home,
		.driver = e->options.snapshotter,
		.options = e->options.storage_opts,
		.warn = warn_of_storage,
		.warn_arg = e,
	};

	/* compat.xml may force it too; what is named at the start of the daemon wins. */
	if (str_empty(options.driver))
		options.driver = capability_forced(CAPABILITY_LAYERED_ROOT);
	return storage_open(&options, &e->storage, err);
}

static int boot_id(struct engine *e, struct err *err)
{
	return proc_boot_id(e->boot_id, err);
}

static int open_monitor(struct engine *e, struct err *err)
{
	return monitor_open(e, &e->monitor, err);
}

/* Lowering one's own score and putting it back shows whether containers may have negative ones. */
static int probe_oom_score(struct engine *e, struct err *err)
{
	static const struct {
		const char *path, *low;
	} files[] = {{"/proc/self/oom_score_adj", "-999"}, {"/proc/self/oom_adj", "-16"}};
	size_t way = feature_works(FEATURE_OOM_SCORE_ADJ) ? 0 : 1;
	AUTO(buf_clear) struct buf old = BUF_INIT;
	auto_free char *value = NULL;

	(void)err;
	if (file_read(AT_FDCWD, files[way].path, 100, &old, &ERR_INIT) < 0)
		return 0;
	value = xstrndup(buf_cstr(&old), strcspn(buf_cstr(&old), "\n"));
	e->can_lower_oom_score = file_put(AT_FDCWD, files[way].path, files[way].low, &ERR_INIT) >= 0;
	(void)file_put(AT_FDCWD, files[way].path, value, &ERR_INIT);	/* raising is always allowed */
	return 0;
}

static const struct {
	const char *name;
	int (*open)(struct engine *e, struct err *err);
} parts[] = {
	{"make directories", make_dirs},
	{"lock", lock_home},
	{"listen", claimed},
	{"read boot id", boot_id},
	{"probe OOM score", probe_oom_score},
	{"storage", open_storage},
	{"images", images_open},
	{"volumes", open_volumes},
	{"network", open_net},
	{"monitor", open_monitor},
	{"recover", recover},
};

/* One that did not open, so that no thread of it runs. */
static void engine_free(struct engine *e)
{
	net_close(e->net);
	volume_store_close(e->volumes);
	image_store_close(e->images);
	storage_close(e->storage);
	exec_table_free(e->execs);
	events_free(e->events);
	if (e->home_lock >= 0)
		close(e->home_lock);
	pthread_mutex_destroy(&e->table_lock);
	free(e->home);
	free(e->exec_root);
	free(e);
}

int engine_open(const struct engine_options *options, struct engine **ret, struct err *err)
{
	struct engine *e = xcalloc(1, sizeof(*e));
	int rc = 0;

	e->options = *options;
	if (str_empty(e->options.cgroup_parent))
		e->options.cgroup_parent = "default";
	e->home = xstrdup(options->home);
	e->exec_root = xstrdup(options->exec_root);
	e->home_lock = -1;
	pthread_mutex_init(&e->table_lock, NULL);
	e->events = events_new();
	e->execs = exec_table_new();

	for (size_t i = 0; rc >= 0 && i < ARRAY_SIZE(parts); i++) {
		rc = parts[i].open(e, err);
		if (rc < 0 && err->kind != ERR_CONFLICT)
			err_wrap(err, rc, "%s", parts[i].name);
	}
	if (rc < 0) {
		if (e->monitor)
			engine_close(e);
		else
			engine_free(e);
		return rc;
	}
	*ret = e;
	return 0;
}

/* Threads may still use the rest, and the process ends: only what others wait for is given back. */
void engine_close(struct engine *e)
{
	if (!e)
		return;
	atomic_store(&e->stopping, true);
	if (e->storage)
		storage_shutdown(e->storage);
	if (e->home_lock >= 0)
		close(fd_take(&e->home_lock));
}

/* ---- info -------------------------------------------------------------------------------------------------------------------------- */

static void count(struct engine *e, struct api_info *ret)
{
	AUTO(container_vec_clear) container_vec all = {0};
	AUTO(image_list_clear) struct image_list images = {0};

	table_all(e, &all);
	VEC_EACH(p, &all) {
		pthread_mutex_lock(&(*p)->lock);
		if ((*p)->phase != PHASE_CREATING) {
			ret->containers++;
			if ((*p)->rec.state.paused)
				ret->containers_paused++;
			else if ((*p)->rec.state.running)
				ret->containers_running++;
			else
				ret->containers_stopped++;
		}
		pthread_mutex_unlock(&(*p)->lock);
	}
	if (image_list(e->images, &images, &ERR_INIT) == 0)
		ret->images = (int64_t)images.n;
}

static void os_release(struct api_info *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char *at, *line;

	if (file_read(AT_FDCWD, "/etc/os-release", 65536, &text, &ERR_INIT) < 0 &&
	    file_read(AT_FDCWD, "/etc/redhat-release", 65536, &text, &ERR_INIT) < 0)
		return;
	at = text.data;
	while (at && (line = strsep(&at, "\n"))) {
		const char *name = str_skip(line, "PRETTY_NAME="), *version = str_skip(line, "VERSION_ID=");
		const char *v = name ? name : version;
		auto_free char *bare = NULL;

		if (!v) {
			if (!ret->operating_system && *line && !strchr(line, '='))
				str_set(&ret->operating_system, line);
			continue;
		}
		v += *v == '"';
		bare = xstrndup(v, strcspn(v, "\""));
		str_set(name ? &ret->operating_system : &ret->os_version, bare);
	}
}

static void driver_status(struct engine *e, struct api_info *ret)
{
	AUTO(strmap_clear) struct strmap status = {0};
	AUTO(buf_clear) struct buf json = BUF_INIT;

	str_set(&ret->driver, storage_name(e->storage));
	storage_status(e->storage, &status);
	buf_char(&json, '[');
	for (size_t i = 0; i < status.n; i++) {
		buf_str(&json, i ? ",[" : "[");
		json_print_str(&json, status.v[i].key, strlen(status.v[i].key));
		buf_char(&json, ',');
		json_print_str(&json, status.v[i].val, strlen(status.v[i].val));
		buf_char(&json, ']');
	}
	buf_char(&json, ']');
	ret->driver_status = buf_take(&json);
}

static bool can(enum cgroup_limit limit)
{
	return cgroup_limit_fit(limit).score > FIT_NO;
}

static void limits(struct api_info *ret)
{
	static const struct {
		enum cgroup_limit limit;
		size_t flag;
		const char *warning;
	} rows[] = {
		{CGROUP_MEMORY, offsetof(struct api_info, memory_limit), "WARNING: No memory limit support"},
		{CGROUP_SWAP, offsetof(struct api_info, swap_limit), "WARNING: No swap limit support"},
		{CGROUP_KERNEL_TCP, offsetof(struct api_info, kernel_memory_tcp), NULL},
		{CGROUP_CPU_QUOTA, offsetof(struct api_info, cpu_cfs_quota), "WARNING: No cpu cfs quota support"},
		{CGROUP_CPU_QUOTA, offsetof(struct api_info, cpu_cfs_period), NULL},
		{CGROUP_CPU_SHARES, offsetof(struct api_info, cpu_shares), "WARNING: No cpu shares support"},
		{CGROUP_CPUSET, offsetof(struct api_info, cpu_set), "WARNING: No cpuset support"},
		{CGROUP_PIDS, offsetof(struct api_info, pids_limit), NULL},
		{CGROUP_OOM_DISABLE, offsetof(struct api_info, oom_kill_disable), NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool works = can(rows[i].limit);

		*(bool *)((char *)ret + rows[i].flag) = works;
		if (!works && rows[i].warning)
			strv_add(&ret->warnings, rows[i].warning);
	}
}

/* What is left out in silence where a container starts is said here. */
static void layers(struct api_info *ret)
{
	if (lsm_apparmor_enabled())
		strv_add(&ret->security_options, "name=apparmor");
	if (lsm_selinux_enabled())
		strv_add(&ret->security_options, "name=selinux");
	if (seccomp_load_fit().score > FIT_NO && seccomp_compile_fit().score > FIT_NO)
		strv_add(&ret->security_options, "name=seccomp,profile=default");
	else
		strv_add(&ret->warnings, "WARNING: No seccomp support: containers run without the default profile");
	if (!can(CGROUP_DEVICES))
		strv_add(&ret->warnings, "WARNING: No device control support: containers have no CAP_MKNOD");
}

static void add_runtime(struct api_info *ret, const char *name, const char *path)
{
	struct api_runtime *r = VEC_ADD(&ret->runtimes);

	str_set(&r->name, name);
	str_set(&r->path, path);
}

static bool file_is_one(const char *path)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;

	return file_read(AT_FDCWD, path, 16, &b, &ERR_INIT) == 0 && *buf_cstr(&b) == '1';
}

int engine_info(struct engine *e, struct api_info *ret, struct err *err)
{
	struct utsname uts;
	char host[256] = "";

	(void)err;
	uname(&uts);
	(void)gethostname(host, sizeof(host) - 1);	/* an empty name is shown as such */
	count(e, ret);
	driver_status(e, ret);
	limits(ret);
	os_release(ret);
	ret->id = xstrndup(e->boot_id, 36);
	strv_add(&ret->plugins.volume, "local");
	strv_add(&ret->plugins.network, "bridge");
	strv_add(&ret->plugins.network, "host");
	strv_add(&ret->plugins.network, "null");
	strv_add(&ret->plugins.log, "json-file");
	strv_add(&ret->plugins.log, "none");
	strv_add(&ret->volume_drivers, "local");
	ret->ipv4_forwarding = file_is_one("/proc/sys/net/ipv4/ip_forward");
	ret->bridge_nf_iptables = file_is_one("/proc/sys/net/bridge/bridge-nf-call-iptables");
	ret->bridge_nf_ip6tables = file_is_one("/proc/sys/net/bridge/bridge-nf-call-ip6tables");
	ret->system_time = time_now_ns();
	str_set(&ret->logging_driver, e->options.log_driver ? e->options.log_driver : "json-file");
	str_set(&ret->cgroup_driver, "cgroupfs");
	str_set(&ret->cgroup_version, cgroup_host_mode() == CGROUP_V2 ? "2" : "1");
	str_set(&ret->kernel_version, uts.release);
	str_set(&ret->architecture, uts.machine);
	str_set(&ret->os_type, "linux");
	str_set(&ret->name, host);
	str_set(&ret->server_version, version_string());
	ret->ncpu = sysconf(_SC_NPROCESSORS_ONLN);
	ret->mem_total = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
	str_set(&ret->docker_root_dir, e->home);
	str_set(&ret->pouch_root_dir, e->home);
	str_set(&ret->default_registry, e->options.default_registry);
	ret->index_server_address = xfmt("https://%s/v1/", e->options.default_registry ? e->options.default_registry : "");
	add_runtime(ret, "runc", "pouch-oci");
	for (size_t i = 0; e->options.runtimes && i < e->options.runtimes->n; i++) {
		const char *entry = e->options.runtimes->v[i], *eq = strchr(entry, '=');
		auto_free char *name = xstrndup(entry, (size_t)(eq - entry));

		add_runtime(ret, name, eq + 1);
	}
	str_set(&ret->default_runtime, e->options.default_runtime ? e->options.default_runtime : "runc");
	ret->live_restore_enabled = true;
	str_set(&ret->init_binary, "pouch-init");
	str_set(&ret->swarm, "{\"NodeID\":\"\",\"NodeAddr\":\"\",\"LocalNodeState\":\"inactive\",\"ControlAvailable\":false,\"Error\":\"\",\"RemoteManagers\":null}");
	layers(ret);
	return 0;
}
