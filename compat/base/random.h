/*
 * random - bytes nobody can guess: getrandom(2), else /dev/urandom.
 */
#ifndef COMPAT_BASE_RANDOM_H
#define COMPAT_BASE_RANDOM_H

#include <stddef.h>

/* Aborts when the host has no source at all. */
void random_bytes(void *dst, size_t len);
/* A new object id: 64 lower-case hex digits, never all decimal in its first 12 (as docker's). */
void random_id(char dst[65]);

#endif
