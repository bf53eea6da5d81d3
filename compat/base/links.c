/*
 * links.c - the first name of each file that has several
 */
#include "compat/base/links.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"

struct links_name {
	dev_t dev;
	ino_t ino;
	char *name;
};

static size_t slot_of(const struct links *links, dev_t dev, ino_t ino)
{
	uint64_t h = ((uint64_t)ino ^ ((uint64_t)dev << 32)) * 0x9e3779b97f4a7c15u;
	size_t i = (h >> 17) & (links->size - 1);

	while (links->slots[i].name &&
	       (links->slots[i].dev != dev || links->slots[i].ino != ino))
		i = (i + 1) & (links->size - 1);
	return i;
}

void links_add(struct links *links, dev_t dev, ino_t ino, const char *name)
{
	size_t i;

	if (links->used * 2 >= links->size) {
		struct links grown = {.size = links->size ? links->size * 2 : 64, .bytes = links->bytes};

		grown.slots = xcalloc(grown.size, sizeof(*grown.slots));
		grown.used = links->used;
		for (i = 0; i < links->size; i++) {
			struct links_name *old = &links->slots[i];

			if (old->name)
				grown.slots[slot_of(&grown, old->dev, old->ino)] = *old;
		}
		free(links->slots);
		*links = grown;
	}

	i = slot_of(links, dev, ino);
	if (links->slots[i].name)
		return;
	links->slots[i] = (struct links_name){dev, ino, xstrdup(name)};
	links->used++;
	links->bytes += strlen(name) + 1;
}

const char *links_find(const struct links *links, dev_t dev, ino_t ino)
{
	return links->size ? links->slots[slot_of(links, dev, ino)].name : NULL;
}

void links_clear(struct links *links)
{
	for (size_t i = 0; i < links->size; i++)
		free(links->slots[i].name);
	free(links->slots);
	*links = (struct links){0};
}
