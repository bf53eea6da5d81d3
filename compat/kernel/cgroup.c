/*
 * cgroup.c - a group in all its hierarchies: make, join, leave, remove
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/thread.h"
#include "compat/base/time.h"
#include "compat/kernel/cgroup_internal.h"
#include "compat/kernel/release.h"

enum { FILE_MAX = 4 << 20, REMOVE_MS = 10000, BUSY_MS = 5000, SETTLE_MS = 100, LEAVE_MS = 2000 };

/* Controllers whose absence from a hybrid host's v2 tree nobody notices until a limit names them. */
#define SELDOM (CTL_BIT(CTL_HUGETLB) | CTL_BIT(CTL_RDMA) | CTL_BIT(CTL_MISC) | CTL_BIT(CTL_PERF_EVENT))

static int check_path(const char *path, char **ret, struct err *err)
{
	AUTO(strv_clear) struct strv parts = {0};

	strv_split(&parts, path, "/", false);
	STRV_EACH(part, &parts) {
		if (strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0 || strlen(*part) > 255)
			return err_set(err, ERR_INVALID, "invalid cgroup path '%s'", path);
	}
	if (!parts.n || parts.n > 64 || strlen(path) > 2048)
		return err_set(err, ERR_INVALID, "invalid cgroup path '%s'", path);
	*ret = strv_join(&parts, "/");
	return 0;
}

bool cgroup_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int cgroup_open_in(struct cgroup_host *host, const char *path, struct cgroup **ret, struct err *err)
{
	AUTO(cgroup_close) struct cgroup *cg = xcalloc(1, sizeof(*cg));
	int rc;

	cg->host = *host;
	*host = (struct cgroup_host){0};
	cg->oom_fd = cg->oom_control_fd = -1;
	rc = check_path(path, &cg->path, err);
	if (rc < 0)
		return rc;
	if (!cg->host.hierarchies.n)
		return err_set(err, ERR_UNSUPPORTED,
			       "no cgroup file system is mounted: mount one (for instance with cgroupfs-mount)");

	cg->dirs = xcalloc(cg->host.hierarchies.n + 1, sizeof(*cg->dirs));
	cg->joined = xcalloc(cg->host.hierarchies.n + 1, sizeof(*cg->joined));
	for (size_t i = 0; i < cg->host.hierarchies.n; i++) {
		const struct cgroup_hierarchy *h = &cg->host.hierarchies.v[i];

		cg->dirs[i] = xfmt("%s/%s", h->mount, cg->path);
		cg->joined[i] = !h->v2 || cg->host.mode == CGROUP_V2 || (h->carries & ~SELDOM) || cgroup_is_dir(cg->dirs[i]);
	}
	*ret = take(cg);
	return 0;
}

int cgroup_open(const char *path, struct cgroup **ret, struct err *err)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};
	int rc = cgroup_host_read(&host, err);

	return rc < 0 ? rc : cgroup_open_in(&host, path, ret, err);
}

void cgroup_close(struct cgroup *cg)
{
	if (!cg)
		return;
	for (size_t i = 0; cg->dirs && i < cg->host.hierarchies.n; i++)
		free(cg->dirs[i]);
	free(cg->dirs);
	free(cg->joined);
	free(cg->path);
	if (cg->oom_fd >= 0)
		close(cg->oom_fd);
	if (cg->oom_control_fd >= 0)
		close(cg->oom_control_fd);
	cgroup_host_clear(&cg->host);
	free(cg);
}

const char *cgroup_path(const struct cgroup *cg)
{
	return cg->path;
}

enum cgroup_mode cgroup_mode(const struct cgroup *cg)
{
	return cg->host.mode;
}

int cgroup_serving(const struct cgroup *cg, enum cgroup_controller c)
{
	int h = cg->host.serves[c];

	return h >= 0 && cg->joined[h] ? h : -1;
}

