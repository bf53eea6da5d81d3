/*
 * template - what --format and inspect -f take: the language of Go's text/template over JSON.
 *
 * Actions: pipelines with |, fields, variables, if, else if, else, range (with index and element, else, break, continue),
 * with, comments, {{- and -}}. Functions: and or not len index slice print printf println eq ne lt le gt ge html urlquery, and
 * docker's json join split lower upper title pad truncate. Names of fields are Go's; letters' case makes no difference
 * (.Id, .ID). What is not there: define, template, block, call, js.
 *
 * All errors are ERR_INVALID and begin with "Template parsing error".
 *
 * Spec:    https://pkg.go.dev/text/template
 */
#ifndef CLI_TEMPLATE_H
#define CLI_TEMPLATE_H

#include "compat/base/json.h"

struct template;

/* At most 64 KiB of text, nested at most 100 deep. */
int template_parse(const char *text, struct template **ret, struct err *err);
void template_free(struct template *t);
DEFINE_AUTO(template_free, struct template *)

/*
 * Apply to @data and append what comes out.
 *
 * @table	the fields that @data may have: one that JSON left out is its type's zero, one that is not in the table is
 *		an error. NULL: what is missing is "<no value>"
 */
int template_run(const struct template *t, struct json_object *data, const struct json_table *table,
		 struct buf *out, struct err *err);

#endif
