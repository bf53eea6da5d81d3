/*
 * mountinfo - /proc/PID/mountinfo.
 *
 * Spec:    proc(5); mount points and sources have space, tab, newline and backslash as three octal digits
 */
#ifndef COMPAT_KERNEL_MOUNTINFO_H
#define COMPAT_KERNEL_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "compat/base/err.h"
#include "compat/base/vec.h"

#define MOUNTINFO_MAX_BYTES (64 << 20)
#define MOUNTINFO_MAX_ENTRIES 200000

struct mount_entry {
	int id, parent;
	unsigned int major, minor;
	const char *root;	/* inside the file system */
	const char *target;	/* mount point, from the process's root */
	const char *options;	/* of the mount: "rw,nosuid" */
	int shared, master;	/* peer group ids, 0: none */
	bool unbindable;
	const char *fstype, *source;
	const char *super_options;
};

struct mountinfo {
	VEC(struct mount_entry) entries;	/* in the kernel's order: later ones cover earlier ones */
	char *text;				/* what the strings point into */
};

/* @path NULL: /proc/self/mountinfo. */
int mountinfo_read(const char *path, struct mountinfo *ret, struct err *err);
/* @text is copied. A malformed line is ERR_INVALID and named. */
int mountinfo_parse(const char *text, size_t len, struct mountinfo *ret, struct err *err);
void mountinfo_clear(struct mountinfo *info);
DEFINE_AUTO_CLEAR(mountinfo_clear, struct mountinfo)

/* The mount that @path (absolute, clean, links resolved) lies on; NULL when the list is empty. */
const struct mount_entry *mountinfo_find(const struct mountinfo *info, const char *path);
/* The uppermost mount whose mount point is exactly @target, or NULL. */
const struct mount_entry *mountinfo_at(const struct mountinfo *info, const char *target);
/* Is @word one of the comma-separated @options? */
bool mount_option_has(const char *options, const char *word);

#endif
