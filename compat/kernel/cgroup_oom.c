/*
 * cgroup_oom.c - notice that a group ran out of memory: eventfd (v1), inotify on memory.events (v2)
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/kernel/cgroup_internal.h"

static const char no_control[] = "this kernel has no memory.oom_control";

static int watch_v1(struct cgroup *cg, int h, struct err *err)
{
	auto_free char *control = cgroup_file(cg, h, "memory.oom_control");
	auto_free char *events = cgroup_file(cg, h, "cgroup.event_control");
	auto_fd int control_fd = open(control, O_RDONLY | O_CLOEXEC);
	auto_fd int event_fd = -1;
	char line[48];
	int rc;

	if (control_fd < 0)
		return errno == ENOENT ? err_set(err, ERR_UNSUPPORTED, "%s: %s", cgroup_limit_name(CGROUP_OOM_NOTICE), no_control) :
					 err_sys(err, errno, "open '%s'", control);
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		return err_sys(err, errno, "make an eventfd");
	snprintf(line, sizeof(line), "%d %d", event_fd, control_fd);
	rc = file_put(-1, events, line, err);
	if (rc < 0)
		return err_wrap(err, rc, "watch for out of memory");
	cg->oom_control_fd = fd_take(&control_fd);
	cg->oom_fd = fd_take(&event_fd);
	return 0;
}

static int watch_v2(struct cgroup *cg, int h, struct err *err)
{
	auto_free char *events = cgroup_file(cg, h, "memory.events");
	auto_fd int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0 || inotify_add_watch(fd, events, IN_MODIFY | IN_DELETE_SELF) < 0)
		return err_sys(err, errno, "watch '%s'", events);
	cg->oom_v2 = true;
	(void)cgroup_read_key(cg, h, "memory.events", "oom_kill", &cg->oom_seen); /* 0 when it is new */
	cg->oom_fd = fd_take(&fd);
	return 0;
}

int cgroup_oom_fd(struct cgroup *cg, struct err *err)
{
	int h = cgroup_serving(cg, CTL_MEMORY);
	int rc;

	if (cg->oom_fd >= 0)
		return cg->oom_fd;
	if (h < 0)
		return err_set(err, ERR_UNSUPPORTED, "%s: no cgroup controller 'memory' is mounted",
			       cgroup_limit_name(CGROUP_OOM_NOTICE)), -1;
	if (hidden("oom_control"))
		return err_set(err, ERR_UNSUPPORTED, "%s: %s", cgroup_limit_name(CGROUP_OOM_NOTICE), no_control), -1;
	rc = cg->host.hierarchies.v[h].v2 ? watch_v2(cg, h, err) : watch_v1(cg, h, err);
	return rc < 0 ? -1 : cg->oom_fd;
}

bool cgroup_oom_read(struct cgroup *cg)
{
	union {
		struct inotify_event event;
		uint64_t count;
		char bytes[4096];
	} in;
	int h = cgroup_serving(cg, CTL_MEMORY);
	uint64_t kills = 0;
	ssize_t n;

	if (cg->oom_fd < 0)
		return false;
	n = read(cg->oom_fd, &in, sizeof(in));
	if (n <= 0)
		return false;
	if (!cg->oom_v2) {
		auto_free char *control = cgroup_file(cg, h, "memory.oom_control");

		return access(control, F_OK) == 0; /* the removal of the group is an event as well */
	}
	if (cgroup_read_key(cg, h, "memory.events", "oom_kill", &kills) < 0 || kills <= cg->oom_seen)
		return false;
	cg->oom_seen = kills;
	return true;
}

bool cgroup_oom_killed(struct cgroup *cg)
{
	int h = cgroup_serving(cg, CTL_MEMORY);
	uint64_t kills = 0, failures = 0;

	if (h < 0 || hidden("oom_control"))
		return false;
	if (cg->host.hierarchies.v[h].v2)
		return cgroup_read_key(cg, h, "memory.events", "oom_kill", &kills) == 0 && kills;
	if (cgroup_read_key(cg, h, "memory.oom_control", "oom_kill", &kills) == 0)
		return kills;
	/* Before 4.13 nobody counts: an event that was seen, with the limit hit, says it. */
	return cg->oom_fd >= 0 && cgroup_oom_read(cg) &&
	       cgroup_read_u64(cg, h, "memory.failcnt", &failures) == 0 && failures;
}

/*
 * The counter of failures is not kept by all kernels, and the greatest use may be below the limit by what a processor keeps in stock. Either tells.
 */
static bool reached(const struct cgroup *cg, int h, const char *max_file, const char *limit_file, const char *failures_file)
{
	enum { STOCK = 64 << 12 };
	uint64_t max = 0, limit = 0, failures = 0;

	return cgroup_read_u64(cg, h, max_file, &max) == 0 && cgroup_read_u64(cg, h, limit_file, &limit) == 0 &&
	       cgroup_read_u64(cg, h, failures_file, &failures) == 0 && (failures || max + STOCK >= limit);
}

bool cgroup_oom_suspected(const struct cgroup *cg)
{
	int h = cgroup_serving(cg, CTL_MEMORY);
	auto_free char *control = NULL;

	if (h < 0 || cg->host.hierarchies.v[h].v2)
		return false;
	control = cgroup_file(cg, h, "memory.oom_control");
	if (!hidden("oom_control") && access(control, F_OK) == 0)
		return false;
	return reached(cg, h, "memory.max_usage_in_bytes", "memory.limit_in_bytes", "memory.failcnt") ||
	       reached(cg, h, "memory.memsw.max_usage_in_bytes", "memory.memsw.limit_in_bytes", "memory.memsw.failcnt");
}
