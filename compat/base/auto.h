/*
 * auto - release at the end of the scope.
 *
 * Initialise at the declaration; order of declaration is order of acquisition, release runs in reverse. Nothing runs on
 * exit, execve or longjmp.
 */
#ifndef COMPAT_BASE_AUTO_H
#define COMPAT_BASE_AUTO_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void auto_free_fn(void *p)
{
	free(*(void **)p);
}

/* Keeps errno: a failed call may be reported after the scope's fds are closed. */
void auto_close_fn(int *fd);

static inline void auto_fclose_fn(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void auto_closedir_fn(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* "unused": a variable that is there for its release alone is fine, which clang does not see. */
#define auto_free     __attribute__((cleanup(auto_free_fn), unused))
#define auto_fd	      __attribute__((cleanup(auto_close_fn), unused))
#define auto_fclose   __attribute__((cleanup(auto_fclose_fn), unused))
#define auto_closedir __attribute__((cleanup(auto_closedir_fn), unused))

/*
 * AUTO(foo_free) struct foo *f = NULL; needs DEFINE_AUTO(foo_free, struct foo *) once, beside foo_free's prototype.
 * For embedded structs: DEFINE_AUTO_CLEAR(strv_clear, struct strv) and AUTO(strv_clear) struct strv v = {0};
 */
#define DEFINE_AUTO(fn, type)                                                                      \
	static inline void auto_##fn##_cb(type *p)                                                 \
	{                                                                                          \
		if (*p)                                                                            \
			fn(*p);                                                                    \
	}
#define DEFINE_AUTO_CLEAR(fn, type)                                                                \
	static inline void auto_##fn##_cb(type *p)                                                 \
	{                                                                                          \
		fn(p);                                                                             \
	}
#define AUTO(fn) __attribute__((cleanup(auto_##fn##_cb), unused))

/* Hand ownership on: the variable becomes NULL. */
#define take(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) taken_ = (p);                                                        \
		(p) = NULL;                                                                        \
		taken_;                                                                            \
	})

static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
