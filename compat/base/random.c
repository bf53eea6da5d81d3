/*
 * random - bytes nobody can guess.
 */
#include "compat/base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "compat/base/auto.h"
#include "compat/base/fd.h"
#include "compat/base/hide.h"
#include "compat/base/str.h"

#ifndef SYS_getrandom
#define SYS_getrandom 318
#endif

static bool by_syscall(char *dst, size_t len)
{
	if (hidden("getrandom"))
		return false;
	while (len) {
		long n = syscall(SYS_getrandom, dst, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		dst += n;
		len -= (size_t)n;
	}
	return true;
}

void random_bytes(void *dst, size_t len)
{
	auto_fd int fd = -1;

	if (by_syscall(dst, len))
		return;
	fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || fd_read_all(fd, dst, len) != (ssize_t)len)
		abort();
}

void random_id(char dst[65])
{
	unsigned char bytes[32];

	do {
		random_bytes(bytes, sizeof(bytes));
		str_hex(dst, bytes, sizeof(bytes));
	} while (strspn(dst, "0123456789") >= 12);
}
