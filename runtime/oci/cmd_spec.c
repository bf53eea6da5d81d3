/*
 * cmd_spec.c - spec: a config.json to start from
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/feature.h"
#include "compat/kernel/ns.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/spec.h"

static char *bundle;
static int rootless;

static const struct poptOption spec_options[] = {
	{"bundle", 'b', POPT_ARG_STRING, &bundle, 0, "directory to write it to (default: the current one)", "DIR"},
	{"rootless", 0, POPT_ARG_NONE, &rootless, 0, "for a user who is not root", NULL},
	POPT_TABLEEND,
};

#define CAPS "[\"CAP_AUDIT_WRITE\",\"CAP_KILL\",\"CAP_NET_BIND_SERVICE\"]"

static const char example[] =
	"{\"ociVersion\":\"" OCI_VERSION "\",\"process\":{\"terminal\":true,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"sh\"],"
	"\"env\":[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\"TERM=xterm\"],\"cwd\":\"/\","
	"\"capabilities\":{\"bounding\":" CAPS ",\"effective\":" CAPS ",\"permitted\":" CAPS "},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],\"noNewPrivileges\":true},"
	"\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"hostname\":\"pouch\",\"mounts\":["
	"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
	"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
	"\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
	"\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"]},"
	"{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
	"{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\",\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
	"{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\",\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"
	"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","
	"\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"relatime\",\"ro\"]}],"
	"\"linux\":{\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]},\"namespaces\":["
	"{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"},{\"type\":\"cgroup\"}],"
	"\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\","
	"\"/proc/timer_stats\",\"/proc/sched_debug\",\"/sys/firmware\",\"/proc/scsi\"],"
	"\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]}}";

static void map_one(oci_id_map_vec *maps, uint32_t host)
{
	struct oci_id_map *m = VEC_ADD(maps);

	m->host_id = host;
	m->size = 1;
}

static void mount_clear(struct oci_mount *m)
{
	free(m->destination);
	free(m->type);
	free(m->source);
	strv_clear(&m->options);
}

/* A user's own namespace: no network of its own, one id, the host's /sys, no control groups to set. */
static void make_rootless(struct oci_spec *s)
{
	struct oci_linux *l = &s->linux_;

	VEC_EACH(n, &l->namespaces)
		if (str_eq(n->type, "network"))
			str_set(&n->type, "user");
	map_one(&l->uid_mappings, geteuid());
	map_one(&l->gid_mappings, getegid());
	for (size_t i = 0; i < s->mounts.n; i++) {
		struct oci_mount *m = &s->mounts.v[i];

		if (str_eq(m->destination, "/sys/fs/cgroup")) {
			mount_clear(m);
			VEC_DEL(&s->mounts, i);
			i--;
		} else if (str_eq(m->destination, "/sys")) {
			str_set(&m->type, "none");
			str_set(&m->source, "/sys");
			strv_clear(&m->options);
			strv_split(&m->options, "rbind,nosuid,noexec,nodev,ro", ",", false);
		} else {
			for (size_t j = 0; j < m->options.n; j++)
				if (str_starts(m->options.v[j], "gid=")) {
					free(m->options.v[j]);
					VEC_DEL(&m->options, j);
					j--;
				}
		}
	}
	json_clear(&cgroup_resources_table, &l->resources);
}

/* What this kernel does not have would be refused. */
static void keep_possible(struct oci_spec *s)
{
	struct oci_linux *l = &s->linux_;

	for (size_t i = 0; i < l->namespaces.n; i++) {
		int kind = ns_parse(l->namespaces.v[i].type);

		/* As runc: with v1 a namespace of them is what few containers have, and few images expect. */
		if (kind >= 0 && ns_exists(kind) && (kind != NS_CGROUP || cgroup_host_mode() == CGROUP_V2))
			continue;
		free(l->namespaces.v[i].type);
		VEC_DEL(&l->namespaces, i);
		i--;
	}
	s->process->no_new_privileges = s->process->no_new_privileges && feature_works(FEATURE_NO_NEW_PRIVS);
}

static int spec(int count, const char **args, struct err *err)
{
	AUTO(oci_spec_clear) struct oci_spec s = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = path_join(bundle ? bundle : ".", "config.json");
	auto_fd int fd = -1;
	int rc = oci_spec_parse(example, sizeof(example) - 1, &s, err);

	if (rc)
		return rc;
	if (rootless)
		make_rootless(&s);
	keep_possible(&s);
	json_print(&oci_spec_table, &s, JSON_PRINT_PRETTY, &text);
	buf_char(&text, '\n');
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_CONFLICT, "File %s exists. Remove it first", path);
	if (fd < 0)
		return err_sys(err, errno, "create '%s'", path);
	rc = fd_write_all(fd, text.data, text.len);
	return rc ? err_sys(err, -rc, "write '%s'", path) : 0;
}

const struct cmd cmds_spec[] = {
	{"spec", "", "write a config.json to start from", spec_options, 0, 0, false, false, spec},
	{0},
};
