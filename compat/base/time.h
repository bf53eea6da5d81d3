/*
 * time - clocks and the ways to write a moment down.
 */
#ifndef COMPAT_BASE_TIME_H
#define COMPAT_BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

#include "compat/base/err.h"

int64_t time_now_ns(void);	/* CLOCK_REALTIME since 1970 */
int64_t time_mono_ms(void);	/* CLOCK_MONOTONIC */

#define TIME_RFC3339_SIZE 40
/* "2024-01-02T03:04:05.123456789Z" with all nine digits; 0 gives "0001-01-01T00:00:00Z" (Go's zero time). */
void time_rfc3339(char dst[TIME_RFC3339_SIZE], int64_t ns);
/* RFC 3339 with any offset; Go's zero time gives 0. */
int time_parse_rfc3339(const char *s, int64_t *ret_ns);
/* What --since and --until take: RFC 3339, seconds[.nanoseconds], or a duration back from now ("10m"). */
int time_parse_when(const char *s, int64_t now_ns, int64_t *ret_ns, struct err *err);
/* "3 seconds", "2 hours", as docker's HumanDuration. */
void time_human(char *dst, size_t size, int64_t duration_ns);

#endif
