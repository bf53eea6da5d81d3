/*
 * seccomp.c - OCI's filter description: read it, check it, compile it by way of the cache, load it
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/seccomp_internal.h"

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif
#ifndef SECCOMP_RET_LOG
#define SECCOMP_RET_LOG 0x7ffc0000U
#endif
#ifndef SECCOMP_RET_USER_NOTIF
#define SECCOMP_RET_USER_NOTIF 0x7fc00000U
#endif

enum {
	FLAG_TSYNC = 1,
	FLAG_LOG = 2,
	FLAG_SPEC_ALLOW = 4,
	FLAG_NEW_LISTENER = 8,
	FLAG_WAIT_KILLABLE = 32,
	ERRNO_MAX = 4095,
	RULES_MAX = 4096,
	NAMES_MAX = 4096,
	ARGS_MAX = 6,
};

const struct seccomp_word seccomp_action_words[] = {
	{"SCMP_ACT_KILL", 0},
	{"SCMP_ACT_KILL_THREAD", 0},
	{"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
	{"SCMP_ACT_TRAP", SECCOMP_RET_TRAP},
	{"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
	{"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
	{"SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW},
	{"SCMP_ACT_LOG", SECCOMP_RET_LOG},
	{"SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF},
	{NULL, 0},
};

const struct seccomp_word seccomp_flag_words[] = {
	{"SECCOMP_FILTER_FLAG_TSYNC", FLAG_TSYNC},
	{"SECCOMP_FILTER_FLAG_LOG", FLAG_LOG},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW", FLAG_SPEC_ALLOW},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", FLAG_WAIT_KILLABLE},
	{NULL, 0},
};

static const char *const operators[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",	     "SCMP_CMP_EQ",
					"SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", NULL};

/* ---- the description ---------------------------------------------------------------------------------------------------------- */

static const struct json_field arg_fields[] = {
	JSON_FIELD(struct seccomp_arg, index, "index", JSON_U32, JSON_REQUIRED),
	JSON_FIELD(struct seccomp_arg, value, "value", JSON_U64, JSON_REQUIRED),
	JSON_FIELD(struct seccomp_arg, value_two, "valueTwo", JSON_U64, JSON_OMIT_EMPTY),
	JSON_FIELD(struct seccomp_arg, op, "op", JSON_STR, JSON_REQUIRED),
};
const struct json_table seccomp_arg_table = JSON_TABLE("arg", struct seccomp_arg, arg_fields);

static const struct json_field rule_fields[] = {
	JSON_FIELD(struct seccomp_rule, names, "names", JSON_STRV, JSON_REQUIRED),
	JSON_FIELD(struct seccomp_rule, action, "action", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct seccomp_rule, errno_ret, "errnoRet", JSON_OPT_U64, 0),
	JSON_SUB(struct seccomp_rule, args, "args", JSON_VEC, JSON_OMIT_EMPTY, &seccomp_arg_table),
};
static const struct json_table rule_table = JSON_TABLE("syscall", struct seccomp_rule, rule_fields);

