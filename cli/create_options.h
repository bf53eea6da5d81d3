/*
 * create_options - the options that `create` and `run` share, and the request that comes out of them.
 */
#ifndef CLI_CREATE_OPTIONS_H
#define CLI_CREATE_OPTIONS_H

#include "cli/option.h"
#include "runtime/api/container_config.h"

struct create_options {
	struct api_container_create request;	/* most options go straight in here */

	char *name, *platform, *cidfile;
	char *pull;			/* missing (NULL), always, never */
	char *hostname;
	struct strv env, env_files, networks, network_aliases;
	char *ip, *ip6;
	bool interactive, tty;

	/* run only */
	bool attach, detach, rm;
	struct opt_bool sig_proxy;
	char *detach_keys;
};

extern const struct option_group create_option_group;
extern const struct option_group run_option_group;

void create_options_clear(void *options);

/*
 * Fill in what only all options together tell: @args is the image and the command behind it. @attach: somebody will be
 * attached when it starts (`run` without -d).
 */
int create_options_finish(struct create_options *o, const struct strv *args, bool attach,
			  struct err *err);

#endif
