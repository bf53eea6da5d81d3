/*
 * memory - give back what an idle shim does not need
 */
#include "runtime/shim/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/auto.h"

struct ranges {
	uintptr_t page;
	size_t n;
	struct {
		uintptr_t from, to;
	} v[32];
};

/* What cannot be written is clean pages of a file: nothing is lost when it is dropped. */
static int add_image(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct ranges *r = arg;

	for (size_t i = 0; i < info->dlpi_phnum && r->n < ARRAY_SIZE(r->v); i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t from = info->dlpi_addr + p->p_vaddr;

		if (p->p_type != PT_LOAD || p->p_flags & PF_W)
			continue;
		r->v[r->n].from = from & ~(r->page - 1);
		r->v[r->n++].to = from + p->p_memsz;
	}
	return 0;
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
#ifdef __GLIBC__
	malloc_trim(0);
#endif
	drop_stack((uintptr_t)sysconf(_SC_PAGESIZE));
}

/* In the caller itself: a function of the C library would lie elsewhere and be mapped again with its neighbours. */
static inline __attribute__((always_inline)) long call(long nr, long a, long b, long c, long d, long e, long f)
{
#ifdef __x86_64__
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
#else
	return syscall(nr, a, b, c, d, e, f);
#endif
}

int memory_wait(int epoll, struct epoll_event *ev)
{
	struct ranges image = {.page = (uintptr_t)sysconf(_SC_PAGESIZE)};

	(void)dl_iterate_phdr(add_image, &image);
	for (size_t i = image.n; i > 0; i--)
		(void)call(SYS_madvise, (long)image.v[i - 1].from, (long)(image.v[i - 1].to - image.v[i - 1].from), MADV_DONTNEED, 0, 0, 0);
	return (int)call(SYS_epoll_pwait, epoll, (long)ev, 1, -1, 0, 8);
}
