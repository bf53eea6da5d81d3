/*
 * err - what went wrong, in fixed memory.
 *
 * A struct err lives on the caller's stack, holds no pointers and needs no allocation: it works out of memory and
 * between fork() and execve(), and a child can send it to its parent with one atomic write().
 */
#ifndef COMPAT_BASE_ERR_H
#define COMPAT_BASE_ERR_H

#include <errno.h>
#include <stdarg.h>

/* What the client is told. errno is the kernel's word, kind is ours. */
enum err_kind {
	ERR_INTERNAL = 0,	/* HTTP 500, exit 1 */
	ERR_INVALID,		/* 400: bad input */
	ERR_UNAUTHORIZED,	/* 401: who are you? */
	ERR_FORBIDDEN,		/* 403: not for you */
	ERR_NOT_FOUND,		/* 404 */
	ERR_NOT_MODIFIED,	/* 304: already so */
	ERR_CONFLICT,		/* 409: name taken, wrong state */
	ERR_TOO_LARGE,		/* 413: over a ceiling */
	ERR_UNSUPPORTED,	/* 501: this host lacks the capability; the message names it */
	ERR_UNAVAILABLE,	/* 503: a peer does not answer */
	ERR_CANCELED,		/* 499: the client went away */
	ERR_NO_SPACE,		/* 507: disk or quota full */
	ERR_KIND_COUNT
};

/* A list of known names fits, and the whole goes through a pipe in one write (PIPE_BUF). */
#define ERR_MSG_MAX 1000

struct err {
	int code;		/* positive errno, 0 while nothing failed */
	enum err_kind kind;
	char msg[ERR_MSG_MAX];	/* one line, no newline; cut with "..." */
};

#define ERR_INIT ((struct err){0})

/* In all of these @err may be NULL: nobody wants the words. The arguments may point into err->msg. */

/* A call failed: "<message>: <strerror(code)>", kind INTERNAL (NO_SPACE for ENOSPC and EDQUOT). Returns -code. */
int err_sys(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* We refuse: @kind decides errno, HTTP status and exit code. Returns the kind's -errno. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Add context in front ("context: message"), unless @rc is a success. Returns @rc as it was. */
int err_wrap(struct err *err, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The errno that stands for @kind: EINVAL, ENOENT, EEXIST, ... */
int err_kind_errno(enum err_kind kind);
/* The HTTP status that stands for @kind. */
int err_kind_status(enum err_kind kind);
/* The kind that an HTTP status stands for: the way back, for clients of our API. */
enum err_kind err_kind_from_status(int status);

void err_clear(struct err *err);

/* The analyzers of clang and gcc (tests/lint/analyze) do not see into other files: so they know that a failure is negative. */
#if defined(__clang_analyzer__) || defined(POUCH_ANALYZE)
static inline int err_is_negative(int rc)
{
	if (rc >= 0)
		__builtin_unreachable();
	return rc;
}
#define err_sys(...) err_is_negative(err_sys(__VA_ARGS__))
#define err_set(...) err_is_negative(err_set(__VA_ARGS__))
#define err_wrap(err, rc, ...) ({ int rc_ = (rc); (void)err_wrap(err, rc_, __VA_ARGS__); rc_; })
#endif

#endif
