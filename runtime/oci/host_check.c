/*
 * host_check.c - what a config.json asks for and this host lacks, before anything is touched
 */
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/mount.h"
#include "runtime/oci/internal.h"

#ifndef PR_GET_NO_NEW_PRIVS
#define PR_GET_NO_NEW_PRIVS 39
#endif

bool process_has_no_new_privs(void)
{
	return !hidden("no_new_privs") && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0;
}

static int lacks(const char *what, const char *why, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "config.json: %s: not available here: %s", what, why);
}

static int check_unified(const struct oci_spec *spec, struct err *err)
{
	struct fit fit;

	if (!spec->linux_.resources.unified.n)
		return 0;
	fit = cgroup_limit_fit(CGROUP_UNIFIED);
	return fit.score != FIT_NO ? 0
	     : err_set(err, ERR_UNSUPPORTED, "invalid configuration: linux.resources.unified: not available here: %s", fit.reason);
}

static int check_labels(const struct oci_process *p, struct err *err)
{
	struct fit fit;

	if (!str_empty(p->apparmor_profile) && strcmp(p->apparmor_profile, "unconfined")) {
		fit = lsm_apparmor_fit();
		if (fit.score == FIT_NO)
			return lacks("process.apparmorProfile", fit.reason, err);
	}
	if (!str_empty(p->selinux_label)) {
		fit = lsm_selinux_fit();
		if (fit.score == FIT_NO)
			return lacks("process.selinuxLabel", fit.reason, err);
	}
	return 0;
}

/*
 * Without the call, mounts that ignore set-user-ID bits and file capabilities do the same, as long as no other mount comes in later: who could
 * mount one has no rights to gain. So nothing may come from the host by propagation.
 */
static int check_no_new_privs(const struct oci_spec *spec, struct err *err)
{
	bool has_namespace = false;

	if (!spec->process->no_new_privileges || process_has_no_new_privs())
		return 0;
	VEC_EACH(n, &spec->linux_.namespaces)
		has_namespace |= str_eq(n->type, "mount") && str_empty(n->path);
	if (!has_namespace)
		return lacks("process.noNewPrivileges", "this kernel lacks it, and without a new mount namespace nothing stands in for it", err);
	VEC_EACH(m, &spec->mounts) {
		AUTO(mount_options_clear) struct mount_options o = {0};

		mount_options_parse(&m->options, &o);
		if (o.propagation & (MS_SHARED | MS_SLAVE))
			return err_set(err, ERR_UNSUPPORTED,
				       "config.json: process.noNewPrivileges: this kernel lacks it, and nothing stands in for it with "
				       "a mount that follows the host's: '%s'", m->destination);
	}
	return 0;
}

/* What is named after an interface comes with the interface, and the write will tell. */
static int check_sysctl(const struct oci_linux *l, struct err *err)
{
	for (size_t i = 0; i < l->sysctl.n; i++) {
		const char *key = l->sysctl.v[i].key;
		auto_free char *path = xfmt("/proc/sys/%s", key);
		bool dots = key[strcspn(key, "./")] != '/';

		for (char *c = path + strlen("/proc/sys/"); dots && *c; c++)
			*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
		if (!strstr(path, "/conf/") && !strstr(path, "/neigh/") && access(path, F_OK) < 0 && errno == ENOENT)
			return err_set(err, ERR_UNSUPPORTED, "config.json: linux.sysctl: '%s': this kernel does not have it", key);
	}
	return 0;
}

int oci_host_check_process(const struct oci_process *p, struct err *err)
{
	if (p->terminal && !mount_has_own_devpts())
		return lacks("process.terminal", "this kernel has one devpts only, the host's", err);
	return check_labels(p, err);
}

int oci_host_check(const struct oci_spec *spec, struct err *err)
{
	struct fit fit;
	int rc = 0;

	if (spec->process)
		rc = oci_host_check_process(spec->process, err);
	if (!rc && spec->process)
		rc = check_no_new_privs(spec, err);
	if (!rc)
		rc = check_sysctl(&spec->linux_, err);
	if (!rc)
		rc = check_unified(spec, err);
	if (rc || !spec->linux_.seccomp)
		return rc;
	fit = seccomp_load_fit();
	if (fit.score > FIT_NO)
		fit = seccomp_compile_fit();
	return fit.score > FIT_NO ? 0 : lacks("linux.seccomp", fit.reason, err);
}
