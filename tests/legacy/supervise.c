/*
 * supervise.c - takes the calls that the filter asks about, and answers
 *
 * By several threads: to look at a file may need an answer of a process that itself waits for one of ours (a FUSE file system's). A call
 * that really opens a file in the caller's place gets a thread of its own, since to open a FIFO blocks, as it does on such a kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"
#include "tests/legacy/as_kernel.h"

#ifndef O_PATH
#define O_PATH 010000000
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

void answer(const struct call *c, const struct verdict *v)
{
	struct seccomp_notif_resp r = {.id = c->n.id};
	struct seccomp_notif_addfd add = {.id = c->n.id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (__u32)v->value};

	/* In each case in vain only when the caller is gone. */
	switch (v->what) {
	case LATER:
		return;
	case GIVE:
		add.newfd_flags = v->cloexec ? O_CLOEXEC : 0;
		if (ioctl(c->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 && errno != ENOENT) {
			r.error = -errno;
			(void)ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
		}
		(void)close(v->value);
		return;
	case GO_ON:
		r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		break;
	case FAIL:
		r.error = -v->value;
		break;
	case RETURN:
		r.val = v->value;
		break;
	}
	(void)ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
}

/* ---- opening in the caller's place ---- */

struct opening {
	struct call call;
	char path[NAME_MAX_BYTES];
	int root, base;		/* where the caller's paths start */
	int flags;
	uid_t uid;
	gid_t gid;
};

static void *open_for(void *data)
{
	struct opening *o = data;
	struct verdict v = fail(ENOENT);
	int fd = -1;

	/* A root, a directory and a user for files of this thread's own. */
	if (syscall(SYS_unshare, CLONE_FS) == 0 && fchdir(o->root) == 0 && chroot(".") == 0 && fchdir(o->base) == 0) {
		(void)setfsgid(o->gid);
		(void)setfsuid(o->uid);
		fd = open(o->path, o->flags | O_CLOEXEC, 0);
		v = fd < 0 ? fail(errno)
			   : (struct verdict){.what = GIVE, .value = fd, .cloexec = (o->flags & O_CLOEXEC) != 0};
	}
	answer(&o->call, &v);
	(void)close(o->root);
	(void)close(o->base);
	free(o);
	return NULL;
}

static int open_of(const struct call *c, const char *what)
{
	char path[64];

	(void)str_fmt(path, sizeof(path), "/proc/%u/%s", c->n.pid, what);
	return open(path, O_PATH | O_CLOEXEC);
}

/* O_PATH is ignored there: the file is opened, for reading. */
static struct verdict open_really(const struct call *c, int dirfd, const char *path, int flags)
{
	struct opening *o = calloc(1, sizeof(*o));
	char base[32] = "cwd", rooted[NAME_MAX_BYTES + 64], prefix[32];
	pthread_t thread;
	const char *inside;

	if (!o)
		abort();
	if (dirfd != AT_FDCWD && *path != '/')
		(void)str_fmt(base, sizeof(base), "fd/%d", dirfd);
	*o = (struct opening){.call = *c, .flags = flags & ~O_PATH, .root = open_of(c, "root"), .base = open_of(c, base)};
	/* "self" in it became a number. */
	(void)str_fmt(prefix, sizeof(prefix), "/proc/%u/root", c->n.pid);
	inside = remote_path(c, dirfd, path, rooted, sizeof(rooted)) ? str_skip(rooted, prefix) : NULL;
	if (o->root < 0 || o->base < 0 || !remote_ids(c, &o->uid, &o->gid) ||
	    str_fmt(o->path, sizeof(o->path), "%s", *path == '/' && inside ? inside : path) < 0 ||
	    pthread_create(&thread, NULL, open_for, o)) {
		if (o->root >= 0)
			(void)close(o->root);
		if (o->base >= 0)
			(void)close(o->base);
		free(o);
		return fail(EBADF);
	}
	(void)pthread_detach(thread);
	return (struct verdict){.what = LATER};
}

