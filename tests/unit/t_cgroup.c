/*
 * t_cgroup.c - groups on this machine's real hierarchies, and plans for hosts that this machine is not
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

static const char v1_mounts[] = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"
				"cgroup /cgroup/cpu\\040x cgroup rw,relatime,cpu,cpuacct 0 0\n"
				"cgroup /cgroup/memory cgroup rw,memory 0 0\n"
				"cgroup /elsewhere/memory cgroup rw,memory 0 0\n"
				"cgroup /cgroup/ns cgroup rw,ns 0 0\n"
				"cgroup /cgroup/blkio cgroup rw,blkio 0 0\n"
				"cgroup /cgroup/cpuset cgroup rw,cpuset,noprefix 0 0\n"
				"cgroup /cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n"
				"broken\n";

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

/* ---- finding ------------------------------------------------------------------------------------------------------------------ */

static void mounts_are_found_by_controller_and_the_ns_hierarchy_is_left_alone(void **state)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};

	cgroup_host_parse(v1_mounts, 0, &host);
	assert_int_equal(host.mode, CGROUP_V1);
	assert_int_equal(host.hierarchies.n, 5);
	assert_string_equal(host.hierarchies.v[host.serves[CTL_CPU]].mount, "/cgroup/cpu x");
	assert_int_equal(host.serves[CTL_CPU], host.serves[CTL_CPUACCT]);
	assert_string_equal(host.hierarchies.v[host.serves[CTL_MEMORY]].mount, "/cgroup/memory");
	assert_true(host.hierarchies.v[host.serves[CTL_CPUSET]].noprefix);
	assert_int_equal(host.serves[CTL_PIDS], -1);
	assert_string_equal(host.hierarchies.v[4].options, "name=systemd");
}

/* A directory with a cgroup.controllers file stands for a v2 tree: only its names are read. */
static void v2_host(struct cgroup_host *host, const char *names)
{
	char dir[] = "/tmp/t-cgroup-XXXXXX";
	auto_free char *mounts = NULL;
	auto_free char *file = NULL;
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	file = xfmt("%s/cgroup.controllers", dir);
	assert_int_equal(file_write(-1, file, names, strlen(names), 0600, &err), 0);
	mounts = xfmt("cgroup2 %s cgroup2 rw 0 0\n", dir);
	cgroup_host_parse(mounts, 0, host);
	assert_int_equal(path_remove_tree(dir, &err), 0);
}

static void paths_that_lead_out_are_refused(void **state)
{
	static const char *const bad[] = {"", "/", "..", "a/../b", "a/./b", "../x"};
	struct cgroup *cg = NULL;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(cgroup_open(bad[i], &cg, &err), -EINVAL);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	assert_null(cg);
}

/* ---- plans -------------------------------------------------------------------------------------------------------------------- */

static void parse(const char *json, struct cgroup_resources *res)
{
	struct err err = ERR_INIT;

	if (json_parse(&cgroup_resources_table, json, strlen(json), JSON_UNKNOWN_ERROR, "resources", res, &err) < 0)
		fail_msg("%s", err.msg);
}

static char *plan_text(const struct cgroup_host *host, const char *json)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	AUTO(cgroup_plan_clear) cgroup_plan plan = {0};
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	parse(json, &res);
	if (cgroup_plan_make(host, &res, 0, &plan, &err) < 0) {
		buf_fmt(&text, "%s", err.msg);
		return buf_take(&text);
	}
	VEC_EACH(w, &plan) {
		buf_fmt(&text, "%s%s=%s", text.len ? ";" : "", w->file, w->value);
		if (*w->alternative)
			buf_fmt(&text, "|%s=%s", w->alternative,
				w->alternative_value ? w->alternative_value : w->value);
	}
	return buf_take(&text);
}

