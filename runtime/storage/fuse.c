/*
 * fuse - layers are directories, merged by a program in user space: fuse-overlayfs or unionfs-fuse
 *
 * Each container's root file system has a process of its own, in a session of its own: it outlives the daemon. Its pid and start time are
 * in the root file system's directory, by which a later daemon knows it again. When it ends before its time, the administrator
 * is told, and the next mount starts another.
 *
 * fuse-overlayfs takes layers as they are: it knows overlayfs's whiteouts. unionfs-fuse has whiteouts of its own, which cannot be made
 * before it is known what is below; for it an image's layers are merged first, into a tree of second names of the layers' files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/json.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/storage/internal.h"

#define RECORD	   "fuse.json"
#define RECORD_MAX 4096
#define WHOLE	   "whole"	/* in a layer's directory: all layers up to it, merged */

enum { START_MS = 20000, STEP_MS = 2, END_MS = 3000 };

/* ROOTFS/fuse.json */
struct fuse_record {
	char *helper;		/* for the life of the root file system: whiteouts differ */
	int64_t pid;		/* 0: none was started */
	uint64_t start;
};

static const struct json_field record_fields[] = {
	JSON_FIELD(struct fuse_record, helper, "helper", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct fuse_record, pid, "pid", JSON_I64, 0),
	JSON_FIELD(struct fuse_record, start, "start", JSON_U64, 0),
};
static const struct json_table record_table = JSON_TABLE("helper", struct fuse_record, record_fields);

struct watched {
	char *id;
	struct proc_ref process;
};

struct fuse {
	char *wanted;			/* name of the helper, as configured */
	char *program;			/* of the helper for new root file systems */
	const struct fuse_helper *helper;
	pthread_mutex_t lock;
	VEC(struct watched) watched;	/* the mounted ones */
	pthread_mutex_t merge_lock;	/* one image at a time is merged */
};

/* What is merged, as paths; all absolute. */
struct fuse_mount {
	const char *lower;		/* fuse-overlayfs: names with ":" between */
	const char *whole;		/* unionfs-fuse: the merged layers */
	const char *upper, *work, *merged;
};

struct fuse_helper {
	const char *name;
	const char *programs[2];
	bool merges_layers;		/* knows overlayfs's whiteouts */
	void (*argv)(const struct fuse_mount *m, struct strv *ret);
};

static struct fuse *own(struct storage *s)
{
	return s->own;
}

/* ---- the helpers ---- */

static void overlayfs_argv(const struct fuse_mount *m, struct strv *ret)
{
	strv_add(ret, "-f");
	strv_add(ret, "-o");
	strv_addf(ret, "dev,suid,lowerdir=%s,upperdir=%s,workdir=%s", m->lower, m->upper, m->work);
	strv_add(ret, m->merged);
}

static void unionfs_argv(const struct fuse_mount *m, struct strv *ret)
{
	strv_add(ret, "-f");
	strv_add(ret, "-o");
	strv_add(ret, "cow,allow_other,use_ino,dev,suid,hide_meta_files,default_permissions");
	strv_addf(ret, "%s=RW:%s=RO", m->upper, m->whole);
	strv_add(ret, m->merged);
}

/* Best first. */
static const struct fuse_helper helpers[] = {
	{"fuse-overlayfs", {"fuse-overlayfs"}, true, overlayfs_argv},
	{"unionfs-fuse", {"unionfs-fuse", "unionfs"}, false, unionfs_argv},
};

/* Owned, or NULL. The PATH of an init script is short. */
static char *find_program(const struct fuse_helper *h)
{
	const char *given = getenv("PATH");
	AUTO(strv_clear) struct strv dirs = {0};

	strv_split(&dirs, given ? given : "", ":", false);
	strv_split(&dirs, "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", ":", false);
	for (size_t i = 0; i < ARRAY_SIZE(h->programs) && h->programs[i]; i++) {
		STRV_EACH(dir, &dirs) {
			auto_free char *path = path_join(*dir, h->programs[i]);

			if (**dir == '/' && access(path, X_OK) == 0)
				return take(path);
		}
	}
	return NULL;
}

static const struct fuse_helper *find_helper(const char *name, char **ret_program)
{
	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++) {
		if (name && strcmp(name, helpers[i].name))
			continue;
		*ret_program = find_program(&helpers[i]);
		if (*ret_program)
			return &helpers[i];
	}
	return NULL;
}

