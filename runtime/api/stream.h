/*
 * stream - what flows after the headers of an answer: frames of attach and logs, lines of progress and events.
 *
 * Frames: without a terminal, standard output and error share one connection. Each chunk has eight bytes in front: stream
 * number, three zero bytes, length as big-endian 32 bits. With a terminal the bytes are plain.
 *
 * Spec:    Docker Engine API 1.47, "Stream format" of ContainerAttach; CreateImageInfo; EventMessage
 */
#ifndef RUNTIME_API_STREAM_H
#define RUNTIME_API_STREAM_H

#include "compat/base/json.h"

enum { API_STREAM_STDIN, API_STREAM_STDOUT, API_STREAM_STDERR, API_STREAM_SYSTEM_ERROR };
enum { API_FRAME_HEAD = 8 };

static inline void api_frame_head(uint8_t head[API_FRAME_HEAD], int stream, uint32_t len)
{
	head[0] = (uint8_t)stream;
	head[1] = head[2] = head[3] = 0;
	head[4] = (uint8_t)(len >> 24);
	head[5] = (uint8_t)(len >> 16);
	head[6] = (uint8_t)(len >> 8);
	head[7] = (uint8_t)len;
}

static inline uint32_t api_frame_len(const uint8_t head[API_FRAME_HEAD])
{
	return (uint32_t)head[4] << 24 | (uint32_t)head[5] << 16 | (uint32_t)head[6] << 8 | head[7];
}

/* What a client must send to take over the connection, and what comes back with status 101. */
#define API_UPGRADE_PROTOCOL	"tcp"
#define API_MIME_RAW		"application/vnd.docker.raw-stream"
#define API_MIME_MULTIPLEXED	"application/vnd.docker.multiplexed-stream"
#define API_MIME_JSON		"application/json"
#define API_MIME_TAR		"application/x-tar"

struct api_progress_detail {
	int64_t current, total;		/* bytes; total 0: not known */
};

struct api_error_detail {
	int64_t code;
	char *message;
};

/* One line of the answer to a pull, load, push or build. A line with an error is the last. */
struct api_progress {
	char *stream;			/* text for the user as it is */
	char *status, *id;
	struct api_progress_detail *progress_detail;
	char *progress;			/* the bar as text, for old clients */
	char *error;
	struct api_error_detail *error_detail;
	char *aux;			/* raw JSON */
};

struct api_event_actor {
	char *id;
	struct strmap attributes;
};

/* One line of GET /events. The first three repeat the others for clients of before API 1.22. */
struct api_event {
	char *status, *id, *from;
	char *type;			/* container daemon image network plugin volume */
	char *action;
	struct api_event_actor actor;
	char *scope;			/* "local" */
	int64_t time, time_nano;
};

extern const struct json_table api_progress_table;
extern const struct json_table api_event_table;

#endif
