/*
 * elf.c - program headers, notes and version definitions
 */
#include "compat/base/elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/str.h"

enum {
	HEADERS_MAX = 128,
	NOTES_MAX = 64 << 10,	/* bytes of one PT_NOTE that are looked at */
	DYNAMIC_MAX = 1024,	/* entries */
	VERSIONS_MAX = 512,
	CHUNK = 64 << 10,
	TEXT_MAX = 100,
	SCAN_MAX = 64 << 20,
};

struct elf {
	elf_read_fn *read;
	void *arg;
	Elf64_Phdr headers[HEADERS_MAX];
	size_t count;
};

/* ---- notes ---- */

static uint64_t padded(uint64_t n, uint64_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static void take_abi(struct elf_info *info, const void *desc, size_t len)
{
	uint32_t words[4];

	if (len < sizeof(words))
		return;
	memcpy(words, desc, sizeof(words));
	if (words[0] != ELF_NOTE_OS_LINUX)
		return;
	info->has_abi = true;
	memcpy(info->abi, words + 1, sizeof(info->abi));
}

static int read_notes(const struct elf *e, const Elf64_Phdr *h, struct elf_info *info)
{
	size_t len = h->p_filesz < NOTES_MAX ? (size_t)h->p_filesz : NOTES_MAX, at = 0;
	uint64_t align = h->p_align == 8 ? 8 : 4;
	auto_free char *notes = xcalloc(len + 1, 1);
	int rc = e->read(e->arg, h->p_offset, notes, len);

	if (rc < 0)
		return rc;
	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t desc, next;

		memcpy(&note, notes + at, sizeof(note));
		desc = at + padded(sizeof(note) + note.n_namesz, align);
		next = desc + padded(note.n_descsz, align);
		if (desc > len || desc + note.n_descsz > len)
			return len == NOTES_MAX ? 0 : -EINVAL;
		if (note.n_type == NT_GNU_ABI_TAG && note.n_namesz == 4 && memcmp(notes + at + sizeof(note), "GNU", 4) == 0)
			take_abi(info, notes + desc, note.n_descsz);
		if (next > len)
			break;
		at = (size_t)next;
	}
	return 0;
}

/* ---- version definitions ---- */

/* Where in the file the memory address is, UINT64_MAX when nothing is loaded there. */
static uint64_t offset_of(const struct elf *e, uint64_t address)
{
	for (size_t i = 0; i < e->count; i++) {
		const Elf64_Phdr *h = &e->headers[i];

		if (h->p_type == PT_LOAD && address >= h->p_vaddr && address - h->p_vaddr < h->p_filesz &&
		    h->p_offset <= UINT64_MAX - h->p_filesz)
			return h->p_offset + (address - h->p_vaddr);
	}
	return UINT64_MAX;
}

/* "GLIBC_2.36" and "GLIBC_2.3.4" -> 36, 3; anything else 0 */
static uint32_t minor_of(const char *name)
{
	const char *digits = str_skip(name, "GLIBC_2.");
	uint32_t n = 0;

	for (; digits && *digits >= '0' && *digits <= '9' && n < 1000; digits++)
		n = n * 10 + (uint32_t)(*digits - '0');
	return digits && (*digits == '\0' || *digits == '.') ? n : 0;
}

struct dynamic {
	uint64_t definitions, count, strings, strings_size;
};

static int read_versions(const struct elf *e, const struct dynamic *d, struct elf_info *info)
{
	uint64_t at = offset_of(e, d->definitions), strings = offset_of(e, d->strings);

	if (at == UINT64_MAX || strings == UINT64_MAX)
		return -EINVAL;
	for (uint64_t i = 0; i < d->count && i < VERSIONS_MAX; i++) {
		Elf64_Verdef def;
		Elf64_Verdaux aux;
		char name[16] = "";
		size_t len = sizeof(name) - 1;
		uint32_t minor;
		int rc = e->read(e->arg, at, &def, sizeof(def));

		if (rc >= 0 && at > UINT64_MAX - def.vd_aux)
			return -EINVAL;
		if (rc >= 0)
			rc = e->read(e->arg, at + def.vd_aux, &aux, sizeof(aux));
		if (rc < 0)
			return rc;
		if (aux.vda_name >= d->strings_size || strings > UINT64_MAX - aux.vda_name)
			return -EINVAL;
		if (d->strings_size - aux.vda_name < len)
			len = (size_t)(d->strings_size - aux.vda_name);
		rc = e->read(e->arg, strings + aux.vda_name, name, len);
		if (rc < 0)
			return rc;
		minor = minor_of(name);
		if (minor > info->glibc_minor)
			info->glibc_minor = minor;
		if (!def.vd_next || at > UINT64_MAX - def.vd_next)
			break;
		at += def.vd_next;
	}
	return 0;
}

