/*
 * supervise - a process beside pouchd which starts it again, for hosts whose init does not (SysV).
 *
 * The supervisor is the parent of pouchd and does nothing but wait. However pouchd ends, unless the supervisor was told to stop, it is
 * started again: at once the first time, later ever more slowly. One that ends ten times in a row soon after its start is given up, as
 * then something is wrong that starting does not mend. Containers are children of neither.
 */
#ifndef RUNTIME_DAEMON_SUPERVISE_H
#define RUNTIME_DAEMON_SUPERVISE_H

#include "compat/base/err.h"

#define SUPERVISE_TRIES 10	/* ends in a row within SUPERVISE_SOON_MS of the start */
#define SUPERVISE_SOON_MS 10000

/*
 * Supervise this program, started with the arguments @argv (without --supervise). SIGTERM and SIGINT end both, SIGHUP is handed on.
 *
 * @pidfile	holds the supervisor's pid in its first line and pouchd's in the second; locked while the supervisor lives
 *
 * Detaches from the terminal; standard error stays the log. Returns 0 after SIGTERM and SIGINT; an error when pouchd was given up, or
 * ERR_CONFLICT when another supervisor has the file.
 */
int supervise(const char *pidfile, char *const *argv, struct err *err);

#endif
