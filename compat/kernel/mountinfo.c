/*
 * mountinfo.c - one pass over a private copy of the text; the entries point into it
 */
#include "compat/kernel/mountinfo.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"

/* Next field of the line, cut off in place; NULL at the end. */
static char *field(char **rest)
{
	char *f = *rest;
	size_t n;

	if (!f || !*f)
		return NULL;
	n = strcspn(f, " ");
	*rest = f[n] ? f + n + 1 : f + n;
	f[n] = '\0';
	return f;
}

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

/* "\040" -> " ", in place; NULL stays. */
static char *unescape(char *s)
{
	char *out = s;

	for (const char *in = s; in && *in; out++) {
		if (*in == '\\' && is_octal(in + 1)) {
			*out = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 4;
		} else {
			*out = *in++;
		}
	}
	if (s)
		*out = '\0';
	return s;
}

static int number(const char *s, int *ret)
{
	int64_t v;

	if (!s || str_i64(s, 10, &v) || v < -1 || v > INT32_MAX)
		return -EINVAL;
	*ret = (int)v;
	return 0;
}

static int device(char *s, struct mount_entry *e)
{
	char *colon = s ? strchr(s, ':') : NULL;

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	if (str_u32(s, 10, &e->major) || str_u32(colon + 1, 10, &e->minor))
		return -EINVAL;
	return 0;
}

/* 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue */
static int parse_line(char *line, struct mount_entry *e)
{
	char *f;

	if (number(field(&line), &e->id) || number(field(&line), &e->parent) || device(field(&line), e))
		return -EINVAL;
	e->root = unescape(field(&line));
	e->target = unescape(field(&line));
	e->options = field(&line);
	if (!e->options || *e->target != '/')
		return -EINVAL;
	while ((f = field(&line)) && strcmp(f, "-")) {
		const char *value;

		if ((value = str_skip(f, "shared:"))) {
			if (number(value, &e->shared))
				return -EINVAL;
		} else if ((value = str_skip(f, "master:"))) {
			if (number(value, &e->master))
				return -EINVAL;
		} else if (str_eq(f, "unbindable")) {
			e->unbindable = true;
		}
	}
	e->fstype = unescape(field(&line));
	if (!f || !e->fstype)
		return -EINVAL;
	/* An empty source leaves two spaces. */
	e->source = *line == ' ' ? (line++, "") : unescape(field(&line));
	e->super_options = field(&line);
	if (!e->source)
		e->source = "";
	if (!e->super_options)
		e->super_options = "";
	return 0;
}

int mountinfo_parse(const char *text, size_t len, struct mountinfo *ret, struct err *err)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	size_t number_of_line = 0;

	if (len > MOUNTINFO_MAX_BYTES)
		return err_set(err, ERR_TOO_LARGE, "mountinfo has more than %d bytes", MOUNTINFO_MAX_BYTES);
	if (memchr(text, '\0', len))
		return err_set(err, ERR_INVALID, "mountinfo has a NUL byte");
	info.text = xstrndup(text, len);
	for (char *line = info.text; *line;) {
		char *end = line + strcspn(line, "\n");
		bool last = !*end;

		*end = '\0';
		number_of_line++;
		if (*line) {
			if (info.entries.n >= MOUNTINFO_MAX_ENTRIES)
				return err_set(err, ERR_TOO_LARGE, "mountinfo has more than %d lines",
					       MOUNTINFO_MAX_ENTRIES);
			if (parse_line(line, VEC_ADD(&info.entries)))
				return err_set(err, ERR_INVALID, "mountinfo line %zu is malformed",
					       number_of_line);
		}
		if (last)
			break;
		line = end + 1;
	}
	*ret = info;
	info = (struct mountinfo){0};
	return 0;
}

int mountinfo_read(const char *path, struct mountinfo *ret, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc = file_read(AT_FDCWD, path ? path : "/proc/self/mountinfo", MOUNTINFO_MAX_BYTES, &text, err);

	return rc < 0 ? rc : mountinfo_parse(buf_cstr(&text), text.len, ret, err);
}

void mountinfo_clear(struct mountinfo *info)
{
	VEC_FREE(&info->entries);
	free(info->text);
	info->text = NULL;
}

const struct mount_entry *mountinfo_find(const struct mountinfo *info, const char *path)
{
	const struct mount_entry *best = NULL;
	size_t best_len = 0;

	VEC_EACH(e, &info->entries) {
		size_t n = strlen(e->target);

		if (n >= best_len && path_is_under(path, e->target)) {
			best = e;
			best_len = n;
		}
	}
	return best;
}

const struct mount_entry *mountinfo_at(const struct mountinfo *info, const char *target)
{
	const struct mount_entry *best = NULL;

	VEC_EACH(e, &info->entries)
		if (str_eq(e->target, target))
			best = e;
	return best;
}

bool mount_option_has(const char *options, const char *word)
{
	size_t n = strlen(word);

	while (*options) {
		size_t len = strcspn(options, ",");

		if (len == n && memcmp(options, word, n) == 0)
			return true;
		options += len + (options[len] == ',');
	}
	return false;
}
