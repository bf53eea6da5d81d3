/*
 * config - the image configuration's field tables
 */
#include "runtime/image/config.h"

#define R struct image_run_config

static const struct json_field run_config_fields[] = {
	JSON_FIELD(R, hostname, "Hostname", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(R, domainname, "Domainname", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(R, user, "User", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(R, exposed_ports, "ExposedPorts", JSON_SETMAP, JSON_OMIT_EMPTY),
	JSON_FIELD(R, env, "Env", JSON_STRV, JSON_NULL_EMPTY),
	JSON_FIELD(R, entrypoint, "Entrypoint", JSON_STRV, JSON_OMIT_EMPTY | JSON_ONE_OR_MANY),
	JSON_FIELD(R, cmd, "Cmd", JSON_STRV, JSON_NULL_EMPTY | JSON_ONE_OR_MANY),
	JSON_FIELD(R, volumes, "Volumes", JSON_SETMAP, JSON_OMIT_EMPTY),
	JSON_FIELD(R, working_dir, "WorkingDir", JSON_STR, 0),
	JSON_FIELD(R, labels, "Labels", JSON_STRMAP, JSON_NULL_EMPTY),
	JSON_FIELD(R, stop_signal, "StopSignal", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(R, stop_timeout, "StopTimeout", JSON_OPT_I64, JSON_OMIT_EMPTY),
	JSON_FIELD(R, shell, "Shell", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(R, on_build, "OnBuild", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(R, args_escaped, "ArgsEscaped", JSON_BOOL, JSON_OMIT_EMPTY),
	JSON_FIELD(R, healthcheck, "Healthcheck", JSON_RAW, JSON_OMIT_EMPTY),
};
const struct json_table image_run_config_table =
	JSON_TABLE("image config.config", R, run_config_fields);

#define H struct image_history

static const struct json_field history_fields[] = {
	JSON_FIELD(H, created, "created", JSON_TIME, JSON_OMIT_EMPTY),
	JSON_FIELD(H, created_by, "created_by", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(H, author, "author", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(H, comment, "comment", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(H, empty_layer, "empty_layer", JSON_BOOL, JSON_OMIT_EMPTY),
};
const struct json_table image_history_table = JSON_TABLE("image history", H, history_fields);

static const struct json_field rootfs_fields[] = {
	JSON_FIELD(struct image_rootfs, type, "type", JSON_STR, 0),
	JSON_FIELD(struct image_rootfs, diff_ids, "diff_ids", JSON_STRV, 0),
};
static const struct json_table rootfs_table =
	JSON_TABLE("image rootfs", struct image_rootfs, rootfs_fields);

#define C struct image_config

static const struct json_field config_fields[] = {
	JSON_FIELD(C, created, "created", JSON_TIME, JSON_OMIT_EMPTY),
	JSON_FIELD(C, author, "author", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(C, architecture, "architecture", JSON_STR, 0),
	JSON_FIELD(C, variant, "variant", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(C, os, "os", JSON_STR, 0),
	JSON_FIELD(C, os_version, "os.version", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(C, docker_version, "docker_version", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(C, comment, "comment", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(C, parent, "parent", JSON_STR, JSON_OMIT_EMPTY),
	JSON_SUB(C, config, "config", JSON_OBJ, 0, &image_run_config_table),
	JSON_SUB(C, rootfs, "rootfs", JSON_OBJ, JSON_REQUIRED, &rootfs_table),
	JSON_SUB(C, history, "history", JSON_VEC, JSON_OMIT_EMPTY, &image_history_table),
};
const struct json_table image_config_table = JSON_TABLE("image config", C, config_fields);
