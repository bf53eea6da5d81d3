/*
 * hide - features that this process shall believe the kernel lacks.
 */
#include "compat/base/hide.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"

static char *names;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_environment(void)
{
	const char *env = getenv("POUCH_HIDE");

	names = xstrdup(env ? env : "");
}

const char *hide_list(void)
{
	pthread_once(&once, read_environment);
	return names;
}

static bool same(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i] && !(strchr("-_", a[i]) && strchr("-_", b[i])))
			return false;
	return true;
}

bool hidden(const char *feature)
{
	const char *p = hide_list();
	size_t len = strlen(feature);

	while (*p) {
		size_t n = strcspn(p, ",");

		if (n == len && same(p, feature, n))
			return true;
		p += n;
		p += *p == ',';
	}
	return false;
}

void hide_add(const char *more)
{
	char *old;

	(void)hide_list();
	if (str_empty(more))
		return;
	old = names;
	names = *old ? xfmt("%s,%s", old, more) : xstrdup(more);
	free(old);
}
