/*
 * check - may this container be made on this host?
 */
#ifndef RUNTIME_ENGINE_CHECK_H
#define RUNTIME_ENGINE_CHECK_H

#include "runtime/engine/container.h"

/*
 * Every option of a merged configuration, before anything is made. ERR_INVALID for what makes no sense, ERR_UNSUPPORTED with
 * the capability's name for what this host or build lacks.
 *
 * @warnings	what will be done differently
 */
int check_create(struct engine *e, struct container_record *rec, struct strv *warnings, struct err *err);

/* What is asked for, before it is merged: no list is longer than anybody needs. */
int check_lists(const struct api_container_create *create, struct err *err);

int check_restart_policy(const struct api_restart_policy *p, bool auto_remove, struct err *err);
int check_name(const char *name, struct err *err);

/* May there be a terminal, if one is asked for? */
int check_terminal(bool tty, struct err *err);

/* Built-in runtime: NULL; a foreign one's path and arguments. */
int check_runtime(struct engine *e, const char *name, char **ret_path, struct strv *ret_args, struct err *err);

/* "container:x" -> "x", else NULL */
const char *mode_container(const char *mode);
bool mode_is_host(const char *mode);

#endif
