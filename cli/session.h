/*
 * session - between the user's terminal or pipes and a container's, over an upgraded connection.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/cli.h"
#include "runtime/api/parse.h"

struct session {
	struct http *http;		/* upgraded; borrowed */
	bool tty;			/* the container has a terminal */
	bool use_stdin;
	struct api_detach_keys detach;	/* with a terminal: leave, let the container go on; n 0: never */
	char *resize_path;		/* "/containers/ID/resize"; NULL: never */
	char *kill_path;		/* "/containers/ID/kill": signals are passed on; NULL: they act on us */
};

void session_clear(struct session *s);
DEFINE_AUTO_CLEAR(session_clear, struct session)

/*
 * Make the terminal raw (with .tty and .use_stdin on one) and take signals: before the container starts, so that nothing is
 * lost in between.
 */
int session_prepare(struct session *s, struct err *err);

/* Tell the container's terminal our size. Failures are not worth a word. */
void session_resize(struct cli *cli, const struct session *s);

enum { SESSION_ENDED = 0, SESSION_DETACHED = 1 };

/*
 * Copy both ways until the container closes its side (SESSION_ENDED) or the user types the detach keys (SESSION_DETACHED).
 * The terminal is restored in any case.
 */
int session_run(struct cli *cli, struct session *s, struct err *err);

/* ERR_INVALID when -t and -i have no terminal on standard input. */
int session_check_tty(bool tty, bool use_stdin, struct err *err);

#endif
