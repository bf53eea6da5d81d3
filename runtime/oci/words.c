/*
 * words.c - tables of names
 */
#include "runtime/oci/words.h"

#include <errno.h>
#include <sys/resource.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "runtime/oci/spec.h"

/* sched(7); numbers because C libraries leave some out */
const struct oci_word oci_sched_policies[] = {
	{"SCHED_OTHER", 0}, {"SCHED_FIFO", 1}, {"SCHED_RR", 2},	     {"SCHED_BATCH", 3},
	{"SCHED_ISO", 4},   {"SCHED_IDLE", 5}, {"SCHED_DEADLINE", 6}, {0},
};

/* sched_setattr(2) */
const struct oci_word oci_sched_flags[] = {
	{"SCHED_FLAG_RESET_ON_FORK", 0x01}, {"SCHED_FLAG_RECLAIM", 0x02},
	{"SCHED_FLAG_DL_OVERRUN", 0x04},    {"SCHED_FLAG_KEEP_POLICY", 0x08},
	{"SCHED_FLAG_KEEP_PARAMS", 0x10},   {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
	{"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}, {0},
};

/* ioprio_set(2) */
const struct oci_word oci_io_classes[] = {
	{"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}, {0},
};

/* personality(2) */
const struct oci_word oci_personalities[] = {{"LINUX", 0x0000}, {"LINUX32", 0x0008}, {0}};

int oci_word(const struct oci_word *list, const char *name, uint64_t *ret)
{
	for (; list->name; list++)
		if (str_eq(list->name, name)) {
			*ret = list->value;
			return 0;
		}
	return -EINVAL;
}

int oci_rlimit_parse(const char *name)
{
	static const struct {
		const char *name;
		int limit;
	} limits[] = {
		{"RLIMIT_AS", RLIMIT_AS},	{"RLIMIT_CORE", RLIMIT_CORE},
		{"RLIMIT_CPU", RLIMIT_CPU},	{"RLIMIT_DATA", RLIMIT_DATA},
		{"RLIMIT_FSIZE", RLIMIT_FSIZE}, {"RLIMIT_LOCKS", RLIMIT_LOCKS},
		{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
		{"RLIMIT_NICE", RLIMIT_NICE},	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
		{"RLIMIT_NPROC", RLIMIT_NPROC}, {"RLIMIT_RSS", RLIMIT_RSS},
		{"RLIMIT_RTPRIO", RLIMIT_RTPRIO}, {"RLIMIT_RTTIME", RLIMIT_RTTIME},
		{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING}, {"RLIMIT_STACK", RLIMIT_STACK},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (str_eq(limits[i].name, name))
			return limits[i].limit;
	return -EINVAL;
}
