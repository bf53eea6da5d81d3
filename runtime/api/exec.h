/*
 * exec - a further process in a container, as the API names it.
 *
 * Spec:    Docker Engine API 1.47, ExecConfig, ExecInspectResponse; PouchContainer API 1.24, ContainerExecInspect
 */
#ifndef RUNTIME_API_EXEC_H
#define RUNTIME_API_EXEC_H

#include "compat/base/json.h"

/* POST /containers/ID/exec */
struct api_exec_create {
	char *user;
	bool privileged, tty, attach_stdin, attach_stdout, attach_stderr, detach;
	char *detach_keys;		/* "ctrl-p,ctrl-q"; "" or NULL: the default */
	struct strv env, cmd;
	char *working_dir;
	char *console_size;		/* raw JSON array [height, width]; api_console_size() */
};

struct api_exec_created {
	char *id;
};

/* POST /exec/ID/start */
struct api_exec_start {
	bool detach, tty;
	char *console_size;
};

struct api_process_config {
	bool privileged, tty;
	char *user, *entrypoint;
	struct strv arguments;
};

/* GET /exec/ID/json */
struct api_exec {
	char *id;
	bool running;
	struct opt_i64 exit_code;	/* absent while it runs */
	struct api_process_config process_config;
	bool open_stdin, open_stderr, open_stdout, can_remove;
	char *container_id, *detach_keys;
	int64_t pid;
};

extern const struct json_table api_exec_create_table;
extern const struct json_table api_exec_created_table;
extern const struct json_table api_exec_start_table;
extern const struct json_table api_exec_table;

#endif
