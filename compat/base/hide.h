/*
 * hide - features that this process shall believe the kernel lacks.
 *
 * The environment variable POUCH_HIDE holds names with commas between ("openat2,pidfd"); it is read once. compat.xml adds
 * to the list by hide_add(). compat/kernel/feature.h lists the names and checks them; here any name is only compared. "-" and "_" are the same.
 */
#ifndef COMPAT_BASE_HIDE_H
#define COMPAT_BASE_HIDE_H

#include <stdbool.h>

bool hidden(const char *feature);

/* Hide more names (one, or several with commas between). Only before the first thread starts. */
void hide_add(const char *names);

/* All hidden names with commas between, "" when there are none; borrowed until hide_add(). */
const char *hide_list(void);

#endif