/* CTL_COUNT: there is none of that name. */
static int controller_named(const char *name)
{
	int c = 0;

	while (c < CTL_COUNT && strcmp(name, cgroup_controller_name(c, false)) != 0)
		c++;
	return c;
}

const char *cgroup_dir(const struct cgroup *cg, const char *controller)
{
	int c = controller_named(controller), h = -1;

	if (!*controller)
		h = cg->host.unified >= 0 && cg->joined[cg->host.unified] ? cg->host.unified : -1;
	else if (c < CTL_COUNT)
		h = cgroup_serving(cg, c);
	return h < 0 ? NULL : cg->dirs[h];
}

char *cgroup_file(const struct cgroup *cg, int h, const char *file)
{
	return xfmt("%s/%s", cg->dirs[h], file);
}

int cgroup_read(const struct cgroup *cg, int h, const char *file, struct buf *ret, struct err *err)
{
	auto_free char *path = cgroup_file(cg, h, file);
	int rc = file_read(-1, path, FILE_MAX, ret, err);

	if (rc < 0)
		return rc;
	while (ret->len && ret->data[ret->len - 1] == '\n')
		ret->data[--ret->len] = '\0';
	return 0;
}

int cgroup_read_u64(const struct cgroup *cg, int h, const char *file, uint64_t *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err ignored;
	int rc = cgroup_read(cg, h, file, &text, &ignored);

	if (rc < 0)
		return rc;
	if (strcmp(buf_cstr(&text), "max") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	return str_u64(buf_cstr(&text), 10, ret);
}

int cgroup_read_key(const struct cgroup *cg, int h, const char *file, const char *key, uint64_t *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct err ignored;
	int rc = cgroup_read(cg, h, file, &text, &ignored);
	char *save = NULL;

	if (rc < 0)
		return rc;
	for (char *line = text.len ? strtok_r(text.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		const char *value = str_skip(line, key);

		if (value && *value == ' ')
			return str_u64(value + 1, 10, ret);
	}
	return -ENOENT;
}

/* ---- making --------------------------------------------------------------------------------------------------------------- */

/* Copy @name from the group above where it is empty; true when it has a value then. */
static bool cpuset_copy(const char *parent, const char *dir, const char *name)
{
	AUTO(buf_clear) struct buf own = BUF_INIT;
	AUTO(buf_clear) struct buf above = BUF_INIT;
	auto_free char *file = xfmt("%s/%s", dir, name);
	auto_free char *from = xfmt("%s/%s", parent, name);
	struct err ignored;

	if (file_read(-1, file, FILE_MAX, &own, &ignored) < 0)
		return false;
	if (own.len > 1)
		return true;
	if (file_read(-1, from, FILE_MAX, &above, &ignored) < 0 || above.len <= 1)
		return false;
	return file_put(-1, file, buf_cstr(&above), &ignored) >= 0;
}

/*
 * A v1 cpuset refuses tasks until it has cpus and mems. Where the kernel has cgroup.clone_children the group that we make inherits
 * them by itself from then on; 2.6.32 has not, so they are copied down.
 */
static void cpuset_fill(const struct cgroup_hierarchy *h, const char *dir, bool leaf)
{
	const char *names[] = {h->noprefix ? "cpus" : "cpuset.cpus", h->noprefix ? "mems" : "cpuset.mems"};
	const char *slash = strrchr(dir, '/');
	auto_free char *parent = xstrndup(dir, (size_t)(slash - dir));
	auto_free char *clone = xfmt("%s/cgroup.clone_children", dir);
	struct err ignored;

	if (strlen(dir) <= strlen(h->mount))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (cpuset_copy(parent, dir, names[i]))
			continue;
		/* The one above may be empty as well. */
		cpuset_fill(h, parent, false);
		(void)cpuset_copy(parent, dir, names[i]);
	}
	/* Absent on old kernels: then each new group is filled here. */
	if (!leaf && !hidden("cgroup_clone_children"))
		(void)file_put(-1, clone, "1", &ignored);
}

/* The limit holds for groups that the container makes below, too; the default of old kernels is that it does not. */
static void count_below(const char *dir)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *file = xfmt("%s/memory.use_hierarchy", dir);
	struct err ignored;

	if (file_read(-1, file, FILE_MAX, &text, &ignored) == 0 && *buf_cstr(&text) == '0')
		(void)file_put(-1, file, "1", &ignored); /* no group is below yet, so it can */
}

