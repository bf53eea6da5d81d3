/*
 * time - clocks and the ways to write a moment down.
 */
#include "compat/base/time.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compat/base/str.h"

#define NS_PER_S INT64_C(1000000000)

int64_t time_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t time_mono_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the calendar ---- */

/*
 * Days since 1970-01-01 in the Gregorian calendar. Years begin in March, so that the leap day is the last of a year, and
 * are counted in eras of 400 years (146097 days).
 */
static int64_t days_from_date(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t in_era = y - era * 400;
	int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static void date_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t in_era = z - era * 146097;
	int64_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	int64_t in_year = in_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * in_year + 2) / 153;

	*day = (int)(in_year - (153 * m + 2) / 5 + 1);
	*month = (int)(m < 10 ? m + 3 : m - 9);
	*year = y + era * 400 + (*month <= 2);
}

static void two(char *p, int v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

/* By hand: every object that the API prints has some, and snprintf would be half of a list's cost. */
void time_rfc3339(char dst[TIME_RFC3339_SIZE], int64_t ns)
{
	int64_t s = ns / NS_PER_S, nano = ns % NS_PER_S, days, rest, year;
	int month, day;

	if (ns == 0) {
		strcpy(dst, "0001-01-01T00:00:00Z");
		return;
	}
	if (nano < 0) {
		nano += NS_PER_S;
		s--;
	}
	days = s / 86400;
	rest = s % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	date_from_days(days, &year, &month, &day);
	memcpy(dst, "0000-00-00T00:00:00.000000000Z", 31);
	two(dst, (int)(year / 100));
	two(dst + 2, (int)(year % 100));
	two(dst + 5, month);
	two(dst + 8, day);
	two(dst + 11, (int)(rest / 3600));
	two(dst + 14, (int)(rest / 60 % 60));
	two(dst + 17, (int)(rest % 60));
	for (int i = 28; i >= 20; i--, nano /= 10)
		dst[i] = (char)('0' + nano % 10);
}

/* Exactly @n digits. */
static bool number(const char **p, int n, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		char c = (*p)[i];

		if (c < '0' || c > '9')
			return false;
		v = v * 10 + c - '0';
	}
	*p += n;
	*ret = v;
	return true;
}