static void v1_limits_become_v1_files(void **state)
{
	static const struct {
		const char *json, *plan;
	} cases[] = {
		{"{}", ""},
		{"{\"memory\":{\"limit\":0,\"swap\":0}}", ""},
		{"{\"memory\":{\"limit\":100,\"swap\":200,\"reservation\":50,\"swappiness\":0}}",
		 "memory.limit_in_bytes=100;memory.memsw.limit_in_bytes=200;memory.soft_limit_in_bytes=50;"
		 "memory.swappiness=0"},
		{"{\"memory\":{\"limit\":-1}}", "memory.limit_in_bytes=-1;memory.memsw.limit_in_bytes=-1"},
		{"{\"cpu\":{\"shares\":512,\"quota\":-1,\"period\":1000,\"cpus\":\"0-1\"}}",
		 "cpu.shares=512;cpu.cfs_period_us=1000;cpu.cfs_quota_us=-1;cpus=0-1"},
		{"{\"blockIO\":{\"weight\":10,\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":5}]}}",
		 "blkio.weight=10|blkio.bfq.weight=10;blkio.throttle.read_bps_device=8:0 5"},
		{"{\"pids\":{\"limit\":5}}", "process limit: no cgroup controller 'pids' is mounted"},
		{"{\"pids\":{\"limit\":-1}}", "pids.max=max"},
		{"{\"network\":{\"classID\":5}}", "network class: no cgroup controller 'net_cls' is mounted"},
		{"{\"unified\":{\"memory.high\":\"5\"}}", "cgroup v2 limit: no cgroup v2 tree is mounted"},
		{"{\"memory\":{\"limit\":100,\"swap\":50}}", "memory and swap limit 50 is below the memory limit 100"},
		{"{\"blockIO\":{\"weight\":5}}", "invalid block I/O weight 5: range is from 10 to 1000"},
		{"{\"cpu\":{\"cpus\":\"0;1\"}}", "invalid cpu list '0;1': want a list such as 0-3,7"},
	};
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};

	cgroup_host_parse(v1_mounts, 0, &host);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *text = plan_text(&host, cases[i].json);

		if (strcmp(text, cases[i].plan) && !strstr(text, cases[i].plan))
			fail_msg("%s: '%s' is not '%s'", cases[i].json, text, cases[i].plan);
	}
}

static void v2_limits_become_v2_files_and_units(void **state)
{
	static const struct {
		const char *json, *plan;
	} cases[] = {
		{"{\"memory\":{\"limit\":100,\"swap\":300,\"reservation\":50}}",
		 "memory.swap.max=200;memory.max=100;memory.low=50"},
		{"{\"memory\":{\"limit\":-1,\"swap\":-1}}", "memory.swap.max=max;memory.max=max"},
		{"{\"memory\":{\"swap\":300}}", "a memory and swap limit needs a memory limit with it on cgroup v2"},
		{"{\"memory\":{\"swappiness\":60}}", "swappiness: cgroup v2 has none"},
		{"{\"memory\":{\"disableOOMKiller\":true}}", "OOM killer off: cgroup v2 has none"},
		{"{\"memory\":{\"disableOOMKiller\":false}}", ""},
		{"{\"cpu\":{\"shares\":1024,\"quota\":50000,\"period\":100000}}",
		 "cpu.weight=39;cpu.max=50000 100000"},
		{"{\"cpu\":{\"shares\":2}}", "cpu.weight=1"},
		{"{\"cpu\":{\"shares\":262144}}", "cpu.weight=10000"},
		{"{\"cpu\":{\"quota\":-1}}", "cpu.max=max"},
		{"{\"cpu\":{\"quota\":5000}}", "cpu.max=5000"},
		{"{\"cpu\":{\"idle\":1,\"burst\":7}}", "cpu.idle=1;cpu.max.burst=7"},
		{"{\"cpu\":{\"cpus\":\"0\",\"mems\":\"0\"}}", "cpuset.cpus=0;cpuset.mems=0"},
		{"{\"blockIO\":{\"weight\":1000,\"weightDevice\":[{\"major\":8,\"minor\":1,\"weight\":10}]}}",
		 "io.bfq.weight=1000|io.weight=default 10000;io.bfq.weight=8:1 10|io.weight=8:1 1"},
		{"{\"blockIO\":{\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]}}",
		 "io.max=8:0 wiops=max"},
		{"{\"pids\":{\"limit\":7}}", "pids.max=7"},
		{"{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4}]}", "hugetlb.2MB.max=4;hugetlb.2MB.rsvd.max=4"},
		{"{\"rdma\":{\"mlx5\":{\"hcaHandles\":2}}}", "rdma.max=mlx5 hca_handle=2"},
		{"{\"unified\":{\"memory.high\":\"5\"}}", "memory.high=5"},
		{"{\"unified\":{\"cgroup.procs\":\"5\"}}", "cgroup v2 file 'cgroup.procs' is not a limit"},
		{"{\"unified\":{\"../memory.high\":\"5\"}}", "invalid cgroup v2 file"},
		{"{\"network\":{\"priorities\":[{\"name\":\"eth0\",\"priority\":5}]}}",
		 "network priority: no cgroup controller 'net_prio' is mounted"},
	};
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};

	v2_host(&host, "cpuset cpu io memory hugetlb pids rdma\n");
	assert_int_equal(host.mode, CGROUP_V2);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_free char *text = plan_text(&host, cases[i].json);

		if (strcmp(text, cases[i].plan) && (!*cases[i].plan || !strstr(text, cases[i].plan)))
			fail_msg("%s: '%s' is not '%s'", cases[i].json, text, cases[i].plan);
	}
}