static const struct json_field spec_fields[] = {
	JSON_FIELD(struct seccomp_spec, default_action, "defaultAction", JSON_STR, JSON_REQUIRED),
	JSON_FIELD(struct seccomp_spec, default_errno_ret, "defaultErrnoRet", JSON_OPT_U64, 0),
	JSON_FIELD(struct seccomp_spec, architectures, "architectures", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(struct seccomp_spec, flags, "flags", JSON_STRV, JSON_OMIT_EMPTY),
	JSON_FIELD(struct seccomp_spec, listener_path, "listenerPath", JSON_STR, JSON_OMIT_EMPTY),
	JSON_FIELD(struct seccomp_spec, listener_metadata, "listenerMetadata", JSON_STR, JSON_OMIT_EMPTY),
	JSON_SUB(struct seccomp_spec, rules, "syscalls", JSON_VEC, JSON_OMIT_EMPTY, &rule_table),
};
const struct json_table seccomp_table = JSON_TABLE("seccomp", struct seccomp_spec, spec_fields);

void seccomp_spec_clear(struct seccomp_spec *spec)
{
	json_clear(&seccomp_table, spec);
}

int seccomp_word_find(const struct seccomp_word *words, const char *name, uint32_t *ret)
{
	for (; words->name; words++) {
		if (str_eq(words->name, name)) {
			*ret = words->value;
			return 0;
		}
	}
	return -EINVAL;
}

int seccomp_action_value(const char *action, const struct opt_u64 *errno_ret, uint32_t *ret, struct err *err)
{
	uint32_t value;

	if (seccomp_word_find(seccomp_action_words, action, &value) < 0)
		return err_set(err, ERR_INVALID, "seccomp: unknown action '%s'", action ? action : "");
	if (value == SECCOMP_RET_ERRNO || value == SECCOMP_RET_TRACE) {
		if (errno_ret->set && errno_ret->v > ERRNO_MAX)
			return err_set(err, ERR_INVALID, "seccomp: errnoRet %llu is no errno",
				       (unsigned long long)errno_ret->v);
		value |= errno_ret->set ? (uint32_t)errno_ret->v : EPERM;
	} else if (errno_ret->set && errno_ret->v) {
		return err_set(err, ERR_INVALID, "seccomp: action '%s' takes no errnoRet", action);
	}
	*ret = value;
	return 0;
}

static bool listed(const char *const *list, const char *name)
{
	for (; *list; list++) {
		if (str_eq(*list, name))
			return true;
	}
	return false;
}

static int check_rule(const struct seccomp_rule *rule, struct err *err)
{
	uint32_t value;
	int rc = seccomp_action_value(rule->action, &rule->errno_ret, &value, err);

	if (rc < 0)
		return rc;
	if (!rule->names.n || rule->names.n > NAMES_MAX || rule->args.n > ARGS_MAX * 16)
		return err_set(err, ERR_INVALID, "seccomp: a rule needs names (at most %d) and at most %d args",
			       NAMES_MAX, ARGS_MAX * 16);
	VEC_EACH(arg, &rule->args) {
		if (arg->index >= ARGS_MAX)
			return err_set(err, ERR_INVALID, "seccomp: '%s': argument index %u is not below 6",
				       rule->names.v[0], arg->index);
		if (!listed(operators, arg->op))
			return err_set(err, ERR_INVALID, "seccomp: '%s': unknown operator '%s'", rule->names.v[0],
				       arg->op ? arg->op : "");
	}
	return 0;
}

int seccomp_spec_check(const struct seccomp_spec *spec, struct err *err)
{
	uint32_t value;
	int rc = seccomp_action_value(spec->default_action, &spec->default_errno_ret, &value, err);

	if (rc < 0)
		return rc;
	if (spec->rules.n > RULES_MAX)
		return err_set(err, ERR_TOO_LARGE, "seccomp: more than %d rules", RULES_MAX);
	if (value == SECCOMP_RET_USER_NOTIF)
		return err_set(err, ERR_INVALID, "seccomp: SCMP_ACT_NOTIFY cannot be the default action");
	for (size_t i = 0; i < spec->architectures.n; i++) {
		if (!listed(seccomp_known_archs(), spec->architectures.v[i]))
			return err_set(err, ERR_INVALID, "seccomp: unknown architecture '%s'", spec->architectures.v[i]);
	}
	for (size_t i = 0; i < spec->flags.n; i++) {
		if (seccomp_word_find(seccomp_flag_words, spec->flags.v[i], &value) < 0)
			return err_set(err, ERR_INVALID, "seccomp: unknown flag '%s'", spec->flags.v[i]);
	}
	VEC_EACH(rule, &spec->rules) {
		rc = check_rule(rule, err);
		if (rc < 0)
			return rc;
		(void)seccomp_word_find(seccomp_action_words, rule->action, &value); /* checked above */
		if (value != SECCOMP_RET_USER_NOTIF)
			continue;
		if (str_empty(spec->listener_path))
			return err_set(err, ERR_INVALID, "seccomp: SCMP_ACT_NOTIFY needs a listenerPath");
		/* The runtime itself must still be able to send the listener's fd away. */
		for (size_t i = 0; i < rule->names.n; i++) {
			if (strcmp(rule->names.v[i], "write") == 0 || strcmp(rule->names.v[i], "sendmsg") == 0)
				return err_set(err, ERR_INVALID, "seccomp: SCMP_ACT_NOTIFY cannot be used for the %s syscall",
					       rule->names.v[i]);
		}
	}
	return 0;
}

/* ---- compile ------------------------------------------------------------------------------------------------------------------ */

static unsigned int flag_bits(const struct seccomp_spec *spec)
{
	unsigned int flags = 0;
	uint32_t bit;

	for (size_t i = 0; i < spec->flags.n; i++) {
		if (seccomp_word_find(seccomp_flag_words, spec->flags.v[i], &bit) == 0)
			flags |= bit;
	}
	return flags;
}

static bool has_notify(const struct seccomp_spec *spec)
{
	VEC_EACH(rule, &spec->rules) {
		if (str_eq(rule->action, "SCMP_ACT_NOTIFY"))
			return true;
	}
	return false;
}

int seccomp_compile(const struct seccomp_spec *spec, const char *cache_dir, struct seccomp_program *ret,
		    struct err *err)
{
	AUTO(seccomp_program_clear) struct seccomp_program program = {0};
	AUTO(buf_clear) struct buf key = BUF_INIT;
	int rc = seccomp_spec_check(spec, err);

	if (rc < 0)
		return rc;
	seccomp_spec_key(spec, &key);
	if (!cache_dir || seccomp_cache_load(cache_dir, &key, &program) < 0) {
		rc = seccomp_build(spec, true, &program, err);
		if (rc < 0)
			return rc;
		if (cache_dir)
			seccomp_cache_store(cache_dir, &key, &program);
	}
	program.flags = flag_bits(spec);
	program.notify = has_notify(spec);
	*ret = program;
	program = (struct seccomp_program){0};
	return 0;
}

void seccomp_program_clear(struct seccomp_program *program)
{
	free(program->memory);
	*program = (struct seccomp_program){0};
}

/* ---- load --------------------------------------------------------------------------------------------------------------------- */

static long sys_seccomp(unsigned int operation, unsigned int flags, void *args)
{
	if (hidden("seccomp")) {
		errno = ENOSYS;
		return -1;
	}
	return syscall(SYS_seccomp, operation, flags, args);
}

int seccomp_install(const struct seccomp_program *program, int *ret_notify_fd, struct err *err)
{
	struct sock_fprog prog = {.len = (unsigned short)program->count, .filter = program->filter};
	unsigned int flags = program->flags | (program->notify ? FLAG_NEW_LISTENER : 0);
	long rc = sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &prog);

	if (rc < 0 && errno == ENOSYS && !(flags & ~FLAG_SPEC_ALLOW) && !hidden("seccomp_filter"))
		rc = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
	if (rc < 0 && (errno == ENOSYS || errno == EINVAL))
		return err_set(err, ERR_UNSUPPORTED, "seccomp: this kernel has no system call filter%s",
			       flags ? " with these flags" : "");
	if (rc < 0)
		return err_sys(err, errno, "install the seccomp filter");
	if (program->notify && ret_notify_fd)
		*ret_notify_fd = (int)rc;
	return 0;
}

