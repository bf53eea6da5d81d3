/*
 * t_cgroup.c - groups on this machine's real hierarchies
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "compat/base/path.h"
#include "compat/base/proc.h"
#include "compat/base/str.h"
#include "compat/base/time.h"
#include "compat/kernel/cgroup_internal.h"
#include "tests/unit/cgroup_json.h"

static struct cgroup *open_group(const char *name)
{
	struct cgroup *cg = NULL;
	struct err err = ERR_INIT;
	auto_free char *path = xfmt("t-cgroup-%d/%s", (int)getpid(), name);

	if (cgroup_open(path, &cg, &err) < 0) {
		print_message("%s\n", err.msg);
		skip();
	}
	if (cgroup_create(cg, &err) < 0) {
		print_message("%s\n", err.msg);
		cgroup_close(cg);
		skip();
	}
	return cg;
}

static void close_group(struct cgroup *cg)
{
	struct err err = ERR_INIT;

	if (cgroup_remove(cg, &err) < 0)
		fail_msg("%s", err.msg);
	assert_false(cgroup_exists(cg));
	cgroup_close(cg);
}

static pid_t start_sleeper(struct cgroup *cg)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		struct err err = ERR_INIT;

		if (cg && cgroup_attach(cg, 0, &err) < 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static uint64_t value(struct cgroup *cg, enum cgroup_controller c, const char *file)
{
	uint64_t v = 4711;

	assert_int_equal(cgroup_read_u64(cg, cgroup_serving(cg, c), file, &v), 0);
	return v;
}

static bool is_v1(struct cgroup *cg, enum cgroup_controller c)
{
	int h = cgroup_serving(cg, c);

	return h >= 0 && !cg->host.hierarchies.v[h].v2;
}

#define NEED_V1(cg, c)                                                                                                 \
	do {                                                                                                           \
		if (!is_v1(cg, c)) {                                                                                   \
			print_message("no v1 hierarchy carries %s here\n", cgroup_controller_name(c, false));           \
			close_group(cg);                                                                               \
			skip();                                                                                        \
		}                                                                                                      \
	} while (0)

static void the_kernel_says_what_controllers_it_has(void **state)
{
	struct cgroup_known known;

	if (access("/proc/cgroups", F_OK) < 0) {
		print_message("this kernel has no /proc/cgroups\n");
		skip();
	}
	assert_true(cgroup_kernel_knows("cpu", &known));
	assert_true(known.enabled);
	assert_false(cgroup_kernel_knows("cp", &known));
	assert_false(cgroup_kernel_knows("#subsys_name", &known));
}

/* ---- a real group ------------------------------------------------------------------------------------------------------------- */

static void a_group_is_made_everywhere_and_removed_with_what_lives_in_it(void **state)
{
	struct cgroup *cg = open_group("life/below");
	auto_free char *top = xfmt("t-cgroup-%d/life", (int)getpid());
	struct cgroup *above = NULL;
	AUTO(pid_vec_clear) pid_vec pids = {0};
	struct err err = ERR_INIT;
	pid_t self, moved;
	int status;

	assert_true(cgroup_exists(cg));
	self = start_sleeper(cg);
	moved = start_sleeper(NULL);
	if (cgroup_attach(cg, moved, &err) < 0)
		fail_msg("%s", err.msg);

	assert_int_equal(cgroup_open(top, &above, &err), 0);
	assert_int_equal(cgroup_pids(above, &pids, &err), 0);
	assert_int_equal(pids.n, 2);
	assert_int_equal(pids.v[0], self < moved ? self : moved);

	assert_int_equal(cgroup_kill(cg, SIGTERM, &err), 0);
	assert_int_equal(waitpid(self, &status, 0), self);
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_int_equal(waitpid(moved, &status, 0), moved);

	/* A living process does not keep the group. */
	self = start_sleeper(cg);
	signal(SIGCHLD, SIG_IGN);
	cgroup_close(cg);
	close_group(above);
	signal(SIGCHLD, SIG_DFL);
}

/*
 * The first process of a pid namespace in @cg, with a child in @other that is frozen: killed, it cannot end before the child does, though it is in no
 * group any more.
 */
