/*
 * cgroup_devices.c - which devices a group may use: rules of the v1 controller, or a BPF program on the v2 group
 *
 * Both start from one form: the rules folded the way the v1 controller folds writes to devices.allow and devices.deny. So a list means
 * the same everywhere, whatever its order and overlaps.
 *
 * Spec:    Documentation/admin-guide/cgroup-v1/devices.rst; bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE
 * Kernel:  4.15 (device programs)
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/hide.h"
#include "compat/base/str.h"
#include "compat/kernel/cgroup_internal.h"

enum { RULES_MAX = 4096, REPLACED_MAX = 64, MINOR_MAX = (1 << 20) - 1, MAJOR_MAX = (1 << 12) - 1 };

/* ---- folding ------------------------------------------------------------------------------------------------------------------ */

/* Denying too much is safe: runc's users also write an 'a' into what they deny. */
static int parse_access(const char *text, bool allow, unsigned int *ret, struct err *err)
{
	unsigned int access = 0;

	if (str_empty(text)) {
		*ret = ACCESS_ALL;
		return 0;
	}
	for (const char *p = text; *p; p++) {
		switch (*p) {
		case 'r': access |= ACCESS_READ; break;
		case 'w': access |= ACCESS_WRITE; break;
		case 'm': access |= ACCESS_MKNOD; break;
		case 'a':
			access |= ACCESS_ALL;
			if (!allow)
				break;
			/* fall through */
		default: return err_set(err, ERR_INVALID, "invalid device access '%s': want letters of rwm", text);
		}
	}
	*ret = access;
	return 0;
}

static int parse_number(const struct opt_i64 *number, int64_t max, const char *what, int64_t *ret, struct err *err)
{
	int64_t v = number->set ? number->v : -1;

	if (v < -1 || v > max)
		return err_set(err, ERR_INVALID, "invalid device %s number %lld", what, (long long)v);
	*ret = v;
	return 0;
}

static struct cgroup_device_rule *find(struct cgroup_device_state *state, const struct cgroup_device_rule *rule)
{
	VEC_EACH(have, &state->rules) {
		if (have->type == rule->type && have->major == rule->major && have->minor == rule->minor)
			return have;
	}
	return NULL;
}

/* An exception to the default is added; a rule that agrees with the default takes exactly its own exception back. */
static void fold_one(struct cgroup_device_state *state, const struct cgroup_device_rule *rule, bool allow)
{
	struct cgroup_device_rule *have = find(state, rule);

	if (allow != state->allow_all) {
		if (have)
			have->access |= rule->access;
		else
			VEC_PUSH(&state->rules, *rule);
	} else if (have) {
		have->access &= ~rule->access;
		if (!have->access)
			VEC_DEL(&state->rules, (size_t)(have - state->rules.v));
	}
}

int cgroup_devices_fold(const struct cgroup_resources *res, struct cgroup_device_state *ret, struct err *err)
{
	AUTO(cgroup_devices_clear) struct cgroup_device_state state = {0};

	if (res->devices.n > RULES_MAX)
		return err_set(err, ERR_TOO_LARGE, "more than %d device rules", RULES_MAX);
	VEC_EACH(d, &res->devices) {
		const char *type = str_empty(d->type) ? "a" : d->type;
		struct cgroup_device_rule rule = {0};
		int rc = parse_access(d->access, d->allow, &rule.access, err);

		if (rc < 0 || (rc = parse_number(&d->major, MAJOR_MAX, "major", &rule.major, err)) < 0 ||
		    (rc = parse_number(&d->minor, MINOR_MAX, "minor", &rule.minor, err)) < 0)
			return rc;
		if (strcmp(type, "u") == 0)
			type = "c"; /* unbuffered character: the same device */
		if (strlen(type) != 1 || !strchr("abc", *type))
			return err_set(err, ERR_INVALID, "invalid device type '%s': want a, b or c", type);
		if (*type == 'a' && rule.access == ACCESS_ALL && rule.major < 0 && rule.minor < 0) {
			state.allow_all = d->allow;
			state.rules.n = 0;
			continue;
		}
		for (const char *t = *type == 'a' ? "bc" : type; *t; t++) {
			rule.type = *t;
			fold_one(&state, &rule, d->allow);
		}
	}
	*ret = state;
	state = (struct cgroup_device_state){0};
	return 0;
}

