/*
 * charset - names in archives pass as they are.
 *
 * libarchive reads and writes names by the locale of the thread; daemons have none, and users may have any.
 */
#ifndef COMPAT_BASE_CHARSET_H
#define COMPAT_BASE_CHARSET_H

#include <locale.h>

struct charset {
	locale_t own, before;
};

/* UTF-8 for this thread, where the host has such a locale, until charset_restore(). */
void charset_utf8(struct charset *ret);
void charset_restore(struct charset *charset);

#endif
