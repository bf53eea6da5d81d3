/*
 * cgroup_resources.c - OCI linux.resources as field tables
 *
 * Spec: OCI runtime-spec 1.1, config-linux.md#control-groups
 */
#include "compat/kernel/cgroup.h"

static const struct json_field device_fields[] = {
	JSON_FIELD(struct cgroup_device, allow, "allow", JSON_BOOL, 0),
	JSON_FIELD(struct cgroup_device, type, "type", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct cgroup_device, major, "major", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_device, minor, "minor", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_device, access, "access", JSON_STR, JSON_OMIT_EMPTY),
};
static const struct json_table device_table = JSON_TABLE("device", struct cgroup_device, device_fields);

static const struct json_field memory_fields[] = {
	JSON_FIELD(struct cgroup_memory, limit, "limit", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_memory, reservation, "reservation", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_memory, swap, "swap", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_memory, kernel, "kernel", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_memory, kernel_tcp, "kernelTCP", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_memory, swappiness, "swappiness", JSON_OPT_U64, 0),
	JSON_FIELD(struct cgroup_memory, disable_oom_killer, "disableOOMKiller", JSON_OPT_BOOL, 0),
	JSON_FIELD(struct cgroup_memory, use_hierarchy, "useHierarchy", JSON_OPT_BOOL, 0),
	JSON_FIELD(struct cgroup_memory, check_before_update, "checkBeforeUpdate", JSON_OPT_BOOL, 0),
};
static const struct json_table memory_table = JSON_TABLE("memory", struct cgroup_memory, memory_fields);

static const struct json_field cpu_fields[] = {
	JSON_FIELD(struct cgroup_cpu, shares, "shares", JSON_OPT_U64, 0),
	JSON_FIELD(struct cgroup_cpu, quota, "quota", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_cpu, burst, "burst", JSON_OPT_U64, 0),
	JSON_FIELD(struct cgroup_cpu, period, "period", JSON_OPT_U64, 0),
	JSON_FIELD(struct cgroup_cpu, rt_runtime, "realtimeRuntime", JSON_OPT_I64, 0),
	JSON_FIELD(struct cgroup_cpu, rt_period, "realtimePeriod", JSON_OPT_U64, 0),
	JSON_FIELD(struct cgroup_cpu, cpus, "cpus", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct cgroup_cpu, mems, "mems", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct cgroup_cpu, idle, "idle", JSON_OPT_I64, 0),
};
static const struct json_table cpu_table = JSON_TABLE("cpu", struct cgroup_cpu, cpu_fields);

static const struct json_field pids_fields[] = {
	JSON_FIELD(struct cgroup_pids, limit, "limit", JSON_OPT_I64, 0),
};
static const struct json_table pids_table = JSON_TABLE("pids", struct cgroup_pids, pids_fields);

static const struct json_field weight_fields[] = {
	JSON_FIELD(struct cgroup_weight_device, major, "major", JSON_I64, JSON_REQUIRED),
	JSON_FIELD(struct cgroup_weight_device, minor, "minor", JSON_I64, JSON_REQUIRED),
	JSON_FIELD(struct cgroup_weight_device, weight, "weight", JSON_OPT_U64, 0),
	JSON_FIELD(struct cgroup_weight_device, leaf_weight, "leafWeight", JSON_OPT_U64, 0),
};
static const struct json_table weight_table = JSON_TABLE("weightDevice", struct cgroup_weight_device, weight_fields);

static const struct json_field throttle_fields[] = {
	JSON_FIELD(struct cgroup_throttle_device, major, "major", JSON_I64, JSON_REQUIRED),
	JSON_FIELD(struct cgroup_throttle_device, minor, "minor", JSON_I64, JSON_REQUIRED),
	JSON_FIELD(struct cgroup_throttle_device, rate, "rate", JSON_U64, JSON_REQUIRED),
};
static const struct json_table throttle_table =
	JSON_TABLE("throttleDevice", struct cgroup_throttle_device, throttle_fields);

