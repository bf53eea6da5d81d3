/*
 * spec_security - capabilities, seccomp, labels, masked paths, namespaces.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/seccomp.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/spec.h"

static const char *const masked[] = {
	"/proc/asound", "/proc/acpi",	      "/proc/kcore",	    "/proc/keys",     "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",   "/sys/firmware",
	"/sys/devices/virtual/powercap",
};

static const char *const read_only[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

/*
 * What another layer keeps harmless where the kernel has it: reboot(2) in a pid namespace, device nodes under rules for devices. Without that
 * layer the capability is for those whom the user gave it by name.
 */
static uint64_t without_layers(const struct container_record *r, bool privileged, uint64_t caps)
{
	uint64_t withheld = 0;

	if (!feature_works(FEATURE_REBOOT_PIDNS))
		withheld |= CAP_BIT(CAP_SYS_BOOT);
	if (!privileged && cgroup_limit_fit(CGROUP_DEVICES).score == FIT_NO)
		withheld |= CAP_BIT(CAP_MKNOD);
	return caps & ~(withheld & ~caps_named(&r->host.cap_add));
}

uint64_t spec_caps(const struct container_record *r)
{
	uint64_t base = r->host.privileged ? caps_all() : caps_default();
	uint64_t caps = base;

	/* Checked at create; a capability that this kernel does not know is left out there and here. */
	if (caps_tweak(base, &r->host.cap_add, &r->host.cap_drop, &caps, &ERR_INIT) < 0)
		caps = base;
	return without_layers(r, r->host.privileged, caps) & caps_bounding();
}

uint64_t spec_exec_caps(const struct container_record *r, bool privileged)
{
	return privileged ? without_layers(r, true, caps_bounding()) : spec_caps(r);
}

/* The value of "KEY=v" or "KEY:v" among the security options; the last wins. NULL if absent. */
static const char *option(const struct container_record *r, const char *key)
{
	const char *found = NULL;
	size_t len = strlen(key);

	STRV_EACH(o, &r->host.security_opt) {
		if (!strncmp(*o, key, len) && ((*o)[len] == '=' || (*o)[len] == ':'))
			found = *o + len + 1;
		else if (!strcmp(*o, key))
			found = "true";
	}
	return found;
}

static int seccomp(const struct container_record *r, struct oci_spec *spec, struct err *err)
{
	const char *profile = option(r, "seccomp");
	bool builtin = !profile || !strcmp(profile, "builtin");

	if (str_eq(profile, "unconfined") || (!profile && r->host.privileged))
		return 0;
	/* A profile that the user gave was refused at create where it cannot be had; docker's own is left out. */
	if (builtin && (seccomp_load_fit().score == FIT_NO || seccomp_compile_fit().score == FIT_NO))
		return 0;
	spec->linux_.seccomp = xcalloc(1, sizeof(*spec->linux_.seccomp));
	if (builtin) {
		seccomp_default_profile(spec_caps(r), spec->linux_.seccomp);
		return 0;
	}
	return seccomp_profile_parse(profile, strlen(profile), spec_caps(r), spec->linux_.seccomp, err);
}

static void paths(const struct container_record *r, struct oci_spec *spec)
{
	bool open = r->host.privileged || str_eq(option(r, "systempaths"), "unconfined");

	if (r->host.masked_paths.set)
		strv_add_all(&spec->linux_.masked_paths, &r->host.masked_paths.list);
	else
		for (size_t i = 0; !open && i < ARRAY_SIZE(masked); i++)
			strv_add(&spec->linux_.masked_paths, masked[i]);
	if (r->host.readonly_paths.set)
		strv_add_all(&spec->linux_.readonly_paths, &r->host.readonly_paths.list);
	else
		for (size_t i = 0; !open && i < ARRAY_SIZE(read_only); i++)
			strv_add(&spec->linux_.readonly_paths, read_only[i]);
}

