/*
 * seccomp_optimize.c - a shorter program with the same answers
 *
 * The compiler tests for system calls one by one. Most of a profile's calls have one answer whatever their arguments, and neighbours in
 * number have the same one: a search over ranges needs a quarter of the instructions, which is what the kernel's check, translation and
 * bitmap cost when the filter is installed (half a millisecond a start for docker's profile), and what each call costs on
 * kernels without the bitmap.
 *
 * The new program is found by running the old one, not by knowing the profile. The answer for a number can change only at constants that
 * the program compares with, so it is run once for each stretch between them, until it returns or looks at an argument. Where it looks
 * at an argument, the rest of it from there on is copied. Anything unexpected leaves the program as it is.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "compat/base/str.h"
#include "compat/kernel/seccomp_internal.h"

enum { STEPS_MAX = SECCOMP_PROGRAM_MAX, TOKENS_MAX = 8, JUMP_MAX = 255, FAILED = -1 };

/* What the program does for one number: an answer, or it goes on at an instruction that loads an argument. */
struct outcome {
	bool goes_on;
	uint32_t value;	/* answer, or index of the instruction */
};

/* All numbers from @first to the next stretch's. */
struct stretch {
	uint32_t first;
	struct outcome outcome;
};

typedef VEC(struct stretch) stretch_vec;

struct optimizer {
	const struct sock_filter *old;
	size_t count;
	VEC(uint32_t) points;		/* numbers where an answer may change; ascending, starts with 0 */
	uint32_t tokens[TOKENS_MAX];	/* architectures that the program knows */
	size_t token_count;
	stretch_vec stretches[TOKENS_MAX];
	bool *copied;			/* for each old instruction: is part of the copied rest */
	uint32_t *place;		/* its index in the copied rest */
	VEC(struct sock_filter) out;
};

static void optimizer_clear(struct optimizer *o)
{
	VEC_FREE(&o->points);
	for (size_t i = 0; i < TOKENS_MAX; i++)
		VEC_FREE(&o->stretches[i]);
	free(o->copied);
	free(o->place);
	VEC_FREE(&o->out);
}
DEFINE_AUTO_CLEAR(optimizer_clear, struct optimizer)

/* ---- running the old program -------------------------------------------------------------------------------------------------- */

static bool is_arg_load(const struct sock_filter *i)
{
	return i->code == (BPF_LD | BPF_W | BPF_ABS) && i->k != offsetof(struct seccomp_data, nr) &&
	       i->k != offsetof(struct seccomp_data, arch);
}

/* 0, or FAILED for an instruction which this simple machine does not know. */
static int run(const struct optimizer *o, uint32_t arch, uint32_t nr, struct outcome *ret)
{
	uint32_t a = 0;
	size_t at = 0;

	for (int step = 0; step < STEPS_MAX && at < o->count; step++) {
		const struct sock_filter *i = &o->old[at];
		bool yes;

		if (is_arg_load(i)) {
			*ret = (struct outcome){true, (uint32_t)at};
			return 0;
		}
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			a = i->k == offsetof(struct seccomp_data, nr) ? nr : arch;
			at++;
			continue;
		case BPF_RET | BPF_K:
			*ret = (struct outcome){false, i->k};
			return 0;
		case BPF_JMP | BPF_JA: at += 1 + (size_t)i->k; continue;
		case BPF_JMP | BPF_JEQ | BPF_K: yes = a == i->k; break;
		case BPF_JMP | BPF_JGT | BPF_K: yes = a > i->k; break;
		case BPF_JMP | BPF_JGE | BPF_K: yes = a >= i->k; break;
		default: return FAILED;
		}
		at += 1 + (size_t)(yes ? i->jt : i->jf);
	}
	return FAILED;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Every constant of a comparison, and the number behind it. Those of other loads do no harm. */
