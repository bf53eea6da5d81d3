/*
 * options - what an administrator tells a storage driver: "dm.basesize=20G"
 */
#include <inttypes.h>
#include <string.h>

#include "compat/base/buf.h"
#include "compat/base/str.h"
#include "runtime/storage/driver.h"

static int set_option(const struct storage_option *o, const char *value, struct err *err)
{
	int64_t bytes;

	if (o->min) {
		if (str_bytes(value, &bytes) < 0 || bytes < 0)
			return err_set(err, ERR_INVALID, "storage option '%s': '%.40s' is not a size", o->name, value);
		if ((uint64_t)bytes < o->min)
			return err_set(err, ERR_INVALID, "storage option '%s': %.40s is too small, the least is %" PRIu64 "M",
				       o->name, value, o->min >> 20);
		*o->size = (uint64_t)bytes & ~(uint64_t)4095;
	}
	if (o->text)
		str_set(o->text, value);
	return 0;
}

int storage_options_set(const struct strv *given, const struct storage_option *table, size_t n, struct err *err)
{
	AUTO(buf_clear) struct buf known = BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < n; i++) {
		buf_fmt(&known, " %s", table[i].name);
		if (table[i].dflt && set_option(&table[i], table[i].dflt, err) < 0)
			return -EINVAL;
	}
	for (size_t g = 0; given && rc == 0 && g < given->n; g++) {
		const char *eq = strchr(given->v[g], '=');
		size_t len = eq ? (size_t)(eq - given->v[g]) : strlen(given->v[g]);
		const struct storage_option *o = NULL;

		for (size_t i = 0; i < n; i++) {
			if (strlen(table[i].name) == len && strncmp(table[i].name, given->v[g], len) == 0)
				o = &table[i];
		}
		if (!o)
			return err_set(err, ERR_INVALID, "unknown storage option '%.60s': known are%s", given->v[g],
				       buf_cstr(&known));
		if (!eq || !eq[1])
			return err_set(err, ERR_INVALID, "storage option '%s' needs a value", o->name);
		rc = set_option(o, eq + 1, err);
	}
	return rc;
}
