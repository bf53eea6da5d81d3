/*
 * inspect - fetch objects and show them as JSON or by a template; for every noun that can be inspected.
 */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include "cli/cli.h"

struct inspect_kind {
	const char *path_format;		/* with one %s */
	const struct json_table *table;		/* its fields, for templates */
};

/*
 * Each name is looked for among the kinds in their order. What was found is printed even if a later name is missing, which
 * is told on standard error.
 *
 * Returns 0, 1 when a name was missing, or -errno.
 */
int inspect_objects(struct cli *cli, const struct inspect_kind *kinds, size_t kind_count, const char *format,
		    const struct strv *names, struct err *err);

#endif
