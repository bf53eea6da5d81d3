/*
 * filter.c - makes a seccomp program of the tables
 *
 * Straight code: the call's number is compared with each call that has rules; a match runs its rules in the order of the table. No rule
 * matches: allowed. Each block ends with a return, so that jumps stay inside one rule.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/legacy/as_kernel.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

enum { CODE_MAX = 2048, X32_BIT = 0x40000000 };

struct program {
	struct sock_filter code[CODE_MAX];
	unsigned int n;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	if (p->n == CODE_MAX)
		abort();	/* the tables are ours */
	p->code[p->n++] = (struct sock_filter){.code = code, .jt = jt, .jf = jf, .k = k};
}

static void load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void finish(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

/* One condition: @skip instructions are jumped over when it does not hold. */
static void emit_condition(struct program *p, const struct condition *c, uint8_t skip)
{
	/* The lower half: this is little-endian. */
	load(p, offsetof(struct seccomp_data, args) + 8 * (size_t)c->arg);
	switch (c->test) {
	case EQ:
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, c->value, 0, skip);
		break;
	case NOT_ZERO:
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, skip, 0);
		break;
	case ABOVE:
		emit(p, BPF_JMP | BPF_JGT | BPF_K, c->value, 0, skip);
		break;
	case BELOW:
		emit(p, BPF_JMP | BPF_JGE | BPF_K, c->value, skip, 0);
		break;
	case ANY_OF:
		emit(p, BPF_JMP | BPF_JSET | BPF_K, c->value, 0, skip);
		break;
	case NONE:
		abort();
	}
}

static void emit_rule(struct program *p, const struct rule *r)
{
	bool second = r->when[1].test != NONE;

	if (r->when[0].test != NONE)
		emit_condition(p, &r->when[0], second ? 3 : 1);
	if (second)
		emit_condition(p, &r->when[1], 1);
	finish(p, r->action);
}

/* All rules of one call, once: @from is the first of them. */
static void emit_call(struct program *p, unsigned int kernel, size_t from)
{
	int call = rules[from].call;
	unsigned int jump;

	for (size_t i = 0; i < from; i++)
		if (rules[i].call == call && (rules[i].kernels & kernel))
			return;
	/* The accumulator is the number here; a match goes on behind the next instruction, which jumps over the block. */
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 1, 0);
	jump = p->n;
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	for (size_t i = from; i < rule_count; i++)
		if (rules[i].call == call && (rules[i].kernels & kernel))
			emit_rule(p, &rules[i]);
	finish(p, SECCOMP_RET_ALLOW);
	p->code[jump].k = p->n - jump - 1;
}

static void build(struct program *p, unsigned int kernel)
{
	load(p, offsetof(struct seccomp_data, arch));
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	finish(p, SECCOMP_RET_ERRNO | ENOSYS);
	load(p, offsetof(struct seccomp_data, nr));
	emit(p, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1);
	finish(p, SECCOMP_RET_ERRNO | ENOSYS);
	for (size_t i = 0; i < gap_count; i++) {
		if (!(gaps[i].kernels & kernel))
			continue;
		emit(p, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)gaps[i].first, 0, 2);
		emit(p, BPF_JMP | BPF_JGT | BPF_K, (uint32_t)gaps[i].last, 1, 0);
		finish(p, SECCOMP_RET_ERRNO | ENOSYS);
	}
	for (size_t i = 0; i < rule_count; i++)
		if (rules[i].kernels & kernel)
			emit_call(p, kernel, i);
	finish(p, SECCOMP_RET_ALLOW);
}

int filter_install(const struct kernel *k)
{
	static struct program p;
	struct sock_fprog program = {.filter = p.code};
	const unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd;

	build(&p, k->bit);
	program.len = (unsigned short)p.n;
	/* Where the kernel can: a call that the supervisor has taken is not restarted by a signal. */
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	return fd < 0 ? -errno : (int)fd;
}
