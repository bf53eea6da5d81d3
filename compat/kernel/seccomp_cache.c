/*
 * seccomp_cache.c - compiled programs on disk
 *
 *	header: magic, lengths, checksum of the program
 *	key:    the profile in canonical binary form, with the compiler's identity
 *	program: struct sock_filter[]
 *
 * The name is a hash of the key, but only equality of the whole key is a hit.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compat/base/fd.h"
#include "compat/base/str.h"
#include "compat/kernel/seccomp_internal.h"

enum { CACHE_FILE_MAX = 4 << 20, CACHE_FILES_MAX = 256 };

struct header {
	char magic[8];
	uint32_t key_len;
	uint32_t count;
	uint64_t sum;
};

static const char magic[8] = "pouchBP1";

/* FNV-1a over 8 bytes at a time: names and guards against rot; equality is what protects. */
static uint64_t hash(const void *data, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	const unsigned char *p = data;
	uint64_t word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = (h ^ word) * UINT64_C(0x100000001b3);
		h ^= h >> 29;
	}
	for (; len; p++, len--)
		h = (h ^ *p) * UINT64_C(0x100000001b3);
	return h;
}

/* ---- key ---------------------------------------------------------------------------------------------------------------------- */

static void key_str(struct buf *key, const char *s)
{
	buf_add(key, s ? s : "", s ? strlen(s) + 1 : 1);
}

static void key_u64(struct buf *key, uint64_t v)
{
	buf_add(key, &v, sizeof(v));
}

static void key_opt(struct buf *key, const struct opt_u64 *v)
{
	key_u64(key, v->set);
	key_u64(key, v->set ? v->v : 0);
}

static void key_strv(struct buf *key, const struct strv *list)
{
	key_u64(key, list->n);
	for (size_t i = 0; i < list->n; i++)
		key_str(key, list->v[i]);
}

/* Counts stand before lists and strings end in NUL, so that no two profiles have one key. */
void seccomp_spec_key(const struct seccomp_spec *spec, struct buf *ret)
{
	auto_free char *builder = seccomp_builder_id();

	key_str(ret, builder);
	key_str(ret, spec->default_action);
	key_opt(ret, &spec->default_errno_ret);
	key_strv(ret, &spec->architectures);
	key_u64(ret, spec->rules.n);
	VEC_EACH(rule, &spec->rules) {
		key_strv(ret, &rule->names);
		key_str(ret, rule->action);
		key_opt(ret, &rule->errno_ret);
		key_u64(ret, rule->args.n);
		VEC_EACH(arg, &rule->args) {
			key_u64(ret, arg->index);
			key_u64(ret, arg->value);
			key_u64(ret, arg->value_two);
			key_str(ret, arg->op);
		}
	}
}

/* ---- check -------------------------------------------------------------------------------------------------------------------- */

/* The kernel's own rules are stricter; this keeps a damaged file from being tried at all. */
static bool is_program(const struct sock_filter *code, size_t n)
{
	if (!n || n > SECCOMP_PROGRAM_MAX || BPF_CLASS(code[n - 1].code) != BPF_RET)
		return false;
	for (size_t i = 0; i < n; i++) {
		size_t left = n - i - 1;

		switch (BPF_CLASS(code[i].code)) {
		case BPF_JMP:
			if (BPF_OP(code[i].code) == BPF_JA ? code[i].k >= left :
							     code[i].jt >= left || code[i].jf >= left)
				return false;
			break;
		case BPF_LD:
		case BPF_LDX:
		case BPF_ST:
		case BPF_STX:
		case BPF_ALU:
		case BPF_RET:
		case BPF_MISC:
			break;
		}
	}
	return true;
}

int seccomp_cache_check(const void *data, size_t len, const void *key, size_t key_len,
			struct seccomp_program *ret)
{
	const char *bytes = data;
	struct header header;
	size_t program_len;
	struct sock_filter *code;

