/*
 * t_cli_options - command lines of create and run, and the requests that come out of them
 */
#include "tests/unit/unit.h"

#include <json-c/json.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/create_options.h"
#include "compat/base/str.h"

static const struct option_group *const groups[] = {&create_option_group, &run_option_group, NULL};

/* Parse "a b c" (words parted by single spaces) and give the request as a tree; NULL and @err when it was refused. */
static struct json_object *request_of(const char *line, struct err *err)
{
	AUTO(strv_clear) struct strv argv = {0}, args = {0};
	AUTO(buf_clear) struct buf text = BUF_INIT;
	struct create_options o = {0};
	const struct option_parse parse = {groups, &o, true};
	struct json_object *tree = NULL;
	int rc;

	strv_add(&argv, "run");
	strv_split(&argv, line, " ", false);
	rc = option_parse(&parse, (int)argv.n, strv_argv(&argv), &args, err);
	if (!rc && args.n)
		rc = create_options_finish(&o, &args, !o.detach, err);
	if (!rc) {
		json_print(&api_container_create_table, &o.request, 0, &text);
		assert_int_equal(json_tree_parse(text.data, text.len, "request", &tree, err), 0);
	}
	option_clear(groups, &o);
	create_options_clear(&o);
	return tree;
}

static const struct {
	const char *line;	/* the image follows */
	const char *path;
	const char *json;
} options[] = {
	{ "--add-host db:10.0.0.1", "HostConfig.ExtraHosts", "[\"db:10.0.0.1\"]" },
	{ "--annotation a=b=c", "SpecAnnotation", "{\"a\":\"b=c\"}" },
	{ "--blkio-weight 300", "HostConfig.BlkioWeight", "300" },
	{ "--blkio-weight-device /dev/sda:200", "HostConfig.BlkioWeightDevice",
	  "[{\"Path\":\"/dev/sda\",\"Weight\":200}]" },
	{ "--cap-add SYS_ADMIN,NET_RAW --cap-add KILL", "HostConfig.CapAdd", "[\"SYS_ADMIN\",\"NET_RAW\",\"KILL\"]" },
	{ "--cap-drop ALL", "HostConfig.CapDrop", "[\"ALL\"]" },
	{ "--cgroup-parent mine", "HostConfig.CgroupParent", "\"mine\"" },
	{ "--cpu-period 50000", "HostConfig.CpuPeriod", "50000" },
	{ "--cpu-quota=-1", "HostConfig.CpuQuota", "-1" },
	{ "--cpu-quota -1", "HostConfig.CpuQuota", "-1" },
	{ "--cpu-shares 512", "HostConfig.CpuShares", "512" },
	{ "--cpus 1.5", "HostConfig.NanoCpus", "1500000000" },
	{ "--cpuset-cpus 0-1", "HostConfig.CpusetCpus", "\"0-1\"" },
	{ "--cpuset-mems 0", "HostConfig.CpusetMems", "\"0\"" },
	{ "--device /dev/null", "HostConfig.Devices",
	  "[{\"PathOnHost\":\"/dev/null\",\"PathInContainer\":\"/dev/null\",\"CgroupPermissions\":\"rwm\"}]" },
	{ "--device /dev/a:/dev/b:r,/dev/c:rw", "HostConfig.Devices",
	  "[{\"PathOnHost\":\"/dev/a\",\"PathInContainer\":\"/dev/b\",\"CgroupPermissions\":\"r\"},"
	  "{\"PathOnHost\":\"/dev/c\",\"PathInContainer\":\"/dev/c\",\"CgroupPermissions\":\"rw\"}]" },
	{ "--device-read-bps /dev/sda:1mb", "HostConfig.BlkioDeviceReadBps",
	  "[{\"Path\":\"/dev/sda\",\"Rate\":1048576}]" },
	{ "--device-read-iops /dev/sda:1000", "HostConfig.BlkioDeviceReadIOps",
	  "[{\"Path\":\"/dev/sda\",\"Rate\":1000}]" },
	{ "--device-write-bps /dev/sda:1k", "HostConfig.BlkioDeviceWriteBps",
	  "[{\"Path\":\"/dev/sda\",\"Rate\":1024}]" },
	{ "--device-write-iops /dev/sda:7", "HostConfig.BlkioDeviceWriteIOps",
	  "[{\"Path\":\"/dev/sda\",\"Rate\":7}]" },
	{ "--disable-network-files", "DisableNetworkFiles", "true" },
	{ "--disk-quota 10g", "DiskQuota", "{\".*\":\"10g\"}" },
	{ "--disk-quota /=10g,/data=2g", "DiskQuota", "{\"/\":\"10g\",\"/data\":\"2g\"}" },
	{ "--dns 1.1.1.1 --dns 8.8.8.8", "HostConfig.Dns", "[\"1.1.1.1\",\"8.8.8.8\"]" },
	{ "--dns-option ndots:2,debug", "HostConfig.DnsOptions", "[\"ndots:2\",\"debug\"]" },
	{ "--dns-search a.b", "HostConfig.DnsSearch", "[\"a.b\"]" },
	{ "--enableLxcfs", "HostConfig.EnableLxcfs", "true" },
	{ "--entrypoint /bin/sh", "Entrypoint", "[\"/bin/sh\"]" },
	{ "--entrypoint=", "Entrypoint", "[\"\"]" },
	{ "-e A=1 --env B=x,y", "Env", "[\"A=1\",\"B=x,y\"]" },
	{ "--expose 80,90-91/udp", "ExposedPorts", "{\"80/tcp\":{},\"90/udp\":{},\"91/udp\":{}}" },
	{ "--group-add audio,10", "HostConfig.GroupAdd", "[\"audio\",\"10\"]" },
	{ "--hostname h", "Hostname", "\"h\"" },
	{ "--init", "HostConfig.Init", "true" },
	{ "--initscript /i.sh", "InitScript", "\"/i.sh\"" },
	{ "--intel-rdt-l3-cbm f", "HostConfig.IntelRdtL3Cbm", "\"f\"" },
	{ "-i", "OpenStdin", "true" },
	{ "-i", "StdinOnce", "true" },
	{ "-i -d", "StdinOnce", "false" },
	{ "-d", "AttachStdout", "false" },
	{ "--ip 10.0.0.9 --net n1", "NetworkingConfig.EndpointsConfig.n1.IPAMConfig", "{\"IPv4Address\":\"10.0.0.9\"}" },
	{ "--ip6 fd00::9 --net n1", "NetworkingConfig.EndpointsConfig.n1.IPAMConfig", "{\"IPv6Address\":\"fd00::9\"}" },
	{ "--ipc host", "HostConfig.IpcMode", "\"host\"" },
	{ "--kernel-memory 8m", "HostConfig.KernelMemory", "8388608" },
	{ "-l a=b --label c", "Labels", "{\"a\":\"b\",\"c\":\"\"}" },
	{ "--log-driver none", "HostConfig.LogConfig.Type", "\"none\"" },
	{ "--log-opt max-size=10m --log-opt max-file=3", "HostConfig.LogConfig.Config",
	  "{\"max-size\":\"10m\",\"max-file\":\"3\"}" },
	{ "--mac-address 02:42:00:00:00:01", "MacAddress", "\"02:42:00:00:00:01\"" },
	{ "-m 64m", "HostConfig.Memory", "67108864" },
	{ "-m64m", "HostConfig.Memory", "67108864" },
	{ "--memory=1.5g", "HostConfig.Memory", "1610612736" },
	{ "--memory-reservation 32m", "HostConfig.MemoryReservation", "33554432" },
	{ "--memory-swap -1", "HostConfig.MemorySwap", "-1" },
	{ "--memory-swappiness 0", "HostConfig.MemorySwappiness", "0" },
	{ "", "HostConfig.MemorySwappiness", "null" },
	{ "--net none", "HostConfig.NetworkMode", "\"none\"" },
	{ "--network host", "HostConfig.NetworkMode", "\"host\"" },
	{ "--net a,b", "HostConfig.NetworkMode", "\"a\"" },
	{ "--net-priority 3", "NetPriority", "3" },
	{ "--nvidia-visible-devs all --nvidia-capabilities compute", "HostConfig.NvidiaConfig",
	  "{\"NvidiaVisibleDevices\":\"all\",\"NvidiaDriverCapabilities\":\"compute\"}" },
	{ "--oom-kill-disable", "HostConfig.OomKillDisable", "true" },
	{ "", "HostConfig.OomScoreAdj", "null" },
	{ "--oom-score-adj 100", "HostConfig.OomScoreAdj", "100" },
	{ "--pid host", "HostConfig.PidMode", "\"host\"" },
	{ "--pids-limit 20", "HostConfig.PidsLimit", "20" },
	{ "--privileged", "HostConfig.Privileged", "true" },
	{ "--privileged=false", "HostConfig.Privileged", "false" },
	{ "-p 8080:80", "HostConfig.PortBindings", "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"8080\"}]}" },
	{ "-p 127.0.0.1:53:53/udp", "HostConfig.PortBindings",
	  "{\"53/udp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"53\"}]}" },
	{ "-p 1-2:3-4", "HostConfig.PortBindings",
	  "{\"3/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"1\"}],\"4/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"2\"}]}" },
	{ "-p 80", "ExposedPorts", "{\"80/tcp\":{}}" },
	{ "-P", "HostConfig.PublishAllPorts", "true" },
	{ "--quota-id 16777216", "QuotaID", "\"16777216\"" },
	{ "--read-only", "HostConfig.ReadonlyRootfs", "true" },
	{ "--restart on-failure:3", "HostConfig.RestartPolicy", "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}" },
	{ "--restart always", "HostConfig.RestartPolicy", "{\"Name\":\"always\",\"MaximumRetryCount\":0}" },
	{ "--rich --rich-mode systemd", "RichMode", "\"systemd\"" },
	{ "--rich", "Rich", "true" },
	{ "--rm", "HostConfig.AutoRemove", "true" },
	{ "--runtime runc", "HostConfig.Runtime", "\"runc\"" },
	{ "--security-opt no-new-privileges,seccomp=unconfined", "HostConfig.SecurityOpt",
	  "[\"no-new-privileges\",\"seccomp=unconfined\"]" },
	{ "--shm-size 1m", "HostConfig.ShmSize", "1048576" },
	{ "--specific-id 1111111111111111111111111111111111111111111111111111111111111111", "SpecificID",
	  "\"1111111111111111111111111111111111111111111111111111111111111111\"" },
	{ "--stop-signal INT", "StopSignal", "\"INT\"" },
	{ "--stop-timeout 3", "StopTimeout", "3" },
	{ "--sysctl net.a=1,net.b=2", "HostConfig.Sysctls", "{\"net.a\":\"1\",\"net.b\":\"2\"}" },
	{ "--tmpfs /t:size=1m,mode=755", "HostConfig.Tmpfs", "{\"/t\":\"size=1m,mode=755\"}" },
	{ "-t", "Tty", "true" },
	{ "-it", "Tty", "true" },
	{ "-it", "OpenStdin", "true" },
	{ "-tid", "Tty", "true" },
	{ "--ulimit nofile=10:20", "HostConfig.Ulimits", "[{\"Name\":\"nofile\",\"Hard\":20,\"Soft\":10}]" },
	{ "--ulimit core=-1", "HostConfig.Ulimits", "[{\"Name\":\"core\",\"Hard\":-1,\"Soft\":-1}]" },
	{ "-u 1:2", "User", "\"1:2\"" },
	{ "--uts host", "HostConfig.UTSMode", "\"host\"" },
	{ "-v /a:/b:ro", "HostConfig.Binds", "[\"/a:/b:ro\"]" },
	{ "-v data:/d -v /e", "HostConfig.Binds", "[\"data:/d\"]" },
	{ "-v data:/d -v /e", "Volumes", "{\"/e\":{}}" },
	{ "--mount type=bind,source=/a,target=/b,readonly", "HostConfig.Mounts",
	  "[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true}]" },
	{ "--mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700", "HostConfig.Mounts",
	  "[{\"Type\":\"tmpfs\",\"Target\":\"/t\",\"TmpfsOptions\":{\"SizeBytes\":1048576,\"Mode\":448}}]" },
	{ "--volume-driver local", "HostConfig.VolumeDriver", "\"local\"" },
	{ "--volumes-from c1:ro,c2", "HostConfig.VolumesFrom", "[\"c1:ro\",\"c2\"]" },
	{ "-w /w", "WorkingDir", "\"/w\"" },
};

