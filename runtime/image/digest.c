/*
 * digest - names of contents
 */
#include "runtime/image/digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "compat/base/str.h"

#define PREFIX	   "sha256:"
#define PREFIX_LEN (sizeof(PREFIX) - 1)
#define HEX_LEN	   64

struct digester {
	EVP_MD_CTX *ctx;
	EVP_MD_CTX *copy;	/* for digester_get(), which must not end the first */
};

static bool is_lower_hex(const char *s)
{
	size_t n = strspn(s, "0123456789abcdef");

	return n == HEX_LEN && s[n] == '\0';
}

bool digest_is_valid(const char *s)
{
	return s && str_starts(s, PREFIX) && is_lower_hex(s + PREFIX_LEN);
}

int digest_check(const char *s, const char *what, struct err *err)
{
	if (digest_is_valid(s))
		return 0;
	if (s && !str_starts(s, PREFIX) && strchr(s, ':') && str_is_printable(s))
		return err_set(err, ERR_INVALID, "%s '%.100s': only sha256 digests are supported", what, s);
	return err_set(err, ERR_INVALID, "%s is not a digest (sha256: and 64 hex digits)", what);
}

const char *digest_hex(const char *s)
{
	return s + PREFIX_LEN;
}

/* OpenSSL fails here only when it is out of memory or was built without SHA-256. */
static void must(int ok)
{
	if (ok != 1)
		abort();
}

static void put(char ret[DIGEST_SIZE], const unsigned char *md)
{
	memcpy(ret, PREFIX, PREFIX_LEN);
	str_hex(ret + PREFIX_LEN, md, HEX_LEN / 2);
}

void digest_of(const void *data, size_t len, char ret[DIGEST_SIZE])
{
	unsigned char md[EVP_MAX_MD_SIZE];

	must(EVP_Digest(data, len, md, NULL, EVP_sha256(), NULL));
	put(ret, md);
}

void digest_chain(const char *parent, const char *diff_id, char ret[DIGEST_SIZE])
{
	char both[2 * DIGEST_SIZE];

	if (!parent) {
		memmove(ret, diff_id, DIGEST_SIZE);
		return;
	}
	(void)str_fmt(both, sizeof(both), "%s %s", parent, diff_id);	/* two digests fit */
	digest_of(both, strlen(both), ret);
}

struct digester *digester_new(void)
{
	struct digester *d = xcalloc(1, sizeof(*d));

	d->ctx = EVP_MD_CTX_new();
	d->copy = EVP_MD_CTX_new();
	must(d->ctx && d->copy);
	must(EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL));
	return d;
}

void digester_add(struct digester *d, const void *data, size_t len)
{
	must(EVP_DigestUpdate(d->ctx, data, len));
}

void digester_get(const struct digester *d, char ret[DIGEST_SIZE])
{
	unsigned char md[EVP_MAX_MD_SIZE];

	must(EVP_MD_CTX_copy_ex(d->copy, d->ctx));
	must(EVP_DigestFinal_ex(d->copy, md, NULL));
	put(ret, md);
}

void digester_free(struct digester *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->copy);
	EVP_MD_CTX_free(d->ctx);
	free(d);
}
