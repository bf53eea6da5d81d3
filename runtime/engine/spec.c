/*
 * spec - from a container's record to the config.json that its runtime reads.
 */
#include "runtime/engine/spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/resources.h"
#include "runtime/engine/user.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

bool spec_wants_init(const struct container_record *r)
{
	return (r->host.init.set && r->host.init.v) || str_eq(r->config.rich_mode, "dumb-init") ||
	       str_eq(r->host.rich_mode, "dumb-init") ||
	       ((r->config.rich || r->host.rich) && str_empty(r->config.rich_mode) && str_empty(r->host.rich_mode));
}

/* A later value of a variable takes the place of an earlier one: programs read the first that they find. */
static void env_set(struct strv *env, const char *entry)
{
	size_t len = strcspn(entry, "=") + 1;

	STRV_EACH(v, env) {
		if (!strncmp(*v, entry, len)) {
			str_set(v, entry);
			return;
		}
	}
	strv_add(env, entry);
}

static void env_set_all(struct strv *env, const struct strv *from)
{
	STRV_EACH(v, from)
		env_set(env, *v);
}

const char *spec_path(const struct container_record *r)
{
	const char *path = str_skip(PATH_DEFAULT, "PATH=");

	STRV_EACH(v, &r->config.env)
		path = str_starts(*v, "PATH=") ? *v + strlen("PATH=") : path;
	return path;
}

static void add_env(struct strv *env, const struct container_record *r, bool tty, const char *home)
{
	strv_add(env, PATH_DEFAULT);
	strv_addf(env, "HOSTNAME=%s", r->config.hostname);
	if (tty)
		strv_add(env, "TERM=xterm");
	strv_addf(env, "HOME=%s", home ? home : "/");
	env_set_all(env, &r->config.env);
}

static void add_rlimits(struct oci_process *p, const struct container_record *r)
{
	for (size_t i = 0; i < r->host.resources.ulimits.n; i++) {
		const struct api_ulimit *u = &r->host.resources.ulimits.v[i];
		struct oci_rlimit *l = VEC_ADD(&p->rlimits);

		l->type = xfmt("RLIMIT_%s", u->name);
		for (char *s = l->type; *s; s++)
			*s = (char)(*s >= 'a' && *s <= 'z' ? *s - 32 : *s);
		l->soft = u->soft < 0 ? UINT64_MAX : (uint64_t)u->soft;
		l->hard = u->hard < 0 ? UINT64_MAX : (uint64_t)u->hard;
	}
}

static void set_caps(struct oci_process *p, uint64_t caps)
{
	p->capabilities = xcalloc(1, sizeof(*p->capabilities));
	/* Inheritable stays empty, as docker does since CVE-2022-24769. */
	*p->capabilities = (struct caps){.bounding = caps, .effective = caps, .permitted = caps};
}

static int process(struct container *c, const char *rootfs, struct oci_spec *spec, struct err *err)
{
	const struct container_record *r = &c->rec;
	struct oci_process *p = spec->process = xcalloc(1, sizeof(*p));
	auto_free char *home = NULL;
	uint32_t rows = 0, cols = 0;
	int rc = user_resolve(rootfs, r->config.user, &r->host.group_add, &p->user, &home, err);

	if (rc < 0)
		return rc;
	if (spec_wants_init(r)) {
		strv_add(&p->args, SPEC_INIT_PATH);
		strv_add(&p->args, "--");
	}
	strv_add(&p->args, r->path);
	strv_add_all(&p->args, &r->args);
	add_env(&p->env, r, r->config.tty, home);
	str_set(&p->cwd, str_empty(r->config.working_dir) ? "/" : r->config.working_dir);
	p->terminal = r->config.tty;
	if (p->terminal && api_console_size(r->host.console_size, &rows, &cols) == 0 && rows && cols) {
		p->console_size = xcalloc(1, sizeof(*p->console_size));
		*p->console_size = (struct oci_console_size){.height = rows, .width = cols};
	}
	p->oom_score_adj = r->host.oom_score_adj;
	add_rlimits(p, r);
	set_caps(p, spec_caps(r));
	return 0;
}

static int limits(struct container *c, struct oci_spec *spec, struct err *err)
{
	const struct container_record *r = &c->rec;
	struct cgroup_resources *res = &spec->linux_.resources;
	int rc = resources_build(&r->host.resources, res, err);

	if (rc >= 0 && r->config.net_priority) {
		struct cgroup_net_priority *p = VEC_ADD(&res->network.priorities);

		str_set(&p->name, "lo");
		p->priority = (uint32_t)r->config.net_priority;
	}
	if (!str_empty(r->host.resources.intel_rdt_l3_cbm)) {
		spec->linux_.intel_rdt = xcalloc(1, sizeof(*spec->linux_.intel_rdt));
		str_set(&spec->linux_.intel_rdt->l3_cache_schema, r->host.resources.intel_rdt_l3_cbm);
	}
	return rc;
}

