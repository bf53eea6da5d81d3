/*
 * parse.c - parse.h: limits, devices, pairs, environments. Ports are in parse_port.c, mounts in parse_mount.c.
 */
#include "runtime/api/parse.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#include "compat/base/str.h"

int api_parse_ulimit(const char *spec, struct api_ulimit *ret, struct err *err)
{
	static const char *const names[] = {
		"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
		"nproc", "rss", "rtprio", "rttime", "sigpending", "stack",
	};
	const char *eq = strchr(spec, '=');
	AUTO(strv_clear) struct strv parts = {0};
	int64_t value[2];
	size_t i, n;

	if (!eq)
		return err_set(err, ERR_INVALID, "invalid ulimit '%s': write NAME=SOFT[:HARD]", spec);
	n = (size_t)(eq - spec);
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == n && strncmp(names[i], spec, n) == 0)
			break;
	if (i == ARRAY_SIZE(names))
		return err_set(err, ERR_INVALID, "invalid ulimit type: %.*s", (int)n, spec);
	strv_split(&parts, eq + 1, ":", true);
	if (parts.n < 1 || parts.n > 2)
		return err_set(err, ERR_INVALID, "invalid ulimit '%s': write NAME=SOFT[:HARD]", spec);
	for (size_t k = 0; k < parts.n; k++) {
		if (str_eq(parts.v[k], "unlimited"))
			value[k] = -1;
		else if (str_i64(parts.v[k], 10, &value[k]) < 0 || value[k] < -1)
			return err_set(err, ERR_INVALID, "invalid ulimit '%s': '%s' is not a number",
				       spec, parts.v[k]);
	}
	if (parts.n == 1)
		value[1] = value[0];
	if (value[1] != -1 && (value[0] == -1 || value[0] > value[1]))
		return err_set(err, ERR_INVALID,
			       "ulimit soft limit must be less than or equal to hard limit: %s", spec);
	str_set(&ret->name, names[i]);
	ret->soft = value[0];
	ret->hard = value[1];
	return 0;
}

static bool is_device_mode(const char *mode)
{
	bool seen[256] = {false};

	if (!*mode)
		return false;
	for (; *mode; mode++) {
		if (!strchr("rwm", *mode) || seen[(unsigned char)*mode])
			return false;
		seen[(unsigned char)*mode] = true;
	}
	return true;
}

int api_parse_device(const char *spec, struct api_device_mapping *ret, struct err *err)
{
	AUTO(strv_clear) struct strv part = {0};
	const char *dst, *mode = "rwm";

	strv_split(&part, spec, ":", true);
	if (part.n < 1 || part.n > 3 || str_empty(part.v[0]))
		return err_set(err, ERR_INVALID, "invalid device specification: %s", spec);
	if (part.v[0][0] != '/')
		return err_set(err, ERR_INVALID, "invalid device '%s': the path must be absolute", spec);
	dst = part.v[0];
	if (part.n == 3) {
		dst = str_empty(part.v[1]) ? dst : part.v[1];
		mode = part.v[2];
	} else if (part.n == 2 && part.v[1][0] == '/') {
		dst = part.v[1];
	} else if (part.n == 2) {
		mode = part.v[1];
	}
	if (!is_device_mode(mode))
		return err_set(err, ERR_INVALID, "invalid device mode: %s", mode);
	if (*dst != '/')
		return err_set(err, ERR_INVALID, "invalid device '%s': the path must be absolute", spec);
	str_set(&ret->path_on_host, part.v[0]);
	str_set(&ret->path_in_container, dst);
	str_set(&ret->cgroup_permissions, mode);
	return 0;
}

/* "/dev/sda:VALUE" -> the part behind the last colon. */
static int split_device(const char *spec, const char *want, const char **ret_value, struct err *err)
{
	const char *colon = strrchr(spec, ':');

	if (!colon || !colon[1] || colon == spec || str_starts(spec, "/dev/") == false)
		return err_set(err, ERR_INVALID, "bad format: %s: write /dev/DEVICE:%s", spec, want);
	*ret_value = colon + 1;
	return 0;
}

