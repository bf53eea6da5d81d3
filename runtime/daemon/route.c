/*
 * route - which handler serves which method and path.
 */
#include "runtime/daemon/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"

/* "/v1.41/x" -> "/x". Other paths that start with "/v" are left alone. */
static int version_skip(const char **path, struct request *r, struct err *err)
{
	const char *p = *path;
	unsigned int minor = 0;
	int digits = 0;

	r->api_minor = API_MINOR_OURS;
	r->versioned = false;
	if (p[0] != '/' || p[1] != 'v' || !isdigit((unsigned char)p[2]))
		return 0;
	if (p[2] != '1' || p[3] != '.')
		return err_set(err, ERR_INVALID, "API version in '%.20s' is not 1.N", p);
	for (p += 4; isdigit((unsigned char)*p) && digits < 4; p++, digits++)
		minor = minor * 10 + (unsigned int)(*p - '0');
	if (!digits || *p != '/')
		return err_set(err, ERR_INVALID, "API version in '%.20s' is not 1.N", *path);
	if (minor < API_MINOR_MIN)
		return err_set(err, ERR_INVALID,
			       "client version 1.%u is too old: the oldest that is served is 1.%d",
			       minor, API_MINOR_MIN);

	r->api_minor = minor;
	r->versioned = true;
	*path = p;
	return 0;
}

static void args_clear(struct request *r)
{
	for (int i = 0; i < REQUEST_ARGS_MAX; i++) {
		free(r->arg[i]);
		r->arg[i] = NULL;
	}
}

/* Does @pattern match @path as a whole? Greedy arguments end where the rest of the pattern matches the end of the path. */
static bool match(const char *pattern, const char *path, struct request *r, int argc)
{
	while (*pattern && *pattern != '{') {
		if (*pattern++ != *path++)
			return false;
	}
	if (!*pattern)
		return !*path;
	if (argc == REQUEST_ARGS_MAX)
		return false;

	const char *close = strchr(pattern, '}');
	bool greedy = close[-1] == '*';
	size_t len = greedy ? strlen(path) : strcspn(path, "/");

	for (; len > 0; len--) {
		if (match(close + 1, path + len, r, argc + 1)) {
			r->arg[argc] = xstrndup(path, len);
			return true;
		}
		if (!greedy)
			return false;
	}
	return false;
}

int route_find(const struct route *table, size_t n, const char *method, const char *path,
	       struct request *r, const struct route **ret, struct err *err)
{
	bool known_path = false;
	int rc = version_skip(&path, r, err);

	if (rc < 0)
		return rc;
	if (strlen(path) > 4096)
		return err_set(err, ERR_INVALID, "path of the request is longer than 4096 bytes");

	for (const struct route *t = table; t < table + n; t++) {
		if (!match(t->pattern, path, r, 0)) {
			args_clear(r);
			continue;
		}
		/* HEAD is answered as GET is; the server leaves the body out. */
		if (!strcmp(t->method, method) ||
		    (!strcmp(method, "HEAD") && !strcmp(t->method, "GET"))) {
			r->path = xstrdup(path);
			*ret = t;
			return 0;
		}
		known_path = true;
		args_clear(r);
	}
	if (known_path) {
		err_set(err, ERR_INVALID, "method %.16s is not allowed for this path", method);
		err->code = ENOSYS;
		return -ENOSYS;
	}
	return err_set(err, ERR_NOT_FOUND, "page not found");
}
