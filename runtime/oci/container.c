/*
 * container.c - create: the caller's half
 *
 * The child sets up its mounts while the parent, on another processor, sets limits and writes the state; they meet twice.
 */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/oci/internal.h"
#include "runtime/oci/words.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

struct creation {
	const struct oci_create *options;
	struct oci_container *c;
	struct oci_spec *spec;		/* c->spec */
	struct buf config;		/* config.json as it was read */
	struct seccomp_program seccomp;
	struct init init;
	char *keyring;
	int parent_sync;
	bool made_directory, made_cgroup, has_cgroup;
	pid_t pid;
};

/* ---- checks before anything is touched ----------------------------------------------------------------------------------- */

int oci_id_check(const char *id, struct err *err)
{
	size_t n = id ? strlen(id) : 0;

	if (!n || n > 255)
		return err_set(err, ERR_INVALID, "a container id has 1 to 255 characters");
	if (id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")] || *id == '.')
		return err_set(err, ERR_INVALID, "'%s' is not a container id: letters, digits and _ + - . only, no dot in front",
			       id);
	return 0;
}

static int check_fds(const struct oci_create *o, struct err *err)
{
	int n = o->preserve_fds > o->listen_fds ? o->preserve_fds : o->listen_fds;

	for (int i = 3; i < 3 + n; i++)
		if (fcntl(i, F_GETFD) < 0)
			return err_set(err, ERR_INVALID, "%d fds shall be preserved, but fd %d is not open", n, i);
	return 0;
}

static int read_bundle(struct creation *x, struct err *err)
{
	struct oci_container *c = x->c;
	auto_free char *config = NULL;
	auto_free char *rootfs = NULL;
	char *real = realpath(x->options->bundle ? x->options->bundle : ".", NULL);
	struct stat st;
	int rc;

	if (!real)
		return err_sys(err, errno, "open bundle '%s'", x->options->bundle ? x->options->bundle : ".");
	c->state.bundle = real;
	config = path_join(real, CONFIG_FILE);
	rc = file_read(AT_FDCWD, config, OCI_SPEC_MAX_BYTES, &x->config, err);
	if (rc < 0)
		return rc;
	c->spec = xcalloc(1, sizeof(*c->spec));
	rc = oci_spec_parse(buf_cstr(&x->config), x->config.len, c->spec, err);
	if (rc)
		return rc;
	x->spec = c->spec;
	rootfs = *c->spec->root.path == '/' ? xstrdup(c->spec->root.path) : path_join(real, c->spec->root.path);
	c->state.rootfs = realpath(rootfs, NULL);
	if (!c->state.rootfs || stat(c->state.rootfs, &st) < 0)
		return err_sys(err, errno, "open root file system '%s'", rootfs);
	if (!S_ISDIR(st.st_mode))
		return err_sys(err, ENOTDIR, "open root file system '%s'", rootfs);
	return 0;
}

/* ---- namespaces ---------------------------------------------------------------------------------------------------------- */

static int plan_namespaces(struct creation *x, struct err *err)
{
	struct init *in = &x->init;

	VEC_EACH(n, &x->spec->linux_.namespaces) {
		int kind = ns_parse(n->type);
		int rc = 0;

		if (!ns_exists(kind))
			return err_set(err, ERR_UNSUPPORTED, "this kernel has no %s namespaces", n->type);
		in->listed_ns[kind] = true;
		if (str_empty(n->path)) {
			in->new_ns[kind] = true;
			continue;
		}
		rc = ns_set_add(&in->join, kind, n->path, err);
		if (rc)
			return rc;
	}
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
static int children_enter(struct init *in, const struct oci_time_offsets *t, int own[2], struct err *err)
{
	int rc = 0;

	if (in->join.fds[NS_PID] >= 0 && in->join.fds[NS_USER] < 0) {
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
 * An existing user namespace must be entered before the others are made, so that it owns them; and not by the caller. A process
 * between enters it and starts the first one as its sister.
 */
static pid_t clone_in_user_ns(struct init *in, unsigned long flags, struct err *err)
{
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
		int rc = ns_join_one(in->join.fds[NS_USER], NS_USER, &answer.err);

		close(pair[0]);
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
		return err_sys(err, EPIPE, "clone in the user namespace");
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

/* Once: on v2 before the first process, which is born in it, else while that process makes its namespaces. */
static int create_group(struct creation *x, struct err *err)
{
	if (!x->c->cg || x->has_cgroup)
		return 0;
	x->has_cgroup = true;
	x->made_cgroup = !cgroup_exists(x->c->cg);
	return cgroup_create(x->c->cg, err);
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

static int start_child(struct creation *x, struct err *err)
{
	struct init *in = &x->init;
	auto_fd int into = -1;
	int own[2] = {-1, -1}, pair[2], rc = 0;

	if (in->cg && cgroup_mode(in->cg) == CGROUP_V2) {
		rc = create_group(x, err);
		into = rc ? -1 : cgroup_clone_fd(in->cg);
	}
	if (!rc)
		rc = sync_pair(pair, err);
	if (rc)
		return rc;
	x->parent_sync = pair[0];
	in->sync = in->setup.sync = pair[1];
	rc = children_enter(in, &x->spec->linux_.time_offsets, own, err);
	if (!rc) {
		if (in->join.fds[NS_USER] >= 0)
			x->pid = clone_in_user_ns(in, clone_flags(in), err);
		else
			x->pid = clone_into_group(in, into);
		if (x->pid == 0)
			run_child(x);
		if (x->pid < 0)
			rc = err && err->code ? x->pid : err_sys(err, -x->pid, "clone");
	}
	children_leave(own);
	close(pair[1]);
	return rc;
}

/* ---- what the parent does meanwhile -------------------------------------------------------------------------------------- */

/* A child that is gone has left its reason behind, which follow() reads. */
static int tell(struct creation *x, enum sync_kind kind, struct err *err)
{
	int rc = sync_send(x->parent_sync, kind, -1);

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

static int map_ids(struct creation *x, struct err *err)
{
	const struct oci_linux *l = &x->spec->linux_;
	int rc;

	if (!x->init.new_ns[NS_USER])
		return 0;
	rc = write_map(x->pid, "uid_map", &l->uid_mappings, err);
	if (!rc)
		rc = write_map(x->pid, "gid_map", &l->gid_mappings, err);
	return rc ? rc : tell(x, SYNC_MAPPED, err);
}

/* runtime-spec: these are there and usable in every container that has device rules at all. */
static void allow_default_devices(struct cgroup_resources *r)
{
	static const struct {
		const char *type;
		int major, minor;
		const char *access;
	} rules[] = {
		{"c", -1, -1, "m"}, {"b", -1, -1, "m"}, {"c", 1, 3, "rwm"}, {"c", 1, 5, "rwm"},  {"c", 1, 7, "rwm"},
		{"c", 1, 8, "rwm"}, {"c", 1, 9, "rwm"}, {"c", 5, 0, "rwm"}, {"c", 5, 2, "rwm"}, {"c", 136, -1, "rwm"},
	};

	for (size_t i = 0; r->devices.n && i < ARRAY_SIZE(rules); i++) {
		struct cgroup_device *d = VEC_ADD(&r->devices);

		d->allow = true;
		d->type = xstrdup(rules[i].type);
		d->access = xstrdup(rules[i].access);
		d->major = (struct opt_i64){true, rules[i].major};
		d->minor = (struct opt_i64){true, rules[i].minor};
	}
}

static int apply_limits(struct creation *x, struct err *err)
{
	int rc = 0;

	if (x->c->cg) {
		allow_default_devices(&x->spec->linux_.resources);
		rc = cgroup_apply(x->c->cg, &x->spec->linux_.resources, err);
	}
	if (!rc && x->spec->process)
		rc = process_oom_score(x->pid, x->spec->process, err);
	return rc ? rc : tell(x, SYNC_APPLIED, err);
}

static int save(struct creation *x, struct err *err)
{
	struct oci_state *s = &x->c->state;
	auto_free char *config = path_join(x->c->dir, CONFIG_FILE);
	struct proc_ref ref;
	char boot[37];
	int rc;

	s->pid = x->pid;
	/* A child that died already says why on the socket. */
	if (proc_ref_get(x->pid, &ref) == 0)
		s->pid_start = ref.start;
	s->created_ns = time_now_ns();
	s->owner = geteuid();
	if (!proc_boot_id(boot, NULL))
		str_set(&s->boot_id, boot);
	strmap_copy(&s->annotations, &x->spec->annotations);
	rc = file_write(AT_FDCWD, config, x->config.data, x->config.len, 0600, err);
	return rc < 0 ? rc : oci_state_write(x->c, err);
}

static int run_hooks(struct creation *x, struct err *err)
{
	const struct oci_hooks *h = &x->spec->hooks;
	AUTO(buf_clear) struct buf state = BUF_INIT;
	int rc;

	oci_hook_state(x->c, OCI_CREATING, &state);
	rc = oci_hooks_run("prestart", &h->prestart, &state, err);
	if (!rc)
		rc = oci_hooks_run("createRuntime", &h->create_runtime, &state, err);
	return rc ? rc : tell(x, SYNC_HOOKED, err);
}

/* Serve the child until it is ready, or, when it does not wait, until it has executed its program. */
static int follow(struct creation *x, struct err *err)
{
	for (;;) {
		enum sync_kind kind = 0;
		int fd = -1;
		int rc = sync_recv(x->parent_sync, &kind, &fd, err);

		if (rc == -EPIPE && err->code == EPIPE) {
			int status = 0;

			if (x->init.start) {
				err_clear(err);
				return 0;
			}

			if (waitpid(x->pid, &status, 0) == x->pid) {
				x->pid = 0;
				return err_set(err, ERR_INTERNAL, "the container's first process died: %s",
					       WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "it exited");
			}
		}
		if (rc)
			return rc;
		if (kind == SYNC_READY)
			return 0;
		if (kind == SYNC_RUN_HOOKS)
			rc = run_hooks(x, err);
		else if (kind == SYNC_CONSOLE)
			x->c->console = fd;
		else if (kind == SYNC_NOTIFY) {
			rc = oci_seccomp_notify(x->c, x->spec->linux_.seccomp, x->pid, fd, err);
			close(fd);
		}
		if (rc)
			return rc;
	}
}

/* ---- in order ------------------------------------------------------------------------------------------------------------ */

static int make_directory(struct creation *x, struct err *err)
{
	struct oci_container *c = x->c;
	int rc = mkdir(c->dir, 0700);

	if (rc < 0 && errno == ENOENT) {
		rc = path_mkdirs(c->root, 0711, err);
		if (rc)
			return rc;
		rc = mkdir(c->dir, 0700);
	}
	if (rc < 0 && errno == EEXIST)
		return err_set(err, ERR_CONFLICT, "container with id exists: %s", c->state.id);
	if (rc < 0)
		return err_sys(err, errno, "create directory '%s'", c->dir);
	x->made_directory = true;
	return 0;
}

static int open_cgroup(struct creation *x, struct err *err)
{
	struct oci_container *c = x->c;
	const char *path = x->spec->linux_.cgroups_path;
	int rc;

	if (str_empty(path))
		c->state.cgroup = xfmt("/%s", c->state.id);
	else
		c->state.cgroup = xstrdup(path);
	rc = cgroup_open(c->state.cgroup, &c->cg, err);
	if (rc && cgroup_host_mode() == CGROUP_NONE &&
	    json_is_empty(&cgroup_resources_table, &x->spec->linux_.resources)) {
		c->state.no_cgroup = true;
		return 0;
	}
	x->init.cg = c->cg;
	return rc;
}

static int make_cgroup(struct creation *x, struct err *err)
{
	int rc = create_group(x, err);

	return rc ? rc : tell(x, SYNC_CGROUP, err);
}

char *oci_seccomp_cache(const char *root)
{
	return path_join(root, ".seccomp");
}

static int prepare(struct creation *x, struct err *err)
{
	const struct oci_create *o = x->options;
	const struct oci_process *p = x->spec->process;
	struct init *in = &x->init;
	uint64_t personality;
	int rc = 0;

	in->spec = x->spec;
	in->container = x->c;
	in->no_pivot = o->no_pivot;
	/* In a user namespace it is the parent that may raise limits, so there must be a moment for it. */
	in->start = o->start && !in->listed_ns[NS_USER];
	in->setup = (struct process_setup){
		.process = p, .stdio = {o->stdio[0], o->stdio[1], o->stdio[2]},
		.console_socket = o->console_socket, .preserve_fds = o->preserve_fds, .listen_fds = o->listen_fds,
		.no_new_keyring = o->no_new_keyring, .keyring = x->keyring, .self_limits = in->start,
	};
	in->proc_fd = in->setup.proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (in->proc_fd < 0)
		return err_sys(err, errno, "open '/proc'");
	if (x->spec->linux_.seccomp) {
		auto_free char *cache = o->seccomp_cache ? xstrdup(o->seccomp_cache) : oci_seccomp_cache(x->c->root);

		rc = seccomp_compile(x->spec->linux_.seccomp, cache, &x->seccomp, err);
		in->setup.seccomp = &x->seccomp;
	}
	if (x->spec->linux_.personality) {
		(void)oci_word(oci_personalities, x->spec->linux_.personality->domain, &personality);
		in->setup.personality = (struct opt_u64){true, personality};
	}
	if (!rc && o->start_by_other) {
		auto_free char *path = path_join(x->c->dir, START_SOCKET);

		rc = unix_listen(path, 0600, &in->listen_socket, err);
	}
	return rc;
}

int oci_write_pid_file(const char *path, pid_t pid, struct err *err)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid);

	return path ? file_replace(AT_FDCWD, path, text, (size_t)n, 0644, FILE_NO_SYNC, err) : 0;
}

static int finish(struct creation *x, struct err *err)
{
	const struct oci_process *p = x->spec->process;
	int rc = 0;

	if (p && !x->init.start) {
		rc = process_rlimits(x->pid, p, err);
		if (!rc)
			rc = process_scheduling(x->pid, p, err);
	}
	return rc ? rc : oci_write_pid_file(x->options->pid_file, x->pid, err);
}

static int check_process(const struct creation *x, struct err *err)
{
	const struct oci_process *p = x->spec->process;
	const struct oci_create *o = x->options;

	if (!p)
		return o->start ? err_set(err, ERR_INVALID, "config.json has no process to start") : 0;
	if (p->terminal && o->no_console && o->console_socket < 0)
		return err_set(err, ERR_INVALID,
			       "config.json: process.terminal: nobody stays to hold the terminal; give --console-socket");
	if (!p->terminal && o->console_socket >= 0)
		return err_set(err, ERR_INVALID, "--console-socket is given, but process.terminal is false");
	return 0;
}

static int read_and_check(struct creation *x, struct err *err)
{
	int rc = check_fds(x->options, err);

	if (!rc)
		rc = read_bundle(x, err);
	if (!rc)
		rc = check_process(x, err);
	if (!rc)
		rc = plan_namespaces(x, err);
	return rc;
}

static void take_hooks(struct creation *x)
{
	struct oci_hooks copy = {0};

	/* State keeps what start and delete need, so that they need not read config.json. */
	if (!x->spec->hooks.poststart.n && !x->spec->hooks.poststop.n)
		return;
	json_copy(&oci_hooks_table, &copy, &x->spec->hooks);
	x->c->state.poststart = copy.poststart;
	x->c->state.poststop = copy.poststop;
	copy.poststart = copy.poststop = (oci_hook_vec){0};
	json_clear(&oci_hooks_table, &copy);
}

static int save_with_hooks(struct creation *x, struct err *err)
{
	take_hooks(x);
	return save(x, err);
}

static const struct {
	const char *name;	/* NULL: the messages speak for themselves */
	int (*run)(struct creation *, struct err *);
} stages[] = {
	{NULL, read_and_check},
	{NULL, make_directory},
	{"prepare", prepare},
	{"cgroup", open_cgroup},
	{"start the first process", start_child},
	{"cgroup", make_cgroup},
	{"map ids", map_ids},
	{"limits", apply_limits},
	{"save state", save_with_hooks},
	{NULL, follow},
	{"process", finish},
};

void oci_kill_child(pid_t pid)
{
	if (pid <= 0)
		return;
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void undo(struct creation *x)
{
	oci_kill_child(x->pid);
	if (x->made_cgroup && x->c->cg)
		(void)cgroup_remove(x->c->cg, NULL); /* the first error is the one to report */
	if (x->made_directory)
		(void)path_remove_tree(x->c->dir, NULL);
}

static void release(struct creation *x)
{
	struct init *in = &x->init;

	ns_set_close(&in->join);
	if (in->proc_fd >= 0)
		close(in->proc_fd);
	if (in->listen_socket >= 0)
		close(in->listen_socket);
	buf_clear(&x->config);
	seccomp_program_clear(&x->seccomp);
	free(x->keyring);
}

/* What could not be started is not to be left. */
static int start_made(struct oci_container **c, struct err *err)
{
	int rc = oci_start(*c, err);

	if (rc) {
		(void)oci_delete(*c, true, NULL); /* the first error is the one to report */
		oci_kill_child((*c)->state.pid);
		oci_container_free(take(*c));
	}
	return rc;
}

int oci_create(const struct oci_create *create, struct oci_container **ret, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct creation x = {.options = create, .parent_sync = -1};
	struct err ignored = ERR_INIT;
	int rc = oci_id_check(create->id, err);

	if (rc)
		return rc;
	if (!err)
		err = &ignored;
	c = xcalloc(1, sizeof(*c));
	c->sync = c->console = -1;
	c->root = xstrdup(create->root ? create->root : OCI_DEFAULT_ROOT);
	c->dir = path_join(c->root, create->id);
	c->state.id = xstrdup(create->id);
	c->state.version = xstrdup(OCI_VERSION);
	x.c = c;
	x.keyring = xfmt("_ses.%s", create->id);
	x.init.join = NS_SET_INIT;
	x.init.proc_fd = x.init.listen_socket = -1;
	for (size_t i = 0; i < ARRAY_SIZE(stages) && !rc; i++) {
		rc = stages[i].run(&x, err);
		if (rc && stages[i].name)
			err_wrap(err, rc, "%s", stages[i].name);
	}
	release(&x);
	if (rc) {
		undo(&x);
		if (x.parent_sync >= 0)
			close(x.parent_sync);
		return rc;
	}
	c->sync = x.parent_sync;
	*ret = take(c);
	if (x.init.start) {
		close(fd_take(&(*ret)->sync));
		oci_poststart(*ret, err);
		return 0;
	}
	return create->start ? start_made(ret, err) : 0;
}
