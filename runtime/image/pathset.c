/*
 * pathset - which paths were seen
 */
#include "runtime/image/pathset.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"

/* FNV-1a. A hostile archive can make it collide; the ceilings on entries bound what that costs. */
static uint64_t hash(const char *path)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *path; path++)
		h = (h ^ (uint8_t)*path) * 0x100000001b3u;
	return h ^ h >> 29;
}

static size_t slot_of(const struct pathset *s, const char *path)
{
	size_t i = hash(path) & (s->size - 1);

	while (s->slots[i] && strcmp(s->slots[i], path) != 0)
		i = (i + 1) & (s->size - 1);
	return i;
}

static void grow(struct pathset *s)
{
	struct pathset bigger = {.size = s->size ? 2 * s->size : 256, .used = s->used, .bytes = s->bytes};

	bigger.slots = xcalloc(bigger.size, sizeof(*bigger.slots));
	for (size_t i = 0; i < s->size; i++) {
		if (s->slots[i])
			bigger.slots[slot_of(&bigger, s->slots[i])] = s->slots[i];
	}
	free(s->slots);
	*s = bigger;
}

void pathset_add(struct pathset *s, const char *path)
{
	size_t i;

	if (2 * s->used >= s->size)
		grow(s);
	i = slot_of(s, path);
	if (s->slots[i])
		return;
	s->slots[i] = xstrdup(path);
	s->used++;
	s->bytes += strlen(path) + 1;
}

bool pathset_has(const struct pathset *s, const char *path)
{
	return s->size && s->slots[slot_of(s, path)];
}

void pathset_clear(struct pathset *s)
{
	for (size_t i = 0; i < s->size; i++)
		free(s->slots[i]);
	free(s->slots);
	*s = (struct pathset){0};
}
