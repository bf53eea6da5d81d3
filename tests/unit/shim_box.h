/*
 * shim_box.h - real containers for the shim's tests: busybox in a directory, one bundle each, kept by the built pouch-shim
 */
#ifndef TESTS_UNIT_SHIM_BOX_H
#define TESTS_UNIT_SHIM_BOX_H

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/random.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "runtime/shim/shim.h"
#include "tests/unit/unit.h"

static char box_top[64];	/* everything of this run */
static char box_shim[600];	/* path of pouch-shim */

struct box {
	char id[65];
	char *dir;	/* exec directory and bundle */
	struct shim_options o;
	struct shim *shim;
	pid_t pid;
	const char *resources;	/* JSON members of linux.resources */
	const char *uid;
	bool host_pid;
	const char *ipc;	/* further members of its IPC namespace */
	char *const *env;	/* of the shim; NULL: ours */
	struct box *beside;	/* whose shim starts this one; NULL: we do */
	struct strv kinds;	/* that they share then */
};

/* Why these tests cannot run here, or NULL. */
static inline const char *box_setup(void)
{
	const char *build = getenv("POUCH_BUILD");
	struct err err = ERR_INIT;
	AUTO(buf_clear) struct buf busybox = BUF_INIT;
	auto_free char *program = NULL, *tmp = NULL;

	if (geteuid())
		return "needs root";
	if (file_read(AT_FDCWD, "/bin/busybox", 16 << 20, &busybox, &err) < 0)
		return "needs /bin/busybox (busybox-static)";
	snprintf(box_shim, sizeof(box_shim), "%s/pouch-shim", build ? build : "build");
	if (access(box_shim, X_OK) < 0)
		return "pouch-shim is not built";
	snprintf(box_top, sizeof(box_top), "/tmp/pouch-shim-test.%d", (int)getpid());
	program = xfmt("%s/rootfs/bin", box_top);
	tmp = xfmt("%s/rootfs/tmp", box_top);
	if (path_mkdirs(program, 0755, &err) < 0 || path_mkdirs(tmp, 01777, &err) < 0)
		return "cannot make a directory in /tmp";
	(void)chmod(tmp, 01777);
	free(program);
	program = xfmt("%s/rootfs/bin/busybox", box_top);
	if (file_write(AT_FDCWD, program, busybox.data, busybox.len, 0755, &err) < 0)
		return "cannot copy busybox";
	for (const char *const *name = (const char *const[]){"sh", "cat", "echo", "true", "sleep", "seq", "stty", "yes", "head", "dd", "id",
							     "kill", "tail", "wc", "ls", NULL};
	     *name; name++) {
		auto_free char *link_path = xfmt("%s/rootfs/bin/%s", box_top, *name);

		(void)symlink("busybox", link_path);
	}
	return NULL;
}

/* Of a failed test the shim may still live: SIGTERM makes it end its container. */
static inline void box_end_strays(void)
{
	auto_closedir DIR *dir = opendir(box_top);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		auto_free char *path = xfmt("%s/%s/shim.pid", box_top, entry->d_name);
		AUTO(buf_clear) struct buf text = BUF_INIT;
		struct err err = ERR_INIT;
		unsigned long long start;
		struct proc_ref ref;
		int pid;

		if (file_read(AT_FDCWD, path, 100, &text, &err) < 0 || sscanf(text.data, "%d %llu", &pid, &start) != 2)
			continue;
		ref = (struct proc_ref){.pid = pid, .start = start};
		(void)proc_ref_kill(&ref, SIGTERM);
		for (int i = 0; i < 300 && proc_ref_alive(&ref); i++)
			usleep(10000);
	}
}

static inline void box_teardown(void)
{
	struct err err = ERR_INIT;
	glob_t groups = {0};

	if (!box_top[0])
		return;
	box_end_strays();
	(void)path_remove_tree(box_top, &err);
	if (glob("/sys/fs/cgroup/*/pouch-shim-test", 0, NULL, &groups) == 0)
		for (size_t i = 0; i < groups.gl_pathc; i++)
			(void)rmdir(groups.gl_pathv[i]);	/* another run may be using it */
	globfree(&groups);
}

