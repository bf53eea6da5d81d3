/*
 * option.c - see option.h
 *
 * popt finds the options and their values as texts; the rows say what to make of them. A flag is given to popt as one
 * without a value, and "--flag=false", which popt reports as an unwanted value, is read here.
 */
#include "cli/option.h"

#include <inttypes.h>
#include <popt.h>
#include <stdlib.h>

#include "compat/base/str.h"
#include "runtime/api/parse.h"

/* popt's val of the help options; rows count from 1. */
enum { VAL_HELP = 1000 };

static bool is_flag(const struct option *o)
{
	return o->type == OPTION_BOOL || o->type == OPTION_OPT_BOOL;
}

static size_t count_rows(const struct option_group *const *groups)
{
	size_t n = 0;

	for (; *groups; groups++)
		n += (*groups)->n;
	return n;
}

static const struct option *row_at(const struct option_group *const *groups, size_t index)
{
	for (; index >= (*groups)->n; groups++)
		index -= (*groups)->n;
	return &(*groups)->v[index];
}

/* ---- values ---- */

static int set_number(const struct option *o, void *member, const char *value, struct err *err)
{
	int64_t n;
	int rc = o->type == OPTION_BYTES ? str_bytes(value, &n) : str_i64(value, 10, &n);

	/* "-1" says "unlimited" where sizes do. */
	if (rc < 0 && o->type == OPTION_BYTES && str_eq(value, "-1")) {
		n = -1;
		rc = 0;
	}
	if (rc < 0)
		return err_set(err, ERR_INVALID, "'%s' is not a %s", value,
			       o->type == OPTION_BYTES ? "size (like 512m)" : "whole number");
	if ((o->min || o->max) && (n < o->min || n > o->max))
		return err_set(err, ERR_INVALID, "%s is not between %" PRId64 " and %" PRId64, value,
			       o->min, o->max);
	if (o->type == OPTION_UINT16 && (n < 0 || n > UINT16_MAX))
		return err_set(err, ERR_INVALID, "%s is not between 0 and 65535", value);
	if (o->type == OPTION_UINT16)
		*(uint16_t *)member = (uint16_t)n;
	else if (o->type == OPTION_OPT_INT)
		*(struct opt_i64 *)member = (struct opt_i64){true, n};
	else
		*(int64_t *)member = n;
	return 0;
}

static int set_flag(const struct option *o, void *member, const char *value, struct err *err)
{
	bool on = true;

	if (value && str_bool(value, &on) < 0)
		return err_set(err, ERR_INVALID, "'%s' is neither true nor false", value);
	if (o->type == OPTION_BOOL)
		*(bool *)member = on;
	else
		*(struct opt_bool *)member = (struct opt_bool){true, on};
	return 0;
}

static int set_each(const struct option *o, void *options, void *member, const char *value,
		    struct err *err)
{
	AUTO(strv_clear) struct strv parts = {0};
	int rc = api_parse_csv(value, &parts, err);

	for (size_t i = 0; !rc && i < parts.n; i++) {
		if (o->type == OPTION_CALL_EACH)
			rc = o->set(options, parts.v[i], err);
		else
			rc = api_parse_pair(parts.v[i], false, "value", member, err);
	}
	return rc < 0 ? rc : 0;
}

static int set_value(const struct option *o, void *options, const char *value, struct err *err)
{
	void *member = (char *)options + o->offset;

	switch (o->type) {
	case OPTION_BOOL:
	case OPTION_OPT_BOOL:
		return set_flag(o, member, value, err);
	case OPTION_STRING:
		str_set(member, value);
		return 0;
	case OPTION_INT:
	case OPTION_OPT_INT:
	case OPTION_UINT16:
	case OPTION_BYTES:
		return set_number(o, member, value, err);
	case OPTION_STRINGS:
		return api_parse_csv(value, member, err);
	case OPTION_ARRAY:
		strv_add(member, value);
		return 0;
	case OPTION_PAIR_ARRAY:
		return api_parse_pair(value, true, "value", member, err);
	case OPTION_CALL:
		return o->set(options, value, err);
	case OPTION_PAIRS:
	case OPTION_CALL_EACH:
		return set_each(o, options, member, value, err);
	}
	return 0;
}

/* Values may be secrets or long: the message names the option, the reason quotes what is wrong. */
static int set_named(const struct option *o, void *options, const char *value, struct err *err)
{
	int rc = set_value(o, options, value, err);

	return rc < 0 ? err_wrap(err, rc, "invalid argument for --%s", o->name) : 0;
}

void option_clear(const struct option_group *const *groups, void *options)
{
	size_t n = count_rows(groups);

	for (size_t i = 0; i < n; i++) {
		const struct option *o = row_at(groups, i);
		void *member = (char *)options + o->offset;

		if (o->type == OPTION_STRING) {
			free(*(char **)member);
			*(char **)member = NULL;
		} else if (o->type == OPTION_STRINGS || o->type == OPTION_ARRAY) {
			strv_clear(member);
		} else if (o->type == OPTION_PAIRS || o->type == OPTION_PAIR_ARRAY) {
			strmap_clear(member);
		}
	}
}

/* ---- parsing ---- */

static struct poptOption *popt_table(const struct option_group *const *groups)
{
	size_t n = count_rows(groups);
	struct poptOption *table = xcalloc(n + 3, sizeof(*table)), *t = table;
	bool has_h = false;