static void each_option_reaches_its_place_in_the_request(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		auto_free char *line = xfmt("%s image", options[i].line);
		struct err err = ERR_INIT;
		struct json_object *tree = request_of(line, &err);

		if (!tree)
			fail_msg("%s: %s", options[i].line, err.msg);
		assert_string_equal(json_object_to_json_string_ext(json_tree_get(tree, options[i].path),
								   JSON_C_TO_STRING_PLAIN |
									   JSON_C_TO_STRING_NOSLASHESCAPE),
				    options[i].json);
		json_tree_put(tree);
	}
}

static void bad_values_are_refused_before_anything_is_asked(void **state)
{
	static const char *const lines[] = {
		"--nosuch", "--memory 12x", "-m", "--blkio-weight 1001", "--cpus x", "--cpu-shares a",
		"--device relative", "--device /dev/a:/dev/b:q", "--device /dev/a:/dev/b:rr", "--device-read-bps /dev/a",
		"--device-read-iops /dev/a:1m", "--disk-quota /=", "--expose 0", "--expose 99999", "--env =x",
		"--label =x", "--memory-swappiness 101", "--oom-score-adj 1001", "--pids-limit x", "-p 1:2:3:4",
		"-p 1-3:1-2", "-p x", "-p 80/icmp", "--restart sometimes", "--restart always:3", "--restart on-failure:x",
		"--rich-mode lilo --rich", "--rich-mode systemd", "--rm --restart always", "--rm=maybe",
		"--specific-id abc", "--sysctl x", "--ulimit nofile", "--ulimit nosuch=1", "--ulimit nofile=3:2",
		"--ulimit nofile=x", "-v relative", "-v a:relative", "-v a:/b:c:d", "-v /a:/", "--mount type=nosuch,target=/a",
		"--mount type=bind,target=/a", "--mount target=a", "--mount nokey=1,target=/a", "--stop-signal NOSUCH",
		"--net none --ip 1.2.3.4", "--net host,n1", "--pull perhaps", "--tmpfs relative", "--add-host a",
		"--env-file /nonexistent/file", "--cpuset-cpus", "--mount \"type=bind",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		auto_free char *line = xfmt("%s image", lines[i]);
		struct err err = ERR_INIT;
		struct json_object *tree = request_of(str_ends(lines[i], "cpus") || str_eq(lines[i], "-m") ? lines[i] : line,
						      &err);

		if (tree)
			fail_msg("%s was taken", lines[i]);
		assert_int_not_equal(err.msg[0], '\0');
	}
}