static pid_t start_slow_death(struct cgroup *cg, struct cgroup *other)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (!pid) {
		struct err err = ERR_INIT;
		bool first = fork() != 0;

		if (cgroup_attach(first ? cg : other, 0, &err) < 0)
			_exit(1);
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static bool is_exiting(pid_t pid)
{
	AUTO(proc_ref_vec_clear) proc_ref_vec all = {0};
	bool found = false;

	assert_int_equal(proc_exiting(&all), 0);
	VEC_EACH(ref, &all)
		found = found || ref->pid == pid;
	return found;
}

/* Kills @pid, and returns when it is in @cg no more. */
static void kill_out_of(struct cgroup *cg, pid_t pid)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};

	assert_false(is_exiting(pid));
	assert_int_equal(kill(pid, SIGKILL), 0);
	for (int i = 0; i < 500; i++) {
		assert_int_equal(cgroup_pids(cg, &pids, NULL), 0);
		if (!pids.n && is_exiting(pid))
			return;
		usleep(10000);
	}
	fail_msg("%d is still in its group, or not exiting", (int)pid);
}

/* IMPATIENT: what a kernel without this fault lets us do; SEEN: the dying was seen in the group; UNSEEN: it had left it before. */
enum slow_way { IMPATIENT, SEEN, UNSEEN };

static void a_group_stays_for_the_dying_where_they_need_it(void **state)
{
	for (enum slow_way way = IMPATIENT; way <= UNSEEN; way++) {
		struct cgroup *cg = open_group("slow"), *other = open_group("ice");
		struct err err = ERR_INIT;
		pid_t first = start_slow_death(cg, other), thawer;
		int status;

		if (cgroup_freeze(other, true, &err) < 0)
			fail_msg("%s", err.msg);
		if (way == UNSEEN)
			kill_out_of(cg, first);
		thawer = fork();
		assert_true(thawer >= 0);
		if (!thawer) {
			bool there;

			usleep(500000);
			there = cgroup_exists(cg);
			(void)cgroup_freeze(other, false, &err);
			_exit(there ? 7 : 0);
		}
		if (cgroup_remove_how(cg, way == IMPATIENT ? 0 : REMOVE_FOR_THE_DYING, &err) < 0)
			fail_msg("%s", err.msg);
		assert_false(cgroup_exists(cg));
		assert_int_equal(waitpid(thawer, &status, 0), thawer);
		if (way != IMPATIENT)
			assert_int_equal(WEXITSTATUS(status), 7);
		else if (WEXITSTATUS(status) == 7)
			print_message("this kernel lets nobody remove the group before\n");
		assert_int_equal(waitpid(first, &status, 0), first);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		cgroup_close(cg);
		close_group(other);
	}
}

/* Watches until @cg is gone, and exits with 7 if it saw all its directories gone but that of @last. */
static pid_t start_watcher(struct cgroup *cg, int last)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		int code = 0;

		while (cgroup_exists(cg)) {
			bool others = false, is_there = cgroup_is_dir(cg->dirs[last]);

			for (int h = 0; h < (int)cg->host.hierarchies.n; h++)
				others = others || (h != last && cg->joined[h] && cgroup_is_dir(cg->dirs[h]));
			if (!others && is_there)
				code = 7;
			usleep(1000);
		}
		_exit(code);
	}
	return pid;
}