	for (size_t i = 0; i < n; i++, t++) {
		const struct option *o = row_at(groups, i);

		t->longName = o->name;
		t->shortName = o->letter;
		t->argInfo = is_flag(o) ? POPT_ARG_NONE : POPT_ARG_STRING;
		t->val = (int)i + 1;
		has_h |= o->letter == 'h';
	}
	t->longName = "help";
	t->shortName = has_h ? '\0' : 'h';
	t->val = VAL_HELP;
	return table;
}

/* The row that "--name=value" means, when it is a flag with a value. */
static int flag_with_value(const struct option_parse *p, const char *text, struct err *err)
{
	const char *name = str_skip(text, "--"), *eq = strchr(text, '=');
	size_t n = count_rows(p->groups);

	for (size_t i = 0; name && eq && i < n; i++) {
		const struct option *o = row_at(p->groups, i);
		size_t len = strlen(o->name);

		if (is_flag(o) && (size_t)(eq - name) == len && strncmp(name, o->name, len) == 0)
			return set_named(o, p->options, eq + 1, err);
	}
	return err_set(err, ERR_INVALID, "option %s takes no value", text);
}

static int refuse(poptContext ctx, int code, struct err *err)
{
	const char *text = poptBadOption(ctx, 0);

	if (code == POPT_ERROR_BADOPT)
		return err_set(err, ERR_INVALID, "unknown option: %s", text);
	if (code == POPT_ERROR_NOARG)
		return err_set(err, ERR_INVALID, "option needs a value: %s", text);
	return err_set(err, ERR_INVALID, "%s: %s", text, poptStrerror(code));
}

static int parse_all(poptContext ctx, const struct option_parse *p, struct err *err)
{
	int code, rc = 0;

	while (!rc && (code = poptGetNextOpt(ctx)) != -1) {
		const struct option *o;
		auto_free char *value = NULL;

		if (code == POPT_ERROR_UNWANTEDARG) {
			rc = flag_with_value(p, poptBadOption(ctx, 0), err);
			continue;
		}
		if (code < 0)
			return refuse(ctx, code, err);
		if (code == VAL_HELP)
			return OPTION_HELP;
		o = row_at(p->groups, (size_t)code - 1);
		value = is_flag(o) ? NULL : poptGetOptArg(ctx);
		rc = set_named(o, p->options, value, err);
	}
	return rc;
}

int option_parse(const struct option_parse *p, int argc, char **argv, struct strv *ret_args,
		 struct err *err)
{
	struct poptOption *table = popt_table(p->groups);
	poptContext ctx = poptGetContext(NULL, argc, (const char **)argv, table,
					 p->stop_at_argument ? POPT_CONTEXT_POSIXMEHARDER : 0);
	const char **args;
	int rc;

	if (!ctx)
		abort();
	rc = parse_all(ctx, p, err);
	args = poptGetArgs(ctx);
	for (; !rc && args && *args; args++)
		strv_add(ret_args, *args);
	poptFreeContext(ctx);
	free(table);
	return rc;
}

/* ---- help ---- */

static const char *value_name(const struct option *o)
{
	static const char *const names[] = {
		[OPTION_BOOL] = "", [OPTION_OPT_BOOL] = "", [OPTION_STRING] = "string",
		[OPTION_INT] = "int", [OPTION_OPT_INT] = "int", [OPTION_UINT16] = "uint16",
		[OPTION_BYTES] = "bytes", [OPTION_STRINGS] = "strings", [OPTION_ARRAY] = "stringArray",
		[OPTION_PAIRS] = "strings", [OPTION_PAIR_ARRAY] = "stringArray",
		[OPTION_CALL] = "string", [OPTION_CALL_EACH] = "strings",
	};

	return o->value_name ? o->value_name : names[o->type];
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct option *const *)a)->name, (*(const struct option *const *)b)->name);
}

static void help_row(const struct option *o, size_t width, struct buf *out)
{
	const char *value = value_name(o);
	size_t used = strlen(o->name) + (*value ? strlen(value) + 1 : 0);

	if (o->letter)
		buf_fmt(out, "  -%c, --%s", o->letter, o->name);
	else
		buf_fmt(out, "      --%s", o->name);
	buf_fmt(out, "%s%s%*s%s", *value ? " " : "", value, (int)(width - used) + 3, "", o->help);
	if (o->fallback)
		buf_fmt(out, " (default %s)", o->fallback);
	buf_char(out, '\n');
}

void option_help(const struct option_group *const *groups, struct buf *out)
{
	static const struct option help = {"help", 'h', OPTION_BOOL, 0, "Print usage", NULL};
	size_t n = count_rows(groups), width = 4;
	auto_free const struct option **rows = xcalloc(n + 1, sizeof(*rows));

	for (size_t i = 0; i < n; i++)
		rows[i] = row_at(groups, i);
	rows[n++] = &help;
	for (size_t i = 0; i < n; i++) {
		const char *value = value_name(rows[i]);
		size_t used = strlen(rows[i]->name) + (*value ? strlen(value) + 1 : 0);

		width = used > width ? used : width;
	}
	qsort(rows, n, sizeof(*rows), by_name);
	for (size_t i = 0; i < n; i++)
		help_row(rows[i], width, out);
}
