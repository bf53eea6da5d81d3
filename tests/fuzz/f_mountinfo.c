/*
 * f_mountinfo.c - mountinfo of any bytes, and mount option words
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "compat/kernel/mount.h"
#include "compat/kernel/mountinfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(mountinfo_clear) struct mountinfo info = {0};
	AUTO(mount_options_clear) struct mount_options options = {0};
	AUTO(strv_clear) struct strv words = {0};
	struct err err = ERR_INIT;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	strv_split(&words, text, ",\n", true);
	mount_options_parse(&words, &options);
	/* The same flag is never both set and taken away. */
	if (options.flags & options.clear || options.rec_set & options.rec_clear)
		abort();
	if (!mountinfo_parse(text, size, &info, &err)) {
		VEC_EACH(e, &info.entries) {
			if (*e->target != '/' || !e->fstype || !e->source || !e->super_options || !e->root)
				abort();
			(void)mount_option_has(e->options, "rw");
			if (!mountinfo_at(&info, e->target))
				abort();
		}
		(void)mountinfo_find(&info, "/a/b");
	} else if (!err.msg[0]) {
		abort();
	}
	free(text);
	return 0;
}