static void who_was_not_waited_for_gets_its_time_in_the_cpu_group(void **state)
{
	struct cgroup *cg = open_group("tail");
	struct err err = ERR_INIT;
	pid_t pid, watcher;
	int64_t began_ms;
	int status;

	NEED_V1(cg, CTL_CPU);
	pid = start_sleeper(cg);
	watcher = start_watcher(cg, cgroup_serving(cg, CTL_CPU));
	began_ms = time_mono_ms();
	if (cgroup_remove_how(cg, REMOVE_FOR_THE_DYING | REMOVE_SIDE_BY_SIDE, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(time_mono_ms() - began_ms >= 100);
	assert_false(cgroup_exists(cg));
	assert_int_equal(waitpid(watcher, &status, 0), watcher);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	cgroup_close(cg);
}

static void an_absent_group_has_no_processes_and_is_removed_already(void **state)
{
	AUTO(pid_vec_clear) pid_vec pids = {0};
	struct cgroup *cg = open_group("absent");
	struct cgroup_stats stats;
	struct err err = ERR_INIT;

	assert_int_equal(cgroup_remove(cg, &err), 0);
	assert_int_equal(cgroup_pids(cg, &pids, &err), 0);
	assert_int_equal(pids.n, 0);
	assert_int_equal(cgroup_kill(cg, SIGKILL, &err), 0);
	assert_int_equal(cgroup_stats(cg, &stats, &err), -ENOENT);
	close_group(cg);
}

static void memory_and_swap_are_set_in_the_order_that_works(void **state)
{
	static const long long steps[][2] = {{64, 128}, {256, 512}, {32, 32}, {128, 128}, {100, 400}, {-1, -1}, {64, 64}};
	struct cgroup *cg = open_group("memory");
	struct err err = ERR_INIT;

	NEED_V1(cg, CTL_MEMORY);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct cgroup_resources res = {0};
		long long mb = 1 << 20;

		res.memory.limit = (struct opt_i64){true, steps[i][0] < 0 ? -1 : steps[i][0] * mb};
		res.memory.swap = (struct opt_i64){true, steps[i][1] < 0 ? -1 : steps[i][1] * mb};
		if (cgroup_apply(cg, &res, &err) < 0)
			fail_msg("step %zu: %s", i, err.msg);
		if (steps[i][0] < 0)
			continue;
		assert_int_equal(value(cg, CTL_MEMORY, "memory.limit_in_bytes"), steps[i][0] * mb);
		assert_int_equal(value(cg, CTL_MEMORY, "memory.memsw.limit_in_bytes"), steps[i][1] * mb);
	}
	close_group(cg);
}

static void cpu_quota_and_period_reach_the_kernel(void **state)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	struct cgroup *cg = open_group("cpu");
	struct err err = ERR_INIT;

	NEED_V1(cg, CTL_CPU);
	cgroup_json("{\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":200000},\"pids\":{\"limit\":9}}", &res);
	if (cgroup_apply(cg, &res, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(value(cg, CTL_CPU, "cpu.shares"), 512);
	assert_int_equal(value(cg, CTL_CPU, "cpu.cfs_quota_us"), 50000);
	assert_int_equal(value(cg, CTL_CPU, "cpu.cfs_period_us"), 200000);
	assert_int_equal(value(cg, CTL_PIDS, "pids.max"), 9);
	close_group(cg);
}

static void nothing_is_written_when_one_limit_cannot_be_had(void **state)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	struct cgroup *cg = open_group("refuse");
	struct err err = ERR_INIT;

	NEED_V1(cg, CTL_CPU);
	cgroup_json("{\"cpu\":{\"shares\":512},\"unified\":{\"memory.nonsense\":\"1\"}}", &res);
	assert_true(cgroup_apply(cg, &res, &err) < 0);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_true(str_starts(err.msg, "cgroup v2 limit: "));
	assert_int_equal(value(cg, CTL_CPU, "cpu.shares"), 1024);
	close_group(cg);
}

