/*
 * config - the image configuration: what an image's id is the digest of.
 *
 * Spec: OCI image-spec 1.1, config.md; docker's image spec 1.2 for what it has more
 */
#ifndef RUNTIME_IMAGE_CONFIG_H
#define RUNTIME_IMAGE_CONFIG_H

#include <stdint.h>

#include "compat/base/json.h"

/* Defaults for containers of this image. */
struct image_run_config {
	char *hostname, *domainname;
	char *user;
	struct strv exposed_ports;	/* "80/tcp" */
	struct strv env;
	struct strv entrypoint;
	struct strv cmd;
	struct strv volumes;
	char *working_dir;
	struct strmap labels;
	char *stop_signal;
	struct opt_i64 stop_timeout;	/* seconds */
	struct strv shell;
	struct strv on_build;
	bool args_escaped;
	char *healthcheck;		/* JSON text or NULL */
};

struct image_history {
	int64_t created;	/* ns since 1970 */
	char *created_by, *author, *comment;
	bool empty_layer;	/* no layer belongs to this step */
};

struct image_rootfs {
	char *type;		/* "layers" */
	struct strv diff_ids;	/* bottom first */
};

struct image_config {
	int64_t created;	/* ns since 1970; 0 when unknown */
	char *author;
	char *architecture, *variant;
	char *os, *os_version;
	char *docker_version, *comment, *parent;
	struct image_run_config config;
	struct image_rootfs rootfs;
	VEC(struct image_history) history;
};

/* More is no image or container that anybody means: each entry is compared with the others. */
#define RUN_CONFIG_LIST_MAX	10000
#define RUN_CONFIG_VOLUMES_MAX	1000

extern const struct json_table image_run_config_table;
extern const struct json_table image_history_table;
extern const struct json_table image_config_table;

#endif
