/*
 * cmd_events.c - events: statistics and memory notices, one JSON object a line; features
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "compat/base/json.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/base/version.h"
#include "compat/kernel/caps.h"
#include "compat/kernel/lsm.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/ns.h"
#include "compat/kernel/seccomp.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/container.h"
#include "runtime/oci/spec.h"

static char *interval;
static int once;

static const struct poptOption events_options[] = {
	{"interval", 0, POPT_ARG_STRING, &interval, 0, "time between two (default 5s)", "DURATION"},
	{"stats", 0, POPT_ARG_NONE, &once, 0, "print the statistics once", NULL},
	POPT_TABLEEND,
};

/* ---- statistics ---------------------------------------------------------------------------------------------------------- */

static void print_memory(struct buf *b, const char *name, uint64_t usage, uint64_t max, uint64_t limit, uint64_t failcnt)
{
	buf_fmt(b, "\"%s\":{\"limit\":%" PRIu64 ",\"usage\":%" PRIu64 ",\"max\":%" PRIu64 ",\"failcnt\":%" PRIu64 "}", name,
		limit, usage, max, failcnt);
}

static void print_io(struct buf *b, const char *name, const cgroup_io_vec *v, bool *first)
{
	if (!v->n)
		return;
	buf_fmt(b, "%s\"%s\":[", *first ? "" : ",", name);
	*first = false;
	for (size_t i = 0; i < v->n; i++)
		buf_fmt(b, "%s{\"major\":%u,\"minor\":%u,\"op\":\"%s\",\"value\":%" PRIu64 "}", i ? "," : "", v->v[i].major,
			v->v[i].minor, v->v[i].op, v->v[i].value);
	buf_char(b, ']');
}

static void print_cpu(struct buf *b, const struct cgroup_stats *s)
{
	buf_fmt(b, "\"cpu\":{\"usage\":{\"total\":%" PRIu64, s->cpu.usage_ns);
	for (size_t i = 0; i < s->cpu.percpu_ns.n; i++)
		buf_fmt(b, "%s%" PRIu64, i ? "," : ",\"percpu\":[", s->cpu.percpu_ns.v[i]);
	buf_fmt(b, "%s,\"kernel\":%" PRIu64 ",\"user\":%" PRIu64 "},\"throttling\":{", s->cpu.percpu_ns.n ? "]" : "",
		s->cpu.system_ns, s->cpu.user_ns);
	buf_fmt(b, "\"periods\":%" PRIu64 ",\"throttledPeriods\":%" PRIu64 ",\"throttledTime\":%" PRIu64 "}}", s->cpu.periods,
		s->cpu.throttled_periods, s->cpu.throttled_ns);
}

static void print_blkio(struct buf *b, const struct cgroup_stats *s)
{
	bool first = true;

	buf_str(b, ",\"blkio\":{");
	print_io(b, "ioServiceBytesRecursive", &s->blkio.service_bytes, &first);
	print_io(b, "ioServicedRecursive", &s->blkio.serviced, &first);
	print_io(b, "ioQueueRecursive", &s->blkio.queued, &first);
	print_io(b, "ioServiceTimeRecursive", &s->blkio.service_time, &first);
	print_io(b, "ioWaitTimeRecursive", &s->blkio.wait_time, &first);
	print_io(b, "ioMergedRecursive", &s->blkio.merged, &first);
	print_io(b, "ioTimeRecursive", &s->blkio.time, &first);
	print_io(b, "sectorsRecursive", &s->blkio.sectors, &first);
	buf_str(b, "}");
}

static void print_stats(struct oci_container *c, const struct cgroup_stats *s, struct buf *b)
{
	buf_str(b, "{\"type\":\"stats\",\"id\":");
	json_print_str(b, oci_container_id(c), strlen(oci_container_id(c)));
	buf_str(b, ",\"data\":{");
	print_cpu(b, s);
	buf_fmt(b, ",\"memory\":{\"cache\":%" PRIu64 ",", s->memory.cache);
	print_memory(b, "usage", s->memory.usage, s->memory.max_usage, s->memory.limit, s->memory.failcnt);
	buf_char(b, ',');
	print_memory(b, "swap", s->memory.swap_usage, s->memory.swap_max_usage, s->memory.swap_limit, s->memory.swap_failcnt);
	buf_char(b, ',');
	print_memory(b, "kernel", s->memory.kernel_usage, s->memory.kernel_max_usage, s->memory.kernel_limit,
		     s->memory.kernel_failcnt);
	buf_str(b, ",\"raw\":{");
	for (size_t i = 0; i < s->memory.stat.n; i++)
		buf_fmt(b, "%s\"%s\":%" PRIu64, i ? "," : "", s->memory.stat.v[i].name, s->memory.stat.v[i].value);
	buf_fmt(b, "}},\"pids\":{\"current\":%" PRIu64 ",\"limit\":%" PRIu64 "}", s->pids.current, s->pids.limit);
	print_blkio(b, s);
	buf_str(b, ",\"hugetlb\":{");
	for (size_t i = 0; i < s->hugetlb.n; i++)
		buf_fmt(b, "%s\"%s\":{\"usage\":%" PRIu64 ",\"max\":%" PRIu64 ",\"failcnt\":%" PRIu64 "}", i ? "," : "",
			s->hugetlb.v[i].page_size, s->hugetlb.v[i].usage, s->hugetlb.v[i].max, s->hugetlb.v[i].failcnt);
	buf_str(b, "},\"intel_rdt\":{},\"network_interfaces\":null}}\n");
}

