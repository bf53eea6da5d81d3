/*
 * volume.c - field tables of volume.h
 */
#include "runtime/api/volume.h"

#include "runtime/api/table.h"

#define S struct api_volume_usage
static const struct json_field volume_usage_fields[] = {
	F(ref_count, "RefCount", JSON_I64, 0),
	F(size, "Size", JSON_I64, 0),
};
static const struct json_table volume_usage_table = JSON_TABLE("UsageData", S, volume_usage_fields);
#undef S

#define S struct api_volume
static const struct json_field volume_fields[] = {
	F(created_at, "CreatedAt", JSON_TIME, 0),
	F(driver, "Driver", JSON_STR, 0),
	F(labels, "Labels", JSON_STRMAP, NUL),
	F(mountpoint, "Mountpoint", JSON_STR, 0),
	F(name, "Name", JSON_STR, 0),
	F(options, "Options", JSON_STRMAP, NUL),
	F(scope, "Scope", JSON_STR, 0),
	F(status, "Status", JSON_RAW, OMIT),
	SUB(usage_data, "UsageData", JSON_OBJP, OMIT, &volume_usage_table),
};
const struct json_table api_volume_table = JSON_TABLE("volume", S, volume_fields);
#undef S

#define S struct api_volume_create
static const struct json_field volume_create_fields[] = {
	F(name, "Name", JSON_STR, 0),
	F(driver, "Driver", JSON_STR, 0),
	F(driver_opts, "DriverOpts", JSON_STRMAP, 0),
	F(labels, "Labels", JSON_STRMAP, 0),
	F(cluster_volume_spec, "ClusterVolumeSpec", JSON_RAW, OMIT),
};
const struct json_table api_volume_create_table = JSON_TABLE("volume", S, volume_create_fields);
#undef S

#define S struct api_volume_list
static const struct json_field volume_list_fields[] = {
	SUB(volumes, "Volumes", JSON_VEC, 0, &api_volume_table),
	F(warnings, "Warnings", JSON_STRV, NUL),
};
const struct json_table api_volume_list_table = JSON_TABLE("volumes", S, volume_list_fields);
#undef S
