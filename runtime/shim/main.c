/*
 * pouch-shim - keeper of one container
 *
 * Started by pouchd (shim_spawn()), or by another shim for it, with two sockets: fd 3, the first connection, and fd 4, which listens at
 * DIR/shim.sock. NAMESPACES, "network,ipc": the other's container has these, and not the host.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/version.h"
#include "compat/kernel/capability.h"
#include "runtime/oci/container.h"
#include "runtime/shim/keeper.h"

#define FILES_WANTED 65536	/* an exec with a client needs six; the container inherits what is not set for it */

/* What the container inherits should not depend on who started pouchd, and nothing here may hold a mount. */
static void settle(void)
{
	struct rlimit files;

	umask(0022);
	(void)!chdir("/");	/* it exists */
	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= FILES_WANTED)
		return;
	files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
	(void)setrlimit(RLIMIT_NOFILE, &files);	/* then there are fewer execs at once */
}

int main(int argc, char **argv)
{
	static struct keeper keeper;
	struct err err = ERR_INIT;

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		printf("pouch-shim version %s, commit %s\n", version_string(), version_commit());
		return 0;
	}
	if (argc < 3 || argc > 4 || argv[1][0] == '-') {
		fprintf(stderr, "usage: pouch-shim ID DIR [NAMESPACES]\n"
				"pouchd starts it, with sockets at fd 3 and 4; it is of no use by hand.\n");
		return 2;
	}
	settle();
	/* What compat.xml hides or forces holds here too. */
	if (compat_begin(NULL, &err) < 0 || oci_protect_self(argv, &err) < 0 || keeper_init(&keeper, argv[1], argv[2], argv[3], &err) < 0) {
		fprintf(stderr, "pouch-shim: %s\n", err.msg);
		return 1;
	}
	while (!keeper_is_done(&keeper))
		loop_run(&keeper.loop);
	return 0;
}
