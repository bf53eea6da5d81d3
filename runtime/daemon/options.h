/*
 * options - what pouchd is told: command line and configuration file.
 *
 * One table holds every option. The file is a JSON object whose keys are the options' long names; an unknown key is an
 * error, and so is an option that is given in both places.
 */
#ifndef RUNTIME_DAEMON_OPTIONS_H
#define RUNTIME_DAEMON_OPTIONS_H

#include <pthread.h>
#include <stdbool.h>

#include "compat/base/err.h"
#include "compat/base/vec.h"

struct daemon_options {
	/* places */
	char *home, *exec_root, *pidfile, *config_file;
	struct strv listen;		/* unix:///path, tcp://host:port */
	/* TLS of the tcp listeners: on when a certificate is given */
	char *tls_ca, *tls_cert, *tls_key;
	bool tls_verify;
	struct strv manager_whitelist;	/* common names of clients that may connect */
	/* network */
	char *bridge_name, *bip, *fixed_cidr, *default_gateway;
	char *fixed_cidr6, *default_gateway6;
	bool enable_ipv6, disable_bridge, iptables, ip_forward, userland_proxy;
	int mtu;
	/* containers */
	char *cgroup_parent, *default_runtime, *log_driver, *snapshotter;
	struct strv log_opts;		/* "key=value" */
	struct strv storage_opts;	/* "key=value" */
	struct strv runtimes;		/* "name=path" */
	/* images */
	char *default_registry, *default_registry_namespace, *image_proxy;
	struct strv insecure_registries;
	/* the daemon itself */
	struct strv labels;		/* "key=value" */
	int oom_score_adj;
	bool debug;

	/* what to do instead of serving */
	bool validate, version;
	char *supervise;		/* file for the pids */

	struct strv given;		/* long names that the command line had */
	/* labels, debug, image_proxy, insecure_registries: changed by options_reload() and POST /daemon/update */
	pthread_mutex_t lock;
};

/*
 * Defaults, then the command line, then the file. -h is answered and ends the process, as popt does it. ERR_INVALID names the
 * option or key; an option for something that this program cannot do is ERR_UNSUPPORTED and says what.
 */
int options_read(int argc, const char **argv, struct daemon_options *ret, struct err *err);
void options_clear(struct daemon_options *o);

/*
 * Read the file again and take over what may change while running. On failure nothing is changed.
 *
 * @ret_changed	names of what was changed are appended
 * @ret_waiting	names of what the file has otherwise now and the next start will read
 */
int options_reload(struct daemon_options *o, struct strv *ret_changed, struct strv *ret_waiting, struct err *err);

/* One configuration file's text, for options_read() and its tests. */
int options_parse_file(const char *text, size_t len, struct daemon_options *o, struct err *err);

#endif