/* Let the children of @dir use the controllers @carries. Those that cannot be had show up when a limit wants them. */
static void enable_controllers(const char *dir, unsigned int carries)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(strv_clear) struct strv enabled = {0};
	auto_free char *file = xfmt("%s/cgroup.subtree_control", dir);
	struct err ignored;

	if (file_read(-1, file, FILE_MAX, &text, &ignored) < 0)
		return;
	strv_split(&enabled, buf_cstr(&text), " \n", false);
	for (int c = 0; c < CTL_COUNT; c++) {
		const char *name = cgroup_controller_name(c, true);
		char word[32];

		if (!(carries & CTL_BIT(c)) || !name || strv_has(&enabled, name))
			continue;
		if (str_fmt(word, sizeof(word), "+%s", name) >= 0 && file_put(-1, file, word, &ignored) >= 0)
			strv_add(&enabled, name);
	}
}

/*
 * Make hierarchy @h's directories. @made counts how many levels from the bottom are new, for the undo.
 */
static int make_dirs(const struct cgroup *cg, int h, int *made, struct err *err)
{
	const struct cgroup_hierarchy *hierarchy = &cg->host.hierarchies.v[h];
	auto_free char *dir = xstrdup(cg->dirs[h]);
	char *end = dir + strlen(dir);
	char *p = dir + strlen(hierarchy->mount);

	*made = 0;
	/* The usual case: the parent is there and ready. */
	if (!hierarchy->v2 && mkdir(dir, 0755) == 0) {
		*made = 1;
		goto filled;
	}
	while (p < end) {
		*p = '\0';
		if (hierarchy->v2)
			enable_controllers(dir, hierarchy->carries);
		*p = '/';
		p = strchr(p + 1, '/');
		p = p ? p : end;
		if (*p)
			*p = '\0';
		if (mkdir(dir, 0755) == 0)
			(*made)++;
		else if (errno != EEXIST)
			return err_sys(err, errno, "create cgroup '%s'", dir);
		if (p < end)
			*p = '/';
	}
filled:
	if (hierarchy->carries & CTL_BIT(CTL_CPUSET) && !hierarchy->v2)
		cpuset_fill(hierarchy, dir, true);
	if (hierarchy->carries & CTL_BIT(CTL_MEMORY) && !hierarchy->v2)
		count_below(dir);
	return 0;
}

static void unmake_dirs(const struct cgroup *cg, int h, int made)
{
	auto_free char *dir = xstrdup(cg->dirs[h]);

	for (; made > 0; made--) {
		(void)rmdir(dir); /* somebody may have put a group of his own below by now */
		*strrchr(dir, '/') = '\0';
	}
}

int cgroup_create(struct cgroup *cg, struct err *err)
{
	int made[CGROUP_MAX_HIERARCHIES] = {0};

	for (int h = 0; h < (int)cg->host.hierarchies.n; h++) {
		int rc = cg->joined[h] ? make_dirs(cg, h, &made[h], err) : 0;

		if (rc < 0) {
			for (; h >= 0; h--)
				unmake_dirs(cg, h, made[h]);
			return rc;
		}
	}
	return 0;
}

bool cgroup_exists(const struct cgroup *cg)
{
	for (size_t h = 0; h < cg->host.hierarchies.n; h++) {
		if (cg->joined[h] && cgroup_is_dir(cg->dirs[h]))
			return true;
	}
	return false;
}

