/*
 * version.h - which build this is
 *
 * The strings live in one object file, so that a commit does not rebuild the rest.
 */
#ifndef COMPAT_BASE_VERSION_H
#define COMPAT_BASE_VERSION_H

/* "2.0.0" */
const char *version_string(void);

/* First 12 hex digits of the commit, or "unknown" outside a repository. */
const char *version_commit(void);

/* The commit's time in UTC as RFC 3339, so that equal sources give equal programs; or "unknown". */
const char *version_build_time(void);

#endif
