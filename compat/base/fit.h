/*
 * fit - how well a backend suits a target, and the choice among several.
 */
#ifndef COMPAT_BASE_FIT_H
#define COMPAT_BASE_FIT_H

#include <stddef.h>

#include "compat/base/err.h"

enum { FIT_NO = 0, FIT_FALLBACK = 10, FIT_GOOD = 50, FIT_NATIVE = 90 };

struct fit {
	const char *name;	/* the backend's name; the chooser fills it in */
	int score;		/* FIT_NO to FIT_NATIVE */
	char reason[120];	/* "ext4 mounted without prjquota" */
};

struct fit fit(int score, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Pick among @n rows: the highest score, ties to the earlier. With @forced (a name from the configuration) that row or
 * an error with its reason; an unknown name is ERR_INVALID and lists the known ones. ERR_UNSUPPORTED when all say no.
 * Returns the index of the row.
 */
int fit_best(const struct fit *rows, size_t n, const char *forced, const char *kind,
	     struct err *err);

#endif
