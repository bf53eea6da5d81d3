/*
 * pathset - inside of image: which paths were seen
 */
#ifndef RUNTIME_IMAGE_PATHSET_H
#define RUNTIME_IMAGE_PATHSET_H

#include <stdbool.h>
#include <stddef.h>

struct pathset {
	char **slots;
	size_t used, size;	/* size is 0 or a power of two */
	size_t bytes;		/* of all paths: for the owner's ceiling */
};

void pathset_add(struct pathset *s, const char *path);	/* copies */
bool pathset_has(const struct pathset *s, const char *path);
void pathset_clear(struct pathset *s);

#endif
