/*
 * create_clone.c - create: the first process and its namespaces
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "runtime/oci/create.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const enum ns_kind shareable[] = {NS_NET, NS_IPC, NS_UTS};

static bool has_host_hooks(const struct oci_spec *spec)
{
	const struct oci_hooks *h = &spec->hooks;

	return h->prestart.n || h->create_runtime.n || h->poststart.n || h->poststop.n;
}

/* Who has left the host's namespaces cannot go back. */
static int check_left(const struct creation *x, struct err *err)
{
	unsigned int left = x->options->left ? *x->options->left : 0;

	for (size_t i = 0; i < ARRAY_SIZE(shareable); i++)
		if (left & 1u << shareable[i] && !x->init.listed_ns[shareable[i]])
			return err_set(err, ERR_UNSUPPORTED,
				       "join-namespaces: the %s namespace cannot be the host's where another one is another container's: %s",
				       ns_types[shareable[i]].oci, ns_join_fit(shareable[i]).reason);
	if (left && has_host_hooks(x->spec))
		return err_set(err, ERR_UNSUPPORTED, "join-namespaces: a container with hooks cannot have another's namespaces: %s",
			       ns_join_fit(NS_NET).reason);
	return 0;
}

int creation_namespaces(struct creation *x, struct err *err)
{
	struct init *in = &x->init;

	VEC_EACH(n, &x->spec->linux_.namespaces) {
		int kind = ns_parse(n->type);
		struct fit join;
		int rc = 0;

		if (!ns_exists(kind))
			return err_set(err, ERR_UNSUPPORTED, "this kernel has no %s namespaces", n->type);
		in->listed_ns[kind] = true;
		if (x->options->entered & 1u << kind)
			continue;
		if (str_empty(n->path)) {
			in->new_ns[kind] = true;
			continue;
		}
		rc = ns_set_add(&in->join, kind, n->path, err);
		join = ns_join_fit(kind);
		if ((rc || in->join.fds[kind] >= 0) && join.score == FIT_NO)
			return err_set(err, ERR_UNSUPPORTED, "join-namespaces: %s namespace '%s': %s", n->type, n->path,
				       join.reason);
		if (rc)
			return rc;
	}
	return check_left(x, err);
}

/*
 * New namespaces in which others shall be started later, where nobody can join them: ours from now on. Those of a user namespace must be made in
 * that one.
 */
static int enter_new(struct creation *x, struct err *err)
{
	struct init *in = &x->init;
	int flags = 0;

	if (!x->options->left || in->listed_ns[NS_USER] || has_host_hooks(x->spec))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(shareable); i++) {
		if (!in->new_ns[shareable[i]] || ns_join_fit(shareable[i]).score > FIT_NO)
			continue;
		flags |= ns_types[shareable[i]].flag;
		in->made_ns |= 1u << shareable[i];
	}
	if (flags && unshare(flags) < 0)
		return err_sys(err, errno, "make namespaces that others can share");
	*x->options->left |= in->made_ns;
	return 0;
}

/* Only what the child cannot make for itself: it has the time, we do not. */
static unsigned long clone_flags(const struct init *in)
{
	return (in->new_ns[NS_USER] ? CLONE_NEWUSER : 0) | (in->new_ns[NS_PID] ? CLONE_NEWPID : 0);
}

static int write_time_offsets(const struct oci_time_offsets *t, struct err *err)
{
	const struct {
		const char *name;
		const struct oci_time_offset *offset;
	} clocks[] = {{"monotonic", t->monotonic}, {"boottime", t->boottime}};
	AUTO(buf_clear) struct buf text = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(clocks); i++)
		if (clocks[i].offset)
			buf_fmt(&text, "%s %lld %u\n", clocks[i].name, (long long)clocks[i].offset->secs,
				clocks[i].offset->nanosecs);
	return text.len ? file_put(AT_FDCWD, "/proc/self/timens_offsets", text.data, err) : 0;
}