static void pause_ms(int ms)
{
	struct timespec step = {0, ms * 1000000L};

	nanosleep(&step, NULL);
}

/* It is ours, or was an earlier daemon's. *ret_status is only set for ours. */
static bool has_ended(const struct proc_ref *p, int *ret_status)
{
	*ret_status = -1;
	if (waitpid(p->pid, ret_status, WNOHANG) == p->pid)
		return true;
	return !proc_ref_alive(p);
}

/* The file system is gone already, so nothing is lost with it. */
static void end_process(const struct proc_ref *p)
{
	static const int signals[] = {0, SIGTERM, SIGKILL};
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (signals[i] && proc_ref_kill(p, signals[i]) < 0)
			return;
		for (int waited = 0; waited < END_MS; waited += STEP_MS) {
			if (has_ended(p, &status))
				return;
			pause_ms(STEP_MS);
		}
	}
}

/* Start it and wait until @dir/@name is mounted. */
static int start_process(const struct fuse_helper *h, const char *program, const struct fuse_mount *m, const char *dir,
			 const char *name, struct proc_ref *ret, struct err *err)
{
	AUTO(strv_clear) struct strv argv = {0};
	struct proc_spawn spawn = {.path = program, .new_session = true};
	int64_t deadline = time_mono_ms() + START_MS;
	int status = -1;
	int rc;

	strv_add(&argv, program);
	h->argv(m, &argv);
	spawn.argv = strv_argv(&argv);
	rc = proc_spawn(&spawn, &ret->pid, err);
	if (rc < 0)
		return rc;
	if (proc_ref_get(ret->pid, ret) < 0)
		status = 0;	/* ended, and is found so below */
	while (!has_ended(ret, &status)) {
		if (storage_is_mounted(dir, name))
			return 0;
		if (time_mono_ms() > deadline) {
			end_process(ret);
			return err_set(err, ERR_UNAVAILABLE, "%s did not mount '%s' within %d s", program, m->merged,
				       START_MS / 1000);
		}
		pause_ms(STEP_MS);
	}
	return err_set(err, ERR_INTERNAL, "%s ended with code %d instead of mounting '%s'", program,
		       status < 0 ? -1 : proc_exit_code(status), m->merged);
}

/* ---- probe ---- */

static int probe_dirs(const char *dir, bool make)
{
	static const char *const names[] = {"lower", "lower/below", "upper", "work", "merged"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = path_join(dir, names[make ? i : ARRAY_SIZE(names) - 1 - i]);

		if (make && mkdir(path, 0755) < 0)
			return -errno;
		if (!make)
			(void)path_remove_tree(path, NULL);	/* goes with its parent at the latest */
	}
	return 0;
}

static struct fit try_helper(const struct fuse_helper *h, const char *program, const char *dir)
{
	auto_free char *lower = path_join(dir, "lower"), *upper = path_join(dir, "upper");
	auto_free char *work = path_join(dir, "work"), *merged = path_join(dir, "merged");
	auto_free char *below = path_join(merged, "below");
	const struct fuse_mount m = {lower, lower, upper, work, merged};
	struct err err = ERR_INIT;
	struct proc_ref process;
	bool works;

	if (start_process(h, program, &m, dir, "merged", &process, &err) < 0)
		return fit(FIT_NO, "%s", err.msg);
	works = rmdir(below) == 0 && access(below, F_OK) < 0;
	(void)storage_unmount(dir, "merged", NULL);	/* nobody else knows of it */
	end_process(&process);
	if (!works)
		return fit(FIT_NO, "%s cannot remove a lower directory", program);
	return fit(h->merges_layers ? FIT_FALLBACK + 20 : FIT_FALLBACK + 15, "%s, a process for each container", program);
}

static struct fit fuse_probe(const char *dir)
{
	auto_free char *program = NULL;
	const struct fuse_helper *h = NULL;
	struct fit f;

