/*
 * view - the files of a container as it sees them
 */
#include "runtime/engine/view.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/mount.h"
#include "compat/kernel/mountinfo.h"
#include "runtime/engine/internal.h"
#include "runtime/engine/keeper.h"
#include "runtime/engine/mounts.h"
#include "runtime/engine/spec.h"
#include "runtime/engine/thread.h"

#define STACK_SIZE  (4u << 20)	/* directories are walked recursively */
#define END_WAIT_S  10		/* for what follows the end of a first process */

struct view {
	struct container *c;
	view_work *work;
	void *arg;
	int rootfd;		/* running: opened beforehand */
	char *rootfs;		/* not running: where it is mounted */
};

/* ---- a container that runs ------------------------------------------------------------------------------------------------------- */

/* Ask its parent, after the root was opened: as long as that has not reaped it, the number is of no other process. */
static bool is_alive(struct container *c, pid_t pid)
{
	AUTO(keeper_put) struct keeper *k = NULL;
	struct shim_state state = {0};
	bool alive = keeper_get(c, &k, &ERR_INIT) == 0 && shim_get_state(keeper_shim(k), &state, &ERR_INIT) == 0 &&
		     state.pid == pid && (str_eq(state.status, "running") || str_eq(state.status, "paused"));

	json_clear(&shim_state_table, &state);
	return alive;
}

/* -EAGAIN: it ends in this moment. */
static int open_running(struct container *c, int *ret_fd, struct err *err)
{
	auto_free char *path = NULL;
	auto_fd int fd = -1;
	pid_t pid;

	pthread_mutex_lock(&c->lock);
	pid = (pid_t)c->rec.state.pid;
	pthread_mutex_unlock(&c->lock);
	path = xfmt("/proc/%d/root", (int)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT && errno != ESRCH)
		return err_sys(err, errno, "open the root of container %.12s", c->id);
	if (fd < 0 || !is_alive(c, pid))
		return -EAGAIN;
	*ret_fd = fd_take(&fd);
	return 0;
}

/* Until it counts as not running, too. */
static void wait_for_end(struct container *c)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&c->lock);
	if (c->rec.state.running)
		pthread_cond_timedwait(&c->changed, &c->lock, &until);
	pthread_mutex_unlock(&c->lock);
}

static int work_in_running(void *arg, struct err *err)
{
	struct view *v = arg;

	if (unshare(CLONE_FS) < 0)
		return err_sys(err, errno, "give a thread an umask of its own");
	umask(0);
	return v->work(v->rootfd, v->arg, err);
}

/* ---- one that does not ----------------------------------------------------------------------------------------------------------- */

/* Is the mount on the way to @path, or below it? */
static bool leads_to(const char *target, const char *path)
{
	return path_is_under(target, path) || path_is_under(path, target);
}

static bool is_needed(const struct view *v, const struct mount_entry *e)
{
	if (leads_to(e->target, v->rootfs) || path_is_under(e->target, "/proc"))
		return true;
	VEC_EACH(m, &v->c->rec.mounts) {
		if (m->source && leads_to(e->target, m->source))
			return true;
	}
	return false;
}

/*
 * What the host unmounts goes here, too, if it is shared with the host. What is not would be kept busy by its copy in here: let go of it.
 */
static int leave_others(const struct view *v, struct err *err)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	auto_free char *path = xfmt("/proc/self/task/%ld/mountinfo", (long)syscall(SYS_gettid));
	int rc = mountinfo_read(path, &info, err);

	for (size_t i = info.entries.n; rc == 0 && i-- > 0;) {
		const struct mount_entry *e = &info.entries.v[i];

		if (!e->master && !is_needed(v, e))
			(void)umount2(e->target, MNT_DETACH);	/* one that another covers stays */
	}
	return rc;
}

/* Where it does not exist yet, as in a container that was never started, it is made as a start would. */
static int open_place(int rootfd, const char *path, bool directory, int *ret_fd, struct err *err)
{
	auto_free char *real = NULL;
	auto_free char *name = NULL;
	auto_fd int parent = -1;
	int rc = path_open_in(rootfd, path, mount_path_flags(), 0, ret_fd, err);

	if (rc != -ENOENT)
		return rc;
	/* A link to nowhere is followed to where it points inside the root. */
	rc = path_resolve_in(rootfd, path, &real, NULL);
	if (directory)
		return path_mkdirs_in(rootfd, rc == 0 ? real : path, 0755, ret_fd, err);
	rc = path_parent_in(rootfd, rc == 0 ? real : path, true, &parent, &name, err);
	if (rc < 0)
		return rc;
	*ret_fd = openat(parent, name, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
	return *ret_fd < 0 ? err_sys(err, errno, "create '%s'", path) : 0;
}

static int bind_one(int rootfd, const char *source, const char *destination, bool read_only, struct err *err)
{
	const struct mount_options options = {
		.bind = true,
		.recursive = true,
		.flags = read_only ? MS_RDONLY : 0,
	};
	auto_fd int fd = -1;
	struct mount_place place;
	struct stat st;
	int rc;

	if (stat(source, &st) < 0)
		return err_sys(err, errno, "mount source '%s'", source);
	rc = open_place(rootfd, destination, S_ISDIR(st.st_mode), &fd, err);
	if (rc < 0)
		return rc;
	place = (struct mount_place){rootfd, destination, fd};
	return mount_bind_at(source, &place, &options, NULL, err);
}

static bool user_has(const struct container_record *r, const char *destination)
{
	VEC_EACH(m, &r->mounts) {
		if (str_eq(m->destination, destination))
			return true;
	}
	return false;
}

/* They are there from the first start on. */
static int bind_network_files(const struct view *v, int rootfd, struct err *err)
{
	static const char *const files[] = {"resolv.conf", "hostname", "hosts"};
	auto_free char *dir = NULL;
	int rc;

	if (v->c->rec.config.disable_network_files)
		return 0;
	if (spec_network_dir(v->c->engine, v->c, &dir, &ERR_INIT) < 0)
		return 0;	/* the container whose network it has is gone */
	rc = 0;
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(files); i++) {
		auto_free char *source = xfmt("%s/%s", dir, files[i]);
		auto_free char *destination = xfmt("/etc/%s", files[i]);

		if (!user_has(&v->c->rec, destination) && access(source, F_OK) == 0)
			rc = bind_one(rootfd, source, destination, false, err);
	}
	return rc;
}

