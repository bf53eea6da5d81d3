/*
 * as_kernel - inside of tests/legacy/as-kernel: the kernels it plays, the filter, and who answers for it
 *
 * Two halves. A seccomp filter (filter.c, from the tables of kernels.c) answers what the registers tell: calls and flags that an old
 * kernel does not have. What lies in memory (names of files and of file systems, messages to the kernel) a supervisor looks at
 * (supervise.c), which the filter asks: it refuses, gives a descriptor of a file that reads as it would there (files.c), does the call in
 * the caller's place, or rewrites the caller's message so that the running kernel ignores what the old one ignores (calls.c).
 */
#ifndef TESTS_LEGACY_AS_KERNEL_H
#define TESTS_LEGACY_AS_KERNEL_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Rows of tables say by these on which kernels they hold. */
enum {
	VANILLA = 1,
	EL6 = 2,
	K310 = 4,
	K418 = 8,
	OLD = VANILLA | EL6,
	TO_310 = OLD | K310,
	ALL = TO_310 | K418,
};

struct kernel {
	unsigned int bit;
	const char *name;	/* as the command line has it */
	const char *release;	/* as uname(2) has it */
	unsigned int last_cap;
};

/* NULL: there is none of that name. */
const struct kernel *kernel_by_name(const char *name);
/* "2.6.32, el6, 3.10, 4.18" */
const char *kernel_names(void);

/* ---- the filter: kernels.c has the table, filter.c makes a program of it ---- */

enum test { NONE, EQ, ABOVE, BELOW, ANY_OF /* of these bits */, NOT_ZERO };

struct condition {
	enum test test;
	int arg;		/* its number; the lower 32 bits of it are looked at */
	uint32_t value;
};

struct rule {
	unsigned int kernels;
	int call;
	uint32_t action;	/* SECCOMP_RET_* */
	struct condition when[2];	/* both must hold */
};

/* Calls @first to @last do not exist on @kernels. */
struct gap {
	unsigned int kernels;
	int first, last;
};

extern const struct rule rules[];
extern const size_t rule_count;
extern const struct gap gaps[];
extern const size_t gap_count;

/* Returns the descriptor of the listener, or -errno. The calling thread and all that it starts are under the filter from then on. */
int filter_install(const struct kernel *k);

/* ---- the supervisor ---- */

/* One call that waits for an answer. */
struct call {
	const struct kernel *kernel;
	int listener;
	struct seccomp_notif n;
};

struct verdict {
	enum {
		GO_ON,		/* the running kernel does it */
		FAIL,		/* with errno @value */
		RETURN,		/* @value, undone */
		GIVE,		/* descriptor @value, which is the supervisor's to close */
		LATER,		/* a thread answers */
	} what;
	int value;
	bool cloexec;		/* GIVE */
};

static inline struct verdict go_on(void)
{
	return (struct verdict){.what = GO_ON};
}

static inline struct verdict fail(int error)
{
	return (struct verdict){.what = FAIL, .value = error};
}

static inline struct verdict give_back(int value)
{
	return (struct verdict){.what = RETURN, .value = value};
}

/* Answers until the last process under the filter is gone; then the caller must end this process. */
void supervise(const struct kernel *k, int listener);
void answer(const struct call *c, const struct verdict *v);

/* ---- the caller's memory and files: remote.c ---- */

enum { NAME_MAX_BYTES = 4096 };

bool remote_read(const struct call *c, uint64_t at, void *to, size_t len);
bool remote_write(const struct call *c, uint64_t at, const void *from, size_t len);
/* False when there is no string that short. */
bool remote_string(const struct call *c, uint64_t at, char *to, size_t size);
/* A copy of the caller's descriptor, or -1. */
int remote_fd(const struct call *c, int fd);
/* The caller's user for file access. */
bool remote_ids(const struct call *c, uid_t *ret_uid, gid_t *ret_gid);
/* Does the caller's program bring a GNU C library (see main.c)? */
bool remote_is_glibc(const struct call *c);
/* How the supervisor reaches @path, which the caller resolves from @dirfd. False: too long. */
bool remote_path(const struct call *c, int dirfd, const char *path, char *ret, size_t size);
/* The directory of that name's last component, opened O_PATH, or -1; *ret_magic is its file system. */
int remote_parent(const struct call *c, int dirfd, const char *path, long *ret_magic);
/* The last component; "" when the path ends in a slash. */
const char *last_name(const char *path);

/* ---- what is looked at ---- */

/* A name that a call is about to use; @open_flags counts for the calls that open. */
struct verdict file_use(const struct call *c, int dirfd, const char *path, bool opens, int open_flags);
/* Before the first call of those below. */
void calls_prepare(void);
struct verdict call_open(const struct call *c);
struct verdict call_stat(const struct call *c);
struct verdict call_mount(const struct call *c);
struct verdict call_clone(const struct call *c);
struct verdict call_uname(const struct call *c);
struct verdict call_seccomp(const struct call *c);
struct verdict call_xattr(const struct call *c);
struct verdict call_fallocate(const struct call *c);
struct verdict call_statfs(const struct call *c);
struct verdict call_prlimit(const struct call *c);
struct verdict call_send(const struct call *c);
struct verdict call_peer(const struct call *c);
struct verdict call_connect(const struct call *c);
struct verdict call_sigaction(const struct call *c);
struct verdict call_remove(const struct call *c);

/* ---- what a mount namespace of the command's own shows: mounts.c ---- */

/* Enters it, and puts control groups where that kernel has them. @dir is an empty directory of ours. */
int mounts_arrange(const struct kernel *k, const char *dir);
/* Does the kernel have that controller, or file system? */
bool kernel_has_controller(const struct kernel *k, const char *name);
bool kernel_has_filesystem(const struct kernel *k, const char *name);

#endif
