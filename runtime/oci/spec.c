/*
 * spec.c - field tables of config.json
 */
#include "runtime/oci/spec.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

/* ---- lists of numbers ---------------------------------------------------------------------------------------------------- */

/* Kernels take at most 65536 supplementary groups. */
#define GIDS_MAX 65536

static int gids_parse(void *member, struct json_object *value, struct err *err)
{
	oci_gid_vec *gids = member;
	size_t n;

	if (!json_object_is_type(value, json_type_array))
		return err_set(err, ERR_INVALID, "must be a list of numbers");
	n = json_object_array_length(value);
	if (n > GIDS_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d groups", GIDS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct json_object *v = json_object_array_get_idx(value, i);
		int64_t gid = json_object_get_int64(v);

		if (!json_object_is_type(v, json_type_int) || gid < 0 || gid > UINT32_MAX)
			return err_set(err, ERR_INVALID, "[%zu]: must be a group id", i);
		VEC_PUSH(gids, (uint32_t)gid);
	}
	return 0;
}

static void gids_print(const void *member, struct buf *out)
{
	const oci_gid_vec *gids = member;

	buf_char(out, '[');
	for (size_t i = 0; i < gids->n; i++)
		buf_fmt(out, "%s%" PRIu32, i ? "," : "", gids->v[i]);
	buf_char(out, ']');
}

static void gids_clear(void *member)
{
	oci_gid_vec *gids = member;

	VEC_FREE(gids);
}

static bool gids_is_empty(const void *member)
{
	return ((const oci_gid_vec *)member)->n == 0;
}

static const struct json_ops gids_ops = {gids_parse, gids_print, gids_clear, gids_is_empty};

/* ---- process ------------------------------------------------------------------------------------------------------------- */

static const struct json_field console_size_fields[] = {
	JSON_FIELD(struct oci_console_size, height, "height", JSON_U32, 0),
	JSON_FIELD(struct oci_console_size, width, "width", JSON_U32, 0),
};
static const struct json_table console_size_table =
	JSON_TABLE("consoleSize", struct oci_console_size, console_size_fields);

static const struct json_field user_fields[] = {
	JSON_FIELD(struct oci_user, uid, "uid", JSON_U32, 0),
	JSON_FIELD(struct oci_user, gid, "gid", JSON_U32, 0),
	JSON_FIELD(struct oci_user, umask, "umask", JSON_OPT_U64, JSON_OMIT_EMPTY),
	JSON_OPS(struct oci_user, additional_gids, "additionalGids", JSON_OMIT_EMPTY, &gids_ops),
	JSON_FIELD(struct oci_user, username, "username", JSON_STR, JSON_OMIT_EMPTY),
};
static const struct json_table user_table = JSON_TABLE("user", struct oci_user, user_fields);

static const struct json_field rlimit_fields[] = {
	JSON_FIELD(struct oci_rlimit, type, "type", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_rlimit, hard, "hard", JSON_U64, JSON_REQUIRED),
	JSON_FIELD(struct oci_rlimit, soft, "soft", JSON_U64, JSON_REQUIRED),
};
static const struct json_table rlimit_table = JSON_TABLE("rlimit", struct oci_rlimit, rlimit_fields);

static const struct json_field scheduler_fields[] = {
	JSON_FIELD(struct oci_scheduler, policy, "policy", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_scheduler, nice, "nice", JSON_I32, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_scheduler, priority, "priority", JSON_I32, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_scheduler, flags, "flags", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_scheduler, runtime, "runtime", JSON_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_scheduler, deadline, "deadline", JSON_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_scheduler, period, "period", JSON_U64, JSON_OMIT_EMPTY),
};
static const struct json_table scheduler_table = JSON_TABLE("scheduler", struct oci_scheduler, scheduler_fields);

static const struct json_field io_priority_fields[] = {
	JSON_FIELD(struct oci_io_priority, class, "class", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_io_priority, priority, "priority", JSON_I32, 0),
};
static const struct json_table io_priority_table =
	JSON_TABLE("ioPriority", struct oci_io_priority, io_priority_fields);

