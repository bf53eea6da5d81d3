/*
 * profile - compat.xml
 */
#include "compat/kernel/profile.h"

#include <expat.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/buf.h"
#include "compat/base/str.h"
#include "compat/kernel/capability.h"
#include "compat/kernel/feature.h"

enum { DEPTH_MAX = 4 };

struct parse {
	XML_Parser xml;
	const char *release, *what;
	struct profile *profile;
	struct err *err;
	int rc;
	const struct element *stack[DEPTH_MAX];
	int depth;
	int unmatched;		/* depth of a kernel element that is not this kernel's; 0: none */
	enum capability capability;
};

struct element {
	const char *name;
	const char *parents[3];		/* NULL at the end; "" is the document */
	const char *attributes[3];	/* required ones; a leading '?' is optional */
	int (*start)(struct parse *p, const char *const *values);
};

static int refuse(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int refuse(struct parse *p, const char *fmt, ...)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&text, fmt, ap);
	va_end(ap);
	return err_set(p->err, ERR_INVALID, "%s: line %lu: %s", p->what,
		       (unsigned long)XML_GetCurrentLineNumber(p->xml), buf_cstr(&text));
}

/* ---- elements ---- */

static int known_feature(struct parse *p, const char *name)
{
	auto_free char *where = xfmt("%s: line %lu", p->what,
				     (unsigned long)XML_GetCurrentLineNumber(p->xml));

	if (!*name || strchr(name, ','))
		return refuse(p, "'%s' is not the name of a feature", name);
	return feature_check_hidden(name, where, p->err);
}

static int start_feature(struct parse *p, const char *const *values)
{
	return known_feature(p, values[0]);
}

static int known_capability(struct parse *p, const char *name)
{
	AUTO(buf_clear) struct buf known = BUF_INIT;

	p->capability = capability_by_name(name);
	if (p->capability != CAPABILITY_COUNT)
		return 0;
	for (enum capability c = 0; c < CAPABILITY_COUNT; c++)
		buf_fmt(&known, " %s", capability_name(c));
	return refuse(p, "unknown capability '%s': known are%s", name, known.data);
}

static int start_capability(struct parse *p, const char *const *values)
{
	return known_capability(p, values[0]);
}

static int known_backend(struct parse *p, const char *name)
{
	AUTO(buf_clear) struct buf known = BUF_INIT;
	const char *backend;

	for (size_t i = 0; (backend = capability_backend(p->capability, i)); i++) {
		if (strcmp(backend, name) == 0)
			return 0;
		buf_fmt(&known, " %s", backend);
	}
	return refuse(p, "capability '%s' has no backend '%s': it has%s",
		      capability_name(p->capability), name, known.len ? known.data : " none");
}

static int start_backend(struct parse *p, const char *const *values)
{
	return known_backend(p, values[0]);
}

static int start_kernel(struct parse *p, const char *const *values)
{
	if (!str_match(values[0], p->release))
		p->unmatched = p->depth;
	else
		strv_add(&p->profile->kernels, values[1]);
	return 0;
}

static int start_text(struct parse *p, const char *const *values)
{
	return 0;
}

static int start_hide(struct parse *p, const char *const *values)
{
	int rc = known_feature(p, values[0]);

	if (!rc && !p->unmatched && !strv_has(&p->profile->hide, values[0]))
		strv_add(&p->profile->hide, values[0]);
	return rc;
}

static int start_force(struct parse *p, const char *const *values)
{
	int rc = known_capability(p, values[0]);
	const char *other;

	if (!rc)
		rc = known_backend(p, values[1]);
	if (rc || p->unmatched)
		return rc;
	other = strmap_get(&p->profile->force, values[0]);
	if (other && strcmp(other, values[1]))
		return refuse(p, "capability '%s' is forced to '%s' and to '%s'", values[0], other,
			      values[1]);
	strmap_set(&p->profile->force, values[0], values[1]);
	return 0;
}

static const struct element elements[] = {
	{"compat", {""}, {NULL}, start_text},
	{"feature", {"compat"}, {"name", "?since"}, start_feature},
	{"capability", {"compat"}, {"name"}, start_capability},
	{"backend", {"capability"}, {"name"}, start_backend},
	{"kernel", {"compat"}, {"match", "name"}, start_kernel},
	{"quirk", {"kernel"}, {NULL}, start_text},
	{"hide", {"compat", "kernel"}, {"feature"}, start_hide},
	{"force", {"compat", "kernel"}, {"capability", "backend"}, start_force},
};

/* ---- expat ---- */

