/*
 * tar_bytes - tar archives as raw bytes, so that tests can say what no tar program would write
 */
#ifndef TESTS_UNIT_TAR_BYTES_H
#define TESTS_UNIT_TAR_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "compat/base/buf.h"
#include "compat/base/str.h"

struct tar_entry {
	const char *name;
	char type;		/* '0' file, '1' hard link, '2' link, '3' char, '4' block, '5' directory, '6' FIFO */
	const char *data;	/* content, or target of a link */
	size_t len;		/* 0: strlen(data) for files */
	unsigned int mode;	/* 0: 0644, directories 0755 */
	unsigned int uid, gid, major, minor;
	long mtime;
	const char *size_field;	/* 12 raw bytes instead of the size */
};

__attribute__((unused)) static void tar_octal(unsigned char *field, size_t size, uint64_t value)
{
	for (size_t i = size - 1; i-- > 0; value /= 8)
		field[i] = (unsigned char)('0' + value % 8);
}

__attribute__((unused)) static void tar_checksum(unsigned char *h)
{
	unsigned int sum = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += h[i];
	tar_octal(h + 148, 7, sum);
	h[154] = '\0';
}

__attribute__((unused)) static void tar_add(struct buf *b, const struct tar_entry *e)
{
	static const char zeros[512];
	unsigned char h[512] = {0};
	bool file = e->type == '0' || e->type == 'x' || e->type == 'L' || e->type == 'g';
	size_t len = file && e->data ? (e->len ? e->len : strlen(e->data)) : 0;

	memcpy(h, e->name, strnlen(e->name, 100));
	tar_octal(h + 100, 8, e->mode ? e->mode : e->type == '5' ? 0755 : 0644);
	tar_octal(h + 108, 8, e->uid);
	tar_octal(h + 116, 8, e->gid);
	tar_octal(h + 124, 12, (unsigned long)len);
	tar_octal(h + 136, 12, (unsigned long)e->mtime);
	h[156] = (unsigned char)e->type;
	if (!file && e->data)
		memcpy(h + 157, e->data, strnlen(e->data, 100));
	memcpy(h + 257, "ustar\0" "00", 8);
	tar_octal(h + 329, 8, e->major);
	tar_octal(h + 337, 8, e->minor);
	if (e->size_field)
		memcpy(h + 124, e->size_field, 12);
	tar_checksum(h);
	buf_add(b, h, sizeof(h));
	if (len) {
		buf_add(b, e->data, len);
		buf_add(b, zeros, (512 - len % 512) % 512);
	}
}

/* One "LEN key=value\n" record; its length counts itself. */
__attribute__((unused)) static void pax_record(struct buf *b, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, n = rest + 1, digits;

	do {
		digits = n;
		n = rest + (size_t)snprintf(NULL, 0, "%zu", digits);
	} while (n != digits);
	buf_fmt(b, "%zu %s=", n, key);
	buf_add(b, value, len);
	buf_char(b, '\n');
}

__attribute__((unused)) static void tar_pax(struct buf *b, const struct buf *records)
{
	tar_add(b, &(struct tar_entry){.name = "pax", .type = 'x', .data = records->data, .len = records->len});
}

__attribute__((unused)) static void tar_end(struct buf *b)
{
	static const char zeros[1024];

	buf_add(b, zeros, sizeof(zeros));
}

#endif
