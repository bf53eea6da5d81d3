/*
 * resources - from the API's limits to those of a control group.
 */
#include "runtime/engine/resources.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "compat/base/str.h"

#define MEMORY_MIN  (6 << 20)
#define CPU_PERIOD  100000	/* microseconds, where only a number of CPUs is given */

static int check_memory(const struct api_resources *r, struct err *err)
{
	if (r->memory < 0 || r->memory_reservation < 0 || r->kernel_memory < 0)
		return err_set(err, ERR_INVALID, "memory limits are not negative");
	if (r->memory && r->memory < MEMORY_MIN)
		return err_set(err, ERR_INVALID, "minimum memory limit allowed is 6MB");
	if (r->memory_swap > 0 && !r->memory)
		return err_set(err, ERR_INVALID, "--memory-swap needs --memory");
	if (r->memory_swap < -1)
		return err_set(err, ERR_INVALID, "memory plus swap is -1 (unlimited) or a size");
	if (r->memory_swap > 0 && r->memory_swap < r->memory)
		return err_set(err, ERR_INVALID,
			       "minimum memoryswap limit should be larger than memory limit");
	if (r->memory && r->memory_reservation > r->memory)
		return err_set(err, ERR_INVALID,
			       "minimum memory limit can not be less than memory reservation limit");
	if (r->memory_reservation && r->memory_reservation < MEMORY_MIN)
		return err_set(err, ERR_INVALID, "minimum memory reservation allowed is 6MB");
	if (r->kernel_memory && r->kernel_memory < MEMORY_MIN)
		return err_set(err, ERR_INVALID, "minimum kernel memory limit allowed is 6MB");
	if (r->memory_swappiness.set && (r->memory_swappiness.v < -1 || r->memory_swappiness.v > 100))
		return err_set(err, ERR_INVALID, "memory swappiness %lld is not between 0 and 100",
			       (long long)r->memory_swappiness.v);
	return 0;
}

