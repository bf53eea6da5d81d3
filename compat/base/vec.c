/*
 * vec - growing arrays; strv and strmap.
 */
#include "compat/base/vec.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "compat/base/buf.h"
#include "compat/base/str.h"

void *vec_grow(void *vec, size_t size)
{
	struct vec_any *a = vec;
	char *place;

	if (a->n == a->cap) {
		size_t cap = a->cap ? a->cap * 2 : 4;

		if (cap > SIZE_MAX / 2 / size)
			abort();
		a->v = xrealloc(a->v, cap * size);
		a->cap = cap;
	}
	place = (char *)a->v + a->n++ * size;
	memset(place, 0, size);
	return place;
}

void vec_del(void *vec, size_t index, size_t size)
{
	struct vec_any *a = vec;
	char *place = (char *)a->v + index * size;

	a->n--;
	memmove(place, place + size, (a->n - index) * size);
}

void strv_take(struct strv *s, char *str)
{
	*(char **)vec_grow(s, sizeof(char *)) = str;
}

void strv_add(struct strv *s, const char *str)
{
	strv_take(s, xstrdup(str));
}

void strv_addf(struct strv *s, const char *fmt, ...)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(&b, fmt, ap);
	va_end(ap);
	strv_take(s, buf_take(&b));
}

void strv_add_all(struct strv *s, const struct strv *from)
{
	size_t n = from->n;	/* @s may be @from */

	for (size_t i = 0; i < n; i++)
		strv_add(s, from->v[i]);
}

bool strv_has(const struct strv *s, const char *str)
{
	STRV_EACH(p, s)
		if (str_eq(*p, str))
			return true;
	return false;
}

char **strv_argv(struct strv *s)
{
	if (s->n == s->cap) {
		(void)vec_grow(s, sizeof(char *));
		s->n--;
	}
	s->v[s->n] = NULL;
	return s->v;
}

void strv_split(struct strv *s, const char *str, const char *seps, bool keep_empty)
{
	for (;;) {
		size_t n = strcspn(str, seps);

		if (n || keep_empty)
			strv_take(s, xstrndup(str, n));
		if (!str[n])
			return;
		str += n + 1;
	}
}

char *strv_join(const struct strv *s, const char *sep)
{
	AUTO(buf_clear) struct buf b = BUF_INIT;

	for (size_t i = 0; i < s->n; i++) {
		if (i)
			buf_str(&b, sep);
		buf_str(&b, s->v[i]);
	}
	return buf_take(&b);
}

void strv_clear(struct strv *s)
{
	STRV_EACH(p, s)
		free(*p);
	VEC_FREE(s);
}

void strmap_set(struct strmap *m, const char *key, const char *val)
{
	struct strpair *p;

	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->v[i].key, key) == 0) {
			str_set(&m->v[i].val, val);
			return;
		}
	}
	p = vec_grow(m, sizeof(*p));
	p->key = xstrdup(key);
	p->val = xstrdup(val);
}

const char *strmap_get(const struct strmap *m, const char *key)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].key, key) == 0)
			return m->v[i].val;
	return NULL;
}

bool strmap_del(struct strmap *m, const char *key)
{
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->v[i].key, key) == 0) {
			free(m->v[i].key);
			free(m->v[i].val);
			vec_del(m, i, sizeof(*m->v));
			return true;
		}
	}
	return false;
}

void strmap_copy(struct strmap *dst, const struct strmap *src)
{
	struct strmap copy = {0};

	for (size_t i = 0; i < src->n; i++) {
		struct strpair *p = vec_grow(&copy, sizeof(*p));

		p->key = xstrdup(src->v[i].key);
		p->val = xstrdup(src->v[i].val);
	}
	strmap_clear(dst);
	*dst = copy;
}

void strmap_clear(struct strmap *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->v[i].key);
		free(m->v[i].val);
	}
	VEC_FREE(m);
}
