/*
 * tls - TLS in front of the plain HTTP server.
 */
#include "runtime/daemon/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/log.h"
#include "compat/base/str.h"
#include "runtime/engine/thread.h"

#define HANDSHAKE_TIMEOUT_MS 10000
#define TLS_STACK	     (192 * 1024)
#define CHUNK		     (16 * 1024)

struct tls {
	SSL_CTX *ctx;
	struct strv allowed;
};

/* One direction's bytes that wait for their way out. */
struct half {
	char data[CHUNK];
	size_t at, len;
	bool ended;		/* the source has no more */
	bool passed_on;		/* and the destination was told */
};

struct session {
	struct tls *tls;
	SSL *ssl;
	int net, plain;		/* the encrypted and the plain side */
	struct half in, out;	/* in: from the network */
};

static int tls_err(struct err *err, const char *what, const char *file)
{
	char text[200];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	ERR_clear_error();
	return err_set(err, ERR_INVALID, "%s '%s': %s", what, file, text);
}

int tls_open(const struct tls_options *o, struct tls **ret, struct err *err)
{
	struct tls *tls = xcalloc(1, sizeof(*tls));
	int rc = 0;

	tls->ctx = SSL_CTX_new(TLS_server_method());
	if (!tls->ctx) {
		free(tls);
		return err_sys(err, ENOMEM, "set TLS up");
	}
	SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	if (SSL_CTX_use_certificate_chain_file(tls->ctx, o->cert) != 1)
		rc = tls_err(err, "read certificate", o->cert);
	else if (SSL_CTX_use_PrivateKey_file(tls->ctx, o->key, SSL_FILETYPE_PEM) != 1)
		rc = tls_err(err, "read key", o->key);
	else if (SSL_CTX_check_private_key(tls->ctx) != 1)
		rc = tls_err(err, "match the certificate with key", o->key);
	else if (o->ca && SSL_CTX_load_verify_locations(tls->ctx, o->ca, NULL) != 1)
		rc = tls_err(err, "read CA certificates", o->ca);
	if (rc < 0) {
		SSL_CTX_free(tls->ctx);
		free(tls);
		return rc;
	}
	if (o->verify)
		SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	strv_add_all(&tls->allowed, o->allowed);
	*ret = tls;
	return 0;
}

static void session_free(struct session *s)
{
	SSL_free(s->ssl);
	if (s->net >= 0)
		close(s->net);
	if (s->plain >= 0)
		close(s->plain);
	free(s);
}

static bool is_allowed(struct session *s)
{
	char name[256] = "";
	X509 *cert;

	if (!s->tls->allowed.n)
		return true;
	cert = SSL_get1_peer_certificate(s->ssl);
	if (cert) {
		X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
		X509_free(cert);
	}
	if (strv_has(&s->tls->allowed, name))
		return true;
	log_warn("TLS connection: '%.60s' is not on the manager whitelist", name);
	return false;
}

static bool handshake(struct session *s)
{
	for (;;) {
		struct pollfd p = {.fd = s->net};
		int n = SSL_accept(s->ssl), why;

		if (n == 1)
			return is_allowed(s);
		why = SSL_get_error(s->ssl, n);
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			return false;
		p.events = why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
		if (poll(&p, 1, HANDSHAKE_TIMEOUT_MS) <= 0)
			return false;
	}
}

/* Each step does what it can without waiting and returns false when the session is broken. */
static bool step_in(struct session *s, short *net_wants)
{
	struct half *h = &s->in;

	if (!h->len && !h->ended) {
		int n = SSL_read(s->ssl, h->data, sizeof(h->data));

		if (n > 0) {
			h->at = 0;
			h->len = (size_t)n;
		} else {
			int why = SSL_get_error(s->ssl, n);

			if (why == SSL_ERROR_WANT_READ)
				*net_wants |= POLLIN;
			else if (why == SSL_ERROR_WANT_WRITE)
				*net_wants |= POLLOUT;
			else if (why == SSL_ERROR_ZERO_RETURN)
				h->ended = true;
			else
				return false;
		}
	}
	while (h->len) {
		ssize_t n = send(s->plain, h->data + h->at, h->len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		h->at += (size_t)n;
		h->len -= (size_t)n;
	}
	if (h->ended && !h->passed_on) {
		(void)shutdown(s->plain, SHUT_WR);
		h->passed_on = true;
	}
	return true;
}

static bool step_out(struct session *s, short *net_wants)
{
	struct half *h = &s->out;

	if (!h->len && !h->ended) {
		ssize_t n = recv(s->plain, h->data, sizeof(h->data), MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		h->at = 0;
		h->len = (size_t)n;
		h->ended = n == 0;
	}
	while (h->len) {
		int n = SSL_write(s->ssl, h->data + h->at, (int)h->len);

		if (n <= 0) {
			int why = SSL_get_error(s->ssl, n);

			if (why == SSL_ERROR_WANT_WRITE)
				*net_wants |= POLLOUT;
			else if (why == SSL_ERROR_WANT_READ)
				*net_wants |= POLLIN;
			else
				return false;
			return true;
		}
		h->at += (size_t)n;
		h->len -= (size_t)n;
	}
	if (h->ended && !h->passed_on) {
		(void)SSL_shutdown(s->ssl);	/* our end only; the client may still send */
		h->passed_on = true;
	}
	return true;
}

static void session_main(void *arg)
{
	struct session *s = arg;

	if (!handshake(s)) {
		session_free(s);
		return;
	}
	while (!s->out.passed_on) {
		struct pollfd p[2] = {{.fd = s->net}, {.fd = s->plain}};
		size_t moved = s->in.len + s->out.len;

		if (!step_in(s, &p[0].events) || !step_out(s, &p[0].events))
			break;
		if (SSL_pending(s->ssl) && !s->in.len && !moved)
			continue;
		p[1].events = (short)((s->in.len ? POLLOUT : 0) | (!s->out.len && !s->out.ended ? POLLIN : 0));
		if (!s->in.len && !s->in.ended)
			p[0].events |= POLLIN;
		if (SSL_pending(s->ssl) && !s->in.len)
			continue;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
	}
	session_free(s);
}

int tls_accept(struct tls *tls, int fd, int *ret_plain, struct err *err)
{
	struct session *s = xcalloc(1, sizeof(*s));
	int pair[2], rc;

	s->tls = tls;
	s->net = fd;
	s->plain = -1;
	s->ssl = SSL_new(tls->ctx);
	if (!s->ssl || SSL_set_fd(s->ssl, fd) != 1) {
		session_free(s);
		return err_sys(err, ENOMEM, "start TLS");
	}
	SSL_set_accept_state(s->ssl);
	(void)fd_set_nonblock(fd, true);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = err_sys(err, errno, "socketpair");
		session_free(s);
		return rc;
	}
	s->plain = pair[0];
	rc = thread_run(session_main, s, TLS_STACK, err);
	if (rc < 0) {
		close(pair[1]);
		session_free(s);
		return rc;
	}
	*ret_plain = pair[1];
	return 0;
}