void cgroup_devices_clear(struct cgroup_device_state *state)
{
	VEC_FREE(&state->rules);
}

/* ---- v1 ----------------------------------------------------------------------------------------------------------------------- */

static void number(char dst[24], int64_t n)
{
	if (n < 0)
		strcpy(dst, "*");
	else
		snprintf(dst, 24, "%lld", (long long)n);
}

void cgroup_devices_plan(const struct cgroup_device_state *state, cgroup_plan *plan)
{
	const char *file = state->allow_all ? "devices.deny" : "devices.allow";

	cgroup_plan_add(plan, CGROUP_DEVICES, CTL_DEVICES, state->allow_all ? "devices.allow" : "devices.deny", "a");
	VEC_EACH(rule, &state->rules) {
		char major[24], minor[24];

		number(major, rule->major);
		number(minor, rule->minor);
		cgroup_plan_add(plan, CGROUP_DEVICES, CTL_DEVICES, file, "%c %s:%s %s%s%s", rule->type, major, minor,
				rule->access & ACCESS_READ ? "r" : "", rule->access & ACCESS_WRITE ? "w" : "",
				rule->access & ACCESS_MKNOD ? "m" : "");
	}
}

/* ---- v2: an assembler for exactly this program -------------------------------------------------------------------------------- */

enum { R_RESULT = 0, R_CONTEXT = 1, R_TYPE = 2, R_ACCESS = 3, R_MAJOR = 4, R_MINOR = 5, R_SCRATCH = 6 };

static struct bpf_insn insn(uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	return (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm};
}

static struct bpf_insn load(uint8_t dst, int16_t off)
{
	return insn(BPF_LDX | BPF_MEM | BPF_W, dst, R_CONTEXT, off, 0);
}

static struct bpf_insn answer(bool allow)
{
	return insn(BPF_ALU64 | BPF_MOV | BPF_K, R_RESULT, 0, 0, allow);
}

static struct bpf_insn unless_equal(uint8_t reg, int32_t value, int16_t skip)
{
	return insn(BPF_JMP | BPF_JNE | BPF_K, reg, 0, skip, value);
}

/*
 * A rule is tested front to back; the jump of each test leads behind the rule. An exception that allows must cover
 * everything that is asked for, one that denies need only touch it: so says the v1 controller.
 */