/*
 * Namespaces which a process can have only for its children: entered around the clone and left again, because the caller may be
 * a program that goes on.
 */
static int children_enter(struct init *in, bool between, const struct oci_time_offsets *t, int own[2], struct err *err)
{
	int rc = 0;

	if (in->join.fds[NS_PID] >= 0 && !between) {
		own[0] = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		rc = own[0] < 0 ? err_sys(err, errno, "open '/proc/self/ns/pid'")
				: ns_join_one(in->join.fds[NS_PID], NS_PID, err);
	}
	if (!rc && (in->join.fds[NS_TIME] >= 0 || in->new_ns[NS_TIME])) {
		own[1] = open("/proc/self/ns/time", O_RDONLY | O_CLOEXEC);
		if (own[1] < 0)
			return err_sys(err, errno, "open '/proc/self/ns/time'");
		if (in->join.fds[NS_TIME] >= 0)
			return ns_join_one(in->join.fds[NS_TIME], NS_TIME, err);
		if (unshare(CLONE_NEWTIME) < 0)
			return err_sys(err, errno, "make a time namespace");
		rc = write_time_offsets(t, err);
	}
	return rc;
}

static void children_leave(int own[2])
{
	if (own[0] >= 0) {
		(void)ns_join_one(own[0], NS_PID, NULL); /* one's own namespace: cannot fail */
		close(own[0]);
	}
	if (own[1] >= 0) {
		(void)ns_join_one(own[1], NS_TIME, NULL);
		close(own[1]);
	}
}

/*
 * An existing user namespace must be entered before the others are made, so that it owns them, and devices for one be made before it
 * is entered; neither by the caller. A process between does it and starts the first one as its sister.
 */
