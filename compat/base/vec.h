/*
 * vec - growing arrays; strv and strmap, the two that everything uses.
 *
 * struct { T *v; size_t n, cap; } with n used elements. All vectors share this layout (the JSON field tables rely on it).
 * Growth aborts when memory is exhausted; whoever fills a vector from outside bytes bounds n first.
 */
#ifndef COMPAT_BASE_VEC_H
#define COMPAT_BASE_VEC_H

#include <stdbool.h>
#include <stddef.h>

#include "compat/base/auto.h"

#define VEC(T)                                                                                     \
	struct {                                                                                   \
		T *v;                                                                              \
		size_t n, cap;                                                                     \
	}

/* Layout of every VEC; for generic code. */
struct vec_any {
	void *v;
	size_t n, cap;
};

/* Make room for one more element of @size bytes and return its zeroed place. Aborts on ENOMEM. */
void *vec_grow(void *vec, size_t size);
void vec_del(void *vec, size_t index, size_t size);

/* Append a zeroed element, yielding a pointer to it. */
#define VEC_ADD(vec)	   ((__typeof__((vec)->v))vec_grow((vec), sizeof(*(vec)->v)))
#define VEC_PUSH(vec, val) (*VEC_ADD(vec) = (val))
#define VEC_DEL(vec, i)	   vec_del((vec), (i), sizeof(*(vec)->v))
#define VEC_EACH(p, vec)   for (__typeof__(*(vec)->v) *p = (vec)->v; p && p < (vec)->v + (vec)->n; p++)
/* Frees the array, not what its elements own. */
#define VEC_FREE(vec)                                                                              \
	do {                                                                                       \
		free((vec)->v);                                                                    \
		(vec)->v = NULL;                                                                   \
		(vec)->n = (vec)->cap = 0;                                                         \
	} while (0)

/* Owned strings. After strv_argv() v[n] is NULL, so that v serves as argv. */
struct strv {
	char **v;
	size_t n, cap;
};

void strv_add(struct strv *s, const char *str);	 /* copies */
void strv_take(struct strv *s, char *str);	 /* owns */
void strv_addf(struct strv *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_add_all(struct strv *s, const struct strv *from);
bool strv_has(const struct strv *s, const char *str);
/* NULL-terminated view, borrowed until the next change. Never NULL. */
char **strv_argv(struct strv *s);
/* Split at any of @seps; empty fields are kept when @keep_empty. */
void strv_split(struct strv *s, const char *str, const char *seps, bool keep_empty);
char *strv_join(const struct strv *s, const char *sep);	 /* owned */
void strv_clear(struct strv *s);
DEFINE_AUTO_CLEAR(strv_clear, struct strv)

/* Ordered string pairs; keys are unique. */
struct strpair {
	char *key, *val;
};

struct strmap {
	struct strpair *v;
	size_t n, cap;
};

void strmap_set(struct strmap *m, const char *key, const char *val);	/* copies; replaces */
const char *strmap_get(const struct strmap *m, const char *key);	/* NULL if absent */
bool strmap_del(struct strmap *m, const char *key);
void strmap_copy(struct strmap *dst, const struct strmap *src);		/* dst is cleared first */
void strmap_clear(struct strmap *m);
DEFINE_AUTO_CLEAR(strmap_clear, struct strmap)

#define STRV_EACH(p, s) for (char **p = (s)->v; p && p < (s)->v + (s)->n; p++)

#endif