static size_t assemble_rule(const struct cgroup_device_rule *rule, bool allow, struct bpf_insn *p)
{
	int bpf_type = rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	int32_t mask = (int32_t)(allow ? ~rule->access & ACCESS_ALL : rule->access);
	bool by_access = rule->access != ACCESS_ALL;
	size_t len = 3 + (by_access ? 3 : 0) + (rule->major >= 0) + (rule->minor >= 0);
	size_t n = 0;

	p[n] = unless_equal(R_TYPE, bpf_type, (int16_t)(len - n - 1));
	n++;
	if (by_access) {
		p[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_X, R_SCRATCH, R_ACCESS, 0, 0);
		p[n++] = insn(BPF_ALU64 | BPF_AND | BPF_K, R_SCRATCH, 0, 0, mask);
		p[n] = insn(BPF_JMP | (allow ? BPF_JNE : BPF_JEQ) | BPF_K, R_SCRATCH, 0, (int16_t)(len - n - 1), 0);
		n++;
	}
	if (rule->major >= 0) {
		p[n] = unless_equal(R_MAJOR, (int32_t)rule->major, (int16_t)(len - n - 1));
		n++;
	}
	if (rule->minor >= 0) {
		p[n] = unless_equal(R_MINOR, (int32_t)rule->minor, (int16_t)(len - n - 1));
		n++;
	}
	p[n++] = answer(allow);
	p[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

size_t cgroup_devices_program(const struct cgroup_device_state *state, struct bpf_insn *ret)
{
	size_t n = 0;

	ret[n++] = load(R_TYPE, 0);
	ret[n++] = insn(BPF_ALU64 | BPF_MOV | BPF_X, R_ACCESS, R_TYPE, 0, 0);
	ret[n++] = insn(BPF_ALU64 | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
	ret[n++] = insn(BPF_ALU64 | BPF_RSH | BPF_K, R_ACCESS, 0, 0, 16);
	ret[n++] = load(R_MAJOR, 4);
	ret[n++] = load(R_MINOR, 8);
	VEC_EACH(rule, &state->rules)
		n += assemble_rule(rule, !state->allow_all, &ret[n]);
	ret[n++] = answer(state->allow_all);
	ret[n++] = insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

static int sys_bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load_program(const struct cgroup_device_state *state)
{
	auto_free struct bpf_insn *code = xcalloc(CGROUP_DEVICE_PROGRAM_MAX(state->rules.n), sizeof(*code));
	union bpf_attr attr = {0};

	if (hidden("bpf_cgroup_device")) {
		errno = EINVAL;
		return -1;
	}
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = (uint32_t)cgroup_devices_program(state, code);
	attr.license = (uintptr_t) "GPL";
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

/* Ids of the programs that are attached now. Their number, or -errno. */
static int attached(int dir, uint32_t ids[REPLACED_MAX])
{
	union bpf_attr attr = {0};

	attr.query.target_fd = (uint32_t)dir;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_ids = (uintptr_t)ids;
	attr.query.prog_cnt = REPLACED_MAX;
	if (sys_bpf(BPF_PROG_QUERY, &attr) < 0)
		return -errno;
	return (int)attr.query.prog_cnt;
}

static void detach(int dir, uint32_t id)
{
	union bpf_attr attr = {0};
	auto_fd int program = -1;

	attr.prog_id = id;
	program = sys_bpf(BPF_PROG_GET_FD_BY_ID, &attr);
	if (program < 0)
		return;
	attr = (union bpf_attr){0};
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	/* All attached programs must agree, so a leftover could only forbid more. */
	(void)sys_bpf(BPF_PROG_DETACH, &attr);
}

int cgroup_devices_attach(const char *dir_path, const struct cgroup_device_state *state, struct err *err)
{
	auto_fd int dir = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int program = -1;
	uint32_t old[REPLACED_MAX];
	union bpf_attr attr = {0};
	int count;

	if (dir < 0)
		return err_sys(err, errno, "open cgroup '%s'", dir_path);
	program = load_program(state);
	if (program < 0) {
		int code = errno;

		if (code == EINVAL || code == ENOSYS)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s: this kernel has no device programs (BPF) for cgroup v2",
				       cgroup_limit_name(CGROUP_DEVICES));
		return err_sys(err, code, "%s: load device program", cgroup_limit_name(CGROUP_DEVICES));
	}
	count = attached(dir, old);
	attr.target_fd = (uint32_t)dir;
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (sys_bpf(BPF_PROG_ATTACH, &attr) < 0)
		return err_sys(err, errno, "%s: attach device program to '%s'", cgroup_limit_name(CGROUP_DEVICES),
			       dir_path);
	for (int i = 0; i < count; i++)
		detach(dir, old[i]);
	return 0;
}

struct fit cgroup_devices_bpf_fit(void)
{
	struct cgroup_device_state all = {.allow_all = true};
	auto_fd int program = load_program(&all);

	if (program < 0)
		return fit(FIT_NO, "cannot load a device program: %s", strerror(errno));
	return fit(FIT_NATIVE, "device program (BPF) on the v2 group");
}