/* The hierarchies of "CONTROLLER[,CONTROLLER...]", marked in @chosen. */
static int choose(const struct cgroup *cg, const char *controllers, bool *chosen, struct err *err)
{
	AUTO(strv_clear) struct strv names = {0};

	strv_split(&names, controllers, ",", true);
	STRV_EACH(name, &names) {
		int c = controller_named(*name), h;

		if (c == CTL_COUNT)
			return err_set(err, ERR_INVALID, "unknown controller '%s'", *name);
		h = cgroup_serving(cg, c);
		if (h < 0)
			return err_set(err, ERR_UNSUPPORTED, "controller '%s' has no hierarchy that the group is in", *name);
		chosen[h] = true;
	}
	return 0;
}

/* In the v2 tree of a hybrid host a group may be missing: then its tasks stay where they are. */
static bool may_be_missing(const struct cgroup *cg, int h)
{
	return h == cg->host.unified && cg->host.mode != CGROUP_V2 && !(cg->host.hierarchies.v[h].carries & ~SELDOM);
}

static int descend_one(const struct cgroup *cg, const char *where, char **dirs, struct err *err)
{
	auto_free bool *chosen = xcalloc(cg->host.hierarchies.n + 1, sizeof(*chosen));
	const char *colon = strchr(where, ':'), *path = colon ? colon + 1 : where;
	auto_free char *controllers = colon ? xstrndup(where, (size_t)(colon - where)) : NULL, *clean = NULL;
	int rc = controllers ? choose(cg, controllers, chosen, err) : 0;

	if (!rc && path[strspn(path, "/")])
		rc = check_path(path, &clean, err);
	for (int h = 0; !rc && h < (int)cg->host.hierarchies.n; h++) {
		auto_free char *dir = NULL;

		if (!cg->joined[h] || (controllers && !chosen[h]))
			continue;
		if (dirs[h])
			return err_set(err, ERR_INVALID, "two groups for one hierarchy: '%s' and '%s'", dirs[h], where);
		dir = clean ? xfmt("%s/%s", cg->dirs[h], clean) : xstrdup(cg->dirs[h]);
		if (cgroup_is_dir(dir))
			dirs[h] = take(dir);
		else if (controllers || !may_be_missing(cg, h))
			return err_set(err, ERR_NOT_FOUND, "no cgroup '%s'", dir);
	}
	return rc;
}

int cgroup_descend(struct cgroup *cg, const char *const *wheres, struct err *err)
{
	auto_free char **dirs = xcalloc(cg->host.hierarchies.n + 1, sizeof(*dirs));
	int rc = 0;

	for (size_t i = 0; !rc && wheres[i]; i++)
		rc = descend_one(cg, wheres[i], dirs, err);
	for (size_t h = 0; h < cg->host.hierarchies.n; h++) {
		if (rc || !dirs[h]) {
			free(dirs[h]);
			continue;
		}
		free(cg->dirs[h]);
		cg->dirs[h] = dirs[h];
	}
	return rc;
}

int cgroup_join_unified(struct cgroup *cg, struct err *err)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};
	int made, rc;

	if (cg->host.unified < 0 || cg->joined[cg->host.unified])
		return 0;
	rc = cgroup_pids(cg, &pids, err);
	if (rc < 0)
		return rc;
	rc = make_dirs(cg, cg->host.unified, &made, err);
	if (rc < 0) {
		unmake_dirs(cg, cg->host.unified, made);
		return rc;
	}
	cg->joined[cg->host.unified] = true;
	VEC_EACH(pid, &pids) {
		auto_free char *file = cgroup_file(cg, cg->host.unified, "cgroup.procs");
		char text[24];

		snprintf(text, sizeof(text), "%d", (int)*pid);
		rc = file_put(-1, file, text, err);
		if (rc < 0 && rc != -ESRCH)
			return rc;
	}
	return 0;
}

/* ---- joining -------------------------------------------------------------------------------------------------------------- */