/* ---- device rules ------------------------------------------------------------------------------------------------------------- */

static void device_rules_fold_as_the_kernel_folds_them(void **state)
{
	static const char rules[] = "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"},"
				    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"r\"},"
				    "{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"w\"},"
				    "{\"allow\":true,\"type\":\"b\",\"major\":8,\"access\":\"rwm\"},"
				    "{\"allow\":false,\"type\":\"b\",\"major\":8,\"access\":\"m\"},"
				    "{\"allow\":true,\"type\":\"c\",\"major\":5,\"minor\":-1}]}";
	AUTO(cgroup_devices_clear) struct cgroup_device_state folded = {0};
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	AUTO(cgroup_plan_clear) cgroup_plan plan = {0};
	struct err err = ERR_INIT;

	parse(rules, &res);
	assert_int_equal(cgroup_devices_fold(&res, &folded, &err), 0);
	cgroup_devices_plan(&folded, &plan);
	assert_int_equal(plan.n, 4);
	assert_string_equal(plan.v[0].file, "devices.deny");
	assert_string_equal(plan.v[0].value, "a");
	assert_string_equal(plan.v[1].value, "c 1:3 rw");
	assert_string_equal(plan.v[2].value, "b 8:* rw");
	assert_string_equal(plan.v[3].value, "c 5:* rwm");
	cgroup_devices_clear(&folded);

	res.devices.v[1].access[0] = 'x';
	assert_int_equal(cgroup_devices_fold(&res, &folded, &err), -EINVAL);
	assert_string_equal(err.msg, "invalid device access 'x': want letters of rwm");

	/* Denied, it is all of them. */
	res.devices.v[1].access[0] = 'a';
	assert_int_equal(cgroup_devices_fold(&res, &folded, &err), -EINVAL);
	res.devices.v[1].allow = false;
	assert_int_equal(cgroup_devices_fold(&res, &folded, &err), 0);
}

/* Can a process of the group open @path? */
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

	parse(device_rules, &res);
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
	parse(device_rules, &res);
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

/* ---- a group in plain directories ------------------------------------------------------------------------------------------------ */

static char tree[] = "/tmp/t-cgroup-XXXXXX";

/*
 * @mount: a line of /proc/mounts with %s for the tree's directory; @files: "name=content" for the group's own, "/name=content" for those of the
 * tree, which may lie deeper.
 */