static void print_out(const struct buf *b)
{
	fwrite(b->data, 1, b->len, stdout);
	fflush(stdout);
}

static int one_stats(struct oci_container *c, struct cgroup *cg, struct err *err)
{
	AUTO(cgroup_stats_clear) struct cgroup_stats s = {0};
	AUTO(buf_clear) struct buf b = BUF_INIT;
	int rc = cgroup_stats(cg, &s, err);

	if (rc)
		return rc;
	print_stats(c, &s, &b);
	print_out(&b);
	return 0;
}

static int follow(struct oci_container *c, struct cgroup *cg, int64_t every_ms, struct err *err)
{
	struct pollfd p = {.fd = cgroup_oom_fd(cg, NULL), .events = POLLIN};
	int64_t next = time_mono_ms() + every_ms;

	for (;;) {
		int64_t left = next - time_mono_ms();

		/* Looks at least every second whether the container is still there. */
		if (left > 0)
			poll(&p, 1, (int)(left > 1000 ? 1000 : left));
		if (oci_container_status(c) == OCI_STOPPED)
			return 0;
		if (p.fd >= 0 && p.revents && cgroup_oom_read(cg)) {
			printf("{\"type\":\"oom\",\"id\":\"%s\"}\n", oci_container_id(c));
			fflush(stdout);
		}
		if (time_mono_ms() >= next) {
			int rc = one_stats(c, cg, err);

			if (rc)
				return oci_container_status(c) == OCI_STOPPED ? 0 : rc;
			next += every_ms;
		}
	}
}

static int events(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct cgroup *cg;
	int64_t every_ms = 5000;
	int rc;

	if (interval && (str_duration_ms(interval, &every_ms) || every_ms <= 0))
		return err_set(err, ERR_INVALID, "--interval: '%s' is not a duration above 0", interval);
	rc = cmd_load(args[0], &c, err);
	if (rc)
		return rc;
	if (oci_container_status(c) == OCI_STOPPED)
		return err_set(err, ERR_CONFLICT, "container with id %s is not running", args[0]);
	cg = oci_container_cgroup(c);
	if (!cg)
		return err_set(err, ERR_UNSUPPORTED, "this host has no control groups, so there are no statistics");
	return once ? one_stats(c, cg, err) : follow(c, cg, every_ms, err);
}

/* ---- features ------------------------------------------------------------------------------------------------------------ */

static void add_list(struct strv *to, const char *const *from)
{
	for (; from && *from; from++)
		strv_add(to, *from);
}

struct features {
	char *version_min, *version_max;
	struct strv hooks, mount_options, namespaces, capabilities;
	struct strv actions, operators, archs, known_flags, supported_flags;
	bool v1, v2, systemd, systemd_user, rdma;
	bool seccomp, apparmor, selinux, rdt, idmap;
	struct strmap annotations;
};

