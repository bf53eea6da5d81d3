/*
 * cgroup_json - limits of a control group as a test writes them
 */
#ifndef TESTS_UNIT_CGROUP_JSON_H
#define TESTS_UNIT_CGROUP_JSON_H

#include <string.h>

#include "compat/kernel/cgroup.h"
#include "tests/unit/unit.h"

/* @res: zeroed before; cleared by the caller. */
static void cgroup_json(const char *json, struct cgroup_resources *res)
{
	struct err err = ERR_INIT;

	if (json_parse(&cgroup_resources_table, json, strlen(json), JSON_UNKNOWN_ERROR, "resources", res, &err) < 0)
		fail_msg("%s", err.msg);
}

#endif