int api_parse_throttle(const char *spec, bool bytes, struct api_throttle_device *ret,
		       struct err *err)
{
	const char *value;
	int64_t n = 0;
	uint64_t u = 0;
	int rc = split_device(spec, bytes ? "BYTES[kmg]" : "NUMBER", &value, err);

	if (rc)
		return rc;
	rc = bytes ? str_bytes(value, &n) : str_u64(value, 10, &u);
	if (rc < 0 || n < 0)
		return err_set(err, ERR_INVALID, "invalid rate for device: %s: '%s' is not %s", spec,
			       value, bytes ? "a size" : "a number");
	free(ret->path);
	ret->path = xstrndup(spec, (size_t)(value - 1 - spec));
	ret->rate = bytes ? (uint64_t)n : u;
	return 0;
}

int api_parse_weight(const char *spec, struct api_weight_device *ret, struct err *err)
{
	const char *value;
	uint64_t n;
	int rc = split_device(spec, "WEIGHT", &value, err);

	if (rc)
		return rc;
	if (str_u64(value, 10, &n) < 0 || n > 1000 || (n && n < 10))
		return err_set(err, ERR_INVALID, "invalid weight for device: %s: must be 10 to 1000, or 0",
			       spec);
	free(ret->path);
	ret->path = xstrndup(spec, (size_t)(value - 1 - spec));
	ret->weight = (uint16_t)n;
	return 0;
}

int api_parse_restart(const char *spec, struct api_restart_policy *ret, struct err *err)
{
	static const char *const names[] = { "no", "always", "unless-stopped", "on-failure" };
	const char *colon = strchr(spec, ':');
	size_t i, n = colon ? (size_t)(colon - spec) : strlen(spec);
	uint64_t count = 0;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == n && strncmp(names[i], spec, n) == 0)
			break;
	if (*spec && i == ARRAY_SIZE(names))
		return err_set(err, ERR_INVALID,
			       "invalid restart policy '%s': use no, always, unless-stopped or "
			       "on-failure[:N]", spec);
	if (colon && !str_eq(names[i], "on-failure"))
		return err_set(err, ERR_INVALID,
			       "maximum retry count cannot be used with restart policy '%s'", names[i]);
	if (colon && (str_u64(colon + 1, 10, &count) < 0 || count > INT32_MAX))
		return err_set(err, ERR_INVALID, "maximum retry count must be a number: %s", spec);
	str_set(&ret->name, *spec ? names[i] : "");
	ret->maximum_retry_count = (int64_t)count;
	return 0;
}

int api_parse_pair(const char *spec, bool value_optional, const char *what, struct strmap *ret,
		   struct err *err)
{
	const char *eq = strchr(spec, '=');
	auto_free char *key = NULL;

	if (eq == spec || !*spec)
		return err_set(err, ERR_INVALID, "invalid %s '%s': the name is empty", what, spec);
	if (!eq && !value_optional)
		return err_set(err, ERR_INVALID, "invalid %s '%s': write KEY=VALUE", what, spec);
	key = eq ? xstrndup(spec, (size_t)(eq - spec)) : xstrdup(spec);
	strmap_set(ret, key, eq ? eq + 1 : "");
	return 0;
}

int api_parse_disk_quota(const char *spec, struct strmap *ret, struct err *err)
{
	const char *eq = strrchr(spec, '=');
	auto_free char *key = eq ? xstrndup(spec, (size_t)(eq - spec)) : xstrdup(".*");
	const char *size = eq ? eq + 1 : spec;
	int64_t bytes;

	if (!*size || !*key || str_bytes(size, &bytes) < 0 || bytes < 0)
		return err_set(err, ERR_INVALID,
			       "invalid format for disk quota: '%s': write SIZE or PATH[&PATH...]=SIZE",
			       spec);
	strmap_set(ret, key, size);
	return 0;
}

