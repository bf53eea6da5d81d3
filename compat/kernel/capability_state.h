/*
 * capability_state - inside of capability: what compat_begin() set, and the choice itself
 */
#ifndef COMPAT_KERNEL_CAPABILITY_STATE_H
#define COMPAT_KERNEL_CAPABILITY_STATE_H

#include "compat/kernel/capability.h"

struct profile;

const char *compat_home(void);
/* Were the features' results taken from the cache? */
bool compat_is_cached(void);
const struct profile *compat_profile(void);

/* Look at all backends of @c and choose. An error only where a forced one cannot work. */
int capability_choose(enum capability c, struct err *err);
void capability_forget(void);

#endif
