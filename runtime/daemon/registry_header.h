/*
 * registry_header - X-Registry-Auth: who the client is to a registry.
 */
#ifndef RUNTIME_DAEMON_REGISTRY_HEADER_H
#define RUNTIME_DAEMON_REGISTRY_HEADER_H

#include <stdbool.h>

#include "compat/base/err.h"
#include "runtime/api/system.h"

#define REGISTRY_HEADER_MAX 65536

/*
 * Base64 (either alphabet, padded or not) of an AuthConfig. NULL, "" and an empty object are nobody: *ret_some is false then. A user and
 * password packed into "auth" are taken apart.
 */
int registry_header_parse(const char *header, struct api_auth_config *ret, bool *ret_some, struct err *err);

#endif
