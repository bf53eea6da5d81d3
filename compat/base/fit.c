/*
 * fit - how well a backend suits a target, and the choice among several.
 */
#include "compat/base/fit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "compat/base/buf.h"

struct fit fit(int score, const char *fmt, ...)
{
	struct fit f = {.score = score};
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(f.reason, sizeof(f.reason), fmt, ap) >= (int)sizeof(f.reason))
		memcpy(f.reason + sizeof(f.reason) - 4, "...", 4);
	va_end(ap);
	return f;
}

static int pick_forced(const struct fit *rows, size_t n, const char *forced, const char *kind,
		       struct err *err)
{
	AUTO(buf_clear) struct buf known = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, forced) == 0) {
			if (rows[i].score > FIT_NO)
				return (int)i;
			return err_set(err, ERR_UNSUPPORTED, "%s '%s' does not work here: %s", kind,
				       forced, rows[i].reason);
		}
		buf_fmt(&known, "%s%s", known.len ? ", " : "", rows[i].name);
	}
	return err_set(err, ERR_INVALID, "unknown %s '%s': known are %s", kind, forced,
		       buf_cstr(&known));
}

int fit_best(const struct fit *rows, size_t n, const char *forced, const char *kind,
	     struct err *err)
{
	AUTO(buf_clear) struct buf why = BUF_INIT;
	int best = -1;

	if (forced && *forced)
		return pick_forced(rows, n, forced, kind, err);
	for (size_t i = 0; i < n; i++) {
		if (rows[i].score > FIT_NO && (best < 0 || rows[i].score > rows[best].score))
			best = (int)i;
		buf_fmt(&why, "%s%s: %s", why.len ? "; " : "", rows[i].name, rows[i].reason);
	}
	if (best < 0)
		return err_set(err, ERR_UNSUPPORTED, "no %s works here: %s", kind, buf_cstr(&why));
	return best;
}