static void find_points(struct optimizer *o)
{
	size_t kept = 0;

	VEC_PUSH(&o->points, 0);
	for (size_t i = 0; i < o->count; i++) {
		if (BPF_CLASS(o->old[i].code) != BPF_JMP || BPF_OP(o->old[i].code) == BPF_JA)
			continue;
		VEC_PUSH(&o->points, o->old[i].k);
		if (o->old[i].k != UINT32_MAX)
			VEC_PUSH(&o->points, o->old[i].k + 1);
	}
	qsort(o->points.v, o->points.n, sizeof(*o->points.v), compare);
	for (size_t i = 0; i < o->points.n; i++) {
		if (!kept || o->points.v[kept - 1] != o->points.v[i])
			o->points.v[kept++] = o->points.v[i];
	}
	o->points.n = kept;
}

static bool same(const struct outcome *a, const struct outcome *b)
{
	return a->goes_on == b->goes_on && a->value == b->value;
}

static int find_stretches(const struct optimizer *o, uint32_t token, stretch_vec *ret)
{
	for (size_t i = 0; i < o->points.n; i++) {
		struct stretch s = {.first = o->points.v[i]};

		if (run(o, token, s.first, &s.outcome) < 0)
			return FAILED;
		if (!ret->n || !same(&ret->v[ret->n - 1].outcome, &s.outcome))
			VEC_PUSH(ret, s);
	}
	return 0;
}

/* ---- the rest that looks at arguments ----------------------------------------------------------------------------------------- */

/* All that can be reached from the marked instructions; jumps lead forward only, so one pass does it. */
static int spread(struct optimizer *o)
{
	for (size_t i = 0; i < o->count; i++) {
		const struct sock_filter *p = &o->old[i];

		if (!o->copied[i] || BPF_CLASS(p->code) == BPF_RET)
			continue;
		if (BPF_CLASS(p->code) == BPF_LDX || BPF_CLASS(p->code) == BPF_ST || BPF_CLASS(p->code) == BPF_STX ||
		    BPF_CLASS(p->code) == BPF_MISC || p->code == (BPF_LD | BPF_MEM))
			return FAILED; /* it may rely on what was kept before */
		if (BPF_CLASS(p->code) != BPF_JMP) {
			if (i + 1 >= o->count)
				return FAILED;
			o->copied[i + 1] = true;
			continue;
		}
		if (BPF_OP(p->code) == BPF_JA) {
			if (i + 1 + p->k >= o->count)
				return FAILED;
			o->copied[i + 1 + p->k] = true;
			continue;
		}
		if (i + 1 + p->jt >= o->count || i + 1 + p->jf >= o->count)
			return FAILED;
		o->copied[i + 1 + p->jt] = o->copied[i + 1 + p->jf] = true;
	}
	return 0;
}

static int mark_rest(struct optimizer *o)
{
	uint32_t next = 0;

	for (size_t t = 0; t < o->token_count; t++) {
		VEC_EACH(s, &o->stretches[t]) {
			if (s->outcome.goes_on)
				o->copied[s->outcome.value] = true;
		}
	}
	if (spread(o) < 0)
		return FAILED;
	for (size_t i = 0; i < o->count; i++)
		o->place[i] = o->copied[i] ? next++ : 0;
	return 0;
}

/* Distances shrink only, so what fitted a jump before still fits. */
static void copy_rest(struct optimizer *o)
{
	for (size_t i = 0; i < o->count; i++) {
		struct sock_filter p = o->old[i];

		if (!o->copied[i])
			continue;
		if (BPF_CLASS(p.code) == BPF_JMP && BPF_OP(p.code) == BPF_JA) {
			p.k = o->place[i + 1 + p.k] - o->place[i] - 1;
		} else if (BPF_CLASS(p.code) == BPF_JMP) {
			p.jt = (uint8_t)(o->place[i + 1 + o->old[i].jt] - o->place[i] - 1);
			p.jf = (uint8_t)(o->place[i + 1 + o->old[i].jf] - o->place[i] - 1);
		}
		VEC_PUSH(&o->out, p);
	}
}

/* ---- the search in front ------------------------------------------------------------------------------------------------------ */

