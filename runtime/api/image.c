/*
 * image.c - field tables of image.h
 */
#include "runtime/api/image.h"

#include "runtime/api/table.h"

#define S struct api_root_fs
static const struct json_field root_fs_fields[] = {
	F(type, "Type", JSON_STR, 0),
	F(layers, "Layers", JSON_STRV, OMIT),
	F(base_layer, "BaseLayer", JSON_STR, OMIT),
};
static const struct json_table root_fs_table = JSON_TABLE("RootFS", S, root_fs_fields);
#undef S

#define S struct api_image_summary
static const struct json_field image_summary_fields[] = {
	F(id, "Id", JSON_STR, 0),
	F(parent_id, "ParentId", JSON_STR, 0),
	F(repo_tags, "RepoTags", JSON_STRV, 0),
	F(repo_digests, "RepoDigests", JSON_STRV, 0),
	F(created, "Created", JSON_I64, 0),
	F(created_at, "CreatedAt", JSON_TIME, 0),
	F(size, "Size", JSON_I64, 0),
	F(shared_size, "SharedSize", JSON_I64, 0),
	F(virtual_size, "VirtualSize", JSON_I64, OMIT),
	F(labels, "Labels", JSON_STRMAP, NUL),
	F(containers, "Containers", JSON_I64, 0),
	F(architecture, "Architecture", JSON_STR, OMIT),
	F(os, "Os", JSON_STR, OMIT),
};
const struct json_table api_image_summary_table = JSON_TABLE("image", S, image_summary_fields);
#undef S

#define S struct api_image_metadata
static const struct json_field image_metadata_fields[] = {
	F(last_tag_time, "LastTagTime", JSON_TIME, 0),
};
static const struct json_table image_metadata_table =
	JSON_TABLE("Metadata", S, image_metadata_fields);
#undef S

#define S struct api_image
static const struct json_field image_fields[] = {
	F(id, "Id", JSON_STR, 0),
	F(repo_tags, "RepoTags", JSON_STRV, 0),
	F(repo_digests, "RepoDigests", JSON_STRV, 0),
	F(parent, "Parent", JSON_STR, 0),
	F(comment, "Comment", JSON_STR, 0),
	F(created, "Created", JSON_TIME, 0),
	F(created_at, "CreatedAt", JSON_TIME, 0),
	F(docker_version, "DockerVersion", JSON_STR, 0),
	F(author, "Author", JSON_STR, 0),
	SUB(config, "Config", JSON_OBJ, 0, &api_container_config_table),
	F(architecture, "Architecture", JSON_STR, 0),
	F(variant, "Variant", JSON_STR, OMIT),
	F(os, "Os", JSON_STR, 0),
	F(os_version, "OsVersion", JSON_STR, OMIT),
	F(size, "Size", JSON_I64, 0),
	F(virtual_size, "VirtualSize", JSON_I64, OMIT),
	SUB(graph_driver, "GraphDriver", JSON_OBJ, 0, &api_driver_data_table),
	SUB(root_fs, "RootFS", JSON_OBJ, 0, &root_fs_table),
	SUB(metadata, "Metadata", JSON_OBJ, 0, &image_metadata_table),
};
const struct json_table api_image_table = JSON_TABLE("image", S, image_fields);
#undef S

#define S struct api_history
static const struct json_field history_fields[] = {
	F(id, "Id", JSON_STR, 0),
	F(created, "Created", JSON_I64, 0),
	F(created_by, "CreatedBy", JSON_STR, 0),
	F(tags, "Tags", JSON_STRV, NUL),
	F(size, "Size", JSON_I64, 0),
	F(comment, "Comment", JSON_STR, 0),
	F(author, "Author", JSON_STR, 0),
	F(empty_layer, "EmptyLayer", JSON_BOOL, 0),
};
const struct json_table api_history_table = JSON_TABLE("history", S, history_fields);
#undef S

#define S struct api_image_deleted
static const struct json_field image_deleted_fields[] = {
	F(untagged, "Untagged", JSON_STR, OMIT),
	F(deleted, "Deleted", JSON_STR, OMIT),
};
const struct json_table api_image_deleted_table =
	JSON_TABLE("deleted image", S, image_deleted_fields);
#undef S

#define S struct api_search_result
static const struct json_field search_result_fields[] = {
	F(star_count, "star_count", JSON_I64, 0),
	F(is_official, "is_official", JSON_BOOL, 0),
	F(name, "name", JSON_STR, 0),
	F(is_automated, "is_automated", JSON_BOOL, 0),
	F(description, "description", JSON_STR, 0),
};
const struct json_table api_search_result_table =
	JSON_TABLE("search result", S, search_result_fields);
#undef S
