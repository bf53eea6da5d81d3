/*
 * cgroup_stats.c - what a group used, v1 and v2 read into one form
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

/* v1 says "no limit" by the greatest page-aligned number. */
#define V1_NO_LIMIT (UINT64_C(1) << 62)

static uint64_t get(const struct cgroup *cg, int h, const char *file)
{
	uint64_t v = 0;

	(void)cgroup_read_u64(cg, h, file, &v); /* absent on some kernels: zero */
	return v;
}

static uint64_t get_limit(const struct cgroup *cg, int h, const char *file)
{
	uint64_t v = get(cg, h, file);

	return v >= V1_NO_LIMIT ? UINT64_MAX : v;
}

/* Calls back for each "key number" line. */
static void each_pair(const struct cgroup *cg, int h, const char *file,
		      void (*cb)(void *arg, const char *key, uint64_t value), void *arg)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char *save = NULL;
	struct err ignored;

	if (cgroup_read(cg, h, file, &text, &ignored) < 0 || !text.len)
		return;
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');
		uint64_t value;

		if (!space)
			continue;
		*space = '\0';
		if (str_u64(space + 1, 10, &value) == 0)
			cb(arg, line, value);
	}
}

/* ---- cpu ---------------------------------------------------------------------------------------------------------------------- */

static void cpu_pair(void *arg, const char *key, uint64_t v)
{
	struct cgroup_stats *s = arg;
	const struct {
		const char *key;
		uint64_t *to;
		uint64_t factor;
	} keys[] = {
		{"nr_periods", &s->cpu.periods, 1},
		{"nr_throttled", &s->cpu.throttled_periods, 1},
		{"throttled_time", &s->cpu.throttled_ns, 1},
		{"throttled_usec", &s->cpu.throttled_ns, 1000},
		{"usage_usec", &s->cpu.usage_ns, 1000},
		{"user_usec", &s->cpu.user_ns, 1000},
		{"system_usec", &s->cpu.system_ns, 1000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(key, keys[i].key) == 0)
			*keys[i].to = v * keys[i].factor;
	}
}

static void cpuacct_pair(void *arg, const char *key, uint64_t ticks)
{
	struct cgroup_stats *s = arg;
	uint64_t ns = ticks * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));

	if (strcmp(key, "user") == 0)
		s->cpu.user_ns = ns;
	else if (strcmp(key, "system") == 0)
		s->cpu.system_ns = ns;
}

static void read_cpuacct(const struct cgroup *cg, int h, struct cgroup_stats *s)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(strv_clear) struct strv words = {0};
	struct err ignored;

	s->cpu.usage_ns = get(cg, h, "cpuacct.usage");
	each_pair(cg, h, "cpuacct.stat", cpuacct_pair, s);
	if (cgroup_read(cg, h, "cpuacct.usage_percpu", &text, &ignored) < 0)
		return;
	strv_split(&words, buf_cstr(&text), " \n", false);
	STRV_EACH(word, &words) {
		uint64_t ns;

		if (str_u64(*word, 10, &ns) == 0)
			VEC_PUSH(&s->cpu.percpu_ns, ns);
	}
}

/* ---- memory ------------------------------------------------------------------------------------------------------------------- */

static void memory_pair(void *arg, const char *key, uint64_t v)
{
	struct cgroup_stats *s = arg;
	const struct {
		const char *key;
		uint64_t *to;
	} keys[] = {
		{"total_cache", &s->memory.cache},	   {"total_rss", &s->memory.rss},
		{"total_mapped_file", &s->memory.mapped_file}, {"total_inactive_file", &s->memory.inactive_file},
		{"file", &s->memory.cache},		   {"anon", &s->memory.rss},
		{"file_mapped", &s->memory.mapped_file},   {"inactive_file", &s->memory.inactive_file},
	};
	struct cgroup_counter *counter = VEC_ADD(&s->memory.stat);

	snprintf(counter->name, sizeof(counter->name), "%s", key);
	counter->value = v;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(key, keys[i].key) == 0)
			*keys[i].to = v;
	}
}

static void read_memory_v1(const struct cgroup *cg, int h, struct cgroup_stats *s)
{
	each_pair(cg, h, "memory.stat", memory_pair, s);
	s->memory.usage = get(cg, h, "memory.usage_in_bytes");
	s->memory.max_usage = get(cg, h, "memory.max_usage_in_bytes");
	s->memory.limit = get_limit(cg, h, "memory.limit_in_bytes");
	s->memory.failcnt = get(cg, h, "memory.failcnt");
	s->memory.swap_usage = get(cg, h, "memory.memsw.usage_in_bytes");
	s->memory.swap_max_usage = get(cg, h, "memory.memsw.max_usage_in_bytes");
	s->memory.swap_limit = get_limit(cg, h, "memory.memsw.limit_in_bytes");
	s->memory.swap_failcnt = get(cg, h, "memory.memsw.failcnt");
	s->memory.kernel_usage = get(cg, h, "memory.kmem.usage_in_bytes");
	s->memory.kernel_max_usage = get(cg, h, "memory.kmem.max_usage_in_bytes");
	s->memory.kernel_limit = get_limit(cg, h, "memory.kmem.limit_in_bytes");
	s->memory.kernel_failcnt = get(cg, h, "memory.kmem.failcnt");
	(void)cgroup_read_key(cg, h, "memory.oom_control", "oom_kill", &s->memory.oom_kills);
}

