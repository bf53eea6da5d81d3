/*
 * job - long work whose output is the answer, as it comes.
 */
#include "runtime/daemon/job.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/engine/thread.h"

#define JOB_PIPE_SIZE  (256 * 1024)
#define JOB_STACK_SIZE (512 * 1024)	/* TLS, decompression */
#define LOOK_MS	       500		/* a client that left is noticed so soon */

struct job {
	struct job_work work;
	atomic_int refs;	/* the thread's and the connection's */
	int out_write, in_read;	/* the thread's */
	int out_read, in_write;	/* the connection's */
	struct request *request;	/* the connection's, from job_reply() on */
	int rc;			/* of run; valid once out_read is at its end */
	struct err err;
	struct buf tail;	/* what the connection's side adds at the end */
	bool ended;
};

static void close_at(int *fd)
{
	if (*fd >= 0)
		close(fd_take(fd));
}

static void job_put(struct job *job)
{
	if (atomic_fetch_sub(&job->refs, 1) > 1)
		return;
	if (job->work.free)
		job->work.free(job->work.arg);
	close_at(&job->out_write);
	close_at(&job->in_read);
	close_at(&job->out_read);
	close_at(&job->in_write);
	buf_clear(&job->tail);
	free(job);
}

static void job_main(void *arg)
{
	struct job *job = arg;

	job->rc = job->work.run(job, job->work.arg, &job->err);
	close_at(&job->in_read);
	close_at(&job->out_write);
	job_put(job);
}

int job_start(const struct job_work *work, struct job **ret, struct err *err)
{
	struct job *job = xcalloc(1, sizeof(*job));
	int out[2], in[2] = {-1, -1}, rc;

	if (pipe2(out, O_CLOEXEC) < 0) {
		rc = err_sys(err, errno, "pipe");
		free(job);
		return rc;
	}
	if (work->reads_body && pipe2(in, O_CLOEXEC) < 0) {
		rc = err_sys(err, errno, "pipe");
		close(out[0]);
		close(out[1]);
		free(job);
		return rc;
	}
	(void)fcntl(out[1], F_SETPIPE_SZ, JOB_PIPE_SIZE);	/* a smaller one is only slower */
	if (work->reads_body)
		(void)fcntl(in[1], F_SETPIPE_SZ, JOB_PIPE_SIZE);

	job->work = *work;
	job->refs = 2;
	job->out_read = out[0];
	job->out_write = out[1];
	job->in_read = in[0];
	job->in_write = in[1];
	rc = thread_run(job_main, job, JOB_STACK_SIZE, err);
	if (rc < 0) {
		job->work.free = NULL;	/* still the caller's */
		job->refs = 1;
		job_put(job);
		return rc;
	}
	*ret = job;
	return 0;
}

int job_output(struct job *job)
{
	return job->out_write;
}

int job_input(struct job *job)
{
	return job->in_read;
}

int job_write(struct job *job, const void *data, size_t len)
{
	return fd_write_all(job->out_write, data, len);
}

bool job_is_abandoned(void *arg)
{
	struct job *job = arg;
	struct pollfd p = {.fd = job->out_write};

	return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}

bool job_feed(struct job *job, const char *data, size_t len)
{
	if (job->in_write < 0)
		return false;
	if (fd_write_all(job->in_write, data, len) < 0)
		close_at(&job->in_write);
	return job->in_write >= 0;
}

void job_feed_end(struct job *job)
{
	close_at(&job->in_write);
}

/* The output has ended: what is left to say? */
static void finish(struct job *job)
{
	job->ended = true;
	if (job->rc >= 0 || !job->work.reports_errors)
		return;
	buf_str(&job->tail, "{\"errorDetail\":{\"message\":");
	json_print_str(&job->tail, job->err.msg, strlen(job->err.msg));
	buf_str(&job->tail, "},\"error\":");
	json_print_str(&job->tail, job->err.msg, strlen(job->err.msg));
	buf_str(&job->tail, "}\r\n");
}

/* Until there is output or its end; with an eye on the client. False: nobody waits for it any more. */
static bool wait_for_output(struct job *job)
{
	struct pollfd p = {.fd = job->out_read, .events = POLLIN};

	while (poll(&p, 1, LOOK_MS) <= 0) {
		if (request_is_abandoned(job->request))
			return false;
	}
	return true;
}

static ssize_t output_read(void *arg, char *dst, size_t max)
{
	struct job *job = arg;
	ssize_t n = 0;

	if (!job->ended) {
		if (!wait_for_output(job))
			return -ECANCELED;
		do
			n = read(job->out_read, dst, max);
		while (n < 0 && errno == EINTR);
		if (n)
			return n < 0 ? -errno : n;
		finish(job);
		/* An archive that broke off must not look complete. */
		if (job->rc < 0 && !job->tail.len)
			return job->rc;
	}
	if (max > job->tail.len)
		max = job->tail.len;
	memcpy(dst, buf_cstr(&job->tail), max);
	buf_drop(&job->tail, max);
	return (ssize_t)max;
}

static void output_free(void *arg)
{
	struct job *job = arg;

	if (!job->ended && job->work.cancel)
		*job->work.cancel = true;
	close_at(&job->out_read);	/* the work's next write fails */
	job_put(job);
}

int job_reply(struct job *job, struct request *r, const char *type, struct err *err)
{
	const struct reply_source source = {output_read, output_free, job};
	struct pollfd p = {.fd = job->out_read, .events = POLLIN};

	job->request = r;
	if (!wait_for_output(job)) {
		output_free(job);
		return err_set(err, ERR_CANCELED, "the client went away");
	}
	if (poll(&p, 1, 0) > 0 && !(p.revents & POLLIN)) {
		char none;

		if (read(job->out_read, &none, 1) == 0 && job->rc < 0) {
			int rc = job->rc;

			*err = job->err;
			output_free(job);
			return rc;
		}
	}
	return reply_stream(r, 200, type, &source);
}

void job_abandon(struct job *job)
{
	close_at(&job->in_write);
	output_free(job);
}
