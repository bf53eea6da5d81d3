/*
 * hostile_registry.c - a registry that means harm, for tests/security
 *
 *	hostile-registry ADDRESS PORT DIR LOG
 *
 * The first part of a repository's name says what goes wrong and where: "manifest-endless/app", "layer-cut.2/app". Where nothing goes
 * wrong, DIR/NAME/manifest is the manifest, and a blob is what lies under its digest in DIR/blobs. That of DIR/NAME/config.digest is a
 * "config", others are a "layer". DIR/NAME/to is where "redirect" leads, DIR/NAME/challenge what "deny" asks for. Each request is a line of LOG: its method and path, and what it proves with.
 *
 * Built static without the GNU C library, as everything that attacks.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

#define HEAD "HTTP/1.1 200 OK\r\nConnection: close\r\n"

struct answer {
	int sock;
	const char *dir;
	char name[100];		/* the first part of the repository's name */
	char path[2000];
	unsigned long from;	/* the range that is asked for */
	const char *type;
	char *data;		/* what an honest registry would send */
	size_t len;
};

/* Who listens no more ends this process: each connection has its own. */
static void put(int sock, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = send(sock, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			exit(0);
		p += n;
		len -= (size_t)n;
	}
}

static void say(int sock, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(int sock, const char *fmt, ...)
{
	char text[4000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put(sock, text, strlen(text));
}

static char *read_file(size_t *ret_len, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static char *read_file(size_t *ret_len, const char *fmt, ...)
{
	char path[4000], *data;
	struct stat st;
	va_list ap;
	int fd;

	va_start(ap, fmt);
	vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	data = calloc(1, (size_t)st.st_size + 1);
	if (!data || read(fd, data, (size_t)st.st_size) != st.st_size)
		exit(1);
	close(fd);
	*ret_len = (size_t)st.st_size;
	return data;
}

/* One line of a file of the repository; "" when there is none. */
static const char *read_line(const struct answer *a, const char *file)
{
	size_t len;
	char *data = read_file(&len, "%s/%s/%s", a->dir, a->name, file);

	if (!data)
		return "";
	data[strcspn(data, "\n")] = '\0';
	return data;
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 500 * 1000 * 1000}, NULL);
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------------------------- */

static void forever(int sock, const void *piece, size_t len)
{
	for (;;)
		put(sock, piece, len);
}

static void endless_chunks(int sock)
{
	static char chunk[0x10000 + 9];

	memcpy(chunk, "10000\r\n", 7);
	memset(chunk + 7, ' ', 0x10000);
	memcpy(chunk + 7 + 0x10000, "\r\n", 2);
	forever(sock, chunk, sizeof(chunk));
}

static void endless(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n", a->type);
	endless_chunks(a->sock);
}

static void endless_error(const struct answer *a)
{
	say(a->sock, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
	endless_chunks(a->sock);
}

static void endless_denial(const struct answer *a)
{
	say(a->sock, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\nTransfer-Encoding: chunked\r\n\r\n");
	endless_chunks(a->sock);
}

static void endless_detour(const struct answer *a)
{
	say(a->sock, "HTTP/1.1 307 Temporary Redirect\r\nLocation: %s\r\nTransfer-Encoding: chunked\r\n\r\n", a->path);
	endless_chunks(a->sock);
}

/* All that was asked for, and then without end. */
static void huge(const struct answer *a)
{
	static char block[65536];

	say(a->sock, HEAD "Content-Type: %s\r\nContent-Length: 9000000000000000000\r\n\r\n", a->type);
	put(a->sock, a->data, a->len);
	forever(a->sock, block, sizeof(block));
}

static void cut(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", a->type, a->len);
	put(a->sock, a->data, a->len / 2);
}

static void nothing(const struct answer *a)
{
	(void)a;
}

static void more(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nConnection: close\r\n\r\n", a->type);
	put(a->sock, a->data, a->len);
	put(a->sock, "more", 4);
}

static void fewer(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", a->type, a->len / 2);
	put(a->sock, a->data, a->len);
}

static void other(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", a->type, a->len);
	a->data[a->len / 2] ^= 1;
	put(a->sock, a->data, a->len);
}

static void two_lengths(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nContent-Length: %zu\r\nContent-Length: 1\r\n\r\n", a->type, a->len);
	put(a->sock, a->data, a->len);
}

static void negative(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nContent-Length: -1\r\n\r\n", a->type);
	put(a->sock, a->data, a->len);
}

static void bad_chunk(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffffff\r\n", a->type);
	put(a->sock, a->data, a->len);
}

/* One byte in each answer: there is progress. */
static void crumbs(const struct answer *a)
{
	if (a->from >= a->len)
		return;
	say(a->sock, "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nContent-Range: bytes %lu-%zu/%zu\r\nContent-Length: %zu\r\n\r\n",
	    a->from, a->len - 1, a->len, a->len - a->from);
	put(a->sock, a->data + a->from, 1);
}

static void drip(const struct answer *a)
{
	say(a->sock, HEAD "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", a->type, a->len);
	for (size_t i = 0; i < a->len; i++) {
		put(a->sock, a->data + i, 1);
		nap();
	}
}

static void head_drip(const struct answer *a)
{
	say(a->sock, "HTTP/1.1 200 OK\r\nX-Drip: ");
	for (;;) {
		put(a->sock, "x", 1);
		nap();
	}
}

/* Until the other end has enough of it. */
static void silence(const struct answer *a)
{
	char byte;

	while (recv(a->sock, &byte, 1, 0) > 0)
		;
}

static void long_header(const struct answer *a)
{
	static char block[65536];

	memset(block, 'x', sizeof(block));
	say(a->sock, "HTTP/1.1 200 OK\r\nX-Long: ");
	forever(a->sock, block, sizeof(block));
}

static void many_headers(const struct answer *a)
{
	static const char line[] = "WWW-Authenticate: Basic realm=\"x\"\r\n";

	say(a->sock, "HTTP/1.1 401 Unauthorized\r\n");
	forever(a->sock, line, sizeof(line) - 1);
}

static void again_and_again(const struct answer *a)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	forever(a->sock, line, sizeof(line) - 1);
}

static void redirect(const struct answer *a)
{
	say(a->sock, "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", read_line(a, "to"));
}

static void loop(const struct answer *a)
{
	say(a->sock, "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", a->path);
}

static void deny(const struct answer *a)
{
	say(a->sock, "HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nWWW-Authenticate: %s\r\nContent-Length: 0\r\n\r\n",
	    read_line(a, "challenge"));
}

static void later(const struct answer *a)
{
	say(a->sock, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 999999999999\r\nContent-Length: 0\r\n\r\n");
}

/* What it says about its failure is meant for a terminal. */
static void rude(const struct answer *a)
{
	static const char body[] = "{\"errors\":[{\"code\":\"X\",\"message\":\"\\u001b]0;owned\\u0007\\nline two\\u009b2J\"}]}";

	say(a->sock, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", sizeof(body) - 1, body);
}

static void garbage(const struct answer *a)
{
	static const char words[] = "220 mail.test ESMTP\r\n";

	forever(a->sock, words, sizeof(words) - 1);
}

static void honest(const struct answer *a)
{
	if (!a->data) {
		say(a->sock, "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	say(a->sock, HEAD "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", a->type, a->len);
	put(a->sock, a->data, a->len);
}

static const struct {
	const char *name;
	void (*answer)(const struct answer *a);
} ways[] = {
	{"endless", endless},	      {"endlesserror", endless_error}, {"endlessdenial", endless_denial},
	{"endlessdetour", endless_detour}, {"huge", huge},	       {"cut", cut},
	{"nothing", nothing},	      {"more", more},		       {"fewer", fewer},
	{"other", other},	      {"twolengths", two_lengths},     {"negative", negative},
	{"badchunk", bad_chunk},      {"crumbs", crumbs},	       {"drip", drip},
	{"headdrip", head_drip},      {"silence", silence},	       {"longheader", long_header},
	{"manyheaders", many_headers}, {"continue", again_and_again}, {"redirect", redirect},
	{"loop", loop},		      {"deny", deny},		       {"later", later},
	{"rude", rude},		      {"garbage", garbage},
};

/* ---- requests -------------------------------------------------------------------------------------------------------------------- */

/* "manifest", "blob" or "token" by the path; fills in what an honest registry has there. */
static const char *find(struct answer *a)
{
	char *rest = strchr(a->name, '/'), *what;

	if (rest)
		*rest = '\0';
	a->type = "application/octet-stream";
	if ((what = strstr(a->path, "/manifests/"))) {
		a->type = "application/vnd.oci.image.manifest.v1+json";
		a->data = read_file(&a->len, "%s/%s/manifest", a->dir, a->name);
		return "manifest";
	}
	if ((what = strstr(a->path, "/blobs/sha256:"))) {
		size_t config_len = 0;
		char *config = read_file(&config_len, "%s/%s/config.digest", a->dir, a->name);

		what += strlen("/blobs/sha256:");
		a->data = read_file(&a->len, "%s/blobs/%.64s", a->dir, what);
		return config && strncmp(config, what, 64) == 0 ? "config" : "layer";
	}
	if (strncmp(a->path, "/token", 6) == 0) {
		a->data = strdup("{\"token\":\"a-token\"}");
		a->len = strlen(a->data);
		return "token";
	}
	a->data = strdup("{}");
	a->len = 2;
	return "ping";
}

static void answer(int sock, const char *dir, FILE *log, const char *request)
{
	struct answer a = {.sock = sock, .dir = dir};
	const char *proof = strcasestr(request, "\nAuthorization:"), *range = strcasestr(request, "\nRange: bytes="), *stage;
	char method[10] = "?";
	size_t n;

	sscanf(request, "%9s %1999s", method, a.path);
	fprintf(log, "%s %s%s%.*s\n", method, a.path, proof ? " proof:" : "", proof ? (int)strcspn(proof + 15, "\r\n") : 0,
		proof ? proof + 15 : "");
	fflush(log);
	if (range)
		a.from = strtoul(range + strlen("\nRange: bytes="), NULL, 10);
	if (strncmp(a.path, "/v2/", 4) == 0)
		snprintf(a.name, sizeof(a.name), "%.90s", a.path + 4);
	else if (strncmp(a.path, "/token/", 7) == 0)
		snprintf(a.name, sizeof(a.name), "%.90s", a.path + 7);
	stage = find(&a);
	a.name[strcspn(a.name, "?")] = '\0';
	n = strlen(stage);
	if (strncmp(a.name, stage, n) == 0 && a.name[n] == '-') {
		for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
			size_t len = strlen(ways[i].name);

			if (strncmp(a.name + n + 1, ways[i].name, len) == 0 && (!a.name[n + 1 + len] || a.name[n + 1 + len] == '.')) {
				ways[i].answer(&a);
				return;
			}
		}
	}
	honest(&a);
}

static void serve(int sock, const char *dir, FILE *log)
{
	static char request[65536];
	size_t len = 0;

	while (len < sizeof(request) - 1 && !strstr(request, "\r\n\r\n")) {
		ssize_t n = recv(sock, request + len, sizeof(request) - 1 - len, 0);

		if (n <= 0)
			return;
		if (request[0] == 0x16)
			return;		/* TLS: not here */
		len += (size_t)n;
	}
	answer(sock, dir, log, request);
	/* The last bytes shall arrive before the end does. */
	shutdown(sock, SHUT_WR);
	while (recv(sock, request, sizeof(request), 0) > 0)
		;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FILE *log = argc == 5 ? fopen(argv[4], "a") : NULL;

	if (!log || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) {
		fprintf(stderr, "usage: hostile-registry ADDRESS PORT DIR LOG\n");
		return 2;
	}
	at.sin_port = htons((unsigned short)atoi(argv[2]));
	signal(SIGCHLD, SIG_IGN);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 128) < 0) {
		perror("hostile-registry: listen");
		return 1;
	}
	printf("listens\n");
	fflush(stdout);
	for (;;) {
		int sock = accept(fd, NULL, NULL);

		if (sock < 0)
			continue;
		if (fork() == 0) {
			close(fd);
			serve(sock, argv[3], log);
			_exit(0);
		}
		close(sock);
	}
}