static struct cgroup *fake_group(const char *mount, const char *path, const char *const *files, size_t count)
{
	auto_free char *dir = NULL;
	auto_free char *line = NULL;
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};
	struct cgroup *cg = NULL;
	struct err err = ERR_INIT;

	strcpy(tree + sizeof(tree) - 7, "XXXXXX");
	assert_non_null(mkdtemp(tree));
	dir = xfmt("%s/%s", tree, path);
	assert_int_equal(path_mkdirs(dir, 0700, &err), 0);
	for (size_t i = 0; i < count; i++) {
		const char *equals = strchr(files[i], '=');
		auto_free char *file = xfmt("%s/%.*s", *files[i] == '/' ? tree : dir, (int)(equals - files[i]), files[i]);
		auto_free char *folder = xstrndup(file, (size_t)(strrchr(file, '/') - file));

		assert_int_equal(path_mkdirs(folder, 0700, &err), 0);
		assert_int_equal(file_write(-1, file, equals + 1, strlen(equals + 1), 0600, &err), 0);
	}
	line = xfmt(mount, tree);
	cgroup_host_parse(line, 0, &host);
	if (cgroup_open_in(&host, path, &cg, &err) < 0)
		fail_msg("%s", err.msg);
	return cg;
}

/* Content of a file of the tree. Owned. */
static char *fake_read(const char *name)
{
	auto_free char *file = xfmt("%s/%s", tree, name);
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	if (file_read(-1, file, 4096, &text, &err) < 0)
		fail_msg("%s", err.msg);
	return buf_take(&text);
}

#define assert_file(name, content)                                                                                     \
	do {                                                                                                           \
		auto_free char *text_ = fake_read(name);                                                               \
                                                                                                                       \
		assert_string_equal(text_, content);                                                                   \
	} while (0)

static void fake_close(struct cgroup *cg)
{
	struct err err = ERR_INIT;

	cgroup_close(cg);
	assert_int_equal(path_remove_tree(tree, &err), 0);
}

