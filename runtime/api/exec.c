/*
 * exec.c - field tables of exec.h
 */
#include "runtime/api/exec.h"

#include "runtime/api/table.h"

#define S struct api_exec_create
static const struct json_field exec_create_fields[] = {
	F(user, "User", JSON_STR, 0),
	F(privileged, "Privileged", JSON_BOOL, 0),
	F(tty, "Tty", JSON_BOOL, 0),
	F(console_size, "ConsoleSize", JSON_RAW, OMIT),
	F(attach_stdin, "AttachStdin", JSON_BOOL, 0),
	F(attach_stderr, "AttachStderr", JSON_BOOL, 0),
	F(attach_stdout, "AttachStdout", JSON_BOOL, 0),
	F(detach, "Detach", JSON_BOOL, 0),
	F(detach_keys, "DetachKeys", JSON_STR, 0),
	F(env, "Env", JSON_STRV, NUL),
	F(working_dir, "WorkingDir", JSON_STR, 0),
	F(cmd, "Cmd", JSON_STRV, JSON_ONE_OR_MANY),
};
const struct json_table api_exec_create_table = JSON_TABLE("exec", S, exec_create_fields);
#undef S

#define S struct api_exec_created
static const struct json_field exec_created_fields[] = {
	F(id, "Id", JSON_STR, 0),
};
const struct json_table api_exec_created_table = JSON_TABLE("created exec", S, exec_created_fields);
#undef S

#define S struct api_exec_start
static const struct json_field exec_start_fields[] = {
	F(detach, "Detach", JSON_BOOL, 0),
	F(tty, "Tty", JSON_BOOL, 0),
	F(console_size, "ConsoleSize", JSON_RAW, OMIT),
};
const struct json_table api_exec_start_table = JSON_TABLE("exec start", S, exec_start_fields);
#undef S

#define S struct api_process_config
static const struct json_field process_config_fields[] = {
	F(tty, "tty", JSON_BOOL, 0),
	F(entrypoint, "entrypoint", JSON_STR, 0),
	F(arguments, "arguments", JSON_STRV, 0),
	F(privileged, "privileged", JSON_BOOL, 0),
	F(user, "user", JSON_STR, 0),
};
static const struct json_table process_config_table =
	JSON_TABLE("ProcessConfig", S, process_config_fields);
#undef S

#define S struct api_exec
static const struct json_field exec_fields[] = {
	F(id, "ID", JSON_STR, 0),
	F(running, "Running", JSON_BOOL, 0),
	F(exit_code, "ExitCode", JSON_OPT_I64, NUL),
	SUB(process_config, "ProcessConfig", JSON_OBJ, 0, &process_config_table),
	F(open_stdin, "OpenStdin", JSON_BOOL, 0),
	F(open_stderr, "OpenStderr", JSON_BOOL, 0),
	F(open_stdout, "OpenStdout", JSON_BOOL, 0),
	F(can_remove, "CanRemove", JSON_BOOL, 0),
	F(container_id, "ContainerID", JSON_STR, 0),
	F(detach_keys, "DetachKeys", JSON_STR, 0),
	F(pid, "Pid", JSON_I64, 0),
};
const struct json_table api_exec_table = JSON_TABLE("exec", S, exec_fields);
#undef S
