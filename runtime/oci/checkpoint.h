/*
 * checkpoint - freeze a container to disk and bring it back, by the host's criu.
 *
 * Works with criu(8) as a program, so nothing of it is linked. Where it is not installed, ERR_UNSUPPORTED says so.
 */
#ifndef RUNTIME_OCI_CHECKPOINT_H
#define RUNTIME_OCI_CHECKPOINT_H

#include "runtime/oci/container.h"

struct oci_checkpoint {
	const char *criu;		/* program; NULL: "criu" in PATH */
	const char *image_path;		/* directory of the images, made 0700 when absent */
	const char *work_path;		/* directory of logs; NULL: the container's state directory */
	const char *parent_path;	/* earlier images for an incremental dump, relative to image_path */
	const char *manage_cgroups;	/* soft, full, strict, ignore; NULL: soft */
	const char *page_server;	/* "ADDRESS:PORT" */
	bool leave_running, pre_dump, lazy_pages, auto_dedup;
	bool tcp_established, ext_unix_sk, shell_job, file_locks;
	int status_fd;			/* -1: none */
};

/*
 * Dump @c. Unless leave_running or pre_dump it is dead afterwards; the caller deletes it. On failure it runs on, and the message
 * has the last error of criu's log.
 */
int oci_checkpoint(struct oci_container *c, const struct oci_checkpoint *checkpoint, struct err *err);

/*
 * As oci_create() with start: the container runs again and its first process is the caller's child. Its standard fds are those of
 * @create where they were pipes or /dev/null before. A bundle with prestart, createRuntime, createContainer or startContainer hooks is
 * ERR_UNSUPPORTED: there is no moment at which criu would let them run.
 */
int oci_restore(const struct oci_create *create, const struct oci_checkpoint *checkpoint, struct oci_container **ret,
		struct err *err);

#endif
