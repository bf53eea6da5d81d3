/*
 * fake_registry - a registry in this process that misbehaves as it is told
 *
 * It speaks real HTTP over loopback. A second listener stands for another host: storage that a registry redirects to.
 */
#ifndef TESTS_UNIT_FAKE_REGISTRY_H
#define TESTS_UNIT_FAKE_REGISTRY_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/buf.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"
#include "runtime/image/digest.h"

struct fake_object {
	char *path;	/* "x/manifests/1" or a digest */
	char *type;
	struct buf data;
};

static struct {
	struct MHD_Daemon *daemon, *other;
	unsigned int port, other_port;
	pthread_mutex_t lock;
	VEC(struct fake_object) objects;

	/* How it behaves. */
	const char *basic;		/* "user:password" in base64 that is wanted */
	bool bearer;			/* a token is wanted */
	int token_uses;			/* a token is good for that many requests; 0: for ever */
	uint64_t cut_after;		/* bytes of a blob in one answer; 0: all */
	bool no_ranges;
	const char *redirect;		/* blobs: "other" or a URL */
	int busy;			/* that many answers are 503 at first */
	bool endless;			/* blobs never end */
	int slow_us;			/* pause before each piece of a blob */

	/* What it saw. */
	unsigned int blob_requests, range_requests, token_requests, leaks;
	int token_number, token_used;
	char scope[200], token_auth[200];
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void fake_reset(void)
{
	VEC_EACH(o, &fake.objects) {
		free(o->path);
		free(o->type);
		buf_clear(&o->data);
	}
	VEC_FREE(&fake.objects);
	fake.basic = fake.redirect = NULL;
	fake.bearer = fake.no_ranges = fake.endless = false;
	fake.token_uses = fake.busy = fake.slow_us = 0;
	fake.cut_after = 0;
	fake.blob_requests = fake.range_requests = fake.token_requests = fake.leaks = 0;
	fake.token_number = fake.token_used = 0;
	fake.scope[0] = fake.token_auth[0] = '\0';
}

static void fake_put(const char *path, const char *type, const void *data, size_t len)
{
	struct fake_object *o = VEC_ADD(&fake.objects);

	o->path = xstrdup(path);
	o->type = xstrdup(type);
	buf_add(&o->data, data, len);
}

static struct fake_object *fake_find(const char *path)
{
	VEC_EACH(o, &fake.objects) {
		if (strcmp(o->path, path) == 0)
			return o;
	}
	return NULL;
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned int status, const char *text, const char *header,
			      const char *value)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result rc;

	if (header)
		MHD_add_response_header(r, header, value);
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

struct fake_stream {
	struct fake_object *object;
	uint64_t from, cut;
};

static ssize_t stream_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct fake_stream *s = arg;
	uint64_t left = s->object->data.len - s->from - pos;

	if (fake.slow_us)
		usleep((useconds_t)fake.slow_us);
	if (fake.endless) {
		memset(out, 'e', max);
		return (ssize_t)max;
	}
	if (s->cut && pos >= s->cut)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (s->cut && left > s->cut - pos)
		left = s->cut - pos;
	if (max > left)
		max = left;
	if (max > 16384)
		max = 16384;
	memcpy(out, s->object->data.data + s->from + pos, max);
	return (ssize_t)max;
}

static enum MHD_Result send_blob(struct MHD_Connection *c, struct fake_object *o)
{
	const char *range = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Range");
	struct fake_stream *s = xcalloc(1, sizeof(*s));
	unsigned int status = 200;
	struct MHD_Response *r;
	enum MHD_Result rc;
	char text[100];

	s->object = o;
	s->cut = fake.cut_after;
	if (range && !fake.no_ranges) {
		s->from = strtoull(range + strlen("bytes="), NULL, 10);
		status = 206;
	}
	pthread_mutex_lock(&fake.lock);
	fake.blob_requests++;
	fake.range_requests += range != NULL;
	pthread_mutex_unlock(&fake.lock);
	r = MHD_create_response_from_callback(fake.endless ? MHD_SIZE_UNKNOWN : o->data.len - s->from, 16384, stream_read, s,
					      free);
	if (status == 206) {
		snprintf(text, sizeof(text), "bytes %llu-%zu/%zu", (unsigned long long)s->from, o->data.len - 1,
			 o->data.len);
		MHD_add_response_header(r, "Content-Range", text);
	}
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result send_token(struct MHD_Connection *c)
{
	const char *auth = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
	const char *scope = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "scope");
	char text[200];

