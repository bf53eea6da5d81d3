/*
 * caps - capabilities: names, sets, and how a process gives them up.
 *
 * A set is a 64-bit mask, bit N for capability N. The raw system calls are used: they exist on every kernel from 2.6.32 on, and
 * the runtime's start must not pay for a library's initialisation.
 *
 * Spec:    capabilities(7); OCI runtime-spec 1.1, config.md#linux-process
 */
#ifndef COMPAT_KERNEL_CAPS_H
#define COMPAT_KERNEL_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/err.h"
#include "compat/base/json.h"

struct caps {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};

#define CAP_BIT(n) (UINT64_C(1) << (n))
/* Stands for names that no kernel knows; no system call gets to see it. */
#define CAP_UNKNOWN CAP_BIT(63)

/* OCI process.capabilities: five lists of "CAP_X". Unknown names become CAP_UNKNOWN, for the specification wants a warning and no failure. */
extern const struct json_table caps_table;

/* "CAP_SYS_ADMIN", "sys_admin" -> 21, or -EINVAL. */
int cap_parse(const char *name);
/* 21 -> "CAP_SYS_ADMIN"; NULL for a number without a name. */
const char *cap_name(int cap);
/* The highest capability of this kernel (33 on 2.6.32), by PR_CAPBSET_READ. */
int cap_last(void);
/* All that this kernel knows. */
uint64_t caps_all(void);
/* What the calling process may still get: its bounding set. */
uint64_t caps_bounding(void);
/* Docker's default set of fourteen. */
uint64_t caps_default(void);

/* Those that @list names one by one ("ALL" names none); names that are unknown do not count. */
uint64_t caps_named(const struct strv *list);
/*
 * Docker's rule for --cap-add and --cap-drop: with "ALL" added it is all but the dropped, with "ALL" dropped it is the added alone, else
 * @base without the dropped, then with the added. Unknown names are ERR_INVALID. @base is where to start (caps_default(), or caps_all() for --privileged).
 */
int caps_tweak(uint64_t base, const struct strv *add, const struct strv *drop, uint64_t *ret, struct err *err);

/*
 * Two steps around the change of user: caps_drop_bounding() and caps_keep() while still privileged, then setgroups, setresgid,
 * setresuid, then caps_apply(). What this kernel does not know, and what the process does not have itself, is ignored; ambient capabilities are ignored where
 * the kernel has none (before 4.3): the first exec of a program without file capabilities then drops them, as it always did there. Nor
 * is one raised that is not permitted and inheritable too, as the kernel demands: runc's own example configuration asks for such.
 *
 * Spec: OCI runtime-spec 1.1, config.md#linux-process: what cannot be granted must not make the container fail
 */
int caps_drop_bounding(uint64_t bounding, struct err *err);
int caps_keep(struct err *err);
int caps_apply(const struct caps *caps, struct err *err);

/* The calling process's own sets. */
int caps_get(struct caps *ret, struct err *err);

#endif
