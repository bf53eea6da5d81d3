/*
 * start - the stages of a start, and what gives back what they took.
 */
#include "runtime/engine/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup.h"
#include "runtime/engine/check.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/engine/libc.h"
#include "runtime/engine/mounts.h"
#include "runtime/engine/network.h"
#include "runtime/engine/remove.h"
#include "runtime/engine/spec.h"

#define EXIT_NOT_FOUND	    127
#define EXIT_NOT_EXECUTABLE 126

struct start {
	struct engine *engine;
	struct container *c;
	char *rootfs;
	struct share share;
	pid_t pid;
};

/* ---- stages ---------------------------------------------------------------------------------------------------------------------- */

static int mount_rootfs(struct start *s, struct err *err)
{
	return storage_rootfs_mount(s->engine->storage, s->c->id, s->c->rec.mount_label, &s->rootfs, err);
}

static int umount_rootfs(struct container *c, struct err *err)
{
	return storage_rootfs_umount(c->engine->storage, c->id, err);
}

static const char *annotation(const struct container_record *r, const char *key)
{
	const char *value = strmap_get(&r->host.annotations, key);

	return value ? value : strmap_get(&r->config.spec_annotation, key);
}

/* Better said here than by the image's loader. */
static int check_image(struct start *s, struct err *err)
{
	const struct container_record *r = &s->c->rec;
	struct libc_program program = {
		.rootfs = s->rootfs,
		.name = r->path,
		.path = spec_path(r),
		.cwd = str_empty(r->config.working_dir) ? "/" : r->config.working_dir,
	};
	struct libc_kernel kernel;

	libc_kernel_get(&kernel);
	if (libc_kernel_is_new(&kernel) || str_eq(annotation(r, LIBC_CHECK_ANNOTATION), "off"))
		return 0;
	return libc_check(&program, &kernel, err);
}

static int prepare_mounts(struct start *s, struct err *err)
{
	return mounts_prepare(s->engine, s->c, s->rootfs, err);
}

