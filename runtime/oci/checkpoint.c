/*
 * checkpoint.c - command lines for criu, and what it leaves
 *
 * Spec:    criu(8); the external resources are named as runc names them, so images can be exchanged
 */
#include "runtime/oci/checkpoint.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "runtime/oci/create.h"

#define DESCRIPTORS "descriptors.json"

static const char *program(const struct oci_checkpoint *o)
{
	return o->criu ? o->criu : "criu";
}

/* criu takes it as it is, and from where the images are: it would dump all and say nothing. */
static int check_parent(const struct oci_checkpoint *o, struct err *err)
{
	auto_free char *path = NULL;
	struct stat st;

	if (!o->parent_path)
		return 0;
	if (*o->parent_path == '/')
		return err_set(err, ERR_INVALID, "--parent-path: '%s' is not relative to the images' directory", o->parent_path);
	path = path_join(o->image_path, o->parent_path);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(err, ERR_NOT_FOUND, "--parent-path: there is no directory '%s'", path);
	return 0;
}

static int check(const struct oci_checkpoint *o, struct err *err)
{
	static const char *const modes[] = {"soft", "full", "strict", "ignore"};
	struct buf out = BUF_INIT;
	int status = 0, rc;

	if (o->manage_cgroups) {
		bool known = false;

		for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
			known |= str_eq(o->manage_cgroups, modes[i]);
		if (!known)
			return err_set(err, ERR_INVALID, "--manage-cgroups-mode: '%s' is none of soft, full, strict, ignore",
				       o->manage_cgroups);
	}
	rc = proc_run((char *[]){(char *)program(o), "--version", NULL}, NULL, &out, NULL, 10000, &status, err);
	buf_clear(&out);
	if (rc == -ENOENT || (!rc && proc_exit_code(status) == 127))
		return err_set(err, ERR_UNSUPPORTED, "checkpoint and restore need criu, and '%s' is not installed", program(o));
	return rc;
}

/* ---- the command line ---------------------------------------------------------------------------------------------------- */

static void common(struct strv *argv, const struct oci_checkpoint *o, const char *command, const char *work,
		   const char *log)
{
	const struct {
		bool on;
		const char *option;
	} flags[] = {
		{o->tcp_established, "--tcp-established"}, {o->ext_unix_sk, "--ext-unix-sk"},
		{o->shell_job, "--shell-job"},		   {o->file_locks, "--file-locks"},
		{o->lazy_pages, "--lazy-pages"},	   {o->auto_dedup, "--auto-dedup"},
	};

	strv_add(argv, program(o));
	strv_add(argv, command);
	strv_add(argv, "--images-dir");
	strv_add(argv, o->image_path);
	strv_add(argv, "--work-dir");
	strv_add(argv, work);
	strv_add(argv, "--log-file");
	strv_add(argv, log);
	strv_add(argv, "-v4");
	strv_addf(argv, "--manage-cgroups=%s", o->manage_cgroups ? o->manage_cgroups : "soft");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].on)
			strv_add(argv, flags[i].option);
	if (o->status_fd >= 0)
		strv_addf(argv, "--status-fd=%d", o->status_fd);
}

static bool is_bind(const struct oci_mount *m)
{
	return str_eq(m->type, "bind") || strv_has(&m->options, "bind") || strv_has(&m->options, "rbind");
}

/* Mounts whose other side is the host's: at dump they get a name, at restore the name gets a source. */
static void external_mounts(struct strv *argv, const struct oci_spec *spec, bool restore)
{
	VEC_EACH(m, &spec->mounts)
		if (is_bind(m))
			strv_addf(argv, "--external=mnt[%s]:%s", m->destination, restore ? m->source : m->destination);
	STRV_EACH(p, &spec->linux_.masked_paths)
		strv_addf(argv, "--external=mnt[%s]:%s", *p, restore ? "/dev/null" : *p);
}

/* The last line of the log that says "Error". */
static int failed(const char *work, const char *log, const char *command, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = path_join(work, log);
	const char *last = "no reason is in its log";

	if (file_read(AT_FDCWD, path, 64 << 20, &text, NULL) >= 0) {
		char *save = NULL;

		for (char *line = text.len ? strtok_r(text.data, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
			char *error = strstr(line, "Error ");

			if (error)
				last = error;
		}
	}
	return err_set(err, ERR_INTERNAL, "criu %s: %.300s; see '%s'", command, last, path);
}

/* ---- dump ---------------------------------------------------------------------------------------------------------------- */

/* Where the standard fds led: pipes are found again by these names. */
static int save_descriptors(struct oci_container *c, const struct oci_checkpoint *o, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = path_join(o->image_path, DESCRIPTORS);

	buf_char(&text, '[');
	for (int i = 0; i < 3; i++) {
		char link[64], target[4096];
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)oci_container_pid(c), i);
		n = readlink(link, target, sizeof(target));
		buf_str(&text, i ? "," : "");
		json_print_str(&text, target, n > 0 ? (size_t)n : 0);
	}
	buf_char(&text, ']');
	return file_write(AT_FDCWD, path, text.data, text.len, 0600, err);
}

