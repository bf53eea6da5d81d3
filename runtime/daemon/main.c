/*
 * main - pouchd.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/log.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/base/version.h"
#include "compat/kernel/capability.h"
#include "compat/kernel/cgroup.h"
#include "compat/kernel/oom_score.h"
#include "runtime/daemon/options.h"
#include "runtime/daemon/reload.h"
#include "runtime/daemon/server.h"
#include "runtime/daemon/supervise.h"
#include "runtime/engine/engine.h"

#define STOP_WAIT_MS 3000
#define FILES_WANTED 65536

static void on_warning(const char *message)
{
	log_warn("%s", message);
}

/* Every container costs a few fds, every connection one; old kernels give 1024. Fewer will do for fewer of both (server.c). */
static void raise_limits(void)
{
	struct rlimit files, more = {FILES_WANTED, FILES_WANTED};

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || (files.rlim_max < FILES_WANTED && setrlimit(RLIMIT_NOFILE, &more) == 0))
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static void set_oom_score(int value)
{
	struct err err = ERR_INIT;

	if (oom_score_set(0, value, &err) < 0)
		log_warn("OOM score adjustment %d is not possible here: %s", value, err.msg);
}

static int write_pidfile(const char *path, struct err *err)
{
	char text[16];

	if (str_empty(path))
		return 0;
	str_fmt(text, sizeof(text), "%d\n", (int)getpid());
	return file_replace(AT_FDCWD, path, text, strlen(text), 0644, FILE_NO_SYNC, err);
}

static int probe_host(const struct daemon_options *o, struct err *err)
{
	const struct compat_options compat = {.home = o->home, .exec_root = o->exec_root, .mount_cgroups = true};
	int rc = path_mkdirs(o->home, 0711, err);

	if (rc >= 0)
		rc = path_mkdirs(o->exec_root, 0711, err);
	return rc < 0 ? rc : compat_init(&compat, err);
}

static struct server *server;

static int open_server(void *daemon, struct err *err)
{
	return server_open(daemon, &server, err);
}

static int open_engine(struct daemon_context *daemon, struct err *err)
{
	const struct daemon_options *o = daemon->options;
	const struct engine_options engine = {
		.home = o->home,
		.exec_root = o->exec_root,
		.cgroup_parent = o->cgroup_parent,
		.default_runtime = o->default_runtime,
		.runtimes = &o->runtimes,
		.log_driver = o->log_driver,
		.log_opts = &o->log_opts,
		.snapshotter = o->snapshotter,
		.storage_opts = &o->storage_opts,
		.default_registry = o->default_registry,
		.default_registry_namespace = o->default_registry_namespace,
		.image_proxy = o->image_proxy,
		.insecure_registries = &o->insecure_registries,
		.bridge_name = o->bridge_name,
		.bip = o->bip,
		.fixed_cidr = o->fixed_cidr,
		.default_gateway = o->default_gateway,
		.fixed_cidr6 = o->enable_ipv6 ? o->fixed_cidr6 : NULL,
		.default_gateway6 = o->enable_ipv6 ? o->default_gateway6 : NULL,
		.disable_bridge = o->disable_bridge,
		.iptables = o->iptables,
		.ip_forward = o->ip_forward,
		.userland_proxy = o->userland_proxy,
		.mtu = o->mtu,
		.warn = on_warning,
		.claimed = open_server,	/* an address that cannot be had ends the start before there are bridges and rules */
		.claimed_arg = daemon,
	};

	return engine_open(&engine, &daemon->engine, err);
}

/* All threads are started with these blocked, so that they arrive here alone. */
static void wait_for_end(struct daemon_context *daemon, const sigset_t *set)
{
	for (;;) {
		int sig;

		if (sigwait(set, &sig))
			continue;
		if (sig != SIGHUP)
			return;
		reload_file(daemon);
	}
}

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Hierarchies that were mounted for us and that nobody uses. */
static void unmount_cgroups(const struct daemon_options *o)
{
	auto_free char *record = path_join(o->exec_root, COMPAT_CGROUP_RECORD);

	cgroup_host_unmount(record, str_empty(o->cgroup_parent) ? "default" : o->cgroup_parent);
}

static int fail(const struct err *err)
{
	log_error("%s", err->msg);
	return 1;
}

/* --validate: what a start would stumble over before it touches anything, and where a service script finds the daemon. */
static int validate(const struct daemon_options *o)
{
	const struct compat_options compat = {.home = o->home, .exec_root = o->exec_root, .no_cache = true};
	struct err err = ERR_INIT;

	if (compat_begin(&compat, &err) < 0)
		return fail(&err);
	printf("home-dir %s\nexec-root-dir %s\n", o->home, o->exec_root);
	if (!str_empty(o->pidfile))
		printf("pidfile %s\n", o->pidfile);
	STRV_EACH(address, &o->listen)
		printf("listen %s\n", *address);
	return 0;
}

/* --supervise: pouchd gets all other arguments. */
static int run_supervisor(const char *pidfile, int argc, char **argv)
{
	AUTO(strv_clear) struct strv args = {0};
	struct err err = ERR_INIT;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--supervise"))
			i++;
		else if (!str_starts(argv[i], "--supervise="))
			strv_add(&args, argv[i]);
	}
	return supervise(pidfile, strv_argv(&args), &err) < 0 ? fail(&err) : 0;
}

int main(int argc, char **argv)
{
	static struct daemon_options options;
	struct daemon_context daemon = {.options = &options};
	struct err err = ERR_INIT;
	sigset_t set;

	log_open(STDERR_FILENO, LOG_LEVEL_INFO, "pouchd");
	if (options_read(argc, (const char **)argv, &options, &err) < 0)
		return fail(&err);
	if (options.version) {
		printf("pouchd %s, commit %s, built %s\n", version_string(), version_commit(), version_build_time());
		return 0;
	}
	if (options.debug)
		log_open(STDERR_FILENO, LOG_LEVEL_DEBUG, "pouchd");
	if (options.validate)
		return validate(&options);
	if (geteuid() != 0) {
		err_set(&err, ERR_FORBIDDEN, "pouchd needs root");
		return fail(&err);
	}
	umask(022);
	if (options.supervise)
		return run_supervisor(options.supervise, argc, argv);
	raise_limits();
	set_oom_score(options.oom_score_adj);
	block_signals(&set);

	if (probe_host(&options, &err) < 0 || open_engine(&daemon, &err) < 0 || write_pidfile(options.pidfile, &err) < 0 ||
	    server_start(server, &err) < 0) {
		if (server)
			server_stop(server, 0);
		/* What another one mounted is another one's. */
		if (cgroup_host_mounted())
			unmount_cgroups(&options);
		return fail(&err);
	}
	STRV_EACH(address, &options.listen)
		log_info("listening on %s", *address);

	wait_for_end(&daemon, &set);
	log_info("stopping; containers live on");
	engine_shutdown(daemon.engine);
	server_stop(server, STOP_WAIT_MS);
	unmount_cgroups(&options);
	engine_close(daemon.engine);
	if (!str_empty(options.pidfile))
		(void)unlink(options.pidfile);	/* a stale one is harmless */
	return 0;
}