	if (hidden("fuse"))
		return fit(FIT_NO, "hidden by POUCH_HIDE or compat.xml");
	if (geteuid() != 0)
		return fit(FIT_NO, "mounting needs root");
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		return fit(FIT_NO, "/dev/fuse: %s", strerror(errno));
	h = find_helper(NULL, &program);
	if (!h)
		return fit(FIT_NO, "neither fuse-overlayfs nor unionfs-fuse is installed");
	if (strpbrk(dir, ":,=\\"))
		return fit(FIT_NO, "the home's path has a character that %s takes for its own", h->name);
	if (probe_dirs(dir, true) < 0)
		f = fit(FIT_NO, "%s: %s", dir, strerror(errno));
	else
		f = try_helper(h, program, dir);
	probe_dirs(dir, false);
	return f;
}

/* ---- records ---- */

static int record_read(int dirfd, const char *dir, struct fuse_record *ret, struct err *err)
{
	auto_free char *path = path_join(dir, RECORD);

	return json_parse_file(&record_table, dirfd, path, RECORD_MAX, 0, ret, err);
}

static int record_write(int dirfd, const char *dir, const struct fuse_record *record, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = path_join(dir, RECORD);

	json_print(&record_table, record, 0, &text);
	return file_replace(dirfd, path, text.data, text.len, 0600, FILE_NO_SYNC, err);
}

static void record_clear(struct fuse_record *record)
{
	json_clear(&record_table, record);
}
DEFINE_AUTO_CLEAR(record_clear, struct fuse_record)

static bool record_process(const struct fuse_record *record, struct proc_ref *ret)
{
	*ret = (struct proc_ref){(pid_t)record->pid, record->start};
	return record->pid > 0;
}

/* ---- who is watched ---- */

static void watch(struct storage *s, const char *id, const struct proc_ref *process)
{
	pthread_mutex_lock(&own(s)->lock);
	*VEC_ADD(&own(s)->watched) = (struct watched){xstrdup(id), *process};
	pthread_mutex_unlock(&own(s)->lock);
}

static void unwatch(struct storage *s, const char *id)
{
	struct fuse *f = own(s);

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->watched.n; i++) {
		if (strcmp(f->watched.v[i].id, id))
			continue;
		free(f->watched.v[i].id);
		VEC_DEL(&f->watched, i--);
	}
	pthread_mutex_unlock(&f->lock);
}

static void fuse_tick(struct storage *s)
{
	struct fuse *f = own(s);
	AUTO(strv_clear) struct strv ended = {0};
	int status;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->watched.n; i++) {
		if (!has_ended(&f->watched.v[i].process, &status))
			continue;
		strv_addf(&ended, "container %.12s: the process of its root file system (pid %d) ended%s%s: its files cannot be reached; "
			  "restart it", f->watched.v[i].id, (int)f->watched.v[i].process.pid,
			  status >= 0 && WIFSIGNALED(status) ? " by signal " : "",
			  status >= 0 && WIFSIGNALED(status) ? signal_name(WTERMSIG(status)) : "");
		free(f->watched.v[i].id);
		VEC_DEL(&f->watched, i--);
	}
	pthread_mutex_unlock(&f->lock);
	STRV_EACH(text, &ended)
		storage_warn(s, "%s", *text);
}

/* ---- open, close ---- */

/* What an earlier daemon's containers use is watched on. */
static void adopt(struct storage *s)
{
	auto_free char *base = path_join(s->dir, "rootfs");
	auto_closedir DIR *dir = opendir(base);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		AUTO(record_clear) struct fuse_record record = {0};
		auto_free char *path = path_join(base, e->d_name);
		struct proc_ref process;

		if (e->d_name[0] == '.' || record_read(dirfd(dir), e->d_name, &record, NULL) < 0 ||
		    !record_process(&record, &process))
			continue;
		if (storage_is_mounted(path, "merged"))
			watch(s, e->d_name, &process);
		else if (proc_ref_alive(&process))
			end_process(&process);	/* the daemon was killed while it unmounted */
	}
}

static int fuse_open(struct storage *s, const struct strv *options, struct err *err)
{
	struct fuse *f = xcalloc(1, sizeof(*f));
	const struct storage_option table[] = {{"fuse.helper", NULL, 0, NULL, &f->wanted}};
	int rc;

	s->own = f;
	pthread_mutex_init(&f->lock, NULL);
	pthread_mutex_init(&f->merge_lock, NULL);
	rc = storage_options_set(options, table, ARRAY_SIZE(table), err);
	if (rc < 0)
		return rc;
	f->helper = find_helper(f->wanted, &f->program);
	if (!f->helper)
		return err_set(err, ERR_UNSUPPORTED, "storage option 'fuse.helper': '%.40s' is not fuse-overlayfs or unionfs-fuse, or is not "
			       "installed", f->wanted ? f->wanted : "");
	adopt(s);
	return 0;
}

