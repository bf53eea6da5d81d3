/*
 * archive - what the archive routes tell of a path in a container.
 *
 * Spec:    Docker Engine API 1.47, ContainerArchiveInfo
 */
#ifndef RUNTIME_API_ARCHIVE_H
#define RUNTIME_API_ARCHIVE_H

#include <sys/types.h>

#include "compat/base/json.h"

/* JSON in base64, in this header of the answer. */
#define API_PATH_STAT_HEADER "X-Docker-Container-Path-Stat"

/* The bits of Go's os.FileMode that tell kinds; the low nine are permissions. */
enum {
	API_MODE_DIR = 1u << 31,
	API_MODE_LINK = 1u << 27,
	API_MODE_DEVICE = 1u << 26,
	API_MODE_FIFO = 1u << 25,
	API_MODE_SOCKET = 1u << 24,
	API_MODE_SETUID = 1u << 23,
	API_MODE_SETGID = 1u << 22,
	API_MODE_CHAR_DEVICE = 1u << 21,
	API_MODE_STICKY = 1u << 20,
};

struct api_path_stat {
	char *name;		/* the last component of the path that was asked for; "." and "/" are possible */
	int64_t size;
	uint32_t mode;		/* as Go's */
	int64_t mtime;		/* ns */
	char *link_target;	/* of a link: where it leads in the container, absolute; else "" */
};

extern const struct json_table api_path_stat_table;

uint32_t api_mode(mode_t mode);

#endif
