/*
 * number.c - numbers, sizes and durations in text
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "compat/base/str.h"

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* Digits only: no sign, no blanks, all of the string. */
static int parse_digits(const char *s, int base, uint64_t *ret)
{
	uint64_t v = 0;

	if (base == 0) {
		base = 10;
		if (s[0] == '0' && (s[1] | 0x20) == 'x') {
			base = 16;
			s += 2;
		} else if (s[0] == '0' && s[1]) {
			base = 8;
			s++;
		}
	}
	if (!*s)
		return -EINVAL;
	for (; *s; s++) {
		int d = digit(*s);

		if (d >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)d, &v))
			return -ERANGE;
	}
	*ret = v;
	return 0;
}

int str_u64(const char *s, int base, uint64_t *ret)
{
	return s ? parse_digits(s, base, ret) : -EINVAL;
}

int str_i64(const char *s, int base, int64_t *ret)
{
	uint64_t v, limit = INT64_MAX;
	bool minus;
	int rc;

	if (!s)
		return -EINVAL;
	minus = *s == '-';
	rc = parse_digits(s + (*s == '-' || *s == '+'), base, &v);
	if (rc)
		return rc;
	if (v > limit + minus)
		return -ERANGE;
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int str_u32(const char *s, int base, uint32_t *ret)
{
	uint64_t v;
	int rc = str_u64(s, base, &v);

	if (rc)
		return rc;
	if (v > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)v;
	return 0;
}

int str_bool(const char *s, bool *ret)
{
	static const char *const yes[] = {"1", "t", "T", "true", "True", "TRUE", "yes"};
	static const char *const no[] = {"0", "f", "F", "false", "False", "FALSE", "no"};

	for (size_t i = 0; s && i < sizeof(yes) / sizeof(yes[0]); i++) {
		bool v = strcmp(s, yes[i]) == 0;

		if (v || strcmp(s, no[i]) == 0) {
			*ret = v;
			return 0;
		}
	}
	return -EINVAL;
}

/*
 * Decimal digits with an optional fraction, as a whole number of 1/10^9 parts times @unit. Exact while the integer part
 * times the unit fits; the fraction is cut. Advances *p.
 */
static int parse_decimal(const char **p, uint64_t *ret_whole, uint64_t *ret_nano)
{
	uint64_t whole = 0, nano = 0, place = 100000000;
	const char *s = *p;
	bool any = false;

	for (; *s >= '0' && *s <= '9'; s++, any = true)
		if (__builtin_mul_overflow(whole, (uint64_t)10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*s - '0'), &whole))
			return -ERANGE;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++, any = true) {
			nano += (uint64_t)(*s - '0') * place;
			place /= 10;
		}
	if (!any)
		return -EINVAL;
	*p = s;
	*ret_whole = whole;
	*ret_nano = nano;
	return 0;
}

/* (whole + nano/10^9) * unit, cut to a whole number. */
static int scale(uint64_t whole, uint64_t nano, uint64_t unit, int64_t *ret)
{
	unsigned __int128 v = (unsigned __int128)whole * unit +
			      (unsigned __int128)nano * unit / 1000000000;

	if (v > INT64_MAX)
		return -ERANGE;
	*ret = (int64_t)v;
	return 0;
}

int str_bytes(const char *s, int64_t *ret)
{
	static const char units[] = "bkmgtp";
	uint64_t whole, nano;
	const char *u;
	int rc, shift = 0;

	if (!s || *s < '0' || *s > '9')
		return -EINVAL;
	rc = parse_decimal(&s, &whole, &nano);
	if (rc)
		return rc;
	if (*s == ' ')
		s++;
	u = *s ? strchr(units, *s | 0x20) : NULL;
	if (u) {
		shift = 10 * (int)(u - units);
		s++;
		if (shift && (*s | 0x20) == 'i') {
			s++;
			if ((*s | 0x20) != 'b')
				return -EINVAL;
		}
		if (shift && (*s | 0x20) == 'b')
			s++;
	}
	if (*s)
		return -EINVAL;
	return scale(whole, nano, (uint64_t)1 << shift, ret);
}

void str_human_size(char dst[32], double bytes, bool si)
{
	static const char *const binary[] = {"B",   "KiB", "MiB", "GiB", "TiB",
					     "PiB", "EiB", "ZiB", "YiB"};
	static const char *const decimal[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"};
	double base = si ? 1000 : 1024;
	size_t i = 0;

	while (bytes >= base && i < 8) {
		bytes /= base;
		i++;
	}
	snprintf(dst, 32, "%.4g%s", bytes, si ? decimal[i] : binary[i]);
}

int str_duration_ms(const char *s, int64_t *ret)
{
	/* Longer names first, where one begins like another. */
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"ns", 1},	    {"us", 1000},	 {"\xc2\xb5s", 1000},	   {"\xce\xbcs", 1000},
		{"ms", 1000000},    {"s", 1000000000},	 {"m", 60000000000ULL},
		{"h", 3600000000000ULL},
	};
	int64_t total = 0;
	bool minus;

	if (!s)
		return -EINVAL;
	minus = *s == '-';
	s += *s == '-' || *s == '+';
	if (strcmp(s, "0") == 0) {
		*ret = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		uint64_t whole, nano;
		const char *rest = NULL;
		int64_t part;
		size_t i;
		int rc = parse_decimal(&s, &whole, &nano);

		if (rc)
			return rc;
		for (i = 0; i < sizeof(units) / sizeof(units[0]) && !rest; i++)
			rest = str_skip(s, units[i].name);
		if (!rest)
			return -EINVAL;
		s = rest;
		rc = scale(whole, nano, units[i - 1].ns, &part);
		if (rc || __builtin_add_overflow(total, part, &total))
			return -ERANGE;
	}
	total /= 1000000;
	*ret = minus ? -total : total;
	return 0;
}
