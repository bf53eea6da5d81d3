/*
 * stats - what a container uses, in docker's words.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/json.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup.h"
#include "runtime/engine/internal.h"

#define PROC_FILE_MAX (256 * 1024)

/* Time that all CPUs of the host have spent, in nanoseconds: what a share of it is measured against. */
static uint64_t host_cpu_ns(void)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	unsigned long long f[8] = {0}, sum = 0;
	long hz = sysconf(_SC_CLK_TCK);

	if (file_read(AT_FDCWD, "/proc/stat", 4 << 20, &text, &ERR_INIT) < 0)
		return 0;
	(void)sscanf(buf_cstr(&text), "cpu %llu %llu %llu %llu %llu %llu %llu %llu", f, f + 1, f + 2, f + 3, f + 4, f + 5,
		     f + 6, f + 7);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		sum += f[i];
	return sum * (1000000000ull / (unsigned long long)(hz > 0 ? hz : 100));
}

static void print_cpu(struct buf *b, const char *name, const struct container_cpu *c, const struct cgroup_stats *s)
{
	buf_fmt(b, "\"%s\":{\"cpu_usage\":{\"total_usage\":%llu,\"usage_in_kernelmode\":%llu,\"usage_in_usermode\":%llu",
		name, (unsigned long long)c->total_ns, (unsigned long long)c->system_ns, (unsigned long long)c->user_ns);
	if (s && s->cpu.percpu_ns.n) {
		buf_str(b, ",\"percpu_usage\":[");
		for (size_t i = 0; i < s->cpu.percpu_ns.n; i++)
			buf_fmt(b, "%s%llu", i ? "," : "", (unsigned long long)s->cpu.percpu_ns.v[i]);
		buf_char(b, ']');
	}
	buf_fmt(b, "},\"system_cpu_usage\":%llu,\"syetem_cpu_usage\":%llu,\"online_cpus\":%ld",
		(unsigned long long)c->host_ns, (unsigned long long)c->host_ns, sysconf(_SC_NPROCESSORS_ONLN));
	buf_fmt(b, ",\"throttling_data\":{\"periods\":%llu,\"throttled_periods\":%llu,\"throttled_time\":%llu}}",
		(unsigned long long)c->periods, (unsigned long long)c->throttled_periods,
		(unsigned long long)c->throttled_ns);
}

static void print_memory(struct buf *b, const struct cgroup_stats *s)
{
	uint64_t limit = s->memory.limit;

	if (limit == UINT64_MAX)
		limit = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	buf_fmt(b, "\"memory_stats\":{\"usage\":%llu,\"max_usage\":%llu,\"failcnt\":%llu,\"limit\":%llu,\"stats\":{",
		(unsigned long long)s->memory.usage, (unsigned long long)s->memory.max_usage,
		(unsigned long long)s->memory.failcnt, (unsigned long long)limit);
	for (size_t i = 0; i < s->memory.stat.n; i++)
		buf_fmt(b, "%s\"%s\":%llu", i ? "," : "", s->memory.stat.v[i].name,
			(unsigned long long)s->memory.stat.v[i].value);
	buf_str(b, "}}");
}

static void print_io(struct buf *b, const char *name, const cgroup_io_vec *v, const char *sep)
{
	buf_fmt(b, "%s\"%s\":[", sep, name);
	for (size_t i = 0; i < v->n; i++)
		buf_fmt(b, "%s{\"major\":%u,\"minor\":%u,\"op\":\"%s\",\"value\":%llu}", i ? "," : "", v->v[i].major,
			v->v[i].minor, v->v[i].op, (unsigned long long)v->v[i].value);
	buf_char(b, ']');
}

static void print_blkio(struct buf *b, const struct cgroup_stats *s)
{
	buf_str(b, "\"blkio_stats\":{");
	print_io(b, "io_service_bytes_recursive", &s->blkio.service_bytes, "");
	print_io(b, "io_serviced_recursive", &s->blkio.serviced, ",");
	print_io(b, "io_queue_recursive", &s->blkio.queued, ",");
	print_io(b, "io_service_time_recursive", &s->blkio.service_time, ",");
	print_io(b, "io_wait_time_recursive", &s->blkio.wait_time, ",");
	print_io(b, "io_merged_recursive", &s->blkio.merged, ",");
	print_io(b, "io_time_recursive", &s->blkio.time, ",");
	print_io(b, "sectors_recursive", &s->blkio.sectors, ",");
	buf_char(b, '}');
}