int api_parse_cpus(const char *spec, int64_t *ret_nano, struct err *err)
{
	int64_t whole = 0, nano = 0, unit = 100000000;
	const char *p = spec;

	for (; isdigit((unsigned char)*p) && whole < 1000000; p++)
		whole = whole * 10 + (*p - '0');
	if (*p == '.') {
		for (p++; isdigit((unsigned char)*p) && unit; p++, unit /= 10)
			nano += (*p - '0') * unit;
	}
	if (*p || p == spec || str_eq(spec, "."))
		return err_set(err, ERR_INVALID, "invalid number of CPUs '%s': write one like 1.5", spec);
	*ret_nano = whole * 1000000000 + nano;
	return 0;
}

int api_parse_extra_host(const char *spec, struct strv *ret, struct err *err)
{
	size_t n = strcspn(spec, ":=");
	const char *address = spec + n + 1;
	size_t len;

	if (!n || !spec[n] || !*address)
		return err_set(err, ERR_INVALID, "bad format for add-host: '%s': write HOST:ADDRESS",
			       spec);
	len = strlen(address);
	if (*address == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	strv_addf(ret, "%.*s:%.*s", (int)n, spec, (int)len, address);
	return 0;
}

/* ---- environments ---- */

int api_parse_env(const char *spec, struct strv *ret, struct err *err)
{
	const char *value;

	if (!*spec || *spec == '=')
		return err_set(err, ERR_INVALID, "invalid environment variable: '%s'", spec);
	if (strchr(spec, '=')) {
		strv_add(ret, spec);
		return 0;
	}
	value = getenv(spec);
	if (value)
		strv_addf(ret, "%s=%s", spec, value);
	return 0;
}

int api_parse_env_file(const char *text, const char *what, struct strv *ret, struct err *err)
{
	size_t number = 1;

	for (const char *p = text; *p; number++) {
		size_t len = strcspn(p, "\n");
		auto_free char *line = xstrndup(p, len);
		char *start = line + strspn(line, " \t\r");
		size_t name;

		p += len + (p[len] == '\n');
		if (*start && line[strlen(line) - 1] == '\r')
			line[strlen(line) - 1] = '\0';
		if (!*start || *start == '#')
			continue;
		name = strcspn(start, "=");
		if (!name || strcspn(start, " \t") < name)
			return err_set(err, ERR_INVALID, "%s: line %zu: '%.40s' is not a variable", what,
				       number, start);
		if (api_parse_env(start, ret, err) < 0)
			return err_wrap(err, -EINVAL, "%s: line %zu", what, number);
	}
	return 0;
}

/* ---- lists ---- */

int api_parse_csv(const char *text, struct strv *ret, struct err *err)
{
	const char *p = text;

	if (!*p)
		return 0;
	for (;;) {
		AUTO(buf_clear) struct buf field = BUF_INIT;

		if (*p == '"') {
			for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
				p += *p == '"';
				buf_char(&field, *p);
			}
			if (!*p || (p[1] && p[1] != ','))
				return err_set(err, ERR_INVALID, "wrong quotes in list '%s'", text);
			p++;
		} else {
			for (; *p && *p != ','; p++)
				buf_char(&field, *p);
		}
		strv_add(ret, buf_cstr(&field));
		if (!*p)
			return 0;
		p++;
	}
}

int api_parse_detach_keys(const char *spec, struct api_detach_keys *ret, struct err *err)
{
	AUTO(strv_clear) struct strv keys = {0};
	struct api_detach_keys found = {.n = 0};

	strv_split(&keys, spec, ",", true);
	STRV_EACH(key, &keys) {
		const char *rest = str_skip(*key, "ctrl-");

		if (found.n == sizeof(found.key))
			return err_set(err, ERR_INVALID, "detach keys '%s': over %zu keys", spec,
				       sizeof(found.key));
		if (strlen(*key) == 1)
			found.key[found.n++] = (unsigned char)**key;
		else if (rest && strlen(rest) == 1 && isalpha((unsigned char)*rest))
			found.key[found.n++] = (unsigned char)(tolower((unsigned char)*rest) - 'a' + 1);
		else if (rest && strlen(rest) == 1 && strchr("@[\\]^_", *rest))
			found.key[found.n++] = (unsigned char)(*rest - '@');
		else
			return err_set(err, ERR_INVALID,
				       "detach keys '%s': '%s' is neither a character nor ctrl-LETTER",
				       spec, *key);
	}
	*ret = found;
	return 0;
}