static bool skip(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

struct moment {
	int year, month, day, hour, minute, second;
	int64_t nano;
};

static bool parse_fraction(const char **p, int64_t *ret_nano)
{
	int64_t place = NS_PER_S / 10, nano = 0;
	const char *s = *p;

	for (; *s >= '0' && *s <= '9'; s++, place /= 10)
		nano += (*s - '0') * place;
	if (s == *p)
		return false;
	*p = s;
	*ret_nano = nano;
	return true;
}

static bool parse_date(const char **p, struct moment *m)
{
	static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap;

	if (!number(p, 4, &m->year) || !skip(p, '-') || !number(p, 2, &m->month) ||
	    !skip(p, '-') || !number(p, 2, &m->day))
		return false;
	leap = (m->year % 4 == 0 && m->year % 100) || m->year % 400 == 0;
	return m->month >= 1 && m->month <= 12 && m->day >= 1 &&
	       m->day <= month_days[m->month - 1] + (leap && m->month == 2);
}

static bool parse_clock(const char **p, struct moment *m)
{
	if (!number(p, 2, &m->hour) || !skip(p, ':') || !number(p, 2, &m->minute) ||
	    !skip(p, ':') || !number(p, 2, &m->second))
		return false;
	if (**p == '.') {
		(*p)++;
		if (!parse_fraction(p, &m->nano))
			return false;
	}
	return m->hour < 24 && m->minute < 60 && m->second <= 60;
}

/* "Z" or "+02:00", in seconds east. */
static bool parse_zone(const char **p, int *ret_east)
{
	int sign, hours, minutes;

	*ret_east = 0;
	if (skip(p, 'Z') || skip(p, 'z'))
		return true;
	sign = **p == '-' ? -1 : 1;
	if ((**p != '-' && **p != '+'))
		return false;
	(*p)++;
	if (!number(p, 2, &hours) || !skip(p, ':') || !number(p, 2, &minutes) || hours > 23 ||
	    minutes > 59)
		return false;
	*ret_east = sign * (hours * 3600 + minutes * 60);
	return true;
}

static int moment_ns(const struct moment *m, int east, int64_t *ret_ns)
{
	int64_t s = days_from_date(m->year, m->month, m->day) * 86400 + m->hour * 3600 +
		    m->minute * 60 + m->second - east;
	__int128 ns = (__int128)s * NS_PER_S + m->nano;

	if (ns < INT64_MIN || ns > INT64_MAX)
		return -ERANGE;
	*ret_ns = (int64_t)ns;
	return 0;
}

int time_parse_rfc3339(const char *s, int64_t *ret_ns)
{
	struct moment m = {0};
	int east;

	if (str_eq(s, "0001-01-01T00:00:00Z")) {
		*ret_ns = 0;
		return 0;
	}
	if (!s || !parse_date(&s, &m) || !(skip(&s, 'T') || skip(&s, 't') || skip(&s, ' ')) ||
	    !parse_clock(&s, &m) || !parse_zone(&s, &east) || *s)
		return -EINVAL;
	return moment_ns(&m, east, ret_ns);
}

/* A date with or without a time, in this machine's zone. */
static int parse_local(const char *s, int64_t *ret_ns)
{
	struct moment m = {0};
	struct tm tm;

	if (!parse_date(&s, &m))
		return -EINVAL;
	if (*s && (!skip(&s, 'T') || !parse_clock(&s, &m) || *s))
		return -EINVAL;
	tm = (struct tm){
		.tm_year = m.year - 1900,
		.tm_mon = m.month - 1,
		.tm_mday = m.day,
		.tm_hour = m.hour,
		.tm_min = m.minute,
		.tm_sec = m.second,
		.tm_isdst = -1,
	};
	if (__builtin_mul_overflow((int64_t)mktime(&tm), NS_PER_S, ret_ns) ||
	    __builtin_add_overflow(*ret_ns, m.nano, ret_ns))
		return -ERANGE;
	return 0;
}

/* "1700000000" or "1700000000.5". */
static int parse_seconds(const char *s, int64_t *ret_ns)
{
	size_t whole = strspn(s, "0123456789");
	int64_t v, nano = 0;
	char digits[24];

	if (!whole || whole >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, s, whole);
	digits[whole] = '\0';
	s += whole;
	if (str_i64(digits, 10, &v))
		return -EINVAL;
	if (skip(&s, '.') && !parse_fraction(&s, &nano))
		return -EINVAL;
	if (*s || __builtin_mul_overflow(v, NS_PER_S, &v) || __builtin_add_overflow(v, nano, &v))
		return -EINVAL;
	*ret_ns = v;
	return 0;
}

int time_parse_when(const char *s, int64_t now_ns, int64_t *ret_ns, struct err *err)
{
	int64_t ms, ns;

	if (parse_seconds(s, &ns) == 0 || time_parse_rfc3339(s, &ns) == 0 ||
	    parse_local(s, &ns) == 0) {
		*ret_ns = ns;
		return 0;
	}
	if (str_duration_ms(s, &ms) == 0 && !__builtin_mul_overflow(ms, INT64_C(1000000), &ns) &&
	    !__builtin_sub_overflow(now_ns, ns, &ns)) {
		*ret_ns = ns;
		return 0;
	}
	return err_set(err, ERR_INVALID,
		       "invalid time '%s': use RFC 3339, seconds since 1970, or a duration like 10m",
		       s);
}

void time_human(char *dst, size_t size, int64_t duration_ns)
{
	int64_t s = duration_ns / NS_PER_S, minutes = s / 60;
	int64_t hours = (s + 1800) / 3600;

	if (s < 1)
		(void)snprintf(dst, size, "Less than a second");
	else if (s == 1)
		(void)snprintf(dst, size, "1 second");
	else if (s < 60)
		(void)snprintf(dst, size, "%" PRId64 " seconds", s);
	else if (minutes == 1)
		(void)snprintf(dst, size, "About a minute");
	else if (minutes < 60)
		(void)snprintf(dst, size, "%" PRId64 " minutes", minutes);
	else if (hours == 1)
		(void)snprintf(dst, size, "About an hour");
	else if (hours < 48)
		(void)snprintf(dst, size, "%" PRId64 " hours", hours);
	else if (hours < 24 * 7 * 2)
		(void)snprintf(dst, size, "%" PRId64 " days", hours / 24);
	else if (hours < 24 * 30 * 2)
		(void)snprintf(dst, size, "%" PRId64 " weeks", hours / 24 / 7);
	else if (hours < 24 * 365 * 2)
		(void)snprintf(dst, size, "%" PRId64 " months", hours / 24 / 30);
	else
		(void)snprintf(dst, size, "%" PRId64 " years", s / 3600 / 24 / 365);
}
