/*
 * t_seccomp.c - profiles: reading, compiling, the cache and its tampered files, and what installed filters do
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compat/base/fd.h"
#include "compat/base/path.h"
#include "compat/base/str.h"
#include "compat/kernel/caps.h"
#include "compat/kernel/seccomp_internal.h"

static char dir[] = "/tmp/t-seccomp-XXXXXX";

static void need_filter(void)
{
	struct fit load = seccomp_load_fit(), compile = seccomp_compile_fit();

	if (load.score == FIT_NO || compile.score == FIT_NO) {
		print_message("%s\n", load.score == FIT_NO ? load.reason : compile.reason);
		skip();
	}
}

static void parse(const char *json, struct seccomp_spec *spec)
{
	struct err err = ERR_INIT;

	if (json_parse(&seccomp_table, json, strlen(json), 0, "seccomp", spec, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Install the program in a child and give the errno of each probe there. */
static int in_child(const struct seccomp_program *program, int (*probe)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct err err = ERR_INIT;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(program, NULL, &err) < 0)
			_exit(255);
		_exit(probe());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int call_errno(long number, long a)
{
	return syscall(number, a, 0, 0, 0, 0, 0) < 0 ? errno : 0;
}

static int probe_default(void)
{
	if (call_errno(SYS_getpid, 0))
		return 1;
	if (call_errno(SYS_keyctl, 0) != EPERM)
		return 2;
	if (call_errno(435 /* clone3 */, 0) != ENOSYS)
		return 3;
	if (call_errno(SYS_unshare, CLONE_NEWUTS) != EPERM)
		return 4;
	if (socket(40 /* AF_VSOCK */, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 5;
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
		return 6;
	if (call_errno(SYS_personality, 0xffffffff) == EPERM || call_errno(SYS_personality, 0x1234) != EPERM)
		return 7;
	if (syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0) >= 0 || errno != EPERM)
		return 8;
	/* Beyond what the profile knows: the truth, so that C libraries fall back. */
	if (call_errno(999, 0) != ENOSYS)
		return 9;
	/* Allowed by name though the library may not know it: whatever the kernel says, but not the filter's answer. */
	if (call_errno(452 /* fchmodat2 */, -1) == EPERM)
		return 10;
	return 0;
}

static void the_default_profile_allows_and_refuses_as_dockers(void **state)
{
	AUTO(seccomp_program_clear) struct seccomp_program program = {0};
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	struct err err = ERR_INIT;

	need_filter();
	seccomp_default_profile(caps_default(), &spec);
	if (seccomp_compile(&spec, NULL, &program, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(in_child(&program, probe_default), 0);
}

static int probe_admin(void)
{
	return call_errno(SYS_unshare, 0) == 0 && call_errno(435, 0) != ENOSYS ? 0 : 1;
}

static void capabilities_open_their_calls(void **state)
{
	AUTO(seccomp_program_clear) struct seccomp_program program = {0};
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	struct err err = ERR_INIT;

	need_filter();
	seccomp_default_profile(caps_default() | CAP_BIT(21), &spec);
	assert_int_equal(seccomp_compile(&spec, NULL, &program, &err), 0);
	assert_int_equal(in_child(&program, probe_admin), 0);
}

static int probe_args(void)
{
	if (call_errno(SYS_getpriority, 1) != 7 || call_errno(SYS_getpriority, 2) != 7)
		return 1;
	return call_errno(SYS_getpriority, 0) == 7 ? 2 : 0;
}

static void conditions_on_one_argument_are_alternatives(void **state)
{
	static const char json[] = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"getpriority\","
				   "\"no_such_call\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":7,\"args\":["
				   "{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},"
				   "{\"index\":0,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]}]}";
	AUTO(seccomp_program_clear) struct seccomp_program program = {0};
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	struct err err = ERR_INIT;

	need_filter();
	parse(json, &spec);
	if (seccomp_compile(&spec, NULL, &program, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(in_child(&program, probe_args), 0);
}

static void bad_descriptions_are_refused_by_name(void **state)
{
	static const struct {
		const char *json, *message;
	} cases[] = {
		{"{\"defaultAction\":\"SCMP_ACT_MAYBE\"}", "seccomp: unknown action 'SCMP_ACT_MAYBE'"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_PDP11\"]}",
		 "seccomp: unknown architecture 'SCMP_ARCH_PDP11'"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"X\"]}", "seccomp: unknown flag 'X'"},
		{"{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}", "seccomp: SCMP_ACT_NOTIFY cannot be the default action"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		 "seccomp: SCMP_ACT_NOTIFY needs a listenerPath"},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":5000}", "seccomp: errnoRet 5000 is no errno"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\","
		 "\"args\":[{\"index\":6,\"value\":0,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		 "seccomp: 'read': argument index 6 is not below 6"},
		{"{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_KILL\","
		 "\"args\":[{\"index\":0,\"value\":0,\"op\":\"==\"}]}]}",
		 "seccomp: 'read': unknown operator '=='"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(seccomp_program_clear) struct seccomp_program program = {0};
		AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
		struct err err = ERR_INIT;

		parse(cases[i].json, &spec);
		assert_int_equal(seccomp_compile(&spec, NULL, &program, &err), -EINVAL);
		assert_string_equal(err.msg, cases[i].message);
	}
}

static void users_profiles_are_resolved_for_the_container(void **state)
{
	static const char json[] =
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"archMap\":[{\"architecture\":\"SCMP_ARCH_X86_64\","
		"\"subArchitectures\":[\"SCMP_ARCH_X86\"]}],\"syscalls\":["
		"{\"name\":\"read\",\"action\":\"SCMP_ACT_ALLOW\",\"comment\":\"c\"},"
		"{\"names\":[\"a\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
		"{\"names\":[\"b\"],\"action\":\"SCMP_ACT_ALLOW\",\"excludes\":{\"caps\":[\"CAP_SYS_ADMIN\"]}},"
		"{\"names\":[\"c\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"99.0\"}},"
		"{\"names\":[\"d\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"minKernel\":\"2.6\"}},"
		"{\"names\":[\"e\"],\"action\":\"SCMP_ACT_ALLOW\",\"includes\":{\"arches\":[\"vax\"]}}]}";
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	struct err err = ERR_INIT;

	if (seccomp_profile_parse(json, strlen(json), 0, &spec, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(spec.rules.n, 3);
	assert_string_equal(spec.rules.v[0].names.v[0], "read");
	assert_string_equal(spec.rules.v[1].names.v[0], "b");
	assert_string_equal(spec.rules.v[2].names.v[0], "d");
	assert_int_equal(seccomp_profile_parse("{}", 2, 0, &spec, &err), -EINVAL);
}

/* ---- the shorter program ---------------------------------------------------------------------------------------------------------- */

/* A whole machine for classic BPF over struct seccomp_data. */
static uint32_t interpret(const struct seccomp_program *p, const struct seccomp_data *data)
{
	uint32_t a = 0, x = 0, mem[BPF_MEMWORDS] = {0};

	for (size_t at = 0; at < p->count; at++) {
		const struct sock_filter *i = &p->filter[at];
		uint32_t k = BPF_SRC(i->code) == BPF_X ? x : i->k;
		bool yes = false;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			if (BPF_MODE(i->code) == BPF_ABS)
				memcpy(&a, (const char *)data + i->k, 4);
			else
				a = BPF_MODE(i->code) == BPF_MEM ? mem[i->k] : i->k;
			break;
		case BPF_LDX: x = BPF_MODE(i->code) == BPF_MEM ? mem[i->k] : i->k; break;
		case BPF_ST: mem[i->k] = a; break;
		case BPF_STX: mem[i->k] = x; break;
		case BPF_ALU:
			assert_int_equal(BPF_OP(i->code), BPF_AND);
			a &= k;
			break;
		case BPF_JMP:
			switch (BPF_OP(i->code)) {
			case BPF_JA: at += i->k; continue;
			case BPF_JEQ: yes = a == k; break;
			case BPF_JGT: yes = a > k; break;
			case BPF_JGE: yes = a >= k; break;
			case BPF_JSET: yes = a & k; break;
			}
			at += yes ? i->jt : i->jf;
			break;
		case BPF_RET: return i->k;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				x = a;
			else
				a = x;
			break;
		}
	}
	fail_msg("the program has no end");
	return 0;
}

static void compare_programs(const struct seccomp_spec *spec)
{
	static const uint32_t archs[] = {0xc000003e, 0x40000003, 0xc00000b7, 0, 0x5a5a5a5a, 0xffffffff};
	static const uint64_t values[] = {0, 1, 2, 8, 40, 41, 0x20000, 0x20008, 0xffffffff, 0x7e020000, 0x10000000,
					  0x100000000, 0x10000000000028, UINT64_MAX, 5, 6, 7};
	AUTO(seccomp_program_clear) struct seccomp_program plain = {0};
	AUTO(seccomp_program_clear) struct seccomp_program quick = {0};
	struct err err = ERR_INIT;

	if (seccomp_build(spec, false, &plain, &err) < 0 || seccomp_build(spec, true, &quick, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(quick.count <= plain.count);
	for (size_t a = 0; a < ARRAY_SIZE(archs); a++) {
		for (uint32_t n = 0; n < 1400; n++) {
			static const uint32_t bases[] = {0, 0x40000000, 0x3ffffc00, 0x7ffffc00, 0x80000000, 0xfffffb00};

			for (size_t b = 0; b < ARRAY_SIZE(bases); b++) {
				struct seccomp_data data = {.arch = archs[a], .nr = (int)(bases[b] + n)};

				for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
					for (int arg = 0; arg < 6; arg++)
						data.args[arg] = values[(v + (size_t)arg * (n % 3)) % ARRAY_SIZE(values)];
					if (interpret(&plain, &data) != interpret(&quick, &data))
						fail_msg("arch %x call %x args %llx: %x became %x", data.arch,
							 (unsigned int)data.nr, (unsigned long long)data.args[0],
							 interpret(&plain, &data), interpret(&quick, &data));
					if (bases[b] > 0x40000000)
						break;
				}
			}
		}
	}
}

static void the_shorter_program_gives_the_same_answers(void **state)
{
	static const char *const profiles[] = {
		"{\"defaultAction\":\"SCMP_ACT_ALLOW\"}",
		"{\"defaultAction\":\"SCMP_ACT_KILL\",\"syscalls\":[{\"names\":[\"read\",\"write\",\"exit\"],\"action\":"
		"\"SCMP_ACT_ALLOW\"}]}",
		"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_X86_64\"],"
		"\"syscalls\":[{\"names\":[\"socket\",\"connect\",\"semop\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		"{\"names\":[\"kill\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":5,\"args\":["
		"{\"index\":0,\"value\":5,\"op\":\"SCMP_CMP_GT\"},{\"index\":1,\"value\":7,\"op\":\"SCMP_CMP_LE\"}]},"
		"{\"names\":[\"tkill\"],\"action\":\"SCMP_ACT_LOG\",\"args\":["
		"{\"index\":5,\"value\":4294967296,\"op\":\"SCMP_CMP_GE\"}]}]}",
		"{\"defaultAction\":\"SCMP_ACT_LOG\",\"architectures\":[\"SCMP_ARCH_X32\",\"SCMP_ARCH_AARCH64\"],"
		"\"syscalls\":[{\"names\":[\"ptrace\",\"clone\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38,"
		"\"args\":[{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_NE\"},{\"index\":2,\"value\":7,\"valueTwo\":5,"
		"\"op\":\"SCMP_CMP_MASKED_EQ\"},{\"index\":3,\"value\":8,\"op\":\"SCMP_CMP_LT\"}]}]}",
	};

	need_filter();
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};

		parse(profiles[i], &spec);
		compare_programs(&spec);
	}
	for (int i = 0; i < 2; i++) {
		AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};

		seccomp_default_profile(i ? caps_all() : caps_default(), &spec);
		compare_programs(&spec);
	}
}

/* ---- cache -------------------------------------------------------------------------------------------------------------------- */

static char *only_file(const char *where)
{
	auto_closedir DIR *d = opendir(where);
	struct dirent *e;
	char *path = NULL;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		assert_null(path);
		path = xfmt("%s/%s", where, e->d_name);
	}
	return path;
}

static void a_cached_program_is_the_compiled_one(void **state)
{
	AUTO(seccomp_program_clear) struct seccomp_program first = {0};
	AUTO(seccomp_program_clear) struct seccomp_program second = {0};
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	AUTO(buf_clear) struct buf key = BUF_INIT;
	auto_free char *cache = xfmt("%s/same", dir);
	auto_free char *file = NULL;
	struct err err = ERR_INIT;

	need_filter();
	seccomp_default_profile(caps_default(), &spec);
	assert_int_equal(seccomp_compile(&spec, cache, &first, &err), 0);
	file = only_file(cache);
	assert_non_null(file);
	seccomp_spec_key(&spec, &key);
	assert_int_equal(seccomp_cache_load(cache, &key, &second), 0);
	assert_int_equal(first.count, second.count);
	assert_memory_equal(first.filter, second.filter, first.count * sizeof(*first.filter));
}

static void tampered_and_foreign_cache_files_are_not_used(void **state)
{
	AUTO(seccomp_program_clear) struct seccomp_program program = {0};
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	AUTO(buf_clear) struct buf good = BUF_INIT;
	AUTO(buf_clear) struct buf key = BUF_INIT;
	auto_free char *cache = xfmt("%s/bad", dir);
	auto_free char *file = NULL;
	struct seccomp_program out = {0};
	struct err err = ERR_INIT;

	need_filter();
	seccomp_default_profile(caps_default(), &spec);
	assert_int_equal(seccomp_compile(&spec, cache, &program, &err), 0);
	seccomp_spec_key(&spec, &key);
	file = only_file(cache);
	assert_int_equal(file_read(-1, file, 1 << 20, &good, &err), 0);

	for (size_t at = 0; at < good.len; at += good.len / 97 + 1) {
		AUTO(buf_clear) struct buf bad = BUF_INIT;

		buf_add(&bad, good.data, good.len);
		bad.data[at] ^= 0x10;
		assert_true(seccomp_cache_check(bad.data, bad.len, key.data, key.len, &out) < 0);
		assert_true(seccomp_cache_check(good.data, at, key.data, key.len, &out) < 0);
	}
	assert_int_equal(chmod(file, 0620), 0);
	assert_true(seccomp_cache_load(cache, &key, &out) < 0);
	assert_int_equal(chmod(file, 0600), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(file, 1234, 0), 0);
		assert_true(seccomp_cache_load(cache, &key, &out) < 0);
		assert_int_equal(chown(file, 0, 0), 0);
	}
	assert_int_equal(chmod(cache, 0777), 0);
	assert_true(seccomp_cache_load(cache, &key, &out) < 0);
	assert_int_equal(chmod(cache, 0700), 0);

	assert_int_equal(truncate(file, 100), 0);
	assert_true(seccomp_cache_load(cache, &key, &out) < 0);
	/* Compiling again heals it. */
	seccomp_program_clear(&program);
	assert_int_equal(seccomp_compile(&spec, cache, &program, &err), 0);
	assert_int_equal(seccomp_cache_load(cache, &key, &out), 0);
	seccomp_program_clear(&out);

	assert_int_equal(unlink(file), 0);
	assert_int_equal(symlink("/etc/passwd", file), 0);
	assert_true(seccomp_cache_load(cache, &key, &out) < 0);
}

static double ms_since(const struct timespec *t0)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - t0->tv_sec) * 1e3 + (double)(t.tv_nsec - t0->tv_nsec) / 1e6;
}

static void a_cached_profile_costs_a_fraction_of_a_compiled_one(void **state)
{
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	auto_free char *cache = xfmt("%s/fast", dir);
	double compiled, cached = 1e9;
	struct err err = ERR_INIT;
	struct timespec t0;

	need_filter();
	seccomp_default_profile(caps_default(), &spec);
	for (int i = 0; i < 10; i++) {
		AUTO(seccomp_program_clear) struct seccomp_program program = {0};
		double ms;

		clock_gettime(CLOCK_MONOTONIC, &t0);
		assert_int_equal(seccomp_compile(&spec, cache, &program, &err), 0);
		ms = ms_since(&t0);
		if (!i)
			compiled = ms;
		else if (ms < cached)
			cached = ms;
	}
	print_message("compiled %.3f ms, from the cache %.3f ms\n", compiled, cached);
	assert_true(cached < compiled);
	assert_true(cached < 5);
}

static void a_listener_is_handed_out(void **state)
{
	static const char json[] = "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/x\",\"syscalls\":["
				   "{\"names\":[\"acct\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}";
	AUTO(seccomp_program_clear) struct seccomp_program program = {0};
	AUTO(seccomp_spec_clear) struct seccomp_spec spec = {0};
	struct err err = ERR_INIT;
	int status;
	pid_t pid;

	need_filter();
	parse(json, &spec);
	if (seccomp_compile(&spec, NULL, &program, &err) < 0) {
		print_message("%s\n", err.msg);
		skip();
	}
	assert_true(program.notify);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		int fd = -1;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || seccomp_install(&program, &fd, &err) < 0)
			_exit(err.kind == ERR_UNSUPPORTED ? 77 : 1);
		_exit(fd >= 0 && fcntl(fd, F_GETFD) >= 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("this kernel has no seccomp listeners\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	struct err err = ERR_INIT;

	return path_remove_tree(dir, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_default_profile_allows_and_refuses_as_dockers),
		cmocka_unit_test(capabilities_open_their_calls),
		cmocka_unit_test(conditions_on_one_argument_are_alternatives),
		cmocka_unit_test(bad_descriptions_are_refused_by_name),
		cmocka_unit_test(users_profiles_are_resolved_for_the_container),
		cmocka_unit_test(the_shorter_program_gives_the_same_answers),
		cmocka_unit_test(a_cached_program_is_the_compiled_one),
		cmocka_unit_test(tampered_and_foreign_cache_files_are_not_used),
		cmocka_unit_test(a_cached_profile_costs_a_fraction_of_a_compiled_one),
		cmocka_unit_test(a_listener_is_handed_out),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