	if (len < sizeof(header))
		return -EINVAL;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.magic, magic, sizeof(magic)) || !header.count || header.count > SECCOMP_PROGRAM_MAX)
		return -EINVAL;
	program_len = header.count * sizeof(struct sock_filter);
	if (header.key_len > len || len != sizeof(header) + header.key_len + program_len)
		return -EINVAL;
	if (header.key_len != key_len || memcmp(bytes + sizeof(header), key, key_len))
		return -ESTALE;
	if (hash(bytes + sizeof(header) + key_len, program_len) != header.sum)
		return -EINVAL;

	code = xcalloc(header.count, sizeof(*code));
	memcpy(code, bytes + sizeof(header) + key_len, program_len);
	if (!is_program(code, header.count)) {
		free(code);
		return -EINVAL;
	}
	*ret = (struct seccomp_program){
		.filter = code, .count = header.count, .memory = code, .memory_size = program_len};
	return 0;
}

/* ---- files -------------------------------------------------------------------------------------------------------------------- */

static bool is_ours(const struct stat *st)
{
	return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static int open_dir(const char *dir)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return is_ours(&st) ? fd_take(&fd) : -EPERM;
}

static void file_name(char dst[32], const struct buf *key)
{
	snprintf(dst, 32, "%016llx.bpf", (unsigned long long)hash(key->data, key->len));
}

int seccomp_cache_load(const char *dir, const struct buf *key, struct seccomp_program *ret)
{
	auto_fd int dir_fd = open_dir(dir);
	auto_fd int fd = -1;
	auto_free char *data = NULL;
	char name[32];
	struct stat st;
	ssize_t n;

	if (dir_fd < 0)
		return dir_fd;
	file_name(name, key);
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || !is_ours(&st) || st.st_size <= 0 || st.st_size > CACHE_FILE_MAX)
		return -EPERM;
	data = xcalloc(1, (size_t)st.st_size);
	n = fd_read_all(fd, data, (size_t)st.st_size);
	if (n < 0)
		return (int)n;
	return seccomp_cache_check(data, (size_t)n, key->data, key->len, ret);
}

/* A user who makes profiles up must not fill the disk: at the ceiling all go, and what is used comes back. */
static void bound_files(int dir_fd)
{
	auto_fd int copy = dup(dir_fd);
	auto_closedir DIR *dir = NULL;
	struct dirent *e;
	size_t n = 0;

	if (copy < 0 || !(dir = fdopendir(copy)))
		return;
	fd_take(&copy);
	rewinddir(dir);
	while ((e = readdir(dir)))
		n += str_ends(e->d_name, ".bpf");
	if (n < CACHE_FILES_MAX)
		return;
	rewinddir(dir);
	while ((e = readdir(dir))) {
		if (str_ends(e->d_name, ".bpf"))
			(void)unlinkat(dir_fd, e->d_name, 0); /* another process may be first */
	}
}

void seccomp_cache_store(const char *dir, const struct buf *key, const struct seccomp_program *program)
{
	AUTO(buf_clear) struct buf data = BUF_INIT;
	size_t program_len = program->count * sizeof(*program->filter);
	auto_fd int dir_fd = -1;
	struct header header = {.key_len = (uint32_t)key->len, .count = (uint32_t)program->count};
	struct err ignored;
	char name[32];

	memcpy(header.magic, magic, sizeof(magic));
	header.sum = hash(program->filter, program_len);
	buf_add(&data, &header, sizeof(header));
	buf_add(&data, key->data, key->len);
	buf_add(&data, program->filter, program_len);
	if (data.len > CACHE_FILE_MAX)
		return;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return;
	dir_fd = open_dir(dir);
	if (dir_fd < 0)
		return;
	bound_files(dir_fd);
	file_name(name, key);
	/* Without the file the next start compiles again: nothing else is lost. */
	(void)file_replace(dir_fd, name, data.data, data.len, 0600, FILE_NO_SYNC, &ignored);
}
