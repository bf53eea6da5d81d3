/*
 * attach - take part in a container: its streams, and how it ends.
 */
#ifndef CLI_ATTACH_H
#define CLI_ATTACH_H

#include "cli/cli.h"
#include "cli/session.h"

/* The part of an inspect that attaching needs. */
struct container_view {
	char *id;
	bool tty, open_stdin, running, paused;
	int64_t exit_code;
};

int container_view(struct cli *cli, const char *name, struct container_view *ret, struct err *err);
void container_view_clear(struct container_view *view);
DEFINE_AUTO_CLEAR(container_view_clear, struct container_view)

struct attach_options {
	const char *name;		/* the container's name or ID */
	bool tty, use_stdin, sig_proxy;
	const char *detach_keys;	/* NULL: ctrl-p,ctrl-q */
};

struct attachment {
	struct session session;
	struct http *stream, *wait;
};

void attachment_clear(struct attachment *a);
DEFINE_AUTO_CLEAR(attachment_clear, struct attachment)

/*
 * Take over the streams and subscribe to the end. All this comes before a start, so that nothing is lost of a container that
 * ends at once.
 *
 * @condition	"next-exit", "removed" or "not-running"
 */
int attach_open(struct cli *cli, const struct attach_options *o, const char *condition,
		struct attachment *ret, struct err *err);
/*
 * Talk until the end. Returns the container's exit status; 0 when the user left by the detach keys.
 */
int attach_finish(struct cli *cli, struct attachment *a, struct err *err);

/* Ask for an upgrade of @path on the keep-alive connection, which becomes the caller's. */
int attach_upgrade(struct cli *cli, const char *path, const struct buf *body, struct http **ret,
		   struct err *err);

/* "" and NULL: the default keys. */
int attach_keys(const char *spec, struct api_detach_keys *ret, struct err *err);

/*
 * The exit status for a start that failed with @err: 127 no such command, 126 not executable, else 125. Known by the
 * message, as there is nothing else in the API.
 */
int attach_start_status(const struct err *err);

#endif