static void dump_line(struct strv *argv, struct oci_container *c, const struct oci_spec *spec,
		      const struct oci_checkpoint *o, const char *work)
{
	const char *freezer;
	struct cgroup *cg = oci_container_cgroup(c);

	common(argv, o, o->pre_dump ? "pre-dump" : "dump", work, "dump.log");
	strv_add(argv, "--tree");
	strv_addf(argv, "%d", (int)oci_container_pid(c));
	strv_add(argv, "--root");
	strv_add(argv, oci_container_rootfs(c));
	external_mounts(argv, spec, false);
	freezer = cg ? cgroup_dir(cg, "freezer") : NULL;
	if (freezer)
		strv_addf(argv, "--freeze-cgroup=%s", freezer);
	VEC_EACH(n, &spec->linux_.namespaces) {
		struct stat st;

		if (str_eq(n->type, "network") && !str_empty(n->path) && stat(n->path, &st) == 0)
			strv_addf(argv, "--external=net[%llu]:extRootNetNS", (unsigned long long)st.st_ino);
	}
	if (o->leave_running)
		strv_add(argv, "--leave-running");
	if (o->pre_dump)
		strv_add(argv, "--track-mem");
	if (o->parent_path) {
		strv_add(argv, "--prev-images-dir");
		strv_add(argv, o->parent_path);
		strv_add(argv, "--track-mem");
	}
	if (o->page_server) {
		const char *colon = strrchr(o->page_server, ':');

		strv_add(argv, "--page-server");
		strv_addf(argv, "--address=%.*s", (int)(colon - o->page_server), o->page_server);
		strv_addf(argv, "--port=%s", colon + 1);
	}
}

int oci_checkpoint(struct oci_container *c, const struct oci_checkpoint *o, struct err *err)
{
	AUTO(strv_clear) struct strv argv = {0};
	enum oci_status status = oci_container_status(c);
	const char *work = o->work_path ? o->work_path : c->dir;
	const struct oci_spec *spec;
	int code = 0, rc = check(o, err);

	if (rc)
		return rc;
	if (status != OCI_RUNNING && status != OCI_PAUSED)
		return err_set(err, ERR_CONFLICT, "container cannot be checkpointed in the %s state", oci_status_name(status));
	if (o->page_server && !strrchr(o->page_server, ':'))
		return err_set(err, ERR_INVALID, "--page-server: '%s' is not ADDRESS:PORT", o->page_server);
	rc = oci_container_spec(c, &spec, err);
	if (!rc)
		rc = path_mkdirs(o->image_path, 0700, err);
	if (!rc)
		rc = check_parent(o, err);
	if (!rc)
		rc = path_mkdirs(work, 0700, err);
	if (!rc && !o->pre_dump)
		rc = save_descriptors(c, o, err);
	if (rc)
		return rc;
	dump_line(&argv, c, spec, o, work);
	rc = proc_run(strv_argv(&argv), NULL, NULL, NULL, 0, &code, err);
	if (!rc && code)
		rc = failed(work, "dump.log", o->pre_dump ? "pre-dump" : "dump", err);
	return rc;
}

/* ---- restore ------------------------------------------------------------------------------------------------------------- */

static int refuse_hooks(struct creation *x, struct err *err)
{
	const struct oci_hooks *h = &x->spec->hooks;

	if (x->spec->process && x->spec->process->terminal)
		return err_set(err, ERR_UNSUPPORTED, "a container with a terminal cannot be restored");
	if (h->prestart.n || h->create_runtime.n || h->create_container.n || h->start_container.n)
		return err_set(err, ERR_UNSUPPORTED, "a container with hooks before its start cannot be restored");
	return 0;
}

