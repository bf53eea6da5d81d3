/*
 * clock.c - measures commands and an HTTP server for tests/bench/run
 *
 * usage: clock run ROUNDS [-- LABEL PREPARE COMMAND...]...
 *        clock http SOCKET PATH SECONDS
 *
 * "run" takes turns: each round runs every command once, in another order each time and after a short pause, so that a disturbance of the
 * machine, and what the kernel still cleans up after the command before, hit them all. PREPARE is given to a shell
 * before each turn and not measured; '' is nothing. Prints "LABEL MEDIAN MINIMUM RSS" for each, in ms, and in KiB the most memory that the
 * command or a child that it waited for had; a command that fails ends it all, with the command's output. "http" asks again and again on one connection and prints requests per second.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { COMMANDS_MAX = 16, ROUNDS_MAX = 1000 };

struct command {
	const char *label;
	const char *prepare;
	char **argv;
	double ms[ROUNDS_MAX];
	long rss;
};

static void die(const char *what)
{
	fprintf(stderr, "clock: %s: %s\n", what, strerror(errno));
	exit(2);
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* What the command said, when it was the first time. */
static void explain(FILE *said)
{
	char line[1024];

	rewind(said);
	while (fgets(line, sizeof(line), said))
		fputs(line, stderr);
}

/* Runs it with its output in @output, and returns how long that took. A failure ends the program, with what is in @said if any. */
static double run(char **argv, int output, FILE *said, long *rss)
{
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	double start;
	pid_t pid;
	int status;
	int rc;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, 1);
	posix_spawn_file_actions_adddup2(&actions, output, 2);
	start = now_ms();
	rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (rc) {
		errno = rc;
		die(argv[0]);
	}
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			die("wait");
	start = now_ms() - start;
	if (usage.ru_maxrss > *rss)
		*rss = usage.ru_maxrss;
	posix_spawn_file_actions_destroy(&actions);
	if (status) {
		fprintf(stderr, "clock: '%s' failed with status %x\n", argv[0], (unsigned int)status);
		if (said)
			explain(said);
		exit(1);
	}
	return start;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void shuffle(int *order, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		int j = rand() % (i + 1);

		order[i] = order[j];
		order[j] = i;
	}
}

static void prepare(const struct command *c, int output)
{
	char *shell[] = {"sh", "-c", (char *)c->prepare, NULL};
	const struct timespec pause = {.tv_nsec = 20000000};
	long rss = 0;

	if (*c->prepare)
		(void)run(shell, output, NULL, &rss);
	nanosleep(&pause, NULL);
}

static int measure(int argc, char **argv)
{
	static struct command commands[COMMANDS_MAX];
	int rounds = argc > 0 ? atoi(argv[0]) : 0;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	FILE *first = tmpfile();
	int order[COMMANDS_MAX];
	int count = 0;
	int i, round;

	if (rounds < 1 || rounds > ROUNDS_MAX || null < 0 || !first)
		return -1;
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--"))
			continue;
		argv[i] = NULL;
		if (i + 3 >= argc || count == COMMANDS_MAX)
			return -1;
		commands[count].label = argv[i + 1];
		commands[count].prepare = argv[i + 2];
		commands[count].argv = &argv[i + 3];
		count++;
		i += 3;
	}
	/* Round -1 warms up. */
	for (round = -1; round < rounds; round++) {
		shuffle(order, count);
		for (i = 0; i < count; i++) {
			struct command *c = &commands[order[i]];
			double ms;

			prepare(c, null);
			ms = run(c->argv, round < 0 ? fileno(first) : null, first, &c->rss);
			if (round >= 0)
				c->ms[round] = ms;
		}
	}
	for (i = 0; i < count; i++) {
		qsort(commands[i].ms, (size_t)rounds, sizeof(double), by_size);
		printf("%s %.3f %.3f %ld\n", commands[i].label, commands[i].ms[rounds / 2], commands[i].ms[0], commands[i].rss);
	}
	return 0;
}

/* Reads one answer with Content-Length or chunks; false when the connection ends or makes no sense. */
static int read_answer(FILE *in)
{
	char line[8192];
	char body[65536];
	long length = -1;
	int chunked = 0;

	if (!fgets(line, sizeof(line), in) || strncmp(line, "HTTP/1.1 200", 12))
		return 0;
	while (fgets(line, sizeof(line), in) && strcmp(line, "\r\n")) {
		if (!strncasecmp(line, "content-length:", 15))
			length = atol(line + 15);
		if (!strncasecmp(line, "transfer-encoding: chunked", 26))
			chunked = 1;
	}
	do {
		if (chunked) {
			if (!fgets(line, sizeof(line), in))
				return 0;
			length = strtol(line, NULL, 16) + 2;
		}
		if (length < 0)
			return 0;
		for (long left = length; left > 0;) {
			size_t part = left < (long)sizeof(body) ? (size_t)left : sizeof(body);

			if (fread(body, 1, part, in) != part)
				return 0;
			left -= (long)part;
		}
	} while (chunked && length > 2);
	return 1;
}

static int measure_http(const char *path, const char *url, double seconds)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char request[1024];
	double start, spent;
	long count = 0;
	size_t size;
	FILE *in;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) || !(in = fdopen(fd, "r")))
		die(path);
	size = (size_t)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", url);
	start = now_ms();
	do {
		if (write(fd, request, size) != (ssize_t)size || !read_answer(in)) {
			fprintf(stderr, "clock: GET %s: no good answer after %ld\n", url, count);
			return 1;
		}
		count++;
		spent = now_ms() - start;
	} while (spent < seconds * 1e3);
	printf("%.1f\n", (double)count * 1e3 / spent);
	return 0;
}

int main(int argc, char **argv)
{
	int rc = -1;

	if (argc > 2 && !strcmp(argv[1], "run"))
		rc = measure(argc - 2, argv + 2);
	else if (argc == 5 && !strcmp(argv[1], "http"))
		rc = measure_http(argv[2], argv[3], atof(argv[4]));
	if (rc < 0) {
		fprintf(stderr, "usage: clock run ROUNDS [-- LABEL PREPARE COMMAND...]... | clock http SOCKET PATH SECONDS\n");
		return 2;
	}
	return rc;
}