static inline void box_init(struct box *b)
{
	struct err err = ERR_INIT;

	*b = (struct box){0};
	random_id(b->id);
	b->dir = xfmt("%s/%.12s", box_top, b->id);
	assert_ok(path_mkdirs(b->dir, 0700, &err));
	b->o.id = xstrdup(b->id);
	b->o.bundle = xstrdup(b->dir);
	b->o.runtime_root = xfmt("%s/oci", box_top);
	b->o.cgroup = xfmt("pouch-shim-test/%s", b->id);
	b->o.exit_file = xfmt("%s/exit.json", b->dir);
	b->o.log.driver = xstrdup("json-file");
	b->o.log.path = xfmt("%s/json.log", b->dir);
}

static inline void box_config(struct box *b, const char *script)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	auto_free char *path = xfmt("%s/config.json", b->dir);
	struct err err = ERR_INIT;

	buf_fmt(&text,
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":%s,\"user\":{\"uid\":%s,\"gid\":%s},\"args\":[\"sh\",\"-c\",",
		b->o.tty ? "true" : "false", b->uid ? b->uid : "0", b->uid ? b->uid : "0");
	json_print_str(&text, script, strlen(script));
	buf_fmt(&text,
		"],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\"},\"root\":{\"path\":\"%s/rootfs\"},\"hostname\":\"box\",\"mounts\":["
		"{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
		"{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"mode=755\"]},"
		"{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":[\"newinstance\",\"ptmxmode=0666\"]}"
		"],\"linux\":{\"cgroupsPath\":\"/%s\",\"resources\":{%s},\"namespaces\":[%s{\"type\":\"mount\"},"
		"{\"type\":\"ipc\"%s},{\"type\":\"uts\"}]}}",
		box_top, b->o.cgroup, b->resources ? b->resources : "", b->host_pid ? "" : "{\"type\":\"pid\"},", b->ipc ? b->ipc : "");
	assert_ok(file_write(AT_FDCWD, path, text.data, text.len, 0600, &err));
}

static inline int box_try_spawn(struct box *b, struct err *err)
{
	const struct shim_start start = {
		.program = box_shim,
		.dir = b->dir,
		.id = b->id,
		.env = b->env,
		.beside = b->beside ? b->beside->dir : NULL,
		.kinds = &b->kinds,
	};

	return shim_spawn(&start, &b->shim, err);
}

static inline void box_spawn(struct box *b)
{
	struct err err = ERR_INIT;

	assert_ok(box_try_spawn(b, &err));
}

static inline void box_create(struct box *b, const char *script)
{
	struct err err = ERR_INIT;

	box_config(b, script);
	box_spawn(b);
	assert_ok(shim_create(b->shim, &b->o, &b->pid, &err));
	assert_true(b->pid > 0);
}

static inline void box_start(struct box *b)
{
	struct err err = ERR_INIT;

	assert_ok(shim_start(b->shim, &err));
}

static inline void box_run(struct box *b, const char *script)
{
	box_create(b, script);
	box_start(b);
}

/* Wait for exit.json. */
static inline struct shim_exit box_wait(struct box *b)
{
	struct shim_exit e = {0};
	struct err err = ERR_INIT;

	for (int i = 0; i < 3000; i++) {
		if (shim_exit_read(b->o.exit_file, &e, &err) == 0)
			return e;
		usleep(10000);
	}
	fail_msg("no exit status after 30 s: %s", err.msg);
	return e;
}

static inline void box_clear(struct box *b)
{
	struct err err = ERR_INIT;

	if (b->shim) {
		(void)shim_kill(b->shim, SIGKILL, true, &err);	/* it may have ended */
		for (int i = 0; i < 500 && shim_delete(b->shim, &err) < 0; i++)
			usleep(10000);
	}
	shim_close(b->shim);
	json_clear(&shim_options_table, &b->o);
	strv_clear(&b->kinds);
	free(b->dir);
}

/* Did nothing of the container stay? */
static inline void assert_box_left_nothing(struct box *b)
{
	auto_free char *state = xfmt("%s/oci/%s", box_top, b->id);
	auto_free char *group = xfmt("/sys/fs/cgroup/memory/pouch-shim-test/%s", b->id);
	auto_free char *sock = xfmt("%s/shim.sock", b->dir);

	for (int i = 0; i < 300 && access(sock, F_OK) == 0; i++)
		usleep(10000);
	assert_int_equal(access(state, F_OK), -1);
	assert_int_equal(access(group, F_OK), -1);
}

