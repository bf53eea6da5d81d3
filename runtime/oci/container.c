/*
 * container.c - create: the caller's half
 *
 * The child sets up its mounts while the parent, on another processor, sets limits and writes the state; they meet twice.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
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
#include "compat/kernel/caps.h"
#include "runtime/oci/create.h"
#include "runtime/oci/exec_backend.h"
#include "runtime/oci/words.h"

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

void creation_note(const struct creation *x, const char *level, const char *format, ...)
{
	char text[1024];
	va_list args;

	if (!x->options->note)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	x->options->note(level, text);
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
	config = x->options->config && *x->options->config == '/'
			 ? xstrdup(x->options->config)
			 : path_join(real, x->options->config ? x->options->config : CONFIG_FILE);
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

/* ---- what the parent does meanwhile -------------------------------------------------------------------------------------- */

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

int creation_limits(struct creation *x, struct err *err)
{
	int rc = 0;

	if (x->c->cg) {
		allow_default_devices(&x->spec->linux_.resources);
		rc = cgroup_apply(x->c->cg, &x->spec->linux_.resources, err);
		kept_note(x->c);
	}
	if (!rc && x->spec->process && x->pid > 0)
		rc = process_oom_score(x->pid, x->spec->process, err);
	return rc ? rc : creation_tell(x, SYNC_APPLIED, err);
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

	oci_hook_state(x->c, OCI_CREATED, &state);
	rc = oci_hooks_run("prestart", &h->prestart, &state, err);
	if (!rc)
		rc = oci_hooks_run("createRuntime", &h->create_runtime, &state, err);
	return rc ? rc : creation_tell(x, SYNC_HOOKED, err);
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

int creation_directory(struct creation *x, struct err *err)
{
	int rc = oci_claim(x->c, &x->lock, err);

	x->made_directory = !rc;
	return rc;
}

int creation_open_cgroup(struct creation *x, struct err *err)
{
	struct oci_container *c = x->c;
	const struct opt_i64 *memory = &x->spec->linux_.resources.memory.limit;
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
	if (rc)
		return rc;
	x->init.cg = c->cg;
	c->keeps = x->options->keeps;
	cgroup_keep(c->cg, c->keeps | CGROUP_KEEPS_MEMORY);
	/* Known before the clone, because the first process may have to set it itself. */
	if (cgroup_lacks(c->cg, CGROUP_MEMORY) && memory->set && memory->v > 0)
		x->init.setup.address_space = memory->v;
	return 0;
}

/* One that somebody else made, and may be using. */
static int look_into_group(struct creation *x, struct err *err)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};
	bool frozen = false;

	/* The first process would stand still on its way in, and we with it. */
	if (cgroup_is_frozen(x->c->cg, &frozen, NULL) == 0 && frozen)
		return err_set(err, ERR_CONFLICT, "container's cgroup unexpectedly frozen: '%s'", cgroup_path(x->c->cg));
	if (cgroup_pids(x->c->cg, &pids, NULL) >= 0 && pids.n)
		creation_note(x, "warning", "container's cgroup is not empty: %zu process(es) found in '%s'", pids.n,
			      cgroup_path(x->c->cg));
	return 0;
}

int creation_group(struct creation *x, struct err *err)
{
	int rc = 0;

	if (!x->c->cg || x->has_cgroup)
		return 0;
	x->has_cgroup = true;
	x->made_cgroup = !cgroup_exists(x->c->cg);
	rc = x->made_cgroup ? oci_claim_cgroup(x->c, x->lock, err) : look_into_group(x, err);
	return rc ? rc : cgroup_create(x->c->cg, err);
}

int creation_make_cgroup(struct creation *x, struct err *err)
{
	int rc = creation_group(x, err);

	return rc ? rc : creation_tell(x, SYNC_CGROUP, err);
}

char *oci_seccomp_cache(const char *root)
{
	return path_join(root, ".seccomp");
}

/* One listener for all that an agent starts would be no listener of any: then there is no exec. */
static bool agent_wanted(const struct oci_spec *spec)
{
	const struct seccomp_spec *s = spec->linux_.seccomp;

	return exec_setns_fit(spec).score == FIT_NO && !(s && !str_empty(s->listener_path));
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
		.nosuid = p && p->no_new_privileges,
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
	if (!rc && agent_wanted(x->spec)) {
		auto_free char *path = path_join(x->c->dir, AGENT_SOCKET);

		rc = unix_listen(path, 0600, &in->agent_socket, err);
	}
	return rc;
}

