/*
 * request - one HTTP request as the handlers see it, and the ways to answer it.
 *
 * A handler decodes, calls the engine and encodes. It runs on the connection's own thread, may block, and answers exactly
 * once: by one of the reply_ functions, or by returning -errno with @err filled, which becomes {"message": "..."} with
 * the status of the error's kind.
 */
#ifndef RUNTIME_DAEMON_REQUEST_H
#define RUNTIME_DAEMON_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/json.h"
#include "compat/base/vec.h"

struct MHD_Connection;
struct daemon_context;
struct engine;
struct route;

#define REQUEST_ARGS_MAX 2
#define REQUEST_BODY_MAX (4 << 20)	/* bytes of a body that is not streamed */

struct request {
	struct daemon_context *daemon;
	struct engine *engine;
	struct MHD_Connection *conn;
	const struct route *route;
	const char *method;	/* borrowed */
	char *path;		/* without the version prefix */
	char *arg[REQUEST_ARGS_MAX];	/* what stood for {..} in the pattern; owned */
	unsigned int api_minor;		/* 41 for "/v1.41/..."; the newest that we speak without a prefix */
	bool versioned;			/* the path had a prefix: what clients of docker send */
	struct buf body;
	struct job *job;		/* reads the body as it comes (ROUTE_STREAM_BODY); or NULL */
	int status;			/* that was answered, 0 before */
	struct strpair header[4];	/* extra headers of the answer; borrowed */
	size_t header_count;
	struct err failed;		/* why the body was refused, reported once it has been read */
	bool too_large;
};

/* What serves one pattern. */
typedef int request_handler(struct request *r, struct err *err);

/* Query values are borrowed and live as long as the request. NULL if absent. */
const char *request_query(struct request *r, const char *name);
/* Every value of a parameter that may be given several times, or with commas between. */
void request_query_all(struct request *r, const char *name, struct strv *ret);
bool request_query_bool(struct request *r, const char *name, bool dflt);
/* *ret is untouched when the value is absent. ERR_INVALID names the parameter. */
int request_query_i64(struct request *r, const char *name, int64_t *ret, struct err *err);
const char *request_header(struct request *r, const char *name);
bool request_wants_upgrade(struct request *r);

/* The JSON body by @table; an empty body is ERR_INVALID unless @optional. */
int request_decode(struct request *r, const struct json_table *table, bool optional, void *ret,
		   struct err *err);

/* True once the peer has closed its side; for waits that nobody waits for any more. A struct request * as void *. */
bool request_is_abandoned(void *request);

int reply_empty(struct request *r, int status);
/* @text is handed over and empty after. */
int reply_text(struct request *r, int status, const char *type, struct buf *text);
int reply_json(struct request *r, int status, const struct json_table *table, const void *value);
int reply_error(struct request *r, const struct err *err);

/* Extra headers of the answer: "Name: value", borrowed until the reply call or the handler's end. At most four; an error's answer has none. */
void reply_header(struct request *r, const char *name, const char *value);

/*
 * An endless answer. @read blocks until there is something, fills at most @max bytes and returns their number, 0 at the
 * end, or -errno to cut the connection. @free runs at last, whatever happened. The head of the answer goes out at once.
 */
struct reply_source {
	ssize_t (*read)(void *arg, char *dst, size_t max);
	void (*free)(void *arg);
	void *arg;
};
int reply_stream(struct request *r, int status, const char *type, const struct reply_source *source);

/*
 * Leave HTTP: after the head of the answer, @taken gets the raw socket (owned) and what the client already sent behind its
 * request. With "Upgrade:" in the request the status is 101. Without, it is 200 and @taken gets one end of a socket pair
 * whose other end is sent on as the answer's body; the client's further bytes are then not seen.
 */
struct reply_raw {
	void (*taken)(void *arg, int sock, const char *early, size_t early_len);
	void (*free)(void *arg);
	void *arg;
};
int reply_raw(struct request *r, const char *type, const struct reply_raw *raw);

#endif
