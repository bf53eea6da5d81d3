/*
 * forced.c - which backends the profile forces
 *
 * Apart from the rest of capability, because programs that must stay small ask for this alone.
 */
#include "compat/base/vec.h"
#include "compat/kernel/capability_state.h"

static const struct strmap *forced;

void capability_set_forced(const struct strmap *map)
{
	forced = map;
}

const char *capability_forced_name(const char *capability)
{
	return forced ? strmap_get(forced, capability) : NULL;
}
