/*
 * links - the first name of each file that has several, while a tree is walked.
 */
#ifndef COMPAT_BASE_LINKS_H
#define COMPAT_BASE_LINKS_H

#include <stddef.h>
#include <sys/types.h>

struct links_name;

struct links {
	struct links_name *slots;	/* open addressing by device and inode */
	size_t used, size;		/* size is a power of two */
	size_t bytes;			/* of names */
};

/* Remembers @name (copied) unless the file has a name here already. */
void links_add(struct links *links, dev_t dev, ino_t ino, const char *name);
/* Borrowed until the next add; NULL for a file not seen yet. */
const char *links_find(const struct links *links, dev_t dev, ino_t ino);
void links_clear(struct links *links);

#endif