static void a_period_alone_keeps_the_quota_on_v2(void **state)
{
	static const char *const files[] = {"/cgroup.controllers=cpu\n", "cpu.max=50000 100000\n"};
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct cgroup *cg = fake_group("cgroup2 %s cgroup2 rw 0 0\n", "c", files, ARRAY_SIZE(files));
	struct err err = ERR_INIT;

	parse("{\"cpu\":{\"period\":200000}}", &res);
	if (cgroup_apply(cg, &res, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(cgroup_read(cg, 0, "cpu.max", &text, &err), 0);
	assert_string_equal(buf_cstr(&text), "50000 200000");
	fake_close(cg);
}

static void what_has_no_file_is_left_to_a_keeper_or_refused(void **state)
{
	static const char *const files[] = {"cpu.shares=1024"};
	struct cgroup *cg = fake_group("cgroup %s cgroup rw,cpu 0 0\n", "c", files, ARRAY_SIZE(files));
	const struct cgroup_kept *kept = cgroup_kept(cg);
	static const struct {
		const char *json;
		int64_t quota, period, tasks, memory;
	} steps[] = {
		{"{\"cpu\":{\"quota\":30000}}", 30000, 100000, 0, 0},
		{"{\"cpu\":{\"period\":50000}}", 30000, 50000, 0, 0},
		{"{\"pids\":{\"limit\":7}}", 30000, 50000, 7, 0},
		{"{\"memory\":{\"limit\":4096}}", 30000, 50000, 7, 4096},
		{"{\"cpu\":{\"shares\":1025}}", 30000, 50000, 7, 4096},
		{"{\"cpu\":{\"quota\":-1},\"pids\":{\"limit\":-1},\"memory\":{\"limit\":-1}}", 0, 50000, 0, 0},
	};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
		bool restricts = i != 1 && i < 4;

		parse(steps[i].json, &res);
		cgroup_keep(cg, 0);
		if (restricts) {
			assert_true(cgroup_apply(cg, &res, &err) < 0);
			assert_int_equal(err.kind, ERR_UNSUPPORTED);
			assert_non_null(strstr(err.msg, "needs a keeper"));
		}
		cgroup_keep(cg, CGROUP_KEEPS_CPU | CGROUP_KEEPS_TASKS | CGROUP_KEEPS_MEMORY);
		if (cgroup_apply(cg, &res, &err) < 0)
			fail_msg("%s: %s", steps[i].json, err.msg);
		assert_int_equal(kept->cpu_quota_us, steps[i].quota);
		assert_int_equal(kept->cpu_period_us, steps[i].period);
		assert_int_equal(kept->tasks, steps[i].tasks);
		assert_int_equal(kept->memory_bytes, steps[i].memory);
	}
	assert_file("c/cpu.shares", "1025");
	fake_close(cg);
}

/* @where, as one word or two, of the container's groups: what becomes of them; "" when it is refused with @kind. */
static void check_descent(const char *first, const char *second, const char *cpu, const char *memory, enum err_kind kind)
{
	static const char *const files[] = {"/c/g/low/er/tasks=", "/m/g/low/tasks="};
	const char *wheres[] = {first, second, NULL};
	struct cgroup *cg = fake_group("cgroup %1$s/c cgroup rw,cpu,cpuacct 0 0\ncgroup %1$s/m cgroup rw,memory 0 0\n", "g", files, 2);
	struct err err = ERR_INIT;

	assert_int_equal(cgroup_descend(cg, wheres, &err) < 0, !*cpu);
	assert_int_equal(err.kind, kind);
	assert_string_equal(cgroup_dir(cg, "cpuacct") + strlen(tree), *cpu ? cpu : "/c/g");
	assert_string_equal(cgroup_dir(cg, "memory") + strlen(tree), *cpu ? memory : "/m/g");
	fake_close(cg);
}

static void groups_below_are_chosen_by_controller(void **state)
{
	check_descent("low", NULL, "/c/g/low", "/m/g/low", 0);
	check_descent("/", NULL, "/c/g", "/m/g", 0);
	check_descent("cpu:/low//er/", NULL, "/c/g/low/er", "/m/g", 0);
	check_descent("cpu,cpuacct:low", "memory:low", "/c/g/low", "/m/g/low", 0);
	check_descent("cpu,memory:low", NULL, "/c/g/low", "/m/g/low", 0);
	check_descent("memory:/", "cpuacct:low/er", "/c/g/low/er", "/m/g", 0);
	check_descent("low/er", NULL, "", "", ERR_NOT_FOUND);
	check_descent("memory:low/er", NULL, "", "", ERR_NOT_FOUND);
	check_descent("cpu:low", "cpuacct:low/er", "", "", ERR_INVALID);
	check_descent("low", "cpu:low", "", "", ERR_INVALID);
	check_descent("..", NULL, "", "", ERR_INVALID);
	check_descent("cpu:low/../../x", NULL, "", "", ERR_INVALID);
	check_descent("nope:low", NULL, "", "", ERR_INVALID);
	check_descent(":low", NULL, "", "", ERR_INVALID);
	check_descent("freezer:low", NULL, "", "", ERR_UNSUPPORTED);
}

static void old_freezers_are_asked_group_by_group(void **state)
{
	static const char *const files[] = {"freezer.state=THAWED", "/c/below/freezer.state=THAWED", "freezer.self_freezing=0"};

	for (size_t newer = 0; newer < 2; newer++) {
		struct cgroup *cg = fake_group("cgroup %s cgroup rw,freezer 0 0\n", "c", files, 2 + newer);
		struct err err = ERR_INIT;
		bool frozen;

		assert_int_equal(cgroup_freeze_begin(cg, true), 0);
		assert_file("c/freezer.state", "FROZEN");
		assert_file("c/below/freezer.state", newer ? "THAWED" : "FROZEN");
		assert_int_equal(cgroup_is_frozen(cg, &frozen, &err), 0);
		assert_true(frozen);
		assert_int_equal(cgroup_freeze_begin(cg, false), 0);
		assert_file("c/below/freezer.state", "THAWED");
		assert_int_equal(cgroup_is_frozen(cg, &frozen, &err), 0);
		assert_false(frozen);
		fake_close(cg);
	}
}

static void counters_tell_of_memory_that_ran_out(void **state)
{
	static const struct {
		const char *failures, *max, *control;
		bool suspected;
	} cases[] = {
		{"memory.failcnt=0", "memory.max_usage_in_bytes=1000000", NULL, false},
		{"memory.failcnt=3", "memory.max_usage_in_bytes=1000000", NULL, true},
		{"memory.failcnt=0", "memory.max_usage_in_bytes=24900000", NULL, true},
		{"memory.failcnt=3", "memory.max_usage_in_bytes=24900000", "memory.oom_control=oom_kill 0", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *const files[] = {"memory.limit_in_bytes=25000000", cases[i].failures, cases[i].max, cases[i].control};
		struct cgroup *cg = fake_group("cgroup %s cgroup rw,memory 0 0\n", "c", files, cases[i].control ? 4 : 3);

		assert_int_equal(cgroup_oom_suspected(cg), cases[i].suspected);
		fake_close(cg);
	}
}

static void room_for_real_time_tasks_is_made_above(void **state)
{
	static const char *const files[] = {
		"/cpu.rt_runtime_us=950000", "/p/cpu.rt_runtime_us=10000", "/p/cpu.rt_period_us=1000000",
		"/p/other/cpu.rt_runtime_us=100000", "/p/other/cpu.rt_period_us=1000000", "cpu.rt_runtime_us=0", "cpu.rt_period_us=1000000",
	};
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	struct cgroup *cg = fake_group("cgroup %s cgroup rw,cpu 0 0\n", "p/c", files, ARRAY_SIZE(files));
	struct err err = ERR_INIT;

	parse("{\"cpu\":{\"realtimeRuntime\":200000}}", &res);
	if (cgroup_apply(cg, &res, &err) < 0)
		fail_msg("%s", err.msg);
	assert_file("cpu.rt_runtime_us", "950000");
	assert_file("p/cpu.rt_runtime_us", "300000");
	assert_file("p/c/cpu.rt_runtime_us", "200000");
	fake_close(cg);
}

static void strays_of_the_ns_controller_are_found_and_removed(void **state)
{
	static const char own[] = "3:memory:/x\n8:ns:/287\n";
	char dir[] = "/tmp/t-cgroup-XXXXXX";
	auto_free char *found = cgroup_ns_find(v1_mounts, own);
	auto_free char *elsewhere = cgroup_ns_find("cgroup /c/m cgroup rw,memory 0 0\n", own);
	static const char *const names[] = {"1", "999999999", "999999998/1", "default", "999999997x"};
	static const bool stays[] = {true, false, false, true, true};
	struct err err = ERR_INIT;

	assert_string_equal(found, "/cgroup/ns/287");
	assert_null(elsewhere);
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = path_join(dir, names[i]);

		assert_int_equal(path_mkdirs(path, 0700, &err), 0);
	}
	cgroup_ns_sweep_dir(dir);
	for (size_t round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			auto_free char *path = path_join(dir, names[i]);

			/* A new one may belong to a process that is just being made. */
			assert_int_equal(access(path, F_OK) == 0, stays[i] || !round);
		}
		if (round == 0) {
			sleep(3);
			cgroup_ns_sweep_dir(dir);
		}
	}
	assert_int_equal(path_remove_tree(dir, &err), 0);
}