static int read_dynamic(const struct elf *e, const Elf64_Phdr *h, struct elf_info *info)
{
	struct dynamic d = {0};

	for (uint64_t i = 0; i < DYNAMIC_MAX && (i + 1) * sizeof(Elf64_Dyn) <= h->p_filesz; i++) {
		Elf64_Dyn entry;
		int rc = h->p_offset > UINT64_MAX - i * sizeof(entry)
				 ? -EINVAL
				 : e->read(e->arg, h->p_offset + i * sizeof(entry), &entry, sizeof(entry));

		if (rc < 0)
			return rc;
		if (entry.d_tag == DT_NULL)
			break;
		if (entry.d_tag == DT_VERDEF)
			d.definitions = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_VERDEFNUM)
			d.count = entry.d_un.d_val;
		else if (entry.d_tag == DT_STRTAB)
			d.strings = entry.d_un.d_ptr;
		else if (entry.d_tag == DT_STRSZ)
			d.strings_size = entry.d_un.d_val;
	}
	return d.definitions && d.count && d.strings ? read_versions(e, &d, info) : 0;
}

/* ---- the file ---- */

static int read_interpreter(const struct elf *e, const Elf64_Phdr *h, struct elf_info *info)
{
	int rc;

	if (h->p_filesz < 2 || h->p_filesz > sizeof(info->interpreter))
		return -EINVAL;
	rc = e->read(e->arg, h->p_offset, info->interpreter, (size_t)h->p_filesz);
	if (rc < 0)
		return rc;
	return info->interpreter[h->p_filesz - 1] == '\0' ? 0 : -EINVAL;
}

static int read_headers(struct elf *e, struct elf_info *info)
{
	Elf64_Ehdr head;
	int rc = e->read(e->arg, 0, &head, sizeof(head));

	if (rc == -ENODATA)
		return -ENOEXEC;
	if (rc < 0)
		return rc;
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_ident[EI_DATA] != ELFDATA2LSB || (head.e_type != ET_EXEC && head.e_type != ET_DYN))
		return -ENOEXEC;
	if (head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum > HEADERS_MAX)
		return -EINVAL;
	info->machine = head.e_machine;
	e->count = head.e_phnum;
	return e->read(e->arg, head.e_phoff, e->headers, e->count * sizeof(e->headers[0]));
}

int elf_parse(elf_read_fn *read, void *arg, struct elf_info *ret)
{
	static int (*const readers[])(const struct elf *, const Elf64_Phdr *, struct elf_info *) = {
		[PT_DYNAMIC] = read_dynamic, [PT_INTERP] = read_interpreter, [PT_NOTE] = read_notes,
	};
	bool seen[ARRAY_SIZE(readers)] = {false};
	struct elf e = {.read = read, .arg = arg};
	struct elf_info info = {0};
	int rc = read_headers(&e, &info);

	for (size_t i = 0; rc >= 0 && i < e.count; i++) {
		uint32_t type = e.headers[i].p_type;

		/* Of notes there may be several, of the rest the kernel and loaders take one. */
		if (type >= ARRAY_SIZE(readers) || !readers[type] || (seen[type] && type != PT_NOTE))
			continue;
		seen[type] = true;
		rc = readers[type](&e, &e.headers[i], &info);
	}
	if (rc < 0)
		return rc;
	*ret = info;
	return 0;
}

static int read_fd(void *arg, uint64_t at, void *data, size_t len)
{
	char *to = data;

	if (at > INT64_MAX - len)
		return -EINVAL;
	while (len) {
		ssize_t n = pread(*(int *)arg, to, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int elf_read(int fd, struct elf_info *ret)
{
	return elf_parse(read_fd, &fd, ret);
}

bool elf_mentions(int fd, const char *text)
{
	size_t len = strlen(text), kept = 0;
	auto_free char *buf = NULL;

	if (!len || len > TEXT_MAX)
		return false;
	buf = xcalloc(CHUNK + TEXT_MAX, 1);
	for (off_t at = 0; at < SCAN_MAX;) {
		ssize_t n = pread(fd, buf + kept, CHUNK, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		kept += (size_t)n;
		if (memmem(buf, kept, text, len))
			return true;
		/* The end of this piece may be its beginning. */
		n = kept < len - 1 ? (ssize_t)kept : (ssize_t)len - 1;
		memmove(buf, buf + kept - n, (size_t)n);
		kept = (size_t)n;
	}
	return false;
}