static void fuse_close(struct storage *s, bool last)
{
	struct fuse *f = own(s);

	if (!last || !f)
		return;
	VEC_EACH(w, &f->watched)
		free(w->id);
	VEC_FREE(&f->watched);
	pthread_mutex_destroy(&f->lock);
	pthread_mutex_destroy(&f->merge_lock);
	free(f->program);
	free(f->wanted);
	free(f);
}

static void fuse_status(struct storage *s, struct strmap *ret)
{
	auto_free char *count = NULL;

	pthread_mutex_lock(&own(s)->lock);
	count = xfmt("%zu", own(s)->watched.n);
	pthread_mutex_unlock(&own(s)->lock);
	strmap_set(ret, "Helper", own(s)->program);
	strmap_set(ret, "Helper Processes", count);
}

/* ---- layers ---- */

static int fuse_layer_settle(struct storage *s, int dirfd, struct layer *layer, struct err *err)
{
	return storage_own_layer_link(s, layer, err);
}

static int fuse_discard(struct storage *s, int dirfd, const char *name, struct err *err)
{
	AUTO(record_clear) struct fuse_record record = {0};
	auto_free char *dir = xfmt("%s/tmp/%s", s->dir, name);
	struct proc_ref process;

	(void)storage_unmount(dir, "merged", NULL);	/* the removal of the tree will say it */
	if (record_read(dirfd, name, &record, NULL) == 0 && record_process(&record, &process) && proc_ref_alive(&process))
		end_process(&process);
	return path_remove_tree_at(dirfd, name, err);
}

