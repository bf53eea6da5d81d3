/*
 * platform - which of several images suits a machine
 */
#include "runtime/image/platform.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"

/* What uname or people say, and what image indexes say. */
static const struct {
	const char *said, *architecture, *variant;
} machines[] = {
	{"x86_64", "amd64", ""},    {"x86-64", "amd64", ""},  {"i386", "386", ""},     {"i486", "386", ""},
	{"i586", "386", ""},	    {"i686", "386", ""},      {"aarch64", "arm64", "v8"}, {"armv8l", "arm64", "v8"},
	{"armv7l", "arm", "v7"},    {"armhf", "arm", "v7"},   {"armv6l", "arm", "v6"}, {"armel", "arm", "v6"},
	{"armv5tel", "arm", "v5"},  {"loongarch64", "loong64", ""},
};

static int set_architecture(struct platform *p, const char *said)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		if (strcasecmp(machines[i].said, said) == 0) {
			strcpy(p->variant, machines[i].variant);
			return str_fmt(p->architecture, sizeof(p->architecture), "%s", machines[i].architecture);
		}
	}
	p->variant[0] = '\0';
	return str_fmt(p->architecture, sizeof(p->architecture), "%s", said);
}

static void host(struct platform *ret)
{
	struct utsname u;

	*ret = (struct platform){.os = "linux"};
	if (uname(&u) < 0 || set_architecture(ret, u.machine) < 0)
		strcpy(ret->architecture, "amd64");	/* uname does not fail */
}

static bool is_word(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == strlen(s) &&
	       strlen(s) < 32;
}

int platform_parse(const char *text, struct platform *ret, struct err *err)
{
	AUTO(strv_clear) struct strv parts = {0};
	struct platform p;
	const char *architecture = NULL;

	host(&p);
	if (str_empty(text)) {
		*ret = p;
		return 0;
	}
	strv_split(&parts, text, "/", true);
	STRV_EACH(part, &parts) {
		if (parts.n > 3 || !is_word(*part))
			return err_set(err, ERR_INVALID, "platform '%.100s' is not OS/ARCHITECTURE[/VARIANT]", text);
	}
	if (parts.n > 1)
		architecture = parts.v[1];
	else if (strcmp(parts.v[0], "linux") != 0)
		architecture = parts.v[0];	/* the system is understood */
	if (parts.n > 1 && strcmp(parts.v[0], "linux") != 0)
		return err_set(err, ERR_UNSUPPORTED, "platform '%.100s': only linux images run here", text);
	if (architecture)
		(void)set_architecture(&p, architecture);	/* fits: is_word() */
	if (parts.n == 3)
		strcpy(p.variant, parts.v[2]);
	*ret = p;
	return 0;
}

static int variant_number(const char *v)
{
	return v && v[0] == 'v' ? atoi(v + 1) : 0;
}

int platform_fit(const struct platform *wanted, const char *os, const char *architecture,
		 const char *variant)
{
	int want, have;

	if (!str_eq(os, wanted->os) || !str_eq(architecture, wanted->architecture))
		return 0;
	if (str_eq(str_empty(variant) ? "" : variant, wanted->variant))
		return 100;
	want = variant_number(wanted->variant);
	have = variant_number(variant);
	/* arm64 without a variant is v8, amd64 without one is v1. */
	if (str_eq(wanted->architecture, "arm64") && (want ? want : 8) == (have ? have : 8))
		return 99;
	if (str_eq(wanted->architecture, "amd64"))
		return (have ? have : 1) <= (want ? want : 1) ? 50 + have : 0;
	/* Later processors run what earlier ones do, but for arm64. */
	if (str_eq(wanted->architecture, "arm") && want && have)
		return have < want ? 50 + have : 0;
	return 10;
}

void platform_print(const struct platform *p, char ret[100])
{
	(void)str_fmt(ret, 100, "%s/%s%s%s", p->os, p->architecture, p->variant[0] ? "/" : "", p->variant);
}
