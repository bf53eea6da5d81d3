/*
 * registry_header - X-Registry-Auth: who the client is to a registry.
 */
#include "runtime/daemon/registry_header.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/json.h"
#include "compat/base/str.h"

static int decode(const char *text, char **ret, size_t *ret_len)
{
	size_t len = strcspn(text, "="), padded = (len + 3) / 4 * 4;
	auto_free char *in = xcalloc(padded + 1, 1);
	auto_free char *out = xcalloc(padded + 1, 1);
	int n;

	if (len > REGISTRY_HEADER_MAX || len % 4 == 1)
		return -EINVAL;
	memset(in, '=', padded);
	for (size_t i = 0; i < len; i++)
		in[i] = (char)(text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i]);
	n = EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)in, (int)padded);
	if (n < 0)
		return -EINVAL;
	*ret_len = (size_t)n - (padded - len);
	out[*ret_len] = 0;
	*ret = take(out);
	return 0;
}

int registry_header_parse(const char *header, struct api_auth_config *ret, bool *ret_some, struct err *err)
{
	auto_free char *json = NULL, *pair = NULL;
	size_t len;
	int rc;

	*ret_some = false;
	if (str_empty(header))
		return 0;
	if (decode(header, &json, &len) < 0)
		return err_set(err, ERR_INVALID, "X-Registry-Auth is not base64");
	if (!len)
		return 0;
	rc = json_parse(&api_auth_config_table, json, len, 0, "X-Registry-Auth", ret, err);
	if (rc < 0)
		return rc;
	if (!str_empty(ret->auth) && str_empty(ret->username)) {
		char *colon;

		if (decode(ret->auth, &pair, &len) < 0 || !(colon = strchr(pair, ':')))
			return err_set(err, ERR_INVALID, "X-Registry-Auth: 'auth' is not base64 of user:password");
		*colon = 0;
		str_set(&ret->username, pair);
		str_set(&ret->password, colon + 1);
	}
	*ret_some = !str_empty(ret->username) || !str_empty(ret->identity_token) || !str_empty(ret->registry_token);
	return 0;
}