static void hidden_controllers_serve_nobody(void **state)
{
	AUTO(cgroup_host_clear) struct cgroup_host host = {0};

	cgroup_host_parse("cgroup /c/m cgroup rw,memory 0 0\ncgroup /c/p cgroup rw,pids,cpu 0 0\n",
			  CGROUP_WITHOUT_MEMORY | CGROUP_WITHOUT_PIDS, &host);
	assert_int_equal(host.serves[CTL_MEMORY], -1);
	assert_int_equal(host.serves[CTL_PIDS], -1);
	assert_int_equal(host.serves[CTL_CPU], 1);
}

static void the_kernel_says_what_controllers_it_has(void **state)
{
	struct cgroup_known known;

	if (access("/proc/cgroups", F_OK) < 0)
		skip();
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

static void a_group_stays_for_the_dying_where_they_need_it(void **state)
{
	for (int patient = 0; patient < 2; patient++) {
		struct cgroup *cg = open_group("slow"), *other = open_group("ice");
		struct err err = ERR_INIT;
		pid_t first = start_slow_death(cg, other), thawer;
		int status;

		if (cgroup_freeze(other, true, &err) < 0)
			fail_msg("%s", err.msg);
		thawer = fork();
		assert_true(thawer >= 0);
		if (!thawer) {
			bool there;

			usleep(500000);
			there = cgroup_exists(cg);
			(void)cgroup_freeze(other, false, &err);
			_exit(there ? 7 : 0);
		}
		if (cgroup_remove_waiting(cg, patient, &err) < 0)
			fail_msg("%s", err.msg);
		assert_false(cgroup_exists(cg));
		assert_int_equal(waitpid(thawer, &status, 0), thawer);
		if (patient)
			assert_int_equal(WEXITSTATUS(status), 7);
		else if (WEXITSTATUS(status) == 7)
			print_message("this kernel lets nobody remove the group before\n");
		assert_int_equal(waitpid(first, &status, 0), first);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		cgroup_close(cg);
		close_group(other);
	}
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
	parse("{\"cpu\":{\"shares\":512,\"quota\":50000,\"period\":200000},\"pids\":{\"limit\":9}}", &res);
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
	parse("{\"cpu\":{\"shares\":512},\"unified\":{\"memory.nonsense\":\"1\"}}", &res);
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
	parse("{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}", &res);
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

	parse("{\"memory\":{\"limit\":8388608,\"swap\":8388608}}", &res);
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

static void resources_survive_a_round_trip_through_json(void **state)
{
	static const char text[] = "{\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"r\"}],"
				   "\"memory\":{\"limit\":-1,\"swappiness\":0},\"cpu\":{\"shares\":5},"
				   "\"rdma\":{\"mlx\":{\"hcaHandles\":3}},\"unified\":{\"memory.high\":\"max\"}}";
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;

	parse(text, &res);
	json_print(&cgroup_resources_table, &res, 0, &out);
	assert_string_equal(buf_cstr(&out), text);
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
		cmocka_unit_test(mounts_are_found_by_controller_and_the_ns_hierarchy_is_left_alone),
		cmocka_unit_test(paths_that_lead_out_are_refused),
		cmocka_unit_test(v1_limits_become_v1_files),
		cmocka_unit_test(v2_limits_become_v2_files_and_units),
		cmocka_unit_test(a_period_alone_keeps_the_quota_on_v2),
		cmocka_unit_test(what_has_no_file_is_left_to_a_keeper_or_refused),
		cmocka_unit_test(groups_below_are_chosen_by_controller),
		cmocka_unit_test(old_freezers_are_asked_group_by_group),
		cmocka_unit_test(counters_tell_of_memory_that_ran_out),
		cmocka_unit_test(room_for_real_time_tasks_is_made_above),
		cmocka_unit_test(strays_of_the_ns_controller_are_found_and_removed),
		cmocka_unit_test(hidden_controllers_serve_nobody),
		cmocka_unit_test(the_kernel_says_what_controllers_it_has),
		cmocka_unit_test(resources_survive_a_round_trip_through_json),
		cmocka_unit_test(device_rules_fold_as_the_kernel_folds_them),
		cmocka_unit_test(device_rules_hold_on_this_host),
		cmocka_unit_test(the_device_program_gives_the_same_answers_on_v2),
		cmocka_unit_test(a_group_is_made_everywhere_and_removed_with_what_lives_in_it),
		cmocka_unit_test(a_group_stays_for_the_dying_where_they_need_it),
		cmocka_unit_test(an_absent_group_has_no_processes_and_is_removed_already),
		cmocka_unit_test(memory_and_swap_are_set_in_the_order_that_works),
		cmocka_unit_test(cpu_quota_and_period_reach_the_kernel),
		cmocka_unit_test(nothing_is_written_when_one_limit_cannot_be_had),
		cmocka_unit_test(a_limit_that_only_the_v2_tree_has_works_on_a_hybrid_host),
		cmocka_unit_test(cpusets_inherit_so_that_tasks_can_enter),
		cmocka_unit_test(freezing_stops_and_killing_reaches_the_frozen),
		cmocka_unit_test(running_out_of_memory_is_noticed),
		cmocka_unit_test(statistics_count_what_was_used),
		cmocka_unit_test(the_container_sees_its_hierarchies),
		cmocka_unit_test(every_limit_has_a_verdict_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, clean_up);
}
