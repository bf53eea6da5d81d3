/*
 * oom_score - who is killed first when memory ends
 */
#ifndef COMPAT_KERNEL_OOM_SCORE_H
#define COMPAT_KERNEL_OOM_SCORE_H

#include <stdint.h>
#include <sys/types.h>

#include "compat/base/err.h"

/*
 * Set /proc/PID/oom_score_adj, or the coarser oom_adj of kernels before 2.6.36.
 *
 * @pid		0: this process
 * @score	-1000 (never) to 1000
 */
int oom_score_set(pid_t pid, int64_t score, struct err *err);

/* -1000 to 1000 -> -17 (never) to 15; only -1000 means never. */
int oom_score_to_adj(int64_t score);

#endif
