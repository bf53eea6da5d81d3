/*
 * memory - give back what an idle shim does not need
 */
#include "runtime/shim/memory.h"

#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Both are the linker's: where the program's image begins, and where its code ends. */
extern const char __executable_start[], etext[];

static void drop_code(uintptr_t page)
{
	uintptr_t from = ((uintptr_t)__executable_start + page - 1) & ~(page - 1);
	uintptr_t to = (uintptr_t)etext & ~(page - 1);

	/* Clean pages of a file: nothing is lost. Fails on no kernel that matters, and then nothing changes. */
	if (from < to)
		(void)madvise((void *)from, to - from, MADV_DONTNEED);
}

static void drop_stack(uintptr_t page)
{
	enum { DEEP = 1 << 20, SPARE = 8192 };
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t to = (here - SPARE) & ~(page - 1);

	/* Below the red zone and the frames of madvise(); an unmapped part is ENOMEM after the mapped one was dropped. */
	for (uintptr_t at = to - page; at > here - DEEP; at -= page)
		if (madvise((void *)at, page, MADV_DONTNEED) < 0)
			break;
}

void memory_trim(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

#ifdef __GLIBC__
	malloc_trim(0);
#endif
	drop_stack(page);
	drop_code(page);
}
