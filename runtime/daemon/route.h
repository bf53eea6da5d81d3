/*
 * route - which handler serves which method and path.
 *
 * Patterns: literal segments, "{id}" for one segment, "{name*}" for one or more (image names hold slashes). Every path may
 * start with "/v1.N". The first row that matches is taken.
 */
#ifndef RUNTIME_DAEMON_ROUTE_H
#define RUNTIME_DAEMON_ROUTE_H

#include <stddef.h>

#include "runtime/daemon/request.h"

enum route_flag {
	/* The handler runs before the body: it starts a job that reads it as it comes, sets r->job and returns 0. */
	ROUTE_STREAM_BODY = 1 << 0,
};

struct route {
	const char *method, *pattern;
	request_handler *handler;
	unsigned int flags;
};

#define API_MINOR_MIN  24
#define API_MINOR_OURS 41
#define API_VERSION_OURS "1.41"
#define API_VERSION_MIN	 "1.24"

/*
 * Find the row for @method and @path; fills path, arg, api_minor and versioned of @r. ERR_NOT_FOUND for an unknown path,
 * ERR_INVALID for a version below 1.24; a path that exists with other methods only gives -ENOSYS (405).
 */
int route_find(const struct route *table, size_t n, const char *method, const char *path,
	       struct request *r, const struct route **ret, struct err *err);

/* All that the daemon serves. */
extern const struct route daemon_routes[];
extern const size_t daemon_routes_count;

#endif