/* "pipe:[123]" of the dump becomes our own fd. */
static int inherit_fds(struct creation *x, struct strv *argv, struct err *err)
{
	const struct oci_checkpoint *o = x->arg;
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = path_join(o->image_path, DESCRIPTORS);
	AUTO(strv_clear) struct strv names = {0};
	int rc = file_read(AT_FDCWD, path, 16384, &text, err);

	if (rc < 0)
		return rc;
	/* Three strings that we wrote: between quotes is every second part. */
	strv_split(&names, buf_cstr(&text), "\"", true);
	for (size_t fd = 0; fd < 3 && 2 * fd + 1 < names.n; fd++)
		if (str_starts(names.v[2 * fd + 1], "pipe:["))
			strv_addf(argv, "--inherit-fd=fd[%zu]:%s", fd, names.v[2 * fd + 1]);
	return 0;
}

static void restore_line(struct creation *x, struct strv *argv, const char *work, const char *pid_file)
{
	const struct oci_checkpoint *o = x->arg;

	common(argv, o, "restore", work, "restore.log");
	strv_add(argv, "--root");
	strv_add(argv, x->c->state.rootfs);
	strv_add(argv, "--restore-detached");
	/* Ours, so that its end can be waited for. */
	strv_add(argv, "--restore-sibling");
	strv_add(argv, "--pidfile");
	strv_add(argv, pid_file);
	external_mounts(argv, x->spec, true);
	VEC_EACH(n, &x->spec->linux_.namespaces)
		if (str_eq(n->type, "network") && x->init.join.fds[NS_NET] >= 0)
			strv_addf(argv, "--inherit-fd=fd[%d]:extRootNetNS", x->init.join.fds[NS_NET]);
}

/* criu wants the root file system to be a mount; it gets one in a mount namespace that ends with it. */
static void run_criu(struct creation *x, struct strv *argv) __attribute__((noreturn));
static void run_criu(struct creation *x, struct strv *argv)
{
	const struct oci_create *o = x->options;
	const char *rootfs = x->c->state.rootfs;
	struct process_setup setup = {.stdio = {o->stdio[0], o->stdio[1], o->stdio[2]}};
	struct err err = ERR_INIT;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
	    mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL) < 0)
		_exit(125);
	if (x->init.join.fds[NS_NET] >= 0)
		(void)fd_set_cloexec(x->init.join.fds[NS_NET], false);
	if (process_stdio(&setup, &err))
		_exit(125);
	process_default_signals();
	execvp(argv->v[0], strv_argv(argv));
	_exit(127);
}

static int restore_process(struct creation *x, struct err *err)
{
	const struct oci_checkpoint *o = x->arg;
	const char *work = o->work_path ? o->work_path : x->c->dir;
	auto_free char *pid_file = path_join(x->c->dir, "criu.pid");
	AUTO(strv_clear) struct strv argv = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int status = 0, rc;
	uint32_t pid;
	pid_t child;

	restore_line(x, &argv, work, pid_file);
	rc = inherit_fds(x, &argv, err);
	if (rc)
		return rc;
	child = ns_clone(0);
	if (child == 0)
		run_criu(x, &argv);
	if (child < 0)
		return err_sys(err, -child, "start criu");
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (status)
		return failed(work, "restore.log", "restore", err);
	rc = file_read(AT_FDCWD, pid_file, 64, &text, err);
	if (rc < 0)
		return rc;
	text.data[strcspn(text.data, "\n")] = '\0';
	if (str_u32(text.data, 10, &pid) || !pid)
		return err_set(err, ERR_INTERNAL, "criu wrote no pid");
	(void)unlink(pid_file); /* it goes with the directory anyway */
	x->pid = (pid_t)pid;
	return 0;
}

int oci_restore(const struct oci_create *create, const struct oci_checkpoint *o, struct oci_container **ret,
		struct err *err)
{
	static const struct creation_stage stages[] = {
		{NULL, creation_check},		    {NULL, refuse_hooks},
		{NULL, creation_directory},	    {"cgroup", creation_open_cgroup},
		{"cgroup", creation_make_cgroup},   {"limits", creation_limits},
		{NULL, restore_process},	    {"save state", creation_save},
		{"process", creation_pid_file},
	};
	struct err ignored = ERR_INIT;
	struct stat st;
	int rc;

	if (!err)
		err = &ignored;
	rc = check(o, err);
	if (!rc && (stat(o->image_path, &st) < 0 || !S_ISDIR(st.st_mode)))
		rc = err_set(err, ERR_NOT_FOUND, "there is no checkpoint in '%s'", o->image_path);
	if (!rc)
		rc = creation_run(create, stages, ARRAY_SIZE(stages), (void *)o, ret, err);
	if (!rc)
		oci_poststart(*ret, err);
	return rc;
}
