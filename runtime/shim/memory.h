/*
 * memory - give back what an idle shim does not need. Private to runtime/shim.
 *
 * Hundreds of shims wait for months; what they touched while they made their container is of no use to them.
 */
#ifndef RUNTIME_SHIM_MEMORY_H
#define RUNTIME_SHIM_MEMORY_H

#include <sys/epoll.h>

/* Gives back freed heap and the unused part of the stack. */
void memory_trim(void);

/*
 * Gives back the pages of code and constants, which come from the page cache again when they are needed, and waits for one event of @epoll
 * without an end. It makes the calls itself, so that only the pages around this function are mapped while it waits. 1: @ev is one;
 * negative: none came (a signal).
 */
int memory_wait(int epoll, struct epoll_event *ev);

#endif