static int bind_all(const struct view *v, int rootfd, struct err *err)
{
	auto_free const struct mount_record **order = mounts_in_order(&v->c->rec);
	int rc = bind_network_files(v, rootfd, err);

	for (size_t i = 0; rc == 0 && i < v->c->rec.mounts.n; i++) {
		/* A tmpfs has no files while nothing runs. */
		if (!str_eq(order[i]->type, "tmpfs"))
			rc = bind_one(rootfd, order[i]->source, order[i]->destination, order[i]->read_only, err);
	}
	return rc;
}

static int build(const struct view *v, int *ret_rootfd, struct err *err)
{
	static const struct mount_options options = {.bind = true, .recursive = true};
	auto_fd int host = -1;
	auto_fd int below = -1;
	auto_fd int mounted = -1;
	struct mount_place place;
	int rc;

	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(err, errno, "make a mount namespace");
	umask(0);
	if (mount("none", "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return err_sys(err, errno, "leave the host's mounts alone");
	rc = leave_others(v, err);
	if (rc < 0)
		return rc;
	host = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	below = open(v->rootfs, mount_path_flags() | O_DIRECTORY | O_CLOEXEC);
	if (host < 0 || below < 0)
		return err_sys(err, errno, "open '%s'", v->rootfs);
	place = (struct mount_place){host, v->rootfs, below};
	rc = mount_bind_at(v->rootfs, &place, &options, &mounted, err);
	if (rc == 0)
		rc = bind_all(v, mounted, err);
	if (rc == 0 && v->c->rec.host.readonly_rootfs)
		rc = mount_reflag(mounted, v->rootfs, MS_RDONLY, 0, false, err);
	if (rc < 0)
		return rc;
	*ret_rootfd = openat(mounted, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_rootfd < 0 ? err_sys(err, errno, "open '%s'", v->rootfs) : 0;
}

static int work_in_stopped(void *arg, struct err *err)
{
	struct view *v = arg;
	auto_fd int rootfd = -1;
	int rc = build(v, &rootfd, err);

	return rc < 0 ? err_wrap(err, rc, "mount the files of container %.12s", v->c->id) : v->work(rootfd, v->arg, err);
}

/* With the operation's lock held. The thread's namespace has ended when the root file system is unmounted. */
static int run_stopped(struct view *v, struct err *err)
{
	struct container *c = v->c;
	struct storage *storage = c->engine->storage;
	struct err later = ERR_INIT;
	int rc = storage_rootfs_mount(storage, c->id, c->rec.mount_label, &v->rootfs, err);

	if (rc < 0)
		return rc;
	rc = mounts_prepare(c->engine, c, v->rootfs, err);
	if (rc >= 0)
		rc = thread_call(work_in_stopped, v, STACK_SIZE, err);
	if (storage_rootfs_umount(storage, c->id, &later) < 0)
		engine_warn(c->engine, "container %.12s: %s", c->id, later.msg);
	free(v->rootfs);
	return rc;
}

/* ---- either ---------------------------------------------------------------------------------------------------------------------- */

int view_run(struct container *c, view_work *work, void *arg, struct err *err)
{
	struct view v = {.c = c, .work = work, .arg = arg, .rootfd = -1};

	for (int i = 0; i < END_WAIT_S; i++) {
		auto_fd int fd = -1;
		int rc = 0;

		pthread_mutex_lock(&c->op);
		if (c->removed)
			rc = err_set(err, ERR_NOT_FOUND, "no such container: %.12s: not found", c->id);
		else if (!c->rec.state.running)
			rc = run_stopped(&v, err);
		if (rc < 0 || !c->rec.state.running) {
			pthread_mutex_unlock(&c->op);
			return rc;
		}
		pthread_mutex_unlock(&c->op);

		rc = open_running(c, &fd, err);
		if (rc != -EAGAIN) {
			v.rootfd = fd;
			return rc < 0 ? rc : thread_call(work_in_running, &v, STACK_SIZE, err);
		}
		wait_for_end(c);
	}
	return err_set(err, ERR_CONFLICT, "container %.12s is ending: try again", c->id);
}