/* All of @fd until its end or @ms pass without news. NUL-terminated; owned. */
static inline char *read_until(int fd, const char *needle, int ms)
{
	struct buf b = BUF_INIT;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (poll(&p, 1, ms) <= 0)
			break;
		n = read(fd, buf_room(&b, 65536), 65536);
		if (n <= 0)
			break;
		b.len += (size_t)n;
		b.data[b.len] = '\0';
		if (needle && memmem(b.data, b.len, needle, strlen(needle)))
			break;
	}
	return buf_take(&b);
}

/* Take docker's frames apart: text of one stream. Owned. */
static inline char *unframe(const char *data, size_t len, int stream)
{
	struct buf b = BUF_INIT;

	while (len >= 8) {
		const unsigned char *h = (const unsigned char *)data;
		size_t n = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];

		assert_true(h[0] == 1 || h[0] == 2);
		assert_true(n <= len - 8);
		if (h[0] == stream)
			buf_add(&b, data + 8, n);
		data += 8 + n;
		len -= 8 + n;
	}
	assert_int_equal(len, 0);
	return buf_take(&b);
}

/* The whole log as text. Owned. */
static inline char *box_log(struct box *b, bool want_stdout, bool want_stderr, size_t *ret_len)
{
	const struct log_read_options o = {
		.path = b->o.log.path,
		.want_stdout = want_stdout,
		.want_stderr = want_stderr,
		.tail = -1,
	};
	AUTO(log_reader_free) struct log_reader *r = NULL;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	ssize_t n;

	assert_ok(log_reader_open(&o, &r, &err));
	while ((n = log_reader_read(r, buf_room(&out, LOG_READ_MIN), LOG_READ_MIN, -1, &err)) > 0)
		out.len += (size_t)n;
	assert_ok((int)n);
	out.data[out.len] = '\0';
	if (ret_len)
		*ret_len = out.len;
	return buf_take(&out);
}

/* ---- sessions and execs ------------------------------------------------------------------------------------------------ */

/* Our end of a client's connection; the other goes to the shim. */
static inline int attach_client(struct box *b, const struct shim_attach *a, struct shim_session **ret)
{
	struct err err = ERR_INIT;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_ok(shim_attach(b->shim, a, pair[1], NULL, 0, ret, &err));
	close(pair[1]);
	return pair[0];
}

static const struct shim_attach all_streams __attribute__((unused)) = {.want_stdin = true, .want_stdout = true, .want_stderr = true};

static inline size_t read_all(int fd, char **ret)
{
	struct buf b = BUF_INIT;
	ssize_t n;

	while ((n = read(fd, buf_room(&b, 65536), 65536)) > 0)
		b.len += (size_t)n;
	*ret = xrealloc(b.data, b.len + 1);
	(*ret)[b.len] = '\0';
	return b.len;
}

static inline char *process_json(const char *script)
{
	struct buf b = BUF_INIT;

	buf_str(&b, "{\"user\":{\"uid\":0,\"gid\":0},\"cwd\":\"/\",\"env\":[\"PATH=/bin\"],\"args\":[\"sh\",\"-c\",");
	json_print_str(&b, script, strlen(script));
	buf_str(&b, "]}");
	return buf_take(&b);
}

static inline int exec_state(struct box *b, const char *id, bool *running)
{
	struct err err = ERR_INIT;
	struct shim_state st;
	int code = -1;

	assert_ok(shim_get_state(b->shim, &st, &err));
	*running = false;
	VEC_EACH(e, &st.execs) {
		if (!str_eq(e->id, id))
			continue;
		code = e->exit_code;
		*running = e->running;
	}
	json_clear(&shim_state_table, &st);
	return code;
}

static inline int exec_code(struct box *b, const char *id)
{
	bool running = true;
	int code = -1;

	for (int i = 0; i < 500 && running; i++) {
		code = exec_state(b, id, &running);
		if (running)
			usleep(10000);
	}
	assert_false(running);
	return code;
}

static inline int exec_start(struct box *b, struct shim_exec *e, const char *script, struct shim_session **ret)
{
	struct err err = ERR_INIT;
	int pair[2] = {-1, -1};
	pid_t pid;

	e->process = process_json(script);
	if (!e->detached)
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_ok(shim_exec(b->shim, e, pair[1], NULL, 0, &pid, ret, &err));
	assert_true(pid > 0);
	free(e->process);
	if (pair[1] >= 0)
		close(pair[1]);
	return pair[0];
}

#endif
