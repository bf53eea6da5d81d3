/*
 * elf_file.h - programs and libraries for tests: headers, notes and versions, no code
 */
#ifndef TESTS_UNIT_ELF_FILE_H
#define TESTS_UNIT_ELF_FILE_H

#include <elf.h>
#include <string.h>

#include "compat/base/buf.h"
#include "compat/base/str.h"
#include "compat/base/vec.h"

struct elf_want {
	const char *interpreter;	/* NULL: none */
	uint32_t abi[3];		/* all 0: no note */
	const char *versions;		/* "GLIBC_2.2.5 GLIBC_2.36"; NULL: none */
	const char *text;		/* somewhere in it; NULL: none */
};

enum { ELF_FILE_HEADERS = 4, ELF_FILE_DATA = sizeof(Elf64_Ehdr) + ELF_FILE_HEADERS * sizeof(Elf64_Phdr) };

static inline void elf_file_segment(Elf64_Phdr *h, uint32_t type, const struct buf *out, size_t start)
{
	*h = (Elf64_Phdr){.p_type = type, .p_offset = start, .p_vaddr = start, .p_filesz = out->len - start,
			  .p_memsz = out->len - start, .p_align = 4};
}

static inline void elf_file_versions(struct buf *out, const char *versions, Elf64_Dyn dynamic[5])
{
	AUTO(strv_clear) struct strv names = {0};
	size_t strings, definitions;
	uint32_t at = 1;

	strv_split(&names, versions, " ", false);
	strings = out->len;
	buf_add(out, "", 1);
	STRV_EACH(name, &names)
		buf_add(out, *name, strlen(*name) + 1);
	dynamic[0] = (Elf64_Dyn){.d_tag = DT_STRTAB, .d_un.d_ptr = strings};
	dynamic[1] = (Elf64_Dyn){.d_tag = DT_STRSZ, .d_un.d_val = out->len - strings};
	definitions = out->len;
	for (size_t i = 0; i < names.n; i++) {
		Elf64_Verdef def = {.vd_version = 1, .vd_ndx = (Elf64_Half)(i + 1), .vd_cnt = 1, .vd_aux = sizeof(def),
				    .vd_next = i + 1 < names.n ? sizeof(def) + sizeof(Elf64_Verdaux) : 0};
		Elf64_Verdaux aux = {.vda_name = at};

		at += (uint32_t)strlen(names.v[i]) + 1;
		buf_add(out, &def, sizeof(def));
		buf_add(out, &aux, sizeof(aux));
	}
	dynamic[2] = (Elf64_Dyn){.d_tag = DT_VERDEF, .d_un.d_ptr = definitions};
	dynamic[3] = (Elf64_Dyn){.d_tag = DT_VERDEFNUM, .d_un.d_val = names.n};
	dynamic[4] = (Elf64_Dyn){.d_tag = DT_NULL};
}

static inline void elf_file_make(const struct elf_want *want, struct buf *out)
{
	static const char zero[ELF_FILE_DATA];
	Elf64_Ehdr head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_type = ET_DYN, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
			   .e_phoff = sizeof(head), .e_phentsize = sizeof(Elf64_Phdr)};
	Elf64_Phdr headers[ELF_FILE_HEADERS] = {{.p_type = PT_LOAD}};
	Elf64_Dyn dynamic[5];
	size_t start;

	head.e_phnum = 1;
	buf_add(out, zero, sizeof(zero));
	if (want->interpreter) {
		start = out->len;
		buf_add(out, want->interpreter, strlen(want->interpreter) + 1);
		elf_file_segment(&headers[head.e_phnum++], PT_INTERP, out, start);
	}
	if (want->abi[0]) {
		const uint32_t note[] = {4, 16, 1, 0x00554e47 /* "GNU" */, 0 /* Linux */, want->abi[0], want->abi[1],
					 want->abi[2]};

		start = out->len;
		buf_add(out, note, sizeof(note));
		elf_file_segment(&headers[head.e_phnum++], PT_NOTE, out, start);
	}
	if (want->versions) {
		elf_file_versions(out, want->versions, dynamic);
		start = out->len;
		buf_add(out, dynamic, sizeof(dynamic));
		elf_file_segment(&headers[head.e_phnum++], PT_DYNAMIC, out, start);
	}
	buf_add(out, want->text ? want->text : "", want->text ? strlen(want->text) : 0);
	headers[0].p_filesz = headers[0].p_memsz = out->len;
	memcpy(out->data, &head, sizeof(head));
	memcpy(out->data + sizeof(head), headers, sizeof(headers));
}

#endif