static int check_cpu(const struct api_resources *r, struct err *err)
{
	if (r->cpu_shares < 0)
		return err_set(err, ERR_INVALID, "CPU shares are not negative");
	if (r->cpu_period && (r->cpu_period < 1000 || r->cpu_period > 1000000))
		return err_set(err, ERR_INVALID,
			       "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
	if (r->cpu_quota > 0 && r->cpu_quota < 1000)
		return err_set(err, ERR_INVALID, "CPU cfs quota can not be less than 1ms (i.e. 1000)");
	if (r->nano_cpus < 0)
		return err_set(err, ERR_INVALID, "number of CPUs is not negative");
	if (r->nano_cpus && (r->cpu_quota || r->cpu_period))
		return err_set(err, ERR_INVALID, "NanoCpus can not be used together with CPU quota or period");
	if (r->blkio_weight && (r->blkio_weight < 10 || r->blkio_weight > 1000))
		return err_set(err, ERR_INVALID, "range of blkio weight is from 10 to 1000");
	return 0;
}

static void set_i64(struct opt_i64 *dst, int64_t v)
{
	if (v)
		*dst = (struct opt_i64){true, v};
}

static void set_u64(struct opt_u64 *dst, int64_t v)
{
	if (v)
		*dst = (struct opt_u64){true, (uint64_t)v};
}

static void fill_memory(const struct api_resources *r, struct cgroup_memory *m)
{
	set_i64(&m->limit, r->memory);
	set_i64(&m->reservation, r->memory_reservation);
	set_i64(&m->kernel, r->kernel_memory);
	set_i64(&m->kernel_tcp, r->kernel_memory_tcp);
	set_i64(&m->swap, r->memory_swap);
	/* As docker: a memory limit alone allows as much swap again, where swap can be limited at all. */
	if (r->memory && !r->memory_swap && cgroup_limit_fit(CGROUP_SWAP).score > FIT_NO)
		set_i64(&m->swap, r->memory * 2);
	if (r->memory_swappiness.set && r->memory_swappiness.v >= 0)
		m->swappiness = (struct opt_u64){true, (uint64_t)r->memory_swappiness.v};
	if (r->oom_kill_disable.set && r->oom_kill_disable.v)
		m->disable_oom_killer = r->oom_kill_disable;
}

static void fill_cpu(const struct api_resources *r, struct cgroup_cpu *c)
{
	set_u64(&c->shares, r->cpu_shares);
	set_i64(&c->quota, r->cpu_quota);
	set_u64(&c->period, r->cpu_period);
	if (r->nano_cpus) {
		set_i64(&c->quota, r->nano_cpus / 1000 * CPU_PERIOD / 1000000);
		set_u64(&c->period, CPU_PERIOD);
	}
	set_i64(&c->rt_runtime, r->cpu_realtime_runtime);
	set_u64(&c->rt_period, r->cpu_realtime_period);
	str_set(&c->cpus, str_empty(r->cpuset_cpus) ? NULL : r->cpuset_cpus);
	str_set(&c->mems, str_empty(r->cpuset_mems) ? NULL : r->cpuset_mems);
}

static int block_device(const char *path, int64_t *ret_major, int64_t *ret_minor, struct err *err)
{
	struct stat st;

	if (str_empty(path) || stat(path, &st) < 0)
		return err_set(err, ERR_INVALID, "block device '%s' does not exist", path ? path : "");
	if (!S_ISBLK(st.st_mode))
		return err_set(err, ERR_INVALID, "'%s' is not a block device", path);
	*ret_major = major(st.st_rdev);
	*ret_minor = minor(st.st_rdev);
	return 0;
}

static int fill_throttle(const struct api_throttle_device *from, size_t n, cgroup_throttle_vec *to,
			 struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		struct cgroup_throttle_device *d = VEC_ADD(to);
		int rc = block_device(from[i].path, &d->major, &d->minor, err);

		if (rc < 0)
			return rc;
		d->rate = from[i].rate;
	}
	return 0;
}

static int fill_blkio(const struct api_resources *r, struct cgroup_blkio *b, struct err *err)
{
	int rc = 0;

	set_u64(&b->weight, r->blkio_weight);
	for (size_t i = 0; i < r->blkio_weight_device.n; i++) {
		const struct api_weight_device *from = &r->blkio_weight_device.v[i];
		struct cgroup_weight_device *d = VEC_ADD(&b->weight_device);

		if (from->weight && (from->weight < 10 || from->weight > 1000))
			return err_set(err, ERR_INVALID, "range of blkio weight is from 10 to 1000");
		rc = block_device(from->path, &d->major, &d->minor, err);
		if (rc < 0)
			return rc;
		set_u64(&d->weight, from->weight);
	}
	rc = fill_throttle(r->blkio_device_read_bps.v, r->blkio_device_read_bps.n, &b->read_bps, err);
	if (rc >= 0)
		rc = fill_throttle(r->blkio_device_write_bps.v, r->blkio_device_write_bps.n, &b->write_bps, err);
	if (rc >= 0)
		rc = fill_throttle(r->blkio_device_read_iops.v, r->blkio_device_read_iops.n, &b->read_iops, err);
	if (rc >= 0)
		rc = fill_throttle(r->blkio_device_write_iops.v, r->blkio_device_write_iops.n, &b->write_iops, err);
	return rc;
}

int resources_build(const struct api_resources *r, struct cgroup_resources *ret, struct err *err)
{
	int rc = check_memory(r, err);

	if (rc >= 0)
		rc = check_cpu(r, err);
	if (rc < 0)
		return rc;
	fill_memory(r, &ret->memory);
	fill_cpu(r, &ret->cpu);
	if (r->pids_limit.set && r->pids_limit.v > 0)
		ret->pids.limit = r->pids_limit;
	return fill_blkio(r, &ret->blkio, err);
}