static int mount_shm(struct start *s, struct err *err)
{
	auto_free char *path = container_exec_path(s->c, "shm");
	char options[60];

	if (!str_eq(s->c->rec.host.ipc_mode, "shareable"))
		return 0;
	if (mkdir(path, 0700) < 0)
		return err_sys(err, errno, "make '%s'", path);
	str_fmt(options, sizeof(options), "mode=1777,size=%lld",
		(long long)(s->c->rec.host.shm_size ? s->c->rec.host.shm_size : 64 << 20));
	if (mount("shm", path, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		return err_sys(err, errno, "mount '%s'", path);
	return 0;
}

/* What an earlier start of a killed daemon left is in the way. */
static int make_bundle(struct start *s, struct err *err)
{
	auto_free char *dir = container_exec_path(s->c, NULL);
	int rc;

	if (mkdir(dir, 0711) < 0) {
		if (errno != EEXIST)
			return err_sys(err, errno, "make '%s'", dir);
		rc = path_remove_tree(dir, err);
		if (rc < 0)
			return rc;
		if (mkdir(dir, 0711) < 0)
			return err_sys(err, errno, "make '%s'", dir);
	}
	return mount_shm(s, err);
}

static int remove_bundle(struct container *c, struct err *err)
{
	auto_free char *dir = container_exec_path(c, NULL);
	auto_free char *shm = container_exec_path(c, "shm");
	auto_free char *state = xfmt("%s/oci/%s", c->engine->exec_root, c->id);
	int rc;

	(void)umount2(shm, MNT_DETACH);	/* there is one only for shareable IPC */
	rc = path_remove_tree(state, err);
	if (rc >= 0)
		rc = path_remove_tree(dir, err);
	return rc;
}

static int write_files(struct start *s, struct err *err)
{
	return network_files(s->engine, s->c, err);
}

static int write_spec(struct start *s, struct err *err)
{
	AUTO(oci_spec_clear) struct oci_spec spec = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = container_exec_path(s->c, "config.json");
	int rc = spec_build(s->engine, s->c, s->rootfs, &spec, err);

	if (rc < 0)
		return rc;
	json_print(&oci_spec_table, &spec, 0, &text);
	return file_write(AT_FDCWD, path, text.data, text.len, 0600, err);
}

static int spawn_shim(struct start *s, struct err *err)
{
	int rc = share_find(s->engine, &s->c->rec, &s->share, err);

	return rc < 0 ? rc : keeper_spawn(s->c, &s->share, err);
}

static int log_options(struct container *c, struct log_config *log, struct err *err)
{
	const struct container_record *r = &c->rec;
	const struct log_subject subject = {
		.id = c->id,
		.name = r->name,
		.image_id = r->image_id,
		.image_name = r->config.image,
		.daemon_name = "pouch",
		.labels = &r->config.labels,
		.env = &r->config.env,
	};

	str_set(&log->driver, r->host.log_config.type);
	log->path = container_path(c, "json.log");
	strmap_copy(&log->opts, &r->host.log_config.config);
	return log_config_attrs(&log->opts, &subject, &log->attrs, err);
}

static int create(struct start *s, struct err *err)
{
	struct container *c = s->c;
	struct shim_options o = {0};
	int rc = log_options(c, &o.log, err);

	if (rc >= 0) {
		o.id = xstrdup(c->id);
		o.bundle = container_exec_path(c, NULL);
		o.runtime_root = xfmt("%s/oci", s->engine->exec_root);
		str_set(&o.runtime, c->rec.runtime);
		strv_add_all(&o.runtime_args, &c->rec.runtime_args);
		o.cgroup = container_cgroup(c);
		strv_add_all(&o.entered, &s->share.kinds);
		o.exit_file = container_path(c, "exit.json");
		o.sync_exit = !c->rec.host.auto_remove;
		o.tty = c->rec.config.tty;
		o.open_stdin = c->rec.config.open_stdin;
		o.stdin_once = c->rec.config.stdin_once;
		(void)api_console_size(c->rec.host.console_size, &o.height, &o.width);	/* 0: not known */
		(void)unlink(o.exit_file);	/* of the start before */
		rc = keeper_create(c, &o, &s->pid, err);
	}
	json_clear(&shim_options_table, &o);
	return rc;
}

/* Also where the shim itself was killed: whatever is left in the control group goes. */
static int delete_processes(struct container *c, struct err *err)
{
	auto_free char *path = container_cgroup(c);
	struct cgroup *cg = NULL;
	int rc = keeper_delete(c, err), rc2 = 0;

	if (cgroup_open(path, &cg, &ERR_INIT) == 0) {
		if (cgroup_exists(cg))
			rc2 = cgroup_remove(cg, err);
		cgroup_close(cg);
	}
	return rc < 0 ? rc : rc2;
}

static int attach_network(struct start *s, struct err *err)
{
	return network_attach(s->engine, s->c, s->pid, err);
}

static int detach_network(struct container *c, struct err *err)
{
	return network_detach(c->engine, c, err);
}

static int attach_clients(struct start *s, struct err *err)
{
	(void)err;
	keeper_attach_pending(s->c);
	return 0;
}

/* Before the process runs, so that a daemon that dies here knows of it. */
static int record(struct start *s, struct err *err)
{
	struct container_record *r = &s->c->rec;
	int rc;

	pthread_mutex_lock(&s->c->lock);
	s->c->phase = PHASE_RUNNING;
	s->c->generation++;
	str_set(&r->boot_id, s->engine->boot_id);
	free(r->log_path);
	r->log_path = str_eq(r->host.log_config.type, "json-file") ? container_path(s->c, "json.log") : NULL;
	r->has_started = true;
	r->user_stopped = false;
	r->state.pid = s->pid;
	rc = container_save(s->c, err);
	pthread_mutex_unlock(&s->c->lock);
	return rc;
}

static int start(struct start *s, struct err *err)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	int rc = keeper_get(s->c, &k, err);

	return rc < 0 ? rc : shim_start(keeper_shim(k), err);
}

static const struct stage {
	const char *name;
	int (*run)(struct start *s, struct err *err);
	int (*undo)(struct container *c, struct err *err);
} stages[] = {
	{"mount root file system", mount_rootfs, umount_rootfs},
	{"check the image", check_image, NULL},
	{"prepare volumes", prepare_mounts, NULL},
	{"make bundle", make_bundle, remove_bundle},
	{"write network files", write_files, NULL},
	{"write configuration", write_spec, NULL},
	{"start shim", spawn_shim, delete_processes},
	{"create", create, NULL},
	{"attach network", attach_network, detach_network},
	{"attach clients", attach_clients, NULL},
	{"record", record, NULL},
	{"start", start, NULL},
};

static int undo_from(struct container *c, size_t n, struct err *err)
{
	int first = 0;

	while (n-- > 0) {
		int rc = stages[n].undo ? stages[n].undo(c, first ? &ERR_INIT : err) : 0;

		if (rc < 0 && !first)
			first = err_wrap(err, rc, "undo: %s", stages[n].name);
	}
	return first;
}

int start_release(struct container *c, struct err *err)
{
	return undo_from(c, ARRAY_SIZE(stages), err);
}

/* ---- whole ----------------------------------------------------------------------------------------------------------------------- */

static void failed(struct container *c, int rc, struct err *err)
{
	struct api_container_state *st = &c->rec.state;

	/* "No such file" is about the program, not about the container: the client must not hear 404. */
	pthread_mutex_lock(&c->lock);
	st->exit_code = err->kind == ERR_NOT_FOUND    ? EXIT_NOT_FOUND
			: err->kind == ERR_FORBIDDEN ? EXIT_NOT_EXECUTABLE
						     : 128;
	if (err->kind == ERR_NOT_FOUND || err->kind == ERR_FORBIDDEN)
		err->kind = ERR_INVALID;
	str_set(&st->error, err->msg);
	st->pid = 0;
	st->running = st->restarting = false;
	if (str_eq(st->status, "restarting"))
		str_set(&st->status, "exited");
	c->phase = PHASE_IDLE;
	(void)container_save(c, &ERR_INIT);	/* the failure of the start is what is reported */
	container_changed(c);
	pthread_mutex_unlock(&c->lock);
	(void)rc;
	keeper_drop_pending(c);
}

static void succeeded(struct container *c)
{
	struct api_container_state *st = &c->rec.state;

	pthread_mutex_lock(&c->lock);
	str_set(&st->status, "running");
	str_set(&st->error, NULL);
	st->running = true;
	st->restarting = st->paused = st->oom_killed = st->dead = st->exited = false;
	st->exit_code = 0;
	st->started_at = time_now_ns();
	container_changed(c);
	pthread_mutex_unlock(&c->lock);
}

int start_locked(struct container *c, struct err *err)
{
	struct start s = {.engine = c->engine, .c = c};
	struct err watch_err = ERR_INIT;
	size_t i;
	int rc = 0;

	if (c->removed || c->phase == PHASE_REMOVING)
		return err_set(err, ERR_CONFLICT, "container %.12s is marked for removal and cannot be started", c->id);
	if (c->rec.state.paused)
		return err_set(err, ERR_INTERNAL, "cannot start a paused container, try unpause instead");
	if (c->rec.state.running)
		return err_set(err, ERR_NOT_MODIFIED, "container %.12s is already running", c->id);

	for (i = 0; i < ARRAY_SIZE(stages); i++) {
		rc = stages[i].run(&s, err);
		if (rc < 0)
			break;
	}
	if (rc < 0) {
		struct err ignored = ERR_INIT;

		err_wrap(err, rc, "start container %.12s: %s", c->id, stages[i].name);
		(void)undo_from(c, i + 1, &ignored);	/* the first failure is what is reported */
		failed(c, rc, err);
	}
	free(s.rootfs);
	share_clear(&s.share);
	if (rc < 0)
		return rc;
	succeeded(c);
	container_event(c, "start", NULL, NULL);
	/* A shim that cannot be watched has died: that is an exit, and is handled as one. */
	if (keeper_watch(c, &watch_err) < 0)
		engine_warn(c->engine, "container %.12s: %s", c->id, watch_err.msg);
	return 0;
}

int container_start(struct engine *e, const char *ref, struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->op);
	rc = start_locked(c, err);
	if (rc < 0 && err->kind != ERR_NOT_MODIFIED && c->rec.host.auto_remove && !c->rec.state.running && !c->removed)
		(void)remove_locked(c, true, &ERR_INIT);	/* as docker: a failed start of --rm leaves nothing */
	pthread_mutex_unlock(&c->op);
	return rc;
}
