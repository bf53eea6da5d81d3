/*
 * version.c - which build this is; the Makefile defines the macros for this file alone
 */
#include "compat/base/version.h"

const char *version_string(void)
{
	return POUCH_VERSION;
}

const char *version_commit(void)
{
	return POUCH_COMMIT;
}

const char *version_build_time(void)
{
	return POUCH_BUILD_TIME;
}
