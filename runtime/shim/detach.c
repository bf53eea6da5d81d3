/*
 * detach - the keys that end a session and leave the container running
 */
#include "runtime/shim/detach.h"

#include <string.h>
#include <strings.h>

#include "compat/base/str.h"
#include "compat/base/vec.h"

static int parse_key(const char *word)
{
	int c;

	if (strlen(word) == 1)
		return (unsigned char)word[0];
	if (strncasecmp(word, "ctrl-", 5) || strlen(word) != 6)
		return -1;
	c = (unsigned char)word[5];
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 1;
	if (c >= '@' && c <= '_')	/* '@' is 0, '[' is 27, '_' is 31; capitals as small letters */
		return c - '@';
	return -1;
}

int detach_parse(const char *text, struct detach *ret, struct err *err)
{
	AUTO(strv_clear) struct strv words = {0};
	struct detach d = {.count = 0};

	strv_split(&words, text, ",", true);
	STRV_EACH(word, &words) {
		int key = parse_key(*word);

		if (key < 0)
			return err_set(err, ERR_INVALID, "detach keys '%s': '%s' is not a key; use for instance ctrl-p,ctrl-q",
				       text, *word);
		if (d.count == DETACH_KEYS_MAX)
			return err_set(err, ERR_INVALID, "detach keys '%s': over %d keys", text, DETACH_KEYS_MAX);
		d.keys[d.count++] = (unsigned char)key;
	}
	*ret = d;
	return 0;
}

/* The longest prefix of the keys that ends what has been typed: the held keys and @c. */
static size_t longest_prefix(const struct detach *d, unsigned char c)
{
	unsigned char typed[DETACH_KEYS_MAX + 1];
	size_t n = d->matched + 1, keep;

	memcpy(typed, d->keys, d->matched);
	typed[d->matched] = c;
	for (keep = n > d->count ? d->count : n; keep > 0; keep--)
		if (!memcmp(typed + n - keep, d->keys, keep))
			break;
	return keep;
}

bool detach_filter(struct detach *d, const void *data, size_t len, struct buf *out)
{
	const unsigned char *p = data;

	if (!d->count) {
		buf_add(out, data, len);
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		size_t keep = longest_prefix(d, p[i]), release = d->matched + 1 - keep;

		if (release <= d->matched) {
			buf_add(out, d->keys, release);
		} else {
			buf_add(out, d->keys, d->matched);
			buf_char(out, (char)p[i]);
		}
		d->matched = keep;
		if (keep == d->count)
			return true;
	}
	return false;
}