static void what_follows_the_image_belongs_to_the_container(void **state)
{
	struct err err = ERR_INIT;
	struct json_object *tree = request_of("-t image ls -l --all -- -e X", &err);

	assert_non_null(tree);
	assert_string_equal(json_object_to_json_string_ext(json_tree_get(tree, "Cmd"), JSON_C_TO_STRING_PLAIN),
			    "[\"ls\",\"-l\",\"--all\",\"--\",\"-e\",\"X\"]");
	json_tree_put(tree);
}

static void an_unset_variable_of_ours_is_left_out(void **state)
{
	struct err err = ERR_INIT;
	struct json_object *tree;

	setenv("POUCH_TEST_SET", "here", 1);
	unsetenv("POUCH_TEST_UNSET");
	tree = request_of("-e POUCH_TEST_SET -e POUCH_TEST_UNSET image", &err);
	assert_non_null(tree);
	assert_string_equal(json_object_to_json_string_ext(json_tree_get(tree, "Env"), JSON_C_TO_STRING_PLAIN),
			    "[\"POUCH_TEST_SET=here\"]");
	json_tree_put(tree);
}

static void help_is_asked_for_and_not_parsed_further(void **state)
{
	struct create_options o = {0};
	AUTO(strv_clear) struct strv args = {0};
	const struct option_parse parse = {groups, &o, true};
	char *argv[] = {"run", "--help", NULL};
	struct err err = ERR_INIT;

	assert_int_equal(option_parse(&parse, 2, argv, &args, &err), OPTION_HELP);
}

