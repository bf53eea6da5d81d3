/*
 * cmd_criu.c - checkpoint, restore
 */
#include <unistd.h>

#include "compat/base/str.h"
#include "runtime/oci/checkpoint.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/spec.h"

static struct {
	char *image_path, *work_path, *parent_path, *manage_cgroups, *page_server, *bundle, *pid_file, *console_socket;
	char **empty_ns;
	int leave_running, pre_dump, lazy_pages, auto_dedup, tcp_established, ext_unix_sk, shell_job, file_locks;
	int detach, no_pivot, no_subreaper;
	int status_fd;
} o = {.status_fd = -1};

#define FLAG(name, var, text) {name, 0, POPT_ARG_NONE, &o.var, 0, text, NULL}
#define COMMON                                                                                                          \
	{"image-path", 0, POPT_ARG_STRING, &o.image_path, 0, "directory of the images (default: ./checkpoint)", "DIR"}, \
	{"work-path", 0, POPT_ARG_STRING, &o.work_path, 0, "directory of criu's logs", "DIR"},                          \
	{"manage-cgroups-mode", 0, POPT_ARG_STRING, &o.manage_cgroups, 0, "soft (default), full, strict or ignore", "MODE"}, \
	{"empty-ns", 0, POPT_ARG_ARGV, &o.empty_ns, 0, "refused: not supported", "NAMESPACE"},                          \
	FLAG("tcp-established", tcp_established, "allow open TCP connections"),                                         \
	FLAG("ext-unix-sk", ext_unix_sk, "allow unix sockets to the outside"),                                          \
	FLAG("shell-job", shell_job, "allow a job of a shell"),                                                         \
	FLAG("file-locks", file_locks, "handle file locks"),                                                            \
	FLAG("auto-dedup", auto_dedup, "remove pages from parent images"),                                              \
	FLAG("lazy-pages", lazy_pages, "move memory when it is used")

static const struct poptOption checkpoint_options[] = {
	COMMON,
	{"parent-path", 0, POPT_ARG_STRING, &o.parent_path, 0, "earlier images", "DIR"},
	FLAG("leave-running", leave_running, "let it go on"),
	FLAG("pre-dump", pre_dump, "dump memory only, let it go on"),
	{"page-server", 0, POPT_ARG_STRING, &o.page_server, 0, "send memory to a page server", "ADDRESS:PORT"},
	{"status-fd", 0, POPT_ARG_INT, &o.status_fd, 0, "fd that hears when criu is ready", "FD"},
	POPT_TABLEEND,
};
static const struct poptOption restore_options[] = {
	COMMON,
	{"bundle", 'b', POPT_ARG_STRING, &o.bundle, 0, "the bundle (default: the current directory)", "DIR"},
	{"pid-file", 0, POPT_ARG_STRING, &o.pid_file, 0, "write the first process's pid here", "FILE"},
	{"console-socket", 0, POPT_ARG_STRING, &o.console_socket, 0, "refused: terminals cannot be restored", "PATH"},
	{"detach", 'd', POPT_ARG_NONE, &o.detach, 0, "leave it running and return", NULL},
	FLAG("no-pivot", no_pivot, "accepted for runc's sake: criu switches the root"),
	FLAG("no-subreaper", no_subreaper, "accepted for runc's sake: it is our child always"),
	POPT_TABLEEND,
};

static int fill(struct oci_checkpoint *c, struct err *err)
{
	if (o.empty_ns)
		return err_set(err, ERR_UNSUPPORTED, "--empty-ns is not supported");
	*c = (struct oci_checkpoint){
		.criu = cmd_globals.criu, .image_path = o.image_path ? o.image_path : "checkpoint",
		.work_path = o.work_path, .parent_path = o.parent_path, .manage_cgroups = o.manage_cgroups,
		.page_server = o.page_server, .leave_running = o.leave_running, .pre_dump = o.pre_dump,
		.lazy_pages = o.lazy_pages, .auto_dedup = o.auto_dedup, .tcp_established = o.tcp_established,
		.ext_unix_sk = o.ext_unix_sk, .shell_job = o.shell_job, .file_locks = o.file_locks,
		.status_fd = o.status_fd,
	};
	return 0;
}

static int checkpoint(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct oci_checkpoint how;
	int rc = fill(&how, err);

	if (!rc)
		rc = cmd_load(args[0], &c, err);
	if (!rc)
		rc = oci_checkpoint(c, &how, err);
	if (!rc && !o.leave_running && !o.pre_dump)
		rc = oci_delete(c, true, err);
	return rc;
}

static int restore(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	struct oci_create what = OCI_CREATE_INIT;
	struct oci_checkpoint how;
	int code, rc = fill(&how, err);

	if (!rc && o.console_socket)
		rc = err_set(err, ERR_UNSUPPORTED, "a container with a terminal cannot be restored");
	if (rc)
		return rc;
	what.id = args[0];
	what.bundle = o.bundle;
	what.root = cmd_globals.root;
	what.pid_file = o.pid_file;
	for (int i = 0; i < 3; i++)
		what.stdio[i] = i;
	if (!o.detach)
		cmd_block_signals();
	rc = oci_restore(&what, &how, &c, err);
	if (rc || o.detach)
		return rc;
	code = cmd_wait_first(oci_container_pid(c), -1);
	err_clear(err);
	rc = oci_delete(c, true, err);
	return rc ? rc : code;
}

const struct cmd cmds_criu[] = {
	{"checkpoint", "CONTAINER", "write a running container to disk, by criu", checkpoint_options, 1, 1, false, false, checkpoint},
	{"restore", "CONTAINER", "bring a container back from disk, by criu", restore_options, 1, 1, false, true, restore},
	{0},
};
