/*
 * error - how the API says no: {"message": "..."} with a status that err_kind_status() gives.
 */
#ifndef RUNTIME_API_ERROR_H
#define RUNTIME_API_ERROR_H

#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/json.h"

struct api_error {
	char *message;
};

extern const struct json_table api_error_table;

void api_error_print(const char *message, struct buf *out);

#endif
