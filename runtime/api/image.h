/*
 * image - images as the API shows them.
 *
 * Pouch and docker disagree on the names of the time: docker's list has `Created` in seconds, its inspect `Created` as text;
 * pouch has `CreatedAt` as text in both. Both are printed.
 *
 * Spec:    Docker Engine API 1.47, ImageSummary, ImageInspect; PouchContainer API 1.24, ImageInfo
 */
#ifndef RUNTIME_API_IMAGE_H
#define RUNTIME_API_IMAGE_H

#include "compat/base/json.h"
#include "runtime/api/container.h"
#include "runtime/api/container_config.h"

struct api_root_fs {
	char *type;			/* "layers" */
	struct strv layers;		/* diff IDs */
	char *base_layer;
};

/* One row of GET /images/json. */
struct api_image_summary {
	char *id, *parent_id;
	struct strv repo_tags, repo_digests;
	int64_t created;		/* seconds */
	int64_t created_at;		/* ns */
	int64_t size, shared_size, virtual_size;	/* bytes; shared -1: not computed */
	struct strmap labels;
	int64_t containers;		/* -1: not computed */
	char *architecture, *os;
};

struct api_image_metadata {
	int64_t last_tag_time;		/* ns */
};

/* GET /images/NAME/json */
struct api_image {
	char *id;
	struct strv repo_tags, repo_digests;
	char *parent, *comment;
	int64_t created, created_at;	/* ns, the same moment */
	char *docker_version, *author;
	struct api_container_config config;
	char *architecture, *variant, *os, *os_version;
	int64_t size, virtual_size;
	struct api_driver_data graph_driver;
	struct api_root_fs root_fs;
	struct api_image_metadata metadata;
};

/* GET /images/NAME/history. Docker spells Id and Tags, pouch ID and adds Author and EmptyLayer. */
struct api_history {
	char *id;
	int64_t created;		/* seconds */
	char *created_by;
	struct strv tags;
	int64_t size;
	char *comment, *author;
	bool empty_layer;
};

/* An element of the answer to DELETE /images/NAME: one of the two. */
struct api_image_deleted {
	char *untagged, *deleted;
};

struct api_search_result {
	char *description;
	bool is_official, is_automated;
	char *name;
	int64_t star_count;
};

extern const struct json_table api_image_summary_table;
extern const struct json_table api_image_table;
extern const struct json_table api_history_table;
extern const struct json_table api_image_deleted_table;
extern const struct json_table api_search_result_table;

#endif