static pid_t clone_by_one_between(struct creation *x, bool devices, unsigned long flags, struct err *err)
{
	struct init *in = &x->init;
	int pair[2], status;
	pid_t between, pid = 0;
	struct {
		pid_t pid;
		struct err err;
	} answer = {0};
	ssize_t n;

	if (sync_pair(pair, err))
		return -EIO;
	between = ns_clone(0);
	if (between == 0) {
		int rc = devices ? creation_devices(x, &answer.err) : 0;

		close(pair[0]);
		if (!rc && in->join.fds[NS_USER] >= 0)
			rc = ns_join_one(in->join.fds[NS_USER], NS_USER, &answer.err);
		if (!rc && in->join.fds[NS_PID] >= 0)
			rc = ns_join_one(in->join.fds[NS_PID], NS_PID, &answer.err);
		if (!rc) {
			pid = ns_clone(flags | CLONE_PARENT);
			if (pid == 0) {
				close(pair[1]);
				return 0;
			}
			if (pid < 0)
				rc = err_sys(&answer.err, -pid, "clone");
		}
		answer.pid = rc ? rc : pid;
		(void)!write(pair[1], &answer, sizeof(answer));
		_exit(0);
	}
	close(pair[1]);
	if (between < 0) {
		close(pair[0]);
		return err_sys(err, -between, "clone");
	}
	n = fd_read_all(pair[0], &answer, sizeof(answer));
	close(pair[0]);
	while (waitpid(between, &status, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(answer))
		return err_sys(err, EPIPE, "clone for the user namespace");
	if (answer.pid <= 0 && err)
		*err = answer.err;
	return answer.pid > 0 ? answer.pid : -answer.err.code;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void close_others(int preserve, int *keep, size_t count)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (keep[i] >= 3 + preserve)
			keep[n++] = keep[i];
	qsort(keep, n, sizeof(*keep), by_number);
	fd_close_from(3 + preserve, keep, n);
}

/* The child: nothing of the caller's but what it needs. */
static void run_child(struct creation *x) __attribute__((noreturn));
static void run_child(struct creation *x)
{
	const struct oci_create *o = x->options;
	struct init *in = &x->init;
	int keep[NS_COUNT + 8];
	size_t n = 0;

	keep[n++] = in->sync;
	keep[n++] = in->proc_fd;
	keep[n++] = in->listen_socket;
	keep[n++] = in->agent_socket;
	keep[n++] = o->console_socket;
	for (int i = 0; i < 3; i++)
		keep[n++] = o->stdio[i];
	for (int i = 0; i < NS_COUNT; i++)
		keep[n++] = in->join.fds[i];
	close_others(o->preserve_fds > o->listen_fds ? o->preserve_fds : o->listen_fds, keep, n);
	/* What the parent would close or free is not the child's. */
	x->c->sync = x->c->console = -1;
	init_main(in);
}

/* Born in its group where that is possible: a move costs the kernel's grace period on v2. */
static pid_t clone_into_group(struct init *in, int group)
{
	pid_t pid;

	in->cgroup_born = group >= 0;
	pid = in->cgroup_born ? ns_clone_into(clone_flags(in), group) : -1;
	if (pid >= 0)
		return pid;
	in->cgroup_born = false;
	return ns_clone(clone_flags(in));
}

int creation_clone(struct creation *x, struct err *err)
{
	struct init *in = &x->init;
	bool devices = creation_wants_devices(x), between = devices || in->join.fds[NS_USER] >= 0;
	auto_fd int into = -1;
	int own[2] = {-1, -1}, pair[2], rc = 0;

	if (in->cg && cgroup_mode(in->cg) == CGROUP_V2) {
		rc = creation_group(x, err);
		into = rc ? -1 : cgroup_clone_fd(in->cg);
	}
	if (!rc)
		rc = enter_new(x, err);
	if (!rc)
		rc = sync_pair(pair, err);
	if (rc)
		return rc;
	x->parent_sync = pair[0];
	in->sync = in->setup.sync = pair[1];
	rc = children_enter(in, between, &x->spec->linux_.time_offsets, own, err);
	if (!rc) {
		x->pid = between ? clone_by_one_between(x, devices, clone_flags(in), err) : clone_into_group(in, into);
		/* 3.12 makes no user namespace for a sister: then the devices are the host's. */
		if (x->pid == -EINVAL && between && in->join.fds[NS_USER] < 0 && in->join.fds[NS_PID] < 0) {
			err_clear(err);
			x->pid = clone_into_group(in, into);
		}
		if (x->pid == 0)
			run_child(x);
		if (x->pid < 0)
			rc = err && err->code ? x->pid : err_sys(err, -x->pid, "clone");
	}
	children_leave(own);
	close(pair[1]);
	return rc;
}

/* ---- ids --------------------------------------------------------------------------------------------------------------- */

int creation_tell(struct creation *x, enum sync_kind kind, struct err *err)
{
	int rc = x->parent_sync < 0 ? 0 : sync_send(x->parent_sync, kind, -1);

	return rc < 0 && rc != -EPIPE && rc != -ECONNRESET ? err_sys(err, -rc, "talk to the first process") : 0;
}

static int write_map(pid_t pid, const char *file, const oci_id_map_vec *maps, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char path[64];

	for (size_t i = 0; i < maps->n; i++)
		buf_fmt(&text, "%u %u %u\n", maps->v[i].container_id, maps->v[i].host_id, maps->v[i].size);
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	return text.len ? file_put(AT_FDCWD, path, text.data, err) : 0;
}

int creation_map_ids(struct creation *x, struct err *err)
{
	const struct oci_linux *l = &x->spec->linux_;
	int rc;

	if (!x->init.new_ns[NS_USER])
		return 0;
	rc = write_map(x->pid, "uid_map", &l->uid_mappings, err);
	if (!rc)
		rc = write_map(x->pid, "gid_map", &l->gid_mappings, err);
	return rc ? rc : creation_tell(x, SYNC_MAPPED, err);
}
