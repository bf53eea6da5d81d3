/*
 * pull - fetch an image, with progress.
 */
#ifndef CLI_PULL_H
#define CLI_PULL_H

#include "cli/cli.h"

struct pull_options {
	const char *image;
	const char *platform;		/* NULL: this machine's */
	bool quiet;			/* only errors */
	int fd;				/* where progress goes; lines in place when it is a terminal */
};

int pull_image(struct cli *cli, const struct pull_options *options, struct err *err);

#endif
