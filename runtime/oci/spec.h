/*
 * spec - config.json of an OCI bundle as C structs and field tables.
 *
 * The engine fills a struct oci_spec and prints it; liboci parses it back. What a table does not name (solaris, windows, vm,
 * zos) is ignored, as the specification wants of unknown properties.
 *
 * Spec:    OCI runtime-spec 1.1, config.md and config-linux.md
 */
#ifndef RUNTIME_OCI_SPEC_H
#define RUNTIME_OCI_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"
#include "compat/base/json.h"
#include "compat/kernel/caps.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/seccomp.h"

/* The version of the specification that we write; we read 1.x. */
#define OCI_VERSION "1.1.0"
/* Ceiling of a config.json. */
#define OCI_SPEC_MAX_BYTES (8 << 20)

typedef VEC(uint32_t) oci_gid_vec;

struct oci_user {
	uint32_t uid, gid;
	struct opt_u64 umask;
	oci_gid_vec additional_gids;
	char *username;			/* windows only; kept, not used */
};

struct oci_rlimit {
	char *type;			/* "RLIMIT_NOFILE" */
	uint64_t soft, hard;		/* UINT64_MAX: RLIM_INFINITY */
};

struct oci_console_size {
	uint32_t height, width;
};

struct oci_scheduler {
	char *policy;			/* "SCHED_BATCH" */
	int32_t nice, priority;
	struct strv flags;		/* "SCHED_FLAG_RESET_ON_FORK" */
	uint64_t runtime, deadline, period;	/* ns */
};

struct oci_io_priority {
	char *class;			/* "IOPRIO_CLASS_BE" */
	int32_t priority;		/* 0 to 7 */
};

struct oci_process {
	bool terminal;
	struct oci_console_size *console_size;
	struct oci_user user;
	struct strv args, env;		/* args may be empty only when nothing is started */
	char *cwd;			/* absolute */
	struct caps *capabilities;	/* NULL: none at all */
	VEC(struct oci_rlimit) rlimits;
	bool no_new_privileges;
	char *apparmor_profile, *selinux_label;
	struct opt_i64 oom_score_adj;	/* -1000 to 1000 */
	struct oci_scheduler *scheduler;
	struct oci_io_priority *io_priority;
};

struct oci_id_map {
	uint32_t container_id, host_id, size;
};

typedef VEC(struct oci_id_map) oci_id_map_vec;

struct oci_mount {
	char *destination;		/* absolute, in the container */
	char *type;			/* NULL: bind when the options say so */
	char *source;
	struct strv options;
	oci_id_map_vec uid_mappings, gid_mappings;
};

struct oci_hook {
	char *path;			/* absolute */
	struct strv args, env;		/* args[0] included; env as it is, nothing inherited */
	struct opt_i64 timeout;		/* seconds, above 0 */
};

typedef VEC(struct oci_hook) oci_hook_vec;

struct oci_hooks {
	oci_hook_vec prestart, create_runtime, create_container, start_container, poststart, poststop;
};

struct oci_namespace {
	char *type;			/* "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time" */
	char *path;			/* NULL: a new one */
};

struct oci_device {
	char *type;			/* "c", "b", "u", "p" */
	char *path;			/* absolute, in the container */
	int64_t major, minor;
	struct opt_u64 file_mode;	/* permissions; default 0666 */
	struct opt_u64 uid, gid;	/* container's ids */
};

struct oci_intel_rdt {
	char *clos_id, *l3_cache_schema, *mem_bw_schema;
	bool enable_cmt, enable_mbm;
};

struct oci_personality {
	char *domain;			/* "LINUX", "LINUX32" */
	struct strv flags;
};

struct oci_time_offset {
	int64_t secs;
	uint32_t nanosecs;
};

struct oci_time_offsets {
	struct oci_time_offset *monotonic, *boottime;
};

struct oci_linux {
	oci_id_map_vec uid_mappings, gid_mappings;
	struct strmap sysctl;
	struct cgroup_resources resources;
	char *cgroups_path;		/* NULL: "/" and the container's id */
	VEC(struct oci_namespace) namespaces;
	VEC(struct oci_device) devices;
	struct seccomp_spec *seccomp;
	char *rootfs_propagation;	/* "rslave", ...; NULL is rslave for our copy, rprivate inside */
	struct strv masked_paths, readonly_paths;
	char *mount_label;
	struct oci_intel_rdt *intel_rdt;
	struct oci_personality *personality;
	struct oci_time_offsets time_offsets;
};

struct oci_root {
	char *path;			/* absolute or below the bundle */
	bool readonly;
};

struct oci_spec {
	char *version;			/* "ociVersion" */
	struct oci_process *process;	/* NULL: create works, start does not */
	struct oci_root root;
	char *hostname, *domainname;
	VEC(struct oci_mount) mounts;	/* in order */
	struct oci_hooks hooks;
	struct strmap annotations;
	struct oci_linux linux_;	/* "linux" is a macro of some compilers */
};

extern const struct json_table oci_spec_table;
extern const struct json_table oci_process_table;
extern const struct json_table oci_hook_table, oci_hooks_table;

/* Parse and check; @ret is zeroed first and clear after a failure. */
int oci_spec_parse(const void *text, size_t len, struct oci_spec *ret, struct err *err);
int oci_process_parse(const void *text, size_t len, struct oci_process *ret, struct err *err);

/*
 * What can be said without touching the host: versions, absolute paths, names of namespaces, rlimits, capabilities, hooks' paths,
 * combinations that make no sense (hostname without a uts namespace, mappings without a user namespace). ERR_INVALID names the field.
 */
int oci_spec_check(const struct oci_spec *spec, struct err *err);
int oci_process_check(const struct oci_process *process, struct err *err);

void oci_spec_clear(struct oci_spec *spec);
DEFINE_AUTO_CLEAR(oci_spec_clear, struct oci_spec)
void oci_process_clear(struct oci_process *process);
DEFINE_AUTO_CLEAR(oci_process_clear, struct oci_process)

/* "RLIMIT_NOFILE" -> RLIMIT_NOFILE, or -EINVAL. */
int oci_rlimit_parse(const char *name);

#endif