	pthread_mutex_lock(&fake.lock);
	fake.token_requests++;
	fake.token_used = 0;
	snprintf(fake.scope, sizeof(fake.scope), "%s", scope ? scope : "");
	snprintf(fake.token_auth, sizeof(fake.token_auth), "%s", auth ? auth : "");
	snprintf(text, sizeof(text), "{\"token\":\"T%d\",\"expires_in\":300}", ++fake.token_number);
	pthread_mutex_unlock(&fake.lock);
	if (fake.basic && (!auth || !str_skip(auth, "Basic ") || strcmp(str_skip(auth, "Basic "), fake.basic) != 0))
		return answer(c, 401, "{}", NULL, NULL);
	return answer(c, 200, text, "Content-Type", "application/json");
}

/* NULL: let in. Else the challenge. */
static const char *challenge_for(struct MHD_Connection *c, char *room, size_t size)
{
	const char *auth = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
	char token[50];
	bool good;

	if (!fake.bearer) {
		const char *given = auth ? str_skip(auth, "Basic ") : NULL;

		return !fake.basic || (given && strcmp(given, fake.basic) == 0) ? NULL : "Basic realm=\"fake\"";
	}
	pthread_mutex_lock(&fake.lock);
	snprintf(token, sizeof(token), "Bearer T%d", fake.token_number);
	good = auth && strcmp(auth, token) == 0 && (!fake.token_uses || fake.token_used++ < fake.token_uses);
	pthread_mutex_unlock(&fake.lock);
	snprintf(room, size, "Bearer realm=\"http://127.0.0.1:%u/token\",service=\"fake\"", fake.port);
	return good ? NULL : room;
}

static enum MHD_Result serve(struct MHD_Connection *c, const char *url)
{
	const char *path = str_skip(url, "/v2/");
	const char *blob = strstr(url, "/blobs/");
	char room[200];
	const char *challenge;
	struct fake_object *o;

	if (strcmp(url, "/token") == 0)
		return send_token(c);
	challenge = challenge_for(c, room, sizeof(room));
	if (challenge)
		return answer(c, 401, "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"who are you\"}]}",
			      "WWW-Authenticate", challenge);
	if (!path || !*path)
		return answer(c, path ? 200 : 404, "{}", NULL, NULL);
	if (fake.busy > 0) {
		fake.busy--;
		return answer(c, 503, "busy", NULL, NULL);
	}
	o = fake_find(blob ? blob + strlen("/blobs/") : path);
	if (!o)
		return answer(c, 404, "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}", NULL,
			      NULL);
	if (!blob)
		return answer(c, 200, buf_cstr(&o->data), "Content-Type", o->type);
	if (fake.redirect) {
		if (strcmp(fake.redirect, "other") == 0)
			snprintf(room, sizeof(room), "http://127.0.0.1:%u%s", fake.other_port, url);
		else
			snprintf(room, sizeof(room), "%s", fake.redirect);
		return answer(c, 307, "", "Location", room);
	}
	return send_blob(c, o);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *data, size_t *len, void **ctx)
{
	const char *blob = strstr(url, "/blobs/");
	struct fake_object *o;

	if (!arg)
		return serve(c, url);
	/* The other host. */
	if (MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization"))
		fake.leaks++;
	o = blob ? fake_find(blob + strlen("/blobs/")) : NULL;
	return o ? send_blob(c, o) : answer(c, 404, "", NULL, NULL);
}

static struct MHD_Daemon *listen_on(void *arg, unsigned int *ret_port)
{
	struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL,
						on_request, arg, MHD_OPTION_END);

	if (!d)
		abort();
	*ret_port = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT)->port;
	return d;
}

static void fake_start(void)
{
	fake.daemon = listen_on(NULL, &fake.port);
	fake.other = listen_on(&fake, &fake.other_port);
}

static void fake_stop(void)
{
	MHD_stop_daemon(fake.daemon);
	MHD_stop_daemon(fake.other);
	fake_reset();
}

#endif