#define F(member, name, type) JSON_FIELD(struct features, member, name, type, 0)
/* The nested objects are all views of the one flat struct. */
#define PART(name, table) {name, JSON_OBJ, 0, 0, &(table), NULL}
static const struct json_field cgroup_fields[] = {
	F(v1, "v1", JSON_BOOL), F(v2, "v2", JSON_BOOL), F(systemd, "systemd", JSON_BOOL),
	F(systemd_user, "systemdUser", JSON_BOOL), F(rdma, "rdma", JSON_BOOL),
};
static const struct json_table cgroup_table = JSON_TABLE("cgroup", struct features, cgroup_fields);
static const struct json_field seccomp_fields[] = {
	F(seccomp, "enabled", JSON_BOOL),	F(actions, "actions", JSON_STRV),
	F(operators, "operators", JSON_STRV),	F(archs, "archs", JSON_STRV),
	F(known_flags, "knownFlags", JSON_STRV), F(supported_flags, "supportedFlags", JSON_STRV),
};
static const struct json_table features_seccomp_table = JSON_TABLE("seccomp", struct features, seccomp_fields);
static const struct json_field apparmor_fields[] = {F(apparmor, "enabled", JSON_BOOL)};
static const struct json_table apparmor_table = JSON_TABLE("apparmor", struct features, apparmor_fields);
static const struct json_field selinux_fields[] = {F(selinux, "enabled", JSON_BOOL)};
static const struct json_table selinux_table = JSON_TABLE("selinux", struct features, selinux_fields);
static const struct json_field rdt_fields[] = {F(rdt, "enabled", JSON_BOOL)};
static const struct json_table rdt_table = JSON_TABLE("intelRdt", struct features, rdt_fields);
static const struct json_field idmap_fields[] = {F(idmap, "enabled", JSON_BOOL)};
static const struct json_table idmap_table = JSON_TABLE("idmap", struct features, idmap_fields);
static const struct json_field extension_fields[] = {PART("idmap", idmap_table)};
static const struct json_table extension_table = JSON_TABLE("mountExtensions", struct features, extension_fields);
static const struct json_field linux_fields[] = {
	F(namespaces, "namespaces", JSON_STRV), F(capabilities, "capabilities", JSON_STRV),
	PART("cgroup", cgroup_table),		PART("seccomp", features_seccomp_table),
	PART("apparmor", apparmor_table),	PART("selinux", selinux_table),
	PART("intelRdt", rdt_table),		PART("mountExtensions", extension_table),
};
static const struct json_table linux_table = JSON_TABLE("linux", struct features, linux_fields);
static const struct json_field features_fields[] = {
	F(version_min, "ociVersionMin", JSON_STR), F(version_max, "ociVersionMax", JSON_STR),
	F(hooks, "hooks", JSON_STRV),		   F(mount_options, "mountOptions", JSON_STRV),
	PART("linux", linux_table),		   F(annotations, "annotations", JSON_STRMAP),
};
static const struct json_table features_table = JSON_TABLE("features", struct features, features_fields);

static void fill(struct features *f)
{
	static const char *const hooks[] = {"prestart",	      "createRuntime", "createContainer",
					    "startContainer", "poststart",     "poststop", NULL};
	enum cgroup_mode mode = cgroup_host_mode();

	f->version_min = xstrdup("1.0.0");
	f->version_max = xstrdup(OCI_VERSION);
	add_list(&f->hooks, hooks);
	add_list(&f->mount_options, mount_option_words());
	for (int i = 0; i < NS_COUNT; i++)
		if (ns_exists(i))
			strv_add(&f->namespaces, ns_types[i].oci);
	for (int i = 0; i <= cap_last(); i++)
		if (cap_name(i))
			strv_add(&f->capabilities, cap_name(i));
	f->v1 = mode == CGROUP_V1 || mode == CGROUP_HYBRID;
	f->v2 = mode == CGROUP_V2 || mode == CGROUP_HYBRID;
	f->rdma = cgroup_limit_fit(CGROUP_RDMA).score > FIT_NO;
	f->seccomp = seccomp_load_fit().score > FIT_NO && seccomp_compile_fit().score > FIT_NO;
	add_list(&f->actions, seccomp_known_actions());
	add_list(&f->operators, seccomp_known_operators());
	add_list(&f->archs, seccomp_known_archs());
	add_list(&f->known_flags, seccomp_known_flags());
	add_list(&f->supported_flags, seccomp_known_flags());
	f->apparmor = lsm_apparmor_enabled();
	f->selinux = lsm_selinux_enabled();
	strmap_set(&f->annotations, "io.github.pouchcontainer.version", version_string());
	strmap_set(&f->annotations, "io.github.pouchcontainer.commit", version_commit());
}

static int features(int count, const char **args, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct features f = {0};

	fill(&f);
	json_print(&features_table, &f, JSON_PRINT_PRETTY, &text);
	puts(buf_cstr(&text));
	json_clear(&features_table, &f);
	return 0;
}

const struct cmd cmds_events[] = {
	{"events", "CONTAINER", "print statistics and notices of memory shortage", events_options, 1, 1, false, false, events},
	{"features", "", "print what this runtime can do, as JSON", NULL, 0, 0, false, false, features},
	{0},
};
