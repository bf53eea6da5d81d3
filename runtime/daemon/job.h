/*
 * job - long work whose output is the answer, as it comes.
 *
 * The work runs in a thread of its own and writes to one end of a pipe, the connection's thread sends what it reads at the
 * other. A slow client thereby slows the work down, and a client that left makes its writes fail with EPIPE and cancels it: work may wait
 * for somebody else and write nothing for long.
 */
#ifndef RUNTIME_DAEMON_JOB_H
#define RUNTIME_DAEMON_JOB_H

#include <stdbool.h>
#include <stddef.h>

#include "compat/base/err.h"
#include "runtime/daemon/request.h"

struct job;

struct job_work {
	int (*run)(struct job *job, void *arg, struct err *err);
	void (*free)(void *arg);	/* after run, on either thread */
	void *arg;
	volatile bool *cancel;		/* of arg; becomes true when the client leaves. May be NULL */
	bool reads_body;		/* job_input() gives the body */
	bool reports_errors;		/* a failure after the first byte is sent as {"errorDetail":...,"error":...} */
};

int job_start(const struct job_work *work, struct job **ret, struct err *err);

/* For the work: where to write, where the body comes from. Borrowed. */
int job_output(struct job *job);
int job_input(struct job *job);
int job_write(struct job *job, const void *data, size_t len);
/* The client is gone. A struct job * as void *. */
bool job_is_abandoned(void *job);

/* For the connection's thread: more of the body; false once the work reads no more. Then its end. */
bool job_feed(struct job *job, const char *data, size_t len);
void job_feed_end(struct job *job);

/*
 * Answer with the job's output; the job is handed over. Waits for its first byte or its end: a job that fails before it
 * has written anything is that failure.
 */
int job_reply(struct job *job, struct request *r, const char *type, struct err *err);
/* The request ended without an answer by job_reply(). */
void job_abandon(struct job *job);

#endif