static void read_memory_v2(const struct cgroup *cg, int h, struct cgroup_stats *s)
{
	uint64_t swap = get(cg, h, "memory.swap.current");
	uint64_t swap_limit = get_limit(cg, h, "memory.swap.max");

	each_pair(cg, h, "memory.stat", memory_pair, s);
	s->memory.usage = get(cg, h, "memory.current");
	s->memory.max_usage = get(cg, h, "memory.peak");
	s->memory.limit = get_limit(cg, h, "memory.max");
	(void)cgroup_read_key(cg, h, "memory.events", "max", &s->memory.failcnt);
	(void)cgroup_read_key(cg, h, "memory.events", "oom_kill", &s->memory.oom_kills);
	s->memory.swap_usage = s->memory.usage + swap;
	s->memory.swap_limit = s->memory.limit == UINT64_MAX || swap_limit == UINT64_MAX ? UINT64_MAX :
											    s->memory.limit + swap_limit;
}

/* ---- block I/O ---------------------------------------------------------------------------------------------------------------- */

/* v1: "8:0 Read 4096" lines, or "8:0 12" without a kind; the last line is a sum. */
static void read_io_v1(const struct cgroup *cg, int h, const char *file, cgroup_io_vec *ret)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char *save = NULL;
	struct err ignored;

	if (cgroup_read(cg, h, file, &text, &ignored) < 0 || !text.len)
		return;
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct cgroup_io io = {0};
		unsigned long long value;

		if (sscanf(line, "%u:%u %11[A-Za-z] %llu", &io.major, &io.minor, io.op, &value) == 4 ||
		    (*io.op = '\0', sscanf(line, "%u:%u %llu", &io.major, &io.minor, &value) == 3)) {
			io.value = value;
			VEC_PUSH(ret, io);
		}
	}
}

static void read_blkio_v1(const struct cgroup *cg, int h, struct cgroup_stats *s)
{
	/* CFQ's or BFQ's own counts first, then the throttle layer's, which every device has. */
	const struct {
		cgroup_io_vec *to;
		const char *files[3];
	} sources[] = {
		{&s->blkio.service_bytes,
		 {"blkio.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive",
		  "blkio.throttle.io_service_bytes"}},
		{&s->blkio.serviced,
		 {"blkio.io_serviced_recursive", "blkio.throttle.io_serviced_recursive",
		  "blkio.throttle.io_serviced"}},
		{&s->blkio.queued, {"blkio.io_queued_recursive", "blkio.io_queued", NULL}},
		{&s->blkio.service_time, {"blkio.io_service_time_recursive", "blkio.io_service_time", NULL}},
		{&s->blkio.wait_time, {"blkio.io_wait_time_recursive", "blkio.io_wait_time", NULL}},
		{&s->blkio.merged, {"blkio.io_merged_recursive", "blkio.io_merged", NULL}},
		{&s->blkio.time, {"blkio.time_recursive", "blkio.time", NULL}},
		{&s->blkio.sectors, {"blkio.sectors_recursive", "blkio.sectors", NULL}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		for (size_t f = 0; f < 3 && sources[i].files[f] && !sources[i].to->n; f++)
			read_io_v1(cg, h, sources[i].files[f], sources[i].to);
	}
}

/* v2: "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0". */
static void read_blkio_v2(const struct cgroup *cg, int h, struct cgroup_stats *s)
{
	const struct {
		const char *key, *op;
		cgroup_io_vec *to;
	} keys[] = {
		{"rbytes", "Read", &s->blkio.service_bytes}, {"wbytes", "Write", &s->blkio.service_bytes},
		{"dbytes", "Discard", &s->blkio.service_bytes}, {"rios", "Read", &s->blkio.serviced},
		{"wios", "Write", &s->blkio.serviced}, {"dios", "Discard", &s->blkio.serviced},
	};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	AUTO(strv_clear) struct strv words = {0};
	struct cgroup_io io = {0};
	struct err ignored;

	if (cgroup_read(cg, h, "io.stat", &text, &ignored) < 0)
		return;
	strv_split(&words, buf_cstr(&text), " \n", false);
	STRV_EACH(word, &words) {
		char *equals = strchr(*word, '=');

		if (!equals) {
			if (sscanf(*word, "%u:%u", &io.major, &io.minor) != 2)
				io.major = io.minor = 0;
			continue;
		}
		*equals = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			if (strcmp(*word, keys[i].key) || str_u64(equals + 1, 10, &io.value))
				continue;
			strcpy(io.op, keys[i].op);
			VEC_PUSH(keys[i].to, io);
		}
	}
}

