/*
 * filter_dump.c - what the system call filters of a process say, for tests/security
 *
 *	filter-dump PID
 *
 * The kernel gives the installed programs to who traces the process with all rights (Linux 4.4); they are run here for every number of a call, in
 * each of the ways to make one, with arguments that filters look at. A line for each that is not let through: "ABI NUMBER ARGUMENTS".
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
#define FILTERS_MAX   8
#define NUMBERS	      512
#define X32_BIT	      0x40000000

struct program {
	struct sock_filter code[4096];
	int len;
};

static struct program programs[FILTERS_MAX];
static int count;

/* linux/net/core/filter.c: what seccomp allows of it. */
static uint32_t run(const struct program *p, const struct seccomp_data *data)
{
	uint32_t a = 0, x = 0, mem[16] = {0};

	for (int pc = 0; pc < p->len; pc++) {
		const struct sock_filter *f = &p->code[pc];
		uint32_t k = f->k, src = BPF_SRC(f->code) == BPF_X ? x : k;

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			if (BPF_MODE(f->code) == BPF_ABS)
				memcpy(&a, (const char *)data + k, sizeof(a));
			else if (BPF_MODE(f->code) == BPF_IMM)
				a = k;
			else if (BPF_MODE(f->code) == BPF_MEM)
				a = mem[k & 15];
			else
				a = sizeof(*data);
			break;
		case BPF_LDX:
			x = BPF_MODE(f->code) == BPF_MEM ? mem[k & 15] : BPF_MODE(f->code) == BPF_IMM ? k : sizeof(*data);
			break;
		case BPF_ST:
			mem[k & 15] = a;
			break;
		case BPF_STX:
			mem[k & 15] = x;
			break;
		case BPF_ALU:
			switch (BPF_OP(f->code)) {
			case BPF_ADD: a += src; break;
			case BPF_SUB: a -= src; break;
			case BPF_MUL: a *= src; break;
			case BPF_DIV: a = src ? a / src : 0; break;
			case BPF_AND: a &= src; break;
			case BPF_OR: a |= src; break;
			case BPF_XOR: a ^= src; break;
			case BPF_LSH: a <<= src & 31; break;
			case BPF_RSH: a >>= src & 31; break;
			case BPF_NEG: a = -a; break;
			default: fprintf(stderr, "filter-dump: instruction %#x\n", f->code); exit(1);
			}
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				pc += (int)k;
			else if (BPF_OP(f->code) == BPF_JEQ)
				pc += a == src ? f->jt : f->jf;
			else if (BPF_OP(f->code) == BPF_JGT)
				pc += a > src ? f->jt : f->jf;
			else if (BPF_OP(f->code) == BPF_JGE)
				pc += a >= src ? f->jt : f->jf;
			else
				pc += a & src ? f->jt : f->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? a : k;
		default:
			if (BPF_MISCOP(f->code) == BPF_TAX)
				x = a;
			else
				a = x;
		}
	}
	return SECCOMP_RET_KILL_THREAD;
}

static int allowed(const struct seccomp_data *data)
{
	for (int i = 0; i < count; i++) {
		uint32_t action = run(&programs[i], data) & SECCOMP_RET_ACTION_FULL;

		if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG)
			return 0;
	}
	return 1;
}

static void fetch(int pid)
{
	int status, n;

	if (ptrace(PTRACE_ATTACH, pid, NULL, NULL) < 0) {
		perror("filter-dump: attach");
		exit(1);
	}
	(void)waitpid(pid, &status, 0);
	while (count < FILTERS_MAX && (n = (int)ptrace(PTRACE_SECCOMP_GET_FILTER, pid, (void *)(long)count, programs[count].code)) > 0)
		programs[count++].len = n;
	n = errno;
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	if (!count) {
		fprintf(stderr, "filter-dump: %s\n", n == ENOENT ? "there is no filter" : strerror(n));
		exit(n == ENOENT ? 3 : 2);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint32_t arch, add;
	} abis[] = {{"x86_64", AUDIT_ARCH_X86_64, 0}, {"x32", AUDIT_ARCH_X86_64, X32_BIT}, {"i386", AUDIT_ARCH_I386, 0}};
	uint64_t arguments[160][2];
	size_t n = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: filter-dump PID\n");
		return 1;
	}
	fetch(atoi(argv[1]));
	/* Each bit, and small numbers: flags of clone, kinds of personality, families of sockets, requests of ioctl. */
	for (int i = 0; i < 64; i++)
		arguments[n++][0] = 1ull << i;
	for (uint64_t i = 0; i < 48; i++)
		arguments[n++][0] = i;
	arguments[n++][0] = 0xffffffff;
	arguments[n++][0] = 0x20008;
	arguments[n++][0] = ~0ull;
	for (size_t i = 0; i < n; i++)
		arguments[i][1] = 0;
	for (uint64_t i = 0x5400; i < 0x5424; i++) {
		arguments[n][0] = 0;
		arguments[n++][1] = i;
	}
	for (size_t abi = 0; abi < ARRAY_SIZE(abis); abi++) {
		for (uint32_t nr = 0; nr < NUMBERS; nr++) {
			for (size_t i = 0; i < n; i++) {
				struct seccomp_data data = {.nr = (int)(nr | abis[abi].add), .arch = abis[abi].arch,
							    .args = {arguments[i][0], arguments[i][1]}};

				if (!allowed(&data))
					printf("%s %u %llx,%llx\n", abis[abi].name, nr, (unsigned long long)arguments[i][0],
					       (unsigned long long)arguments[i][1]);
			}
		}
	}
	return 0;
}
