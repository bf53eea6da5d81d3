/*
 * mount - option words, and mounts at places that are held by an fd.
 *
 * A place in a root file system that is not trusted is opened first (compat/base/path.h) and then mounted on by its fd, so that nobody can
 * move it away between check and use.
 */
#ifndef COMPAT_KERNEL_MOUNT_H
#define COMPAT_KERNEL_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "compat/base/buf.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"

struct mount_options {
	unsigned long flags;		/* MS_* for the mount itself, without propagation */
	unsigned long clear;		/* MS_* that a word like "rw", "suid" takes away explicitly */
	unsigned long propagation;	/* MS_SHARED ... with MS_REC; 0: untouched */
	unsigned long rec_set, rec_clear; /* MS_* for the whole tree below: "rro", "rnosuid" */
	bool bind, recursive;		/* "bind", "rbind" */
	bool copy_up;			/* "tmpcopyup" */
	bool idmap, idmap_recursive;	/* "idmap", "ridmap" */
	char *data;			/* what is no word of ours, with commas; NULL when there is none */
};

/*
 * Sort option words ("nosuid", "rprivate", "mode=755"). Unknown words go to data: the file system judges them. Every word of the
 * OCI specification and of mount(8) that needs the kernel is known; words for mount(8) alone ("_netdev", "defaults") are dropped.
 */
void mount_options_parse(const struct strv *words, struct mount_options *ret);
void mount_options_clear(struct mount_options *options);
DEFINE_AUTO_CLEAR(mount_options_clear, struct mount_options)

/* "rslave" -> MS_SLAVE | MS_REC; "" and NULL -> 0; -EINVAL */
int mount_propagation_parse(const char *word, unsigned long *ret);
/* Option words that a user may write, for `features`; NULL-terminated. */
const char *const *mount_option_words(void);

/* A new mount of a file system on the object that @target_fd holds. @target names it in messages. */
int mount_new_at(const char *source, int target_fd, const char *target, const char *fstype, unsigned long flags,
		 const char *data, struct err *err);
/* Bind @source (a path of ours, not of the container's) on the object that @target_fd holds. */
int mount_bind_at(const char *source, int target_fd, const char *target, bool recursive, struct err *err);
/*
 * Change the flags of the mount whose root @mount_fd holds (open it anew after mounting). Flags that the mount has and that may be locked
 * are kept where they must (user namespaces).
 */
int mount_reflag_at(int mount_fd, const char *target, unsigned long set, unsigned long clear, struct err *err);
/* The same for all mounts below too; mount_setattr(2), else one by one from mountinfo. */
int mount_reflag_tree_at(int mount_fd, const char *target, unsigned long set, unsigned long clear,
			 struct err *err);
int mount_propagation_at(int mount_fd, const char *target, unsigned long propagation, struct err *err);

/* "/proc/self/fd/N", for calls that want a path. */
#define MOUNT_FD_PATH_SIZE 40
const char *mount_fd_path(int fd, char buf[MOUNT_FD_PATH_SIZE]);

/* O_PATH where the kernel has it, O_RDONLY | O_NONBLOCK | O_NOCTTY elsewhere (2.6.32 ignores O_PATH and would really open). */
int mount_path_flags(void);

#endif