int cgroup_attach_threads(const char *list, const char *tasks, struct err *err)
{
	for (int round = 0; round < 100; round++) {
		auto_closedir DIR *dir = opendir(list);
		bool moved = false;
		struct dirent *e;

		if (!dir)
			return err_sys(err, errno == ENOENT ? ESRCH : errno, "read threads in '%s'", list);
		while ((e = readdir(dir))) {
			AUTO(buf_clear) struct buf have = BUF_INIT;
			auto_free char *line = xfmt("\n%s\n", e->d_name);
			uint32_t tid;
			int rc;

			if (str_u32(e->d_name, 10, &tid) || !tid)
				continue;
			buf_char(&have, '\n');
			rc = file_read(-1, tasks, FILE_MAX, &have, err);
			if (rc < 0)
				return rc;
			if (strstr(buf_cstr(&have), line))
				continue;
			rc = file_put(-1, tasks, e->d_name, err);
			if (rc < 0 && rc != -ESRCH)
				return rc;
			moved = true;
		}
		if (!moved)
			return 0;
	}
	return err_set(err, ERR_CONFLICT, "threads are made faster than they can be moved to '%s'", tasks);
}

int cgroup_attach_in(const struct cgroup *cg, int h, pid_t pid, struct err *err)
{
	const struct cgroup_hierarchy *hierarchy = &cg->host.hierarchies.v[h];
	auto_free char *tasks = cgroup_file(cg, h, "tasks");
	auto_free char *procs = cgroup_file(cg, h, "cgroup.procs");
	char text[24];
	int rc;

	snprintf(text, sizeof(text), "%d", (int)pid);
	if (!pid && !hierarchy->v2)
		return file_put(-1, tasks, text, err);
	rc = hidden("cgroup_procs") && !hierarchy->v2 ? -EINVAL : file_put(-1, procs, text, err);
	if ((rc == -EINVAL || rc == -EACCES || rc == -ENOENT) && !hierarchy->v2) {
		auto_free char *threads = xfmt("/proc/%d/task", (int)pid);

		rc = cgroup_attach_threads(threads, tasks, err);
	}
	return rc;
}

int cgroup_attach(const struct cgroup *cg, pid_t pid, struct err *err)
{
	for (int h = 0; h < (int)cg->host.hierarchies.n; h++) {
		int rc = cg->joined[h] ? cgroup_attach_in(cg, h, pid, err) : 0;

		if (rc < 0)
			return err_wrap(err, rc, "move process %d into cgroup '%s'", (int)pid, cg->dirs[h]);
	}
	return 0;
}

int cgroup_enter_prepare(const struct cgroup *cg, int ret_fds[CGROUP_MAX_HIERARCHIES], size_t *ret_count,
			 struct err *err)
{
	size_t n = 0;

	for (size_t h = 0; h < cg->host.hierarchies.n; h++) {
		bool v2 = cg->host.hierarchies.v[h].v2;
		auto_free char *file = NULL;

		if (!cg->joined[h])
			continue;
		file = cgroup_file(cg, (int)h, v2 ? "cgroup.procs" : "tasks");
		ret_fds[n] = open(file, O_WRONLY | O_CLOEXEC);
		if (ret_fds[n] < 0) {
			int rc = err_sys(err, errno, "open '%s'", file);

			while (n > 0)
				close(ret_fds[--n]);
			return rc;
		}
		n++;
	}
	*ret_count = n;
	return 0;
}

/* Before 3.3 a frozen group takes nobody. Where a keeper freezes it for a moment, the moment passes. */
static int write_patiently(int fd, const char *text)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	int64_t end_ms = time_mono_ms() + BUSY_MS;

	for (;;) {
		if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
			return 0;
		if (errno != EBUSY || time_mono_ms() >= end_ms)
			return -errno;
		nanosleep(&pause, NULL);
	}
}

int cgroup_enter_self(const int *fds, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		int rc = write_patiently(fds[i], "0");

		if (rc < 0)
			return err_sys(err, -rc, "join cgroup");
	}
	return 0;
}