static const struct json_field blkio_fields[] = {
	JSON_FIELD(struct cgroup_blkio, weight, "weight", JSON_OPT_U64, 0),
	JSON_FIELD(struct cgroup_blkio, leaf_weight, "leafWeight", JSON_OPT_U64, 0),
	JSON_SUB(struct cgroup_blkio, weight_device, "weightDevice", JSON_VEC, JSON_OMIT_EMPTY, &weight_table),
	JSON_SUB(struct cgroup_blkio, read_bps, "throttleReadBpsDevice", JSON_VEC, JSON_OMIT_EMPTY, &throttle_table),
	JSON_SUB(struct cgroup_blkio, write_bps, "throttleWriteBpsDevice", JSON_VEC, JSON_OMIT_EMPTY,
		 &throttle_table),
	JSON_SUB(struct cgroup_blkio, read_iops, "throttleReadIOPSDevice", JSON_VEC, JSON_OMIT_EMPTY,
		 &throttle_table),
	JSON_SUB(struct cgroup_blkio, write_iops, "throttleWriteIOPSDevice", JSON_VEC, JSON_OMIT_EMPTY,
		 &throttle_table),
};
static const struct json_table blkio_table = JSON_TABLE("blockIO", struct cgroup_blkio, blkio_fields);

static const struct json_field hugepage_fields[] = {
	JSON_FIELD(struct cgroup_hugepage, page_size, "pageSize", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct cgroup_hugepage, limit, "limit", JSON_U64, JSON_REQUIRED),
};
static const struct json_table hugepage_table = JSON_TABLE("hugepageLimit", struct cgroup_hugepage, hugepage_fields);

static const struct json_field priority_fields[] = {
	JSON_FIELD(struct cgroup_net_priority, name, "name", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct cgroup_net_priority, priority, "priority", JSON_U32, JSON_REQUIRED),
};
static const struct json_table priority_table = JSON_TABLE("priority", struct cgroup_net_priority, priority_fields);

static const struct json_field network_fields[] = {
	JSON_FIELD(struct cgroup_network, class_id, "classID", JSON_OPT_U64, 0),
	JSON_SUB(struct cgroup_network, priorities, "priorities", JSON_VEC, JSON_OMIT_EMPTY, &priority_table),
};
static const struct json_table network_table = JSON_TABLE("network", struct cgroup_network, network_fields);

static const struct json_field rdma_fields[] = {
	JSON_FIELD(struct cgroup_rdma, handles, "hcaHandles", JSON_OPT_U64, 0),
	JSON_FIELD(struct cgroup_rdma, objects, "hcaObjects", JSON_OPT_U64, 0),
};
static const struct json_table rdma_table = JSON_MAP_TABLE("rdma", struct cgroup_rdma, rdma_fields, device);

static const struct json_field resources_fields[] = {
	JSON_SUB(struct cgroup_resources, devices, "devices", JSON_VEC, JSON_OMIT_EMPTY, &device_table),
	JSON_SUB(struct cgroup_resources, memory, "memory", JSON_OBJ, JSON_OMIT_EMPTY, &memory_table),
	JSON_SUB(struct cgroup_resources, cpu, "cpu", JSON_OBJ, JSON_OMIT_EMPTY, &cpu_table),
	JSON_SUB(struct cgroup_resources, pids, "pids", JSON_OBJ, JSON_OMIT_EMPTY, &pids_table),
	JSON_SUB(struct cgroup_resources, blkio, "blockIO", JSON_OBJ, JSON_OMIT_EMPTY, &blkio_table),
	JSON_SUB(struct cgroup_resources, hugepages, "hugepageLimits", JSON_VEC, JSON_OMIT_EMPTY, &hugepage_table),
	JSON_SUB(struct cgroup_resources, network, "network", JSON_OBJ, JSON_OMIT_EMPTY, &network_table),
	JSON_SUB(struct cgroup_resources, rdma, "rdma", JSON_OBJMAP, JSON_OMIT_EMPTY, &rdma_table),
	JSON_FIELD(struct cgroup_resources, unified, "unified", JSON_STRMAP, JSON_OMIT_EMPTY),
};
const struct json_table cgroup_resources_table =
	JSON_TABLE("resources", struct cgroup_resources, resources_fields);

void cgroup_resources_clear(struct cgroup_resources *res)
{
	json_clear(&cgroup_resources_table, res);
}