/* ---- huge pages --------------------------------------------------------------------------------------------------------------- */

static void read_hugetlb(const struct cgroup *cg, int h, struct cgroup_stats *s)
{
	static const char *const sizes[] = {"64KB", "2MB", "32MB", "1GB", "16GB"};
	bool v2 = cg->host.hierarchies.v[h].v2;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct cgroup_hugetlb_stats stats = {0};
		char file[64];

		snprintf(file, sizeof(file), "hugetlb.%s.%s", sizes[i], v2 ? "current" : "usage_in_bytes");
		if (cgroup_read_u64(cg, h, file, &stats.usage) < 0)
			continue;
		snprintf(stats.page_size, sizeof(stats.page_size), "%s", sizes[i]);
		snprintf(file, sizeof(file), "hugetlb.%s.max_usage_in_bytes", sizes[i]);
		stats.max = get(cg, h, file);
		if (v2) {
			snprintf(file, sizeof(file), "hugetlb.%s.events", sizes[i]);
			(void)cgroup_read_key(cg, h, file, "max", &stats.failcnt);
		} else {
			snprintf(file, sizeof(file), "hugetlb.%s.failcnt", sizes[i]);
			stats.failcnt = get(cg, h, file);
		}
		VEC_PUSH(&s->hugetlb, stats);
	}
}

int cgroup_cpu_usage(const struct cgroup *cg, uint64_t *ret_ns)
{
	int h = cgroup_serving(cg, CTL_CPUACCT);
	uint64_t us = 0;
	int rc;

	if (h < 0)
		return -ENOTSUP;
	if (!cg->host.hierarchies.v[h].v2)
		return cgroup_read_u64(cg, h, "cpuacct.usage", ret_ns);
	rc = cgroup_read_key(cg, h, "cpu.stat", "usage_usec", &us);
	if (rc == 0)
		*ret_ns = us * 1000;
	return rc;
}

int cgroup_stats(const struct cgroup *cg, struct cgroup_stats *ret, struct err *err)
{
	int cpu = cgroup_serving(cg, CTL_CPU), acct = cgroup_serving(cg, CTL_CPUACCT);
	int memory = cgroup_serving(cg, CTL_MEMORY), pids = cgroup_serving(cg, CTL_PIDS);
	int io = cgroup_serving(cg, CTL_BLKIO), huge = cgroup_serving(cg, CTL_HUGETLB);
	struct cgroup_stats s = {0};

	if (!cgroup_exists(cg))
		return err_set(err, ERR_NOT_FOUND, "cgroup '%s' does not exist", cg->path);
	if (cpu >= 0)
		each_pair(cg, cpu, "cpu.stat", cpu_pair, &s);
	if (acct >= 0 && !cg->host.hierarchies.v[acct].v2)
		read_cpuacct(cg, acct, &s);
	if (memory >= 0 && cg->host.hierarchies.v[memory].v2)
		read_memory_v2(cg, memory, &s);
	else if (memory >= 0)
		read_memory_v1(cg, memory, &s);
	if (pids >= 0) {
		uint64_t limit = get(cg, pids, "pids.max");

		s.pids.current = get(cg, pids, "pids.current");
		s.pids.limit = limit == UINT64_MAX ? 0 : limit;
	} else {
		AUTO(pid_vec_clear) pid_vec tasks = {0};

		if (cgroup_pids(cg, &tasks, err) >= 0)
			s.pids.current = tasks.n;
	}
	if (io >= 0 && cg->host.hierarchies.v[io].v2)
		read_blkio_v2(cg, io, &s);
	else if (io >= 0)
		read_blkio_v1(cg, io, &s);
	if (huge >= 0)
		read_hugetlb(cg, huge, &s);
	*ret = s;
	return 0;
}

void cgroup_stats_clear(struct cgroup_stats *stats)
{
	VEC_FREE(&stats->cpu.percpu_ns);
	VEC_FREE(&stats->memory.stat);
	VEC_FREE(&stats->hugetlb);
	VEC_FREE(&stats->blkio.service_bytes);
	VEC_FREE(&stats->blkio.serviced);
	VEC_FREE(&stats->blkio.queued);
	VEC_FREE(&stats->blkio.service_time);
	VEC_FREE(&stats->blkio.wait_time);
	VEC_FREE(&stats->blkio.merged);
	VEC_FREE(&stats->blkio.time);
	VEC_FREE(&stats->blkio.sectors);
}