static void every_command_has_a_summary_and_says_how_it_is_used(void **state)
{
	for (const struct command *const *c = commands; *c; c++) {
		AUTO(buf_clear) struct buf help = BUF_INIT;

		assert_non_null((*c)->summary);
		assert_true((*c)->sub || ((*c)->usage && (*c)->run));
		command_help(*c, (*c)->name, &help);
		assert_non_null(strstr(help.data, "Usage:  pouch "));
		assert_ptr_equal(command_find(commands, (*c)->name), *c);
	}
}

static void an_unknown_command_gets_the_nearest_names(void **state)
{
	struct err err = ERR_INIT;

	assert_refused(command_unknown(commands, "", "rnu", &err), ERR_INVALID);
	assert_non_null(strstr(err.msg, "run"));
	assert_null(command_find(commands, "rnu"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_option_reaches_its_place_in_the_request),
		cmocka_unit_test(bad_values_are_refused_before_anything_is_asked),
		cmocka_unit_test(what_follows_the_image_belongs_to_the_container),
		cmocka_unit_test(an_unset_variable_of_ours_is_left_out),
		cmocka_unit_test(help_is_asked_for_and_not_parsed_further),
		cmocka_unit_test(every_command_has_a_summary_and_says_how_it_is_used),
		cmocka_unit_test(an_unknown_command_gets_the_nearest_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