static const char *parent_name(const struct parse *p)
{
	return p->depth ? p->stack[p->depth - 1]->name : "";
}

static const struct element *find_element(const struct parse *p, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(elements); i++) {
		const struct element *e = &elements[i];

		if (strcmp(e->name, name))
			continue;
		for (size_t j = 0; j < ARRAY_SIZE(e->parents) && e->parents[j]; j++)
			if (strcmp(e->parents[j], parent_name(p)) == 0)
				return e;
	}
	return NULL;
}

/* Sort the attributes into the order of the element's table. */
static int read_attributes(struct parse *p, const struct element *e, const char **attributes,
			   const char *values[3])
{
	for (; *attributes; attributes += 2) {
		size_t i = 0;

		while (i < ARRAY_SIZE(e->attributes) && e->attributes[i] &&
		       strcmp(e->attributes[i] + (*e->attributes[i] == '?'), attributes[0]))
			i++;
		if (i == ARRAY_SIZE(e->attributes) || !e->attributes[i])
			return refuse(p, "<%s> has no attribute '%s'", e->name, attributes[0]);
		values[i] = attributes[1];
	}
	for (size_t i = 0; i < ARRAY_SIZE(e->attributes) && e->attributes[i]; i++)
		if (!values[i] && *e->attributes[i] != '?')
			return refuse(p, "<%s> needs the attribute '%s'", e->name, e->attributes[i]);
	return 0;
}

static void stop(struct parse *p, int rc)
{
	p->rc = rc;
	XML_StopParser(p->xml, XML_FALSE);
}

static void XMLCALL on_start(void *arg, const char *name, const char **attributes)
{
	const char *values[3] = {NULL};
	const struct element *e;
	struct parse *p = arg;
	int rc;

	if (p->rc)
		return;
	e = find_element(p, name);
	if (!e || p->depth == DEPTH_MAX)
		return stop(p, refuse(p, "<%s> does not belong %s%s%s", name,
				      p->depth ? "into <" : "at the top", parent_name(p),
				      p->depth ? ">" : ""));
	p->stack[p->depth++] = e;
	rc = read_attributes(p, e, attributes, values);
	if (!rc)
		rc = e->start(p, values);
	if (rc)
		stop(p, rc);
}

static void XMLCALL on_end(void *arg, const char *name)
{
	struct parse *p = arg;

	if (p->rc)
		return;
	if (p->unmatched == p->depth)
		p->unmatched = 0;
	p->depth--;
}

/* Only documentation has text. */
static void XMLCALL on_text(void *arg, const char *text, int len)
{
	struct parse *p = arg;
	const char *where;

	if (p->rc)
		return;
	where = parent_name(p);
	if (strcmp(where, "feature") == 0 || strcmp(where, "backend") == 0 ||
	    strcmp(where, "quirk") == 0)
		return;
	for (int i = 0; i < len; i++)
		if (!strchr(" \t\r\n", text[i]))
			return stop(p, refuse(p, "text does not belong into <%s>", where));
}

/* Entities could blow a small file up, or read another. */
static void XMLCALL on_doctype(void *arg, const char *name, const char *sysid, const char *pubid,
			       int internal)
{
	struct parse *p = arg;

	if (!p->rc)
		stop(p, refuse(p, "a document type is not allowed"));
}

int profile_parse(const char *text, size_t len, const char *release, const char *what,
		  struct profile *ret, struct err *err)
{
	AUTO(profile_clear) struct profile profile = {0};
	struct parse p = {
		.release = release, .what = what, .profile = &profile, .err = err};

	if (len > PROFILE_MAX_BYTES)
		return err_set(err, ERR_TOO_LARGE, "%s: over %d bytes", what, PROFILE_MAX_BYTES);
	p.xml = XML_ParserCreate("UTF-8");
	if (!p.xml)
		abort();
	XML_SetUserData(p.xml, &p);
	XML_SetElementHandler(p.xml, on_start, on_end);
	XML_SetCharacterDataHandler(p.xml, on_text);
	XML_SetStartDoctypeDeclHandler(p.xml, on_doctype);
	if (XML_Parse(p.xml, text, (int)len, 1) != XML_STATUS_OK && !p.rc)
		p.rc = refuse(&p, "%s", XML_ErrorString(XML_GetErrorCode(p.xml)));
	XML_ParserFree(p.xml);
	if (p.rc)
		return p.rc;
	*ret = profile;
	profile = (struct profile){0};
	return 0;
}

void profile_clear(struct profile *profile)
{
	strv_clear(&profile->hide);
	strmap_clear(&profile->force);
	strv_clear(&profile->kernels);
}
