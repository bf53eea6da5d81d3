/*
 * stream.c - field tables of stream.h and error.h
 */
#include "runtime/api/stream.h"

#include "compat/base/str.h"
#include "runtime/api/error.h"
#include "runtime/api/table.h"

#define S struct api_progress_detail
static const struct json_field progress_detail_fields[] = {
	F(current, "current", JSON_I64, OMIT),
	F(total, "total", JSON_I64, OMIT),
};
static const struct json_table progress_detail_table =
	JSON_TABLE("progressDetail", S, progress_detail_fields);
#undef S

#define S struct api_error_detail
static const struct json_field error_detail_fields[] = {
	F(code, "code", JSON_I64, OMIT),
	F(message, "message", JSON_STR, 0),
};
static const struct json_table error_detail_table =
	JSON_TABLE("errorDetail", S, error_detail_fields);
#undef S

#define S struct api_progress
static const struct json_field progress_fields[] = {
	F(stream, "stream", JSON_STR, OMIT),
	F(status, "status", JSON_STR, OMIT),
	SUB(progress_detail, "progressDetail", JSON_OBJP, OMIT, &progress_detail_table),
	F(progress, "progress", JSON_STR, OMIT),
	F(id, "id", JSON_STR, OMIT),
	SUB(error_detail, "errorDetail", JSON_OBJP, OMIT, &error_detail_table),
	F(error, "error", JSON_STR, OMIT),
	F(aux, "aux", JSON_RAW, OMIT),
};
const struct json_table api_progress_table = JSON_TABLE("progress", S, progress_fields);
#undef S

#define S struct api_event_actor
static const struct json_field event_actor_fields[] = {
	F(id, "ID", JSON_STR, 0),
	F(attributes, "Attributes", JSON_STRMAP, 0),
};
static const struct json_table event_actor_table = JSON_TABLE("Actor", S, event_actor_fields);
#undef S

#define S struct api_event
static const struct json_field event_fields[] = {
	F(status, "status", JSON_STR, OMIT),
	F(id, "id", JSON_STR, OMIT),
	F(from, "from", JSON_STR, OMIT),
	F(type, "Type", JSON_STR, 0),
	F(action, "Action", JSON_STR, 0),
	SUB(actor, "Actor", JSON_OBJ, 0, &event_actor_table),
	F(scope, "scope", JSON_STR, OMIT),
	F(time, "time", JSON_I64, 0),
	F(time_nano, "timeNano", JSON_I64, 0),
};
const struct json_table api_event_table = JSON_TABLE("event", S, event_fields);
#undef S

#define S struct api_error
static const struct json_field error_fields[] = {
	F(message, "message", JSON_STR, 0),
};
const struct json_table api_error_table = JSON_TABLE("error", S, error_fields);
#undef S

void api_error_print(const char *message, struct buf *out)
{
	buf_str(out, "{\"message\":");
	json_print_str(out, message, strlen(message));
	buf_str(out, "}\n");
}
