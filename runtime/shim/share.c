/*
 * share - one more shim in the namespaces of this one's container, where the kernel cannot join them
 *
 * What may be shared was made by a thread of the shim (oci_create.left), so that a child of it is in the same namespaces, and yet in the host's
 * mount and pid namespaces, from which a container is made. The shim's own thread stays where it was: before 2.6.36 a socket's path leads only to
 * sockets of the same network namespace, and the container's agent listens in the one in which the shim began. It is this program that is
 * started, nothing that the request could name.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/kernel/ns.h"
#include "runtime/oci/spec.h"
#include "runtime/shim/keeper.h"

int share_mask(const struct strv *kinds, unsigned int *ret, struct err *err)
{
	*ret = 0;
	STRV_EACH(kind, kinds) {
		int n = ns_parse(*kind);

		if (n < 0)
			return err_set(err, ERR_INVALID, "no kind of namespace is called '%.40s'", *kind);
		*ret |= 1u << n;
	}
	return 0;
}

/* ---- the thread -------------------------------------------------------------------------------------------------------- */

#define STACK_BYTES ((size_t)1 << 20)	/* what becomes the first process runs on it, up to its execve() */

struct share_thread {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void (*run)(void *arg);	/* NULL: nothing to do, or done */
	void *arg;
};

static void *serve(void *arg)
{
	struct share_thread *t = arg;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		while (!t->run)
			pthread_cond_wait(&t->changed, &t->lock);
		t->run(t->arg);
		t->run = NULL;
		pthread_cond_signal(&t->changed);
	}
	return NULL;
}

/* It lives as long as the process does. */
static int thread_start(struct keeper *k, struct err *err)
{
	struct share_thread *t = xcalloc(1, sizeof(*t));
	pthread_attr_t attr;
	pthread_t thread;
	int rc;

	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->changed, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	rc = pthread_create(&thread, &attr, serve, t);
	pthread_attr_destroy(&attr);
	if (rc) {
		free(t);
		return err_sys(err, rc, "start a thread for the container's namespaces");
	}
	k->inside = t;
	return 0;
}

static bool needed(void)
{
	static const enum ns_kind kinds[] = {NS_NET, NS_IPC, NS_UTS};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (ns_join_fit(kinds[i]).score == FIT_NO)
			return true;
	return false;
}

int share_run(struct keeper *k, void (*run)(void *arg), void *arg, struct err *err)
{
	struct share_thread *t;
	int rc = k->inside || !needed() ? 0 : thread_start(k, err);

	if (rc < 0)
		return rc;
	t = k->inside;
	if (!t) {
		run(arg);
		return 0;
	}
	pthread_mutex_lock(&t->lock);
	t->arg = arg;
	t->run = run;
	pthread_cond_signal(&t->changed);
	while (t->run)
		pthread_cond_wait(&t->changed, &t->lock);
	pthread_mutex_unlock(&t->lock);
	return 0;
}

/* ---- shims -------------------------------------------------------------------------------------------------------------- */

/* "network,ipc", as the new shim's argument. Owned. */
static char *words(unsigned int mask)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;

	for (int i = 0; i < NS_COUNT; i++)
		if (mask & 1u << i)
			buf_fmt(&text, "%s%s", text.len ? "," : "", ns_types[i].oci);
	return xstrdup(buf_cstr(&text));
}

/* Each is either where this shim is by its own doing, or the host's, where it is too. */
static int check(struct keeper *k, unsigned int kinds, struct err *err)
{
	const struct oci_spec *spec;
	int rc;

	if (k->phase != PHASE_RUNNING && k->phase != PHASE_CREATED)
		return err_set(err, ERR_CONFLICT, "container is not running");
	if (k->runtime != &runtime_oci)
		return err_set(err, ERR_UNSUPPORTED, "join-namespaces: container %.12s was made by another OCI runtime, and this kernel cannot "
						     "join its namespaces", k->id);
	rc = oci_container_spec(k->runtime_state, &spec, err);
	if (rc < 0)
		return rc;
	VEC_EACH(n, &spec->linux_.namespaces) {
		unsigned int kind = 1u << ns_parse(n->type);

		if (kinds & kind && !(k->left & kind))
			return err_set(err, ERR_UNSUPPORTED,
				       "join-namespaces: the %s namespace of container %.12s cannot be shared: it was made for hooks or for "
				       "users of its own, or before pouchd took this kernel for one that cannot join namespaces", n->type, k->id);
	}
	return 0;
}

struct spawning {
	struct proc_spawn spawn;
	pid_t pid;
	struct err *err;
	int rc;
};

static void spawn(void *arg)
{
	struct spawning *x = arg;

	x->rc = proc_spawn(&x->spawn, &x->pid, x->err);
}

int share_spawn(struct keeper *k, const struct shim_spawn *request, const struct shim_frame *frame, pid_t *ret_pid, struct err *err)
{
	auto_free char *left = words(k->left);
	char *argv[] = {(char *)"pouch-shim", request->id, request->dir, *left ? left : NULL, NULL};
	struct spawning x = {.spawn = {.path = "/proc/self/exe", .argv = argv, .new_session = true}, .err = err};
	struct proc_fd fds[SHIM_SPAWN_FDS];
	unsigned int kinds;
	int rc;

	if (str_empty(request->id) || request->id[0] == '-' || str_empty(request->dir) || request->dir[0] != '/')
		return err_set(err, ERR_INVALID, "a new shim needs an id and a directory");
	if (frame->fd_count != SHIM_SPAWN_FDS)
		return err_set(err, ERR_INVALID, "a new shim needs a connection and a listening socket");
	rc = share_mask(&request->kinds, &kinds, err);
	if (rc == 0)
		rc = check(k, kinds, err);
	if (rc < 0)
		return rc;
	for (int i = 0; i < SHIM_SPAWN_FDS; i++)
		fds[i] = (struct proc_fd){frame->fds[i], SHIM_FIRST_FD + i};
	x.spawn.fds = fds;
	x.spawn.fd_count = ARRAY_SIZE(fds);
	rc = share_run(k, spawn, &x, err);
	if (rc == 0 && x.rc == 0)
		*ret_pid = x.pid;
	return rc < 0 ? rc : x.rc;
}