static void a_limit_that_only_the_v2_tree_has_works_on_a_hybrid_host(void **state)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	struct cgroup *cg = open_group("hybrid");
	struct err err = ERR_INIT;
	pid_t pid;
	int h = cg->host.serves[CTL_HUGETLB];

	if (h < 0 || h != cg->host.unified || cg->host.mode != CGROUP_HYBRID) {
		print_message("this host's v2 tree does not carry hugetlb beside v1\n");
		close_group(cg);
		skip();
	}
	assert_false(cg->joined[h]);
	pid = start_sleeper(cg);
	cgroup_json("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", &res);
	if (cgroup_apply(cg, &res, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(value(cg, CTL_HUGETLB, "hugetlb.2MB.max"), 4194304);
	assert_int_equal(value(cg, CTL_HUGETLB, "cgroup.procs"), pid);
	assert_int_equal(cgroup_kill(cg, SIGKILL, &err), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close_group(cg);
}

static void cpusets_inherit_so_that_tasks_can_enter(void **state)
{
	struct cgroup *cg = open_group("set/deep/er");
	AUTO(buf_clear) struct buf cpus = BUF_INIT;
	struct err err = ERR_INIT;

	NEED_V1(cg, CTL_CPUSET);
	assert_int_equal(cgroup_read(cg, cgroup_serving(cg, CTL_CPUSET), "cpuset.cpus", &cpus, &err), 0);
	assert_true(cpus.len > 0);
	close_group(cg);
}

static void freezing_stops_and_killing_reaches_the_frozen(void **state)
{
	struct cgroup *cg = open_group("freeze");
	struct err err = ERR_INIT;
	bool frozen = false;
	pid_t pid = start_sleeper(cg);
	int status;

	assert_int_equal(cgroup_freeze(cg, true, &err), 0);
	assert_int_equal(cgroup_is_frozen(cg, &frozen, &err), 0);
	assert_true(frozen);
	assert_int_equal(cgroup_freeze(cg, false, &err), 0);
	assert_int_equal(cgroup_is_frozen(cg, &frozen, &err), 0);
	assert_false(frozen);

	assert_int_equal(cgroup_freeze(cg, true, &err), 0);
	assert_int_equal(cgroup_kill(cg, SIGKILL, &err), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGKILL);
	close_group(cg);
}

static void running_out_of_memory_is_noticed(void **state)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	struct cgroup *cg = open_group("oom");
	struct err err = ERR_INIT;
	struct pollfd poll_fd = {.events = POLLIN};
	int status;
	pid_t pid;

	cgroup_json("{\"memory\":{\"limit\":8388608,\"swap\":8388608}}", &res);
	if (cgroup_apply(cg, &res, &err) < 0) {
		print_message("%s\n", err.msg);
		close_group(cg);
		skip();
	}
	poll_fd.fd = cgroup_oom_fd(cg, &err);
	if (poll_fd.fd < 0)
		fail_msg("%s", err.msg);
	assert_false(cgroup_oom_killed(cg));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		size_t size = 64 << 20;
		char *p;

		if (cgroup_attach(cg, 0, &err) < 0)
			_exit(2);
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (size_t i = 0; p != MAP_FAILED && i < size; i += 4096)
			p[i] = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	assert_true(cgroup_oom_read(cg));
	assert_true(cgroup_oom_killed(cg));
	close_group(cg);
}

static void statistics_count_what_was_used(void **state)
{
	AUTO(cgroup_stats_clear) struct cgroup_stats stats = {0};
	struct cgroup *cg = open_group("stats");
	struct err err = ERR_INIT;
	pid_t pid;

	NEED_V1(cg, CTL_MEMORY);
	pid = start_sleeper(cg);
	if (cgroup_stats(cg, &stats, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(stats.pids.current, 1);
	assert_int_equal(stats.pids.limit, 0);
	assert_true(stats.cpu.usage_ns > 0);
	assert_true(stats.memory.stat.n > 0);
	assert_int_equal(stats.memory.limit, UINT64_MAX);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close_group(cg);
}

static void the_container_sees_its_hierarchies(void **state)
{
	cgroup_mount_vec mounts = {0};
	struct cgroup *cg = open_group("mounts");
	struct err err = ERR_INIT;

	assert_int_equal(cgroup_mounts_for_container(cg, &mounts, &err), 0);
	assert_true(mounts.n > 0);
	VEC_EACH(m, &mounts) {
		struct stat st;

		if (m->link)
			continue;
		assert_int_equal(stat(m->source, &st), 0);
		assert_true(S_ISDIR(st.st_mode));
	}
	cgroup_mounts_clear(&mounts);
	close_group(cg);
}

static void every_limit_has_a_verdict_with_a_reason(void **state)
{
	for (int limit = 0; limit < CGROUP_LIMIT_COUNT; limit++) {
		struct fit rows[CGROUP_LIMIT_BACKENDS];
		size_t n = cgroup_limit_rows(limit, rows);

		assert_non_null(cgroup_limit_name(limit));
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++) {
			assert_non_null(rows[i].name);
			assert_true(*rows[i].reason);
		}
	}
	assert_true(cgroup_limit_fit(CGROUP_FREEZER).score > FIT_NO);
}

/* ---- devices ---------------------------------------------------------------------------------------------------------------- */

static bool opens(struct cgroup *cg, const char *path, int flags)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		struct err err = ERR_INIT;

		if (cgroup_attach(cg, 0, &err) < 0)
			_exit(2);
		_exit(open(path, flags) < 0 ? errno == EPERM ? 1 : 3 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

static void check_devices(struct cgroup *cg)
{
	assert_true(opens(cg, "/dev/null", O_RDWR));
	assert_true(opens(cg, "/dev/zero", O_RDONLY));
	assert_false(opens(cg, "/dev/zero", O_WRONLY));
	assert_false(opens(cg, "/dev/full", O_RDONLY));
}

static const char device_rules[] = "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},"
				   "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"rwm\"},"
				   "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":5,\"access\":\"r\"}]}";

static void free_device(struct cgroup_device *d)
{
	free(d->type);
	free(d->access);
}

static void device_rules_hold_on_this_host(void **state)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	struct cgroup *cg = open_group("devices");
	struct err err = ERR_INIT;

	cgroup_json(device_rules, &res);
	if (cgroup_apply(cg, &res, &err) < 0)
		fail_msg("%s", err.msg);
	check_devices(cg);
	while (res.devices.n > 1)
		free_device(&res.devices.v[--res.devices.n]);
	res.devices.v[0].allow = true;
	assert_int_equal(cgroup_apply(cg, &res, &err), 0);
	assert_true(opens(cg, "/dev/full", O_RDONLY));
	close_group(cg);
}

static void the_device_program_gives_the_same_answers_on_v2(void **state)
{
	AUTO(cgroup_devices_clear) struct cgroup_device_state folded = {0};
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	struct cgroup *cg = open_group("bpf");
	struct err err = ERR_INIT;
	int v2 = cg->host.unified;
	struct fit bpf = cgroup_devices_bpf_fit();

	if (v2 < 0 || bpf.score == FIT_NO) {
		print_message("%s\n", v2 < 0 ? "no v2 tree is mounted" : bpf.reason);
		close_group(cg);
		skip();
	}
	if (cgroup_join_unified(cg, &err) < 0)
		fail_msg("%s", err.msg);
	cgroup_json(device_rules, &res);
	assert_int_equal(cgroup_devices_fold(&res, &folded, &err), 0);
	/* Twice: the second program replaces the first. */
	for (int i = 0; i < 2; i++) {
		if (cgroup_devices_attach(cg->dirs[v2], &folded, &err) < 0)
			fail_msg("%s", err.msg);
		check_devices(cg);
	}
	folded.allow_all = true;
	assert_int_equal(cgroup_devices_attach(cg->dirs[v2], &folded, &err), 0);
	assert_false(opens(cg, "/dev/null", O_RDONLY));
	assert_false(opens(cg, "/dev/zero", O_RDONLY));
	assert_true(opens(cg, "/dev/zero", O_WRONLY));
	assert_true(opens(cg, "/dev/full", O_RDONLY));
	close_group(cg);
}

/* Old kernels list a thread that is being reaped as 0, which written to a group's tasks is whoever writes it. */
static void a_thread_that_is_being_reaped_moves_nobody(void **state)
{
	struct cgroup *cg = open_group("reaped");
	char list[] = "/tmp/t-cgroup-XXXXXX";
	AUTO(pid_vec_clear) pid_vec pids = {0};
	struct err err = ERR_INIT;
	int h = cgroup_census(cg, -1);
	pid_t pid;

	if (h < 0 || cg->host.hierarchies.v[h].v2) {
		close_group(cg);
		print_message("only groups of version 1 have a file of tasks\n");
		skip();
	}
	pid = start_sleeper(NULL);
	assert_non_null(mkdtemp(list));
	for (int i = 0; i < 2; i++) {
		auto_free char *thread = xfmt("%s/%d", list, i ? (int)pid : 0);

		assert_int_equal(mkdir(thread, 0700), 0);
	}
	{
		auto_free char *tasks = xfmt("%s/tasks", cg->dirs[h]);

		if (cgroup_attach_threads(list, tasks, &err) < 0)
			fail_msg("%s", err.msg);
	}
	assert_int_equal(path_remove_tree(list, &err), 0);
	cgroup_pids_in(cg, h, &pids);
	assert_int_equal(pids.n, 1);
	assert_int_equal(pids.v[0], pid);
	close_group(cg);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int clean_up(void **state)
{
	auto_free char *top = xfmt("t-cgroup-%d", (int)getpid());
	struct cgroup *cg = NULL;
	struct err err = ERR_INIT;

	if (cgroup_open(top, &cg, &err) < 0)
		return 0;
	for (size_t h = 0; h < cg->host.hierarchies.n; h++)
		cg->joined[h] = true;
	if (cgroup_remove(cg, &err) < 0)
		print_message("%s\n", err.msg);
	cgroup_close(cg);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_says_what_controllers_it_has),
		cmocka_unit_test(device_rules_hold_on_this_host),
		cmocka_unit_test(the_device_program_gives_the_same_answers_on_v2),
		cmocka_unit_test(a_group_is_made_everywhere_and_removed_with_what_lives_in_it),
		cmocka_unit_test(a_group_stays_for_the_dying_where_they_need_it),
		cmocka_unit_test(who_was_not_waited_for_gets_its_time_in_the_cpu_group),
		cmocka_unit_test(an_absent_group_has_no_processes_and_is_removed_already),
		cmocka_unit_test(memory_and_swap_are_set_in_the_order_that_works),
		cmocka_unit_test(cpu_quota_and_period_reach_the_kernel),
		cmocka_unit_test(nothing_is_written_when_one_limit_cannot_be_had),
		cmocka_unit_test(a_limit_that_only_the_v2_tree_has_works_on_a_hybrid_host),
		cmocka_unit_test(cpusets_inherit_so_that_tasks_can_enter),
		cmocka_unit_test(freezing_stops_and_killing_reaches_the_frozen),
		cmocka_unit_test(a_thread_that_is_being_reaped_moves_nobody),
		cmocka_unit_test(running_out_of_memory_is_noticed),
		cmocka_unit_test(statistics_count_what_was_used),
		cmocka_unit_test(the_container_sees_its_hierarchies),
		cmocka_unit_test(every_limit_has_a_verdict_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, clean_up);
}
