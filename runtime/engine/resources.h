/*
 * resources - from the API's limits to those of a control group.
 */
#ifndef RUNTIME_ENGINE_RESOURCES_H
#define RUNTIME_ENGINE_RESOURCES_H

#include "compat/kernel/cgroup.h"
#include "runtime/api/container_config.h"

/*
 * Docker's rules: at least 6 MiB of memory, swap not below memory, a range for each weight; block devices by their path.
 * ERR_INVALID names the option. Devices (access rules) are not filled in: see spec_devices.c.
 *
 * @ret	zeroed; to be cleared by cgroup_resources_clear()
 */
int resources_build(const struct api_resources *r, struct cgroup_resources *ret, struct err *err);

#endif
