/*
 * seccomp_build.c - from description to BPF program, by libseccomp
 *
 * In front of the library's program stands a short one of ours. A profile lists the calls that its author knew; a kernel newer than
 * the author has more, and to those the profile's "operation not permitted" would be a lie which breaks C libraries that try the new
 * call and fall back on ENOSYS. So calls beyond the profile's highest number get ENOSYS, and those of them which the profile does name,
 * but this library does not know yet, get their action.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/seccomp_internal.h"

#if __has_include(<seccomp.h>)

#include <seccomp.h>

enum { NEWER_MAX = 64, STUB_MAX = 8 + 4 * (3 + 2 * NEWER_MAX) };

/* Numbers that all architectures share (include/uapi/asm-generic/unistd.h), for libraries that are older than the call. */
static const struct seccomp_word newer_calls[] = {
	{"cachestat", 451},	  {"fchmodat2", 452},	  {"map_shadow_stack", 453}, {"futex_wake", 454},
	{"futex_wait", 455},	  {"futex_requeue", 456}, {"statmount", 457},	     {"listmount", 458},
	{"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
	{"setxattrat", 463},	  {"getxattrat", 464},	  {"listxattrat", 465},	     {"removexattrat", 466},
	{"open_tree_attr", 467},  {NULL, 0},
};

static const struct seccomp_word arch_words[] = {
	{"SCMP_ARCH_X86", SCMP_ARCH_X86},	    {"SCMP_ARCH_X86_64", SCMP_ARCH_X86_64},
	{"SCMP_ARCH_X32", SCMP_ARCH_X32},	    {"SCMP_ARCH_ARM", SCMP_ARCH_ARM},
	{"SCMP_ARCH_AARCH64", SCMP_ARCH_AARCH64},   {"SCMP_ARCH_MIPS", SCMP_ARCH_MIPS},
	{"SCMP_ARCH_MIPS64", SCMP_ARCH_MIPS64},	    {"SCMP_ARCH_MIPS64N32", SCMP_ARCH_MIPS64N32},
	{"SCMP_ARCH_MIPSEL", SCMP_ARCH_MIPSEL},	    {"SCMP_ARCH_MIPSEL64", SCMP_ARCH_MIPSEL64},
	{"SCMP_ARCH_MIPSEL64N32", SCMP_ARCH_MIPSEL64N32}, {"SCMP_ARCH_PPC", SCMP_ARCH_PPC},
	{"SCMP_ARCH_PPC64", SCMP_ARCH_PPC64},	    {"SCMP_ARCH_PPC64LE", SCMP_ARCH_PPC64LE},
	{"SCMP_ARCH_S390", SCMP_ARCH_S390},	    {"SCMP_ARCH_S390X", SCMP_ARCH_S390X},
	{"SCMP_ARCH_PARISC", SCMP_ARCH_PARISC},	    {"SCMP_ARCH_PARISC64", SCMP_ARCH_PARISC64},
#ifdef SCMP_ARCH_RISCV64
	{"SCMP_ARCH_RISCV64", SCMP_ARCH_RISCV64},
#endif
	{NULL, 0},
};

static const struct seccomp_word op_words[] = {
	{"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
	{"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
	{"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}, {NULL, 0},
};

/* A call that the profile names and the library does not know. */
struct newer {
	uint32_t number, action;
};

struct build {
	const struct seccomp_spec *spec;
	scmp_filter_ctx filter;
	uint32_t default_action;
	VEC(uint32_t) archs;
	VEC(uint32_t) highest; /* for each of archs: the highest number that a rule names */
	VEC(struct newer) newer;
};

static void build_clear(struct build *b)
{
	if (b->filter)
		seccomp_release(b->filter);
	VEC_FREE(&b->archs);
	VEC_FREE(&b->highest);
	VEC_FREE(&b->newer);
}
DEFINE_AUTO_CLEAR(build_clear, struct build)

char *seccomp_builder_id(void)
{
	static char id[64];

	if (!*id) {
		const struct scmp_version *v = seccomp_version();

		snprintf(id, sizeof(id), "libseccomp %u.%u.%u api %u arch %x stub 2", v->major, v->minor, v->micro,
			 seccomp_api_get(), seccomp_arch_native());
	}
	return xstrdup(id);
}

struct fit seccomp_compile_fit(void)
{
	const struct scmp_version *v = seccomp_version();

	return fit(FIT_NATIVE, "libseccomp %u.%u.%u", v->major, v->minor, v->micro);
}

/* ---- rules -------------------------------------------------------------------------------------------------------------------- */

static int add_arch(struct build *b, uint32_t arch, struct err *err)
{
	int rc = arch == seccomp_arch_native() ? -EEXIST : seccomp_arch_add(b->filter, arch);

	if (rc < 0 && rc != -EEXIST)
		return err_sys(err, -rc, "seccomp: add architecture");
	VEC_EACH(have, &b->archs) {
		if (*have == arch)
			return 0;
	}
	VEC_PUSH(&b->archs, arch);
	VEC_PUSH(&b->highest, 0);
	return 0;
}

static int add_archs(struct build *b, struct err *err)
{
	int rc = add_arch(b, seccomp_arch_native(), err);

	for (size_t i = 0; rc >= 0 && i < b->spec->architectures.n; i++) {
		uint32_t arch;

		if (seccomp_word_find(arch_words, b->spec->architectures.v[i], &arch) < 0)
			return err_set(err, ERR_UNSUPPORTED, "seccomp: this build does not know architecture '%s'",
				       b->spec->architectures.v[i]);
		rc = add_arch(b, arch, err);
	}
	return rc;
}

/* Numbers with this bit are x32's on x86_64. */
#define X32_BIT 0x40000000

static void note_highest(struct build *b, const char *name)
{
	for (size_t i = 0; i < b->archs.n; i++) {
		int number = seccomp_syscall_resolve_name_arch(b->archs.v[i], name);

		if (number >= 0 && (uint32_t)(number & ~X32_BIT) > b->highest.v[i])
			b->highest.v[i] = (uint32_t)number & ~X32_BIT;
	}
}

/* Several conditions on one argument are alternatives; conditions on different ones hold together. */
static bool repeats_an_argument(const struct seccomp_rule *rule)
{
	unsigned int seen = 0;

	VEC_EACH(arg, &rule->args) {
		if (seen & 1u << arg->index)
			return true;
		seen |= 1u << arg->index;
	}
	return false;
}

static struct scmp_arg_cmp condition(const struct seccomp_arg *arg)
{
	uint32_t op = 0;

	(void)seccomp_word_find(op_words, arg->op, &op); /* checked with the whole description */
	return (struct scmp_arg_cmp){
		.arg = arg->index, .op = (enum scmp_compare)op, .datum_a = arg->value, .datum_b = arg->value_two};
}

static int add_call(struct build *b, const struct seccomp_rule *rule, uint32_t action, int number)
{
	struct scmp_arg_cmp conditions[6];
	unsigned int n = 0;
	int rc = 0;

	if (!repeats_an_argument(rule)) {
		VEC_EACH(arg, &rule->args)
			conditions[n++] = condition(arg);
		return seccomp_rule_add_array(b->filter, action, number, n, conditions);
	}
	VEC_EACH(arg, &rule->args) {
		conditions[0] = condition(arg);
		rc = seccomp_rule_add_array(b->filter, action, number, 1, conditions);
		if (rc < 0)
			break;
	}
	return rc;
}

static int add_rule(struct build *b, const struct seccomp_rule *rule, struct err *err)
{
	uint32_t action;
	int rc = seccomp_action_value(rule->action, &rule->errno_ret, &action, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < rule->names.n; i++) {
		const char *name = rule->names.v[i];
		int number = seccomp_syscall_resolve_name(name);
		uint32_t newer;

		note_highest(b, name);
		if (number == __NR_SCMP_ERROR) {
			/* A name that nobody knows guards nothing. */
			if (!rule->args.n && b->newer.n < NEWER_MAX &&
			    seccomp_word_find(newer_calls, name, &newer) == 0)
				VEC_PUSH(&b->newer, ((struct newer){newer, action}));
			continue;
		}
		if (action == b->default_action)
			continue;
		rc = add_call(b, rule, action, number);
		if (rc < 0 && rc != -EEXIST)
			return err_sys(err, -rc, "seccomp: add rule for '%s'", name);
	}
	return 0;
}

/* ---- the program in front ----------------------------------------------------------------------------------------------------- */

/* The token that the kernel shows: x32 runs under x86_64's. */
static uint32_t audit_arch(uint32_t arch)
{
	return arch == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : arch;
}

static bool refuses(uint32_t action)
{
	return action != SCMP_ACT_ALLOW && action != SCMP_ACT_LOG && (action & SECCOMP_RET_ACTION) != SECCOMP_RET_TRACE;
}

/*
 * For one architecture: A holds the architecture's token on entry.
 *
 *	jeq token ? : next
 *	ld nr
 *	(x86_64 and x32: jge X32_BIT, to the part that is meant)
 *	jgt highest ? : filter
 *	jeq newer[i] -> ret action	...
 *	ret ENOSYS
 * next:
 */
static size_t assemble_arch(const struct build *b, size_t arch, struct sock_filter *p)
{
	uint32_t token = b->archs.v[arch], bit = token == SCMP_ARCH_X32 ? X32_BIT : 0;
	uint32_t filtered = b->highest.v[arch] | bit;
	bool shared = token == SCMP_ARCH_X32 || token == SCMP_ARCH_X86_64;
	size_t len = 4 + (shared ? 1 : 0) + 2 * b->newer.n + 1, n = 0;

	p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit_arch(token), 0, (uint8_t)(len - 1));
	p[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	if (shared) {
		uint8_t other = (uint8_t)(len - n - 2); /* reloads the token, then "next" */

		p[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, bit ? 0 : other, bit ? other : 0);
		n++;
	}
	p[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, filtered, 0, (uint8_t)(len - n - 2));
	n++;
	for (size_t i = 0; i < b->newer.n; i++) {
		p[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, b->newer.v[i].number | bit, 0, 1);
		p[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, b->newer.v[i].action);
	}
	p[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	p[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	return n;
}

static size_t assemble_stub(const struct build *b, struct sock_filter *p)
{
	size_t n = 0;

	if (!refuses(b->default_action))
		return 0;
	p[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < b->archs.n && n + 6 + 2 * NEWER_MAX < STUB_MAX; i++) {
		if (b->highest.v[i])
			n += assemble_arch(b, i, p + n);
	}
	return n;
}

/* ---- out of the library ------------------------------------------------------------------------------------------------------- */

static int temporary(struct err *err)
{
	int fd = hidden("memfd") ? -1 : (int)syscall(SYS_memfd_create, "seccomp", 1 /* MFD_CLOEXEC */);
	FILE *file;

	if (fd >= 0)
		return fd;
	file = tmpfile();
	if (!file)
		return err_sys(err, errno, "seccomp: make a temporary file");
	fd = dup(fileno(file));
	fclose(file);
	if (fd < 0)
		return err_sys(err, errno, "seccomp: make a temporary file");
	(void)fd_set_cloexec(fd, true);
	return fd;
}

static int export(const struct build *b, struct seccomp_program *ret, struct err *err)
{
	auto_free struct sock_filter *code = xcalloc(STUB_MAX + SECCOMP_PROGRAM_MAX, sizeof(*code));
	auto_fd int fd = temporary(err);
	size_t stub = assemble_stub(b, code);
	ssize_t len;
	int rc;

	if (fd < 0)
		return fd;
	rc = seccomp_export_bpf(b->filter, fd);
	if (rc < 0)
		return err_sys(err, -rc, "seccomp: compile the filter");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "seccomp: read the filter back");
	len = fd_read_all(fd, code + stub, SECCOMP_PROGRAM_MAX * sizeof(*code));
	if (len <= 0 || (size_t)len % sizeof(*code) || stub + (size_t)len / sizeof(*code) > SECCOMP_PROGRAM_MAX)
		return err_set(err, ERR_TOO_LARGE, "seccomp: the filter is longer than %d instructions",
			       SECCOMP_PROGRAM_MAX);
	ret->count = stub + (size_t)len / sizeof(*code);
	ret->memory_size = ret->count * sizeof(*code);
	ret->filter = ret->memory = take(code);
	return 0;
}

static void shorten(const struct build *b, struct seccomp_program *program)
{
	uint32_t tokens[32];
	size_t n = 0;

	VEC_EACH(arch, &b->archs) {
		bool known = false;

		for (size_t i = 0; i < n; i++)
			known |= tokens[i] == audit_arch(*arch);
		if (!known && n < ARRAY_SIZE(tokens))
			tokens[n++] = audit_arch(*arch);
	}
	seccomp_optimize(program, tokens, n);
}

int seccomp_build(const struct seccomp_spec *spec, bool optimize, struct seccomp_program *ret, struct err *err)
{
	AUTO(build_clear) struct build b = {.spec = spec};
	int rc = seccomp_action_value(spec->default_action, &spec->default_errno_ret, &b.default_action, err);

	if (rc < 0)
		return rc;
	b.filter = seccomp_init(b.default_action);
	if (!b.filter)
		return err_set(err, ERR_UNSUPPORTED, "seccomp: the library refuses default action '%s' on this kernel",
			       spec->default_action);
	rc = add_archs(&b, err);
	if (rc < 0)
		return rc;
	(void)seccomp_attr_set(b.filter, SCMP_FLTATR_CTL_NNP, 0); /* the caller decides about it */
#if SCMP_VER_MAJOR > 2 || (SCMP_VER_MAJOR == 2 && SCMP_VER_MINOR >= 5)
	/* A binary tree: the kernel walks it for every call when the filter is installed, and at each call on old kernels. */
	(void)seccomp_attr_set(b.filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
#endif
	VEC_EACH(rule, &spec->rules) {
		rc = add_rule(&b, rule, err);
		if (rc < 0)
			return rc;
	}
	rc = export(&b, ret, err);
	if (rc >= 0 && optimize)
		shorten(&b, ret);
	return rc;
}

#else

char *seccomp_builder_id(void)
{
	return xstrdup("none");
}

struct fit seccomp_compile_fit(void)
{
	return fit(FIT_NO, "this build was made without libseccomp");
}

int seccomp_build(const struct seccomp_spec *spec, bool optimize, struct seccomp_program *ret, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "seccomp profile: this build was made without libseccomp (use --security-opt seccomp=unconfined)");
}

#endif
