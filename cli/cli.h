/*
 * cli - what every command of `pouch` shares: the daemon's address, a connection, printing.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/http.h"
#include "compat/base/buf.h"
#include "compat/base/json.h"
#include "runtime/api/system.h"

/* Exit statuses of run and exec beside the container's own, as docker and shells have them. */
enum {
	EXIT_DAEMON = 125,	/* the container was not started */
	EXIT_NOT_EXECUTABLE = 126,
	EXIT_NOT_FOUND = 127,
};

struct cli {
	char *host;		/* "unix:///var/run/pouchd.sock"; the option, POUCH_HOST, or the default */
	struct http_tls tls;
	bool debug;
	struct http *http;	/* the connection for one call after the other; cli_http() */
};

/* The keep-alive connection, opened at first use. Borrowed. */
int cli_http(struct cli *cli, struct http **ret, struct err *err);
/* A further connection. Owned. */
int cli_connect(struct cli *cli, struct http **ret, struct err *err);
/* Hand the keep-alive connection over to the caller (for an upgrade); the next call opens a new one. */
struct http *cli_take_http(struct cli *cli);

/*
 * One call on the keep-alive connection. @body of @body_table goes as JSON when not NULL; the answer is read into @ret
 * of @ret_table when not NULL (else it is dropped). A status from 400 on is an error whose message is the body,
 * {"message":"..."}, and whose kind the status gives.
 *
 * Returns the status (200, 204, 304 ...).
 */
struct cli_call {
	const char *method;
	const char *path;		/* escaped, with its query: "/containers/json?all=1" */
	const struct json_table *body_table;
	const void *body;
	const struct json_table *ret_table;
	void *ret;
	struct buf *ret_text;		/* the answer as it is; instead of ret */
};

int cli_call(struct cli *cli, const struct cli_call *call, struct err *err);
/* Shorthands for calls without bodies. */
int cli_get(struct cli *cli, const char *path, const struct json_table *table, void *ret,
	    struct err *err);
int cli_get_text(struct cli *cli, const char *path, struct buf *ret, struct err *err);
/* An answer that is a list; @ret_vec is a zeroed VEC(struct T) of @table. */
int cli_get_vec(struct cli *cli, const char *path, const struct json_table *table, void *ret_vec,
		struct err *err);
int cli_post(struct cli *cli, const char *path, struct err *err);

/* Read an answer's body and, from status 400 on, turn it into the error. Returns the status. */
int cli_finish(struct http *http, int status, struct buf *ret, struct err *err);

/*
 * The same request for many objects at once, over up to 16 connections; each name is printed when its answer is good (unless
 * @quiet), each failure goes to standard error as "failed to VERB container NAME: ...".
 *
 * @path_format	with one %s for the escaped name
 *
 * Returns 0 or 1, the exit status.
 */
struct cli_many {
	const char *method;
	const char *path_format;
	const char *verb;		/* "stop container" */
	bool quiet;
};

int cli_each(struct cli *cli, const struct cli_many *many, const struct strv *names,
	     struct err *err);

/* Write to standard output; a closed pipe ends the program as SIGPIPE does. */
int cli_print(const void *data, size_t len, struct err *err);
int cli_printf(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "Error: ..." on standard error. */
void cli_complain(const struct err *err);
/* "Warning: ..." on standard error. */
void cli_warn(const char *text);

/* Escape one part of a path or a query's value. Owned. */
char *cli_escape(const char *text);
/* Append "?name=value" or "&name=value" to a path. */
void cli_query(struct buf *path, const char *name, const char *value);
/* {"name":["value"]} from "name=value" texts, for ?filters= */
int cli_filters(const struct strv *filters, struct buf *path, struct err *err);

/* The message inside {"message":"..."}; NULL when there is none. Owned. */
char *cli_api_message(const char *text);

#endif
