/*
 * recover - what a new daemon makes of what an old one left.
 */
#ifndef RUNTIME_ENGINE_RECOVER_H
#define RUNTIME_ENGINE_RECOVER_H

#include "compat/base/err.h"

struct engine;

/*
 * Read every container; finish or undo what was under way; adopt what runs; take over exits that nobody heard of; remove what belongs
 * to no container: root file systems, exec directories, control groups, endpoints, references of volumes. Then restart what its
 * policy wants. One container that cannot be read is reported and left alone.
 */
int recover(struct engine *e, struct err *err);

#endif
