/*
 * mount - option words, and mounts at places that are held by an fd.
 *
 * A place in a root file system that is not trusted is opened first (compat/base/path.h) and then mounted on by its fd, so that nobody
 * can move it away between check and use. Where the kernel has mount_setattr(2), a bind mount gets its flags before it is attached.
 */
#ifndef COMPAT_KERNEL_MOUNT_H
#define COMPAT_KERNEL_MOUNT_H

#include <stdbool.h>
#include <sys/types.h>

#include "compat/base/auto.h"
#include "compat/base/err.h"
#include "compat/base/vec.h"

struct mount_options {
	unsigned long flags;		/* MS_* of the mount; MS_REMOUNT too; without propagation and bind */
	unsigned long clear;		/* MS_* that a word like "rw", "suid" takes away explicitly */
	unsigned long propagation;	/* MS_SHARED ... with MS_REC; 0: untouched */
	unsigned long rec_set, rec_clear; /* MS_* for the whole tree below: "rro", "rsuid" */
	bool bind, recursive;		/* "bind", "rbind" */
	bool copy_up;			/* "tmpcopyup" */
	bool idmap;			/* "idmap", "ridmap" */
	char *data;			/* what is no word of ours, with commas; NULL when there is none */
};

/*
 * Sort option words ("nosuid", "rprivate", "mode=755"). Every word of the OCI specification and of mount(8) that concerns the kernel
 * is known; words for mount(8) alone ("defaults", "_netdev") are dropped; all else goes to data, for the file system to judge.
 */
void mount_options_parse(const struct strv *words, struct mount_options *ret);
void mount_options_clear(struct mount_options *options);
DEFINE_AUTO_CLEAR(mount_options_clear, struct mount_options)

/* "rslave" -> MS_SLAVE | MS_REC; "" and NULL -> 0; else -EINVAL */
int mount_propagation_parse(const char *word, unsigned long *ret);
/* Words that mount_options_parse() knows, sorted; NULL-terminated. */
const char *const *mount_option_words(void);

/* Where to mount: opened with mount_path_flags(), nothing mounted since. */
struct mount_place {
	int root_fd;		/* the root that @path is below */
	const char *path;	/* in the root: to open the new mount, and for messages */
	int fd;			/* of what @path is */
};

/*
 * Mount a file system.
 *
 * @data	instead of options->data; may be NULL
 * @ret_fd	the new mount's root, NULL when nobody wants it
 */
int mount_new_at(const char *source, const struct mount_place *place, const char *fstype,
		 const struct mount_options *options, const char *data, int *ret_fd, struct err *err);

/*
 * Bind @source (a path of the host's) there, with the flags, propagation and recursive flags of @options. Flags of the source's mount stay
 * unless a word clears them.
 */
int mount_bind_at(const char *source, const struct mount_place *place, const struct mount_options *options,
		  int *ret_fd, struct err *err);

/*
 * Change flags of the mount whose root @mount_fd is. Flags that the mount has stay, except those in @clear. @path is for messages.
 */
int mount_reflag(int mount_fd, const char *path, unsigned long set, unsigned long clear, bool recursive,
		 struct err *err);
int mount_propagate(int mount_fd, const char *path, unsigned long propagation, struct err *err);

/* "rw,nosuid,relatime" of mountinfo -> MS_NOSUID | MS_RELATIME */
unsigned long mount_flags_of(const char *options);

/*
 * May a devpts be mounted? A kernel without instances has the host's only, and even one that it refuses to mount with "newinstance" has
 * first put the host's options back to their defaults. It shows by the lack of "ptmx" in the host's /dev/pts; where none is mounted there are
 * no options to lose. Call it while the host's /dev is in sight.
 */
bool mount_has_own_devpts(void);

/* "/proc/self/fd/N", for calls that want a path. */
#define MOUNT_FD_PATH_SIZE 40
const char *mount_fd_path(int fd, char buf[MOUNT_FD_PATH_SIZE]);

/*
 * Flags to open a place with: O_PATH where the kernel has it; elsewhere (2.6.32 ignores it and would really open) O_RDONLY |
 * O_NONBLOCK | O_NOCTTY.
 */
int mount_path_flags(void);

#endif
