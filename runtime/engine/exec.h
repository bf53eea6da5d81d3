/*
 * exec - the table of further processes in containers.
 *
 * An exec lives in memory: it is forgotten with its container, some time after its end, and with the daemon (the process itself
 * runs on under its shim).
 */
#ifndef RUNTIME_ENGINE_EXEC_H
#define RUNTIME_ENGINE_EXEC_H

#include "runtime/engine/engine.h"

struct exec_table;

struct exec_table *exec_table_new(void);
void exec_table_free(struct exec_table *t);	/* nobody uses it */
void exec_ended(struct engine *e, const char *id, int exit_code);
/* Its container has ended, or is gone. */
void exec_all_ended(struct engine *e, const char *container_id);
void exec_forget_all(struct engine *e, const char *container_id);
/* Ids of the running ones of a container. */
void exec_list(struct engine *e, const char *container_id, struct strv *ret);

#endif
