/*
 * tls.c - see tls.h
 */
#include "cli/tls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "compat/base/str.h"

struct tls {
	SSL_CTX *ctx;
	SSL *ssl;
};

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	SSL_CTX_free(tls->ctx);
	free(tls);
}
DEFINE_AUTO(tls_free, struct tls *)

static int refuse(struct err *err, const char *what, const char *name)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, ERR_UNAVAILABLE, "%s '%s': %s", what, name, reason ? reason : "refused");
}

static int load_files(SSL_CTX *ctx, const struct http_tls *o, struct err *err)
{
	if (o->ca && SSL_CTX_load_verify_locations(ctx, o->ca, NULL) != 1)
		return refuse(err, "read --tlscacert", o->ca);
	if (!o->ca && o->verify)
		SSL_CTX_set_default_verify_paths(ctx);
	if (o->cert && SSL_CTX_use_certificate_chain_file(ctx, o->cert) != 1)
		return refuse(err, "read --tlscert", o->cert);
	if (o->key && SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) != 1)
		return refuse(err, "read --tlskey", o->key);
	return 0;
}

static void expect_name(SSL *ssl, const char *name)
{
	unsigned char binary[16];

	if (inet_pton(AF_INET, name, binary) == 1 || inet_pton(AF_INET6, name, binary) == 1) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
		return;
	}
	SSL_set1_host(ssl, name);
	SSL_set_tlsext_host_name(ssl, name);
}

int tls_connect(int fd, const char *name, const struct http_tls *options, struct tls **ret,
		struct err *err)
{
	AUTO(tls_free) struct tls *tls = xcalloc(1, sizeof(*tls));
	int rc;

	tls->ctx = SSL_CTX_new(TLS_client_method());
	if (!tls->ctx)
		return refuse(err, "start TLS with", name);
	SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					   SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_verify(tls->ctx, options->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	rc = load_files(tls->ctx, options, err);
	if (rc)
		return rc;
	tls->ssl = SSL_new(tls->ctx);
	if (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1)
		return refuse(err, "start TLS with", name);
	if (options->verify)
		expect_name(tls->ssl, name);
	if (SSL_connect(tls->ssl) != 1) {
		long verdict = SSL_get_verify_result(tls->ssl);

		if (verdict != X509_V_OK)
			return err_set(err, ERR_UNAVAILABLE, "do not trust '%s': %s", name,
				       X509_verify_cert_error_string(verdict));
		return refuse(err, "speak TLS with", name);
	}
	*ret = take(tls);
	return 0;
}

/* What an SSL call that returned @n <= 0 means: 0 at the end, else -errno. */
static ssize_t outcome(struct tls *tls, int n)
{
	int saved = errno;

	switch (SSL_get_error(tls->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return saved ? -saved : 0;
	default:
		ERR_clear_error();
		return -EPROTO;
	}
}

ssize_t tls_read(struct tls *tls, void *data, size_t len)
{
	int n;

	errno = 0;
	n = SSL_read(tls->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
	return n > 0 ? n : outcome(tls, n);
}

ssize_t tls_write(struct tls *tls, const void *data, size_t len)
{
	ssize_t rc;
	int n;

	if (!len)
		return 0;
	errno = 0;
	n = SSL_write(tls->ssl, data, len > INT_MAX ? INT_MAX : (int)len);
	if (n > 0)
		return n;
	rc = outcome(tls, n);
	return rc ? rc : -EPIPE;
}

bool tls_has_pending(const struct tls *tls)
{
	return SSL_pending(tls->ssl) > 0;
}

void tls_shutdown(struct tls *tls)
{
	(void)SSL_shutdown(tls->ssl); /* one way only: what comes in is still read */
}