static size_t tree_size(size_t stretches)
{
	size_t left, size = 1;

	if (stretches == 1)
		return 1;
	left = tree_size(stretches / 2);
	size += left > JUMP_MAX; /* a jump that far needs an instruction of its own */
	return size + left + tree_size(stretches - stretches / 2);
}

/* @rest: index in the output where the copied rest will begin. */
static void emit_tree(struct optimizer *o, const struct stretch *s, size_t n, size_t rest)
{
	size_t left;

	if (n == 1) {
		size_t at = o->out.n;

		if (s->outcome.goes_on)
			VEC_PUSH(&o->out, ((struct sock_filter)BPF_STMT(
						  BPF_JMP | BPF_JA,
						  (uint32_t)(rest + o->place[s->outcome.value] - at - 1))));
		else
			VEC_PUSH(&o->out, ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, s->outcome.value)));
		return;
	}
	left = tree_size(n / 2);
	if (left > JUMP_MAX) {
		VEC_PUSH(&o->out,
			 ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, s[n / 2].first, 0, 1)));
		VEC_PUSH(&o->out, ((struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)left)));
	} else {
		VEC_PUSH(&o->out, ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, s[n / 2].first,
								(uint8_t)left, 0)));
	}
	emit_tree(o, s, n / 2, rest);
	emit_tree(o, s + n / 2, n - n / 2, rest);
}

static void emit(struct optimizer *o, uint32_t otherwise)
{
	size_t rest = 1 + 1; /* load of the architecture, answer for strange ones */

	for (size_t t = 0; t < o->token_count; t++)
		rest += 3 + tree_size(o->stretches[t].n);
	VEC_PUSH(&o->out, ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch))));
	for (size_t t = 0; t < o->token_count; t++) {
		uint32_t skip = (uint32_t)(1 + tree_size(o->stretches[t].n));

		VEC_PUSH(&o->out, ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, o->tokens[t], 1, 0)));
		VEC_PUSH(&o->out, ((struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, skip)));
		VEC_PUSH(&o->out,
			 ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))));
		emit_tree(o, o->stretches[t].v, o->stretches[t].n, rest);
	}
	VEC_PUSH(&o->out, ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, otherwise)));
	copy_rest(o);
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------------- */

/*
 * An architecture that no comparison names has one answer for all numbers: found with a token that is none of the constants. That it is
 * the same whatever the number is checked too.
 */
static int strange_arch(const struct optimizer *o, uint32_t *ret)
{
	uint32_t token = 0x5a5a5a5a;
	struct outcome first = {0}, other;

	for (size_t i = 0; i < o->count; i++) {
		if (BPF_CLASS(o->old[i].code) == BPF_JMP && o->old[i].k == token)
			return FAILED;
	}
	for (size_t i = 0; i < o->points.n; i++) {
		if (run(o, token, o->points.v[i], &other) < 0 || other.goes_on)
			return FAILED;
		if (!i)
			first = other;
		if (!same(&first, &other))
			return FAILED;
	}
	*ret = first.value;
	return 0;
}

void seccomp_optimize(struct seccomp_program *program, const uint32_t *tokens, size_t token_count)
{
	AUTO(optimizer_clear) struct optimizer o = {.old = program->filter, .count = program->count};
	uint32_t otherwise;

	if (!token_count || token_count > TOKENS_MAX || !program->count)
		return;
	o.copied = xcalloc(o.count, sizeof(*o.copied));
	o.place = xcalloc(o.count, sizeof(*o.place));
	memcpy(o.tokens, tokens, token_count * sizeof(*tokens));
	o.token_count = token_count;
	find_points(&o);
	if (strange_arch(&o, &otherwise) < 0)
		return;
	for (size_t t = 0; t < token_count; t++) {
		if (find_stretches(&o, tokens[t], &o.stretches[t]) < 0)
			return;
	}
	if (mark_rest(&o) < 0)
		return;
	emit(&o, otherwise);
	if (o.out.n >= program->count)
		return;
	memcpy(program->filter, o.out.v, o.out.n * sizeof(*o.out.v));
	program->count = o.out.n;
	program->memory_size = o.out.n * sizeof(*o.out.v);
}