/* Does the container get interfaces, and all of them without IPv6? */
static bool lacks_ipv6(struct engine *e, const char *mode)
{
	struct net_info info = {0};
	bool lacks;

	if (str_empty(mode) || str_eq(mode, "default"))
		mode = "bridge";
	lacks = !str_eq(mode, "none") && net_find(e->net, mode, &info, NULL) >= 0 && !info.enable_ipv6;
	net_info_clear(&info);
	return lacks;
}

/*
 * Docker's own: ports below 1024 and ping need no privilege inside, and a network without IPv6 gives no addresses of that kind either. The
 * user's settings win.
 */
static void sysctls(struct engine *e, const struct container_record *r, struct oci_spec *spec)
{
	static const struct strpair own_net[] = {
		{(char *)"net.ipv4.ip_unprivileged_port_start", (char *)"0"},
		{(char *)"net.ipv4.ping_group_range", (char *)"0 2147483647"},
	};
	bool shared = mode_is_host(r->host.network_mode) || mode_container(r->host.network_mode);

	if (!shared && lacks_ipv6(e, r->host.network_mode) && access("/proc/sys/net/ipv6/conf/default/disable_ipv6", F_OK) == 0)
		strmap_set(&spec->linux_.sysctl, "net.ipv6.conf.default.disable_ipv6", "1");
	for (size_t i = 0; !shared && i < ARRAY_SIZE(own_net); i++) {
		char path[100];

		str_fmt(path, sizeof(path), "/proc/sys/%s", own_net[i].key);
		for (char *s = path + 10; *s; s++)
			*s = (char)(*s == '.' ? '/' : *s);
		if (access(path, F_OK) == 0)
			strmap_set(&spec->linux_.sysctl, own_net[i].key, own_net[i].val);
	}
	for (size_t i = 0; i < r->host.sysctls.n; i++)
		strmap_set(&spec->linux_.sysctl, r->host.sysctls.v[i].key, r->host.sysctls.v[i].val);
}

int spec_build(struct engine *e, struct container *c, const char *rootfs, struct oci_spec *ret, struct err *err)
{
	const struct container_record *r = &c->rec;
	int rc;

	str_set(&ret->version, OCI_VERSION);
	str_set(&ret->root.path, rootfs);
	ret->root.readonly = r->host.readonly_rootfs;
	if (!mode_is_host(r->host.uts_mode)) {
		str_set(&ret->hostname, r->config.hostname);
		str_set(&ret->domainname, str_empty(r->config.domainname) ? NULL : r->config.domainname);
	}
	ret->linux_.cgroups_path = container_cgroup(c);
	strmap_copy(&ret->annotations, &r->config.spec_annotation);
	for (size_t i = 0; i < r->host.annotations.n; i++)
		strmap_set(&ret->annotations, r->host.annotations.v[i].key, r->host.annotations.v[i].val);
	sysctls(e, r, ret);

	rc = process(c, rootfs, ret, err);
	if (rc >= 0)
		rc = limits(c, ret, err);
	if (rc >= 0)
		rc = spec_namespaces(e, c, ret, err);
	if (rc >= 0)
		rc = spec_security(c, ret, err);
	if (rc >= 0)
		rc = spec_devices(c, ret, err);
	if (rc >= 0)
		rc = spec_mounts(e, c, ret, err);
	return rc;
}

int spec_exec_process(struct engine *e, struct container *c, const struct api_exec_create *create,
		      struct oci_process *ret, struct err *err)
{
	const struct container_record *r = &c->rec;
	auto_free char *home = NULL, *rootfs = NULL;
	uint32_t rows = 0, cols = 0;
	const char *user = str_empty(create->user) ? r->config.user : create->user;
	AUTO(oci_spec_clear) struct oci_spec security = {0};
	int rc = storage_rootfs_mount(e->storage, c->id, r->mount_label, &rootfs, err);

	if (rc >= 0)
		rc = user_resolve(rootfs, user, &r->host.group_add, &ret->user, &home, err);
	if (rc < 0)
		return rc;
	security.process = xcalloc(1, sizeof(*security.process));
	rc = spec_security(c, &security, err);
	if (rc < 0)
		return rc;
	ret->no_new_privileges = security.process->no_new_privileges;
	ret->apparmor_profile = take(security.process->apparmor_profile);
	ret->selinux_label = take(security.process->selinux_label);

	strv_add_all(&ret->args, &create->cmd);
	ret->terminal = create->tty;
	add_env(&ret->env, r, create->tty, home);
	env_set_all(&ret->env, &create->env);
	str_set(&ret->cwd, !str_empty(create->working_dir)   ? create->working_dir
			   : str_empty(r->config.working_dir) ? "/"
							      : r->config.working_dir);
	if (create->tty && api_console_size(create->console_size, &rows, &cols) == 0 && rows && cols) {
		ret->console_size = xcalloc(1, sizeof(*ret->console_size));
		*ret->console_size = (struct oci_console_size){.height = rows, .width = cols};
	}
	ret->oom_score_adj = r->host.oom_score_adj;
	add_rlimits(ret, r);
	set_caps(ret, spec_exec_caps(r, create->privileged));
	return 0;
}
