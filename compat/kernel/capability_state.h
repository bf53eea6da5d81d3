/*
 * capability_state - inside of capability: what compat_begin() set, and the choice itself
 */
#ifndef COMPAT_KERNEL_CAPABILITY_STATE_H
#define COMPAT_KERNEL_CAPABILITY_STATE_H

#include "compat/kernel/capability.h"

struct profile;
struct strmap;

const char *compat_home(void);
/* Were the features' results taken from the cache? */
bool compat_is_cached(void);
const struct profile *compat_profile(void);

/* capability -> backend; kept until the next call. */
void capability_set_forced(const struct strmap *map);
/* Hide what the forced backends shall not be replaced by. */
void capability_apply_forced(void);
/* Take over this boot's cached results, if compat_begin() left that for later. */
void compat_late_cache(void);

/* Look at all backends of @c and choose. An error only where a forced one cannot work. */
int capability_choose(enum capability c, struct err *err);
void capability_forget(void);

#endif
