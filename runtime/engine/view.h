/*
 * view - the files of a container as it sees them, for as long as a copy takes.
 *
 * A running container shows them by /proc/PID/root: works without setns, on 2.6.32 too, for all that is mounted there, tmpfs included. For
 * one that does not run its root file system is mounted, and its volumes, binds and network files are bound over it in a mount namespace
 * that ends with the copy, whatever happens to the daemon. pouchd enters no namespace of a container.
 */
#ifndef RUNTIME_ENGINE_VIEW_H
#define RUNTIME_ENGINE_VIEW_H

#include "runtime/engine/container.h"

/*
 * @rootfd	the container's root: to be walked by the calls of compat/base/path.h only. Borrowed
 *
 * Runs in a thread of its own whose umask is 0.
 */
typedef int view_work(int rootfd, void *arg, struct err *err);

/*
 * Have @work done. A container that does not run is not started, changed or removed meanwhile: such calls wait. ERR_NOT_FOUND when it was
 * removed; else what @work returns.
 */
int view_run(struct container *c, view_work *work, void *arg, struct err *err);

#endif
