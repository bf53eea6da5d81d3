/*
 * volume - volumes as the API shows them.
 *
 * Spec:    Docker Engine API 1.47, Volume; PouchContainer API 1.24, VolumeInfo
 */
#ifndef RUNTIME_API_VOLUME_H
#define RUNTIME_API_VOLUME_H

#include "compat/base/json.h"

struct api_volume_usage {
	int64_t size, ref_count;	/* -1: not known */
};

struct api_volume {
	char *name, *driver, *mountpoint;
	int64_t created_at;		/* ns */
	char *status;			/* raw JSON object, absent when NULL */
	struct strmap labels, options;
	char *scope;
	struct api_volume_usage *usage_data;
};

struct api_volume_create {
	char *name, *driver;
	struct strmap driver_opts, labels;
	char *cluster_volume_spec;	/* docker only, raw JSON */
};

/* GET /volumes */
struct api_volume_list {
	VEC(struct api_volume) volumes;
	struct strv warnings;
};

extern const struct json_table api_volume_table;
extern const struct json_table api_volume_create_table;
extern const struct json_table api_volume_list_table;

#endif