static int merge_into(struct storage *s, const char *place, const struct strv *below, struct err *err)
{
	auto_free char *tmp = NULL;
	auto_free char *from = NULL;
	auto_fd int dirfd = -1;
	auto_fd int whole = -1;
	int rc = storage_tmp_create(s, &tmp, &dirfd, err);

	if (rc < 0)
		return rc;
	from = xfmt("tmp/%s/" WHOLE, tmp);
	if (mkdirat(dirfd, WHOLE, 0755) < 0)
		rc = err_sys(err, errno, "create directory '" WHOLE "'");
	if (rc == 0) {
		whole = openat(dirfd, WHOLE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = whole < 0 ? err_sys(err, errno, "open directory '" WHOLE "'") : 0;
	}
	if (rc == 0)
		rc = storage_flatten(s, below, whole, true, err);
	if (rc == 0 && renameat(s->dirfd, from, s->dirfd, place) < 0)
		rc = err_sys(err, errno, "name '%s/%s'", s->dir, place);
	storage_tmp_discard(s, tmp);
	return err_wrap(err, rc, "merge the image's layers");
}

static int ensure_whole(struct storage *s, const struct rootfs *r, char **ret, struct err *err)
{
	auto_free char *place = r->below.n ? xfmt("layers/%s/" WHOLE, r->below.v[0]) : xfmt("rootfs/%s/empty", r->id);
	int rc = 0;

	pthread_mutex_lock(&own(s)->merge_lock);
	if (faccessat(s->dirfd, place, F_OK, 0) < 0)
		rc = merge_into(s, place, &r->below, err);
	pthread_mutex_unlock(&own(s)->merge_lock);
	if (rc == 0)
		*ret = path_join(s->dir, place);
	return rc;
}

/* ---- root file systems ---- */

static int fuse_rootfs_fill(struct storage *s, int dirfd, const struct layer *top, struct err *err)
{
	const struct fuse_record record = {.helper = (char *)own(s)->helper->name};
	int rc = storage_union_fill(s, dirfd, top, err);

	return rc == 0 ? record_write(dirfd, ".", &record, err) : rc;
}

static int start_for(struct storage *s, const struct rootfs *r, struct fuse_record *record, struct err *err)
{
	auto_free char *upper = path_join(r->path, "upper"), *work = path_join(r->path, "work");
	auto_free char *merged = path_join(r->path, "merged"), *whole = NULL, *program = NULL;
	auto_free char *base = xfmt("%s/", s->dir);
	AUTO(buf_clear) struct buf lower = BUF_INIT;
	const struct fuse_helper *h = find_helper(record->helper, &program);
	struct fuse_mount m = {.upper = upper, .work = work, .merged = merged};
	struct proc_ref process = {0};
	int rc = 0;

	if (!h)
		return err_set(err, ERR_UNSUPPORTED, "it was made with %s, which is not installed any more", record->helper);
	if (h->merges_layers) {
		storage_own_layer_names(s, r, base, "", ':', &lower);
		if (!r->below.n)
			buf_fmt(&lower, "%s/empty", r->path);
		m.lower = buf_cstr(&lower);
	} else {
		rc = ensure_whole(s, r, &whole, err);
		m.whole = whole;
	}
	if (rc == 0)
		rc = start_process(h, program, &m, r->path, "merged", &process, err);
	if (rc < 0)
		return rc;
	record->pid = process.pid;
	record->start = process.start;
	rc = record_write(AT_FDCWD, r->path, record, err);
	if (rc < 0) {
		(void)storage_unmount(r->path, "merged", NULL);	/* the first error is told */
		end_process(&process);
		return rc;
	}
	watch(s, r->id, &process);
	return 0;
}

static int fuse_rootfs_umount(struct storage *s, const struct rootfs *r, struct err *err)
{
	AUTO(record_clear) struct fuse_record record = {0};
	struct proc_ref process;
	int rc;

	unwatch(s, r->id);
	rc = storage_unmount(r->path, "merged", err);
	if (rc < 0 || record_read(AT_FDCWD, r->path, &record, NULL) < 0 || !record_process(&record, &process))
		return rc;
	end_process(&process);
	record.pid = 0;
	record.start = 0;
	return record_write(AT_FDCWD, r->path, &record, err);
}

/* Mounted by a process that is not there any more. The kernel answers from what it has cached for a while, so only the process tells. */
static bool is_dead(const struct rootfs *r, const struct fuse_record *record)
{
	struct proc_ref process;

	return record_process(record, &process) && !proc_ref_alive(&process) && storage_is_mounted(r->path, "merged");
}

static int fuse_rootfs_mount(struct storage *s, const struct rootfs *r, const char *label, char **ret_path,
			     struct err *err)
{
	AUTO(record_clear) struct fuse_record record = {0};
	int rc;

	if (!str_empty(label))
		return err_set(err, ERR_UNSUPPORTED,
			       "storage driver '%s' cannot give a container's files an SELinux label: use overlay", s->driver->name);
	rc = record_read(AT_FDCWD, r->path, &record, err);
	if (rc == 0 && is_dead(r, &record))
		rc = fuse_rootfs_umount(s, r, err);
	if (rc == 0 && !storage_is_mounted(r->path, "merged"))
		rc = start_for(s, r, &record, err);
	if (rc == 0)
		*ret_path = path_join(r->path, "merged");
	return err_wrap(err, rc, "root file system of container %.12s", r->id);
}

static void fuse_rootfs_info(struct storage *s, const struct rootfs *r, struct strmap *ret)
{
	AUTO(record_clear) struct fuse_record record = {0};
	auto_free char *pid = NULL;

	storage_union_info(s, r, ret);
	if (record_read(AT_FDCWD, r->path, &record, NULL) < 0)
		return;
	strmap_set(ret, "Helper", record.helper);
	if (!record.pid)
		return;
	pid = xfmt("%" PRId64 "%s", record.pid, is_dead(r, &record) ? " (ended)" : "");
	strmap_set(ret, "HelperPid", pid);
}

const struct storage_driver storage_fuse = {
	.name = "fuse",
	.layers_are_independent = true,
	.whiteouts = LAYER_WHITEOUTS_OVERLAY,
	.probe = fuse_probe,
	.open = fuse_open,
	.close = fuse_close,
	.tick = fuse_tick,
	.status = fuse_status,
	.layer_fill = storage_own_layer_fill,
	.layer_settle = fuse_layer_settle,
	.discard = fuse_discard,
	.rootfs_fill = fuse_rootfs_fill,
	.rootfs_mount = fuse_rootfs_mount,
	.rootfs_umount = fuse_rootfs_umount,
	.rootfs_usage = storage_union_usage,
	.rootfs_info = fuse_rootfs_info,
};