struct fit seccomp_load_fit(void)
{
	uint32_t allow = SECCOMP_RET_ALLOW;

	/* The kernel looks at the action before anything else: nothing is installed. */
	if (sys_seccomp(2 /* GET_ACTION_AVAIL */, 0, &allow) == 0)
		return fit(FIT_NATIVE, "seccomp(2)");
	/* A NULL program is EFAULT where filters exist, EINVAL where not. */
	if (sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL) < 0 && errno == EFAULT)
		return fit(FIT_NATIVE, "seccomp(2), without SCMP_ACT_LOG");
	if (!hidden("seccomp_filter") && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) < 0 && errno == EFAULT)
		return fit(FIT_GOOD, "prctl(2): no flags, no listener");
	return fit(FIT_NO, "the kernel has no system call filter");
}

/* ---- names for "features" ----------------------------------------------------------------------------------------------------- */

const char *const *seccomp_known_operators(void)
{
	return operators;
}

const char *const *seccomp_known_actions(void)
{
	static const char *names[ARRAY_SIZE(seccomp_action_words)];

	for (size_t i = 0; seccomp_action_words[i].name; i++)
		names[i] = seccomp_action_words[i].name;
	return names;
}

const char *const *seccomp_known_flags(void)
{
	static const char *names[ARRAY_SIZE(seccomp_flag_words)];

	for (size_t i = 0; seccomp_flag_words[i].name; i++)
		names[i] = seccomp_flag_words[i].name;
	return names;
}

const char *const *seccomp_known_archs(void)
{
	static const char *const names[] = {
		"SCMP_ARCH_X86",	"SCMP_ARCH_X86_64",	"SCMP_ARCH_X32",	"SCMP_ARCH_ARM",
		"SCMP_ARCH_AARCH64",	"SCMP_ARCH_MIPS",	"SCMP_ARCH_MIPS64",	"SCMP_ARCH_MIPS64N32",
		"SCMP_ARCH_MIPSEL",	"SCMP_ARCH_MIPSEL64",	"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
		"SCMP_ARCH_PPC64",	"SCMP_ARCH_PPC64LE",	"SCMP_ARCH_S390",	"SCMP_ARCH_S390X",
		"SCMP_ARCH_PARISC",	"SCMP_ARCH_PARISC64",	"SCMP_ARCH_RISCV64",	NULL,
	};

	return names;
}
