/*
 * challenge - the WWW-Authenticate header
 */
#include "runtime/image/challenge.h"

#include <ctype.h>
#include <string.h>

#include "compat/base/buf.h"
#include "compat/base/str.h"

void challenge_clear(struct challenge *c)
{
	strmap_clear(&c->parameters);
	c->kind = CHALLENGE_NONE;
}

static size_t token_length(const char *s)
{
	size_t n = 0;

	while (isalnum((unsigned char)s[n]) || (s[n] && strchr("!#$%&'*+-.^_`|~", s[n])))
		n++;
	return n;
}

static const char *skip(const char *s, const char *set)
{
	return s + strspn(s, set);
}

/* A quoted string or a token. Returns what follows. */
static const char *read_value(const char *s, struct buf *out)
{
	size_t n;

	if (*s != '"') {
		n = strcspn(s, ", \t");
		buf_add(out, s, n);
		return s + n;
	}
	for (s++; *s && *s != '"'; s++) {
		if (*s == '\\' && s[1])
			s++;
		buf_char(out, *s);
	}
	return *s ? s + 1 : s;
}

/* "name=value, name=value": up to the next scheme or the end. Returns what follows. */
static const char *read_parameters(const char *s, struct strmap *out)
{
	for (;;) {
		AUTO(buf_clear) struct buf value = BUF_INIT;
		auto_free char *name = NULL;
		const char *p = skip(s, ", \t");
		size_t n = token_length(p);

		if (!n || p[n] != '=')
			return p;
		name = xstrndup(p, n);
		for (char *c = name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		s = read_value(p + n + 1, &value);
		strmap_set(out, name, buf_cstr(&value));
	}
}

static void parse_line(const char *s, struct challenge *best)
{
	for (;;) {
		struct challenge c = {0};
		size_t n;

		s = skip(s, ", \t");
		n = token_length(s);
		if (!n)
			return;
		if (n == 6 && strncasecmp(s, "Bearer", 6) == 0)
			c.kind = CHALLENGE_BEARER;
		else if (n == 5 && strncasecmp(s, "Basic", 5) == 0)
			c.kind = CHALLENGE_BASIC;
		s = read_parameters(s + n, &c.parameters);
		if (c.kind == CHALLENGE_BEARER && !strmap_get(&c.parameters, "realm"))
			c.kind = CHALLENGE_NONE;
		if (c.kind > best->kind) {
			challenge_clear(best);
			*best = c;
		} else {
			challenge_clear(&c);
		}
	}
}

void challenge_parse(const struct strv *lines, struct challenge *ret)
{
	challenge_clear(ret);
	STRV_EACH(line, lines)
		parse_line(*line, ret);
}