int cgroup_clone_fd(const struct cgroup *cg)
{
	int h = cg->host.unified;

	if (h < 0 || cg->host.mode != CGROUP_V2 || hidden("clone_into_cgroup"))
		return -1;
	return open(cg->dirs[h], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- removing ------------------------------------------------------------------------------------------------------------- */

static int remove_tree(const char *dir, int depth)
{
	auto_closedir DIR *d = NULL;
	struct dirent *e;

	if (rmdir(dir) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY && errno != ENOTEMPTY)
		return -errno;
	d = opendir(dir);
	if (!d || depth > 32)
		return -EBUSY;
	while ((e = readdir(d))) {
		auto_free char *child = NULL;

		if (e->d_name[0] == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		child = xfmt("%s/%s", dir, e->d_name);
		if (e->d_type == DT_DIR || cgroup_is_dir(child))
			(void)remove_tree(child, depth + 1); /* the rmdir below tells */
	}
	return rmdir(dir) == 0 || errno == ENOENT ? 0 : -errno;
}

int cgroup_remove_dirs(const char *dir)
{
	return remove_tree(dir, 0);
}

/*
 * Before 2.6.38 a dying task is in no group any more while it still runs by the group's share of CPU time, and the first process of a pid
 * namespace even sleeps there until all others are dead. A group that is removed meanwhile is freed under it, and the kernel panics, then or
 * later. CentOS 6 has the mend of 2.6.38, for certain since 6.8.
 */
static bool dying_tasks_need_their_group(void)
{
	return kernel_is_before(2, 6, 38, 642);
}

/* Takes out who is gone, and returns how many of the rest are more than zombies. */
static size_t keep_present(proc_ref_vec *refs)
{
	size_t kept = 0, alive = 0;

	VEC_EACH(ref, refs) {
		bool lives = proc_ref_alive(ref);

		alive += lives;
		if (lives || kill(ref->pid, 0) == 0 || errno != ESRCH)
			refs->v[kept++] = *ref;
	}
	refs->n = kept;
	return alive;
}

/* Adds who is in the group now to @seen, of whom the gone are taken out. Returns how many of the rest are more than zombies. */
static size_t dying(const struct cgroup *cg, proc_ref_vec *seen)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};

	(void)cgroup_pids(cg, &pids, NULL); /* who cannot be listed keeps the group busy */
	VEC_EACH(pid, &pids) {
		bool known = false;
		struct proc_ref ref;

		VEC_EACH(old, seen)
			known = known || old->pid == *pid;
		if (!known && proc_ref_get(*pid, &ref) == 0)
			VEC_PUSH(seen, ref);
	}
	return keep_present(seen);
}

/* Is the caller the only task of the host that wants a CPU? */
static bool nobody_else_runs(void)
{
	AUTO(buf_clear) struct buf text = {0};
	unsigned int running;
	struct err ignored;

	return file_read(-1, "/proc/loadavg", 4096, &text, &ignored) == 0 &&
	       sscanf(buf_cstr(&text), "%*s %*s %*s %u/", &running) == 1 && running == 1;
}

/*
 * The group is empty. Who left it by its own death was perhaps never seen in it, and may wait for its file systems' unmount: all who die on
 * this host have LEAVE_MS. Zombies have a few instructions to go, for which they get the CPU. Those do not sleep: who was waited for is
 * through with them when nobody runs. On a busy host they get SETTLE_MS, and so do zombies that stay. Two looks, because the kernel counts
 * one CPU after the other, and a task may go from one to another meanwhile.
 */
static void settle(const struct cgroup *cg, int h, proc_ref_vec *seen)
{
	auto_free char *shares = cgroup_is_dir(cg->dirs[h]) ? cgroup_file(cg, h, "cpu.shares") : NULL;
	const struct timespec pause = {.tv_nsec = 1000000};
	AUTO(proc_ref_vec_clear) proc_ref_vec leaving = {0};
	int64_t end_ms;
	int quiet = 0;
	bool known;
	struct err ignored;

	if (!shares)
		return;
	(void)file_put(-1, shares, "262144", &ignored);
	known = proc_exiting(&leaving) == 0;
	end_ms = time_mono_ms() + (leaving.n || !known ? LEAVE_MS : SETTLE_MS);
	while (quiet < 2 && time_mono_ms() < end_ms) {
		nanosleep(&pause, NULL);
		if (leaving.n && keep_present(&leaving) == 0) {
			leaving.n = 0;
			end_ms = time_mono_ms() + SETTLE_MS;
		}
		(void)keep_present(seen);
		quiet = known && !leaving.n && !seen->n && nobody_else_runs() ? quiet + 1 : 0;
	}
}

struct removal {
	const char *dir;
	pthread_t thread;
	bool apart;	/* @thread does it */
	int rc;
};

static void *remove_one(void *arg)
{
	struct removal *r = arg;

	r->rc = cgroup_remove_dirs(r->dir);
	return NULL;
}

/* Removes the group in all hierarchies but @but. Returns the error of the last that stays, in *@ret_stuck. */
static int remove_others(const struct cgroup *cg, int but, bool side_by_side, const char **ret_stuck)
{
	struct removal *all = xcalloc(cg->host.hierarchies.n + 1, sizeof(*all));
	size_t n = 0;
	int rc = 0;

	for (int h = 0; h < (int)cg->host.hierarchies.n; h++) {
		if (cg->joined[h] && h != but)
			all[n++].dir = cg->dirs[h];
	}
	/* A thread that does not come is no loss. */
	for (size_t i = 0; side_by_side && i + 1 < n; i++)
		all[i].apart = thread_create(remove_one, &all[i], PTHREAD_CREATE_JOINABLE, THREAD_STACK_SMALL, &all[i].thread) == 0;
	for (size_t i = 0; i < n; i++) {
		if (!all[i].apart)
			(void)remove_one(&all[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (all[i].apart)
			pthread_join(all[i].thread, NULL);
		if (all[i].rc < 0) {
			rc = all[i].rc;
			*ret_stuck = all[i].dir;
		}
	}
	free(all);
	return rc;
}

int cgroup_remove_how(struct cgroup *cg, unsigned int how, struct err *err)
{
	int64_t end_ms = time_mono_ms() + REMOVE_MS;
	int cpu = how & REMOVE_FOR_THE_DYING ? cgroup_serving(cg, CTL_CPU) : -1;
	AUTO(proc_ref_vec_clear) proc_ref_vec seen = {0};
	long wait_us = 100;

	for (;;) {
		struct timespec pause = {.tv_nsec = wait_us * 1000};
		const char *stuck = cg->dirs[0];
		int rc = how & REMOVE_FOR_THE_DYING && dying(cg, &seen) ? -EBUSY : 0;

		/* The kernel takes its time to remove a group: what is left of the dying's time passes with all but the one they need. */
		if (!rc)
			rc = remove_others(cg, cpu, how & REMOVE_SIDE_BY_SIDE, &stuck);
		if (!rc && cpu >= 0) {
			settle(cg, cpu, &seen);
			stuck = cg->dirs[cpu];
			rc = cgroup_remove_dirs(stuck);
		}
		if (!rc)
			return 0;
		if (rc != -EBUSY || time_mono_ms() >= end_ms)
			return err_sys(err, -rc, "remove cgroup '%s'", stuck);
		(void)cgroup_kill(cg, SIGKILL, err); /* what cannot be killed is reported when time is up */
		nanosleep(&pause, NULL);
		wait_us = wait_us < 50000 ? wait_us * 2 : wait_us;
	}
}

int cgroup_remove(struct cgroup *cg, struct err *err)
{
	unsigned int how = 0;

	if (dying_tasks_need_their_group())
		how |= REMOVE_FOR_THE_DYING;
	if (kernel_is_before(3, 9, 0, INT_MAX))
		how |= REMOVE_SIDE_BY_SIDE;
	return cgroup_remove_how(cg, how, err);
}