struct verdict call_open(const struct call *c)
{
	const uint64_t *a = (const uint64_t *)c->n.data.args;
	bool at = c->n.data.nr == SYS_openat;
	int dirfd = at ? (int)a[0] : AT_FDCWD, flags = (int)(at ? a[2] : a[1]);
	char path[NAME_MAX_BYTES];
	struct verdict v;

	if (!remote_string(c, at ? a[1] : a[0], path, sizeof(path)) || !*path)
		return go_on();
	v = file_use(c, dirfd, path, !(flags & O_PATH), flags);
	if (v.what == GO_ON && (flags & O_PATH) && (c->kernel->bit & OLD) && !remote_is_glibc(c))
		return open_really(c, dirfd, path, flags);
	return v;
}

/* ---- the loop ---- */

static const struct {
	int nr;
	struct verdict (*handle)(const struct call *c);
} handlers[] = {
	{SYS_open, call_open},		 {SYS_openat, call_open},	 {SYS_stat, call_stat},
	{SYS_lstat, call_stat},		 {SYS_newfstatat, call_stat},	 {SYS_access, call_stat},
	{SYS_faccessat, call_stat},	 {SYS_readlink, call_stat},	 {SYS_readlinkat, call_stat},
	{SYS_mount, call_mount},	 {SYS_clone, call_clone},	 {SYS_uname, call_uname},
	{SYS_seccomp, call_seccomp},	 {SYS_prlimit64, call_prlimit},	 {SYS_sendto, call_send},
	{SYS_sendmsg, call_send},	 {SYS_getsockopt, call_peer},	 {SYS_fallocate, call_fallocate},
	{SYS_setxattr, call_xattr},	 {SYS_lsetxattr, call_xattr},	 {SYS_fsetxattr, call_xattr},
	{SYS_getxattr, call_xattr},	 {SYS_lgetxattr, call_xattr},	 {SYS_fgetxattr, call_xattr},
	{SYS_rmdir, call_remove},	 {SYS_unlinkat, call_remove},	 {SYS_rename, call_remove},
	{SYS_statfs, call_statfs},	 {SYS_fstatfs, call_statfs},	 {SYS_connect, call_connect},
	{SYS_renameat, call_remove},	 {SYS_unlink, call_remove},	 {SYS_rt_sigaction, call_sigaction},
};

static struct verdict judge(const struct call *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		if (handlers[i].nr == c->n.data.nr)
			return handlers[i].handle(c);
	return go_on();
}

enum { THREADS = 32 };

struct work {
	const struct kernel *kernel;
	int listener;
};

/* Some kernels wake everybody who waits for a call: one waits, and hands its turn on before it looks. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static void *serve(void *data)
{
	const struct work *w = data;

	for (;;) {
		struct call c = {.kernel = w->kernel, .listener = w->listener};
		struct verdict v;
		int rc;

		pthread_mutex_lock(&turn);
		rc = ioctl(w->listener, SECCOMP_IOCTL_NOTIF_RECV, &c.n);
		pthread_mutex_unlock(&turn);
		/* ENOENT: who asked is gone. */
		if (rc < 0)
			continue;
		v = judge(&c);
		answer(&c, &v);
	}
	return NULL;
}

void supervise(const struct kernel *k, int listener)
{
	struct pollfd wait = {.fd = listener};
	struct work work = {k, listener};
	const uint64_t sync_wake_up = 1;
	pthread_t thread;

	calls_prepare();
	/* Quicker where the kernel has it (6.6): caller and supervisor take turns on one processor. */
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, sync_wake_up);
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, serve, &work))
			abort();
	/* Nothing but the end of the last process under the filter; the threads end with this one. */
	while (!(poll(&wait, 1, -1) > 0 && wait.revents & (POLLHUP | POLLERR)))
		;
}