/* "label=user:U", "role", "type", "level" replace parts of the default label. */
static char *selinux_label(const struct container_record *r)
{
	static const char *const parts[] = {"user:", "role:", "type:", "level:"};
	const char *value[] = {"system_u", "system_r", "container_t", "s0"};

	STRV_EACH(o, &r->host.security_opt) {
		const char *v = str_skip(*o, "label=");

		v = v ? v : str_skip(*o, "label:");
		if (!v)
			continue;
		if (!strcmp(v, "disable"))
			return NULL;
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			if (str_skip(v, parts[i]))
				value[i] = str_skip(v, parts[i]);
		}
	}
	return xfmt("%s:%s:%s:%s", value[0], value[1], value[2], value[3]);
}

int spec_security(struct container *c, struct oci_spec *spec, struct err *err)
{
	const struct container_record *r = &c->rec;
	const char *nnp = option(r, "no-new-privileges");
	const char *apparmor = option(r, "apparmor");
	bool on = false;

	if (nnp && (str_bool(nnp, &on) == 0) && on)
		spec->process->no_new_privileges = true;
	if (apparmor && strcmp(apparmor, "unconfined"))
		str_set(&spec->process->apparmor_profile, apparmor);
	if (lsm_selinux_enabled() && !r->host.privileged) {
		spec->process->selinux_label = selinux_label(r);
		str_set(&spec->linux_.mount_label, r->mount_label);
	}
	paths(r, spec);
	return seccomp(r, spec, err);
}

/* ---- namespaces ------------------------------------------------------------------------------------------------------------------ */

static void add(struct oci_spec *spec, const char *type, char *path)
{
	struct oci_namespace *n = VEC_ADD(&spec->linux_.namespaces);

	str_set(&n->type, type);
	n->path = path;
}

/* A namespace of its own, none (the host's), or another container's. */
static int by_mode(struct engine *e, const char *mode, const char *type, const char *file, struct oci_spec *spec,
		   struct err *err)
{
	const char *ref = mode_container(mode);
	AUTO(container_put) struct container *other = NULL;
	int64_t pid;
	int rc;

	if (mode_is_host(mode))
		return 0;
	if (!ref) {
		add(spec, type, NULL);
		return 0;
	}
	rc = table_find(e, ref, &other, err);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&other->lock);
	pid = other->rec.state.running ? other->rec.state.pid : 0;
	pthread_mutex_unlock(&other->lock);
	if (pid <= 0)
		return err_set(err, ERR_CONFLICT, "cannot join %s of a non running container: %.12s", type, other->id);
	add(spec, type, xfmt("/proc/%lld/ns/%s", (long long)pid, file));
	return 0;
}

int spec_namespaces(struct engine *e, struct container *c, struct oci_spec *spec, struct err *err)
{
	const struct api_host_config *h = &c->rec.host;
	bool cgroup_private = str_eq(h->cgroupns_mode, "private") ||
			      (str_empty(h->cgroupns_mode) && cgroup_host_mode() == CGROUP_V2 && !h->privileged);
	int rc;

	add(spec, "mount", NULL);
	rc = by_mode(e, h->network_mode, "network", "net", spec, err);
	if (rc >= 0)
		rc = by_mode(e, h->pid_mode, "pid", "pid", spec, err);
	if (rc >= 0)
		rc = by_mode(e, h->ipc_mode, "ipc", "ipc", spec, err);
	if (rc >= 0)
		rc = by_mode(e, h->uts_mode, "uts", "uts", spec, err);
	if (rc >= 0 && cgroup_private) {
		if (feature_works(FEATURE_NS_CGROUP))
			add(spec, "cgroup", NULL);
		else if (!str_empty(h->cgroupns_mode))
			rc = err_set(err, ERR_UNSUPPORTED, "cgroup namespace mode 'private': not available here: %s",
				     feature_reason(FEATURE_NS_CGROUP));
	}
	return rc;
}