static const struct json_field process_fields[] = {
	JSON_FIELD(struct oci_process, terminal, "terminal", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_SUB(struct oci_process, console_size, "consoleSize", JSON_OBJP, JSON_OMIT_EMPTY, &console_size_table),
	JSON_SUB(struct oci_process, user, "user", JSON_OBJ, 0, &user_table),
	JSON_FIELD(struct oci_process, args, "args", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_process, env, "env", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_process, cwd, "cwd", JSON_STR, 0),
	JSON_SUB(struct oci_process, capabilities, "capabilities", JSON_OBJP, JSON_OMIT_EMPTY, &caps_table),
	JSON_SUB(struct oci_process, rlimits, "rlimits", JSON_VEC, JSON_OMIT_EMPTY, &rlimit_table),
	JSON_FIELD(struct oci_process, no_new_privileges, "noNewPrivileges", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_process, apparmor_profile, "apparmorProfile", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_process, oom_score_adj, "oomScoreAdj", JSON_OPT_I64, JSON_OMIT_EMPTY),
	JSON_SUB(struct oci_process, scheduler, "scheduler", JSON_OBJP, JSON_OMIT_EMPTY, &scheduler_table),
	JSON_FIELD(struct oci_process, selinux_label, "selinuxLabel", JSON_STR, JSON_OMIT_EMPTY),
	JSON_SUB(struct oci_process, io_priority, "ioPriority", JSON_OBJP, JSON_OMIT_EMPTY, &io_priority_table),
};
const struct json_table oci_process_table = JSON_TABLE("process", struct oci_process, process_fields);

/* ---- root, mounts, hooks ------------------------------------------------------------------------------------------------- */

static const struct json_field root_fields[] = {
	JSON_FIELD(struct oci_root, path, "path", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_root, readonly, "readonly", JSON_BOOL, JSON_OMIT_EMPTY),
};
static const struct json_table root_table = JSON_TABLE("root", struct oci_root, root_fields);

static const struct json_field id_map_fields[] = {
	JSON_FIELD(struct oci_id_map, container_id, "containerID", JSON_U32, JSON_REQUIRED),
	JSON_FIELD(struct oci_id_map, host_id, "hostID", JSON_U32, JSON_REQUIRED),
	JSON_FIELD(struct oci_id_map, size, "size", JSON_U32, JSON_REQUIRED),
};
static const struct json_table id_map_table = JSON_TABLE("idMapping", struct oci_id_map, id_map_fields);

static const struct json_field mount_fields[] = {
	JSON_FIELD(struct oci_mount, destination, "destination", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_mount, type, "type", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_mount, source, "source", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_mount, options, "options", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_SUB(struct oci_mount, uid_mappings, "uidMappings", JSON_VEC, JSON_OMIT_EMPTY, &id_map_table),
	JSON_SUB(struct oci_mount, gid_mappings, "gidMappings", JSON_VEC, JSON_OMIT_EMPTY, &id_map_table),
};
static const struct json_table mount_table = JSON_TABLE("mount", struct oci_mount, mount_fields);

static const struct json_field hook_fields[] = {
	JSON_FIELD(struct oci_hook, path, "path", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_hook, args, "args", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_hook, env, "env", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_hook, timeout, "timeout", JSON_OPT_I64, JSON_OMIT_EMPTY),
};
const struct json_table oci_hook_table = JSON_TABLE("hook", struct oci_hook, hook_fields);

#define HOOKS(member, name) JSON_SUB(struct oci_hooks, member, name, JSON_VEC, JSON_OMIT_EMPTY, &oci_hook_table)
static const struct json_field hooks_fields[] = {
	HOOKS(prestart, "prestart"),
	HOOKS(create_runtime, "createRuntime"),
	HOOKS(create_container, "createContainer"),
	HOOKS(start_container, "startContainer"),
	HOOKS(poststart, "poststart"),
	HOOKS(poststop, "poststop"),
};
const struct json_table oci_hooks_table = JSON_TABLE("hooks", struct oci_hooks, hooks_fields);

/* ---- linux --------------------------------------------------------------------------------------------------------------- */

static const struct json_field namespace_fields[] = {
	JSON_FIELD(struct oci_namespace, type, "type", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_namespace, path, "path", JSON_STR, JSON_OMIT_EMPTY),
};
static const struct json_table namespace_table = JSON_TABLE("namespace", struct oci_namespace, namespace_fields);

static const struct json_field device_fields[] = {
	JSON_FIELD(struct oci_device, type, "type", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_device, path, "path", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_device, major, "major", JSON_I64, 0),
	JSON_FIELD(struct oci_device, minor, "minor", JSON_I64, 0),
	JSON_FIELD(struct oci_device, file_mode, "fileMode", JSON_OPT_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_device, uid, "uid", JSON_OPT_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_device, gid, "gid", JSON_OPT_U64, JSON_OMIT_EMPTY),
};
static const struct json_table device_table = JSON_TABLE("device", struct oci_device, device_fields);

static const struct json_field rdt_fields[] = {
	JSON_FIELD(struct oci_intel_rdt, clos_id, "closID", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_intel_rdt, l3_cache_schema, "l3CacheSchema", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_intel_rdt, mem_bw_schema, "memBwSchema", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_intel_rdt, enable_cmt, "enableCMT", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_intel_rdt, enable_mbm, "enableMBM", JSON_BOOL, JSON_OMIT_EMPTY),
};
static const struct json_table rdt_table = JSON_TABLE("intelRdt", struct oci_intel_rdt, rdt_fields);

static const struct json_field personality_fields[] = {
	JSON_FIELD(struct oci_personality, domain, "domain", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct oci_personality, flags, "flags", JSON_STRV, JSON_OMIT_EMPTY),
};
static const struct json_table personality_table =
	JSON_TABLE("personality", struct oci_personality, personality_fields);

static const struct json_field time_offset_fields[] = {
	JSON_FIELD(struct oci_time_offset, secs, "secs", JSON_I64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_time_offset, nanosecs, "nanosecs", JSON_U32, JSON_OMIT_EMPTY),
};
static const struct json_table time_offset_table =
	JSON_TABLE("timeOffset", struct oci_time_offset, time_offset_fields);

static const struct json_field time_offsets_fields[] = {
	JSON_SUB(struct oci_time_offsets, monotonic, "monotonic", JSON_OBJP, JSON_OMIT_EMPTY, &time_offset_table),
	JSON_SUB(struct oci_time_offsets, boottime, "boottime", JSON_OBJP, JSON_OMIT_EMPTY, &time_offset_table),
};
static const struct json_table time_offsets_table =
	JSON_TABLE("timeOffsets", struct oci_time_offsets, time_offsets_fields);

#define L(member, name, type)	   JSON_FIELD(struct oci_linux, member, name, type, JSON_OMIT_EMPTY)
#define LS(member, name, type, sub) JSON_SUB(struct oci_linux, member, name, type, JSON_OMIT_EMPTY, sub)
static const struct json_field linux_fields[] = {
	LS(uid_mappings, "uidMappings", JSON_VEC, &id_map_table),
	LS(gid_mappings, "gidMappings", JSON_VEC, &id_map_table),
	L(sysctl, "sysctl", JSON_STRMAP),
	LS(resources, "resources", JSON_OBJ, &cgroup_resources_table),
	L(cgroups_path, "cgroupsPath", JSON_STR),
	LS(namespaces, "namespaces", JSON_VEC, &namespace_table),
	LS(devices, "devices", JSON_VEC, &device_table),
	LS(seccomp, "seccomp", JSON_OBJP, &seccomp_table),
	L(rootfs_propagation, "rootfsPropagation", JSON_STR),
	L(masked_paths, "maskedPaths", JSON_STRV),
	L(readonly_paths, "readonlyPaths", JSON_STRV),
	L(mount_label, "mountLabel", JSON_STR),
	LS(intel_rdt, "intelRdt", JSON_OBJP, &rdt_table),
	LS(personality, "personality", JSON_OBJP, &personality_table),
	LS(time_offsets, "timeOffsets", JSON_OBJ, &time_offsets_table),
};
static const struct json_table linux_table = JSON_TABLE("linux", struct oci_linux, linux_fields);

static const struct json_field spec_fields[] = {
	JSON_FIELD(struct oci_spec, version, "ociVersion", JSON_STR, JSON_REQUIRED),
	JSON_SUB(struct oci_spec, process, "process", JSON_OBJP, JSON_OMIT_EMPTY, &oci_process_table),
	JSON_SUB(struct oci_spec, root, "root", JSON_OBJ, JSON_REQUIRED, &root_table),
	JSON_FIELD(struct oci_spec, hostname, "hostname", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct oci_spec, domainname, "domainname", JSON_STR, JSON_OMIT_EMPTY),
	JSON_SUB(struct oci_spec, mounts, "mounts", JSON_VEC, JSON_OMIT_EMPTY, &mount_table),
	JSON_SUB(struct oci_spec, hooks, "hooks", JSON_OBJ, JSON_OMIT_EMPTY, &oci_hooks_table),
	JSON_FIELD(struct oci_spec, annotations, "annotations", JSON_STRMAP, JSON_OMIT_EMPTY),
	JSON_SUB(struct oci_spec, linux_, "linux", JSON_OBJ, 0, &linux_table),
};
const struct json_table oci_spec_table = JSON_TABLE("config.json", struct oci_spec, spec_fields);

/* ---- whole texts --------------------------------------------------------------------------------------------------------- */

int oci_spec_parse(const void *text, size_t len, struct oci_spec *ret, struct err *err)
{
	AUTO(oci_spec_clear) struct oci_spec spec = {0};
	int rc;

	if (len > OCI_SPEC_MAX_BYTES)
		return err_set(err, ERR_TOO_LARGE, "config.json has more than %d bytes", OCI_SPEC_MAX_BYTES);
	rc = json_parse(&oci_spec_table, text, len, 0, "config.json", &spec, err);
	if (!rc)
		rc = oci_spec_check(&spec, err);
	if (rc)
		return rc;
	*ret = spec;
	spec = (struct oci_spec){0};
	return 0;
}

int oci_process_parse(const void *text, size_t len, struct oci_process *ret, struct err *err)
{
	AUTO(oci_process_clear) struct oci_process process = {0};
	int rc;

	if (len > OCI_SPEC_MAX_BYTES)
		return err_set(err, ERR_TOO_LARGE, "process.json has more than %d bytes", OCI_SPEC_MAX_BYTES);
	rc = json_parse(&oci_process_table, text, len, 0, "process.json", &process, err);
	if (!rc)
		rc = oci_process_check(&process, err);
	if (rc)
		return rc;
	*ret = process;
	process = (struct oci_process){0};
	return 0;
}

void oci_spec_clear(struct oci_spec *spec)
{
	json_clear(&oci_spec_table, spec);
}

void oci_process_clear(struct oci_process *process)
{
	json_clear(&oci_process_table, process);
}