/* Interfaces but lo, as the container's own namespace counts them. */
static void print_networks(struct buf *b, pid_t pid)
{
	AUTO(buf_clear) struct buf text = BUF_INIT;
	char path[40], *at, *line;
	const char *sep = "";

	str_fmt(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	if (file_read(AT_FDCWD, path, PROC_FILE_MAX, &text, &ERR_INIT) < 0)
		return;
	buf_str(b, "\"networks\":{");
	at = text.data;
	while (at && (line = strsep(&at, "\n"))) {
		unsigned long long r[4], t[4];
		char name[32];

		if (sscanf(line, " %31[^:]: %llu %llu %llu %llu %*u %*u %*u %*u %llu %llu %llu %llu", name, r, r + 1, r + 2,
			   r + 3, t, t + 1, t + 2, t + 3) != 9 ||
		    !strcmp(name, "lo"))
			continue;
		buf_str(b, sep);
		json_print_str(b, name, strlen(name));
		buf_fmt(b,
			":{\"rx_bytes\":%llu,\"rx_packets\":%llu,\"rx_errors\":%llu,\"rx_dropped\":%llu,"
			"\"tx_bytes\":%llu,\"tx_packets\":%llu,\"tx_errors\":%llu,\"tx_dropped\":%llu}",
			r[0], r[1], r[2], r[3], t[0], t[1], t[2], t[3]);
		sep = ",";
	}
	buf_str(b, "},");
}

static void print_time(struct buf *b, const char *name, int64_t ns)
{
	char text[TIME_RFC3339_SIZE];

	time_rfc3339(text, ns);
	buf_fmt(b, "\"%s\":\"%s\",", name, text);
}

int container_stats(struct engine *e, const char *ref, struct container_cpu *previous, struct buf *ret,
		    struct err *err)
{
	AUTO(container_put) struct container *c = NULL;
	AUTO(cgroup_stats_clear) struct cgroup_stats s = {0};
	auto_free char *path = NULL, *name = NULL;
	struct container_cpu now = {.read_ns = time_now_ns()};
	struct cgroup *cg = NULL;
	pid_t pid;
	int rc = table_find(e, ref, &c, err);

	if (rc < 0)
		return rc;
	pthread_mutex_lock(&c->lock);
	pid = (pid_t)c->rec.state.pid;
	name = xfmt("/%s", c->rec.name);
	pthread_mutex_unlock(&c->lock);
	path = container_cgroup(c);
	/* A container that does not run uses nothing: zeros, as docker answers. */
	if (pid > 0 && cgroup_open(path, &cg, &ERR_INIT) == 0) {
		(void)cgroup_stats(cg, &s, &ERR_INIT);
		cgroup_close(cg);
	}
	now.total_ns = s.cpu.usage_ns;
	now.user_ns = s.cpu.user_ns;
	now.system_ns = s.cpu.system_ns;
	now.periods = s.cpu.periods;
	now.throttled_periods = s.cpu.throttled_periods;
	now.throttled_ns = s.cpu.throttled_ns;
	now.host_ns = pid > 0 ? host_cpu_ns() : 0;

	buf_char(ret, '{');
	print_time(ret, "read", now.read_ns);
	print_time(ret, "preread", previous->read_ns);
	buf_fmt(ret, "\"id\":\"%s\",\"name\":", c->id);
	json_print_str(ret, name, strlen(name));
	buf_fmt(ret, ",\"num_procs\":0,\"pids_stats\":{\"current\":%llu,\"limit\":%llu},", (unsigned long long)s.pids.current,
		(unsigned long long)s.pids.limit);
	if (pid > 0)
		print_networks(ret, pid);
	print_memory(ret, &s);
	buf_char(ret, ',');
	print_blkio(ret, &s);
	buf_char(ret, ',');
	print_cpu(ret, "cpu_stats", &now, &s);
	buf_char(ret, ',');
	print_cpu(ret, "precpu_stats", previous, NULL);
	buf_str(ret, "}\n");
	*previous = now;
	return 0;
}
