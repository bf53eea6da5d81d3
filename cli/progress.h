/*
 * progress - the lines of a pull or load as they come: on a terminal a bar for each layer in its own line, else one plain
 * line for each new status.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/http.h"
#include "compat/base/err.h"

struct progress;

/* @fd is where it is shown; -1: nowhere (errors are still found). */
struct progress *progress_new(int fd);
void progress_free(struct progress *p);
DEFINE_AUTO(progress_free, struct progress *)

/* One JSON object (struct api_progress). A line that tells of an error is the error, as {"message":"..."}. */
int progress_line(struct progress *p, const char *json, size_t len, struct err *err);

/* All of an answer's body. */
int progress_read(struct progress *p, struct http *http, struct err *err);

#endif
