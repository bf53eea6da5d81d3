/*
 * cmd_update.c - update: limits of a running container
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/buf.h"
#include "compat/base/fd.h"
#include "compat/base/json.h"
#include "compat/base/str.h"
#include "runtime/oci/cmd.h"
#include "runtime/oci/container.h"

#define RESOURCES_MAX_BYTES (1 << 20)

static char *resources;

enum { BLKIO_WEIGHT, CPU_PERIOD, CPU_QUOTA, CPU_BURST, CPU_RT_PERIOD, CPU_RT_RUNTIME, CPU_SHARE, CPU_IDLE, CPUS, MEMS,
       KERNEL, KERNEL_TCP, MEMORY, RESERVATION, SWAP, PIDS, L3_CACHE, MEM_BW, VALUE_COUNT };

static char *values[VALUE_COUNT];

enum value_type { UNSIGNED, SIGNED, BYTES, TEXT, REFUSED };

#define MEMBER(path) offsetof(struct cgroup_resources, path)
static const struct {
	const char *name;
	enum value_type type;
	size_t offset;
} members[VALUE_COUNT] = {
	[BLKIO_WEIGHT] = {"blkio-weight", UNSIGNED, MEMBER(blkio.weight)},
	[CPU_PERIOD] = {"cpu-period", UNSIGNED, MEMBER(cpu.period)},
	[CPU_QUOTA] = {"cpu-quota", SIGNED, MEMBER(cpu.quota)},
	[CPU_BURST] = {"cpu-burst", UNSIGNED, MEMBER(cpu.burst)},
	[CPU_RT_PERIOD] = {"cpu-rt-period", UNSIGNED, MEMBER(cpu.rt_period)},
	[CPU_RT_RUNTIME] = {"cpu-rt-runtime", SIGNED, MEMBER(cpu.rt_runtime)},
	[CPU_SHARE] = {"cpu-share", UNSIGNED, MEMBER(cpu.shares)},
	[CPU_IDLE] = {"cpu-idle", SIGNED, MEMBER(cpu.idle)},
	[CPUS] = {"cpuset-cpus", TEXT, MEMBER(cpu.cpus)},
	[MEMS] = {"cpuset-mems", TEXT, MEMBER(cpu.mems)},
	[KERNEL] = {"kernel-memory", BYTES, MEMBER(memory.kernel)},
	[KERNEL_TCP] = {"kernel-memory-tcp", BYTES, MEMBER(memory.kernel_tcp)},
	[MEMORY] = {"memory", BYTES, MEMBER(memory.limit)},
	[RESERVATION] = {"memory-reservation", BYTES, MEMBER(memory.reservation)},
	[SWAP] = {"memory-swap", BYTES, MEMBER(memory.swap)},
	[PIDS] = {"pids-limit", SIGNED, MEMBER(pids.limit)},
	[L3_CACHE] = {"l3-cache-schema", REFUSED, 0},
	[MEM_BW] = {"mem-bw-schema", REFUSED, 0},
};

#define VALUE(name, index, text, arg) {name, 0, POPT_ARG_STRING, &values[index], 0, text, arg}
static const struct poptOption update_options[] = {
	{"resources", 'r', POPT_ARG_STRING, &resources, 0, "linux.resources as JSON, '-' for standard input", "FILE"},
	VALUE("blkio-weight", BLKIO_WEIGHT, "block I/O weight, 10 to 1000", "N"),
	VALUE("cpu-period", CPU_PERIOD, "CPU period in microseconds", "US"),
	VALUE("cpu-quota", CPU_QUOTA, "CPU time in a period in microseconds, -1 for no limit", "US"),
	VALUE("cpu-burst", CPU_BURST, "CPU time saved up at most, in microseconds", "US"),
	VALUE("cpu-rt-period", CPU_RT_PERIOD, "period of real-time tasks in microseconds", "US"),
	VALUE("cpu-rt-runtime", CPU_RT_RUNTIME, "time of real-time tasks in a period in microseconds", "US"),
	VALUE("cpu-share", CPU_SHARE, "CPU weight against other containers", "N"),
	VALUE("cpu-idle", CPU_IDLE, "1: run only when nobody else wants to", "0|1"),
	VALUE("cpuset-cpus", CPUS, "processors", "LIST"),
	VALUE("cpuset-mems", MEMS, "memory nodes", "LIST"),
	VALUE("kernel-memory", KERNEL, "kernel memory in bytes", "BYTES"),
	VALUE("kernel-memory-tcp", KERNEL_TCP, "memory of TCP buffers in bytes", "BYTES"),
	VALUE("memory", MEMORY, "memory in bytes, -1 for no limit", "BYTES"),
	VALUE("memory-reservation", RESERVATION, "memory to keep it at when memory is short", "BYTES"),
	VALUE("memory-swap", SWAP, "memory and swap in bytes, -1 for no limit", "BYTES"),
	VALUE("pids-limit", PIDS, "processes, -1 for no limit", "N"),
	VALUE("l3-cache-schema", L3_CACHE, "refused: not supported", "SCHEMA"),
	VALUE("mem-bw-schema", MEM_BW, "refused: not supported", "SCHEMA"),
	POPT_TABLEEND,
};

static int set_value(struct cgroup_resources *r, int i, struct err *err)
{
	void *member = (char *)r + members[i].offset;
	const char *text = values[i];
	uint64_t u;
	int64_t s;

	switch (members[i].type) {
	case UNSIGNED:
		if (str_u64(text, 10, &u))
			return err_set(err, ERR_INVALID, "--%s: '%s' is not a number", members[i].name, text);
		*(struct opt_u64 *)member = (struct opt_u64){true, u};
		return 0;
	case SIGNED:
		if (str_i64(text, 10, &s))
			return err_set(err, ERR_INVALID, "--%s: '%s' is not a number", members[i].name, text);
		*(struct opt_i64 *)member = (struct opt_i64){true, s};
		return 0;
	case BYTES:
		if (str_eq(text, "-1"))
			s = -1;
		else if (str_bytes(text, &s))
			return err_set(err, ERR_INVALID, "--%s: '%s' is not a size", members[i].name, text);
		*(struct opt_i64 *)member = (struct opt_i64){true, s};
		return 0;
	case TEXT:
		str_set(member, text);
		return 0;
	case REFUSED:
		break;
	}
	return err_set(err, ERR_UNSUPPORTED, "--%s: cache and bandwidth allocation is not supported", members[i].name);
}

static int read_resources(struct cgroup_resources *r, struct err *err)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	int rc;

	if (!str_eq(resources, "-"))
		return json_parse_file(&cgroup_resources_table, AT_FDCWD, resources, RESOURCES_MAX_BYTES, 0, r, err);
	rc = buf_read_fd(&text, 0, RESOURCES_MAX_BYTES, "standard input", err);
	if (rc < 0)
		return rc;
	return json_parse(&cgroup_resources_table, buf_cstr(&text), text.len, 0, "standard input", r, err);
}

static int update(int count, const char **args, struct err *err)
{
	AUTO(oci_container_free) struct oci_container *c = NULL;
	AUTO(cgroup_resources_clear) struct cgroup_resources r = {0};
	int rc = cmd_load(args[0], &c, err);

	if (!rc && resources)
		rc = read_resources(&r, err);
	/* As with runc, a file is the whole truth. */
	for (int i = 0; i < VALUE_COUNT && !rc && !resources; i++)
		if (values[i])
			rc = set_value(&r, i, err);
	return rc ? rc : oci_update(c, &r, err);
}

const struct cmd cmds_update[] = {
	{"update", "CONTAINER", "change the limits of a container", update_options, 1, 1, false, false, update},
	{0},
};
