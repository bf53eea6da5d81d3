/*
 * charset.c - names in archives pass as they are
 */
#include "compat/base/charset.h"

void charset_utf8(struct charset *ret)
{
	ret->own = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	if (!ret->own)
		ret->own = newlocale(LC_CTYPE_MASK, "en_US.UTF-8", (locale_t)0);
	ret->before = ret->own ? uselocale(ret->own) : (locale_t)0;
}

void charset_restore(struct charset *charset)
{
	if (!charset->own)
		return;
	uselocale(charset->before);
	freelocale(charset->own);
	charset->own = (locale_t)0;
}
