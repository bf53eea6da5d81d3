/*
 * err - what went wrong, in fixed memory.
 */
#include "compat/base/err.h"

#include <stdio.h>
#include <string.h>

#include "compat/base/str.h"

/* They are functions here, for analyzers too. */
#undef err_sys
#undef err_set
#undef err_wrap

static const struct {
	int code, status;
} kinds[ERR_KIND_COUNT] = {
	[ERR_INTERNAL] = {EIO, 500},
	[ERR_INVALID] = {EINVAL, 400},
	[ERR_UNAUTHORIZED] = {EACCES, 401},
	[ERR_FORBIDDEN] = {EPERM, 403},
	[ERR_NOT_FOUND] = {ENOENT, 404},
	[ERR_NOT_MODIFIED] = {EALREADY, 304},
	[ERR_CONFLICT] = {EEXIST, 409},
	[ERR_TOO_LARGE] = {EFBIG, 413},
	[ERR_UNSUPPORTED] = {EOPNOTSUPP, 501},
	[ERR_UNAVAILABLE] = {ECONNREFUSED, 503},
	[ERR_CANCELED] = {ECANCELED, 499},
	[ERR_NO_SPACE] = {ENOSPC, 507},
};

int err_kind_errno(enum err_kind kind)
{
	return (unsigned int)kind < ERR_KIND_COUNT ? kinds[kind].code : EIO;
}

int err_kind_status(enum err_kind kind)
{
	return (unsigned int)kind < ERR_KIND_COUNT ? kinds[kind].status : 500;
}

enum err_kind err_kind_from_status(int status)
{
	for (int k = 0; k < ERR_KIND_COUNT; k++)
		if (kinds[k].status == status)
			return k;
	return status >= 400 && status < 500 ? ERR_INVALID : ERR_INTERNAL;
}

/* End @msg with "..." without splitting a UTF-8 sequence. */
static void mark_cut(char msg[ERR_MSG_MAX])
{
	size_t n = ERR_MSG_MAX - 4;

	while (n && ((unsigned char)msg[n] & 0xc0) == 0x80)
		n--;
	memcpy(msg + n, "...", 4);
}

/* "a: b" into @dst, where @a or @b may be empty; control characters become spaces, so that it stays one line. */
static void compose(char dst[ERR_MSG_MAX], const char *a, const char *b)
{
	int n = snprintf(dst, ERR_MSG_MAX, "%s%s%s", a, *a && *b ? ": " : "", b);

	if (n >= ERR_MSG_MAX)
		mark_cut(dst);
	for (char *p = dst; *p; p++)
		for (size_t len = str_control_len(p); len; len--)
			p[len - 1] = ' ';
}

/* The arguments may point into the error's own message, so the text is made beside it. */
static void format(char text[ERR_MSG_MAX + 1], const char *fmt, va_list ap)
{
	if (vsnprintf(text, ERR_MSG_MAX + 1, fmt, ap) < 0)
		text[0] = '\0';
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	char text[ERR_MSG_MAX + 1];
	va_list ap;

	if (code <= 0)
		code = code ? -code : EIO;
	if (!err)
		return -code;
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);

	/* The reason matters more than the end of a long name. */
	if (strlen(text) > ERR_MSG_MAX - 80) {
		text[ERR_MSG_MAX - 80] = '\0';
		memcpy(text + ERR_MSG_MAX - 83, "...", 3);
	}
	compose(err->msg, text, strerror(code));
	err->code = code;
	err->kind = code == ENOSPC || code == EDQUOT ? ERR_NO_SPACE : ERR_INTERNAL;
	return -code;
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	char text[ERR_MSG_MAX + 1];
	va_list ap;

	if (!err)
		return -err_kind_errno(kind);
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);

	compose(err->msg, text, "");
	err->code = err_kind_errno(kind);
	err->kind = kind;
	return -err->code;
}

int err_wrap(struct err *err, int rc, const char *fmt, ...)
{
	char text[ERR_MSG_MAX + 1], inner[ERR_MSG_MAX];
	va_list ap;

	if (!err || rc >= 0)
		return rc;
	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);

	memcpy(inner, err->msg, sizeof(inner));
	compose(err->msg, text, inner);
	if (!err->code)
		err->code = -rc;
	return rc;
}

void err_clear(struct err *err)
{
	if (err)
		*err = ERR_INIT;
}
