/*
 * detach - the keys that end a session and leave the container running.
 */
#ifndef RUNTIME_SHIM_DETACH_H
#define RUNTIME_SHIM_DETACH_H

#include <stdbool.h>
#include <stddef.h>

#include "compat/base/buf.h"
#include "compat/base/err.h"

#define DETACH_KEYS_MAX 16

struct detach {
	unsigned char keys[DETACH_KEYS_MAX];
	size_t count;	/* 0: none */
	size_t matched;	/* of them, held back */
};

/* "ctrl-p,ctrl-q", "ctrl-@,a": letters, digits and signs, or ctrl- with a letter or one of @ [ \ ] ^ _. ERR_INVALID. */
int detach_parse(const char *text, struct detach *ret, struct err *err);

/*
 * Copy input to @out but for the keys. A prefix of the sequence is held back until it is clear that it is none. Returns true when
 * the sequence is complete; the rest of the input is dropped.
 */
bool detach_filter(struct detach *d, const void *data, size_t len, struct buf *out);

#endif