int oci_write_pid_file(const char *path, pid_t pid, struct err *err)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid);

	return path ? file_replace(AT_FDCWD, path, text, (size_t)n, 0644, FILE_NO_SYNC, err) : 0;
}

int creation_pid_file(struct creation *x, struct err *err)
{
	return oci_write_pid_file(x->options->pid_file, x->pid, err);
}

static int finish(struct creation *x, struct err *err)
{
	const struct oci_process *p = x->spec->process;
	int rc = 0;

	if (p && !x->init.start) {
		rc = process_rlimits(x->pid, &x->init.setup, err);
		if (!rc)
			rc = process_scheduling(x->pid, p, err);
	}
	return rc ? rc : creation_pid_file(x, err);
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

/* runtime-spec, config.md#linux-process: a warning, no failure. */
static void note_capabilities(const struct creation *x)
{
	const struct oci_process *p = x->spec->process;
	AUTO(buf_clear) struct buf names = BUF_INIT;
	uint64_t missing;

	if (!p || !p->capabilities || !x->options->note)
		return;
	missing = (p->capabilities->bounding | p->capabilities->permitted | p->capabilities->effective) & ~caps_bounding();
	for (int cap = 0; cap < 64; cap++)
		if (missing & CAP_BIT(cap))
			buf_fmt(&names, "%s%s", names.len ? ", " : "", cap_name(cap) ? cap_name(cap) : "some that no kernel knows");
	if (names.len)
		creation_note(x, "warning", "process.capabilities: cannot be granted here: %s", buf_cstr(&names));
}

int creation_check(struct creation *x, struct err *err)
{
	int rc = check_fds(x->options, err);

	if (!rc)
		rc = read_bundle(x, err);
	if (!rc)
		note_capabilities(x);
	if (!rc)
		rc = check_process(x, err);
	if (!rc)
		rc = oci_host_check(x->spec, err);
	if (!rc)
		rc = creation_namespaces(x, err);
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

int creation_save(struct creation *x, struct err *err)
{
	take_hooks(x);
	return save(x, err);
}

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
	if (in->agent_socket >= 0)
		close(in->agent_socket);
	buf_clear(&x->config);
	seccomp_program_clear(&x->seccomp);
	free(x->keyring);
}

int creation_run(const struct oci_create *create, const struct creation_stage *stages, size_t count, void *arg,
		 struct oci_container **ret, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct creation x = {.options = create, .parent_sync = -1, .lock = -1, .arg = arg};
	int rc = oci_id_check(create->id, err);

	if (rc)
		return rc;
	c = xcalloc(1, sizeof(*c));
	c->sync = c->console = -1;
	c->root = xstrdup(create->root ? create->root : OCI_DEFAULT_ROOT);
	c->dir = path_join(c->root, create->id);
	c->state.id = xstrdup(create->id);
	c->state.version = xstrdup(OCI_VERSION);
	x.c = c;
	x.keyring = xfmt("_ses.%s", create->id);
	x.init.join = NS_SET_INIT;
	x.init.proc_fd = x.init.listen_socket = x.init.agent_socket = -1;
	for (size_t i = 0; i < count && !rc; i++) {
		if (stages[i].name)
			creation_note(&x, "debug", "container '%s': %s", create->id, stages[i].name);
		rc = stages[i].run(&x, err);
		if (rc && stages[i].name)
			err_wrap(err, rc, "%s", stages[i].name);
	}
	release(&x);
	if (rc)
		undo(&x);
	if (x.lock >= 0)
		close(x.lock);
	if (rc) {
		if (x.parent_sync >= 0)
			close(x.parent_sync);
		return rc;
	}
	/* One that did not wait for its start has nothing more to hear. */
	if (x.init.start)
		close(fd_take(&x.parent_sync));
	c->sync = x.parent_sync;
	*ret = take(c);
	return 0;
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
	static const struct creation_stage stages[] = {
		{NULL, creation_check},
		{NULL, creation_directory},
		{"prepare", prepare},
		{"cgroup", creation_open_cgroup},
		{"start the first process", creation_clone},
		{"cgroup", creation_make_cgroup},
		{"map ids", creation_map_ids},
		{"limits", creation_limits},
		{"save state", creation_save},
		{NULL, follow},
		{"process", finish},
	};
	struct err ignored = ERR_INIT;
	int rc;

	if (!err)
		err = &ignored;
	rc = creation_run(create, stages, ARRAY_SIZE(stages), NULL, ret, err);
	if (rc || !create->start)
		return rc;
	if ((*ret)->sync >= 0)
		return start_made(ret, err);
	oci_poststart(*ret, err);
	return 0;
}
