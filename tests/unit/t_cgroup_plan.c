/*
 * t_cgroup_plan.c - what is planned for hosts that this machine is not, and groups in plain directories that play their hierarchies
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"
#include "tests/unit/cgroup_json.h"

static const char v1_mounts[] = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n"
				"cgroup /cgroup/cpu\\040x cgroup rw,relatime,cpu,cpuacct 0 0\n"
				"cgroup /cgroup/memory cgroup rw,memory 0 0\n"
				"cgroup /elsewhere/memory cgroup rw,memory 0 0\n"
				"cgroup /cgroup/ns cgroup rw,ns 0 0\n"
				"cgroup /cgroup/blkio cgroup rw,blkio 0 0\n"
				"cgroup /cgroup/cpuset cgroup rw,cpuset,noprefix 0 0\n"
				"cgroup /cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n"
				"broken\n";

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

static char *plan_text(const struct cgroup_host *host, const char *json)
{
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	AUTO(cgroup_plan_clear) cgroup_plan plan = {0};
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	cgroup_json(json, &res);
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

	cgroup_json(rules, &res);
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
static void resources_survive_a_round_trip_through_json(void **state)
{
	static const char text[] = "{\"devices\":[{\"allow\":true,\"type\":\"c\",\"major\":1,\"minor\":3,\"access\":\"r\"}],"
				   "\"memory\":{\"limit\":-1,\"swappiness\":0},\"cpu\":{\"shares\":5},"
				   "\"rdma\":{\"mlx\":{\"hcaHandles\":3}},\"unified\":{\"memory.high\":\"max\"}}";
	AUTO(cgroup_resources_clear) struct cgroup_resources res = {0};
	AUTO(buf_clear) struct buf out = BUF_INIT;

	cgroup_json(text, &res);
	json_print(&cgroup_resources_table, &res, 0, &out);
	assert_string_equal(buf_cstr(&out), text);
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

	cgroup_json("{\"cpu\":{\"period\":200000}}", &res);
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

		cgroup_json(steps[i].json, &res);
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

	cgroup_json("{\"cpu\":{\"realtimeRuntime\":200000}}", &res);
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
		cmocka_unit_test(resources_survive_a_round_trip_through_json),
		cmocka_unit_test(device_rules_fold_as_the_kernel_folds_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
